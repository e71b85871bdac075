/**
 * Payloads ↔ bytes: inputs, results, step results, metadata. The same codec serves what is live and
 * what is replayed, so a run never sees a different value after a reload.
 *
 *   bytes   := 0 plain | 1 graph | 3 blob list with digests, graph
 *            | 4 blob list with digests, whose first blob is the value itself    large ones
 *            | 2 blob list without digests, graph                                not written any more
 *   plain   := MessagePack of a plain tree (codec/plain.ts)                      the hot path
 *   graph   := MessagePack of a list of nodes (codec/graph-writer.ts)            everything else
 *   blob list: codec/blob-list.ts
 *
 * Exact: Map, Set, Date, BigInt, RegExp (without lastIndex), URL, undefined, NaN, ±Infinity, -0, typed
 * arrays and views (only their own bytes), ArrayBuffer, DataView, Error with its own properties,
 * DOMException, Blob, File, null prototypes, FormData, Headers, URLSearchParams, Request, Response, ReadableStream of
 * bytes or text, ImageBitmap (as PNG, which keeps opaque pixels exactly), cycles, sharing, every string, the key `__proto__`,
 * registered classes. Not kept: holes of arrays (become undefined), symbol keys, properties of arrays,
 * getters (their value is stored), sharing of one buffer by several views, classes of Errors.
 *
 * Invariants: a value is refused as a whole or stored as a whole; decoding believes nothing and
 * throws nothing but SerializationError (and PayloadLostError for blobs that are gone).
 */

import { type BlobEntry, type BlobReference, blobListLength, readBlobList, writeBlobList } from './blob-list.ts';
import { GraphReader, type ResolveBlob } from './graph-reader.ts';
import { type GraphOptions, GraphWriter } from './graph-writer.ts';
import { rememberDigest } from './known-digests.ts';
import { pack, unpack } from './message-pack.ts';
import { isPlain } from './plain.ts';
import { notReadable, tooLarge } from './refuse.ts';
import { type KeepHandle, textBody } from './web-kinds.ts';
import { PayloadLostError, SerializationError } from '../errors.ts';

export { clone } from './clone.ts';
export { type CustomCodec, registerCodec } from './kinds.ts';
export type { BlobEntry, BlobReference, ResolveBlob };

const PLAIN = 0;
const GRAPH = 1;
const GRAPH_WITH_BLOBS = 2;
const GRAPH_WITH_DIGESTS = 3;
const OUTSIDE = 4;
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

export const VALUE_LIMIT = 1024 * 1024;
export const BLOB_THRESHOLD = 64 * 1024;

export interface EncodeOptions {
  /** Largest encoding, blobs not counted. Default 1 MiB. */
  valueLimit?: number;
  /** Binary values above this are stored as blobs. Default 64 KiB. */
  blobThreshold?: number;
  /** Larger encodings are stored as blobs as a whole. Default: none is. */
  outsideAbove?: number;
  /** Largest blob. Default: no limit. */
  blobLimit?: number;
  /** Larger Blobs and Files are marked to stay in the page. Default: none is. */
  inPageAbove?: number;
  /** Stores file handles and gives what stands for them. Default: they are refused. */
  keepHandle?: KeepHandle;
  /** Default `store`. */
  blobs?: 'store' | 'refuse';
  /** 16 hexadecimal digits, never the same twice: ids until the references are settled. Default: random. */
  randomId?: () => string;
}

export interface Encoded {
  bytes: Uint8Array<ArrayBuffer>;
  /** To be stored before the bytes are. */
  blobs: BlobReference[] | undefined;
}

export function randomId(): string {
  let id = '';
  for (const part of crypto.getRandomValues(new Uint32Array(2))) id += part.toString(16).padStart(8, '0');
  return id;
}

type Packed = ReturnType<typeof pack>;
export type WriterOptions = GraphOptions & { outsideAbove: number };

export function writerOptions(options: EncodeOptions): WriterOptions {
  return {
    limit: options.valueLimit ?? VALUE_LIMIT,
    blobThreshold: options.blobThreshold ?? BLOB_THRESHOLD,
    outsideAbove: options.outsideAbove ?? Number.POSITIVE_INFINITY,
    blobLimit: options.blobLimit ?? Number.POSITIVE_INFINITY,
    inPageAbove: options.inPageAbove ?? Number.POSITIVE_INFINITY,
    randomId: options.randomId ?? randomId,
    blobs: options.blobs ?? 'store',
    keepHandle: options.keepHandle,
  };
}

/**
 * Encodes one value after the other into one growing chunk.
 * `bytesFrom` gives views: good until `reset`, or copied.
 */
export class PayloadWriter {
  /** References of the last value written. */
  blobs: BlobReference[] | undefined;
  #options: WriterOptions;
  #chunk: Uint8Array<ArrayBuffer>;
  #position = 0;

  constructor(options: EncodeOptions = {}, initialBytes = 4096) {
    this.#options = writerOptions(options);
    this.#chunk = new Uint8Array(initialBytes);
  }

  get position(): number {
    return this.#position;
  }

  /** The bytes written so far lie in it; a larger one replaces it when it is full, and this one stays as it is. */
  get chunk(): Uint8Array<ArrayBuffer> {
    return this.#chunk;
  }

  /** For what is written from now on. */
  set options(options: WriterOptions) {
    this.#options = options;
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
    const packed = this.#pack(value, rootName);
    if (packed.end - packed.start > this.#options.outsideAbove) return this.#putOutside(PLAIN, packed, []);
    this.#byte(PLAIN);
    this.#append(packed);
  }

  #writeGraph(value: unknown, rootName: string): void {
    const writer = new GraphWriter(rootName, this.#options);
    const graph = writer.write(value);
    const { blobs } = writer;
    const packed = this.#pack(graph, rootName);
    if (packed.end - packed.start > this.#options.outsideAbove) return this.#putOutside(GRAPH, packed, blobs);
    this.#byte(blobs.length ? GRAPH_WITH_DIGESTS : GRAPH);
    if (blobs.length) this.#writeBlobList(blobs);
    this.#append(packed);
  }

  /** The value as a blob of its own, before those it refers to. */
  #putOutside(form: number, packed: Packed, blobs: readonly BlobReference[]): void {
    const bytes = packed.subarray(packed.start, packed.end) as Uint8Array<ArrayBuffer>;
    const blob = new Blob([Uint8Array.of(form), bytes]);
    const value = { id: this.#options.randomId(), kind: 'value', size: blob.size, type: '', blob } as const;
    this.#byte(OUTSIDE);
    this.#writeBlobList([value, ...blobs]);
  }

  #writeBlobList(blobs: BlobReference[]): void {
    const length = blobListLength(blobs);
    this.#reserve(length);
    writeBlobList(blobs, this.#chunk, this.#position);
    this.#position += length;
    this.blobs = blobs;
  }

  /** REQUIRES: they were written here since. Their entries lie in the chunk there is now. */
  placeEntries(blobs: readonly BlobReference[]): void {
    for (const { entry } of blobs) if (entry) entry.chunk = this.#chunk;
  }

  #pack(value: unknown, rootName: string): Packed {
    const packed = pack(value);
    const length = packed.end - packed.start;
    if (length > this.#options.limit) throw tooLarge(rootName, length, this.#options.limit);
    return packed;
  }

  #append(packed: Packed): void {
    const length = packed.end - packed.start;
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
  if (writer.blobs) writer.placeEntries(writer.blobs);
  return { bytes: writer.bytesFrom(0), blobs: writer.blobs };
}

/** Does what is encoded there refer to blobs? */
export function refersToBlobs(bytes: Uint8Array, start = 0): boolean {
  const form = bytes[start];
  return form === GRAPH_WITH_DIGESTS || form === OUTSIDE || form === GRAPH_WITH_BLOBS;
}

/** What `decode` will ask for; cheap where there is nothing. @throws SerializationError */
export function blobEntries(bytes: Uint8Array): BlobEntry[] {
  return refersToBlobs(bytes) ? listOf(bytes).entries : [];
}

/**
 * The nodes of a value's graph (grammar in codec/graph-writer.ts) and the blobs they refer to by index.
 * @throws SerializationError PayloadLostError
 */
export async function graphOf(bytes: Uint8Array, load: (entry: BlobEntry) => Promise<Blob>): Promise<{ entries: BlobEntry[]; nodes: unknown[] }> {
  if (!refersToBlobs(bytes)) return { entries: [], nodes: [] };
  const { entries, end } = listOf(bytes);
  if (bytes[0] !== OUTSIDE) return { entries, nodes: asNodes(unpack(bytes, end, bytes.length)) };
  const body = new Uint8Array(await (await load(entries[0]!)).arrayBuffer());
  return { entries: entries.slice(1), nodes: body[0] === GRAPH ? asNodes(unpack(body, 1, body.length)) : [] };
}

function asNodes(graph: unknown): unknown[] {
  if (!Array.isArray(graph)) throw new SerializationError("Stored bytes can't be read: a graph expected.");
  return graph;
}

/** REQUIRES: refersToBlobs */
function listOf(bytes: Uint8Array): { entries: BlobEntry[]; end: number } {
  return readBlobList(bytes, 1, bytes[0] !== GRAPH_WITH_BLOBS);
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

/** A value that lies in a blob of its own; the rest of the list is what it refers to. */
function decodeOutside(entries: readonly BlobEntry[], resolveBlob: ResolveBlob | undefined): unknown {
  const value = entries[0];
  if (value?.kind !== 'value') throw new SerializationError("Stored bytes can't be read: a value expected.");
  const stored = resolveBlob?.(value.id, 0);
  if (!(stored instanceof ArrayBuffer)) throw new PayloadLostError(`The stored value ${value.id} is gone.`, { data: { blobId: value.id } });
  const body = new Uint8Array(stored);
  if (body[0] === PLAIN) return unpack(body, 1, body.length);
  if (body[0] !== GRAPH) throw new SerializationError("Stored bytes can't be read: an unknown format, or none.");
  const ids = entries.slice(1).map(({ id }) => id);
  return new GraphReader(unpack(body, 1, body.length), ids, (id, index) => resolveBlob!(id, index + 1)).read();
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
    case GRAPH_WITH_DIGESTS:
    case GRAPH_WITH_BLOBS: {
      const { entries, end } = listOf(bytes);
      const ids = entries.map(({ id }) => id);
      return new GraphReader(unpack(bytes, end, length), ids, resolveBlob).read();
    }
    case OUTSIDE:
      return decodeOutside(listOf(bytes).entries, resolveBlob);
    default:
      throw new SerializationError("Stored bytes can't be read: an unknown format, or none.");
  }
}

function asKind(kind: BlobEntry['kind'], blob: Blob): ReturnType<ResolveBlob> | Promise<ReturnType<ResolveBlob>> {
  if (kind === 'bytes' || kind === 'value') return blob.arrayBuffer();
  if (kind === 'text') return blob.slice(0, blob.size, textBody);
  return kind === 'image' ? bitmapOf(blob) : blob;
}

/** @throws SerializationError for what is no image, and where there are no bitmaps */
async function bitmapOf(blob: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(blob);
  } catch (cause) {
    throw new SerializationError("A stored bitmap can't be read: its bytes are no image, or there are no bitmaps here.", { cause });
  }
}

/** Can it be read only once, or closed by whoever reads it? Then every reader needs one of its own. @throws SerializationError */
export function isReadOnce(bytes: Uint8Array): boolean {
  return blobEntries(bytes).some(({ kind }) => kind === 'body' || kind === 'text' || kind === 'image');
}

/** `decode` for bytes with blobs: loads each once, large binary values into memory. */
export async function decodeWithBlobs(bytes: Uint8Array, load: (entry: BlobEntry, index: number) => Promise<Blob>): Promise<any> {
  if (!refersToBlobs(bytes)) return decode(bytes);
  // One for each entry, also where two have the same content: what is changed in one is not in the other.
  const loaded = await Promise.all(
    listOf(bytes).entries.map(async (entry, index) => {
      const blob = await load(entry, index);
      if (entry.kind === 'blob' || entry.kind === 'page') {
        if (entry.digest !== undefined) rememberDigest(blob, entry.digest);
        return blob;
      }
      return asKind(entry.kind, blob);
    }),
  );
  return decode(bytes, (_id, index) => loaded[index]);
}
