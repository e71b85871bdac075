/**
 * The durable surface that other engines have too. A definition that keeps to it imports nothing, and
 * can be run by whatever implements these verbs: see PORTABLE.md. `TaskContext` is one of these contexts.
 */
import type { Duration, Instant, ProgressReport, RetryOptions } from '../types.ts';
import type { TaskLog } from './types.ts';

/** In place of its ordinal, for code that makes them in no fixed order. */
interface Identified {
  id?: string;
}

export interface PortableStepOptions extends Identified {
  retry?: RetryOptions;
}

export interface PortableContext {
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal;
  /** From 1. An engine that replays begins the code again without a new attempt. */
  readonly attempt: { readonly number: number };
  readonly task: { readonly id: string };
  readonly log: TaskLog;
  /** Computed once, recorded before the code goes on; the value is one that can be cloned. */
  step<Value>(name: string, compute: () => Value | Promise<Value>, options?: PortableStepOptions): Promise<Value>;
  /** Another definition, found by its name, as a run of its own. */
  run<Output = any>(name: string, input: unknown, options?: Identified): Promise<Output>;
  sleep(duration: Duration, options?: Identified): Promise<void>;
  sleepUntil(instant: Instant, options?: Identified): Promise<void>;
  /** A named event that comes from outside, once; `ok: false` when time ran out. */
  waitFor<Data = any>(
    name: string, options?: Identified & { timeout?: Duration },
  ): PromiseLike<{ readonly ok: true; readonly output: Data } | { readonly ok: false; readonly error: Error }>;
  /** Decided once: milliseconds since the epoch, a number in [0, 1), a UUID. */
  now(): number;
  random(): number;
  uuid(): string;
  /** 0-100, told to who watches; not recorded. */
  progress(report: number | ProgressReport): void;
}

/** A definition as data: what `defineTask` takes, and an adapter to another engine. */
export interface PortableTask<Input = any, Output = any> {
  readonly id: string;
  readonly retry?: RetryOptions;
  run(input: Input, ctx: PortableContext): Promise<Output>;
}
