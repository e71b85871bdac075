/** What a task's, or every task's, code hears of its runs and may do around them. Types only. */
import type { Duration, Instant, RetryOptions, TaskRunResult, TaskState } from '../types.ts';
import type { TaskContext } from './types.ts';

/** While an attempt runs. `payload` is another word for `input`. */
export interface AttemptEvent<Input = any, Services = unknown> {
  readonly input: Input;
  readonly payload: Input;
  readonly ctx: TaskContext<Services>;
  /** `ctx.signal`. */
  readonly signal: AbortSignal;
}

export interface MiddlewareEvent<Input = any> extends AttemptEvent<Input> {
  /** The rest of the attempt; gives what it returns, or throws what it throws. Call it once. */
  next(): Promise<unknown>;
}
/** Around an attempt. It can't turn a failure into a result, or a result into another; what it throws fails the attempt. */
export type Middleware<Input = any> = (event: MiddlewareEvent<Input>) => unknown;

/** When a run has ended and that is stored. The input's files are loaded. */
export interface EndEvent<Input = any, Output = any> {
  /** undefined where it can't be read any more. */
  readonly input: Input;
  readonly payload: Input;
  readonly state: TaskState<Output>;
}
export interface SuccessEvent<Input = any, Output = any> extends EndEvent<Input, Output> {
  readonly output: Output;
}
export interface FailureEvent<Input = any, Output = any> extends EndEvent<Input, Output> {
  readonly error: Error;
}
export interface CompleteEvent<Input = any, Output = any> extends EndEvent<Input, Output> {
  readonly result: TaskRunResult<Output>;
}

export interface CancelEvent<Input = any, Output = any> {
  readonly input: Input;
  readonly payload: Input;
  readonly state: TaskState<Output>;
  /** Aborted; its reason is the CanceledError. */
  readonly signal: AbortSignal;
  /** What the running code comes to; undefined at once where none ran. */
  readonly runPromise: Promise<Output | undefined>;
}

export interface CatchErrorEvent<Input = any, Services = unknown> extends AttemptEvent<Input, Services> {
  readonly error: Error;
  /** Number of the attempt that failed. */
  readonly attempt: number;
  /** The policy as it is; what it does not say is the default. */
  readonly retry: RetryOptions;
  /** What the error itself asked for (RetryableError); undefined: the policy decides. */
  readonly retryAt: Date | undefined;
  readonly retryDelayInMs: number | undefined;
}
export interface CatchErrorResult {
  /** Fail now, without another attempt. */
  skipRetrying?: boolean;
  /** Next attempt not before this, whatever the policy's delay and `retryOn` say, if attempts are left. */
  retryAt?: Instant;
  retryDelayInMs?: Duration;
  /** Changes the run's policy from now on. */
  retry?: RetryOptions;
  /** In place of what was thrown. */
  error?: unknown;
}

/**
 * In the order in which they come. Those of the orchestrator (`createOrchestrator({ hooks })`,
 * `orchestrator.hooks.use`) run before the task's. What is thrown by `middleware`, `init`, `onStart` and
 * `onStartAttempt` fails the attempt; what the others throw is reported and changes nothing.
 * Written after `run`, they get their types from it.
 */
export interface TaskHooks<Input = any, Output = any, Services = unknown> {
  middleware?: Middleware<Input> | readonly Middleware<Input>[];
  /** What it gives stands in `ctx.init`. */
  init?: (event: AttemptEvent<Input, Services>) => unknown;
  /** Before the first attempt only. */
  onStart?: (event: AttemptEvent<Input, Services>) => unknown;
  onStartAttempt?: (event: AttemptEvent<Input, Services>) => unknown;
  /** Its code begins to wait; its slot goes to others. */
  onWait?: (event: AttemptEvent<Input, Services>) => unknown;
  /** It goes on, with a slot. */
  onResume?: (event: AttemptEvent<Input, Services>) => unknown;
  /** After each failed attempt, before it is recorded. What it throws takes the error's place. */
  catchError?: (event: CatchErrorEvent<Input, Services>) => CatchErrorResult | undefined | void | Promise<CatchErrorResult | undefined | void>;
  onSuccess?: (event: SuccessEvent<Input, Output>) => unknown;
  /** After the last attempt. */
  onFailure?: (event: FailureEvent<Input, Output>) => unknown;
  /** In any case. */
  onComplete?: (event: CompleteEvent<Input, Output>) => unknown;
  /** When its code is asked to stop for good; for a run whose code does not run, when it has ended. */
  onCancel?: (event: CancelEvent<Input, Output>) => unknown;
}
