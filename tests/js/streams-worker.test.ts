/** `ctx.stream` of code in a worker: the page stores, the worker appends, pipes and asks what is recorded. */
import { defineTask, type TaskContext, workerHandler } from 'holdfast';
import { afterEach, expect, it } from 'vitest';
import { serve } from '../../js/workers/serve.ts';
import { FakeWorker } from '../fake/worker.ts';
import { type House, openHouse } from './house.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let made = 0;
async function house(handler: (input: any, ctx: TaskContext) => Promise<unknown>) {
  const run = workerHandler<any, any>(() => new FakeWorker((scope) => serve(handler as never, scope)) as unknown as Worker);
  closing.push(() => run.close());
  const task = defineTask({ id: `in-worker-${++made}`, retry: { maxAttempts: 2, minDelayMs: 1, randomize: false }, run });
  const opened: House = await openHouse({ tasks: [task] });
  closing.push(() => opened.orchestrator.dispose());
  return { task, ...opened };
}

async function all<Chunk>(reader: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of reader) chunks.push(chunk);
  return chunks;
}

it('appends exactly, in order, in a step and beside it, and nothing twice when it is tried again', async () => {
  const { task, orchestrator, clock } = await house(async (_, ctx) => {
    const out = ctx.stream('out');
    void out.append(new Map([['a', 1n]]));
    await ctx.step('one', async () => {
      await ctx.stream('out').append('in one');
    });
    await ctx.stream('bytes', { mode: 'binary' }).pipe([new Uint8Array(300_000).fill(7)]);
    if (ctx.attempt.number === 1) throw new Error('again');
    expect(await ctx.stream('bytes').recorded()).toHaveLength(2);
    await out.append('end');
    return 'done';
  });
  const run = orchestrator.trigger(task, null);
  while (run.status !== 'completed' && run.status !== 'failed') {
    await clock.advance(5);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await run.result()).toBe('done');
  expect(await all(run.stream('out'))).toEqual([new Map([['a', 1n]]), 'in one', 'end']);
  expect((await all(run.stream<Uint8Array>('bytes'))).map(({ length }) => length)).toEqual([262_144, 37_856]);
});

it('hears why a chunk is refused', async () => {
  const { task, orchestrator } = await house(async (_, ctx) => {
    const refused = await ctx.stream('out').append('y'.repeat(2 ** 20 + 1)).catch((error) => error);
    await ctx.stream('out').append('fits');
    return refused;
  });
  const run = orchestrator.trigger(task, null);
  expect(await run.result()).toMatchObject({ name: 'PayloadTooLargeError', message: expect.stringContaining('chunk takes') });
  expect(await all(run.stream('out'))).toEqual(['fits']);
});
