/** What every adapter keeps, whatever it is made of. `world` is one browser profile; `store()` a page in it. */
import { describe, expect, it } from 'vitest';
import { PayloadLostError } from '../../js/errors.ts';
import type { CopyStorage } from '../../js/storage/copy.ts';
import { frame, inspect, log, openSession, recover, textsIn } from './scenario.ts';

export interface World {
  store(): CopyStorage;
}

export interface Capabilities {
  /** Survives the end of its object. */
  persistent: boolean;
  /** The largest blob tried. */
  blobBytes: number;
  /** Every page says which slot it opens first. */
  ahead?: number;
}

export function storageContract(name: string, make: () => World, { persistent, blobBytes, ahead }: Capabilities): void {
  const open = (storage: CopyStorage, options = {}) => openSession(storage, { ahead, ...options });
  describe(`the storage contract, kept by ${name}`, () => {
    async function begin(world = make()) {
      const session = await open(world.store());
      return { world, session, ...(await recover(session.storage)) };
    }
    async function again(world: World, session: { storage: CopyStorage }) {
      await session.storage.close();
      const storage = persistent ? world.store() : session.storage;
      const next = await open(storage);
      return { session: next, ...(await recover(next.storage)) };
    }

    it('a new slot reads as an empty log', async () => {
      const { texts, session } = await begin();
      expect(texts).toEqual([]);
      expect(session.events).toEqual([]);
    });

    it('has at least four slots and none of them occupied', async () => {
      const { session } = await begin();
      expect(await session.storage.slotCount()).toBeGreaterThanOrEqual(4);
      expect(await session.storage.occupiedSlots()).toEqual([]);
    });

    it('keeps appended bytes in call order, without waiting in between', async () => {
      const { slot, world, session } = await begin();
      await Promise.all(['a', 'b', 'c', 'd'].map((text) => slot.append(frame(text))));
      expect((await again(world, session)).texts).toEqual(['a', 'b', 'c', 'd']);
    });

    it('keeps bytes that end in zeros', async () => {
      const { slot, world, session } = await begin();
      await slot.append(frame('zeros', 100_000));
      await slot.append(frame('after'));
      expect((await again(world, session)).texts).toEqual(['zeros', 'after']);
    });

    it('reads back what was appended while it is open', async () => {
      const { slot } = await begin();
      await slot.append(frame('one'));
      expect(textsIn(await slot.read())).toEqual(['one']);
      await slot.append(frame('two'));
      expect(textsIn(await slot.read())).toEqual(['one', 'two']);
    });

    it('takes a part of a larger buffer and keeps the rest out of it', async () => {
      const { slot, world, session } = await begin();
      const whole = log('left', 'middle', 'right');
      const size = frame('left').length;
      await slot.append(whole.subarray(size, size + frame('middle').length));
      expect(whole.length).toBeGreaterThan(size);
      expect((await again(world, session)).texts).toEqual(['middle']);
    });

    it('appends behind the valid prefix when the caller never looked', async () => {
      const { slot, world, session } = await begin();
      await slot.append(log('a', 'b'));
      await session.storage.close();
      const storage = persistent ? world.store() : session.storage;
      await open(storage);
      const opened = await storage.openSlot(0);
      await Promise.all([opened.append(frame('c')), opened.append(frame('d'))]);
      expect(textsIn(await opened.read())).toEqual(['a', 'b', 'c', 'd']);
    });

    it('drops what lies behind a length, for good', async () => {
      const { slot, world, session } = await begin();
      await slot.append(log('a', 'b', 'c'));
      await slot.truncate(log('a').length);
      const next = await again(world, session);
      expect(next.texts).toEqual(['a']);
      await next.slot.append(frame('d'));
      expect((await again(world, next.session)).texts).toEqual(['a', 'd']);
    });

    it('replaces the whole log, and goes on behind it', async () => {
      const { slot, world, session } = await begin();
      await slot.append(log('a', 'b', 'c'));
      await slot.replace(log('snapshot'));
      await slot.append(frame('d'));
      const next = await again(world, session);
      expect(next.texts).toEqual(['snapshot', 'd']);
      await next.slot.replace(log('another'));
      expect((await again(world, next.session)).texts).toEqual(['another']);
    });

    it('cuts a log within what replace wrote, and it stays cut, without a word', async () => {
      const { slot, world, session } = await begin();
      await slot.append(frame('old'));
      await slot.replace(log('a', 'b', 'c'));
      await slot.truncate(log('a').length);
      await slot.append(frame('d'));
      const next = await again(world, session);
      expect(next.texts).toEqual(['a', 'd']);
      await next.slot.replace(log('e'));
      await next.slot.truncate(0);
      const last = await again(world, next.session);
      expect([last.texts, last.session.events]).toEqual([[], []]);
    });

    it('leaves the bytes given to replace with the caller', async () => {
      const { slot } = await begin();
      const bytes = log('kept');
      await slot.replace(bytes);
      expect(textsIn(bytes)).toEqual(['kept']);
    });

    it('counts a slot as occupied while it holds a log, and not after it was emptied', async () => {
      const { slot, world, session } = await begin();
      await slot.append(frame('a'));
      expect(await session.storage.occupiedSlots()).toEqual([0]);
      const next = await again(world, session);
      expect(await next.session.storage.occupiedSlots()).toEqual([0]);
      await next.slot.truncate(0);
      const last = await again(world, next.session);
      expect(await last.session.storage.occupiedSlots()).toEqual([]);
    });

    it('keeps slots apart, and grows the pool when a further one is asked for', async () => {
      const { world, session } = await begin();
      const count = await session.storage.slotCount();
      for (let number = 0; number <= count; number++) {
        const opened =
          number === 0
            ? await session.storage.openSlot(1)
            : await session.storage.openSlot(number === 1 ? 2 : number + 1);
        await opened.append(frame(`slot ${opened.slot}`));
        await opened.close();
      }
      const next = await again(world, session);
      expect(await next.session.storage.slotCount()).toBeGreaterThan(count);
      expect((await recover(next.session.storage, 2)).texts).toEqual(['slot 2']);
      expect((await recover(next.session.storage, count)).texts).toEqual([`slot ${count}`]);
    });

    it('reads a log of two megabytes back byte for byte', async () => {
      const { slot, world, session } = await begin();
      const frames = Array.from({ length: 40 }, (_, n) => frame(`frame ${n}`, 50_000 + n));
      for (const one of frames) await slot.append(one.slice());
      const next = await again(world, session);
      expect(next.texts).toHaveLength(40);
      expect(inspect(await next.slot.read()).validBytes).toBe(frames.reduce((sum, one) => sum + one.length, 0));
    });

    const idA = '00000000000000aa';
    const idB = 'ffffffffffffffff';
    const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());
    const pattern = (size: number) => Uint8Array.from({ length: size }, (_, n) => (n * 31 + (n >> 8)) & 255);

    it('gives blobs back byte for byte', async () => {
      const { slot, world, session } = await begin();
      const large = pattern(blobBytes);
      await Promise.all([slot.putBlob(idA, new Blob([large])), slot.putBlob(idB, new Blob(['small']))]);
      const next = await again(world, session);
      expect((await next.slot.blobIds()).sort()).toEqual([idA, idB]);
      expect(Buffer.compare(await bytesOf(await next.slot.getBlob(idA)), large)).toBe(0);
      expect(await (await next.slot.getBlob(idB)).text()).toBe('small');
    });

    it('keeps an empty blob, and the newer one of two with one id', async () => {
      const { slot, world, session } = await begin();
      await slot.putBlob(idA, new Blob(['old']));
      await slot.putBlob(idA, new Blob([]));
      await slot.putBlob(idB, new Blob(['old']));
      await slot.putBlob(idB, new Blob(['newer']));
      const next = await again(world, session);
      expect((await next.slot.getBlob(idA)).size).toBe(0);
      expect(await (await next.slot.getBlob(idB)).text()).toBe('newer');
    });

    it('says that a blob is lost when it is not there', async () => {
      const { slot } = await begin();
      await expect(slot.getBlob(idA)).rejects.toBeInstanceOf(PayloadLostError);
    });

    it('deletes blobs, and only those named', async () => {
      const { slot, world, session } = await begin();
      await slot.putBlob(idA, new Blob(['a']));
      await slot.putBlob(idB, new Blob(['b']));
      await slot.deleteBlobs([idA, '0123456789abcdef']);
      const next = await again(world, session);
      expect(await next.slot.blobIds()).toEqual([idB]);
    });

    it('keeps blobs through a replace of the log', async () => {
      const { slot, world, session } = await begin();
      await slot.putBlob(idA, new Blob(['a']));
      await slot.replace(log('snapshot'));
      const next = await again(world, session);
      expect(await (await next.slot.getBlob(idA)).text()).toBe('a');
    });

    it('copies blobs from slot to slot, tells which were not there, and leaves what is here already as it is', async () => {
      const { slot, world, session } = await begin();
      const other = await session.storage.openSlot(1);
      const large = pattern(blobBytes);
      await other.putBlob(idA, new Blob([large]));
      await other.putBlob(idB, new Blob(['theirs']));
      await slot.putBlob(idB, new Blob(['ours']));
      const absent = '0123456789abcdef';
      expect(await slot.copyBlobs(other, [idB, absent, idA])).toEqual([absent]);
      expect(await slot.copyBlobs(other, [])).toEqual([]);
      await other.deleteBlobs([idA, idB]);
      expect(await other.blobIds()).toEqual([]);
      const next = await again(world, session);
      expect(Buffer.compare(await bytesOf(await next.slot.getBlob(idA)), large)).toBe(0);
      expect(await (await next.slot.getBlob(idB)).text()).toBe('ours');
      expect((await next.slot.blobIds()).sort()).toEqual([idA, idB]);
    });

    it('copies hundreds of blobs, empty ones too, into the gaps that deleted ones have left', async () => {
      const { slot, world, session } = await begin();
      const other = await session.storage.openSlot(1);
      const ids = Array.from({ length: 300 }, (_, n) => (n + 1).toString(16).padStart(16, '0'));
      const textOf = (n: number) => 'x'.repeat((n * 37) % 500) + n;
      for (const [n, id] of ids.entries()) {
        await other.putBlob(id, new Blob(n % 50 === 0 ? [] : [textOf(n)]));
        await slot.putBlob(id, new Blob(['gap'.repeat(n % 90)]));
      }
      await slot.putBlob(idB, new Blob(['kept']));
      await slot.deleteBlobs(ids);
      expect(await slot.copyBlobs(other, ids)).toEqual([]);
      const next = await again(world, session);
      for (const [n, id] of ids.entries())
        expect(await (await next.slot.getBlob(id)).text()).toBe(n % 50 === 0 ? '' : textOf(n));
      expect(await (await next.slot.getBlob(idB)).text()).toBe('kept');
    });

    it('refuses a namespace that could leave its place', async () => {
      for (const namespace of ['', '..', 'a/b', 'x'.repeat(65)]) {
        await expect(open(make().store(), { namespace })).rejects.toThrow(/namespace/);
      }
    });
  });
}
