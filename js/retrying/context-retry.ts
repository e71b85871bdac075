/** `ctx.retry` and `ctx.fetch` of a context; what does the work comes in with the first use. */
import type { RetryHost } from './host.ts';
import type { ContextRetry } from './types.ts';

/** @param check throws where the attempt has ended */
export function contextRetry(host: RetryHost, check: () => void): ContextRetry {
  return {
    onThrow: async (work, options) => (check(), (await import('./on-throw.ts')).onThrow(host, work, options)),
    fetch: async (input, init) => {
      check();
      // Before anything is awaited: then nobody knows any more which step asks.
      const stepId = init?.idempotencyKey === true ? host.stepId() : undefined;
      return (await import('./fetch.ts')).retryFetch(host, input, stepId === undefined ? init : { ...init, idempotencyKey: stepId });
    },
  };
}

/** Ends with the signal. @throws its reason */
export function pauseUntil(after: RetryHost['after'], delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = after(delayMs, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}
