/**
 * IndexedDB. Appends are packed: what gathers while a transaction runs goes into the next one as one
 * value (a put costs what a hundred packed records cost). Format and connection: idb-connection.ts.
 *
 * Invariants: nothing is acknowledged before its transaction is complete (at quota requests succeed
 * whose transaction then aborts). Writes of a slot happen in call order. Each is repeatable: it says
 * where its bytes go and what the slot is after it.
 */
import { PayloadLostError, StorageFullError, StorageLostError } from '../errors.ts';
import { checkEach, checkNames, checkRecord } from '../intake/checks.ts';
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
  withoutThese,
} from './copy.ts';
import { allOf, heardLater, nameOf, textOf } from './failures.ts';
import { Connection, type Database, rotate, type SlotRow } from './idb-connection.ts';
import { same } from './log-file.ts';
import { LogQueue } from './log-queue.ts';
import { systemTimers, type Timers } from './wait.ts';

export interface IndexedDBOptions {
  timers?: Timers;
}

const INITIAL_SLOTS = 4;
/** Of a replace: small enough that copying one for the database blocks nobody. */
const PIECE = 1024 * 1024;
/** A larger blob is kept as a Blob. The browser takes values above 64 KiB out of its database anyway. */
const INLINE_BYTES = 48 * 1024;
/** Blobs per transaction of a copy: others get their turn in between. */
const COPIES = 64;
const noted: AppendReceipt = Object.freeze({ spaceLow: false });

class IndexedDBSlot implements CopySlot {
  readonly slot: number;
  readonly #store: IndexedDBStorage;
  #row: SlotRow;
  readonly #queue = new LogQueue((bytes) => this.#write(bytes));

  constructor(store: IndexedDBStorage, slot: number, row: SlotRow) {
    this.#store = store;
    this.slot = slot;
    this.#row = row;
  }

  stamp(): Stamp {
    if (this.#store.connection.isGone) return { epoch: -1, base: 0, length: 0 };
    const { epoch, base, length } = this.#row;
    return { epoch, base, length };
  }

  read(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#queue.exclusive(() => this.#read());
  }

  truncate(length: number): Promise<void> {
    return this.#queue.exclusive(async () => {
      if (length >= this.#row.length) return;
      const row = { ...this.#row, length, base: Math.min(this.#row.base, length), open: true };
      await this.#store.write('truncating the log', (db) => this.#cut(db, row));
      this.#row = row;
    });
  }

  append(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    return this.#queue.append(bytes);
  }

  replace(bytes: Uint8Array<ArrayBuffer>, epoch?: number): Promise<void> {
    return this.#queue.exclusive(async () => {
      await this.#store.reinstallIfGone();
      const next = epoch ?? this.#row.epoch + 1;
      const row = { epoch: next, base: bytes.length, length: bytes.length, open: true };
      await this.#store.write('replacing the log', (db) => this.#writeAnew(db, row, bytes));
      this.#row = row;
    });
  }

  putBlob(id: string, blob: Blob): Promise<void> {
    return this.putBlobs([[id, blob]]);
  }

  /** One transaction. A small blob is kept as its bytes: for a Blob the browser makes a file each. */
  async putBlobs(blobs: readonly NamedBlob[]): Promise<void> {
    const small = await valuesOf(blobs, ({ size }) => size <= INLINE_BYTES);
    try {
      await this.#store.write('storing blobs', (db, options) => putAll(db, options, this.slot, small));
    } catch (error) {
      if (nameOf((error as Error).cause) !== 'DataCloneError') throw error;
      const bytes = await valuesOf(blobs, () => true);
      await this.#store.write('storing blobs', (db, options) => putAll(db, options, this.slot, bytes));
    }
  }

  async copyBlobs(from: StorageSlot, ids: readonly string[]): Promise<string[]> {
    const missing: string[] = [];
    const wanted = await withoutThese(this.blobIds(), ids);
    for (let at = 0; at < wanted.length; at += COPIES) {
      const part = wanted.slice(at, at + COPIES);
      missing.push(...(await this.#copyPart(from, part)));
    }
    return missing;
  }

  /** One blob whose file is gone fails its whole transaction: then each goes by itself. */
  async #copyPart(from: StorageSlot, ids: readonly string[]): Promise<string[]> {
    try {
      return await this.#store.write('copying blobs', (db, options) => this.#copy(db, options, from.slot, ids));
    } catch (error) {
      if (error instanceof StorageFullError || this.#store.connection.isGone) throw error;
      return copyOneByOne(this, from, ids);
    }
  }

  async #copy(db: Database, options: IDBTransactionOptions, from: number, ids: readonly string[]): Promise<string[]> {
    const missing: string[] = [];
    const copying = db.transaction('blobs', 'readwrite', options);
    const each = ids.map(async (id) => {
      const found = await copying.store.get([from, id]);
      if (found === undefined) missing.push(id);
      else copying.store.put(found, [this.slot, id]).catch(() => undefined);
    });
    // What ended the transaction says more than the requests that saw its end.
    await Promise.all([copying.done, Promise.allSettled(each)]);
    return missing;
  }

  async getBlob(id: string): Promise<Blob> {
    const found = await this.#store.connection.run('reading a blob', (db) => db.get('blobs', [this.slot, id]));
    if (found === undefined) throw new PayloadLostError(`Slot ${this.slot} holds no blob ${id}.`);
    if (!(found instanceof Blob)) return new Blob([found]);
    await this.#probe(id, found);
    return found;
  }

  async deleteBlobs(ids: readonly string[]): Promise<void> {
    await this.#store.write('deleting blobs', async (db, options) => {
      const writing = db.transaction('blobs', 'readwrite', options);
      for (const id of ids) writing.store.delete([this.slot, id]).catch(() => undefined);
      await writing.done;
    });
  }

  async blobIds(): Promise<string[]> {
    const all = IDBKeyRange.bound([this.slot], [this.slot, []]);
    const keys = await this.#store.connection.run('listing blobs', (db) => db.getAllKeys('blobs', all));
    return keys.map(([, id]) => id);
  }

  async flush(): Promise<void> {
    await this.#queue.idle();
  }

  async close(): Promise<void> {
    this.#store.forget(this);
    await this.#queue
      .exclusive(async () => {
        if (!this.#row.open || this.#store.connection.isGone) return;
        await this.#store.connection.run('closing', (db) => db.put('slots', { ...this.#row, open: false }, this.slot));
      })
      .catch(() => undefined);
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    const { epoch, base, length: start } = this.#row;
    const row = { epoch, base, length: start + bytes.length, open: true };
    await this.#store.write('appending to the log', async (db, options) => {
      const writing = db.transaction(['log', 'slots'], 'readwrite', options);
      const log = heardLater(writing.objectStore('log').put(bytes, [this.slot, epoch, start]));
      await allOf(writing, [log, writing.objectStore('slots').put(row, this.slot)]);
    });
    this.#row = row;
    return noted;
  }

  async #read(): Promise<Uint8Array<ArrayBuffer>> {
    const range = this.#range(this.#row.epoch, 0);
    const [keys, values] = await this.#store.connection.run('reading the log', async (db) => {
      const log = db.transaction('log').store;
      return Promise.all([log.getAllKeys(range), log.getAll(range)]);
    });
    const expected = this.#row.length;
    let length = 0;
    let count = 0;
    while (count < keys.length && keys[count]![2] === length) length += values[count++]!.length;
    if (length < expected) this.#store.tellDamage(this.slot, length, expected - length);
    this.#row = { ...this.#row, length };
    return concatenate(values.slice(0, count), length);
  }

  async #cut(db: Database, row: SlotRow): Promise<void> {
    const writing = db.transaction(['log', 'slots'], 'readwrite');
    const log = writing.objectStore('log');
    const last = await log.openCursor(this.#range(row.epoch, 0, row.length), 'prev');
    const kept = last ? row.length - last.key[2] : 0;
    const cut = last && kept > 0 && last.value.length > kept ? [heardLater(log.put(last.value.slice(0, kept), last.key))] : [];
    await allOf(writing, [...cut, heardLater(log.delete(this.#range(row.epoch, row.length))), writing.objectStore('slots').put(row, this.slot)]);
  }

  /** One transaction; each piece is read back within it. */
  async #writeAnew(db: Database, row: SlotRow, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const writing = db.transaction(['log', 'slots'], 'readwrite', this.#store.transactionOptions);
    const finished = writing.done.catch((error: unknown) => error as Error);
    const log = writing.objectStore('log');
    try {
      await log.delete(IDBKeyRange.bound([this.slot], [this.slot, []]));
      for (let at = 0; at < bytes.length; at += PIECE) {
        const piece = bytes.slice(at, at + PIECE);
        await log.put(piece, [this.slot, row.epoch, at]);
        if (!same((await log.get([this.slot, row.epoch, at])) ?? new Uint8Array(), piece)) {
          writing.abort();
          throw new StorageLostError(`What was written did not read back the same, near byte ${at}.`);
        }
      }
      await writing.objectStore('slots').put(row, this.slot);
    } catch (error) {
      // What ended the transaction says more than the request that saw its end.
      throw nameOf(error) === 'AbortError' ? ((await finished) ?? error) : error;
    }
    const failure = await finished;
    if (failure) throw failure;
  }

  #range(epoch: number, start: number, last: number | [] = []): IDBKeyRange {
    return IDBKeyRange.bound([this.slot, epoch, start], [this.slot, epoch, last] as IDBValidKey);
  }

  /** The browser keeps a blob's bytes in a file of its own, which may be missing or short. */
  async #probe(id: string, blob: Blob): Promise<void> {
    try {
      await blob.slice(0, 1).arrayBuffer();
      await blob.slice(Math.max(0, blob.size - 1)).arrayBuffer();
    } catch (cause) {
      throw new PayloadLostError(`The bytes of blob ${id} are gone (${textOf(cause)}).`, { cause });
    }
  }
}

type BlobValue = readonly [id: string, value: Blob | ArrayBuffer];

function valuesOf(blobs: readonly NamedBlob[], asBytes: (blob: Blob) => boolean): Promise<BlobValue[]> {
  return Promise.all(blobs.map(async ([id, blob]) => [id, asBytes(blob) ? await blob.arrayBuffer() : blob] as const));
}

async function putAll(
  db: Database,
  options: IDBTransactionOptions,
  slot: number,
  values: readonly BlobValue[],
): Promise<void> {
  const writing = db.transaction('blobs', 'readwrite', options);
  await allOf(writing, values.map(([id, value]) => heardLater(writing.store.put(value, [slot, id]))));
}

export class IndexedDBStorage implements CopyStorage {
  readonly name = 'indexedDB';
  readonly durability: Durability = 'power';
  readonly #timers: Timers;
  readonly #slots = new Set<IndexedDBSlot>();
  #open: StorageOpenOptions | undefined;
  #connection: Connection | undefined;
  #generation = '';
  #alone = true;
  #rotation: Promise<void> | undefined;
  #full = false;
  /** Read with the connection, for the first `openSlot`. */
  #ahead: { slot: number; row: SlotRow | undefined } | undefined;

  constructor({ timers = systemTimers }: IndexedDBOptions) {
    this.#timers = timers;
  }

  get connection(): Connection {
    if (!this.#connection) throw new StorageLostError('The store is not open.');
    return this.#connection;
  }
  get transactionOptions(): IDBTransactionOptions {
    return { durability: this.#open?.durability === 'power' ? 'strict' : 'relaxed' };
  }

  open(options: StorageOpenOptions): Promise<void> {
    return openAlone(this, options);
  }

  async connect(options: StorageOpenOptions, alone: boolean): Promise<string | undefined> {
    checkNamespace(options.namespace);
    this.#open = options;
    this.#alone = alone;
    this.#full = false;
    this.#connection = new Connection(options.namespace, this.#timers, {
      blocked: (cause) => options.onEvent({ type: 'storage-blocked', store: this.name, cause }),
      unreachable: (cause) => options.onEvent({ type: 'storage-degraded', store: this.name, cause }),
      lost: (cause) => options.onEvent({ type: 'storage-lost', store: this.name, recoveredBytes: 0, cause }),
    });
    const generation = await this.#connection.begin();
    this.#ahead = undefined;
    const { ahead } = options;
    if (ahead !== undefined && generation !== undefined) this.#ahead = { slot: ahead, row: await this.#readRow(ahead) };
    if (alone && generation !== undefined && (await this.#endedBadly())) this.#rotation = this.#rotate();
    return generation;
  }

  async install(generation: string): Promise<void> {
    this.#generation = generation;
    await this.connection.install(generation);
  }

  async reinstallIfGone(): Promise<void> {
    if (this.connection.isGone) await this.install(this.#generation);
  }

  /** A write by anyone: after the log was rotated, and with what fullness means told. */
  async write<T>(doing: string, work: (db: Database, options: IDBTransactionOptions) => Promise<T>): Promise<T> {
    if (this.#rotation) await this.#rotation;
    try {
      const result = await this.connection.run(doing, (db) => work(db, this.transactionOptions));
      this.#setFull(false);
      return result;
    } catch (error) {
      if (error instanceof StorageFullError) this.#setFull(true, error);
      throw error;
    }
  }

  tellDamage(slot: number, recoveredBytes: number, lostBytes: number): void {
    if (this.#alone) this.#open?.onEvent({ type: 'storage-lost', store: this.name, slot, recoveredBytes, lostBytes });
  }

  async slotCount(): Promise<number> {
    const slots = await this.connection.run('counting slots', (db) => db.getAllKeys('slots'));
    return Math.max(INITIAL_SLOTS, (slots.at(-1) ?? -1) + 1);
  }

  async occupiedSlots(): Promise<number[]> {
    const [keys, rows] = await this.connection.run('looking through slots', async (db) => {
      const slots = db.transaction('slots').store;
      return Promise.all([slots.getAllKeys(), slots.getAll()]);
    });
    return keys.filter((_, index) => rows[index]!.length > 0);
  }

  async openSlot(slot: number): Promise<CopySlot> {
    const row = this.#ahead?.slot === slot ? this.#ahead.row : await this.#readRow(slot);
    this.#ahead = undefined;
    const opened = new IndexedDBSlot(this, slot, row ?? { epoch: 0, base: 0, length: 0, open: false });
    this.#slots.add(opened);
    return opened;
  }

  #readRow(slot: number): Promise<SlotRow | undefined> {
    return this.connection.run('opening a slot', (db) => db.get('slots', slot));
  }

  async check(): Promise<boolean> {
    const present = this.connection.run('looking', (db) => db.get('meta', 'generation'));
    return present.then(Boolean, () => false);
  }

  forget(slot: IndexedDBSlot): void {
    this.#slots.delete(slot);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#slots].map((slot) => slot.close()));
    this.#connection?.close();
    this.#connection = undefined;
  }

  #endedBadly(): Promise<boolean> {
    return this.connection.run('looking for an unclean end', async (db) =>
      (await db.getAll('slots')).some((row) => row.open),
    );
  }

  /** The second line of defence, for when no other copy is: its failure is not the append's. */
  async #rotate(): Promise<void> {
    await this.connection.run('rotating the log', rotate).catch(() => undefined);
    this.#rotation = undefined;
  }

  #setFull(full: boolean, cause?: unknown): void {
    if (full === this.#full) return;
    this.#full = full;
    this.#open?.onEvent(
      full ? { type: 'storage-full', store: this.name, cause } : { type: 'storage-available', store: this.name },
    );
  }
}

/** The browser's database: everywhere, also where OPFS is not; on its own it can be wiped by a killed browser. */
export function indexedDBStorage(options: IndexedDBOptions = {}): IndexedDBStorage {
  checkNames(options, ['timers'], 'indexedDB');
  checkEach(options, { timers: checkRecord }, 'indexedDB');
  return new IndexedDBStorage(options);
}
export { indexedDBStorage as indexedDB };
