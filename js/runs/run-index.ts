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
  /** Members of groups, until somebody asks for an id: of a batch that is streamed most are forgotten before. */
  readonly #brief = new Set<Run>();
  #cleared = false;
  /** Adds the runs of the journal that nobody has asked for yet. */
  #addRest: () => void;

  constructor(addRest: () => void = () => {}) {
    this.#addRest = addRest;
  }

  add(run: Run): void {
    if (this.#cleared) return;
    if (run.extra.group) this.#brief.add(run);
    else if (run.knownId !== undefined) this.#byId.set(run.knownId, run);
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

  /** false: it was not the run of its id. */
  delete(run: Run): boolean {
    // It stands nowhere else: its id, a text put together for it, was never looked at.
    if (this.#brief.delete(run)) return true;
    this.#index();
    return this.#byId.get(run.id) === run && this.#byId.delete(run.id);
  }

  /** For good: what comes afterwards, out of a log that was being taken over, is not shown either. */
  clear(): void {
    this.#cleared = true;
    this.#addRest = () => {};
    this.#byId.clear();
    this.#unindexed = [];
    this.#brief.clear();
  }

  all(): Run[] {
    this.#index();
    return [...this.#byId.values()];
  }

  /** Without reading ids. */
  *each(): Iterable<Run> {
    yield* this.#byId.values();
    yield* this.#unindexed;
    yield* this.#brief;
  }

  #index(): void {
    this.#addRest();
    if (this.#brief.size > 0) this.#takeBrief();
    this.indexSome(Number.POSITIVE_INFINITY);
  }

  #takeBrief(): void {
    this.#unindexed.push(...this.#brief);
    this.#brief.clear();
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
