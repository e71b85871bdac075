/** P12: a run that records without end is warned of, and ends, whatever it records; what it did is undone all the same. */
import { defineTask, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { name, open } from './houses.ts';

const limit = 10_000;
const child = defineTask({ id: name('child'), run: async () => 1 });

/** With how much each records: a sleep when it ends, and that it has ended. */
const verbs: [string, number, (ctx: TaskContext, n: number) => unknown][] = [
  ['step', 1, (ctx, n) => ctx.step('again', () => n)],
  ['run', 1, (ctx) => ctx.run(child, undefined)],
  ['sleep', 2, (ctx) => ctx.sleep(0)],
  ['now', 1, async (ctx) => ctx.now()],
];

describe('a run that goes on without end', () => {
  it.each(verbs)('P12: is warned of after 1,000 records of ctx.%s, once, and fails after 10,000, for good', async (_, records, again) => {
    const { orchestrator, clock } = await open({ storage: 'memory' });
    const warnings: string[] = [];
    orchestrator.on('warning', (message) => void warnings.push(message));
    let done = 0;
    const task = defineTask({ id: name('endless'), run: async (_: null, ctx) => {
      for (;; done++) await again(ctx, done);
    } });
    const run = orchestrator.trigger(task, null);
    for (let turn = 0; turn < 30 && run.status !== 'failed'; turn++) await clock.advance(limit / 10);
    expect(run.state).toMatchObject({ status: 'failed', attempt: 1, error: { code: 'HISTORY_LIMIT', message: expect.stringMatching(/10000.*ctx\.continueAsNew/) } });
    expect(Math.abs(done - limit / records)).toBeLessThanOrEqual(1);
    expect(warnings.filter((message) => message.includes('more than 1000'))).toHaveLength(1);
  });

  it('P12: may begin anew when it has reached the limit, as the error says', async () => {
    const { orchestrator, clock } = await open({ storage: 'memory' });
    const task = defineTask({ id: name('long'), run: async (from: number, ctx): Promise<number> => {
      if (from > 0) return from;
      for (let n = 0; ; n++) await ctx.step('again', () => n).catch((error: Error) => {
        if (error.name === 'HistoryLimitError') ctx.continueAsNew(n);
        throw error;
      });
    } });
    const run = orchestrator.trigger(task, 0);
    for (let turn = 0; turn < 30 && run.status !== 'completed'; turn++) await clock.advance(1000);
    expect(await run.result()).toBe(limit);
  });

  it('P11, P12: is undone, each thing once', async () => {
    const { orchestrator, clock } = await open({ storage: 'memory' });
    const warnings: string[] = [];
    orchestrator.on('warning', (message) => void warnings.push(message));
    const undone: string[] = [];
    const task = defineTask({ id: name('endless'), run: async (_: null, ctx) => {
      await ctx.step('book', () => 'room', { compensate: (what) => undone.push(what) });
      for (;;) await ctx.step('again', () => 1);
    } });
    const run = orchestrator.trigger(task, null);
    for (let turn = 0; turn < 30 && run.status !== 'failed'; turn++) await clock.advance(1000);
    expect(run.state).toMatchObject({ status: 'failed', error: { code: 'HISTORY_LIMIT' } });
    expect(undone).toEqual(['room']);
    expect(warnings.filter((message) => message.includes('could not be undone'))).toEqual([]);
  });
});
