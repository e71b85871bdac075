/**
 * `handle.query` and `handle.update` of runs of this tab, and what their contexts need for them. How it is done is
 * loaded with the first (`caller.ts`); here is who waits for code that answers.
 * Invariant: a question to a run ends when the run does, or its time.
 */
import { CROSSING } from '../codec/clone.ts';
import { clone } from '../codec/codec.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import type { Reply } from './names.ts';
import type { QueryOptions, UpdateOptions } from './types.ts';

/** At the call: what is changed afterwards reaches nobody. @throws NotCloneableError */
export function byValue(data: unknown): unknown {
  return clone(data, 'data', CROSSING);
}

export class Asking {
  readonly #house: Orchestrator;
  /** Told when code says what it answers. */
  readonly #waiting = new Map<Run, Set<() => void>>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  async query(run: Run, name: string, data: unknown, options?: QueryOptions): Promise<unknown> {
    const taken = byValue(data);
    return (await import('./caller.ts')).query(this.#house, run, name, taken, options);
  }
  async update(id: string, name: string, data: unknown, options?: UpdateOptions): Promise<unknown> {
    const taken = byValue(data);
    return (await import('./caller.ts')).update(this.#house, id, name, taken, options);
  }
  /** Stored, and on its way to the code of a run of ours: the id of the token that its answer completes. */
  async accept(run: Run, name: string, data: unknown, options?: UpdateOptions): Promise<string> {
    return (await import('./caller.ts')).accept(this.#house, run, name, data, options);
  }

  /** Called for each thing that code of this run says it answers. Gives the way to hear no more. */
  onOffer(run: Run, listener: () => void): () => void {
    let listeners = this.#waiting.get(run);
    if (!listeners) this.#waiting.set(run, (listeners = new Set()));
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#waiting.get(run) === listeners) this.#waiting.delete(run);
    };
  }
  offered(run: Run): void {
    for (const listener of [...(this.#waiting.get(run) ?? [])]) listener();
  }

  /** The answer of a run's code. Given already, or nobody's to hear any more: that is no fault of the code. */
  async reply(token: string, reply: Reply): Promise<void> {
    const { tokens } = this.#house.waiting;
    if (await tokens.retrieveToken(token)) await tokens.completeToken(token, reply);
  }
}
