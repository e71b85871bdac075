/**
 * What the run of a swarm does: opens its group, lets its members join, waits without a slot until the group is settled.
 * How many run at once and when failures are too many is the core's.
 *
 * Invariants: nothing is kept here but in the journal, so it may begin again at any line; a member joins the group
 * once; each try of the swarm makes a member that did not succeed anew at most once.
 */
import type { Container } from '../groups/container.ts';
import { SwarmFailedError } from '../errors.ts';
import * as P from '../protocol.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { End, type Run } from '../runs/run.ts';
import { membersOf } from './membership.ts';
import type { Signatures } from './signatures.ts';
import { begin, closedBinding, configOf, enlist, isClosed, sameMessage, templatesOf } from './swarm.ts';
import type { SwarmResult } from './types.ts';

export async function runSwarm(container: Container): Promise<unknown> {
  const { house, run } = container;
  const home = await house.signatures.loaded();
  const { settled } = await home.inLine(run, () => open(home, container));
  await container.waitFor(settled);
  // Of an export its members have come without their group.
  for (const member of membersOf(house, run)) if (member.end === End.None) await container.waitFor(member.ended);
  const members = membersOf(house, run);
  tellProgress(house, run, members);
  const { mode } = run.extra.deferred!.data as { mode?: Mode };
  if (mode === 'any' || mode === 'race') return firstOf(home, members, mode);
  const failed = members.filter(({ end }) => end === End.Failed);
  if (isTooMuch(run, members)) throw new SwarmFailedError(`Swarm failed too much: ${failed.length} of ${members.length} members failed.`, { cause: house.errorOf(failed[0]!), data: { failed: failed.length, total: members.length } });
  for (const template of templatesOf(home, run)) void house.control.forget(template);
  return mode === 'all' ? Promise.all(members.map((member) => house.outcomes.copyOf(member))) : resultsOf(home, run, members);
}

/** What it gives: all outputs, or the first. */
type Mode = 'all' | 'any' | 'race';

const counts = ({ end }: Run, mode: Mode | undefined): boolean => end === End.Completed || (mode === 'race' && end === End.Failed);

function firstOf({ house }: Signatures, members: readonly Run[], mode: Mode): Promise<unknown> {
  const endedAt = ({ task }: Run) => house.pump.engine.value(task, P.FieldUpdatedAt);
  const first = members.filter((member) => counts(member, mode)).sort((one, other) => endedAt(one) - endedAt(other))[0];
  if (!first) throw new SwarmFailedError(`Swarm failed too much: none of ${members.length} members succeeded.`, { cause: house.errorOf(members[0]!), data: { failed: members.length, total: members.length } });
  if (first.end !== End.Completed) throw house.errorOf(first);
  return house.outcomes.copyOf(first);
}

async function open(home: Signatures, container: Container): Promise<{ settled: Promise<unknown> }> {
  const { house } = home;
  const { run } = container;
  const generation = house.services.closedAttemptOf(run);
  const isNew = generation > 0 && (await renew(home, run, generation));
  const members = membersOf(house, run);
  let group = house.groups.ownedBy(run);
  // Settled before the page went.
  if (group === 0 && !isNew && isClosed(run) && members.every(({ end }) => end !== End.None)) return { settled: Promise.resolve() };
  const { maxConcurrency, stopAfterNFailures, onStop } = configOf(run);
  if (group === 0) group = house.groups.begin(run, { concurrency: maxConcurrency, failureThreshold: stopAfterNFailures ?? undefined, letsFinish: onStop !== 'cancel-running' });
  const settled = house.groups.settled(group);
  watch(home, container, group);
  const drafts = members.filter((member) => house.dependencies.isDraft(member));
  await Promise.all(drafts.map((member) => home.edges.describe(member, { submit: true, also: () => begin(home, member, group) })));
  if (isClosed(run)) house.groups.close(group);
  return { settled };
}

/** Tells how far it is, and that failures are too many. With many members not at each: to look takes longer then. */
function watch(home: Signatures, container: Container, group: number): void {
  const { run, context, house } = container;
  const { mode } = run.extra.deferred!.data as { mode?: Mode };
  let unseen = 0;
  let step = 1;
  const look = (): void => {
    const members = membersOf(home.house, run);
    const ended = members.filter(({ end }) => end !== End.None).length;
    unseen = 0;
    step = Math.ceil(members.length / 100);
    if (members.length > 0) context.progress((100 * ended) / members.length);
    if (ended > 0) tellProgress(house, run, members);
    if (isTooMuch(run, members)) stop(home, run, group, members);
    else if ((mode === 'any' || mode === 'race') && members.some((member) => counts(member, mode))) for (const member of members) if (member.end === End.None) house.pump.commands.push(P.CommandCancel, member.task);
  };
  container.listener = {
    memberEnded({ end }) {
      if (mode !== undefined || end === End.Failed || ++unseen >= step) look();
    },
  };
  look();
}

/** A run for each state that is told of: its id is that of the state, so that what goes on after a crash tells nothing twice. */
function tellProgress(house: Orchestrator, run: Run, members: readonly Run[]): void {
  const { progress: task } = run.extra.deferred!.data as { progress?: string };
  if (task === undefined) return;
  const count = (which: number) => members.filter(({ end }) => end === which).length;
  const report = { key: run.id, total: members.length, completed: count(End.Completed), failed: count(End.Failed), cancelled: count(End.Cancelled) };
  const ended = report.completed + report.failed + report.cancelled;
  const id = `${run.id}:progress:${house.services.closedAttemptOf(run)}:${ended}:${members.length}`;
  if (house.localRun(id)) return;
  try {
    house.intake.triggerTask(task, { ...report, progress: members.length === 0 ? 100 : (100 * ended) / members.length }, { id });
  } catch (error) {
    house.warn(`Swarm ${run.id}: its onProgress "${task}" could not be told. ${String(error)}`);
  }
}

/** Members that have not begun are cancelled by the core; nobody joins any more. */
function stop({ house, edges }: Signatures, run: Run, group: number, members: readonly Run[]): void {
  if (isClosed(run)) return;
  // A rate is looked at here, and carried out there.
  house.groups.change(group, { failureThreshold: Math.max(1, members.filter(({ end }) => end === End.Failed).length) });
  house.groups.close(group);
  edges.bind(run, closedBinding(run));
}

function isTooMuch(run: Run, members: readonly Run[]): boolean {
  const { stopAfterNFailures, stopOn } = configOf(run);
  const failed = members.filter(({ end }) => end === End.Failed).length;
  if (typeof stopAfterNFailures === 'number' && failed >= stopAfterNFailures) return true;
  const over = members.filter(({ end }) => end === End.Failed || end === End.Completed).length;
  return stopOn !== undefined && over >= (stopOn.minSamples ?? 1) && failed > 0 && failed / over >= stopOn.failureRate;
}

async function resultsOf({ house }: Signatures, run: Run, members: readonly Run[]): Promise<SwarmResult[]> {
  const results = await Promise.all(members.map(async (member, index): Promise<SwarmResult> => {
    const common = { index, key: member.id, taskIdentifier: member.taskIdentifier, identifiers: { ...(member.state.metadata.taskIdentifiers as object | undefined) } };
    if (member.end !== End.Completed) return { ...common, ok: false, error: house.errorOf(member) };
    return { ...common, ok: true, output: await house.outcomes.copyOf(member), ...(member.extra.bound?.skipped && { skipped: true as const }) };
  }));
  if (configOf(run).resultsOrder !== 'completion') return results;
  const endedAt = members.map(({ task }) => house.pump.engine.value(task, P.FieldUpdatedAt));
  return results.sort((one, other) => endedAt[one.index]! - endedAt[other.index]! || one.index - other.index);
}

/** Tried again: members that did not succeed are made anew. */
async function renew(home: Signatures, run: Run, generation: number): Promise<boolean> {
  let renewed = false;
  await home.make(async (making) => {
    for (const [index, member] of membersOf(home.house, run).entries()) {
      const { generation: known = 0, own } = member.extra.bound!.data!;
      renewed ||= known === generation;
      if (known === generation || member.end === End.Completed || member.end === End.None) continue;
      renewed = true;
      const copied = await home.copy(making, home.of(member));
      making.done.push(enlist(home, run, copied, { index, generation, isOwn: own === true, noted: await sameMessage(home, member, copied.run_) }));
    }
  });
  return renewed;
}
