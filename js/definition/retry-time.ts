/** When an error asks to be tried again. */
import type { RetryableError } from '../errors.ts';

/** Milliseconds since the epoch; undefined: it does not say, or nothing that is a time. */
export function retryTime({ retryAfter }: RetryableError, nowMs: number): number | undefined {
  const atMs = retryAfter instanceof Date ? retryAfter.getTime() : nowMs + (retryAfter ?? Number.NaN);
  return Number.isFinite(atMs) && atMs > 0 ? atMs : undefined;
}
