/**
 * Payloads ↔ bytes: inputs, results, step results, metadata. The same codec serves what is live and
 * what is replayed, so a run never sees a different value after a reload.
 *
 *   bytes   := 0 plain | 1 graph | 2 blob list, graph
 *   plain   := MessagePack of a plain tree (codec/plain.ts)                      the hot path
 *   graph   := MessagePack of a list of nodes (codec/graph-writer.ts)            everything else
 *   blobs   := count u32 little-endian, count × (kind u8: 0 blob, 1 bytes; id 8 bytes)
 *
 * Exact: Map, Set, Date, BigInt, RegExp (without lastIndex), URL, undefined, NaN, ±Infinity, -0, typed
 * arrays and views (only their own bytes), ArrayBuffer, DataView, Error with its own properties,
 * DOMException, Blob, File, null prototypes, cycles, sharing, every string, the key `__proto__`,
 * registered classes. Not kept: holes of arrays (become undefined), symbol keys, properties of arrays,
 * getters (their value is stored), sharing of one buffer by several views, classes of Errors.
 *
 * Invariants: a value is refused as a whole or stored as a whole; decoding believes nothing and
 * throws nothing but SerializationError (and PayloadLostError for blobs that are gone).
 */

import { GraphReader, type ResolveBlob } from './codec/graph-reader.ts';
import { type BlobReference, type GraphOptions, GraphWriter } from './codec/graph-writer.ts';
import { pack, unpack } from './codec/message-pack.ts';
import { isPlain } from './codec/plain.ts';
import { notReadable, tooLarge } from './codec/refuse.ts';
import { PayloadLostError, SerializationError } from './errors.ts';

export { clone } from './codec/clone.ts';
export { type CustomCodec, registerCodec } from './codec/kinds.ts';
export type { BlobReference, ResolveBlob };

const PLAIN = 0;
const GRAPH = 1;
const GRAPH_WITH_BLOBS = 2;
const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const UNDEFINED_EXTENSION = 0xd4;
const UINT8 = 0xcc;
const UINT16 = 0xcd;
const UINT32 = 0xce;
/** Arrays and texts whose length stands in the token itself: up to 15 and 31. */
const SHORT_ARRAY = 0x90;
const SHORT_TEXT = 0xa0;

export const INLINE_LIMIT = 1024 * 1024;
export const BLOB_THRESHOLD = 64 * 1024;

export interface EncodeOptions {
  /** Largest encoding, blobs not counted. Default 1 MiB. */
  inlineLimit?: number;
  /** Binary values above this are stored as blobs. Default 64 KiB. */
  blobThreshold?: number;
  /** 16 hexadecimal digits, never the same twice. Default: random. */
  randomId?: () => string;
}

export interface Encoded {
  bytes: Uint8Array<ArrayBuffer>;
  /** To be stored before the bytes are. */
  blobs: BlobReference[] | undefined;
}

function randomId(): string {
  let id = '';
  for (const part of crypto.getRandomValues(new Uint32Array(2))) id += part.toString(16).padStart(8, '0');
  return id;
}

function graphOptions(options: EncodeOptions): GraphOptions {
  return {
    limit: options.inlineLimit ?? INLINE_LIMIT,
    blobThreshold: options.blobThreshold ?? BLOB_THRESHOLD,
    randomId: options.randomId ?? randomId,
    blobs: 'store',
  };
}

/**
 * Encodes one value after the other into one growing chunk.
 * `bytesFrom` gives views: good until `reset`, or copied.
 */
export class PayloadWriter {
  /** References of the last value written. */
  blobs: BlobReference[] | undefined;
  readonly #options: GraphOptions;
  #chunk: Uint8Array<ArrayBuffer>;
  #position = 0;

  constructor(options: EncodeOptions = {}, initialBytes = 4096) {
    this.#options = graphOptions(options);
    this.#chunk = new Uint8Array(initialBytes);
  }

  get position(): number {
    return this.#position;
  }

  /** The bytes written so far lie in it; a larger one replaces it when it is full, and this one stays as it is. */
  get chunk(): Uint8Array<ArrayBuffer> {
    return this.#chunk;
  }

  /** Leaves room for `setUint32`. */
  skip(length: number): void {
    this.#reserve(length);
    this.#position += length;
  }

  /** Little-endian. */
  setUint32(position: number, value: number): void {
    this.#chunk[position] = value;
    this.#chunk[position + 1] = value >>> 8;
    this.#chunk[position + 2] = value >>> 16;
    this.#chunk[position + 3] = value >>> 24;
  }

  /** @returns how many bytes the value takes @throws SerializationError and nothing is written */
  write(value: unknown, rootName: string): number {
    const start = this.#position;
    this.blobs = undefined;
    this.#reserve(16);
    if (this.#writeShort(value)) return this.#position - start;
    try {
      if (isPlain(value, this.#options.limit)) this.#writePlain(value, rootName);
      else this.#writeGraph(value, rootName);
      return this.#position - start;
    } catch (error) {
      this.#position = start;
      this.blobs = undefined;
      throw error instanceof SerializationError ? error : notReadable(rootName, error);
    }
  }

  /**
   * Writes a list of which all but the first entry, a text, stands in `others`: the encoding of the
   * list without it. @returns how many bytes; 0, and nothing is written, where that can't be done by copying
   */
  writeListWith(first: string, others: Uint8Array): number {
    const { length } = first;
    const count = (others[1] as number) - SHORT_ARRAY;
    if (others[0] !== PLAIN || count < 0 || count > 14 || length > 31) return 0;
    this.blobs = undefined;
    this.#reserve(length + others.length + 1);
    const start = this.#position;
    const chunk = this.#chunk;
    let at = start;
    chunk[at++] = PLAIN;
    chunk[at++] = SHORT_ARRAY + count + 1;
    chunk[at++] = SHORT_TEXT + length;
    for (let i = 0; i < length; i++) {
      const unit = first.charCodeAt(i);
      if (unit > 127) return 0;
      chunk[at++] = unit;
    }
    for (let i = 2; i < others.length; i++) chunk[at++] = others[i] as number;
    this.#position = at;
    return at - start;
  }

  bytesFrom(start: number, end: number = this.#position): Uint8Array<ArrayBuffer> {
    return this.#chunk.subarray(start, end);
  }

  /** Takes back what was written from `position` on. */
  reset(position = 0): void {
    this.#position = position;
    this.blobs = undefined;
  }

  /** Nothing, yes, no and whole numbers are most results. */
  #writeShort(value: unknown): boolean {
    const token = shortToken(value);
    if (token < 0) return typeof value === 'number' && value >>> 0 === value && 1 / value > 0 && this.#writeWhole(value);
    this.#byte(PLAIN);
    this.#byte(token);
    if (token === UNDEFINED_EXTENSION) {
      this.#byte(0);
      this.#byte(0);
    }
    return true;
  }

  /** As MessagePack has whole numbers from 128 to 2^32 - 1: the shortest form, big-endian. */
  #writeWhole(value: number): boolean {
    this.#byte(PLAIN);
    this.#byte(value < 0x100 ? UINT8 : value < 0x10000 ? UINT16 : UINT32);
    if (value >= 0x10000) {
      this.#byte(value >>> 24);
      this.#byte(value >>> 16);
    }
    if (value >= 0x100) this.#byte(value >>> 8);
    this.#byte(value);
    return true;
  }

  #writePlain(value: unknown, rootName: string): void {
    this.#byte(PLAIN);
    this.#append(value, rootName);
  }

  #writeGraph(value: unknown, rootName: string): void {
    const writer = new GraphWriter(rootName, this.#options);
    const graph = writer.write(value);
    const { blobs } = writer;
    this.#byte(blobs.length ? GRAPH_WITH_BLOBS : GRAPH);
    if (blobs.length) this.#writeBlobList(blobs);
    this.#append(graph, rootName);
    if (blobs.length) this.blobs = blobs;
  }

  #writeBlobList(blobs: readonly BlobReference[]): void {
    this.#reserve(4 + blobs.length * 9);
    new DataView(this.#chunk.buffer).setUint32(this.#position, blobs.length, true);
    this.#position += 4;
    for (const { id, kind } of blobs) {
      this.#byte(kind === 'bytes' ? 1 : 0);
      for (let i = 0; i < 16; i += 2) this.#byte(Number.parseInt(id.slice(i, i + 2), 16));
    }
  }

  #append(value: unknown, rootName: string): void {
    const packed = pack(value);
    const length = packed.end - packed.start;
    if (length > this.#options.limit) throw tooLarge(rootName, length, this.#options.limit);
    this.#reserve(length);
    if (length > 64) this.#chunk.set(packed.subarray(packed.start, packed.end), this.#position);
    else for (let i = 0; i < length; i++) this.#chunk[this.#position + i] = packed[packed.start + i] as number;
    this.#position += length;
  }

  #byte(byte: number): void {
    this.#chunk[this.#position++] = byte;
  }

  #reserve(length: number): void {
    const needed = this.#position + length;
    if (needed <= this.#chunk.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#chunk.length * 2));
    larger.set(this.#chunk.subarray(0, this.#position));
    this.#chunk = larger;
  }
}

function shortToken(value: unknown): number {
  if (value === undefined) return UNDEFINED_EXTENSION;
  if (value === null) return NIL;
  if (typeof value === 'boolean') return value ? TRUE : FALSE;
  return typeof value === 'number' && value >>> 0 === value && value < 128 && 1 / value > 0 ? value : -1;
}

/** @throws NotCloneableError TooDeepError PayloadTooLargeError, each with the path below `rootName` */
export function encode(value: unknown, rootName: string, options: EncodeOptions = {}): Encoded {
  const writer = new PayloadWriter(options, 64);
  writer.write(value, rootName);
  return { bytes: writer.bytesFrom(0), blobs: writer.blobs };
}

/** Ids of the blobs that `decode` will ask for; cheap where there are none. */
export function blobIds(bytes: Uint8Array): string[] {
  return bytes[0] === GRAPH_WITH_BLOBS ? blobList(bytes).map(({ id }) => id) : [];
}

function blobList(bytes: Uint8Array): { id: string; kind: BlobReference['kind'] }[] {
  const count = bytes.length >= 5 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(1, true) : -1;
  if (count < 0 || count > (bytes.length - 5) / 9)
    throw new SerializationError("Stored bytes can't be read: a damaged list of blobs.");
  return Array.from({ length: count }, (_, i) => {
    const at = 5 + i * 9;
    let id = '';
    for (let j = 1; j < 9; j++) id += (bytes[at + j] as number).toString(16).padStart(2, '0');
    return { id, kind: bytes[at] === 1 ? 'bytes' : 'blob' };
  });
}

/**
 * Gives the value. Bytes that refer to blobs need `resolveBlob`; large binary values were stored as
 * blobs too and must be given as ArrayBuffer, which `decodeWithBlobs` does.
 * @throws SerializationError whatever the bytes are @throws PayloadLostError for a blob that is gone
 */
export function decode(bytes: Uint8Array, resolveBlob?: ResolveBlob): any {
  try {
    return decodeUnguarded(bytes, resolveBlob);
  } catch (error) {
    if (error instanceof SerializationError || error instanceof PayloadLostError) throw error;
    throw new SerializationError("Stored bytes can't be read.", { cause: error });
  }
}

/** What `#writeShort` wrote, and anything else that is short. */
function decodeShort(bytes: Uint8Array, length: number): unknown {
  const token = bytes[1] as number;
  if (length === 2 && token < 128) return token;
  if (length === 4 && token === UINT16) return ((bytes[2] as number) << 8) | (bytes[3] as number);
  if (length === 6 && token === UINT32) {
    const high = ((bytes[2] as number) << 8) | (bytes[3] as number);
    return high * 0x10000 + (((bytes[4] as number) << 8) | (bytes[5] as number));
  }
  return unpack(bytes, 1, length);
}

function decodeUnguarded(bytes: Uint8Array, resolveBlob?: ResolveBlob): unknown {
  const { length } = bytes;
  switch (bytes[0]) {
    case PLAIN:
      return length <= 6 ? decodeShort(bytes, length) : unpack(bytes, 1, length);
    case GRAPH:
      return new GraphReader(unpack(bytes, 1, length), [], resolveBlob).read();
    case GRAPH_WITH_BLOBS: {
      const ids = blobIds(bytes);
      return new GraphReader(unpack(bytes, 5 + ids.length * 9, length), ids, resolveBlob).read();
    }
    default:
      throw new SerializationError("Stored bytes can't be read: an unknown format, or none.");
  }
}

/** `decode` for bytes with blobs: loads each once, large binary values into memory. */
export async function decodeWithBlobs(bytes: Uint8Array, load: (id: string) => Promise<Blob>): Promise<any> {
  if (bytes[0] !== GRAPH_WITH_BLOBS) return decode(bytes);
  const loaded = await Promise.all(
    blobList(bytes).map(async ({ id, kind }) => {
      const blob = await load(id);
      return [id, kind === 'bytes' ? await blob.arrayBuffer() : blob] as const;
    }),
  );
  const blobs = new Map<string, Blob | ArrayBuffer>(loaded);
  return decode(bytes, (id) => blobs.get(id));
}
