/**
 * The shapes of the cache: what a store keeps, what people may say about caching, what is told.
 * All times are milliseconds since the epoch, all durations `Duration`s.
 */
import type { ProcessOptions } from '../definition/process-types.ts';
import type { Duration } from '../types.ts';

/**
 * What the store may do for a run.
 * `read-write`: answers from it, stores what was computed. `read-only`: stores nothing.
 * `write-only`: computes, stores. `refresh`: the same, said of one run whose answer must be new.
 * `off`: neither.
 */
export type CacheMode = 'read-write' | 'read-only' | 'write-only' | 'refresh' | 'off';

/** Where entries belong: to every run of the task, or to the runs under one root run, until that succeeds. */
export type CacheScope = 'shared' | 'run';

/** One stored output. Stores keep it by value. */
export interface CacheEntry<Value = any> {
  /** What the task returned; what its `serialize` made of it; for a failure a SerializedError. */
  readonly value: Value;
  /** Of the task that returned it; the number a text begins with. 1 where it says nothing. */
  readonly version: number | string;
  readonly createdAt: number;
  /** Fresh before this time; absent: for ever. */
  readonly expiresAt?: number;
  /** May still be given, while it is computed anew, before this time; not before `expiresAt`. */
  readonly staleUntil?: number;
  readonly tags?: readonly string[];
  /** `value` went through the task's `serialize`. */
  readonly serialized?: boolean;
  /** `value` is the error of a run that failed for good. */
  readonly failed?: boolean;
  /** What `select` made of the value, for the `selectVersion` it was made with. */
  readonly derived?: { readonly version: number | string; readonly value: unknown };
  readonly meta: CacheEntryMeta;
}

export interface CacheEntryMeta {
  readonly taskId: string;
  readonly runId: string;
  /** From the start of its last attempt to its return. */
  readonly durationMs: number;
  /** About what it takes in the store. */
  readonly bytes: number;
  /** What the key was made of, short: `explain` compares it. */
  readonly inputs?: Readonly<Record<string, string>>;
}

export interface CacheSetOptions {
  /** Milliseconds from now after which the entry may be dropped. */
  ttl?: number;
  tags?: readonly string[];
  /** Bytes, where the caller knows better than the store. */
  size?: number;
}

/** Entries that meet all that is given; an empty filter means all. */
export interface CacheFilter {
  tag?: string;
  /** Id of a task. */
  task?: string;
  /** Begin of the key; with `task`, of what follows the task's id in it. */
  prefix?: string;
}

/** What a write cost others: keys that had to go because of the store's limits. */
export interface CacheWrite {
  pruned: readonly string[];
}

/**
 * A place for outputs. `memoryCache()` and `indexedDBCache()` of holdfast/cache are two; anything with
 * these methods is one.
 *
 * A store keeps by value, believes no key to be a path, and may drop whatever it likes: a missing
 * entry is a miss. It may reject; the run goes on without it then, and a warning is told.
 */
export interface Cache {
  get(key: string): Promise<CacheEntry | undefined>;
  set(key: string, entry: CacheEntry, options?: CacheSetOptions): Promise<CacheWrite | undefined | void>;
  /** Was it there? */
  delete(key: string): Promise<boolean>;
  /** How many entries went. */
  clear(filter?: CacheFilter): Promise<number>;
  /** How many entries there are. */
  size(): Promise<number>;
  /** Drops entries created longer than this ago; gives their number. */
  clearOlderThan(ms: number): Promise<number>;
  /** As `get`, but no use that keeps the entry from being dropped. Default: `get`. */
  peek?(key: string): Promise<CacheEntry | undefined>;
  /** Keys, the last stored first. What it can't do without: `explain` of a near miss, `migrateAll`. */
  keys?(filter?: CacheFilter): Promise<string[]>;
  /** What it gives is a copy of its own each time. Without it the engine copies. */
  readonly copies?: boolean;
  /** Told whose time counts, once, by the orchestrator that uses it. */
  useClock?(clock: { now(): number }): void;
  close?(): Promise<void>;
}

/** What a key may be made of beside the input. */
export interface CacheKeyContext {
  readonly task: { readonly id: string };
  /** Absent when `explain` asks. */
  readonly run?: { readonly id: string; readonly name: string };
  readonly metadata: Readonly<Record<string, any>>;
  /** Options of the process. */
  readonly options: Readonly<ProcessOptions>;
}

/** What a call may say: data, stored with the run. */
export interface CacheCallOptions {
  /** Default `read-write`. */
  mode?: CacheMode;
  /** Younger entries count. Default: for ever; `5m` where the task's intent is `fetch`. */
  ttl?: Duration;
  /** For this long after `ttl` the old output is given, and computed anew behind it. Default 0. */
  staleWhileRevalidate?: Duration;
  /** Added to those of the task. At most 64 of 128 characters. */
  tags?: readonly string[];
  /** Anything that tells this cache apart from another. */
  salt?: string;
  /** Default `shared`. */
  scope?: CacheScope;
  /** Runs of one key at once share one execution. Default true where the cache is on, but for `effect`. */
  coalesce?: boolean;
}

/** Keeping failures, for a while. */
export interface NegativeCaching {
  ttl: Duration;
  /** Which; default every one that is final. */
  when?: (error: Error) => boolean;
}

/** What a definition may say. */
export interface CacheOptions<Input = any, Output = any> extends Omit<CacheCallOptions, 'tags'> {
  tags?: readonly string[] | ((output: Output, input: Input) => readonly string[]);
  /**
   * What makes two inputs the same, instead of all of the input: text stands in the key as it is
   * (`invalidate({ task, prefix })` finds it), any other value is hashed. undefined: not cached.
   */
  key?: (input: Input, ctx: CacheKeyContext) => unknown;
  /** Options of the process that belong to the key. */
  options?: readonly string[];
  /** Final failures are kept too. Default: only successes. */
  negative?: NegativeCaching;
  /** What is stored in place of the output (of what `run` returned, where the task has `select`). */
  serialize?: (output: Output) => unknown;
  deserialize?: (stored: any) => Output;
  /** A store of its own. */
  store?: Cache;
}

/** What an orchestrator may say: the store, and defaults for every task that is cached. */
export interface OrchestratorCacheOptions extends Omit<CacheCallOptions, 'tags'> {
  /** Default: IndexedDB, beside the storage; memory where the storage is memory. */
  store?: Cache;
  options?: readonly string[];
  /** Of the default store: 10,000 entries. */
  maxEntries?: number;
  /** Of the default store: 256 MiB. */
  maxBytes?: number;
}

/** From the output of version `n` to that of `n + 1`. Gets what was stored: the serialized form, if the task has one. */
export type Migration<FromOut = any, ToOut = any, Input = any> = (output: FromOut, input: Input) => ToOut | Promise<ToOut>;
/** By the version they start from. */
export type Migrations = Readonly<Record<number, Migration>>;

/** Why an entry could not be used. */
export type CacheMissReason =
  | 'absent' // nothing under this key
  | 'expired'
  | 'version' // older than the code, and no migration leads here
  | 'migration' // one threw
  | 'newer' // stored by newer code
  | 'schema' // the output schema of today refuses it
  | 'select' // select threw
  | 'unreadable' // damaged, or deserialize threw
  | 'failure' // it keeps a failure, which the task does not ask for
  | 'store' // the store failed, or did not answer in time
  | 'key' // no key can be made of the input
  | 'mode'; // it was not to be read

/** What listeners of the orchestrator get. */
export interface CacheEvent {
  /** Absent where no single entry is meant. */
  readonly key?: string;
  readonly taskId?: string;
  readonly runId?: string;
  readonly reason?: CacheMissReason;
  /** In words, or the error's message. */
  readonly detail?: string;
  /** Age of the entry. */
  readonly ageMs?: number;
  /** `cache_migrated`: from which version to which. */
  readonly from?: number | string;
  readonly to?: number | string;
  /** `cache_hit`: the run whose execution was shared. */
  readonly sharedWith?: string;
  /** `output_cleared`, `output_pruned`: how many, and which where they are known. */
  readonly count?: number;
  readonly keys?: readonly string[];
  readonly filter?: CacheFilter;
}

export interface CacheEvents {
  cache_hit: [event: CacheEvent];
  cache_miss: [event: CacheEvent];
  cache_migrated: [event: CacheEvent];
  cache_stale: [event: CacheEvent];
  output_saved: [event: CacheEvent];
  output_retrieved: [event: CacheEvent];
  output_cleared: [event: CacheEvent];
  output_pruned: [event: CacheEvent];
}

export interface CacheDifference {
  /** `input.page`, `options.locale`, `salt`, `key`. */
  readonly path: string;
  /** As it stands in the entry; absent: the entry has no such field. */
  readonly was?: string;
  /** As it was asked; absent: the question has no such field. */
  readonly is?: string;
}

export interface CacheExplanation {
  readonly outcome: 'hit' | 'stale' | 'miss' | 'off';
  readonly reason?: CacheMissReason;
  /** One sentence for people. */
  readonly message: string;
  readonly key?: string;
  readonly mode: CacheMode;
  /** Of today's code. */
  readonly version: number | string;
  readonly entry?: Omit<CacheEntry, 'value' | 'derived'>;
  /** Versions whose migrations would run. */
  readonly migrations?: readonly number[];
  /** `absent`: the entry of the task that is most alike, and in what it differs. */
  readonly nearest?: { readonly key: string; readonly entry: Omit<CacheEntry, 'value' | 'derived'>; readonly differences: readonly CacheDifference[] };
}

export interface MigrationReport {
  migrated: number;
  /** Of the version of today, or newer. */
  upToDate: number;
  /** Left as they are, with the reason: no migration leads on, or one threw. */
  failed: readonly { key: string; reason: CacheMissReason; detail: string }[];
}

/** What `orchestrator.cache` offers. */
export interface TaskCache {
  /**
   * Would a run of this input be answered, and why not? Changes nothing, tells no events; migrations
   * on the way are run. @throws InputValidationError SerializationError for an input that could not be triggered
   */
  explain(task: string | { readonly id: string }, input: unknown, options?: CacheExplainOptions): Promise<CacheExplanation>;
  /** Drops entries; what is being computed now is not stored either, if it is meant. */
  invalidate(filter: CacheFilter): Promise<number>;
  clear(): Promise<number>;
  size(): Promise<number>;
  clearOlderThan(age: Duration): Promise<number>;
  keys(filter?: CacheFilter): Promise<string[]>;
  /** Brings the entries of one task, or of all that are registered, to the version of today. */
  migrateAll(task?: string | { readonly id: string }): Promise<MigrationReport>;
}

export interface CacheExplainOptions {
  cache?: boolean | CacheMode | CacheCallOptions;
  /** Options of the process, as a call would give them. */
  process?: ProcessOptions;
  metadata?: Record<string, any>;
  /** Root run, for `scope: 'run'`. */
  rootId?: string;
}
