/** Shapes of trying again within an attempt: `ctx.retry`, `ctx.fetch`. The words are those of trigger.dev's `retry`. */
import type { Duration, RetryOptions } from '../types.ts';

export interface OnThrowOptions extends RetryOptions {}

export interface OnThrowInfo {
  /** From 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** The run's own: aborted when it is being stopped. */
  readonly signal: AbortSignal;
}

export type ResetFormat = 'unix_timestamp' | 'unix_timestamp_in_ms' | 'iso_8601' | 'iso_8601_duration_openai_variant';

/** Waits as `retry` of a task does, or as long as the response's `Retry-After` asks for. */
export interface BackoffStrategy extends RetryOptions {
  strategy: 'backoff';
}

/** Waits until the moment that the server names. Without that header, as `backoff`. */
export interface HeadersStrategy {
  strategy: 'headers';
  /** Where the server says when it takes requests again. Default `retry-after`, then `x-ratelimit-reset`. */
  resetHeader?: string;
  /** Default: found out from the value. */
  resetFormat?: ResetFormat;
  /** How many more it takes: where it stands above 0, it is not waited for. */
  remainingHeader?: string;
  /** Default 10, the first included. */
  maxAttempts?: number;
}

export interface FetchRetryOptions {
  /**
   * By status: `'429'`, `'5xx'`, `'500-510'`, or several, separated by commas; the first that fits counts.
   * Default: `{ '408,409,429,5xx': { strategy: 'backoff' } }`.
   */
  byStatus?: Record<string, BackoffStrategy | HeadersStrategy>;
  /** When no response came. Default as a task's. false: not tried again. */
  connectionError?: RetryOptions | false;
  /** When `timeout` was over. Default as a task's. false: not tried again. */
  timeout?: RetryOptions | false;
}

export interface RetryFetchInit extends RequestInit {
  /** false: one try. */
  retry?: FetchRetryOptions | false;
  /**
   * Sent as the header `Idempotency-Key`, the same in every try: a text of 1 to 255 visible ASCII characters, or
   * true: the `stepId` of the step whose function calls this before it awaits anything.
   */
  idempotencyKey?: string | true;
  /** Of each try, until the head of the response has come. Default: none. `timeoutInMs` is the same. */
  timeout?: Duration;
  timeoutInMs?: number;
}

/** `ctx.retry`. The pauses hold the run's slot; a long one is better left to a RetryableError. */
export interface ContextRetry {
  /**
   * Calls it until it does not throw. A RetryableError says when, a FatalError ends it.
   * @throws what the last try threw
   */
  onThrow<Value>(work: (info: OnThrowInfo) => Value | Promise<Value>, options?: OnThrowOptions): Promise<Value>;
  fetch(input: string | URL | Request, init?: RetryFetchInit): Promise<Response>;
}
