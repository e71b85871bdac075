/** IndexedDB whose connections die, whose transactions abort after their requests succeeded, and that fills up. */
import 'fake-indexeddb/auto';
import { IDBFactory, IDBObjectStore, IDBTransaction } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  PayloadLostError,
  StorageBlockedError,
  StorageFullError,
  StorageLostError,
  StorageUnavailableError,
} from '../../js/errors.ts';
import { indexedDB as indexedDBStorage } from '../../js/storage/indexeddb.ts';
import { local } from '../../js/storage/local.ts';
import { FakeLocalStorage } from './fake-local.ts';
import { frame, HandTimers, log, openSession, recover, textsIn, turn } from './scenario.ts';

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function begin() {
  const timers = new HandTimers();
  const session = await openSession(indexedDBStorage({ timers }));
  const again = async () => {
    await session.storage.close();
    const next = await openSession(indexedDBStorage({ timers }));
    return { ...next, ...(await recover(next.storage)) };
  };
  return { timers, session, again, slot: (await recover(session.storage)).slot };
}

const named = (name: string) => new DOMException(name, name);

/** The next `count` transactions fail to begin. */
function refuse(name: string, count: number) {
  const original = IDBDatabase.prototype.transaction;
  return vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (
    this: IDBDatabase,
    ...args: any[]
  ) {
    if (count-- > 0) throw named(name);
    return original.apply(this, args as any);
  } as any);
}

describe('IndexedDB', () => {
  it('writes what gathers while a transaction runs as one value', async () => {
    const { slot } = await begin();
    const put = vi.spyOn(IDBObjectStore.prototype, 'put');
    await Promise.all(Array.from({ length: 100 }, (_, n) => slot.append(frame(`${n}`))));
    expect(put.mock.calls.length).toBeLessThanOrEqual(4);
    expect(textsIn(await slot.read())).toHaveLength(100);
  });

  it('C4: a transaction that aborts after its requests succeeded is not acknowledged', async () => {
    const { slot, again } = await begin();
    await slot.append(frame('a'));
    const put = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: any, ...args: any[]) {
      const request = put.apply(this, args as any);
      request.addEventListener('success', () => {
        Object.defineProperty(this.transaction, 'error', { value: named('QuotaExceededError') });
        this.transaction.abort();
      });
      return request;
    } as any);
    await expect(slot.append(frame('b'))).rejects.toBeInstanceOf(StorageFullError);
    await slot.append(frame('c'));
    expect((await again()).texts).toEqual(['a', 'c']);
  });

  it('C1: full is full also where only the event of the request says so', async () => {
    const { slot, session, again } = await begin();
    await slot.append(frame('a'));
    const refused = (name: string) => {
      const put = IDBObjectStore.prototype.put;
      vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: any, ...args: any[]) {
        put.apply(this, args as any);
        const request = this.add(args[0], args[1]);
        Object.defineProperty(request, 'error', { get: () => named(name), set: () => {} });
        return request;
      } as any);
    };
    refused('QuotaExceededError');
    await expect(slot.append(frame('b'))).rejects.toBeInstanceOf(StorageFullError);
    refused('QuotaExceededError');
    await expect(slot.putBlob('00000000000000aa', new Blob(['x']))).rejects.toBeInstanceOf(StorageFullError);
    refused('QuotaExceededError');
    await expect(slot.replace(frame('c'))).rejects.toBeInstanceOf(StorageFullError);
    await slot.append(frame('d'));
    expect([(await again()).texts, session.types()]).toEqual([['a', 'd'], ['storage-full', 'storage-available']]);
  });

  it('C1: full is told once, and once when it takes writes again', async () => {
    const { slot, session } = await begin();
    refuse('QuotaExceededError', 2);
    await expect(slot.append(frame('a'))).rejects.toBeInstanceOf(StorageFullError);
    await expect(slot.append(frame('a'))).rejects.toBeInstanceOf(StorageFullError);
    await slot.append(frame('a'));
    expect(session.types()).toEqual(['storage-full', 'storage-available']);
  });

  it.each(['InvalidStateError', 'UnknownError'])('C5: after %s it reopens and does the work again', async (name) => {
    const { slot, session, timers, again } = await begin();
    refuse(name, 1);
    const writing = slot.append(frame('a'));
    await timers.advance(20);
    await writing;
    expect(session.events).toEqual([]);
    expect((await again()).texts).toEqual(['a']);
  });

  it('C5: it reopens three times, then says so, at most once a minute', async () => {
    const { slot, session, timers } = await begin();
    const spy = refuse('InvalidStateError', 1000);
    for (let n = 0; n < 5; n++) {
      const outcome = expect(slot.append(frame('a'))).rejects.toBeInstanceOf(StorageLostError);
      await timers.advance(2_000);
      await outcome;
    }
    expect(session.types()).toEqual(['storage-degraded']);
    expect(spy.mock.calls.length).toBeLessThanOrEqual(5 * 4);
    await timers.advance(60_000);
    const outcome = expect(slot.append(frame('a'))).rejects.toBeInstanceOf(StorageLostError);
    await timers.advance(2_000);
    await outcome;
    expect(session.events).toHaveLength(2);
    spy.mockRestore();
    await slot.append(frame('b'));
    expect(textsIn(await slot.read())).toEqual(['b']);
  });

  it('C6: an opening that never answers is blocked after five seconds', async () => {
    const timers = new HandTimers();
    (globalThis as any).indexedDB.open = () =>
      Object.assign(Object.create(IDBOpenDBRequest.prototype), { addEventListener() {}, removeEventListener() {} });
    const outcome = expect(openSession(indexedDBStorage({ timers }))).rejects.toBeInstanceOf(StorageBlockedError);
    await timers.advance(5_000);
    await outcome;
  });

  it('C7: none, or one that is forbidden, is unavailable', async () => {
    (globalThis as any).indexedDB.open = () => {
      throw named('SecurityError');
    };
    await expect(openSession(indexedDBStorage())).rejects.toBeInstanceOf(StorageUnavailableError);
    globalThis.indexedDB = undefined as any;
    await expect(openSession(indexedDBStorage())).rejects.toBeInstanceOf(StorageUnavailableError);
  });

  it('lets another tab delete the database at once, and reports it', async () => {
    const { slot, session } = await begin();
    await slot.append(frame('a'));
    await new Promise((resolve, reject) => {
      const deleting = indexedDB.deleteDatabase('holdfast:test');
      deleting.onsuccess = resolve;
      deleting.onerror = reject;
    });
    await expect(slot.append(frame('b'))).rejects.toBeInstanceOf(StorageLostError);
    expect(session.events).toMatchObject([{ type: 'storage-lost', recoveredBytes: 0 }]);
    await slot.replace(log('a', 'b'));
    await slot.append(frame('c'));
    expect(textsIn(await slot.read())).toEqual(['a', 'b', 'c']);
  });

  it('B4: after an unclean end, and only then, it rotates the log before it writes', async () => {
    const { slot, again, timers } = await begin();
    const keys: unknown[] = [];
    const put = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: any, value: any, key: any) {
      keys.push(key);
      return put.call(this, value, key);
    } as any);
    await slot.append(frame('a'));
    expect(keys.flat()).not.toContain('rotation');
    // No close: the browser was killed.
    const next = await openSession(indexedDBStorage({ timers }));
    const { slot: adopted, texts } = await recover(next.storage);
    await adopted.append(frame('b'));
    const rotated = keys.filter((key) => Array.isArray(key) && key[0] === 'rotation');
    expect(rotated.length * 29_000).toBeGreaterThan(4.5 * 1000 * 1000);
    expect(keys.findLastIndex((key) => Array.isArray(key) && key[0] === 'rotation')).toBeLessThan(keys.length - 2);
    expect(texts).toEqual(['a']);
    await next.storage.close();
    keys.length = 0;
    await (await again()).slot.append(frame('c'));
    expect(keys.flat()).not.toContain('rotation');
  });

  it('says how much is missing when a piece of the log is gone', async () => {
    const { slot, session } = await begin();
    for (const text of ['a', 'b', 'c']) await slot.append(frame(text));
    await new Promise((resolve) => {
      const opening = indexedDB.open('holdfast:test');
      opening.onsuccess = () => {
        const writing = opening.result.transaction('log', 'readwrite');
        writing.objectStore('log').delete([0, 0, frame('a').length]);
        writing.oncomplete = () => resolve(opening.result.close());
      };
    });
    expect(textsIn(await slot.read())).toEqual(['a']);
    expect(session.events).toMatchObject([{ type: 'storage-lost', recoveredBytes: 14, lostBytes: 28 }]);
  });

  it('B8: a blob whose bytes can not be read is lost', async () => {
    const { slot } = await begin();
    // A small one is kept in the database itself.
    await slot.putBlob('00000000000000aa', new Blob(['x'.repeat(100_000)]));
    vi.spyOn(Blob.prototype, 'slice').mockImplementation(
      () => ({ arrayBuffer: () => Promise.reject(named('NotReadableError')) }) as any,
    );
    await expect(slot.getBlob('00000000000000aa')).rejects.toBeInstanceOf(PayloadLostError);
  });

  it('work that hangs is given up after 20 s and done on a fresh connection', async () => {
    const { slot, timers } = await begin();
    const original = IDBDatabase.prototype.transaction;
    let hung = 0;
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args: any[]) {
      const transaction = original.apply(this, args as any);
      if (args[1] === 'readwrite' && hung++ === 0) Object.defineProperty(transaction, 'oncomplete', { set: () => {} });
      return transaction;
    } as any);
    const add = IDBTransaction.prototype.addEventListener;
    vi.spyOn(IDBTransaction.prototype, 'addEventListener').mockImplementation(function (this: any, ...args: any[]) {
      if (hung !== 1 || args[0] !== 'complete') add.apply(this, args as any);
    } as any);
    const writing = slot.append(frame('a'));
    await timers.advance(19_999);
    expect(hung).toBe(1);
    await timers.advance(100);
    await writing;
    expect(hung).toBe(2);
    expect(textsIn(await slot.read())).toEqual(['a']);
  });

  it('a replace is one transaction', async () => {
    const { slot, again } = await begin();
    await slot.append(log('a', 'b'));
    const spy = vi.spyOn(IDBTransaction.prototype, 'objectStore');
    await slot.replace(frame('large', 3_000_000));
    expect(new Set(spy.mock.contexts).size).toBe(1);
    expect((await again()).texts).toEqual(['large']);
  });
});

describe('localStorage', () => {
  it('C1: at quota an append is refused whole, and told once', async () => {
    const session = await openSession(local(new FakeLocalStorage(20_000)));
    const { slot } = await recover(session.storage);
    await slot.append(frame('a'));
    await expect(slot.append(frame('b', 20_000))).rejects.toBeInstanceOf(StorageFullError);
    await expect(slot.append(frame('b', 20_000))).rejects.toBeInstanceOf(StorageFullError);
    await slot.append(frame('c'));
    expect(textsIn(await slot.read())).toEqual(['a', 'c']);
    expect(session.types()).toEqual(['storage-full', 'storage-available']);
  });

  it('refuses a large blob with the fix in the message', async () => {
    const { slot } = await recover((await openSession(local(new FakeLocalStorage()))).storage);
    await expect(slot.putBlob('00000000000000aa', new Blob(['x'.repeat(1_048_577)]))).rejects.toThrow(
      /at most 1048576 bytes.*opfs/,
    );
  });

  it('B7: cleared while open is told at the next write, and replace begins anew', async () => {
    const values = new FakeLocalStorage();
    const session = await openSession(local(values));
    const { slot } = await recover(session.storage);
    await slot.append(frame('a'));
    values.items.clear();
    await expect(slot.append(frame('b'))).rejects.toBeInstanceOf(StorageLostError);
    expect(session.types()).toEqual(['storage-lost']);
    await slot.replace(log('a'));
    await slot.append(frame('b'));
    expect(textsIn(await slot.read())).toEqual(['a', 'b']);
    await turn();
  });
});
