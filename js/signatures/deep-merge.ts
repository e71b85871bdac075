/** Plain objects merged into each other. */

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value));
}

/** What is over wins; objects are merged, all else, lists too, replaces. Neither is changed. */
export function deepMerge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isRecord(base) || !isRecord(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const key of Object.keys(over)) Object.defineProperty(merged, key, { value: deepMerge(Object.hasOwn(merged, key) ? merged[key] : undefined, over[key]), enumerable: true, configurable: true, writable: true });
  return merged;
}
