/** Options, policies and edges of batches. */
import { BatchFailedError, BatchTriggerError, defineTask, RateLimitedError, RetryableError, SerializationError, UnrecognizedTaskError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { again, crash, name, open } from './houses.ts';
import { setup } from './worker-house.ts';

const once = { maxAttempts: 1 };
const double = defineTask({ id: 'edges-double', run: async (n: number) => n * 2 });
const picky = defineTask({
  id: 'edges-picky',
  retry: once,
  run: async (n: number) => {
    if (n < 0) throw new Error(`negative ${n}`);
    return n;
  },
});
const stuck = defineTask({ id: 'edges-stuck', retry: once, graceMs: 0, run: (_: unknown, ctx) => new Promise<never>((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
const memoryHouse = () => open({ storage: 'memory' });

describe('what a batch is given', () => {
  it('may be nothing', async () => {
    const { orchestrator } = await memoryHouse();
    const { id, runs } = await orchestrator.batch.triggerByTaskAndWait([]);
    expect([id, [...runs]]).toEqual([expect.stringMatching(/^run_/), []]);
    expect((await double.batchTriggerAndWait([])).runs.outputs()).toEqual([]);
  });

  it('is refused as a whole where one item names no task, with its index, before any begins', async () => {
    const { orchestrator } = await memoryHouse();
    const error: BatchTriggerError = await orchestrator.batch.triggerAndWait([{ id: double.id, payload: 1 }, { id: 'nobody', payload: 2 }] as never).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BatchTriggerError);
    expect(error).toMatchObject({ phase: 'create', itemIndex: 1, itemCount: 2, cause: expect.any(UnrecognizedTaskError), isRateLimited: false });
    expect(error.message).toContain('item 1');
    expect(orchestrator.getAllTasks()).toEqual([]);
  });

  it('is refused where a payload cannot be stored, with index and path', async () => {
    const { orchestrator } = await open();
    const items = [{ task: double, payload: 1 }, { task: double, payload: { deep: [() => 1] } }] as never;
    const error: BatchTriggerError = await orchestrator.batch.triggerByTask(items).catch((thrown) => thrown);
    expect(error).toMatchObject({ phase: 'create', itemIndex: 1, cause: expect.any(SerializationError) });
    expect(error.message).toContain('items[1].payload.deep[0]');
    expect(orchestrator.getAllTasks()).toEqual([]);
  });

  it('is refused where an item names a queue or a limit that nobody declared, weighs too much, or is no item at all', async () => {
    const { orchestrator } = await open({ storage: 'memory', queues: { shut: { concurrency: 1 } }, concurrencyLimits: { memory: { concurrency: 8 } } });
    const lost = defineTask({ id: name('lost'), queue: 'nowhere', run: async () => 1 });
    const good = { task: double, payload: 1 };
    const asked: [second: object | undefined, options: object, because: RegExp][] = [
      [{ ...good, options: { queue: 'nowhere' } }, {}, /There is no queue "nowhere"/],
      [{ task: lost, payload: 1 }, {}, /There is no queue "nowhere"/],
      [{ ...good, options: { concurrencyLimits: ['nothing'] } }, {}, /There is no concurrency limit "nothing"/],
      [{ ...good, options: { concurrencyLimits: [{ name: 'memory', weight: 9 }] } }, {}, /weight 9 is more than all of limit "memory"/],
      [undefined, {}, /items\[1\] must be \{ task, payload, options \}, not undefined/],
    ];
    const batches = asked.map(([second, options, because]) => [[good, second], options, because, 1] as const);
    // biome-ignore lint/suspicious/noSparseArray: it is what may come.
    const empty = [, good];
    for (const [items, options, because, itemIndex] of [...batches, [empty, {}, /items\[0\] must be/, 0] as const, [[good], { queue: 'nowhere' }, /There is no queue "nowhere"/, 0] as const]) {
      const error: BatchTriggerError = await orchestrator.batch.triggerByTask(items as never, options).catch((thrown) => thrown);
      expect(error).toMatchObject({ phase: 'create', itemIndex });
      expect(error.message).toMatch(because);
    }
    await expect(orchestrator.batch.triggerByTask([good], { timeout: 'soon' })).rejects.toThrow(/triggerByTask timeout must be a duration/);
    expect(orchestrator.getAllTasks()).toEqual([]);
  });

  it('may be an iterable, an async iterable or a stream', async () => {
    const { orchestrator } = await memoryHouse();
    const items = [1, 2, 3].map((payload) => ({ task: double, payload }));
    async function* later() {
      for (const item of items) yield await Promise.resolve(item);
    }
    const stream = new ReadableStream({ start: (controller) => (items.forEach((item) => controller.enqueue(item)), controller.close()) });
    for (const source of [new Set(items), later(), stream]) {
      const { runs } = await orchestrator.batch.triggerByTaskAndWait(source as Set<(typeof items)[number]>);
      expect(runs.outputs()).toEqual([2, 4, 6]);
    }
  });

  it('is pulled only while there is room; a source that throws leaves what it gave, and says how much that was', async () => {
    const { orchestrator } = await memoryHouse();
    async function* broken() {
      for (let n = 0; n < 5; n++) yield { task: double, payload: n };
      throw new TypeError('the cursor broke');
    }
    const error: BatchTriggerError = await orchestrator.batch.triggerByTaskAndWait(broken()).catch((thrown) => thrown);
    expect(error).toMatchObject({ phase: 'stream', itemCount: 5, cause: { message: 'the cursor broke' }, batchId: expect.stringMatching(/^run_/) });
    const batch = await orchestrator.batch.retrieve(error.batchId!);
    expect(batch!.state.counts).toMatchObject({ completed: 5, failed: 0 });
  });

  it('says for how long to wait where its source was limited', async () => {
    const { orchestrator } = await memoryHouse();
    const limited = [Object.assign(new Error('429'), { retryAfterMs: 1500 }), new RateLimitedError('429', { retryAfter: 1500 }), new RetryableError('429', { retryAfter: 1500 })];
    for (const cause of limited) {
      async function* source() {
        yield { task: double, payload: 1 };
        throw cause;
      }
      const error: BatchTriggerError = await orchestrator.batch.triggerByTaskAndWait(source()).catch((thrown) => thrown);
      expect(error).toMatchObject({ isRateLimited: true, retryAfterMs: 1500, phase: 'stream', itemCount: 1 });
    }
  });

  it('cancels what a broken source had given, where that is asked for', async () => {
    const { orchestrator } = await memoryHouse();
    async function* broken() {
      yield { task: stuck, payload: 1 };
      throw new TypeError('the cursor broke');
    }
    const error: BatchTriggerError = await orchestrator.batch.triggerByTaskAndWait(broken(), { onSourceError: 'cancel' }).catch((thrown) => thrown);
    expect((await orchestrator.batch.retrieve(error.batchId!))!.state.counts.cancelled).toBe(1);
  });

  it('hears that the batch was cancelled, as a generator does', async () => {
    const { orchestrator, clock } = await memoryHouse();
    let returned = false;
    async function* endless() {
      try {
        for (let n = 0; ; n++) yield { task: stuck, payload: n };
      } finally {
        returned = true;
      }
    }
    const batch = await orchestrator.batch.triggerByTask(endless(), { highWater: 4 });
    await clock.settle();
    expect(batch.runCount).toBe(4);
    expect(await batch.cancel()).toBe(true);
    await clock.advance(6000);
    expect(returned).toBe(true);
    expect(batch.state.counts).toMatchObject({ cancelled: 4, running: 0 });
  });

  it('goes with its page where it was a source: what it gave goes on, and that the rest is missing is said', async () => {
    const house = await open();
    async function* slow() {
      yield { task: double, payload: 1 };
      await new Promise(() => {});
    }
    const batch = await house.orchestrator.batch.triggerByTask(slow());
    await house.clock.settle();
    const next = await crash(house);
    await next.clock.settle();
    const found = (await next.orchestrator.batch.retrieve(batch.id))!;
    await expect(found.wait()).rejects.toMatchObject({ code: 'BATCH_TRIGGER', data: { phase: 'stream', itemCount: 1 } });
    expect(found.state.counts.completed).toBe(1);
  });
});

describe('items that fail', () => {
  it('are results as any other', async () => {
    const { orchestrator } = await memoryHouse();
    const { runs } = await orchestrator.batch.triggerByTaskAndWait([1, -1, 3, -2].map((payload) => ({ task: picky, payload })));
    expect(runs.map(({ ok, index }) => [index, ok])).toEqual([[0, true], [1, false], [2, true], [3, false]]);
    expect(runs.errors().map(({ message }) => message)).toEqual(['negative -1', 'negative -2']);
    const [good, bad] = runs.partition();
    expect([good.length, bad.map(({ index }) => index)]).toEqual([2, [1, 3]]);
    expect(await runs.payload(3)).toBe(-2);
    const thrown = await Promise.resolve().then(() => runs.unwrapAll()).catch((error) => error);
    expect(thrown).toBeInstanceOf(BatchFailedError);
    expect(thrown.errors.map(({ message }: Error) => message)).toEqual(['negative -1', 'negative -2']);
    expect(runs.filter(({ ok }) => ok).constructor).toBe(Array);
  });

  it('cancel the others where the policy says so', async () => {
    const { orchestrator } = await memoryHouse();
    const items = [-1, 1, 2, -2, 3, 4, -3, 5].map((payload) => ({ task: picky, payload }));
    const outcome = async (options: object) => (await orchestrator.batch.triggerByTaskAndWait(items, { concurrency: 1, ...options })).runs.map(({ status }) => status[1]).join('');
    expect(await outcome({})).toBe('aooaooao');
    expect(await outcome({ onItemError: 'fail-fast' })).toBe('aaaaaaaa');
    expect(await outcome({ stopOnError: true })).toBe('aaaaaaaa');
    expect(await outcome({ onItemError: { failures: 2 } })).toBe('aooaaaaa');
    expect(await outcome({ onItemError: { rate: 0.375 } })).toBe('aooaooaa');
    expect(await outcome({ minSuccess: 6 })).toBe('aooaooaa');
    expect(await outcome({ minSuccess: 5 })).toBe('aooaooao');
  });

  it('are tried again once, however often that is asked for in one breath', async () => {
    let isDown = true;
    const begun: number[] = [];
    const work = defineTask({ id: name('work'), retry: { maxAttempts: 1 }, run: async (n: number, ctx) => {
      begun.push(n);
      if (isDown && n > 1) throw new Error('no');
      await ctx.sleep(isDown ? 0 : 100);
      return n;
    } });
    const { orchestrator, clock } = await open();
    const { id, runs } = await orchestrator.batch.triggerAndWait([1, 2, 3, 4].map((payload) => ({ id: work.id, payload })));
    expect(runs.ok()).toHaveLength(1);
    isDown = false;
    begun.length = 0;
    const { batch } = orchestrator;
    await Promise.all([batch.retryFailed(id, { concurrency: 1 }), batch.retryFailed(id)]);
    await orchestrator.runs.bulk.retry({ batch: id });
    for (let turn = 0; turn < 4; turn++) await clock.advance(100);
    expect((await (await batch.retrieve(id))!.wait()).runs.outputs()).toEqual([1, 2, 3, 4]);
    expect(begun.sort()).toEqual([2, 3, 4]);
  });

  it('are tried again in their places by batch.retryFailed', async () => {
    const broken = new Set([1, 3]);
    const flaky = defineTask({ id: name('flaky'), retry: once, run: async (n: number) => { if (broken.has(n)) throw new Error('broken'); return n * 10; } });
    const { orchestrator } = await open();
    const { id, runs } = await orchestrator.batch.triggerByTaskAndWait([0, 1, 2, 3].map((payload) => ({ task: flaky, payload })));
    expect(runs.map(({ ok }) => ok)).toEqual([true, false, true, false]);
    broken.clear();
    const batch = await orchestrator.batch.retryFailed(id, { concurrency: 1 });
    const again = await batch.wait();
    expect(again.runs.unwrapAll()).toEqual([0, 10, 20, 30]);
    expect(again.runs[1]!.id).toBe(runs[1]!.id);
    await expect(orchestrator.batch.retryFailed('nothing')).rejects.toThrow('no batch "nothing"');
  });

  it('are tried again of a batch that was cancelled too, which then says that all is done', async () => {
    const { orchestrator, clock } = await memoryHouse();
    const slow = defineTask({ id: name('slow'), retry: once, run: async (n: number, ctx) => (await ctx.sleep('1s'), n) });
    const batch = await orchestrator.batch.triggerByTask([1, 2].map((payload) => ({ task: slow, payload })));
    await clock.settle();
    await batch.cancel();
    await clock.settle();
    expect(batch.state).toMatchObject({ counts: { cancelled: 2 }, progress: 0 });
    const again = orchestrator.batch.retryFailed(batch.id);
    await clock.advance(2000);
    await again;
    expect((await batch.wait()).runs.outputs()).toEqual([1, 2]);
    expect(batch.state).toMatchObject({ counts: { completed: 2, cancelled: 0 }, progress: 100 });
  });
});

describe('options', () => {
  it('of the batch are those of its items, which may say otherwise', async () => {
    const { orchestrator } = await memoryHouse();
    const { id, runs } = await orchestrator.batch.triggerByTaskAndWait(
      [{ task: double, payload: 1, options: { tags: 'own', priority: 9 } }, { task: double, payload: 2, options: { delay: 0 } }],
      { tags: 'all', priority: 3, name: 'Two of them', metadata: { why: 'test' } },
    );
    expect(runs.byTag('all')).toHaveLength(2);
    expect(runs.byTag('own').map(({ index }) => index)).toEqual([0]);
    expect(orchestrator.getTaskState(id)).toMatchObject({ name: 'Two of them', tags: ['all'], metadata: { why: 'test' }, status: 'completed' });
  });

  it('timeout ends what has not ended', async () => {
    const { orchestrator, clock } = await memoryHouse();
    const coming = orchestrator.batch.triggerByTaskAndWait([{ task: double, payload: 1 }, { task: stuck, payload: 2 }], { timeout: '10s' });
    await clock.advance(30_000);
    const { runs } = await coming;
    expect(runs.map(({ status }) => status)).toEqual(['completed', 'cancelled']);
  });

  it('idempotencyKey: the same batch for whoever asks again', async () => {
    const { orchestrator } = await memoryHouse();
    const items = [{ task: double, payload: 1 }, { task: double, payload: 2 }];
    const first = await orchestrator.batch.triggerByTask(items, { idempotencyKey: 'import' });
    const second = await orchestrator.batch.triggerByTask(items, { idempotencyKey: 'import' });
    expect([second.id, second.isCached, first.isCached]).toEqual([first.id, true, false]);
    expect((await second.wait()).runs.outputs()).toEqual([2, 4]);
    expect((await first.wait()).runs.map(({ id }) => id)).toEqual((await second.wait()).runs.map(({ id }) => id));
    expect(first.state.idempotencyKey).toBe('import');
  });

  it('two items with one key are one run, in both places', async () => {
    let ran = 0;
    const counted = defineTask({ id: name('counted'), run: async (n: number) => (ran++, n) });
    const { orchestrator } = await memoryHouse();
    const options = { idempotencyKey: 'same' };
    const { runs } = await orchestrator.batch.triggerByTaskAndWait([{ task: counted, payload: 1, options }, { task: double, payload: 5 }, { task: counted, payload: 2, options }]);
    expect(runs.outputs()).toEqual([1, 10, 1]);
    expect(runs[0]!.id).toBe(runs[2]!.id);
    expect(ran).toBe(1);
  });

  it('also where that run failed before the other item was reached, or a crash came between; a later batch makes a new one', async () => {
    let ran = 0;
    const bad = defineTask({ id: name('bad'), retry: once, run: async (n: number): Promise<number> => Promise.reject(new Error(`no ${n} ${++ran}`)) });
    const options = { idempotencyKey: 'same' };
    let house = await open();
    const items = [{ task: bad, payload: 1, options }, ...Array.from({ length: 600 }, (_, payload) => ({ task: double, payload })), { task: bad, payload: 2, options }];
    const { id } = await house.orchestrator.batch.triggerByTask(items);
    const failed = () => house.orchestrator.list({ taskIdentifier: bad.id, status: 'failed' }).items.length;
    while (failed() === 0) await new Promise<void>((resolve) => house.clock.defer(resolve));
    house = await crash(house);
    await house.clock.settle();
    const { runs } = await (await house.orchestrator.batch.retrieve(id))!.wait();
    const messages = [runs[0], runs[601]].map((run) => (run!.ok ? '' : run!.error.message));
    expect([messages, runs[0]!.id === runs[601]!.id]).toEqual([['no 1 1', 'no 1 1'], true]);
    const { runs: [later] } = await house.orchestrator.batch.triggerByTaskAndWait([{ task: bad, payload: 3, options }, { task: bad, payload: 4, options }]);
    expect([later.ok || later.error.message, ran]).toEqual(['no 3 2', 2]);
  });
});

describe('a batch as a whole', () => {
  it('is cancelled, paused and resumed with all its items, and says how far it is', async () => {
    const { orchestrator, clock } = await memoryHouse();
    const ran: number[] = [];
    const slow = defineTask({ id: name('slow'), run: async (n: number) => (await new Promise<void>((resolve) => clock.schedule(clock.now() + 1000, resolve)), ran.push(n), n) });
    const batch = await orchestrator.batch.triggerByTask([1, 2, 3, 4].map((payload) => ({ task: slow, payload })), { concurrency: 1 });
    await clock.advance(1500);
    expect(batch.state).toMatchObject({ status: 'running', runCount: 4, counts: { completed: 1 }, progress: 25 });
    expect(await batch.pause()).toBe(true);
    await clock.advance(60_000);
    // The one that was running had no safe point to stop at.
    expect(ran).toEqual([1, 2]);
    expect(batch.status).toBe('paused');
    expect(await batch.resume()).toBe(true);
    await clock.advance(60_000);
    expect((await batch.wait()).runs.outputs()).toEqual([1, 2, 3, 4]);
    expect(batch.state).toMatchObject({ status: 'completed', progress: 100, completedAt: expect.any(Number) });
  });

  it('tells of each item as it ends', async () => {
    const { orchestrator, clock } = await memoryHouse();
    const heard: number[] = [];
    const batch = await orchestrator.batch.triggerByTask([1, 2, 3].map((payload) => ({ task: double, payload })));
    const stop = batch.onItem(({ index }) => heard.push(index));
    await batch.wait();
    await clock.settle();
    expect(heard.sort()).toEqual([0, 1, 2]);
    stop();
  });

  it('has items that say after a reload what they said before: id, place, parent, topmost run, queue', async () => {
    const house = await open({ queues: { q: { concurrency: 2 } } });
    const outer = defineTask({ id: name('outer'), run: async (_: null, ctx) => (await ctx.batch.triggerByTaskAndWait([1, 2].map((payload) => ({ task: double, payload, options: { queue: 'q' } })))).id });
    const run = house.orchestrator.trigger(outer, null);
    const parentId = (await run.result()) as string;
    const facts = ({ orchestrator }: typeof house) => orchestrator.list({ parentId }).items.map(({ id, parentId, rootId, depth, result, taskIdentifier }) => ({ id, parentId, rootId, depth, result, taskIdentifier }));
    const before = facts(house);
    expect(before).toHaveLength(2);
    expect(before[0]).toMatchObject({ rootId: run.id, depth: 2, parentId });
    const next = await again(house.reload());
    expect(facts(next)).toEqual(before);
    expect((await (await next.orchestrator.batch.retrieve(parentId))!.wait()).runs.map(({ index, id }) => [index, id])).toEqual(before.map(({ id, result }) => [(result as number) / 2 - 1, id]).sort());
  });

  it('may be asked for by code in a worker', async () => {
    const { orchestrator } = await memoryHouse();
    const { run: inWorker } = setup(async (n: number, ctx) => {
      const { runs } = await ctx.batch.triggerByTaskAndWait([{ task: double, payload: n }, { task: picky, payload: -n }]);
      const [ok, failed] = runs.partition();
      return [ok.map(({ output }) => output), failed.map(({ error }) => error.message), runs.length];
    });
    const parent = defineTask({ id: name('parent'), run: inWorker as never });
    const run = orchestrator.trigger(parent, 4 as never);
    expect(await run.result()).toEqual([[8], ['negative -4'], 2]);
    expect(orchestrator.list({ parentId: run.id }).items).toHaveLength(1);
  });

  it('may hold others', async () => {
    const { orchestrator } = await memoryHouse();
    const outer = defineTask({ id: name('outer'), run: async (n: number, ctx) => (await ctx.batch.triggerByTaskAndWait([{ task: double, payload: n }, { task: double, payload: n + 1 }])).runs.outputs() });
    const { runs } = await orchestrator.batch.triggerByTaskAndWait([1, 2].map((payload) => ({ task: outer, payload })));
    expect(runs.unwrapAll()).toEqual([[2, 4], [4, 6]]);
  });
});
