/**
 * Where the promise of a handler arrives. Two closures and what they close over, made anew for every
 * attempt, are a tenth of what a trivial one costs; here they serve one attempt after the other.
 *
 * Invariant: a landing is lent to one promise at a time. Only real promises get one, because they call
 * back exactly once; what merely has a `then` is wrapped into one first.
 */
import type { Run } from './run.ts';

export interface LandingHost {
  succeeded(run: Run, attempt: number, value: unknown): void;
  failed(run: Run, attempt: number, error: unknown): void;
}

const nativeThen = Promise.prototype.then;

export class Landings {
  readonly #host: LandingHost;
  /** As many as attempts were under way at once. */
  readonly #free: Landing[] = [];

  constructor(host: LandingHost) {
    this.#host = host;
  }

  /** Tells the host once how it settles. @throws what looking for its `then` throws */
  await(run: Run, attempt: number, returned: PromiseLike<unknown>): void {
    const promise = returned.then === nativeThen ? (returned as Promise<unknown>) : wrap(returned);
    const landing = this.#free.pop() ?? this.#make();
    landing.run = run;
    landing.attempt = attempt;
    promise.then(landing.succeeded, landing.failed);
  }

  #make(): Landing {
    const landing: Landing = {
      run: undefined,
      attempt: 0,
      succeeded: (value) => {
        const { run, attempt } = landing;
        this.#free.push(landing);
        landing.run = undefined;
        this.#host.succeeded(run!, attempt, value);
      },
      failed: (error) => {
        const { run, attempt } = landing;
        this.#free.push(landing);
        landing.run = undefined;
        this.#host.failed(run!, attempt, error);
      },
    };
    return landing;
  }
}

function wrap(thenable: PromiseLike<unknown>): Promise<unknown> {
  return new Promise((resolve) => resolve(thenable));
}

interface Landing {
  run: Run | undefined;
  attempt: number;
  readonly succeeded: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
}
