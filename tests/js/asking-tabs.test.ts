/** A run is asked from another tab than its own, whose process may die before it answers. */
import { defineTask, type TaskContext } from 'holdfast';
import { afterEach, beforeEach, expect, it } from 'vitest';
// What asks is loaded with the first question: here before, so that it takes no time of which the clock knows nothing.
import '../../js/testing/rooms.ts';
import { Origin, type Tab } from './origin.ts';

let origin: Origin;
beforeEach(() => {
  origin = new Origin();
});
afterEach(() => origin.close());

async function turns(advanceMs = 0): Promise<void> {
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await origin.clock.settle();
  }
  if (advanceMs > 0) {
    await origin.clock.advance(advanceMs);
    await turns();
  }
}

/** Its own tab, another one, and the run's id. */
async function twoTabs(id: string, run: (ctx: TaskContext) => Promise<unknown>): Promise<[own: Tab, other: Tab, id: string]> {
  const task = defineTask({ id, retry: { maxAttempts: 1 }, updates: { add: (given: number) => {
    if (typeof given !== 'number') throw new Error('expected a number');
    return given;
  } }, run: (_: null, ctx) => run(ctx) });
  const [own, other] = [await origin.open({ tasks: [task] }), await origin.open({ tasks: [task] })];
  let handle!: { id: string; accepted: Promise<void> };
  own.act(() => (handle = own.orchestrator.trigger(task, null)));
  await turns();
  return [own, other, handle.id];
}

it('gets the answers of a run of another tab, and its refusals', async () => {
  const [, other, id] = await twoTabs('asked-elsewhere', async (ctx) => {
    let total = 0;
    ctx.onQuery('total', (data: { since: Date }) => ({ total, since: data.since }));
    for await (const update of ctx.updates<number>('add', { timeout: '1h' })) {
      total += update.data;
      if (update.data < 0) await update.reject(new RangeError('too little'));
      else await update.respond(total);
    }
  });
  const handle = other.orchestrator.attach(id)!;
  const answers = Promise.allSettled([
    handle.update('add', 2), handle.update('add', -1), handle.update('add', 'x'), handle.update('take', 1), handle.query('total', { since: new Date(7) }), handle.query('nothing', null, { timeout: 5 }),
  ]);
  await turns(5);
  await turns(5);
  const [two, less, x, take, total, nothing] = await answers;
  expect(two).toEqual({ status: 'fulfilled', value: 2 });
  expect(less).toMatchObject({ reason: { name: 'RangeError', message: 'too little' } });
  expect(x).toMatchObject({ reason: { name: 'InputValidationError', message: expect.stringContaining('expected a number') } });
  expect(take).toMatchObject({ reason: { name: 'ConfigurationError', message: expect.stringContaining('only add') } });
  expect(total).toMatchObject({ value: { since: new Date(7) } });
  expect(nothing).toMatchObject({ reason: { name: 'QueryError' } });
});

it('gets the answer of a run whose tab died after it took the update, from the tab that goes on with it', async () => {
  const [own, other, id] = await twoTabs('asked-and-killed', async (ctx) => {
    const update = await ctx.waitForUpdate<number>('add').unwrap();
    await ctx.sleep('1m');
    await update.respond(update.data + 1);
    await ctx.sleep('1m');
    return 'end';
  });
  let answer!: Promise<number>;
  other.act(() => (answer = other.orchestrator.attach(id)!.update('add', 41)));
  await turns();
  expect(other.orchestrator.getTaskState(id)!.local).toBe(false);
  own.kill();
  await turns(60_000);
  expect(other.orchestrator.getTaskState(id)!.local).toBe(true);
  await turns(60_000);
  expect(await answer).toBe(42);
});
