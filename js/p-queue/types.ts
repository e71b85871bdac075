/** The shapes of `holdfast/p-queue`, as p-queue 10 has them. */
import type { Clock } from '../time/clock.ts';

export type QueueFunction<Result> = (options: { signal?: AbortSignal | undefined }) => Result | PromiseLike<Result>;

export interface QueueOptions {
  /** Functions at once: an integer from 1, or Infinity (default). */
  readonly concurrency?: number | undefined;
  /** false: nothing begins before `start()`. Default true. */
  readonly autoStart?: boolean | undefined;
  /** So many begin in each `interval`. Default Infinity. */
  readonly intervalCap?: number | undefined;
  /** Milliseconds; 0 (default): no rate. */
  readonly interval?: number | undefined;
  /** What still runs counts in the next interval: no more than `intervalCap` run at once. Default false. */
  readonly carryoverIntervalCount?: boolean | undefined;
  /** In no interval, wherever it lies, begin more than `intervalCap`. Default false: intervals one after the other. */
  readonly strict?: boolean | undefined;
  /** Milliseconds a function may run. Default: any time. */
  readonly timeout?: number | undefined;
  /** Not supported. */
  readonly queueClass?: never;
  /** For tests. */
  readonly clock?: Clock;
}

export interface TaskOptions {
  /** Aborted while it waits: removed. While it runs: its promise rejects and its slot is free; the function has to stop itself. */
  readonly signal?: AbortSignal | undefined;
}

export interface AddOptions extends TaskOptions {
  /** Higher first, ±Infinity too. Three digits behind the point count. Default 0. */
  readonly priority?: number | undefined;
  /** For `setPriority`. Default: a number as text. */
  id?: string | undefined;
  /** In place of the queue's; undefined: none. */
  timeout?: number | undefined;
}

export interface RunningTask {
  readonly id: string;
  readonly priority: number;
  readonly startTime: number;
  readonly timeout: number | undefined;
  readonly timeoutRemaining: number | undefined;
}

export interface QueueEvents {
  active: Event;
  idle: Event;
  empty: Event;
  add: Event;
  next: Event;
  completed: CustomEvent<unknown>;
  error: CustomEvent<unknown>;
  pendingZero: Event;
  rateLimit: Event;
  rateLimitCleared: Event;
}
export type EventName = keyof QueueEvents;

/** A function ran longer than its timeout. */
export class TimeoutError extends DOMException {
  constructor(message?: string) {
    super(message, 'TimeoutError');
  }
}
