/**
 * The stores an orchestrator uses: its own or the default one, and those of single tasks.
 * Invariant: the default store is made when it is first needed, once, and closed by whom it was made.
 */
import type { Orchestrator } from '../orchestrator.ts';
import { isCache } from './checks.ts';
import { indexedDBCache } from './indexeddb.ts';
import { memoryCache } from './memory.ts';
import type { CachePlan } from './options.ts';
import type { Cache } from './types.ts';

export class Stores {
  readonly #house: Orchestrator;
  readonly #told = new WeakSet<Cache>();
  readonly #used = new Set<Cache>();
  #own: Promise<Cache> | undefined;
  readonly #sealedOnes = new WeakMap<Cache, Cache>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  async of(plan: Pick<CachePlan, 'store'>): Promise<Cache> {
    return this.#prepared(await this.#sealed(plan.store ?? (await this.default())));
  }

  /** All that have been used, the default one among them. */
  async all(): Promise<Cache[]> {
    this.#prepared(await this.#sealed(await this.default()));
    return [...this.#used];
  }

  /** As what the house stores is. */
  async #sealed(cache: Cache): Promise<Cache> {
    const { opening } = this.#house;
    const vault = await opening.vault();
    if (!vault) return cache;
    let sealed = this.#sealedOnes.get(cache);
    if (!sealed) this.#sealedOnes.set(cache, (sealed = vault.sealCache(cache, opening.namespace)));
    return sealed;
  }

  async default(): Promise<Cache> {
    const { cache } = this.#house.getOptions();
    const given = isCache(cache) ? cache : cache?.store;
    if (given) return given;
    this.#own ??= this.#make();
    return this.#own;
  }

  async #make(): Promise<Cache> {
    const { cache } = this.#house.getOptions();
    const { maxEntries, maxBytes } = isCache(cache) || !cache ? {} : cache;
    const limits = { ...(maxEntries !== undefined && { maxEntries }), ...(maxBytes !== undefined && { maxBytes }) };
    const { namespace, inMemory } = this.#house.opening;
    if (inMemory || typeof indexedDB === 'undefined') return memoryCache(limits);
    return indexedDBCache({ name: namespace, ...limits });
  }

  #prepared(cache: Cache): Cache {
    this.#used.add(cache);
    if (!this.#told.has(cache)) {
      this.#told.add(cache);
      cache.useClock?.(this.#house.clock);
    }
    return cache;
  }

  async close(): Promise<void> {
    await (await this.#own)?.close?.();
  }
}
