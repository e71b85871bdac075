/** The cache's stores: one contract for all; what IndexedDB alone can suffer. */
import 'fake-indexeddb/auto';
import { IDBFactory, IDBObjectStore } from 'fake-indexeddb';
import { openDB } from 'idb';
import type { Cache } from 'holdfast';
import { defineTask } from 'holdfast';
import { indexedDBCache, memoryCache, taskOutputRepository } from 'holdfast/cache';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { open } from '../js/cache-house.ts';
import { contract, entry, type StoreUnderTest } from './cache-contract.ts';

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const stores: Record<string, (limits: object) => Cache> = {
  memoryCache: (limits) => memoryCache(limits),
  indexedDBCache: (limits) => indexedDBCache(limits),
};

describe.each(Object.entries(stores))('%s', (_, create) => {
  for (const [name, run] of contract) {
    it(name, async () => {
      const clock = { nowMs: 1_000_000 };
      const under: StoreUnderTest = {
        clock,
        make: async (limits = {}) => {
          const cache = create(limits);
          cache.useClock!({ now: () => clock.nowMs });
          return cache;
        },
      };
      await run(under, (actual, expected) => expect(actual).toEqual(expected));
    });
  }

  it('J1: serves an orchestrator', async () => {
    const { orchestrator, told } = await open({ cache: create({}) });
    let calls = 0;
    const task = defineTask({ id: 'task', cache: { ttl: '1h', tags: ['t'] }, run: (file: File) => (calls++, file) });
    for (let n = 0; n < 3; n++) expect(await (await orchestrator.run(task, new File(['abc'], 'a'))).text()).toBe('abc');
    expect(calls).toBe(1);
    expect(await orchestrator.cache.invalidate({ tag: 't' })).toBe(1);
    expect(told().at(-1)).toBe('output_cleared');
  });

  it('J1: keeps outputs under the names of workglow', async () => {
    const outputs = taskOutputRepository(create({}));
    const told: unknown[] = [];
    for (const name of ['output_saved', 'output_retrieved', 'output_cleared', 'output_pruned'] as const) outputs.on(name, (...args) => told.push([name, ...args]));
    expect(await outputs.getOutput('Embed', { text: 'a' })).toBeUndefined();
    await outputs.saveOutput('Embed', { text: 'a', n: 1 }, { vector: new Float32Array([1]) });
    await outputs.saveOutput('Other', { n: 1, text: 'a' }, 'other', new Date(1));
    expect(await outputs.getOutput('Embed', { n: 1, text: 'a' })).toEqual({ vector: new Float32Array([1]) });
    expect(await outputs.getOutput('Other', { n: 1, text: 'a' })).toBe('other');
    expect(await outputs.size()).toBe(2);
    await outputs.clearOlderThan(1000);
    expect(await outputs.size()).toBe(1);
    await outputs.clear();
    expect(await outputs.size()).toBe(0);
    expect(told).toEqual([['output_saved', 'Embed'], ['output_saved', 'Other'], ['output_retrieved', 'Embed'], ['output_retrieved', 'Other'], ['output_pruned'], ['output_cleared']]);
    await expect(outputs.saveOutput('', 1, 1)).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });

  it('refuses limits that are none', () => {
    expect(() => create({ maxEntries: 0 })).toThrow('maxEntries must be a whole number from 1');
    expect(() => create({ maxBites: 1 })).toThrow('has no option "maxBites"');
  });
});

describe('indexedDBCache', () => {
  it('is there again for the next page, apart from those of other names', async () => {
    await indexedDBCache({ name: 'one' }).set('a', entry('x'));
    expect((await indexedDBCache({ name: 'one' }).get('a'))!.value).toBe('x');
    expect(await indexedDBCache({ name: 'two' }).get('a')).toBeUndefined();
  });

  it('a reading writes nothing; when something was used is written with the next change', async () => {
    const cache = indexedDBCache({ maxEntries: 2 });
    let nowMs = 1;
    cache.useClock!({ now: () => nowMs++ });
    await cache.set('a', entry(1));
    await cache.set('b', entry(2));
    const put = vi.spyOn(IDBObjectStore.prototype, 'put');
    await cache.get('a');
    await cache.get('a');
    expect(put).not.toHaveBeenCalled();
    expect(await cache.set('c', entry(3))).toEqual({ pruned: ['b'] });
    await cache.get('a');
    await cache.close!();
    const next = indexedDBCache({ maxEntries: 2 });
    next.useClock!({ now: () => nowMs++ });
    expect(await next.set('d', entry(4))).toEqual({ pruned: ['c'] });
  });

  it('holds its limits across tabs', async () => {
    const tabs = [indexedDBCache({ maxEntries: 5 }), indexedDBCache({ maxEntries: 5 })];
    await Promise.all(Array.from({ length: 40 }, (_, n) => tabs[n % 2]!.set(`${n}`, entry(n))));
    expect(await tabs[0]!.size()).toBe(5);
    expect(await Promise.all(tabs.map((tab) => tab.clear()))).toEqual([5, 0]);
    for (let n = 0; n < 5; n++) expect(await tabs[0]!.set(`${n}`, entry(n))).toEqual({ pruned: [] });
  });

  it('writes what is set while it writes in one go, the last of a key last', async () => {
    const cache = indexedDBCache();
    const transactions = vi.spyOn(IDBDatabase.prototype, 'transaction');
    const keys = Array.from({ length: 200 }, (_, n) => `${n}`.padStart(3, '0'));
    await Promise.all(keys.map((key) => cache.set(key, entry(key))));
    expect(transactions.mock.calls.filter(([, mode]) => mode === 'readwrite')).toHaveLength(2);
    await Promise.all([1, 2, 3].map((n) => cache.set('000', entry(n))));
    vi.restoreAllMocks();
    expect([(await cache.get('000'))!.value, (await cache.get('199'))!.value]).toEqual([3, '199']);
    expect([await cache.size(), await cache.clear()]).toEqual([200, 200]);
    const limited = indexedDBCache({ maxEntries: 10 });
    const written = await Promise.all(keys.map((key) => limited.set(key, entry(key))));
    expect(written.flatMap((one) => one!.pruned).sort()).toEqual(keys.slice(0, 190));
  });

  it('changes in the order in which it is asked, however many wait, and closes behind them', async () => {
    const cache = indexedDBCache();
    const asked = [
      ...['a', 'b', 'c'].map((key) => cache.set(key, entry(key))),
      cache.delete('b'),
      cache.set('b', entry('again')),
      cache.clear({ prefix: 'c' }),
      cache.set('d', entry('d')),
      cache.delete('d'),
      cache.set('e', entry('e')),
    ];
    await cache.close!();
    expect(await Promise.all(asked)).toEqual([{ pruned: [] }, { pruned: [] }, { pruned: [] }, true, { pruned: [] }, 1, { pruned: [] }, true, { pruned: [] }]);
    const next = indexedDBCache();
    expect([(await next.keys!()).sort(), (await next.get('b'))!.value, await next.clear()]).toEqual([['a', 'b', 'e'], 'again', 3]);
  });

  it('one that can not be written hinders none of those it would be written with', async () => {
    const cache = indexedDBCache();
    const original = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value: any, ...rest: any[]) {
      if (this.name === 'entries' && rest[0] === '5') throw new DOMException('no', 'DataError');
      return original.call(this, value, ...(rest as [any]));
    } as any);
    const written = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => cache.set(`${n}`, entry(n))));
    expect(written.map(({ status }) => status === 'fulfilled')).toEqual([true, true, true, true, true, false, true, true, true, true]);
    expect(await cache.size()).toBe(9);
  });

  it('a reading sees what was asked for before it', async () => {
    const cache = indexedDBCache();
    for (const key of ['a', 'b', 'c']) void cache.set(key, entry(key));
    expect([(await cache.get('c'))!.value, await cache.size()]).toEqual(['c', 3]);
    for (const key of ['d', 'e']) void cache.set(key, entry(key));
    void cache.delete('a');
    expect([await cache.get('a'), await cache.keys!()].flat()).toHaveLength(1 + 4);
    for (const key of ['f', 'g']) void cache.set(key, entry(key));
    void cache.clear();
    expect(await cache.get('g')).toBeUndefined();
  });

  it('a request that fails says why, also where only its event does: a full disk makes room', async () => {
    const cache = indexedDBCache();
    let nowMs = 1;
    cache.useClock!({ now: () => nowMs++ });
    for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, entry(key));
    const original = IDBObjectStore.prototype.put;
    let refused = 0;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value: any, key: any) {
      if (this.name !== 'rows' || refused++ > 0) return original.call(this, value, key);
      const request = this.add(value, 'a');
      const told = new DOMException('full', 'QuotaExceededError');
      Object.defineProperty(request, 'error', { get: () => told, set: () => {} });
      return request;
    });
    expect(await cache.set('e', entry('e'))).toEqual({ pruned: ['a', 'b'] });
    expect((await cache.keys!()).sort()).toEqual(['c', 'd', 'e']);
  });

  it('C4: a transaction that aborts after its requests succeeded is not told as written', async () => {
    const cache = indexedDBCache();
    const original = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...args: any[]) {
      const request = original.apply(this, args as any);
      if (this.name === 'totals') request.addEventListener('success', () => this.transaction.abort());
      return request;
    } as any);
    vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementation(() => {});
    await expect(cache.set('a', entry(1))).rejects.toMatchObject({ code: 'STORAGE_LOST' });
    vi.restoreAllMocks();
    expect([await cache.get('a'), await cache.size()]).toEqual([undefined, 0]);
  });

  it('opens anew when its connection has died', async () => {
    const cache = indexedDBCache();
    await cache.set('a', entry(1));
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => { throw new DOMException('closing', 'InvalidStateError'); });
    expect((await cache.get('a'))!.value).toBe(1);
    globalThis.indexedDB = new IDBFactory();
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => { throw new DOMException('closing', 'InvalidStateError'); });
    expect(await cache.get('a')).toBeUndefined();
    expect(await cache.set('a', entry(2))).toEqual({ pruned: [] });
  });

  it('on a full disk gives up the half that was not used for longest', async () => {
    const cache = indexedDBCache();
    let nowMs = 1;
    cache.useClock!({ now: () => nowMs++ });
    for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, entry(key));
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => { throw new DOMException('full', 'QuotaExceededError'); });
    expect(await cache.set('e', entry('e'))).toEqual({ pruned: ['a', 'b'] });
    expect(await cache.keys!()).toHaveLength(3);
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => { throw new DOMException('full', 'QuotaExceededError'); });
    await expect(cache.set('f', entry('f'))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  });

  it('keeps files as bytes where the browser keeps no Blobs', async () => {
    const cache = indexedDBCache();
    const original = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value: any, ...rest: any[]) {
      if (value?.blobs?.some((blob: unknown) => blob instanceof Blob)) throw new DOMException('no blobs', 'DataCloneError');
      return original.call(this, value, ...(rest as [any]));
    } as any);
    await cache.set('a', entry(new File(['abc'], 'a.txt', { type: 'text/plain' })));
    const { value } = (await cache.get('a'))!;
    expect([value.name, value.type, await value.text()]).toEqual(['a.txt', 'text/plain', 'abc']);
  });

  it('a damaged row is a rejection, not a wrong entry', async () => {
    const cache = indexedDBCache();
    await cache.set('a', entry('x'));
    const db = await openDB('holdfast-cache:default');
    await db.put('entries', { bytes: new Uint8Array([9, 9, 9]), blobs: [] }, 'a');
    db.close();
    await expect(cache.get('a')).rejects.toMatchObject({ code: 'SERIALIZATION' });
  });

  it('says so where there is no IndexedDB', async () => {
    vi.stubGlobal('indexedDB', undefined);
    await expect(indexedDBCache().get('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    vi.unstubAllGlobals();
  });
});
