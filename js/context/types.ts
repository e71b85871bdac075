/** The shapes of `ctx`: what a handler gets beside its input. */
import type { SignatureApi } from '../signatures/types.ts';
import type { BatchApi } from '../batches/types.ts';
import type { Intent } from '../definition/intent.ts';
import type { Locals } from '../definition/locals.ts';
import type { ContextMetadata } from '../definition/metadata-types.ts';
import type { InputIn, NameIn, OutputIn, TaskMap } from '../definition/names.ts';
import type { ProcessOptions } from '../definition/process-types.ts';
import type { Validator } from '../definition/schema.ts';
import type { LockOptions } from '../locking/types.ts';
import type { TaskCache } from '../cache/types.ts';
import type { ContextRetry, RetryFetchInit } from '../retrying/types.ts';
import type { StreamOptions, TaskStream } from '../streams/types.ts';
import type { Answering, Update } from '../asking/types.ts';
import type { ContextWait, CreatedToken, CreateTokenOptions, WaitForOptions, WaitPromise } from '../waiting/types.ts';
import type { Duration, Instant, ProgressReport, RetryOptions, Task, TriggerOptions } from '../types.ts';

/** What the function of a step gets. */
export interface StepInfo {
  /** Of this step, from 1. */
  readonly attempt: number;
  /** Aborted when the step's `timeout` is over, or its branch of a race has lost; only where it has one, or stands in one. */
  readonly signal: AbortSignal;
  /**
   * The same in every try and attempt of this step, and after a crash; of no other step. At most 255 visible ASCII
   * characters: an `Idempotency-Key`. Another one after `ctx.continueAsNew`, and for what is done again after it was undone.
   */
  readonly stepId: string;
}

export interface StepOptions<Value = any> {
  /** In place of its ordinal among steps of that name, for code that makes them in no fixed order. */
  id?: string;
  /** Tries of this step by itself, counted where they survive. When they are used up, it has failed. */
  retry?: RetryOptions;
  /** Per try. */
  timeout?: Duration;
  /** A Standard Schema or a function, as a task's `output`; what it gives is recorded. */
  schema?: Validator;
  /**
   * What is recorded in place of the value, and back: for a class that can't be stored as it is (`registerCodec`: for all). The
   * code gets what `deserialize` makes, the first time too. Not in a worker.
   */
  serde?: { serialize(value: Value): unknown; deserialize(stored: any): Value | Promise<Value> };
  /** Undoes the step when the run fails for good or is cancelled; the last step first. */
  compensate?: (value: Value) => unknown;
  /**
   * `sync` (default): the code goes on when its result is acknowledged by the storage. `batched`: as soon as it is
   * handed over, in order; what a crash of the page catches on the way there is computed again. `none`: it is not
   * recorded at all, and is computed whenever the code runs again; so a race with such a step may then have another winner
   * (`ctx.race` with `cancelLosers` records who won).
   */
  durability?: 'sync' | 'batched' | 'none';
}

export interface GroupOptions {
  /** In place of its ordinal among groups of that name. */
  id?: string;
}

export interface RaceOptions {
  /**
   * Stops the branches that were not first: their children are cancelled, `signal` of their steps is aborted, nothing
   * more of them begins. Branches are functions then. Default false: they go on, and nobody waits for them.
   */
  cancelLosers?: boolean;
}

/** What a branch of a race gives. */
export type BranchValue<Branch> = Awaited<Branch extends (...args: any[]) => infer Value ? Value : Branch>;

/**
 * A part of a run's code: what `ctx.group` calls its function with, and `ctx.race` and `ctx.any` their branches. Its
 * verbs are those of `ctx`.
 */
export interface Section
  extends Pick<CoreContext, 'step' | 'sleep' | 'sleepUntil' | 'waitFor' | 'waitForToken' | 'waitForUpdate' | 'map' | 'gather' | 'scatter' | 'group' | 'race' | 'any' | 'options'> {
  readonly run: ChildRunner;
  /** Of a branch: aborted also when another one was first. */
  readonly signal: AbortSignal;
}

/** What the function of an item gets beside it. */
export interface ItemInfo {
  readonly id: string;
  readonly index: number;
  /** Of the step that computes it, as in StepInfo. */
  readonly stepId: string;
}

export interface SleepOptions {
  /** In place of its ordinal. */
  id?: string;
}

/** The item of a collection that a run is for. */
export interface RunItem {
  readonly id: string;
  readonly index: number;
  /** How many there are. */
  readonly total?: number;
}

/** A child's options: those of a run, and how its parent knows it. */
export interface ChildOptions extends Omit<TriggerOptions, 'id'> {
  /** In place of its ordinal among children of that task. */
  id?: string;
  /** Shown name. */
  label?: string;
  /** What becomes of it when its parent ends first. Default `cancel`. `abandon` is another word for `detach`: it goes on. */
  childPolicy?: 'cancel' | 'detach' | 'abandon';
  /** The item of a collection it is for: `ctx.item` of its code, `item` of its state. `ctx.map` says it by itself. */
  item?: RunItem;
}

/** What a handler may know of its task. */
export interface TaskFacts {
  readonly id: string;
  readonly version?: number | string;
  readonly intent?: Intent;
}

/** `ctx.tags`. */
export interface RunTags {
  readonly current: readonly string[];
  /** Resolves when they are stored. @throws ConfigurationError for more than ten in all, or what is no tag */
  add(tags: string | readonly string[]): Promise<void>;
}

/** What a handler may know of its own run. */
export interface RunFacts {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly recoveries: number;
  /** Of a child: the run whose code made it, and the topmost one. */
  readonly parentId?: string;
  readonly rootId?: string;
  /** Parents above it. */
  readonly depth: number;
  /** When this attempt began; what is added later stands in `ctx.tags`. */
  readonly tags: readonly string[];
  /** Of the code that accepted it, where its definition has one. */
  readonly version?: number | string;
  /** `runs.replay` has made it of another run. */
  readonly isReplay: boolean;
  readonly item?: RunItem;
}

export interface ChildRunner {
  <Id extends string, Input, Output>(task: Task<Id, Input, Output>, input: Input, options?: ChildOptions): Promise<Output>;
  <Value>(name: string, compute: (info: StepInfo) => Value | Promise<Value>, options?: StepOptions<Value>): Promise<Value>;
  <Name extends NameIn<TaskMap>>(name: Name, input: InputIn<TaskMap, Name>, options?: ChildOptions): Promise<OutputIn<TaskMap, Name>>;
}

/** `ctx.run(task, input)`, and the run itself: `ctx.run.id`. */
export interface RunFunction extends RunFacts, ChildRunner {}

/** The run that an error callback follows. */
export interface FailedRun {
  readonly id: string;
  readonly taskIdentifier: string;
  readonly error: Error;
}

/** An item of a collection and what became of it; the same record from `map` and `gather`. */
export type ItemResult<Value = any, Item = any> =
  | { readonly id: string; readonly index: number; readonly item: Item; readonly ok: true; readonly value: Value }
  | { readonly id: string; readonly index: number; readonly item: Item; readonly ok: false; readonly error: Error };

export interface MapOptions<Item = any> {
  /** Default: the item's own `id`, else its place. Two of the same are refused. */
  id?: (item: Item, index: number) => string;
  /** Items at once. Default: what the process says, else all. */
  concurrency?: number;
  /** false: in the order in which they were done. Default true. */
  ordered?: boolean;
  /** `fail`: the first failure is thrown. Default `collect`: it stands in its record. */
  onItemError?: 'collect' | 'fail';
  /** Of the steps, where `work` is a function. Default `map`. */
  name?: string;
}

/** `concurrency` holds for each source. */
export type GatherOptions<Item = any> = Pick<MapOptions<Item>, 'id' | 'concurrency' | 'onItemError'>;

/** What lists of records have, by their names. */
export type Joined<Lists extends Record<string, readonly ItemResult[]>> = {
  [Name in keyof Lists]: Extract<Lists[Name][number], { ok: true }>['value'];
};

/** What the sources of `gather` give, by their names. */
export type Gathered<Sources> = {
  [Name in keyof Sources]: Sources[Name] extends Task<string, any, infer Output>
    ? Output
    : Sources[Name] extends (...args: any[]) => infer Value ? Awaited<Value> : any;
};

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type TaskLog = Readonly<Record<LogLevel, (message: string, attributes?: Record<string, unknown>) => void>>;
export interface LogEntry {
  readonly runId: string;
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly attributes?: Record<string, unknown>;
}

/** What a handler gets beside its input and what its `setup` gave. Closed when the attempt ends. */
export interface CoreContext {
  /** Aborted on cancel, timeout and hard pause; its reason is the typed error. */
  readonly signal: AbortSignal;
  readonly attempt: { readonly number: number; readonly max: number };
  /**
   * Runs another task as a child and gives its output, or throws its error. The child is a run of its
   * own; this one gives its slot back meanwhile. After a crash a finished child answers from its record.
   * @throws UnrecognizedTaskError for a name nobody registered
   */
  readonly run: RunFunction;
  readonly task: TaskFacts;
  /** Of a child that `ctx.map` or `ctx.gather` has made, or `ctx.run(task, input, { item })`. */
  readonly item?: RunItem;
  /** Of an error callback: the run that failed, and why. */
  readonly failure?: FailedRun;
  /** The values by their names, and what changes them: `ctx.metadata.set('page', 3).increment('done')`. */
  readonly metadata: ContextMetadata;
  /** Options of the process: of the tree of runs that this one stands in. */
  readonly options: Readonly<ProcessOptions>;
  /** Values shared with the runs that this one makes, in this page; keys come from `locals.create`. */
  readonly locals: Locals;
  readonly tags: RunTags;
  /**
   * A durable step: its result is recorded before the code after it runs, and never computed again,
   * not by a retry, not after a crash. Steps of one name are told apart by their order.
   */
  step<Value>(name: string, compute: (info: StepInfo) => Value | Promise<Value>, options?: StepOptions<Value>): Promise<Value>;
  /**
   * Steps under a name of their own: `upload/head`. In a group no two steps have one name; groups of one name are told
   * apart by their order. They nest. @throws ConfigurationError for a name that is used twice in a group
   */
  group<Value>(name: string, work: (group: Section) => Value | Promise<Value>, options?: GroupOptions): Promise<Value>;
  /**
   * As `Promise.race`, of promises or of functions, each called with a branch of its own. Who was first stays first when the
   * code runs again. With `cancelLosers` the others are stopped: not in workers. @throws ConfigurationError
   */
  race<const Branches extends readonly (PromiseLike<unknown> | ((branch: Section) => unknown))[]>(branches: Branches, options?: RaceOptions): Promise<BranchValue<Branches[number]>>;
  /** The same as `Promise.any`: the first that gives something. @throws AggregateError where all of them fail */
  any<const Branches extends readonly (PromiseLike<unknown> | ((branch: Section) => unknown))[]>(branches: Branches, options?: RaceOptions): Promise<BranchValue<Branches[number]>>;
  /**
   * As a step's function gets it (`stepId` of StepInfo), while that function has not awaited anything yet.
   * @throws ConfigurationError elsewhere
   */
  readonly stepId: string;
  /** Waits without a slot; goes on after a crash when the time that was left is over. */
  sleep(duration: Duration, options?: SleepOptions): Promise<void>;
  sleepUntil(instant: Instant, options?: SleepOptions & { throwIfInThePast?: boolean }): Promise<void>;
  /**
   * Waits without a slot for an event that `orchestrator.send` or `handle.signal` brings. One that was
   * sent before, since the run was made, counts. No run gets an event twice under its name.
   */
  waitFor<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Data>;
  /** The same. */
  waitForEvent<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Data>;
  /** Makes a wait token as `orchestrator.wait.createToken` does, in a step: code that runs again gets the same one. */
  createToken(options?: Omit<CreateTokenOptions, 'idempotencyKey' | 'idempotencyKeyTTL'>): Promise<CreatedToken>;
  /** Waits without a slot until `wait.completeToken` is called for it, or its time is over. */
  waitForToken<Output = any>(token: string | { id: string }): WaitPromise<Output>;
  /** Waits, as `waitFor` does, for something that `handle.update` asks for; whoever asked gets what `respond` is given. */
  waitForUpdate<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Update<Data>>;
  /** One after the other; ends when none comes within `timeout`. */
  updates<Data = any>(name: string, options?: WaitForOptions<Data>): AsyncGenerator<Update<Data>, void, undefined>;
  /** The data of events, as `waitFor` gives them, one after the other; ends when none comes within `timeout`. */
  events<Data = any>(name: string, options?: WaitForOptions<Data>): AsyncGenerator<Data, void, undefined>;
  /**
   * An event for another run, as `handle.signal` sends it; recorded as a step, and once however often this code runs. false: that
   * run has ended. @throws ConfigurationError for a run nobody knows
   */
  signalRun(id: string, name: string, data?: unknown): Promise<boolean>;
  /** `run`, under the name that others have for it. */
  invoke<Id extends string, Input, Output>(task: Task<Id, Input, Output>, input: Input, options?: ChildOptions): Promise<Output>;
  invoke<Name extends NameIn<TaskMap>>(name: Name, input: InputIn<TaskMap, Name>, options?: ChildOptions): Promise<OutputIn<TaskMap, Name>>;
  /** `orchestrator.cache`; nothing of it is recorded. */
  readonly cache: Pick<TaskCache, 'explain' | 'invalidate'>;
  /** What `handle.query(name)` gives while this attempt goes on, also while it waits. @throws ConfigurationError */
  onQuery<Data = any, Answer = any>(name: string, answer: Answering<Data, Answer>): void;
  /** The same waits under the names of others. */
  readonly wait: ContextWait;
  /** Many runs as one child: `ctx.batch.triggerByTaskAndWait(items)`. Durable: after a crash nothing of it is done twice. */
  readonly batch: BatchApi;
  /**
   * As the orchestrator's, and made once however often the code runs: a retry and the next page get the same. `run()` of what
   * they give waits without a slot, and gives the result of the run that there is. Not in workers.
   */
  readonly sign: SignatureApi['sign'];
  readonly chain: SignatureApi['chain'];
  readonly swarm: SignatureApi['swarm'];
  /**
   * Runs `work` while no other run of this namespace, in whatever tab, holds the lock of this key. Waits for it
   * without a slot. Given back when `work` ends, and when the attempt does, however; a run that goes on after a
   * crash takes it again before it goes on. Steps in `work` are ordinary steps.
   * @throws LockTimeoutError after `timeout`; LockReentryError for a key that it has; LockDeadlockError where runs of
   * this page would wait for each other
   */
  lock<Value>(key: string, work: () => Value | Promise<Value>, options?: LockOptions): Promise<Value>;
  /** Each item by itself, as a child of `work` or as a step; the records keep the items' ids. */
  map<Item, Output>(items: readonly Item[], work: Task<string, Item, Output>, options?: MapOptions<Item>): Promise<ItemResult<Output, Item>[]>;
  map<Item, Value>(
    items: readonly Item[], work: (item: Item, info: ItemInfo) => Value | Promise<Value>, options?: MapOptions<Item>,
  ): Promise<ItemResult<Value, Item>[]>;
  map<Item>(items: readonly Item[], work: string, options?: MapOptions<Item>): Promise<ItemResult<any, Item>[]>;
  /**
   * Everything fetched, then combined: each source (a task, its name, or a function as a step) for all
   * items; the records are those of `map`, their values by source. So code may go from one to the other.
   */
  gather<Item, const Sources extends Record<string, Task<string, Item, any> | string | ((item: Item, info: ItemInfo) => unknown)>>(
    items: readonly Item[], sources: Sources, options?: GatherOptions<Item>,
  ): Promise<ItemResult<Gathered<Sources>, Item>[]>;
  /** Several sources at once, functions as steps; rejects with everything that failed. */
  scatter<Sources extends Record<string, unknown>>(
    sources: Sources,
  ): Promise<{ [Name in keyof Sources]: Awaited<Sources[Name] extends (...args: any[]) => infer Value ? Value : Sources[Name]> }>;
  /**
   * Undoes what was done when the run fails for good or is cancelled while its code runs; the last one
   * first, each recorded and tried three times. A run that is ended by its parent or its deadline has
   * only its grace period for it.
   */
  onRollback(name: string, undo: () => unknown): void;
  /** Ends this code, and begins it anew with another input and nothing recorded. Let it pass through. */
  continueAsNew(input: unknown): never;
  /** Keeps a state from which a later attempt may go on; the last one counts. */
  checkpoint(state: unknown): Promise<void>;
  /** What the last `checkpoint` kept; undefined: nothing. */
  readonly resumedFrom: any;
  /** Milliseconds since the epoch, decided once: the same in code that runs again. */
  now(): number;
  /** In [0, 1), the same in code that runs again. */
  random(): number;
  uuid(): string;
  /** true for runs that come here first with this code, false for those that had passed it before. */
  patch(id: string): Promise<boolean>;
  readonly log: TaskLog;
  /**
   * A log of chunks that is stored as it is written and read in any tab while the run goes on, and afterwards:
   * `handle.stream(key)`. Kept until the run is removed. In a step or beside steps; code that runs again appends
   * nothing twice (js/streams/README.md). @throws ConfigurationError
   */
  stream<Chunk = any>(key: string, options?: StreamOptions): TaskStream<Chunk>;
  /**
   * Gives the value back; the buffers of the list move, when it leaves or enters a worker, instead of being copied, and
   * are empty here afterwards. `return ctx.transfer(pixels, [pixels.buffer])`. @throws ConfigurationError
   */
  transfer<Value>(value: Value, list: readonly (ArrayBuffer | ArrayBufferView)[]): Value;
  /** Tells listeners of `orchestrator.on('emit')`; not stored. */
  emit(name: string, data?: unknown): void;
  /** A sign of life, for tasks with a `heartbeat`. */
  heartbeat(): void;
  /** A sign of life, and the page gets its turn. @throws what stops the attempt */
  yield(): Promise<void>;
  /** `computeMs`: running time of all attempts so far; undefined where the task has no `maxDuration`. */
  readonly usage: { readonly computeMs: number | undefined };
  /** Trying again within the attempt; in a step or beside steps, nothing of it is recorded. */
  readonly retry: ContextRetry;
  /**
   * `fetch` that ends with the run and tries again: 408, 409, 429 and 5xx, no connection, no response within
   * `timeout`; with backoff, or when `Retry-After` says. What it gives is as of fetch: a status is no error.
   */
  fetch(input: string | URL | Request, init?: RetryFetchInit): Promise<Response>;
  /** 0-100, clamped, never going back within an attempt. */
  progress(report: number | ProgressReport): void;
  /** What the task's `init` hook gave. */
  readonly init?: any;
  /** Called when the grace period is over and the code is given up. */
  onAbandon(listener: () => void): void;
}
