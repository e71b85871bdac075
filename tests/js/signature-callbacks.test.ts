/** What signatures are called with, and what follows them: when it begins, how often, and that nothing of it touches what it follows. */
import { defineTask, SignatureUsedError, type Swarm } from 'holdfast';
import { expect, test } from 'vitest';
import { defineCondition } from '../../js/signatures/conditions.ts';
import { crash, name, open } from './houses.ts';

type Clock = Awaited<ReturnType<typeof open>>['clock'];
const once = { maxAttempts: 1 };
const settle = async (clock: Clock) => {
  for (let turn = 0; turn < 20; turn++) await clock.settle();
};
const pass = async (clock: Clock, seconds: number) => {
  for (let second = 0; second < seconds; second++) await clock.advance(1000), await settle(clock);
};
const echo = () => defineTask({ id: name('echo'), retry: once, run: (input: unknown) => input });
const bad = (maxAttempts = 1) => defineTask({ id: name('bad'), retry: { maxAttempts, minDelayMs: 10 }, run: () => { throw new Error('no'); } });

test('a message that is no object goes into the return field, or is refused with the fix where there are kwargs', async () => {
  const { orchestrator } = await open();
  const task = echo();
  const called = async (options: Record<string, unknown>, call: (signature: Awaited<ReturnType<typeof orchestrator.sign>>) => Promise<{ result(): Promise<unknown> }>) => {
    const signature = await orchestrator.sign(task, options);
    return (await call(signature)).result();
  };
  expect(await called({ a: 1, returnFieldName: 'box' }, (one) => one.call([1, 2]))).toEqual({ box: [1, 2], a: 1 });
  expect(await called({ a: 1 }, (one) => one.call({ b: 2 }, { setReturnField: false }))).toEqual({ a: 1, b: 2 });
  expect(await called({}, (one) => one.runNoWait('text'))).toBe('text');
  expect(await called({ returnFieldName: null }, (one) => one.call('text'))).toBe('text');
  await expect(called({ a: 1 }, (one) => one.runNoWait('text'))).rejects.toThrow(/is "text", and has to be an object where there are kwargs: \{"a":1\}. Call it with an object, or sign it without kwargs/);
});

test('a callback that fails has tries and callbacks of its own, and changes nothing of what it follows', async () => {
  const { orchestrator, clock } = await open();
  const seen: string[] = [];
  const work = defineTask({ id: name('work'), run: () => 1 });
  const after = defineTask({ id: name('after'), run: (_: unknown, ctx) => void seen.push(`${ctx.failure?.error.message} after ${orchestrator.getTaskState(ctx.failure!.id)!.attempt}`) });
  const signature = await orchestrator.sign(work, { successCallbacks: [await orchestrator.sign(bad(3), { errorCallbacks: [after] })] });
  expect(await signature.run()).toBe(1);
  await pass(clock, 2);
  expect([signature.status, await signature.result(), seen]).toEqual(['done', 1, ['no after 3']]);
});

test('an error callback is told once, after the last try, with the message as the run had got it and its own kwargs', async () => {
  const { orchestrator, clock } = await open();
  let tries = 0;
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), retry: { maxAttempts: 3, minDelayMs: 10 }, run: () => { tries++; throw new Error('no'); } });
  const told = defineTask({ id: name('told'), run: (input: unknown) => void seen.push([tries, input]) });
  const signature = await orchestrator.sign(work, { k: 1, errorCallbacks: [await orchestrator.sign(told, { mine: 2 })] });
  await signature.runNoWait({ m: 1 });
  await pass(clock, 2);
  expect(seen).toEqual([[3, { m: 1, k: 1, mine: 2 }]]);
});

test('callbacks that are added while it runs begin after it; of a call that names one that is not there none is added', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), run: async (_: unknown, ctx) => { await ctx.waitFor('go'); return 3; } });
  const told = defineTask({ id: name('told'), run: (input: unknown) => void seen.push(input) });
  const signature = await orchestrator.sign(work);
  await signature.runNoWait();
  await settle(clock);
  expect(signature.status).toBe('active');
  await signature.addCallbacks({ success: [told, told] });
  await expect(signature.addCallbacks({ success: [told, 'nobody'] })).rejects.toThrow('no task "nobody"');
  await orchestrator.send('go');
  await settle(clock);
  expect([signature.status, seen]).toEqual(['done', [{ result: 3 }, { result: 3 }]]);
});

test('every verb by key says that a key is of no signature; a cancelled one begins no more; of two that lock it the second waits', async () => {
  const { orchestrator, clock } = await open();
  const { signatures } = orchestrator;
  const verbs = ['load', 'pause', 'suspend', 'interrupt', 'resume', 'cancel', 'remove', 'children', 'callbacks', 'containerSummary'] as const;
  for (const ask of [...verbs.map((verb) => () => signatures[verb]('nothing')), () => orchestrator.loadSignature('nothing'), () => orchestrator.lockTask('nothing', () => 1)])
    await expect(Promise.resolve().then<unknown>(ask)).rejects.toMatchObject({ name: 'MissingSignatureError', message: 'There is no signature "nothing". Was it removed?' });
  const signature = await orchestrator.sign(echo());
  const order: string[] = [];
  let go!: () => void;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const first = orchestrator.lockTask(signature.key, async () => { order.push('in'); await gate; order.push('out'); throw new Error('mine'); });
  const second = orchestrator.lockTask(signature.key, () => void order.push('second'));
  await settle(clock);
  expect(order).toEqual(['in']);
  go();
  await expect(first).rejects.toThrow('mine');
  await second;
  expect(order).toEqual(['in', 'out', 'second']);
  await signatures.cancel(signature.key);
  await expect(signature.run({})).rejects.toThrow(SignatureUsedError);
});

test('a chain is named after its first task; the callbacks of the member that failed are told before its own', async () => {
  const { orchestrator, clock } = await open();
  const seen: string[] = [];
  const told = (what: string) => defineTask({ id: name(what), run: () => void seen.push(what) });
  const first = echo();
  const chain = await orchestrator.chain([first, await orchestrator.sign(bad(), { errorCallbacks: [told('member')] }), echo()], { error: told('chain'), success: told('success') });
  expect(chain.taskName).toBe(`chain-task:${first.id}`);
  await expect(chain.run({})).rejects.toThrow('stopped at member 1');
  await settle(clock);
  expect([seen, (await orchestrator.signatures.children(chain.key)).items.map(({ status }) => status)]).toEqual([['member', 'chain'], ['done', 'failed', 'canceled']]);
});

test('what follows each member of a swarm follows also those that are added in a later page, each once', async () => {
  let house = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), retry: once, run: async ({ n }: { n: number }, ctx) => { await ctx.sleep(n * 1000); if (n === 2) throw new Error('two'); return n; } });
  const good = defineTask({ id: name('good'), run: (input: unknown) => void seen.push(input) });
  const failed = defineTask({ id: name('failed'), run: (input: unknown, ctx) => void seen.push([input, ctx.failure?.error.message]) });
  const sign = (n: number) => house.orchestrator.sign(work, { n });
  const { key } = await house.orchestrator.swarm([await sign(1), await sign(2)], { onItemSuccess: good, onItemError: failed });
  await (await house.orchestrator.loadSignature(key)).runNoWait();
  await settle(house.clock);
  house = await crash(house);
  await settle(house.clock);
  const swarm = await house.orchestrator.loadSignature<Swarm>(key);
  await swarm.addTask(await sign(3));
  await swarm.closeSwarm();
  await pass(house.clock, 4);
  expect([swarm.status, seen]).toEqual(['done', [{ result: 1 }, [{ n: 2 }, 'two'], { result: 3 }]]);
});

test('a member whose condition says no is done without having run; a condition that throws is the failure of what it decides about', async () => {
  const { orchestrator } = await open();
  const swarm = await orchestrator.swarm([await orchestrator.sign(echo(), { when: { field: 'x', operator: 'greater_than', value: 5 } }), echo()], { isSwarmClosed: true, config: { stopAfterNFailures: 1 } });
  expect(await swarm.run({ x: 1 })).toMatchObject([{ ok: true, output: undefined, skipped: true }, { ok: true, output: { x: 1 } }]);
  const throwing = defineCondition(name('throws'), () => { throw new Error('boom'); });
  await expect((await orchestrator.sign(echo(), { when: throwing })).run({})).rejects.toThrow('boom');
  await expect((await orchestrator.chain([echo(), await orchestrator.sign(echo(), { when: throwing })])).run({})).rejects.toThrow('stopped at member 1');
});

test('a random stagger spreads over its time, and its delay is no part of a deadline', async () => {
  const { orchestrator, clock } = await open();
  const begun: number[] = [];
  const startMs = clock.now();
  const work = defineTask({ id: name('work'), run: () => void begun.push(clock.now() - startMs) });
  const swarm = await orchestrator.swarm(Array.from({ length: 12 }, () => work), { config: { stagger: 'random', window: '10s' }, isSwarmClosed: true });
  await swarm.runNoWait();
  await settle(clock);
  await pass(clock, 10);
  expect(swarm.status).toBe('done');
  expect(new Set(begun).size).toBeGreaterThan(8);
  expect(Math.max(...begun) - Math.min(...begun)).toBeGreaterThan(3000);
  const one = await orchestrator.sign(work, { stagger: '1h', deadline: '1s' });
  await one.runNoWait();
  await clock.advance('1h');
  await settle(clock);
  expect(one.status).toBe('done');
});

test('map runs no more at once than it says; of nothing there is nothing, where that is an answer', async () => {
  const { orchestrator, clock } = await open();
  const { signatures } = orchestrator;
  let [live, most] = [0, 0];
  const slow = defineTask({ id: name('slow'), run: async (n: number) => { most = Math.max(most, ++live); await new Promise<void>((resolve) => clock.schedule(clock.now() + 10, resolve)); live--; return n; } });
  const map = await signatures.map([1, 2, 3, 4, 5], slow, { concurrency: 2 });
  await map.runNoWait();
  await settle(clock);
  await pass(clock, 1);
  expect([await map.result(), most]).toEqual([[1, 2, 3, 4, 5], 2]);
  for (const made of [signatures.map([], slow), signatures.all([]), signatures.allSettled([]), signatures.pipeline([], [{ task: slow }])]) expect(await (await made).run()).toEqual([]);
  for (const made of [() => signatures.any([]), () => signatures.race([]), () => signatures.reduce([], slow as never, 0)]) await expect(made()).rejects.toThrow('at least one');
});
