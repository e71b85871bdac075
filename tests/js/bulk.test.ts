/** `runs.bulk`: one verb for all runs that match. */
import { defineTask, type TaskContext } from 'holdfast';
import { expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

const waits = (id: string, more: object = {}) => defineTask({ id: name(id), retry: { maxAttempts: 1 }, ...more, run: async (_: unknown, ctx: TaskContext) => void (await ctx.waitFor('go')) });

async function settled<Value>(house: Awaited<ReturnType<typeof open>>, promise: Promise<Value>): Promise<Value> {
  let over = false;
  promise.finally(() => (over = true)).catch(() => {});
  while (!over) {
    await house.clock.settle();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return promise;
}

it('asks each that matches once, tells how far it is, and leaves the others alone', async () => {
  const house = await open();
  const { orchestrator } = house;
  const [one, two] = [waits('one'), waits('two')];
  const ones = Array.from({ length: 150 }, (_, n) => orchestrator.trigger(one, n, { tags: n % 2 ? 'odd' : 'even' }));
  const other = orchestrator.trigger(two, 0);
  await house.clock.settle();
  await ones[0]!.cancel();
  const told: number[] = [];
  const paused = await settled(house, orchestrator.runs.bulk.pause({ taskIdentifier: one.id }, { onProgress: ({ done }) => told.push(done) }));
  expect(paused).toEqual({ total: 150, done: 149, skipped: 1, failed: 0 });
  expect(told.at(-1)).toBe(149);
  expect(told.length).toBeGreaterThan(1);
  expect([ones[1]!.status, other.status]).toEqual(['paused', 'running']);
  expect(await settled(house, orchestrator.runs.bulk.resume({ status: 'paused', tags: 'odd' }))).toMatchObject({ total: 75, done: 75 });
  expect(await settled(house, orchestrator.runs.bulk.cancel({ taskIdentifier: one.id }, { reason: 'enough' }))).toMatchObject({ total: 150, done: 149, skipped: 1 });
  expect(orchestrator.counts()).toMatchObject({ cancelled: 150, running: 1 });
  expect(await settled(house, orchestrator.runs.bulk.remove({ status: 'cancelled' }))).toMatchObject({ total: 150, done: 150 });
  expect(orchestrator.counts().total).toBe(1);
});

it('retries and repeats what failed', async () => {
  const house = await open();
  const { orchestrator } = house;
  let broken = true;
  const task = defineTask({ id: name('fails'), retry: { maxAttempts: 1 }, run: async (n: number) => {
    if (broken) throw new Error('broken');
    return n;
  } });
  const runs = [1, 2, 3].map((n) => orchestrator.trigger(task, n));
  await house.clock.settle();
  broken = false;
  expect(await settled(house, orchestrator.runs.bulk.retry({ status: 'failed' }))).toEqual({ total: 3, done: 3, skipped: 0, failed: 0 });
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual([1, 2, 3]);
  expect(await settled(house, orchestrator.runs.bulk.replay({ status: 'completed' }))).toMatchObject({ total: 3, done: 3 });
  await house.clock.settle();
  expect(orchestrator.counts().completed).toBe(6);
});

it('stops asking when its signal is aborted; bad input is refused and nobody is asked', async () => {
  const house = await open();
  const { orchestrator } = house;
  const task = waits('many');
  for (let n = 0; n < 200; n++) orchestrator.trigger(task, n);
  await house.clock.settle();
  const controller = new AbortController();
  const stopped = await settled(house, orchestrator.runs.bulk.cancel({ taskIdentifier: task.id }, { signal: controller.signal, onProgress: () => controller.abort() }));
  expect(stopped).toMatchObject({ total: 200, done: 64 });
  await expect(orchestrator.runs.bulk.cancel({ state: 'running' } as never)).rejects.toThrow(/runs\.bulk\.cancel has no option "state"/);
  await expect(orchestrator.runs.bulk.cancel(undefined as never)).rejects.toThrow(/runs\.bulk\.cancel/);
  await expect(orchestrator.runs.bulk.pause({}, { kind: 'firm' as never })).rejects.toThrow(/firm/);
  await expect(orchestrator.runs.bulk.retry({}, { kind: 'soft' } as never)).rejects.toThrow(/has no option "kind"/);
  await expect(orchestrator.runs.bulk.remove({}, { onProgress: 5 as never })).rejects.toThrow(/onProgress must be a function, not 5/);
  expect(orchestrator.counts().cancelled).toBe(64);
});

it('C7, F9: finds by queue and batch, over a crash too, and asks with the count before the first', async () => {
  const queue = name('shelf');
  const house = await open({ queues: { [queue]: { concurrency: 1 } } });
  const task = defineTask({ id: name('shelved'), run: async (_: number, ctx) => (await ctx.sleep('1h'), 1) });
  const batch = await house.orchestrator.batch.triggerByTask([1, 2].map((payload) => ({ task, payload, options: { queue } })));
  house.orchestrator.trigger(task, 3, { queue });
  const other = house.orchestrator.trigger(task, 4);
  await other.accepted;
  await house.clock.settle();
  const next = await crash(house);
  for (const { orchestrator } of [house, next]) {
    expect(orchestrator.runs.list({ queue }).items.map((state) => state.queue)).toEqual([queue, queue, queue]);
    expect(orchestrator.runs.list({ batch: batch.id }).items).toHaveLength(2);
    expect(orchestrator.getTaskState(other.id)).not.toHaveProperty('queue');
  }
  const { bulk } = next.orchestrator.runs;
  const asked: number[] = [];
  expect(await bulk.cancel({ queue }, { confirm: (total) => (asked.push(total), false) })).toEqual({ total: 3, done: 0, skipped: 0, failed: 0 });
  expect(await bulk.cancel({ queue, batch: batch.id }, { confirm: async (total) => total === 2 })).toMatchObject({ total: 2, done: 2 });
  expect(asked).toEqual([3]);
  expect(next.orchestrator.runs.list({ queue, status: 'cancelled' }).items).toHaveLength(2);
  await expect(bulk.cancel({}, { confirm: true } as never)).rejects.toThrow('confirm');
  expect(() => next.orchestrator.runs.list({ queue: 5 } as never)).toThrow('queue');
});
