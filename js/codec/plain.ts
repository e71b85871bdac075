/**
 * The hot path: is a value a plain tree that MessagePack keeps exactly?
 *
 * Plain are null, undefined, booleans, numbers but -0, 64 bit bigints, well-formed strings, and
 * arrays and objects of this realm that hold only such, each met once, at most 128 deep. Everything
 * else (also what must be refused) goes to the slow path, codec/graph-writer.ts, which knows paths:
 * so this walk carries none, throws nothing and costs a few nanoseconds a value.
 */
import { MAX_DEPTH } from './kinds.ts';

const objectPrototype = Object.prototype;
const arrayPrototype = Array.prototype;
const loneSurrogate = /\p{Surrogate}/u;

const isWellFormed: (text: string) => boolean =
  typeof ('' as any).isWellFormed === 'function'
    ? (text) => (text as any).isWellFormed()
    : (text) => !loneSurrogate.test(text);

/** UTF-8 keeps it, and no decoder takes its first character for a byte order mark. */
export function isExactInUtf8(text: string): boolean {
  return isWellFormed(text) && text.charCodeAt(0) !== 0xfeff;
}

interface Walk {
  /** Objects met; a second meeting means sharing or a cycle. */
  met: object[];
  /** Takes over from the list, which is searched linearly, when it grows. */
  metSet: Set<object> | undefined;
  /** Characters and values that may still come. */
  budget: number;
}
let spare: Walk | undefined = { met: [], metSet: undefined, budget: 0 };

/** `budget`: more characters and values than this are not plain. */
export function isPlain(value: unknown, budget: number): boolean {
  if (typeof value !== 'object' || value === null) return isPlainLeaf(value, budget);
  const walk = spare ?? { met: [], metSet: undefined, budget: 0 };
  spare = undefined; // a getter may come back in here
  walk.budget = budget;
  try {
    return isPlainObject(value, 1, walk);
  } catch {
    return false; // a getter or a Proxy: the slow path says which
  } finally {
    walk.met.length = 0;
    walk.metSet = undefined;
    spare = walk;
  }
}

function isPlainLeaf(value: unknown, budget: number): boolean {
  switch (typeof value) {
    case 'string':
      return value.length <= budget && isExactInUtf8(value);
    case 'number':
      return value !== 0 || 1 / value > 0;
    case 'boolean':
    case 'undefined':
      return true;
    case 'bigint':
      return BigInt.asIntN(64, value) === value;
    default:
      return value === null;
  }
}

function isPlainChild(value: unknown, depth: number, walk: Walk): boolean {
  if (typeof value === 'object' && value !== null) return isPlainObject(value, depth, walk);
  const budget = walk.budget--;
  if (typeof value === 'string') walk.budget -= value.length;
  return budget > 0 && isPlainLeaf(value, budget);
}

function isPlainObject(value: object, depth: number, walk: Walk): boolean {
  if (depth > MAX_DEPTH || --walk.budget < 0) return false;
  const prototype = Object.getPrototypeOf(value);
  const array = prototype === arrayPrototype;
  if (!array && prototype !== objectPrototype) return false;
  if (wasMet(value, walk)) return false;
  return array ? isPlainArray(value as unknown[], depth + 1, walk) : hasPlainFields(value, depth + 1, walk);
}

function isPlainArray(value: unknown[], depth: number, walk: Walk): boolean {
  if (!Array.isArray(value) || value.length > walk.budget) return false;
  for (let i = 0; i < value.length; i++) if (!isPlainChild(value[i], depth, walk)) return false;
  return true;
}

function hasPlainFields(value: object, depth: number, walk: Walk): boolean {
  if (Symbol.toStringTag in value) return false;
  for (const key in value) {
    // What the prototype has too needs to be defined, not assigned: `__proto__`, `constructor`, `toString` …
    if (key in objectPrototype || !isExactInUtf8(key)) return false;
    walk.budget -= key.length;
    if (!isPlainChild((value as Record<string, unknown>)[key], depth, walk)) return false;
  }
  return true;
}

function wasMet(value: object, walk: Walk): boolean {
  const { met, metSet } = walk;
  if (metSet) return metSet.size === metSet.add(value).size;
  for (let i = 0; i < met.length; i++) if (met[i] === value) return true;
  met.push(value);
  if (met.length > 16) walk.metSet = new Set(met);
  return false;
}

/** A copy of what `isPlain` has accepted. */
export function copyPlain(value: any): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const copy = new Array(value.length);
    for (let i = 0; i < value.length; i++) copy[i] = copyPlain(value[i]);
    return copy;
  }
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = copyPlain(value[key]);
  return copy;
}
