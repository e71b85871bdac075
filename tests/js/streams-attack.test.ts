/** Streams under odd circumstances: compaction, adoption twice, cancel in the middle, many keys, forks, disposal, full storage. */
import { defineTask, DisposedError, StorageFullError, type Task, type TaskContext } from 'holdfast';
import { expect, it, vi } from 'vitest';
import { seededRandom } from '../../js/time/random.ts';
import { closeLater, open } from './houses.ts';

async function all<Chunk>(reader: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of reader) chunks.push(chunk);
  return chunks;
}
let made = 0;
const streaming = (run: (ctx: TaskContext, input: any) => unknown, more: object = {}): Task<string, any, any> =>
  defineTask({ id: `odd-${++made}`, retry: { maxAttempts: 1 }, ...more, run: async (input: any, ctx) => run(ctx, input) });

it('survive compactions of the journal, of running runs and of ended ones', async () => {
  let go = () => {};
  const task = streaming(async (ctx, waits) => {
    const out = ctx.stream('out');
    for (let index = 0; index < 40; index++) await out.append({ index, text: 'x'.repeat(10_000) });
    if (waits) await new Promise<void>((resolve) => (go = resolve));
    await out.append('end');
  });
  const noise = defineTask({ id: `noise-${++made}`, run: async () => 'y'.repeat(50_000) });
  let house = await open({ tasks: [task, noise] });
  const [ended, running] = [house.orchestrator.trigger(task, false), house.orchestrator.trigger(task, true)];
  await ended.result();
  let largest = 0;
  for (let round = 0; round < 12; round++) {
    const runs = Array.from({ length: 20 }, () => house.orchestrator.trigger(noise, null));
    await Promise.all(runs.map((run) => run.result()));
    largest = Math.max(largest, house.orchestrator.journal!.bytes);
    await Promise.all(runs.map(({ id }) => house.orchestrator.removeTask(id)));
  }
  expect(house.orchestrator.journal!.bytes).toBeLessThan(largest);
  go();
  await running.result();
  for (let round = 0; round < 2; round++) {
    for (const { id } of [ended, running]) {
      const chunks = await all(house.orchestrator.stream<any>(id, 'out'));
      expect(chunks.map((chunk) => chunk.index ?? chunk)).toEqual([...Array(40).keys(), 'end']);
    }
    house = closeLater(await house.crash());
  }
});

it('of many keys at once stay apart, and a cancel in the middle leaves what was stored', async () => {
  const task = streaming(async (ctx) => {
    await Promise.all(Array.from({ length: 50 }, async (_, key) => {
      for (let index = 0; index < 20; index++) await ctx.stream(`k${key}`).append([key, index]);
    }));
    void ctx.stream('late').append('stored or refused');
    await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
  });
  let house = await open({ tasks: [task] });
  const run = house.orchestrator.trigger(task, null);
  await vi.waitFor(async () => {
    await house.clock.settle();
    expect((await house.orchestrator.storageUsage()).streams.count).toBeGreaterThanOrEqual(1000);
  });
  await run.cancel('enough');
  house = closeLater(await house.crash());
  for (const key of [0, 17, 49]) {
    const chunks: unknown[] = [];
    await expect((async () => {
      for await (const chunk of house.orchestrator.stream(run.id, `k${key}`)) chunks.push(chunk);
    })()).rejects.toThrow('cancelled');
    expect(chunks).toEqual(Array.from({ length: 20 }, (_, index) => [key, index]));
  }
});

it('refuse the large chunk that finds no room, end the attempt with that, and read on after the next one', async () => {
  let full = true;
  const task = streaming(async (ctx) => {
    const out = ctx.stream('out', { mode: 'binary' });
    await out.append(new Uint8Array(10));
    void out.append(new Uint8Array(300_000).fill(ctx.attempt.number));
    void out.append(new Uint8Array(20));
    await ctx.step('after', () => 0);
  }, { retry: { maxAttempts: 2, minDelayMs: 10, randomize: false, retryOn: () => true } });
  const house = await open();
  const { slot } = house.orchestrator.journal!;
  const put = slot.putBlob.bind(slot);
  slot.putBlob = async (...args) => {
    if (full) throw new StorageFullError('no room');
    return put(...args);
  };
  const run = house.orchestrator.trigger(task, null);
  const [error] = await Promise.all([run.result().catch((thrown) => thrown), house.clock.advance(100)]);
  expect(error).toBeInstanceOf(StorageFullError);
  full = false;
  expect(await run.retry()).toBe(true);
  await run.result();
  expect((await all(run.stream<Uint8Array>('out'))).map(({ length }) => length)).toEqual([10, 300_000, 20]);
});

it('end for whoever reads when the orchestrator is disposed, and when their run is removed', async () => {
  const task = streaming(async (ctx) => {
    await ctx.stream('out').append(1);
    await new Promise(() => {});
  });
  const house = await open({ tasks: [task] });
  const [one, other] = [house.orchestrator.trigger(task, null), house.orchestrator.trigger(task, null, { graceMs: 1 })];
  const [first, second] = [all(one.stream('out')), all(other.stream('out'))];
  first.catch(() => {});
  second.catch(() => {});
  await house.clock.settle();
  const cancelled = other.cancel();
  await house.clock.advance(100);
  expect(await cancelled).toBe(true);
  await house.orchestrator.removeTask(other.id);
  await expect(second).rejects.toThrow('cancelled');
  await house.orchestrator.dispose();
  await expect(first).rejects.toBeInstanceOf(DisposedError);
});

it('of a fork begin anew: what its records answer is not appended there', async () => {
  const task = streaming(async (ctx, say) => {
    const out = ctx.stream('out');
    await ctx.step('one', () => out.append('in one'));
    await ctx.step('two', () => out.append(say));
  });
  const house = await open({ tasks: [task] });
  const run = house.orchestrator.trigger(task, 'first');
  await run.result();
  const fork = await (house.orchestrator.runs as any).fork(run.id, { fromStep: 'two', input: 'second' });
  await fork.result();
  expect(await all(house.orchestrator.stream(run.id, 'out'))).toEqual(['in one', 'first']);
  expect(await all(fork.stream('out'))).toEqual(['second']);
});

it('cut off at any moment, with large and small chunks, awaited or not, in steps and beside them, are whole and in order', async () => {
  const large = 90_000;
  const task = streaming(async (ctx, seed: number) => {
    const random = seededRandom(seed);
    const out = ctx.stream('out');
    for (let index = 0; index < 24; index++) {
      const chunk = { index, filling: 'z'.repeat(random() < 0.2 ? large : Math.floor(random() * 200)) };
      const how = random();
      if (how < 0.3) await ctx.step(`step ${index}`, () => out.append(chunk));
      else if (how < 0.6) await out.append(chunk);
      else void out.append(chunk);
    }
    return 'done';
  });
  let cuts = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed * 7);
    let house = await open({ tasks: [task] });
    await house.orchestrator.streams.load();
    const run = house.orchestrator.trigger(task, seed);
    await run.accepted;
    for (let crash = 0; crash < 2; crash++) {
      for (let turn = Math.floor(random() * 400); turn > 0; turn--) await Promise.resolve();
      for (let turn = Math.floor(random() * 4); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
      house.cut();
      if (house.orchestrator.getTaskState(run.id)?.status !== 'completed') cuts++;
      house = closeLater(await house.crash());
    }
    const attached = house.orchestrator.attach(run.id)!;
    // Cut off twice between two steps, and once more: a person would be asked.
    if (attached.state.phase === 'quarantined') await attached.retry();
    expect(await attached.result(), `seed ${seed}`).toBe('done');
    expect((await all(attached.stream<any>('out'))).map(({ index }) => index), `seed ${seed}`).toEqual([...Array(24).keys()]);
  }
  expect(cuts).toBeGreaterThan(40);
});
