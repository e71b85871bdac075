/** The shapes of limits: how many runs at once, in all and for each key, and how fast they begin. */
import type { Duration, RetryOptions, RunFilter, RunHandle, Task, TaskState, TriggerOptions } from '../types.ts';

export interface RateLimit {
  /** So much begins in a period: runs, or their weights. */
  limit: number;
  period: Duration;
  /**
   * `sliding` (default): in no window of the period, wherever it lies, more than `limit`. `fixed`: windows one after the
   * other, each from its first start on. `token-bucket`: up to `burst` at once, `limit` a period in the long run.
   * `gcra`: the same with a burst of 1, evenly spaced.
   */
  type?: 'sliding' | 'fixed' | 'token-bucket' | 'gcra';
  /** Of a token bucket. Default `limit`; of `gcra` 1. */
  burst?: number;
  /** Each key has the rate for itself. Default false. */
  perKey?: boolean;
  /** A run that fails with a RetryableError and its `retryAfter` closes the limit until then; of several the latest counts. Default false. */
  feedback?: boolean;
  /**
   * What becomes of runs beyond it. `wait` (default): they begin later. `drop`: they are cancelled at once, with a
   * RateLimitedError that says when there is room again; then the rate counts what is let in, not what begins.
   */
  onExceed?: 'wait' | 'drop';
}

/** A concurrency that is found out: `'auto'` is `{ auto: true }`. */
export interface AutoConcurrency {
  auto: true;
  /** Default 1; it begins with so many. */
  min?: number;
  /** Default four times the cores of the machine. */
  max?: number;
  /** So much longer than without others may a run take, as a part of that, before there are fewer at once. Default 0.2. */
  tolerance?: number;
  /** What is left of the limit when something speaks against it: longer runs, refusals, timeouts, a busy page, little memory. Default 0.75. */
  backoff?: number;
}

/**
 * Why a concurrency that is found out is what it is. `start`: its least. `room`: more, since nothing spoke against it. Fewer because of:
 * `latency` (runs took longer), `refused` (429, 503, a `retryAfter`), `timeout` (also a missing heartbeat), `long-tasks` (of the
 * page, 30 % of a second), `memory` (80 % of the heap). `probe`, `probed`: half for a moment, to see what runs take without others, and back.
 */
export type ConcurrencyReason = 'start' | 'room' | 'latency' | 'refused' | 'timeout' | 'long-tasks' | 'memory' | 'probe' | 'probed';

/** The event `concurrency`. */
export interface ConcurrencyChange {
  readonly queue: string;
  readonly from: number;
  readonly to: number;
  readonly reason: ConcurrencyReason;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What a queue says beside its limits. */
export interface QueueRules {
  /**
   * Who begins first. `priority` (default): higher `priority` first, then who came first. `fifo`: who came first, whatever its
   * priority. `lifo`: who came last. `fair`: one run of each `concurrencyKey` in turn, however many one of them has.
   */
  order?: 'priority' | 'fifo' | 'lifo' | 'fair';
  /**
   * How `priority` counts in the order of that name. `strict` (default): whatever has a higher one first, so lower ones may wait
   * for ever. `offset`: as seconds of age: 10 goes before what came up to ten seconds earlier, and everybody has its turn.
   */
  priorityMode?: 'strict' | 'offset';
  /** Of the order `fair`: so many turns a key has for one of others: whole numbers from 1. Default 1 each. */
  fair?: { weights?: Record<string, number> };
  /** So many runs of it may wait to begin for the first time. Default: any number. */
  maxSize?: number;
  /**
   * What is done with one more. `reject` (default): it is refused, `accepted` rejects with QueueOverflowError. `block`: `accepted`
   * waits until there is room; until then it is in memory only. The others let it in and cancel one that waits, whose result
   * rejects with QueueOverflowError: `drop-new` this one, `drop-oldest` the oldest, `drop-lowest-priority` the newest of the lowest priority.
   */
  overflow?: 'reject' | 'block' | 'drop-new' | 'drop-oldest' | 'drop-lowest-priority';
  /**
   * At most one start in `every`: the first at once, and of those that come meanwhile the last one after that (with
   * `trailing: false` none: they are dropped). In place of minTime, rateLimit, maxSize and overflow.
   */
  throttle?: { every: Duration; trailing?: boolean };
  /**
   * `tab` (default): each tab has the limits for itself. `origin`: its `concurrency`, a number up to 64, is that of all tabs of this
   * origin together (of one namespace), and so are its `rateLimit` and `minTime`, over reloads too: a queue may have either alone. A rate
   * that drops, a concurrency that is found out or counts weights are refused. Where there are no Web Locks it is the tab's, with a warning.
   */
  scope?: 'tab' | 'origin';
  /**
   * What becomes of runs that have failed for good. `keep` (default): they stay, by retention. `discard`: they are removed when
   * whoever waits has heard; children and members of batches stay, by retention, since what made them may ask again.
   * Any other name gathers them: `orchestrator.queues.deadLetters`.
   */
  deadLetter?: string;
}

export interface LimitOptions {
  /** Runs at once (their weights, where they have some): in all, or in all and for each `concurrencyKey`. Default: no limit. */
  concurrency?: number | { total?: number; perKey?: number };
  rateLimit?: RateLimit;
  /** Least time between two starts; with `rateLimit.perKey` of one key. */
  minTime?: Duration;
}

/** In what limits a run takes part, and how. */
export interface LimitedRunOptions {
  /** Each key has `concurrency.perKey`, and a rate that is `perKey`, for itself. At most 512 bytes. Runs without one share one. */
  concurrencyKey?: string;
  /**
   * Named limits (`createOrchestrator({ concurrencyLimits })`) beside that of its queue and task; at most six. All are taken at once.
   * Undeclared there are `cpu` (all cores but one), `network` (six for each key), `memory` (weights are megabytes, a quarter of
   * the machine's) and `gpu` (one).
   */
  concurrencyLimits?: readonly (string | { name: string; weight?: number; key?: string })[];
  /** How much of the limits of its queue and task one run takes: a whole number from 1 to 65,535. Default 1. */
  weight?: number;
}

export interface QueueInfo {
  readonly name: string;
  /** `task`: of one task alone, by its definition. */
  readonly type: 'task' | 'custom';
  readonly running: number;
  /** Ready, and waiting for their turn. */
  readonly queued: number;
  /** Open runs that have never begun: queued, delayed, paused, held. What `maxSize` bounds. */
  readonly size: number;
  readonly maxSize: number | undefined;
  readonly order: 'priority' | 'fifo' | 'lifo' | 'fair';
  readonly paused: boolean;
  readonly concurrencyLimit: number | undefined;
  readonly concurrency: { readonly current: number | undefined; readonly base: number | undefined; readonly override: number | undefined;
    /** Milliseconds since the epoch; undefined: it is not overridden. */
    readonly overriddenAt: number | undefined; readonly overriddenBy: string | undefined;
    /** Of one that is found out: what it is now, and why; it begins anew with the page. */
    readonly auto: { readonly min: number; readonly max: number; readonly limit: number; readonly reason: ConcurrencyReason; readonly changedAt: number | undefined } | undefined };
}

/** Of the runs of a queue that are known in this tab; ended ones until they are forgotten. */
export interface QueueStatistics {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Runs that have had more than one attempt. */
  readonly retried: number;
  /** Runs that ended within the last minute. */
  readonly throughput: number;
  /** From creation to the first start; undefined: none has begun. */
  readonly avgWaitMs: number | undefined;
  /** From the first start to the end; undefined: none has ended. */
  readonly avgDurationMs: number | undefined;
  /** Milliseconds since the epoch. */
  readonly oldestQueuedAt: number | undefined;
  /** When a rate lets the next one begin; undefined: none keeps anybody back. */
  readonly nextSlotAt: number | undefined;
  readonly rateLimited: boolean;
}

export interface BlockedBy {
  /**
   * Its queue is paused, or runs all it may, here or in other tabs, which may also have the turn at a rate; a rate, or a limit of weights;
   * the swarm, batch or graph that it is a member of runs no more at once. None: its key has its turn later.
   */
  readonly reason: 'paused' | 'concurrency' | 'other-tabs' | 'rate' | 'limit' | 'container';
  /** Of the queue or limit; of a container its id. */
  readonly name: string | undefined;
  readonly untilMs?: number;
  /** Ids of the runs that have what it waits for. */
  readonly holders: readonly string[];
}

/** Of a run that is ready and waits for its turn. */
export interface Standing {
  /** From 1 on, in its queue. */
  readonly position: number;
  readonly queue: string | undefined;
  readonly blockedBy: readonly BlockedBy[];
}

/** A limit by name as it stands. */
export interface NamedLimitInfo {
  readonly name: string;
  /** Weights at once, of all and of each key; undefined: no limit. */
  readonly concurrency: LimitConcurrency;
  /** As it was declared. */
  readonly base: LimitConcurrency;
  readonly override: LimitConcurrency | undefined;
  /** Milliseconds since the epoch. */
  readonly overriddenAt: number | undefined;
  readonly overriddenBy: string | undefined;
  /** Runs of this tab that have a part of it, and that wait for one. */
  readonly running: number;
  readonly waiting: number;
}
export interface LimitConcurrency {
  readonly total?: number | undefined;
  readonly perKey?: number | undefined;
}

/** `orchestrator.queues.limits`: those of `createOrchestrator({ concurrencyLimits })`, and `cpu`, `network`, … once they are used. */
export interface NamedLimitsApi {
  list(): Promise<NamedLimitInfo[]>;
  /** @throws ConfigurationError for a name nobody declared */
  retrieve(name: string): Promise<NamedLimitInfo>;
  /** Another concurrency, until `reset` or a reload; what was taken of it stays taken. @throws ConfigurationError */
  override(name: string, concurrency: number | LimitConcurrency, options?: { by?: string }): Promise<void>;
  reset(name: string): Promise<void>;
}

export interface ClearOptions {
  /** What the cancelled ones are told. */
  reason?: unknown;
  /** Those that have begun too. Default false. */
  running?: boolean;
}

/** One of these. The last word counts: `{ for: 0 }` opens it. */
export interface PenaltyOptions {
  until?: Date;
  for?: Duration;
  /**
   * Where nobody says how long: 1 to 2 s (`minTimeoutInMs` 1000, at random up to twice that), and twice as long (`factor`) whenever it is
   * refused again before it was open for as long as it had been closed, up to 10 minutes (`maxTimeoutInMs`). While it is closed another
   * one changes nothing; it opens nothing that is closed for longer.
   */
  backoff?: true | Pick<RetryOptions, 'minTimeoutInMs' | 'minDelayMs' | 'factor' | 'maxTimeoutInMs' | 'maxDelayMs' | 'randomize' | 'jitter'>;
}

export interface AddAllOptions {
  /** Default: that of the task. */
  queue?: string;
  /** The next input is asked for when fewer than so many wait. Default 100. */
  highWater?: number;
  /** Of each run. */
  options?: Omit<TriggerOptions, 'queue' | 'id'>;
  /** Ends it; what was added goes on. */
  signal?: AbortSignal;
  onAdded?: (handle: RunHandle) => void;
}

export interface BulkDone {
  total: number;
  done: number;
}

/** Runs that have failed for good, of queues whose `deadLetter` is a name. */
export interface DeadLetterApi {
  /** Newest first; `name`: of those gathered under it. @throws ConfigurationError */
  list(filter?: RunFilter & { name?: string }): Promise<TaskState[]>;
  /** Tries them again. */
  redrive(filter?: RunFilter & { name?: string }): Promise<BulkDone>;
}

/** `orchestrator.queues`. */
export interface QueuesApi {
  /** Of this tab, by name. */
  list(): QueueInfo[];
  /** @throws ConfigurationError for a name nobody declared */
  retrieve(name: string): QueueInfo;
  /** What runs ends, nothing begins; kept over reloads. Resolves when it is so. @throws ConfigurationError */
  pause(name: string): Promise<void>;
  /** After a pause or a drain. */
  resume(name: string): Promise<void>;
  /**
   * Until `resetConcurrencyLimit`, or a reload; in this tab. Counts what the queue's concurrency counts: runs, or their weights where
   * that is an object, whose `perKey` stays. 0: nothing begins. With `scope: 'origin'` 64 at most. @throws ConfigurationError
   */
  overrideConcurrencyLimit(name: string, limit: number, options?: { by?: string }): Promise<void>;
  resetConcurrencyLimit(name: string): Promise<void>;
  /** When fewer than `size` wait. Like those below it rejects with DisposedError when the orchestrator is disposed first. @throws ConfigurationError */
  onSizeLessThan(name: string, size: number): Promise<void>;
  /** When there is room for one more: fewer than `maxSize` wait. */
  ready(name: string): Promise<void>;
  /** When nobody waits to begin. */
  onEmpty(name: string): Promise<void>;
  /** When it has no open run: none waits, runs, sleeps or is to be tried again. */
  onIdle(name: string): Promise<void>;
  /** When nobody runs. */
  onPendingZero(name: string): Promise<void>;
  /** When a rate keeps one of it back. */
  onRateLimit(name: string): Promise<void>;
  /** When no rate keeps any of it back. */
  onRateLimitCleared(name: string): Promise<void>;
  /** Never resolves: rejects with the error of its first run that fails for good from now on. For `Promise.race`. */
  onError(name: string): Promise<never>;
  /** Takes nothing more (a trigger throws) until `resume` or a reload; resolves when what it has is over. */
  drain(name: string): Promise<void>;
  /** Cancels whatever has not begun; all their promises settle. Gives their number. */
  clear(name: string, options?: ClearOptions): Promise<number>;
  /** Triggers a run for each input, and asks for the next one only when fewer than `highWater` wait in the queue. Rejects with the first that is refused. @throws ConfigurationError AbortedError */
  addAll<Input, Output>(task: Task<string, Input, Output>, inputs: Iterable<Input> | AsyncIterable<Input>, options?: AddAllOptions): Promise<RunHandle<Output>[]>;
  /** From now on, waiting or not. Of this tab's runs, here and below; false: there is no such run, or it has ended. @throws ConfigurationError */
  setPriority(id: string, priority: number): Promise<boolean>;
  /** It begins next in its queue, before those that were promoted earlier; its delay is over. false: it has begun. */
  promote(id: string): Promise<boolean>;
  /** Cancels it, unless it has begun (false). */
  remove(id: string, reason?: unknown): Promise<boolean>;
  /** As `runs.reschedule`. */
  reschedule(id: string, options: { delay: Duration | Date }): Promise<boolean>;
  /** undefined: it does not wait for a turn. */
  standing(id: string): Promise<Standing | undefined>;
  statistics(name: string): Promise<QueueStatistics>;
  /** Closes a named limit, or the limit of a queue or task, as `feedback` does, over reloads too. @throws ConfigurationError */
  penalize(name: string, options: PenaltyOptions): Promise<void>;
  readonly deadLetters: DeadLetterApi;
  readonly limits: NamedLimitsApi;
}
