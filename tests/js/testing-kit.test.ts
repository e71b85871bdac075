/** Tests of an application, as its developer writes them. */
import { defineTask, schedules, type ScheduledTaskPayload } from 'holdfast';
import { createTestOrchestrator, matchers, memory, TestClock } from 'holdfast/testing';
import { expect, it, vi } from 'vitest';
import { name } from './houses.ts';

expect.extend(matchers);
const dispatched = (orchestrator: unknown) => expect(orchestrator) as any;

/** Charges in a step, then sends in another. */
function order() {
  const done: string[] = [];
  const task = defineTask({
    id: name('order'),
    run: async (input: { id: string }, ctx) => {
      await ctx.step('charge', () => done.push(`charge ${input.id}`));
      await ctx.sleep('1h');
      await ctx.step('send', () => done.push(`send ${input.id}`));
      return 'sent';
    },
  });
  return { task, done };
}

it('Time that a test moves decides over retries, sleeps and delays, and moves to what is due next', async () => {
  const { task } = order();
  await using orchestrator = createTestOrchestrator({ clock: 'virtual', seed: 7 });
  const run = orchestrator.trigger(task, { id: 'a' }, { delay: '2d' });
  await orchestrator.ready;
  await orchestrator.clock.advance('47h');
  expect(run.state.phase).toBe('delayed');
  expect(await orchestrator.clock.skip()).toBeLessThanOrEqual(3_600_000);
  await orchestrator.runUntil(() => run.state.phase === 'waiting');
  await orchestrator.runUntilIdle();
  expect(await run.result()).toBe('sent');
  expect(orchestrator.clock.now()).toBe(Date.UTC(2026, 0, 3, 1));
});

it('Nothing is idle that time brings on, and what only a person or code can bring on is', async () => {
  const { task } = order();
  await using orchestrator = createTestOrchestrator();
  const paused = orchestrator.trigger(task, { id: 'paused' });
  const unknown = orchestrator.trigger(defineTask({ id: name('token'), run: (_: null, ctx) => ctx.waitForToken('run_nobody') }), null);
  await orchestrator.runUntil(() => paused.state.phase === 'waiting');
  await paused.pause();
  await orchestrator.runUntilIdle();
  expect(paused.status).toBe('paused');
  expect(unknown.status).toBe('completed');
  await expect(orchestrator.runUntil(() => false, { within: '1h' })).rejects.toThrow('it is not so');
  const endless = orchestrator.trigger(defineTask({ id: name('endless'), run: async (_: null, ctx) => { for (;;) await ctx.sleep('1d'); } }), null);
  await expect(orchestrator.runUntilIdle({ within: '3d' })).rejects.toThrow(endless.id);
});

it('A schedule fires when the test moves time, and keeps no test from being idle', async () => {
  const moments: string[] = [];
  const task = schedules.task({ id: name('daily'), cron: '0 9 * * *', run: async ({ timestamp }: ScheduledTaskPayload) => void moments.push(timestamp.toISOString()) });
  await using orchestrator = createTestOrchestrator({ id: 'scheduled', tasks: [task] });
  await orchestrator.ready;
  await orchestrator.clock.advance('2d');
  await orchestrator.runUntilIdle();
  expect(moments).toEqual(['2026-01-01T09:00:00.000Z', '2026-01-02T09:00:00.000Z']);
});

it('A reload and a crash go on from the last step', async () => {
  const { task, done } = order();
  let orchestrator = createTestOrchestrator({ tasks: [task] });
  const { id } = orchestrator.trigger(task, { id: 'a' });
  await orchestrator.runUntil(() => done.length === 1);
  orchestrator = await orchestrator.reload();
  await orchestrator.clock.advance('30m');
  orchestrator = await orchestrator.crash();
  await orchestrator.runUntilIdle();
  expect(orchestrator.getTaskState(id)).toMatchObject({ status: 'completed', result: 'sent' });
  expect(done).toEqual(['charge a', 'send a']);
  await orchestrator.dispose();
});

it('A page dies at a step: before it is recorded the step is done again, after it is not', async () => {
  for (const [moment, charges] of [['before-step:charge', 2], ['after-step:charge', 1]] as const) {
    const { task, done } = order();
    const first = createTestOrchestrator({ tasks: [task] });
    const crashed = first.crashAt(moment);
    first.trigger(task, { id: 'a' });
    await crashed;
    const second = await first.reload();
    await second.runUntilIdle();
    expect(done, moment).toEqual([...Array<string>(charges).fill('charge a'), 'send a']);
    await second.dispose();
  }
});

it('Another tab sees the run, and takes it over when its tab dies', async () => {
  const { task, done } = order();
  const one = createTestOrchestrator({ tasks: [task] });
  const two = await one.newTab();
  const { id } = one.trigger(task, { id: 'a' });
  await one.runUntil(() => done.length === 1);
  await one.clock.advance(100);
  expect(two.getTaskState(id)).toMatchObject({ status: 'running', local: false });
  one.kill();
  await two.runUntil(() => two.getTaskState(id)?.status === 'completed');
  expect(two.getTaskState(id)!.local).toBe(true);
  expect(done).toEqual(['charge a', 'send a']);
  await two.dispose();
});

it('Code is replaced by a function or a value, also code that is not there; failures come as often as they were ordered', async () => {
  await using orchestrator = createTestOrchestrator();
  const child = defineTask({ id: name('child'), setup: () => { throw new Error('no database in a test'); }, run: async (n: number) => n });
  const parent = defineTask({ id: name('parent'), run: async (n: number, ctx) => [await ctx.run(child, n), await ctx.run('elsewhere', n)] });
  orchestrator.mockTask(child.id, (n: number) => n * 10);
  orchestrator.mockTask('elsewhere', { is: 'mocked' });
  orchestrator.failNext(child.id, 2, new Error('twice'));
  const run = orchestrator.trigger(parent, 4);
  await orchestrator.runUntilIdle();
  expect(await run.result()).toEqual([40, { is: 'mocked' }]);
  const state = orchestrator.list({ taskIdentifier: child.id }).items[0]!;
  expect(state).toMatchObject({ attempt: 3, retryCount: 2 });
  orchestrator.unmockTask();
  expect(() => orchestrator.trigger('elsewhere' as never, 1 as never)).toThrow('no task "elsewhere"');
});

it('A network that is gone is waited for, and a full storage refuses what is new', async () => {
  await using orchestrator = createTestOrchestrator();
  const task = defineTask({ id: name('fetching'), intent: 'fetch', run: async () => 'fetched' });
  await orchestrator.ready;
  orchestrator.goOffline();
  const run = orchestrator.trigger(task, null);
  await orchestrator.runUntilIdle();
  expect(run.state).toMatchObject({ phase: 'blocked', reason: 'offline' });
  orchestrator.goOnline();
  await orchestrator.runUntilIdle();
  expect(run.status).toBe('completed');
  orchestrator.quota(0);
  const late = orchestrator.trigger(task, null);
  await orchestrator.runUntil(() => orchestrator.storageState.status === 'full');
  expect(() => orchestrator.trigger(task, null)).toThrow('full');
  orchestrator.quota(Number.POSITIVE_INFINITY);
  await orchestrator.runUntilIdle();
  expect(late.status).toBe('completed');
});

it('What was dispatched can be claimed, in part or exactly, and what was instead is said', async () => {
  const resize = defineTask({ id: name('resize'), run: async (input: { width: number; name: string; at: Date }) => input.name });
  const page = defineTask({ id: name('page'), run: async (input: { width: number }, ctx) => ctx.run(resize, { ...input, name: 'a.png', at: new Date(5) }) });
  await using orchestrator = createTestOrchestrator({ localExecution: true });
  orchestrator.assertNothingDispatched();
  dispatched(orchestrator).toHaveDispatchedNothing();
  orchestrator.trigger(page, { width: 100 });
  await orchestrator.runUntilIdle();
  orchestrator.assertTaskDispatched(page.id);
  orchestrator.assertTaskDispatched(resize.id, { width: 100 });
  orchestrator.assertTaskDispatched(resize.id, { width: 100, name: 'a.png', at: new Date(5) }, { exact: true });
  expect(() => orchestrator.assertTaskDispatched(resize.id, { width: 100 }, { exact: true })).toThrow('Its inputs were: {"width":100,"name":"a.png"');
  expect(() => orchestrator.assertTaskDispatched(resize.id, { width: 101 })).toThrow('was not dispatched');
  expect(() => orchestrator.assertTaskDispatched('other')).toThrow(`There were: "${page.id}", "${resize.id}"`);
  expect(() => orchestrator.assertNothingDispatched()).toThrow('2 were dispatched');
  dispatched(orchestrator).toHaveDispatched(resize.id, { width: 100 });
  dispatched(orchestrator).not.toHaveDispatched(resize.id, { width: 100 }, { exact: true });
  expect(() => dispatched(orchestrator).not.toHaveDispatched(resize.id)).toThrow('was dispatched');
  expect(orchestrator.taskDispatches(resize.id)).toMatchObject([{ parentId: orchestrator.dispatches[0]!.runId }]);
  orchestrator.clear();
  orchestrator.assertNothingDispatched();
});

it('Where no code is run, what it would have been given is still known', async () => {
  let ran = 0;
  const task = defineTask({ id: name('not run'), run: async () => ++ran });
  await using orchestrator = createTestOrchestrator({ localExecution: false });
  const run = orchestrator.trigger(task, 1 as never);
  await orchestrator.runUntilIdle();
  expect(await run.result()).toBeUndefined();
  expect(ran).toBe(0);
  orchestrator.assertTaskDispatched(task.id, 1);
});

it('Two tests with one seed see the same', async () => {
  const task = defineTask({ id: name('by chance'), run: async (_: null, ctx) => { if (ctx.attempt.number < 3) throw new Error('again'); return [ctx.random(), ctx.uuid()]; } });
  const lives = [];
  for (let life = 0; life < 2; life++) {
    await using orchestrator = createTestOrchestrator({ seed: 42 });
    const run = orchestrator.trigger(task, null);
    await orchestrator.runUntilIdle();
    lives.push([run.id, await run.result(), orchestrator.clock.now()]);
  }
  expect(lives[1]).toEqual(lives[0]);
});

it('What is no test orchestrator is refused', async () => {
  for (const options of [{ clock: 'real' }, { clock: {} }, { tabs: 'two' }, { localExecution: 'yes' }, { nonsense: 1 }, null])
    expect(() => createTestOrchestrator(options as any), JSON.stringify(options)).toThrow('createTestOrchestrator');
  await using orchestrator = createTestOrchestrator({ storage: memory(), clock: new TestClock() });
  expect(() => void orchestrator.crashAt('at-step:x' as any).catch(() => {})).not.toThrow();
  await expect(orchestrator.crashAt('sometime' as any)).rejects.toThrow("'before-step:name' or 'after-step:name'");
  expect(() => orchestrator.failNext('x', 0)).toThrow('failNext count');
  expect(() => orchestrator.quota(-1)).toThrow('quota bytes');
  await expect(orchestrator.reload({ storage: memory() })).rejects.toThrow('keeps its clock, its storage');
  await expect(async () => (await createTestOrchestrator({ tabs: false })).newTab()).rejects.toThrow('tabs: false');
  expect(() => dispatched({}).toHaveDispatchedNothing()).toThrow('createTestOrchestrator');
});

it('Chains and swarms are claimed by their names and tasks; a signature that nobody has called is no dispatch', async () => {
  const [one, two] = [defineTask({ id: name('one'), run: async (_: unknown) => 1 }), defineTask({ id: name('two'), run: async (_: unknown) => 2 })];
  await using orchestrator = createTestOrchestrator();
  await orchestrator.ready;
  const making = [orchestrator.chain([one, two], { name: 'pipeline' }), orchestrator.swarm([two], { taskName: 'many' })] as const;
  await orchestrator.runUntilIdle();
  const [chain] = await Promise.all(making);
  orchestrator.assertChainDispatched('pipeline', [one.id, two.id]);
  expect(() => orchestrator.assertChainDispatched('pipeline', [two.id, one.id])).toThrow(`"pipeline" of [${one.id}, ${two.id}]`);
  expect(orchestrator.swarmDispatches).toHaveLength(1);
  orchestrator.assertSwarmDispatched(orchestrator.swarmDispatches[0]!.name, [two.id]);
  expect(() => orchestrator.assertSwarmDispatched('none', [])).toThrow('was not dispatched');
  orchestrator.assertNothingDispatched();
  const called = chain.runNoWait({});
  await orchestrator.runUntilIdle();
  await called;
  orchestrator.assertTaskDispatched(one.id);
});

it('A queue of scope origin has its slots for all tabs of a test together', async () => {
  let [live, most, over] = [0, 0, 0];
  const gates: (() => void)[] = [];
  const task = defineTask({
    id: name('shared'), queue: { name: 'shared', concurrency: 2, scope: 'origin' },
    run: async () => {
      most = Math.max(most, ++live);
      await new Promise<void>((resolve) => gates.push(resolve));
      live--;
    },
  });
  const one = createTestOrchestrator({ tasks: [task] });
  const two = await one.newTab();
  const runs = [one, two].flatMap((tab) => [1, 2, 3].map((input) => tab.trigger(task, input as never)));
  for (let turn = 0; turn < 200 && (over = runs.filter(({ status }) => status === 'completed').length) < runs.length; turn++) {
    await one.clock.advance(10);
    if (turn % 4 === 3) gates.shift()?.();
  }
  expect([most, over, one.warnings]).toEqual([2, 6, []]);
  await two.dispose();
  await one.dispose();
});

it('What a signature was called with is its input, its kwargs over it; a callback that has not begun is no dispatch', async () => {
  const [good, bad] = [defineTask({ id: name('good'), run: async (_: unknown) => 5 }), defineTask({ id: name('bad'), run: async (_: unknown) => 1 })];
  await using orchestrator = createTestOrchestrator();
  const task = defineTask({ id: name('signed'), run: async (_: unknown) => 1 });
  const signature = await orchestrator.sign(task, { k: 1, successCallbacks: [good], errorCallbacks: [bad] });
  orchestrator.assertNothingDispatched();
  await signature.runNoWait({ m: 2 });
  await orchestrator.runUntilIdle();
  orchestrator.assertTaskDispatched(task.id, { k: 1, m: 2 }, { exact: true });
  orchestrator.assertTaskDispatched(good.id, { result: 1 });
  expect(orchestrator.dispatches.map(({ task: id }) => id)).toEqual([task.id, good.id]);
  const swarm = await orchestrator.swarm([task], { s: 3, isSwarmClosed: true });
  await swarm.runNoWait({ m: 4 });
  await orchestrator.runUntilIdle();
  orchestrator.assertTaskDispatched(task.id, { s: 3, m: 4 }, { exact: true });
});

it('Where no code is run the names of tasks and their inputs are checked all the same, and no timer of the page is set', async () => {
  const timers = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'setInterval')];
  const picky = defineTask({ id: name('picky'), input: (value: unknown) => { if (typeof value !== 'number') throw new Error('not a number'); return value; }, run: async (n: number) => n });
  await using orchestrator = createTestOrchestrator({ localExecution: false });
  expect(() => orchestrator.trigger(picky, 'x' as never)).toThrow('not a number');
  expect(() => orchestrator.trigger('nobody' as never, 1 as never)).toThrow('no task "nobody"');
  orchestrator.assertNothingDispatched();
  const { runs } = await orchestrator.batch.triggerByTaskAndWait([{ task: picky, payload: 4 }]);
  orchestrator.assertTaskDispatched(picky.id, 4);
  expect([runs[0].ok, timers.map(({ mock }) => mock.calls.length)]).toEqual([true, [0, 0]]);
  vi.restoreAllMocks();
});

it('The clock of a test moves rates, debounces, lives of runs that wait and shown progress', async () => {
  await using orchestrator = createTestOrchestrator({ queues: { slow: { rateLimit: { limit: 2, period: '1h' } } } });
  const startMs = orchestrator.clock.now();
  const begun: number[] = [];
  const limited = defineTask({ id: name('limited'), queue: 'slow', run: async (_: number) => void begun.push((orchestrator.clock.now() - startMs) / 60_000) });
  const debounced = defineTask({ id: name('debounced'), debounce: { delay: '10m' }, run: async (n: number) => n });
  const shown = defineTask({ id: name('shown'), simulateProgress: { intervalMs: 1000 }, run: (_: null) => new Promise<void>((resolve) => orchestrator.clock.schedule(startMs + 60_000, resolve)) });
  for (let n = 0; n < 5; n++) orchestrator.trigger(limited, n);
  const expiring = orchestrator.trigger(limited, 9, { ttl: '30m' });
  const [last] = [orchestrator.trigger(debounced, 1), orchestrator.trigger(debounced, 2)];
  const run = orchestrator.trigger(shown, null);
  await orchestrator.clock.advance('30s');
  expect([run.state.progress > 10, run.status, last.status]).toEqual([true, 'running', 'pending']);
  await orchestrator.clock.advance('10m');
  expect([run.status, last.status]).toEqual(['completed', 'completed']);
  await orchestrator.runUntilIdle();
  expect([begun, expiring.state.error?.name]).toEqual([[0, 0, 60, 60, 120], 'ExpiredError']);
});
