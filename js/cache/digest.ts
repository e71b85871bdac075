/**
 * Digests: SHA-256 of texts, at once; of Blobs by their content, read in slices, so that a file of any
 * size costs the memory of one slice.
 *
 * A Blob's content never changes, so it is read once.
 */
import { sha256 } from '@noble/hashes/sha2.js';

/** What the page's thread hashes in one go: some milliseconds. */
const sliceBytes = 512 * 1024;

const utf8 = new TextEncoder();
const known = new WeakMap<Blob, string>();

function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

/** 64 hexadecimal digits. */
export function digestText(text: string): string {
  return toHex(sha256(utf8.encode(text)));
}

/** 64 hexadecimal digits. */
export function digestBytes(bytes: Uint8Array): string {
  return toHex(sha256(bytes));
}

/** The digest of a Blob that `digestBlob` has seen. */
export function knownDigest(blob: Blob): string | undefined {
  return known.get(blob);
}

/** 64 hexadecimal digits. Rejects where the file behind the Blob can't be read any more. */
export async function digestBlob(blob: Blob): Promise<string> {
  const found = known.get(blob);
  if (found !== undefined) return found;
  const hash = sha256.create();
  for (let start = 0; start < blob.size; start += sliceBytes) hash.update(new Uint8Array(await blob.slice(start, start + sliceBytes).arrayBuffer()));
  const digest = toHex(hash.digest());
  known.set(blob, digest);
  return digest;
}
