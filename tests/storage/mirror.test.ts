/** Two copies where one lags, is damaged, lost, full or refuses. */
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it, vi } from 'vitest';
import { PayloadLostError, StorageFullError, StorageLostError, StorageUnavailableError } from '../../js/errors.ts';
import type { CopySlot, CopyStorage } from '../../js/storage/copy.ts';
import { indexedDB as indexedDBStorage } from '../../js/storage/indexeddb.ts';
import { type MemoryStorage, memory } from '../../js/storage/memory.ts';
import { mirror } from '../../js/storage/mirror.ts';
import { opfs } from '../../js/storage/opfs.ts';
import { FakeLocalStorage } from './fake-local.ts';
import { FakeDisk, threadlessWorker } from './fake-opfs.ts';
import { frame, HandTimers, inspect, log, openSession, recover, textsIn, turn } from './scenario.ts';

/** A store whose slots can be told to fail. */
function faulty(inner: MemoryStorage, name: string) {
  const faults: {
    append?: Error;
    replace?: Error;
    openSlot?: Error;
    connect?: Error;
    install?: Error;
    present: boolean;
  } = { present: true };
  const wrap = (slot: CopySlot): CopySlot =>
    new Proxy(slot, {
      get(target, key) {
        const fault = faults[key as 'append' | 'replace'];
        if (fault) return () => Promise.reject(fault);
        const value = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  let onEvent: ((event: any) => void) | undefined;
  const store = new Proxy(inner as CopyStorage, {
    get(target, key) {
      if (key === 'name') return name;
      if (key === 'check') {
        return async () => {
          if (!faults.present) onEvent?.({ type: 'storage-lost', store: name, recoveredBytes: 0 });
          return faults.present;
        };
      }
      const fault = faults[key as 'openSlot' | 'connect' | 'install'];
      if (fault) return () => Promise.reject(fault);
      if (key === 'openSlot') return async (slot: number) => wrap(await target.openSlot(slot));
      if (key === 'connect') {
        return (options: any, alone: boolean) => {
          onEvent = options.onEvent;
          return target.connect(options, alone);
        };
      }
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { store, faults, tell: (event: any) => onEvent?.(event) };
}

async function begin() {
  const timers = new HandTimers();
  const memories = [memory(), memory()] as const;
  const first = faulty(memories[0], 'first');
  const second = faulty(memories[1], 'second');
  const session = await openSession(mirror(first.store, second.store, { timers }));
  const again = async () => {
    await session.storage.close();
    const next = await openSession(mirror(first.store, second.store, { timers }));
    return { ...next, ...(await recover(next.storage)) };
  };
  const raw = async (which: 0 | 1) => textsIn(await (await memories[which].openSlot(0)).read());
  return { timers, first, second, session, again, raw, memories, slot: (await recover(session.storage)).slot };
}

describe('the second copy', () => {
  it('follows within 50 ms, off the critical path', async () => {
    const { slot, raw, timers } = await begin();
    await slot.append(frame('a'));
    await slot.append(frame('b'));
    expect(await raw(1)).toEqual([]);
    await timers.advance(50);
    expect(await raw(1)).toEqual(['a', 'b']);
  });

  it('is written at most four times a second, however busy the first is', async () => {
    const { slot, raw, timers, memories } = await begin();
    const appends = vi.spyOn(Object.getPrototypeOf(await memories[1].openSlot(0)), 'append');
    for (let n = 0; n < 100; n++) {
      await slot.append(frame(`${n}`));
      await timers.advance(10);
    }
    expect(appends.mock.calls.length, 'of both').toBe(100 + 4);
    appends.mockRestore();
    await timers.advance(450);
    await slot.append(frame('after a pause'));
    await timers.advance(50);
    expect(await raw(1)).toHaveLength(101);
  });

  it('follows at once when a megabyte has gathered', async () => {
    const { slot, raw } = await begin();
    for (let n = 0; n < 11; n++) await slot.append(frame(`${n}`, 100_000));
    await turn();
    expect(await raw(1)).toHaveLength(11);
  });

  it('has everything after flush', async () => {
    const { slot, raw } = await begin();
    await slot.append(frame('a'));
    await slot.flush();
    expect(await raw(1)).toEqual(['a']);
  });

  it('has what was being written when flush was asked for', async () => {
    const { slot, raw } = await begin();
    const appending = slot.append(frame('a'));
    await slot.flush();
    expect(await raw(1)).toEqual(['a']);
    await appending;
  });

  it('C1: full is told once, does not concern the first, and is made good from it', async () => {
    const { slot, raw, timers, second, session } = await begin();
    second.faults.append = new StorageFullError('full');
    second.faults.replace = second.faults.append;
    for (const text of ['a', 'b', 'c']) {
      await slot.append(frame(text));
      await timers.advance(2_000);
    }
    expect(session.types()).toEqual(['storage-degraded']);
    delete second.faults.append;
    delete second.faults.replace;
    await timers.advance(60_000);
    expect(await raw(1)).toEqual(['a', 'b', 'c']);
    expect(session.types()).toEqual(['storage-degraded', 'storage-repaired']);
  });

  it('holds at most eight megabytes when it is slow, and then catches up from the first', async () => {
    const { slot, raw, timers, memories } = await begin();
    const target = await memories[1].openSlot(0);
    const append = target.append.bind(target);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    target.append = (bytes) => held.then(() => append(bytes));
    for (let n = 0; n < 120; n++) await slot.append(frame(`${n}`, 100_000));
    release();
    target.append = append;
    await timers.advance(10_000);
    expect(await raw(1)).toHaveLength(120);
  });
});

describe('the first copy failing', () => {
  it('C5: the second acknowledges instead, and the first is made good later', async () => {
    const { slot, raw, timers, first, session } = await begin();
    await slot.append(frame('a'));
    first.faults.append = new StorageLostError('worker died');
    await slot.append(frame('b'));
    await slot.append(frame('c'));
    expect(await raw(1)).toEqual(['a', 'b', 'c']);
    expect(session.types()).toEqual(['storage-degraded']);
    delete first.faults.append;
    await timers.advance(5_000);
    expect(await raw(0)).toEqual(['a', 'b', 'c']);
    await slot.append(frame('d'));
    await slot.flush();
    expect([await raw(0), await raw(1)]).toEqual([
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c', 'd'],
    ]);
    expect(session.types()).toEqual(['storage-degraded', 'storage-repaired']);
  });

  it('what the second took alone is found at the next opening', async () => {
    const { slot, first, again } = await begin();
    await slot.append(frame('a'));
    first.faults.append = new StorageLostError('worker died');
    await slot.append(frame('b'));
    delete first.faults.append;
    const next = await again();
    expect(next.texts).toEqual(['a', 'b']);
    expect(next.events).toMatchObject([{ type: 'storage-repaired', store: 'first', from: 'second' }]);
  });

  it('full is the caller to know, and the second does not get what was refused', async () => {
    const { slot, first, raw } = await begin();
    first.faults.append = new StorageFullError('full');
    await expect(slot.append(frame('a'))).rejects.toBeInstanceOf(StorageFullError);
    delete first.faults.append;
    await slot.append(frame('b'));
    await slot.flush();
    expect([await raw(0), await raw(1)]).toEqual([['b'], ['b']]);
  });

  it('both failing is an error', async () => {
    const { slot, first, second } = await begin();
    first.faults.append = second.faults.append = new StorageLostError('gone');
    await expect(slot.append(frame('a'))).rejects.toBeInstanceOf(StorageLostError);
  });

  it('C7: one that can not be opened leaves the other alone, and says so', async () => {
    const { first, second, again, slot, session, timers } = await begin();
    await slot.append(frame('a'));
    await session.storage.close();
    first.faults.connect = new StorageUnavailableError('private window');
    const alone = await openSession(mirror(first.store, second.store, { timers }));
    const opened = await recover(alone.storage);
    expect(opened.texts).toEqual(['a']);
    expect(alone.events).toMatchObject([{ type: 'storage-degraded', store: 'first' }]);
    await opened.slot.append(frame('b'));
    await alone.storage.close();
    delete first.faults.connect;
    expect((await again()).texts).toEqual(['a', 'b']);
  });

  it('C7: neither can be opened is unavailable', async () => {
    const { first, second } = await begin();
    first.faults.connect = second.faults.connect = new StorageUnavailableError('blocked');
    await expect(openSession(mirror(first.store, second.store))).rejects.toBeInstanceOf(StorageUnavailableError);
  });
});

describe('at opening', () => {
  it('a second copy that missed the end is completed, without a word', async () => {
    const { slot, memories, again, raw } = await begin();
    await slot.append(log('a', 'b'));
    await slot.flush();
    await (await memories[0].openSlot(0)).append(frame('c'));
    const next = await again();
    await next.slot.flush();
    expect(next.texts).toEqual(['a', 'b', 'c']);
    expect(await raw(1)).toEqual(['a', 'b', 'c']);
    expect(next.events).toEqual([]);
  });

  it('a second copy that missed a replace gets the new log', async () => {
    const { slot, memories, again, raw } = await begin();
    await slot.append(log('a', 'b'));
    await slot.flush();
    await (await memories[0].openSlot(0)).replace(log('ab'));
    const next = await again();
    await next.slot.flush();
    expect(next.texts).toEqual(['ab']);
    expect(await raw(1)).toEqual(['ab']);
  });

  it('B6: a first copy cut at any byte is made good from the second', async () => {
    const whole = log('a', 'b');
    for (let kept = 0; kept < whole.length; kept++) {
      const { slot, memories, again, raw } = await begin();
      await slot.append(whole.slice());
      await slot.flush();
      await (await memories[0].openSlot(0)).truncate(kept);
      const next = await again();
      expect(next.texts).toEqual(['a', 'b']);
      expect(await raw(0)).toEqual(['a', 'b']);
      expect(next.types()).toEqual(['storage-repaired']);
    }
  });

  it('a first copy damaged inside its snapshot is made good from an older second one', async () => {
    const { slot, memories, again } = await begin();
    await slot.append(log('a', 'b'));
    await slot.flush();
    const first = await memories[0].openSlot(0);
    const snapshot = log('ab');
    snapshot[10]! ^= 1;
    await first.replace(snapshot);
    expect((await again()).texts).toEqual(['a', 'b']);
  });

  it("F2: opening and reading change nothing in either copy: it may be a newer version's", async () => {
    const { slot, memories, session, first, second, timers } = await begin();
    await slot.append(frame('a'));
    await slot.flush();
    const unknown = new Uint8Array([1, 2, 3, 4]);
    await (await memories[0].openSlot(0)).append(unknown.slice());
    await session.storage.close();
    const before = await (await memories[0].openSlot(0)).read();
    const reader = await openSession(mirror(first.store, second.store, { timers }));
    const opened = await reader.storage.openSlot(0);
    expect(await opened.read()).toEqual(before);
    await reader.storage.close();
    expect(await (await memories[0].openSlot(0)).read()).toEqual(before);
    expect(reader.events).toEqual([]);
  });

  it('a first copy that is full when it must be made good stands back for the second', async () => {
    const { slot, memories, again, first, raw, timers } = await begin();
    await slot.append(log('a', 'b'));
    await slot.flush();
    await (await memories[0].openSlot(0)).truncate(5);
    first.faults.replace = new StorageFullError('full');
    const next = await again();
    await next.slot.append(frame('c'));
    expect([next.texts, await raw(1)]).toEqual([
      ['a', 'b'],
      ['a', 'b', 'c'],
    ]);
    delete first.faults.replace;
    await timers.advance(5_000);
    expect(await raw(0)).toEqual(['a', 'b', 'c']);
    expect(next.types()).toEqual(['storage-degraded', 'storage-repaired']);
  });

  it('a torn tail of both is dropped from both', async () => {
    const { slot, memories, again, raw } = await begin();
    await slot.append(frame('a'));
    await slot.flush();
    await (await memories[0].openSlot(0)).append(frame('torn').slice(0, 5));
    const next = await again();
    await next.slot.append(frame('b'));
    await next.slot.flush();
    expect([await raw(0), await raw(1)]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('what neither copy has any more is counted', async () => {
    const { slot, memories, again } = await begin();
    await slot.append(log('a', 'b', 'c'));
    await slot.flush();
    for (const store of memories) {
      const one = await store.openSlot(0);
      const bytes = await one.read();
      bytes[log('a', 'b').length + 10]! ^= 1;
      await one.replace(bytes, one.stamp().epoch);
    }
    const next = await again();
    expect(next.texts).toEqual(['a', 'b']);
    expect(next.events.at(-1)).toMatchObject({
      type: 'storage-lost',
      recoveredBytes: log('a', 'b').length,
      lostBytes: frame('c').length,
    });
  });

  it('B6: blobs the first has lost come from the second, and are put back', async () => {
    const { slot, memories, session } = await begin();
    const id = '00000000000000aa';
    await slot.putBlob(id, new Blob(['kept']));
    await slot.flush();
    await (await memories[0].openSlot(0)).deleteBlobs([id]);
    expect(await (await slot.getBlob(id)).text()).toBe('kept');
    await slot.flush();
    expect(await (await (await memories[0].openSlot(0)).getBlob(id)).text()).toBe('kept');
    expect(session.events).toMatchObject([{ type: 'storage-repaired', store: 'first' }]);
    for (const store of memories) await (await store.openSlot(0)).deleteBlobs([id]);
    await expect(slot.getBlob(id)).rejects.toBeInstanceOf(PayloadLostError);
  });

  it('a blob the second missed is copied', async () => {
    const { memories, again } = await begin();
    await (await memories[0].openSlot(0)).putBlob('00000000000000aa', new Blob(['late']));
    const next = await again();
    await next.slot.flush();
    expect(await (await memories[1].openSlot(0)).blobIds()).toEqual(['00000000000000aa']);
  });
});

describe('cleared data', () => {
  it('B7: both gone while open is told, refused, and begun anew by replace', async () => {
    const { slot, session, first, second, raw } = await begin();
    await slot.append(frame('a'));
    await slot.flush();
    first.faults.present = second.faults.present = false;
    second.tell({ type: 'storage-lost', store: 'second', recoveredBytes: 0 });
    await turn();
    expect(session.events).toMatchObject([{ type: 'storage-lost', slot: 0, recoveredBytes: 0 }]);
    await expect(slot.append(frame('b'))).rejects.toBeInstanceOf(StorageLostError);
    first.faults.present = second.faults.present = true;
    await slot.replace(log('a', 'b'));
    await slot.append(frame('c'));
    await slot.flush();
    expect([await raw(0), await raw(1)]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
    expect(session.events).toHaveLength(1);
  });

  it('B5: the second gone while open is written anew from the first', async () => {
    const { slot, session, second, memories, raw } = await begin();
    await slot.append(log('a', 'b'));
    await slot.flush();
    await (await memories[1].openSlot(0)).truncate(0);
    second.tell({ type: 'storage-lost', store: 'second', recoveredBytes: 0 });
    await slot.append(frame('c'));
    await slot.flush();
    expect(await raw(1)).toEqual(['a', 'b', 'c']);
    expect(session.events).toMatchObject([
      { type: 'storage-lost', store: 'second', recoveredBytes: log('a', 'b').length },
    ]);
  });

  it('B6: the first gone while open is written anew from the second', async () => {
    const { slot, session, first, memories, raw } = await begin();
    await slot.append(log('a', 'b'));
    await (await memories[0].openSlot(0)).truncate(0);
    first.tell({ type: 'storage-lost', store: 'first', recoveredBytes: 0 });
    await slot.append(frame('c'));
    await slot.flush();
    expect([await raw(0), await raw(1)]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
    expect(session.types()).toEqual(['storage-lost', 'storage-repaired']);
  });
});

describe('mirror(opfs(), indexedDB()) at opening', () => {
  async function real() {
    globalThis.indexedDB = new IDBFactory();
    globalThis.localStorage = new FakeLocalStorage() as unknown as globalThis.Storage;
    const disk = new FakeDisk();
    const timers = new HandTimers();
    const store = () =>
      mirror(opfs({ worker: () => threadlessWorker(disk, timers), timers }), indexedDBStorage({ timers }), { timers });
    const session = await openSession(store());
    const { slot } = await recover(session.storage);
    await slot.append(log('a', 'b'));
    await session.storage.close();
    const again = async () => {
      disk.open.clear();
      const next = await openSession(store());
      return { ...next, ...(await recover(next.storage)) };
    };
    return { disk, again };
  }
  const bytes = log('a', 'b').length;

  it('B5: a wiped IndexedDB is reported with what was saved, never a first run', async () => {
    const { again } = await real();
    globalThis.indexedDB = new IDBFactory();
    const next = await again();
    expect(next.texts).toEqual(['a', 'b']);
    expect(next.events).toEqual([{ type: 'storage-lost', store: 'indexedDB', slot: 0, recoveredBytes: bytes }]);
    await next.storage.close();
    const last = await again();
    expect(last.events).toEqual([]);
  });

  it('B6: lost OPFS names are reported with what was saved, and written anew', async () => {
    const { again, disk } = await real();
    disk.clear();
    const next = await again();
    expect(next.texts).toEqual(['a', 'b']);
    expect(next.types()).toEqual(['storage-lost', 'storage-repaired']);
    expect(next.events[0]).toMatchObject({ store: 'opfs', recoveredBytes: bytes });
    await next.storage.close();
    globalThis.indexedDB = new IDBFactory();
    expect((await again()).texts).toEqual(['a', 'b']);
  });

  it('B6: an OPFS file cut at any place is made good', async () => {
    for (const kept of [0, 10, 64, 64 + 5, 64 + bytes - 1]) {
      const { again, disk } = await real();
      disk.files.set('holdfast/test/slot-0.a', disk.files.get('holdfast/test/slot-0.a')!.slice(0, kept));
      const next = await again();
      expect(next.texts).toEqual(['a', 'b']);
      expect(next.types()).toEqual(['storage-repaired']);
      await next.storage.close();
    }
  });

  it('B7: both gone while closed is a loss, because the sentinel remembers', async () => {
    const { again, disk } = await real();
    disk.clear();
    globalThis.indexedDB = new IDBFactory();
    const next = await again();
    expect(next.texts).toEqual([]);
    expect(next.events).toMatchObject([{ type: 'storage-lost', recoveredBytes: 0 }]);
  });

  it('everything gone, sentinel too, is a first run', async () => {
    const { again, disk } = await real();
    disk.clear();
    globalThis.indexedDB = new IDBFactory();
    globalThis.localStorage.clear?.();
    (globalThis.localStorage as unknown as FakeLocalStorage).items.clear();
    expect((await again()).events).toEqual([]);
  });

  it('holds the same bytes in both after many appends and replaces', async () => {
    const { again } = await real();
    const next = await again();
    for (let n = 0; n < 50; n++) {
      await next.slot.append(frame(`n${n}`, 1000 * n));
      if (n % 17 === 16) await next.slot.replace(log(`until ${n}`));
    }
    const all = await next.slot.read();
    await next.storage.close();
    globalThis.localStorage = undefined as unknown as globalThis.Storage;
    const copy = await openSession(indexedDBStorage({ timers: new HandTimers() }));
    const second = await (await copy.storage.openSlot(0)).read();
    expect(Buffer.compare(second, all)).toBe(0);
    expect(inspect(second).validBytes).toBe(second.length);
  });
});
