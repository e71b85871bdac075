/** Signatures: described and stored, called once, with what follows them. */
import { defineTask, MissingSignatureError, SignatureUsedError, UnrecognizedTaskError } from 'holdfast';
import { expect, test } from 'vitest';
import { defineCondition } from '../../js/signatures/conditions.ts';
import { defineValidator } from '../../js/signatures/validators.ts';
import { crash, name, open } from './houses.ts';

const settle = async (clock: { settle(): Promise<void> }) => {
  for (let turn = 0; turn < 20; turn++) await clock.settle();
};

test('a signature runs when it is called, with its kwargs over the message', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const task = defineTask({ id: name('order'), run: (input: Record<string, unknown>) => (seen.push(input), 'done') });
  const signature = await orchestrator.sign(task, { order: { id: 1, lines: [1] }, taskIdentifiers: { order_id: '12345' } });
  await settle(clock);
  expect(seen).toEqual([]);
  expect([signature.status, signature.state.reason, signature.taskName]).toEqual(['pending', 'not-called', task.id]);
  expect((await orchestrator.signatures.find({ taskIdentifiers: { order_id: '12345' } })).map(({ key }) => key)).toEqual([signature.key]);
  expect(await signature.run({ order: { id: 2, lines: [2, 3], note: 'x' }, more: true })).toBe('done');
  expect(seen).toEqual([{ order: { id: 1, lines: [1], note: 'x' }, more: true }]);
  expect(signature.status).toBe('done');
  await expect(signature.run()).rejects.toThrow(SignatureUsedError);
});

test('a success callback gets the result in its return field, an error callback the message and why', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), retry: { maxAttempts: 1 }, run: ({ fails }: { fails: boolean }) => { if (fails) throw new Error('no'); return 7; } });
  const told = defineTask({ id: name('told'), run: (input: unknown) => void seen.push(['told', input]) });
  const failed = defineTask({ id: name('failed'), run: (input: unknown, ctx) => void seen.push(['failed', input, ctx.failure?.error.message, ctx.failure?.id]) });
  const good = await orchestrator.sign(work, { successCallbacks: [told, await orchestrator.sign(told, { returnFieldName: 'answer', channel: 'mail' })], errorCallbacks: [failed] });
  expect(await good.run({ fails: false })).toBe(7);
  await settle(clock);
  // They run beside each other, in no order.
  expect(seen).toHaveLength(2);
  expect(seen).toEqual(expect.arrayContaining([['told', { result: 7 }], ['told', { answer: 7, channel: 'mail' }]]));
  expect(good.errorCallbacks).toEqual([]);
  seen.length = 0;
  const bad = await orchestrator.sign(work, { successCallbacks: [told], errorCallbacks: [failed] });
  await expect(bad.run({ fails: true })).rejects.toThrow('no');
  await settle(clock);
  expect(seen).toEqual([['failed', { fails: true }, 'no', bad.key]]);
});

test('a signature and what follows it survive a crash at every point', async () => {
  let house = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), run: ({ n }: { n: number }) => n * 2 });
  const told = defineTask({ id: name('told'), run: (input: unknown) => void seen.push(input) });
  const { key } = await house.orchestrator.sign(work, { n: 4, successCallbacks: [told] });
  house = await crash(house);
  await settle(house.clock);
  expect(seen).toEqual([]);
  const signature = await house.orchestrator.loadSignature(key);
  expect([signature.status, await signature.kwargs(), signature.successCallbacks.length]).toEqual(['pending', { n: 4 }, 1]);
  await signature.runNoWait();
  house = await crash(house);
  await settle(house.clock);
  // Its code may begin twice; its run is one, and has one input.
  expect(new Set(seen.map((input) => JSON.stringify(input)))).toEqual(new Set(['{"result":8}']));
  const calls = seen.length;
  house = await crash(house);
  await settle(house.clock);
  expect(seen).toHaveLength(calls);
  expect(house.orchestrator.list().items.map(({ taskIdentifier, status, attempt }) => [taskIdentifier, status, attempt > 0])).toEqual([[told.id, 'completed', true], [work.id, 'completed', true]]);
});

test('a clone has kwargs, options and callbacks of its own, in a later page too', async () => {
  let house = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), run: ({ n }: { n: number }, ctx) => [n, ctx.attempt.max] });
  const told = defineTask({ id: name('told'), run: ({ result }: { result: unknown }) => void seen.push(result) });
  const { key } = await house.orchestrator.sign(work, { n: 1, retry: { maxAttempts: 7 }, successCallbacks: [told] });
  house = await crash(house);
  const signature = await house.orchestrator.loadSignature(key);
  const [one, two] = await signature.duplicateMany(2);
  expect(new Set([key, one!.key, two!.key, ...one!.successCallbacks, ...two!.successCallbacks]).size).toBe(5);
  expect(await Promise.all([signature.run(), one!.run(), two!.run({ m: 1 })])).toEqual([[1, 7], [1, 7], [1, 7]]);
  await settle(house.clock);
  expect(seen).toEqual([[1, 7], [1, 7], [1, 7]]);
});

test('callbacks may be added until it has ended and after; a cancelled one calls those for that', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), run: () => 5 });
  const told = defineTask({ id: name('told'), run: (input: unknown) => void seen.push(input) });
  const signature = await orchestrator.sign(work);
  await signature.addCallbacks({ success: [told] });
  await signature.run({ a: 1 });
  await settle(clock);
  await signature.addCallbacks({ success: [told], errors: [told] });
  await signature.addCallbacks({ success: [told], late: 'ignore' });
  await settle(clock);
  expect(seen).toEqual([{ result: 5 }, { result: 5 }]);
  await expect(signature.addCallbacks({ success: [told], late: 'error' })).rejects.toThrow(SignatureUsedError);
  seen.length = 0;
  const cancelled = await orchestrator.sign(work, { successCallbacks: [told], errorCallbacks: [told], cancelCallbacks: [await orchestrator.sign(told, { from: 'cancel' })] });
  await cancelled.cancel();
  await settle(clock);
  expect(seen).toEqual([{ from: 'cancel' }]);
  expect(cancelled.status).toBe('canceled');
});

test('a suspended signature keeps what it is called with, and begins when it is resumed', async () => {
  let house = await open();
  const work = defineTask({ id: name('work'), run: (input: unknown) => input });
  const { key } = await house.orchestrator.sign(work, { a: 1 });
  await house.orchestrator.signatures.suspend(key);
  const signature = await house.orchestrator.loadSignature(key);
  await signature.runNoWait({ b: 2 });
  house = await crash(house);
  await settle(house.clock);
  const found = await house.orchestrator.loadSignature(key);
  expect(found.taskStatus).toEqual({ status: 'suspended', lastStatus: 'pending' });
  await house.orchestrator.signatures.resume(key);
  expect(await found.result()).toEqual({ a: 1, b: 2 });
});

test('a condition that says no leaves the run out; validators and the schema see the whole message', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), run: ({ score }: { score: number }) => ({ score }) });
  const told = defineTask({ id: name('told'), input: (value: any) => { if (typeof value.result !== 'object') throw new Error('no result'); return value; }, run: (input: unknown) => void seen.push(input) });
  const signature = await orchestrator.sign(work, {
    successCallbacks: [
      await orchestrator.sign(told, { when: { field: 'score', operator: 'greater_than', value: 3 }, high: true }),
      await orchestrator.sign(told, { when: { field: 'score', operator: 'less_or_equal', value: 3 }, low: true }),
      await orchestrator.sign(told, { modelValidators: defineValidator('with-high', (value: any) => { if (!value.high) throw new Error('high is missing'); return value; }), when: defineCondition('always', () => true) }),
    ],
  });
  const [, low, checked] = signature.successCallbacks;
  await signature.run({ score: 9 });
  await settle(clock);
  expect(seen).toEqual([{ result: { score: 9 }, high: true }]);
  expect([orchestrator.getTaskState(low!)!.skipped, orchestrator.getTaskState(low!)!.status]).toEqual([true, 'completed']);
  expect([orchestrator.getTaskState(checked!)!.status, orchestrator.getTaskState(checked!)!.error!.message]).toEqual(['failed', expect.stringContaining('high is missing')]);
});

test('an export takes along what a callback waits for, and it begins where it was imported', async () => {
  const work = defineTask({ id: name('work'), run: ({ n }: { n: number }) => n * 2 });
  const seen: unknown[] = [];
  const told = defineTask({ id: name('told'), run: (input: unknown) => void seen.push(input) });
  const from = await open();
  const signature = await from.orchestrator.sign(work, { n: 3, successCallbacks: [told] });
  const lines = await new Response(await from.orchestrator.exportState({ runs: signature.successCallbacks })).text();
  const house = await open();
  expect((await house.orchestrator.importState(new Blob([lines]), { unfinished: 'go' })).imported).toHaveLength(2);
  const imported = await house.orchestrator.loadSignature(signature.key);
  expect(imported.successCallbacks).toEqual(signature.successCallbacks);
  expect(await imported.run()).toBe(6);
  await settle(house.clock);
  expect(seen).toEqual([{ result: 6 }]);
});

test('what is wrong is refused before anything is made', async () => {
  const { orchestrator } = await open();
  const task = defineTask({ id: name('task'), run: () => 1 });
  await expect(orchestrator.sign('nobody')).rejects.toThrow(UnrecognizedTaskError);
  await expect(orchestrator.loadSignature('nobody')).rejects.toThrow(MissingSignatureError);
  await expect(orchestrator.sign(task, { success_callbacks: [] })).rejects.toThrow('it is written successCallbacks');
  await expect(orchestrator.sign(task, { when: () => true } as never)).rejects.toThrow("which can't be stored");
  await expect(orchestrator.sign(task, { successCallbacks: ['nobody'] })).rejects.toThrow(UnrecognizedTaskError);
  expect(orchestrator.list().items).toEqual([]);
});

test.each(['pending', 'active', 'suspended', 'canceled', 'reloaded'])('what is removed takes along all that is in it and that was to follow, and nothing of that begins: %s', async (status) => {
  const begun: string[] = [];
  const work = defineTask({ id: name('work'), run: (_: unknown, ctx) => ctx.sleep('1h') });
  const after = defineTask({ id: name('after'), run: () => void begun.push('after') });
  let house = await open();
  const { orchestrator, clock } = house;
  const sign = async () => orchestrator.sign(work, { successCallbacks: [await orchestrator.sign(after, { errorCallbacks: [after] })], errorCallbacks: [after] });
  const swarm = await orchestrator.swarm([await sign(), work], { onItemSuccess: after, onItemError: [after], errorCallbacks: [after], isSwarmClosed: true });
  const chain = await orchestrator.chain([await sign(), swarm, await orchestrator.chain([work, await sign()])], { success: after, error: after });
  if (status !== 'pending') await chain.runNoWait();
  await settle(clock);
  if (status === 'suspended') await Promise.all([chain.suspend(), settle(clock)]);
  if (status === 'canceled') await Promise.all([chain.cancel(), settle(clock)]);
  if (status === 'reloaded') house = await crash(house);
  const removed = house.orchestrator.signatures.remove(chain.key);
  await settle(house.clock);
  expect([await removed, house.orchestrator.list().items, begun]).toEqual([true, [], []]);
  house = await crash(house);
  await house.clock.advance(7_200_000);
  expect([house.orchestrator.list().items, begun]).toEqual([[], []]);
});

test.each(['retry', 'retryFrom'] as const)('what is tried again twice in one breath (%s) is so once, and what follows it begins once', async (verb) => {
  const { orchestrator, clock } = await open();
  let isDown = true;
  const seen: string[] = [];
  const work = defineTask({ id: name('work'), retry: { maxAttempts: 1 }, run: () => { if (isDown) throw new Error('no'); seen.push('work'); } });
  const after = defineTask({ id: name('after'), run: () => void seen.push('after') });
  const good = defineTask({ id: name('good'), run: () => 1 });
  const signature = verb === 'retry' ? await orchestrator.sign(work, { successCallbacks: [after] }) : await orchestrator.chain([good, work], { success: after });
  await signature.runNoWait();
  await settle(clock);
  isDown = false;
  const again = Promise.all([signature[verb](), signature[verb]()]);
  await settle(clock);
  expect([await again, signature.status, seen]).toEqual([[true, false], 'done', ['work', 'after']]);
});

test('of two that call it in one breath, or take it as a member, the first has it, and the other changes nothing', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), run: (message: unknown) => void seen.push(message) });
  const first = async (both: Promise<unknown>[]) => {
    const asked = Promise.allSettled(both);
    await settle(clock);
    return (await asked).map((one) => (one.status === 'fulfilled' ? 'had' : one.reason instanceof SignatureUsedError && 'used'));
  };
  const [called, chained, swarmed] = await Promise.all([orchestrator.sign(work), orchestrator.sign(work), orchestrator.sign(work)]);
  expect(await first([called.runNoWait({ by: 1 }), called.runNoWait({ by: 2 })])).toEqual(['had', 'used']);
  expect(seen).toEqual([{ by: 1 }]);
  expect(await first([orchestrator.chain([chained, work]), orchestrator.chain([work, chained])])).toEqual(['had', 'used']);
  expect(await first([orchestrator.swarm([swarmed]), orchestrator.swarm([swarmed]), orchestrator.chain([swarmed, work])])).toEqual(['had', 'used', 'used']);
  const containers = orchestrator.list().items.filter(({ taskIdentifier }) => taskIdentifier !== work.id);
  expect(containers.map(({ taskIdentifier }) => taskIdentifier).sort()).toEqual(['holdfast/chain', 'holdfast/swarm']);
});
