/** OPFS on a disk that dies at its N-th write, for every N, and again while it works after that. */
import { describe, expect, it } from 'vitest';
import { opfs } from '../../js/storage/opfs.ts';
import type { StorageSlot } from '../../js/storage.ts';
import { FakeLocalStorage } from './fake-local.ts';
import { FakeDisk, threadlessWorker } from './fake-opfs.ts';
import { frame, HandTimers, log, openSession, recover } from './scenario.ts';

interface Model {
  texts: string[];
  blobs: Record<string, string>;
}
type Step = [(slot: StorageSlot) => Promise<unknown>, (model: Model) => Model];

const id = (n: number) => n.toString(16).padStart(16, '0');
const append = (text: string, size = 0): Step => [
  (slot) => slot.append(frame(text, size)),
  (model) => ({ ...model, texts: [...model.texts, text] }),
];
const replace = (...texts: string[]): Step => [(slot) => slot.replace(log(...texts)), (model) => ({ ...model, texts })];
const empty: Step = [(slot) => slot.truncate(0), (model) => ({ ...model, texts: [] })];
const put = (n: number, text: string): Step => [
  (slot) => slot.putBlob(id(n), new Blob([text])),
  (model) => ({ ...model, blobs: { ...model.blobs, [id(n)]: text } }),
];
const remove = (n: number): Step => [
  (slot) => slot.deleteBlobs([id(n)]),
  (model) => ({ ...model, blobs: Object.fromEntries(Object.entries(model.blobs).filter(([key]) => key !== id(n))) }),
];

const firstLife: Step[] = [
  append('a'),
  append('b', 300),
  put(1, 'x'.repeat(300)),
  replace('a b'),
  append('c', 70_000),
  put(2, 'y'.repeat(40)),
  remove(1),
  put(3, 'z'.repeat(100)),
  replace('a b c'),
  append('d'),
  put(3, 'Z'.repeat(90)),
  replace('a b c d'),
];
const secondLife: Step[] = [
  append('e'),
  put(4, 'four'),
  replace('everything'),
  remove(2),
  append('f'),
  empty,
  append('g'),
];

function storeOn(disk: FakeDisk) {
  const timers = new HandTimers();
  return opfs({ worker: () => threadlessWorker(disk, timers), timers });
}

/** In some lives the slot is read while the store connects, as pages do it that know what to expect. */
Object.assign(globalThis, { localStorage: new FakeLocalStorage() });
let opened = 0;

/** Lives until the disk dies or the steps end. Resolves to the states the log may be in. */
async function live(disk: FakeDisk, steps: Step[], before: Model[]): Promise<Model[]> {
  const story = async () => {
    const session = await openSession(storeOn(disk), { ahead: opened++ % 2 === 0 ? 0 : undefined });
    const { slot, texts } = await recover(session.storage);
    let model = await matching(before, texts, slot, disk);
    for (const [act, apply] of steps) {
      states = [model, apply(model)];
      await act(slot);
      model = apply(model);
      states = [model];
    }
    return session.storage.close();
  };
  let states = before;
  await Promise.race([story(), disk.death]);
  return states;
}

/** What is found is one of the states it may be in, and every blob of that one is whole. */
async function matching(models: Model[], texts: string[], slot: StorageSlot, disk: FakeDisk): Promise<Model> {
  const model = models.find((one) => one.texts.join() === texts.join());
  expect(model, `found [${texts}], expected one of ${models.map((one) => `[${one.texts}]`).join(' ')}`).toBeDefined();
  const found: Record<string, string> = {};
  for (const one of await slot.blobIds()) found[one] = await (await slot.getBlob(one)).text();
  if (disk.dead) return model!;
  const whole = models.find((one) => JSON.stringify(sorted(one.blobs)) === JSON.stringify(sorted(found)));
  expect(whole, `found blobs ${Object.keys(found)}`).toBeDefined();
  return { texts, blobs: found };
}

const sorted = (blobs: Record<string, string>) => Object.entries(blobs).sort(([a], [b]) => a.localeCompare(b));
const nothing: Model[] = [{ texts: [], blobs: {} }];

async function countWrites(disk: FakeDisk, steps: Step[], before: Model[]): Promise<number> {
  await live(disk, steps, before);
  return disk.writes;
}

describe('OPFS, killed', () => {
  it.each([0, 0.5, 1])(
    'B11: at any write, with %d of it done, one valid log and every blob remain',
    async (tear) => {
      const total = await countWrites(new FakeDisk(), firstLife, nothing);
      expect(total).toBeGreaterThan(80);
      for (let killAt = 1; killAt <= total; killAt++) {
        const disk = new FakeDisk();
        Object.assign(disk, { killAt, tear });
        const states = await live(disk, firstLife, nothing);
        disk.reboot();
        await live(disk, [], states);
        expect(disk.dead).toBe(false);
      }
    },
    60_000,
  );

  it('A5: killed again, at any write of what follows, recovery included', async () => {
    const total = await countWrites(new FakeDisk(), firstLife, nothing);
    let lives = 0;
    for (let killAt = 1; killAt <= total; killAt += 3) {
      const disk = new FakeDisk();
      Object.assign(disk, { killAt, tear: 0.5 });
      const states = await live(disk, firstLife, nothing);
      disk.reboot();
      const further = await countWrites(disk.copy(), secondLife, states);
      for (let again = 1 + (killAt % 2); again <= further; again += 2) {
        const twin = disk.copy();
        Object.assign(twin, { killAt: again, tear: 0.5 });
        const after = await live(twin, secondLife, states);
        twin.reboot();
        await live(twin, [append('afterwards')], after);
        expect(twin.dead).toBe(false);
        lives++;
      }
    }
    expect(lives).toBeGreaterThan(300);
  }, 120_000);

  it.each([0, 0.5, 1])(
    'B11: at any write of a copy from slot to slot, with %d of it done, no blob is lost or torn',
    async (tear) => {
      const texts = Object.fromEntries(Array.from({ length: 6 }, (_, n) => [id(n + 1), `${n}`.repeat(40 * n)]));
      const prepared = new FakeDisk();
      const session = await openSession(storeOn(prepared));
      const [slot, other] = [await session.storage.openSlot(0), await session.storage.openSlot(1)];
      for (const [one, text] of Object.entries(texts)) {
        await other.putBlob(one, new Blob([text]));
        await slot.putBlob(id(100 + Number.parseInt(one, 16)), new Blob(['gap'.repeat(30)]));
      }
      await slot.putBlob(id(99), new Blob(['kept']));
      await slot.deleteBlobs([id(101), id(103), id(104)]);
      await session.storage.close();
      const copy = async (disk: FakeDisk) => {
        const { storage } = await openSession(storeOn(disk));
        const [to, from] = [await storage.openSlot(0), await storage.openSlot(1)];
        await to.copyBlobs(from, Object.keys(texts));
        return to;
      };
      const counted = prepared.copy();
      await copy(counted);
      expect(counted.writes).toBeGreaterThan(12);
      for (let killAt = 1; killAt <= counted.writes; killAt++) {
        const disk = prepared.copy();
        Object.assign(disk, { killAt, tear });
        await Promise.race([copy(disk), disk.death]);
        disk.reboot();
        const to = await copy(disk);
        for (const [one, text] of Object.entries({ ...texts, [id(99)]: 'kept' }))
          expect(await (await to.getBlob(one)).text()).toBe(text);
      }
    },
  );
});
