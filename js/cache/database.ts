/**
 * The connection to the cache's own IndexedDB database.
 *
 *   database holdfast-cache:<name>, version 1
 *     entries  key → { bytes, blobs }                                        codec form of the entry
 *     rows     key → { task, tags, createdAt, usedAt, endsAt, bytes }        what is asked of all at once
 *     totals   'all' → { entries, bytes }                                    kept with every change
 *
 * Invariants: opening has a time limit. A connection that died (wiped, closed by the browser, another
 * version) is dropped and opened anew, once for each piece of work; work is repeatable. What was lost
 * is missing, which is a miss: nothing here is needed to be there.
 */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { StorageBlockedError, StorageUnavailableError } from '../errors.ts';
import { asStorageError, nameOf } from '../storage/failures.ts';
import { systemTimers, within } from '../storage/wait.ts';
import type { PackedEntry } from './packing.ts';

export interface EntryRow {
  task: string;
  tags: string[];
  createdAt: number;
  usedAt: number;
  /** Infinity: none. */
  endsAt: number;
  bytes: number;
}

export interface StoredEntry {
  bytes: PackedEntry['bytes'];
  /** ArrayBuffers where the browser refuses to keep Blobs. */
  blobs: (Blob | ArrayBuffer)[];
}

export interface Totals {
  entries: number;
  bytes: number;
}

export interface CacheSchema extends DBSchema {
  entries: { key: string; value: StoredEntry };
  rows: { key: string; value: EntryRow; indexes: { task: string; createdAt: number; usedAt: number; endsAt: number } };
  totals: { key: string; value: Totals };
}
export type CacheDatabase = IDBPDatabase<CacheSchema>;

const openLimitMs = 5000;
const deathCries = new Set(['InvalidStateError', 'UnknownError', 'AbortError', 'TransactionInactiveError', 'NotFoundError']);

export class CacheConnection {
  readonly #name: string;
  #opening: Promise<CacheDatabase> | undefined;
  #closed = false;

  constructor(name: string) {
    this.#name = `holdfast-cache:${name}`;
  }

  /** Does repeatable work; once more on a fresh connection where the old one has died. @throws StorageError */
  async run<T>(doing: string, work: (db: CacheDatabase) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work(await this.#database());
      } catch (error) {
        if (!deathCries.has(nameOf(error)) || attempt > 0) throw asStorageError(error, doing);
        this.#drop();
      }
    }
  }

  /** Ahead of the work; where that fails, the work tries again and says so. */
  open(): void {
    if (!this.#closed) this.#database().catch(() => {});
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #database(): Promise<CacheDatabase> {
    if (this.#closed) throw new StorageUnavailableError('The cache was closed.');
    this.#opening ??= this.#open();
    return this.#opening;
  }

  #drop(): void {
    this.#opening?.then((db) => db.close()).catch(() => undefined);
    this.#opening = undefined;
  }

  async #open(): Promise<CacheDatabase> {
    if (typeof indexedDB === 'undefined') throw new StorageUnavailableError('This page has no IndexedDB.');
    const opening = openDB<CacheSchema>(this.#name, 1, {
      upgrade: (db) => {
        db.createObjectStore('entries');
        db.createObjectStore('totals');
        const rows = db.createObjectStore('rows');
        for (const name of ['task', 'createdAt', 'usedAt', 'endsAt'] as const) rows.createIndex(name, name);
      },
      blocking: () => this.#drop(),
      terminated: () => {
        this.#opening = undefined;
      },
    });
    try {
      return await within(openLimitMs, systemTimers, opening, () => new StorageBlockedError('The cache did not open in time; another tab may hold it.'));
    } catch (error) {
      this.#opening = undefined;
      opening.then((db) => db.close()).catch(() => undefined);
      throw error;
    }
  }
}
