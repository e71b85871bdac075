/**
 * What people do without us, for comparison: the state of each run put into a store at each change,
 * counted as kept when the store says so. `idb`: one record per run, a transaction per change.
 * `localStorage`: the whole list written anew at each change.
 */
import { type IDBPDatabase, openDB } from 'idb';
import type { Contestant, Standing } from './contestant.ts';
import { type Context, job, type Kind, kinds, told } from './load.ts';
import { summary, tell } from './report.ts';

interface Entry {
  id: string;
  kind: string;
  input: any;
  status: 'pending' | 'completed' | 'failed';
  attempt: number;
  steps: Record<string, any>;
  result?: any;
}

export interface PlainStore {
  open(): Promise<Entry[]>;
  /** Resolves when the store says that it is kept. */
  put(entry: Entry): Promise<void>;
  delete(id: string): Promise<void>;
  /** Blobs can be stored. */
  blobs: boolean;
}

export class IdbStore implements PlainStore {
  readonly blobs = true;
  #database!: IDBPDatabase;

  async open(): Promise<Entry[]> {
    this.#database = await openDB('plain', 1, {
      upgrade: (database) => void database.createObjectStore('runs', { keyPath: 'id' }),
    });
    return this.#database.getAll('runs');
  }
  async put(entry: Entry): Promise<void> {
    const transaction = this.#database.transaction('runs', 'readwrite');
    void transaction.store.put(entry);
    await transaction.done;
  }
  async delete(id: string): Promise<void> {
    await this.#database.delete('runs', id);
  }
}

export class LocalStore implements PlainStore {
  readonly blobs = false;
  #entries = new Map<string, Entry>();

  async open(): Promise<Entry[]> {
    const entries: Entry[] = JSON.parse(localStorage.getItem('tasks') ?? '[]');
    this.#entries = new Map(entries.map((entry) => [entry.id, entry]));
    return entries;
  }
  async put(entry: Entry): Promise<void> {
    this.#entries.set(entry.id, entry);
    this.#write();
  }
  async delete(id: string): Promise<void> {
    this.#entries.delete(id);
    this.#write();
  }
  #write(): void {
    localStorage.setItem('tasks', JSON.stringify([...this.#entries.values()]));
  }
}

const slots = 10;

export class Plain implements Contestant {
  readonly events: Record<string, number> = {};
  readonly #store: PlainStore;
  readonly #entries = new Map<string, Entry>();
  readonly #kinds = new Map<string, Kind>();
  #waiting: Entry[] = [];
  #running = 0;

  constructor(store: PlainStore) {
    this.#store = store;
  }

  async open(): Promise<void> {
    for (const kind of [...kinds, job]) this.#kinds.set(kind.id, kind);
    for (const entry of await this.#store.open()) {
      this.#entries.set(entry.id, entry);
      if (entry.status === 'pending') this.#waiting.push(entry);
    }
    this.#next();
  }

  submit(kind: Kind, input: any): void {
    if (!this.#store.blobs && input instanceof Blob) return;
    const entry: Entry = { id: crypto.randomUUID(), kind: kind.id, input, status: 'pending', attempt: 0, steps: {} };
    this.#entries.set(entry.id, entry);
    void this.#store.put(entry).then(() => {
      tell('accepted', { run: entry.id, kind: kind.id, expected: kind.expected(input) });
      this.#waiting.push(entry);
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < slots && this.#waiting.length > 0) {
      this.#running++;
      void this.#run(this.#waiting.shift()!).finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }

  async #run(entry: Entry): Promise<void> {
    const kind = this.#kinds.get(entry.kind)!;
    const run = told(kind, kind.run);
    while (entry.status === 'pending') {
      entry.attempt++;
      try {
        entry.result = await run(entry.input, { run: entry.id, attempt: entry.attempt, step: this.#stepOf(entry) });
        entry.status = 'completed';
      } catch {
        if (entry.attempt >= (kind.maxAttempts ?? 3)) entry.status = 'failed';
      }
      await this.#store.put(entry);
    }
    if (entry.status === 'completed')
      tell('completed', { run: entry.id, result: await summary(entry.result), value: entry.result.value });
    else tell('failed', { run: entry.id });
  }

  #stepOf(entry: Entry): Context['step'] {
    return async (name, compute) => {
      if (name in entry.steps) return entry.steps[name];
      entry.steps[name] = await compute();
      await this.#store.put(entry);
      return entry.steps[name];
    };
  }

  census(): Standing[] {
    return Array.from(this.#entries.values(), ({ id, status }) => ({ id, status, phase: status }));
  }

  async results(ids: string[]): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry) found[id] = await summary(entry.result);
    }
    return found;
  }

  async remove(ids: string[]): Promise<void> {
    for (const run of ids) {
      this.#entries.delete(run);
      await this.#store.delete(run);
      tell('removed', { run });
    }
  }

  async release(): Promise<void> {}
}
