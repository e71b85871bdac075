/** Blobs in two copies: the second follows in few writes, and nobody waits for it. */
import { describe, expect, it } from 'vitest';
import { PayloadLostError, StorageFullError, StorageLostError } from '../../js/errors.ts';
import type { CopySlot, CopyStorage } from '../../js/storage/copy.ts';
import { type MemoryStorage, memory } from '../../js/storage/memory.ts';
import { mirror } from '../../js/storage/mirror.ts';
import { frame, HandTimers, openSession, recover, turn } from './scenario.ts';

const id = (n: number) => n.toString(16).padStart(16, '0');
const ids = (count: number) => Array.from({ length: count }, (_, n) => id(n + 1));

/** A store that tells what its slots are asked for, and can be told to stand still or to fail. */
function watched(inner: MemoryStorage, name: string) {
  const state = { calls: [] as string[], stands: false, fault: undefined as Error | undefined };
  const blobWrites = new Set(['putBlob', 'putBlobs', 'deleteBlobs']);
  let goOn = () => {};
  const gate = () => (state.stands ? new Promise<void>((resolve) => (goOn = resolve)) : undefined);
  const wrap = (slot: CopySlot): CopySlot =>
    new Proxy(slot, {
      get(target, key) {
        const value = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        if (!blobWrites.has(String(key))) return value.bind(target);
        return async (...args: unknown[]) => {
          state.calls.push(String(key));
          await gate();
          if (state.fault) throw state.fault;
          return value.apply(target, args);
        };
      },
    });
  const store = new Proxy(inner as CopyStorage, {
    get(target, key) {
      if (key === 'name') return name;
      if (key === 'openSlot') return async (slot: number) => wrap(await target.openSlot(slot));
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const goOnNow = () => {
    state.stands = false;
    goOn();
  };
  return { store, state, goOn: goOnNow };
}

async function begin() {
  const timers = new HandTimers();
  const memories = [memory(), memory()] as const;
  const first = watched(memories[0], 'first');
  const second = watched(memories[1], 'second');
  const session = await openSession(mirror(first.store, second.store, { timers }));
  const { slot } = await recover(session.storage);
  await slot.append(frame('begun'));
  await slot.flush();
  const other = await session.storage.openSlot(1);
  const raw = async (which: 0 | 1, slot = 0) => (await (await memories[which].openSlot(slot)).blobIds()).sort();
  const put = async (to: CopySlot, count: number) => {
    for (const one of ids(count)) await to.putBlob(one, new Blob([one]));
  };
  return { timers, memories, first, second, session, slot, other, raw, put };
}

describe('the second copy of blobs', () => {
  it('follows what gathers while it writes in one go', async () => {
    const { slot, second, raw, put } = await begin();
    second.state.stands = true;
    await put(slot, 200);
    second.goOn();
    await slot.flush();
    expect(await raw(1)).toEqual(ids(200));
    expect(second.state.calls.length).toBeLessThanOrEqual(3);
  });

  it('gathers for 50 ms before it writes: who begins with a file does not wait for its copy', async () => {
    const { slot, second, timers, raw, put } = await begin();
    await put(slot, 3);
    await timers.advance(49);
    expect(second.state.calls).toEqual([]);
    await timers.advance(1);
    expect([second.state.calls, await raw(1)]).toEqual([['putBlobs'], ids(3)]);
    await put(slot, 5);
    await slot.close();
    expect(await raw(1)).toEqual(ids(5));
  });

  it('is not waited for: not by the list of blobs, not by a copy from another slot', async () => {
    const { slot, other, second, raw, put } = await begin();
    await put(other, 50);
    await other.flush();
    second.state.stands = true;
    await slot.putBlob(id(1000), new Blob(['ours']));
    expect(await slot.blobIds()).toEqual([id(1000)]);
    expect(await slot.copyBlobs(other, ids(50))).toEqual([]);
    expect(await raw(0)).toEqual([...ids(50), id(1000)]);
    second.goOn();
    await slot.flush();
    expect(await raw(1)).toEqual([...ids(50), id(1000)]);
  });

  it('shows none that was deleted, though it still has it', async () => {
    const { slot, second, raw, put } = await begin();
    await put(slot, 3);
    await slot.flush();
    second.state.stands = true;
    await slot.deleteBlobs([id(1), id(2)]);
    expect(await slot.blobIds()).toEqual([id(3)]);
    expect(await raw(1)).toEqual(ids(3));
    second.goOn();
    await slot.flush();
    expect(await raw(1)).toEqual([id(3)]);
  });

  it('lets go of one that is deleted while it is being stored', async () => {
    const { slot, second, raw } = await begin();
    second.state.stands = true;
    await slot.putBlob(id(1), new Blob(['short-lived']));
    await turn();
    await slot.deleteBlobs([id(1)]);
    second.goOn();
    await slot.flush();
    expect([await raw(0), await raw(1)]).toEqual([[], []]);
  });

  it('C1: that it can not be written is told once; it is tried again until it has everything', async () => {
    const { slot, second, session, timers, raw, put } = await begin();
    second.state.fault = new StorageFullError('full');
    await put(slot, 300);
    await timers.advance(7_000);
    expect(session.types()).toEqual(['storage-degraded']);
    await slot.deleteBlobs([id(1)]);
    second.state.fault = undefined;
    await timers.advance(60_000);
    expect(await raw(1)).toEqual(ids(300).slice(1));
    expect(session.types()).toEqual(['storage-degraded', 'storage-repaired']);
  });

  it('keeps one that was deleted and comes back while the first is away', async () => {
    const { slot, first, second, timers, raw, put } = await begin();
    await put(slot, 2);
    await slot.flush();
    await slot.deleteBlobs(ids(2));
    first.state.fault = new StorageLostError('gone');
    await slot.putBlob(id(1), new Blob(['again']));
    await timers.advance(1_000);
    expect(await raw(1)).toEqual([id(1)]);
    first.state.fault = undefined;
    await slot.putBlob(id(2), new Blob(['again']));
    await slot.flush();
    second.state.stands = true;
    await slot.deleteBlobs([id(2)]);
    const flushing = slot.flush();
    await turn();
    first.state.fault = new StorageLostError('gone again');
    const putting = slot.putBlob(id(2), new Blob(['and again']));
    await turn();
    second.goOn();
    await Promise.all([flushing, putting]);
    await timers.advance(1_000);
    expect(await (await slot.getBlob(id(2))).text()).toBe('and again');
  });

  it('does not give one back that was deleted, though it still has it', async () => {
    const { slot, session, put } = await begin();
    await put(slot, 1);
    await slot.flush();
    await slot.deleteBlobs([id(1)]);
    await expect(slot.getBlob(id(1))).rejects.toBeInstanceOf(PayloadLostError);
    await slot.flush();
    expect([session.types(), await slot.blobIds()]).toEqual([[], []]);
  });

  it('gives what the first has lost to a copy; what neither has is told', async () => {
    const { slot, other, memories, put } = await begin();
    await put(other, 10);
    await other.flush();
    await (await memories[0].openSlot(1)).deleteBlobs([id(3), id(4)]);
    await (await memories[1].openSlot(1)).deleteBlobs([id(4), id(5)]);
    expect(await slot.copyBlobs(other, ids(10))).toEqual([id(4)]);
    expect(await (await slot.getBlob(id(3))).text()).toBe(id(3));
    await expect(slot.getBlob(id(4))).rejects.toBeInstanceOf(PayloadLostError);
  });
});
