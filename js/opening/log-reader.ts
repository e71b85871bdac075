/**
 * Reads logs for whoever asks how far one is good: a storage that holds two copies, and the opening that takes
 * one over. Reading is what an opening's time goes into, so the log that was judged is not read again.
 * Invariant: what is taken is the engine that has read exactly this log, or a fresh one that does so now.
 */
import type { Engine } from '../pump/engine.ts';

interface Read {
  log: Uint8Array;
  engine: Engine;
  /** Of its valid prefix; -1: written by a newer version. */
  validBytes: number;
}

export class LogReader {
  readonly #fresh: () => Engine;
  #last: Read | undefined;
  #taken = false;

  constructor(fresh: () => Engine) {
    this.#fresh = fresh;
  }

  /** Bytes of the longest valid prefix; nothing counts for whom all of it is from a newer version. */
  inspect(log: Uint8Array): number {
    const read = this.#read(log);
    if (this.#taken) read.engine.delete();
    else this.#keep(read);
    return Math.max(0, read.validBytes);
  }

  /** From now on nothing is kept. */
  take(log: Uint8Array): Read {
    const read = this.#last?.log === log ? this.#last : this.#read(log);
    this.#taken = true;
    if (this.#last !== read) this.#keep(undefined);
    this.#last = undefined;
    return read;
  }

  #keep(read: Read | undefined): void {
    this.#last?.engine.delete();
    this.#last = read;
  }

  #read(log: Uint8Array): Read {
    const engine = this.#fresh();
    return { log, engine, validBytes: engine.load(log) };
  }
}
