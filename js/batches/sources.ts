/**
 * Items that are pulled: iterables, async iterables, streams.
 * Invariant: one item is asked for at a time, and only while there is room; who stops early says so to the source.
 */
import { BatchTriggerError } from '../errors.ts';
import { isPromise } from '../definition/validation.ts';
import type { Run } from '../runs/run.ts';
import type { TaskRunResult } from '../types.ts';

export interface SourceItem {
  readonly task: string;
  readonly payload: unknown;
  readonly options?: any;
}

/** What a batch's run pulls from; it lives in the page that was given the source. */
export interface SourceReader {
  /** At once, where the source gives at once. @throws what the source throws; the signal's reason */
  pull(signal: AbortSignal): IteratorResult<SourceItem, void> | Promise<IteratorResult<SourceItem, void>>;
  /** What to wait for, where who takes the results is slower than the items. */
  room?(): Promise<void> | undefined;
  /** Who takes results hears of each item that has ended, and when that is acknowledged. */
  begins?(): void;
  ended?(member: Run): void;
  told?(index: number, result: TaskRunResult): void;
  stop(): void;
}

export function isSource(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.iterator in value || Symbol.asyncIterator in value || typeof (value as ReadableStream).getReader === 'function';
}

/** A stream without async iteration (Safari) is read by its reader. */
function iteratorOf(source: any): AsyncIterator<unknown> | Iterator<unknown> {
  if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
  if (Symbol.iterator in source) return source[Symbol.iterator]();
  const reader = (source as ReadableStream<unknown>).getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

/** @param check makes an item of what the source gave, or throws what is wrong with it */
export function readSource(source: unknown, check: (given: unknown, index: number) => SourceItem): SourceReader {
  const iterator = iteratorOf(source);
  let index = 0;
  let isOver = false;
  const taken = (result: IteratorResult<unknown>): IteratorResult<SourceItem, void> => {
    if (!result.done) return { done: false, value: check(result.value, index++) };
    isOver = true;
    return { done: true, value: undefined };
  };
  return {
    pull(signal) {
      const next = iterator.next();
      return isPromise(next) ? untilAborted(next, signal).then(taken) : taken(next as IteratorResult<unknown>);
    },
    stop() {
      if (isOver) return;
      isOver = true;
      // A generator that waits answers when it goes on; nobody waits for that.
      void Promise.resolve(iterator.return?.()).catch(() => {});
    },
  };
}

export function untilAborted<Value>(outside: PromiseLike<Value>, signal: AbortSignal): Promise<Value> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    const over = () => signal.removeEventListener('abort', stop);
    outside.then(resolve, reject).then(over, over);
  });
}

/** The page that had it is gone. */
export function lost(itemCount: number): BatchTriggerError {
  return new BatchTriggerError(`The source of this batch went with the page that had it, after ${itemCount} items; these go on. Give the rest to another batch.`, {
    data: { phase: 'stream', itemCount },
  });
}
