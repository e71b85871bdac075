/** Time as runs see it: what fell due while no page was open, how long a start may take, waits under the names of others. */
import { defineTask, TestClock } from 'holdfast';
import { createTestOrchestrator } from 'holdfast/testing';
import { expect, it } from 'vitest';
import { name, open } from './houses.ts';

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

/** Counts what it was asked for and is still to do. */
class CountingClock extends TestClock {
  armed = 0;
  override schedule(atMs: number, callback: () => void): () => void {
    this.armed++;
    let isOpen = true;
    const over = () => {
      if (isOpen) this.armed--;
      isOpen = false;
    };
    const cancel = super.schedule(atMs, () => (over(), callback()));
    return () => (over(), cancel());
  }
}

it('One host timer is armed for all runs that wait for a time, for the first of them', async () => {
  const clock = new CountingClock();
  const house = await open({}, clock);
  const task = defineTask({ id: name('many'), run: async (isLong: boolean, ctx) => (isLong ? ctx.sleep('1d') : null) });
  const before = clock.armed;
  for (let index = 0; index < 1000; index++) house.orchestrator.trigger(task, index % 2 === 0, { delay: 1_000_000 - index });
  await clock.settle();
  expect(clock.armed).toBe(before + 1);
  await clock.advance(1_000_001);
  expect(house.orchestrator.counts()).toMatchObject({ completed: 500, running: 500 });
  // One more looks whether something that has ended is too old to be kept.
  expect(clock.armed).toBeLessThanOrEqual(before + 2);
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
