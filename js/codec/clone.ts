/**
 * Copies by value without bytes in between: the same walk, the same refusals, the same result as
 * encoding and decoding, but Blobs and Files, which are immutable, are kept as they are.
 */
import { SerializationError } from '../errors.ts';
import { GraphReader } from './graph-reader.ts';
import { type GraphOptions, GraphWriter } from './graph-writer.ts';
import { copyPlain, isPlain } from './plain.ts';
import { notReadable } from './refuse.ts';

/** Beyond any value a page can work with; a bound against arrays of four billion holes. */
const CLONE_LIMIT = 2 ** 31;

export const IN_MEMORY: GraphOptions = {
  limit: CLONE_LIMIT,
  blobThreshold: CLONE_LIMIT,
  blobs: 'keep',
  randomId: () => '',
};

/** For what goes to other threads and tabs too, where nothing that is read once can be cloned. */
export const CROSSING: GraphOptions = { ...IN_MEMORY, crossing: true };

/** A copy by value; primitives are given as they are. @throws NotCloneableError TooDeepError PayloadTooLargeError */
export function clone<Value>(value: Value, rootName: string, options = IN_MEMORY): Value {
  const type = typeof value;
  if (options === IN_MEMORY && type !== 'object' && type !== 'function' && type !== 'symbol') return value;
  try {
    if (isPlain(value, options.limit)) return copyPlain(value);
    const graph = new GraphWriter(rootName, options).write(value);
    return new GraphReader(graph, [], undefined, 'shared').read() as Value;
  } catch (error) {
    throw error instanceof SerializationError ? error : notReadable(rootName, error);
  }
}
