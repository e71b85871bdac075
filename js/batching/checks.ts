/** What a definition says of batching, checked. */
import { checkEach, checkFunction, checkIdentifier, checkNames, wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import type { BatchEventsOptions } from './types.ts';

/** @throws ConfigurationError */
export function checkBatchEvents(given: unknown, where: string): void {
  checkNames(given as object, ['maxSize', 'timeout', 'key', 'if'], where);
  const { maxSize, timeout } = given as BatchEventsOptions;
  wholeNumber(maxSize, `${where}.maxSize`, 1, 10_000);
  toMilliseconds(timeout, `${where}.timeout`);
  checkEach(given as object, { if: (value) => checkFunction(value, `${where}.if`), key: (value) => void (typeof value === 'function' || checkIdentifier(value, `${where}.key`, 512)) }, where);
}
