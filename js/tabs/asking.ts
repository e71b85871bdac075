/**
 * What is asked of other tabs, each by a message that is answered by one.
 * Invariant: whatever was asked settles: it is answered, given up after ten seconds, or refused when this tab leaves.
 */
import { TabSilentError } from '../errors.ts';
import type { Clock } from '../time/clock.ts';

const answerTimeoutMs = 10_000;

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Asking {
  readonly #clock: Clock;
  readonly #asked = new Map<string, Asked>();
  #closed: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws TabSilentError, and what the other tab throws */
  ask(request: string, id: string, post: () => void): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      const settle = <Value>(how: (value: Value) => void) => (value: Value) => {
        cancel();
        this.#asked.delete(request);
        how(value);
      };
      const asked = { resolve: settle(resolve), reject: settle(reject) };
      const giveUp = () => asked.reject(new TabSilentError(`The tab that runs ${id} does not answer (it may be frozen, or stopped in a debugger). Ask again, or close it: then another one takes its runs over.`));
      const cancel = this.#clock.schedule(this.#clock.now() + answerTimeoutMs, giveUp);
      this.#asked.set(request, asked);
      post();
    });
  }

  /** undefined: nobody waits for it any more. */
  asked(request: string): Asked | undefined {
    return this.#asked.get(request);
  }

  close(because: Error): void {
    this.#closed = because;
    for (const { reject } of [...this.#asked.values()]) reject(because);
  }
}
