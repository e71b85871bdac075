/** What `orchestrator.queues` does and is asked now and then; loaded when it is. */
import { AbortedError, ConfigurationError } from '../errors.ts';
import { checkBoolean, checkFunction, checkNames, checkRecord, checkSignal, checkText, refuse, wholeNumber } from '../intake/checks.ts';
import { toInstant, toMilliseconds } from '../intake/duration.ts';
import { resolvePolicy } from '../intake/options.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { hasEnded } from '../runs/status.ts';
import type { RetryOptions, RunFilter, RunHandle, Task, TaskState } from '../types.ts';
import { matcher } from '../views/lists.ts';
import { mostSlots } from './order.ts';
import { concurrencyNow, type Overridden } from './queue-table.ts';
import { concurrencyOf } from './settings.ts';
import type { AddAllOptions, BlockedBy, BulkDone, ClearOptions, LimitConcurrency, NamedLimitInfo, PenaltyOptions, QueueStatistics, Standing } from './types.ts';

const stateOf = (house: Orchestrator, run: Run): number => (run.task === 0 ? P.StateNone : house.pump.engine.state(run.task) & 0xf);
const value = (house: Orchestrator, run: Run, field: number): number => (run.task === 0 ? 0 : house.pump.engine.value(run.task, field));
const hasBegun = (house: Orchestrator, run: Run): boolean => value(house, run, P.FieldStartedAt) > 0;

/** Of this tab; undefined: there is none that is open. */
function open(house: Orchestrator, id: string, where: string): Run | undefined {
  checkText(id, `${where} id`);
  const run = house.localRun(id);
  return run && run.end === End.None ? run : undefined;
}

export async function setPriority(house: Orchestrator, id: string, priority: number): Promise<boolean> {
  wholeNumber(priority, 'setPriority', -(2 ** 31), 2 ** 31 - 1);
  const run = open(house, id, 'setPriority');
  return run ? house.control.set(run, P.TaskFieldPriority, priority) : false;
}

export async function promote(house: Orchestrator, id: string): Promise<boolean> {
  const run = open(house, id, 'promote');
  if (!run) return false;
  const state = stateOf(house, run);
  if (state === P.StateRunning || state === P.StateWaiting) return false;
  const promoted = house.control.set(run, P.TaskFieldPromoted, 1);
  const isDelayed = state === P.StateDelayed && !hasBegun(house, run);
  if (isDelayed) await house.control.set(run, P.TaskFieldNotBeforeMs, Math.max(1, house.clock.now()));
  return promoted;
}

/** One that has not begun. */
export async function remove(house: Orchestrator, id: string, reason: unknown = 'removed from its queue'): Promise<boolean> {
  const run = open(house, id, 'remove');
  return run && !hasBegun(house, run) ? house.control.cancel(run, reason) : false;
}

function runsOf(house: Orchestrator, name: string): Run[] {
  const { number } = house.table.queues.named(name)!;
  return house.localRuns().filter((run) => !run.extra.hidden && (run.task === 0 ? run.options?.queueName === name : value(house, run, P.FieldQueue) === number));
}

export async function clear(house: Orchestrator, name: string, options: ClearOptions = {}): Promise<number> {
  checkNames(options, ['reason', 'running'], 'clear');
  const { reason = `queue "${name}" was cleared`, running = false } = options;
  checkBoolean(running, 'clear running');
  const runs = runsOf(house, name).filter((run) => run.end === End.None && run.extra.refusal === undefined && (running || !hasBegun(house, run)));
  const cancelled = await Promise.all(runs.map((run) => house.control.cancel(run, reason)));
  return cancelled.filter(Boolean).length;
}

/** What has begun and sleeps, waits or is to be tried again has neither a slot nor a place in line. false, when that is over: look again. */
export async function isIdle(house: Orchestrator, name: string): Promise<boolean> {
  const open = runsOf(house, name).filter((run) => run.end === End.None && run.extra.refusal === undefined);
  if (open.length === 0) return true;
  await house.intake.sizes.until(() => open.every((run) => run.end !== End.None));
  return false;
}

export async function addAll<Input, Output>(
  house: Orchestrator, task: Task<string, Input, Output>, inputs: Iterable<Input> | AsyncIterable<Input>, options: AddAllOptions = {},
): Promise<RunHandle<Output>[]> {
  checkNames(options, ['queue', 'highWater', 'options', 'signal', 'onAdded'], 'addAll');
  const { highWater = 100, signal, onAdded, options: given } = options;
  wholeNumber(highWater, 'addAll highWater', 1);
  if (signal !== undefined) checkSignal(signal, 'addAll signal');
  if (onAdded !== undefined) checkFunction(onAdded, 'addAll onAdded');
  const own = house.definitions.of(task, 'addAll').spec.queue;
  if (options.queue !== undefined) checkText(options.queue, 'addAll queue');
  const queue = options.queue ?? (typeof own === 'object' ? own.name : own);
  if (queue === undefined) throw new ConfigurationError('addAll needs a queue whose size it can go by: addAll(task, inputs, { queue: "name" }), or a task that has one.');
  if (typeof inputs !== 'object' || inputs === null || !(Symbol.iterator in inputs || Symbol.asyncIterator in inputs)) refuse('addAll inputs', 'an iterable of inputs', inputs);
  const handles: RunHandle<Output>[] = [];
  const add = async () => {
    for await (const input of inputs as AsyncIterable<Input>) {
      if (signal?.aborted) return;
      const handle = house.trigger(task, input, { ...given, queue });
      await handle.accepted;
      handles.push(handle);
      onAdded?.(handle);
      // The next input is not asked for before there is room for it.
      await orAborted(house.queues.onSizeLessThan(queue, highWater), signal);
    }
  };
  await orAborted(add(), signal);
  return handles;
}

/** What a source is about to give, or a queue to have room for, may never come. @throws AbortedError */
async function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (!signal) return promise;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new AbortedError('addAll was aborted.', { cause: signal.reason }));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Whose end a run waits for. */
function holders(house: Orchestrator, isOne: (run: Run) => boolean): string[] {
  return house.localRuns().filter((run) => stateOf(house, run) === P.StateRunning && isOne(run)).map(({ id }) => id);
}

function blockedBy(house: Orchestrator, run: Run): BlockedBy[] {
  const { engine } = house.pump;
  const reasons: BlockedBy[] = [];
  const queue = value(house, run, P.FieldQueue);
  const name = run.options?.queueName;
  const ask = (field: number) => engine.queueValue(queue, field);
  if (ask(P.QueueValueStill)) reasons.push({ reason: 'concurrency', name, holders: [] });
  if (ask(P.QueueValuePaused)) reasons.push({ reason: 'paused', name, holders: [] });
  const concurrency = ask(P.QueueValueConcurrency);
  if (concurrency > 0 && ask(P.QueueValueRunning) >= concurrency) reasons.push({ reason: 'concurrency', name, holders: holders(house, (other) => value(house, other, P.FieldQueue) === queue) });
  const granted = ask(P.QueueValueGranted);
  if (granted > 0 && ask(P.QueueValueRunning) + 1 >= granted) reasons.push({ reason: 'other-tabs', name, holders: [] });
  const limit = value(house, run, P.FieldLimitedBy);
  if (limit === 0) return reasons.length > 0 ? reasons : ofContainer(house, run);
  const untilMs = value(house, run, P.FieldLimitedUntilMs);
  const key = value(house, run, P.FieldLimitedKey);
  const named = house.table.limits.nameOf(limit);
  if (untilMs > 0) return [...reasons, { reason: 'rate', name: named, untilMs, holders: [] }];
  if (house.table.limits.isShared(limit)) return [...reasons, { reason: 'other-tabs', name: named, holders: [] }];
  return [...reasons, { reason: 'limit', name: named, holders: holders(house, (other) => (key === 0 ? value(house, other, limit) !== 0 : value(house, other, limit) === key)) }];
}

/** Its queue has room: what made it runs no more of its members at once. */
function ofContainer(house: Orchestrator, run: Run): BlockedBy[] {
  const group = value(house, run, P.FieldGroup);
  return group === 0 ? [] : [{ reason: 'container', name: run.extra.parent?.id, holders: holders(house, (other) => value(house, other, P.FieldGroup) === group) }];
}

export async function standing(house: Orchestrator, id: string): Promise<Standing | undefined> {
  const run = open(house, id, 'standing');
  if (!run || stateOf(house, run) !== P.StateReady) return undefined;
  return { position: value(house, run, P.FieldPosition), queue: run.options?.queueName, blockedBy: blockedBy(house, run) };
}

const minuteMs = 60_000;
const mean = (values: number[]): number | undefined => (values.length === 0 ? undefined : values.reduce((sum, each) => sum + each, 0) / values.length);

export async function statistics(house: Orchestrator, name: string): Promise<QueueStatistics> {
  const runs = runsOf(house, name);
  const now = house.clock.now();
  const states = runs.map((run) => run.state);
  const ended = states.filter((state) => hasEnded(state.status));
  const begun = runs.filter((run) => hasBegun(house, run)).map((run) => ({ waited: value(house, run, P.FieldStartedAt) - run.createdAtMs, run }));
  const finished = begun.filter(({ run }) => run.end !== End.None && run.announced);
  const waiting = runs.filter((run) => run.end === End.None && !hasBegun(house, run));
  const limited = waiting.map((run) => value(house, run, P.FieldLimitedUntilMs)).filter((at) => at > now);
  const count = (status: TaskState['status']) => states.filter((state) => state.status === status).length;
  return Object.freeze({
    total: runs.length, completed: count('completed'), failed: count('failed'), cancelled: count('cancelled'),
    retried: states.filter(({ retryCount, status }) => retryCount > (status === 'failed' ? 1 : 0)).length,
    throughput: ended.filter(({ endedAt }) => endedAt !== undefined && endedAt > now - minuteMs).length,
    avgWaitMs: mean(begun.map(({ waited }) => waited)),
    avgDurationMs: mean(finished.map(({ run }) => value(house, run, P.FieldUpdatedAt) - value(house, run, P.FieldStartedAt))),
    oldestQueuedAt: waiting.length === 0 ? undefined : waiting.reduce((oldest, run) => Math.min(oldest, run.createdAtMs), Number.POSITIVE_INFINITY),
    nextSlotAt: limited.length === 0 ? undefined : Math.min(...limited),
    rateLimited: limited.length > 0,
  });
}

/** Does a rate keep one of it back? */
export function isRateLimited(house: Orchestrator, name: string): boolean {
  const { pump } = house;
  const { number } = house.table.queues.named(name)!;
  if (number === undefined || !pump.open || pump.engine.queueValue(number, P.QueueValueReady) === 0) return false;
  const now = house.clock.now();
  return house.localRuns().some((run) => stateOf(house, run) === P.StateReady && value(house, run, P.FieldQueue) === number && value(house, run, P.FieldLimitedUntilMs) > now);
}

/** Rejects with it. */
export function firstFailure(house: Orchestrator, name: string): Promise<never> {
  return new Promise<never>((_, reject) => {
    let isOver = false;
    const off = house.on('error', (id, error) => {
      const run = house.localRun(id);
      if (run) house.intake.recover(run);
      if (run?.options?.queueName !== name) return;
      isOver = true;
      off();
      reject(error);
    });
    house.intake.sizes.until(() => isOver).catch(reject);
  });
}

export async function penalize(house: Orchestrator, name: string, options: PenaltyOptions): Promise<void> {
  checkNames(options, ['until', 'for', 'backoff'], 'penalize');
  const { until, for: duration, backoff } = options;
  if ([until, duration, backoff].filter((given) => given !== undefined).length !== 1) throw new ConfigurationError('penalize needs one of until, a Date, for, a duration, and backoff, true or what is to be other than usual.');
  const now = house.clock.now();
  if (backoff !== undefined) await backOff(house, name, backoff);
  else house.table.limits.close(name, until === undefined ? now + toMilliseconds(duration!, 'penalize for') : toInstant(until, 'penalize until', now));
  house.pump.wake();
  await new Promise<void>((resolve) => house.clock.defer(resolve));
}

interface Penalty {
  count: number;
  delayMs: number;
  untilMs: number;
}
const penalties = new WeakMap<Orchestrator, Map<string, Penalty>>();
const usualBackoff: RetryOptions = { minTimeoutInMs: 1000, factor: 2, maxTimeoutInMs: 600_000 };
const backoffNames = ['minTimeoutInMs', 'minDelayMs', 'factor', 'maxTimeoutInMs', 'maxDelayMs', 'randomize', 'jitter'] as const;

/** What was under way when the limit was closed says the same once more; what is refused soon after it has opened waits for longer. */
async function backOff(house: Orchestrator, name: string, given: NonNullable<PenaltyOptions['backoff']>): Promise<void> {
  if (given !== true) checkNames(given, backoffNames, 'penalize backoff');
  const policy = resolvePolicy({ ...usualBackoff, ...(given === true ? {} : given), maxAttempts: 0xffff });
  const all = penalties.get(house) ?? new Map<string, Penalty>();
  penalties.set(house, all);
  const now = house.clock.now();
  const last = all.get(name);
  if (last && now < last.untilMs) return;
  const [count, lastDelayMs] = last && now <= last.untilMs + last.delayMs ? [last.count + 1, last.delayMs] : [1, 0];
  const delayMs = await house.services.retryDelay(policy, count, lastDelayMs);
  house.table.limits.close(name, now + delayMs, true);
  all.set(name, { count, delayMs, untilMs: now + delayMs });
}

/** Failed for good, of a queue that gathers them, by the name it does so under. */
function isDeadLetter(house: Orchestrator, filter: (RunFilter & { name?: string }) | undefined, where: string): (state: TaskState) => boolean {
  if (filter !== undefined) checkRecord(filter, where);
  const { name, ...rest } = filter ?? {};
  if (name !== undefined) checkText(name, `${where} name`);
  const matches = matcher(rest as RunFilter, where);
  return (state) => {
    if (state.status !== 'failed' || !matches(state)) return false;
    const run = house.localRun(state.id);
    if (run) house.intake.recover(run);
    const queue = run?.options?.queueName;
    const letter = queue === undefined ? undefined : house.table.queues.named(queue)?.rules.deadLetter;
    return letter !== undefined && letter !== 'keep' && (name === undefined || letter === name);
  };
}

export async function deadLetters(house: Orchestrator, filter?: RunFilter & { name?: string }): Promise<TaskState[]> {
  return house.getAllTasks().filter(isDeadLetter(house, filter, 'deadLetters.list'));
}

export async function redrive(house: Orchestrator, filter?: RunFilter & { name?: string }): Promise<BulkDone> {
  const letters = house.getAllTasks().filter(isDeadLetter(house, filter, 'deadLetters.redrive'));
  const done = await Promise.all(letters.map(({ id }) => house.retryTask(id)));
  return { total: letters.length, done: done.filter(Boolean).length };
}

/** @throws ConfigurationError */
export async function overrideQueue(house: Orchestrator, name: string, limit: number, options: { by?: string } = {}): Promise<void> {
  const where = `overrideConcurrencyLimit of queue "${name}"`;
  wholeNumber(limit, where, 0, house.table.queues.named(name)!.rules.isOrigin ? mostSlots : 0xfffffffe);
  checkNames(options, ['by'], where);
  if (options.by !== undefined) checkText(options.by, `${where} by`);
  await setConcurrency(house, name, limit, { atMs: house.clock.now(), by: options.by });
}

export function resetQueue(house: Orchestrator, name: string): Promise<void> {
  return setConcurrency(house, name, undefined);
}

/** In the unit of what was declared: runs, or their weights. Resolves when the core goes by the last that was said. */
async function setConcurrency({ clock, pump, table }: Orchestrator, name: string, override: number | undefined, overridden?: Overridden): Promise<void> {
  const number = table.queues.numberOf(name);
  Object.assign(table.queues.named(name)!, { override, overridden });
  table.limits.overrideQueue(name, override, overridden);
  const wanted = () => {
    const queue = table.queues.named(name)!;
    // No limit at all is the core's 0; ours lets the queue stand still, which is over with the page, as the override is.
    return [[P.QueueFieldConcurrency, P.QueueValueConcurrency, concurrencyNow(queue)], [P.QueueFieldStill, P.QueueValueStill, queue.override === 0 ? 1 : 0]] as const;
  };
  for (const [field, , value] of wanted()) pump.commands.push(P.CommandSetQueue, number, field, 0, value);
  pump.wake();
  while (pump.open && wanted().some(([, field, value]) => pump.engine.queueValue(number, field) !== value)) await new Promise<void>((resolve) => clock.defer(resolve));
}

// Limits by name

type Given = { total?: number | undefined; perKey?: number | undefined };
const shown = ({ total, perKey }: { total: number; perKey: number }): LimitConcurrency => Object.freeze({ total: total || undefined, perKey: perKey || undefined });

export function namedLimits(house: Orchestrator): NamedLimitInfo[] {
  const open = house.localRuns().filter((run) => run.task !== 0 && run.end === End.None);
  return house.table.limits.named().map(({ name, number, base, override }) => {
    const takers = open.filter((run) => value(house, run, number) !== 0);
    const count = (state: number) => takers.filter((run) => stateOf(house, run) === state).length;
    return Object.freeze({
      name, concurrency: shown(override ?? base), base: shown(base), override: override && shown(override), overriddenAt: override?.atMs, overriddenBy: override?.by,
      running: count(P.StateRunning), waiting: count(P.StateReady),
    });
  });
}

export function namedLimit(house: Orchestrator, name: string): NamedLimitInfo {
  checkText(name, 'limits.retrieve name');
  const limit = namedLimits(house).find((one) => one.name === name);
  if (limit) return limit;
  throw new ConfigurationError(`There is no concurrency limit ${JSON.stringify(name)}. Declare it: createOrchestrator({ concurrencyLimits: { ${JSON.stringify(name)}: { concurrency: 5 } } }).`);
}

export async function overrideLimit(house: Orchestrator, name: string, concurrency: number | Given, options: { by?: string } = {}): Promise<void> {
  const where = `limits.override "${name}"`;
  namedLimit(house, name);
  checkNames(options, ['by'], where);
  if (options.by !== undefined) checkText(options.by, `${where} by`);
  // What isn't said stays as it was declared.
  const { base } = house.table.limits.named().find((one) => one.name === name)!;
  const given = concurrencyOf(concurrency as number, `${where} concurrency`);
  const total = typeof concurrency === 'object' && concurrency.total === undefined ? base.total : given.total;
  const perKey = typeof concurrency === 'object' && concurrency.perKey !== undefined ? given.perKey : base.perKey;
  house.table.limits.override(name, { total, perKey, atMs: house.clock.now(), by: options.by });
  await carriedOut(house);
}

export async function resetLimit(house: Orchestrator, name: string): Promise<void> {
  namedLimit(house, name);
  house.table.limits.override(name, undefined);
  await carriedOut(house);
}

function carriedOut(house: Orchestrator): Promise<void> {
  house.pump.wake();
  return new Promise((resolve) => house.clock.defer(resolve));
}
