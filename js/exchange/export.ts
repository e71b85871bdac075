/**
 * Exports runs of this tab as a stream of lines (lines.ts): a copy of the journal is compacted by a core of its own,
 * so the one that works is not held up, and each run's records are told apart.
 *
 * Invariant: an export changes nothing. What `redact` is to see it sees before it is written, and what it gives is
 * written, in the bytes as well as in what is shown.
 */
import { checkBoolean, checkFunction, checkNames, refuse } from '../intake/checks.ts';
import { decodeWithBlobs } from '../codec/codec.ts';
import { Engine } from '../pump/engine.ts';
import { ConfigurationError, PayloadLostError, PayloadTooLargeError } from '../errors.ts';
import { bareFrames } from '../codec/frames.ts';
import { matcher } from '../views/lists.ts';
import { loadCore } from '../load.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End } from '../runs/run.ts';
import type { RunFilter, TaskState } from '../types.ts';
import { carriers, type EventRow, formVersion, type Line, longestLine, type PayloadLine, pieceBytes, type RunLine, toBase64 } from './lines.ts';
import { blobsIn, encodeAnew, headerOf, isOpaque, type Section, sectionsOf, ShownHandle, shownOf, withHeader, withSections } from './parts.ts';

/** What a value that `redact` is shown is of. */
export interface RedactedPart {
  /** `note`: what a run keeps beside steps; `key` says which (`Metadata`, `Checkpoint` …). */
  part: 'input' | 'metadata' | 'step' | 'output' | 'error' | 'note' | 'name' | 'tags' | 'process' | 'idempotencyKey';
  /** Of a step: its name. */
  key?: string;
  run: Pick<TaskState, 'id' | 'name' | 'taskIdentifier' | 'status'>;
}

export interface ExportOptions {
  /** Which runs: a filter as of `list`, or ids. Their children go with them. Default: all of this tab. */
  runs?: RunFilter | readonly string[];
  /** Files and large values too. Default false: only their names, sizes and digests. */
  blobs?: boolean;
  /** What is written in place of each value; `undefined` is a value too. An error it throws ends the export. */
  redact?: (value: unknown, about: RedactedPart) => unknown;
}

interface Snapshotted {
  events: EventRow[];
  payloads: Uint8Array[];
  parentTask: number | undefined;
  /** What it waits for. */
  after: number[];
}

/** @throws ConfigurationError */
export function checkExport(house: Orchestrator, options: ExportOptions): void {
  checkNames(options, ['runs', 'blobs', 'redact'], 'exportState');
  const { runs, blobs, redact } = options;
  if (blobs !== undefined) checkBoolean(blobs, 'exportState blobs');
  if (redact !== undefined) checkFunction(redact, 'exportState redact');
  if (Array.isArray(runs)) {
    for (const id of runs) if (typeof id !== 'string' || !house.localRun(id)) refuse('exportState runs', 'ids of runs of this tab', id);
  } else if (runs !== undefined) matcher(runs as RunFilter, 'exportState runs');
  if (house.opening.inMemory) throw new ConfigurationError("exportState: with storage 'memory' nothing is stored that could be exported. Use memory() of holdfast/storage/memory.");
}

export async function* exportLines(house: Orchestrator, options: ExportOptions, nowMs: number): AsyncGenerator<Line> {
  const snapshot = await snapshotOf(house);
  const states = withSources(house, chosen(house, options.runs), snapshot);
  yield { kind: 'holdfast', version: formVersion, at: nowMs };
  const told = new Set<string>();
  let count = 0;
  for (const state of states) {
    const found = snapshot.get(house.localRun(state.id)?.task ?? 0);
    if (!found) continue;
    const { line, blobs } = await runLine(house, options, state, found);
    for (const [id, blob] of blobs) yield* blobLines(id, blob, told);
    yield line;
    count++;
  }
  yield { kind: 'end', runs: count, blobs: told.size };
}

/** Parents before their children. */
function chosen(house: Orchestrator, runs: ExportOptions['runs']): TaskState[] {
  const all = house.localRuns().map(({ state }) => state).filter(({ hidden }) => !hidden).sort((one, other) => one.depth - other.depth || one.createdAt - other.createdAt);
  const isMeant = Array.isArray(runs) ? ({ id }: TaskState) => runs.includes(id) : matcher((runs as RunFilter | undefined) ?? {}, 'exportState runs');
  const taken = new Set<string>();
  for (const state of all) if (isMeant(state) || (state.parentId !== undefined && taken.has(state.parentId))) taken.add(state.id);
  return all.filter(({ id }) => taken.has(id));
}

/** What has not ended takes along what it waits for, and what its input is to be made of. */
function withSources(house: Orchestrator, states: readonly TaskState[], snapshot: ReadonlyMap<number, Snapshotted>): TaskState[] {
  const taken = new Map(states.map((state) => [state.id, state]));
  for (const { id } of taken.values()) {
    const run = house.localRun(id);
    if (!run || run.end !== End.None) continue;
    const waitsFor = (snapshot.get(run.task)?.after ?? []).flatMap((task) => house.pump.run(task)?.id ?? []);
    for (const source of [...waitsFor, ...Object.values(run.extra.bound?.sources ?? {})]) {
      const found = taken.has(source) ? undefined : house.localRun(source);
      if (found) taken.set(source, found.state);
    }
  }
  return [...taken.values()];
}

/** What a compacted journal says, by the core's numbers. */
async function snapshotOf(house: Orchestrator): Promise<Map<number, Snapshotted>> {
  await house.journal!.acknowledged();
  const log = house.journal!.log();
  const engine = new Engine(await loadCore(house.getOptions().wasm), 0, 0);
  try {
    engine.load(log);
    return readSnapshot(engine.compact([log]));
  } finally {
    engine.delete();
  }
}

function readSnapshot(log: Uint8Array): Map<number, Snapshotted> {
  const tasks = new Map<number, Snapshotted>();
  for (const { events, eventCount, payload: first } of bareFrames(log)) {
    const view = new DataView(log.buffer, log.byteOffset + events, eventCount * P.RecordBytes);
    let payload = first;
    for (let at = 0; at < view.byteLength; at += P.RecordBytes) {
      const [kind, task, a, b] = [view.getUint32(at, true), view.getUint32(at + 4, true), view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
      const carries = carriers.has(kind);
      take(tasks, task, [kind, a, carries ? 0 : b, view.getFloat64(at + 16, true)], carries ? log.slice(payload, payload + b) : undefined);
      if (carries) payload += b;
    }
  }
  return tasks;
}

const ofRuns: ReadonlySet<number> = new Set([P.EventTaskSet, P.EventHeld, P.EventBelonged, P.EventDepended, P.EventRestored, ...carriers.keys()]);

function take(tasks: Map<number, Snapshotted>, task: number, row: EventRow, payload: Uint8Array | undefined): void {
  const [kind, a] = row;
  if (!ofRuns.has(kind) || (kind === P.EventRestored && a >= P.RestoredFieldGroupSucceeded)) return;
  let found = tasks.get(task);
  if (!found) tasks.set(task, (found = { events: [], payloads: [], parentTask: undefined, after: [] }));
  // Numbers of queues and policies are this journal's; a run is placed anew by whoever takes it in.
  if (kind === P.EventCreated) row[1] = 0;
  if (kind === P.EventBelonged) {
    found.parentTask = a;
    row[1] = 0;
  }
  if (kind === P.EventDepended) {
    found.after.push(a);
    row[1] = 0;
  }
  found.events.push(row);
  if (payload) found.payloads.push(payload);
}

async function runLine(house: Orchestrator, options: ExportOptions, state: TaskState, found: Snapshotted): Promise<{ line: RunLine; blobs: Map<string, Blob> }> {
  if (options.redact) leaveOutOpaque(found);
  const blobs = new Map<string, Blob>();
  const payloads: PayloadLine[] = [];
  let index = 0;
  let bytes = 0;
  let first: Uint8Array | undefined;
  for (const [kind, a] of found.events) {
    const part = carriers.get(kind);
    if (!part) continue;
    const { payload, shown } = await exported(house, options, state, { part, payload: found.payloads[index++]!, noteKind: a }, blobs);
    first ??= payload;
    bytes += payload.length;
    payloads.push({ part, base64: toBase64(payload), shown: bytes > mostShownBytes ? '[not shown: the run has recorded too much]' : await shown() });
  }
  const { id, taskIdentifier: task, status, createdAt, parentId } = state;
  const name = headerOf(first!).name ?? task;
  const after = found.after.map((number) => house.pump.run(number)?.id ?? '');
  const parent = found.parentTask === undefined ? undefined : parentId;
  // A key is 53 bits of what the person may have typed.
  const events = options.redact ? found.events.filter(([kind, field]) => kind !== P.EventTaskSet || (field !== P.TaskFieldKey && field !== P.TaskFieldKeyUntilMs)) : found.events;
  return { line: { kind: 'run', id, task, name, status, createdAt, ...(parent !== undefined && { parent }), ...(after.length > 0 && { after }), events, payloads }, blobs };
}

/** Streams, and what a fork has taken over: who redacts would see bytes, and miss what is in them. */
function leaveOutOpaque(found: Snapshotted): void {
  const isLeftOut = ([kind, a]: EventRow): boolean => carriers.get(kind) === 'note' && isOpaque(a);
  const carrying = found.events.filter(([kind]) => carriers.has(kind));
  found.payloads = found.payloads.filter((_, index) => !isLeftOut(carrying[index]!));
  found.events = found.events.filter((row) => !isLeftOut(row));
}

/** Of payloads of one run: what people look at, and not as much again of what they can't. */
const mostShownBytes = 4 * 1024 * 1024;

interface Given {
  part: PayloadLine['part'];
  payload: Uint8Array;
  noteKind: number;
}

async function exported(house: Orchestrator, { blobs: withBlobs, redact }: ExportOptions, state: TaskState, given: Given, blobs: Map<string, Blob>): Promise<{ payload: Uint8Array; shown: () => Promise<unknown> }> {
  let { payload } = given;
  if (redact && given.part === 'input') payload = redactedHeader(redact, state, payload);
  const sections = sectionsOf(given.part, payload, given.noteKind);
  if (redact) {
    const fresh: Uint8Array[] = [];
    for (const section of sections) {
      const anew = await redacted(house, redact, state, section);
      for (const [id, { blob, kind }] of anew.blobs) if (withBlobs || kind === 'handle') blobs.set(id, blob);
      fresh.push(anew.bytes);
    }
    payload = withSections(given.part, payload, sections, fresh);
  } else {
    // One that is lost here is lost there. What stands for a file handle says of its file what is said of any.
    for (const { entry } of blobsIn(sections))
      if (withBlobs || entry.kind === 'handle') await house.blobs.ticket(entry).then((blob) => blobs.set(entry.id, blob), ignoreLost);
  }
  return { payload, shown: () => shownTo(given, payload) };
}

async function shownTo({ part, noteKind }: Given, payload: Uint8Array): Promise<unknown> {
  const shown: Record<string, unknown> = {};
  for (const { what, key, bytes } of sectionsOf(part, payload, noteKind)) Object.assign(shown, key !== undefined && { key }, { [what]: await shownOf(bytes) });
  if (part === 'input') shown.tags = headerOf(payload).extras?.tags;
  return shown;
}

const aboutRun = ({ id, name, taskIdentifier, status }: TaskState) => ({ id, name, taskIdentifier, status });

/** What a header says beside ids. What is no text any more is left out. */
function redactedHeader(redact: NonNullable<ExportOptions['redact']>, state: TaskState, payload: Uint8Array): Uint8Array {
  const header = headerOf(payload);
  const run = aboutRun(state);
  const name = header.name === undefined ? undefined : redact(header.name, { part: 'name', run });
  const extras: Record<string, unknown> = { ...header.extras };
  for (const [field, part] of [['tags', 'tags'], ['process', 'process'], ['key', 'idempotencyKey']] as const) {
    if (extras[field] === undefined) continue;
    const given = redact(extras[field], { part, run });
    if (given === undefined) delete extras[field];
    else extras[field] = given;
  }
  return withHeader(payload, { ...header, name: typeof name === 'string' ? name : undefined, extras: Object.keys(extras).length === 0 ? undefined : extras });
}

async function redacted(house: Orchestrator, redact: NonNullable<ExportOptions['redact']>, state: TaskState, { what, key, bytes }: Section) {
  const value: unknown = await decodeWithBlobs(bytes, async (entry) => {
    const blob = await house.blobs.ticket(entry).catch((error) => (ignoreLost(error), new Blob([])));
    return entry.kind === 'handle' ? (new ShownHandle(await nameOf(house, blob), blob) as never) : blob;
  });
  const about = { part: what as RedactedPart['part'], ...(key !== undefined && { key }), run: aboutRun(state) };
  return encodeAnew(redact(value, about), `redact(${what} of run ${JSON.stringify(state.id)})`);
}

function nameOf(house: Orchestrator, ticket: Blob): Promise<string> {
  return house.blobs.handles.read(ticket).then(({ name }) => name, () => '');
}

function ignoreLost(error: unknown): void {
  if (!(error instanceof PayloadLostError)) throw error;
}

async function* blobLines(id: string, blob: Blob, told: Set<string>): AsyncGenerator<Line> {
  if (told.has(id)) return;
  told.add(id);
  const { digestOf } = await import('../blobs/digest.ts');
  yield { kind: 'blob', id, size: blob.size, digest: await digestOf(blob) };
  for (let at = 0; at < blob.size; at += pieceBytes)
    yield { kind: 'bytes', blob: id, base64: toBase64(new Uint8Array(await blob.slice(at, at + pieceBytes).arrayBuffer())) };
}

/** @throws PayloadTooLargeError for a line that no import would read */
function textOf(line: Line): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(line);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  if (text !== undefined && text.length <= longestLine) return text;
  const what = line.kind === 'run' ? `run ${JSON.stringify(line.id)} has recorded` : 'a line has';
  throw new PayloadTooLargeError(`exportState: ${what} more than the ${longestLine} characters that a line can have. Leave it out with \`runs\`, or make it smaller with \`redact\`.`, { data: { limit: longestLine } });
}

export function exportStream(house: Orchestrator, options: ExportOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
  const lines = exportLines(house, options, house.clock.now());
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await lines.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${textOf(value)}\n`));
    },
    async cancel() {
      await lines.return(undefined);
    },
  });
}
