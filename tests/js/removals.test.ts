/** Removal that can be undone: what was removed stands still and is not shown, and is gone when its time is over. */
import { defineTask, MissingSignatureError } from 'holdfast';
import { expect, onTestFinished, test } from 'vitest';
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
