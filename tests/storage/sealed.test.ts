/** Sealed storages keep the contract of every storage, and nothing of what goes into them can be read below. */
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeAll, describe, expect, it } from 'vitest';
import { PayloadLostError, StorageLockedError } from '../../js/errors.ts';
import type { CopyStorage } from '../../js/storage/copy.ts';
import { indexedDB as indexedDBStorage } from '../../js/storage/indexeddb.ts';
import { local } from '../../js/storage/local.ts';
import { memory } from '../../js/storage/memory.ts';
import { mirror } from '../../js/storage/mirror.ts';
import { opfs } from '../../js/storage/opfs.ts';
import { Keys } from '../../js/vault/keys.ts';
import { SealedStorage } from '../../js/vault/sealed-storage.ts';
import { storageContract } from './contract.ts';
import { FakeLocalStorage } from './fake-local.ts';
import { FakeDisk, threadlessWorker } from './fake-opfs.ts';
import { frame, HandTimers, log, openSession, recover, textsIn } from './scenario.ts';

export const newKey = () => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);

const theKey = await newKey();
const keys = await Keys.from({ key: theKey });
const sealed = (storage: CopyStorage, with_ = keys) => new SealedStorage(storage, with_) as unknown as CopyStorage;

storageContract('memory(), sealed', () => ({ store: () => sealed(memory()) }), { persistent: false, blobBytes: 2_500_000 });
storageContract(
  'indexedDB(), sealed',
  () => {
    globalThis.indexedDB = new IDBFactory();
    return { store: () => sealed(indexedDBStorage({ timers: new HandTimers() })) };
  },
  { persistent: true, blobBytes: 1_000_000 },
);
storageContract(
  'local(), sealed',
  () => {
    const values = new FakeLocalStorage();
    return { store: () => sealed(local(values)) };
  },
  { persistent: true, blobBytes: 500_000 },
);
storageContract(
  'mirror(opfs(), indexedDB()), sealed',
  () => {
    globalThis.indexedDB = new IDBFactory();
    const disk = new FakeDisk();
    const timers = new HandTimers();
    const first = () => opfs({ worker: () => threadlessWorker(disk, timers), timers });
    return { store: () => sealed(mirror(first(), indexedDBStorage({ timers }), { timers })) };
  },
  { persistent: true, blobBytes: 1_000_000 },
);

describe('what is sealed', () => {
  let other: Keys;
  beforeAll(async () => {
    other = await Keys.from({ key: await newKey() });
  });

  async function below(disk: CopyStorage): Promise<{ bytes: Uint8Array<ArrayBuffer>; put(bytes: Uint8Array<ArrayBuffer>): Promise<void> }> {
    await openSession(disk);
    const slot = await disk.openSlot(0);
    const bytes = await slot.read();
    return { bytes, put: (next) => slot.replace(next) };
  }

  it('can be read with its key alone, and is left as it is by another one', async () => {
    const disk = memory();
    const { storage } = await openSession(sealed(disk));
    const { slot } = await recover(storage);
    await slot.append(frame('the secret'));
    await slot.putBlob('0123456789abcdef', new Blob(['secret '.repeat(1000)]));
    const before = await below(disk);
    expect(new TextDecoder().decode(before.bytes)).not.toContain('secret');

    const wrong = await openSession(sealed(disk, other));
    const opened = await wrong.storage.openSlot(0);
    await expect(opened.read()).rejects.toBeInstanceOf(StorageLockedError);
    await expect(opened.getBlob('0123456789abcdef')).rejects.toBeInstanceOf(StorageLockedError);
    expect((await below(disk)).bytes).toEqual(before.bytes);
    await expect(opened.append(frame('not this'))).rejects.toBeInstanceOf(StorageLockedError);
    expect((await below(disk)).bytes).toEqual(before.bytes);

    const both = await Keys.from({ key: await newKey(), former: [theKey] });
    const again = await recover((await openSession(sealed(disk, both))).storage);
    expect(again.texts).toEqual(['the secret']);
    // The new key seals what comes now, and reads the rest.
    await again.slot.append(frame('and more'));
    expect(textsIn(await again.slot.read())).toEqual(['the secret', 'and more']);
  });

  it('was plain before: it is read as it is, and written anew by its first append', async () => {
    const disk = memory();
    const plain = await recover((await openSession(disk)).storage);
    await plain.slot.append(log('from before', 'and this'));
    await plain.slot.putBlob('0123456789abcdef', new Blob(['an old file']));
    const { slot, texts } = await recover((await openSession(sealed(disk))).storage);
    expect(texts).toEqual(['from before', 'and this']);
    expect(new TextDecoder().decode((await below(disk)).bytes)).toContain('from before');
    await slot.append(frame('new'));
    expect(textsIn(await slot.read())).toEqual(['from before', 'and this', 'new']);
    expect(new TextDecoder().decode((await below(disk)).bytes)).not.toMatch(/from before|new/);
    expect(await (await slot.getBlob('0123456789abcdef')).text()).toBe('an old file');
  });

  it('is told when it was changed, swapped, doubled or moved, and is never given out then', async () => {
    const disk = memory();
    const { slot } = await recover((await openSession(sealed(disk))).storage);
    for (const text of ['one', 'two', 'six']) await slot.append(frame(text));
    const { bytes } = await below(disk);
    const size = bytes.length / 3;
    const part = (index: number) => bytes.slice(index * size, (index + 1) * size);
    const whole = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((one) => [...one]));
    const read = async (changed: Uint8Array<ArrayBuffer>) => {
      await (await below(disk)).put(changed);
      const next = await (await openSession(sealed(disk))).storage.openSlot(0);
      return next.read().then(textsIn, (error) => error.code);
    };
    // The chain of checksums already ends before what does not follow.
    expect(await read(whole(part(1), part(0), part(2)))).toEqual([]);
    expect(await read(whole(part(0), part(2)))).toEqual(['one']);
    expect(await read(whole(part(0), part(0), part(1)))).toEqual(['one']);
    for (let at = 40; at < bytes.length; at += 7) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1;
      const result = await read(flipped);
      expect(Array.isArray(result) && result.length < 3 && ['one', 'two'].slice(0, result.length).every((text, index) => text === result[index]), `${at}: ${result}`).toBe(true);
    }
    for (let length = 0; length < bytes.length; length += 5) expect((await read(bytes.slice(0, length))).length).toBe(Math.floor(length / size));
  });

  it('of a file opens only whole, in its order, under its name', async () => {
    const disk = memory();
    const { slot } = await recover((await openSession(sealed(disk))).storage);
    const piece = 1024 * 1024;
    const content = new Uint8Array(2.5 * piece).map((_, index) => (index / piece) * 50);
    await slot.putBlob('0123456789abcdef', new Blob([content]));
    const given = await (await slot.getBlob('0123456789abcdef')).arrayBuffer();
    expect(Buffer.compare(Buffer.from(given), Buffer.from(content))).toBe(0);
    await slot.putBlob('00000000000000ee', new Blob([]));
    expect((await slot.getBlob('00000000000000ee')).size).toBe(0);

    await openSession(disk);
    const raw = await disk.openSlot(0);
    const stored = await raw.getBlob('0123456789abcdef');
    const sealedPiece = piece + 36;
    const at = (index: number) => stored.slice(16 + index * sealedPiece, 16 + (index + 1) * sealedPiece);
    const head = stored.slice(0, 16);
    const { storage } = await openSession(sealed(disk));
    const opened = await storage.openSlot(0);
    for (const changed of [[head, at(1), at(0), at(2)], [head, at(0), at(1)], [head, at(0), at(0), at(2)]]) {
      await raw.putBlob('0123456789abcdef', new Blob(changed));
      await expect(opened.getBlob('0123456789abcdef')).rejects.toBeInstanceOf(PayloadLostError);
    }
    await raw.putBlob('00000000000000aa', stored);
    await expect(opened.getBlob('00000000000000aa')).rejects.toBeInstanceOf(PayloadLostError);
  });

  it('gives every name another one per key, and the same each time', async () => {
    const same = await Keys.from({ key: theKey });
    expect(await keys.name('a')).toBe(await same.name('a'));
    expect(await keys.name('a')).toMatch(/^[0-9a-f]{64}$/);
    expect(await keys.name('a')).not.toBe(await other.name('a'));
    expect(await keys.name('a')).not.toBe(await keys.name('b'));
  });
});
