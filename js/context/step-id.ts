/**
 * The id of a step: the same in every try and every attempt of it and after a crash, another one for every
 * other step and run. What a server is given as `Idempotency-Key`, so that it does once what is asked twice.
 *
 *   id   := run '/' step [ '/' ordinal | '/' '#' own id ] [ '@' era ]     at most 255 visible ASCII characters
 *   era  := how often the run's records were dropped: what it does after that is another thing
 *
 * Invariant: whatever is no letter, digit, `_`, `-` or `.` stands as `%` and its code and `;`, so no two
 * steps meet; one that would be longer ends in a hash of the whole.
 */
import { ordinalMark } from '../journal/history.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Run } from '../runs/run.ts';
import type { StepInfo } from '../types.ts';
import { Chance } from './decisions.ts';
import type { DurableHost } from './durable.ts';

/** What servers that know the header take. */
const longest = 255;

const escape = (text: string): string => text.replace(/[^\w.-]/g, (letter) => `%${letter.charCodeAt(0).toString(16)};`);

/** @param key as the step is known in the run's records */
export function stepIdOf(runId: string, key: string, era: number): string {
  const text = [runId, ...key.split(ordinalMark)].map(escape).join('/') + (era > 0 ? `@${era}` : '');
  if (text.length <= longest) return text;
  const hash = new Chance(text).uuid();
  return `${text.slice(0, longest - hash.length - 1)}~${hash}`;
}

/** How often the records of a run were dropped. */
export function eraOf(host: Pick<DurableHost, 'readNote'>, run: Run): number {
  const era = host.readNote(run, NoteKind.Era)?.value;
  return typeof era === 'number' ? era : 0;
}

export function idOfStep(host: Pick<DurableHost, 'readNote'>, run: Run, key: string): string {
  return stepIdOf(run.id, key, eraOf(host, run));
}

/** What the function of a step gets. */
export class StepFacts implements StepInfo {
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly #host: Pick<DurableHost, 'readNote'>;
  readonly #run: Run;
  readonly #key: string;

  constructor(host: Pick<DurableHost, 'readNote'>, run: Run, key: string, attempt: number, signal: AbortSignal | undefined) {
    this.#host = host;
    this.#run = run;
    this.#key = key;
    this.attempt = attempt;
    this.signal = signal as AbortSignal;
  }

  get stepId(): string {
    return idOfStep(this.#host, this.#run, this.#key);
  }
}
