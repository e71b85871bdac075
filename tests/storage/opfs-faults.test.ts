/** OPFS where the disk is full, damaged, held by another tab, cleared or silent. */
import { afterEach, describe, expect, it } from 'vitest';
import {
  PayloadLostError,
  StorageBlockedError,
  StorageFullError,
  StorageLostError,
  StorageUnavailableError,
  StoreTooNewError,
} from '../../js/errors.ts';
import { crc32 } from '../../js/storage/crc32.ts';
import { PRESET, RESERVE } from '../../js/storage/log-file.ts';
import { opfs } from '../../js/storage/opfs.ts';
import { FakeLocalStorage } from './fake-local.ts';
import { FakeDisk, threadlessWorker } from './fake-opfs.ts';
import { frame, HandTimers, log, openSession, recover, textsIn, turn } from './scenario.ts';

const MB = 1024 * 1024;

async function begin(disk = new FakeDisk()) {
  const timers = new HandTimers();
  const store = () => opfs({ worker: () => threadlessWorker(disk, timers), timers });
  const session = await openSession(store());
  const again = async () => {
    await session.storage.close();
    disk.open.clear();
    const next = await openSession(store());
    return { ...next, ...(await recover(next.storage)) };
  };
  return { disk, timers, store, session, again, slot: (await recover(session.storage)).slot };
}
const half = (name: string) => `holdfast/test/slot-${name}`;

describe('OPFS, full', () => {
  it('presets at most 4 MiB, in fixed names', async () => {
    const { disk, session } = await begin();
    expect(disk.used - RESERVE * 2).toBeLessThan(4 * MB);
    const names = [...disk.files.keys()].sort();
    await session.storage.openSlot(1);
    expect([...disk.files.keys()].sort()).toEqual(names);
    expect(names).toHaveLength(12);
  });

  it('keeps half a MiB taken behind the log, in steps', async () => {
    const { disk, slot } = await begin();
    for (let n = 0; n < 40; n++) {
      await slot.append(frame(`${n}`, 100_000));
      const file = disk.files.get(half('0.a'))!;
      expect(file.length).toBeGreaterThanOrEqual((n + 1) * 100_000 + RESERVE);
      expect(file.length).toBeLessThan((n + 1) * 100_000 + 4 * MB + RESERVE);
    }
  });

  it.each(['throw', 'zero', 'short'] as const)(
    'C1, C3: at quota (%s) what fits in the reserve is taken, and more is refused whole',
    async (refusal) => {
      const { disk, slot, session, again } = await begin();
      await slot.append(frame('first'));
      Object.assign(disk, { quota: disk.used, refusal });
      let taken = 0;
      let spaceLow = false;
      let refused: unknown;
      while (!refused) {
        await slot.append(frame(`${taken}`, 50_000)).then(
          (receipt) => {
            spaceLow = receipt.spaceLow;
            taken++;
          },
          (error: unknown) => {
            refused = error;
          },
        );
      }
      expect(refused).toBeInstanceOf(StorageFullError);
      expect(taken).toBeGreaterThanOrEqual(10);
      expect(spaceLow).toBe(true);
      expect(session.types()).toEqual(['storage-full']);
      const end = 64 + frame('first').length + taken * 50_000;
      expect(
        disk.files
          .get(half('0.a'))!
          .subarray(end)
          .every((byte) => byte === 0),
      ).toBe(true);
      await slot.append(frame('small still fits'));
      expect((await again()).texts).toEqual([
        'first',
        ...Array.from({ length: taken }, (_, n) => `${n}`),
        'small still fits',
      ]);
    },
  );

  it('C2: says once when there is room again, without an append', async () => {
    const { disk, slot, session, timers } = await begin();
    disk.quota = disk.used;
    for (let n = 0; n < 12; n++) await slot.append(frame(`${n}`, 50_000));
    disk.quota += 10 * MB;
    await timers.advance(4_000);
    expect(session.types()).toEqual(['storage-full', 'storage-available']);
    expect((await slot.append(frame('more'))).spaceLow).toBe(false);
  });

  it('keeps the reserve when a torn tail is dropped on a full disk', async () => {
    const { disk, slot, again } = await begin();
    await slot.append(log('a', 'b'));
    disk.quota = disk.used;
    disk.files.get(half('0.a'))!.set([1, 2, 3], 64 + log('a', 'b').length);
    const next = await again();
    await next.slot.append(frame('terminal', 400_000));
    expect(next.texts).toEqual(['a', 'b']);
  });

  it('a replace that finds no room leaves the old log', async () => {
    const { disk, slot, again } = await begin();
    await slot.append(log('a', 'b'));
    disk.quota = disk.used + 50_000;
    await expect(slot.replace(frame('large', 200_000))).rejects.toBeInstanceOf(StorageFullError);
    await slot.append(frame('c'));
    expect((await again()).texts).toEqual(['a', 'b', 'c']);
  });

  it('what an unfinished replace left behind is not found behind a later, shorter one', async () => {
    const { disk, slot, again } = await begin();
    await slot.append(log('a'));
    disk.files.get(half('0.b'))!.set(log('same', 'stale'), 64);
    const next = await again();
    await next.slot.replace(log('same'));
    expect((await again()).texts).toEqual(['same']);
  });

  it('a blob that finds no room leaves nothing behind', async () => {
    const { disk, slot } = await begin();
    disk.quota = disk.used + 1000;
    await expect(slot.putBlob('00000000000000aa', new Blob(['x'.repeat(5000)]))).rejects.toBeInstanceOf(
      StorageFullError,
    );
    expect(await slot.blobIds()).toEqual([]);
    expect(disk.files.get(half('0.blobs'))).toHaveLength(0);
  });

  it('a full origin without holdfast files yet is no store', async () => {
    const disk = new FakeDisk();
    disk.quota = 1000;
    await expect(begin(disk)).rejects.toBeInstanceOf(StorageUnavailableError);
  });

  it('gives space back when the log is emptied or replaced by a short one', async () => {
    const { disk, slot } = await begin();
    for (let n = 0; n < 100; n++) await slot.append(frame(`${n}`, 100_000));
    await slot.replace(log('short'));
    expect(disk.files.get(half('0.a'))).toHaveLength(PRESET);
    expect(disk.used).toBeLessThan(3 * MB);
    await slot.truncate(0);
    expect(disk.used).toBeLessThan(3 * MB);
  });
});

describe('OPFS, damaged', () => {
  it('B1: a torn tail is dropped at every length of it', async () => {
    const last = frame('torn', 40);
    for (let kept = 0; kept < last.length; kept++) {
      const { disk, slot, again } = await begin();
      await slot.append(frame('whole'));
      await slot.append(last.slice());
      const start = 64 + frame('whole').length;
      disk.files.get(half('0.a'))!.fill(0, start + kept, start + last.length);
      const next = await again();
      await next.slot.append(frame('new'));
      // Its last bytes are zeros: from its thirteenth on it is whole.
      expect(textsIn(await next.slot.read())).toEqual(kept < 13 ? ['whole', 'new'] : ['whole', 'torn', 'new']);
      await next.storage.close();
    }
  });

  it('B9: a damaged superblock is reported, and the log behind it still read', async () => {
    const { disk, slot, again } = await begin();
    await slot.append(log('a', 'b'));
    disk.files.get(half('0.a'))![20]! ^= 1;
    const next = await again();
    expect(next.texts).toEqual(['a', 'b']);
    expect(next.events).toMatchObject([{ type: 'storage-lost', slot: 0, recoveredBytes: log('a', 'b').length }]);
  });

  it('B9: a damaged snapshot is counted, and what is good of it is read', async () => {
    const { disk, slot, again } = await begin();
    await slot.replace(log('a', 'b', 'c'));
    disk.files.get(half('0.b'))![64 + log('a').length + 10]! ^= 1;
    const next = await again();
    expect(next.texts).toEqual(['a']);
    expect(next.events).toMatchObject([{ type: 'storage-lost', recoveredBytes: 14, lostBytes: 28 }]);
  });

  it('F2: files of a newer version are left as they are', async () => {
    const { disk, slot, again } = await begin();
    await slot.append(log('a', 'b'));
    const file = disk.files.get(half('0.a'))!;
    file[5] = 2;
    new DataView(file.buffer, file.byteOffset).setUint32(60, crc32(file.subarray(0, 60)), true);
    const before = file.slice();
    await expect(again()).rejects.toBeInstanceOf(StoreTooNewError);
    expect(Buffer.compare(disk.files.get(half('0.a'))!, before)).toBe(0);
  });

  it('B6: a slot whose names are gone is reported, not taken for a new one', async () => {
    const { disk, slot, again } = await begin();
    await slot.append(log('a', 'b'));
    for (const part of ['a', 'b', 'blobs']) disk.files.delete(half(`2.${part}`));
    const next = await again();
    expect(next.events).toMatchObject([{ type: 'storage-lost', slot: 2, recoveredBytes: 0 }]);
    expect(next.texts).toEqual(['a', 'b']);
  });

  it('H3: a damaged blob is lost, the others are not', async () => {
    const { disk, slot, again } = await begin();
    await slot.putBlob('00000000000000aa', new Blob(['first one']));
    await slot.putBlob('00000000000000bb', new Blob(['second one']));
    disk.files.get(half('0.blobs'))![35]! ^= 1;
    const next = await again();
    await expect(next.slot.getBlob('00000000000000aa')).rejects.toBeInstanceOf(PayloadLostError);
    expect(await (await next.slot.getBlob('00000000000000bb')).text()).toBe('second one');
  });

  it('a large blob that was just put is given once without being read; afterwards its checksum counts', async () => {
    const { disk, slot } = await begin();
    const [first, second] = ['00000000000000aa', '00000000000000bb'];
    const content = (text: string) => new Blob([text, 'x'.repeat(5 * 1024 * 1024)]);
    const beginOf = async (id: string) => (await slot.getBlob(id)).slice(0, 5).text();
    await slot.putBlob(first, content('first'));
    const file = () => disk.files.get(half('0.blobs'))!;
    file()[35]! ^= 1;
    const given = await slot.getBlob(first);
    expect([given.size, await given.slice(0, 5).text()]).toEqual([5 + 5 * 1024 * 1024, 'first']);
    await expect(slot.getBlob(first)).rejects.toBeInstanceOf(PayloadLostError);
    file()[35]! ^= 1;
    await slot.putBlob(second, content('small'));
    expect([await beginOf(first), await beginOf(second)]).toEqual(['first', 'small']);
    await slot.putBlob(second, content('newer'));
    await slot.putBlob(second, new Blob(['tiny!']));
    expect(await beginOf(second)).toBe('tiny!');
    await slot.putBlob(second, content('again'));
    await slot.deleteBlobs([second]);
    await expect(slot.getBlob(second)).rejects.toBeInstanceOf(PayloadLostError);
  });

  it('a damaged blob header hides only that blob', async () => {
    const { disk, slot, again } = await begin();
    await slot.putBlob('00000000000000aa', new Blob(['x'.repeat(1000)]));
    await slot.putBlob('00000000000000bb', new Blob(['second one']));
    disk.files.get(half('0.blobs'))![5]! ^= 1;
    const next = await again();
    expect(await next.slot.blobIds()).toEqual(['00000000000000bb']);
    await next.slot.putBlob('00000000000000cc', new Blob(['third']));
    expect(await (await next.slot.getBlob('00000000000000bb')).text()).toBe('second one');
  });

  it('reuses the room of deleted blobs and gives back the end', async () => {
    const { disk, slot } = await begin();
    const put = (n: number, size: number) =>
      slot.putBlob(n.toString(16).padStart(16, '0'), new Blob(['x'.repeat(size)]));
    for (let n = 1; n <= 4; n++) await put(n, 10_000);
    const full = disk.files.get(half('0.blobs'))!.length;
    await slot.deleteBlobs(['0000000000000002', '0000000000000003']);
    await put(5, 15_000);
    await put(6, 4_000);
    expect(disk.files.get(half('0.blobs'))).toHaveLength(full);
    await slot.deleteBlobs(await slot.blobIds());
    expect(disk.files.get(half('0.blobs'))).toHaveLength(0);
  });
});

describe('OPFS, held or silent', () => {
  it('C6: a file that another tab keeps is waited for, then it is blocked, never a hang', async () => {
    const { disk, timers, session } = await begin();
    disk.open.add(half('1.a'));
    const opening = session.storage.openSlot(1);
    const outcome = expect(opening).rejects.toBeInstanceOf(StorageBlockedError);
    await timers.advance(6_000);
    await outcome;
    disk.open.delete(half('1.a'));
    await expect(session.storage.openSlot(1)).resolves.toBeDefined();
  });

  it('a closed tab that lets go late is waited for', async () => {
    const { disk, timers, session } = await begin();
    disk.open.add(half('1.a'));
    const opening = session.storage.openSlot(1);
    await timers.advance(300);
    disk.open.delete(half('1.a'));
    await timers.advance(300);
    expect((await opening).slot).toBe(1);
  });

  it('C6: a worker that never answers is blocked after five seconds', async () => {
    const timers = new HandTimers();
    const silent = { postMessage: () => undefined, terminate: () => undefined } as unknown as Worker;
    const opening = expect(openSession(opfs({ worker: () => silent, timers }))).rejects.toBeInstanceOf(
      StorageBlockedError,
    );
    await timers.advance(5_000);
    await opening;
  });

  it('C7: no worker or no private files is unavailable', async () => {
    const forbidden = () => {
      throw new Error('SecurityError');
    };
    await expect(openSession(opfs({ worker: forbidden }))).rejects.toBeInstanceOf(StorageUnavailableError);
    const failing = {
      postMessage: () => turn().then(() => failing.onerror({ message: '404' })),
      terminate: () => undefined,
    } as any;
    await expect(openSession(opfs({ worker: () => failing }))).rejects.toBeInstanceOf(StorageUnavailableError);
  });

  it('B7: cleared while open is told within a second of writing, and replace begins anew', async () => {
    const { disk, slot, session, timers, again } = await begin();
    await slot.append(frame('a'));
    disk.clear();
    await timers.advance(1_000);
    await slot.append(frame('b'));
    await turn();
    expect(session.events).toMatchObject([{ type: 'storage-lost', slot: 0, recoveredBytes: 0 }]);
    await expect(slot.append(frame('c'))).rejects.toBeInstanceOf(StorageLostError);
    disk.open.clear();
    await slot.replace(log('a', 'b'));
    await slot.append(frame('c'));
    expect((await again()).texts).toEqual(['a', 'b', 'c']);
  });
});

describe('OPFS, read ahead', () => {
  /** A store with a log, closed, and the sentinel that expects it. */
  async function left(...texts: string[]) {
    Object.assign(globalThis, { localStorage: new FakeLocalStorage() });
    const { disk, store, session, slot } = await begin();
    for (const text of texts) await slot.append(frame(text));
    await session.storage.close();
    const messages: string[] = [];
    const timers = new HandTimers();
    const watched = () =>
      opfs({
        timers,
        worker: () => {
          const worker = threadlessWorker(disk, timers);
          const post = worker.postMessage.bind(worker);
          worker.postMessage = (message: any, transfer?: any) => {
            messages.push(message.op);
            post(message, transfer);
          };
          return worker;
        },
      });
    return { disk, store, watched, messages, timers };
  }
  afterEach(() => {
    delete (globalThis as { localStorage?: unknown }).localStorage;
  });

  it('the slot that is expected is open and read with the first answer', async () => {
    const { watched, messages } = await left('a', 'b');
    const session = await openSession(watched(), { ahead: 0 });
    const slot = await session.storage.openSlot(0);
    expect(textsIn(await slot.read())).toEqual(['a', 'b']);
    expect(messages).toEqual(['connect', 'install']);
  });

  it('what was read ahead is given once, and not after the log has changed', async () => {
    const { watched } = await left('a');
    const slot = await (await openSession(watched(), { ahead: 0 })).storage.openSlot(0);
    await slot.truncate(log('a').length);
    await slot.append(frame('b'));
    expect(textsIn(await slot.read())).toEqual(['a', 'b']);
  });

  it('a torn tail does not stay behind what is appended first', async () => {
    const { disk, watched, store } = await left('a');
    disk.files.get(half('0.a'))!.set([0xf7, 200, 1], 64 + log('a').length);
    const session = await openSession(watched(), { ahead: 0 });
    const slot = await session.storage.openSlot(0);
    await slot.append(frame('b'));
    await session.storage.close();
    expect((await recover((await openSession(store())).storage)).texts).toEqual(['a', 'b']);
  });

  it('another slot than the expected one can be opened, and the expected one by others', async () => {
    const { disk, watched } = await left('a');
    const session = await openSession(watched(), { ahead: 0 });
    const slot = await session.storage.openSlot(1);
    await slot.append(frame('other'));
    expect([...disk.open].sort()).toEqual(['1.a', '1.b', '1.blobs'].map(half));
    expect(textsIn(await (await session.storage.openSlot(0)).read())).toEqual(['a']);
  });

  it('E6: files that another tab still holds are waited for when the slot is opened, not before', async () => {
    const { disk, watched, timers } = await left('a');
    disk.open.add(half('0.b'));
    const session = await openSession(watched(), { ahead: 0 });
    expect([...disk.open]).toEqual([half('0.b')]);
    const opening = session.storage.openSlot(0);
    await timers.advance(100);
    disk.open.delete(half('0.b'));
    await timers.advance(400);
    expect(textsIn(await (await opening).read())).toEqual(['a']);
  });

  it('B6: a store of another generation, a damaged superblock, a missing file are left to the usual opening', async () => {
    for (const harm of [
      (disk: FakeDisk) => void disk.files.get(half('0.a'))!.fill(9, 0, 64),
      (disk: FakeDisk) => void disk.files.delete(half('0.blobs')),
      () => localStorage.setItem('holdfast:test:generation', '00000000000000ff'),
    ]) {
      const { disk, watched, messages } = await left('a');
      harm(disk);
      const session = await openSession(watched(), { ahead: 0 });
      const { texts } = await recover(session.storage);
      expect(texts).toEqual(['a']);
      expect(messages.slice(0, 3)).toEqual(['connect', 'install', 'openSlot']);
      await session.storage.close();
      expect([...disk.open]).toEqual([]);
    }
  });

  it('a store of a newer version is refused as ever, and keeps no file open', async () => {
    const { disk, watched } = await left('a');
    for (const name of [half('0.a'), half('1.a'), half('2.a'), half('3.a')]) {
      const block = disk.files.get(name)!;
      block[5] = 99;
      new DataView(block.buffer, block.byteOffset).setUint32(60, crc32(block.subarray(0, 60)), true);
    }
    await expect(openSession(watched(), { ahead: 0 })).rejects.toBeInstanceOf(StoreTooNewError);
    expect([...disk.open]).toEqual([]);
  });

  it('nothing is written by connecting, whatever is expected', async () => {
    const { disk, watched } = await left('a');
    const before = [...disk.files].map(([name, bytes]) => [name, crc32(bytes)]);
    const session = await openSession(watched(), { ahead: 0 });
    await turn();
    expect([...disk.files].map(([name, bytes]) => [name, crc32(bytes)])).toEqual(before);
    await session.storage.close();
    expect([...disk.open]).toEqual([]);
  });
});
