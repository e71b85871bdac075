/** The shapes of limits: how many runs at once, in all and for each key, and how fast they begin. */
import type { Duration } from '../types.ts';

export interface RateLimit {
  /** So much begins in a period: runs, or their weights. */
  limit: number;
  period: Duration;
  /**
   * `sliding` (default): in no window of the period, wherever it lies, more than `limit`. `fixed`: windows one after the
   * other, each from its first start on. `token-bucket`: up to `burst` at once, `limit` a period in the long run.
   * `gcra`: the same with a burst of 1, evenly spaced.
   */
  type?: 'sliding' | 'fixed' | 'token-bucket' | 'gcra';
  /** Of a token bucket. Default `limit`; of `gcra` 1. */
  burst?: number;
  /** Each key has the rate for itself. Default false. */
  perKey?: boolean;
  /** A run that fails with a RetryableError and its `retryAfter` closes the limit until then. Default false. */
  feedback?: boolean;
}

export interface LimitOptions {
  /** Runs at once (their weights, where they have some): in all, or in all and for each `concurrencyKey`. Default: no limit. */
  concurrency?: number | { total?: number; perKey?: number };
  rateLimit?: RateLimit;
  /** Least time between two starts; with `rateLimit.perKey` of one key. */
  minTime?: Duration;
}

/** In what limits a run takes part, and how. */
export interface LimitedRunOptions {
  /** Each key has `concurrency.perKey`, and a rate that is `perKey`, for itself. At most 512 bytes. Runs without one share one. */
  concurrencyKey?: string;
  /** Named limits (`createOrchestrator({ concurrencyLimits })`) beside that of its queue and task; at most six. All are taken at once. */
  concurrencyLimits?: readonly (string | { name: string; weight?: number; key?: string })[];
  /** How much of the limits of its queue and task one run takes: a whole number from 1 to 65,535. Default 1. */
  weight?: number;
}

export interface QueueInfo {
  readonly name: string;
  readonly running: number;
  /** Ready, and waiting for their turn. */
  readonly queued: number;
  readonly paused: boolean;
  readonly concurrencyLimit: number | undefined;
  readonly concurrency: { readonly current: number | undefined; readonly base: number | undefined; readonly override: number | undefined };
}

/** `orchestrator.queues`. */
export interface QueuesApi {
  /** Of this tab, by name. */
  list(): QueueInfo[];
  /** @throws ConfigurationError for a name nobody declared */
  retrieve(name: string): QueueInfo;
  /** What runs ends, nothing begins; kept over reloads. Resolves when it is so. @throws ConfigurationError */
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  /** Until `resetConcurrencyLimit`, or a reload. 0: nothing begins. @throws ConfigurationError */
  overrideConcurrencyLimit(name: string, limit: number): Promise<void>;
  resetConcurrencyLimit(name: string): Promise<void>;
}
