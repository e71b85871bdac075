/**
 * Where the house and this room meet. Most of the room is loaded with the first chunk that is appended or read.
 *
 * Invariant: a run without streams pays one look at a field.
 */
import { checkNames, checkSignal, wholeNumber } from '../intake/checks.ts';
import { decode } from '../codec/codec.ts';
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import { encodeChunk } from './chunks.ts';
import { StreamLog, stepsTold } from './log.ts';
import { Reader } from './reader.ts';
import type { ReadStreamOptions, StreamEntry, StreamReader } from './types.ts';
import { checkStream, type StreamSink } from './writing.ts';

type Work = typeof import('./work.ts');

/** Of the attempt whose code appends. */
export interface Appending {
  readonly signal: AbortSignal;
  /** @throws why nothing can be appended any more */
  check(): void;
  /** A sign of life. Gives the keys of the steps that are being computed. */
  during(): ReadonlySet<string> | undefined;
}

export class StreamDoor {
  readonly #house: Orchestrator;
  readonly #room = new Lazy<Work>(() => import('./work.ts'));

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** Rejects where the code of this room can't be had; the next call tries again. */
  load(): Promise<Work> {
    return this.#room.load();
  }

  /** What is stored of its streams is read. */
  async open(run: Run): Promise<void> {
    (await this.load()).recorderOf(this.#house, run);
  }

  sink(run: Run, attempt: number, key: string, appending: Appending): StreamSink {
    const house = this.#house;
    const log = (): StreamLog => (run.ownExtra.streams ??= new StreamLog());
    return {
      get signal() {
        return appending.signal;
      },
      append: (chunk, id) => {
        appending.check();
        const during = stepsTold(appending.during());
        const bytes = encodeChunk(chunk, house.payloads.limits.valueBytes);
        return log().inTurn(attempt, async () => {
          const work = await this.load();
          appending.check();
          const recorder = work.recorderOf(house, run);
          const known = id === undefined ? undefined : recorder.known(key, id);
          if (known || (id === undefined && (await work.repetitionOf(house, run, attempt, key).takes(bytes)))) return { stored: known };
          return { stored: recorder.push(key, bytes, id, attempt, during) };
        });
      },
      recorded: async () => {
        appending.check();
        const chunks: unknown[] = [];
        await log().inTurn(attempt, async () => {
          const repetition = (await this.load()).repetitionOf(house, run, attempt, key);
          for (const { bytes } of await repetition.take()) chunks.push(decode(bytes));
          return { stored: undefined };
        });
        return chunks;
      },
    };
  }

  /** @throws ConfigurationError */
  reader(id: string, key: string, options: ReadStreamOptions = {}): StreamReader {
    checkStream(key, undefined, 'stream');
    checkNames(options, ['from', 'signal'], 'stream options');
    const { from = 0, signal } = options;
    wholeNumber(from, 'stream from', 0, Number.MAX_SAFE_INTEGER);
    checkSignal(signal, 'stream signal');
    return new Reader(key, (own = signal) => this.#entries(id, key, from, own), signal);
  }

  async *#entries(id: string, key: string, from: number, signal: AbortSignal | undefined): AsyncGenerator<StreamEntry, void, undefined> {
    yield* (await this.load()).entriesOf(this.#house, { id, key, from, signal });
  }

  /** Another tab reads a stream of a run of ours. */
  async answer(run: Run, argument: unknown): Promise<unknown> {
    const [key, from] = Array.isArray(argument) ? argument : [];
    checkStream(key, undefined, 'stream');
    wholeNumber(from, 'stream from', 0, Number.MAX_SAFE_INTEGER);
    const { chunks, isOver } = await (await this.load()).answerHere(this.#house, run, key, from);
    // A view would be sent with all that it is a part of.
    return { chunks: chunks.map(({ bytes, attempt }) => ({ bytes: bytes.slice(), attempt })), isOver };
  }
}
