/** Options of a process. Types only. */
import type { CacheMode } from '../cache/types.ts';
import type { Duration, RetryOptions } from '../types.ts';

/**
 * Of a tree of runs as a whole: `orchestrator.run(task, input, { process: { dryRun: true } })`, and
 * `ctx.options` in all of them. Own ones are declared here and checked by `createOrchestrator({ processSchema })`:
 *
 *   declare module 'holdfast' { interface ProcessOptions { tenant: string } }
 */
export interface ProcessOptions {
  /** Of every run of it, where neither call nor definition says. */
  retry?: RetryOptions;
  priority?: number;
  /** All of it, from the trigger on. Caps the deadlines of its runs. */
  deadline?: Duration;
  /** Items of a `ctx.map` at once, where it does not say. */
  concurrency?: number;
  /** `ctx.random()` and `ctx.uuid()` repeat with it. A whole number. */
  seed?: number;
  /** Ids of the tasks whose code runs; children of others end at once with `undefined`. */
  onlyTasks?: readonly string[];
  skipTasks?: readonly string[];
  /** Of every run of it, beside its own. */
  tags?: string | readonly string[];
  /** How caches are used, for those who keep one. */
  cacheMode?: CacheMode;
  /** For the code: nothing outside is to be changed. */
  dryRun?: boolean;
  /** For the code: a BCP 47 language tag. */
  locale?: string;
}
