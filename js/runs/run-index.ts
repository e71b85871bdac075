/**
 * The runs of this tab by their ids. Ids that stand in envelopes are read when the first is asked for.
 * Invariant: a run is in it from its acceptance or recovery until it is refused or forgotten.
 */
import { checkText } from '../intake/checks.ts';
import { DuplicateRunError } from '../errors.ts';
import type { Run } from './run.ts';

export class RunIndex {
  readonly #byId = new Map<string, Run>();
  #unindexed: Run[] = [];
  #cleared = false;
  /** Adds the runs of the journal that nobody has asked for yet. */
  #addRest: () => void;

  constructor(addRest: () => void = () => {}) {
    this.#addRest = addRest;
  }

  add(run: Run): void {
    if (this.#cleared) return;
    if (run.knownId !== undefined) this.#byId.set(run.knownId, run);
    else this.#unindexed.push(run);
  }

  /** @throws ConfigurationError for what can be nobody's id */
  find(id: string): Run | undefined {
    checkText(id, 'a run\'s id');
    const known = this.#byId.get(id);
    if (known) return known;
    this.#index();
    return this.#byId.get(id);
  }

  delete(id: string): void {
    this.#index();
    this.#byId.delete(id);
  }

  /** For good: what comes afterwards, out of a log that was being taken over, is not shown either. */
  clear(): void {
    this.#cleared = true;
    this.#addRest = () => {};
    this.#byId.clear();
    this.#unindexed = [];
  }

  all(): Run[] {
    this.#index();
    return [...this.#byId.values()];
  }

  /** Without reading ids. */
  *each(): Iterable<Run> {
    yield* this.#byId.values();
    yield* this.#unindexed;
  }

  #index(): void {
    this.#addRest();
    this.indexSome(Number.POSITIVE_INFINITY);
  }

  /** Reads so many of the ids that have not been read. False: there are more. */
  indexSome(count: number): boolean {
    for (const run of this.#unindexed.splice(0, count)) {
      // Two tabs may have accepted one id; neither run may hide the other.
      const other = this.#byId.get(run.id);
      if (other && other !== run) run.knownId = `${run.id}~${run.task}`;
      this.#byId.set(run.id, run);
    }
    return this.#unindexed.length === 0;
  }

  /** Runs triggered under ids that the journal turned out to know. */
  refuseDuplicates(refuse: (run: Run, error: Error) => void): void {
    const early = [...this.#byId.values()].filter((run) => run.task === 0);
    if (early.length === 0) return;
    this.#addRest();
    const known = new Map(this.#unindexed.filter((run) => run.task !== 0).map((run) => [run.id, run]));
    for (const run of early) {
      const recovered = known.get(run.id);
      if (!recovered) continue;
      this.#byId.delete(run.id);
      refuse(run, new DuplicateRunError(`There is a run "${run.id}" already, from before the reload. Use attach("${run.id}").`));
      this.#byId.set(recovered.id, recovered);
    }
  }
}
