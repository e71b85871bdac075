/**
 * What is known of a run's streams where nobody has used them yet: notes of the journal, as they lie there. The
 * recorder, which reads and writes them, is loaded with the first use.
 *
 * Invariant: what was appended before a step or an end is handed to the core before it (`flush`).
 */
import { NoteKind } from '../journal/notes.ts';
import type { PayloadBytes } from '../runs/run.ts';
import type { StreamRecorder } from './recorder.ts';

export interface FoundPart {
  kind: number;
  payload: PayloadBytes;
}

/**
 * In place of the keys of the steps that are being computed, where those are many: each chunk would list them all. A chunk of
 * one of them may then be passed over when any step is answered, and is looked at once more where nothing else fits.
 */
export const manySteps = '';
const mostSteps = 16;

/** @param keys of steps; none is empty text */
export function stepsTold(keys: ReadonlySet<string> | undefined): readonly string[] {
  if (!keys || keys.size === 0) return [];
  return keys.size > mostSteps ? [manySteps] : [...keys];
}

export function isStreamNote(kind: number): boolean {
  return kind >= NoteKind.StreamPacked && kind <= NoteKind.StreamKept;
}

export class StreamLog {
  /** Until there is a recorder. */
  found: FoundPart[] = [];
  recorder: StreamRecorder | undefined;
  /** Appended, and not handed to the recorder yet. */
  #begun = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #failure: { attempt: number; error: unknown } | undefined;

  /** One after the other, each when what was asked before is handed over. Resolves when it is stored. */
  inTurn(attempt: number, work: () => Promise<{ stored: Promise<void> | undefined }>): Promise<void> {
    this.#begun++;
    const handedOver = this.#turn.then(work);
    this.#turn = handedOver.then(
      () => void this.#begun--,
      (error) => {
        this.#begun--;
        this.#failure = { attempt, error };
      },
    );
    const stored = handedOver.then((one) => one.stored);
    // Who awaits it hears of it; so does the run, at its next step or its end.
    stored.catch(() => {});
    return stored;
  }

  /** Hands over what was appended so far. undefined: that is done. @throws why a chunk of this attempt could not be stored */
  flush(attempt: number): Promise<void> | undefined {
    if (this.#begun > 0) return this.#turn.then(() => this.flush(attempt));
    if (this.#failure?.attempt === attempt) return Promise.reject(this.#failure.error);
    return this.recorder?.flush(attempt);
  }

  get bytes(): number {
    let bytes = this.recorder?.storedBytes ?? 0;
    for (const { payload } of this.found) bytes += payload.length;
    return bytes;
  }

  get payloads(): PayloadBytes[] {
    return [...this.found.map(({ payload }) => payload), ...(this.recorder?.payloads ?? [])];
  }

  /** A rebuilt core says what there is. */
  reread(found: FoundPart[], error: Error): void {
    if (this.recorder) this.recorder.reread(found, error);
    else this.found = found;
  }
}
