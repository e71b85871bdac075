/**
 * What stays readable of a log that is sealed: how many runs there are, since when, and how they ended. Without
 * it a person whose key is wrong would look at an empty list.
 *
 *   outline := entry{entries}
 *   entry   := task u32 · what u32 · time f64
 *
 * Numbers of tasks count up from 1 within a log; nothing in them says what a task is.
 */
import { bareFrames } from '../codec/frames.ts';
import * as P from '../protocol.ts';

export const OutlineLive = 1;
export const OutlineCompleted = 2;
export const OutlineFailed = 3;
export const OutlineCancelled = 4;
const OutlineForgotten = 5;
const OutlineCreatedAt = 6;

const entryBytes = 16;

export interface Outlined {
  task: number;
  what: number;
  createdAt: number;
  updatedAt: number;
}

const meanings: ReadonlyMap<number, number> = new Map([
  [P.EventCreated, OutlineLive], [P.EventRetried, OutlineLive], [P.EventSucceeded, OutlineCompleted],
  [P.EventFailed, OutlineFailed], [P.EventCancelled, OutlineCancelled], [P.EventForgotten, OutlineForgotten],
]);

function meaningOf(kind: number, a: number, b: number): number | undefined {
  if (kind !== P.EventRestored) return meanings.get(kind);
  if (a === P.RestoredFieldCreatedAt) return OutlineCreatedAt;
  if (a !== P.RestoredFieldState) return undefined;
  const state = b & 0xf;
  if (state === P.StateSucceeded) return OutlineCompleted;
  if (state === P.StateFailed) return OutlineFailed;
  return state === P.StateCancelled ? OutlineCancelled : OutlineLive;
}

/** Of frames, wherever in a log they stand. */
export function outlineOf(frames: Uint8Array): Uint8Array<ArrayBuffer> {
  const entries: [task: number, what: number, at: number][] = [];
  for (const { events, eventCount } of bareFrames(frames)) {
    const view = new DataView(frames.buffer, frames.byteOffset + events, eventCount * P.RecordBytes);
    for (let at = 0; at < view.byteLength; at += P.RecordBytes) {
      const what = meaningOf(view.getUint32(at, true), view.getUint32(at + 8, true), view.getUint32(at + 12, true));
      if (what !== undefined) entries.push([view.getUint32(at + 4, true), what, view.getFloat64(at + 16, true)]);
    }
  }
  const outline = new Uint8Array(entries.length * entryBytes);
  const view = new DataView(outline.buffer);
  entries.forEach(([task, what, at], index) => {
    view.setUint32(index * entryBytes, task, true);
    view.setUint32(index * entryBytes + 4, what, true);
    view.setFloat64(index * entryBytes + 8, at, true);
  });
  return outline;
}

/** The runs of outlines, in their order. */
export function readOutlines(outlines: Iterable<Uint8Array>): Outlined[] {
  const tasks = new Map<number, Outlined>();
  for (const outline of outlines) {
    const view = new DataView(outline.buffer, outline.byteOffset, outline.byteLength);
    for (let at = 0; at + entryBytes <= view.byteLength; at += entryBytes)
      take(tasks, view.getUint32(at, true), view.getUint32(at + 4, true), view.getFloat64(at + 8, true));
  }
  return [...tasks.values()];
}

function take(tasks: Map<number, Outlined>, task: number, what: number, at: number): void {
  if (what === OutlineForgotten) return void tasks.delete(task);
  const known = tasks.get(task);
  if (what === OutlineCreatedAt) {
    if (known) known.createdAt = at;
  } else if (known) Object.assign(known, { what, updatedAt: at });
  else tasks.set(task, { task, what, createdAt: at, updatedAt: at });
}
