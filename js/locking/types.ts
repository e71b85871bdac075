/** Shapes of `ctx.lock`. */
import type { Duration } from '../types.ts';

export interface LockOptions {
  /** In place of its ordinal among locks of that key, for code that takes them in no fixed order. */
  id?: string;
  /** How long it is waited for, over reloads too; then a LockTimeoutError. Default: for ever. Milliseconds as `timeoutMs`. */
  timeout?: Duration;
  timeoutMs?: number;
}
