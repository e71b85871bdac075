/** What the tests of the cache share: a house with a store of its own, and every event it tells. */
import type { Cache, CacheEntry, CacheEvent, CacheEvents, OrchestratorOptions, TestClock } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { type House, openHouse } from './house.ts';
import { closeLater } from './houses.ts';

export interface CacheHouse extends House {
  cache: Cache;
  /** `name reason` or `name`, in order; emptied by reading. */
  told(): string[];
  events: ({ name: keyof CacheEvents } & CacheEvent)[];
  warnings: string[];
}

const names: (keyof CacheEvents)[] = [
  'cache_hit', 'cache_miss', 'cache_migrated', 'cache_stale', 'output_saved', 'output_retrieved', 'output_cleared', 'output_pruned',
];

export async function open(options: OrchestratorOptions = {}, ...rest: [TestClock?, House['storage']?]): Promise<CacheHouse> {
  const cache = (options.cache as Cache | undefined) ?? memoryCache();
  const house = await openHouse({ cache, ...options }, ...rest);
  // Virtual time does not wait for code that is being loaded.
  await house.orchestrator.cache.load();
  return watch(house, cache);
}

export function watch(house: House, cache: Cache): CacheHouse {
  closeLater(house);
  const events: CacheHouse['events'] = [];
  const warnings: string[] = [];
  for (const name of names) house.orchestrator.on(name, (event) => events.push({ name, ...event }));
  house.orchestrator.on('warning', (message) => warnings.push(message));
  const told = () => events.splice(0).map(({ name, reason }) => (reason ? `${name} ${reason}` : name));
  // Virtual time does not wait for code that is being loaded.
  const next = (made: Promise<House>) => made.then(async (other) => (await other.orchestrator.cache.load(), other));
  return {
    ...house, cache, events, warnings, told,
    crash: (options) => next(house.crash(options)),
    reload: (options) => next(house.reload(options)),
  };
}

/** A store as somebody may write it: a map, and what is put in comes out, the very same object. */
export class PlainCache implements Cache {
  readonly entries = new Map<string, CacheEntry>();
  async get(key: string) {
    return this.entries.get(key);
  }
  async set(key: string, entry: CacheEntry) {
    this.entries.set(key, entry);
  }
  async delete(key: string) {
    return this.entries.delete(key);
  }
  async clear() {
    const { size } = this.entries;
    this.entries.clear();
    return size;
  }
  async size() {
    return this.entries.size;
  }
  async clearOlderThan() {
    return 0;
  }
}

/** Another store with some methods replaced. */
export function over(store: Cache, parts: Partial<Cache>): Cache {
  return new Proxy(store, {
    get: (_, name) => {
      const value = (parts as any)[name] ?? (store as any)[name];
      return typeof value === 'function' ? value.bind(store) : value;
    },
  });
}

/** A promise to be settled by hand. */
export function gate<Value = void>(): { opened: Promise<Value>; open: (value: Value) => void; fail: (error: unknown) => void } {
  let open!: (value: Value) => void;
  let fail!: (error: unknown) => void;
  const opened = new Promise<Value>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { opened, open, fail };
}
