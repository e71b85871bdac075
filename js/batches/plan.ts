/**
 * What a batch is to do, as its run keeps it: the names of its tasks, and its items in pieces that are
 * encoded once and read one after the other.
 *
 * Invariant: a plan is whole before its run is made; what can't be kept, or is no item, is told by the
 * index of the item and changes nothing.
 */
import { decode, encode } from '../codec/codec.ts';
import type { TriggerOptions } from '../types.ts';

/** Place among the plan's tasks (or the id, of an item of a source), payload, options of the item's own. */
export type PlannedItem = readonly [task: number | string, payload: unknown, options?: TriggerOptions];

export interface BatchPlan {
  readonly tasks: readonly string[];
  readonly count: number;
  /** Encoded lists of items … */
  readonly pieces?: readonly Uint8Array[];
  /** … or, where they have files, the items themselves. Neither: they come from a source of the page. */
  readonly items?: readonly PlannedItem[];
  readonly concurrency?: number | undefined;
  readonly failureThreshold?: number | undefined;
  /** Of every item, where its own say nothing. */
  readonly options?: TriggerOptions | undefined;
  /** The batch's key, of which its items have theirs. */
  readonly key?: string | readonly string[] | undefined;
  /** Keys of items are given on behalf of the run that it is a child of. */
  readonly isAsked?: boolean;
  readonly highWater?: number | undefined;
  readonly onSourceError?: 'continue' | 'cancel' | undefined;
  /** Ids of tasks that are told how it goes. */
  readonly onItem?: string;
  readonly onProgress?: string;
}

const pieceItems = 512;

/** @throws SerializationError of the item that can't be kept; `index` in its data */
export function packItems(items: readonly PlannedItem[], valueLimit: number): Pick<BatchPlan, 'pieces' | 'items'> {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < items.length; start += pieceItems) {
    const { bytes, blobs } = encode(items.slice(start, start + pieceItems), 'items', { valueLimit: pieceItems * valueLimit });
    if (blobs?.length) return { items };
    pieces.push(bytes);
  }
  return { pieces };
}

export function* itemsOf({ pieces, items }: BatchPlan): Generator<PlannedItem, void, undefined> {
  if (items) yield* items;
  for (const piece of pieces ?? []) yield* decode(piece) as PlannedItem[];
}
