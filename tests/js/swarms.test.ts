/** Swarms: members beside each other, so many at once, until it is closed. */
import { defineTask, DisposedError, type Swarm, type SwarmProgress, SwarmClosedError, SwarmFailedError, SwarmIsCanceledError, TaskAndMsgsDontMatchForSwarmError, TooManyTasksError } from 'holdfast';
import { expect, test } from 'vitest';
import { crash, name, open } from './houses.ts';

const settle = async (clock: { settle(): Promise<void> }) => {
  for (let turn = 0; turn < 30; turn++) await clock.settle();
};
const fails = { retry: { maxAttempts: 1 }, run: () => { throw new Error('no'); } };

test('members get the message with the kwargs of the swarm over their own; results come as they were added, failures too', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const echo = defineTask({ id: name('echo'), run: (input: unknown) => input });
  const fail = defineTask({ id: name('fail'), ...fails });
  const told = defineTask({ id: name('told'), run: ({ result }: { result: { ok: boolean }[] }) => void seen.push(result.map(({ ok }) => ok)) });
  const swarm = await orchestrator.swarm([await orchestrator.sign(echo, { a: 1, b: 1, taskIdentifiers: { page: 7 } }), fail, echo], { taskName: 'user-processing', b: 2, isSwarmClosed: true, successCallbacks: [told] });
  expect([swarm.taskName, swarm.kind, swarm.isSwarmClosed, swarm.tasks.length]).toEqual(['user-processing', 'swarm', true, 3]);
  const results = await swarm.run({ c: 3 });
  expect(results.map((result) => [result.index, result.key, result.taskIdentifier, result.identifiers, result.ok ? result.output : result.error.message])).toEqual([
    [0, swarm.tasks[0], echo.id, { page: 7 }, { a: 1, b: 2, c: 3 }], [1, swarm.tasks[1], fail.id, {}, 'no'], [2, swarm.tasks[2], echo.id, {}, { b: 2, c: 3 }],
  ]);
  await settle(clock);
  expect([seen, swarm.isSwarmDone, swarm.state.progress]).toEqual([[[true, false, true]], true, 100]);
});

test('never more run at once than it says, and an open swarm waits for more until it is closed', async () => {
  const { orchestrator, clock } = await open();
  let running = 0;
  let most = 0;
  const work = defineTask({ id: name('work'), run: async (_: unknown, ctx) => { most = Math.max(most, ++running); await ctx.yield(); running--; return 1; } });
  const swarm = await orchestrator.swarm(Array.from({ length: 7 }, () => work), { config: { maxConcurrency: 3 } });
  await swarm.runNoWait();
  await settle(clock);
  expect([most, swarm.status]).toEqual([3, 'active']);
  await swarm.addTasks([work, work]);
  await settle(clock);
  expect([swarm.tasks.length, swarm.status]).toEqual([9, 'active']);
  expect([await swarm.closeSwarm(), await swarm.closeSwarm()]).toEqual([true, false]);
  expect((await swarm.result()).length).toBe(9);
  await expect(swarm.addTask(work)).rejects.toThrow(SwarmClosedError);
});

test('an empty swarm that is closed is done at once; members with messages of their own begin it', async () => {
  const { orchestrator } = await open();
  const empty = await orchestrator.swarm([], { isSwarmClosed: true });
  expect(await empty.run()).toEqual([]);
  const echo = defineTask({ id: name('echo'), run: (input: unknown) => input });
  const swarm = await orchestrator.swarm([], { s: 1, config: { maxTaskAllowed: 3 } });
  await swarm.runInSwarm(echo, { n: 1 });
  await expect(swarm.runTasksInSwarm([echo, echo], [{}])).rejects.toThrow(TaskAndMsgsDontMatchForSwarmError);
  await expect(swarm.addTasks([echo, echo, echo])).rejects.toThrow(TooManyTasksError);
  expect([swarm.tasks.length, swarm.isSwarmClosed]).toEqual([1, false]);
  await swarm.runTasksInSwarm([echo, echo], [{ n: 2 }, { n: 3 }]);
  expect(swarm.isSwarmClosed).toBe(true);
  expect((await swarm.result()).map((result) => result.ok && result.output)).toEqual([{ n: 1, s: 1 }, { n: 2, s: 1 }, { n: 3, s: 1 }]);
});

test('with too many failures what has begun ends, what has not does not begin, and the error callback is told once', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const fail = defineTask({ id: name('fail'), ...fails });
  const slow = defineTask({ id: name('slow'), run: async (_: unknown, ctx) => { await ctx.waitFor('go'); return 1; } });
  const told = defineTask({ id: name('told'), run: (input: unknown, ctx) => void seen.push([input, ctx.failure?.error.message]) });
  const swarm = await orchestrator.swarm([slow, fail, fail, slow, slow], { config: { maxConcurrency: 2, stopAfterNFailures: 2 }, successCallbacks: [told], errorCallbacks: [told] });
  const run = await swarm.runNoWait({ m: 1 });
  await settle(clock);
  expect(swarm.status).toBe('active');
  await orchestrator.send('go');
  await settle(clock);
  await expect(run.result()).rejects.toThrow(SwarmFailedError);
  await settle(clock);
  expect(seen).toEqual([[{ m: 1 }, 'Swarm failed too much: 2 of 5 members failed.']]);
  expect((await orchestrator.signatures.children(swarm.key)).items.map(({ status }) => status)).toEqual(['done', 'failed', 'failed', 'canceled', 'canceled']);
  const hasty = await orchestrator.swarm([slow, fail, fail], { config: { stopOn: { failureRate: 0.5, minSamples: 2 }, onStop: 'cancel-running' }, isSwarmClosed: true });
  await expect(hasty.run()).rejects.toThrow('Swarm failed too much');
});

test('members have callbacks of their own; a swarm that failed is tried again for those that did not succeed', async () => {
  const { orchestrator, clock } = await open();
  const seen: string[] = [];
  let isDown = true;
  const work = defineTask({ id: name('work'), retry: { maxAttempts: 1 }, run: ({ n }: { n: number }) => { seen.push(`run ${n}`); if (isDown && n > 1) throw new Error(`no ${n}`); return n; } });
  const good = defineTask({ id: name('good'), run: ({ result }: { result: number }) => void seen.push(`good ${result}`) });
  const bad = defineTask({ id: name('bad'), run: ({ n }: { n: number }) => void seen.push(`bad ${n}`) });
  const sign = (n: number) => orchestrator.sign(work, { n });
  const swarm = await orchestrator.swarm([await sign(1), await sign(2)], { onItemSuccess: good, onItemError: [bad], config: { stopAfterNFailures: 1, maxConcurrency: 1 } });
  await expect(swarm.run()).rejects.toThrow('Swarm failed too much: 1 of 2');
  await settle(clock);
  expect(seen.splice(0).sort()).toEqual(['bad 2', 'good 1', 'run 1', 'run 2']);
  isDown = false;
  await swarm.retry();
  expect((await swarm.result()).map((result) => result.ok && result.output)).toEqual([1, 2]);
  await settle(clock);
  expect(seen).toEqual(['run 2', 'good 2']);
});

test('a swarm is paused, resumed and cancelled with its members; a cancelled one takes none', async () => {
  const { orchestrator, clock } = await open();
  const slow = defineTask({ id: name('slow'), run: async (_: unknown, ctx) => { await ctx.waitFor('go'); } });
  const swarm = await orchestrator.swarm([slow, slow]);
  await swarm.runNoWait();
  await settle(clock);
  await swarm.suspend();
  await swarm.addTask(slow);
  await settle(clock);
  const statuses = async () => (await orchestrator.signatures.children(swarm.key)).items.map(({ status }) => status);
  expect([swarm.status, ...(await statuses())]).toEqual(Array(4).fill('suspended'));
  await swarm.resume();
  await settle(clock);
  expect(await statuses()).toEqual(Array(3).fill('active'));
  await swarm.cancel();
  await settle(clock);
  expect(await statuses()).toEqual(Array(3).fill('canceled'));
  await expect(swarm.addTask(slow)).rejects.toThrow(SwarmIsCanceledError);
});

test('a swarm survives a crash after every turn: nothing is begun twice, nothing lost, one callback', async () => {
  const work = defineTask({ id: name('work'), run: async ({ n, m }: { n: number; m: number }, ctx) => { await ctx.step('a', () => 1); return n * m; } });
  const told = defineTask({ id: name('told'), run: ({ result }: { result: { output: number }[] }) => result.map(({ output }) => output) });
  for (let turns = 0; turns < 24; turns++) {
    let house = await open();
    const sign = (n: number) => house.orchestrator.sign(work, { n });
    const made = await house.orchestrator.swarm([await sign(1), await sign(2), await sign(3)], { config: { maxConcurrency: 2 }, successCallbacks: [told] });
    await made.runNoWait({ m: 10 });
    const added = sign(4).then((four) => made.addTask(four)).catch(() => {});
    for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => house.clock.defer(resolve));
    house = await crash(house);
    await settle(house.clock);
    void added;
    const swarm = await house.orchestrator.loadSignature<Swarm>(made.key);
    await swarm.closeSwarm();
    const results = await swarm.result();
    await settle(house.clock);
    const outputs = results.map((result) => (result.ok ? result.output : result.error));
    expect([turns, outputs]).toEqual([turns, [10, 20, 30, 40].slice(0, outputs.length)]);
    const runs = house.orchestrator.list().items;
    expect(runs.filter(({ taskIdentifier }) => taskIdentifier === told.id).map(({ status, result }) => [status, result])).toEqual([['completed', outputs]]);
    expect(runs.filter(({ taskIdentifier, parentId }) => taskIdentifier === work.id && parentId !== undefined).length).toBe(outputs.length);
  }
});

test('swarms stand in chains and chains in swarms, and are cloned with all that is in them', async () => {
  const { orchestrator } = await open();
  const one = defineTask({ id: name('one'), run: ({ result = 0 }: { result?: number }) => result + 1 });
  const sum = defineTask({ id: name('sum'), run: ({ result }: { result: { output: number }[] }) => result.reduce((total, { output }) => total + output, 0) });
  const inner = await orchestrator.chain([one, one]);
  const swarm = await orchestrator.swarm([inner, one], { isSwarmClosed: true });
  const chain = await orchestrator.chain([one, swarm, sum]);
  const copy = await chain.clone();
  expect([await chain.run({ result: 10 }), await copy.run({ result: 100 })]).toEqual([25, 205]);
});

test('priority says who is next, also while they wait; staggered members begin over a time', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const work = defineTask({ id: name('work'), run: async ({ n }: { n: number }, ctx) => { seen.push(n); await ctx.waitFor(`go ${n}`); } });
  const sign = (n: number, priority: number) => orchestrator.sign(work, { n, priority });
  const last = await sign(4, -5);
  const swarm = await orchestrator.swarm([await sign(1, 0), await sign(2, 1), await sign(3, 9), last], { config: { maxConcurrency: 1 }, isSwarmClosed: true });
  await swarm.runNoWait();
  await settle(clock);
  // A member that waits in its own code has given its slot back.
  expect(seen).toEqual([3, 2, 1, 4]);
  seen.length = 0;
  const held = defineTask({ id: name('held'), run: async ({ n }: { n: number }) => { seen.push(n); await new Promise((resolve) => clock.schedule(clock.now() + 10, () => resolve(undefined))); } });
  const low = await orchestrator.sign(held, { n: 3 });
  const other = await orchestrator.swarm([await orchestrator.sign(held, { n: 1 }), await orchestrator.sign(held, { n: 2 }), low], { config: { maxConcurrency: 1 }, isSwarmClosed: true });
  await other.runNoWait();
  await settle(clock);
  expect(await low.setPriority(5)).toBe(true);
  await clock.advance(100);
  await settle(clock);
  expect(seen).toEqual([1, 3, 2]);
});

test('staggered members begin over a time', async () => {
  const { orchestrator, clock } = await open();
  const begun: number[] = [];
  const work = defineTask({ id: name('work'), run: () => void begun.push(clock.now()) });
  const startMs = clock.now();
  const even = await orchestrator.swarm([work, work, work, work], { config: { stagger: 'even', window: '4s' }, isSwarmClosed: true });
  await even.runNoWait();
  await settle(clock);
  for (let second = 0; second < 4; second++) await clock.advance(1000), await settle(clock);
  expect(begun.map((at) => at - startMs)).toEqual([0, 1000, 2000, 3000]);
  const random = await orchestrator.swarm(Array.from({ length: 8 }, () => work), { config: { stagger: 'random', window: '4s' }, isSwarmClosed: true });
  const [count, randomMs] = [begun.length, clock.now()];
  await random.runNoWait();
  await settle(clock);
  for (let second = 0; second < 4; second++) await clock.advance(1000), await settle(clock);
  const offsets = begun.slice(count).map((at) => at - randomMs);
  expect(offsets).toHaveLength(8);
  expect(new Set(offsets).size).toBeGreaterThan(4);
  const one = await orchestrator.sign(work, { stagger: '1m' });
  await one.runNoWait();
  await settle(clock);
  expect(one.status).toBe('pending');
  await clock.advance(60_000);
  await settle(clock);
  expect(one.status).toBe('done');
  await expect(orchestrator.swarm([work], { config: { stagger: 'even' } })).rejects.toThrow('go together');
});

test('one that is open says so when all members have ended, and one that has failed says that to who adds', async () => {
  const { orchestrator, clock } = await open();
  const echo = defineTask({ id: name('echo'), run: (input: unknown) => input });
  const fail = defineTask({ id: name('fail'), ...fails });
  const next = defineTask({ id: name('next'), run: ({ result }: { result: unknown[] }) => result.length });
  const chain = await orchestrator.chain([await orchestrator.swarm([echo, echo]), next]);
  await chain.runNoWait({});
  await settle(clock);
  const [swarm] = (await orchestrator.signatures.children(chain.key)).items as [Swarm];
  expect(orchestrator.why(swarm.key)).toMatch(/^Is open: its 2 member\(s\) so far have ended, .* closeSwarm\(\)/);
  await swarm.closeSwarm();
  expect(await chain.result()).toBe(2);
  const failing = await orchestrator.swarm([fail], { config: { stopAfterNFailures: 1 } });
  await failing.run().catch(() => undefined);
  await expect(failing.addTask(echo)).rejects.toThrow(/has failed; nothing was added/);
});

test('what is called of a disposed orchestrator is refused, and does not wait for ever', async () => {
  const { orchestrator } = await open();
  const echo = defineTask({ id: name('echo'), run: (input: unknown) => input });
  const signature = await orchestrator.sign(echo);
  const chain = await orchestrator.chain([echo, echo]);
  const swarm = await orchestrator.swarm([echo]);
  await orchestrator.dispose();
  for (const call of [() => signature.run(), () => signature.runNoWait({}), () => signature.call(1), () => chain.run({}), () => swarm.run({}), () => swarm.closeSwarm()]) await expect(call()).rejects.toThrow(DisposedError);
});

test('a task is told how far a swarm is, each state once, also when the page dies in between', async () => {
  let house = await open();
  const told: string[] = [];
  const tell = defineTask({ id: name('tell'), run: (report: SwarmProgress) => void told.push(`${report.completed} of ${report.total}, ${report.failed} failed, ${Math.round(report.progress)}%`) });
  const work = defineTask({ id: name('work'), retry: { maxAttempts: 1 }, run: async ({ n }: { n: number }, ctx) => { await ctx.sleep(n * 1000); if (n === 2) throw new Error('no'); return n; } });
  const members = await Promise.all([1, 2, 3].map((n) => house.orchestrator.sign(work, { n })));
  const swarm = await house.orchestrator.swarm(members, { onProgress: tell, isSwarmClosed: true });
  await swarm.runNoWait();
  await settle(house.clock);
  await house.clock.advance(1000);
  await settle(house.clock);
  expect(told).toEqual(['1 of 3, 0 failed, 33%']);
  house = await crash(house);
  await settle(house.clock);
  await house.clock.advance(3000);
  await settle(house.clock);
  expect(told).toEqual(['1 of 3, 0 failed, 33%', '1 of 3, 1 failed, 67%', '2 of 3, 1 failed, 100%']);
});

test('members that are given as tasks are in the queue, and have the priority and the key, that the swarm says; signatures have their own', async () => {
  const { orchestrator, clock } = await open({ queues: { keyed: { concurrency: { perKey: 1 } }, one: { concurrency: 1 } } });
  const begun: string[] = [];
  let [live, most] = [0, 0];
  const work = defineTask({ id: name('work'), run: async ({ n }: { n: string }) => {
    begun.push(n);
    most = Math.max(most, ++live);
    await new Promise<void>((resolve) => clock.schedule(clock.now() + 10, resolve));
    live--;
  } });
  const own = await orchestrator.sign(work, { n: 'own', queue: 'one' });
  const swarm = await orchestrator.swarm([], { config: { queue: 'keyed', concurrencyKey: 'k' } });
  await swarm.runTasksInSwarm([work, work, own], [{ n: 'a' }, { n: 'b' }, {}]);
  await settle(clock);
  expect(begun).toEqual(['a', 'own']);
  expect(swarm.tasks.map((key) => orchestrator.getTaskState(key)!.queue)).toEqual(['keyed', 'keyed', 'one']);
  await clock.advance(10);
  await swarm.addTask(await orchestrator.sign(work, { n: 'c', queue: 'one' }));
  await settle(clock);
  expect([begun, most]).toEqual([['a', 'own', 'b', 'c'], 2]);
  begun.length = 0;
  const ranked = await orchestrator.swarm([await orchestrator.sign(work, { n: 'low' })], { config: { maxConcurrency: 1, priority: 7 } });
  await ranked.addTask(work);
  await ranked.runNoWait({ n: 'high' });
  await clock.advance(100);
  await settle(clock);
  expect(begun).toEqual(['high', 'low']);
  const nowhere = orchestrator.swarm([work], { config: { queue: 'nowhere' } });
  await expect(nowhere).rejects.toThrow('There is no queue "nowhere"');
  await expect(orchestrator.swarm([work], { queue: 'one' })).rejects.toThrow('swarm has an option queue, and its own run needs no slot. For its members say config: { queue: … }');
  await expect(orchestrator.swarm([work], { deadline: '1s', config: { timeout: '2s' } })).rejects.toThrow('give one of the two');
});

test('a timeout ends a swarm that is open, and what has not ended in it; it counts from the call', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  const quick = defineTask({ id: name('quick'), run: () => 1 });
  const slow = defineTask({ id: name('slow'), run: async (_: unknown, ctx) => { await ctx.waitFor('go'); } });
  const told = defineTask({ id: name('told'), run: (_: unknown, ctx) => void seen.push(ctx.failure?.error.name) });
  const swarm = await orchestrator.swarm([quick, slow], { config: { timeout: '1m' }, errorCallbacks: [told] });
  await clock.advance('1h');
  await swarm.runNoWait({});
  await clock.advance('59s');
  await settle(clock);
  expect(swarm.status).toBe('active');
  await clock.advance('10s');
  await settle(clock);
  expect([swarm.status, seen, (await orchestrator.signatures.children(swarm.key)).items.map(({ status }) => status)]).toEqual(['failed', ['DeadlineError'], ['done', 'canceled']]);
  await expect(orchestrator.swarm([], { config: { timeout: 0 } })).rejects.toThrow('config.timeout must be more than 0 ms, not 0');
});

test('what nobody says: thirty at once, a name, the message as it is; what one may: the return field, the order of ends, that the last closes it', async () => {
  const { orchestrator, clock } = await open();
  const seen: unknown[] = [];
  let [live, most] = [0, 0];
  const work = defineTask({ id: name('work'), run: async (input: unknown) => { seen.push(input); most = Math.max(most, ++live); await new Promise<void>((resolve) => clock.schedule(clock.now() + 10, resolve)); live--; } });
  const many = await orchestrator.swarm(Array.from({ length: 31 }, () => work), { isSwarmClosed: true });
  expect(many.taskName).toMatch(/^swarm-task-[0-9a-f]{32}$/);
  await many.runNoWait({ m: 1 });
  await settle(clock);
  await clock.advance(100);
  await settle(clock);
  expect([most, seen[0], many.status]).toEqual([30, { m: 1 }, 'done']);
  seen.length = 0;
  const boxed = await orchestrator.swarm([work, await orchestrator.sign(work, { returnFieldName: 'box', k: 1 })], { config: { sendSwarmMessageToReturnField: true, maxTaskAllowed: 2 } });
  expect(boxed.isSwarmClosed).toBe(true);
  await boxed.runNoWait('plain');
  await settle(clock);
  expect(seen).toEqual([{ result: 'plain' }, { box: 'plain', k: 1 }]);
  const sleep = defineTask({ id: name('sleep'), run: async ({ n }: { n: number }, ctx) => { await ctx.sleep(n * 1000); return n; } });
  const ordered = await orchestrator.swarm([], { config: { resultsOrder: 'completion', maxTaskAllowed: 2 } });
  await ordered.runTasksInSwarm([sleep, sleep], [{ n: 2 }, { n: 1 }], { closeOnMaxTask: false });
  expect(ordered.isSwarmClosed).toBe(false);
  await expect(ordered.addTask(sleep)).rejects.toThrow(TooManyTasksError);
  await ordered.closeSwarm();
  await clock.advance(5000);
  await settle(clock);
  expect((await ordered.result()).map((result) => result.ok && [result.index, result.output])).toEqual([[1, 1], [0, 2]]);
});
