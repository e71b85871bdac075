/**
 * Options as people write them → numbers the core takes. Everything is checked here, at the call,
 * with the exact value and the fix; an option name nobody knows is an error, not ignored.
 */
import { CircuitTable } from '../circuits/table.ts';
import { checkBoolean, checkEach, checkIdentifier, checkNames, checkRecord, describe, given, oneOf, wholeNumber } from './checks.ts';
import type { CommandBuffer } from '../pump/engine.ts';
import { ConfigurationError, RetryableError } from '../errors.ts';
import { joinTags } from '../definition/tags.ts';
import { toInstant, toMilliseconds } from './duration.ts';
import { keyOptionNames } from '../identity/key.ts';
import { checkQueueOptions, queueNames } from '../limiting/order.ts';
import { type CoreOwner, QueueTable } from '../limiting/queue-table.ts';
import { keyNumber, limitedRunChecks, limitedRunNames } from '../limiting/settings.ts';
import { LimitTable, type Part } from '../limiting/table.ts';
import { checkNetworkMode } from '../network/mode.ts';
import type { FilePolicy } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import type { Duration, NetworkMode, OrchestratorOptions, QueueOptions, RetryOptions, RunOptions, SimulateProgressOptions } from '../types.ts';
import { refuseReserved } from '../waiting/internal.ts';

export const runOptionNames = [
  'retry', 'queue', 'priority', 'timeout', 'countFrozen', 'deadline', 'ttl', 'graceMs', 'delay', 'simulateProgress', 'metadata',
  'tags', 'propagateTags', 'maxDuration', 'heartbeat', 'persistPayload', 'networkMode', ...limitedRunNames,
] as const;
export const triggerOptionNames = [...runOptionNames, ...keyOptionNames, 'debounce', 'id', 'name', 'process', 'cache'] as const;
const retryNames = [
  'maxAttempts', 'maxRetries', 'factor', 'retryBackoffFactor', 'minTimeoutInMs', 'minDelayMs', 'initialDelay',
  'maxTimeoutInMs', 'maxDelayMs', 'randomize', 'jitter', 'backoff', 'maxElapsed', 'retryOn', 'nonRetryable', 'crashRetries',
];
const simulateNames = ['intervalMs', 'maxIncrement', 'cap', 'curve'];

/** A retry policy in the core's terms; `delaysMs` only for a list. */
export interface Policy {
  maxAttempts: number;
  minDelayMs: number;
  factor: number;
  maxDelayMs: number;
  backoff: number;
  jitter: number;
  maxElapsedMs: number;
  delaysMs: number[];
  /** More attempts after crashes; absent in what was stored before there were any. */
  crashRetries?: number;
}

const backoffs = { exponential: P.BackoffExponential, linear: P.BackoffLinear, fixed: P.BackoffFixed, fibonacci: P.BackoffFibonacci };
const jitters = { none: P.JitterNone, upto2x: P.JitterUpToTwice, full: P.JitterFull, equal: P.JitterEqual, decorrelated: P.JitterDecorrelated };

function attempts({ maxAttempts, maxRetries }: RetryOptions): number | undefined {
  if (maxAttempts !== undefined && maxRetries !== undefined && maxAttempts !== maxRetries + 1)
    throw new ConfigurationError(
      `retry.maxAttempts ${maxAttempts} and retry.maxRetries ${maxRetries} disagree: maxRetries is maxAttempts - 1. Give one of them.`,
    );
  if (maxRetries !== undefined) return wholeNumber(maxRetries, 'retry.maxRetries', 0) + 1;
  return maxAttempts === undefined ? undefined : wholeNumber(maxAttempts, 'retry.maxAttempts', 1);
}

/** One word for each thing, and only what was said: so that layers can be laid over each other. @throws ConfigurationError */
export function canonicalRetry(options: RetryOptions): RetryOptions {
  checkNames(options, retryNames, 'retry');
  checkEach(options, { randomize: checkBoolean }, 'retry');
  const { factor, minDelayMs, maxDelayMs, randomize, backoff, maxElapsed, retryOn, nonRetryable, crashRetries } = options;
  const said: RetryOptions = {
    maxAttempts: attempts(options),
    factor: given(factor, options.retryBackoffFactor),
    minDelayMs: given(minDelayMs, options.minTimeoutInMs, options.initialDelay),
    maxDelayMs: given(maxDelayMs, options.maxTimeoutInMs),
    jitter: given(options.jitter, randomize === undefined ? undefined : randomize ? 'upto2x' : 'none'),
    backoff, maxElapsed, retryOn, nonRetryable, crashRetries,
  };
  for (const name of Object.keys(said) as (keyof RetryOptions)[]) if (said[name] === undefined) delete said[name];
  return said;
}

/** Layers from strongest to weakest. @throws ConfigurationError */
export function mergeRetry(layers: readonly (RetryOptions | undefined)[]): RetryOptions {
  const merged: RetryOptions = {};
  for (let index = layers.length - 1; index >= 0; index--) {
    const layer = layers[index];
    if (layer !== undefined) Object.assign(merged, canonicalRetry(layer));
  }
  return merged;
}

/** The first that was given; null is something, and wrong. */
function choice<Value>(table: Record<string, Value>, name: string | undefined, fallback: Value, where: string): Value {
  if (name === undefined) return fallback;
  if (typeof name !== 'string' || !Object.hasOwn(table, name))
    throw new ConfigurationError(`${where} must be one of ${Object.keys(table).join(', ')}, not ${describe(name)}.`);
  return table[name]!;
}

/** @throws ConfigurationError */
export function resolvePolicy(retry: RetryOptions): Policy {
  const options = canonicalRetry(retry);
  const { factor = 2, minDelayMs = 1000, maxDelayMs = 60_000, backoff } = options;
  if (typeof factor !== 'number' || !(factor >= 1) || !Number.isFinite(factor))
    throw new ConfigurationError(`retry.factor must be a finite number of at least 1, not ${describe(factor)}.`);
  const list = Array.isArray(backoff) ? backoff : undefined;
  if (list && (list.length === 0 || list.length > 64))
    throw new ConfigurationError(`retry.backoff as a list needs 1 to 64 delays, not ${list.length}.`);
  return {
    maxAttempts: options.maxAttempts ?? 3,
    minDelayMs: toMilliseconds(minDelayMs, 'retry.minDelayMs'),
    factor,
    maxDelayMs: toMilliseconds(maxDelayMs, 'retry.maxDelayMs'),
    backoff: list ? P.BackoffList : choice(backoffs, backoff as string | undefined, P.BackoffExponential, 'retry.backoff'),
    jitter: choice(jitters, options.jitter, list ? P.JitterNone : P.JitterUpToTwice, 'retry.jitter'),
    maxElapsedMs: options.maxElapsed === undefined ? 0 : toMilliseconds(options.maxElapsed, 'retry.maxElapsed'),
    delaysMs: list ? list.map((delay, index) => toMilliseconds(delay, `retry.backoff[${index}]`)) : [],
    ...(options.crashRetries !== undefined && { crashRetries: wholeNumber(options.crashRetries, 'retry.crashRetries', 0, 0xffff) }),
  };
}

/** A policy in the words that people use. */
export function retryOptionsOf({ maxAttempts, factor, minDelayMs, maxDelayMs, backoff, jitter, maxElapsedMs, delaysMs, crashRetries }: Policy): RetryOptions {
  const nameOf = <Name extends string>(table: Record<Name, number>, value: number) =>
    (Object.keys(table) as Name[]).find((name) => table[name] === value)!;
  return {
    maxAttempts,
    factor,
    minTimeoutInMs: minDelayMs,
    maxTimeoutInMs: maxDelayMs,
    backoff: backoff === P.BackoffList ? delaysMs : nameOf(backoffs, backoff),
    jitter: nameOf(jitters, jitter),
    ...(maxElapsedMs > 0 && { maxElapsed: maxElapsedMs }),
    ...(crashRetries && { crashRetries }),
  };
}

/** May it be tried again? undefined: whatever it failed with. @throws ConfigurationError */
export function retryDecision({ retryOn, nonRetryable }: RetryOptions): RetryDecision | undefined {
  if (retryOn !== undefined && retryOn !== 'retryable-only' && typeof retryOn !== 'function')
    throw new ConfigurationError(`retry.retryOn must be a function or 'retryable-only', not ${describe(retryOn)}.`);
  const isKind = (kind: unknown) => typeof kind === 'string' || typeof kind === 'function';
  if (nonRetryable !== undefined && !(Array.isArray(nonRetryable) && nonRetryable.every(isKind)))
    throw new ConfigurationError(`retry.nonRetryable must be a list of error classes, names or codes, not ${describe(nonRetryable)}.`);
  if (retryOn === undefined && !nonRetryable?.length) return undefined;
  return (error, info) => {
    if ((nonRetryable as ErrorKind[] | undefined)?.some((kind) => isOfKind(error, kind))) return false;
    if (retryOn === 'retryable-only') return error instanceof RetryableError;
    return retryOn ? retryOn(error, info) : true;
  };
}

type ErrorKind = NonNullable<RetryOptions['nonRetryable']>[number];

function isOfKind(error: Error, kind: ErrorKind): boolean {
  if (typeof kind === 'string') return error.name === kind || (error as { code?: unknown }).code === kind;
  return typeof kind.prototype === 'object' && error instanceof kind;
}

export interface SimulatedProgress {
  intervalMs: number;
  maxIncrement: number;
  cap: number;
  asymptotic: boolean;
  /** By former durations, once they are known. */
  estimated?: boolean;
}

/** @throws ConfigurationError */
export function resolveSimulation(option: boolean | SimulateProgressOptions | undefined): SimulatedProgress | undefined {
  if (option === undefined || option === false) return undefined;
  const options = option === true ? {} : option;
  checkNames(options, simulateNames, 'simulateProgress');
  const { intervalMs = 500, maxIncrement = 5, cap = 95, curve = 'linear-random' } = options;
  const within = (value: number, name: string, min: number, max: number) => {
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw new ConfigurationError(`simulateProgress.${name} must be a number from ${min} to ${max}, not ${describe(value)}.`);
  };
  return {
    intervalMs: within(intervalMs, 'intervalMs', 16, 3_600_000),
    maxIncrement: within(maxIncrement, 'maxIncrement', 0, 100),
    cap: within(cap, 'cap', 0, 99),
    asymptotic: choice({ 'linear-random': false, asymptotic: true, eta: false }, curve, false, 'simulateProgress.curve'),
    ...(curve === 'eta' && { estimated: true }),
  };
}

/** As it was stored with a run; undefined if nobody honest wrote it. */
export function storedSimulation(stored: SimulatedProgress | undefined): SimulatedProgress | undefined {
  if (!stored) return undefined;
  const { intervalMs, maxIncrement, cap, asymptotic, estimated } = stored;
  try {
    return resolveSimulation({ intervalMs, maxIncrement, cap, curve: estimated ? 'eta' : asymptotic ? 'asymptotic' : 'linear-random' });
  } catch {
    return undefined;
  }
}

export type RetryDecision = (error: Error, info: { attempt: number; maxAttempts: number }) => boolean;

/** Options of one run, checked; the same object for all runs of a definition that give none. */
export interface ResolvedRunOptions {
  policy: Policy;
  maxAttempts: number;
  retryOn: RetryDecision | undefined;
  priority: number;
  timeoutMs: number;
  countFrozen: boolean;
  deadlineMs: number;
  ttlMs: number;
  /** undefined: the core's default. */
  graceMs: number | undefined;
  /** 0: none. */
  heartbeatMs: number;
  maxDurationMs: number;
  delay: RunOptions['delay'];
  simulation: SimulatedProgress | undefined;
  queueName: string | undefined;
  /** What becomes of the files in the input. */
  files?: FilePolicy;
  /** Its own circuit and its queue's; 0: none. */
  circuits?: readonly [own: number, queue: number];
  /** Limits that it takes part in. */
  parts?: readonly Part[] | undefined;
  /** Of a queue of fair order: the number of its key. */
  turn?: number;
  /** Its queue lets nobody in while so many wait; absent: it does. */
  blockAt?: number;
  /** Given at the call. */
  networkMode?: NetworkMode | undefined;
  /** The policy was given at the call. */
  ownPolicy?: boolean;
  /** Queue and policy as the core numbers them; -1 until the first run is created. */
  place: number;
  /** True when Create alone says everything. */
  plain: boolean;
}

/** What carries out the table's commands. */
export interface PolicyPump {
  readonly open: boolean;
  readonly engine: { retryDelay(policy: number, failures: number, lastDelayMs: number): number };
  wake(): void;
  defer(callback: () => void): void;
}

const defaultPolicyKey = JSON.stringify(resolvePolicy({}));

/**
 * Numbers given to policies and queues. They are given when the first run needs them, after the
 * journal was read: what it numbered keeps its number.
 */
export class OptionTable {
  readonly #commands: CommandBuffer;
  #policies = new Map<string, number>([[defaultPolicyKey, 0]]);
  #nextPolicy = 1;
  /** What was asked for last: mostly it is the same object again. */
  #last: { policy: Policy; number: number } | undefined;

  readonly circuits: CircuitTable;
  readonly limits: LimitTable;
  readonly queues: QueueTable;

  constructor(commands: CommandBuffer, owner?: CoreOwner) {
    this.#commands = commands;
    this.circuits = new CircuitTable(commands);
    this.limits = new LimitTable(commands);
    this.queues = new QueueTable(commands, this.circuits, this.limits, owner);
  }

  /** Policies below this number belong to the journal's past. */
  skipPolicies(next: number): void {
    this.#nextPolicy = Math.max(this.#nextPolicy, next);
  }

  /** Queues and named limits of an orchestrator. @throws ConfigurationError */
  declare({ concurrencyLimits = {}, queues = {} }: Pick<OrchestratorOptions, 'concurrencyLimits' | 'queues'>): void {
    for (const [name, limit] of Object.entries(concurrencyLimits)) this.limits.declareNamed(name, limit);
    for (const [name, queue] of Object.entries(queues)) this.queues.declare(name, queue);
  }

  /** A fresh core may have missed what was told to the old one: everything is told again. */
  tellAgain(): void {
    this.queues.tellAgain();
    for (const [key, number] of this.#policies) if (number !== 0) this.#describePolicy(number, JSON.parse(key));
    this.circuits.tellAgain();
    this.limits.tellAgain();
  }

  /** Queue and policy in one number, as Create takes them. */
  place(options: ResolvedRunOptions): number {
    const queue = options.queueName === undefined ? 0 : this.queues.numberOf(options.queueName);
    return queue | (this.policyNumber(options.policy) << 16);
  }

  policyNumber(policy: Policy): number {
    if (this.#last?.policy !== policy) this.#last = { policy, number: this.#number(policy) };
    return this.#last.number;
  }

  #number(policy: Policy): number {
    const key = JSON.stringify(policy);
    const known = this.#policies.get(key);
    if (known !== undefined) return known;
    if (this.#nextPolicy > 0x7fff) throw new ConfigurationError('More than 32,767 different retry policies; share RetryOptions between tasks.');
    const number = this.#nextPolicy++;
    this.#policies.set(key, number);
    this.#describePolicy(number, policy);
    return number;
  }

  /** As the core says, for tries within an attempt. Resolves when the core knows the policy. */
  async retryDelay(pump: PolicyPump, policy: Policy, failures: number, lastDelayMs: number): Promise<number> {
    const number = this.policyNumber(policy);
    pump.wake();
    while (pump.open && Number.isNaN(pump.engine.retryDelay(number, 0, 0))) await new Promise<void>((resolve) => pump.defer(resolve));
    return pump.open ? pump.engine.retryDelay(number, failures, lastDelayMs) : Number.POSITIVE_INFINITY;
  }

  #describePolicy(number: number, policy: Policy): void {
    const set = (field: number, value: number, index = 0) => this.#commands.push(P.CommandSetPolicy, number, field, index, value);
    set(P.PolicyFieldMaxAttempts, policy.maxAttempts);
    set(P.PolicyFieldMinDelayMs, policy.minDelayMs);
    set(P.PolicyFieldFactor, policy.factor);
    set(P.PolicyFieldMaxDelayMs, policy.maxDelayMs);
    set(P.PolicyFieldBackoff, policy.backoff);
    set(P.PolicyFieldJitter, policy.jitter);
    if (policy.maxElapsedMs > 0) set(P.PolicyFieldMaxElapsedMs, policy.maxElapsedMs);
    if (policy.crashRetries) set(P.PolicyFieldCrashRetries, policy.crashRetries);
    policy.delaysMs.forEach((delayMs, index) => set(P.PolicyFieldListedDelayMs, delayMs, index));
  }
}

/** Options of runs by themselves, wherever they are given; a queue's name is looked up when a run needs it. @throws ConfigurationError */
export function checkRunOptions(options: RunOptions, where: string): void {
  const duration = (value: unknown, name: string) => void toMilliseconds(value as number, name);
  const queue = (value: unknown, name: string) => {
    if (typeof value === 'string') return void checkIdentifier(value, name);
    checkNames(value as QueueOptions, queueNames, name);
    refuseReserved(checkIdentifier((value as QueueOptions).name, `${name}.name`), `${name}.name`);
    checkQueueOptions(value as QueueOptions, name);
  };
  const checks = {
    retry: (value: unknown) => {
      resolvePolicy(value as RetryOptions);
      retryDecision(value as RetryOptions);
    },
    queue,
    priority: (value: unknown, name: string) => void wholeNumber(value, name, -(2 ** 31)),
    timeout: duration, countFrozen: checkBoolean, deadline: duration, ttl: duration, graceMs: duration,
    delay: (value: unknown) => void notBeforeMs(value as RunOptions['delay'], 0),
    simulateProgress: (value: unknown) => void resolveSimulation(value as boolean),
    metadata: checkRecord,
    tags: (value: unknown, name: string) => void joinTags([value as string], name),
    propagateTags: checkBoolean, maxDuration: duration,
    heartbeat: (value: unknown) => void heartbeatMs(value as Duration),
    persistPayload: (value: unknown, name: string) => oneOf(value, ['copy', 'handle', 'none'], name),
    networkMode: checkNetworkMode,
    ...limitedRunChecks,
  };
  checkEach(options, checks, where);
}

/** Call over definition over orchestrator over built-in (A9). `layers` go from strongest to weakest. */
export function resolveRunOptions(table: OptionTable, layers: readonly RunOptions[], task?: string): ResolvedRunOptions {
  const pick = <Name extends keyof RunOptions>(name: Name): RunOptions[Name] => {
    for (const layer of layers) if (layer[name] !== undefined) return layer[name];
    return undefined;
  };
  const duration = (name: 'timeout' | 'deadline' | 'ttl' | 'graceMs' | 'maxDuration') => {
    const value = pick(name);
    return value === undefined ? undefined : toMilliseconds(value, name);
  };
  for (const layer of layers) checkEach(layer, { countFrozen: checkBoolean, retry: checkRecord }, '');
  const retry = mergeRetry(layers.map((layer) => layer.retry));
  const policy = resolvePolicy(retry);
  const queue = pick('queue');
  const priority = pick('priority');
  const resolved = {
    policy,
    maxAttempts: policy.maxAttempts,
    retryOn: retryDecision(retry),
    priority: priority === undefined ? 0 : wholeNumber(priority, 'priority', -(2 ** 31)),
    timeoutMs: duration('timeout') ?? 0,
    countFrozen: pick('countFrozen') ?? false,
    deadlineMs: duration('deadline') ?? 0,
    ttlMs: duration('ttl') ?? 0,
    graceMs: duration('graceMs'),
    heartbeatMs: heartbeatMs(pick('heartbeat')),
    maxDurationMs: duration('maxDuration') ?? 0,
    delay: pick('delay'),
    simulation: resolveSimulation(pick('simulateProgress')),
    files: choice({ copy: 'copy', none: 'none', handle: 'handle' } as const, pick('persistPayload'), 'copy', 'persistPayload'),
    queueName: queue === undefined ? undefined : table.queues.check(queue),
    place: -1,
  };
  const { priority: order, timeoutMs, countFrozen, deadlineMs, ttlMs, graceMs, maxDurationMs, delay } = resolved;
  const [concurrencyKey, concurrencyLimits, weight] = [pick('concurrencyKey'), pick('concurrencyLimits'), pick('weight')];
  checkEach({ concurrencyKey, concurrencyLimits, weight }, limitedRunChecks, '');
  const parts = table.limits.partsOf(task, resolved.queueName, { concurrencyKey, concurrencyLimits, weight });
  const rules = resolved.queueName === undefined ? undefined : table.queues.named(resolved.queueName)?.rules;
  const turn = rules?.order === P.QueueOrderFair ? keyNumber(concurrencyKey) : undefined;
  const described = parts || turn || order || timeoutMs || countFrozen || deadlineMs || ttlMs || graceMs !== undefined || maxDurationMs || resolved.heartbeatMs;
  return { ...resolved, ...(parts && { parts }), ...(turn && { turn }), ...(rules?.blockAt && { blockAt: rules.blockAt }), plain: !described && delay === undefined };
}

/** @throws ConfigurationError */
function heartbeatMs(heartbeat: RunOptions['heartbeat']): number {
  if (heartbeat === undefined) return 0;
  const isOptions = typeof heartbeat === 'object' && heartbeat !== null;
  if (isOptions) checkNames(heartbeat, ['timeout'], 'heartbeat');
  return toMilliseconds(isOptions ? (heartbeat as { timeout: Duration }).timeout : heartbeat, isOptions ? 'heartbeat.timeout' : 'heartbeat');
}

/** When the run may start first; 0 for at once. */
export function notBeforeMs(delay: RunOptions['delay'], nowMs: number): number {
  if (delay === undefined) return 0;
  return delay instanceof Date ? toInstant(delay, 'delay', nowMs) : nowMs + toMilliseconds(delay, 'delay');
}
