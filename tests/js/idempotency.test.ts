/** Keys: which calls are one run, over failures, time, reloads, crashes and tabs. */
import { ConfigurationError, defineTask, DuplicateRunError, idempotencyKeys, InputValidationError, SerializationError, type Task } from 'holdfast';
import { afterEach, describe, expect, it } from 'vitest';
import { openHouse } from './house.ts';
import { closeLater, crash, open } from './houses.ts';
import { Origin } from './origin.ts';

const dayMs = 86_400_000;
let count = 0;
const calls: unknown[] = [];
const gates: (() => void)[] = [];
let origin: Origin | undefined;

afterEach(async () => {
  calls.length = 0;
  gates.length = 0;
  await origin?.close();
  origin = undefined;
});

function order(spec: object = {}): Task<string, any, any> {
  return defineTask({
    id: `order-${++count}`,
    retry: { maxAttempts: 1 },
    run: (input: any) => {
      calls.push(input);
      if (input?.fail) throw new Error('no');
      return input?.wait ? new Promise((resolve) => gates.push(() => resolve(input))) : { done: input };
    },
    ...spec,
  });
}

describe('A key', () => {
  it('makes two calls of one turn one run, and the second says that it is cached', async () => {
    const { orchestrator } = await open();
    const task = order();
    const one = orchestrator.trigger(task, 1, { idempotencyKey: 'a' });
    const other = orchestrator.trigger(task, 2, { idempotencyKey: 'a' });
    expect([one.isCached, other.isCached]).toEqual([false, true]);
    expect(other.id).toBe(one.id);
    await other.accepted;
    expect(await other.result()).toEqual({ done: 1 });
    expect(calls).toEqual([1]);
    expect(orchestrator.getAllTasks()).toHaveLength(1);
    expect(one.idempotencyKey).toBe('a');
    expect(one.state.idempotencyKeyExpiresAt).toBe(one.state.createdAt + 30 * dayMs);
  });

  it('of one task is none of another, and lists and texts that look alike are different', async () => {
    const { orchestrator } = await open();
    const [task, other] = [order(), order()];
    const keys = ['a', ['a'], '["a"]', ['a', 'b'], ['ab'], '{"payload":"a"}', '"a"'];
    const runs = [...keys.map((idempotencyKey) => orchestrator.trigger(task, 0, { idempotencyKey })), orchestrator.trigger(other, 0, { idempotencyKey: 'a' })];
    expect(new Set(runs.map(({ id }) => id)).size).toBe(runs.length);
    for (const idempotencyKey of keys) expect(orchestrator.trigger(task, 0, { idempotencyKey }).isCached).toBe(true);
  });

  it('is held by a run that is alive, has succeeded or was cancelled, not by one that failed', async () => {
    const { orchestrator } = await open();
    const task = order();
    const alive = orchestrator.trigger(task, { wait: true }, { idempotencyKey: 'alive' });
    const cancelled = orchestrator.trigger(task, { wait: true }, { idempotencyKey: 'cancelled', graceMs: 0 });
    const failed = orchestrator.trigger(task, { fail: true }, { idempotencyKey: 'failed' });
    await failed.wait();
    void cancelled.cancel();
    await cancelled.accepted;
    const again = (idempotencyKey: string) => orchestrator.trigger(task, 1, { idempotencyKey });
    expect(again('alive')).toMatchObject({ id: alive.id, isCached: true });
    expect(again('cancelled')).toMatchObject({ id: cancelled.id, isCached: true });
    const anew = again('failed');
    expect(anew.isCached).toBe(false);
    expect(await anew.result()).toEqual({ done: 1 });
    expect(again('failed')).toMatchObject({ id: anew.id, isCached: true });
  });

  it('counts until its time, to the millisecond, and needs no clean-up for it', async () => {
    const { orchestrator, clock } = await open();
    const task = order();
    const one = orchestrator.trigger(task, 1, { idempotencyKey: 'a', idempotencyKeyTTL: '10s' });
    await one.result();
    await clock.advance(9999);
    expect(orchestrator.trigger(task, 2, { idempotencyKey: 'a' })).toMatchObject({ id: one.id, isCached: true });
    await clock.advance(1);
    const other = orchestrator.trigger(task, 3, { idempotencyKey: 'a' });
    expect(other.isCached).toBe(false);
    expect(await other.result()).toEqual({ done: 3 });
  });

  it('is freed by reset, also while its run is alive, for good', async () => {
    const house = await open();
    const task = order();
    const key = idempotencyKeys.create(['a', 'b'], { scope: 'global' });
    const one = house.orchestrator.trigger(task, { wait: true }, { idempotencyKey: key });
    expect(await house.orchestrator.idempotencyKeys.reset(task, key)).toBe(true);
    expect(await house.orchestrator.idempotencyKeys.reset(task.id, ['a', 'b'])).toBe(false);
    const later = await crash(house, { tasks: [task] });
    expect(later.orchestrator.trigger(task, 1, { idempotencyKey: ['a', 'b'] }).id).not.toBe(one.id);
  });

  it('joins runs whose files are still being stored, and keeps one file', async () => {
    const { orchestrator } = await open();
    const task = order({ run: async (input: Blob) => (await input.text()).length });
    const blob = () => new Blob(['x'.repeat(100_000)]);
    const [one, other] = [orchestrator.trigger(task, blob(), { idempotencyKey: 'a' }), orchestrator.trigger(task, blob(), { idempotencyKey: 'a' })];
    expect(other).toMatchObject({ id: one.id, isCached: true });
    expect(await other.result()).toBe(100_000);
    expect(await orchestrator.journal!.slot.blobIds()).toHaveLength(1);
  });

  it('stands for nothing where a replay repeats a run, unless the replay has one', async () => {
    const { orchestrator } = await open();
    const task = order();
    const one = orchestrator.trigger(task, 1, { idempotencyKey: 'a' });
    await one.result();
    const again = await orchestrator.runs.replay(one.id);
    expect(again.id).not.toBe(one.id);
    expect(again.idempotencyKey).toBeUndefined();
    expect(await orchestrator.runs.replay(one.id, { idempotencyKey: 'a' })).toMatchObject({ id: one.id, isCached: true });
  });
});

describe('Over reloads and crashes a key', () => {
  it('is held by the run that was accepted, whichever way the page ended, and after a compaction', async () => {
    let house = await open();
    const task = order();
    const one = house.orchestrator.trigger(task, 1, { idempotencyKey: 'a' });
    await one.result();
    for (const end of ['reload', 'crash'] as const) {
      house = closeLater(await house[end]());
      expect(house.orchestrator.trigger(task, 2, { idempotencyKey: 'a' })).toMatchObject({ id: one.id, isCached: true, idempotencyKey: 'a' });
      await house.orchestrator.journal!.rewrite();
    }
    expect(calls).toEqual([1]);
  });

  it('is known before a call is carried out that came before the journal was read', async () => {
    const house = await open();
    const task = order();
    const one = house.orchestrator.trigger(task, 1, { idempotencyKey: 'a' });
    await one.result();
    house.cut();
    const opening = openHouse({ tasks: [task] }, house.clock, house.storage);
    const { Orchestrator } = await import('../../js/orchestrator.ts');
    await (await opening).orchestrator.dispose();
    const early = new Orchestrator({ seed: 99, clock: house.clock, storage: house.storage, tabs: false, tasks: [task] });
    const [two, three] = [early.trigger(task, 2, { idempotencyKey: 'a' }), early.trigger(task, 3, { idempotencyKey: 'b' })];
    const four = early.trigger(task, 4, { idempotencyKey: 'b' });
    const heard = two.result();
    await Promise.all([two.accepted, three.accepted, four.accepted]);
    expect(two).toMatchObject({ id: one.id, isCached: true });
    expect(await heard).toEqual({ done: 1 });
    expect([three.isCached, four.isCached, four.id === three.id]).toEqual([false, true, true]);
    expect(early.getAllTasks()).toHaveLength(2);
    await early.dispose();
  });

  it('and its run are stored together or not at all, wherever the tab dies', async () => {
    for (let writes = 0; writes < 6; writes++) {
      const house = await open();
      const task = order();
      const one = house.orchestrator.trigger(task, { wait: true }, { idempotencyKey: 'a' });
      for (let turn = 0; turn < writes; turn++) await Promise.resolve();
      const later = await crash(house, { tasks: [task] });
      const other = later.orchestrator.trigger(task, { wait: true }, { idempotencyKey: 'a' });
      await other.accepted;
      expect(later.orchestrator.getAllTasks()).toHaveLength(1);
      expect(other.isCached).toBe(other.id === one.id);
    }
  });
});

describe('A key that follows from the payload', () => {
  it('is the same for equal payloads, in whatever order their fields stand, and for files of the same content', async () => {
    const { orchestrator } = await open();
    const task = order({ idempotency: { from: 'payload', ttl: '1h' } });
    const payload = (text: string) => ({ at: new Date(5), file: new File([text], 'a.txt'), tags: new Set([1, 2]) });
    const one = orchestrator.trigger(task, { ...payload('x'), wait: true });
    const same = orchestrator.trigger(task, { wait: true, ...payload('x') });
    const different = orchestrator.trigger(task, { ...payload('y'), wait: true });
    await Promise.all([one.accepted, same.accepted, different.accepted]);
    expect(same).toMatchObject({ id: one.id, isCached: true });
    expect(different.isCached).toBe(false);
    expect(orchestrator.getAllTasks()).toHaveLength(2);
  });

  it('leaves the file of the first to it, whose content a joined call has stored too; a refused one keeps nothing', async () => {
    const task = defineTask({ id: 'reads', idempotency: { from: 'payload' }, run: async ({ file }: { file: File }, ctx) => {
      await ctx.sleep('1m');
      return file.text();
    } });
    const house = await open({ tasks: [task] });
    const [one, same] = [1, 2].map(() => house.orchestrator.trigger(task, { file: new File(['x'.repeat(200_000)], 'a.txt') }));
    await Promise.all([one!.accepted, same!.accepted]);
    expect(same).toMatchObject({ isCached: true });
    expect(same!.id).toBe(one!.id);
    const refused = house.orchestrator.trigger(task, { file: new File(['x'.repeat(200_000)], 'a.txt') }, { onDuplicate: 'reject' });
    await expect(refused.accepted).rejects.toThrow(DuplicateRunError);
    await house.clock.settle();
    expect(await house.orchestrator.storageUsage()).toMatchObject({ blobs: { count: 1 } });
    const next = await crash(house);
    await next.clock.advance(60_000);
    expect(await next.orchestrator.attach(one!.id)!.result()).toHaveLength(200_000);
  });

  it('is that of the payload as it was at the call', async () => {
    const { orchestrator } = await open();
    const task = order({ idempotency: { from: 'payload' } });
    const payload = { page: 1 };
    const one = orchestrator.trigger(task, payload);
    payload.page = 2;
    const other = orchestrator.trigger(task, payload);
    expect(await Promise.all([one.result(), other.result()])).toEqual([{ done: { page: 1 } }, { done: { page: 2 } }]);
    expect(await orchestrator.trigger(task, { page: 1 }).result()).toEqual({ done: { page: 1 } });
    expect(calls).toHaveLength(2);
  });

  it('is what a function of it gives, none where that is undefined, and a call may give another', async () => {
    const { orchestrator } = await open();
    const task = order({ idempotency: { from: ({ id }: any) => id } });
    const [one, other] = [orchestrator.trigger(task, { id: 'x', n: 1 }), orchestrator.trigger(task, { id: 'x', n: 2 })];
    expect(other).toMatchObject({ id: one.id, isCached: true });
    expect(orchestrator.trigger(task, { n: 1 }).id).not.toBe(orchestrator.trigger(task, { n: 1 }).id);
    expect(orchestrator.trigger(task, { id: 'x' }, { idempotencyKey: 'y' }).isCached).toBe(false);
    expect(await orchestrator.executeTask('name', task as any, { id: 'x' })).toBe(one.id);
  });

  it('does not keep what the schema refuses, and says so at the call', async () => {
    const { orchestrator } = await open();
    const input = (value: any) => {
      if (!value.ok) throw new Error('not ok');
      return value;
    };
    for (const idempotency of [{ from: 'payload' }, { from: () => 'k' }]) {
      const task = order({ input, idempotency });
      expect(() => orchestrator.trigger(task, { ok: false })).toThrow(InputValidationError);
      expect(() => orchestrator.trigger(task, { ok: true, code: () => 1 })).toThrow(SerializationError);
      expect(await orchestrator.trigger(task, { ok: true }).result()).toEqual({ done: { ok: true } });
    }
    expect(orchestrator.getAllTasks()).toHaveLength(2);
  });
});

describe('In a run a key', () => {
  it('is that of the run, of its attempt, or everybody\'s', async () => {
    const { orchestrator, clock } = await open();
    const child = order();
    let failures = 1;
    const parent = order({
      retry: { maxAttempts: 2, minDelayMs: 1 },
      run: async (name: string, ctx: any) => {
        const attempt = ctx.attempt.number ?? ctx.attempt;
        for (const scope of ['run', 'attempt', 'global'] as const) {
          const idempotencyKey = idempotencyKeys.create('k', { scope });
          await ctx.run(child, { name, scope }, { idempotencyKey, id: `${scope}-${attempt}` });
        }
        if (failures-- > 0) throw new Error('again');
        return 'ok';
      },
    });
    const one = orchestrator.trigger(parent, 'one');
    for (let turn = 0; turn < 40; turn++) await clock.advance(5);
    expect(await one.result()).toBe('ok');
    const made = () => calls.map((call: any) => call.scope);
    // The second attempt finds the run's and everybody's, and has one of its own.
    expect(made()).toEqual(['run', 'attempt', 'global', 'attempt']);
    await orchestrator.trigger(parent, 'two').result();
    expect(made().slice(4)).toEqual(['run', 'attempt']);
  });

  it('that another run holds gives its output, recorded before the code goes on, and again after a crash', async () => {
    let house = await open();
    const child = order();
    const seen: unknown[] = [];
    const parent = order({
      run: async (_: unknown, ctx: any) => {
        const output = await ctx.run(child, 'child', { idempotencyKey: idempotencyKeys.create('k', { scope: 'global' }) });
        seen.push(output);
        await ctx.step('wait', () => new Promise((resolve) => gates.push(() => resolve(1))));
        return output;
      },
    });
    const first = house.orchestrator.trigger(child, 'first', { idempotencyKey: 'k' });
    await first.result();
    const run = house.orchestrator.trigger(parent, 0);
    await run.accepted;
    await house.clock.settle();
    expect(seen).toEqual([{ done: 'first' }]);
    house = await crash(house, { tasks: [child, parent] });
    await house.clock.settle();
    // What it joined is gone by now, what it got is not.
    await house.orchestrator.removeTask(first.id);
    for (const gate of gates.splice(0)) gate();
    await house.clock.settle();
    expect(await house.orchestrator.attach(run.id)!.result()).toEqual({ done: 'first' });
    expect(calls).toEqual(['first']);
  });

  it('that its own parent holds is refused, for it would wait for itself', async () => {
    const { orchestrator } = await open();
    const task: Task<string, any, any> = order({ run: (_: unknown, ctx: any) => ctx.run(task, 1, { idempotencyKey: idempotencyKeys.create('k', { scope: 'global' }) }) });
    await expect(orchestrator.trigger(task, 0, { idempotencyKey: 'k' }).result()).rejects.toThrow(ConfigurationError);
  });
});

describe('Between tabs a key', () => {
  it('that a run of another tab holds is joined there, freed there, and taken over with its run', async () => {
    origin = new Origin();
    const task = order();
    const [one, other] = [await origin.open({ tasks: [task] }), await origin.open({ tasks: [task] })];
    let held = undefined as any;
    one.act(() => (held = one.orchestrator.trigger(task, 1, { idempotencyKey: 'a' })));
    await held.result();
    for (let turn = 0; turn < 20; turn++) await origin.clock.advance(50);
    const joined = other.orchestrator.trigger(task, 2, { idempotencyKey: 'a' });
    expect(joined).toMatchObject({ id: held.id, isCached: true });
    expect(await joined.result()).toEqual({ done: 1 });
    one.kill();
    for (let turn = 0; turn < 40; turn++) await origin.clock.advance(100);
    expect(other.orchestrator.trigger(task, 3, { idempotencyKey: 'a' })).toMatchObject({ id: held.id, isCached: true });
    expect(calls).toEqual([1]);
    const third = await origin.open({ tasks: [task] });
    let freed = undefined as any;
    third.act(() => (freed = third.orchestrator.idempotencyKeys.reset(task, 'a')));
    for (let turn = 0; turn < 10; turn++) await origin.clock.advance(50);
    expect(await freed).toBe(true);
    expect(other.orchestrator.trigger(task, 4, { idempotencyKey: 'a' }).isCached).toBe(false);
  });
});

describe('Two tabs that give a key in the same moment', () => {
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await origin!.clock.advance(50);
  };
  const two = async (task: Task<string, any, any>) => {
    origin = new Origin();
    return [await origin!.open({ tasks: [task] }), await origin!.open({ tasks: [task] })] as const;
  };

  it('make one run, and both have its result', async () => {
    const task = order();
    const tabs = await two(task);
    await settle();
    const handles: any[] = [];
    for (const tab of tabs) tab.act(() => handles.push(tab.orchestrator.trigger(task, handles.length, { idempotencyKey: 'daily' })));
    await settle();
    await Promise.all(handles.map(({ accepted }) => accepted));
    expect(handles[0].id).toBe(handles[1].id);
    expect(handles.map(({ isCached }) => isCached).sort()).toEqual([false, true]);
    const [one, other] = await Promise.all(handles.map((handle) => handle.result()));
    expect(one).toEqual(other);
    expect(calls).toHaveLength(1);
  });

  it('make one run also while they open, and for many keys at once', async () => {
    const task = order();
    const tabs = await two(task);
    const handles: any[][] = tabs.map(() => []);
    tabs.forEach((tab, index) => tab.act(() => {
      for (let key = 0; key < 50; key++) handles[index]!.push(tab.orchestrator.trigger(task, key, { idempotencyKey: `key ${key}` }));
    }));
    await settle();
    await Promise.all(handles.flat().map(({ accepted }) => accepted));
    expect(handles[0]!.map(({ id }) => id)).toEqual(handles[1]!.map(({ id }) => id));
    expect(calls.length).toBe(50);
  });

  it('make one child, for a key that counts everywhere', async () => {
    const child = order();
    const parent = defineTask({ id: 'asks', run: (_: null, ctx) => ctx.run(child, 7, { idempotencyKey: idempotencyKeys.create('everywhere', { scope: 'global' }) }) });
    origin = new Origin();
    const tabs = [await origin!.open({ tasks: [child, parent] }), await origin!.open({ tasks: [child, parent] })];
    await settle();
    const handles: any[] = [];
    for (const tab of tabs) tab.act(() => handles.push(tab.orchestrator.trigger(parent, null)));
    await settle();
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([{ done: 7 }, { done: 7 }]);
    expect(calls).toEqual([7]);
  });

  it('go on when one of them dies before it has made the run', async () => {
    const task = order();
    const [one, other] = await two(task);
    await settle();
    let handle = undefined as any;
    one.act(() => void one.orchestrator.trigger(task, 1, { idempotencyKey: 'a' }).accepted.catch(() => {}));
    other.act(() => (handle = other.orchestrator.trigger(task, 2, { idempotencyKey: 'a' })));
    one.kill();
    await settle();
    expect(await handle.result()).toEqual({ done: 2 });
    expect(calls).toEqual([2]);
  });

  it('do not wait for ever for a third one that is silent', async () => {
    const task = order();
    const [one, other] = await two(task);
    await settle();
    const silent = await origin!.open({ tasks: [task] });
    await settle();
    silent.silent = true;
    let handle = undefined as any;
    one.act(() => (handle = one.orchestrator.trigger(task, 1, { idempotencyKey: 'a' })));
    for (let turn = 0; turn < 60; turn++) await origin!.clock.advance(50);
    expect(await handle.result()).toEqual({ done: 1 });
    // Nobody waits for it again.
    other.act(() => (handle = other.orchestrator.trigger(task, 2, { idempotencyKey: 'b' })));
    one.act(() => void one.orchestrator.trigger(task, 2, { idempotencyKey: 'c' }));
    await settle();
    expect(calls.length).toBeGreaterThanOrEqual(2);
  });
});

describe('What is wrong with a key', () => {
  const bad: [object, string][] = [
    [{ idempotencyKey: '' }, 'idempotencyKey must be text of 1 to 1024 bytes'],
    [{ idempotencyKey: 5 }, 'not 5'],
    [{ idempotencyKey: [] }, '1 to 16 texts'],
    [{ idempotencyKey: ['a', ''] }, 'idempotencyKey[1]'],
    [{ idempotencyKey: 'x'.repeat(1025) }, '1024'],
    [{ idempotencyKey: '\ud800' }, 'toWellFormed'],
    [{ idempotencyKey: { key: 'a' } }, 'idempotencyKeys.create'],
    [{ idempotencyKey: 'a', idempotencyKeyTTL: 0 }, 'more than 0 ms'],
    [{ idempotencyKey: 'a', idempotencyKeyTTL: 'soon' }, 'soon'],
    [{ idempotencyKey: 'a', onDuplicate: 'ignore' }, 'join, reject, replace, queue, skip'],
    [{ idempotencyKey: 'held', bogus: 1 }, 'bogus'],
    [{ idempotencyKey: 'held', timeout: 'long' }, 'long'],
    [{ idempotencyKeyTTL: 5 }, 'Give an idempotencyKey too'],
    [{ onDuplicate: 'join' }, 'Give an idempotencyKey too'],
  ];
  it('is said at the call, with the value, and nothing is kept', async () => {
    const { orchestrator } = await open();
    const task = order();
    const one = orchestrator.trigger(task, { wait: true }, { id: 'own', idempotencyKey: 'held' });
    expect(orchestrator.trigger(task, 1, { id: 'own', idempotencyKey: 'held' })).toMatchObject({ id: one.id, isCached: true });
    for (const [options, words] of bad) {
      expect(() => orchestrator.trigger(task, 1, options as any), JSON.stringify(options)).toThrow(ConfigurationError);
      expect(() => orchestrator.trigger(task, 1, options as any)).toThrow(words);
    }
    expect(() => idempotencyKeys.create('a', { scope: 'page' as any })).toThrow('run, attempt, global');
    await expect(orchestrator.idempotencyKeys.reset(task, idempotencyKeys.create('a', { scope: 'attempt' }), { parentRunId: 'x' })).rejects.toThrow('attemptNumber');
    expect(orchestrator.getAllTasks()).toHaveLength(1);
  });

  it('is said when the task is defined', () => {
    const wrong: [object, string][] = [
      [{ idempotency: { from: 'input' } }, "'payload' or a function"],
      [{ idempotency: { from: 'payload', ttl: -1 } }, '-1'],
      [{ idempotency: { from: 'payload', key: 1 } }, 'no option "key"'],
      [{ singleton: { mode: 'wait' } }, 'skip, cancel'],
      [{ singleton: { mode: 'skip', key: '' } }, 'singleton.key'],
      [{ singleton: { mode: 'skip' }, idempotency: { from: 'payload' } }, 'one of the two'],
      [{ singleton: { mode: 'skip' }, onDuplicate: 'join' }, 'one of the two'],
      [{ onDuplicate: 'never' }, 'join, reject'],
    ];
    for (const [spec, words] of wrong) {
      expect(() => order(spec), JSON.stringify(spec)).toThrow(ConfigurationError);
      expect(() => order(spec)).toThrow(words);
    }
  });

  it('DuplicateRunError names the run', async () => {
    const { orchestrator } = await open();
    const task = order();
    const one = orchestrator.trigger(task, 1, { idempotencyKey: 'a' });
    expect(() => orchestrator.trigger(task, 1, { idempotencyKey: 'a', onDuplicate: 'reject' })).toThrow(DuplicateRunError);
    expect(() => orchestrator.trigger(task, 1, { idempotencyKey: 'a', onDuplicate: 'reject' })).toThrow(one.id);
  });
});
