/**
 * What a graph shows from the call that runs it until there is a run: what is said meanwhile counts as if there were.
 */
import type { ShownRun } from './live.ts';

export class Beginning implements ShownRun {
  readonly isRunning = true;
  readonly #aborting = new AbortController();

  /** Aborted, where the run is to end as soon as it is there. */
  get signal(): AbortSignal {
    return this.#aborting.signal;
  }
  readonly abort = (reason?: unknown): void => this.#aborting.abort(reason);
}
