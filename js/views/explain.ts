/**
 * Why a run does not go on, in words and as data: every reason that stands in its way, the first one first.
 * Pure reading; runs that hold what it waits for are looked for when somebody asks.
 */
import { inUnits } from '../codec/refuse.ts';
import { isContainer } from '../groups/kinds.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Engine } from '../pump/engine.ts';
import { HoldOffline, HoldOutside, HoldSchemaMismatch, HoldTurn } from '../runs/holds.ts';
import { End, type Run } from '../runs/run.ts';
import { hasEnded } from '../runs/status.ts';
import { waitsOf } from '../runs/waits.ts';
import { scheduleOf, scheduleTask } from '../schedules/state.ts';
import { swarmTask } from '../signatures/names.ts';
import type { Explanation, TaskState, WaitKind, WaitReason } from '../types.ts';

const mostRuns = 10;

export function explain(house: Orchestrator, id: string): Explanation {
  const run = house.localRun(id);
  const reasons = reasonsOf(house, id, run);
  return Object.freeze({ id, phase: house.getTaskState(id)?.phase, text: reasons.map(({ text }) => text).join(' '), reasons: Object.freeze(reasons) });
}

function reason(kind: WaitKind, text: string, more: Partial<WaitReason> = {}): WaitReason {
  return Object.freeze({ kind, text, ...more });
}

function reasonsOf(house: Orchestrator, id: string, run: Run | undefined): WaitReason[] {
  if (house.disposed) return [reason('unknown', 'This orchestrator was disposed.')];
  if (!run && house.opening.lockedRuns?.find(id)) return [reason('locked', 'It is encrypted with another key, and goes on when that is given: orchestrator.unlock({ key }).')];
  if (!run) return [house.opening.tabs?.state(id) ? reason('other-tab', 'It belongs to another tab, which runs it.') : reason('unknown', `There is no run "${id}".`)];
  if (!house.pump.open) return [reason('opening', 'The storage is being opened.')];
  const { state } = run;
  const moves = hasEnded(state.status) ? [] : [...unstored(house, run), ...held(house, run, state), ...paused(state)];
  return [...moves, ...standing(house, run, state, moves.length > 0)];
}

/** Where it stands by itself. @param isHeld something else stands in its way before that */
function standing(house: Orchestrator, run: Run, state: TaskState, isHeld: boolean): WaitReason[] {
  switch (state.phase) {
    case 'delayed':
      return [delayed(run, state)];
    case 'retrying':
      return [reason('retry', `Attempt ${state.attempt} failed (${state.error?.message ?? 'no message'}); the next one starts ${at(state.retryAt)}.`, until(state.retryAt))];
    case 'queued':
      return queued(house, run);
    case 'waiting':
      return waiting(house, run, state);
    case 'cancelling':
      return [reason('stopping', 'Cancelled; its code has been asked to stop and has not ended yet.')];
    case 'stopping':
      return [reason('stopping', 'Its code has been asked to stop and has not ended yet.')];
    case 'quarantined':
      return [reason('ended', 'The tab died three times while this was running, so it is left out. Retry it by hand.')];
    case 'running':
      return [reason('running', `Running, attempt ${state.attempt} of ${state.maxRetries + 1}.`)];
    case 'blocked':
    case 'suspended':
    case 'interrupted':
      return isHeld ? [] : [dependencies(house, run)];
    default:
      return [reason('ended', `It has ended: ${state.phase}.${state.error ? ` ${state.error.message}` : ''}`)];
  }
}

function at(timeMs: number | undefined): string {
  return timeMs === undefined ? 'soon' : `at ${new Date(timeMs).toISOString()}`;
}
function until(timeMs: number | undefined): Partial<WaitReason> {
  return timeMs === undefined ? {} : { until: timeMs };
}

function delayed({ extra }: Run, { retryAt }: TaskState): WaitReason {
  const text = extra.key?.text ?? '';
  if (text.startsWith('{"debounce"')) return reason('debounce', `Starts ${at(retryAt)}, unless it is called again: it is debounced.`, until(retryAt));
  if (text.startsWith('{"throttle"')) return reason('throttle', `Starts ${at(retryAt)}, with what it was called with last: its task is throttled.`, until(retryAt));
  return reason('delay', `Starts ${at(retryAt)}, as its delay says.`, until(retryAt));
}

/** What its code does is not kept either, so it is said whatever it does. */
function unstored({ journal }: Orchestrator, run: Run): WaitReason[] {
  if (run.accepted_ || !journal?.refusing) return [];
  return [reason('storage', 'It is not stored yet, because the browser storage is full; that is tried again by itself, and `accepted` resolves when there is room.')];
}

function paused({ id, phase, removedUntil }: TaskState): WaitReason[] {
  if (removedUntil !== undefined) return [reason('removed', `Removed, and gone ${at(removedUntil)}; until then undoRemove("${id}") brings it back.`, until(removedUntil))];
  if (phase === 'suspended') return [reason('paused', 'Paused. Resume it to go on from its last step.')];
  if (phase === 'interrupted') return [reason('paused', 'Paused at once, in the middle of an attempt. Resume it to start again from its last step.')];
  return [];
}

/** Each reason that holds it has a bit of its own. */
function held(house: Orchestrator, run: Run, state: TaskState): WaitReason[] {
  const holds = run.task === 0 ? 0 : house.pump.engine.holds(run.task);
  if (holds === 0) return [];
  const { taskIdentifier: task } = state;
  const openUntilMs = house.pump.engine.value(run.task, P.FieldOpenUntilMs) || undefined;
  const all: [number, () => WaitReason][] = [
    [P.HoldDefinitionMissing, () => reason('missing-definition', `No task "${task}" is registered in this page. It starts as soon as defineTask({ id: "${task}", … }) or registerExecutor("${task}", …) runs.`, { name: task })],
    [HoldSchemaMismatch, () => reason('schema-mismatch', state.error?.message ?? "Today's schema of its task refuses its input.", { name: task })],
    [P.HoldPayloadMissing, () => reason('missing-file', missingWords(state))],
    [P.HoldStorage, () => reason('storage', 'The browser storage is full; it starts when there is room to record its result.')],
    [P.HoldImportUnconfirmed, () => reason('adoption', 'It is being taken over from a closed tab.')],
    [HoldTurn, () => reason('recovery', 'Recovered runs start one after the other; its turn comes.')],
    [HoldOutside, () => reason('outside', `Waits until wait.completeToken("${state.id}") is called.`, { name: state.id })],
    [HoldOffline, () => reason('offline', 'Waits for a network: this browser is offline. It goes on by itself when that is over; no attempt is counted meanwhile.')],
    [P.HoldCircuit, () => reason('breaker', `Held back, because runs like it fail too often: ${openUntilMs === undefined ? 'a few try now whether it works again' : `a few try again ${at(openUntilMs)}`}.`, until(openUntilMs))],
  ];
  return all.flatMap(([bit, say]) => (holds & bit ? [say()] : []));
}

function missingWords({ missing }: TaskState): string {
  if (!missing) return 'The file it works on is gone from the browser storage.';
  const files = missing.map(({ name, size }) => `${name === undefined ? 'a file' : JSON.stringify(name)} (${inUnits(size)})`).join(', ');
  return `${missing.length === 1 ? 'A file' : `${missing.length} files`} it works on ${missing.length === 1 ? 'is' : 'are'} gone from the browser storage: ${files}. It goes on when given again: run.provide(file).`;
}

/** Of a container. */
function members(house: Orchestrator, run: Run): WaitReason {
  const all = house.services.children.of(run);
  const open = all.filter(({ end }) => end === End.None);
  if (open.length === 0 && run.taskIdentifier === swarmTask && run.extra.bound?.data?.closed !== true)
    return reason('members', `Is open: its ${all.length} member(s) so far have ended, and it ends when nobody is to join it any more: closeSwarm(), or isSwarmClosed: true from the start.`, { runs: [] });
  return reason('members', `Waits for ${open.length} of its ${all.length} member(s) so far.`, { runs: open.slice(0, mostRuns).map(({ id }) => id) });
}

function dependencies(house: Orchestrator, run: Run): WaitReason {
  if (run.extra.deferred && house.pump.engine.value(run.task, P.FieldSubmitted) === 0)
    return reason('not-called', 'It has not been called: signature.run(message) or runNoWait(message) does, or the container that it belongs to.');
  const runs = waitsOf(run).map((wait) => wait.run.id).slice(0, mostRuns);
  return reason('dependencies', `Waits for ${house.pump.engine.value(run.task, P.FieldUnmetEdges)} other run(s)${runs.length > 0 ? `: ${runs.join(', ')}` : ''}.`, runs.length > 0 ? { runs } : {});
}

/** Its own code waits, for one thing or several. */
function waiting(house: Orchestrator, run: Run, state: TaskState): WaitReason[] {
  if (run.taskIdentifier === scheduleTask) return [schedule(state)];
  if (isContainer(run.taskIdentifier)) return [members(house, run)];
  const { sharing } = run.extra;
  if (sharing?.words) return [reason('shared', sharing.words, { runs: waitsOf(run).map((wait) => wait.run.id).slice(0, mostRuns) })];
  const reasons = [...(run.context?.durable?.waits ?? [])].map((say) => Object.freeze(say()));
  return reasons.length > 0 ? reasons : [reason('timer', 'Its own code waits; its slot is free for others.')];
}

function schedule(state: TaskState): WaitReason {
  const known = scheduleOf(state);
  const name = { name: known?.task ?? state.taskIdentifier };
  if (!known) return reason('schedule', 'A schedule that is being made.', name);
  if (!known.active) return reason('schedule', `The schedule of "${known.task}" is deactivated: schedules.activate("${state.id}").`, name);
  if (!known.nextRun) return reason('schedule', `The schedule of "${known.task}" is over.`, name);
  return reason('schedule', `The schedule of "${known.task}" runs it next at ${known.nextRun.toISOString()}.`, { ...name, until: known.nextRun.getTime() });
}

function queued(house: Orchestrator, run: Run): WaitReason[] {
  const name = run.options?.queueName;
  const named = name === undefined ? {} : { name };
  if (run.task === 0) return [house.intake.sizes.isOutside(run) ? reason('queue-full', `Waits to be let in: queue "${name}" is full.`, named) : reason('storing', 'Being stored.')];
  const { engine } = house.pump;
  const limited = engine.value(run.task, P.FieldLimitedBy);
  if (limited > 0) return [limit(house, run, limited)];
  const queue = engine.value(run.task, P.FieldQueue);
  if (engine.queueValue(queue, P.QueueValuePaused)) return [reason('queue-paused', `Its queue is paused${name === undefined ? '' : `: queues.resume(${JSON.stringify(name)})`}.`, named)];
  if (engine.queueValue(queue, P.QueueValueStill) && house.table.queues.named(name ?? '')?.override === 0)
    return [reason('queue-paused', `The limit of its queue is overridden with 0: queues.resetConcurrencyLimit(${JSON.stringify(name)}).`, named)];
  const most = engine.queueValue(queue, P.QueueValueConcurrency), now = engine.queueValue(queue, P.QueueValueRunning);
  const what = name === undefined ? 'the queue' : `queue "${name}"`;
  const [granted, group] = [engine.queueValue(queue, P.QueueValueGranted), engine.value(run.task, P.FieldGroup)];
  const slot = (text: string, field: number, value: number) => {
    const runs = running(house, (other) => engine.value(other.task, field) === value);
    return [reason('slot', `Waits for ${text}${granted > 0 ? '' : holders(runs)}${before(engine, run)}.`, { runs, ...named })];
  };
  if (granted > 0 && now + 1 >= granted) return slot(`a slot of ${what}, whose ${most} all tabs share`, P.FieldQueue, queue);
  if (most > 0 && now >= most) return slot(`a slot: ${what} runs ${now} of ${most} at once`, P.FieldQueue, queue);
  // Its queue has room, and no limit keeps it back.
  if (group > 0) return slot(`a slot of ${run.extra.parent?.id ?? 'its group'}, which runs no more of its members at once`, P.FieldGroup, group);
  return [reason('slot', before(engine, run) ? `Waits for its turn${before(engine, run)}.` : 'About to start.')];
}

function limit(house: Orchestrator, run: Run, limited: number): WaitReason {
  const { engine } = house.pump;
  const name = house.table.limits.nameOf(limited) ?? 'a limit that is not declared any more';
  const untilMs = engine.value(run.task, P.FieldLimitedUntilMs);
  if (untilMs > 0) return reason('rate', `Waits for its turn: ${name} lets the next one begin ${at(untilMs)}.`, { name, until: untilMs });
  if (house.table.limits.isShared(limited)) return reason('rate', `Waits for its turn: ${name} is that of all tabs, one after the other.`, { name });
  const key = engine.value(run.task, P.FieldLimitedKey);
  const runs = running(house, ({ task }) => (key > 0 ? engine.value(task, limited) === key : engine.value(task, limited) > 0));
  return reason('limit', `Waits for a slot of ${key > 0 ? 'its key of ' : ''}${name}${holders(runs)}.`, { name, runs });
}

/** Ids of those that hold slots. */
function running(house: Orchestrator, counts: (run: Run) => boolean): string[] {
  const found: string[] = [];
  for (const run of house.pump.runs) {
    if (!run || run.task === 0 || (house.pump.engine.state(run.task) & 0xf) !== P.StateRunning || !counts(run)) continue;
    found.push(run.id);
    if (found.length === mostRuns) break;
  }
  return found;
}

function before(engine: Engine, run: Run): string {
  const others = engine.value(run.task, P.FieldPosition) - 1;
  return others > 0 ? `, and ${others} of it ${others === 1 ? 'is' : 'are'} before it` : '';
}

function holders(runs: readonly string[]): string {
  return runs.length === 0 ? '' : `; ${runs.length === 1 ? 'it is' : 'they are'} held by ${runs.slice(0, 3).join(', ')}${runs.length > 3 ? ' and others' : ''}`;
}
