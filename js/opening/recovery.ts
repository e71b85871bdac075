/**
 * How recovered runs go on: at once, one after the other (`stagger`), or when somebody says so
 * (`manual`); and what the report says of them.
 *
 * Invariant: what is to wait is told so before any of it can start, however many there are: their
 * queues stand still until then. A queue or a hold that a crash in between left closed is opened by
 * the next opening.
 */
import { isRecovered } from '../definition/recovered-inputs.ts';
import { graphTask } from '../graph/names.ts';
import type { Engine } from '../pump/engine.ts';
import { isContainer } from '../groups/kinds.ts';
import { HoldTurn } from '../runs/holds.ts';
import { checkRecovery } from '../intake/orchestrator-options.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { RecoveryReport } from '../types.ts';
import { scheduleTask } from '../schedules/state.ts';
import { standing } from '../views/view.ts';

/** Reading this many ids takes a few milliseconds; then the page has its turn. */
const runsPerTurn = 2000;

/** Pushes what makes the runs of our journal go on. */
export function recover(house: Orchestrator, engine: Engine, orderly: boolean): void {
  const { manual, staggerMs } = checkRecovery(house.getOptions().recovery);
  const { commands } = house.pump;
  const queues = house.table.queues.numbers();
  const keepStill = (queue: number, still: number) => commands.push(P.CommandSetQueue, queue, P.QueueFieldStill, 0, still);
  const inTurn = !manual && staggerMs > 0;
  const waiting = manual || inTurn ? house.pump.allRuns().filter(isUnfinished).filter(({ extra }) => !extra.hidden) : [];
  if (waiting.length > 0) for (const queue of queues) keepStill(queue, 1);
  recoverLost(house, engine, orderly);
  for (const run of waiting) letWait(house, run, manual);
  for (const queue of queues) if (waiting.length > 0 || engine.queueValue(queue, P.QueueValueStill)) keepStill(queue, 0);
  if (inTurn) takeTurns(house, waiting, 0, staggerMs);
}

/**
 * What ran lost its page, and is suspected to have brought it down unless that ended in order. Code of ours is not: a member
 * that brings the page down does so before its container has come to wait for it, and would take along with it the
 * container, and so all other members. That of a graph makes nodes of people's classes: it is not while others ran too.
 */
export function recoverLost(house: Orchestrator, engine: Engine, orderly: boolean, first = 1): void {
  const { pump } = house;
  const own: number[] = [];
  const graphs: number[] = [];
  let others = 0;
  // Of a hundred thousand that are unfinished few ran, and each question is a way through the door.
  let left = 0;
  if (!orderly) for (const queue of house.table.queues.numbers()) left += engine.queueValue(queue, P.QueueValueRunning);
  const end = engine.value(0, P.FieldTaskEnd);
  for (let task = first; task < end && left > 0; task++) {
    if ((engine.state(task) & 0xf) !== P.StateRunning) continue;
    left--;
    const id = pump.run(task)?.taskIdentifier;
    if (id === graphTask) graphs.push(task);
    else if (isContainer(id) || id === scheduleTask) own.push(task);
    else others++;
  }
  // Said to have been interrupted before that is asked, it is not counted.
  for (const task of others > 0 ? [...own, ...graphs] : own) pump.commands.push(P.CommandSettle, task, engine.value(task, P.FieldAttempt) | (P.OutcomeInterrupted << 24));
  pump.commands.push(P.CommandRecover, 0, orderly ? 1 : 0);
}

function isUnfinished(run: Run | undefined): run is Run {
  return run !== undefined && run.end === End.None;
}

function letWait(house: Orchestrator, run: Run, manual: boolean): void {
  if (manual) house.pump.commands.push(P.CommandPause, run.task, P.PauseKindSuspend);
  else house.pump.commands.push(P.CommandHold, run.task, HoldTurn);
}

/** A run that was taken over from another session. */
export function recoverTakenOver(house: Orchestrator, run: Run): void {
  if (run.end === End.None && !run.extra.hidden && checkRecovery(house.getOptions().recovery).manual) letWait(house, run, true);
}

function takeTurns(house: Orchestrator, runs: readonly Run[], index: number, staggerMs: number): void {
  const run = runs[index];
  if (!run || house.disposed) return;
  if (run.end === End.None && run.task !== 0) house.pump.commands.push(P.CommandRelease, run.task, HoldTurn);
  house.pump.wake();
  house.clock.schedule(house.clock.now() + staggerMs, () => takeTurns(house, runs, index + 1, staggerMs));
}

/** Runs that waited for their turn when the last page ended, and whose turn nobody will call. */
export function releaseLeftovers(house: Orchestrator): void {
  const { manual, staggerMs } = checkRecovery(house.getOptions().recovery);
  if (house.pump.open) house.definitions.recoveredInputs.releaseAll();
  if (!house.pump.open || (!manual && staggerMs > 0)) return;
  for (const run of house.pump.heldRuns(HoldTurn).filter(isUnfinished)) house.pump.commands.push(P.CommandRelease, run.task, HoldTurn);
  house.pump.wake();
}

/** @param over those that had ended when the journal was read */
export async function fillReport(house: Orchestrator, report: RecoveryReport, over: ReadonlySet<Run>): Promise<void> {
  const { pump, clock } = house;
  const pageTurn = () => new Promise<void>((resolve) => clock.defer(resolve));
  while (pump.open && pump.commands.count > 0 && !house.disposed) await pageTurn();
  while (pump.open && !house.readSome(runsPerTurn)) await pageTurn();
  if (!pump.open) return;
  // The last page went before it was done.
  for (const run of house.localRuns()) house.dependencies.ended(run);
  for (const run of house.localRuns()) if (isRecovered(run) && !over.has(run) && !run.extra.hidden && run.extra.removedUntilMs === 0) listOf(house, report, run).push(run.id);
}

function listOf(house: Orchestrator, report: RecoveryReport, run: Run): string[] {
  if (run.end !== End.None) {
    const quarantined = run.end === End.Failed && house.pump.engine.value(run.task, P.FieldFailReason) === P.FailReasonQuarantined;
    return quarantined ? report.failed : report.ended;
  }
  if (!house.definition(run.taskIdentifier)) return report.missingDefinition;
  return standing(house.pump.engine, run).status === 'paused' ? report.kept : report.resumed;
}
