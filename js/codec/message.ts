/**
 * Values for `postMessage`, exact like stored ones: a plain tree as it is, anything else as the graph
 * of codec/graph-writer.ts, which `postMessage` copies without loss. Binary values are copied here
 * and their copies transferred, so the sender keeps its own and the receiving thread copies nothing;
 * what is to be moved (workers/transfer.ts) is transferred itself.
 */
import { SerializationError } from '../errors.ts';
import { CROSSING, IN_MEMORY } from './clone.ts';
import { knowGivenFiles } from './given-file.ts';
import { GraphReader } from './graph-reader.ts';
import { GraphWriter } from './graph-writer.ts';
import { NodeKind } from './kinds.ts';
import { isPlain } from './plain.ts';
import { moves } from '../workers/transfer.ts';

knowGivenFiles();

export type ValueMessage = { plain: unknown } | { graph: unknown[] };

/** @param move everything that can be @throws NotCloneableError TooDeepError with the path below `rootName` */
export function toMessage(value: unknown, rootName: string, move = false): { value: ValueMessage; transfer: ArrayBuffer[] } {
  const transfer: ArrayBuffer[] = [];
  if (isPlain(value, IN_MEMORY.limit)) return { value: { plain: value }, transfer };
  const graph = new GraphWriter(rootName, CROSSING).write(value);
  for (const node of graph) {
    if (!Array.isArray(node) || node[0] !== NodeKind.binary) continue;
    const own = node[2] as Uint8Array<ArrayBuffer>;
    const bytes = moves(own, move) && !transfer.includes(own.buffer) ? own : own.slice();
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
