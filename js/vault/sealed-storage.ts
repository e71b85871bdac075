/**
 * Any storage, with everything that goes into it sealed: who is above it sees plain bytes, what is below sees
 * none. A slot that was written without a key is read as it is, and written anew, sealed, by its first append.
 *
 * Invariants: bytes are sealed in call order, and a piece that was not taken leaves no trace in the chain. A log that
 * can't be opened is an error and stays as it is.
 */
import type { AppendReceipt, Durability, Storage, StorageOpenOptions, StorageSlot } from '../storage.ts';
import { isSealed, sealedLength } from '../codec/frames.ts';
import { concatenate } from '../journal/journal.ts';
import { LogQueue } from '../storage/log-queue.ts';
import type { Keys } from './keys.ts';
import { keyOfBlob, openBlob, sealBlob } from './sealed-blob.ts';
import { SealedLog } from './sealed-log.ts';

type Bytes = Uint8Array<ArrayBuffer>;

interface Place {
  readonly keys: Keys;
  readonly namespace: string;
  inspect(log: Uint8Array): number;
}

export class SealedStorage implements Storage {
  readonly inner: Storage;
  readonly #keys: Keys;
  #place: Place | undefined;

  constructor(inner: Storage, keys: Keys) {
    this.inner = inner;
    this.#keys = keys;
  }

  get name(): string {
    return this.inner.name;
  }
  get durability(): Durability {
    return this.inner.durability;
  }

  open(options: StorageOpenOptions): Promise<void> {
    const inspect = (log: Uint8Array) => sealedLength(log) ?? options.inspect(log).validBytes;
    this.#place = { keys: this.#keys, namespace: options.namespace, inspect };
    return this.inner.open({ ...options, inspect: (log) => ({ validBytes: inspect(log) }) });
  }

  slotCount(): Promise<number> {
    return this.inner.slotCount();
  }
  occupiedSlots(): Promise<number[]> {
    return this.inner.occupiedSlots();
  }
  async openSlot(slot: number): Promise<SealedSlot> {
    return new SealedSlot(await this.inner.openSlot(slot), this.#place!);
  }
  close(): Promise<void> {
    return this.inner.close();
  }
}

export class SealedSlot implements StorageSlot {
  readonly inner: StorageSlot;
  readonly #place: Place;
  readonly #log: SealedLog;
  readonly #queue = new LogQueue((bytes) => this.#write(bytes));
  /** undefined: nobody has looked yet. */
  #sealed: boolean | undefined;

  constructor(inner: StorageSlot, place: Place) {
    this.inner = inner;
    this.#place = place;
    this.#log = new SealedLog(place.keys, place.namespace, inner.slot);
  }

  get slot(): number {
    return this.inner.slot;
  }

  /** What lies behind the last good piece comes as it is: the caller sees that it is torn. @throws StorageLockedError */
  read(): Promise<Bytes> {
    return this.#queue.exclusive(() => this.#read());
  }

  async #read(): Promise<Bytes> {
    const stored = await this.inner.read();
    const sealed = isSealed(stored) || this.#place.inspect(stored) === 0;
    const plain = sealed ? await this.#log.open(stored) : stored;
    this.#sealed = sealed;
    if (!sealed) return plain;
    const rest = stored.subarray(this.#log.end.sealed);
    return rest.length === 0 ? plain : concatenate([plain, rest]);
  }

  truncate(length: number): Promise<void> {
    return this.#queue.exclusive(async () => {
      await this.#look();
      if (!this.#sealed) return this.inner.truncate(length);
      if (length >= this.#log.end.plain || this.#log.cut(length)) return this.inner.truncate(this.#log.end.sealed);
      await this.#replace((await this.#read()).slice(0, length));
    });
  }

  append(bytes: Bytes): Promise<AppendReceipt> {
    return this.#queue.append(bytes);
  }

  async #write(bytes: Bytes): Promise<AppendReceipt> {
    await this.#look();
    if (!this.#sealed) {
      const stored = await this.inner.read();
      await this.#replace(concatenate([stored.subarray(0, this.#place.inspect(stored)), bytes]));
      return { spaceLow: false };
    }
    const { frame, took } = await this.#log.piece(bytes);
    const receipt = await this.inner.append(frame);
    took();
    return receipt;
  }

  /** Nothing is appended before it is known what is there, and what is torn is gone. */
  async #look(): Promise<void> {
    if (this.#sealed !== undefined) return;
    await this.#read();
    if (this.#sealed) await this.inner.truncate(this.#log.end.sealed);
  }

  replace(bytes: Bytes): Promise<void> {
    return this.#queue.exclusive(() => this.#replace(bytes));
  }

  async #replace(bytes: Bytes): Promise<void> {
    // Should it fail, the old log stands, and what it looks like is looked for again.
    this.#sealed = undefined;
    await this.inner.replace(await this.#log.whole(bytes));
    this.#sealed = true;
  }

  async putBlob(id: string, blob: Blob): Promise<void> {
    await this.inner.putBlob(id, await sealBlob(this.#place.keys, this.#place.namespace, id, blob));
  }
  async getBlob(id: string): Promise<Blob> {
    return openBlob(this.#place.keys, this.#place.namespace, id, await this.inner.getBlob(id));
  }
  deleteBlobs(ids: readonly string[]): Promise<void> {
    return this.inner.deleteBlobs(ids);
  }
  copyBlobs(from: StorageSlot, ids: readonly string[]): Promise<string[]> {
    return this.inner.copyBlobs(from instanceof SealedSlot ? from.inner : from, ids);
  }
  blobIds(): Promise<string[]> {
    return this.inner.blobIds();
  }

  /** Under the key that seals now, unless it is already. */
  async resealBlob(id: string): Promise<void> {
    const stored = await this.inner.getBlob(id);
    if ((await keyOfBlob(stored)) !== this.#place.keys.current) await this.putBlob(id, await this.getBlob(id));
  }

  async flush(): Promise<void> {
    await this.#queue.idle();
    await this.inner.flush();
  }
  close(): Promise<void> {
    return this.#queue.exclusive(() => this.inner.close());
  }
}
