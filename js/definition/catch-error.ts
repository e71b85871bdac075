/**
 * What `catchError` decides about a failed attempt, in the terms of the core.
 *
 * Invariant: it decides about this attempt's retry and error only; how many attempts there are is the
 * policy's, and what it throws, or answers wrongly, is an error like any other.
 */
import { toInstant, toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError } from '../errors.ts';
import { checkBoolean, checkNames } from '../intake/checks.ts';
import { resolvePolicy } from '../intake/options.ts';
import type { RetryOptions } from '../types.ts';
import type { CatchErrorEvent, CatchErrorResult, TaskHooks } from './hook-types.ts';

export interface Decision {
  readonly error: unknown;
  /** Fail now. */
  readonly isFinal?: boolean;
  /** Try again not before; undefined: as the error and the policy say. */
  readonly retryAtMs?: number;
  /** The policy from now on. */
  readonly retry?: RetryOptions;
}

const answerNames = ['skipRetrying', 'retryAt', 'retryDelayInMs', 'retry', 'error'];

type CatchError = NonNullable<TaskHooks['catchError']>;

/** One hook after the other; a later one sees the error and policy that a former one gave, and its word counts. */
export async function decide(hooks: Iterable<CatchError>, event: CatchErrorEvent, nowMs: () => number, toError: (thrown: unknown) => Error): Promise<Decision> {
  let decision: Decision = { error: event.error };
  for (const hook of hooks) {
    try {
      const answer = await hook({ ...event, error: toError(decision.error), retry: { ...event.retry, ...decision.retry } });
      if (answer !== undefined && answer !== null) decision = { ...decision, ...read(answer, nowMs()) };
    } catch (error) {
      return { error };
    }
  }
  return decision;
}

/** @throws ConfigurationError naming the value */
function read(answer: CatchErrorResult, nowMs: number): Partial<Decision> {
  checkNames(answer, answerNames, 'The answer of catchError');
  const { skipRetrying, retryAt, retryDelayInMs, retry } = answer;
  if (skipRetrying !== undefined) checkBoolean(skipRetrying, 'catchError skipRetrying');
  if (retryAt !== undefined && retryDelayInMs !== undefined) throw new ConfigurationError('catchError gave retryAt and retryDelayInMs; give one of the two.');
  if (retry !== undefined) resolvePolicy(retry);
  return {
    ...(answer.error !== undefined && { error: answer.error }),
    ...(skipRetrying !== undefined && { isFinal: skipRetrying }),
    ...(retryAt !== undefined && { retryAtMs: toInstant(retryAt, 'catchError retryAt', nowMs) }),
    ...(retryDelayInMs !== undefined && { retryAtMs: nowMs + toMilliseconds(retryDelayInMs, 'catchError retryDelayInMs') }),
    ...(retry !== undefined && { retry }),
  };
}
