/**
 * Code that runs again appends again what it has appended: that is found, not stored a second time.
 *
 * A chunk is a repetition of the next recorded one if it is the same. Chunks of steps that are answered from
 * their records are passed over, since nobody appends them again; they are looked at once more where nothing else
 * fits. With the first chunk that is another one repeating is over: everything from there on is new, and a warning
 * says so.
 *
 * Invariants: each recorded chunk stands for one repetition; what is not recorded is never taken for it.
 */
import { RecordKind } from '../journal/history.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import { sameBytes } from './chunks.ts';
import { manySteps } from './log.ts';
import type { RecordedChunk, StreamRecorder } from './recorder.ts';

export class Repetition {
  readonly #house: Orchestrator;
  readonly #run: Run;
  readonly #recorder: StreamRecorder;
  readonly #key: string;
  #next: number;
  readonly #end: number;
  #ahead: RecordedChunk[] = [];
  #passed: RecordedChunk[] = [];
  #answered: Set<string> | undefined;

  constructor(house: Orchestrator, run: Run, recorder: StreamRecorder, key: string) {
    this.#house = house;
    this.#run = run;
    this.#recorder = recorder;
    this.#key = key;
    this.#next = recorder.beginningOf(key);
    this.#end = recorder.countOf(key);
  }

  /** What was recorded before this attempt; nothing is a repetition any more. */
  async take(): Promise<RecordedChunk[]> {
    const chunks: RecordedChunk[] = [];
    let from = this.#recorder.beginningOf(this.#key);
    this.#next = this.#end;
    this.#ahead = this.#passed = [];
    while (from < this.#end) {
      const read = await this.#recorder.read(this.#key, from);
      if (read.length === 0) break;
      chunks.push(...read.slice(0, this.#end - from));
      from += read.length;
    }
    return chunks;
  }

  /** Is it one? */
  async takes(bytes: Uint8Array): Promise<boolean> {
    for (let chunk = await this.#peek(); chunk; chunk = await this.#peek()) {
      if (sameBytes(chunk.bytes, bytes)) {
        this.#advance();
        return true;
      }
      if (!this.#isOfAnsweredStep(chunk)) break;
      this.#passed.push(chunk);
      this.#advance();
    }
    const passed = this.#passed.findIndex((chunk) => sameBytes(chunk.bytes, bytes));
    if (passed >= 0) {
      this.#passed.splice(passed, 1);
      return true;
    }
    const differing = await this.#peek();
    if (differing) this.#warn(differing.index);
    this.#next = this.#end;
    this.#ahead = [];
    return false;
  }

  #advance(): void {
    this.#ahead.shift();
    this.#next++;
  }

  /** The next recorded one without an id. */
  async #peek(): Promise<RecordedChunk | undefined> {
    while (this.#next < this.#end) {
      if (this.#ahead.length === 0) this.#ahead = await this.#recorder.read(this.#key, this.#next);
      const chunk = this.#ahead[0];
      if (!chunk) break;
      if (chunk.id === undefined) return chunk;
      this.#advance();
    }
    return undefined;
  }

  #isOfAnsweredStep({ during }: RecordedChunk): boolean {
    if (during.length === 0) return false;
    this.#answered ??= this.#answeredSteps();
    if (during[0] === manySteps) return this.#answered.size > 0;
    return during.some((step) => this.#answered!.has(step));
  }

  #answeredSteps(): Set<string> {
    const { services } = this.#house;
    const closed = services.closedAttemptOf(this.#run);
    const { entries } = services.historyOf(this.#run);
    return new Set(entries.filter(({ kind, attempt }) => kind !== RecordKind.Failure || attempt > closed).map(({ key }) => key));
  }

  #warn(index: number): void {
    this.#house.warn(
      `Run ${this.#run.id}: its code appends another chunk ${index} to stream "${this.#key}" than before; what it appended before stays, and this comes behind it. A source that differs each time goes on from what stream.recorded() gives, or gives its chunks ids.`,
    );
  }
}
