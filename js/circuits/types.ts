/** Shapes of circuit breakers and retry budgets. */
import type { Duration } from '../types.ts';

/** Stops beginning attempts of what fails too often, and tries again later. */
export interface BreakerOptions {
  /** Of the attempts of the last `window`, above 0 to 1: from which on nothing begins any more. Default 0.5. */
  failureRate?: number;
  /** With fewer attempts in the window it stays as it is. Default 10. */
  minCalls?: number;
  /** How long nothing begins. Default 30 s. `openForMs` is the same. */
  openFor?: Duration;
  openForMs?: number;
  /** How many then try at once; as many successes let all others on. Default 1. */
  halfOpenMax?: number;
  /** Default 1 min. */
  window?: Duration;
}

/** Keeps retries from being most of what is sent when much fails at once: they are spaced. */
export interface RetryBudgetOptions {
  /** Of the attempts that began in the last `window`, how many may be retries: above 0 to 1. At least 10 a window may. */
  ratio: number;
  /** Default 10 s. */
  window?: Duration;
}

/** Of a task, or of a queue: then of all tasks in it together. */
export interface CircuitOptions {
  breaker?: BreakerOptions;
  retryBudget?: RetryBudgetOptions;
}
