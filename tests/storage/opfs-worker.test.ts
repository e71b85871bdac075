/** The worker that holds the files dies, or falls silent. */
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it } from 'vitest';
import { StorageBlockedError, StorageLostError } from '../../js/errors.ts';
import type { CopySlot } from '../../js/storage/copy.ts';
import { indexedDB as indexedDBStorage } from '../../js/storage/indexeddb.ts';
import { mirror } from '../../js/storage/mirror.ts';
import { opfs } from '../../js/storage/opfs.ts';
import { SharedWorkerClient, WorkerAlarm } from '../../js/small-worker/worker-alarm.ts';
import { connectWorker } from '../../js/small-worker/worker-client.ts';
import { FakeLocalStorage } from './fake-local.ts';
import { FakeDisk, threadlessWorker } from './fake-opfs.ts';
import { frame, HandTimers, log, openSession, recover, textsIn, turn } from './scenario.ts';

const id = '00000000000000aa';

/** Workers on one disk, of which the last one can be made to die or to be silent. */
function workshop() {
  const disk = new FakeDisk();
  const timers = new HandTimers();
  const workers: Worker[] = [];
  let terminated = 0;
  let silent = false;
  let forbidden = false;
  const start = () => {
    if (forbidden) throw new Error('SecurityError');
    const worker = threadlessWorker(disk, timers);
    const { terminate, postMessage } = worker;
    worker.postMessage = ((message: unknown, transfer: Transferable[]) =>
      silent ? undefined : postMessage(message, transfer)) as Worker['postMessage'];
    worker.terminate = () => {
      terminated++;
      // The browser frees what a dead worker had open.
      disk.open.clear();
      terminate();
    };
    workers.push(worker);
    return worker;
  };
  return {
    disk,
    timers,
    start,
    store: () => opfs({ worker: start, timers }),
    die: () => (workers.at(-1) as any).onerror({ message: 'it threw' }),
    /** Its answers don't arrive. */
    deafen: () => (workers.at(-1)!.onmessage = null),
    setSilent: (value: boolean) => (silent = value),
    setForbidden: (value: boolean) => (forbidden = value),
    started: () => workers.length,
    terminated: () => terminated,
  };
}

describe('the OPFS worker', () => {
  it('that dies is told; what it was asked for fails; replace sets the slot up again in a new one', async () => {
    const { store, die, started, terminated } = workshop();
    const session = await openSession(store());
    const { slot } = await recover(session.storage);
    await slot.append(frame('a'));
    await slot.putBlob(id, new Blob(['a file']));
    const pending = expect(slot.append(frame('lost'))).rejects.toBeInstanceOf(StorageLostError);
    die();
    await pending;
    expect(terminated()).toBe(1);
    expect(session.events).toMatchObject([
      { type: 'storage-degraded', store: 'opfs', cause: { message: expect.stringMatching(/it threw/) } },
    ]);
    await expect(slot.append(frame('b'))).rejects.toBeInstanceOf(StorageLostError);
    await expect(slot.putBlob(id, new Blob(['b']))).rejects.toBeInstanceOf(StorageLostError);
    await slot.replace(log('a', 'b'));
    await slot.append(frame('c'));
    expect(started()).toBe(2);
    expect(textsIn(await slot.read())).toEqual(['a', 'b', 'c']);
    expect(await (await slot.getBlob(id)).text()).toBe('a file');
  });

  it('is started again for whatever is asked of the store; an old slot stays out of the new worker', async () => {
    const { store, die } = workshop();
    const session = await openSession(store());
    const { slot } = await recover(session.storage, 1);
    await slot.append(frame('one'));
    die();
    expect(await session.storage.occupiedSlots()).toEqual([1]);
    const other = await session.storage.openSlot(2);
    await other.append(frame('two'));
    await expect(slot.read()).rejects.toBeInstanceOf(StorageLostError);
    expect(textsIn(await other.read())).toEqual(['two']);
  });

  it('that dies with a slot that was read ahead takes that with it; the slot is opened in the next one', async () => {
    Object.assign(globalThis, { localStorage: new FakeLocalStorage() });
    const { store, die, started } = workshop();
    const before = await openSession(store());
    const { slot } = await recover(before.storage);
    await slot.append(frame('a'));
    await before.storage.close();
    const session = await openSession(store(), { ahead: 0 });
    await turn();
    die();
    const again = await recover(session.storage);
    await again.slot.append(frame('b'));
    expect(textsIn(await again.slot.read())).toEqual(['a', 'b']);
    expect(started()).toBe(3);
    delete (globalThis as { localStorage?: unknown }).localStorage;
  });

  it('that can not be started again blocks what is asked for, and is tried again by the next', async () => {
    const { store, die, setForbidden } = workshop();
    const session = await openSession(store());
    await recover(session.storage);
    setForbidden(true);
    die();
    await expect(session.storage.openSlot(1)).rejects.toBeInstanceOf(StorageBlockedError);
    setForbidden(false);
    await expect(session.storage.openSlot(1)).resolves.toBeDefined();
  });

  it('that is silent for half a minute while it is waited for is dead', async () => {
    const { store, timers, setSilent, terminated } = workshop();
    const session = await openSession(store());
    const { slot } = await recover(session.storage);
    await timers.advance(60_000);
    setSilent(true);
    const pending = expect(slot.append(frame('a'))).rejects.toThrow(/not answered for 30 s/);
    await timers.advance(29_000);
    expect(terminated()).toBe(0);
    await timers.advance(1_000);
    await pending;
    expect(terminated()).toBe(1);
    expect(session.types()).toEqual(['storage-degraded']);
  });

  it('a replace it died of in the middle leaves the log old or new, and the next one counts further', async () => {
    const { store, die, deafen, disk } = workshop();
    const session = await openSession(store());
    const { slot } = await recover(session.storage);
    await slot.replace(log('old'), 5);
    // It is carried out; its answer never comes.
    deafen();
    const pending = expect(slot.replace(log('unheard'), 6)).rejects.toBeInstanceOf(StorageLostError);
    await turn();
    die();
    await pending;
    await slot.replace(log('new'), 6);
    // Two halves of one epoch would leave it to chance which is the log.
    expect((slot as CopySlot).stamp().epoch).toBe(7);
    disk.open.clear();
    const next = await openSession(opfs({ worker: () => threadlessWorker(disk, new HandTimers()) }));
    expect((await recover(next.storage)).texts).toEqual(['new']);
  });
});

describe('mirror(opfs(), indexedDB()) whose worker dies', () => {
  async function begin() {
    globalThis.indexedDB = new IDBFactory();
    const shop = workshop();
    const { timers } = shop;
    const session = await openSession(mirror(shop.store(), indexedDBStorage({ timers }), { timers }));
    const { slot } = await recover(session.storage);
    await slot.append(frame('a'));
    await slot.putBlob(id, new Blob(['a file']));
    await slot.flush();
    return { ...shop, session, slot };
  }

  it('says so at once, goes on with the other copy, and has both again within seconds', async () => {
    const { session, slot, die, timers, disk } = await begin();
    die();
    await turn();
    expect(session.types()).toEqual(['storage-degraded']);
    await slot.append(frame('b'));
    const late = '00000000000000bb';
    await slot.putBlob(late, new Blob(['late']));
    expect(await (await slot.getBlob(id)).text()).toBe('a file');
    await timers.advance(5_000);
    expect(session.types()).toEqual(['storage-degraded', 'storage-repaired']);
    await slot.append(frame('c'));
    await slot.flush();
    expect(await (await slot.getBlob(late)).text()).toBe('late');
    disk.open.clear();
    const alone = await openSession(opfs({ worker: () => threadlessWorker(disk, timers), timers }));
    expect((await recover(alone.storage)).texts).toEqual(['a', 'b', 'c']);
  });

  it('takes another slot over meanwhile, from the files and not from the copy alone', async () => {
    const { session, slot, die, timers } = await begin();
    const other = await session.storage.openSlot(1);
    await other.append(log('theirs'));
    await other.putBlob('00000000000000cc', new Blob(['their file']));
    await other.close();
    die();
    await turn();
    const dead = await session.storage.openSlot(1);
    expect(textsIn(await dead.read())).toEqual(['theirs']);
    expect(await slot.copyBlobs(dead, ['00000000000000cc'])).toEqual([]);
    expect(await (await slot.getBlob('00000000000000cc')).text()).toBe('their file');
    await timers.advance(10_000);
  });
});

describe('the page’s alarm', () => {
  it('rings again after its worker has died', async () => {
    const { start, timers, die } = workshop();
    const client = connectWorker(start, timers);
    const shared = new SharedWorkerClient(start);
    const alarm = new WorkerAlarm(shared);
    let rung = 0;
    alarm.onDue = () => rung++;
    alarm.arm(Date.now() + 1_000_000);
    die();
    expect(client.dead).toBeUndefined();
    alarm.arm(Date.now());
    await timers.advance(50);
    expect(rung).toBe(1);
    alarm.dispose();
    shared.terminate();
  });
});
