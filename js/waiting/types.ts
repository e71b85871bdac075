/** The shapes of waiting for the outside: events, tokens, and what came of a wait. */
import type { Duration, Instant } from '../types.ts';

/** What came of a wait. It never throws by itself: `unwrap()` of the promise does. */
export type WaitResult<Output = any> =
  | { readonly ok: true; readonly output: Output }
  /** WaitTimeoutError when time ran out, CanceledError for a token that was cancelled. */
  | { readonly ok: false; readonly error: Error };

export interface WaitPromise<Output = any> extends Promise<WaitResult<Output>> {
  /** The output, or throws the error. */
  unwrap(): Promise<Output>;
}

/** A function, or a part of the data: every field it names must be equal, at any depth. */
export type EventMatch<Data = any> = ((data: Data) => boolean) | Readonly<Record<string, unknown>>;

export interface WaitForOptions<Data = any> {
  /** In place of its ordinal among waits for that event. */
  id?: string;
  /** Default: any. In a worker it must be a part of the data: functions can't cross. */
  match?: EventMatch<Data>;
  /** Default: none. */
  timeout?: Duration;
  /** `now`: only what is sent from now on. Default `run-start`: also what was sent since the run was made. */
  since?: 'run-start' | 'now';
}

export interface SendOptions {
  /** At most 100 bytes. An event under an id that is known already (24 h) is not sent again. */
  id?: string;
}

/** A run of a definition is cancelled when this comes. */
export interface CancelOn<Input = any> {
  event: string;
  match?: ((data: any, input: Input) => boolean) | Readonly<Record<string, unknown>>;
  /** Only events sent within this time of the run's creation. */
  timeout?: Duration;
}

export interface CreateTokenOptions {
  /** Default 10 minutes. */
  timeout?: Duration;
  tags?: readonly string[];
  /** A second token under this key is the first one, while `idempotencyKeyTTL` lasts. */
  idempotencyKey?: string;
  /** Default 1 hour. */
  idempotencyKeyTTL?: Duration;
}

export interface CreatedToken {
  readonly id: string;
  /** It was there already, under its idempotency key. */
  readonly isCached: boolean;
}

export type TokenStatus = 'waiting' | 'completed' | 'timedOut' | 'cancelled';

export interface TokenState<Output = any> {
  readonly id: string;
  readonly status: TokenStatus;
  readonly createdAt: number;
  /** When it times out unless it is completed. */
  readonly timeoutAt: number;
  readonly tags: readonly string[];
  readonly idempotencyKey?: string;
  /** Only from `retrieveToken`. */
  readonly output?: Output;
  readonly error?: Error;
}

export interface TokenFilter {
  status?: TokenStatus;
  /** At least one of these. */
  tags?: readonly string[];
}

/** `ctx.wait`: the same waits under the names of others. */
export interface ContextWait {
  /** A second wait of the run under an `idempotencyKey` is the first one, over crashes too. */
  for(duration: Duration | (Exclude<Duration, number | string> & { idempotencyKey?: string })): Promise<void>;
  until(moment: Instant | { date: Instant; throwIfInThePast?: boolean; idempotencyKey?: string }): Promise<void>;
  forEvent<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Data>;
  createToken(options?: Omit<CreateTokenOptions, 'idempotencyKey' | 'idempotencyKeyTTL'>): Promise<CreatedToken>;
  forToken<Output = any>(token: string | { id: string }): WaitPromise<Output>;
}
