/**
 * What the event log is made of: records side by side in typed arrays, and whose each of them is.
 * Invariant: a label keeps a run's id and nothing else of it once the run is forgotten.
 */
import { readStepKey } from './payloads.ts';
import * as P from './protocol.ts';
import type { Run } from './run.ts';

/** Events of a session that are kept. */
export const capacity = 50_000;
export const recordWords = P.RecordBytes / 4;

/** Whose event it is. Outlives the run, without its input and result. */
export class EventLabel {
  #run: Run | undefined;
  #id: string | undefined;
  readonly stepsBefore: number;
  steps: number;

  constructor(run: Run) {
    this.#run = run;
    this.steps = this.stepsBefore = run.stepPayloads?.length ?? run.steps?.size ?? 0;
  }

  get id(): string | undefined {
    return this.#run?.id ?? this.#id;
  }
  get taskIdentifier(): string | undefined {
    return this.#run?.taskIdentifier;
  }

  stepName(ordinal: number): string | undefined {
    const run = this.#run;
    const stored = run?.stepPayloads?.[ordinal];
    const key = stored ? readStepKey(stored) : [...(run?.steps?.keys() ?? [])][ordinal];
    return key?.split('\u0000')[0];
  }

  forget(): void {
    this.#id = this.#run?.id;
    this.#run = undefined;
  }
}

/** Records side by side; grows up to the capacity. */
export class Records {
  words: Uint32Array = new Uint32Array(256 * recordWords);
  times: Float64Array = new Float64Array(this.words.buffer);
  /** When the step was; not every record says it. */
  stamps: Float64Array = new Float64Array(256);
  numbers: Float64Array = new Float64Array(256);
  labels: (EventLabel | undefined)[] = [];

  get room(): number {
    return this.stamps.length;
  }

  grow(): void {
    const room = Math.min(this.room * 2, capacity);
    this.words = enlarged(this.words, new Uint32Array(room * recordWords));
    this.times = new Float64Array(this.words.buffer);
    this.stamps = enlarged(this.stamps, new Float64Array(room));
    this.numbers = enlarged(this.numbers, new Float64Array(room));
  }
}

function enlarged<Numbers extends Uint32Array | Float64Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
