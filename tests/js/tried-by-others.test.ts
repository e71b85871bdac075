/** Left by people who tried it: what was accepted and could not be meant, or was told without its reason. */
import { BatchTriggerError, CanceledError, defineTask, DisposedError } from 'holdfast';
import { createTestOrchestrator } from 'holdfast/testing';
import { describe, expect, it } from 'vitest';
import { name, open } from './houses.ts';

const once = { maxAttempts: 1 };
const double = defineTask({ id: 'tried-double', run: async (n: number) => n * 2 });
const fails = defineTask({ id: 'tried-fails', retry: once, run: async (): Promise<never> => { throw new TypeError('no luck'); } });
const stuck = defineTask({ id: 'tried-stuck', retry: once, graceMs: 0, run: (_: unknown, ctx) => new Promise<never>((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
const asleep = defineTask({ id: 'tried-asleep', run: async (_: null, ctx) => (await ctx.sleep('1h'), 1) });

describe('items that were cancelled say why', () => {
  it('by the timeout of their batch, in the error, in the state and in explain', async () => {
    const { orchestrator, clock } = await open();
    const waiting = orchestrator.batch.triggerByTaskAndWait([{ task: stuck, payload: 1 }], { timeout: '5s' });
    await clock.advance('10s');
    const { id, runs: [item] } = await waiting;
    expect(item).toMatchObject({ ok: false, status: 'cancelled', error: { name: 'CanceledError', cause: { name: 'DeadlineError' } } });
    expect(!item.ok && item.error.message).toContain(`because ${id} had ended`);
    expect(orchestrator.getTaskState(item.id)!.error).toMatchObject({ cause: { name: 'DeadlineError' } });
    expect(orchestrator.why(item.id)).toMatch(/^It has ended: cancelled\. Run \S+ was cancelled, because /);
  });

  it('by failures of others, with the first of these as the cause', async () => {
    const { orchestrator } = await open();
    const { id, runs } = await orchestrator.batch.triggerByTaskAndWait([{ task: stuck, payload: 1 }, { task: fails, payload: undefined as never }], { onItemError: 'fail-fast' });
    const [item] = runs;
    expect(item).toMatchObject({ status: 'cancelled', error: { message: expect.stringContaining(`too many of ${id} failed`), cause: { name: 'TypeError', message: 'no luck' } } });
  });

  it('by whoever cancelled them, as before', async () => {
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(stuck, 1);
    await clock.settle();
    await run.cancel('enough');
    await expect(run.result()).rejects.toMatchObject({ name: 'CanceledError', cause: 'enough' } satisfies Partial<CanceledError>);
  });
});

describe('what can’t be meant is refused at the call', () => {
  it('minSuccess above the number of items, and a timeout of nothing', async () => {
    const { orchestrator } = await open();
    const items = [{ task: double, payload: 1 }, { task: double, payload: 2 }] as const;
    await expect(orchestrator.batch.triggerByTask(items, { minSuccess: 3 })).rejects.toMatchObject({ code: 'CONFIGURATION', message: expect.stringMatching(/minSuccess 3 is more than the 2 item\(s\).*at most 2/) });
    await expect(orchestrator.batch.triggerByTask([], { minSuccess: 1 })).rejects.toThrow('minSuccess 1');
    expect((await orchestrator.batch.triggerByTaskAndWait(items, { minSuccess: 2 })).runs.outputs()).toEqual([2, 4]);
    for (const timeout of [0, '0s', 'PT0S']) await expect(orchestrator.batch.triggerByTask(items, { timeout })).rejects.toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining('timeout must be more than 0 ms') });
  });

  it('payloads whose getters throw, with the index of the item, whether or not the room is loaded', async () => {
    const { orchestrator } = await open();
    const bad = { get deep(): number { throw new RangeError('mine'); } };
    const items: unknown[] = [{ task: double, payload: bad }, { task: double, get payload() { throw new RangeError('mine'); } }, { get task() { throw new RangeError('mine'); }, payload: 1 }];
    for (const item of items) {
      const error: BatchTriggerError = await orchestrator.batch.triggerByTask([{ task: double, payload: 1 }, item] as never).catch((thrown) => thrown);
      expect(error).toMatchObject({ name: 'BatchTriggerError', phase: 'create', itemIndex: 1 });
      expect(error.message).toMatch(/item 1: .*(mine|threw while it was read)/);
    }
    expect(() => orchestrator.trigger(double, bad as never)).toThrow(expect.objectContaining({ name: 'NotCloneableError', message: expect.stringContaining('deep') }));
    expect(orchestrator.getAllTasks()).toEqual([]);
  });

  it('moments that never come, and ids that are none', async () => {
    const { orchestrator } = await open();
    await expect(orchestrator.schedules.create({ task: double.id, cron: '0 0 30 2 *' })).rejects.toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining('never comes') });
    const made = await orchestrator.schedules.create({ task: double.id, cron: '0 0 29 2 *' });
    await expect(orchestrator.schedules.update(made.id, { cron: '0 0 31 4 *' })).rejects.toThrow('never comes');
    await expect(orchestrator.schedules.retrieve(5 as never)).rejects.toMatchObject({ code: 'CONFIGURATION' });
    expect((await orchestrator.schedules.retrieve(made.id))!.cron).toBe('0 0 29 2 *');
  });

  it('a debounce or throttle together with a delay, whoever says which', async () => {
    const { orchestrator } = await open();
    const delayed = defineTask({ id: name('delayed'), delay: '1m', run: async (n: number) => n });
    const both = defineTask({ id: name('both'), delay: '1m', throttle: { period: '1m' }, run: async (n: number) => n });
    expect(() => orchestrator.trigger(delayed, 1, { debounce: { key: 'k', delay: '1s' } })).toThrow('has a delay, and debounce says when it begins');
    expect(() => orchestrator.trigger(both, 1)).toThrow('throttle says when it begins');
    expect(orchestrator.getAllTasks()).toEqual([]);
  });

  it('a batch in a step, by its own name', async () => {
    const { orchestrator } = await open();
    const task = defineTask({ id: name('nested'), retry: once, run: async (_: null, ctx) => ctx.step('all', () => ctx.batch.triggerByTaskAndWait([{ task: double, payload: 1 }])) });
    const error = await orchestrator.trigger(task, null).result().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining('ctx.batch in step "all"') });
    expect(error.message).toContain('Do it before or after the step');
    expect(error.message).not.toContain('holdfast/');
  });
});

describe('runs that a throttle dropped', () => {
  it.each([[{ every: '10s' }, 1], [{ every: '10s', trailing: false }, 2]])('%j: say so in state, story and explain', async (throttle, dropped) => {
    const queue = name('throttled');
    const { orchestrator, clock } = await open({ queues: { [queue]: { throttle } } });
    const runs = [1, 2, 3].map((n) => orchestrator.trigger(double, n, { queue }));
    await clock.advance('30s');
    const gone = runs.filter(({ state }) => state.status === 'cancelled');
    expect(gone).toHaveLength(dropped);
    for (const run of gone) {
      expect(run.state.error!.message).toContain(`"${queue}" is throttled`);
      expect(orchestrator.why(run.id)).toContain('is throttled');
      const told = [];
      for await (const event of run) told.push(event);
      expect(told.find(({ type }) => type === 'cancelled')!.data).toEqual({ cause: 'throttled' });
    }
  });
});

it('C1: what a full storage has not accepted says so, in event, state and explain, and is accepted when there is room', async () => {
  const orchestrator = createTestOrchestrator({ tasks: [double] });
  const heard: unknown[] = [];
  orchestrator.on('storage', (event) => heard.push(event));
  await orchestrator.ready;
  orchestrator.quota(50);
  const run = orchestrator.trigger(double, 1);
  let accepted = false;
  void run.accepted.then(() => (accepted = true));
  await orchestrator.clock.advance('1h');
  expect([accepted, orchestrator.storageState.status]).toEqual([false, 'full']);
  expect(heard).toEqual([expect.objectContaining({ type: 'durability', reason: expect.stringContaining('no more storage') })]);
  expect(run.state).toMatchObject({ reason: 'storage-full', durable: false });
  expect(orchestrator.explain(run.id).reasons[0]).toMatchObject({ kind: 'storage', text: expect.stringContaining('`accepted` resolves when there is room') });
  expect(() => orchestrator.trigger(double, 2)).toThrow(expect.objectContaining({ name: 'StorageFullError' }));
  orchestrator.quota(Number.POSITIVE_INFINITY);
  await orchestrator.clock.advance('1m');
  expect([accepted, run.state.status, run.state.reason, run.state.durable]).toEqual([true, 'completed', undefined, true]);
  await orchestrator.dispose();
});

it('an orchestrator that was disposed says so to every verb that would change something', async () => {
  const queue = name('queue');
  const { orchestrator, clock } = await open({ queues: { [queue]: { concurrency: 1 } } });
  const done = orchestrator.trigger(double, 1);
  await done.result();
  const run = orchestrator.trigger(asleep, null);
  await clock.settle();
  const batch = await orchestrator.batch.triggerByTask([{ task: asleep, payload: null }]);
  const schedule = await orchestrator.schedules.create({ task: double.id, cron: '* * * * *' });
  const token = await orchestrator.wait.createToken({});
  const signature = await orchestrator.sign(double);
  await orchestrator.dispose();
  const all = {};
  const verbs: Record<string, () => unknown> = {
    trigger: () => orchestrator.trigger(double, 1), run: () => orchestrator.run(double, 1), triggerAndWait: () => orchestrator.triggerAndWait(double, 1), executeTask: () => orchestrator.executeTask('a', async () => 1, null),
    cancelTask: () => orchestrator.cancelTask(run.id), 'cancelTask of nobody': () => orchestrator.cancelTask('nobody'), pauseTask: () => orchestrator.pauseTask(run.id), resumeTask: () => orchestrator.resumeTask(run.id), retryTask: () => orchestrator.retryTask(done.id), removeTask: () => orchestrator.removeTask(done.id),
    'handle.cancel': () => run.cancel(), 'handle.pause': () => run.pause(), 'handle.resume': () => run.resume(), 'handle.retry': () => done.retry(), 'handle.signal': () => run.signal('x'), 'handle.query': () => run.query('x'), 'handle.update': () => run.update('x'), 'handle.result': () => run.result(), 'handle.wait': () => run.wait(), 'handle.provide': () => run.provide(new Blob(['a'])),
    send: () => orchestrator.send('x'), cleanupCompletedTasks: () => orchestrator.cleanupCompletedTasks(), clearAllTasks: () => orchestrator.clearAllTasks(),
    'runs.replay': () => orchestrator.runs.replay(done.id), 'runs.fork': () => orchestrator.runs.fork(done.id), 'runs.reschedule': () => orchestrator.runs.reschedule(run.id, { delay: 5 }),
    ...Object.fromEntries((['cancel', 'pause', 'resume', 'retry', 'replay', 'remove'] as const).map((verb) => [`runs.bulk.${verb}`, () => orchestrator.runs.bulk[verb](all)])),
    exportState: () => orchestrator.exportState(), importState: () => orchestrator.importState(new Blob(['{}'])), providePayload: () => orchestrator.providePayload(run.id, new Blob(['x'])),
    'batch.triggerByTask': () => orchestrator.batch.triggerByTask([{ task: double, payload: 1 }]), 'batch.triggerByTaskAndWait': () => orchestrator.batch.triggerByTaskAndWait([{ task: double, payload: 1 }]), 'batch.stream': () => orchestrator.batch.stream([{ task: double, payload: 1 }]).next(), 'batch.retryFailed': () => orchestrator.batch.retryFailed(batch.id),
    'batch cancel': () => batch.cancel(), 'batch pause': () => batch.pause(), 'batch resume': () => batch.resume(), 'batch wait': () => batch.wait(),
    'schedules.create': () => orchestrator.schedules.create({ task: double.id, cron: '* * * * *' }), 'schedules.update': () => orchestrator.schedules.update(schedule.id, { cron: '1 * * * *' }), 'schedules.del': () => orchestrator.schedules.del(schedule.id), 'schedules.activate': () => orchestrator.schedules.activate(schedule.id), 'schedules.deactivate': () => orchestrator.schedules.deactivate(schedule.id),
    'wait.createToken': () => orchestrator.wait.createToken({}), 'wait.completeToken': () => orchestrator.wait.completeToken(token.id, 1),
    'queues.pause': () => orchestrator.queues.pause(queue), 'queues.resume': () => orchestrator.queues.resume(queue), 'queues.clear': () => orchestrator.queues.clear(queue), 'queues.promote': () => orchestrator.queues.promote(run.id), 'queues.setPriority': () => orchestrator.queues.setPriority(run.id, 5), 'queues.remove': () => orchestrator.queues.remove(run.id),
    sign: () => orchestrator.sign(double), 'signature.runNoWait': () => signature.runNoWait(1 as never), 'idempotencyKeys.reset': () => orchestrator.idempotencyKeys.reset(double.id, 'k'),
    'cache.explain': () => orchestrator.cache.explain(double, 1), 'cache.invalidate': () => orchestrator.cache.invalidate({ tag: 'x' } as never), 'cache.migrateAll': () => orchestrator.cache.migrateAll(double),
  };
  const said: Record<string, string> = {};
  for (const [verb, call] of Object.entries(verbs)) {
    const open = new Promise((resolve) => setTimeout(() => resolve('never answered'), 500));
    said[verb] = await Promise.race([(async () => call())(), open]).then((value) => `gave ${value === undefined ? value : JSON.stringify(value)}`, (error) => (error instanceof DisposedError ? 'DisposedError' : `${error}`));
  }
  expect(said).toEqual(Object.fromEntries(Object.keys(verbs).map((verb) => [verb, 'DisposedError'])));
  // What only reads shows what was there last.
  expect([orchestrator.getTaskState(done.id)!.status, await done.result(), orchestrator.counts().total > 0]).toEqual(['completed', 2, true]);
});
