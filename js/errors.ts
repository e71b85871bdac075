/**
 * One family of errors. Each has a stable `code`, says the exact value and the fix in its message,
 * and survives storage, workers and tabs as `SerializedError`.
 */

export interface SerializedError {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  retryable?: boolean;
  cause?: SerializedError;
  data?: unknown;
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

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = new.target.name;
    if (details.data !== undefined) this.data = details.data;
  }
}

function family(name: string, code: string, retryable = false) {
  const type = class extends OrchestratorError {
    override readonly code = code;
    override readonly retryable = retryable;
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
/** A run with this id is alive already. */
export class DuplicateRunError extends family('DuplicateRunError', 'DUPLICATE_RUN') {}
/** No task is registered under this id. */
export class UnrecognizedTaskError extends family('UnrecognizedTaskError', 'UNRECOGNIZED_TASK') {}
/** A value can't be stored; the message names its path (`input.callback`). */
export class SerializationError extends family('SerializationError', 'SERIALIZATION') {}
/** As SerializationError, for values no codec can take (functions, DOM nodes, streams …). */
export class NotCloneableError extends SerializationError {
  override readonly code: string = 'NOT_CLONEABLE';
}
/** A value is larger than its limit. */
export class PayloadTooLargeError extends SerializationError {
  override readonly code: string = 'PAYLOAD_TOO_LARGE';
}
/** A value is nested deeper than its limit. */
export class TooDeepError extends SerializationError {
  override readonly code: string = 'TOO_DEEP';
}
/** Base of everything that stopped a run from outside. */
export class AbortedError extends family('AbortedError', 'ABORTED') {}
export class CanceledError extends AbortedError {
  override readonly code: string = 'CANCELED';
}
/** An attempt took longer than its `timeout`. Retried. */
export class TaskTimeoutError extends AbortedError {
  override readonly code: string = 'TASK_TIMEOUT';
  override readonly retryable: boolean = true;
}
/** The total `deadline` has passed. Not retried. */
export class DeadlineError extends AbortedError {
  override readonly code: string = 'DEADLINE';
}
/** Not started within its `ttl`. */
export class ExpiredError extends AbortedError {
  override readonly code: string = 'EXPIRED';
}
/** The attempt was stopped by a hard pause; it starts again on resume. */
export class InterruptedError extends AbortedError {
  override readonly code: string = 'INTERRUPTED';
}
/** The tab died three times while this run was running; it is kept out of recovery. Retry by hand. */
export class QuarantinedError extends family('QuarantinedError', 'QUARANTINED') {}
/** Thrown by a handler: fail at once, no retry. Alias of NonRetryableError and AbortTaskRunError. */
export class FatalError extends family('FatalError', 'FATAL') {}
export { FatalError as AbortTaskRunError, FatalError as NonRetryableError };
/** Thrown by a handler: retry, not before `retryAfter`. */
export class RetryableError extends family('RetryableError', 'RETRYABLE', true) {
  /** Milliseconds from now, or a Date. */
  readonly retryAfter: number | Date | undefined;
  constructor(message: string, details: ErrorDetails & { retryAfter?: number | Date } = {}) {
    super(message, details);
    this.retryAfter = details.retryAfter;
  }
}
/** `ctx` was used after its attempt had ended. */
export class ContextClosedError extends family('ContextClosedError', 'CONTEXT_CLOSED') {}
/** The worker of an attempt died. Retried. */
export class WorkerCrashedError extends family('WorkerCrashedError', 'WORKER_CRASHED', true) {}
/** Base of storage trouble. */
export class StorageError extends family('StorageError', 'STORAGE') {}
export class StorageUnavailableError extends StorageError {
  override readonly code: string = 'STORAGE_UNAVAILABLE';
}
export class StorageFullError extends StorageError {
  override readonly code: string = 'STORAGE_FULL';
}
export class StorageLostError extends StorageError {
  override readonly code: string = 'STORAGE_LOST';
}
export class StorageBlockedError extends StorageError {
  override readonly code: string = 'STORAGE_BLOCKED';
}
/** The store was written by a newer holdfast; it is left untouched. */
export class StoreTooNewError extends StorageError {
  override readonly code: string = 'STORE_TOO_NEW';
}
/** The bytes of an input, result or blob are gone. */
export class PayloadLostError extends StorageError {
  override readonly code: string = 'PAYLOAD_LOST';
}
/** The WebAssembly core could not be loaded; data is untouched. */
export class CoreLoadError extends family('CoreLoadError', 'CORE_LOAD') {}
/** The core hit a broken invariant and is being rebuilt from the journal. */
export class CoreCrashedError extends family('CoreCrashedError', 'CORE_CRASHED') {}
/** The orchestrator was disposed. */
export class DisposedError extends family('DisposedError', 'DISPOSED') {}
/** `unwrap()` of a run that did not succeed; `cause` is its error. */
export class SubtaskUnwrapError extends family('SubtaskUnwrapError', 'SUBTASK') {}
