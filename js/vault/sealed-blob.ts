/**
 * A blob that is sealed, piece by piece, so that no file is in memory as a whole.
 *
 *   sealed blob := magic {8} · size f64 · sealed piece{pieces}      (keys.ts; of `pieceBytes` plain, the last one what is left)
 *
 * Each piece says which of how many it is, of which blob, and how large that is: pieces that were swapped, doubled,
 * left out or taken from another blob do not open.
 */
import { PayloadLostError, StorageLockedError } from '../errors.ts';
import { about, keyOf, type Keys, sealBytes } from './keys.ts';

const magic = [0x68, 0x64, 0x66, 0x74, 0x5e, 0xa1, 0xed, 0x01];
const headBytes = 16;
const pieceBytes = 1024 * 1024;

const countOf = (size: number): number => Math.max(1, Math.ceil(size / pieceBytes));

export async function sealBlob(keys: Keys, namespace: string, id: string, blob: Blob): Promise<Blob> {
  const head = new Uint8Array(headBytes);
  head.set(magic);
  new DataView(head.buffer).setFloat64(8, blob.size, true);
  const parts: BlobPart[] = [head];
  for (let index = 0; index < countOf(blob.size); index++) {
    const bytes = new Uint8Array(await blob.slice(index * pieceBytes, (index + 1) * pieceBytes).arrayBuffer());
    // The browser may keep a Blob where it likes; bytes of ours would all be in memory.
    parts.push(new Blob([await keys.seal(bytes, about('blob', namespace, id, blob.size, index))]));
  }
  return new Blob(parts);
}

/** One that was stored before there was a key is given as it is. @throws PayloadLostError StorageLockedError */
export async function openBlob(keys: Keys, namespace: string, id: string, stored: Blob): Promise<Blob> {
  const size = await sealedSize(stored);
  if (size === undefined) return stored;
  const parts: Blob[] = [];
  for (let index = 0; index < countOf(size); index++) {
    const at = headBytes + index * (pieceBytes + sealBytes);
    const bytes = new Uint8Array(await stored.slice(at, at + Math.min(pieceBytes, size - index * pieceBytes) + sealBytes).arrayBuffer());
    parts.push(new Blob([await openPiece(keys, bytes, about('blob', namespace, id, size, index), id)]));
  }
  return new Blob(parts);
}

async function openPiece(keys: Keys, bytes: Uint8Array, place: Uint8Array<ArrayBuffer>, id: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await keys.open(bytes, place, `The stored blob ${id}`);
  } catch (error) {
    if (error instanceof StorageLockedError) throw error;
    throw new PayloadLostError((error as Error).message, { cause: error, data: { blobId: id } });
  }
}

/** Of what is in it; undefined: it is not sealed. */
async function sealedSize(stored: Blob): Promise<number | undefined> {
  const head = new Uint8Array(await stored.slice(0, headBytes).arrayBuffer());
  if (head.length < headBytes || magic.some((byte, index) => head[index] !== byte)) return undefined;
  return new DataView(head.buffer).getFloat64(8, true);
}

/** Which key has sealed it; undefined: none. */
export async function keyOfBlob(stored: Blob): Promise<string | undefined> {
  if ((await sealedSize(stored)) === undefined) return undefined;
  return keyOf(new Uint8Array(await stored.slice(headBytes, headBytes + sealBytes).arrayBuffer()));
}
