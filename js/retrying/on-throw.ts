/** `ctx.retry.onThrow`: a piece of work called until it does not throw. */
import { checkFunction, checkRecord } from '../intake/checks.ts';
import { retryTime } from '../definition/retry-time.ts';
import { OrchestratorError, RetryableError } from '../errors.ts';
import { resolvePolicy, retryDecision } from '../intake/options.ts';
import { type RetryHost, Tries } from './host.ts';
import type { OnThrowInfo, OnThrowOptions } from './types.ts';

export async function onThrow<Value>(host: RetryHost, work: (info: OnThrowInfo) => Value | Promise<Value>, options: OnThrowOptions = {}): Promise<Value> {
  checkFunction(work, 'ctx.retry.onThrow work');
  checkRecord(options, 'ctx.retry.onThrow');
  const { maxAttempts } = resolvePolicy(options);
  const mayRetry = retryDecision(options);
  // Functions stay here: a worker asks the page for its pauses.
  const { retryOn: _on, nonRetryable: _kinds, ...policy } = options;
  const tries = new Tries(host);
  for (;;) {
    host.signal.throwIfAborted();
    try {
      return await work({ attempt: tries.failures + 1, maxAttempts, signal: host.signal });
    } catch (error) {
      host.signal.throwIfAborted();
      const isFinal = error instanceof OrchestratorError ? !error.retryable : mayRetry?.(error as Error, { attempt: tries.failures + 1, maxAttempts }) === false;
      const untilMs = error instanceof RetryableError ? retryTime(error, host.nowMs) : undefined;
      if (isFinal || !(await tries.another(policy, untilMs))) throw error;
    }
  }
}
