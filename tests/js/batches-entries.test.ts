/** Every way into a batch takes every kind of source, and every option of an item counts there too. */
import { type BatchTriggerError, defineTask, SerializationError, tasks } from 'holdfast';
import { expect, test } from 'vitest';
import { name, open } from './houses.ts';

type Clock = Awaited<ReturnType<typeof open>>['clock'];
const once = { maxAttempts: 1 };
const settle = async (clock: Clock) => {
  for (let turn = 0; turn < 20; turn++) await clock.settle();
};
const double = defineTask({ id: 'entries-double', run: async (n: number) => n * 2 });
async function* of<Item>(...items: Item[]) {
  for (const item of items) yield item;
}
const streamOf = <Item>(...items: Item[]) => new ReadableStream<Item>({ start: (controller) => (items.forEach((item) => controller.enqueue(item)), controller.close()) });

test('by task, by id, of one task, by its id, in a task and out of one, waited for or not', async () => {
  const { orchestrator } = await open({ storage: 'memory' });
  const ways = async (batch: typeof orchestrator.batch) => {
    const [byTask, byId, payloads] = [{ task: double, payload: 1 }, { id: double.id, payload: 1 }, { payload: 1 }];
    const results = [
      await batch.triggerByTaskAndWait(of(byTask)), await batch.triggerAndWait<typeof double>(streamOf(byId)),
      await (await batch.triggerByTask(new Set([byTask]))).wait(), await (await batch.trigger<typeof double>(of(byId))).wait(),
      await double.batchTriggerAndWait(streamOf(payloads)), await tasks.batchTriggerAndWait<typeof double>(double.id, of(payloads)),
    ];
    const handle = await double.batchTrigger(of(payloads));
    const { runs } = await handle.wait();
    return [...results.map(({ runs }) => runs.outputs()), runs.outputs(), [handle.runCount], [handle.batchId === handle.id]].flat();
  };
  const expected = [2, 2, 2, 2, 2, 2, 2, 1, true];
  const parent = defineTask({ id: name('parent'), run: (_: null, ctx) => ways(ctx.batch as typeof orchestrator.batch) });
  expect(await orchestrator.trigger(parent, null).result()).toEqual(expected);
  // The global ones are the default orchestrator's out of a task.
  const { runs } = await orchestrator.batch.triggerByTaskAndWait(streamOf({ task: double, payload: 4 }));
  expect(runs.outputs()).toEqual([8]);
});

test('a stream that a batch reads is cancelled with it', async () => {
  const { orchestrator, clock } = await open({ storage: 'memory' });
  const stuck = defineTask({ id: name('stuck'), retry: once, graceMs: 0, run: (_: number, ctx) => new Promise<never>((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
  let [pulled, isCancelled] = [0, false];
  const stream = new ReadableStream({ pull: (controller) => controller.enqueue({ task: stuck, payload: pulled++ }), cancel: () => void (isCancelled = true) }, { highWaterMark: 0 });
  const batch = await orchestrator.batch.triggerByTask(stream, { highWater: 3 });
  await settle(clock);
  expect(pulled).toBe(3);
  await batch.cancel();
  await settle(clock);
  expect([isCancelled, pulled, batch.state.counts.cancelled]).toEqual([true, 3, 3]);
});

test('an item of a source that names no task ends the source there; one whose payload cannot be stored is a result like others', async () => {
  const { orchestrator } = await open({ storage: 'memory' });
  const error: BatchTriggerError = await orchestrator.batch.triggerAndWait(of({ id: double.id, payload: 1 }, { id: 'nobody', payload: 2 }, { id: double.id, payload: 3 }) as never).catch((thrown) => thrown);
  expect(error).toMatchObject({ phase: 'stream', itemCount: 1, cause: { name: 'UnrecognizedTaskError' } });
  expect(error.message).toContain('items[1].task: no task "nobody" is registered');
  expect((await orchestrator.batch.retrieve(error.batchId!))!.state.counts).toMatchObject({ completed: 1, failed: 0 });
  const { runs } = await orchestrator.batch.triggerByTaskAndWait(of({ task: double, payload: 1 }, { task: double, payload: (() => 1) as never }, { task: double, payload: 3 }));
  expect(runs.map((run) => (run.ok ? run.output : [run.index, run.error instanceof SerializationError]))).toEqual([2, [1, true], 6]);
});

test('no option of an item is dropped: delay, ttl, debounce, key, name, metadata, tags, queue', async () => {
  const { orchestrator, clock } = await open({ storage: 'memory', queues: { one: { concurrency: 1 } } });
  const work = defineTask({ id: name('work'), retry: once, run: async (n: number, ctx) => { await new Promise<void>((resolve) => clock.schedule(clock.now() + 2000, resolve)); return [n, ctx.run.name]; } });
  const item = (payload: number, options: object) => ({ task: work, payload, options });
  const debounce = { key: 'd', delay: '5s', mode: 'trailing' };
  const coming = orchestrator.batch.triggerByTaskAndWait([
    item(0, { delay: '10s' }), item(1, { queue: 'one', tags: 'a', metadata: { m: 1 }, name: 'first' }), item(2, { queue: 'one', ttl: '1s' }),
    item(3, { debounce }), item(4, { debounce }), item(5, { idempotencyKey: 'k' }),
  ]);
  await settle(clock);
  const states = orchestrator.list({ taskIdentifier: work.id }).items;
  expect(states.find(({ tags }) => tags.includes('a'))).toMatchObject({ name: 'first', metadata: { m: 1 }, queue: 'one' });
  for (let second = 0; second < 14; second++) await clock.advance(1000), await settle(clock);
  const { runs } = await coming;
  expect(runs.map((run) => (run.ok ? run.output[0] : run.error.name))).toEqual([0, 1, 'ExpiredError', 4, 4, 5]);
  expect(runs[3]!.id).toBe(runs[4]!.id);
  expect(orchestrator.trigger(work, 9, { idempotencyKey: 'k' })).toMatchObject({ id: runs[5]!.id, isCached: true });
});

test("an item's key is the batch's and its place; batches in batches count as children do", async () => {
  const { orchestrator } = await open({ storage: 'memory', maxDepth: 3 });
  const { runs } = await orchestrator.batch.triggerByTaskAndWait([{ task: double, payload: 1 }, { task: double, payload: 2 }], { idempotencyKey: 'import', triggerSequentially: true });
  expect(orchestrator.trigger(double, 9, { idempotencyKey: ['import', '1'] })).toMatchObject({ id: runs[1].id, isCached: true });
  const deep = defineTask({ id: name('deep'), retry: once, run: async (n: number, ctx): Promise<unknown> => (await ctx.batch.triggerAndWait([{ id: deep.id, payload: n + 1 }])).runs.unwrapAll() }) as { id: string } & ReturnType<typeof defineTask>;
  const result = await orchestrator.triggerAndWait(deep as never, 0 as never) as { ok: boolean; error: Error };
  expect([result.ok, result.error.message]).toEqual([false, expect.stringMatching(/is 3 children deep, which is the limit/)]);
});
