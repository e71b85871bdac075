/**
 * `ctx.fetch`: fetch that tries again when the server is busy, gone or slow. It ends with the run, and
 * gives the response as fetch does: one that says 404, or still 503 after the last try, is no error.
 */
import { checkNames, checkRecord, describe, oneOf, refuse, wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError, FetchTimeoutError } from '../errors.ts';
import { resolvePolicy } from '../intake/options.ts';
import { outside } from '../time/clock.ts';
import type { RetryOptions } from '../types.ts';
import { type RetryHost, Tries } from './host.ts';
import { resetAtMs, retryAfterMs } from './reset-time.ts';
import type { BackoffStrategy, FetchRetryOptions, HeadersStrategy, RetryFetchInit } from './types.ts';

const usualStatuses: NonNullable<FetchRetryOptions['byStatus']> = { '408,409,429,5xx': { strategy: 'backoff' } };
const headersNames = ['strategy', 'resetHeader', 'resetFormat', 'remainingHeader', 'maxAttempts'];
const resetFormats = ['unix_timestamp', 'unix_timestamp_in_ms', 'iso_8601', 'iso_8601_duration_openai_variant'];

const keyHeader = 'Idempotency-Key';

type Strategy = BackoffStrategy | HeadersStrategy;
interface Plan {
  statuses: { fits(status: number): boolean; strategy: Strategy }[];
  connectionError: RetryOptions | false;
  timeout: RetryOptions | false;
  timeoutMs: number | undefined;
}

/** @throws ConfigurationError for a pattern or an option that is none; TypeError where no response came; FetchTimeoutError */
export async function retryFetch(host: RetryHost, input: string | URL | Request, init: RetryFetchInit = {}): Promise<Response> {
  checkCall(input, init);
  const { retry, timeout, timeoutInMs, idempotencyKey, ...given } = init;
  const rest = withKey(input, given, idempotencyKey);
  const plan = planOf(retry, timeout === undefined ? timeoutInMs : timeout);
  const isOnce = retry === false;
  if (!isOnce && rest.body instanceof ReadableStream)
    throw new ConfigurationError('ctx.fetch: a stream can be sent only once. Send its bytes, or give retry: false.');
  const own = signalOf(input, rest);
  const tries = new Tries(host, own);
  for (;;) {
    host.signal.throwIfAborted();
    try {
      const response = await once(host, input instanceof Request && !isOnce ? input.clone() : input, rest, plan.timeoutMs);
      if (!(await isToRetry(host, tries, plan, response))) return response;
    } catch (error) {
      host.signal.throwIfAborted();
      const policy = error instanceof FetchTimeoutError ? plan.timeout : plan.connectionError;
      if (isOnce || policy === false || own?.aborted || isOfCall(error, input, rest) || !(await tries.another(policy))) throw error;
    }
  }
}

/** @throws ConfigurationError */
function checkCall(input: unknown, init: RetryFetchInit): void {
  // Anything else that is an object may be an address by its text, as with fetch.
  if (typeof input !== 'string' && (typeof input !== 'object' || input === null)) refuse('ctx.fetch input', 'an address or a Request', input);
  checkRecord(init, 'ctx.fetch init');
  const { timeout, timeoutInMs, signal } = init;
  if (timeout !== undefined && timeoutInMs !== undefined) throw new ConfigurationError('ctx.fetch has a timeout and a timeoutInMs, which mean the same; give one of the two.');
  if (signal !== undefined && signal !== null && typeof signal.aborted !== 'boolean') refuse('ctx.fetch signal', 'an AbortSignal (of an AbortController: its signal)', signal);
}

/** Of the caller. As with fetch itself, one of the call stands in place of the request's. */
const signalOf = (input: unknown, { signal }: RequestInit): AbortSignal | undefined => signal ?? (input instanceof Request && signal === undefined ? input.signal : undefined);

/** @throws ConfigurationError for a key no header can hold, or one more beside the caller's own */
function withKey(input: unknown, init: RequestInit, key: unknown): RequestInit {
  if (key === undefined) return init;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) refuse('ctx.fetch idempotencyKey', 'true or a text of 1 to 255 visible ASCII characters', key);
  // As with fetch itself, headers of the call stand in place of the request's.
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
  if (headers.has(keyHeader)) throw new ConfigurationError(`ctx.fetch has an idempotencyKey and a header ${keyHeader}: ${describe(headers.get(keyHeader))}; give one of the two.`);
  headers.set(keyHeader, key);
  return { ...init, headers };
}

/**
 * What is wrong with the call does not get better: an address that is none, a body where there may be none, a request
 * that was sent already. fetch throws a TypeError for it, as where no connection comes about.
 */
function isOfCall(error: unknown, input: string | URL | Request, init: RequestInit): boolean {
  if (!(error instanceof TypeError)) return false;
  const isRequest = input instanceof Request;
  if (isRequest && input.bodyUsed) return true;
  try {
    return !new Request(isRequest ? input.url : input, { ...(isRequest && { method: input.method }), ...init });
  } catch {
    return true;
  }
}

async function isToRetry(host: RetryHost, tries: Tries, plan: Plan, response: Response): Promise<boolean> {
  const strategy = plan.statuses.find(({ fits }) => fits(response.status))?.strategy;
  if (!strategy) return false;
  const { headers } = response;
  if (strategy.strategy === 'headers') {
    const { remainingHeader, resetHeader, resetFormat, maxAttempts = 10 } = strategy;
    const isFree = remainingHeader !== undefined && Number(headers.get(remainingHeader) ?? 0) > 0;
    const text = resetHeader === undefined ? null : headers.get(resetHeader);
    const untilMs = text === null ? retryAfterMs(headers, host.nowMs) : resetAtMs(text, host.nowMs, resetFormat);
    return another(response, tries, { maxAttempts }, isFree ? host.nowMs : untilMs);
  }
  const { strategy: _, ...policy } = strategy;
  return another(response, tries, policy, retryAfterMs(headers, host.nowMs));
}

/** The body of what is not given is let go of, or it would hold its connection. */
async function another(response: Response, tries: Tries, policy: RetryOptions, untilMs: number | undefined): Promise<boolean> {
  const goesOn = await tries.another(policy, untilMs);
  if (goesOn) await response.body?.cancel().catch(() => {});
  return goesOn;
}

async function once(host: RetryHost, input: string | URL | Request, init: RequestInit, timeoutMs: number | undefined): Promise<Response> {
  const late = new AbortController();
  const signals = [host.signal, late.signal, signalOf(input, init)].filter((signal) => signal !== undefined);
  const cancel = timeoutMs === undefined ? () => {} : host.after(timeoutMs, () => late.abort(new FetchTimeoutError(`No response of ${input instanceof Request ? input.url : String(input)} came within ${timeoutMs} ms.`)));
  try {
    return await outside.fetch(input, { ...init, signal: AbortSignal.any(signals) });
  } catch (error) {
    throw late.signal.aborted ? late.signal.reason : error;
  } finally {
    cancel();
  }
}

function planOf(retry: RetryFetchInit['retry'], timeout: RetryFetchInit['timeout']): Plan {
  const timeoutMs = timeout === undefined ? undefined : toMilliseconds(timeout, 'ctx.fetch timeout');
  if (retry === false) return { statuses: [], connectionError: false, timeout: false, timeoutMs };
  const options = retry === undefined ? {} : retry;
  checkRecord(options, 'ctx.fetch retry');
  checkNames(options, ['byStatus', 'connectionError', 'timeout'], 'ctx.fetch retry');
  const { byStatus = usualStatuses, connectionError = {}, timeout: onTimeout = {} } = options;
  checkRecord(byStatus, 'ctx.fetch retry.byStatus');
  for (const [policy, name] of [[connectionError, 'connectionError'], [onTimeout, 'timeout']] as const) {
    if (policy === false) continue;
    checkRecord(policy, `ctx.fetch retry.${name}`);
    resolvePolicy(policy);
  }
  const statuses = Object.entries(byStatus).map(([pattern, strategy]) => ({ fits: statusPattern(pattern), strategy: checkStrategy(pattern, strategy) }));
  return { statuses, connectionError, timeout: onTimeout, timeoutMs };
}

function checkStrategy(pattern: string, strategy: Strategy): Strategy {
  const where = `ctx.fetch retry.byStatus[${JSON.stringify(pattern)}]`;
  checkRecord(strategy, where);
  oneOf(strategy.strategy, ['backoff', 'headers'], `${where}.strategy`);
  if (strategy.strategy === 'backoff') {
    const { strategy: _, ...policy } = strategy;
    resolvePolicy(policy);
  } else {
    checkNames(strategy, headersNames, where);
    if (strategy.resetFormat !== undefined) oneOf(strategy.resetFormat, resetFormats, `${where}.resetFormat`);
    if (strategy.maxAttempts !== undefined) wholeNumber(strategy.maxAttempts, `${where}.maxAttempts`, 1);
  }
  return strategy;
}

/** @throws ConfigurationError */
function statusPattern(pattern: string): (status: number) => boolean {
  const ranges = pattern.split(',').map((part) => {
    const [, one, hundreds, from, to] = /^\s*(?:(\d{3})|([1-5])xx|(\d{3})-(\d{3}))\s*$/.exec(part) ?? [];
    if (one) return [Number(one), Number(one)];
    if (hundreds) return [Number(hundreds) * 100, Number(hundreds) * 100 + 99];
    if (from && Number(from) <= Number(to)) return [Number(from), Number(to)];
    throw new ConfigurationError(`ctx.fetch retry.byStatus: ${describe(pattern)} names no statuses. Write '429', '5xx', '500-510', or several, separated by commas.`);
  });
  return (status) => ranges.some(([from, to]) => status >= from! && status <= to!);
}
