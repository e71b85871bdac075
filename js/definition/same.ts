/**
 * Are two values the same to a codec? Used to find out whether a schema accepts what it gives.
 * Invariant: never says yes to values that differ; may say no to equal ones of kinds it does not know.
 */

const deepest = 200;

/** Shared parts are compared as often as they are met: what was met counts, so that it ends. */
interface Budget {
  left: number;
}

export function sameValue(one: unknown, other: unknown): boolean {
  return same(one, other, 0, { left: 100_000 });
}

function same(one: unknown, other: unknown, depth: number, budget: Budget): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (depth > deepest || budget.left-- <= 0) return false;
  const prototype = Object.getPrototypeOf(one);
  if (prototype !== Object.getPrototypeOf(other)) return false;
  if (Array.isArray(one)) return sameItems(one, other as unknown[], depth, budget);
  if (prototype === Object.prototype || prototype === null) return sameProperties(one, other, depth, budget);
  if (one instanceof Date) return Object.is(one.getTime(), (other as Date).getTime());
  if (one instanceof Map) return sameItems([...one].flat(), [...(other as Map<unknown, unknown>)].flat(), depth, budget);
  if (one instanceof Set) return sameItems([...one], [...(other as Set<unknown>)], depth, budget);
  if (one instanceof ArrayBuffer) return sameBytes(new Uint8Array(one), new Uint8Array(other as ArrayBuffer));
  if (ArrayBuffer.isView(one)) return sameBytes(bytesOf(one), bytesOf(other as ArrayBufferView));
  if (one instanceof URL || one instanceof RegExp) return String(one) === String(other);
  return false;
}

function sameItems(one: readonly unknown[], other: readonly unknown[], depth: number, budget: Budget): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (!same(one[index], other[index], depth + 1, budget)) return false;
  return true;
}

function sameProperties(one: object, other: object, depth: number, budget: Budget): boolean {
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every(
    (name) => Object.hasOwn(other, name) && same((one as any)[name], (other as any)[name], depth + 1, budget),
  );
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
