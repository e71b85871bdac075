/** Journals that nobody honest wrote: other scripts of the origin, newer versions, damage. */
import { defineTask, OrchestratorError, type Storage, TestClock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import * as P from '../../js/protocol.ts';
import { memory } from '../../js/storage/memory.ts';
import { type House, openHouse } from './house.ts';
import { again, open } from './houses.ts';

type Event = [kind: number, task: number, a?: number, b?: number, at?: number];
const recordBytes = P.RecordBytes;
const headerBytes = 32;

/** CRC-32C, as every frame bears it. */
function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** A frame with a right checksum, whatever is in it. */
function frame(events: readonly Event[], payload = new Uint8Array(0), header: { version?: number; sequence?: number; previous?: number } = {}): Uint8Array<ArrayBuffer> {
  const length = headerBytes + Math.ceil((events.length * recordBytes + payload.length) / 8) * 8;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const fields = [0x74666468, header.version ?? 1, 7, header.sequence ?? 1, events.length, payload.length, header.previous ?? 0];
  fields.forEach((field, index) => view.setUint32(index * 4, field, true));
  events.forEach(([kind, task, a = 0, b = 0, at = 1], index) => {
    const offset = headerBytes + index * recordBytes;
    [kind, task, a, b].forEach((field, part) => view.setUint32(offset + part * 4, field, true));
    view.setFloat64(offset + 16, at, true);
  });
  bytes.set(payload, headerBytes + events.length * recordBytes);
  view.setUint32(28, crc32c(bytes.subarray(headerBytes), crc32c(bytes.subarray(0, 28))), true);
  return bytes;
}

async function storageWith(log: Uint8Array): Promise<Storage> {
  const storage = memory();
  const slot = await storage.openSlot(0);
  await slot.append(log.slice() as Uint8Array<ArrayBuffer>);
  return storage;
}

/** Opens and works, or refuses with an error of ours; never hangs. */
async function openOn(log: Uint8Array): Promise<House | undefined> {
  try {
    return await open({}, new TestClock(), await storageWith(log));
  } catch (error) {
    expect(error).toBeInstanceOf(OrchestratorError);
    return undefined;
  }
}

async function works({ orchestrator, clock }: House): Promise<void> {
  for (const state of orchestrator.getAllTasks()) {
    expect(state.id).toBeTypeOf('string');
    expect(orchestrator.why(state.id)).toBeTypeOf('string');
  }
  expect(await orchestrator.trigger(fine, 4).result()).toBe(5);
  await clock.settle();
}

const fine = defineTask({ id: 'fine', run: (n: number) => n + 1 });
const garbage = Uint8Array.from({ length: 64 }, (_, index) => (index * 37) & 255);
const created = (task: number, length = 0): Event => [P.EventCreated, task, 0x80000000, length, 1000];

describe('a stored journal', () => {
  it('S3: with a right checksum and an absurd story opens without it', async () => {
    const stories: Event[][] = [
      [], [created(1), created(1)], [[P.EventStarted, 1, 1]], [[P.EventSucceeded, 5, 1, 0xffffffff]], [created(0)], [created(0xffffffff)],
      [created(1, 0xffffffff)], [[P.EventCreated, 1, 0xffffffff, 0, Number.NaN]], [created(1), [P.EventStarted, 1, 0xffffff, 0, Number.NEGATIVE_INFINITY]],
      [created(1), [P.EventRetryScheduled, 1, 0xffffffff, 0, Number.NaN]], [created(1), [P.EventForgotten, 1]], [[P.EventQueueSet, 0xffffffff, 1, 0, 1e308]],
      [[P.EventPolicySet, 0xffff, 8, 0xffffffff, Number.NaN]], [[P.EventGroupSet, 0xfffffffe, 9, 0, -1]], [created(1), [P.EventDepended, 1, 1, 0]],
      [created(1), [P.EventRestored, 1, 1, 0xffffffff]], [created(1), [P.EventRestored, 99, 0xffffffff, 1]], [[P.EventSnapshotEnded, 0]],
      [[P.EventRejected, 0]], [[P.EventLocated, 1, 1, 100, 5]], [created(1), [P.EventTaskSet, 1, 77, 0, Number.NaN]], [[P.OptionalEvent | 9, 3, 4, 5]],
    ];
    for (const story of stories) {
      const house = await openOn(frame(story));
      if (house) await works(house);
    }
    const log = frame([created(1)]);
    for (const fields of [[16, 0xffffffff], [20, 0xffffffff], [20, 1], [12, 0xffffffff]] as const) {
      const bent = log.slice();
      new DataView(bent.buffer).setUint32(fields[0], fields[1], true);
      const house = await openOn(bent);
      if (house) await works(house);
    }
  });

  it('S3: with runs whose bytes are rubbish shows them, runs nothing of them, and serves the others', async () => {
    const house = await openOn(frame([created(1, 64), created(2), created(3, 64), [P.EventStarted, 3, 1], [P.EventSucceeded, 3, 1, 64]],
      Uint8Array.from([...garbage, ...garbage, ...garbage])));
    expect(house).toBeDefined();
    const states = house!.orchestrator.getAllTasks();
    expect(states).toHaveLength(3);
    expect(states.every(({ name }) => /can't be read/.test(name))).toBe(true);
    expect(states.find(({ id }) => id === 'unreadable_1')).toMatchObject({ phase: 'blocked', reason: 'missing-definition' });
    await works(house!);
    for (const { id } of states) expect(await house!.orchestrator.removeTask(id)).toBe(true);
    const next = await again(house!.crash());
    expect(next.orchestrator.getAllTasks()).toHaveLength(1);
  });

  it('S3: of random bytes, or of an honest one bent in any byte, opens on what is sound', async () => {
    const honest = await open({}, new TestClock(), memory());
    await Promise.all([1, 2, 3].map((n) => honest.orchestrator.trigger(fine, n).result()));
    await honest.orchestrator.trigger(defineTask({ id: 'stays', run: () => new Promise(() => {}) }), { a: [1] }).accepted;
    const log = await honest.orchestrator.journal!.slot.read();
    let seed = 1;
    const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
    for (let round = 0; round < 60; round++) {
      const bent = round < 10 ? Uint8Array.from({ length: 500 }, () => random() >>> 24) : log.slice();
      for (let bend = 0; bend < 3; bend++) bent[random() % bent.length]! ^= 1 << (random() % 8);
      const house = await openOn(bent.subarray(0, 1 + (random() % bent.length)));
      expect(house).toBeDefined();
      await works(house!);
      await house!.orchestrator.dispose();
    }
  });

  it('F7: of a newer version is refused, and its bytes stay as they are', async () => {
    const first = frame([created(1)]);
    const previous = new DataView(first.buffer).getUint32(28, true);
    const logs = [
      frame([created(1)], undefined, { version: 2 }),
      Uint8Array.from([...first, ...frame([created(2)], undefined, { version: 9, sequence: 2, previous })]),
      Uint8Array.from([...first, ...frame([[255, 1]], undefined, { sequence: 2, previous })]),
    ];
    for (const log of logs) {
      const storage = await storageWith(log);
      await expect(openHouse({}, new TestClock(), storage)).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
      expect(await (await storage.openSlot(0)).read()).toEqual(log);
    }
  });

  it('F7: an optional event from the future is skipped', async () => {
    const house = await openOn(frame([created(1), [P.OptionalEvent | 200, 1, 2, 3]]));
    expect(house!.orchestrator.getAllTasks()).toHaveLength(1);
  });

  it('F7: whoever asks an orchestrator that could not open hears why, at once', async () => {
    const storage = await storageWith(frame([], undefined, { version: 2 }));
    const { Orchestrator } = await import('../../js/orchestrator.ts');
    const orchestrator = new Orchestrator({ storage, clock: new TestClock(), tabs: false });
    const early = orchestrator.trigger(fine, 1);
    await expect(orchestrator.ready).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
    await expect(early.accepted).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
    await expect(early.result()).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
    expect(() => orchestrator.trigger(fine, 1)).toThrow(expect.objectContaining({ code: 'STORE_TOO_NEW' }));
    expect(orchestrator.storageState).toMatchObject({ status: 'failing', message: expect.stringMatching(/newer version/) });
    await expect(orchestrator.events().next()).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
    await orchestrator.dispose();
  });
});
