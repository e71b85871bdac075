/** Ended runs go by age and count, by themselves or when somebody asks; what is still needed stays. */
import { defineTask, type Orchestrator } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { closeLater, crash, name, open } from './houses.ts';

const day = 86_400_000;
const minute = 60_000;
const quick = defineTask({ id: name('quick'), run: async (n: number) => n * 2 });
const fails = defineTask({ id: name('fails'), retry: { maxAttempts: 1 }, run: () => Promise.reject(new Error('no')) });
const endless = defineTask({ id: name('endless'), run: (_: null, ctx) => new Promise((_, stop) => ctx.signal.addEventListener('abort', () => stop(ctx.signal.reason))) });

const ids = (orchestrator: Orchestrator) => orchestrator.getAllTasks().map(({ id }) => id).sort();

async function ended(orchestrator: Orchestrator, id: string): Promise<string> {
  await orchestrator.trigger(quick, 1, { id }).result();
  return id;
}

describe('retention', () => {
  it('C8: lets completed and failed runs go after seven days', async () => {
    const { orchestrator, clock } = await open();
    await ended(orchestrator, 'completed');
    await orchestrator.trigger(fails, undefined, { id: 'failed' }).wait();
    const cancelled = orchestrator.trigger(endless, null, { id: 'cancelled' });
    await cancelled.cancel();
    await clock.advance(7 * day - minute);
    expect(ids(orchestrator)).toEqual(['cancelled', 'completed', 'failed']);
    await clock.advance(2 * minute + day);
    expect(ids(orchestrator)).toEqual([]);
  });

  it('C8: looks at what former pages left, though nothing ends in this one', async () => {
    const house = await open();
    await ended(house.orchestrator, 'old');
    await house.clock.advance(6 * day);
    const second = await crash(house);
    expect(ids(second.orchestrator)).toEqual(['old']);
    await second.clock.advance(2 * day);
    const third = await crash(second);
    await third.clock.advance(2 * minute);
    expect(ids(third.orchestrator)).toEqual([]);
    expect(ids((await crash(third)).orchestrator)).toEqual([]);
  });

  it('C8: goes by the ages that are said, 0 as soon as may be, each kind by its own', async () => {
    const { orchestrator, clock } = await open({ retention: { completed: { age: 0 }, failed: { age: '1h' } } });
    await ended(orchestrator, 'completed');
    await orchestrator.trigger(fails, undefined, { id: 'failed' }).wait();
    await clock.advance(2 * minute);
    expect(ids(orchestrator)).toEqual(['failed']);
    await clock.advance(2 * 60 * minute);
    expect(ids(orchestrator)).toEqual([]);
  });

  it('C8: keeps so many of the last, each kind by its own', async () => {
    const { orchestrator, clock } = await open({ retention: { completed: { count: 2 }, failed: { count: 0 } } });
    for (const id of ['a', 'b', 'c']) {
      await ended(orchestrator, id);
      await clock.advance(1000);
    }
    await orchestrator.trigger(fails, undefined, { id: 'failed' }).wait();
    await clock.advance(2 * minute);
    expect(ids(orchestrator)).toEqual(['b', 'c']);
  });

  it('C8: keeps 10,000 of a kind where nothing is said', async () => {
    const { orchestrator, clock } = await open({ storage: 'memory' });
    const runs = Array.from({ length: 10_001 }, (_, n) => orchestrator.trigger(quick, n));
    await Promise.all(runs.map((run) => run.result()));
    await clock.advance(2 * minute);
    expect(orchestrator.counts().completed).toBe(10_000);
  });

  it('C8, C9: a child stays as long as its parent may ask for it again', async () => {
    const house = await open({ retention: { completed: { age: 0, count: 0 } } });
    let computed = 0;
    const child = defineTask({ id: name('child'), run: async () => ++computed });
    const parent = defineTask({ id: name('parent'), run: async (_: null, ctx) => {
      const value = await ctx.run(child, null);
      await ctx.sleep('1h');
      return value;
    } });
    const run = house.orchestrator.trigger(parent, null, { id: 'parent' });
    await run.accepted;
    await house.clock.advance(10 * minute);
    expect(house.orchestrator.getAllTasks()).toHaveLength(2);
    expect(await house.orchestrator.cleanupCompletedTasks(0)).toBe(0);
    const next = await crash(house);
    await next.clock.advance(50 * minute);
    expect(await next.orchestrator.attach('parent')!.result()).toBe(1);
    await next.clock.advance(5 * minute);
    expect([computed, ids(next.orchestrator)]).toEqual([1, []]);
  });
});

describe('cleaning up by hand', () => {
  it('C8: cleanupCompletedTasks removes what has completed or failed and is older, says how many, and frees their files', async () => {
    const house = await open();
    const { orchestrator, clock } = house;
    const keep = defineTask({ id: name('keep'), run: async () => new Blob(['kept']) });
    await orchestrator.trigger(keep, undefined, { id: 'file' }).result();
    await orchestrator.trigger(fails, undefined, { id: 'failed' }).wait();
    await orchestrator.trigger(endless, null, { id: 'cancelled' }).cancel();
    orchestrator.trigger(endless, null, { id: 'running' });
    orchestrator.trigger(quick, 1, { id: 'delayed', delay: '1d' });
    await clock.advance(10 * minute);
    await ended(orchestrator, 'young');
    expect((await orchestrator.storageUsage()).blobs.count).toBe(1);
    expect(await orchestrator.cleanupCompletedTasks(10 * minute)).toBe(0);
    expect(await orchestrator.cleanupCompletedTasks(9 * minute)).toBe(2);
    expect(ids(orchestrator)).toEqual(['cancelled', 'delayed', 'running', 'young']);
    expect((await orchestrator.storageUsage()).blobs.count).toBe(0);
    await clock.advance(60 * minute);
    expect(await orchestrator.cleanupCompletedTasks()).toBe(0);
    await clock.advance(1);
    expect(await orchestrator.cleanupCompletedTasks()).toBe(1);
    expect(ids((await crash(house)).orchestrator)).toEqual(['cancelled', 'delayed', 'running']);
  });

  it('C8: clearAllTasks cancels what is alive, waits for its code, removes everything and says how many', async () => {
    const house = await open();
    const { orchestrator } = house;
    let heard: unknown;
    const listening = defineTask({ id: name('listening'), run: (_: null, ctx) => new Promise((_, stop) => ctx.signal.addEventListener('abort', () => {
      heard = ctx.signal.reason;
      stop(ctx.signal.reason);
    })) });
    await ended(orchestrator, 'completed');
    const running = orchestrator.trigger(listening, null);
    await running.accepted;
    await house.clock.settle();
    orchestrator.trigger(quick, 1, { delay: '1d' });
    expect(await orchestrator.clearAllTasks()).toBe(3);
    expect(heard).toMatchObject({ code: 'CANCELED' });
    expect(ids(orchestrator)).toEqual([]);
    const next = closeLater(await house.crash());
    expect(ids(next.orchestrator)).toEqual([]);
  });
});
