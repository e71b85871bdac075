/**
 * From what a handler returned (raw) to a run's output, and to what is stored of both and back:
 *
 *   raw → select → output schema → output
 *   raw → serialize → stored in the cache → deserialize → raw
 *   output → kept with the run → output        by the same serializer, where there is no select
 *
 * Invariant: a reading goes through the same steps as the first time, so an output never depends on
 * whether it was stored; people's functions get copies of their own.
 */
import { clone } from '../codec/codec.ts';
import type { CachePlan } from './options.ts';
import type { CacheEntry } from './types.ts';

/** What comes after select: the output schema. Gives the output, or throws. */
export type Finish = (value: unknown) => unknown;

/** A value as the codec keeps it. */
export interface Stored {
  value: unknown;
  /** It went through the task's `serialize`. */
  serialized: boolean;
}

export interface Kept extends Stored {
  /** What `serialize` threw; the value is kept as it is then. */
  problem?: unknown;
}

/** Of a raw value, for the cache; by value. Throws what `serialize` throws. @throws SerializationError */
export function toStored(plan: CachePlan, raw: unknown): Stored {
  const { serialize } = plan.options;
  return serialize ? { value: clone(serialize(raw), 'serialized output'), serialized: true } : { value: clone(raw, 'output'), serialized: false };
}

/** `value` is handed over. Throws what `deserialize` throws. */
export function fromStored(plan: CachePlan, { value, serialized }: Stored): unknown {
  if (!serialized) return value;
  const { deserialize } = plan.options;
  if (!deserialize) throw new Error('it was stored by a serializer that the task has no more');
  return deserialize(value);
}

/** Of an output, for its run; by value. @throws SerializationError */
export function keep(plan: CachePlan, output: unknown): Kept {
  const { serialize } = plan.options;
  if (!serialize || plan.spec.select) return { value: clone(output, 'result'), serialized: false };
  try {
    return { value: clone(serialize(output), 'result'), serialized: true };
  } catch (problem) {
    return { value: clone(output, 'result'), serialized: false, problem };
  }
}

/** A copy of its own for each who asks. Throws what `deserialize` throws. */
export function give(plan: CachePlan, { value, serialized }: Kept): unknown {
  return fromStored(plan, { value: clone(value, 'result'), serialized });
}

/** What select made of it when it was stored, if that still counts. */
export function derivedOf({ spec }: CachePlan, { derived }: CacheEntry): { value: unknown } | undefined {
  const isToday = derived !== undefined && spec.select !== undefined && derived.version === spec.selectVersion;
  return isToday ? { value: derived.value } : undefined;
}
