/**
 * Buffers that move between page and worker instead of being copied. A buffer moves when all of it belongs to one
 * value; a view of a part of it is copied, and so is what is met a second time.
 */
import { refuse } from '../intake/checks.ts';

const marked = new WeakSet<ArrayBuffer>();

/** @throws ConfigurationError */
export function markTransfer<Value>(value: Value, list: readonly (ArrayBuffer | ArrayBufferView)[]): Value {
  const where = 'ctx.transfer list';
  if (!Array.isArray(list)) refuse(where, 'an array of ArrayBuffers or views of them', list);
  const buffers = list.map((one): ArrayBuffer => {
    const buffer: unknown = ArrayBuffer.isView(one) ? one.buffer : one;
    return buffer instanceof ArrayBuffer ? buffer : refuse(where, 'an array of ArrayBuffers or views of them', one);
  });
  for (const buffer of buffers) marked.add(buffer);
  return value;
}

/** Is it to be moved? @param all whatever can be is */
export function moves({ buffer, byteLength }: Uint8Array, all: boolean): boolean {
  return byteLength === buffer.byteLength && byteLength > 0 && buffer instanceof ArrayBuffer && (all || marked.has(buffer));
}
