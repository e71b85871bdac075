/**
 * One family of errors. Each has a stable `code`, says the exact value and the fix in its message,
 * and survives storage, workers and tabs as `SerializedError`.
 */
import { toMilliseconds } from './intake/duration.ts';
import type { Duration } from './types.ts';

export interface SerializedError {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  retryable?: boolean;
  cause?: SerializedError;
  data?: unknown;
  /** Where it was thrown first, if that was in a run. */
  taskIdentifier?: string;
  runId?: string;
  attempt?: number;
}

export interface ErrorDetails {
  cause?: unknown;
  data?: unknown;
}

/** Base of everything holdfast throws. */
export class OrchestratorError extends Error {
  /** Stable, machine-readable. */
  readonly code: string = 'ORCHESTRATOR';
  /** May an attempt that failed with it be tried again? */
  readonly retryable: boolean = false;
  data?: unknown;
  /** Where it was thrown, if that was in a run. */
  declare readonly taskIdentifier?: string;
  declare readonly runId?: string;
  declare readonly attempt?: number;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = new.target.name;
    if (details.data !== undefined) this.data = details.data;
  }
}

/** A class with a name that survives minifiers, and a code. */
function family(name: string, code: string, retryable = false, Base: typeof OrchestratorError = OrchestratorError) {
  const type = class extends Base {
    override readonly code: string = code;
    override readonly retryable: boolean = retryable;
    constructor(message: string, details: ErrorDetails = {}) {
      super(message, details);
      this.name = name;
    }
  };
  Object.defineProperty(type, 'name', { value: name });
  return type;
}

/** An option or argument is wrong; nothing was changed. */
export class ConfigurationError extends family('ConfigurationError', 'CONFIGURATION') {}
/** One thing that is wrong with a value, and where in it. */
export interface ValidationIssue {
  readonly message: string;
  readonly path?: readonly (string | number)[];
}
/** A value is not what its task's schema says. */
export class ValidationError extends family('ValidationError', 'VALIDATION') {
  readonly issues: readonly ValidationIssue[];
  constructor(message: string, details: ErrorDetails & { issues?: readonly ValidationIssue[] } = {}) {
    super(message, details);
    this.issues = details.issues ?? [];
  }
}

/** As `family`, with issues. */
function validation(name: string, code: string, retryable = false): typeof ValidationError {
  const type = class extends ValidationError {
    override readonly code: string = code;
    override readonly retryable: boolean = retryable;
    constructor(message: string, details: ErrorDetails & { issues?: readonly ValidationIssue[] } = {}) {
      super(message, details);
      this.name = name;
    }
  };
  Object.defineProperty(type, 'name', { value: name });
  return type;
}

/** An input was refused by its task's schema: at the call, and nothing was changed; or in the run, which is not retried. */
export class InputValidationError extends validation('InputValidationError', 'INPUT_VALIDATION') {}
/** A result was refused by its task's schema. Retried, as any failed attempt. */
export class OutputValidationError extends validation('OutputValidationError', 'OUTPUT_VALIDATION', true) {}
/** Today's schema refuses the input of a run from an earlier page. The run waits: resume it after a fix, or cancel it. */
export class RecoverySchemaError extends validation('RecoverySchemaError', 'RECOVERY_SCHEMA') {}
/** The `setup` of a task failed; `cause` says why. The next attempt tries it again, unless that was final. */
export class SetupError extends family('SetupError', 'SETUP') {
  override readonly retryable: boolean;
  constructor(message: string, details: ErrorDetails & { retryable?: boolean } = {}) {
    super(message, details);
    this.retryable = details.retryable ?? true;
  }
}
/** A run with this id is alive already. */
export class DuplicateRunError extends family('DuplicateRunError', 'DUPLICATE_RUN') {}
/** No task is registered under this id. */
export class UnrecognizedTaskError extends family('UnrecognizedTaskError', 'UNRECOGNIZED_TASK') {}
/** There is no signature under this key: it never was, or was removed. */
export class MissingSignatureError extends family('MissingSignatureError', 'MISSING_SIGNATURE') {}
/** A signature runs once, and this one has been called, cancelled or bound to something else. `signature.clone()` gives another. */
export class SignatureUsedError extends family('SignatureUsedError', 'SIGNATURE_USED') {}
/** What cannot be stored: a function as a condition. */
export class TaskSerializationError extends family('TaskSerializationError', 'TASK_SERIALIZATION', false, ConfigurationError) {}
/** A chain stopped at a member that failed, which is the cause. `data`: `{ key, index, taskName }` of it. */
export class ChainStoppedError extends family('ChainStoppedError', 'CHAIN_STOPPED') {}
/** Something is wrong with a swarm; those below say what. */
export class SwarmError extends family('SwarmError', 'SWARM') {}
/** A swarm may not have so many members (`maxTaskAllowed`); none was added. */
export class TooManyTasksError extends family('TooManyTasksError', 'TOO_MANY_TASKS', false, SwarmError) {}
/** A closed swarm takes no members; none was added. */
export class SwarmClosedError extends family('SwarmClosedError', 'SWARM_CLOSED', false, SwarmError) {}
/** The swarm was cancelled. */
export class SwarmIsCanceledError extends family('SwarmIsCanceledError', 'SWARM_CANCELED', false, SwarmError) {}
/** As many messages as tasks are needed. */
export class TaskAndMsgsDontMatchForSwarmError extends family('TaskAndMsgsDontMatchForSwarmError', 'TASKS_AND_MESSAGES', false, SwarmError) {}
/** As many members failed as `stopAfterNFailures` says: `Swarm failed too much`. `data`: `{ failed, total }`. */
export class SwarmFailedError extends family('SwarmFailedError', 'SWARM_FAILED', false, SwarmError) {}
/** A value can't be stored; the message names its path (`input.callback`). */
export class SerializationError extends family('SerializationError', 'SERIALIZATION') {}
/** As SerializationError, for values no codec can take (functions, DOM nodes, streams …). */
export class NotCloneableError extends family('NotCloneableError', 'NOT_CLONEABLE', false, SerializationError) {}
/** A value is larger than its limit. */
export class PayloadTooLargeError extends family('PayloadTooLargeError', 'PAYLOAD_TOO_LARGE', false, SerializationError) {}
/** A value is nested deeper than its limit. */
export class TooDeepError extends family('TooDeepError', 'TOO_DEEP', false, SerializationError) {}
/** Base of everything that stopped a run from outside. */
export class AbortedError extends family('AbortedError', 'ABORTED') {}
export class CanceledError extends family('CanceledError', 'CANCELED', false, AbortedError) {}
/** An attempt took longer than its `timeout`. Retried. */
export class TaskTimeoutError extends family('TaskTimeoutError', 'TASK_TIMEOUT', true, AbortedError) {}
/** An attempt gave no sign of life for as long as its `heartbeat` allows. Retried. */
export class StalledError extends family('StalledError', 'STALLED', true, AbortedError) {}
/** The attempts together ran longer than `maxDuration`. Not retried. */
export class MaxDurationError extends family('MaxDurationError', 'MAX_DURATION', false, AbortedError) {}
/** The total `deadline` has passed. Not retried. */
export class DeadlineError extends family('DeadlineError', 'DEADLINE', false, AbortedError) {}
/** Not started within its `ttl`. */
export class ExpiredError extends family('ExpiredError', 'EXPIRED', false, AbortedError) {}
/** The attempt was stopped by a hard pause; it starts again on resume. */
export class InterruptedError extends family('InterruptedError', 'INTERRUPTED', false, AbortedError) {}
/** Too many waited in its queue (`maxSize`): the run was refused, or one that waited was cancelled for another. */
export class QueueOverflowError extends family('QueueOverflowError', 'QUEUE_OVERFLOW', true) {}
/** The run came beyond a rate with `onExceed: 'drop'`, and was cancelled. */
export class RateLimitedError extends family('RateLimitedError', 'RATE_LIMITED', true, CanceledError) {
  /** Milliseconds from when it was dropped until there is room again. */
  readonly retryAfter: number;
  constructor(message: string, details: ErrorDetails & { retryAfter?: number } = {}) {
    super(message, details);
    this.retryAfter = details.retryAfter ?? 0;
  }
}
/** The tab died three times while this run was running; it is kept out of recovery. Retry by hand. */
export class QuarantinedError extends family('QuarantinedError', 'QUARANTINED') {}
/** Thrown by a handler: fail at once, no retry. Also called NonRetryableError, AbortTaskRunError, PermanentJobError. */
export class FatalError extends family('FatalError', 'FATAL') {}
export { FatalError as AbortTaskRunError, FatalError as NonRetryableError, FatalError as PermanentJobError };
/** Thrown by a handler: retry, not before `retryAfter`. */
export class RetryableError extends family('RetryableError', 'RETRYABLE', true) {
  /** Milliseconds from now, or a Date. */
  readonly retryAfter: number | Date | undefined;
  /** @throws ConfigurationError for a text or parts that are no duration */
  constructor(message: string, details: ErrorDetails & { retryAfter?: Duration | Date } = {}) {
    super(message, details);
    const { retryAfter } = details;
    const isWritten = typeof retryAfter === 'string' || (typeof retryAfter === 'object' && retryAfter !== null && !(retryAfter instanceof Date));
    this.retryAfter = isWritten ? toMilliseconds(retryAfter, 'retryAfter') : retryAfter;
  }
}
/** A RetryableError under the name and with the arguments that job queues have. */
export class RetryableJobError extends RetryableError {
  override readonly code: string = 'RETRYABLE_JOB';
  constructor(message: string, retryDate?: Date | ErrorDetails) {
    super(message, retryDate instanceof Date ? { retryAfter: retryDate } : retryDate);
    this.name = 'RetryableJobError';
  }
}
/** The result is an empty Blob where `output: { nonEmpty: true }` asks for content. Retried. */
export class EmptyOutputError extends family('EmptyOutputError', 'EMPTY_OUTPUT', true) {}
/** `ctx.fetch`: no response came within its `timeout`. */
export class FetchTimeoutError extends family('FetchTimeoutError', 'FETCH_TIMEOUT', true) {}
/** `ctx` was used after its attempt had ended. */
export class ContextClosedError extends family('ContextClosedError', 'CONTEXT_CLOSED') {}
/** Code that runs again goes another way than it did: what is recorded and what it asks for differ. */
export class DriftError extends family('DriftError', 'DRIFT') {}
/** A run was begun by code of another version, and its task says `onVersionChange: 'fail'`, or its old code is not there. */
export class VersionChangedError extends family('VersionChangedError', 'VERSION_CHANGED') {}
/** A run has recorded more than a page should replay. */
export class HistoryLimitError extends family('HistoryLimitError', 'HISTORY_LIMIT') {}
/** A step took longer than its `timeout`. Tried again where it has `retry`. */
export class StepTimeoutError extends family('StepTimeoutError', 'STEP_TIMEOUT', true) {}
/** A handler returned while children of it still ran, and its task says `unawaited: 'error'`. */
export class UnawaitedChildrenError extends family('UnawaitedChildrenError', 'UNAWAITED_CHILDREN') {}
/** An event did not come, or a token was not completed, in time. Never thrown by the wait itself, but by its `unwrap()`. */
export class WaitTimeoutError extends family('WaitTimeoutError', 'WAIT_TIMEOUT') {}
/** Nobody answers a query: the run has ended, its code does not run, or it answers other ones. */
export class QueryError extends family('QueryError', 'QUERY') {}
/** An update was not answered: the run has ended, or its time was over. */
export class UpdateError extends family('UpdateError', 'UPDATE') {}
/** `ctx.lock`: the lock was not to be had in time. Retried. */
export class LockTimeoutError extends family('LockTimeoutError', 'LOCK_TIMEOUT', true) {}
/** `ctx.lock`: the run asks for a lock again that it holds, or waits for, already. */
export class LockReentryError extends family('LockReentryError', 'LOCK_REENTRY') {}
/** `ctx.lock`: runs of this page would wait for each other for ever. Retried: by then the others may have gone on. */
export class LockDeadlockError extends family('LockDeadlockError', 'LOCK_DEADLOCK', true) {}
/** Several things that were done at once failed; `data.failed` names them. Retried. */
export class BatchError extends family('BatchError', 'BATCH', true) {}
/** The worker of an attempt died. Retried. */
export class WorkerCrashedError extends family('WorkerCrashedError', 'WORKER_CRASHED', true) {}
/** Base of storage trouble. */
export class StorageError extends family('StorageError', 'STORAGE') {}
export class StorageUnavailableError extends family('StorageUnavailableError', 'STORAGE_UNAVAILABLE', false, StorageError) {}
export class StorageFullError extends family('StorageFullError', 'STORAGE_FULL', false, StorageError) {}
export class StorageLostError extends family('StorageLostError', 'STORAGE_LOST', false, StorageError) {}
export class StorageBlockedError extends family('StorageBlockedError', 'STORAGE_BLOCKED', false, StorageError) {}
/** The store was written by a newer holdfast; it is left untouched. */
export class StoreTooNewError extends family('StoreTooNewError', 'STORE_TOO_NEW', false, StorageError) {}
/** What is stored is encrypted with a key that is not ours (or was changed by somebody who has none); it is left untouched. */
export class StorageLockedError extends family('StorageLockedError', 'STORAGE_LOCKED', false, StorageError) {}
/** What is to be imported is no whole export of holdfast; `data.line` (from 1) and `data.reason` say what is wrong. Nothing was imported. */
export class ImportError extends family('ImportError', 'IMPORT') {}
/** The bytes of an input, result or blob are gone. */
export class PayloadLostError extends family('PayloadLostError', 'PAYLOAD_LOST', false, StorageError) {}
/** A file that was given in place of a lost one is another one; `data.differs` says in what: `size`, `content`, `name` or `lastModified`. */
export class PayloadMismatchError extends family('PayloadMismatchError', 'PAYLOAD_MISMATCH') {}
/** The WebAssembly core could not be loaded; data is untouched. */
export class CoreLoadError extends family('CoreLoadError', 'CORE_LOAD') {}
/** The core hit a broken invariant and is being rebuilt from the journal. */
export class CoreCrashedError extends family('CoreCrashedError', 'CORE_CRASHED') {}
/** The tab that has a run does not answer: it is frozen, or stopped in a debugger. Nothing is lost; ask again, or close that tab. */
export class TabSilentError extends family('TabSilentError', 'TAB_SILENT', true) {}
/** The orchestrator was disposed. */
export class DisposedError extends family('DisposedError', 'DISPOSED') {}
/** The namespace was destroyed, by this tab or another one: nothing of it is left, and this orchestrator has ended. */
export class NamespaceDestroyedError extends family('NamespaceDestroyedError', 'NAMESPACE_DESTROYED', false, DisposedError) {}
/** A namespace could not be destroyed yet: a tab that does not answer is still in it. Nothing was deleted; it is marked, and finished by the next opening. */
export class NamespaceInUseError extends family('NamespaceInUseError', 'NAMESPACE_IN_USE', false, StorageError) {}
/** `unwrap()` of a run that did not succeed; `cause` is its error. */
export class SubtaskUnwrapError extends family('SubtaskUnwrapError', 'SUBTASK') {}

/** What a `BatchTriggerError` knows of its batch. */
export interface BatchFacts {
  /** `create`: nothing was begun · `stream`: the source threw, or went with its page; the items before that are runs. */
  readonly phase: 'create' | 'stream';
  readonly batchId?: string;
  /** Items that were given, or had been taken from the source. */
  readonly itemCount: number;
  /** The item that is to blame, from 0. */
  readonly itemIndex?: number;
}

/** A batch could not be made, or its source threw; `cause` says why. */
export class BatchTriggerError extends family('BatchTriggerError', 'BATCH_TRIGGER') implements BatchFacts {
  declare data: BatchFacts;
  get phase(): 'create' | 'stream' {
    return this.data?.phase ?? 'create';
  }
  get batchId(): string | undefined {
    return this.data?.batchId;
  }
  get itemCount(): number {
    return this.data?.itemCount ?? 0;
  }
  get itemIndex(): number | undefined {
    return this.data?.itemIndex;
  }
  /** Too much was asked for in too short a time; `retryAfterMs` says how long to wait. */
  get isRateLimited(): boolean {
    return this.retryAfterMs !== undefined;
  }
  get retryAfterMs(): number | undefined {
    const { retryAfterMs, retryAfter = retryAfterMs } = (this.cause ?? {}) as { retryAfterMs?: unknown; retryAfter?: unknown };
    return typeof retryAfter === 'number' ? retryAfter : undefined;
  }
}

/** `runs.unwrapAll()` of a batch of which items failed: all their errors, in order; `cause` is the first. */
export class BatchFailedError extends family('BatchFailedError', 'BATCH_FAILED') {
  readonly errors: readonly Error[] = [];
  constructor(message: string, details: ErrorDetails & { errors?: readonly Error[] } = {}) {
    super(message, details);
    if (details.errors) this.errors = details.errors;
  }
}
