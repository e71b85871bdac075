/** SHA-256 of texts and bytes, at once. Of Blobs: ../blobs/digest.ts. */
import { sha256 } from '@noble/hashes/sha2.js';

const utf8 = new TextEncoder();

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
