/** What the cache needs of the orchestrator, and how long it waits for a store. */
import type { Clock } from '../time/clock.ts';
import { StorageBlockedError } from '../errors.ts';
import type { Run } from '../runs/run.ts';
import type { ProgressReport } from '../types.ts';
import type { CachePlan } from './options.ts';
import type { Stored } from './outputs.ts';
import type { Cache, CacheEntry, CacheEvents, CacheKeyContext } from './types.ts';

export interface CacheHost {
  readonly clock: Clock;
  has(name: keyof CacheEvents): boolean;
  emit<Name extends keyof CacheEvents>(name: Name, ...args: CacheEvents[Name]): void;
  warn(message: string): void;
  /** The task's store, or the default one. */
  storeOf(plan: CachePlan): Promise<Cache>;
  keyContextOf(run: Run): CacheKeyContext;
  rootIdOf(run: Run): string;
  isPaused(run: Run): boolean;
  /** Gives the run's slot back; it stays alive. */
  park(run: Run, attempt: number): void;
  /** Lets a parked run queue for a slot; `resumed` tells when it has one. */
  wake(run: Run): void;
  /** What runs for one run goes on for another, parked one. false: it can't, nothing has changed. */
  handOver(from: Run, to: Run): boolean;
  /** Gives the attempt up without counting it. */
  interrupt(run: Run): void;
  /** Bytes that it takes as the result of a run. @throws SerializationError where it can't be one */
  resultBytes(kept: Stored): number;
  progressed(run: Run, attempt: number, report: number | ProgressReport): void;
  /** Computes the entry anew, as a run of its own; settles when that has ended. */
  revalidate(run: Run, plan: CachePlan): Promise<void>;
}

const storeLimitMs = 5000;

/** Settles as `work` does, or rejects after 5 s: a store that hangs must not hang a run. One that answers at once may. */
export function limited<T>(clock: Clock, doing: string, work: T | Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.schedule(clock.now() + storeLimitMs, () =>
      reject(new StorageBlockedError(`The cache did not answer within ${storeLimitMs} ms while ${doing}.`)),
    );
    Promise.resolve(work).then(
      (value) => (cancel(), resolve(value)),
      (error: unknown) => (cancel(), reject(error)),
    );
  });
}

/** Reads without counting as use. */
export function peek(clock: Clock, store: Cache, key: string): Promise<CacheEntry | undefined> {
  return limited(clock, 'reading', store.peek ? store.peek(key) : store.get(key));
}
