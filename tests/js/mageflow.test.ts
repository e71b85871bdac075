/** The snippets of the seed that asked for signatures, chains and swarms, as they are written here; and what it says of them. */
import { defineTask } from 'holdfast';
import { expect, test } from 'vitest';
import { again, open } from './houses.ts';

const settle = async (clock: { settle(): Promise<void> }) => {
  for (let turn = 0; turn < 30; turn++) await clock.settle();
};

test('task chaining: a sequence in which each depends on the one before', async () => {
  const { orchestrator } = await open();
  const preprocessDataTask = defineTask({ id: 'preprocess-data', run: ({ text }: { text: string }) => text.trim().split(' ') });
  const analyzeDataTask = defineTask({ id: 'analyze-data', run: ({ result }: { result: string[] }) => result.length });
  const generateReportTask = defineTask({ id: 'generate-report', run: ({ result }: { result: number }) => `${result} words` });

  const taskOrder = [preprocessDataTask, analyzeDataTask, generateReportTask];
  const workflow = await orchestrator.chain(taskOrder, { name: 'data-pipeline' });

  expect(await workflow.run({ text: ' a b c ' })).toBe('3 words');
  expect(workflow.taskName).toBe('chain-task:data-pipeline');
});

test('task swarms: several at once', async () => {
  const { orchestrator } = await open();
  const processUserDataTask = defineTask({ id: 'process-user-data', run: ({ user }: { user: string }) => `data of ${user}` });
  const sendNotificationsTask = defineTask({ id: 'send-notifications', run: ({ user }: { user: string }) => `told ${user}` });
  const updateCacheTask = defineTask({ id: 'update-cache', run: () => 'cached' });

  const swarmTasks = [processUserDataTask, sendNotificationsTask, updateCacheTask];
  const parallelWorkflow = await orchestrator.swarm(swarmTasks, { taskName: 'user-processing' });

  await parallelWorkflow.runNoWait({ user: 'ann' });
  await parallelWorkflow.closeSwarm();
  expect((await parallelWorkflow.result()).map((result) => result.ok && result.output)).toEqual(['data of ann', 'told ann', 'cached']);
});

test('a task that is known by its name, and may be followed by callbacks', async () => {
  const { orchestrator, clock } = await open();
  const myTask = defineTask({
    id: 'my-task',
    run: async (_message: unknown) => {
      return { status: 'completed' };
    },
  });
  const seen: unknown[] = [];
  const follow = defineTask({ id: 'follow', run: (message: unknown) => void seen.push(message) });
  const signature = await orchestrator.sign('my-task', { successCallbacks: [follow] });
  expect(await signature.run({})).toEqual({ status: 'completed' });
  await settle(clock);
  expect([myTask.id, seen]).toEqual(['my-task', [{ result: { status: 'completed' } }]]);
});

test('task signatures: validation, state, callbacks, identifiers', async () => {
  const { orchestrator, clock } = await open();
  const seen: string[] = [];
  let isDown = false;
  defineTask({ id: 'process-order', retry: { maxAttempts: 1 }, input: (value: any) => { if (typeof value.amount !== 'number') throw new Error('amount is missing'); return value; }, run: ({ amount }: { amount: number }) => { if (isDown) throw new Error('down'); return amount; } });
  const sendConfirmationTask = defineTask({ id: 'send-confirmation', run: ({ result }: { result: number }) => void seen.push(`confirmed ${result}`) });
  const handleErrorTask = defineTask({ id: 'handle-error', run: (message: { amount?: number }, ctx) => void seen.push(`failed ${message.amount} ${ctx.failure?.error.name}`) });
  const sign = () => orchestrator.sign('process-order', {
    taskIdentifiers: { order_id: '12345' },
    successCallbacks: [sendConfirmationTask],
    errorCallbacks: [handleErrorTask],
  });

  const taskSignature = await sign();
  expect([taskSignature.status, taskSignature.taskIdentifiers]).toEqual(['pending', { order_id: '12345' }]);
  await taskSignature.run({ amount: 3 });
  isDown = true;
  await expect((await sign()).run({ amount: 4 })).rejects.toThrow('down');
  await expect((await sign()).run({})).rejects.toThrow('amount is missing');
  await settle(clock);
  expect(seen.sort()).toEqual(['confirmed 3', 'failed 4 Error', 'failed undefined InputValidationError']);
  expect((await orchestrator.signatures.find({ taskIdentifiers: { order_id: '12345' } })).map(({ status }) => status).sort()).toEqual(['done', 'failed', 'failed']);
});

test('life of a task: paused, resumed, cancelled, removed by key', async () => {
  const { orchestrator, clock } = await open();
  const held = defineTask({ id: 'held', run: async (_: unknown, ctx) => { await ctx.waitFor('go'); return 'gone'; } });
  const [one, two] = [await orchestrator.sign(held), await orchestrator.sign(held)];
  await Promise.all([one.runNoWait(), two.runNoWait()]);
  await settle(clock);
  await orchestrator.signatures.pause(one.key);
  expect((await orchestrator.loadSignature(one.key)).taskStatus).toEqual({ status: 'suspended', lastStatus: 'active' });
  await orchestrator.signatures.resume(one.key);
  await orchestrator.signatures.interrupt(one.key);
  expect(one.status).toBe('interrupted');
  await orchestrator.signatures.resume(one.key);
  await orchestrator.signatures.cancel(two.key);
  await orchestrator.send('go');
  await settle(clock);
  expect([await one.result(), two.status]).toEqual(['gone', 'canceled']);
  expect(await orchestrator.lockTask(one.key, ({ status }) => status)).toBe('done');
  expect(await orchestrator.signatures.remove(one.key)).toBe(true);
  await expect(orchestrator.loadSignature(one.key)).rejects.toThrow('Was it removed?');
});

test('several changes take place together or not at all', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: 'work', run: ({ n }: { n: number }) => n });
  const told = defineTask({ id: 'told', run: ({ result }: { result: number }) => void seen.push(result) });
  const known = await orchestrator.sign(work, { n: 1 });
  await expect(orchestrator.signatures.transaction((transaction) => {
    const made = transaction.sign(work, { n: 2 });
    transaction.addCallbacks(known, { success: [told] });
    transaction.run(made);
    throw new Error('no');
  })).rejects.toThrow('no');
  await settle(clock);
  expect([known.successCallbacks, orchestrator.list().items.length]).toEqual([[], 1]);
  const made = await orchestrator.signatures.transaction((transaction) => {
    const other = transaction.sign(work, { n: 2, successCallbacks: [told] });
    transaction.addCallbacks(known, { success: [told] });
    transaction.run(known);
    transaction.run(other, { m: 1 });
    return other;
  });
  await settle(clock);
  expect([seen.sort(), made.status, known.status]).toEqual([[1, 2], 'done', 'done']);
});

test('a crash in a transaction leaves all of it, or nothing but what had been there', async () => {
  const outcomes = new Set<string>();
  for (let turns = 0; turns < 24; turns++) {
    let house = await open();
    const work = defineTask({ id: `work-${turns}`, run: async ({ n }: { n: number }) => n });
    const told = defineTask({ id: `told-${turns}`, run: () => {} });
    const known = await house.orchestrator.sign(work, { n: 1 });
    house.orchestrator.signatures.transaction((transaction) => {
      const made = transaction.sign(work, { n: 2 });
      transaction.addCallbacks(known, { success: [told] });
      transaction.run(known);
      transaction.run(made);
    }).catch(() => {});
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    house = await again(house.crash());
    await settle(house.clock);
    const ended = house.orchestrator.list({ status: 'completed' }).items.map(({ taskIdentifier }) => taskIdentifier);
    expect([0, 3], `after ${turns} turns`).toContain(ended.length);
    expect((await house.orchestrator.loadSignature(known.key)).successCallbacks.length, `after ${turns} turns`).toBe(ended.length === 0 ? 0 : 1);
    outcomes.add(ended.length === 0 ? 'nothing' : 'all');
  }
  expect([...outcomes].sort()).toEqual(['all', 'nothing']);
});

test('what is in a container can be looked at', async () => {
  const { orchestrator } = await open();
  const fail = defineTask({ id: 'fails', retry: { maxAttempts: 1 }, run: () => { throw new Error('no'); } });
  const good = defineTask({ id: 'good', run: () => 1 });
  const swarm = await orchestrator.swarm([good, fail, await orchestrator.signatures.fallback(fail, { value: 2 })], { taskName: 's', isSwarmClosed: true });
  await swarm.run();
  const summary = await orchestrator.signatures.containerSummary(swarm.key);
  expect(summary).toMatchObject({ kind: 'swarm', taskName: 's', status: 'done', progress: 100, total: 3, counts: { done: 2, failed: 1 }, degraded: [swarm.tasks[2]] });
  expect(await orchestrator.signatures.children(swarm.key, { page: 2, size: 2 })).toMatchObject({ total: 3, page: 2, pages: 2, items: [{ key: swarm.tasks[2] }] });
});
