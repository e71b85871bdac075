/** Chains: one after the other, each with the result of the one before. */
import { ChainStoppedError, ConfigurationError, defineTask, MissingSignatureError } from 'holdfast';
import { expect, test } from 'vitest';
import { crash, name, open } from './houses.ts';

const settle = async (clock: { settle(): Promise<void> }) => {
  for (let turn = 0; turn < 30; turn++) await clock.settle();
};
const add = (by: number) => defineTask({ id: name('add'), run: ({ result = 0 }: { result?: number }) => result + by });

test('a result goes to the next one, kwargs to all, the last result to the callback', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const first = defineTask({ id: name('first'), run: (input: unknown) => (seen.push(input), 1) });
  const second = defineTask({ id: name('second'), run: (input: unknown) => (seen.push(input), 2) });
  const done = defineTask({ id: name('done'), run: (input: unknown) => (seen.push(input), 3) });
  const chain = await orchestrator.chain([first, await orchestrator.sign(second, { own: true }), first], { name: 'data-pipeline', success: done, user: 'u1' });
  expect([chain.taskName, chain.kind, chain.status]).toEqual(['chain-task:data-pipeline', 'chain', 'pending']);
  expect(await chain.run({ text: 'x' })).toBe(1);
  await settle(clock);
  expect(seen).toEqual([{ text: 'x', user: 'u1' }, { result: 1, user: 'u1', own: true }, { result: 2, user: 'u1' }, { result: 1 }]);
  expect(chain.state.progress).toBe(100);
  const { items, total } = await orchestrator.signatures.children(chain.key);
  expect([total, items.map(({ taskName, status }) => [taskName, status])]).toEqual([3, [[first.id, 'done'], [second.id, 'done'], [first.id, 'done']]]);
});

test('a chain of three survives a crash after every turn, and runs each member once', async () => {
  for (let turns = 0; turns < 14; turns++) {
    let house = await open();
    const made = await house.orchestrator.chain([add(1), add(10), add(100)], { success: add(1000) });
    await made.runNoWait();
    for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => house.clock.defer(resolve));
    house = await crash(house);
    await settle(house.clock);
    const chain = await house.orchestrator.loadSignature(made.key);
    expect([turns, chain.status, await chain.result()]).toEqual([turns, 'done', 111]);
    const states = house.orchestrator.list().items;
    expect(states.map(({ status, result }) => [status, result]).sort()).toEqual([['completed', 1], ['completed', 11], ['completed', 111], ['completed', 111], ['completed', 1111]].sort());
  }
});

test('the same signature twice is two members; chains stand in chains', async () => {
  const { orchestrator } = await open();
  const one = await orchestrator.sign(add(1));
  const inner = await orchestrator.chain([one, one]);
  const outer = await orchestrator.chain([add(10), inner, add(100)]);
  expect(await outer.run({ result: 1000 })).toBe(1112);
  expect((await orchestrator.signatures.rootTasks()).map(({ key }) => key)).toEqual([outer.key]);
  const copy = await outer.clone();
  expect(await copy.run({ result: 0 })).toBe(112);
  await expect(inner.run()).rejects.toThrow('is a member of');
});

test('a failure stops the rest, tells the error callback where, and the chain can go on from there', async () => {
  let house = await open();
  const seen: unknown[] = [];
  let fails = true;
  const flaky = defineTask({ id: name('flaky'), retry: { maxAttempts: 1 }, run: ({ result }: { result: number }) => { if (fails) throw new Error('not yet'); return result * 2; } });
  const tell = defineTask({ id: name('tell'), run: (input: unknown) => void seen.push(input) });
  const counted: number[] = [];
  const first = defineTask({ id: name('first'), run: ({ n }: { n: number }) => (counted.push(n), n) });
  const { key } = await house.orchestrator.chain([first, flaky, add(1)], { name: 'c', error: tell });
  const chain = await house.orchestrator.loadSignature(key);
  const error: ChainStoppedError = await chain.run({ n: 5 }).catch((thrown: unknown) => thrown as ChainStoppedError);
  expect(error).toBeInstanceOf(ChainStoppedError);
  await settle(house.clock);
  const [, second] = (await house.orchestrator.signatures.children(key)).items;
  expect(error.data).toEqual({ key: second!.key, index: 1, taskName: flaky.id });
  expect(seen).toEqual([{ chain_task_id: key, error: error.message, original_msg: { n: 5 }, error_task_key: second!.key }]);
  fails = false;
  house = await crash(house);
  await settle(house.clock);
  const again = await house.orchestrator.loadSignature(key);
  await expect(again.retryFrom(2)).rejects.toThrow(ConfigurationError);
  expect(await again.retryFrom()).toBe(true);
  expect(again.errorCallbacks).toHaveLength(1);
  house = await crash(house);
  expect(await (await house.orchestrator.loadSignature(key)).result()).toBe(11);
  expect(counted).toEqual([5]);
});

test('onError continue goes on with the last result, compensate undoes what was done, the last first', async () => {
  const { orchestrator } = await open();
  const fail = defineTask({ id: name('fail'), retry: { maxAttempts: 1 }, run: () => { throw new Error('no'); } });
  const going = await orchestrator.chain([add(1), fail, add(10)], { onError: 'continue' });
  expect(await going.run()).toBe(11);
  const undone: unknown[] = [];
  const undo = defineTask({ id: name('undo'), run: (result: unknown) => void undone.push(result) });
  const saga = await orchestrator.chain([await orchestrator.sign(add(1), { compensate: undo }), add(5), await orchestrator.sign(add(10), { compensate: undo }), fail], { onError: 'compensate' });
  await expect(saga.run()).rejects.toThrow('stopped at member 3');
  expect(undone).toEqual([16, 1]);
});

test('a member whose condition says no is left out, and what came before goes on', async () => {
  const { orchestrator } = await open();
  const chain = await orchestrator.chain([add(1), await orchestrator.sign(add(10), { when: { operator: 'greater_than', value: 5 } }), add(100)]);
  const other = await chain.clone();
  expect([await chain.run({ result: 0 }), await other.run({ result: 9 })]).toEqual([101, 120]);
});

test('pause, resume and cancel reach the members', async () => {
  const { orchestrator, clock } = await open();
  const held = defineTask({ id: name('held'), run: async (_: unknown, ctx) => { await ctx.waitFor('go'); return 1; } });
  const chain = await orchestrator.chain([held, add(1)]);
  await chain.runNoWait();
  await settle(clock);
  await chain.suspend();
  await settle(clock);
  const statuses = async () => (await orchestrator.signatures.children(chain.key)).items.map(({ status }) => status);
  expect([chain.status, await statuses()]).toEqual(['suspended', ['suspended', 'suspended']]);
  await chain.resume();
  await settle(clock);
  expect([chain.status, await statuses()]).toEqual(['active', ['active', 'pending']]);
  await chain.cancel();
  await settle(clock);
  expect([chain.status, await statuses()]).toEqual(['canceled', ['canceled', 'canceled']]);
});

test('what is no chain is refused, and nothing is made', async () => {
  const { orchestrator } = await open();
  await expect(orchestrator.chain([add(1)])).rejects.toThrow('at least two tasks, and was given');
  await expect(orchestrator.chain(['run_gone', add(1)])).rejects.toThrow(MissingSignatureError);
  await expect(orchestrator.chain([add(1), add(2)], { onError: 'ignore' as never })).rejects.toThrow(ConfigurationError);
  expect(orchestrator.list().items).toEqual([]);
});

test('all of it works where nothing is kept beyond memory', async () => {
  const { orchestrator, clock } = await open({ storage: 'memory' });
  const seen: unknown[] = [];
  const done = defineTask({ id: name('done'), run: ({ result }: { result: unknown }) => void seen.push(result) });
  const swarm = await orchestrator.swarm([add(1), await orchestrator.sign(add(2), { when: { operator: 'is_not_empty' } })], { isSwarmClosed: true });
  const chain = await orchestrator.chain([add(10), swarm], { success: done });
  const results = await chain.run({ result: 100 });
  await settle(clock);
  expect([results.map(({ output }: { output: number }) => output), seen]).toEqual([[111, 112], [results]]);
});

test('a file in a message reaches the member that it is for, after a crash too', async () => {
  let house = await open();
  const read = defineTask({ id: name('read'), run: async ({ file }: { file: File }, ctx) => { await ctx.waitFor('go'); return file.text(); } });
  const length = defineTask({ id: name('length'), run: ({ result }: { result: string }) => result.length });
  const made = await house.orchestrator.chain([read, length]);
  await made.runNoWait({ file: new File(['content'], 'a.txt') });
  await settle(house.clock);
  house = await crash(house);
  await settle(house.clock);
  await house.orchestrator.send('go');
  await settle(house.clock);
  expect(await (await house.orchestrator.loadSignature(made.key)).result()).toBe(7);
});
