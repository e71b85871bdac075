/** What a context asks of others: signals to other runs, `invoke`, the cache; how deep children may go. */
import { defineTask, type TaskContext, workerHandler } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { serve } from '../../js/workers/serve.ts';
import { FakeWorker } from '../fake/worker.ts';
import type { House } from './house.ts';
import { crash, name, open } from './houses.ts';

const once = { retry: { maxAttempts: 1 } };

async function ended(house: House, ...runs: { status: string }[]): Promise<void> {
  for (let turn = 0; turn < 200 && runs.some(({ status }) => status === 'running' || status === 'pending'); turn++) {
    await house.clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const listens = () => defineTask({ id: name('listens'), ...once, run: async (_: null, ctx: TaskContext) => {
  const heard: unknown[] = [];
  for await (const data of ctx.events('word', { timeout: '1d' })) {
    if (data === 'end') return heard;
    heard.push(data);
  }
  return heard;
} });

it('signals another run once, however often its code runs', async () => {
  const house = await open();
  const listener = house.orchestrator.trigger(listens(), null);
  const speaks = defineTask({ id: name('speaks'), ...once, run: async (to: string, ctx) => {
    const said = await ctx.signalRun(to, 'word', { n: 1n });
    await ctx.sleep(1000);
    await ctx.signalRun(to, 'word', 'second');
    return said;
  } });
  const speaker = house.orchestrator.trigger(speaks, listener.id);
  await house.clock.advance(500);
  expect(speaker.status).toBe('running');
  const next = await crash(house);
  await next.clock.advance(1000);
  const again = next.orchestrator.attach(speaker.id)!;
  expect(await again.result()).toBe(true);
  await next.orchestrator.attach(listener.id)!.signal('word', 'end');
  const heard = next.orchestrator.attach<unknown[]>(listener.id)!;
  await ended(next, heard);
  expect(await heard.result()).toEqual([{ n: 1n }, 'second']);
});

it('says that a run has ended, and refuses one that nobody knows', async () => {
  const house = await open();
  const over = house.orchestrator.trigger(defineTask({ id: name('over'), run: async () => 1 }), null);
  await over.result();
  const task = defineTask({ id: name('asks'), ...once, run: (to: string, ctx) => ctx.signalRun(to, 'word') });
  expect(await house.orchestrator.trigger(task, over.id).result()).toBe(false);
  await expect(house.orchestrator.trigger(task, 'nobody').result()).rejects.toThrow(/ctx\.signalRun\("word"\): there is no run "nobody"/);
  await expect(house.orchestrator.trigger(task, '').result()).rejects.toThrow(/ctx\.signalRun id must be text/);
});

it('invokes a child by its task or its name', async () => {
  const house = await open();
  const double = defineTask({ id: name('double'), run: async (n: number) => n * 2 });
  house.orchestrator.register(double);
  const task = defineTask({ id: name('invokes'), run: async (n: number, ctx) => (await ctx.invoke(double, n)) + ((await ctx.invoke(double.id as never, n as never)) as number) });
  const run = house.orchestrator.trigger(task, 3);
  expect(await run.result()).toBe(12);
  expect(house.orchestrator.list({ parentId: run.id }).items).toHaveLength(2);
});

for (const where of ['the page', 'a worker'] as const)
  it(`asks and invalidates the cache from ${where}`, async () => {
    let computed = 0;
    const cached = defineTask({ id: name('cached'), cache: true, run: async (n: number) => n + computed++ });
    const handler = async (id: string, ctx: TaskContext) => {
      const before = await ctx.cache.explain(id, 1);
      const dropped = await ctx.cache.invalidate({ task: id });
      return [before.outcome, dropped, (await ctx.cache.explain(id, 1)).outcome];
    };
    const worker = workerHandler<any, any>(() => new FakeWorker((scope) => serve(handler as never, scope)) as unknown as Worker);
    const house = await open({ tasks: [cached] });
    await house.orchestrator.trigger(cached, 1).result();
    const run = house.orchestrator.trigger(defineTask({ id: name('looks'), ...once, run: where === 'the page' ? handler : worker }), cached.id);
    await ended(house, run);
    expect(await run.result()).toEqual(['hit', 1, 'miss']);
    worker.close();
  });

it('lets children go as deep as is said, to 64', async () => {
  const house = await open({ maxDepth: 2 });
  const itself = defineTask({ id: name('itself'), ...once, run: async (deep: number, ctx): Promise<number> => (deep === 0 ? 0 : 1 + ((await ctx.run(itself as never, (deep - 1) as never)) as number)) });
  expect(await house.orchestrator.trigger(itself, 2).result()).toBe(2);
  await expect(house.orchestrator.trigger(itself, 3).result()).rejects.toThrow(/is 2 children deep, which is the limit/);
  await expect(open({ maxDepth: 65 })).rejects.toThrow(/maxDepth must be a whole number/);
});

it('tries a child again that was still being stopped when its parent was tried again', async () => {
  const house = await open();
  let [calls, stopped] = [0, () => {}];
  const slow = defineTask({ id: name('slow'), ...once, run: async () => {
    calls += 1;
    // Code that takes its time after it was asked to stop.
    if (calls === 1) await new Promise<void>((resolve) => (stopped = resolve));
    return 'done';
  } });
  let isRight = false;
  const parent = defineTask({ id: name('parent'), ...once, run: async (_: null, ctx) => {
    const child = ctx.run(slow, null);
    await ctx.sleep(10);
    if (!isRight) throw new Error('wrong');
    return child;
  } });
  const run = house.orchestrator.trigger(parent, null);
  await house.clock.advance(20);
  expect(run.status).toBe('failed');
  isRight = true;
  expect(await run.retry()).toBe(true);
  await house.clock.advance(20);
  stopped();
  await house.clock.advance(20);
  await house.clock.settle();
  expect([run.status, calls]).toEqual(['completed', 2]);
});

it('tells a failure of a step behind what was recorded before it, however slowly that is acknowledged, so that a race keeps its winner', async () => {
  const house = await open();
  const { clock } = house;
  const after = (ms: number) => new Promise<void>((resolve) => void clock.schedule(clock.now() + ms, resolve));
  const { slot } = house.orchestrator.journal!;
  const append = slot.append.bind(slot);
  slot.append = async (...args) => after(50).then(() => append(...args));
  const winners: string[] = [];
  const task = defineTask({ id: name('racing'), ...once, run: async (_: null, ctx) => {
    const recorded = ctx.step('recorded', () => 1).then(() => 'recorded');
    const failed = ctx.step('fails', () => after(10).then(() => Promise.reject(new Error('no')))).catch(() => 'failed');
    const winner = await Promise.race([recorded, failed]);
    winners.push(winner, await ctx.step('winner', () => winner));
    await ctx.sleep('1h');
  } });
  house.orchestrator.trigger(task, null);
  await clock.advance(500);
  const next = await crash(house);
  await next.clock.advance(500);
  expect(winners).toEqual(Array(4).fill('recorded'));
});

describe('a short wait', () => {
  it('keeps the slot, a longer one gives it back; by the task, or by the orchestrator', async () => {
    for (const [own, all] of [['200ms', undefined], [undefined, '200ms']] as const) {
      const house = await open({ queues: { one: { concurrency: 1 } }, ...(all && { shortWait: all }) });
      const began: string[] = [];
      const task = defineTask({
        id: name('short'), queue: 'one', ...(own && { shortWait: own }),
        run: async ({ label, ms }: { label: string; ms: number }, ctx) => {
          began.push(label);
          await ctx.sleep(ms);
        },
      });
      const trigger = (label: string, ms: number) => house.orchestrator.trigger(task, { label, ms });
      const runs = [trigger('short', 200), trigger('long', 201), trigger('last', 0)];
      await house.clock.settle();
      expect(began).toEqual(['short']);
      await house.clock.advance(200);
      expect(began).toEqual(['short', 'long', 'last']);
      await house.clock.advance(201);
      expect(runs.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
    }
  });
});
