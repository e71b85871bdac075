/**
 * The only place that knows msgpackr (its entry without `new Function`, for strict CSPs).
 *
 * It is used for what MessagePack itself says: nil, booleans, numbers, 64 bit integers, well-formed
 * strings, byte strings, arrays, and maps with string keys as plain objects; and one extension,
 * `d4 00 00` for undefined. None of msgpackr's own extensions (records, references, bundled strings,
 * dates, errors, typed arrays) is written, and `verify` refuses them before msgpackr sees the bytes:
 * what is decoded is checked first for lengths, depth and tokens, so hostile bytes can neither make
 * it allocate more than they are long nor reach the less trodden paths of the library.
 */
import { Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE, Unpackr } from 'msgpackr/index-no-eval';
import { SerializationError } from '../errors.ts';
import { MAX_DEPTH } from './kinds.ts';

/** msgpackr's own buffer: a Buffer where there are any, it relies on that. */
const KEPT_BYTES = 256 * 1024;
/** The package is compiled without Node's types. */
const NodeBuffer = (globalThis as { Buffer?: { alloc(length: number): Uint8Array } }).Buffer;

const packr = new Packr({ useRecords: false, structuredClone: false, moreTypes: false });
const unpackr = new Unpackr({ useRecords: false, structuredClone: false, mapsAsObjects: true });

/** Bytes `start` to `end` of the result; they are overwritten by the next call. */
export function pack(value: unknown): Uint8Array & { start: number; end: number } {
  const packed = packr.pack(value, REUSE_BUFFER_MODE | RESET_BUFFER_MODE);
  // It grows to many times a large value and would keep that for good.
  if (packed.length > KEPT_BYTES)
    packr.useBuffer(NodeBuffer ? NodeBuffer.alloc(8192) : new Uint8Array(8192));
  return packed;
}

export function unpack(bytes: Uint8Array, start: number, end: number): unknown {
  verify(bytes, start, end);
  return unpackr.unpack(bytes, { start, end });
}

function damaged(position: number, what: string): never {
  throw new SerializationError(`Stored bytes can't be read: ${what} at byte ${position}.`);
}

/** What follows each fixed-width token from 0xc0: its bytes, or -1 where it is not simply that. */
const FIXED = [
  0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
];

/** Bytes left at every open level, as counts of values still to come. */
const openLevels = new Int32Array(MAX_DEPTH + 1);

/** Throws unless `start` to `end` is exactly one well-formed value of the subset above. */
function verify(bytes: Uint8Array, start: number, end: number): void {
  let position = start;
  let depth = 0;
  let left = 1;
  for (;;) {
    while (left === 0) {
      if (depth === 0) {
        if (position !== end) damaged(position, 'bytes after the value');
        return;
      }
      left = openLevels[--depth] as number;
    }
    if (position >= end) damaged(position, 'they end too early');
    left--;
    const token = bytes[position++] as number;
    if (token < 0x80 || token >= 0xe0) continue;
    let count = -1;
    if (token < 0xa0) count = token < 0x90 ? (token & 15) * 2 : token & 15;
    else if (token < 0xc0) position += token & 31;
    else {
      const width = FIXED[token & 31] as number;
      if (width >= 0) position += width;
      else if (token >= 0xdc) {
        const size = token & 1 ? 4 : 2;
        count = readLength(bytes, position, size, end) * (token >= 0xde ? 2 : 1);
        position += size;
      } else if (token === 0xd4) {
        if (bytes[position] !== 0) damaged(position, 'an unknown extension');
        position += 2;
      } else {
        const size = lengthBytes(token, position);
        position += size + readLength(bytes, position, size, end);
      }
    }
    if (position > end) damaged(position, 'they end too early');
    if (count < 0) continue;
    if (count > end - position) damaged(position, 'a length beyond the end');
    if (depth === MAX_DEPTH) damaged(position, `more than ${MAX_DEPTH} levels`);
    openLevels[depth++] = left;
    left = count;
  }
}

/** How many bytes give the length of a string or byte string. */
function lengthBytes(token: number, position: number): number {
  if (token === 0xc4 || token === 0xd9) return 1;
  if (token === 0xc5 || token === 0xda) return 2;
  if (token === 0xc6 || token === 0xdb) return 4;
  return damaged(position, 'an unknown token');
}

function readLength(bytes: Uint8Array, position: number, size: number, end: number): number {
  if (position + size > end) damaged(position, 'they end too early');
  let length = 0;
  for (let i = 0; i < size; i++) length = length * 256 + (bytes[position + i] as number);
  return length;
}
