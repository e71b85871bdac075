/**
 * Values for `postMessage`, exact like stored ones: a plain tree as it is, anything else as the graph
 * of codec/graph-writer.ts, which `postMessage` copies without loss. Binary values are copied here
 * and their copies transferred, so the sender keeps its own and the receiving thread copies nothing.
 */
import { SerializationError } from '../errors.ts';
import { CROSSING, IN_MEMORY } from './clone.ts';
import { GraphReader } from './graph-reader.ts';
import { GraphWriter } from './graph-writer.ts';
import { NodeKind } from './kinds.ts';
import { isPlain } from './plain.ts';

export type ValueMessage = { plain: unknown } | { graph: unknown[] };

/** @throws NotCloneableError TooDeepError with the path below `rootName` */
export function toMessage(value: unknown, rootName: string): { value: ValueMessage; transfer: ArrayBuffer[] } {
  const transfer: ArrayBuffer[] = [];
  if (isPlain(value, IN_MEMORY.limit)) return { value: { plain: value }, transfer };
  const graph = new GraphWriter(rootName, CROSSING).write(value);
  for (const node of graph) {
    if (!Array.isArray(node) || node[0] !== NodeKind.binary) continue;
    const bytes = (node[2] as Uint8Array).slice() as Uint8Array<ArrayBuffer>;
    node[2] = bytes;
    transfer.push(bytes.buffer);
  }
  return { value: { graph }, transfer };
}

/** @throws SerializationError */
export function fromMessage(message: ValueMessage): unknown {
  if ('plain' in message) return message.plain;
  try {
    return new GraphReader(message.graph, [], undefined, 'own').read();
  } catch (error) {
    if (error instanceof SerializationError) throw error;
    throw new SerializationError("A message can't be read.", { cause: error });
  }
}
