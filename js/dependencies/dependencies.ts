/**
 * Where the house and this room meet: runs that begin after others (edges of the core), and whose input is
 * computed from those when they first start. What does it is loaded with the first of them.
 *
 * Invariants: an input is computed once, from what is durable, and noted before code gets it, so every attempt and
 * every page sees the same; a run is submitted only after all that is to be known of it has been said.
 */
import { NoteKind } from '../journal/notes.ts';
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { Edges } from './edges.ts';
import type { Binding, Deferred, Merged } from './types.ts';

export class Dependencies {
  readonly #house: Orchestrator;
  readonly #room = new Lazy(async () => new (await import('./edges.ts')).Edges(this.#house));

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** Its input is to be computed first. */
  awaitsInput({ extra }: Run): boolean {
    return extra.deferred !== undefined && !extra.notes?.has(NoteKind.Input);
  }

  /** It waits for somebody to say that it may go. */
  isDraft(run: Run): boolean {
    const { pump } = this.#house;
    return run.extra.deferred !== undefined && run.end === End.None && (run.task === 0 || !pump.open || pump.engine.value(run.task, P.FieldSubmitted) === 0);
  }

  /** undefined: nobody has needed them. */
  get loaded(): Edges | undefined {
    return this.#room.loaded;
  }

  /** Rejects where the code of this room can't be had; the next call tries again. */
  edges(): Promise<Edges> {
    return this.#room.load();
  }

  /** Computes the input of a run that has a slot, and notes it; or what it gives without running. */
  async prepare(run: Run, attempt: number): Promise<Merged> {
    return (await this.edges()).prepare(run, attempt);
  }

  /** A journal was taken over. */
  lookAgain(): void {
    this.loaded?.lookAgain();
  }

  /**
   * It has ended, and that is stored. What was to happen had its run failed goes without a trace; of one that did fail
   * the others stay, since that may be tried again.
   */
  ended(run: Run): void {
    const { bound } = run.extra;
    if (run.end !== End.Cancelled || !bound?.data?.callback) return;
    const { pump, control } = this.#house;
    if (this.#house.localRun(bound.sources.of ?? '')?.end !== End.Completed) return;
    if (pump.cancelCauseOf(run) === P.CancelCauseCascade && pump.engine.value(run.task, P.FieldStartedAt) === 0) void control.forget(run);
  }
}

/** Believes nothing: other scripts of the origin can write what is read here. */
export function readDeferred(stored: unknown): Deferred | undefined {
  const deferred = stored as Partial<Deferred> | undefined;
  return typeof deferred?.by === 'string' ? (deferred as Deferred) : undefined;
}

export function readBinding(stored: unknown): Binding | undefined {
  const binding = stored as Partial<Binding> | undefined;
  return typeof binding?.sources === 'object' && binding.sources !== null ? (binding as Binding) : undefined;
}
