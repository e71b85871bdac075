/**
 * Says to the core what a run depends on, notes what its input is made of, and computes it when the run first
 * starts.
 *
 * Invariants: what is said of one run is said in one go, after the core knows all runs it speaks of, so a crash
 * leaves all of it or none; what a run is bound to never changes once it is submitted.
 */
import { clone } from '../codec/codec.ts';
import { MissingSignatureError } from '../errors.ts';
import { inputBytes } from '../journal/payloads.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { mergeNamed } from './merges.ts';
import type { Binding, EdgeCondition, MergeCall, Merged, Prerequisite, Source } from './types.ts';
import { refuseDisposed } from '../runs/disposed.ts';

const edgeKinds: Record<EdgeCondition, number> = {
  success: P.EdgeKindOnSuccess, failure: P.EdgeKindOnFailure, settled: P.EdgeKindOnSettled, cancelled: P.EdgeKindOnCancelled,
};
const ends = { [End.None]: 'open', [End.Completed]: 'completed', [End.Failed]: 'failed', [End.Cancelled]: 'cancelled' } as const;

/** All of it is said at once. */
export interface Description {
  readonly after?: readonly Prerequisite[];
  /** Others that it speaks of. */
  readonly known?: readonly Run[];
  readonly binding?: Binding;
  /** What the core is to be told too, before the run is submitted. */
  readonly also?: () => void;
  /** Asked when it is said. */
  readonly submit: boolean | (() => boolean);
}

export class Edges {
  readonly #house: Orchestrator;
  /** Those that are bound to a run, by its id. */
  readonly #bound = new Map<string, Set<Run>>();
  #looked = false;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  lookAgain(): void {
    this.#looked = false;
  }

  /**
   * Resolves when it is acknowledged. False: the run has been submitted before, or is over.
   * @throws what made one of the runs be refused; DisposedError
   */
  async describe(run: Run, { after = [], known = [], binding, also, submit }: Description): Promise<boolean> {
    refuseDisposed(this.#house);
    const runs = [run, ...known, ...after.map((one) => one.run)];
    const refused = Promise.all(runs.map((one) => one.accepted)).then(() => new Promise<never>(() => {}));
    const said = new Promise<boolean>((resolve) => {
      whenKnown(runs, () => {
        if (run.end !== End.None) return resolve(false);
        const { commands } = this.#house.pump;
        const isSubmitted = typeof submit === 'function' ? submit() : submit;
        also?.();
        for (const { run: prerequisite, on } of after) commands.push(P.CommandDependOn, run.task, prerequisite.task, edgeKinds[on]);
        if (binding) this.bind(run, binding);
        this.#answer(run, isSubmitted ? P.CommandSubmit : P.CommandNote, resolve, isSubmitted || binding !== undefined);
        if (isSubmitted) commands.push(P.CommandSubmit, run.task);
        this.#house.pump.wake();
      });
    });
    return Promise.race([said, refused]);
  }

  #answer(run: Run, command: number, resolve: (done: boolean) => void, isAsked: boolean): void {
    if (isAsked) (run.ownExtra.waiters ??= []).push({ command, resolve });
    else resolve(true);
  }

  /** What it is about to be bound to: known here at once. */
  claim(run: Run, binding: Binding): void {
    run.ownExtra.bound = binding;
    for (const id of Object.values(binding.sources)) this.#add(id, run);
  }

  /** REQUIRES: the core knows the run. */
  bind(run: Run, binding: Binding): void {
    this.#note(run, NoteKind.Binding, binding);
    this.claim(run, binding);
  }

  /** A small value, at once. REQUIRES: the core knows the run. */
  note(run: Run, kind: number, value: unknown): void {
    this.#note(run, kind, value);
  }

  #note(run: Run, kind: number, value: unknown): void {
    const { journal, payloads, pump } = this.#house;
    const payload = journal && payloads.writeValue(value, 'binding');
    if (payload) pump.commands.addPayload(payload.bytes, payload.start, payload.length);
    (run.ownExtra.notes ??= new Map()).set(kind, payload ? { payload } : { value: clone(value, 'binding') });
    pump.commands.push(P.CommandNote, run.task, kind, payload?.length ?? 0);
  }

  #add(id: string, run: Run): void {
    let runs = this.#bound.get(id);
    if (!runs) this.#bound.set(id, (runs = new Set()));
    runs.add(run);
  }

  /** Those that get their input from it. */
  boundTo(id: string): Run[] {
    this.#look();
    const runs = this.#bound.get(id);
    for (const run of runs ?? []) if (run.extra.gone) runs!.delete(run);
    return [...(runs ?? [])];
  }

  #look(): void {
    const { pump } = this.#house;
    if (this.#looked || !pump.open) return;
    this.#looked = true;
    for (const run of pump.allRuns()) {
      if (!run?.extra.notes?.has(NoteKind.Binding)) continue;
      this.#house.identify(run);
      for (const id of Object.values(run.extra.bound?.sources ?? {})) this.#add(id, run);
    }
  }

  // The input

  async prepare(run: Run, attempt: number): Promise<Merged> {
    const merged = await this.#merged(run);
    if (run.attempt !== attempt) return merged;
    if ('skip' in merged) {
      this.bind(run, { sources: {}, ...run.extra.bound, skipped: true });
      return merged;
    }
    const noted = await this.#house.services.writeNote(run, NoteKind.Input, merged.input, 'input');
    if (run.attempt === attempt) noted();
    return merged;
  }

  async #merged(run: Run): Promise<Merged> {
    const { deferred, bound = { sources: {} } } = run.extra;
    const merge = await mergeNamed(deferred!.by);
    const message = this.#house.services.readNote(run, NoteKind.Message);
    const call: MergeCall = {
      run,
      id: run.id,
      taskIdentifier: run.taskIdentifier,
      given: await this.#given(run),
      message: message && { value: await message.value },
      deferred: deferred!,
      binding: bound,
      source: (name) => this.#source(run, name, bound.sources[name]),
    };
    return merge(call);
  }

  #source(run: Run, name: string, id: string | undefined): Source {
    const source = id === undefined ? undefined : this.#house.localRun(id);
    if (!source) throw new MissingSignatureError(`Run ${run.id} gets its input from run ${JSON.stringify(id)} (its ${name}), which is not there any more. Keep ended runs for longer (retention), or remove this one.`, { data: { key: id } });
    const { attempts, outcomes } = this.#house;
    return {
      id: source.id,
      taskIdentifier: source.taskIdentifier,
      end: ends[source.end],
      deferred: source.extra.deferred,
      get error() {
        return source.end === End.None || source.end === End.Completed ? undefined : outcomes.errorOf(source);
      },
      output: () => outcomes.copyOf(source),
      input: () => attempts.inputOf(source),
      given: () => this.#given(source),
    };
  }

  /** What it was made with. */
  async #given(run: Run): Promise<unknown> {
    return run.envelope ? this.#house.attempts.readBytes(inputBytes(run.envelope)) : clone(run.input, 'input');
  }

  givenOf(run: Run): Promise<unknown> {
    return this.#given(run);
  }
}

/** Calls when the core knows all of these. Never, where one is refused. */
function whenKnown(runs: readonly Run[], give: () => void): void {
  const unknown = runs.find((run) => run.task === 0 && run.end === End.None && !run.extra.gone);
  if (unknown) (unknown.ownExtra.early ??= []).push(() => whenKnown(runs, give));
  else give();
}
