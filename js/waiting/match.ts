/** Does an event's data fit what is waited for? */
import { ConfigurationError } from '../errors.ts';
import { describe } from '../intake/checks.ts';

/** @throws ConfigurationError unless it is a function, an object or nothing */
export function checkMatch(match: unknown, where: string): void {
  if (match === undefined || typeof match === 'function') return;
  if (typeof match !== 'object' || match === null || Array.isArray(match))
    throw new ConfigurationError(`${where} match must be a function or an object with the fields that must be equal, not ${describe(match)}.`);
}

export function matches(match: unknown, data: unknown, ...more: unknown[]): boolean {
  if (match === undefined) return true;
  if (typeof match === 'function') return Boolean(match(data, ...more));
  return isPart(match, data);
}

/** Every field of `part` is in `whole`, and equal. */
function isPart(part: unknown, whole: unknown): boolean {
  if (Object.is(part, whole)) return true;
  if (typeof part !== 'object' || part === null || typeof whole !== 'object' || whole === null) return false;
  if (part instanceof Date) return whole instanceof Date && Object.is(part.getTime(), whole.getTime());
  if (Array.isArray(part)) return Array.isArray(whole) && part.length === whole.length && part.every((item, index) => isPart(item, whole[index]));
  return Object.keys(part).every((key) => Object.hasOwn(whole, key) && isPart((part as any)[key], (whole as any)[key]));
}
