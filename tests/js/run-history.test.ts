/** `runs.history`: what a run has recorded, in words; and what the cache said to it. */
import { defineTask } from 'holdfast';
import { expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

it('B2, P14: tells steps, groups, children with what they are for, waits and failures, in order, also after a crash; a fork goes on from any of them', async () => {
  const house = await open();
  let computed = 0;
  const child = defineTask({ id: name('child'), intent: 'fetch', networkMode: 'always', run: async (n: number) => n });
  const task = defineTask({ id: name('parent'), intent: 'effect', networkMode: 'always', version: 3, run: async (_: null, ctx) => {
    await ctx.step('open', () => ++computed);
    await ctx.group('upload', (group) => group.group('page', (page) => page.step('head', () => ++computed)));
    await ctx.run(child, 1);
    await ctx.step('breaks', () => Promise.reject(new Error('broken'))).catch(() => {});
    await ctx.sleep(10);
    await ctx.waitFor('go', { timeout: 10 });
    await ctx.waitFor('go');
    ctx.now();
    await ctx.race([(branch) => branch.step('first', () => ++computed), (branch) => branch.sleep('1d')], { cancelLosers: true });
    await ctx.sleep('1h');
    return computed;
  } });
  const run = house.orchestrator.trigger(task, null);
  await run.accepted;
  await house.clock.advance(100);
  await house.orchestrator.send('go');
  await house.clock.settle();
  const { id: childId } = house.orchestrator.getAllTasks().find(({ parentId }) => parentId === run.id)!;
  const known = {
    id: run.id, taskIdentifier: task.id, intent: 'effect', version: 3, fromCache: false,
    entries: [
      { kind: 'step', name: 'open', attempt: 1, ok: true },
      { kind: 'step', name: 'upload/page/head', attempt: 1, ok: true },
      { kind: 'child', name: child.id, attempt: 1, ok: true, run: childId, intent: 'fetch', fromCache: false },
      { kind: 'step', name: 'breaks', attempt: 1, ok: false, error: 'broken' },
      { kind: 'sleep', name: 'sleep', attempt: 1, ok: true },
      { kind: 'wait', name: 'go', attempt: 1, ok: false, error: expect.stringContaining('No event "go"') },
      { kind: 'wait', name: 'go', attempt: 1, ok: true },
      { kind: 'decision', name: 'now', attempt: 1, ok: true },
      { kind: 'step', name: 'race/0/first', attempt: 1, ok: true },
      { kind: 'decision', name: 'race', attempt: 1, ok: true },
    ],
  };
  expect(await house.orchestrator.runs.history(run.id)).toEqual(known);
  expect(house.orchestrator.getTaskState(run.id)!.intent).toBe('effect');
  const next = await crash(house);
  await next.clock.settle();
  expect(await next.orchestrator.runs.history(run.id)).toEqual(known);
  expect(await next.orchestrator.runs.history('nobody')).toBeUndefined();
  const fork = await next.orchestrator.runs.fork(run.id, { fromStep: 'upload/page/head' });
  await next.clock.advance(10);
  const { entries } = (await next.orchestrator.runs.history(fork.id))!;
  expect(entries.slice(0, 2)).toEqual([{ kind: 'step', name: 'open', attempt: 0, ok: true }, { kind: 'step', name: 'upload/page/head', attempt: 1, ok: true }]);
  await expect(next.orchestrator.runs.fork(run.id, { fromStep: 'nothing' })).rejects.toThrow('open, upload/page/head, ');
});

it('B2: the story of a run begins with what it is for', async () => {
  const house = await open();
  const run = house.orchestrator.trigger(defineTask({ id: name('pure'), intent: 'transform', run: async () => 1 }), null);
  await run.result();
  for await (const { type, data } of run) if (type === 'created') expect(data).toEqual({ taskIdentifier: run.taskIdentifier, intent: 'transform' });
});

it('J10: says why a run was answered, shared or not', async () => {
  const house = await open();
  let clock = 0;
  const task = defineTask({ id: name('cached'), cache: { ttl: '1h' }, run: async (n: number) => ++clock + n });
  const first = house.orchestrator.trigger(task, 1);
  const beside = house.orchestrator.trigger(task, 1);
  await Promise.all([first.result(), beside.result()]);
  const second = house.orchestrator.trigger(task, 1);
  await second.result();
  await house.clock.advance(7_200_000);
  const late = house.orchestrator.trigger(task, 1);
  await late.result();
  const off = house.orchestrator.trigger(task, 1, { cache: 'write-only' });
  await off.result();
  const cacheOf = async ({ id }: { id: string }) => (await house.orchestrator.runs.history(id))!.cache;
  expect(await cacheOf(first)).toMatchObject({ outcome: 'miss', reason: 'absent' });
  expect(await cacheOf(beside)).toMatchObject({ outcome: 'shared', detail: `with run ${first.id}` });
  expect(await cacheOf(second)).toMatchObject({ outcome: 'hit' });
  expect(await cacheOf(late)).toMatchObject({ outcome: 'miss' });
  expect(await cacheOf(off)).toMatchObject({ outcome: 'miss', reason: 'mode', detail: 'the mode is write-only' });
});
