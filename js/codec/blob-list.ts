/**
 * The blobs that bytes refer to, as a list in front of their graph: which they are, and what is in them.
 *
 *   list  := count u32, count × entry                                   little-endian
 *   entry := kind u8 · id 8 bytes · digest 32 bytes · size f64          of a list with digests
 *          | kind u8 · id 8 bytes                                       of one without (holdfast 0.1)
 *
 * A value is encoded at once and its blobs are read later, so an entry is written with a random id and
 * an empty digest, and *settled* when its blob has been read: id, digest and size are put into the bytes.
 *
 * Invariant: an entry is settled before anybody but the writer has seen its bytes.
 */
import { SerializationError } from '../errors.ts';
import type { ReadBody } from './web-kinds.ts';

/** By position: what stands for the kind of an entry. */
const KINDS = ['blob', 'bytes', 'value', 'page', 'body', 'text', 'image', 'handle'] as const;
export type BlobKind = (typeof KINDS)[number];

/** A Blob, File or large binary value that is stored beside the bytes that refer to it. */
export interface BlobReference {
  /** 16 hexadecimal digits; random until it is settled. */
  id: string;
  size: number;
  type: string;
  name?: string;
  lastModified?: number;
  /**
   * `bytes`: a binary value that comes back as such. `value`: the encoding of a value.
   * `page`: a Blob or File that is not stored; the page keeps it. `body`, `text`: what is read once, as bytes or as
   * text. `image`: a bitmap, as PNG. `handle`: what stands for a file handle (blobs/handles.ts).
   */
  kind: BlobKind;
  /** undefined: it is read by `make`. */
  blob: Blob | undefined;
  /** Called once the value as a whole is accepted; what it gives reads the blob. */
  begin?: () => ReadBody;
  make?: ReadBody;
  /** Where its entry stands. */
  entry?: { chunk: Uint8Array; at: number };
}

/** What a list says of a blob. */
export interface BlobEntry {
  id: string;
  kind: BlobKind;
  /** 64 hexadecimal digits; undefined where the list has no digests, or this one was never settled. */
  digest: string | undefined;
  size: number | undefined;
}

const ID = 1;
const DIGEST = 9;
const SIZE = 41;
const LENGTH = 49;
const LENGTH_WITHOUT_DIGEST = 9;

export function blobListLength(references: readonly BlobReference[]): number {
  return 4 + references.length * LENGTH;
}

/** REQUIRES: `blobListLength` bytes of room at `at`. */
export function writeBlobList(references: readonly BlobReference[], chunk: Uint8Array, at: number): void {
  const view = viewOf(chunk);
  view.setUint32(at, references.length, true);
  references.forEach((reference, index) => {
    const entry = at + 4 + index * LENGTH;
    chunk.fill(0, entry, entry + LENGTH);
    chunk[entry] = KINDS.indexOf(reference.kind);
    writeHex(reference.id, chunk, entry + ID);
    view.setFloat64(entry + SIZE, reference.size, true);
    reference.entry = { chunk, at: entry };
  });
}

/** What was read of the blob is put where it is referred to. */
export function settleReference(reference: BlobReference, id: string, digest: string): void {
  reference.id = id;
  if (!reference.entry) return;
  const { chunk, at } = reference.entry;
  chunk[at] = KINDS.indexOf(reference.kind);
  writeHex(id, chunk, at + ID);
  writeHex(digest, chunk, at + DIGEST);
  viewOf(chunk).setFloat64(at + SIZE, reference.size, true);
}

/** `at`: where the list begins. @throws SerializationError */
export function readBlobList(bytes: Uint8Array, at: number, withDigests: boolean): { entries: BlobEntry[]; end: number } {
  const length = withDigests ? LENGTH : LENGTH_WITHOUT_DIGEST;
  const view = viewOf(bytes);
  const count = bytes.length >= at + 4 ? view.getUint32(at, true) : -1;
  if (count < 0 || count > (bytes.length - at - 4) / length) throw damaged();
  const entries: BlobEntry[] = [];
  for (let index = 0; index < count; index++) {
    const entry = at + 4 + index * length;
    const kind = KINDS[bytes[entry] as number];
    if (!kind) throw damaged();
    const digest = withDigests ? readHex(bytes, entry + DIGEST, 32) : emptyDigest;
    const settled = digest !== emptyDigest;
    entries.push({
      id: readHex(bytes, entry + ID, 8),
      kind,
      digest: settled ? digest : undefined,
      size: withDigests ? view.getFloat64(entry + SIZE, true) : undefined,
    });
  }
  return { entries, end: at + 4 + count * length };
}

const emptyDigest = '0'.repeat(64);

function damaged(): SerializationError {
  return new SerializationError("Stored bytes can't be read: a damaged list of blobs.");
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function writeHex(digits: string, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < digits.length; i += 2) bytes[at + i / 2] = Number.parseInt(digits.slice(i, i + 2), 16);
}

export function readHex(bytes: Uint8Array, at = 0, length: number = bytes.length - at): string {
  let digits = '';
  for (let i = at; i < at + length; i++) digits += (bytes[i] as number).toString(16).padStart(2, '0');
  return digits;
}
