/** J7: runs of one key at once share one execution, and keep records and cancels of their own. */
import { defineTask, type RunHandle, type TaskContext } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { describe, expect, it } from 'vitest';
import { type CacheHouse, gate, open, over, watch } from './cache-house.ts';

/** A task whose code waits for the test, and what it was called with. */
function held(options: object = {}) {
  const calls: { ctx: TaskContext; open: (value: unknown) => void; fail: (error: unknown) => void }[] = [];
  const task = defineTask({
    id: 'held',
    cache: true,
    graceMs: 50,
    retry: { maxAttempts: 1 },
    ...options,
    run: (_: unknown, ctx: TaskContext) => {
      const { opened, ...hands } = gate<unknown>();
      calls.push({ ctx, ...hands });
      ctx.signal.addEventListener('abort', () => hands.fail(ctx.signal.reason));
      return opened;
    },
  } as any) as any;
  return { task, calls };
}

async function both(house: CacheHouse, task: any, options: object[] = [{}, {}]): Promise<RunHandle[]> {
  const runs = options.map((one) => house.orchestrator.trigger(task, 'same', one));
  await house.clock.settle();
  return runs;
}

describe('two runs of one key at once', () => {
  it('share one execution; each ends by itself, with a copy of its own', async () => {
    const house = await open();
    const { task, calls } = held();
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    expect(calls).toHaveLength(1);
    expect([a.state.phase, b.state.phase]).toEqual(['running', 'waiting']);
    expect(house.orchestrator.why(b.id)).toBe(`Waits for run ${a.id}, which computes the same; its slot is free for others.`);
    calls[0]!.open({ list: [1] });
    const outputs = await Promise.all([a.result(), b.result()]);
    expect(outputs).toEqual([{ list: [1] }, { list: [1] }]);
    expect(outputs[0]).not.toBe(outputs[1]);
    expect([a.state.fromCache, b.state.fromCache]).toEqual([false, true]);
    expect(house.events.at(-1)).toMatchObject({ name: 'cache_hit', runId: b.id, sharedWith: a.id });
    expect(house.told()).toEqual(['cache_miss absent', 'output_saved', 'cache_hit']);
  });

  it('share also the reading of an entry', async () => {
    const house = await open();
    const task = defineTask({ id: 'one', cache: true, run: () => 1 });
    await house.orchestrator.run(task, 0);
    house.told();
    const runs = Array.from({ length: 20 }, () => house.orchestrator.trigger(task, 0));
    await Promise.all(runs.map((run) => run.result()));
    expect(house.told().filter((one) => one === 'output_retrieved')).toHaveLength(1);
    expect(runs.every(({ state }) => state.fromCache)).toBe(true);
  });

  it('a hundred at once are one call', async () => {
    for (const storage of [undefined, 'memory'] as const) {
      const house = await open(storage ? { storage } : {});
      const { task, calls } = held();
      const runs = Array.from({ length: 100 }, () => house.orchestrator.trigger(task, 'same'));
      await house.clock.settle();
      calls[0]!.open('done');
      expect(new Set(await Promise.all(runs.map((run) => run.result())))).toEqual(new Set(['done']));
      expect(calls).toHaveLength(1);
    }
  });

  it('do not where their inputs differ, nor where coalesce is off', async () => {
    const house = await open();
    const { task, calls } = held();
    house.orchestrator.trigger(task, 1);
    house.orchestrator.trigger(task, 2);
    await both(house, task, [{ cache: { coalesce: false } }, { cache: { coalesce: false } }]);
    expect(calls).toHaveLength(4);
  });

  it('share where nothing is cached, if they say so', async () => {
    const house = await open();
    const { task, calls } = held({ cache: { mode: 'off', coalesce: true } });
    const runs = await both(house, task);
    calls[0]!.open('x');
    await Promise.all(runs.map((run) => run.result()));
    expect(calls).toHaveLength(1);
    expect(await house.cache.size()).toBe(0);
    await both(house, task, [{}]);
    expect(calls).toHaveLength(2);
  });

  it('one that must be new joins an execution, never a reading', async () => {
    const store = memoryCache();
    const { opened, open: read } = gate();
    let isSlow = false;
    const house = await open({ cache: over(store, { get: async (key: string) => (isSlow && (await opened), store.get(key)) }) });
    const { task, calls } = held();
    const [, fresh] = (await both(house, task, [{}, { cache: 'refresh' }])) as [RunHandle, RunHandle];
    expect(calls).toHaveLength(1);
    calls[0]!.open('first');
    expect(await fresh.result()).toBe('first');
    isSlow = true;
    const [reader, newer] = (await both(house, task, [{}, { cache: 'refresh' }])) as [RunHandle, RunHandle];
    expect(calls).toHaveLength(2);
    read();
    expect(await reader.result()).toBe('first');
    calls[1]!.open('second');
    expect(await newer.result()).toBe('second');
  });

  it('that may store stores what one that may not has computed', async () => {
    const house = await open();
    const { task, calls } = held();
    await both(house, task, [{ cache: 'read-only' }, { cache: { ttl: '1h' } }]);
    calls[0]!.open('x');
    await house.clock.settle();
    expect(await house.cache.size()).toBe(1);
    await house.clock.advance(3_600_000);
    expect(await house.cache.size()).toBe(0);
  });

  it('one that comes while the entry is being written gets what is written', async () => {
    const store = memoryCache();
    const { opened, open: write } = gate();
    const house = await open({ cache: over(store, { set: async (key, entry, options) => (await opened, store.set(key, entry, options)) }) });
    const { task, calls } = held();
    const [a] = (await both(house, task, [{}])) as [RunHandle];
    calls[0]!.open('x');
    await house.clock.settle();
    const [b] = (await both(house, task, [{}])) as [RunHandle];
    expect([a.status, b.state.phase]).toEqual(['running', 'waiting']);
    write();
    expect(await Promise.all([a.result(), b.result()])).toEqual(['x', 'x']);
    expect(calls).toHaveLength(1);
  });

  it('see the progress of the one execution', async () => {
    const house = await open();
    const { task, calls } = held();
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    calls[0]!.ctx.progress({ value: 40, message: 'half way' });
    await house.clock.settle();
    expect([a.state, b.state]).toMatchObject([{ progress: 40, progressMessage: 'half way' }, { progress: 40, progressMessage: 'half way' }]);
  });

  it('do not keep each other from running: one that waits holds no slot', async () => {
    const house = await open();
    const child = defineTask({ id: 'child', queue: { name: 'narrow', concurrency: 1 }, run: () => 'child' });
    const { opened, open: go } = gate();
    const parent = defineTask({
      id: 'parent',
      cache: true,
      queue: { name: 'wide', concurrency: 2 },
      run: async () => {
        await opened;
        return house.orchestrator.run(child, 0, { queue: 'wide' });
      },
    });
    const runs = await both(house, parent, [{}, {}, {}]);
    go();
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(['child', 'child', 'child']);
  });

  it('all start again after a crash, and still are one execution', async () => {
    const house = await open();
    const { task, calls } = held();
    const runs = await both(house, task, [{}, {}, {}]);
    const next = watch(await house.crash(), house.cache);
    await next.clock.settle();
    expect(calls).toHaveLength(2);
    calls[1]!.open('after');
    for (const { id } of runs) expect(await next.orchestrator.attach(id)!.result()).toBe('after');
    expect(calls).toHaveLength(2);
  });
});

describe('cancelling', () => {
  it('one of those who wait is cancelled alone', async () => {
    const house = await open();
    const { task, calls } = held();
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    expect(await b.cancel()).toBe(true);
    expect([a.status, b.status]).toEqual(['running', 'cancelled']);
    expect(calls[0]!.ctx.signal.aborted).toBe(false);
    calls[0]!.open('x');
    expect(await a.result()).toBe('x');
  });

  it('the one whose code runs is cancelled alone too: its code goes on for the others', async () => {
    for (const storage of [undefined, 'memory'] as const) {
      const house = await open(storage ? { storage } : {});
      const { task, calls } = held();
      const [a, b, c] = (await both(house, task, [{}, {}, {}])) as [RunHandle, RunHandle, RunHandle];
      expect(await a.cancel()).toBe(true);
      expect([a.status, b.state.phase, c.state.phase]).toEqual(['cancelled', 'running', 'waiting']);
      expect([calls[0]!.ctx.signal.aborted, calls[0]!.ctx.run.id]).toEqual([false, b.id]);
      calls[0]!.ctx.progress(70);
      calls[0]!.open('x');
      expect(await Promise.all([b.result(), c.result()])).toEqual(['x', 'x']);
      expect([b.state.progress, b.state.fromCache, c.state.fromCache, calls.length]).toEqual([100, false, true, 1]);
      expect(await house.cache.size()).toBe(1);
    }
  });

  it('when all have cancelled, the code is told', async () => {
    const house = await open();
    const { task, calls } = held();
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    await a.cancel();
    expect(calls[0]!.ctx.signal.aborted).toBe(false);
    await b.cancel('enough');
    expect(calls[0]!.ctx.signal.reason).toMatchObject({ code: 'CANCELED', cause: 'enough' });
    expect([a.status, b.status, calls.length]).toEqual(['cancelled', 'cancelled', 1]);
    expect(await house.cache.size()).toBe(0);
    const [d] = (await both(house, task, [{}])) as [RunHandle];
    calls[1]!.open('again');
    expect(await d.result()).toBe('again');
  });

  it('while it is being looked up there is nothing to wait for', async () => {
    const { opened, open: read } = gate();
    const store = memoryCache();
    const house = await open({ cache: over(store, { get: async (key: string) => (await opened, store.get(key)) }) });
    const { task, calls } = held();
    const [a, b, c] = (await both(house, task, [{}, {}, {}])) as [RunHandle, RunHandle, RunHandle];
    expect(await a.cancel()).toBe(true);
    expect(await b.cancel()).toBe(true);
    read();
    await house.clock.settle();
    expect([a.status, b.status, c.status, calls.length]).toEqual(['cancelled', 'cancelled', 'running', 1]);
    calls[0]!.open('x');
    expect(await c.result()).toBe('x');
  });

  it('code that has recorded steps stays with its run; the next one starts its own', async () => {
    const house = await open();
    const calls: string[] = [];
    const { opened, open: go } = gate();
    const steps = defineTask({
      id: 'steps',
      cache: true,
      graceMs: 50,
      run: async (_: unknown, ctx) => {
        calls.push(ctx.run.id);
        await ctx.step('one', () => 1);
        await Promise.race([opened, new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)))]);
        return 'x';
      },
    });
    const [a, b] = (await both(house, steps)) as [RunHandle, RunHandle];
    expect(await a.cancel()).toBe(true);
    await house.clock.settle();
    expect([a.status, b.state.phase]).toEqual(['cancelled', 'running']);
    expect(calls).toEqual([a.id, b.id]);
    go();
    expect(await b.result()).toBe('x');
    expect(b.state.fromCache).toBe(false);
  });

  it('code that goes on for another run is that run’s after a crash', async () => {
    const house = await open();
    const { task, calls } = held();
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    await a.cancel();
    const next = watch(await house.crash(), house.cache);
    await next.clock.settle();
    expect(calls).toHaveLength(2);
    calls[1]!.open('x');
    expect(await next.orchestrator.attach(b.id)!.result()).toBe('x');
    expect(next.orchestrator.getTaskState(a.id)).toMatchObject({ status: 'cancelled' });
  });
});

describe('pausing, limits, failures', () => {
  it.each(['soft', 'hard'] as const)('a %s pause of the one whose code runs pauses nobody else', async (kind) => {
    const house = await open();
    const { task, calls } = held();
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    await a.pause(kind);
    await house.clock.settle();
    expect([a.status, b.state.phase, calls[0]!.ctx.signal.aborted]).toEqual(['paused', 'running', false]);
    calls[0]!.open('x');
    expect(await b.result()).toBe('x');
    await a.resume();
    expect(await a.result()).toBe('x');
    expect([a.state.fromCache, calls.length]).toEqual([true, 1]);
  });

  it('one that waits and is paused goes on where it was when it is resumed', async () => {
    for (const kind of ['soft', 'hard'] as const) {
      const house = await open();
      const { task, calls } = held();
      const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
      await b.pause(kind);
      await a.cancel();
      await house.clock.settle();
      expect([a.status, b.status, calls[0]!.ctx.signal.aborted]).toEqual(['cancelled', 'paused', true]);
      await b.resume();
      await house.clock.settle();
      expect(calls).toHaveLength(2);
      calls[1]!.open('x');
      expect(await b.result()).toBe('x');
    }
  });

  it('those who wait, wait through the retries of the one whose code runs', async () => {
    const house = await open();
    const { task, calls } = held({ retry: { maxAttempts: 3, jitter: 'none' } });
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    calls[0]!.fail(new Error('no'));
    await house.clock.settle();
    expect([a.state.phase, b.state.phase]).toEqual(['retrying', 'waiting']);
    await house.clock.advance(1000);
    expect(calls).toHaveLength(2);
    calls[1]!.open('x');
    expect(await Promise.all([a.result(), b.result()])).toEqual(['x', 'x']);
    expect([a.state.retryCount, b.state.retryCount]).toEqual([1, 0]);
  });

  it('when it fails for good, so do those of the same policy, each with the error; one of another policy tries by itself', async () => {
    const house = await open();
    const { task, calls } = held({ retry: { maxAttempts: 2, jitter: 'none' } });
    const [a, b, c] = (await both(house, task, [{}, {}, { retry: { maxAttempts: 5 } }])) as [RunHandle, RunHandle, RunHandle];
    calls[0]!.fail(new RangeError('no'));
    await house.clock.advance(1000);
    calls[1]!.fail(new RangeError('still no'));
    await house.clock.settle();
    expect([a, b].map(({ status, state }) => [status, state.error?.name, state.error?.message])).toEqual([
      ['failed', 'RangeError', 'still no'],
      ['failed', 'RangeError', 'still no'],
    ]);
    expect(a.state.error).not.toBe(b.state.error);
    expect([b.state.retryCount, b.state.fromCache, c.state.phase, calls.length]).toEqual([1, true, 'running', 3]);
    calls[2]!.open('x');
    expect(await c.result()).toBe('x');
  });

  it('a limit of its own ends the one whose code runs, and nobody else', async () => {
    const house = await open();
    const { task, calls } = held();
    const [a, b] = (await both(house, task, [{ deadline: 100 }, {}])) as [RunHandle, RunHandle];
    await house.clock.advance(100);
    expect([a.state.phase, b.state.phase, calls.length]).toEqual(['timedOut', 'running', 1]);
    calls[0]!.open('x');
    expect(await b.result()).toBe('x');
    const [c, d] = (await both(house, task, [{ timeout: 100, cache: 'refresh' }, { cache: 'refresh' }])) as [RunHandle, RunHandle];
    await house.clock.advance(100);
    await house.clock.settle();
    expect([c.status, d.state.phase, calls.length]).toEqual(['failed', 'running', 3]);
    calls[2]!.open('y');
    expect(await d.result()).toBe('y');
  });

  it('who waits for a retry and is paused or cancelled meanwhile leaves the lead to the next', async () => {
    for (const leave of ['pause', 'cancel'] as const) {
      const house = await open();
      const { task, calls } = held({ retry: { maxAttempts: 3, jitter: 'none' } });
      const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
      calls[0]!.fail(new Error('no'));
      await house.clock.settle();
      await a[leave]();
      await house.clock.settle();
      expect([a.status, b.state.phase, calls.length]).toEqual([leave === 'pause' ? 'paused' : 'cancelled', 'running', 2]);
      calls[1]!.open('x');
      expect(await b.result()).toBe('x');
    }
  });

  it('one that is interrupted while its entry is being written gets what was written when it is resumed, and so do the others', async () => {
    const store = memoryCache();
    const { opened, open: write } = gate();
    const house = await open({ cache: over(store, { set: async (key, entry, options) => (await opened, store.set(key, entry, options)) }) });
    const { task, calls } = held({ cache: 'write-only' });
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    calls[0]!.open('x');
    await house.clock.settle();
    void a.pause('hard');
    await house.clock.advance(60);
    expect(a.status).toBe('paused');
    void a.resume();
    await house.clock.settle();
    write();
    expect(await Promise.all([a.result(), b.result()])).toEqual(['x', 'x']);
    expect(calls).toHaveLength(1);
  });

  it('one that is paused in the moment in which it returns has returned', async () => {
    const house = await open();
    const { task, calls } = held();
    const [a, b] = (await both(house, task)) as [RunHandle, RunHandle];
    await b.pause();
    calls[0]!.open('x');
    await Promise.resolve();
    void a.pause();
    await house.clock.settle();
    expect([a.status, b.status, calls.length]).toEqual(['completed', 'paused', 1]);
    void b.resume();
    expect(await b.result()).toBe('x');
  });

  it('code that does not stop in time is not waited for by anybody', async () => {
    const house = await open();
    const never = defineTask({ id: 'never', cache: true, graceMs: 20, timeout: 100, retry: { maxAttempts: 2, jitter: 'none' }, run: () => new Promise<string>(() => {}) });
    const [a, b] = (await both(house, never)) as [RunHandle, RunHandle];
    await house.clock.advance(120);
    expect(a.state.phase).toBe('retrying');
    await house.clock.advance(60_000);
    expect([a.status, b.status]).toEqual(['failed', 'failed']);
  });

  it('a stop that comes before a further attempt has asked reaches its code, and the lead goes to the next', async () => {
    const { orchestrator, clock } = await open();
    const { opened, open: go } = gate();
    const calls: string[] = [];
    const task = defineTask({
      id: 'late',
      cache: true,
      graceMs: 1000,
      middleware: async ({ ctx, next }) => {
        if (ctx.attempt.number === 2) {
          await opened;
          calls.push(`told: ${ctx.signal.aborted}`);
        }
        return next();
      },
      run: (_: unknown, ctx) => {
        calls.push(ctx.run.id);
        if (calls.length === 1) throw new Error('once');
        return 'done';
      },
    });
    const [a, b] = [orchestrator.trigger(task, 0), orchestrator.trigger(task, 0)];
    await clock.advance(10_000);
    expect(a.state).toMatchObject({ phase: 'running', attempt: 2 });
    const cancelled = a.cancel();
    await clock.settle();
    go();
    expect([await cancelled, await b.result()]).toEqual([true, 'done']);
    expect([a.status, calls.sort()]).toEqual(['cancelled', [a.id, b.id, 'told: true'].sort()]);
  });
});
