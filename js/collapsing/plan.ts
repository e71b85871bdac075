/**
 * What a definition and a call say of debounce and throttle → how one call collapses.
 * Invariant: everything is checked before anything is looked up.
 */
import { ConfigurationError } from '../errors.ts';
import { checkBoolean, checkEach, checkIdentifier, checkNames, describe, oneOf, wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import type { Duration } from '../types.ts';
import type { CollapseOptions, DebounceOptions, ThrottleOptions } from './types.ts';

/** How long a key may be. */
const keyBytes = 512;

export interface Debounce {
  readonly kind: 'debounce';
  readonly key: string;
  readonly delayMs: number;
  /** Infinity: none. */
  readonly maxDelayMs: number;
  readonly isTrailing: boolean;
}

export interface Throttle {
  readonly kind: 'throttle';
  readonly key: string;
  readonly limit: number;
  readonly periodMs: number;
  readonly leading: boolean;
  readonly trailing: boolean;
}

export type Collapse = Debounce | Throttle;

function longerThanNothing(value: unknown, where: string): number {
  const ms = toMilliseconds(value as Duration, where);
  if (ms <= 0) throw new ConfigurationError(`${where} must be more than 0 ms, not ${describe(value)}.`);
  return ms;
}

function checkKey(value: unknown, where: string, mayBeFunction: boolean): void {
  if (!(mayBeFunction && typeof value === 'function')) checkIdentifier(value, where, keyBytes);
}

/** @param mayAsk of a definition the key may be a function of the payload. @throws ConfigurationError */
export function checkDebounce(given: unknown, where: string, mayAsk = false): void {
  checkNames(given as object, ['key', 'delay', 'mode', 'maxDelay'], where);
  const { delay, maxDelay } = given as DebounceOptions;
  const delayMs = longerThanNothing(delay, `${where}.delay`);
  checkEach(given as object, { key: (value) => checkKey(value, `${where}.key`, mayAsk), mode: (value) => oneOf(value, ['leading', 'trailing'], `${where}.mode`) }, where);
  if (maxDelay !== undefined && toMilliseconds(maxDelay, `${where}.maxDelay`) <= delayMs)
    throw new ConfigurationError(`${where}.maxDelay ${describe(maxDelay)} must be longer than the delay ${describe(delay)}: it counts from the first call, the delay from the last.`);
}

/** @throws ConfigurationError */
export function checkThrottle(given: unknown, where: string): void {
  checkNames(given as object, ['limit', 'period', 'leading', 'trailing', 'key'], where);
  const { period, leading, trailing } = given as ThrottleOptions;
  longerThanNothing(period, `${where}.period`);
  checkEach(given as object, { limit: (value) => void wholeNumber(value, `${where}.limit`, 1), leading: checkBoolean, trailing: checkBoolean, key: (value) => checkKey(value, `${where}.key`, true) }, where);
  if (leading === false && trailing === false) throw new ConfigurationError(`${where} has neither leading nor trailing, so nothing would ever run. Leave one of them true.`);
}

export const collapseSpecChecks = { debounce: (value: unknown, where: string) => checkDebounce(value, where, true), throttle: checkThrottle };

/** undefined: calls of it are their own. @throws ConfigurationError */
export function collapseOf(spec: CollapseOptions, payload: unknown, called: DebounceOptions | undefined, where: string): Collapse | undefined {
  const { throttle } = spec;
  const debounce = called ?? spec.debounce;
  if (debounce && throttle) throw new ConfigurationError(`${where} is debounced and throttled, and a call can be one of the two. Leave one out.`);
  if (debounce) return debounceOf(debounce, payload, where);
  return throttle && throttleOf(throttle, payload, where);
}

function debounceOf({ key, delay, mode, maxDelay }: NonNullable<CollapseOptions['debounce']>, payload: unknown, where: string): Debounce {
  return {
    kind: 'debounce', key: keyOf(key, payload, `${where}: debounce.key`), delayMs: toMilliseconds(delay, 'debounce.delay'),
    maxDelayMs: maxDelay === undefined ? Number.POSITIVE_INFINITY : toMilliseconds(maxDelay, 'debounce.maxDelay'), isTrailing: mode === 'trailing',
  };
}

function throttleOf({ key, limit = 1, period, leading = true, trailing = true }: ThrottleOptions, payload: unknown, where: string): Throttle {
  return { kind: 'throttle', key: keyOf(key, payload, `${where}: throttle.key`), limit, periodMs: toMilliseconds(period, 'throttle.period'), leading, trailing };
}

function keyOf(key: string | ((payload: unknown) => string) | undefined, payload: unknown, where: string): string {
  if (typeof key !== 'function') return key ?? '';
  let made: unknown;
  try {
    made = key(payload);
  } catch (cause) {
    throw new ConfigurationError(`${where} threw ${String(cause)}`, { cause });
  }
  return checkIdentifier(made, `what ${where} gave`, keyBytes);
}
