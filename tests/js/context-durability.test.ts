/** `durability` of a step: when the code goes on with what it gave, and what a crash catches. */
import { defineTask, type StepOptions, TestClock } from 'holdfast';
import { memory } from 'holdfast/storage/memory';
import { expect, it } from 'vitest';
import { again, name, open } from './houses.ts';
import { openHouse } from './house.ts';
import { slowly } from './programs/run.ts';

/** A storage that acknowledges after 100 ms, but the first append. */
async function slowHouse() {
  const clock = new TestClock();
  return again(openHouse({}, clock, slowly(memory(), clock, [0, ...Array<number>(1000).fill(100)])));
}

async function timesOf(durability: StepOptions['durability'], count: number) {
  const house = await slowHouse();
  const at: number[] = [];
  const task = defineTask({ id: name('steps'), run: async (_: null, ctx) => {
    for (let index = 0; index < count; index++) {
      await ctx.step('one', () => index, durability && { durability });
      at.push(house.clock.now());
    }
    return count;
  } });
  const begun = house.clock.now();
  const run = house.orchestrator.trigger(task, null);
  run.accepted.catch(() => {});
  await house.clock.advance(1000);
  return { at: at.map((ms) => ms - begun), run, house };
}

it('P10: sync waits for the acknowledgement of each step, batched for none, and the end for all', async () => {
  const sync = await timesOf('sync', 3);
  expect(sync.at).toEqual((await timesOf(undefined, 3)).at);
  expect(sync.at[1]! - sync.at[0]!).toBeGreaterThanOrEqual(100);
  const batched = await timesOf('batched', 3);
  expect(new Set(batched.at).size).toBe(1);
  expect(await batched.run.result()).toBe(3);
  expect(batched.house.orchestrator.getTaskState(batched.run.id)!.steps).toBe(3);
});

it('P10: batched is recorded in order, and recorded answers; none is computed whenever the code runs', async () => {
  const house = await open();
  const computed: string[] = [];
  const task = defineTask({ id: name('steps'), run: async (_: null, ctx) => {
    const values = [];
    for (const durability of ['batched', 'none', 'batched', 'sync'] as const)
      values.push(await ctx.step(durability, () => {
        computed.push(durability);
        return durability;
      }, { durability }));
    await ctx.sleep('1h');
    return values;
  } });
  const run = house.orchestrator.trigger(task, null);
  await run.accepted;
  await house.clock.settle();
  const next = await again(house.crash());
  await next.clock.advance(3_700_000);
  expect(await next.orchestrator.attach(run.id)!.result()).toEqual(['batched', 'none', 'batched', 'sync']);
  expect(computed).toEqual(['batched', 'none', 'batched', 'sync', 'none']);
});

it('P10: what a crash catches before it is stored is computed again, and the rest is not', async () => {
  const house = await open();
  const computed: number[] = [];
  let cutAt = 2;
  const task = defineTask({ id: name('steps'), run: async (_: null, ctx) => {
    for (let index = 0; index < 4; index++) {
      await ctx.step('one', () => {
        computed.push(index);
        // Nothing is written from here on.
        if (index === cutAt) house.cut();
      }, { durability: index < 2 ? 'sync' : 'batched' });
    }
    return 'done';
  } });
  const run = house.orchestrator.trigger(task, null);
  await run.accepted;
  await house.clock.settle();
  expect(computed).toEqual([0, 1, 2]);
  cutAt = -1;
  computed.length = 0;
  const next = await again(house.crash());
  await next.clock.advance(10);
  expect(await next.orchestrator.attach(run.id)!.result()).toBe('done');
  expect(computed.filter((index) => index < 2)).toEqual([]);
  expect(computed.filter((index) => index >= 2)).toEqual([2, 3]);
});

it('P4: a batched result does not overtake a result or a failure on its way: a race has the winner that it had', async () => {
  for (const fails of [false, true]) {
    const house = await slowHouse();
    const winners: unknown[] = [];
    const task = defineTask({ id: name('race'), run: async (_: null, ctx) => {
      const winner = await Promise.race([
        ctx.step('first', () => (fails ? Promise.reject(new Error('no')) : 1)).then(() => 'first', () => 'first failed'),
        Promise.resolve().then(() => ctx.step('second', () => 2, { durability: 'batched' })).then(() => 'second'),
      ]);
      winners.push(winner);
      await ctx.step('after', () => winner);
      await ctx.sleep('1h');
    } });
    const run = house.orchestrator.trigger(task, null);
    run.accepted.catch(() => {});
    await house.clock.advance(1000);
    const crashed = house.crash();
    await house.clock.advance(1000);
    await again(crashed);
    await house.clock.advance(1000);
    expect(winners).toHaveLength(2);
    expect(winners[1]).toBe(winners[0]);
  }
});

it('refuses words that are none, and serde where nothing is kept', async () => {
  const house = await open();
  const refused = (options: StepOptions) =>
    house.orchestrator.trigger(defineTask({ id: name('refused'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.step('one', () => 1, options) }), null).result();
  await expect(refused({ durability: 'often' as never })).rejects.toThrow(/ctx\.step\("one"\) durability .+sync, batched, none.+"often"/);
  await expect(refused({ durability: 'none', serde: { serialize: String, deserialize: Number } })).rejects.toThrow(/nothing of it is kept/);
});
