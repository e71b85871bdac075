/** What options of a queue of functions may be. Pure. */

const longestMs = 2_147_483_647;

/** @throws TypeError */
export function checkTimeout(timeout: number | undefined): void {
  if (timeout === undefined || (Number.isFinite(timeout) && timeout > 0 && timeout <= longestMs)) return;
  throw new TypeError(`Expected \`timeout\` to be a positive finite number up to ${longestMs}, got \`${String(timeout)}\` (${typeof timeout})`);
}

/** @throws TypeError */
export function checkLimit(name: string, value: number): void {
  if (typeof value === 'number' && value >= 1 && (value === Number.POSITIVE_INFINITY || Number.isInteger(value))) return;
  throw new TypeError(`Expected \`${name}\` to be an integer from 1 and up or \`Infinity\`, got \`${String(value)}\` (${typeof value})`);
}

/** @throws TypeError */
export function checkRate(interval: number, intervalCap: number, strict: boolean): void {
  checkLimit('intervalCap', intervalCap);
  if (!(Number.isFinite(interval) && interval >= 0)) throw new TypeError(`Expected \`interval\` to be a finite number >= 0, got \`${String(interval)}\` (${typeof interval})`);
  if (intervalCap !== Number.POSITIVE_INFINITY && interval > longestMs) throw new TypeError(`Expected \`interval\` to be at most ${longestMs} with an \`intervalCap\`, got \`${interval}\``);
  if (strict && interval === 0) throw new TypeError('The `strict` option requires a non-zero `interval`');
  if (strict && intervalCap === Number.POSITIVE_INFINITY) throw new TypeError('The `strict` option requires a finite `intervalCap`');
}

/** @throws TypeError */
export function checkPriority(priority: number): void {
  if (typeof priority !== 'number' || Number.isNaN(priority)) throw new TypeError(`Expected \`priority\` to be a number, got \`${String(priority)}\` (${typeof priority})`);
}

/** As the core takes it: whole, within 32 bits. */
export function rankOf(priority: number): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.round(priority * 1000)));
}
