/**
 * What the event log is made of: records side by side in typed arrays, and whose each of them is.
 * Invariant: once a run is forgotten, its id is all that stays of it here, sooner or later.
 */
import { readStepKey } from './payloads.ts';
import * as P from './protocol.ts';
import type { PayloadBytes } from './run.ts';

/** Events of a session that are kept. */
export const capacity = 50_000;
export const recordWords = P.RecordBytes / 4;

/** Whose an event is: a run, or what stays of it. */
export interface EventOwner {
  readonly id: string;
  readonly taskIdentifier?: string;
  readonly steps?: Map<string, unknown> | undefined;
  readonly stepPayloads?: PayloadBytes[] | undefined;
  /** Steps before this session, and the number of the next one. */
  eventSteps?: { before: number; next: number } | undefined;
  /** Forgotten: this is what stays. */
  remains?: EventOwner | undefined;
}

export function stepsOf(owner: EventOwner): number {
  return owner.stepPayloads?.length ?? owner.steps?.size ?? 0;
}

export function stepName(owner: EventOwner, ordinal: number): string | undefined {
  const stored = owner.stepPayloads?.[ordinal];
  const key = stored ? readStepKey(stored) : [...(owner.steps?.keys() ?? [])][ordinal];
  return key?.split('\u0000')[0];
}

/** Grows up to the capacity. */
export class Records {
  words: Uint32Array = new Uint32Array(256 * recordWords);
  times: Float64Array = new Float64Array(this.words.buffer);
  /** When the step was; not every record says it. */
  stamps: Float64Array = new Float64Array(256);
  owners: (EventOwner | undefined)[] = new Array(256).fill(undefined);

  get room(): number {
    return this.stamps.length;
  }

  grow(): void {
    const room = Math.min(this.room * 2, capacity);
    this.words = enlarged(this.words, new Uint32Array(room * recordWords));
    this.times = new Float64Array(this.words.buffer);
    this.stamps = enlarged(this.stamps, new Float64Array(room));
    while (this.owners.length < room) this.owners.push(undefined);
  }

  /** Lets go of runs that were forgotten. */
  sweep(): void {
    for (let index = 0; index < this.owners.length; index++) {
      const remains = this.owners[index]?.remains;
      if (remains) this.owners[index] = remains;
    }
  }
}

function enlarged<Numbers extends Uint32Array | Float64Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
