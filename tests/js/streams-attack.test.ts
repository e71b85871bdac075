/** Streams under odd circumstances: compaction, adoption twice, cancel in the middle, many keys, forks, disposal, full storage. */
import { CanceledError, ConfigurationError, defineTask, DisposedError, PayloadTooLargeError, StorageFullError, type Task, type TaskContext } from 'holdfast';
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

it('refuse bytes above the limit of a chunk at the call: they were taken, and gone', async () => {
  const errors: unknown[] = [];
  const task = streaming(async (ctx) => {
    const [out, bytes] = [ctx.stream('out'), ctx.stream('bytes', { mode: 'binary' })];
    await out.append({ part: new Uint8Array(2 ** 20 - 100) });
    for (const chunk of [new Uint8Array(2 ** 20 + 1), { deep: [new Uint8Array(2 ** 21)] }]) await out.append(chunk).catch((error) => errors.push(error));
    await bytes.append(new Uint8Array(2 ** 20 + 1)).catch((error) => errors.push(error));
    await bytes.pipe([new Uint8Array(2 ** 20 + 1).fill(7)]);
  });
  const house = await open();
  const run = house.orchestrator.trigger(task, null);
  await run.result();
  expect(errors).toEqual([expect.any(PayloadTooLargeError), expect.any(PayloadTooLargeError), expect.any(PayloadTooLargeError)]);
  expect((errors[1] as Error).message).toMatch(/^chunk\.deep\[0\] takes 2 MiB or more, the limit is 1 MiB; append it in parts/);
  expect((await all(run.stream<any>('out'))).map(({ part }) => part.length)).toEqual([2 ** 20 - 100]);
  expect((await all(run.stream<Uint8Array>('bytes'))).reduce((sum, { length }) => sum + length, 0)).toBe(2 ** 20 + 1);
});

it('are read to the end by who reads slowly, and end for them too when the orchestrator is disposed meanwhile', async () => {
  const task = streaming(async (ctx) => {
    for (const chunk of [1, 2]) await ctx.stream('out').append(chunk);
    await new Promise(() => {});
  });
  const house = await open({ tasks: [task] });
  const run = house.orchestrator.trigger(task, null);
  await house.clock.settle();
  const entries = run.stream('out')[Symbol.asyncIterator]();
  expect(await entries.next()).toEqual({ done: false, value: 1 });
  await house.orchestrator.dispose();
  expect(await entries.next()).toEqual({ done: false, value: 2 });
  await expect(entries.next()).rejects.toBeInstanceOf(DisposedError);
  await expect(all(run.stream('out'))).rejects.toBeInstanceOf(DisposedError);
});

it('are left by a source that gives nothing any more when the attempt is stopped, and the source is told', async () => {
  const told: string[] = [];
  let failure: unknown;
  const silent = (): AsyncIterable<string> => {
    const given = ['a'];
    return { [Symbol.asyncIterator]: () => ({
      next: async () => (given.length > 0 ? { done: false, value: given.pop()! } : new Promise<never>(() => {})),
      return: async () => (told.push('return'), { done: true, value: undefined }),
    }) };
  };
  const task = streaming(async (ctx) => {
    await ctx.stream('out').pipe(silent()).catch((error) => (failure = error));
  });
  const house = await open();
  const run = house.orchestrator.trigger(task, null, { graceMs: 1000 });
  const reading = all(run.stream('out'));
  reading.catch(() => {});
  await house.clock.settle();
  await run.cancel('enough');
  await house.clock.settle();
  expect(failure).toBeInstanceOf(CanceledError);
  expect(told).toEqual(['return']);
  await expect(reading).rejects.toBeInstanceOf(CanceledError);
});

it('refuse a source that somebody reads already, with what to do', async () => {
  const errors: unknown[] = [];
  const task = streaming(async (ctx) => {
    const source = new Blob(['abc']).stream();
    const out = ctx.stream('out', { mode: 'text' });
    await out.pipe(source);
    await out.pipe(source).catch((error) => errors.push(error));
  });
  const house = await open();
  const run = house.orchestrator.trigger(task, null);
  await run.result();
  expect(errors).toEqual([expect.any(ConfigurationError)]);
  expect((errors[0] as Error).message).toContain('stream.tee()');
  expect(await all(run.stream('out'))).toEqual(['abc']);
});

it('that are written in turn cost the journal little, and are read by index, also over a crash', async () => {
  const count = 24_000;
  const task = streaming(async (ctx) => {
    const [even, odd] = [ctx.stream('even'), ctx.stream('odd')];
    for (let index = 0; index < count; index++) {
      const stored = (index % 2 === 0 ? even : odd).append(`token ${index}, of many that a model gives, one after the other`);
      if (index % 500 === 499) await stored;
    }
  });
  let house = await open({ tasks: [task] });
  const run = house.orchestrator.trigger(task, null);
  await run.result();
  const { journal, blobs } = await house.orchestrator.storageUsage();
  expect(blobs.count).toBeGreaterThan(0);
  // What is not packed yet, half a megabyte at most; a line for each chunk that is would be as much again.
  expect(journal.liveBytes).toBeLessThan(600_000);
  for (let round = 0; round < 2; round++) {
    for (const [key, rest] of [['even', 0], ['odd', 1]] as const) {
      const chunks = await all<string>(house.orchestrator.stream(run.id, key));
      expect(chunks.map((chunk) => Number.parseInt(chunk.slice(6), 10)), key).toEqual(Array.from({ length: count / 2 }, (_, index) => 2 * index + rest));
    }
    expect(await all(house.orchestrator.stream(run.id, 'odd', { from: count / 2 - 1 }))).toEqual([expect.stringMatching(`token ${count - 1},`)]);
    house = closeLater(await house.crash());
  }
});

it('of many steps at once do not list them with each chunk, and code that runs again appends nothing twice', async () => {
  const count = 200;
  let hang = true;
  const task = streaming(async (ctx) => {
    const out = ctx.stream('out');
    await out.append('begin');
    const all = Array.from({ length: count }, (_, index) => ctx.step(`the name of step number ${index}`, async () => {
      await out.append(`in ${index}`);
      if (hang && index >= count / 2) await new Promise(() => {});
    }));
    await Promise.all(all);
    await out.append('end');
  });
  let house = await open({ tasks: [task] });
  const run = house.orchestrator.trigger(task, null);
  await run.accepted;
  for (let turn = 0; turn < 50 && house.orchestrator.getTaskState(run.id)!.steps < count / 2; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await house.clock.settle();
  }
  expect(house.orchestrator.getTaskState(run.id)!.steps).toBe(count / 2);
  expect((await house.orchestrator.storageUsage()).journal.bytes).toBeLessThan(60_000);
  hang = false;
  house = closeLater(await house.crash());
  await house.orchestrator.attach(run.id)!.result();
  const chunks = await all<string>(house.orchestrator.stream(run.id, 'out'));
  expect([...new Set(chunks)]).toHaveLength(count + 2);
  expect(chunks).toHaveLength(count + 2);
  expect([chunks[0], chunks.at(-1)]).toEqual(['begin', 'end']);
});
