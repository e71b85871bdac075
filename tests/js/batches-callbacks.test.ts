/** M18: who is told how a batch goes: tasks, over crashes; listeners of a handle, each once, before `wait()` resolves. */
import { type BatchItemReport, type BatchProgress, defineTask } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

const once = { maxAttempts: 1 };
const picky = defineTask({ id: 'told-picky', retry: once, run: async (n: number) => { if (n < 0) throw new TypeError(`negative ${n}`); return n * 2; } });
const stuck = defineTask({ id: 'told-stuck', retry: once, graceMs: 0, run: (_: unknown, ctx) => new Promise<never>((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });

function listeners() {
  const items: BatchItemReport[] = [];
  const progress: BatchProgress[] = [];
  const onItem = defineTask({ id: name('on-item'), run: async (report: BatchItemReport) => void items.push(report) });
  const onProgress = defineTask({ id: name('on-progress'), run: async (report: BatchProgress) => void progress.push(report) });
  return { items, progress, onItem, onProgress };
}
const seen = (items: readonly BatchItemReport[]) => [...items].sort((a, b) => a.index - b.index).map((item) => [item.index, item.ok ? item.output : `${item.error.name}: ${item.error.message}`]);

describe('tasks that are told how a batch goes', () => {
  it('hear of each item with its result, in a run of its own, and of each percent', async () => {
    const { orchestrator, clock } = await open();
    const { items, progress, onItem, onProgress } = listeners();
    const { id } = await orchestrator.batch.triggerByTaskAndWait([1, -1, 3].map((payload) => ({ task: picky, payload })), { onItem, onProgress });
    await clock.advance(1000);
    expect(seen(items)).toEqual([[0, 2], [1, 'TypeError: negative -1'], [2, 6]]);
    expect(items.every(({ batchId }) => batchId === id)).toBe(true);
    expect(orchestrator.getTaskState(`${id}:item:1`)).toMatchObject({ taskIdentifier: onItem.id, status: 'completed' });
    expect(progress.at(-1)).toEqual({ batchId: id, total: 3, completed: 2, failed: 1, cancelled: 0, progress: 100 });
    expect(progress.map((report) => report.completed + report.failed)).toEqual([1, 2, 3]);
  });

  it('hear of items that could not be made, of those that a timeout cancelled, and of what comes of a source', async () => {
    const { orchestrator, clock } = await open();
    const { items, progress, onItem, onProgress } = listeners();
    const waiting = orchestrator.batch.triggerByTaskAndWait([{ task: picky, payload: 1 }, { task: stuck, payload: 1 }], { onItem, onProgress: onProgress.id, timeout: '10s' });
    await clock.advance('20s');
    await waiting;
    await clock.advance(1000);
    expect(items.map(({ index, ok }) => [index, ok]).sort()).toEqual([[0, true], [1, false]]);
    expect(progress.at(-1)).toMatchObject({ completed: 1, cancelled: 1, progress: 100 });
    items.length = progress.length = 0;
    await orchestrator.batch.triggerByTaskAndWait(new Set([4, 5].map((payload) => ({ task: picky, payload }))), { onItem, onProgress });
    await clock.advance(1000);
    expect(seen(items)).toEqual([[0, 8], [1, 10]]);
    expect(progress.at(-1)).toMatchObject({ total: 2, completed: 2, progress: 100 });
  });

  it('hear of each item once, whatever crashes on the way', async () => {
    let house = await open();
    const { items, onItem, onProgress } = listeners();
    const task = defineTask({ id: name('slow'), queue: { name: name('slow'), concurrency: 1 }, run: async (n: number, ctx) => (await ctx.sleep('1s'), n) });
    const { id } = await house.orchestrator.batch.triggerByTask([0, 1, 2, 3].map((payload) => ({ task, payload })), { onItem, onProgress });
    for (let kill = 0; kill < 5; kill++) {
      await house.clock.advance(900);
      house = await crash(house);
      await house.clock.settle();
    }
    await house.clock.advance('10s');
    expect((await house.orchestrator.batch.retrieve(id))!.state.counts.completed).toBe(4);
    expect(new Set(items.map(({ index }) => index))).toEqual(new Set([0, 1, 2, 3]));
    const told = house.orchestrator.getAllTasks().filter(({ taskIdentifier }) => taskIdentifier === onItem.id);
    expect(told.map((state) => state.id).sort()).toEqual([0, 1, 2, 3].map((index) => `${id}:item:${index}`));
  });

  it('are checked at the call', async () => {
    const { orchestrator } = await open();
    await expect(orchestrator.batch.triggerByTask([{ task: picky, payload: 1 }], { onItem: 'nobody' })).rejects.toMatchObject({ code: 'UNRECOGNIZED_TASK' });
    await expect(orchestrator.batch.triggerByTask([{ task: picky, payload: 1 }], { onProgress: 5 } as never)).rejects.toThrow('onProgress');
    expect(orchestrator.getAllTasks()).toEqual([]);
  });
});

describe('listeners of a handle', () => {
  it('have heard of every item when wait() resolves, each once, also of items that could not be made', async () => {
    const { orchestrator, clock } = await open({ maxDepth: 1 });
    const heard: [number, boolean][] = [];
    const other = defineTask({ id: name('keyed'), run: async (n: number) => n });
    const first = orchestrator.trigger(other, 0, { idempotencyKey: 'taken' });
    await first.accepted;
    const batch = await orchestrator.batch.triggerByTask([
      { task: picky, payload: 1 }, { task: picky, payload: -1 }, { task: other, payload: 1, options: { idempotencyKey: 'taken', onDuplicate: 'reject' } }, { task: other, payload: 2, options: { idempotencyKey: 'taken' } },
    ]);
    batch.onItem(({ index, ok }) => heard.push([index, ok]));
    await clock.settle();
    await batch.wait();
    expect(heard.sort()).toEqual([[0, true], [1, false], [2, false], [3, true]]);
    await clock.advance(1000);
    expect(heard).toHaveLength(4);
    const late: number[] = [];
    const off = batch.onItem(({ index }) => late.push(index));
    await batch.wait();
    expect(late.sort()).toEqual([0, 1, 2, 3]);
    off();
  });

  it('that throw are told of, and the others hear', async () => {
    const thrown: unknown[] = [];
    const { orchestrator } = await open({ onListenerError: (error) => thrown.push(error) });
    const batch = await orchestrator.batch.triggerByTask([{ task: picky, payload: 1 }]);
    const heard: number[] = [];
    batch.onItem(() => { throw new Error('mine'); });
    batch.onItem(({ index }) => heard.push(index));
    await batch.wait();
    expect([thrown.length, heard]).toEqual([1, [0]]);
  });
});
