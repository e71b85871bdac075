/**
 * localStorage: for small things and pages that have nothing else. A killed browser forgets the last
 * seconds of it; each write blocks the page; there are 5 MB for the whole origin.
 *
 *   holdfast:<ns>:generation          the sentinel, see copy.ts
 *   holdfast:<ns>:<slot>              epoch base length, decimal, with spaces between
 *   holdfast:<ns>:<slot>:<epoch>:<n>  chunk n of the log, a character per byte
 *   holdfast:<ns>:<slot>:blob:<id>    a blob, a character per byte
 *
 * Invariant: the slot's row is written last and alone decides: chunks of another epoch, or behind
 * `length`, are not there.
 */
import { refuse } from '../intake/checks.ts';
import { PayloadLostError, StorageFullError, StorageLostError, StorageUnavailableError } from '../errors.ts';
import type { AppendReceipt, Durability, StorageOpenOptions, StorageSlot } from '../storage.ts';
import {
  type CopySlot,
  type CopyStorage,
  checkNamespace,
  concatenate,
  copyOneByOne,
  type NamedBlob,
  openAlone,
  type Stamp,
  sentinel,
  withoutThese,
} from './copy.ts';
import { asStorageError, textOf } from './failures.ts';

/** The part of the Web Storage API in use. */
export interface KeyValues {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const BLOB_LIMIT = 1024 * 1024;
const INITIAL_SLOTS = 4;
const PER_CALL = 8192;
const noted: AppendReceipt = Object.freeze({ spaceLow: false });

function toText(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PER_CALL) {
    text += String.fromCharCode(...bytes.subarray(at, at + PER_CALL));
  }
  return text;
}

function toBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

class LocalSlot implements CopySlot {
  readonly slot: number;
  readonly #store: LocalStorage;
  readonly #key: string;
  #epoch = 0;
  #base = 0;
  #length = 0;
  #chunks = 0;

  constructor(store: LocalStorage, slot: number) {
    this.#store = store;
    this.slot = slot;
    this.#key = `${store.prefix}${slot}`;
    const row = store.values.getItem(this.#key);
    if (row) [this.#epoch, this.#base, this.#length] = row.split(' ').map(Number) as [number, number, number];
    this.#chunks = this.#pieces().length;
  }

  stamp(): Stamp {
    return { epoch: this.#epoch, base: this.#base, length: this.#length };
  }

  async read(): Promise<Uint8Array<ArrayBuffer>> {
    const pieces = this.#pieces();
    const got = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const lostBytes = this.#length - got;
    if (lostBytes > 0) this.#store.tellDamage(this.slot, got, lostBytes);
    this.#length = got;
    return concatenate(pieces, got);
  }

  async truncate(length: number): Promise<void> {
    if (length >= this.#length) return;
    const before = new Set(this.#logKeys());
    this.#length = length;
    this.#base = Math.min(this.#base, length);
    const pieces = this.#pieces();
    this.#chunks = pieces.length;
    const row: [string, string] = [this.#key, `${this.#epoch} ${this.#base} ${length}`];
    const last = pieces.map((piece, n): [string, string] => [this.#chunkKey(this.#epoch, n), toText(piece)]).slice(-1);
    this.#store.attempt('truncating the log', () => this.#store.putAll([...last, row]));
    for (let n = 0; n < pieces.length; n++) before.delete(this.#chunkKey(this.#epoch, n));
    for (const key of before) this.#store.values.removeItem(key);
  }

  async append(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    this.#store.attempt('appending to the log', () => {
      const key = this.#chunkKey(this.#epoch, this.#chunks);
      const row = `${this.#epoch} ${this.#base} ${this.#length + bytes.length}`;
      this.#store.putAll([
        [key, toText(bytes)],
        [this.#key, row],
      ]);
    });
    this.#length += bytes.length;
    this.#chunks++;
    return noted;
  }

  async replace(bytes: Uint8Array<ArrayBuffer>, epoch = this.#epoch + 1): Promise<void> {
    this.#store.restoreSentinel();
    this.#writeAnew(bytes, epoch, bytes.length);
  }

  async putBlob(id: string, blob: Blob): Promise<void> {
    if (blob.size > BLOB_LIMIT) {
      throw new StorageFullError(
        `localStorage takes blobs of at most ${BLOB_LIMIT} bytes, this one has ${blob.size}. Use opfs() or indexedDB().`,
      );
    }
    const text = toText(new Uint8Array(await blob.arrayBuffer()));
    this.#store.attempt('storing a blob', () => this.#store.putAll([[this.#blobKey(id), text]]));
  }

  async putBlobs(blobs: readonly NamedBlob[]): Promise<void> {
    for (const [id, blob] of blobs) await this.putBlob(id, blob);
  }

  async copyBlobs(from: StorageSlot, ids: readonly string[]): Promise<string[]> {
    return copyOneByOne(this, from, await withoutThese(this.blobIds(), ids));
  }

  async getBlob(id: string): Promise<Blob> {
    const text = this.#store.values.getItem(this.#blobKey(id));
    if (text === null) throw new PayloadLostError(`Slot ${this.slot} holds no blob ${id}.`);
    return new Blob([toBytes(text)]);
  }

  async deleteBlobs(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#store.values.removeItem(this.#blobKey(id));
  }

  async blobIds(): Promise<string[]> {
    const start = this.#blobKey('');
    return this.#store.keys().flatMap((key) => (key.startsWith(start) ? [key.slice(start.length)] : []));
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}

  #chunkKey(epoch: number, number: number): string {
    return `${this.#key}:${epoch}:${number}`;
  }
  #blobKey(id: string): string {
    return `${this.#key}:blob:${id}`;
  }

  /** The chunks up to `length`, cut there; they end at the first that is missing. */
  #pieces(): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let left = this.#length; left > 0; left -= pieces.at(-1)!.length) {
      const text = this.#store.values.getItem(this.#chunkKey(this.#epoch, pieces.length));
      if (text === null) break;
      pieces.push(toBytes(text).subarray(0, left));
    }
    return pieces;
  }

  #writeAnew(bytes: Uint8Array, epoch: number, base: number): void {
    const before = new Set(this.#logKeys());
    this.#store.attempt('replacing the log', () =>
      this.#store.putAll([
        [this.#chunkKey(epoch, 0), toText(bytes)],
        [this.#key, `${epoch} ${base} ${bytes.length}`],
      ]),
    );
    [this.#epoch, this.#base, this.#length, this.#chunks] = [epoch, base, bytes.length, 1];
    before.delete(this.#chunkKey(epoch, 0));
    for (const key of before) this.#store.values.removeItem(key);
  }

  #logKeys(): string[] {
    return this.#store.keys().filter((key) => key.startsWith(`${this.#key}:`) && !key.startsWith(this.#blobKey('')));
  }
}

export class LocalStorage implements CopyStorage {
  readonly name = 'localStorage';
  /** Survives a killed tab; a killed browser forgets its last seconds, which `process` does not allow. */
  readonly durability: Durability = 'memory';
  readonly #given: KeyValues | undefined;
  #values: KeyValues | undefined;
  #open: StorageOpenOptions | undefined;
  #generation = '';
  #full = false;
  prefix = '';

  constructor(given: KeyValues | undefined) {
    this.#given = given;
  }

  get values(): KeyValues {
    if (!this.#values) throw new StorageLostError('The store is not open.');
    return this.#values;
  }

  open(options: StorageOpenOptions): Promise<void> {
    return openAlone(this, options);
  }

  async connect(options: StorageOpenOptions): Promise<string | undefined> {
    checkNamespace(options.namespace);
    this.#open = options;
    this.prefix = `holdfast:${options.namespace}:`;
    try {
      this.#values = this.#given ?? localStorage;
      return this.#values.getItem(`${this.prefix}generation`) ?? undefined;
    } catch (cause) {
      throw new StorageUnavailableError(`localStorage can't be used here (${textOf(cause)}).`, { cause });
    }
  }

  async install(generation: string): Promise<void> {
    this.#generation = generation;
    const found = this.values.getItem(`${this.prefix}generation`);
    if (found !== null && found !== generation) {
      for (const key of this.keys()) if (key.startsWith(this.prefix)) this.values.removeItem(key);
    }
    this.attempt('setting up', () => this.values.setItem(`${this.prefix}generation`, generation));
  }

  async slotCount(): Promise<number> {
    return Math.max(INITIAL_SLOTS, ...this.#rows().map(([slot]) => slot + 1));
  }
  async occupiedSlots(): Promise<number[]> {
    return this.#rows().flatMap(([slot, length]) => (length > 0 ? [slot] : []));
  }
  async openSlot(slot: number): Promise<CopySlot> {
    return new LocalSlot(this, slot);
  }
  async check(): Promise<boolean> {
    const present = this.values.getItem(`${this.prefix}generation`) === this.#generation;
    if (!present) this.#open?.onEvent({ type: 'storage-lost', store: this.name, recoveredBytes: 0 });
    return present;
  }
  async close(): Promise<void> {}

  restoreSentinel(): void {
    if (this.#given) this.values.setItem(`${this.prefix}generation`, this.#generation);
    else sentinel.write(this.#open!.namespace, this.#generation);
  }

  keys(): string[] {
    return Array.from({ length: this.values.length }, (_, index) => this.values.key(index) ?? '');
  }

  /** All or none. */
  putAll(pairs: [string, string][]): void {
    const before = pairs.map(([key]) => [key, this.values.getItem(key)] as const);
    try {
      for (const [key, value] of pairs) this.values.setItem(key, value);
    } catch (error) {
      for (const [key, value] of before) value === null ? this.values.removeItem(key) : this.values.setItem(key, value);
      throw error;
    }
  }

  attempt(doing: string, work: () => void): void {
    try {
      if (this.#generation && this.values.getItem(`${this.prefix}generation`) === null) this.#wiped(doing);
      work();
      this.#setFull(false);
    } catch (error) {
      const known = asStorageError(error, doing);
      if (known instanceof StorageFullError) this.#setFull(true, known);
      throw known;
    }
  }

  tellDamage(slot: number, recoveredBytes: number, lostBytes: number): void {
    this.#open?.onEvent({ type: 'storage-lost', store: this.name, slot, recoveredBytes, lostBytes });
  }

  #wiped(doing: string): void {
    if (doing === 'setting up') return;
    this.#open?.onEvent({ type: 'storage-lost', store: this.name, recoveredBytes: 0 });
    throw new StorageLostError('localStorage was cleared. replace() writes the log anew.');
  }

  #rows(): [number, number][] {
    return this.keys().flatMap((key) => {
      const slot = key.startsWith(this.prefix) ? key.slice(this.prefix.length) : '';
      if (!/^\d+$/.test(slot)) return [];
      return [[Number(slot), Number(this.values.getItem(key)!.split(' ')[2])] as [number, number]];
    });
  }

  #setFull(full: boolean, cause?: unknown): void {
    if (full === this.#full) return;
    this.#full = full;
    this.#open?.onEvent(
      full ? { type: 'storage-full', store: this.name, cause } : { type: 'storage-available', store: this.name },
    );
  }
}

/** For small things only; see above. `values`: another Web Storage, such as sessionStorage. */
export function local(values?: KeyValues): LocalStorage {
  if (values !== undefined && typeof (values as Partial<KeyValues> | null)?.setItem !== 'function') refuse('local', 'given a Web Storage', values);
  return new LocalStorage(values);
}
