/**
 * A cache in memory: gone with the page. For tests, for what is not worth a disk, and where there is
 * no IndexedDB.
 *
 * Invariant: entries are kept as bytes, so nothing read here can be changed for the next reader; the
 * map's order is the order of use, the least recent first.
 */
import { SystemClock } from '../time/clock.ts';
import { checkNames, wholeNumber } from '../intake/checks.ts';
import { meets } from './key.ts';
import { pack, type PackedEntry, sizeOf, unpack } from './packing.ts';
import type { Cache, CacheEntry, CacheFilter, CacheSetOptions, CacheWrite } from './types.ts';

export interface CacheLimits {
  /** Entries; the least recently used goes first. */
  maxEntries?: number;
  /** Bytes of all entries; one that is larger alone is not kept. */
  maxBytes?: number;
}

interface Row {
  packed: PackedEntry;
  task: string;
  tags: readonly string[] | undefined;
  createdAtMs: number;
  endsAtMs: number;
  bytes: number;
}

/** Default limits: 1,000 entries, 64 MiB. @throws ConfigurationError */
export function memoryCache(limits: CacheLimits = {}): Cache {
  return new MemoryCache(limits);
}

/** @throws ConfigurationError */
export function checkLimits(limits: CacheLimits, where: string): void {
  for (const name of ['maxEntries', 'maxBytes'] as const)
    if (limits[name] !== undefined) wholeNumber(limits[name], `${where} ${name}`, 1, Number.MAX_SAFE_INTEGER);
}

class MemoryCache implements Cache {
  readonly copies = true;
  readonly #rows = new Map<string, Row>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #clock: { now(): number } = new SystemClock();
  #bytes = 0;

  constructor(limits: CacheLimits) {
    checkNames(limits, ['maxEntries', 'maxBytes'], 'memoryCache');
    checkLimits(limits, 'memoryCache');
    this.#maxEntries = limits.maxEntries ?? 1000;
    this.#maxBytes = limits.maxBytes ?? 64 * 1024 * 1024;
  }

  useClock(clock: { now(): number }): void {
    this.#clock = clock;
  }

  async get(key: string): Promise<CacheEntry | undefined> {
    const row = this.#rows.get(key);
    if (!row) return undefined;
    if (row.endsAtMs <= this.#clock.now()) {
      this.#drop(key);
      return undefined;
    }
    this.#rows.delete(key);
    this.#rows.set(key, row);
    return unpack(row.packed);
  }

  async peek(key: string): Promise<CacheEntry | undefined> {
    const row = this.#rows.get(key);
    return row && row.endsAtMs > this.#clock.now() ? unpack(row.packed) : undefined;
  }

  async set(key: string, entry: CacheEntry, { ttl, tags = entry.tags, size }: CacheSetOptions = {}): Promise<CacheWrite> {
    const packed = pack(entry);
    const bytes = size ?? sizeOf(packed);
    const nowMs = this.#clock.now();
    this.#drop(key);
    if (bytes > this.#maxBytes) return { pruned: [key] };
    const endsAtMs = ttl === undefined ? Number.POSITIVE_INFINITY : nowMs + ttl;
    this.#rows.set(key, { packed, task: entry.meta.taskId, tags, createdAtMs: entry.createdAt, endsAtMs, bytes });
    this.#bytes += bytes;
    return { pruned: this.#prune(nowMs) };
  }

  async delete(key: string): Promise<boolean> {
    return this.#drop(key);
  }

  async clear(filter: CacheFilter = {}): Promise<number> {
    return this.#dropWhere((key, { task, tags }) => meets(filter, key, task, tags));
  }

  async size(): Promise<number> {
    this.#dropEnded(this.#clock.now());
    return this.#rows.size;
  }

  async clearOlderThan(ms: number): Promise<number> {
    const beforeMs = this.#clock.now() - ms;
    return this.#dropWhere((_, { createdAtMs }) => createdAtMs < beforeMs);
  }

  async keys(filter: CacheFilter = {}): Promise<string[]> {
    this.#dropEnded(this.#clock.now());
    const rows = [...this.#rows].filter(([key, { task, tags }]) => meets(filter, key, task, tags));
    return rows.sort(([, one], [, other]) => other.createdAtMs - one.createdAtMs).map(([key]) => key);
  }

  #dropWhere(isMeant: (key: string, row: Row) => boolean): number {
    let count = 0;
    for (const [key, row] of this.#rows) if (isMeant(key, row) && this.#drop(key)) count++;
    return count;
  }

  #dropEnded(nowMs: number): number {
    return this.#dropWhere((_, { endsAtMs }) => endsAtMs <= nowMs);
  }

  #drop(key: string): boolean {
    this.#bytes -= this.#rows.get(key)?.bytes ?? 0;
    return this.#rows.delete(key);
  }

  /** What is over goes first, then what was not used for longest. */
  #prune(nowMs: number): string[] {
    const isOver = () => this.#rows.size > this.#maxEntries || this.#bytes > this.#maxBytes;
    if (isOver()) this.#dropEnded(nowMs);
    const pruned: string[] = [];
    for (const key of this.#rows.keys()) {
      if (!isOver()) break;
      pruned.push(key);
      this.#drop(key);
    }
    return pruned;
  }
}
