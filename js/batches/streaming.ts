/**
 * Results of a batch as they come: what is pulled from the items is bounded by what was taken of the results.
 *
 * Invariants: no more than `highWater` items are between the source and who takes the results; each item has one
 * result; in order where that was asked for; a run is forgotten only when its result has been taken.
 */
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { settlement, type Run, type Settlement } from '../runs/run.ts';
import type { TaskRunResult } from '../types.ts';
import type { Batch } from './batch.ts';
import { placed } from './batch.ts';
import type { SourceItem, SourceReader } from './sources.ts';
import type { BatchItemResult } from './types.ts';

export interface StreamingOptions {
  readonly highWater: number;
  readonly ordered: boolean;
  readonly keepRuns: boolean;
}

interface Taken {
  readonly result: BatchItemResult;
  readonly member: Run | undefined;
}

export class ResultStream implements SourceReader, AsyncIterableIterator<BatchItemResult> {
  readonly #house: Orchestrator;
  readonly #source: SourceReader;
  readonly #options: StreamingOptions;
  /** Set once its run is made. */
  batch!: Batch;
  run!: Run;
  /** To be taken: in the order in which they came, or, under their places, in that of the items. */
  #ready: Taken[] = [];
  readonly #early = new Map<number, Taken>();
  #nextPlace = 0;
  #pulled = 0;
  #taken = 0;
  #isOver = false;
  /** Ended, and not read yet. */
  #reading = 0;
  #failure: unknown;
  #waiting: Settlement | undefined;
  #room: Settlement | undefined;
  #firstReady = 0;
  /** What was taken is forgotten with the next step, or soon. */
  #isForgetting = false;

  constructor(house: Orchestrator, source: SourceReader, options: StreamingOptions) {
    this.#house = house;
    this.#source = source;
    this.#options = options;
  }

  // What the batch's run asks

  room(): Promise<void> | undefined {
    if (this.#pulled - this.#taken < this.#options.highWater) return undefined;
    return (this.#room ??= settlement()).promise;
  }

  pull(signal: AbortSignal): IteratorResult<SourceItem, void> | Promise<IteratorResult<SourceItem, void>> {
    const next = this.#source.pull(signal);
    return next instanceof Promise ? next.then((come) => this.#count(come)) : this.#count(next);
  }

  #count(next: IteratorResult<SourceItem, void>): IteratorResult<SourceItem, void> {
    if (!next.done) this.#pulled++;
    return next;
  }

  stop(): void {
    this.#source.stop();
  }

  begins(): void {
    this.#reading++;
  }

  ended(member: Run): void {
    this.#read(member);
  }

  #unread(): void {
    this.#reading--;
    this.#tell();
  }

  #read(member: Run): void {
    const index = Number(member.extra.childKey);
    const result = this.#house.outcomes.resultOf(member);
    if (!(result instanceof Promise)) return this.#came(index, result, member);
    result.then((known) => this.#came(index, known, member), (error) => {
      this.#unread();
      this.#fail(error);
    });
  }

  #came(index: number, result: TaskRunResult, member: Run): void {
    this.#reading--;
    this.#put(index, result, member);
  }

  /** Of an item that has no run of its own. */
  told(index: number, result: TaskRunResult): void {
    this.#put(index, result, undefined);
  }

  #put(index: number, result: TaskRunResult, member: Run | undefined): void {
    const taken = { result: placed(result, index), member };
    if (!this.#options.ordered || this.#isOver) this.#ready.push(taken);
    else {
      this.#early.set(index, taken);
      for (let next = this.#early.get(this.#nextPlace); next; next = this.#early.get(this.#nextPlace)) {
        this.#early.delete(this.#nextPlace++);
        this.#ready.push(next);
      }
    }
    this.#tell();
  }

  #tell(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#tell();
  }

  /** Nothing comes any more. @param failure of the source */
  over(failure?: unknown): void {
    this.#isOver = true;
    // Of a batch that was cancelled some places stay empty.
    const places = [...this.#early.keys()].sort((one, other) => one - other);
    for (const place of places) this.#ready.push(this.#early.get(place)!);
    this.#early.clear();
    if (failure !== undefined) this.#failure ??= failure;
    this.#tell();
  }

  // Who takes the results

  next(): Promise<IteratorResult<BatchItemResult>> {
    return this.#firstReady < this.#ready.length ? Promise.resolve({ done: false, value: this.#take() }) : this.#later();
  }

  async #later(): Promise<IteratorResult<BatchItemResult>> {
    while (this.#firstReady === this.#ready.length) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver && this.#reading === 0) return { done: true, value: undefined };
      await (this.#waiting ??= settlement()).promise;
    }
    return { done: false, value: this.#take() };
  }

  #take(): BatchItemResult {
    const { result, member } = this.#ready[this.#firstReady]!;
    this.#ready[this.#firstReady++] = undefined as never;
    if (this.#firstReady === this.#ready.length) {
      this.#ready = [];
      this.#firstReady = 0;
    }
    this.#taken++;
    if (member && !this.#options.keepRuns) this.#forget(member);
    if (this.#room && this.#pulled - this.#taken <= this.#options.highWater >> 1) {
      this.#room.resolve();
      this.#room = undefined;
    }
    return result;
  }

  #forget(member: Run): void {
    const { pump } = this.#house;
    if (member.task === 0 || !pump.open) return;
    pump.commands.push(P.CommandForget, member.task, P.ForgetTaken);
    // Nobody waits for it: it goes with what is asked for next, or behind the page's turn. A step for each was a third of an item.
    if (this.#isForgetting) return;
    this.#isForgetting = true;
    this.#house.clock.defer(() => {
      this.#isForgetting = false;
      pump.wake();
    });
  }

  /** The loop was left: what is open is cancelled, nothing is pulled any more. */
  async return(): Promise<IteratorResult<BatchItemResult>> {
    this.stop();
    if (!this.#isOver) await this.batch.cancel('nobody takes its results any more');
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
