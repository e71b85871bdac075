/**
 * Plain objects merged into each other.
 *
 * Invariant: neither is changed; what is in itself, or deeper than any data, is refused before the stack ends.
 */
import { ConfigurationError } from '../errors.ts';

/** Objects in each other. */
const deepest = 500;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value));
}

/**
 * What is over wins; objects are merged, all else, lists too, replaces. Neither is changed.
 * @throws ConfigurationError where both are nested deeper than 500, as objects are that hold themselves
 */
export function deepMerge(base: unknown, over: unknown): unknown {
  return merge(base, over, []);
}

function merge(base: unknown, over: unknown, path: string[]): unknown {
  if (over === undefined) return base;
  if (!isRecord(base) || !isRecord(over)) return over;
  if (path.length > deepest) throw new ConfigurationError(`What is merged holds itself, or is nested deeper than ${deepest}: ${path.slice(0, 4).join('.')}… Give objects that hold no way back to themselves, or merge by another strategy.`, { data: { path: path.slice(0, 20) } });
  const merged: Record<string, unknown> = { ...base };
  for (const key of Object.keys(over)) {
    path.push(key);
    Object.defineProperty(merged, key, { value: merge(Object.hasOwn(merged, key) ? merged[key] : undefined, over[key], path), enumerable: true, configurable: true, writable: true });
    path.pop();
  }
  return merged;
}
