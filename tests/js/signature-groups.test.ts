/** Branches, fallbacks, group primitives; signatures that are made within runs. */
import { ConfigurationError, defineTask, type Signature, SwarmFailedError } from 'holdfast';
import { expect, test } from 'vitest';
import { defineCondition } from '../../js/signatures/conditions.ts';
import { crash, name, open } from './houses.ts';

const settle = async (clock: { settle(): Promise<void> }) => {
  for (let turn = 0; turn < 30; turn++) await clock.settle();
};
const add = (by: number) => defineTask({ id: name('add'), run: ({ result = 0 }: { result?: number }) => result + by });
const fail = () => defineTask({ id: name('fail'), retry: { maxAttempts: 1 }, run: (): number => { throw new Error('no'); } });
const slow = () => defineTask({ id: name('slow'), run: async (_: unknown, ctx) => { await ctx.waitFor('go'); return 'slow'; } });

test('a branch runs the first case that holds, else its default, else what came goes on', async () => {
  const { orchestrator, clock } = await open();
  const cases = (isLarge: number) => [{ when: { operator: 'greater_than' as const, value: isLarge }, task: add(1000) }, { when: { operator: 'greater_than' as const, value: 1 }, task: add(100) }];
  const results = [];
  for (const start of [9, 5, 0]) results.push(await (await orchestrator.chain([add(0), await orchestrator.signatures.branch({ cases: cases(7), default: add(10) })])).run({ result: start }));
  results.push(await (await orchestrator.chain([add(0), await orchestrator.signatures.branch({ cases: cases(7) })])).run({ result: 1 }));
  expect(results).toEqual([1009, 105, 10, 1]);
  const branch = await orchestrator.signatures.branch({ cases: [{ when: { field: 'kind', operator: 'equals', value: 'a' }, task: add(1) }, { when: { not: { field: 'kind', operator: 'is_empty' } }, task: add(2) }] });
  const copy = await branch.clone();
  expect([await branch.run({ kind: 'a' }), await copy.run({ kind: 'b' })]).toEqual([1, 2]);
  await settle(clock);
  expect((await orchestrator.signatures.children(copy.key)).items.map(({ status }) => status)).toEqual(['canceled', 'done']);
  await expect(orchestrator.signatures.branch({ cases: [{ when: { operator: 'is_large' as never }, task: add(1) }] })).rejects.toThrow(ConfigurationError);
});

test('a branch that was tried again, or lost its page, goes the way that it had begun', async () => {
  let house = await open();
  let isDown = true;
  let asked = 0;
  const flaky = defineTask({ id: name('flaky'), retry: { maxAttempts: 1 }, run: async (_: unknown, ctx) => { await ctx.waitFor('go'); if (isDown) throw new Error('down'); return 'flaky'; } });
  const once = defineCondition(name('once'), () => asked++ === 0);
  const { key } = await house.orchestrator.signatures.branch({ cases: [{ when: once, task: flaky }], default: add(1) });
  await (await house.orchestrator.loadSignature(key)).runNoWait({});
  await settle(house.clock);
  house = await crash(house);
  await settle(house.clock);
  await house.orchestrator.send('go');
  await settle(house.clock);
  const branch = await house.orchestrator.loadSignature(key);
  expect([branch.status, branch.state.error?.message]).toEqual(['failed', 'down']);
  isDown = false;
  expect(await branch.retry()).toBe(true);
  await settle(house.clock);
  await house.orchestrator.send('go');
  expect(await branch.result()).toBe('flaky');
});

test('a fallback stands in for what fails for good, and says so', async () => {
  const { orchestrator } = await open();
  const other = defineTask({ id: name('other'), run: (input: object, ctx) => ({ ...input, because: ctx.failure?.error.message }) });
  const task = await orchestrator.signatures.fallback(fail(), other);
  expect(await task.run({ a: 1 })).toEqual({ a: 1, because: 'no' });
  expect(task.state.metadata.degraded).toBe('no');
  const swarm = await orchestrator.signatures.all([await orchestrator.signatures.fallback(fail(), { value: 7 }), await orchestrator.signatures.fallback(add(1), { value: 7 })]);
  expect(await swarm.run()).toEqual([7, 1]);
});

test('all, allSettled, any, race', async () => {
  const { orchestrator, clock } = await open();
  const { signatures } = orchestrator;
  expect(await (await signatures.all([add(1), add(2)])).run({ result: 10 })).toEqual([11, 12]);
  const stopped = slow();
  await expect((await signatures.all([stopped, fail()])).run()).rejects.toThrow(SwarmFailedError);
  expect((await (await signatures.allSettled([add(1), fail()])).run()).map(({ ok }) => ok)).toEqual([true, false]);
  expect(await (await signatures.any([slow(), fail(), add(3)])).run()).toBe(3);
  await expect((await signatures.any([fail(), fail()])).run()).rejects.toThrow('none of 2 members succeeded');
  await expect((await signatures.race([slow(), fail()])).run()).rejects.toThrow('no');
  expect(await (await signatures.race([slow(), add(4)])).run()).toBe(4);
  await settle(clock);
  expect(orchestrator.list({ status: 'running' }).items).toEqual([]);
});

test('map, reduce, chord, pipeline, over a crash', async () => {
  let house = await open();
  const double = defineTask({ id: name('double'), run: (n: number) => n * 2 });
  const sum = defineTask({ id: name('sum'), run: ({ result, item }: { result: number; item: number; index: number }) => result + item });
  const count = defineTask({ id: name('count'), run: ({ result }: { result: unknown[] }) => result.length });
  let most = 0;
  let running = 0;
  const read = defineTask({ id: name('read'), run: async ({ n }: { n: number }, ctx) => { most = Math.max(most, ++running); await ctx.yield(); running--; return n; } });
  const { signatures } = house.orchestrator;
  const made: Signature[] = [
    await signatures.map([1, 2, 3], double, { concurrency: 2 }), await signatures.reduce([1, 2, 3, 4], sum, 100), await signatures.chord([add(1), add(2)], count),
    await signatures.pipeline([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }], [{ task: read, concurrency: 2 }, { task: add(10) }]),
  ];
  for (const one of made) await one.runNoWait();
  house = await crash(house);
  running = most = 0;
  await settle(house.clock);
  const results = [];
  for (const { key } of made) results.push(await (await house.orchestrator.loadSignature(key)).result());
  expect(results).toEqual([[2, 4, 6], 110, 2, [11, 12, 13, 14]]);
  expect(most).toBeLessThanOrEqual(2);
});

test('what a run makes it makes once, and waits for without a slot', async () => {
  let house = await open();
  const one = add(1);
  let isDown = true;
  const parent = defineTask({
    id: name('parent'),
    retry: { maxAttempts: 2, minDelayMs: 10 },
    run: async (_: unknown, ctx) => {
      const single = await ctx.sign(one, { name: 'single' });
      const chain = await ctx.chain([one, one]);
      const swarm = await ctx.swarm([one, one], { isSwarmClosed: true });
      const results = [await single.run({ result: 1 }), await chain.run({ result: 10 }), (await swarm.run({ result: 100 })).map((result) => result.ok && result.output)];
      if (isDown) throw new Error('once more');
      return results;
    },
  });
  const run = parent.spec && house.orchestrator.trigger(parent, {});
  await run.accepted;
  for (let turn = 0; turn < 12; turn++) await new Promise<void>((resolve) => house.clock.defer(resolve));
  house = await crash(house);
  await settle(house.clock);
  isDown = false;
  await house.clock.advance(10_000);
  await settle(house.clock);
  expect(house.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'completed', result: [2, 12, [101, 101]] });
  expect((await house.orchestrator.signatures.rootTasks()).map(({ kind }) => kind).sort()).toEqual(['chain', 'simple', 'swarm']);
  expect(house.orchestrator.list({ taskIdentifier: one.id }).items).toHaveLength(5);
});

test.each([
  ['sign', 'another task', 'fail'], ['chain', 'other members', 'fail'], ['swarm', 'more members', 'fail'], ['sign', 'another task', 'discard-tail'],
] as const)('code that runs again and asks ctx.%s for %s than it had made has drifted: %s', async (verb, _, onDrift) => {
  let house = await open();
  const held = defineTask({ id: name('held'), run: async (_: unknown, ctx) => ctx.waitFor('go') });
  const one = add(1);
  let isNew = false;
  const make = { sign: () => (isNew ? one : held), chain: () => (isNew ? [one, held] : [held, one]), swarm: () => (isNew ? [held, one] : [held]) };
  const parent = defineTask({
    id: name('parent'),
    retry: { maxAttempts: 1 },
    onDrift,
    run: async (_: null, ctx) => (await (ctx[verb] as (what: unknown, options: object) => Promise<Signature>)(make[verb](), verb === 'swarm' ? { isSwarmClosed: true } : {})).run({}),
  });
  const { id } = house.orchestrator.trigger(parent, null);
  await settle(house.clock);
  const asTheSame = await crash(house);
  await settle(asTheSame.clock);
  expect(asTheSame.orchestrator.getTaskState(id)).toMatchObject({ status: 'running', phase: 'waiting' });
  isNew = true;
  house = await crash(asTheSame);
  await settle(house.clock);
  const state = house.orchestrator.getTaskState(id)!;
  if (onDrift === 'fail') expect(state).toMatchObject({ status: 'failed', error: { name: 'DriftError', message: expect.stringContaining(`of "${held.id}"`) } });
  else expect(state).toMatchObject({ status: 'completed', result: 1 });
});
