/**
 * `runs.fork`: a new run that takes over what another one has recorded up to a step, and goes on from there.
 *
 * What it takes over is a note of the new run, written with its creation: the journal never holds the one
 * without the other, files are copies of its own, and the other run may go. Its code gets the records as a
 * new try gets those of former ones: results at once, in any order; failures are tried again.
 *
 * Invariant: the other run is only read.
 */
import { type BlobReference, clone } from '../codec/codec.ts';
import { checkNames, checkRecord, checkText } from '../intake/checks.ts';
import { ConfigurationError, PayloadLostError, UnrecognizedTaskError } from '../errors.ts';
import { type Entry, KeyPrefix, nameOf, pathOf, RecordKind } from '../journal/history.ts';
import { triggerOptionNames } from '../intake/options.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { payloadBytes } from '../journal/payloads.ts';
import { Run } from '../runs/run.ts';
import { lostInput } from '../runs/runs.ts';
import type { ForkOptions, RunHandle } from '../types.ts';
import { eventKey } from '../waiting/events.ts';
import { type Fork, forkedEntries, type TakenOver } from './forked.ts';
import { keyOptionNames } from './key.ts';

const keyNames: readonly string[] = keyOptionNames;
const forkNames = [...triggerOptionNames.filter((name) => !keyNames.includes(name)), 'fromStep', 'input'];

/** @throws as `Runs.fork` */
export async function fork(house: Orchestrator, id: string, options: ForkOptions): Promise<RunHandle<any, any>> {
  checkRecord(options, 'fork options');
  checkNames(options, forkNames, 'fork');
  const { fromStep, input, ...given } = options;
  if (fromStep !== undefined) checkText(fromStep, 'fork fromStep');
  const run = house.attach(id);
  if (!(run instanceof Run)) throw new ConfigurationError(`There is no run "${id}" in this tab that could be forked.`);
  const definition = run.definition ?? house.definition(run.taskIdentifier);
  if (!definition) throw new UnrecognizedTaskError(`No task "${run.taskIdentifier}" is registered; "${id}" can't be forked.`);
  const records = await takeOver(house, run, fromStep);
  const payload = 'input' in options ? input : await house.attempts.givenInputOf(run).catch(lostInput(id, 'fork', 'input'));
  const { name, metadata } = run.extra;
  const taken = await write(house, records);
  try {
    return house.intake.trigger(definition, payload, { ...(name !== undefined && { name }), ...(metadata && { metadata }), ...given }, run.id, undefined, undefined, taken);
  } catch (error) {
    house.blobs.release(taken.blobs);
    throw error;
  }
}

/** In the order in which they were recorded; without what undid something. */
async function takeOver(house: Orchestrator, run: Run, fromStep: string | undefined): Promise<TakenOver[]> {
  const own = house.services.historyOf(run).entries;
  const entries = [...forkedEntries(run).filter(({ key }) => !own.some((entry) => entry.key === key)), ...own];
  const end = fromStep === undefined ? entries.length : positionOf(run, entries, fromStep);
  const records: TakenOver[] = [];
  for (const entry of entries.slice(0, end)) {
    if (entry.key.startsWith(KeyPrefix.Undo)) continue;
    records.push(entry.kind === RecordKind.ChildDone ? await ofChild(house, run, entry) : [entry.key, entry.kind, await house.services.valueOf(entry)]);
  }
  return records;
}

/** A wait for an event is recorded as one; people know it by the event. */
const isCalled = ({ key }: Entry, name: string): boolean => nameOf(key) === name || nameOf(key) === eventKey(name) || pathOf(key) === name;
const isNamed = ({ key, kind }: Entry): boolean => kind !== RecordKind.Mark && !key.startsWith(KeyPrefix.Undo);

function positionOf(run: Run, entries: readonly Entry[], fromStep: string): number {
  const position = entries.findIndex((entry) => isNamed(entry) && isCalled(entry, fromStep));
  if (position >= 0) return position;
  const names = [...new Set(entries.filter(isNamed).map(({ key }) => pathOf(key)))];
  throw new ConfigurationError(
    `Run ${run.id} has recorded no "${fromStep}". ${names.length > 0 ? `Recorded are: ${names.join(', ')}.` : 'It has recorded nothing.'} Without fromStep a fork takes over everything.`,
  );
}

/** The child is the other run's: its result is copied. */
async function ofChild(house: Orchestrator, run: Run, { key }: Entry): Promise<TakenOver> {
  const child = house.services.find(run, key);
  if (!child) throw new PayloadLostError(`Run ${run.id} can't be forked behind its child "${nameOf(key)}", which was removed.`);
  return [key, RecordKind.Value, await house.services.outputOf(child)];
}

/** Files are stored before the records are taken down: only then they say under which id. */
async function write({ journal, payloads, blobs: keeper }: Orchestrator, records: readonly TakenOver[]): Promise<Fork> {
  if (!journal) return { note: { value: clone(records, 'step') }, blobs: [] };
  const blobs: BlobReference[] = [];
  const written = records.map(([key, kind, value]) => {
    const record = payloads.writeRecord(key, kind, 0, value, 'step');
    blobs.push(...(payloads.blobs ?? []));
    return record;
  });
  await keeper.store(blobs);
  return { note: { payload: payloads.writeRecords(written.map((record) => payloadBytes(record).slice())) }, blobs };
}
