/** What a page that caches nothing pays, and what happens where the room can't be loaded. */
import { defineTask } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { describe, expect, it, vi } from 'vitest';
import { gate, open, over, watch } from './cache-house.ts';
import { name, open as openAny } from './houses.ts';

async function unloadable() {
  const house = watch(await openAny({ cache: memoryCache() }), memoryCache());
  const load = vi.spyOn(house.orchestrator.cache, 'load').mockRejectedValue(new TypeError('Failed to fetch dynamically imported module'));
  return { ...house, load };
}

describe('the room of the cache', () => {
  it('is loaded by the first cached run, not by those before', async () => {
    const { orchestrator } = await openAny();
    const versioned = defineTask({ id: name('versioned'), version: 3, migrations: { 2: (n) => n }, run: (n: number) => n });
    expect(await orchestrator.run(versioned, 1)).toBe(1);
    expect(orchestrator.cache.loaded).toBeUndefined();
    const cached = defineTask({ id: name('cached'), cache: true, run: (n: number) => n });
    const runs = [1, 1, 2].map((n) => orchestrator.trigger(cached, n));
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual([1, 1, 2]);
    expect(runs.map(({ state }) => state.fromCache)).toEqual([false, true, false]);
    expect(orchestrator.cache.loaded).toBeDefined();
  });

  it('is there before the first cached run begins', async () => {
    const { orchestrator, clock } = await openAny();
    const run = vi.fn((n: number) => n);
    orchestrator.trigger(defineTask({ id: name('cached'), cache: true, run }), 1, { delay: '1h' });
    await clock.settle();
    expect([orchestrator.cache.loaded !== undefined, run.mock.calls]).toEqual([true, []]);
  });

  it('that can not be loaded costs answers: the run goes on, and a warning says why', async () => {
    const { orchestrator, warnings } = await unloadable();
    let calls = 0;
    const task = defineTask({ id: name('task'), cache: true, run: (n: number) => (calls++, n) });
    expect(await orchestrator.run(task, 1)).toBe(1);
    expect(await orchestrator.run(task, 1)).toBe(1);
    expect(calls).toBe(2);
    expect(warnings[0]).toContain('is not cached: the code of the cache can\'t be loaded (TypeError: Failed to fetch');
  });

  it('fails the attempt where the output can not be made without it, and is tried again', async () => {
    const { orchestrator, load, clock } = await unloadable();
    let calls = 0;
    const task = defineTask({ id: name('task'), run: (n: number) => (calls++, { n }), select: ({ n }) => n });
    const run = orchestrator.trigger(task, 1);
    await clock.settle();
    expect(run.state).toMatchObject({ phase: 'retrying', retryCount: 1 });
    expect(calls).toBe(0);
    load.mockRestore();
    await orchestrator.cache.load();
    await clock.advance(60_000);
    expect(await run.result()).toBe(1);
  });

  it('stops a run that is cancelled while it is being loaded before its code begins', async () => {
    const house = await openAny();
    const { opened, open: arrive } = gate();
    const { load } = house.orchestrator.cache;
    vi.spyOn(house.orchestrator.cache, 'load').mockImplementation(async () => (await opened, load.call(house.orchestrator.cache)));
    let calls = 0;
    const task = defineTask({ id: name('task'), cache: true, graceMs: 1000, run: () => ++calls });
    const run = house.orchestrator.trigger(task, 1);
    await house.clock.settle();
    const cancelled = run.cancel();
    await house.clock.settle();
    arrive();
    expect(await cancelled).toBe(true);
    await run.result().catch(() => {});
    expect([run.status, calls]).toEqual(['cancelled', 0]);
  });
});

describe('a store that fails', () => {
  const full = () => Promise.reject(new DOMException('The quota has been exceeded.', 'QuotaExceededError'));
  const closed = () => Promise.reject(new DOMException('The database connection is closing.', 'InvalidStateError'));
  it.each([
    ['is full', { set: full }],
    ['is closed', { get: closed, set: closed, clear: closed }],
  ])('J1: that %s fails no run, with retries, children, private entries and refreshes', async (_, parts) => {
    const { orchestrator, clock, warnings } = await open({ cache: over(memoryCache(), parts) });
    const child = defineTask({ id: name('child'), cache: { scope: 'run' }, run: (n: number) => n + 1 });
    let failures = 1;
    const parent = defineTask({ id: name('parent'), cache: { ttl: '1s', staleWhileRevalidate: '1h', tags: ['t'], negative: { ttl: '1s' } }, run: async (n: number, ctx) => {
      const m = await ctx.run(child, n);
      if (failures-- > 0) throw new Error('once');
      return m;
    } });
    const runs = [1, 1, 2].map((n) => orchestrator.trigger(parent, n));
    await clock.advance(60_000);
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual([2, 2, 3]);
    expect(await orchestrator.run(parent, 1)).toBe(2);
    await clock.settle();
    expect(warnings.length).toBeGreaterThan(0);
    expect(orchestrator.counts()).toMatchObject({ failed: 0 });
  });
});

describe('a cached child', () => {
  it('J3: is journaled like any other: replay takes what it gave, though its entry is gone', async () => {
    const house = await open();
    let calls = 0;
    const child = defineTask({ id: name('child'), cache: true, run: (n: number) => ++calls * 100 + n });
    expect(await house.orchestrator.run(child, 1)).toBe(101);
    const parent = defineTask({ id: name('parent'), run: async (n: number, ctx) => {
      const one = await ctx.run(child, n);
      await ctx.sleep('1h');
      const two = await ctx.run(child, n, { cache: 'refresh' });
      return [one, two];
    } });
    const run = house.orchestrator.trigger(parent, 1);
    await run.accepted;
    await house.clock.settle();
    expect(calls).toBe(1);
    await house.orchestrator.cache.clear();
    const next = watch(await house.crash(), house.cache);
    await next.clock.advance(3_600_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([101, 201]);
    expect(calls).toBe(2);
    const children = next.orchestrator.list({ taskIdentifier: child.id }).items.filter(({ parentId }) => parentId === run.id);
    expect(children.map(({ fromCache }) => fromCache).sort()).toEqual([false, true]);
  });
});
