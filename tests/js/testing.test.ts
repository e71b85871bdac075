import { defineTask } from 'holdfast';
import { createOrchestrator } from 'holdfast/inline';
import { createTestOrchestrator, memory, TestClock } from 'holdfast/testing';
import { expect, it } from 'vitest';

const task = defineTask({ id: 'tested', retry: { randomize: false }, run: async (n: number, ctx) => {
  if (ctx.attempt.number < 3) throw new Error('not yet');
  return n;
} });

it('a test of an application moves time itself', async () => {
  const clock = new TestClock();
  await using orchestrator = createTestOrchestrator({ clock });
  await orchestrator.ready;
  const run = orchestrator.trigger(task, 7);
  await clock.advance(2999);
  expect(run.status).toBe('pending');
  await clock.advance(1);
  expect(await run.result()).toBe(7);
});

it('a storage outlives its orchestrator', async () => {
  const storage = memory();
  const clock = new TestClock();
  const first = createTestOrchestrator({ clock, storage });
  const run = first.trigger(task, 7);
  await run.accepted;
  await first.dispose();
  await using second = createTestOrchestrator({ clock, storage });
  await second.ready;
  await clock.advance(10_000);
  expect(second.getTaskState(run.id)).toMatchObject({ status: 'completed', result: 7 });
});

it('holdfast/inline needs no second file', async () => {
  await using orchestrator = createOrchestrator({ id: 'inline', storage: 'memory', clock: new TestClock() });
  expect(await orchestrator.trigger(defineTask({ id: 'inlined', run: async () => 'inlined' }), null).result()).toBe('inlined');
});
