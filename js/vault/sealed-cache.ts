/**
 * Any cache, with entries, keys, tags and names of tasks sealed. What a store is asked to find is named by what only
 * the key can compute (HMAC); what it keeps is one sealed value.
 *
 *   key   := name(key)
 *   entry := { value: { sealed, blobs }, createdAt, meta: { taskId: name(task) } }    sealed: key and entry, by packing.ts
 *
 * Invariant: an entry that can't be opened is no entry. What begins with a prefix is found by opening, for no name
 * tells how a key begins.
 */
import { meets } from '../cache/key.ts';
import { packValue, unpack } from '../cache/packing.ts';
import type { Cache, CacheEntry, CacheFilter, CacheSetOptions, CacheWrite } from '../cache/types.ts';
import { about, type Keys } from './keys.ts';
import { openBlob, sealBlob } from './sealed-blob.ts';

interface SealedValue {
  sealed: Uint8Array<ArrayBuffer>;
  blobs: Blob[];
}

interface Opened {
  key: string;
  entry: CacheEntry;
}

export function sealedCache(inner: Cache, keys: Keys, namespace: string): Cache {
  return new SealedCache(inner, keys, namespace);
}

class SealedCache implements Cache {
  readonly #inner: Cache;
  readonly #keys: Keys;
  readonly #namespace: string;
  /** Plain bytes are made anew at each opening. */
  readonly copies = true;
  readonly keys: Cache['keys'];

  constructor(inner: Cache, keys: Keys, namespace: string) {
    this.#inner = inner;
    this.#keys = keys;
    this.#namespace = namespace;
    if (inner.keys) this.keys = async (filter) => (await this.#find(filter)).map(({ key }) => key);
  }

  useClock(clock: { now(): number }): void {
    this.#inner.useClock?.(clock);
  }
  size(): Promise<number> {
    return this.#inner.size();
  }
  clearOlderThan(ms: number): Promise<number> {
    return this.#inner.clearOlderThan(ms);
  }
  async close(): Promise<void> {
    await this.#inner.close?.();
  }

  get(key: string): Promise<CacheEntry | undefined> {
    return this.#read(key, (name) => this.#inner.get(name));
  }
  peek(key: string): Promise<CacheEntry | undefined> {
    return this.#read(key, (name) => (this.#inner.peek ? this.#inner.peek(name) : this.#inner.get(name)));
  }

  async set(key: string, entry: CacheEntry, options: CacheSetOptions = {}): Promise<CacheWrite | undefined> {
    const name = await this.#nameOf(key);
    const { bytes, blobs } = packValue([key, entry], 'entry');
    const value: SealedValue = {
      sealed: await this.#keys.seal(bytes, about('entry', this.#namespace, name, blobs.length)),
      blobs: await Promise.all(blobs.map((blob, index) => sealBlob(this.#keys, this.#namespace, `${name} ${index}`, blob))),
    };
    const tags = await this.#namesOfAll(options.tags ?? entry.tags);
    const taskId = await this.#keys.name(entry.meta.taskId);
    const stored: CacheEntry = { value, version: 1, createdAt: entry.createdAt, ...(tags && { tags }), meta: { taskId, runId: '', durationMs: 0, bytes: 0 } };
    const written = await this.#inner.set(name, stored, { ...options, ...(tags && { tags }) });
    // Which keys had to go nobody can say any more but by names.
    return written ? { pruned: written.pruned } : undefined;
  }

  async delete(key: string): Promise<boolean> {
    return this.#inner.delete(await this.#nameOf(key));
  }

  async clear(filter: CacheFilter = {}): Promise<number> {
    if (filter.prefix === undefined && filter.task === undefined && filter.tag === undefined) return this.#inner.clear();
    if (filter.prefix === undefined) return this.#inner.clear(await this.#sealedFilter(filter));
    const found = await this.#find(filter);
    let count = 0;
    for (const { key } of found) if (await this.delete(key)) count++;
    return count;
  }

  async #sealedFilter({ task, tag }: CacheFilter): Promise<CacheFilter> {
    return { ...(task !== undefined && { task: await this.#keys.name(task) }), ...(tag !== undefined && { tag: await this.#keys.name(tag) }) };
  }

  /** By opening every entry that may be meant. */
  async #find(filter: CacheFilter = {}): Promise<Opened[]> {
    const found: Opened[] = [];
    for (const name of (await this.#inner.keys?.(await this.#sealedFilter(filter))) ?? []) {
      const stored = await (this.#inner.peek ? this.#inner.peek(name) : this.#inner.get(name));
      const opened = stored && (await this.#open(name, stored));
      if (opened && meets(filter, opened.key, opened.entry.meta.taskId, opened.entry.tags ?? [])) found.push(opened);
    }
    return found;
  }

  async #read(key: string, ask: (name: string) => Promise<CacheEntry | undefined>): Promise<CacheEntry | undefined> {
    const name = await this.#nameOf(key);
    const stored = await ask(name);
    const opened = stored && (await this.#open(name, stored));
    return opened?.key === key ? opened.entry : undefined;
  }

  async #open(name: string, { value }: CacheEntry): Promise<Opened | undefined> {
    try {
      const { sealed, blobs } = value as SealedValue;
      const bytes = await this.#keys.open(sealed, about('entry', this.#namespace, name, blobs.length), 'An entry of the cache');
      const opened = await Promise.all(blobs.map((blob, index) => openBlob(this.#keys, this.#namespace, `${name} ${index}`, blob)));
      const [key, entry] = (await unpack({ bytes, blobs: opened })) as unknown as [string, CacheEntry];
      return { key, entry };
    } catch {
      // Of another key, or of none: as if it were not there.
      return undefined;
    }
  }

  #nameOf(key: string): Promise<string> {
    return this.#keys.name(`cache ${key}`);
  }

  async #namesOfAll(tags: readonly string[] | undefined): Promise<string[] | undefined> {
    return tags && Promise.all(tags.map((tag) => this.#keys.name(tag)));
  }
}
