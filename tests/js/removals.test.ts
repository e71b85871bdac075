/** Removal that can be undone: what was removed stands still and is not shown, and is gone when its time is over. */
import { defineTask, DisposedError, MissingSignatureError, StorageFullError } from 'holdfast';
import { createTestOrchestrator } from 'holdfast/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Orchestrator as OrchestratorClass } from '../../js/orchestrator.ts';
import { again, crash, name, open } from './houses.ts';
import { Origin } from './origin.ts';

const settle = async (clock: { settle(): Promise<void> }) => {
  for (let turn = 0; turn < 20; turn++) await clock.settle();
};

/** A chain of three of which the second is at work, and a callback that waits for its end. */
async function chain() {
  const house = await open();
  const seen: string[] = [];
  const step = defineTask({ id: name('step'), run: async ({ n }: { n: number }, ctx) => {
    await ctx.step('begin', () => seen.push(`begin ${n}`));
    if (n === 2) await ctx.sleep('1h');
    seen.push(`end ${n}`);
  } });
  const told = defineTask({ id: name('told'), run: () => void seen.push('told') });
  const members = await Promise.all([1, 2, 3].map((n) => house.orchestrator.sign(step, { n })));
  const chained = await house.orchestrator.chain(members, { success: told });
  await chained.runNoWait();
  await settle(house.clock);
  expect(seen).toEqual(['begin 1', 'end 1', 'begin 2']);
  return { house, seen, key: chained.key };
}

test('what is removed with undoFor stands still with all that goes with it, no list shows it, and undone it goes on where it was', async () => {
  const { house, seen, key } = await chain();
  const { orchestrator, clock } = house;
  const shown = orchestrator.getAllTasks().length;
  expect(await orchestrator.signatures.remove(key, { undoFor: '1d' })).toBe(true);
  expect(await orchestrator.signatures.remove(key, { undoFor: '1d' }).catch((error) => error)).toBeInstanceOf(MissingSignatureError);
  await expect(orchestrator.loadSignature(key)).rejects.toThrow(/was removed. Until 2026-01-02T\S+ undoRemove\(key\) brings it back/);
  expect(await orchestrator.removeTask(key, { undoFor: '1d' })).toBe(false);
  expect([orchestrator.getAllTasks().length, orchestrator.counts().total, orchestrator.list({ removed: true }).items.length]).toEqual([0, 0, shown]);
  expect(orchestrator.getTaskState(key)).toMatchObject({ status: 'paused', removedUntil: clock.now() + 86_400_000 });
  await clock.advance('5h');
  expect(seen).toEqual(['begin 1', 'end 1', 'begin 2']);
  expect(await orchestrator.signatures.undoRemove(key)).toBe(true);
  expect(await orchestrator.undoRemove(key)).toBe(false);
  expect([orchestrator.getAllTasks().length, orchestrator.list({ hidden: true }).items.length]).toEqual([shown, shown]);
  await clock.advance('1h');
  await settle(clock);
  expect(seen).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3', 'told']);
  expect(orchestrator.getTaskState(key)).toMatchObject({ status: 'completed' });
});

test('when its time is over nothing of it is left, and who waited for it hears so', async () => {
  const { house, seen, key } = await chain();
  const { orchestrator, clock } = house;
  const result = orchestrator.attach(key)!.result().catch((error: Error) => error.name);
  await orchestrator.removeTask(key, { undoFor: '10m' });
  await clock.advance('11m');
  await settle(clock);
  expect(await result).toBe('CanceledError');
  expect(orchestrator.list({ removed: true, hidden: true }).items).toEqual([]);
  expect(await orchestrator.undoRemove(key)).toBe(false);
  expect(orchestrator.attach(key)).toBeUndefined();
  await clock.advance('2h');
  expect(seen).toEqual(['begin 1', 'end 1', 'begin 2']);
});

test.each(['undone', 'over'] as const)('a removal outlives crashes: %s', async (way) => {
  const made = await chain();
  const { seen, key } = made;
  let { house } = made;
  const shown = house.orchestrator.getAllTasks().length;
  await house.orchestrator.removeTask(key, { undoFor: '1d' });
  for (const ended of ['crash', 'reload', 'crash'] as const) {
    house = await again(house[ended]());
    await settle(house.clock);
    await house.clock.advance('2h');
    expect([house.orchestrator.getAllTasks(), house.orchestrator.list({ removed: true }).items.length]).toEqual([[], shown]);
  }
  if (way === 'undone') {
    expect(await house.orchestrator.undoRemove(key)).toBe(true);
    house = await crash(house);
    await settle(house.clock);
    await house.clock.advance('2h');
    await settle(house.clock);
    // What had not been recorded when it crashed is done again.
    expect([...new Set(seen)]).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3', 'told']);
  } else {
    await house.clock.advance('1d');
    await settle(house.clock);
    house = await crash(house);
    expect(house.orchestrator.list({ removed: true, hidden: true }).items).toEqual([]);
    expect(seen).toEqual(['begin 1', 'end 1', 'begin 2']);
  }
});

test('what stood still before does so when it is back, and of two removals each is undone by itself', async () => {
  const { orchestrator, clock } = await open();
  const seen: number[] = [];
  const task = defineTask({ id: name('waits'), run: async (n: number, ctx) => { await ctx.sleep('1m'); seen.push(n); } });
  const batch = await orchestrator.batch.triggerByTask([1, 2, 3].map((payload) => ({ task, payload })));
  await settle(clock);
  const members = orchestrator.list({ parentId: batch.id }).items.reverse();
  await orchestrator.pauseTask(members[0]!.id, 'hard');
  expect(await orchestrator.removeTask(members[1]!.id, { undoFor: '1h' })).toBe(true);
  expect(await orchestrator.removeTask(batch.id, { undoFor: '1h' })).toBe(true);
  await clock.advance('2m');
  expect(await orchestrator.undoRemove(batch.id)).toBe(true);
  await clock.advance('2m');
  expect([seen, orchestrator.list({ parentId: batch.id }).items.length]).toEqual([[3], 2]);
  expect(await orchestrator.undoRemove(members[1]!.id)).toBe(true);
  expect(orchestrator.list({ parentId: batch.id }).items.length).toBe(3);
  await clock.advance('2m');
  expect(seen).toEqual([3, 2]);
  await orchestrator.resumeTask(members[0]!.id);
  await clock.advance('2m');
  expect(seen).toEqual([3, 2, 1]);
});

test('in bulk: all that match, with what is in them, and back again, but what stood still stands still', async () => {
  const { orchestrator, clock } = await open();
  const seen: number[] = [];
  const task = defineTask({ id: name('waits'), tags: ['mine'], run: async (n: number, ctx) => { await ctx.sleep('1m'); seen.push(n); } });
  const runs = [1, 2, 3].map((n) => orchestrator.trigger(task, n));
  const batch = await orchestrator.batch.triggerByTask([4, 5].map((payload) => ({ task, payload })));
  const kept = orchestrator.trigger(defineTask({ id: name('kept'), run: (_: null, ctx) => ctx.sleep('1d') }), null);
  await settle(clock);
  await runs[1]!.pause('hard');
  const { length } = orchestrator.getAllTasks();
  const bulk = async (asked: Promise<unknown>) => (await settle(clock), asked);
  expect(await bulk(orchestrator.runs.bulk.remove({ tags: 'mine' }, { undoFor: '1h' }))).toMatchObject({ total: 5, done: 5 });
  expect(await bulk(orchestrator.runs.bulk.remove({ text: batch.id }, { undoFor: '1h' }))).toMatchObject({ total: 1, done: 1 });
  expect(orchestrator.getAllTasks().map(({ id }) => id)).toEqual([kept.id]);
  await clock.advance('5m');
  expect(await bulk(orchestrator.runs.bulk.undoRemove({ tags: 'mine' }))).toMatchObject({ total: 5, done: 5 });
  expect(orchestrator.getAllTasks().length).toBe(4);
  expect(await bulk(orchestrator.runs.bulk.undoRemove({}))).toMatchObject({ total: 3, done: 1, skipped: 2 });
  expect(orchestrator.getAllTasks().length).toBe(length);
  await clock.advance('5m');
  expect([seen.sort(), runs[1]!.state.phase]).toEqual([[1, 3, 4, 5], 'interrupted']);
  await expect(orchestrator.runs.bulk.remove({}, { undoFor: 'soon' })).rejects.toThrow(/runs.bulk.remove undoFor/);
});

test('what has ended, what was never called and what is not there', async () => {
  const { orchestrator, clock } = await open();
  const task = defineTask({ id: name('quick'), run: (n: number) => n });
  const ended = orchestrator.trigger(task, 4);
  expect(await ended.result()).toBe(4);
  expect(await orchestrator.removeTask(ended.id, { undoFor: 1000 })).toBe(true);
  expect(orchestrator.getAllTasks()).toEqual([]);
  expect(await orchestrator.undoRemove(ended.id)).toBe(true);
  expect(orchestrator.getTaskState(ended.id)).toMatchObject({ status: 'completed', result: 4 });
  const signature = await orchestrator.sign(task);
  expect(await signature.remove({ undoFor: '1m' })).toBe(true);
  expect(await orchestrator.signatures.undoRemove(signature.key)).toBe(true);
  expect(await (await orchestrator.loadSignature(signature.key)).call(3)).toBeDefined();
  expect([await orchestrator.removeTask('nobody', { undoFor: 5 }), await orchestrator.undoRemove('nobody')]).toEqual([false, false]);
  expect(await orchestrator.removeTask(ended.id, {})).toBe(true);
  expect(await orchestrator.undoRemove(ended.id)).toBe(false);
  await expect(orchestrator.removeTask(ended.id, { undoFor: -1 })).rejects.toThrow(/removeTask undoFor/);
  await expect(orchestrator.removeTask(ended.id, { undo: 1 } as never)).rejects.toThrow('removeTask has no option "undo"');
  await clock.settle();
});

test('a removal that a crash cuts off is there with the standing still that it caused, or not at all', async () => {
  const outcomes = new Set<string>();
  for (let turns = 0; turns < 60; turns += 4) {
    let { house, seen, key } = await chain();
    const { length } = house.orchestrator.getAllTasks();
    house.orchestrator.removeTask(key, { undoFor: '1d' }).catch(() => {});
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    house = await crash(house);
    await settle(house.clock);
    const shown = house.orchestrator.getAllTasks().length;
    expect([0, length]).toContain(shown);
    outcomes.add(shown === 0 ? 'removed' : 'not removed');
    await house.clock.advance('2h');
    await settle(house.clock);
    expect(seen.includes('told')).toBe(shown > 0);
    if (shown === 0) expect(await house.orchestrator.undoRemove(key)).toBe(true);
  }
  expect([...outcomes].sort()).toEqual(['not removed', 'removed']);
});

test('of a run of another tab, which does what it is asked for', async () => {
  const origin = new Origin();
  onTestFinished(() => origin.close());
  const task = defineTask({ id: name('theirs'), run: async (_: null, ctx) => ctx.sleep('1h') });
  const [theirs, ours] = [await origin.open({ tasks: [task] }), await origin.open({ tasks: [task] })];
  let id = '';
  theirs.act(() => void ({ id } = theirs.orchestrator.trigger(task, null)));
  const later = async () => {
    for (let turn = 0; turn < 20; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      await origin.clock.advance(100);
    }
  };
  const ask = async (what: () => Promise<boolean>) => {
    let asked!: Promise<boolean>;
    ours.act(() => void (asked = what()));
    await later();
    return asked;
  };
  await later();
  expect(ours.orchestrator.getAllTasks().map((state) => state.id)).toEqual([id]);
  expect(await ask(() => ours.orchestrator.removeTask(id, { undoFor: '1d' }))).toBe(true);
  expect([ours, theirs].map(({ orchestrator }) => [orchestrator.getAllTasks().length, orchestrator.list({ removed: true }).items.length])).toEqual([[0, 1], [0, 1]]);
  expect(await ask(() => ours.orchestrator.undoRemove(id))).toBe(true);
  expect([ours, theirs].map(({ orchestrator }) => orchestrator.getAllTasks().length)).toEqual([1, 1]);
  // Removed again, its tab dies; who takes it over takes the removal too.
  expect(await ask(() => ours.orchestrator.removeTask(id, { undoFor: '1d' }))).toBe(true);
  theirs.kill();
  await later();
  expect([ours.orchestrator.getAllTasks().length, ours.orchestrator.list({ removed: true }).items.length]).toEqual([0, 1]);
  expect(await ask(() => ours.orchestrator.undoRemove(id))).toBe(true);
  expect(ours.orchestrator.getTaskState(id)).toMatchObject({ local: true, phase: 'waiting' });
});

test('what is over in the meantime, or what it follows, begins nothing before it is back', async () => {
  let house = await open();
  const seen: string[] = [];
  const late = defineTask({ id: name('late'), deadline: '10m', retry: { maxAttempts: 1 }, run: async (_: unknown, ctx) => ctx.sleep('1h') });
  const failed = defineTask({ id: name('failed'), run: () => void seen.push('failed') });
  const signature = await house.orchestrator.sign(late, { errorCallbacks: [failed] });
  await signature.runNoWait();
  await settle(house.clock);
  expect(await house.orchestrator.removeTask(signature.key, { undoFor: '1d' })).toBe(true);
  await house.clock.advance('1h');
  await settle(house.clock);
  house = await crash(house);
  await settle(house.clock);
  expect([seen, house.orchestrator.getAllTasks()]).toEqual([[], []]);
  expect(await house.orchestrator.undoRemove(signature.key)).toBe(true);
  await house.clock.advance('1h');
  await settle(house.clock);
  expect(seen).toEqual(['failed']);
});

test('who asks first is first: what is removed and undone in one turn is there', async () => {
  const { orchestrator, clock } = await open();
  const task = defineTask({ id: name('waits'), run: (_: null, ctx) => ctx.sleep('1h') });
  const run = orchestrator.trigger(task, null);
  await run.accepted;
  const asked = [orchestrator.removeTask(run.id, { undoFor: '1h' }), orchestrator.removeTask(run.id, { undoFor: '2h' }), orchestrator.undoRemove(run.id), orchestrator.undoRemove(run.id)];
  expect(await Promise.all(asked)).toEqual([true, false, true, false]);
  await clock.settle();
  expect([run.state.phase, run.state.removedUntil]).toEqual(['waiting', undefined]);
});

test('nothing makes go on what is removed, not even what is done to its batch', async () => {
  const { orchestrator, clock } = await open();
  const seen: (number | string)[] = [];
  const task = defineTask({ id: name('waits'), run: async (n: number, ctx) => { await ctx.sleep('1m'); seen.push(n); } });
  const failing = orchestrator.trigger(defineTask({ id: name('fails'), retry: { maxAttempts: 1 }, run: () => { seen.push('tried'); throw new Error('no'); } }), null);
  const batch = await orchestrator.batch.triggerByTask([1, 2].map((payload) => ({ task, payload })));
  await settle(clock);
  const [second, first] = orchestrator.list({ parentId: batch.id }).items;
  await orchestrator.removeTask(first!.id, { undoFor: '1d' });
  await orchestrator.removeTask(failing.id, { undoFor: '1d' });
  expect([await orchestrator.resumeTask(first!.id), await orchestrator.pauseTask(first!.id), await orchestrator.retryTask(failing.id)]).toEqual([false, false, undefined]);
  await orchestrator.pauseTask(batch.id, 'hard');
  await orchestrator.resumeTask(batch.id);
  await clock.advance('2m');
  expect(seen).toEqual(['tried', 2]);
  expect(orchestrator.getTaskState(second!.id)!.status).toBe('completed');
  // Back in a batch that stands still, it does so too.
  await orchestrator.pauseTask(batch.id, 'hard');
  expect(await orchestrator.undoRemove(first!.id)).toBe(true);
  await clock.advance('2m');
  expect(seen).toEqual(['tried', 2]);
  await orchestrator.resumeTask(batch.id);
  await clock.advance('2m');
  expect([seen, orchestrator.getTaskState(batch.id)!.status]).toEqual([['tried', 2, 1], 'completed']);
});

test('code that was to pause at its next step is stopped at once', async () => {
  const { orchestrator, clock } = await open();
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  const aborted: boolean[] = [];
  const run = orchestrator.trigger(defineTask({ id: name('works'), run: async (_: null, ctx) => { await promise; aborted.push(ctx.signal.aborted); await ctx.step('next', () => 1); } }), null);
  await settle(clock);
  await run.pause('soft');
  await orchestrator.removeTask(run.id, { undoFor: '1d' });
  resolve();
  await settle(clock);
  expect([aborted, run.state.phase]).toEqual([[true], 'interrupted']);
  await orchestrator.undoRemove(run.id);
  await settle(clock);
  expect([aborted, run.state.phase]).toEqual([[true], 'interrupted']);
});

test('removed for good meanwhile, it is gone with what is in it, and a run that gets its id is another one', async () => {
  let house = await open();
  const task = defineTask({ id: name('waits'), run: (_: null, ctx) => ctx.sleep('1d') });
  const first = house.orchestrator.trigger(task, null, { id: 'mine' });
  const batch = await house.orchestrator.batch.triggerByTask([null, null].map((payload) => ({ task, payload })));
  await settle(house.clock);
  for (const id of [first.id, batch.id]) {
    expect(await house.orchestrator.removeTask(id, { undoFor: '1h' })).toBe(true);
    expect(await house.orchestrator.removeTask(id)).toBe(true);
    expect(await house.orchestrator.undoRemove(id)).toBe(false);
  }
  await settle(house.clock);
  expect(house.orchestrator.list({ removed: true, hidden: true }).items).toEqual([]);
  await house.clock.advance('1s');
  await house.orchestrator.trigger(task, null, { id: 'mine' }).accepted;
  expect(await house.orchestrator.removeTask('mine', { undoFor: '3h' })).toBe(true);
  expect(await house.orchestrator.undoRemove('mine')).toBe(true);
  house = await crash(house);
  await house.clock.advance('2h');
  expect(house.orchestrator.getAllTasks().map(({ id, phase }) => [id, phase])).toEqual([['mine', 'waiting']]);
});

test('a key of what is removed is free, and holds again when it is back', async () => {
  let house = await open();
  const task = defineTask({ id: name('keyed'), run: (_: null, ctx) => ctx.sleep('1h') });
  const ask = async () => {
    const run = house.orchestrator.trigger(task, null, { idempotencyKey: 'k' });
    await settle(house.clock);
    return run.id;
  };
  const first = await ask();
  await house.orchestrator.removeTask(first, { undoFor: '1d' });
  const second = await ask();
  expect([second === first, await ask()]).toEqual([false, second]);
  await house.clock.advance('2h');
  expect(await ask()).toBe(second);
  await house.orchestrator.removeTask(second, { undoFor: '1d' });
  house = await crash(house);
  expect(await house.orchestrator.undoRemove(first)).toBe(true);
  expect(await ask()).toBe(first);
});

test('a page that opens shows nothing of it for a moment, and counts it nowhere', async () => {
  let house = await open();
  const task = defineTask({ id: name('waits'), run: (_: null, ctx) => ctx.sleep('1d') });
  const { id } = house.orchestrator.trigger(task, null);
  await settle(house.clock);
  await house.orchestrator.removeTask(id, { undoFor: '1h' });
  for (const wait of ['1m', '2h'] as const) {
    house = await crash(house);
    expect([house.orchestrator.getAllTasks(), house.orchestrator.counts().total, (await house.orchestrator.ready).kept]).toEqual([[], 0, []]);
    await house.clock.advance(wait);
  }
  await settle(house.clock);
  expect(house.orchestrator.list({ removed: true, hidden: true }).items).toEqual([]);
});

test('of several removals each says until when, and undoing many looks at each once', async () => {
  const { orchestrator, clock } = await open();
  const task = defineTask({ id: name('waits'), tags: ['mine'], run: (_: null, ctx) => ctx.sleep('1d') });
  const batch = await orchestrator.batch.triggerByTask(Array.from({ length: 200 }, () => ({ task, payload: null })));
  await settle(clock);
  const member = orchestrator.list({ parentId: batch.id }).items[0]!.id;
  const until = () => (orchestrator.getTaskState(member)!.removedUntil! - clock.now()) / 3_600_000;
  await orchestrator.removeTask(member, { undoFor: '1h' });
  await orchestrator.removeTask(batch.id, { undoFor: '2h' });
  expect(until()).toBe(2);
  await orchestrator.undoRemove(batch.id);
  expect(until()).toBe(1);
  await orchestrator.undoRemove(member);
  const looked = vi.spyOn((orchestrator as OrchestratorClass).services.children, 'of');
  for (const verb of ['remove', 'undoRemove'] as const) {
    const asked = orchestrator.runs.bulk[verb]({ tags: 'mine' }, verb === 'remove' ? { undoFor: '1h' } : {});
    await settle(clock);
    expect(await asked).toMatchObject({ done: 200 });
  }
  expect(looked.mock.calls.length).toBeLessThan(200 * 10);
});

test('a child that was removed for good while its parent lives on is shown as the cancelled one that it is', async () => {
  const { orchestrator, clock } = await open();
  const child = defineTask({ id: name('child'), run: (_: null, ctx) => ctx.sleep('1d') });
  const parent = orchestrator.trigger(defineTask({ id: name('parent'), run: async (_: null, ctx) => { await ctx.run(child, null).catch(() => {}); await ctx.sleep('1d'); } }), null);
  await settle(clock);
  const { id } = orchestrator.list({ parentId: parent.id }).items[0]!;
  await orchestrator.removeTask(id, { undoFor: '1h' });
  expect(orchestrator.explain(parent.id).reasons).toMatchObject([{ kind: 'child', runs: [id] }]);
  await clock.advance('2h');
  await settle(clock);
  expect(orchestrator.getAllTasks().map((state) => [state.id, state.phase])).toEqual([[id, 'cancelled'], [parent.id, 'waiting']]);
});

test('a signature that is removed is used for nothing, and its container does not show it', async () => {
  const { orchestrator, clock } = await open();
  const task = defineTask({ id: name('signed'), run: (_: unknown, ctx) => ctx.sleep('1d') });
  const swarm = await orchestrator.swarm([task, task], {});
  await swarm.runNoWait();
  await settle(clock);
  await orchestrator.removeTask(swarm.tasks[0]!, { undoFor: '1h' });
  expect([(await orchestrator.signatures.children(swarm.key)).total, (await orchestrator.signatures.containerSummary(swarm.key)).total]).toEqual([1, 1]);
  await swarm.remove({ undoFor: '1h' });
  const one = await orchestrator.sign(task);
  await one.remove({ undoFor: '1h' });
  for (const use of [() => swarm.addTask(task), () => one.runNoWait(), () => one.addCallbacks({ success: [task] }), () => orchestrator.chain([task, one]), () => orchestrator.sign(task, { successCallbacks: [one] })]) {
    const error = await use().catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(MissingSignatureError);
    expect((error as Error).message).toContain('undoRemove(key) brings it back');
  }
  expect(orchestrator.getAllTasks()).toEqual([]);
  await orchestrator.signatures.undoRemove(one.key);
  expect(await one.runNoWait()).toBeDefined();
});

test('a house that is disposed says so', async () => {
  const { orchestrator } = await open();
  const { id } = orchestrator.trigger(defineTask({ id: name('waits'), run: (_: null, ctx) => ctx.sleep('1d') }), null);
  const asked = orchestrator.removeTask(id, { undoFor: '1h' });
  void orchestrator.dispose();
  for (const refused of [asked, orchestrator.removeTask(id, { undoFor: '1h' }), orchestrator.undoRemove(id), orchestrator.undoRemove('nobody')]) await expect(refused).rejects.toBeInstanceOf(DisposedError);
});

test('where the storage is full it says what can be done, and changes nothing; what comes before that waits for room', async () => {
  await using orchestrator = createTestOrchestrator();
  const task = defineTask({ id: name('waits'), run: (_: null, ctx) => ctx.sleep('1d') });
  const run = orchestrator.trigger(task, null);
  await orchestrator.runUntil(() => run.state.phase === 'waiting');
  orchestrator.quota(0);
  const removed = orchestrator.removeTask(run.id, { undoFor: '1h' });
  await orchestrator.runUntil(() => orchestrator.storageState.status === 'full');
  expect(orchestrator.getAllTasks()).toEqual([]);
  const undone = orchestrator.undoRemove(run.id);
  const refused = await orchestrator.removeTask(run.id, { undoFor: '1h' }).catch((error: Error) => error);
  expect(refused).toBeInstanceOf(StorageFullError);
  expect((refused as Error).message).toContain('Without undoFor it is removed for good');
  orchestrator.quota(Number.POSITIVE_INFINITY);
  await orchestrator.clock.advance('5m');
  expect(await Promise.all([removed, undone])).toEqual([true, true]);
  expect(orchestrator.list({ removed: true, hidden: true }).items.map(({ id, phase, removedUntil }) => [id, phase, removedUntil])).toEqual([[run.id, 'waiting', undefined]]);
});

test('what it keeps of many members is little: they stand still as before and have their keys, over a crash too', async () => {
  let house = await open({ limits: { valueBytes: 20_000 } });
  const task = defineTask({ id: name('keyed'), run: (_: number, ctx) => ctx.sleep('1d') });
  const batch = await house.orchestrator.batch.triggerByTask(Array.from({ length: 500 }, (_, n) => ({ task, payload: n, options: { idempotencyKey: `k${n}` } })));
  await settle(house.clock);
  await house.orchestrator.pauseTask(batch.id, 'hard');
  const before = house.orchestrator.list({ parentId: batch.id, limit: 500 }).items;
  await house.orchestrator.resumeTask(before[7]!.id);
  await settle(house.clock);
  expect(await house.orchestrator.removeTask(batch.id, { undoFor: '1h' })).toBe(true);
  house = await crash(house);
  expect(await house.orchestrator.undoRemove(batch.id)).toBe(true);
  await settle(house.clock);
  const after = house.orchestrator.list({ parentId: batch.id, limit: 500 }).items;
  expect(after.map(({ id, idempotencyKeyExpiresAt }) => [id, idempotencyKeyExpiresAt])).toEqual(before.map(({ id, idempotencyKeyExpiresAt }) => [id, idempotencyKeyExpiresAt]));
  expect(after.flatMap(({ phase }, index) => (phase === 'interrupted' ? [] : [index]))).toEqual([7]);
});

test('a tab that takes over what was removed shows nothing of it for a moment, though its code has to be fetched', async () => {
  const origin = new Origin();
  onTestFinished(() => origin.close());
  const task = defineTask({ id: name('theirs'), run: async (_: null, ctx) => ctx.sleep('1h') });
  const [theirs, ours] = [await origin.open({ tasks: [task] }), await origin.open({ tasks: [task] })];
  const turn = async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await origin.clock.advance(100);
  };
  theirs.act(() => {
    const { id } = theirs.orchestrator.trigger(task, null);
    void theirs.orchestrator.removeTask(id, { undoFor: '1d' });
  });
  for (let turns = 0; turns < 20; turns++) await turn();
  const { removals } = ours.orchestrator;
  const load = removals.load.bind(removals);
  const fetched = async () => {
    for (let turns = 0; turns < 5; turns++) await turn();
    return load();
  };
  let fetching: ReturnType<typeof fetched> | undefined;
  vi.spyOn(removals, 'load').mockImplementation(() => (fetching ??= fetched()));
  theirs.kill();
  const shown: number[] = [];
  for (let turns = 0; turns < 60; turns++) {
    await turn();
    shown.push(ours.orchestrator.getAllTasks().length);
  }
  expect([Math.max(...shown), ours.orchestrator.list({ removed: true }).items.map(({ local, phase }) => [local, phase])]).toEqual([0, [[true, 'interrupted']]]);
});
