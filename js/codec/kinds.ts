/**
 * What the graph form can hold: the numbers of its nodes and slots, the built-in types by name, and
 * the registered codecs. Numbers are stored: never change or reuse one, only add.
 */
import { checkFunction, checkRecord, refuse } from '../intake/checks.ts';

/** Containers within containers, in values and in bytes. */
export const MAX_DEPTH = 128;

/** First item of a node. */
export const NodeKind = {
  object: 0,
  nullObject: 1,
  array: 2,
  map: 3,
  set: 4,
  date: 5,
  regExp: 6,
  url: 7,
  binary: 8,
  storedBinary: 9,
  blob: 10,
  file: 11,
  error: 12,
  domException: 13,
  custom: 14,
  /** Only in memory (`clone`, messages to workers): an immutable thing kept as it is. */
  kept: 15,
  /** Of codec/web-kinds.ts. */
  web: 16,
} as const;

/** First item of a slot of two. */
export const SlotKind = { bigint: 0, utf16: 1, negativeZero: 2 } as const;

/** Stored by position. */
export const BINARY_NAMES = [
  'ArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Float16Array',
] as const;

/** Stored by position. */
export const ERROR_NAMES = [
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AggregateError',
] as const;

/** What `Object.prototype.toString` calls it, without the brackets: `Map`, `Date`, `Promise` … */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Also true for another realm's type of this name; false for its subclasses. */
export function isExactly(value: object, name: string): boolean {
  const type = Object.getPrototypeOf(value)?.constructor;
  return typeof type === 'function' && type.name === name;
}

/** An object literal's or `Object.create(null)`'s, of any realm. */
export function isRecord(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return tagOf(value) === 'Object' || prototype === null;
  return Object.getPrototypeOf(prototype) === null && isExactly(value, 'Object') && tagOf(value) === 'Object';
}

const typedArrayTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
  ?.get as (this: unknown) => string | undefined;

/** Position in BINARY_NAMES, or -1. Subclasses of typed arrays (Node's Buffer) count as their base. */
export function binaryKind(value: object, tag: string): number {
  const name = ArrayBuffer.isView(value) ? (typedArrayTag.call(value) ?? 'DataView') : tag;
  return name === 'ArrayBuffer' && !(tag === 'ArrayBuffer' && isExactly(value, 'ArrayBuffer'))
    ? -1
    : BINARY_NAMES.indexOf(name as (typeof BINARY_NAMES)[number]);
}

/** Position in ERROR_NAMES of the closest built-in this error descends from, or -1. */
export function errorKind(value: object, tag: string): number {
  if (tag !== 'Error' && !(value instanceof Error)) return -1;
  for (let type = Object.getPrototypeOf(value); type; type = Object.getPrototypeOf(type)) {
    const kind = ERROR_NAMES.indexOf(Object.getOwnPropertyDescriptor(type, 'constructor')?.value?.name);
    if (kind >= 0) return kind;
  }
  return 0;
}

/** How instances of an own class are stored. */
export interface CustomCodec<Value = any, Encoded = any> {
  /** Asked for every object that is not a plain object or array. */
  match(value: object): boolean;
  /** Gives anything the codec can store; must not contain the value itself. */
  encode(value: Value): Encoded;
  /** `version` is the one the value was stored with. */
  decode(encoded: Encoded, version: number): Value;
  /** Stored beside the value. Default 0. */
  version?: number;
}

const codecs = new Map<string, CustomCodec>();

/** Makes a class storable. A second registration of the same name replaces the first. */
export function registerCodec<Value, Encoded>(name: string, codec: CustomCodec<Value, Encoded>): void {
  if (typeof name !== 'string' || !name) refuse('registerCodec name', 'text', name);
  checkRecord(codec, `registerCodec "${name}"`);
  for (const part of ['match', 'encode', 'decode'] as const) checkFunction(codec[part], `registerCodec "${name}" ${part}`);
  codecs.set(name, codec);
}

export function codecNamed(name: string): CustomCodec | undefined {
  return codecs.get(name);
}

export function codecFor(value: object): [name: string, codec: CustomCodec] | undefined {
  for (const entry of codecs) if (entry[1].match(value)) return entry;
  return undefined;
}
