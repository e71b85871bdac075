/**
 * What is in the payloads of a run, by part: where values lie in them, and which blobs those refer to.
 * Invariant: believes nothing; bytes that can't be read are a SerializationError.
 */
import { valueOf } from '../cache/mark.ts';
import { type BlobEntry, blobEntries, decode, decodeWithBlobs, encode, refersToBlobs } from '../codec/codec.ts';
import { type BlobReference, settleReference } from '../codec/blob-list.ts';
import { digestOf } from '../blobs/digest.ts';
import { NotCloneableError, SerializationError } from '../errors.ts';
import { NoteKind } from '../journal/notes.ts';
import { type EnvelopeHeader, inputBytes, payloadBytes, readHeader, readRecord, recordValueBytes } from '../journal/payloads.ts';
import type { PayloadBytes } from '../runs/run.ts';
import { isStreamNote } from '../streams/log.ts';
import type { Part } from './lines.ts';

type Bytes = Uint8Array<ArrayBuffer>;
export type LoadBlob = (entry: BlobEntry) => Promise<Blob>;

/** One value within a payload. */
export interface Section {
  /** `input`, `metadata`, `step`, `output`, `error`, `note`. */
  what: string;
  /** Of a step: what it is recorded under. */
  key?: string;
  bytes: Uint8Array;
}

/** What is shown of a file handle, whose content is not stored: `redact` may keep it, and cannot read it. */
export class ShownHandle {
  readonly kind = 'file';
  readonly name: string;
  readonly #ticket: Blob;

  constructor(name: string, ticket: Blob) {
    this.name = name;
    this.#ticket = ticket;
  }

  get [Symbol.toStringTag](): string {
    return 'FileSystemFileHandle';
  }
  getFile(): Promise<never> {
    return Promise.reject(new DOMException('What a file handle stands for is not exported.', 'NotAllowedError'));
  }

  /** What is stored for it. @throws NotCloneableError for another handle */
  static async ticketOf(handle: object, path: string): Promise<Blob> {
    if (handle instanceof ShownHandle) return handle.#ticket;
    throw new NotCloneableError(`${path} is a file handle that this run has not been given. Give one of the value, or a File.`, { data: { path } });
  }
}

// By this the codec knows it, whatever a bundler calls the class.
Object.defineProperty(ShownHandle, 'name', { value: 'FileSystemFileHandle' });

const whole = (bytes: Uint8Array): PayloadBytes => ({ bytes, start: 0, length: bytes.length });

const notes: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(NoteKind).map(([name, kind]) => [kind, name]));

/** @param noteKind of a note @throws SerializationError */
export function sectionsOf(part: Part, payload: Uint8Array, noteKind = 0): Section[] {
  const all = whole(payload);
  if (part === 'input') {
    const input = inputBytes(all);
    return [{ what: 'input', bytes: input }, { what: 'metadata', bytes: payload.subarray(input.byteOffset - payload.byteOffset + input.length) }];
  }
  if (part === 'step') return [{ what: 'step', key: readRecord(all).key, bytes: recordValueBytes(all) }];
  if (part === 'note') return sectionsOfNote(payload, noteKind);
  return [{ what: part, bytes: payloadBytes(valueOf(all)) }];
}

/** @throws SerializationError */
function sectionsOfNote(payload: Uint8Array, noteKind: number): Section[] {
  const note = { what: 'note', key: notes[noteKind] ?? String(noteKind) };
  if (isStreamNote(noteKind)) return [{ ...note, bytes: recordValueBytes(whole(payload)) }];
  if (noteKind !== NoteKind.Forked) return [{ ...note, bytes: payload }];
  let at = 0;
  return recordsOf(payload).map((record) => {
    // Where it lies: its blobs get other names where they come to.
    at = indexOf(payload, record, at);
    const bytes = recordValueBytes(whole(payload.subarray(at, (at += record.length))));
    return { ...note, bytes };
  });
}

function recordsOf(payload: Uint8Array): Uint8Array[] {
  const records = decode(payload) as unknown;
  if (!Array.isArray(records) || !records.every((record) => record instanceof Uint8Array)) throw new SerializationError('What a fork has taken over is not a list of records.');
  return records;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = from; at + wanted.length <= bytes.length; at++) if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  throw new SerializationError('A record that a fork has taken over is not where it is said to be.');
}

/** Of these `redact` could see only bytes: they are left out of what is redacted. */
export const isOpaque = (noteKind: number): boolean => isStreamNote(noteKind) || noteKind === NoteKind.Forked;

/** @throws SerializationError */
export function headerOf(payload: Uint8Array) {
  return readHeader(whole(payload));
}

/** Of values that came with digests: those of holdfast 0.1 are named by chance. */
export function blobsIn(sections: readonly Section[]): { entry: BlobEntry; bytes: Uint8Array; at: number }[] {
  return sections.flatMap(({ bytes }) => {
    if (!refersToBlobs(bytes)) return [];
    return blobEntries(bytes).flatMap((entry, index) => (entry.digest === undefined ? [] : [{ entry, bytes, at: 5 + index * 49 }]));
  });
}

/** Of such an entry, so that the keeper can store its blob and put in what it is called here. */
export function referenceOf({ entry, bytes, at }: ReturnType<typeof blobsIn>[number], blob: Blob): BlobReference {
  return { id: entry.id, size: blob.size, type: blob.type, kind: entry.kind, blob, entry: { chunk: bytes, at } };
}

/** What people see in an export: JSON, with a word for what JSON has none for. */
export async function shownOf(bytes: Uint8Array): Promise<unknown> {
  try {
    const standIn: LoadBlob = async ({ kind, size }) => {
      if (kind === 'handle') return new ShownHandle('', new Blob([])) as never;
      if (kind === 'value') throw new Error(`a large value of ${size} bytes, stored beside`);
      // Nobody reads it; how large it is is looked at.
      return Object.defineProperty(new Blob([]), 'size', { value: size });
    };
    return JSON.parse(JSON.stringify((await decodeWithBlobs(bytes, standIn)) ?? null, showing)) as unknown;
  } catch (error) {
    return `[not shown: ${(error as Error).message}]`;
  }
}

function showing(this: any, key: string, value: unknown): unknown {
  const given: unknown = this[key];
  if (typeof File === 'function' && given instanceof File) return `[File ${given.name} ${given.type}]`;
  if (given instanceof Blob) return `[Blob ${given.type}]`;
  if (given instanceof ShownHandle) return '[FileSystemFileHandle]';
  if (given instanceof Map || given instanceof Set) return { [given.constructor.name]: [...given] };
  if (given instanceof Error) return { [given.name]: given.message };
  if (ArrayBuffer.isView(given) || given instanceof ArrayBuffer) return `[${given.byteLength} bytes]`;
  if (typeof value === 'bigint') return `${value}n`;
  return value;
}

export interface Anew {
  bytes: Bytes;
  /** By their names, which go by their digests. */
  blobs: Map<string, { blob: Blob; kind: BlobReference['kind'] }>;
}

export async function encodeAnew(value: unknown, what: string): Promise<Anew> {
  const { bytes, blobs = [] } = encode(value, what, { keepHandle: ShownHandle.ticketOf });
  const own = bytes.slice() as Bytes;
  const found: Anew['blobs'] = new Map();
  for (const [index, reference] of blobs.entries()) {
    const make = reference.begin?.();
    const blob = reference.blob ?? (await make!(Number.MAX_SAFE_INTEGER));
    const digest = await digestOf(blob);
    reference.size = blob.size;
    reference.entry = { chunk: own, at: 5 + index * 49 };
    settleReference(reference, digest.slice(0, 16), digest);
    found.set(reference.id, { blob, kind: reference.kind });
  }
  return { bytes: own, blobs: found };
}

/** An `input` payload with another header. */
export function withHeader(payload: Uint8Array, { id, identifier, name, extras }: EnvelopeHeader): Bytes {
  const head = encode([id, identifier, name ?? null, extras ?? null], 'run').bytes;
  const rest = payload.subarray(8 + new DataView(payload.buffer, payload.byteOffset).getUint32(0, true));
  const bytes = new Uint8Array(8 + head.length + rest.length);
  bytes.set(payload.subarray(0, 8));
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 8);
  bytes.set(rest, 8 + head.length);
  return bytes;
}

/** The payload with other values in the places of these. */
export function withSections(part: Part, payload: Uint8Array, old: readonly Section[], fresh: readonly Uint8Array[]): Bytes {
  const begin = old[0]!.bytes.byteOffset - payload.byteOffset;
  const head = payload.slice(0, begin);
  if (part === 'input') new DataView(head.buffer).setUint32(4, fresh[0]!.length, true);
  const all = [head, ...fresh];
  const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const one of all) {
    bytes.set(one, at);
    at += one.length;
  }
  return bytes;
}
