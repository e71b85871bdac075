/**
 * What the event log is made of: records side by side in typed arrays, and whose each of them is.
 * Invariant: of a run that was forgotten its id is all that stays here.
 */
import { pathOf } from '../journal/history.ts';
import { readRecord } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import type { RunExtra } from '../runs/run-extra.ts';

/** Events of a session that are kept. */
export const capacity = 50_000;
export const recordWords = P.RecordBytes / 4;

/** Whose an event is: a run, or what stays of it. */
export interface EventOwner {
  readonly id: string;
  readonly taskIdentifier?: string;
  readonly definition?: { readonly spec: { readonly intent?: string } } | undefined;
  readonly options?: { readonly queueName?: string | undefined } | undefined;
  readonly extra?: Readonly<RunExtra>;
}

/** What is to be kept of it: of one that was forgotten, the id. */
export function remainsOf(owner: EventOwner): EventOwner {
  return owner.extra?.gone ? { id: owner.id } : owner;
}

export function stepsOf({ extra }: EventOwner): number {
  return extra?.stepPayloads?.length ?? extra?.history?.entries.length ?? 0;
}

export function stepName({ extra }: EventOwner, ordinal: number): string | undefined {
  const stored = extra?.stepPayloads?.[ordinal];
  const key = stored ? readRecord(stored).key : extra?.history?.entries[ordinal]?.key;
  return key === undefined ? undefined : pathOf(key);
}

interface Former {
  task: number;
  /** What stands before this position is its. */
  end: number;
  owner: EventOwner;
  later: Former | undefined;
}

/**
 * Whose a record is, by the number in it: a number goes to another run when the one that had it is
 * forgotten. A list of owners beside the records would cost three writes a run that the collector
 * has to look at.
 */
export class FormerOwners {
  /** In order; filed under their numbers when somebody looks, which mostly nobody does. */
  #unfiled: Former[] = [];
  #first = new Map<number, Former>();
  /** A number that is used again and again has a long list. */
  #last = new Map<number, Former>();

  add(task: number, end: number, owner: EventOwner): void {
    this.#unfiled.push({ task, end, owner, later: undefined });
  }

  #file(): void {
    for (const former of this.#unfiled) {
      const last = this.#last.get(former.task);
      if (last) last.later = former;
      else this.#first.set(former.task, former);
      this.#last.set(former.task, former);
    }
    this.#unfiled = [];
  }

  find(task: number, position: number): EventOwner | undefined {
    if (this.#unfiled.length > 0) this.#file();
    let former = this.#first.get(task);
    while (former && former.end <= position) former = former.later;
    return former?.owner;
  }

  /** Nobody will ask for what stands before this position. */
  drop(before: number): void {
    const kept = this.#unfiled.findIndex(({ end }) => end > before);
    this.#unfiled.splice(0, kept < 0 ? this.#unfiled.length : kept);
    for (const [task, first] of this.#first) {
      let former: Former | undefined = first;
      while (former && former.end <= before) former = former.later;
      if (former === first) continue;
      if (former) this.#first.set(task, former);
      else {
        this.#first.delete(task);
        this.#last.delete(task);
      }
    }
  }
}

/** Grows to the capacity at once when it grows at all: room that nothing is written to takes no memory, copies do. */
export class Records {
  words: Uint32Array = new Uint32Array(256 * recordWords);
  times: Float64Array = new Float64Array(this.words.buffer);
  /** When the step was, for the records that do not say it. */
  stamps: Float64Array = new Float64Array(256);

  get room(): number {
    return this.stamps.length;
  }

  grow(): void {
    this.words = enlarged(this.words, new Uint32Array(capacity * recordWords));
    this.times = new Float64Array(this.words.buffer);
    this.stamps = enlarged(this.stamps, new Float64Array(capacity));
  }
}

function enlarged<Numbers extends Uint32Array | Float64Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
