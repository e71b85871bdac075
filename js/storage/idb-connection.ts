/**
 * The connection to one IndexedDB database, which browsers close, lose and wipe under us.
 *
 *   database holdfast:<namespace>, version 1
 *     meta   'generation' → 16 hexadecimal digits     ['rotation', n] → filler, see rotate()
 *     slots  slot → { epoch, base, length, open }     `open`: written since it was opened, not closed
 *     log    [slot, epoch, start] → Uint8Array        bytes of the log from `start`; contiguous
 *     blobs  [slot, id] → Blob | ArrayBuffer
 *
 * Invariants: every opening and all work has a time limit. A dead connection is dropped, never asked again; work
 * that fails on it is done anew on a fresh one, three times at most, so it must be repeatable. A
 * database that comes back without its generation was wiped: nothing is written until it is
 * installed again. Trouble is told at most once a minute.
 */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import {
  StorageBlockedError,
  StorageError,
  StorageLostError,
  StorageUnavailableError,
  StoreTooNewError,
} from '../errors.ts';
import { asStorageError, nameOf, textOf } from './failures.ts';
import { pause, type Timers, within } from './wait.ts';

export interface SlotRow {
  epoch: number;
  base: number;
  length: number;
  open: boolean;
}

export interface Schema extends DBSchema {
  meta: { key: IDBValidKey; value: string | Uint8Array };
  slots: { key: number; value: SlotRow };
  log: { key: [number, number, number]; value: Uint8Array<ArrayBuffer> };
  blobs: { key: [number, string]; value: Blob | ArrayBuffer };
}
export type Database = IDBPDatabase<Schema>;

const VERSION = 1;
const OPEN_LIMIT_MS = 5_000;
/** Of one piece of work: another tab may stand in the middle of a transaction. */
const WORK_LIMIT_MS = 20_000;
const BACKOFF_MS = [10, 100, 1_000];
const TELL_EVERY_MS = 60_000;

export interface ConnectionListener {
  /** Another tab keeps the database from opening. */
  blocked(cause: StorageError): void;
  /** It can't be reached any more; further work will try again. */
  unreachable(cause: StorageError): void;
  /** Wiped. */
  lost(cause: StorageError): void;
}

export class Connection {
  readonly #name: string;
  readonly #timers: Timers;
  readonly #listener: ConnectionListener;
  #opening: Promise<Database> | undefined;
  /** What must be in the database; undefined before it was installed. */
  #expected: string | undefined;
  /** What the first opening has found. */
  #found: string | undefined;
  #gone: StorageLostError | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(namespace: string, timers: Timers, listener: ConnectionListener) {
    this.#name = `holdfast:${namespace}`;
    this.#timers = timers;
    this.#listener = listener;
  }

  get isGone(): boolean {
    return this.#gone !== undefined;
  }

  /** The first opening. Resolves to the generation. @throws StorageUnavailableError */
  async begin(): Promise<string | undefined> {
    if (typeof indexedDB === 'undefined') throw new StorageUnavailableError('This page has no IndexedDB.');
    try {
      this.#found = await this.#generation(await this.#database());
      return this.#found;
    } catch (cause) {
      if (cause instanceof StorageError) throw cause;
      throw new StorageUnavailableError(`IndexedDB can't be used here (${textOf(cause)}).`, { cause });
    }
  }

  /** Puts the generation where none is; a wiped database counts again from here. */
  async install(generation: string): Promise<void> {
    this.#gone = undefined;
    this.#expected = undefined;
    const found = this.#found;
    this.#found = undefined;
    if (found !== generation) await this.run('installing the store', async (db) => {
      if ((await this.#generation(db)) !== generation) await beginAnew(db, generation);
    });
    this.#expected = generation;
  }

  /** Does repeatable work; on a fresh connection where the old one has died. */
  async run<T>(doing: string, work: (db: Database) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      if (this.#gone) throw this.#gone;
      try {
        const db = await this.#database();
        return await within(WORK_LIMIT_MS, this.#timers, work(db), () => late(doing));
      } catch (error) {
        if (this.#gone) throw this.#gone;
        if (error instanceof StorageError || !deathCries.has(nameOf(error))) throw asStorageError(error, doing);
        this.#drop();
        const delayMs = BACKOFF_MS[attempt];
        if (delayMs === undefined || this.#closed) throw this.#giveUp(error, doing);
        await pause(delayMs, this.#timers);
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #giveUp(error: unknown, doing: string): StorageError {
    const lost = asStorageError(error, doing);
    const nowMs = this.#timers.nowMs();
    if (!this.#closed && nowMs - this.#toldAtMs >= TELL_EVERY_MS) {
      this.#toldAtMs = nowMs;
      this.#listener.unreachable(lost);
    }
    return lost;
  }

  #database(): Promise<Database> {
    if (this.#closed) throw new StorageLostError('The store was closed.');
    this.#opening ??= this.#open();
    return this.#opening;
  }

  #drop(): void {
    this.#opening?.then((db) => db.close()).catch(() => undefined);
    this.#opening = undefined;
  }

  async #open(): Promise<Database> {
    const blocked = () =>
      new StorageBlockedError('Another tab keeps the IndexedDB database from opening. Close it, or wake it.');
    const opening = openDB<Schema>(this.#name, VERSION, {
      upgrade: (db) => {
        for (const name of ['meta', 'slots', 'log', 'blobs'] as const) db.createObjectStore(name);
      },
      blocked: () => this.#listener.blocked(blocked()),
      blocking: () => this.#drop(),
      terminated: () => void this.#lookAgain(),
    });
    try {
      const db = await within(OPEN_LIMIT_MS, this.#timers, opening, blocked);
      await this.#verify(db);
      return db;
    } catch (error) {
      this.#opening = undefined;
      opening.then((db) => db.close()).catch(() => undefined);
      if (nameOf(error) !== 'VersionError') throw error;
      throw new StoreTooNewError('The store was written by a newer version of holdfast. Reload the page.', {
        cause: error,
      });
    }
  }

  async #verify(db: Database): Promise<void> {
    if (this.#expected === undefined || (await this.#generation(db)) === this.#expected) return;
    this.#gone = new StorageLostError('The IndexedDB database was wiped. replace() writes it anew.');
    this.#listener.lost(this.#gone);
    throw this.#gone;
  }

  /** The browser closed the connection: mostly because the data was cleared. Look at once, not at the next write. */
  async #lookAgain(): Promise<void> {
    this.#opening = undefined;
    if (this.#closed) return;
    await this.run('looking after a closed connection', (db) => this.#generation(db)).catch(() => undefined);
  }

  async #generation(db: Database): Promise<string | undefined> {
    return (await db.get('meta', 'generation')) as string | undefined;
  }
}

/** What a dead connection says. A full disk or a value that can't be stored would fail the same way again. */
const deathCries = new Set([
  'InvalidStateError',
  'UnknownError',
  'AbortError',
  'TransactionInactiveError',
  'TimeoutError',
  'NotFoundError',
]);

const late = (doing: string) =>
  new DOMException(`IndexedDB took more than ${WORK_LIMIT_MS / 1000} s for ${doing}.`, 'TimeoutError');

async function beginAnew(db: Database, generation: string): Promise<void> {
  const writing = db.transaction(['meta', 'slots', 'log', 'blobs'], 'readwrite');
  for (const name of ['slots', 'log', 'blobs'] as const)
    writing
      .objectStore(name)
      .clear()
      .catch(() => undefined);
  writing
    .objectStore('meta')
    .put(generation, 'generation')
    .catch(() => undefined);
  await writing.done;
}

const FILLER_BYTES = 29_000;
const FILLERS = 160;

/**
 * Makes LevelDB begin a new log file. After a killed browser its log may end in a torn record, and
 * what is appended behind that makes Chromium delete every database of the origin two starts later.
 * 4.6 MB in values below 30 kB, each under its own key, push the log over its limit.
 */
export async function rotate(db: Database): Promise<void> {
  const filling = db.transaction('meta', 'readwrite', { durability: 'relaxed' });
  for (let n = 0; n < FILLERS; n++) {
    const filler = crypto.getRandomValues(new Uint8Array(FILLER_BYTES));
    filling.store.put(filler, ['rotation', n]).catch(() => undefined);
  }
  await filling.done;
  await db.delete('meta', IDBKeyRange.bound(['rotation'], ['rotation', []]));
}
