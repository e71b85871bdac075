/**
 * A chunk as bytes, and many of them in one payload:
 *
 *   chunks := (length u32, little-endian · chunk by codec.ts)*
 *
 * Invariant: a chunk is taken by value at the call, or refused as a whole.
 */
import { refuse } from '../intake/checks.ts';
import { encode } from '../codec/codec.ts';
import { SerializationError } from '../errors.ts';
import type { StreamOptions } from './types.ts';

export type Mode = NonNullable<StreamOptions['mode']>;

/** Of bytes or text that is piped: a reader need not wait for more. */
const pieceLength = 256 * 1024;

/** @throws ConfigurationError for what is not of the mode */
export function inMode(chunk: unknown, mode: Mode, where: string): unknown {
  if (mode === 'object') return chunk;
  if (mode === 'text') return typeof chunk === 'string' ? chunk : refuse(where, "text: the stream's mode is text", chunk);
  const bytes = bytesOf(chunk);
  return bytes ?? refuse(where, "a Uint8Array or ArrayBuffer: the stream's mode is binary (a Blob is piped: pipe(blob.stream()))", chunk);
}

function bytesOf(chunk: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (!ArrayBuffer.isView(chunk)) return undefined;
  return new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength);
}

/** What is piped, as chunks of the mode: bytes and text are turned into each other, and cut where they are long. */
export class Pieces {
  readonly #mode: Mode;
  readonly #decoder = new TextDecoder();
  readonly #encoder = new TextEncoder();

  constructor(mode: Mode) {
    this.#mode = mode;
  }

  of(chunk: unknown): unknown[] {
    if (this.#mode === 'object') return [chunk];
    const bytes = bytesOf(chunk);
    if (this.#mode === 'binary') return cutBytes(typeof chunk === 'string' ? this.#encoder.encode(chunk) : bytes, chunk);
    return cutText(bytes ? this.#decoder.decode(bytes, { stream: true }) : chunk);
  }

  /** What was half a character. */
  last(): unknown[] {
    return this.#mode === 'text' ? cutText(this.#decoder.decode()) : [];
  }
}

function cutBytes(bytes: Uint8Array<ArrayBuffer> | undefined, chunk: unknown): unknown[] {
  if (!bytes) return [chunk];
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceLength) pieces.push(bytes.subarray(at, at + pieceLength));
  return pieces;
}

function cutText(text: unknown): unknown[] {
  if (typeof text !== 'string' || (text !== '' && text.length <= pieceLength)) return text === '' ? [] : [text];
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + pieceLength);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last < 0xdc00) end--;
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}

/** @throws SerializationError naming the path below `chunk` @throws PayloadTooLargeError */
export function encodeChunk(chunk: unknown, valueLimit: number): Uint8Array<ArrayBuffer> {
  return encode(chunk, 'chunk', { valueLimit, blobThreshold: valueLimit, blobs: 'refuse' }).bytes;
}

export const lengthBytes = 4;

export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const chunk of chunks) length += lengthBytes + chunk.length;
  const whole = new Uint8Array(length);
  const view = new DataView(whole.buffer);
  let at = 0;
  for (const chunk of chunks) {
    view.setUint32(at, chunk.length, true);
    whole.set(chunk, at + lengthBytes);
    at += lengthBytes + chunk.length;
  }
  return whole;
}

/** @throws SerializationError where they are no chunks, or fewer than `count` */
export function splitChunks(whole: Uint8Array, start: number, count: number): Uint8Array[] {
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const chunks: Uint8Array[] = [];
  let at = start;
  for (let index = 0; index < count; index++) {
    const end = at + lengthBytes <= whole.length ? at + lengthBytes + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > whole.length) throw new SerializationError("A stored stream can't be read: its chunks are damaged.");
    chunks.push(whole.subarray(at + lengthBytes, end));
    at = end;
  }
  return chunks;
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}
