/**
 * What is in a Blob, in 32 bytes. Up to 4 MiB its SHA-256; of a larger one the SHA-256 of the SHA-256s of
 * its slices of 4 MiB, one after the other: the browser's own SHA-256 can't be given a file piece by
 * piece, and one in JavaScript takes seven times as long (2.3 s instead of 0.3 s for 100 MB).
 *
 * Two Blobs have the same content when digest *and size* are the same: the digests of a large one's
 * slices, taken as a small one, have its digest.
 *
 * Invariants: a Blob is read at most once, whoever asks. A few at a time, each two slices ahead at most:
 * a thousand files dropped at once neither fill the memory nor the page's queue.
 */
import { readHex } from '../codec/blob-list.ts';
import { knownDigest, rememberDigest } from '../codec/known-digests.ts';
import { SerializationError } from '../errors.ts';

export const digestSlice = 4 * 1024 * 1024;

const atOnce = 4;

type Hash = (bytes: ArrayBuffer) => Promise<Uint8Array<ArrayBuffer>>;

const reading = new WeakMap<Blob, Promise<string>>();

/** 64 hexadecimal digits. @throws SerializationError for a file that can't be read any more */
export async function digestOf(blob: Blob): Promise<string> {
  const known = knownDigest(blob);
  if (known !== undefined) return known;
  let read = reading.get(blob);
  if (!read) {
    read = inTurn(() => readAndHash(blob));
    reading.set(blob, read);
    const forget = () => reading.delete(blob);
    read.then(forget, forget);
  }
  const digest = await read;
  rememberDigest(blob, digest);
  return digest;
}

let busy = 0;
const waiting: (() => void)[] = [];

async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (busy < atOnce) busy++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else busy--;
  }
}

async function readAndHash(blob: Blob): Promise<string> {
  const hash = await hasher();
  const count = Math.max(1, Math.ceil(blob.size / digestSlice));
  const digests = new Uint8Array(count * 32);
  // The next slice is read while this one is hashed.
  let next = slice(blob, 0);
  for (let index = 0; index < count; index++) {
    const bytes = await next;
    if (index + 1 < count) {
      next = slice(blob, index + 1);
      next.catch(() => {});
    }
    digests.set(await hash(bytes), index * 32);
  }
  return readHex(count === 1 ? digests : await hash(digests.buffer));
}

async function hasher(): Promise<Hash> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (subtle) return async (bytes) => new Uint8Array(await subtle.digest('SHA-256', bytes));
  // A page without https.
  const { sha256 } = await import('@noble/hashes/sha2.js');
  return async (bytes) => sha256(new Uint8Array(bytes)) as Uint8Array<ArrayBuffer>;
}

function slice(blob: Blob, index: number): Promise<ArrayBuffer> {
  return blob
    .slice(index * digestSlice, (index + 1) * digestSlice)
    .arrayBuffer()
    .catch((cause) => {
      const name = typeof File === 'function' && blob instanceof File && blob.name ? `The file ${JSON.stringify(blob.name)}` : 'A Blob';
      throw new SerializationError(`${name} can't be read: it was changed, moved or removed since it was chosen. Choose it again.`, { cause });
    });
}
