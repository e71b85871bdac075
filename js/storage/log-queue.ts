/**
 * The order of operations on one log.
 *
 * Invariants: one after the other, in call order. Appends that wait for their turn together are written
 * together: the first that is asked for goes at once, the rest are one write behind it.
 */
import type { AppendReceipt } from '../storage.ts';
import { concatenate, owned } from './copy.ts';

interface Batch {
  parts: Uint8Array<ArrayBuffer>[];
  length: number;
  written: Promise<AppendReceipt> | undefined;
}

export class LogQueue {
  readonly #write: (bytes: Uint8Array<ArrayBuffer>) => Promise<AppendReceipt>;
  #gathering: Batch | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** `write` gets bytes in a buffer of their own. */
  constructor(write: (bytes: Uint8Array<ArrayBuffer>) => Promise<AppendReceipt>) {
    this.#write = write;
  }

  append(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    const batch = this.#gathering ?? this.#newBatch();
    batch.parts.push(bytes);
    batch.length += bytes.length;
    return batch.written!;
  }

  /** Behind everything asked for before, ahead of everything asked for later. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    this.#gathering = undefined;
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Everything asked for so far is done or has failed. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  #newBatch(): Batch {
    const batch: Batch = { parts: [], length: 0, written: undefined };
    batch.written = this.exclusive(() => {
      if (this.#gathering === batch) this.#gathering = undefined;
      return this.#write(batch.parts.length === 1 ? owned(batch.parts[0]!) : concatenate(batch.parts, batch.length));
    });
    this.#gathering = batch;
    return batch;
  }
}
