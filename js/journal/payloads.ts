/**
 * Where payload bytes live in memory, and what a run's envelope looks like:
 *
 *   envelope := header length u32 · input length u32 · header · input · metadata     (each by codec.ts)
 *   header   := [id, task identifier, name | null, extras | null]
 *   record   := key length u32 (bits 0-23), kind (24-31) · [attempt u32, unless kind is 0] · key · value
 *                                                                                    (each by codec.ts)
 *
 * Invariant: bytes handed out are never overwritten; a chunk is left to its runs and a new one begun.
 */
import type { CacheCallOption } from '../cache/checks.ts';
import { BLOB_THRESHOLD, type BlobReference, decode, encode, PayloadWriter, type WriterOptions, writerOptions } from '../codec/codec.ts';
import type { Deferred } from '../dependencies/types.ts';
import type { Process } from '../definition/process.ts';
import type { KeepHandle } from '../codec/web-kinds.ts';
import { SerializationError, type SerializedError } from '../errors.ts';
import { type ResolvedLimits, resolveLimits } from '../intake/limits.ts';
import type { RunItem } from '../types.ts';
import type { NetworkMode } from '../network/types.ts';
import type { Policy } from '../intake/options.ts';
import type { PayloadBytes } from '../runs/run.ts';

const chunkBytes = 256 * 1024;

/** What becomes of the files in an input: `persistPayload`. */
export type FilePolicy = 'copy' | 'none' | 'handle';

export interface EnvelopeHeader {
  id: string;
  identifier: string;
  name: string | undefined;
  extras: EnvelopeExtras | undefined;
  /** To be written: what a member was asked for under, where its family says no key. */
  place?: string | undefined;
}

/** What a run needs of its options after a reload and the core does not keep. */
export interface EnvelopeExtras {
  queue?: string;
  /** Only where the call gave one of its own; the definition's is known by its code. */
  policy?: Policy;
  simulate?: { intervalMs: number; maxIncrement: number; cap: number; asymptotic: boolean; estimated?: boolean };
  replayOf?: string;
  /** Of a child: its parent's id and that of the topmost one, what it was asked for under. */
  family?: { parent: string; root: string; key?: string; depth: number; fingerprint: number; item?: RunItem };
  /** The input is a pair: parsed, and as it was given. */
  raw?: true;
  /** Of the definition. */
  version?: number | string;
  tags?: readonly string[];
  propagateTags?: true;
  /** Options of the tree of runs that it stands in. */
  process?: Process;
  /** What the call said about caching. */
  cache?: CacheCallOption;
  /** The text of its key. */
  key?: string;
  /** Its input is computed when it first starts. */
  deferred?: Deferred;
  /** The mode that its call gave. */
  network?: NetworkMode;
}

export class PayloadArea {
  #writer = new PayloadWriter({}, chunkBytes);
  #values = writerOptions({});
  /** By what becomes of the files in it. */
  #inputs: Record<FilePolicy, WriterOptions> = { copy: this.#values, none: this.#values, handle: this.#values };
  #metadata = writerOptions({});
  /** Names, ids and errors: never beside, never large. */
  readonly #small = writerOptions({ blobs: 'refuse' });
  /** Records of another run, of which each was measured when it was written. */
  readonly #records = writerOptions({ blobs: 'refuse', blobThreshold: Number.POSITIVE_INFINITY, valueLimit: 2 ** 29 });
  #lastHeader: (Omit<EnvelopeHeader, 'id'> & { rest: Uint8Array }) | undefined;
  /** References of the last payload written. */
  blobs: BlobReference[] | undefined;

  limits!: ResolvedLimits;
  /** Stores a file handle, and gives what stands for it. */
  keepHandle!: KeepHandle;

  constructor() {
    this.setLimits(resolveLimits());
  }

  /** For what is written from now on. */
  setLimits(limits: ResolvedLimits): void {
    this.limits = limits;
    const { inlineBytes, valueBytes, metadataBytes, blobBytes, largeFiles } = limits;
    const blobThreshold = Math.min(BLOB_THRESHOLD, inlineBytes);
    const common = { valueLimit: valueBytes, outsideAbove: inlineBytes, blobThreshold, blobLimit: blobBytes };
    const copied = { ...common, ...(largeFiles === 'page' && { inPageAbove: blobBytes }) };
    this.#inputs = {
      copy: writerOptions(copied),
      none: writerOptions({ ...common, inPageAbove: -1 }),
      handle: writerOptions({ ...copied, keepHandle: (...handle) => this.keepHandle(...handle) }),
    };
    this.#values = writerOptions(common);
    this.#metadata = writerOptions({ valueLimit: metadataBytes, blobThreshold: metadataBytes, blobs: 'refuse' });
  }

  /** @throws SerializationError naming the path below `input` or `metadata`; nothing is written then */
  writeEnvelope(header: EnvelopeHeader, input: unknown, metadata: unknown, files: FilePolicy = 'copy'): PayloadBytes {
    const writer = this.#fresh();
    const start = writer.position;
    try {
      writer.skip(8);
      const head = this.#writeHeader(header);
      const body = this.#part(input, 'input', this.#inputs[files]);
      this.#part(metadata, 'metadata', this.#metadata);
      writer.setUint32(start, head);
      writer.setUint32(start + 4, body);
      return this.#written(start);
    } catch (error) {
      writer.reset(start);
      throw error;
    }
  }

  /** Most runs differ from the one before in their id alone: the rest of the header is copied. */
  #writeHeader({ id: own, identifier, name, extras, place }: EnvelopeHeader): number {
    const id = place === undefined ? own : own + placeMark + place;
    const last = this.#lastHeader;
    if (!last || last.identifier !== identifier || last.name !== name || !sameFields(last.extras, extras)) {
      const rest = encode([identifier, name ?? null, extras ?? null], 'run').bytes;
      this.#lastHeader = { identifier, name, extras, rest };
    }
    const { rest } = this.#lastHeader!;
    this.#writer.options = this.#small;
    return this.#writer.writeListWith(id, rest) || this.#writer.write([id, identifier, name ?? null, extras ?? null], 'run');
  }

  /** @throws SerializationError naming the path below `what`; nothing is written then */
  writeRecord(key: string, kind: number, attempt: number, value: unknown, what: string): PayloadBytes {
    const writer = this.#fresh();
    const start = writer.position;
    try {
      writer.skip(8);
      writer.setUint32(start + 4, attempt);
      writer.options = this.#small;
      writer.setUint32(start, (writer.write(key, 'key') | (kind << 24)) >>> 0);
      this.#part(value, what, this.#values);
      return this.#written(start);
    } catch (error) {
      writer.reset(start);
      throw error;
    }
  }

  /** marks · length of header u8 · header · value */
  writeMarked(marks: readonly number[], header: unknown, value: unknown, rootName: string): PayloadBytes {
    const writer = this.#fresh();
    const start = writer.position;
    try {
      writer.skip(marks.length + 1);
      writer.options = this.#small;
      const head = writer.write(header, 'header');
      this.#part(value, rootName, this.#values);
      writer.chunk.set([...marks, head], start);
      return this.#written(start);
    } catch (error) {
      writer.reset(start);
      throw error;
    }
  }

  writeValue(value: unknown, rootName: string): PayloadBytes {
    const start = this.#fresh().position;
    this.#part(value, rootName, this.#values);
    return this.#written(start);
  }

  /** As it stands in an envelope. */
  writeMetadata(metadata: unknown): PayloadBytes {
    const start = this.#fresh().position;
    this.#part(metadata, 'metadata', this.#metadata);
    return this.#written(start);
  }

  /** Records as bytes, always in the journal. */
  writeRecords(records: readonly Uint8Array[]): PayloadBytes {
    const start = this.#fresh().position;
    this.#part(records, 'steps', this.#records);
    return this.#written(start);
  }

  writeError(error: SerializedError): PayloadBytes {
    const start = this.#fresh().position;
    this.#part(error, 'error', this.#small);
    return this.#written(start);
  }

  #written(start: number): PayloadBytes {
    const { chunk, position } = this.#writer;
    if (this.blobs) {
      this.#writer.placeEntries(this.blobs);
      for (const reference of this.blobs) reference.make = reference.begin?.();
    }
    return { bytes: chunk, start, length: position - start };
  }

  #fresh(): PayloadWriter {
    this.blobs = undefined;
    if (this.#writer.position > chunkBytes - 8192) this.#writer = new PayloadWriter({}, chunkBytes);
    return this.#writer;
  }

  #part(value: unknown, rootName: string, options: WriterOptions): number {
    this.#writer.options = options;
    const length = this.#writer.write(value, rootName);
    const { blobs } = this.#writer;
    if (blobs) this.blobs = this.blobs ? [...this.blobs, ...blobs] : blobs;
    return length;
  }
}

/** Between the id of a member and its place. */
export const placeMark = '\u0000';

/** The same values under the same names; objects count as the same only where they are one. */
function sameFields(one: object | undefined, other: object | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  let fields = 0;
  for (const name in one) {
    if ((one as any)[name] !== (other as any)[name]) return false;
    fields++;
  }
  for (const _ in other) fields--;
  return fields === 0;
}

function uint32(payload: PayloadBytes, offset: number): number {
  const { bytes, start } = payload;
  const at = start + offset;
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function section(payload: PayloadBytes, offset: number, length: number): Uint8Array {
  if (offset + length > payload.length) throw new SerializationError("A stored run can't be read: its envelope is damaged.");
  return payload.bytes.subarray(payload.start + offset, payload.start + offset + length);
}

/** Believes nothing: other scripts of the origin can write what is read here. @throws SerializationError */
export function readHeader(envelope: PayloadBytes): EnvelopeHeader {
  const header: unknown = decode(section(envelope, 8, uint32(envelope, 0)));
  const [id, identifier, name, extras] = Array.isArray(header) ? header : [];
  const family = extras?.family;
  if (typeof id === 'string' && typeof family === 'object' && family !== null && family.key === undefined) return placedHeader(id, identifier, name, extras);
  const named = [id, identifier, name ?? ''].every((part) => typeof part === 'string');
  if (!named || id === '' || typeof (extras ?? {}) !== 'object') throw new SerializationError("A stored run can't be read: its header is damaged.");
  return { id, identifier, name: name ?? undefined, extras: extras ?? undefined };
}

/** A member's place stands behind its id, so that the rest is the same for all members. */
function placedHeader(text: string, identifier: any, name: any, extras: any): EnvelopeHeader {
  const mark = text.lastIndexOf(placeMark);
  if (mark < 1 || typeof identifier !== 'string' || typeof (name ?? '') !== 'string') throw new SerializationError("A stored run can't be read: its header is damaged.");
  return { id: text.slice(0, mark), identifier, name: name ?? undefined, extras: { ...extras, family: { ...extras.family, key: text.slice(mark + 1) } } };
}

/** As readHeader, but one that can't be read gets a name: it is shown, and keeps nobody else from being read. */
export function knownHeader(envelope: PayloadBytes, task: number): EnvelopeHeader {
  try {
    return readHeader(envelope);
  } catch {
    return { id: `unreadable_${task}`, identifier: 'unreadable', name: "A stored run that can't be read", extras: undefined };
  }
}

export function inputBytes(envelope: PayloadBytes): Uint8Array {
  return section(envelope, 8 + uint32(envelope, 0), uint32(envelope, 4));
}

export function readMetadata(envelope: PayloadBytes): Record<string, any> {
  const offset = 8 + uint32(envelope, 0) + uint32(envelope, 4);
  return decode(section(envelope, offset, envelope.length - offset)) ?? {};
}

/** As readMetadata, but what can't be read is none. */
export function knownMetadata(envelope: PayloadBytes): Record<string, any> {
  try {
    const metadata: unknown = readMetadata(envelope);
    return typeof metadata === 'object' && metadata !== null ? metadata : {};
  } catch {
    return {};
  }
}

const recordHeaderBytes = (payload: PayloadBytes): number => (payload.bytes[payload.start + 3] === 0 ? 4 : 8);

/** @throws SerializationError */
export function readRecord(payload: PayloadBytes): { key: string; kind: number; attempt: number } {
  const head = uint32(payload, 0);
  const header = recordHeaderBytes(payload);
  const key: unknown = decode(section(payload, header, head & 0xffffff));
  if (typeof key !== 'string') throw new SerializationError("A recorded step can't be read: its key is damaged.");
  return { key, kind: head >>> 24, attempt: header === 4 ? 0 : uint32(payload, 4) };
}

export function recordValueBytes(payload: PayloadBytes): Uint8Array {
  const offset = recordHeaderBytes(payload) + (uint32(payload, 0) & 0xffffff);
  return section(payload, offset, payload.length - offset);
}

export function payloadBytes(payload: PayloadBytes): Uint8Array {
  return section(payload, 0, payload.length);
}
