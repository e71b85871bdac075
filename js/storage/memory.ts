/**
 * A store that forgets everything with the page. The same slots, logs and blobs as the others, so
 * that whatever runs on them runs here.
 */
import { PayloadLostError } from '../errors.ts';
import type { AppendReceipt, StorageOpenOptions, StorageSlot } from '../storage.ts';
import {
  type CopySlot,
  type CopyStorage,
  checkNamespace,
  concatenate,
  copyOneByOne,
  type NamedBlob,
  type Stamp,
  withoutThese,
} from './copy.ts';

const noted: AppendReceipt = Object.freeze({ spaceLow: false });
const acknowledged: Promise<AppendReceipt> = Promise.resolve(noted);

class MemorySlot implements CopySlot {
  readonly slot: number;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #base = 0;
  #epoch = 0;
  readonly #blobs = new Map<string, Blob>();

  constructor(slot: number) {
    this.slot = slot;
  }

  get length(): number {
    return this.#length;
  }
  stamp(): Stamp {
    return { epoch: this.#epoch, base: this.#base, length: this.#length };
  }
  async read(): Promise<Uint8Array<ArrayBuffer>> {
    return concatenate(this.#chunks, this.#length);
  }
  async truncate(length: number): Promise<void> {
    if (length >= this.#length) return;
    const kept = concatenate(this.#chunks, this.#length).slice(0, length);
    this.#put(kept, Math.min(this.#base, length), this.#epoch);
  }
  append(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    return acknowledged;
  }
  async replace(bytes: Uint8Array<ArrayBuffer>, epoch = this.#epoch + 1): Promise<void> {
    this.#put(bytes.slice(), bytes.length, epoch);
  }
  #put(bytes: Uint8Array, base: number, epoch: number): void {
    this.#chunks = bytes.length ? [bytes] : [];
    this.#length = bytes.length;
    this.#base = base;
    this.#epoch = epoch;
  }
  async putBlob(id: string, blob: Blob): Promise<void> {
    this.#blobs.set(id, blob);
  }
  async putBlobs(blobs: readonly NamedBlob[]): Promise<void> {
    for (const [id, blob] of blobs) this.#blobs.set(id, blob);
  }
  async copyBlobs(from: StorageSlot, ids: readonly string[]): Promise<string[]> {
    return copyOneByOne(this, from, await withoutThese(this.blobIds(), ids));
  }
  async getBlob(id: string): Promise<Blob> {
    const blob = this.#blobs.get(id);
    if (!blob) throw new PayloadLostError(`Slot ${this.slot} holds no blob ${id}.`);
    return blob;
  }
  async deleteBlobs(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#blobs.delete(id);
  }
  async blobIds(): Promise<string[]> {
    return [...this.#blobs.keys()];
  }
  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}

export class MemoryStorage implements CopyStorage {
  readonly name = 'memory';
  readonly durability = 'memory';
  readonly #slots: MemorySlot[] = [];
  #generation: string | undefined;

  async connect(options: StorageOpenOptions): Promise<string | undefined> {
    checkNamespace(options.namespace);
    return this.#generation;
  }
  async install(generation: string): Promise<void> {
    this.#generation = generation;
  }
  async open(options: StorageOpenOptions): Promise<void> {
    await this.connect(options);
  }
  async check(): Promise<boolean> {
    return true;
  }
  async slotCount(): Promise<number> {
    return Math.max(4, this.#slots.length);
  }
  async occupiedSlots(): Promise<number[]> {
    return this.#slots.filter((slot) => slot && slot.length > 0).map((slot) => slot.slot);
  }
  async openSlot(slot: number): Promise<CopySlot> {
    this.#slots[slot] ??= new MemorySlot(slot);
    return this.#slots[slot];
  }
  async close(): Promise<void> {}
}

/** Keeps nothing: what is in it ends with the page. Opening the same object again finds it again. */
export function memory(): MemoryStorage {
  return new MemoryStorage();
}
