'use client';
import { useRef, useSyncExternalStore } from 'react';

export type Subscribe = (listener: () => void) => () => void;
type Equal<Value> = (before: Value, after: Value) => boolean;

/** One level deep: arrays and plain objects by their members, everything else by identity. */
export function shallowEqual(before: unknown, after: unknown): boolean {
  if (Object.is(before, after)) return true;
  if (typeof before !== 'object' || typeof after !== 'object' || !before || !after) return false;
  const prototype = Object.getPrototypeOf(before);
  if (prototype !== Object.getPrototypeOf(after)) return false;
  if (prototype !== Object.prototype && prototype !== Array.prototype) return false;
  const keys = Object.keys(before) as (keyof typeof before)[];
  if (keys.length !== Object.keys(after).length) return false;
  return keys.every((key) => Object.hasOwn(after, key) && Object.is(before[key], after[key]));
}

/**
 * useSyncExternalStore with a selector. Invariant: the same value (by identity) is returned until
 * `equal` sees a difference, so a selector may build a new object every time.
 */
export function useSelected<Source, Value>(
  subscribe: Subscribe,
  read: () => Source,
  select: (source: Source) => Value,
  serverValue: Value,
  equal: Equal<Value> = shallowEqual,
): Value {
  const memo = useRef<{ source: Source; select: (source: Source) => Value; value: Value }>(undefined);
  const getSnapshot = () => {
    const source = read();
    const last = memo.current;
    if (last && last.select === select && Object.is(last.source, source)) return last.value;
    let value = select(source);
    if (last && equal(last.value, value)) value = last.value;
    memo.current = { source, select, value };
    return value;
  };
  return useSyncExternalStore(subscribe, getSnapshot, () => serverValue);
}
