/** Time as runs see it: what fell due while no page was open, how long a start may take, waits under the names of others. */
import { defineTask } from 'holdfast';
import { createTestOrchestrator } from 'holdfast/testing';
import { expect, it } from 'vitest';
import { name } from './houses.ts';

it('What fell due while no page was open begins when one opens, in the order in which it was due', async () => {
  const began: number[] = [];
  const task = defineTask({ id: name('due'), run: async (hours: number) => void began.push(hours) });
  let orchestrator = createTestOrchestrator({ tasks: [task] });
  await orchestrator.ready;
  const runs = [5, 1, 4, 2, 3, 30].map((hours) => orchestrator.trigger(task, hours, { delay: { hours } }));
  await Promise.all([...runs.map((run) => run.accepted), orchestrator.clock.settle()]);
  await orchestrator.dispose();
  await orchestrator.clock.advance('1d');
  orchestrator = await orchestrator.reload();
  await orchestrator.clock.settle();
  expect(began).toEqual([1, 2, 3, 4, 5]);
  await orchestrator.runUntilIdle();
  expect(began).toEqual([1, 2, 3, 4, 5, 30]);
  expect(orchestrator.clock.now()).toBe(Date.UTC(2026, 0, 2, 6));
  await orchestrator.dispose();
});

it('One host timer is armed, however many runs wait for a time', async () => {
  await using orchestrator = createTestOrchestrator();
  await orchestrator.ready;
  const task = defineTask({ id: name('many'), run: async () => null });
  for (let index = 0; index < 1000; index++) orchestrator.trigger(task, null as never, { delay: 1_000_000 - index });
  await orchestrator.clock.settle();
  const nextAtMs = orchestrator.clock.nextAtMs;
  expect(nextAtMs - orchestrator.clock.now()).toBeLessThanOrEqual(999_001);
  await orchestrator.runUntilIdle();
  expect(orchestrator.counts()).toMatchObject({ completed: 1000 });
});

it('The time to live of a delayed run counts from when it is due', async () => {
  await using orchestrator = createTestOrchestrator({ queues: { narrow: { concurrency: 1 } } });
  await orchestrator.ready;
  const task = defineTask({ id: name('living'), queue: 'narrow', run: (_: null, ctx) => new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
  orchestrator.trigger(task, null);
  const late = orchestrator.trigger(task, null, { delay: '1h', ttl: '10m' });
  await orchestrator.clock.advance('69m');
  expect(late.state.phase).toBe('queued');
  await orchestrator.clock.advance('1m');
  expect(late.state.phase).toBe('expired');
});

it('wait.for and wait.until wait under a key once, over a crash too', async () => {
  const task = defineTask({
    id: name('keyed wait'),
    run: async (_: null, ctx) => {
      await ctx.wait.for({ minutes: 10, idempotencyKey: 'once' });
      await ctx.wait.for({ minutes: 10, idempotencyKey: 'once' });
      await ctx.wait.until({ date: new Date(Date.UTC(2026, 0, 1, 1)), idempotencyKey: 'hour' });
      await ctx.wait.until({ date: new Date(Date.UTC(2027, 0, 1)), idempotencyKey: 'hour' });
      return ctx.now() - Date.UTC(2026, 0, 1);
    },
  });
  let orchestrator = createTestOrchestrator({ tasks: [task] });
  await orchestrator.ready;
  const { id } = orchestrator.trigger(task, null);
  await orchestrator.clock.advance('30m');
  expect(orchestrator.explain(id).reasons).toMatchObject([{ kind: 'timer', until: Date.UTC(2026, 0, 1, 1) }]);
  orchestrator = await orchestrator.crash();
  await orchestrator.runUntilIdle();
  expect(orchestrator.getTaskState(id)).toMatchObject({ status: 'completed', result: 3_600_000 });
  await orchestrator.dispose();
});
