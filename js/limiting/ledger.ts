/**
 * What the tabs of an origin have begun by a rate that they share: one record for each limit, which the tab whose turn it is
 * reads and replaces.
 *
 *   database holdfast-limits:<namespace>, version 1
 *     limits   number of the limit → LedgerRecord
 *
 * Invariant: a record is read and written only by who holds the limit's lock. What can't be believed is no record.
 */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { systemTimers, within } from '../storage/wait.ts';
import type { TabLocks } from '../tabs/platform.ts';

/** `[key, LimitUse, weight, moment]`, as the core has them; key 0: of all its runs. */
export type Use = readonly [key: number, use: number, weight: number, at: number];

export interface LedgerRecord {
  uses: readonly Use[];
  /** Weights that a tab may have begun beside them; 0: none. It stays where the tab died in its turn. */
  reserved: number;
  /** Nothing begins before that moment. */
  closedUntilMs: number;
}

export interface Ledger {
  read(limit: number): Promise<LedgerRecord>;
  write(limit: number, record: LedgerRecord): Promise<void>;
  close(): void;
}

interface LedgerSchema extends DBSchema {
  limits: { key: number; value: unknown };
}

const openLimitMs = 5000;
const empty: LedgerRecord = { uses: [], reserved: 0, closedUntilMs: 0 };

const isMoment = (value: unknown): value is number => typeof value === 'number' && value >= 0 && Number.isFinite(value);

const isUse = (use: unknown): use is Use =>
  Array.isArray(use) && use.length === 4 && use.every(isMoment);

/** Who reads it can't know who wrote it. */
export function believed(found: unknown): LedgerRecord {
  const { uses, reserved, closedUntilMs } = (found ?? empty) as Partial<LedgerRecord>;
  if (!Array.isArray(uses) || !uses.every(isUse) || !isMoment(reserved) || !isMoment(closedUntilMs)) return empty;
  return { uses, reserved, closedUntilMs };
}

/** Kept over the end of all tabs. */
export class StoredLedger implements Ledger {
  readonly #name: string;
  #opening: Promise<IDBPDatabase<LedgerSchema>> | undefined;
  #isClosed = false;

  /** @param namespace as files are called */
  constructor(namespace: string) {
    this.#name = `holdfast-limits:${namespace}`;
  }

  async read(limit: number): Promise<LedgerRecord> {
    return believed(await this.#run((db) => db.get('limits', limit)));
  }

  async write(limit: number, record: LedgerRecord): Promise<void> {
    await this.#run(async (db) => {
      const transaction = db.transaction('limits', 'readwrite', { durability: 'relaxed' });
      const put = transaction.store.put(record, limit);
      transaction.commit();
      await Promise.all([put, transaction.done]);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  /** Once more on a fresh connection where the old one has died. */
  async #run<T>(work: (db: IDBPDatabase<LedgerSchema>) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#database());
    } catch (error) {
      this.#drop();
      if (this.#isClosed) throw error;
      return work(await this.#database());
    }
  }

  #database(): Promise<IDBPDatabase<LedgerSchema>> {
    this.#opening ??= within(openLimitMs, systemTimers, this.#open(), () => new Error('the database did not open in time'));
    return this.#opening;
  }

  #open(): Promise<IDBPDatabase<LedgerSchema>> {
    return openDB<LedgerSchema>(this.#name, 1, {
      upgrade: (db) => void db.createObjectStore('limits'),
      blocking: () => this.#drop(),
      terminated: () => {
        this.#opening = undefined;
      },
    });
  }

  #drop(): void {
    this.#opening?.then((db) => db.close()).catch(() => undefined);
    this.#opening = undefined;
  }
}

/** Of tabs in one thread: of who shares the locks. */
const inMemory = new WeakMap<TabLocks, Map<string, LedgerRecord>>();

export class MemoryLedger implements Ledger {
  readonly #namespace: string;
  readonly #records: Map<string, LedgerRecord>;

  constructor(locks: TabLocks, namespace: string) {
    this.#namespace = namespace;
    this.#records = inMemory.get(locks) ?? new Map();
    inMemory.set(locks, this.#records);
  }

  async read(limit: number): Promise<LedgerRecord> {
    return this.#records.get(`${this.#namespace} ${limit}`) ?? empty;
  }
  async write(limit: number, record: LedgerRecord): Promise<void> {
    this.#records.set(`${this.#namespace} ${limit}`, structuredClone(record));
  }
  close(): void {}
}

/** @param locks those of tabs that a test makes have a ledger of their own */
export function ledgerOf(locks: TabLocks, namespace: string): Ledger {
  const isBrowsers = typeof indexedDB !== 'undefined' && (locks as unknown) === globalThis.navigator?.locks;
  return isBrowsers ? new StoredLedger(namespace) : new MemoryLedger(locks, namespace);
}
