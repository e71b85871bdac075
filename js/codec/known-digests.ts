/**
 * What is known of the content of Blobs: a file that came out of the store, or was read once, is not
 * read again to learn that it is the same. Blobs never change, so what is known of one stays true.
 */
const digests = new WeakMap<Blob, string>();

/** The digest (blobs/digest.ts) in 64 hexadecimal digits; undefined: nobody has read it yet. */
export function knownDigest(blob: Blob): string | undefined {
  return digests.get(blob);
}

export function rememberDigest(blob: Blob, digest: string): void {
  digests.set(blob, digest);
}

/** `copy` has the bytes of `blob`; gives `copy`. */
export function shareDigest<Copy extends Blob>(blob: Blob, copy: Copy): Copy {
  const known = digests.get(blob);
  if (known !== undefined) digests.set(copy, known);
  return copy;
}
