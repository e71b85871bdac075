/**
 * `batch.stream` in a task's code: its batch is a child of the run, and the order in which results were given is
 * recorded, so that code which runs again gets the same results in the same order.
 *
 * Invariants: which results come is recorded before anything that the code does after it; each item has one result. Runs
 * are kept, because code that runs again reads their results from them.
 */
import { runContainer } from '../context/children.ts';
import type { Durable } from '../context/durable.ts';
import { DuplicateRunError } from '../errors.ts';
import { batchTask } from '../groups/kinds.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, Run, settlement, type Settlement } from '../runs/run.ts';
import { toError } from '../runs/serialize-error.ts';
import type { TaskRunResult, TriggerOptions } from '../types.ts';
import { Batch, placed, unmade } from './batch.ts';
import type { Place } from './batches.ts';
import type { BatchPlan } from './plan.ts';
import type { SourceReader } from './sources.ts';
import { toldOf } from './told.ts';
import type { BatchItemResult } from './types.ts';

/** Who hears of a batch's items as they end. */
export interface Follower {
  /** Its end is acknowledged. */
  ended(member: Run): void;
  /** Of an item that has no run of its own. */
  told(index: number, result: TaskRunResult): void;
}

export interface AskedStreamOptions {
  readonly plan: BatchPlan;
  readonly source: SourceReader | undefined;
  readonly options: TriggerOptions | undefined;
  readonly ordered: boolean;
  readonly highWater: number;
}

const done = Object.freeze({ done: true, value: undefined }) as IteratorResult<BatchItemResult>;

export class AskedStream implements Follower, AsyncIterableIterator<BatchItemResult> {
  readonly #house: Orchestrator;
  readonly #durable: Durable;
  readonly #asked: AskedStreamOptions;
  readonly #name: string;
  readonly #begun: Promise<Run>;
  /** Heard of: a run, or what it came to. */
  readonly #known = new Map<number, Run | TaskRunResult>();
  /** Places whose results may be given: in the order in which they came, or, where that was asked for, of the items. */
  #ready: number[] = [];
  readonly #early = new Set<number>();
  readonly #given = new Set<number>();
  #nextPlace = 0;
  /** Of these it stands in the journal that they come next. */
  #next: number[] = [];
  #isOver = false;
  #isDone = false;
  #failure: Error | undefined;
  #waiting: Settlement | undefined;
  #room: Settlement | undefined;
  #pulled = 0;
  #taken = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(house: Orchestrator, { context, key }: Place, asked: AskedStreamOptions) {
    this.#house = house;
    this.#durable = context.durableWork;
    this.#asked = asked;
    this.#name = `${key.slice(1)} results`;
    this.#begun = this.#begin(key);
    // Who takes the results hears of it.
    this.#begun.catch(() => {});
  }

  async #begin(key: string): Promise<Run> {
    const { plan, source, options } = this.#asked;
    const { sources, followers } = this.#house.batches.loaded!;
    const made = (run: Run) => source && sources.set(run, this.#bounded(source));
    const definition = this.#house.definition(batchTask)!;
    const run = (await runContainer(this.#durable, this.#house.services, { key, definition, input: plan, options, made, wait: false, policy: P.ChildPolicyCancel })) as Run;
    followers.set(run, this);
    this.#lookAt(run);
    void this.#follow(run, await toldOf(this.#house, run));
    return run;
  }

  async #follow(run: Run, told: Awaited<ReturnType<typeof toldOf>>): Promise<void> {
    const telling = told.map(async ([index, result]) => this.told(index, await result));
    const failure = await new Batch(this.#house, run, this.#asked.plan.count).followed().catch(toError);
    await Promise.all(telling);
    this.#over(run, failure);
  }

  /** Not more is pulled than `highWater` beyond what was taken. */
  #bounded(source: SourceReader): SourceReader {
    const count = <Next extends { done?: boolean | undefined }>(next: Next): Next => {
      if (!next.done) this.#pulled++;
      return next;
    };
    return {
      pull: (signal) => {
        const next = source.pull(signal);
        return next instanceof Promise ? next.then(count) : count(next);
      },
      room: () => (this.#pulled - this.#taken < this.#asked.highWater ? undefined : (this.#room ??= settlement()).promise),
      stop: () => source.stop(),
    };
  }

  #lookAt(run: Run): void {
    for (const member of this.#house.services.children.of(run)) {
      if (member.announced) this.ended(member);
      else member.ended.then(() => this.ended(member), () => {});
    }
  }

  ended(member: Run): void {
    this.#came(Number(member.extra.childKey), member);
  }

  told(index: number, result: TaskRunResult): void {
    this.#came(index, result);
  }

  #came(index: number, known: Run | TaskRunResult): void {
    if (this.#known.has(index)) return;
    this.#known.set(index, known);
    if (!this.#asked.ordered || this.#isOver) this.#ready.push(index);
    else {
      this.#early.add(index);
      while (this.#early.delete(this.#nextPlace)) this.#ready.push(this.#nextPlace++);
    }
    this.#tell();
  }

  #over(run: Run, failure: Error | undefined): void {
    this.#lookAt(run);
    this.#isOver = true;
    // Of a batch that was cancelled some places stay empty.
    this.#ready.push(...[...this.#early].sort((one, other) => one - other));
    this.#early.clear();
    this.#failure = failure;
    this.#tell();
  }

  #tell(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  next(): Promise<IteratorResult<BatchItemResult>> {
    const next = this.#turn.then(() => this.#take());
    this.#turn = next.catch(() => {});
    return next;
  }

  async #take(): Promise<IteratorResult<BatchItemResult>> {
    if (this.#isDone) return done;
    if (this.#next.length === 0) this.#next = await this.#ask();
    const index = this.#next.shift();
    if (index === undefined) {
      this.#isDone = true;
      return done;
    }
    const result = await this.#resultAt(index);
    this.#taken++;
    if (this.#room && this.#pulled - this.#taken <= this.#asked.highWater >> 1) {
      this.#room.resolve();
      this.#room = undefined;
    }
    return { done: false, value: placed(result, index) };
  }

  /** Whose results come next, as it was recorded, or as it is now; none: there are no more. */
  async #ask(): Promise<number[]> {
    const durable = this.#durable;
    const key = durable.key(KeyPrefix.Child, this.#name);
    const run = await this.#begun;
    const recorded = await durable.ask(key);
    let come = recorded && (durable.answer(recorded) as number[]);
    if (!come) {
      await durable.safePoint('run', batchTask);
      const take = () => (come = this.#decide(key));
      if (this.#hasReady) take();
      else await durable.wait(this.#somethingReady(), take, () => ({ kind: 'child', runs: [run.id], text: `Waits for the next result of its batch ${run.id}.` }));
    }
    if (!come) throw this.#failure;
    for (const index of come) this.#given.add(index);
    return [...come];
  }

  /** There is an answer to who asks for the next result. */
  get #hasReady(): boolean {
    this.#ready = this.#ready.filter((index) => !this.#given.has(index));
    return this.#ready.length > 0 || this.#isOver;
  }

  async #somethingReady(): Promise<void> {
    while (!this.#hasReady) await this.#something();
  }

  #something(): Promise<void> {
    return (this.#waiting ??= settlement()).promise;
  }

  /** undefined: its source failed. */
  #decide(key: string): number[] | undefined {
    const come = this.#ready;
    this.#ready = [];
    if (come.length === 0 && this.#failure) {
      this.#durable.fail(key, RecordKind.Failure, this.#failure);
      return undefined;
    }
    this.#durable.note(key, RecordKind.Value, come);
    return come;
  }

  async #resultAt(index: number): Promise<TaskRunResult> {
    // What was given before its page went has been heard of by then.
    while (!this.#known.has(index) && !this.#isOver) await this.#something();
    const known = this.#known.get(index) ?? unmade('', new DuplicateRunError(`Item ${index} of batch ${(await this.#begun).id} is not there any more.`));
    if (!(known instanceof Run)) return known;
    if (known.end === End.None) await known.ended;
    return this.#house.outcomes.resultOf(known);
  }

  /** The loop was left: what is open is cancelled, nothing is pulled any more. */
  async return(): Promise<IteratorResult<BatchItemResult>> {
    this.#isDone = true;
    this.#asked.source?.stop();
    const run = await this.#begun;
    if (!this.#isOver) await this.#house.cancelRun(run, 'nobody takes its results any more');
    return done;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
