import { ConfigurationError, defineTask, type PayloadLimits, PayloadLostError, PayloadTooLargeError, SerializationError, type TaskContext } from 'holdfast';
import { describe, expect, it, vi } from 'vitest';
import { decode, decodeWithBlobs, encode } from '../../js/codec/codec.ts';
import { type House, openHouse } from './house.ts';
import { closeLater, open as openOne } from './houses.ts';

const open = (limits: PayloadLimits = {}): Promise<House> => openOne({ limits });
const idsOf = ({ orchestrator }: House) => orchestrator.journal!.slot.blobIds();
const echo = defineTask({ id: 'echo limits', run: (value: unknown) => value });
const rows = (count: number) => Array.from({ length: count }, (_, index) => ({ index, text: `row ${index}` }));

describe('values above limits.inlineBytes', () => {
  it('lie beside the journal, once each, and come back as input, step and result, also after a crash', async () => {
    const house = await open();
    const large = { rows: rows(5000), map: new Map([[1, new File(['x'], 'x.txt')]]), when: new Date(7) };
    const work = defineTask({ id: 'large', run: async (input: typeof large, ctx: TaskContext) => {
      const copy = await ctx.step('copy', () => input);
      await ctx.step('again', () => copy.rows);
      return copy;
    } });
    const run = house.orchestrator.trigger(work, large);
    const other = house.orchestrator.trigger(work, large);
    await Promise.all([run.result(), other.result()]);
    // The value, the file in it, the rows alone; of all runs and places together.
    expect(await idsOf(house)).toHaveLength(3);
    expect((await house.orchestrator.storageUsage()).journal.bytes).toBeLessThan(4000);
    const next = await house.crash();
    closeLater(next);
    const result = await next.orchestrator.attach<typeof large>(run.id)!.result();
    expect(result).toMatchObject({ rows: large.rows, when: large.when });
    expect(await result.map.get(1)!.text()).toBe('x');
    expect([...(await next.orchestrator.attempts.inputOf(next.orchestrator.attach(run.id) as never) as typeof large).map.keys()]).toEqual([1]);
    for (const id of [run.id, other.id]) await next.orchestrator.removeTask(id);
    await next.clock.settle();
    expect(await idsOf(next)).toEqual([]);
  });

  it('reach the callbacks of their task', async () => {
    const house = await open();
    const told: unknown[] = [];
    const task = defineTask({
      id: 'told', retry: { maxAttempts: 1 },
      run: (input: { rows: unknown[]; good: boolean }) => {
        if (!input.good) throw new Error('bad');
        return input.rows;
      },
      onSuccess: ({ input, output }) => told.push(['good', input.rows.length, output.length]),
      onFailure: ({ input, error }) => told.push([error.message, input.rows.length]),
    });
    await house.orchestrator.trigger(task, { rows: rows(5000), good: true }).wait();
    await house.orchestrator.trigger(task, { rows: rows(5000), good: false }).wait();
    await vi.waitFor(() => expect(told).toEqual([['good', 5000, 5000], ['bad', 5000]]));
  });

  it('in the state of a run stand as soon as they are read', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(echo, rows(5000));
    await vi.waitFor(() => expect(run.state.status).toBe('completed'));
    await vi.waitFor(() => expect(run.state.result).toEqual(rows(5000)));
  });

  it('are believed no more than others', async () => {
    const { bytes, blobs } = encode(rows(5000), 'input', { outsideAbove: 1000 });
    expect(() => decode(bytes)).toThrow(PayloadLostError);
    const read = (content: BlobPart) => decodeWithBlobs(bytes, async () => new Blob([content]));
    expect(await read(blobs![0]!.blob!)).toEqual(rows(5000));
    for (const content of ['', new Uint8Array([4, 1, 0, 0, 0]), new Uint8Array([0]), new Uint8Array([1, 0xc0]), new Uint8Array([9, 1])])
      await expect(read(content)).rejects.toThrow(SerializationError);
    const file = encode(new Blob(['x']), 'input').bytes.slice();
    file[0] = 4;
    await expect(decodeWithBlobs(file, async () => new Blob(['x']))).rejects.toThrow(SerializationError);
  });
});

describe('limits', () => {
  it('of one value, of metadata and of one file are told at the call, by name and value, and nothing is stored', async () => {
    const house = await open({ valueBytes: 100_000, metadataBytes: 2000, blobBytes: 3000 });
    const { orchestrator } = house;
    const refused = (call: () => unknown, message: RegExp) => {
      expect(call).toThrow(PayloadTooLargeError);
      expect(call).toThrow(message);
    };
    refused(() => orchestrator.trigger(echo, 'x'.repeat(100_001)), /input takes 97.7 KiB or more, the limit is 97.7 KiB.*limits.valueBytes/);
    refused(() => orchestrator.trigger(echo, 1, { metadata: { note: 'x'.repeat(2001) } }), /metadata.note takes 2 KiB or more, the limit is 2 KiB; put the large part into the input, or raise limits.metadataBytes/);
    refused(() => orchestrator.trigger(echo, 1, { metadata: { thumbnail: new Uint8Array(2001) } }), /metadata.thumbnail takes 2 KiB or more, the limit is 2 KiB/);
    refused(() => orchestrator.trigger(echo, { scans: [new File(['x'.repeat(3001)], 'a.pdf')] }), /input.scans\[0\] has 2.9 KiB, the limit for one file or binary value is 2.9 KiB; split it, or raise limits.blobBytes/);
    refused(() => orchestrator.trigger(echo, new Uint8Array(70_000)), /input has 68.4 KiB/);
    expect(() => orchestrator.trigger(echo, 1, { metadata: { file: new File([], 'a') } })).toThrow(/metadata.file is a File; put it into the input/);
    expect(orchestrator.getAllTasks()).toEqual([]);
    expect(await idsOf(house)).toEqual([]);
    const result = defineTask({ id: 'large file', run: () => new Blob(['x'.repeat(3001)]) });
    expect(await orchestrator.trigger(result, null).wait()).toMatchObject({ ok: false, attempts: 1, error: { code: 'PAYLOAD_TOO_LARGE', data: { path: 'result', size: 3001, limit: 3000 } } });
  });

  it('of all files together count each content once and what is removed no more', async () => {
    const house = await open({ totalBlobBytes: 2000 });
    const { orchestrator } = house;
    const file = (letter: string) => new File([letter.repeat(900)], letter);
    const first = orchestrator.trigger(echo, file('a'));
    await first.result();
    await orchestrator.trigger(echo, [file('b'), file('a')]).result();
    const third = orchestrator.trigger(echo, [file('a'), file('c')]);
    await expect(third.accepted).rejects.toThrow(/no room for a file of 900 bytes: all files together would have 2.6 KiB, the limit is 2 KiB/);
    expect(await idsOf(house)).toHaveLength(2);
    for (const { id } of orchestrator.getAllTasks()) await orchestrator.removeTask(id);
    await house.clock.settle();
    expect((await orchestrator.storageUsage()).blobs).toEqual({ count: 0, bytes: 0, sharedBytes: 0 });
    expect(await orchestrator.trigger(echo, [file('c'), file('d')]).result()).toHaveLength(2);
  });

  it('can be changed for what comes', async () => {
    const { orchestrator } = await open({ valueBytes: 2000 });
    expect(() => orchestrator.trigger(echo, 'x'.repeat(3000))).toThrow(PayloadTooLargeError);
    orchestrator.setOptions({ limits: { valueBytes: 4000 } });
    expect(await orchestrator.trigger(echo, 'x'.repeat(3000)).result()).toHaveLength(3000);
    expect(() => orchestrator.setOptions({ limits: { valueBytes: 1 } })).toThrow(/limits.valueBytes must be a whole number from 1024 to 536870912, not 1/);
    expect(await orchestrator.trigger(echo, 'x'.repeat(3500)).result()).toHaveLength(3500);
  });

  it('that are none are refused', async () => {
    for (const limits of [{ bytes: 1 }, { blobBytes: '1 GB' }, { blobBytes: 2 ** 33 }, { inlineBytes: 10_000, valueBytes: 5000 }, null])
      await expect(openHouse({ limits: limits as never })).rejects.toThrow(ConfigurationError);
  });
});
