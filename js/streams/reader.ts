/** The ways in which chunks are read: iterated, with what is known of them, or as a ReadableStream. */
import type { StreamEntry, StreamReader } from './types.ts';

/** @param signal ends the reading, in place of the one that was given with the options */
export type Entries = (signal?: AbortSignal) => AsyncGenerator<StreamEntry, void, undefined>;

export class Reader implements StreamReader {
  readonly key: string;
  readonly #entries: Entries;
  readonly #signal: AbortSignal | undefined;

  constructor(key: string, entries: Entries, signal: AbortSignal | undefined) {
    this.key = key;
    this.#entries = entries;
    this.#signal = signal;
  }

  entries(): AsyncGenerator<StreamEntry, void, undefined> {
    return this.#entries();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<any, void, undefined> {
    for await (const { chunk } of this.#entries()) yield chunk;
  }

  readable(): ReadableStream<any> {
    // Whoever cancels it while it waits for the next chunk is not to wait for that.
    const cancelled = new AbortController();
    const signal = this.#signal ? AbortSignal.any([this.#signal, cancelled.signal]) : cancelled.signal;
    let entries: AsyncGenerator<StreamEntry, void, undefined> | undefined;
    return new ReadableStream(
      {
        pull: async (controller) => {
          entries ??= this.#entries(signal);
          const { done, value } = await entries.next();
          if (done) controller.close();
          else controller.enqueue(value.chunk);
        },
        cancel: (reason) => {
          cancelled.abort(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }
}
