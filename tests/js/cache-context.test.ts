/** Cached tasks among the rest: children, steps, processes, services, hooks. */
import { defineTask } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { gate, open, watch } from './cache-house.ts';

describe('children', () => {
  it('J3: a cached child answers its parent, and is a run of the tree all the same', async () => {
    const { orchestrator } = await open();
    let calls = 0;
    const child = defineTask({ id: 'child', cache: true, run: (n: number) => (calls++, n * 2) });
    const parent = defineTask({ id: 'parent', run: (n: number, ctx) => ctx.run(child, n) });
    expect(await orchestrator.run(parent, 4)).toBe(8);
    const second = orchestrator.trigger(parent, 4);
    expect(await second.result()).toBe(8);
    expect(calls).toBe(1);
    const children = orchestrator.list({ taskIdentifier: 'child' }).items;
    expect(children[0]).toMatchObject({ fromCache: true, parentId: second.id, status: 'completed' });
    expect(second.state.fromCache).toBe(false);
  });

  it('J9: what was done under a root that failed is there when it is triggered anew under its id, and goes with its success', async () => {
    const { orchestrator, clock, cache } = await open();
    let calls = 0;
    let fails = true;
    const child = defineTask({ id: 'child', cache: { scope: 'run' }, run: (n: number) => (calls++, n * 2) });
    const root = defineTask({ id: 'root', retry: { maxAttempts: 1 }, run: async (n: number, ctx) => {
      const doubled = await ctx.run(child, n);
      if (fails) throw new Error('not yet');
      return doubled;
    } });
    await expect(orchestrator.trigger(root, 3, { id: 'mine' }).result()).rejects.toThrow('not yet');
    expect(await cache.keys!()).toEqual([expect.stringMatching(/^@mine\/child\//)]);
    await orchestrator.removeTask('mine');
    fails = false;
    expect(await orchestrator.trigger(root, 3, { id: 'another' }).result()).toBe(6);
    expect(calls).toBe(2);
    expect(await orchestrator.trigger(root, 3, { id: 'mine' }).result()).toBe(6);
    expect(calls).toBe(2);
    await clock.settle();
    expect(await cache.size()).toBe(0);
  });
});

describe('durable code', () => {
  it('J3: a cached task may use every verb; over a crash its steps are not computed again, and its entry is written once', async () => {
    const house = await open();
    const { opened, open: go } = gate();
    const computed: string[] = [];
    const child = defineTask({ id: 'child', run: (n: number) => (computed.push('child'), n + 1) });
    const task = defineTask({ id: 'durable', cache: true, run: async (n: number, ctx) => {
      const one = await ctx.step('one', () => (computed.push('one'), n));
      const two = await ctx.run(child, one);
      await ctx.sleep(1000);
      return ctx.step('last', async () => (computed.push('last'), await opened, two * 10));
    } });
    const run = house.orchestrator.trigger(task, 1);
    await run.accepted;
    await house.clock.advance(1000);
    const next = watch(await house.crash(), house.cache);
    await next.clock.advance(1000);
    go();
    expect(await next.orchestrator.attach(run.id)!.result()).toBe(20);
    expect(computed.filter((step) => step !== 'last')).toEqual(['one', 'child']);
    expect(next.told()).toEqual(['cache_miss absent', 'output_saved']);
    expect(await next.orchestrator.run(task, 1)).toBe(20);
  });

  it('J3: an attempt that returns and fails nevertheless stores nothing', async () => {
    const { orchestrator, cache } = await open();
    const { opened, open: go } = gate();
    const child = defineTask({ id: 'child', run: () => opened });
    const task = defineTask({ id: 'careless', cache: true, unawaited: 'error', retry: { maxAttempts: 1 }, run: async (_: unknown, ctx) => {
      void ctx.run(child, 0).catch(() => {});
      return 'returned';
    } });
    await expect(orchestrator.run(task, 0)).rejects.toThrow();
    expect(await cache.size()).toBe(0);
    go();
  });

  it('J7: those who wait for code that parks get what it comes to', async () => {
    const { orchestrator, clock } = await open();
    let calls = 0;
    const task = defineTask({ id: 'sleeper', cache: true, queue: { name: 'one', concurrency: 1 }, run: async (_: unknown, ctx) => {
      calls++;
      await ctx.sleep(1000);
      return 'awake';
    } });
    const runs = [1, 2, 3].map(() => orchestrator.trigger(task, 0));
    await clock.settle();
    expect(runs.map(({ state }) => state.phase)).toEqual(['waiting', 'waiting', 'waiting']);
    await clock.advance(1000);
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(['awake', 'awake', 'awake']);
    expect(calls).toBe(1);
  });

  it('J7: when code that parks is cancelled, the next one starts its own', async () => {
    const { orchestrator, clock } = await open();
    const calls: string[] = [];
    const task = defineTask({ id: 'sleeper', cache: true, run: async (_: unknown, ctx) => {
      calls.push(ctx.run.id);
      await ctx.sleep(1000);
      return 'awake';
    } });
    const [a, b] = [orchestrator.trigger(task, 0), orchestrator.trigger(task, 0)];
    await clock.settle();
    expect(await a.cancel()).toBe(true);
    await clock.advance(1000);
    expect([a.status, await b.result()]).toEqual(['cancelled', 'awake']);
    expect(calls).toEqual([a.id, b.id]);
  });

  it('continueAsNew: the entry is that of the input it began with', async () => {
    const { orchestrator, cache } = await open();
    let calls = 0;
    const count = defineTask({ id: 'count', cache: true, run: async (n: number, ctx): Promise<string> => {
      calls++;
      if (n < 3) ctx.continueAsNew(n + 1);
      return `reached ${n}`;
    } });
    expect(await orchestrator.run(count, 1)).toBe('reached 3');
    const before = calls;
    expect(await orchestrator.run(count, 1)).toBe('reached 3');
    expect(calls).toBe(before);
    expect(await cache.size()).toBe(1);
  });
});

describe('services and hooks', () => {
  it('B3, B9: an answered run needs no services and starts nothing; middleware is around it, and its end is told', async () => {
    const { orchestrator, clock } = await open();
    const told: string[] = [];
    const task = defineTask({
      id: 'hooked',
      setup: () => (told.push('setup'), { base: 10 }),
      run: (n: number, ctx) => (told.push('run'), ctx.base + n),
      cache: true,
      middleware: async ({ next }) => {
        told.push('in');
        const output = await next();
        told.push('out');
        return output;
      },
      onStart: () => void told.push('onStart'),
      onSuccess: ({ output }) => void told.push(`onSuccess ${output}`),
    });
    expect(await orchestrator.run(task, 1)).toBe(11);
    await clock.settle();
    expect(told.splice(0)).toEqual(['in', 'setup', 'onStart', 'run', 'out', 'onSuccess 11']);
    expect(await orchestrator.run(task, 1)).toBe(11);
    await clock.settle();
    expect(told).toEqual(['in', 'out', 'onSuccess 11']);
  });

  it('B9: when the run whose code runs is cancelled, its hooks hear of it and the next one starts its own', async () => {
    const { orchestrator, clock } = await open();
    const told: string[] = [];
    const hands: (() => void)[] = [];
    const task = defineTask({
      id: 'hooked',
      graceMs: 50,
      cache: true,
      run: (_: unknown, ctx) =>
        new Promise<string>((resolve, reject) => {
          hands.push(() => resolve('x'));
          ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
        }),
      onCancel: () => void told.push('onCancel'),
    });
    const [a, b] = [orchestrator.trigger(task, 0), orchestrator.trigger(task, 0)];
    await clock.settle();
    await a.cancel();
    await clock.settle();
    expect([told, hands.length]).toEqual([['onCancel'], 2]);
    hands[1]!();
    expect(await b.result()).toBe('x');
  });
});
