/**
 * What the code of an attempt answers queries with, by their names; of a context.
 * Invariant: with the attempt they are gone.
 */
import { checkFunction } from '../intake/checks.ts';
import { checkAskedName } from './names.ts';
import type { Answering } from './types.ts';

export class Answers {
  readonly #byName = new Map<string, Answering>();

  /** The last one under a name counts. @throws ConfigurationError */
  set(name: string, answering: Answering): void {
    checkAskedName(name, 'ctx.onQuery');
    checkFunction(answering, `ctx.onQuery("${name}") answer`);
    this.#byName.set(name, answering);
  }

  get(name: string): Answering | undefined {
    return this.#byName.get(name);
  }
  names(): string[] {
    return [...this.#byName.keys()];
  }
}
