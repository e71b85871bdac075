/** Batches: many runs as one, in the order of their items, whatever happens on the way. */
import { defineTask } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

const double = defineTask({ id: 'batches-double', run: async (n: number) => n * 2 });
const text = defineTask({ id: 'batches-text', run: async (n: number) => `#${n}` });

describe('a batch', () => {
  it('gives its results in the order of its items, typed by position', async () => {
    const { orchestrator } = await open();
    const { runs, id } = await orchestrator.batch.triggerByTaskAndWait([
      { task: double, payload: 4 },
      { task: text, payload: 5 },
    ]);
    expect(id).toMatch(/^run_/);
    expect(runs.map((run) => (run.ok ? run.output : run.error))).toEqual([8, '#5']);
    expect(runs.map(({ index, taskIdentifier }) => [index, taskIdentifier])).toEqual([[0, double.id], [1, text.id]]);
  });
});

/** What ran, and what a test holds back. */
function workshop() {
  const ran: number[] = [];
  let open!: () => void;
  let passed: Promise<void> = new Promise((resolve) => (open = resolve));
  const task = defineTask({
    id: name('item'),
    run: async (n: number) => {
      ran.push(n);
      if (n >= 2) await passed;
      return n * 10;
    },
  });
  return { task, ran, release: () => { open(); passed = Promise.resolve(); } };
}

describe('a batch that a crash interrupts', () => {
  it('goes on: what had ended is not run again, what had not is, and its results are in order', async () => {
    const { task, ran, release } = workshop();
    const house = await open();
    const batch = await house.orchestrator.batch.triggerByTask([0, 1, 2, 3].map((payload) => ({ task, payload })));
    await house.clock.settle();
    expect(ran).toEqual([0, 1, 2, 3]);
    const next = await crash(house);
    await next.clock.settle();
    release();
    const found = await next.orchestrator.batch.retrieve(batch.id);
    await next.clock.settle();
    const { runs } = await found!.wait();
    expect(runs.outputs()).toEqual([0, 10, 20, 30]);
    expect(ran.filter((n) => n < 2)).toEqual([0, 1]);
    expect(next.orchestrator.getAllTasks().filter(({ parentId }) => parentId === batch.id)).toHaveLength(4);
  });

  it('runs no more at once than its concurrency, before and after', async () => {
    const { task, ran, release } = workshop();
    const house = await open();
    const batch = await house.orchestrator.batch.triggerByTask([2, 3, 4, 5].map((payload) => ({ task, payload })), { concurrency: 2 });
    await house.clock.settle();
    expect(ran).toEqual([2, 3]);
    const next = await crash(house);
    await next.clock.settle();
    expect(ran).toEqual([2, 3, 2, 3]);
    release();
    await next.clock.settle();
    const { runs } = await (await next.orchestrator.batch.retrieve(batch.id))!.wait();
    expect(runs.unwrapAll()).toEqual([20, 30, 40, 50]);
  });
});

describe('a batch in a task', () => {
  it('is a child of it, through ctx.batch and through the global batch, and is found again after a crash', async () => {
    const { task, ran, release } = workshop();
    const parent = defineTask({
      id: name('parent'),
      run: async (_: null, ctx) => {
        const { runs: [first] } = await ctx.batch.triggerByTaskAndWait([{ task, payload: 1 }]);
        const { runs } = await task.batchTriggerAndWait([{ payload: 2 }, { payload: 3 }]);
        return [first.ok && first.output, ...runs.outputs()];
      },
    });
    const house = await open();
    const run = house.orchestrator.trigger(parent, null);
    await run.accepted;
    await house.clock.settle();
    expect(ran).toEqual([1, 2, 3]);
    const next = await crash(house);
    await next.clock.settle();
    release();
    await next.clock.settle();
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([10, 20, 30]);
    expect(ran.filter((n) => n === 1)).toEqual([1]);
    expect(next.orchestrator.getAllTasks().filter(({ rootId }) => rootId === run.id)).toHaveLength(5);
  });
});

describe('batch.stream', () => {
  const square = defineTask({ id: 'batches-square', run: async (n: number) => n * n });
  function counting(until: number) {
    const seen = { pulled: 0, returned: false };
    function* items() {
      try {
        for (let n = 0; n < until; n++) {
          seen.pulled++;
          yield { task: square, payload: n };
        }
      } finally {
        seen.returned = true;
      }
    }
    return { seen, items };
  }

  it('gives each result once, in the order of the items where asked for, and forgets its run', async () => {
    const { orchestrator, clock } = await open();
    const { items } = counting(1000);
    const outputs: number[] = [];
    for await (const result of orchestrator.batch.stream(items(), { ordered: true, highWater: 16 })) if (result.ok) outputs.push(result.output);
    expect(outputs).toEqual(Array.from({ length: 1000 }, (_, n) => n * n));
    await clock.settle();
    expect(orchestrator.list({ taskIdentifier: square.id }).items).toEqual([]);
  });

  it('pulls no further than highWater ahead of who takes the results, and tells the source when the loop is left', async () => {
    const { orchestrator, clock } = await open();
    const { seen, items } = counting(1000);
    const results = orchestrator.batch.stream(items(), { highWater: 10, keepRuns: true });
    await clock.settle();
    expect(seen.pulled).toBe(10);
    for (let n = 0; n < 6; n++) await results.next();
    await clock.settle();
    // When half of them were taken it was pulled up to ten again.
    expect(seen.pulled).toBe(15);
    await results.return!();
    await clock.settle();
    expect(seen.returned).toBe(true);
    expect(seen.pulled).toBe(15);
    expect(orchestrator.list({ taskIdentifier: 'holdfast/batch' }).items[0]!.status).toBe('cancelled');
  });
});
