/**
 * Entries ↔ bytes and Blobs, by the codec that serves runs too: what comes out of a store is what
 * went in, in everything the codec keeps, and nobody else's object.
 */
import { decodeWithBlobs, encode } from '../codec/codec.ts';
import { SerializationError } from '../errors.ts';
import { describe } from '../intake/checks.ts';
import type { CacheEntry } from './types.ts';

export interface PackedEntry {
  bytes: Uint8Array<ArrayBuffer>;
  blobs: Blob[];
}

/** Far beyond what a run's result may take; an own limit is the store's. */
const ownLimit = 2 ** 30;

/** @throws SerializationError naming the path below `value` */
export function pack(entry: CacheEntry): PackedEntry {
  return packValue(entry, 'entry');
}

/** @throws SerializationError naming the path below `rootName` */
export function packValue(value: unknown, rootName = 'value'): PackedEntry {
  const { bytes, blobs = [] } = encode(value, rootName, { valueLimit: ownLimit, blobThreshold: ownLimit });
  return { bytes, blobs: blobs.map(({ blob }) => blob ?? readOnce(rootName)) };
}

/** What comes out of a stream goes to one reader. @throws SerializationError */
function readOnce(rootName: string): never {
  throw new SerializationError(`${rootName} holds a stream, a request or a response, which is read once and can't be kept. Return its bytes.`);
}

/** @throws SerializationError, PayloadLostError */
export async function unpack({ bytes, blobs }: PackedEntry): Promise<CacheEntry> {
  return decodeWithBlobs(bytes, async (_, index) => blobs[index]!);
}

export function sizeOf({ bytes, blobs }: PackedEntry): number {
  return blobs.reduce((sum, { size }) => sum + size, bytes.length);
}

/**
 * Believes nothing: stores are written by other versions, other tabs, other scripts of the origin.
 * @throws SerializationError for what is no entry
 */
export function checkEntry(found: unknown): asserts found is CacheEntry {
  const entry = found as Partial<CacheEntry> | null;
  const isTime = (time: unknown) => time === undefined || typeof time === 'number';
  const isSound =
    typeof entry === 'object' && entry !== null && 'value' in entry && (typeof entry.version === 'string' || Number.isInteger(entry.version)) &&
    typeof entry.createdAt === 'number' && isTime(entry.expiresAt) && isTime(entry.staleUntil) &&
    typeof entry.meta === 'object' && entry.meta !== null && typeof entry.meta.taskId === 'string';
  if (!isSound) throw new SerializationError(`The cache gave something that is no entry: ${describe(found)}.`);
}

/** All of an entry but what it keeps. */
export function withoutValue({ value: _value, derived: _derived, ...rest }: CacheEntry): Omit<CacheEntry, 'value' | 'derived'> {
  return rest;
}
