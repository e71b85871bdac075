/** What the bytes of a value say of the files in it: name, type and time, without reading any of them. */
import { type BlobEntry, graphOf } from '../codec/codec.ts';
import { NodeKind } from '../codec/kinds.ts';

export interface DescribedFile extends BlobEntry {
  /** undefined: it is a Blob without one. */
  name: string | undefined;
  type: string;
  lastModified: number | undefined;
}

/** @param load gives the value itself, where it lies outside @throws SerializationError PayloadLostError */
export async function describeFiles(bytes: Uint8Array, load: (entry: BlobEntry) => Promise<Blob>): Promise<DescribedFile[]> {
  const { entries, nodes } = await graphOf(bytes, load);
  return entries.map((entry, index) => {
    const node = nodes.filter(isFileNode).find((one) => one[1] === index);
    const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
    return {
      ...entry,
      size: entry.size ?? (typeof node?.[2] === 'number' && node[2] >= 0 ? node[2] : undefined),
      type: text(node?.[3]) ?? '',
      name: text(node?.[4]),
      lastModified: typeof node?.[5] === 'number' ? node[5] : undefined,
    };
  });
}

function isFileNode(node: unknown): node is unknown[] {
  return Array.isArray(node) && (node[0] === NodeKind.blob || node[0] === NodeKind.file);
}

