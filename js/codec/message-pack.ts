/**
 * MessagePack, the part of it that payloads need: nil, booleans, numbers, 64 bit integers, well-formed
 * strings, byte strings, arrays, and maps with string keys as plain objects; and one extension, `d4 00 00`,
 * for undefined. Nothing else is written, and nothing else is read.
 *
 * Invariants: what is read is exactly one value and believes nothing: lengths, depth and tokens are checked as
 * they come, so hostile bytes can't make it allocate more than they are long, and every failure is a
 * SerializationError. What is written any MessagePack reads (tests/js/message-pack.test.ts holds it against
 * msgpackr, which wrote the journals of earlier versions: it is 12 KB of the first download, this is 2).
 */
import { SerializationError } from '../errors.ts';
import { MAX_DEPTH } from './kinds.ts';

/** A larger buffer is not kept for the next value. */
const KEPT_BYTES = 256 * 1024;
/** Shorter texts are quicker by hand, letter by letter. */
const SHORT_TEXT = 40;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const { fromCharCode } = String;

/** What is written lies from `start` to `end`. */
export type Packed = Uint8Array<ArrayBuffer> & { start: number; end: number };

const newBuffer = (length: number): Packed => Object.assign(new Uint8Array(length), { start: 0, end: 0 });

class Writer {
  #bytes = newBuffer(8192);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  pack(value: unknown): Packed {
    this.#at = 0;
    this.#write(value);
    const bytes = this.#bytes;
    bytes.end = this.#at;
    if (bytes.length > KEPT_BYTES) this.#use(newBuffer(8192));
    return bytes;
  }

  #use(bytes: Packed): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const larger = newBuffer(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#use(larger);
  }

  #write(value: any): void {
    this.#reserve(16);
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        return this.#byte(value ? 0xc3 : 0xc2);
      case 'bigint':
        this.#byte(0xd3);
        this.#view.setBigInt64(this.#at, value);
        this.#at += 8;
        return;
      case 'undefined':
        this.#byte(0xd4);
        this.#byte(0);
        return this.#byte(0);
    }
    if (value === null) this.#byte(0xc0);
    else if (Array.isArray(value)) this.#list(value);
    else if (value instanceof Uint8Array) this.#binary(value);
    else this.#map(value);
  }

  #byte(byte: number): void {
    this.#bytes[this.#at++] = byte;
  }

  #uint(token: number, size: 1 | 2 | 4, value: number): void {
    this.#byte(token);
    if (size === 1) this.#byte(value);
    else if (size === 2) this.#view.setUint16(this.#at, value);
    else this.#view.setUint32(this.#at, value);
    if (size > 1) this.#at += size;
  }

  /** The shortest form that keeps it. */
  #number(value: number): void {
    if (value >>> 0 === value && (value !== 0 || 1 / value > 0)) {
      if (value < 0x80) this.#byte(value);
      else if (value < 0x100) this.#uint(0xcc, 1, value);
      else if (value < 0x10000) this.#uint(0xcd, 2, value);
      else this.#uint(0xce, 4, value);
    } else if (value >> 0 === value && value < 0) {
      if (value >= -0x20) this.#byte(value);
      else if (value >= -0x80) this.#uint(0xd0, 1, value);
      else if (value >= -0x8000) this.#uint(0xd1, 2, value);
      else this.#uint(0xd2, 4, value);
    } else {
      this.#byte(0xcb);
      this.#view.setFloat64(this.#at, value);
      this.#at += 8;
    }
  }

  #text(text: string): void {
    const { length } = text;
    this.#reserve(5 + length * 3);
    if (length < SHORT_TEXT && this.#ascii(text, length)) return;
    // Room for the length of the longest that it can be.
    const most = length * 3;
    const size = most < 0x100 ? 1 : most < 0x10000 ? 2 : 4;
    const start = this.#at + 1 + size;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    this.#uint(size === 1 ? 0xd9 : size === 2 ? 0xda : 0xdb, size, written);
    this.#at = start + written;
  }

  #ascii(text: string, length: number): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    if (length < 32) bytes[at++] = 0xa0 | length;
    else {
      bytes[at++] = 0xd9;
      bytes[at++] = length;
    }
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 127) return false;
      bytes[at++] = unit;
    }
    this.#at = at;
    return true;
  }

  #binary(value: Uint8Array): void {
    const { length } = value;
    this.#reserve(5 + length);
    if (length < 0x100) this.#uint(0xc4, 1, length);
    else if (length < 0x10000) this.#uint(0xc5, 2, length);
    else this.#uint(0xc6, 4, length);
    this.#bytes.set(value, this.#at);
    this.#at += length;
  }

  /** `few`: the token that holds lengths below 16 itself; `more`: the one before a length of 16 bits. */
  #length(length: number, few: number, more: number): void {
    if (length < 16) this.#byte(few | length);
    else if (length < 0x10000) this.#uint(more, 2, length);
    else this.#uint(more + 1, 4, length);
  }

  #list(list: unknown[]): void {
    const { length } = list;
    this.#length(length, 0x90, 0xdc);
    for (let index = 0; index < length; index++) this.#write(list[index]);
  }

  #map(map: Record<string, unknown>): void {
    const keys = Object.keys(map);
    this.#length(keys.length, 0x80, 0xde);
    for (const key of keys) {
      this.#text(key);
      this.#write(map[key]);
    }
  }
}

let spare: Writer | undefined = new Writer();

/** Good until the next call. REQUIRES: nothing but what stands above, and no cycles. */
export function pack(value: unknown): Packed {
  const writer = spare ?? new Writer();
  spare = undefined; // a getter may come back in here
  try {
    return writer.pack(value);
  } finally {
    spare = writer;
  }
}

// Reading. One value at a time, and no code of others runs meanwhile: its state stands here.
let source: Uint8Array;
let view: DataView | undefined;
let at = 0;
let end = 0;

/** Exactly one value lies from `from` to `to`. @throws SerializationError */
export function unpack(bytes: Uint8Array, from: number, to: number): unknown {
  source = bytes;
  view = undefined;
  at = from;
  end = Math.min(to, bytes.length);
  const value = read(0);
  if (at !== end) damaged('bytes after the value');
  return value;
}

function damaged(what: string): never {
  throw new SerializationError(`Stored bytes can't be read: ${what} at byte ${at}.`);
}

/** Where the next `length` bytes begin. */
function skip(length: number): number {
  if (length > end - at) damaged('they end too early');
  at += length;
  return at - length;
}

/** Most values hold no number that needs it. */
function numbers(): DataView {
  view ??= new DataView(source.buffer, source.byteOffset, source.byteLength);
  return view;
}

function read(depth: number): unknown {
  const token = source[skip(1)]!;
  if (token < 0x80) return token;
  if (token >= 0xe0) return token - 0x100;
  if (token < 0x90) return readMap(token & 15, depth);
  if (token < 0xa0) return readList(token & 15, depth);
  if (token < 0xc0) return readText(token & 31);
  if (token >= 0xdc) {
    const length = readUint(token & 1 ? 4 : 2);
    return token < 0xde ? readList(length, depth) : readMap(length, depth);
  }
  if (token >= 0xd9) return readText(readUint(1 << (token - 0xd9)));
  return readToken(token);
}

function readToken(token: number): unknown {
  switch (token) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc4:
    case 0xc5:
    case 0xc6: {
      const length = readUint(1 << (token - 0xc4));
      const start = skip(length);
      return source.subarray(start, start + length);
    }
    case 0xca:
      return numbers().getFloat32(skip(4));
    case 0xcb:
      return numbers().getFloat64(skip(8));
    case 0xcc:
    case 0xcd:
    case 0xce:
      return readUint(1 << (token - 0xcc));
    case 0xcf:
      return numbers().getBigUint64(skip(8));
    case 0xd0:
      return numbers().getInt8(skip(1));
    case 0xd1:
      return numbers().getInt16(skip(2));
    case 0xd2:
      return numbers().getInt32(skip(4));
    case 0xd3:
      return numbers().getBigInt64(skip(8));
    case 0xd4:
      if (source[skip(2)] === 0) return undefined;
      return damaged('an unknown extension');
    default:
      return damaged('an unknown token');
  }
}

function readUint(size: number): number {
  const start = skip(size);
  let value = source[start]!;
  for (let index = 1; index < size; index++) value = value * 0x100 + source[start + index]!;
  return value;
}

/** Each entry of what is `count` long takes `least` bytes. */
function enter(count: number, least: number, depth: number): void {
  if (count * least > end - at) damaged('a length beyond the end');
  if (depth === MAX_DEPTH) damaged(`more than ${MAX_DEPTH} levels`);
}

function readList(length: number, depth: number): unknown[] {
  enter(length, 1, depth);
  // Not made as long as it says: each level of damaged bytes would get its memory.
  const list: unknown[] = [];
  for (let index = 0; index < length; index++) list.push(read(depth + 1));
  return list;
}

function readMap(length: number, depth: number): Record<string, unknown> {
  enter(length, 2, depth);
  const map: Record<string, unknown> = {};
  for (let index = 0; index < length; index++) {
    const key = readKey();
    const value = read(depth + 1);
    if (key === '__proto__') Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
    else map[key] = value;
  }
  return map;
}

function readText(length: number): string {
  const start = skip(length);
  if (length > SHORT_TEXT) return decoder.decode(source.subarray(start, start + length));
  const bytes = source;
  for (let index = start; index < at; index++) if (bytes[index]! > 127) return decoder.decode(bytes.subarray(start, at));
  let text = '';
  let index = start;
  for (; index + 8 <= at; index += 8) {
    text += fromCharCode(
      bytes[index]!, bytes[index + 1]!, bytes[index + 2]!, bytes[index + 3]!,
      bytes[index + 4]!, bytes[index + 5]!, bytes[index + 6]!, bytes[index + 7]!,
    );
  }
  for (; index + 2 <= at; index += 2) text += fromCharCode(bytes[index]!, bytes[index + 1]!);
  return index < at ? text + fromCharCode(bytes[index]!) : text;
}

/** Names of properties come again and again: those met last, by their first and last letters and length. */
const keys: (string | undefined)[] = new Array(256).fill(undefined);

function readKey(): string {
  const token = source[skip(1)]!;
  if (token >= 0xd9 && token <= 0xdb) return readText(readUint(1 << (token - 0xd9)));
  if (token < 0xa0 || token >= 0xc0) damaged('a key that is no text');
  const length = token & 31;
  const start = skip(length);
  const slot = (length * 61 + source[start]! * 7 + source[at - 1]!) & 255;
  const known = keys[slot];
  if (known !== undefined && isAt(known, start, length)) return known;
  at = start;
  return (keys[slot] = readText(length));
}

function isAt(text: string, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) if (text.charCodeAt(index) !== source[start + index]) return false;
  return true;
}
