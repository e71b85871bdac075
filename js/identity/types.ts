/** Which runs are the same: what people say of it. */
import type { Duration } from '../types.ts';

declare const branded: unique symbol;

/** Within which a key names one run: the run that asks, its present attempt, or everything. Outside of runs all three are `global`. */
export type IdempotencyScope = 'run' | 'attempt' | 'global';

/** Made by `idempotencyKeys.create`. */
export interface IdempotencyKey {
  readonly key: string | readonly string[];
  readonly scope: IdempotencyScope;
  readonly [branded]?: true;
}

/**
 * What happens when a key is held by another run of the task: one that is alive, has succeeded or was
 * cancelled, within its time.
 * - `join` (default): nothing is created; the handle is that of the other run, with `isCached: true`
 * - `reject`: DuplicateRunError, at the call where it is known then, else by `accepted`
 * - `replace`: the other run is cancelled if it is alive, and a new one takes the key
 * - `queue`: a new run takes the key and waits until the other one has ended
 * - `skip`: nothing is created and nobody waits: the handle is that of the other run, but `result()` rejects
 *   with DuplicateRunError at once
 */
export type DuplicatePolicy = 'join' | 'reject' | 'replace' | 'queue' | 'skip';

export interface KeyOptions {
  /** Two runs of a task with one key are one: see `onDuplicate`. Each text 1 to 1024 bytes, at most 16 of them. */
  idempotencyKey?: string | readonly string[] | IdempotencyKey;
  /** How long the key counts, from the call on. Default 30 days; not longer than the run is kept (`retention`). */
  idempotencyKeyTTL?: Duration;
  onDuplicate?: DuplicatePolicy;
}

/** Of a definition: each run has a key that follows from its payload. A call's `idempotencyKey` stands for it. */
export interface IdempotencyOptions<Payload = any> {
  /** `payload`: a hash of what `trigger` was given, files by their content. A function's `undefined`: no key. */
  from: 'payload' | ((payload: Payload) => string | readonly string[] | undefined);
  /** Default 30 days. */
  ttl?: Duration;
}

/** Of a definition: of its runs with one key only one is alive at a time. */
export interface SingletonOptions<Payload = any> {
  /** Default: all runs of the task share one. */
  key?: string | readonly string[] | ((payload: Payload) => string | readonly string[]);
  /** What happens to a run while another one is alive: `skip`: it is not created. `cancel`: the other is cancelled. */
  mode: 'skip' | 'cancel';
}

/** What a definition says of it. */
export interface IdentityOptions<Payload = any> {
  idempotency?: IdempotencyOptions<Payload>;
  singleton?: SingletonOptions<Payload>;
  /** For every call that has a key. */
  onDuplicate?: DuplicatePolicy;
}

export interface ResetOptions {
  /** Of a key with scope `run` or `attempt`: the run that gave it … */
  parentRunId?: string;
  /** … and in which attempt. */
  attemptNumber?: number;
}
