/** What people see of runs: the state of one, and what is asked and told of many. Types only. */

import type { RemoveOptions } from './runs/removals.ts';
import type { RunItem } from './context/types.ts';
import type { Intent } from './definition/intent.ts';
import type { Instant, ResumePolicy } from './types.ts';

/** The coarse words of the panel. */
export type TaskStatus = 'pending' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled';

/** Exactly where a run is. */
export type TaskPhase =
  | 'delayed' // waits for its first start time
  | 'blocked' // waits for other runs, a missing definition, storage …: see `reason`
  | 'queued' // waits for a slot
  | 'running'
  | 'waiting' // parked by its own code
  | 'retrying' // waits for the next attempt, at `retryAt`
  | 'suspended' // paused softly
  | 'interrupted' // paused hard
  | 'cancelling'
  | 'stopping' // timed out or interrupted; its code has not ended yet
  | 'completed'
  | 'failed'
  | 'timedOut' // total deadline passed
  | 'expired' // never started within its ttl
  | 'quarantined' // was running in three crashes
  | 'cancelled';

/**
 * `missing-definition`: nothing is registered under `taskIdentifier` in this page. `schema-mismatch`: its
 * input is from an earlier page, and today's schema refuses it; `error` says why. `token`: a wait token.
 * `breaker`: runs like it fail too often; a few try at `retryAt`. `lock`, of phase `waiting`: another run holds it. `offline`: its `networkMode` asks for a network, and there is none. `locked`:
 * encrypted with another key (ended runs too); it goes on when that is given. `not-called`: a signature that nobody has run yet.
 */
export type BlockedReason = 'dependencies' | 'missing-definition' | 'schema-mismatch' | 'missing-payload' | 'storage-full' | 'adoption' | 'recovery' | 'token' | 'offline' | 'lock' | 'breaker' | 'locked' | 'not-called';

export type ProgressSource = 'reported' | 'simulated' | 'estimated';

/** An immutable view of one run; the same object until the run changes. */
export interface TaskState<Result = any> {
  readonly id: string;
  readonly name: string;
  readonly taskIdentifier: string;
  readonly status: TaskStatus;
  readonly phase: TaskPhase;
  readonly reason?: BlockedReason;
  /** 0-100. */
  readonly progress: number;
  /** undefined: nothing known, show an indeterminate bar. */
  readonly progressSource?: ProgressSource;
  readonly progressMessage?: string;
  readonly progressPhase?: string;
  readonly progressStep?: string;
  /** Milliseconds left, where enough steps are known to tell. */
  readonly remainingMs?: number;
  readonly createdAt: number;
  /** First start, or creation while it has not started (the seed's meaning). ms since the epoch. */
  readonly startTime: number;
  readonly endedAt?: number;
  readonly lastUpdated: number;
  readonly error: Error | null;
  /** Of a completed run. One with files, or above limits.inlineBytes, a moment later: then it has been read. */
  readonly result?: Result;
  /** Attempt running now or last run, from 1; 0 before the first. */
  readonly attempt: number;
  /** Failed attempts so far. */
  readonly retryCount: number;
  /** maxAttempts - 1. */
  readonly maxRetries: number;
  /** When the next attempt or the first start is due; of the reason `breaker`, when a few may try again. */
  readonly retryAt?: number;
  /** How often it lost its tab in a row, without a step recorded in between. */
  readonly recoveries: number;
  readonly steps: number;
  readonly metadata: Readonly<Record<string, any>>;
  readonly tags: readonly string[];
  /** Its task is left out of its process, so its code does not run. */
  readonly skipped?: true;
  /** Phase `blocked`, reason `missing-payload`: the files that were lost. `provide(file)` gives one back. */
  readonly missing?: readonly MissingFile[];
  /** Id of the run that this one repeats. */
  readonly replayOf?: string;
  /** The text of its key, scope and all, and until when it counts. */
  readonly idempotencyKey?: string;
  readonly idempotencyKeyExpiresAt?: number;
  /** Of a child: the run whose code made it, and the topmost one. */
  readonly parentId?: string;
  readonly rootId?: string;
  /** Parents above it. */
  readonly depth: number;
  /** The item of a collection that it is for. */
  readonly item?: RunItem;
  /** One of holdfast's own, an event or a token; listed only with `{ hidden: true }`. */
  readonly hidden?: boolean;
  /** It was removed with `undoFor`, and is gone then; listed only with `{ removed: true }`. */
  readonly removedUntil?: number;
  /** false while only memory knows it (storage `memory`, or not acknowledged yet). */
  readonly durable: boolean;
  /** Name of its queue, where it has one; of a task's own queue `task/` and the task's id. */
  readonly queue?: string;
  /** Of the code that accepted it, where its definition has one. */
  readonly version?: number | string;
  /** What its task says it is for. */
  readonly intent?: Intent;
  /** It was answered by the cache, or by the execution of another run of the same key; its own code did not run. */
  readonly fromCache: boolean;
  /** Owned by this tab (true) or seen from another one. */
  readonly local: boolean;
}

/**
 * Why a run does not go on. `delay` `retry` `debounce` `throttle` `schedule` `timer`: a moment · `slot` `limit` `rate` `queue-paused` `queue-full`: its
 * queue, a limit, or who runs its members · `paused` `removed`: a person · `dependencies` `members` `child` `shared` `batch`: other runs · `not-called`: a signature that nobody has run · `event` `token` `outside`: somebody outside ·
 * `lock` · `offline` `breaker` `storage` · `missing-definition` `schema-mismatch` `missing-file` · `adoption` `recovery`
 * `other-tab` `locked` `opening` `storing`: where it is stored · `stopping`: its code has been asked to stop · `running` `ended`: it does not wait.
 */
export type WaitKind =
  | 'delay' | 'retry' | 'debounce' | 'throttle' | 'schedule' | 'timer'
  | 'slot' | 'limit' | 'rate' | 'queue-paused' | 'queue-full' | 'paused' | 'removed'
  | 'dependencies' | 'not-called' | 'members' | 'child' | 'shared' | 'batch' | 'event' | 'token' | 'outside' | 'lock'
  | 'offline' | 'breaker' | 'storage' | 'missing-definition' | 'schema-mismatch' | 'missing-file'
  | 'adoption' | 'recovery' | 'other-tab' | 'locked' | 'opening' | 'storing' | 'stopping' | 'running' | 'ended' | 'unknown';

/** One reason. */
export interface WaitReason {
  readonly kind: WaitKind;
  /** One sentence. */
  readonly text: string;
  /** When it is over by itself, or may be: milliseconds since the epoch. */
  readonly until?: number;
  /** Ids of runs that it waits for, or that hold what it waits for; at most ten. */
  readonly runs?: readonly string[];
  /** Of the queue, limit, lock, event, token or task. */
  readonly name?: string;
}

/** Of `orchestrator.explain(id)`. */
export interface Explanation {
  readonly id: string;
  /** undefined: nobody knows the run. */
  readonly phase: TaskPhase | undefined;
  /** All reasons, as `why(id)` says them. */
  readonly text: string;
  /** The first is what stands in its way first; others may follow when that is over. */
  readonly reasons: readonly WaitReason[];
}

/** What is known of a file whose bytes are gone. */
export interface MissingFile {
  /** undefined: a Blob without one. */
  readonly name: string | undefined;
  readonly type: string;
  readonly size: number;
  readonly lastModified: number | undefined;
  /** Of its content, 64 hexadecimal digits; undefined: holdfast 0.1 stored it, name and size decide. */
  readonly digest: string | undefined;
}

export interface RunFilter {
  status?: TaskStatus | readonly TaskStatus[];
  taskIdentifier?: string;
  /** All of these. */
  tags?: string | readonly string[];
  /** Of the code that accepted it: 2 and '2' are two. */
  version?: number | string;
  /** Ids of the run whose code made it, and of the topmost one, which is not among what is found. */
  parentId?: string;
  rootId?: string;
  /** Items of the batch with this id. */
  batch?: string;
  /** Of the queue with this name. */
  queue?: string;
  /** Created not before `from`, and before `to`. */
  from?: Instant;
  to?: Instant;
  /** Case-insensitive, in name and id. */
  text?: string;
  /** true: events and tokens too. */
  hidden?: boolean;
  /** true: what was removed with `undoFor` too. */
  removed?: boolean;
}
export interface ListFilter extends RunFilter {
  limit?: number;
  /** From a former page's `cursor`. */
  cursor?: string;
}
export interface TaskPage {
  items: TaskState[];
  cursor?: string;
}
/** Of runs together. */
export interface AggregateProgress {
  /** 0-100, the mean, with ended runs as 100; undefined: there are none. */
  value: number | undefined;
  total: number;
  done: number;
  /** Failed and cancelled. */
  failed: number;
}
export type TaskCounts = Readonly<Record<TaskStatus | 'total', number>>;

/** Something that a run has recorded. */
export interface HistoryEntry {
  /** `wait`: for an event or a token; `decision`: a patch, a time, who won a race; `undo`: of a rollback. */
  readonly kind: 'step' | 'child' | 'sleep' | 'wait' | 'lock' | 'undo' | 'decision';
  /** Behind the groups that it stands in: `upload/head`. */
  readonly name: string;
  /** Of the run that recorded it; 0: taken over from another run. */
  readonly attempt: number;
  readonly ok: boolean;
  /** Message of what failed, where code went on after it. */
  readonly error?: string;
  /** Of a child that is there: its id, what its task is for, whether a cache answered it. */
  readonly run?: string;
  readonly intent?: Intent;
  readonly fromCache?: boolean;
}

/** What is known of how a run came to its result. */
export interface RunHistory {
  readonly id: string;
  readonly taskIdentifier: string;
  readonly intent?: Intent;
  readonly version?: number | string;
  readonly fromCache: boolean;
  /** What the cache said to it, in this page; `cache.explain` says which field differs. */
  readonly cache?: { readonly outcome: 'hit' | 'stale' | 'shared' | 'miss'; readonly reason?: string; readonly detail?: string; readonly key?: string };
  /** In the order in which they were recorded. */
  readonly entries: readonly HistoryEntry[];
}

/** Of `runs.bulk`. */
export interface BulkOptions {
  /** Whom nobody was asked for by then, stays as it is. */
  signal?: AbortSignal;
  onProgress?: (progress: BulkProgress) => void;
  /** Is given how many runs match, before the first is asked, as a dialog would: false, and none is. */
  confirm?: (total: number) => boolean | Promise<boolean>;
}
export interface BulkProgress {
  /** Runs that matched at the call. */
  total: number;
  done: number;
  /** The verb had nothing to do with them: they had ended, or were paused already … */
  skipped: number;
  failed: number;
}
/** One verb for all runs that match. Resolves when all have been asked, or the signal was aborted. @throws ConfigurationError */
export interface BulkApi {
  cancel(filter: RunFilter, options?: BulkOptions & { reason?: unknown }): Promise<BulkProgress>;
  pause(filter: RunFilter, options?: BulkOptions & { kind?: 'soft' | 'hard' }): Promise<BulkProgress>;
  resume(filter: RunFilter, options?: BulkOptions & { policy?: ResumePolicy }): Promise<BulkProgress>;
  retry(filter: RunFilter, options?: BulkOptions): Promise<BulkProgress>;
  /** New runs of the same tasks with the same inputs. */
  replay(filter: RunFilter, options?: BulkOptions): Promise<BulkProgress>;
  remove(filter: RunFilter, options?: BulkOptions & RemoveOptions): Promise<BulkProgress>;
  /** Of those that were removed with `undoFor`. */
  undoRemove(filter: RunFilter, options?: BulkOptions): Promise<BulkProgress>;
}
