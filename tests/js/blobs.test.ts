import { defineTask, DisposedError } from 'holdfast';
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { digestOf, digestSlice } from '../../js/blobs/digest.ts';
import { decodeWithBlobs } from '../../js/codec/codec.ts';
import { rememberDigest } from '../../js/codec/known-digests.ts';
import { PayloadLostError, StorageFullError } from '../../js/errors.ts';
import { memory } from '../../js/storage/memory.ts';
import type { StorageSlot } from '../../js/storage.ts';
import { type House, openHouse, shifted } from './house.ts';
import { closeLater, open } from './houses.ts';

const keep = defineTask({ id: 'keep', run: async (_: unknown) => 'kept' });
const textOf = defineTask({ id: 'text of', run: async ({ file }: { file: Blob }) => file.text() });

const slotOf = (house: House): StorageSlot => house.orchestrator.journal!.slot;
const idsOf = async (house: House) => (await slotOf(house).blobIds()).sort();

/** The ids of blobs as they are written. */
function spyOnPuts(house: House): string[] {
  const ids: string[] = [];
  const slot = slotOf(house);
  const put = slot.putBlob.bind(slot);
  vi.spyOn(slot, 'putBlob').mockImplementation(async (id, blob) => {
    ids.push(id);
    await put(id, blob);
  });
  return ids;
}

/** A Blob that says it has this content, so that what is never found by chance can be tried. */
function pretending(text: string, digest: string): Blob {
  const blob = new Blob([text]);
  rememberDigest(blob, digest.padEnd(64, '0'));
  return blob;
}

describe('the same content', () => {
  it('comes back as what it was given as: a Blob is no File because a File had the same bytes before', async () => {
    const house = await open();
    const echo = defineTask({ id: 'echo blob', run: (blob: Blob) => blob });
    const file = await house.orchestrator.trigger(echo, new File(['same'], 'secret name.txt')).result();
    const blob = await house.orchestrator.trigger(echo, new Blob(['same'])).result();
    expect([file instanceof File, blob instanceof File, await blob.text()]).toEqual([true, false, 'same']);
  });

  it('is stored once, whoever brings it, and stays until the last run that wanted it is forgotten', async () => {
    const house = await open();
    const runs = [new File(['same'], 'a.txt'), new File(['same'], 'b.txt', { type: 'text/plain' }), new Blob(['same'])].map((file) =>
      house.orchestrator.trigger(textOf, { file }),
    );
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(['same', 'same', 'same']);
    expect(await idsOf(house)).toEqual([(await digestOf(new Blob(['same']))).slice(0, 16)]);
    expect((await house.orchestrator.storageUsage()).blobs).toEqual({ count: 1, bytes: 4, sharedBytes: 8 });
    for (const [index, run] of runs.entries()) {
      expect(await idsOf(house)).toHaveLength(1);
      expect(await house.orchestrator.removeTask(run.id)).toBe(true);
      await house.clock.settle();
      expect(await idsOf(house)).toHaveLength(index < 2 ? 1 : 0);
    }
  });

  it('is neither read nor written again on its way from input to step, to another run and to the result', async () => {
    const house = await open();
    const puts = spyOnPuts(house);
    const child = defineTask({ id: 'child', run: async (file: File) => file });
    const parent = defineTask({ id: 'parent', run: async (file: File, ctx) => {
      const same = await ctx.step('look', () => file);
      const passed = await house.orchestrator.trigger(child, same).result();
      return { passed, again: new Uint8Array(await passed.arrayBuffer()) };
    } });
    const file = new File([new Uint8Array(100_000).fill(7)], 'seven.bin', { lastModified: 7 });
    const digest = vi.spyOn(crypto.subtle, 'digest');
    const { passed, again } = await house.orchestrator.trigger(parent, file).result();
    // Once as the file, once as the bytes that came out of it.
    expect(digest).toHaveBeenCalledTimes(2);
    digest.mockRestore();
    expect(puts).toHaveLength(1);
    expect([passed.name, passed.lastModified, again.length]).toEqual(['seven.bin', 7, 100_000]);
  });

  it('in one value comes back as different things that share nothing', async () => {
    const house = await open();
    const bytes = new Uint8Array(70_000).fill(3);
    const mix = defineTask({ id: 'mix', run: async (input: { one: Uint8Array; other: Uint8Array; blob: Blob }) => {
      input.one[0] = 9;
      return [input.one[0], input.other[0], (await input.blob.arrayBuffer()).byteLength];
    } });
    const run = house.orchestrator.trigger(mix, { one: bytes, other: bytes.slice(), blob: new Blob([bytes]) });
    expect(await run.result()).toEqual([9, 3, 70_000]);
    expect(await idsOf(house)).toHaveLength(1);
  });

  it('is known again after a reload, and written again only if the browser has lost it', async () => {
    const house = await open();
    await house.orchestrator.trigger(keep, new File(['known'], 'a')).accepted;
    const next = await house.crash();
    closeLater(next);
    const puts = spyOnPuts(next);
    await next.orchestrator.trigger(keep, new File(['known'], 'a')).accepted;
    expect(puts).toEqual([]);
    vi.restoreAllMocks();
    const third = await next.reload();
    closeLater(third);
    await slotOf(third).deleteBlobs(await idsOf(third));
    const putsAgain = spyOnPuts(third);
    const run = third.orchestrator.trigger(textOf, { file: new File(['known'], 'a') });
    expect(await run.result()).toBe('known');
    expect(putsAgain).toHaveLength(1);
  });

  it('comes back while it is being deleted, and is there', async () => {
    const house = await open();
    const first = house.orchestrator.trigger(keep, new Blob(['again']));
    await first.result();
    const slot = slotOf(house);
    const remove = slot.deleteBlobs.bind(slot);
    let finish = () => {};
    vi.spyOn(slot, 'deleteBlobs').mockImplementationOnce((ids) => new Promise((resolve, reject) => {
      finish = () => void remove(ids).then(resolve, reject);
    }));
    await house.orchestrator.removeTask(first.id);
    const second = house.orchestrator.trigger(textOf, { file: new Blob(['again']) });
    await house.clock.settle();
    finish();
    expect(await second.result()).toBe('again');
    expect(await idsOf(house)).toHaveLength(1);
  });

  it('whose storing fails refuses those who wait for it, and can be brought again', async () => {
    const house = await open();
    const put = vi.spyOn(slotOf(house), 'putBlob').mockRejectedValue(new StorageFullError('full'));
    const runs = [1, 2].map(() => house.orchestrator.trigger(keep, new Blob(['late'])));
    for (const run of runs) await expect(run.accepted).rejects.toThrow(StorageFullError);
    put.mockRestore();
    house.orchestrator.journal!.spaceLow(false);
    const run = house.orchestrator.trigger(textOf, { file: new Blob(['late']) });
    expect(await run.result()).toBe('late');
    await house.orchestrator.removeTask(run.id);
    await house.clock.settle();
    expect(await idsOf(house)).toEqual([]);
  });
});

describe('different contents', () => {
  it('never share an id, whatever their digests begin with', async () => {
    const house = await open();
    const digests = ['a', 'b'].map((end) => '00112233445566778899aabbccddeeff'.padEnd(63, 'c') + end);
    const blobs = [pretending('one', digests[0]!), pretending('two', digests[1]!), pretending('other length', digests[1]!)];
    const runs = blobs.map((file) => house.orchestrator.trigger(textOf, { file }));
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(['one', 'two', 'other length']);
    expect(await idsOf(house)).toHaveLength(3);
    const next = await house.crash();
    closeLater(next);
    const again = next.orchestrator.trigger(textOf, { file: pretending('two', digests[1]!) });
    expect(await again.result()).toBe('two');
    expect(await idsOf(next)).toHaveLength(3);
  });

  it('a blob that is known to be another one is an error, not the wrong bytes', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(keep, new Blob(['mine']));
    await run.result();
    const [id] = await idsOf(house);
    const forged = { id: id!, kind: 'blob' as const, digest: 'f'.repeat(64), size: 4 };
    await expect(house.orchestrator.blobs.load(forged)).rejects.toThrow(PayloadLostError);
  });
});

it('a digest of up to 4 MiB is the SHA-256; of more, that of the SHA-256s of its slices', async () => {
  const hex = async (bytes: BlobPart) =>
    Buffer.from(await crypto.subtle.digest('SHA-256', await new Blob([bytes]).arrayBuffer())).toString('hex');
  expect(await digestOf(new Blob([]))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  const bytes = new Uint8Array(2 * digestSlice + 5).map((_, index) => index * 7);
  expect(await digestOf(new Blob([bytes.subarray(0, digestSlice)]))).toBe(await hex(bytes.slice(0, digestSlice)));
  const slices = [0, 1, 2].map((index) => hex(bytes.slice(index * digestSlice, (index + 1) * digestSlice)));
  const expected = await hex(Buffer.from((await Promise.all(slices)).join(''), 'hex'));
  expect(await digestOf(new Blob([bytes]))).toBe(expected);
  vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
  expect(await digestOf(new Blob([bytes]))).toBe(expected);
  vi.unstubAllGlobals();
});

it('a file that can no longer be read is refused in words, and nothing is stored', async () => {
  const house = await open();
  const file = new File(['x'], 'moved.pdf');
  vi.spyOn(file, 'slice').mockReturnValue({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) } as unknown as Blob);
  const run = house.orchestrator.trigger(keep, { file });
  await expect(run.accepted).rejects.toThrow(/"moved.pdf" can't be read.*Choose it again/);
  expect(await idsOf(house)).toEqual([]);
});

it('values of holdfast 0.1, whose blobs have random ids and no digest, are read', async () => {
  const graph = [0x93, 0x91, 1, 0x94, 10, 0, 3, 0xa0]; // [[1], [blob, 0, 3, '']] without the outer count
  const bytes = new Uint8Array([2, 1, 0, 0, 0, 0, ...[1, 2, 3, 4, 5, 6, 7, 8], 0x92, ...graph.slice(1)]);
  const read = await decodeWithBlobs(bytes, async ({ id, digest }) => {
    expect([id, digest]).toEqual(['0102030405060708', undefined]);
    return new Blob(['old']);
  });
  expect(await read.text()).toBe('old');
});

describe('crashes', () => {
  it('H12: blobs attached when the core trapped are attached again in the one that is rebuilt', async () => {
    const house = await open();
    const { orchestrator, clock } = house;
    let go = () => {};
    const slow = defineTask({ id: 'slow', run: async (file: Blob, ctx) => {
      const copy = await ctx.step('copy', () => new Blob(['copy of ', file]));
      await new Promise<void>((resolve) => (go = resolve));
      return copy.text();
    } });
    const run = orchestrator.trigger(slow, new Blob(['input']));
    await run.accepted;
    const attach = orchestrator.blobs.attach.bind(orchestrator.blobs);
    // The core traps when the step's blob has been attached and its record not been sealed.
    vi.spyOn(orchestrator.blobs, 'attach').mockImplementationOnce((attached, references) => {
      attach(attached, references);
      vi.spyOn(orchestrator.pump.engine, 'step').mockImplementation(() => {
        throw new WebAssembly.RuntimeError('unreachable');
      });
    });
    await vi.waitFor(() => expect(orchestrator.attach(run.id)!.state.attempt).toBe(2));
    const early = orchestrator.trigger(textOf, { file: new Blob(['early']) });
    await clock.settle();
    expect(await early.result()).toBe('early');
    await vi.waitFor(async () => expect(await idsOf(house)).toHaveLength(3));
    const next = await house.crash();
    closeLater(next);
    expect(await idsOf(next)).toHaveLength(3);
    await vi.waitFor(() => expect(go()).toBeUndefined());
    await next.clock.settle();
    go();
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('copy of input');
  });

  it('never take a blob from a run that wants it, nor keep one that nobody does', async () => {
    const contents = ['a', 'b', 'c'];
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('trigger' as const), content: fc.nat(2), wait: fc.boolean() }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), run: fc.nat(20), wait: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), turns: fc.nat(6) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'reload' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 14 }), async (actions) => {
        let house = await openHouse();
        const wanted = new Map<string, string>();
        const waiting: Promise<unknown>[] = [];
        for (const step of actions) {
          if (step.do === 'trigger') {
            const run = house.orchestrator.trigger(keep, new Blob([contents[step.content]!]));
            const accepted = run.accepted.then(() => wanted.set(run.id, contents[step.content]!), () => {});
            if (step.wait) await accepted;
            else waiting.push(accepted);
          } else if (step.do === 'remove') {
            const id = [...wanted.keys()][step.run];
            if (id === undefined) continue;
            const removed = house.orchestrator.removeTask(id).then(
              (done) => done && wanted.delete(id),
              // The house was closed before it was: it is there, or gone, in the next one.
              (error) => expect(error).toBeInstanceOf(DisposedError),
            );
            if (step.wait) await removed;
          } else if (step.do === 'wait') {
            for (let turn = 0; turn < step.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          } else {
            const before = waiting.splice(0);
            if (step.do === 'reload') await Promise.all(before);
            house = await house[step.do]();
          }
        }
        house = await house.crash();
        const known = new Set(house.orchestrator.getAllTasks().map(({ id }) => id));
        for (const id of wanted.keys()) if (known.has(id)) expect(await inputText(house, id)).toBe(wanted.get(id));
        const present = await Promise.all((await idsOf(house)).map(async (id) => (await slotOf(house).getBlob(id)).text()));
        const left = await Promise.all([...known].map((id) => inputText(house, id)));
        expect(present.sort()).toEqual([...new Set(left)].sort());
        await house.orchestrator.dispose();
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

async function inputText(house: House, id: string): Promise<string> {
  return (await house.orchestrator.attempts.inputOf(house.orchestrator.attach(id) as never) as Blob).text();
}

it('adoption: what both had is stored once, and outlives the run here that had it first', async () => {
  const storage = memory();
  const other = await openHouse({}, undefined, storage);
  const theirs = other.orchestrator.trigger(keep, { file: new Blob(['both']), own: new Blob(['theirs']) }, { delay: '1h' });
  await theirs.accepted;
  const house = await open({}, undefined, shifted(storage));
  const ours = house.orchestrator.trigger(keep, new Blob(['both']));
  await ours.result();
  const slot = slotOf(house);
  const put = slot.putBlob.bind(slot);
  // While the dead slot's blobs are copied, the run that has the shared one here is forgotten.
  vi.spyOn(slot, 'putBlob').mockImplementationOnce(async (id, blob) => {
    await house.orchestrator.removeTask(ours.id);
    await house.clock.settle();
    await put(id, blob);
  });
  await house.orchestrator.opening.adopt(1);
  expect(await idsOf(house)).toHaveLength(2);
  const input = (await house.orchestrator.attempts.inputOf(house.orchestrator.attach(theirs.id) as never)) as { file: Blob; own: Blob };
  expect([await input.file.text(), await input.own.text()]).toEqual(['both', 'theirs']);
  await house.orchestrator.removeTask(theirs.id);
  await house.clock.settle();
  expect(await idsOf(house)).toEqual([]);
});

it('usage says how much lies where', async () => {
  const house = await open();
  const work = defineTask({ id: 'work', run: async (_: Blob, ctx) => {
    await ctx.step('one', () => 'x'.repeat(100));
    return 'y'.repeat(200);
  } });
  const bad = defineTask({ id: 'bad', retry: { maxAttempts: 1 }, run: async () => Promise.reject(new Error('no')) });
  await house.orchestrator.trigger(work, new Blob(['z'.repeat(300)])).result();
  await house.orchestrator.trigger(bad, null).wait();
  const check = async ({ orchestrator }: House) => {
    const { journal, inputs, steps, results, errors, blobs } = await orchestrator.storageUsage();
    expect([inputs.count, steps.count, results.count, errors.count]).toEqual([2, 1, 1, 1]);
    expect(steps.bytes).toBeGreaterThan(100);
    expect(results.bytes).toBeGreaterThan(200);
    expect(journal.bytes).toBeGreaterThan(inputs.bytes + steps.bytes + results.bytes + errors.bytes);
    expect(journal.liveBytes).toBeGreaterThan(inputs.bytes);
    expect(blobs).toEqual({ count: 1, bytes: 300, sharedBytes: 0 });
  };
  await check(house);
  const next = await house.crash();
  closeLater(next);
  await check(next);
});
