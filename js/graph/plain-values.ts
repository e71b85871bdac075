/**
 * Values that can be part of a document.
 * Invariant: what has a class, and what is binary, is passed on as it is.
 */
import { TaskSerializationError } from './errors.ts';

/** By value, but for what has a class, and what is binary. */
export function copyPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyPlain);
  if (typeof value !== 'object' || value === null) return value;
  const { constructor } = value;
  if (constructor !== Object && constructor !== undefined) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) copy[key] = copyPlain(each);
  return copy;
}

/** @throws TaskSerializationError that names the place */
export function refuseFunctions(value: unknown, path: string, id: string, type: string, depth = 0): void {
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new TaskSerializationError(`Task ${id} (${type}) can't be stored: ${path} is a ${typeof value}.`, { data: { taskId: id, path } });
  if (typeof value !== 'object' || value === null || depth > 64) return;
  for (const [key, each] of Object.entries(value)) refuseFunctions(each, `${path}.${key}`, id, type, depth + 1);
}
