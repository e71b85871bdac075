/**
 * A cache in IndexedDB: shared by all tabs of the origin, outlives the browser.
 *
 * Invariants: every change of an entry, its row and the totals is one transaction, so limits hold
 * across tabs; changes happen in the order in which they are asked for, one transaction at a time, and
 * what is set while one is under way goes together into the next, which asks once and writes once:
 * runs that wait for a place in a queue wait for it; a reading writes nothing (when an entry was used
 * is written down with the next change); a full disk drops the half that was not used for longest and
 * tries once more.
 */
import type { IDBPTransaction } from 'idb';
import { SystemClock } from '../time/clock.ts';
import { PayloadLostError, StorageBlockedError, StorageFullError } from '../errors.ts';
import { checkNames } from '../intake/checks.ts';
import { storageName } from '../intake/storage-name.ts';
import { type Settlement, settlement } from '../runs/run.ts';
import { heardLater, nameOf } from '../storage/failures.ts';
import { systemTimers, within } from '../storage/wait.ts';
import { CacheConnection, type CacheSchema, type EntryRow, type StoredEntry, type Totals } from './database.ts';
import { meets } from './key.ts';
import { type CacheLimits, checkLimits } from './memory.ts';
import { pack, sizeOf, unpack } from './packing.ts';
import type { Cache, CacheEntry, CacheFilter, CacheSetOptions, CacheWrite } from './types.ts';

export interface IndexedDBCacheOptions extends CacheLimits {
  /** Separates applications and users on one origin. Default `default`. */
  name?: string;
}

interface Put {
  readonly key: string;
  readonly row: EntryRow;
  readonly stored: StoredEntry;
  readonly settlement: Settlement;
}

/** Any other change. */
interface Change {
  readonly doing: string;
  readonly work: (writing: Writing) => Promise<unknown>;
  readonly settlement: Settlement;
}

/** Of one transaction. */
const putsAtOnce = 256;
/** What was asked for may take so long when it is closed. */
const closeLimitMs = 5000;

type Writing = IDBPTransaction<CacheSchema, ('entries' | 'rows' | 'totals')[], 'readwrite'>;

const noTotals: Totals = { entries: 0, bytes: 0 };

/** Default limits: 10,000 entries, 256 MiB. @throws ConfigurationError */
export function indexedDBCache(options: IndexedDBCacheOptions = {}): Cache {
  return new IndexedDBCache(options);
}

class IndexedDBCache implements Cache {
  readonly copies = true;
  readonly #connection: CacheConnection;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #used = new Map<string, number>();
  /** For the next transactions, in the order in which they came. */
  readonly #waiting: (Put | Change)[] = [];
  /** Settles when nothing waits; undefined: nothing does. */
  #writing: Promise<void> | undefined;
  #clock: { now(): number } = new SystemClock();

  constructor(options: IndexedDBCacheOptions) {
    checkNames(options, ['name', 'maxEntries', 'maxBytes'], 'indexedDBCache');
    checkLimits(options, 'indexedDBCache');
    this.#connection = new CacheConnection(storageName(options.name ?? 'default'));
    this.#maxEntries = options.maxEntries ?? 10_000;
    this.#maxBytes = options.maxBytes ?? 256 * 1024 * 1024;
  }

  /** Who says whose time counts is about to ask. */
  useClock(clock: { now(): number }): void {
    this.#clock = clock;
    this.#connection.open();
  }

  async get(key: string): Promise<CacheEntry | undefined> {
    const entry = await this.peek(key);
    if (entry) this.#used.set(key, this.#clock.now());
    return entry;
  }

  async peek(key: string): Promise<CacheEntry | undefined> {
    await this.#afterWaiting((waiting) => waiting === key);
    const nowMs = this.#clock.now();
    const [stored, row] = await this.#connection.run('reading the cache', async (db) => {
      const reading = db.transaction(['entries', 'rows']);
      return Promise.all([reading.objectStore('entries').get(key), reading.objectStore('rows').get(key)]);
    });
    if (!stored || !row || row.endsAt <= nowMs) return undefined;
    return unpack({ bytes: stored.bytes, blobs: await Promise.all(stored.blobs.map(readable)) });
  }

  async set(key: string, entry: CacheEntry, { ttl, tags = entry.tags, size }: CacheSetOptions = {}): Promise<CacheWrite> {
    const packed = pack(entry);
    const nowMs = this.#clock.now();
    const row: EntryRow = {
      task: entry.meta.taskId,
      tags: [...(tags ?? [])],
      createdAt: entry.createdAt,
      usedAt: nowMs,
      endsAt: ttl === undefined ? Number.POSITIVE_INFINITY : nowMs + ttl,
      bytes: size ?? sizeOf(packed),
    };
    if (row.bytes > this.#maxBytes) {
      await this.delete(key);
      return { pruned: [key] };
    }
    return { pruned: await this.#put(key, row, { bytes: packed.bytes, blobs: packed.blobs }) };
  }

  /** @throws StorageError */
  #put(key: string, row: EntryRow, stored: StoredEntry): Promise<string[]> {
    return this.#enqueue({ key, row, stored, settlement: settlement() });
  }

  /** @throws StorageError */
  #change<T>(doing: string, work: (writing: Writing) => Promise<T>): Promise<T> {
    return this.#enqueue({ doing, work, settlement: settlement() });
  }

  #enqueue(one: Put | Change): Promise<any> {
    this.#waiting.push(one);
    this.#writing ??= this.#writeWaiting();
    return one.settlement.promise;
  }

  /** A reading sees what was asked for before it. */
  async #afterWaiting(concerns: (key: string) => boolean): Promise<void> {
    const last = this.#waiting.findLast((one) => !('key' in one) || concerns(one.key));
    await last?.settlement.promise.catch(() => {});
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const puts = this.#takePuts();
      if (puts.length > 0) await this.#putTogether(puts);
      else {
        const { doing, work, settlement } = this.#waiting.shift() as Change;
        await this.#write(doing, work).then(settlement.resolve, settlement.reject);
      }
    }
    this.#writing = undefined;
  }

  /** Those at the head; no key twice: each counts with what it replaces. */
  #takePuts(): Put[] {
    const keys = new Set<string>();
    const isNext = (one: Put | Change) => 'key' in one && keys.size < putsAtOnce && keys.size < keys.add(one.key).size;
    const end = this.#waiting.findIndex((one) => !isNext(one));
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end) as Put[];
  }

  /** What hinders one hinders no other: where they can't be written together, each is by itself. */
  async #putTogether(puts: readonly Put[]): Promise<void> {
    try {
      const pruned = await this.#write('writing the cache', (writing) => this.#replace(writing, puts));
      const keys = new Set(puts.map(({ key }) => key));
      const others = pruned.filter((key) => !keys.has(key));
      for (const { key, settlement } of puts) settlement.resolve([...others.splice(0), ...(pruned.includes(key) ? [key] : [])]);
    } catch (error) {
      for (const put of puts) await this.#putAlone(put, puts.length === 1 ? error : undefined).then(put.settlement.resolve, put.settlement.reject);
    }
  }

  /** @param problem of writing it as it is; undefined: that was not tried */
  async #putAlone(put: Put, problem?: unknown): Promise<string[]> {
    try {
      if (problem !== undefined) throw problem;
      return await this.#write('writing the cache', (writing) => this.#replace(writing, [put]));
    } catch (error) {
      if (error instanceof StorageFullError) return this.#putWithRoom(put);
      const { blobs, bytes } = put.stored;
      // Some browsers keep no Blobs in some of their modes.
      if (nameOf((error as Error).cause) !== 'DataCloneError' || !blobs.some((blob) => blob instanceof Blob)) throw error;
      const kept = await Promise.all(blobs.map((blob) => (blob instanceof Blob ? keptAsBytes(blob) : blob)));
      return this.#putAlone({ ...put, stored: { bytes, blobs: kept } });
    }
  }

  async #putWithRoom(put: Put): Promise<string[]> {
    const dropped = await this.#write('making room', async (writing) => {
      const totals = await totalsOf(writing);
      const keys = await dropLeastUsed(writing, totals, { maxEntries: Math.floor(totals.entries / 2), maxBytes: Math.floor(totals.bytes / 2) });
      await writing.objectStore('totals').put(totals, 'all');
      return keys;
    });
    return [...dropped, ...(await this.#write('writing the cache', (writing) => this.#replace(writing, [put])))];
  }

  /** Asks for all at once, then writes all at once. */
  async #replace(writing: Writing, puts: readonly Put[]): Promise<string[]> {
    const [rows, entries] = [writing.objectStore('rows'), writing.objectStore('entries')];
    const [totals, ...before] = await Promise.all([totalsOf(writing), ...puts.map(({ key }) => rows.get(key))] as const);
    const requests: Promise<unknown>[] = [];
    for (const [index, { key, row, stored }] of puts.entries()) {
      for (const request of [entries.put(stored, key), rows.put(row, key)]) requests.push(heardLater(request));
      const former = before[index];
      totals.entries += former ? 0 : 1;
      totals.bytes += row.bytes - (former?.bytes ?? 0);
    }
    const limits = { maxEntries: this.#maxEntries, maxBytes: this.#maxBytes };
    if (isOver(totals, limits)) await drop(writing, totals, await rows.index('endsAt').getAllKeys(IDBKeyRange.upperBound(puts.at(-1)!.row.usedAt)));
    const pruned = await dropLeastUsed(writing, totals, limits);
    requests.push(writing.objectStore('totals').put(totals, 'all'));
    writing.commit();
    await Promise.all(requests);
    return pruned;
  }

  delete(key: string): Promise<boolean> {
    return this.#change('deleting from the cache', async (writing) => (await dropAll(writing, [key])) === 1);
  }

  clear(filter: CacheFilter = {}): Promise<number> {
    return this.#change('clearing the cache', async (writing) => {
      const rows = writing.objectStore('rows');
      const from = filter.task === undefined ? rows : rows.index('task');
      const range = filter.task ?? (filter.prefix === undefined ? undefined : IDBKeyRange.bound(filter.prefix, `${filter.prefix}\uffff`));
      const [keys, values] = await Promise.all([from.getAllKeys(range), from.getAll(range)]);
      return dropAll(writing, keys.filter((key, index) => meets(filter, key, values[index]!.task, values[index]!.tags)));
    });
  }

  async size(): Promise<number> {
    await this.#afterWaiting(() => true);
    const nowMs = this.#clock.now();
    return this.#connection.run('counting the cache', (db) => db.countFromIndex('rows', 'endsAt', IDBKeyRange.lowerBound(nowMs, true)));
  }

  clearOlderThan(ms: number): Promise<number> {
    const before = IDBKeyRange.upperBound(this.#clock.now() - ms, true);
    return this.#change('clearing the cache', async (writing) =>
      dropAll(writing, await writing.objectStore('rows').index('createdAt').getAllKeys(before)),
    );
  }

  async keys(filter: CacheFilter = {}): Promise<string[]> {
    await this.#afterWaiting(() => true);
    const nowMs = this.#clock.now();
    return this.#connection.run('listing the cache', async (db) => {
      const rows = db.transaction('rows').store;
      const [keys, values] = await Promise.all([rows.index('createdAt').getAllKeys(), rows.index('createdAt').getAll()]);
      const isMeant = (key: string, { task, tags, endsAt }: EntryRow) => endsAt > nowMs && meets(filter, key, task, tags);
      return keys.filter((key, index) => isMeant(key, values[index]!)).reverse();
    });
  }

  async close(): Promise<void> {
    if (this.#writing) await within(closeLimitMs, systemTimers, this.#writing, () => new StorageBlockedError('The cache writes for too long.')).catch(() => undefined);
    if (this.#used.size > 0) await this.#write('closing the cache', async () => undefined).catch(() => undefined);
    this.#connection.close();
  }

  /** One transaction, and in it the times of use that have gathered. */
  async #write<T>(doing: string, work: (writing: Writing) => Promise<T>): Promise<T> {
    const used = [...this.#used];
    this.#used.clear();
    return this.#connection.run(doing, async (db) => {
      const writing = db.transaction(['entries', 'rows', 'totals'], 'readwrite', { durability: 'relaxed' });
      const finished = writing.done.catch((error: unknown) => error as Error);
      try {
        if (used.length > 0) await Promise.all(used.map(([key, usedAt]) => touch(writing, key, usedAt)));
        const result = await work(writing);
        const failure = await finished;
        if (failure) throw failure;
        return result;
      } catch (error) {
        abort(writing);
        const failure = await finished;
        // What ended the transaction says more than the request that saw its end.
        throw nameOf(error) === 'AbortError' ? (failure ?? error) : error;
      }
    });
  }
}

function abort(writing: Writing): void {
  try {
    writing.abort();
  } catch {
    // It has ended by itself.
  }
}

async function touch(writing: Writing, key: string, usedAt: number): Promise<void> {
  const rows = writing.objectStore('rows');
  const row = await rows.get(key);
  if (row && row.usedAt < usedAt) await rows.put({ ...row, usedAt }, key);
}

async function totalsOf(writing: Writing): Promise<Totals> {
  return { ...((await writing.objectStore('totals').get('all')) ?? noTotals) };
}

/** Drops entries and counts them off; gives how many there were. */
async function drop(writing: Writing, totals: Totals, keys: readonly string[]): Promise<number> {
  const rows = writing.objectStore('rows');
  let count = 0;
  for (const key of keys) {
    const row = await rows.get(key);
    if (!row) continue;
    await Promise.all([rows.delete(key), writing.objectStore('entries').delete(key)]);
    totals.entries--;
    totals.bytes -= row.bytes;
    count++;
  }
  return count;
}

async function dropAll(writing: Writing, keys: readonly string[]): Promise<number> {
  const totals = await totalsOf(writing);
  const count = await drop(writing, totals, keys);
  if (count > 0) await writing.objectStore('totals').put(totals, 'all');
  return count;
}

function isOver(totals: Totals, { maxEntries, maxBytes }: Required<CacheLimits>): boolean {
  return totals.entries > maxEntries || totals.bytes > maxBytes;
}

/** What was not used for longest goes, until the limits hold; counted off. */
async function dropLeastUsed(writing: Writing, totals: Totals, limits: Required<CacheLimits>): Promise<string[]> {
  const dropped: string[] = [];
  if (!isOver(totals, limits)) return dropped;
  let cursor = await writing.objectStore('rows').index('usedAt').openKeyCursor();
  while (cursor && isOver(totals, limits)) {
    dropped.push(cursor.primaryKey);
    await drop(writing, totals, [cursor.primaryKey]);
    cursor = await cursor.continue();
  }
  return dropped;
}

/** A browser keeps a Blob's bytes in a file of its own, which may be gone. @throws PayloadLostError */
async function readable(stored: Blob | ArrayBuffer): Promise<Blob> {
  if (!(stored instanceof Blob)) return new Blob([stored]);
  try {
    await stored.slice(Math.max(0, stored.size - 1)).arrayBuffer();
    return stored;
  } catch (cause) {
    throw new PayloadLostError('The bytes of a cached file are gone.', { cause });
  }
}

function keptAsBytes(blob: Blob): Promise<ArrayBuffer> {
  return blob.arrayBuffer();
}
