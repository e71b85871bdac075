/**
 * The public shapes. A *task* is a definition; one execution of it is a *run*.
 * `TaskState` is what `getTaskState(id)` gives, so its `id` is the run's.
 */
import type { RemoveOptions } from './runs/removals.ts';
import type { QueryOptions, UpdateOptions } from './asking/types.ts';
import type { BatchHandle, BatchItemResult, BatchOptions, BatchPayload, BatchResult, BatchSource } from './batches/types.ts';
import type { Cache, CacheCallOptions, CacheEvents, CacheMode, OrchestratorCacheOptions } from './cache/types.ts';
import type { CircuitOptions } from './circuits/types.ts';
import type { Clock } from './time/clock.ts';
import type { DebounceOptions } from './collapsing/types.ts';
import type { LogEntry } from './context/types.ts';
import type { TaskHooks } from './definition/hook-types.ts';
import type { InputIn, OutputIn, TaskMap } from './definition/names.ts';
import type { ProcessOptions } from './definition/process-types.ts';
import type { Validator } from './definition/schema.ts';
import type { TaskContext, TaskSpec } from './definition/types.ts';
import type { PayloadLimits } from './intake/limits.ts';
import type { KeyOptions } from './identity/types.ts';
import type { AutoConcurrency, ConcurrencyChange, LimitedRunOptions, LimitOptions, QueueRules } from './limiting/types.ts';
import type { ConnectivityOptions, NetworkMode } from './network/types.ts';
import type { RecoveryReport, StorageState } from './opening/types.ts';
import type { Durability, Storage, StorageEvent } from './storage.ts';
import type { ReadStreamOptions, StreamReader } from './streams/types.ts';
import type { TabPlatform } from './tabs/platform.ts';
import type { ListFilter, TaskCounts, TaskPage, TaskState, TaskStatus } from './task-state.ts';
import type { EncryptionOptions } from './vault/checks.ts';

export type * from './asking/types.ts';
export type * from './batches/types.ts';
export type * from './batching/types.ts';
export type * from './cache/types.ts';
export type * from './circuits/types.ts';
export type * from './collapsing/types.ts';
export type * from './context/portable.ts';
export type * from './context/types.ts';
export type * from './identity/types.ts';
export type * from './limiting/types.ts';
export type * from './locking/types.ts';
export type * from './network/types.ts';
export type * from './opening/types.ts';
export type { BatchTaskSpec, SelectTaskSpec, TaskContext, TaskHandler, TaskSpec } from './definition/types.ts';
export type * from './retrying/types.ts';
export type * from './streams/types.ts';
export type * from './task-state.ts';
export type { EncryptionOptions } from './vault/checks.ts';
export type * from './waiting/types.ts';

/** Milliseconds, or `'500ms' '10s' '5m' '1h' '2d' '1w' '1h30m'`, ISO 8601 (`PT5M`), or parts. */
export type Duration =
  | number
  | string
  | { milliseconds?: number; seconds?: number; minutes?: number; hours?: number; days?: number; weeks?: number };
/** A Date, milliseconds since the epoch, or an ISO 8601 string. */
export type Instant = Date | number | string;

export type BackoffKind = 'exponential' | 'linear' | 'fixed' | 'fibonacci';
export type JitterKind = 'none' | 'upto2x' | 'full' | 'equal' | 'decorrelated';

/** `delay(n) = round(min(maxDelay, jitter * minDelay * factor^(n-1)))` after the n-th failure. */
export interface RetryOptions {
  /** First try included. Default 3. */
  maxAttempts?: number;
  /** maxAttempts - 1; give one of the two. */
  maxRetries?: number;
  /** Default 2. Alias: retryBackoffFactor. */
  factor?: number;
  retryBackoffFactor?: number;
  /** Default 1000. Alias: initialDelay, minDelayMs. */
  minTimeoutInMs?: Duration;
  minDelayMs?: Duration;
  initialDelay?: Duration;
  /** Default 60000. Alias: maxDelayMs. */
  maxTimeoutInMs?: Duration;
  maxDelayMs?: Duration;
  /** Default true: `jitter: 'upto2x'`. */
  randomize?: boolean;
  jitter?: JitterKind;
  /** Default exponential; an array lists the delays (the last repeats). */
  backoff?: BackoffKind | readonly Duration[];
  /** No attempt starts later than this after the first. */
  maxElapsed?: Duration;
  /** false: this error is final. `retryable-only`: every error but RetryableError is. */
  retryOn?: 'retryable-only' | ((error: Error, info: { attempt: number; maxAttempts: number }) => boolean);
  /** Attempts beyond `maxAttempts` when it failed because its worker died. Default 0. */
  crashRetries?: number;
  /** Errors that are final, by class, name or `code`. */
  nonRetryable?: readonly (string | (abstract new (...args: any[]) => unknown))[];
}

export interface QueueOptions extends CircuitOptions, Omit<LimitOptions, 'concurrency'>, QueueRules {
  name: string;
  /**
   * Runs at once. As an object it counts weights, and may have a limit for each `concurrencyKey`; `'auto'`: what the page and what
   * it calls bear is found out. Default: no limit. Alias: concurrencyLimit.
   */
  concurrency?: LimitOptions['concurrency'] | 'auto' | AutoConcurrency;
  concurrencyLimit?: number;
}

/** A queue of one task alone, in its definition: without a name it is called `task/<id>`. */
export type OwnQueueOptions = Omit<QueueOptions, 'name'> & { name?: string };

export interface SimulateProgressOptions {
  /** Default 500. */
  intervalMs?: number;
  /** Largest step per tick, uniformly random from 0. Default 5. */
  maxIncrement?: number;
  /** Default 95: the rest is kept for finalising. */
  cap?: number;
  /**
   * `asymptotic` slows down towards the cap; `eta` goes by how long the task took before, once that
   * is known of three runs. Default `linear-random`.
   */
  curve?: 'linear-random' | 'asymptotic' | 'eta';
}

/** Options a definition and a call share; a call's win. */
export interface RunOptions extends LimitedRunOptions {
  retry?: RetryOptions;
  /** Queue by name (`createOrchestrator({ queues })`) or inline. */
  queue?: string | QueueOptions;
  /** Higher first; default 0. */
  priority?: number;
  /** Per attempt, start to close. */
  timeout?: Duration;
  /** Do `timeout`, `heartbeat` and `maxDuration` count time in which nothing could run: page frozen, machine asleep? Default false. */
  countFrozen?: boolean;
  /** For the whole run from its creation, retries and waits included. */
  deadline?: Duration;
  /** Expires if not started within this time of being eligible: waiting for a slot, a network, an open breaker. Not while paused. */
  ttl?: Duration;
  /** Between abort and giving up on the code. Default 5000; of a `workerHandler` 1000. */
  graceMs?: Duration;
  /** Running time of all attempts together; waits and delays are not counted. Over it: failed, not retried. */
  maxDuration?: Duration;
  /**
   * An attempt that gives no sign of life for so long while it runs has failed (StalledError), and is retried.
   * Signs are `ctx.heartbeat()`, `ctx.yield()`, progress, recorded steps; code in a worker gives them by itself.
   */
  heartbeat?: Duration | { timeout: Duration };
  /** Start not before. */
  delay?: Duration | Date;
  simulateProgress?: boolean | SimulateProgressOptions;
  /** Free; shown with the run. At most 256 KB. */
  metadata?: Record<string, any>;
  /** To find runs by: at most ten, each of 1 to 128 characters. Those of task, call and process add up. */
  tags?: string | readonly string[];
  /** Its children get its tags too. Default false. */
  propagateTags?: boolean;
  /**
   * What becomes of the files in the input. `copy` (default): they are stored before the run is accepted.
   * `none`: this page keeps them; after a reload the run waits until the person gives them again. `handle`: as `copy`,
   * and a FileSystemFileHandle is kept as one, its file not copied; where that may not be read any more, or was
   * changed, the run waits until the person gives the file, or a handle of it.
   */
  persistPayload?: 'copy' | 'none' | 'handle';
  /** What it does while there is no network. Default by `intent`: `online` for `fetch` and `effect`, else `always`. */
  networkMode?: NetworkMode;
}

export interface TriggerOptions extends RunOptions, KeyOptions {
  /** Options of the tree of runs below this one; in `ctx.options` of all of them. */
  process?: ProcessOptions;
  /** Calls that become one run; over what the task says. */
  debounce?: DebounceOptions;
  /** Own run id, at most 128 bytes; a live duplicate is a DuplicateRunError. */
  id?: string;
  /** Shown name; default the definition's id. */
  name?: string;
  /** Over what the definition says about caching: true, false, a mode, or options. Stored with the run. */
  cache?: boolean | CacheMode | CacheCallOptions;
}

export interface ReplayOptions extends TriggerOptions {
  /** In place of the input of the run that is repeated. */
  payload?: unknown;
}

export interface ProgressReport {
  /** 0-100. */
  value?: number;
  message?: string;
  phase?: string;
  step?: string;
}

/** What is not said is the task's: of the other run a fork has the input, the name and the metadata. */
export interface ForkOptions extends Omit<TriggerOptions, keyof KeyOptions> {
  /**
   * By its name: this step (child, wait) and what was recorded after it is done anew. Of several with that name the
   * first. Default: everything that is recorded is taken over.
   */
  fromStep?: string;
  /** In place of the input of the run that is forked. */
  input?: unknown;
}

/** `Input` is what `trigger` takes: before a schema has parsed it. */
export interface Task<Id extends string = string, Input = any, Output = any> {
  readonly id: Id;
  readonly spec: Readonly<TaskSpec<any, any, any, Id>>;
  trigger(input: Input, options?: TriggerOptions): RunHandle<Output, Id>;
  /** In a task, where it is certain whose code asks (js/batches/README.md), a child of the run that code which runs again finds. */
  triggerAndWait(input: Input, options?: TriggerOptions): ResultPromise<Output, Id>;
  /** Many runs of it as one batch; resolves when that is stored. @throws BatchTriggerError */
  batchTrigger(items: BatchSource<BatchPayload<Input>>, options?: BatchOptions): Promise<BatchHandle<BatchItemResult<Output, Id>[]>>;
  /** The same, and waits for all; never rejects for an item that fails. @throws BatchTriggerError */
  batchTriggerAndWait(items: BatchSource<BatchPayload<Input>>, options?: BatchOptions): Promise<BatchResult<BatchItemResult<Output, Id>[]>>;
}

/** The seed's shape. `taskType` (or the class's name) is what finds it again after a reload. */
export interface TaskExecutor<T = any, R = any> {
  execute: (taskInput: T, onProgress?: (progress: number) => void, ctx?: TaskContext) => Promise<R>;
  readonly taskType?: string;
}

export type TaskRunResult<Output = any, Id extends string = string> =
  | { ok: true; status: 'completed'; id: string; taskIdentifier: Id; output: Output; attempts: number; durationMs: number; fromCache: boolean }
  | { ok: false; status: 'failed' | 'cancelled'; id: string; taskIdentifier: Id; error: Error; attempts: number; durationMs: number; fromCache: boolean };

/** Never rejects for a run that failed; `unwrap()` gives the output or throws SubtaskUnwrapError. */
export interface ResultPromise<Output, Id extends string = string> extends Promise<TaskRunResult<Output, Id>> {
  unwrap(): Promise<Output>;
}

export interface RunHandle<Output = any, Id extends string = string> {
  readonly id: string;
  readonly taskIdentifier: Id;
  readonly status: TaskStatus;
  readonly state: TaskState<Output>;
  /**
   * The call made no run: its key was held by this one. Of a call before `ready`, and of one whose payload is hashed,
   * that is known, and `id` final, when `accepted` has settled.
   */
  readonly isCached: boolean;
  /** The text of its key, scope and all. */
  readonly idempotencyKey: string | undefined;
  /** Settles when run and payload are acknowledged; rejects where the run was refused. */
  readonly accepted: Promise<void>;
  /** The output; throws what the run failed with. */
  result(): Promise<Output>;
  wait(): ResultPromise<Output, Id>;
  cancel(reason?: unknown): Promise<boolean>;
  pause(kind?: 'soft' | 'hard'): Promise<boolean>;
  resume(policy?: ResumePolicy): Promise<boolean>;
  retry(): Promise<boolean>;
  /** An event for this run alone. Resolves when it is stored; false: the run has ended. */
  signal(name: string, data?: unknown): Promise<boolean>;
  /**
   * Asks the code of the run (`ctx.onQuery`), in whatever tab it runs; nothing of it is kept. Waits until there is such
   * code. @throws QueryError when the run has ended or `timeout` (default 10 s) is over; what the code throws
   */
  query<Answer = any>(name: string, data?: unknown, options?: QueryOptions): Promise<Answer>;
  /**
   * Gives the run something to do (`ctx.waitForUpdate`, `ctx.updates`) and its answer; what is asked is stored first.
   * @throws InputValidationError for data its task's `updates` refuses; UpdateError when the run ends without an answer
   * or `timeout` (default 10 minutes) is over; what the code rejects it with
   */
  update<Answer = any>(name: string, data?: unknown, options?: UpdateOptions): Promise<Answer>;
  /**
   * A file that this run misses (`state.missing`), chosen again by the person. True: it has all it needs and
   * goes on. False: it misses others, or none. Its name may differ where its content is known.
   * @throws PayloadMismatchError saying what differs: another size or content
   */
  provide(file: Blob | FileSystemFileHandle): Promise<boolean>;
  /** What its code appends to `ctx.stream(key)`: first what is stored, then what comes. @throws ConfigurationError */
  stream<Chunk = any>(key: string, options?: ReadStreamOptions): StreamReader<Chunk>;
  onProgress(listener: (progress: number, state: TaskState<Output>) => void): () => void;
  subscribe(listener: (state: TaskState<Output>) => void): () => void;
  /** Saves a Blob or File result; browsers only. Its name: `fileName`, else the File’s own, else the run’s. */
  download(fileName?: string): Promise<void>;
  /** Its story: what is kept of it, then what comes, to its end. */
  [Symbol.asyncIterator](): AsyncIterator<RunEvent, void, undefined>;
}

/** What happens to a delay that ran while paused. Default `keepDeadline`. */
export type ResumePolicy = 'keepDeadline' | 'remaining' | 'restart';

/** What events are called; what comes in `data` stands behind it. */
export type RunEventType =
  | 'created' // taskIdentifier, intent
  | 'optionSet' // option, value
  | 'dependencyAdded' // on, kind
  | 'edgeDisabled' // on, kind
  | 'edgeMet' // on, kind
  | 'revised' // a draft again, that waits for nothing: its graph is being changed
  | 'joined' // group
  | 'submitted'
  | 'started' // attempt
  | 'stepRecorded' // attempt, step
  | 'progressed' // attempt, progress
  | 'stopping' // attempt, reason, graceEndsAt: its code has been asked to stop
  | 'abandoned' // attempt: it did not in time
  | 'thawed' // attempt, frozenMs: nothing could run for so long; its timeout, heartbeat, running time and grace moved on by that
  | 'attemptFailed' // attempt, outcome
  | 'retryScheduled' // failures, dueAt
  | 'interrupted' // recoveries: it lost its page, or was paused hard
  | 'waiting' // attempt, parked: by its own code, or by a soft pause
  | 'woken'
  | 'continued' // attempt: it has a slot again
  | 'due'
  | 'paused' // kind: soft, hard
  | 'resumed' // policy
  | 'succeeded' // attempt
  | 'failed' // reason
  | 'cancelled' // cause: asked, cascade, group, overflow, rateLimited, throttled or disabled
  | 'retried'
  | 'forgotten'
  | 'held' // reasons
  | 'released' // reasons
  | 'blobAttached' // bytes
  | 'noted' // kind
  | 'heartbeat' // attempt
  | 'childOf' // parent, policy
  | 'alarmSet' // attempt, at: its code sleeps until then, at the longest
  | 'alarmRang' // attempt
  | 'stepsDropped' // attempt, kept: how many of its records
  | 'queueSet' // field, value
  | 'groupSet' // field, value
  | 'groupSettled' // succeeded, endedBadly
  | 'limitSet' // field, value
  | 'circuitSet' // field, value
  | 'circuitOpened' // until: what it is about failed too often
  | 'circuitHalfOpened' // a few try
  | 'circuitClosed'
  | 'clockJumped'; // byMs: of this page, not of a run

/** One entry of the event log. */
export interface RunEvent {
  /**
   * Grows. Goes on over a reload within what is kept: it counts the events of the journal, anew when
   * that was compacted. `clockJumped` bears the number of the event before it.
   */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly type: RunEventType;
  readonly runId?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface EventsOptions {
  /** Only events with a greater `seq`. A number kept from before a compaction means nothing after it. */
  since?: number;
  runId?: string;
  types?: readonly RunEventType[];
  /** Ends the iteration. */
  signal?: AbortSignal;
}

export interface OrchestratorEvents extends CacheEvents {
  complete: [taskId: string, result: any];
  error: [taskId: string, error: Error];
  progress: [taskId: string, progress: number];
  change: [state: TaskState];
  event: [event: RunEvent];
  storage: [event: StorageEvent | { type: 'durability'; level: Durability; reason?: string }];
  warning: [message: string];
  concurrency: [change: ConcurrencyChange];
  log: [entry: LogEntry];
  emit: [runId: string, name: string, data: unknown];
}

export interface OrchestratorOptions {
  /** One engine per id and page; a second call gets the same one. Default `default`. */
  id?: string;
  /** Separates users on one origin; stays until the orchestrator is disposed. Default: the id. */
  namespace?: string;
  /** Default `mirror(opfs(), indexedDB())`, with the fallbacks of the README. */
  storage?: Storage | 'memory';
  /** Default `process`. */
  durability?: Durability;
  /**
   * Everything that is stored is encrypted (AES-GCM): runs, files, results, cache entries. What stays readable is said in
   * js/vault/README.md. Only when an orchestrator is made; another key later by `unlock`.
   */
  encryption?: EncryptionOptions;
  /** A list, or an object with the tasks' ids as keys. `orchestrator.run(id, input)` knows their types then. */
  tasks?: readonly Task[] | Record<string, Task>;
  /** What the process options of this application are beyond ours: a Standard Schema or a function, synchronous. */
  processSchema?: Validator;
  queues?: Record<string, Omit<QueueOptions, 'name'>>;
  /** Limits that runs of several queues and tasks share, by name: `concurrencyLimits: ['name']` of a run. */
  concurrencyLimits?: Record<string, LimitOptions>;
  /** Sleeps (`ctx.sleep`) up to so long keep the slot, as those of trigger.dev up to a minute do. Default 0: all give it back. A task may say its own. */
  shortWait?: Duration;
  /** Where this page is, `production` say: schedules with `environments` are made only in one of theirs. */
  environment?: string;
  /** Defaults for every run. */
  retry?: RetryOptions;
  maxRetries?: number;
  retryBackoffFactor?: number;
  timeout?: Duration;
  countFrozen?: boolean;
  simulateProgress?: boolean | SimulateProgressOptions;
  onComplete?: (taskId: string, result: any) => void;
  onError?: (taskId: string, error: Error) => void;
  onProgress?: (taskId: string, progress: number) => void;
  onListenerError?: (error: unknown) => void;
  /** Of every task, before the task's own. */
  hooks?: TaskHooks;
  /** localStorage key of the seed's format, read once on first boot. Default `task_orchestrator_state`. */
  persistenceKey?: string;
  /**
   * Ended runs are forgotten by age and count, within a minute of being too old or too many; a child not before its parent
   * has ended. Cancelled ones count as failed. Default: completed and failed 7 days, 10,000 each.
   * Events 24 hours, ended wait tokens 1 hour.
   */
  retention?: {
    completed?: { age?: Duration; count?: number };
    failed?: { age?: Duration; count?: number };
    events?: { age?: Duration };
    tokens?: { age?: Duration };
  };
  /** How large values and files may be. A larger one is a PayloadTooLargeError, at the call where that can be known. */
  limits?: PayloadLimits;
  /**
   * How runs of former pages go on. Default `auto`: at once, or one after the other with `stagger`
   * between their starts. `manual`: each stays suspended until it is resumed.
   */
  recovery?: { mode?: 'auto' | 'manual'; stagger?: Duration };
  /** Children below one another: 1 to 64. Default 64. */
  maxDepth?: number;
  /** false: no other tab is watched, adopted or told. An object: tabs that a test makes. Default true. */
  tabs?: boolean | TabPlatform;
  /**
   * For development: warns of durable code that asks the page's clock, chance or network itself (`Date.now`, `new Date()`,
   * `Math.random`, `crypto`, `performance.now`, `fetch`) outside of steps. In Chromium and Node everywhere in a handler,
   * elsewhere at least before its first `await`; not in workers. Says where a child was asked for that nobody awaits.
   * What steps and children gave is frozen; code that changes it fails, and is named. Default false.
   */
  checkDeterminism?: boolean;
  clock?: Clock;
  /** Random seed; for tests. */
  seed?: number;
  /** Where outputs of cached tasks are kept, and defaults for them. Default: IndexedDB; memory where runs are kept in memory. */
  cache?: Cache | OrchestratorCacheOptions;
  /** How it is known whether there is a network. Default: the browser's word. */
  connectivity?: ConnectivityOptions;
  wasm?: string | URL | BufferSource | WebAssembly.Module;
  /** How the small worker that keeps time and storage is made; for CDNs and strict hosts. */
  worker?: () => Worker;
}

/** What React and the panel need; `Orchestrator` implements it. */
export interface OrchestratorApi {
  readonly ready: Promise<RecoveryReport>;
  readonly storageState: StorageState;
  executeTask<T, R>(
    name: string,
    executor: TaskExecutor<T, R> | Task<string, T, R> | ((input: T, onProgress?: (progress: number) => void) => Promise<R>),
    input: T,
    metadata?: Record<string, any>,
  ): Promise<string>;
  trigger<Id extends string, I, O>(task: Task<Id, I, O>, input: I, options?: TriggerOptions): RunHandle<O, Id>;
  run<I, O>(task: Task<string, I, O>, input: I, options?: TriggerOptions): Promise<O>;
  run<Name extends keyof TaskMap & string>(name: Name, input: InputIn<TaskMap, Name>, options?: TriggerOptions): Promise<OutputIn<TaskMap, Name>>;
  attach<O = any>(id: string): RunHandle<O> | undefined;
  getTaskState<R = any>(id: string): TaskState<R> | undefined;
  /** Newest first; the same array until something changes. */
  getAllTasks(): readonly TaskState[];
  list(filter?: ListFilter): TaskPage;
  counts(): TaskCounts;
  cancelTask(id: string, reason?: unknown): Promise<boolean>;
  pauseTask(id: string, kind?: 'soft' | 'hard'): Promise<boolean>;
  resumeTask(id: string, policy?: ResumePolicy): Promise<boolean>;
  /**
   * Tries a run again that failed or was cancelled, under its id: its failures are counted anew, what it has recorded is kept.
   * Gives its handle; undefined: there was nothing to try again.
   */
  retryTask<O = any>(id: string): Promise<RunHandle<O> | undefined>;
  /**
   * Cancels it unless it has ended, and forgets it. `undoFor`: until then it stands still with what is in it and what was to follow it, no list
   * shows it, and `undoRemove` brings it back, over reloads too. false: there is none, or none that is not removed so already.
   * @throws ConfigurationError DisposedError StorageFullError
   */
  removeTask(id: string, options?: RemoveOptions): Promise<boolean>;
  /** Brings back what was removed with `undoFor`: it goes on where it stood still. false: that is over, or was not removed. @throws DisposedError */
  undoRemove(id: string): Promise<boolean>;
  /** As the handle's `stream`, of a run that may be another tab's. */
  stream<Chunk = any>(id: string, key: string, options?: ReadStreamOptions): StreamReader<Chunk>;
  /** As the handle's `provide`. */
  providePayload(id: string, file: Blob | FileSystemFileHandle): Promise<boolean>;
  /** Removes completed and failed runs older than this; gives their number. */
  cleanupCompletedTasks(maxAgeMs?: number): Promise<number>;
  clearAllTasks(): Promise<number>;
  on<Name extends keyof OrchestratorEvents>(
    name: Name,
    listener: (...args: OrchestratorEvents[Name]) => void,
    options?: { signal?: AbortSignal },
  ): () => void;
  /** Any change of any run; at most once a frame. For useSyncExternalStore. */
  subscribe(listener: () => void): () => void;
  /** Changes of one run; at most once a frame, the last always delivered. */
  subscribeTask(id: string, listener: () => void): () => void;
  /** In words: what this run waits for. */
  why(id: string): string;
  dispose(): Promise<void>;
}
