/**
 * The events of a journal as it was found: what the core lists of it, told whose and when each was.
 * Invariant: only runs that are still known have a story here; a compacted log's state is none.
 */
import type { Engine } from '../pump/engine.ts';
import { type EventOwner, Records, remainsOf, recordWords, stepsOf } from './event-records.ts';
import { concernsRun, wordOf } from './event-words.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';

export class Past {
  readonly records = new Records();
  #owners: (EventOwner | undefined)[] = [];
  length = 0;
  /** How many events the journal holds, those that are not kept included. */
  total = 0;

  read(engine: Engine, log: Uint8Array, runAt: (task: number) => Run | undefined, limit: number): void {
    const { total, words } = engine.history(log, limit);
    this.total = total;
    this.#take(words);
    this.#stamp();
    this.#label(runAt);
  }

  ownerAt(index: number): EventOwner | undefined {
    const owner = this.#owners[index];
    return owner && remainsOf(owner);
  }

  /** Lets go of runs that were forgotten. */
  sweep(): void {
    this.#owners.forEach((owner, index) => {
      if (owner) this.#owners[index] = remainsOf(owner);
    });
  }

  #take(words: Uint32Array): void {
    this.length = words.length / recordWords;
    this.records.words = words;
    this.records.times = new Float64Array(words.buffer);
  }

  /** Some records use their time for something else: they happened when the one before did. */
  #stamp(): void {
    const { words, times } = this.records;
    const stamps = new Float64Array(this.length);
    let nowMs = 0;
    for (let index = 0; index < this.length; index++) {
      if (!wordOf(words[index * recordWords]!)?.untimed) nowMs = times[index * 3 + 2]!;
      stamps[index] = nowMs;
    }
    this.records.stamps = stamps;
  }

  /** Backwards: a number belongs to the run that had it last, and to nobody before that was created. */
  #label(runAt: (task: number) => Run | undefined): void {
    const { words } = this.records;
    const owners: (EventOwner | undefined)[] = new Array(this.length).fill(undefined);
    this.#owners = owners;
    const steps = new Map<number, number>();
    const over = new Set<number>();
    for (let index = this.length - 1; index >= 0; index--) {
      const kind = words[index * recordWords]!;
      const task = words[index * recordWords + 1]!;
      if (kind === P.EventSnapshotEnded) return this.#drop(index + 1);
      const run = concernsRun(kind) && !over.has(task) ? runAt(task) : undefined;
      if (!run) continue;
      owners[index] = run;
      if (kind === P.EventCreated) over.add(task);
      if (kind !== P.EventStepRecorded) continue;
      const left = (steps.get(task) ?? run.extra.eventSteps?.before ?? stepsOf(run)) - 1;
      steps.set(task, left);
      words[index * recordWords + 3] = left;
    }
  }

  #drop(count: number): void {
    const { records } = this;
    this.#take(records.words.slice(count * recordWords));
    records.stamps = records.stamps.slice(count);
    this.#owners = this.#owners.slice(count);
  }
}
