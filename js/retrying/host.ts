/**
 * What trying again asks of a context, in the page as in a worker; and one try after the other.
 *
 * Invariant: the delays are the core's, the pauses the house's clock's, and a stop ends both.
 */
import type { RetryOptions } from '../types.ts';

export interface RetryHost {
  readonly signal: AbortSignal;
  readonly nowMs: number;
  /**
   * Waits before the next try: until `untilMs`, or else as long as the core says. Resolves with the delay;
   * Infinity: there is no next one, and nothing was waited for. @throws the reason of a stop, or of `signal`
   */
  pauseBeforeRetry(retry: RetryOptions, failures: number, lastDelayMs: number, untilMs: number | undefined, signal?: AbortSignal): Promise<number>;
  after(delayMs: number, callback: () => void): () => void;
  /** Of the step that is being computed. @throws ConfigurationError where none can be told */
  stepId(): string;
}

/** Counts the tries of one piece of work. */
export class Tries {
  readonly #host: RetryHost;
  readonly #signal: AbortSignal | undefined;
  #lastDelayMs = 0;
  failures = 0;

  /** @param signal of who asks; it ends a pause as a stop of the attempt does */
  constructor(host: RetryHost, signal?: AbortSignal) {
    this.#host = host;
    this.#signal = signal;
  }

  /** One has failed. false: it was the last. */
  async another(retry: RetryOptions, untilMs?: number): Promise<boolean> {
    this.failures++;
    this.#lastDelayMs = await this.#host.pauseBeforeRetry(retry, this.failures, this.#lastDelayMs, untilMs, this.#signal);
    return this.#lastDelayMs !== Number.POSITIVE_INFINITY;
  }
}
