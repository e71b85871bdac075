import { defineTask, getTaskState, type Swarm, type TaskContext, TestClock } from 'holdfast';
import { describe, expect, it, vi } from 'vitest';
import { Orchestrator } from '../../js/orchestrator.ts';
import { opfs } from '../../js/storage/opfs.ts';
import { FakeDisk, threadlessWorker } from '../storage/fake-opfs.ts';
import { HandTimers } from '../storage/scenario.ts';
import { again, closeLater, open } from './houses.ts';

/** Three steps; the second waits until it is let go. */
function stepper() {
  const computed: string[] = [];
  let go: () => void = () => {};
  let blocked = true;
  const task = defineTask({ id: 'stepper', run: async (input: { name: string }, ctx: TaskContext) => {
    const one = await ctx.step('one', () => {
      computed.push('one');
      return { at: new Date(5), big: 12n };
    });
    const two = await ctx.step('two', async () => {
      computed.push('two');
      if (blocked) await new Promise<void>((resolve) => (go = resolve));
      return 2;
    });
    const again = await ctx.step('two', () => 'second of that name');
    return { name: input.name, at: one.at.getTime(), big: one.big, two, again };
  } });
  return { task, computed, go: () => go(), unblock: () => (blocked = false) };
}

describe('after a crash', () => {
  it('a run goes on from its last recorded step, with its input', async () => {
    const { task, computed, unblock } = stepper();
    const house = await open();
    const run = house.orchestrator.trigger(task, { name: 'a' }, { metadata: { fileName: 'a.pdf' } });
    await run.accepted;
    await house.clock.settle();
    expect(computed).toEqual(['one', 'two']);
    unblock();
    const next = await again(house.crash());
    expect((await next.orchestrator.ready).resumed).toEqual([run.id]);
    const handle = next.orchestrator.attach(run.id)!;
    expect(await handle.result()).toEqual({ name: 'a', at: 5, big: 12n, two: 2, again: 'second of that name' });
    expect(computed).toEqual(['one', 'two', 'two']);
    expect(handle.state).toMatchObject({ attempt: 2, retryCount: 0, metadata: { fileName: 'a.pdf' }, durable: true });
  });

  it('a page that looked too early sees the ended runs of the former one, though nothing happens to them', async () => {
    const house = await open();
    await house.orchestrator.trigger(defineTask({ id: 'over', run: async () => 1 }), null).result();
    await house.orchestrator.dispose();
    const orchestrator = new Orchestrator({ clock: house.clock, storage: house.storage, tabs: false });
    closeLater({ ...house, orchestrator });
    const seen: number[] = [];
    orchestrator.subscribe(() => seen.push(orchestrator.getAllTasks().length));
    expect([orchestrator.getAllTasks().length, orchestrator.counts().total]).toEqual([0, 0]);
    await orchestrator.ready;
    await house.clock.settle();
    expect([orchestrator.getAllTasks().length, orchestrator.counts().total]).toEqual([1, 1]);
    expect(seen.at(-1)).toBe(1);
  });

  it('what was not acknowledged was never announced', async () => {
    const house = await open();
    const task = defineTask({ id: 'instant', run: async () => 'result' });
    const events: string[] = [];
    house.orchestrator.on('complete', (id) => events.push(id));
    const run = house.orchestrator.trigger(task, null);
    const next = await again(house.crash());
    await house.clock.settle();
    expect(events).toEqual([]);
    expect(next.orchestrator.getTaskState(run.id)).toBeUndefined();
  });

  it('ended runs keep result and error, delayed ones their time, paused ones stay paused', async () => {
    const house = await open();
    const { orchestrator, clock } = house;
    const good = defineTask({ id: 'good', run: async () => new Map([['a', 1]]) });
    const bad = defineTask({ id: 'bad', retry: { maxAttempts: 1 }, run: async () => Promise.reject(Object.assign(new Error('bad'), { code: 'E7' })) });
    const ended = orchestrator.trigger(good, null);
    const failed = orchestrator.trigger(bad, null);
    const delayed = orchestrator.trigger(good, null, { delay: '1h' });
    const paused = orchestrator.trigger(good, null, { delay: '1s' });
    await paused.pause();
    await Promise.all([ended.result(), failed.wait(), delayed.accepted]);
    const dueMs = clock.now() + 3_600_000;
    await clock.advance(5000);
    const next = await again(house.crash());
    const state = (id: string) => next.orchestrator.getTaskState(id)!;
    expect(state(ended.id)).toMatchObject({ status: 'completed', result: new Map([['a', 1]]) });
    expect(state(failed.id)).toMatchObject({ status: 'failed', error: { message: 'bad', code: 'E7' } });
    expect(state(delayed.id)).toMatchObject({ phase: 'delayed', retryAt: dueMs });
    expect(state(paused.id)).toMatchObject({ status: 'paused', phase: 'suspended' });
    await clock.advance(3_600_000);
    expect(state(delayed.id).status).toBe('completed');
  });

  it('a File comes back with its name, type, time and bytes', async () => {
    const file = new File(['%PDF-fake', new Uint8Array(200_000)], 'träger.pdf', { type: 'application/pdf', lastModified: 77 });
    const seen: File[] = [];
    let hold = true;
    const task = defineTask({ id: 'file', run: async (input: { file: File }) => {
      seen.push(input.file);
      if (hold) await new Promise(() => {});
      return new Blob([await input.file.arrayBuffer()], { type: 'application/zip' });
    } });
    const house = await open();
    const run = house.orchestrator.trigger(task, { file });
    await run.accepted;
    await house.clock.settle();
    hold = false;
    const next = await again(house.crash());
    const result = await next.orchestrator.attach<Blob>(run.id)!.result();
    expect(seen[1]).toMatchObject({ name: 'träger.pdf', type: 'application/pdf', lastModified: 77, size: file.size });
    expect(new Uint8Array(await seen[1]!.arrayBuffer())).toEqual(new Uint8Array(await file.arrayBuffer()));
    expect(result).toMatchObject({ size: file.size, type: 'application/zip' });
  });

  it('removing a run frees its blobs, not before', async () => {
    const house = await open();
    const task = defineTask({ id: 'keep blob', run: async () => 1 });
    const run = house.orchestrator.trigger(task, new Blob(['x'.repeat(10)]));
    await run.result();
    const { slot } = house.orchestrator.journal!;
    expect(await slot.blobIds()).toHaveLength(1);
    expect(await house.orchestrator.removeTask(run.id)).toBe(true);
    await house.clock.settle();
    expect(await slot.blobIds()).toEqual([]);
    expect(house.orchestrator.getTaskState(run.id)).toBeUndefined();
  });

  it('blobs stored for what was never recorded are swept on the next opening', async () => {
    const house = await open();
    await house.orchestrator.journal!.slot.putBlob('00000000000000aa', new Blob(['orphan']));
    const next = await again(house.crash());
    expect(await next.orchestrator.journal!.slot.blobIds()).toEqual([]);
  });

  it('F8: a run without a definition waits, says so, and starts when it is registered', async () => {
    const house = await open();
    const { PdfTask } = { PdfTask: class PdfTask { execute = async (n: number) => new Promise<number>(() => n); } };
    const id = await house.orchestrator.executeTask('Processing: a.pdf', new PdfTask(), 5, { fileName: 'a.pdf' });
    const next = await again(house.crash());
    await next.clock.settle();
    expect((await next.orchestrator.ready).missingDefinition).toEqual([id]);
    expect(next.orchestrator.getTaskState(id)).toMatchObject({ name: 'Processing: a.pdf', status: 'paused', phase: 'blocked', reason: 'missing-definition' });
    expect(next.orchestrator.why(id)).toMatch(/No task "PdfTask" is registered/);
    next.orchestrator.registerExecutor('PdfTask', () => ({ execute: async (n: number) => n * 3 }));
    expect(await next.orchestrator.attach(id)!.result()).toBe(15);
  });

  it('a run that was running in three crashes is quarantined, others go on; orderly reloads do not count', async () => {
    const poison = defineTask({ id: 'poison', run: () => new Promise(() => {}) });
    const fine = defineTask({ id: 'fine', run: async () => 'ok' });
    let house = await open();
    const run = house.orchestrator.trigger(poison, null);
    const other = house.orchestrator.trigger(fine, null, { delay: '1h' });
    await Promise.all([run.accepted, other.accepted]);
    for (let reload = 0; reload < 4; reload++) {
      await house.clock.settle();
      house = await house.reload();
    }
    for (let crash = 0; crash < 3; crash++) {
      await house.clock.settle();
      expect(house.orchestrator.getTaskState(run.id)!.status).toBe('running');
      house = await house.crash();
    }
    closeLater(house);
    expect(house.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'failed', phase: 'quarantined', error: { code: 'QUARANTINED' } });
    await house.clock.advance(3_600_000);
    expect(house.orchestrator.getTaskState(other.id)!.status).toBe('completed');
  });

  it('a member that brings the page down takes neither its container nor what others contain with it; a page that dies while it opens counts against none of them', async () => {
    let isPoison = false;
    let house = await open({ queues: { later: {} } });
    const poison = defineTask({ id: 'poison-member', run: () => { if (isPoison) house.cut(); return new Promise<number>(() => {}); } });
    const fine = defineTask({ id: 'fine-member', queue: 'later', run: () => 1 });
    const first = house.orchestrator;
    await first.queues.pause('later');
    const one = await first.swarm([poison, fine], { isSwarmClosed: true });
    const other = await first.chain([fine, fine]);
    await one.runNoWait();
    await other.runNoWait();
    const many = await first.batch.triggerByTask([{ task: fine, payload: null }]);
    await first.schedules.create({ task: fine, every: '1h' });
    isPoison = true;
    for (let crash = 0; crash < 8; crash++) {
      // After the fourth nothing but containers runs, and the page dies before they have come to wait.
      if (crash < 4) await house.clock.settle();
      house = closeLater(await house.crash());
    }
    await house.orchestrator.queues.resume('later');
    await house.clock.advance(3_600_000);
    const { orchestrator } = house;
    const results = await (await orchestrator.loadSignature<Swarm>(one.key)).result();
    expect(results.map((result) => (result.ok ? result.output : result.error.name))).toEqual(['QuarantinedError', 1]);
    expect([other.key, many.id].map((id) => orchestrator.getTaskState(id)!.status)).toEqual(['completed', 'completed']);
    expect(await orchestrator.schedules.list()).toMatchObject([{ fired: 1 }]);
  });

  it('queues keep their runs and limits, also when the code declares them in another order', async () => {
    const task = defineTask({ id: 'queued', run: () => new Promise(() => {}) });
    const house = await open({ queues: { a: { concurrency: 1 }, b: { concurrency: 2 } } });
    const runs = [1, 2, 3].map((n) => house.orchestrator.trigger(task, n, { queue: 'b' }));
    await Promise.all(runs.map((run) => run.accepted));
    const next = await again(house.crash({ queues: { c: { concurrency: 9 }, b: { concurrency: 1 } } }));
    const more = next.orchestrator.trigger(task, 4, { queue: 'c' });
    await next.clock.settle();
    expect(next.orchestrator.counts()).toMatchObject({ running: 2, pending: 2 });
    expect(more.status).toBe('running');
  });

  it.each([[4, 1], [1, 4]])('a queue that a definition declares has the limit that the code says now: %d before, %d now', async (before, now) => {
    const define = (concurrency: number) => defineTask({ id: 'limited', queue: { name: 'limited', concurrency }, run: () => new Promise(() => {}) });
    const first = define(before);
    const house = await open({ tasks: [first] });
    const runs = Array.from({ length: 6 }, (_, n) => house.orchestrator.trigger(first, n));
    await Promise.all(runs.map((run) => run.accepted));
    await house.clock.settle();
    expect(house.orchestrator.counts()).toMatchObject({ running: before });
    const next = await again(house.crash({ tasks: [define(now)] }));
    await next.clock.settle();
    expect(next.orchestrator.counts()).toMatchObject({ running: now });
  });

  it('a queue that one definition declares is there for all others from the start; two limits are told, and the later counts', async () => {
    const run = () => new Promise(() => {});
    defineTask({ id: 'declares', queue: { name: 'shared', concurrency: 2 }, run });
    const names = defineTask({ id: 'names', queue: 'shared', run });
    const house = await open();
    const warnings: string[] = [];
    house.orchestrator.on('warning', (message) => warnings.push(message));
    for (let n = 0; n < 6; n++) house.orchestrator.trigger(names, n);
    await house.clock.settle();
    expect(house.orchestrator.counts()).toMatchObject({ running: 2 });
    const wider = defineTask({ id: 'wider', queue: { name: 'shared', concurrency: 4 }, run });
    await house.clock.settle();
    expect(house.orchestrator.counts()).toMatchObject({ running: 4 });
    expect(warnings).toEqual([expect.stringMatching(/"shared" has two limits: 2 by task "declares", 4 by task "wider"/)]);
    house.orchestrator.trigger(names, 6);
    house.orchestrator.trigger(wider, 7);
    await house.clock.settle();
    expect(house.orchestrator.counts()).toMatchObject({ running: 4 });
  });
});

describe('the journal', () => {
  it('is compacted when it outgrows what lives, and nothing of the living is lost', async () => {
    const house = await open();
    const { orchestrator } = house;
    const bulky = defineTask({ id: 'bulky', run: async (text: string) => text.length });
    const keep = orchestrator.trigger(bulky, 'kept', { delay: '1h', metadata: { keep: true } });
    const done = orchestrator.trigger(bulky, 'done');
    await done.result();
    for (let round = 0; round < 30; round++) {
      const runs = Array.from({ length: 50 }, () => orchestrator.trigger(bulky, 'x'.repeat(4000)));
      await Promise.all(runs.map((run) => run.result()));
      await Promise.all(runs.map((run) => orchestrator.removeTask(run.id)));
    }
    await house.clock.settle();
    const log = await orchestrator.journal!.slot.read();
    expect(log.length).toBeLessThan(5_000_000);
    const next = await again(house.crash());
    expect(next.orchestrator.getAllTasks()).toHaveLength(2);
    expect(next.orchestrator.getTaskState(done.id)).toMatchObject({ status: 'completed', result: 4 });
    await next.clock.advance(3_600_000);
    expect(next.orchestrator.getTaskState(keep.id)).toMatchObject({ status: 'completed', result: 4, metadata: { keep: true } });
  });

  it('B1: a torn tail is dropped and reported, and work goes on behind it', async () => {
    const house = await open();
    const task = defineTask({ id: 'tail', run: async (n: number) => n });
    const run = house.orchestrator.trigger(task, 1);
    await run.result();
    const { slot } = house.orchestrator.journal!;
    const length = (await slot.read()).length;
    await slot.append(new Uint8Array([72, 70, 74, 49, 1, 2, 3]));
    const next = await house.crash();
    expect((await next.orchestrator.ready).tailBytesDropped).toBe(7);
    expect((await next.orchestrator.journal!.slot.read()).length).toBeGreaterThanOrEqual(length);
    await next.orchestrator.trigger(task, 2).result();
    const third = await again(next.crash());
    expect(third.orchestrator.counts()).toMatchObject({ completed: 2, total: 2 });
    expect((await third.orchestrator.ready).tailBytesDropped).toBe(0);
  });

  it('H12: a trapped core is thrown away and rebuilt; what was accepted goes on', async () => {
    const house = await open();
    const { orchestrator, clock } = house;
    const warnings: string[] = [];
    orchestrator.on('warning', (message) => warnings.push(message));
    const { task, computed, go, unblock } = stepper();
    const run = orchestrator.trigger(task, { name: 'trap' });
    await clock.settle();
    expect(computed).toEqual(['one', 'two']);
    unblock();
    const { engine } = orchestrator.pump;
    vi.spyOn(engine, 'step').mockImplementation(() => {
      throw new WebAssembly.RuntimeError('unreachable');
    });
    const early = orchestrator.trigger(defineTask({ id: 'early', run: async () => 'never sealed' }), null);
    await clock.settle();
    go();
    expect(await run.result()).toMatchObject({ name: 'trap' });
    expect(await early.result()).toBe('never sealed');
    expect(computed).toEqual(['one', 'two', 'two']);
    expect(warnings[0]).toMatch(/rebuilt from the journal/);
  });
});

describe('the predecessor’s localStorage', () => {
  it('H2: is read once on first boot: runs are shown as waiting for their file, ended ones are left', async () => {
    const entries = new Map<string, string>([['mine', JSON.stringify([
      { id: 'task_1', name: 'Processing: a.pdf', status: 'running', progress: 40, startTime: 1, lastUpdated: 2, error: null, retryCount: 0, maxRetries: 3, metadata: { fileName: 'a.pdf' } },
      { id: 'task_2', name: 'x', status: 'completed' },
      'rubbish',
    ])]]);
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => entries.get(key) ?? null,
      setItem: (key: string, value: string) => void entries.set(key, value),
      removeItem: (key: string) => void entries.delete(key),
    });
    const house = await open({ persistenceKey: 'mine' });
    expect(house.orchestrator.getAllTasks()).toHaveLength(1);
    expect(house.orchestrator.getTaskState('task_1')).toMatchObject({
      name: 'Processing: a.pdf', phase: 'blocked', reason: 'missing-payload', metadata: { fileName: 'a.pdf' },
    });
    expect(entries.has('mine')).toBe(false);
    expect(getTaskState).toBeTypeOf('function');
  });
});

describe('the predecessor’s store, damaged', () => {
  it('H2: what can not be taken over stays where it was, is told, and keeps nothing from opening', async () => {
    const whole = { id: 'whole', name: 'Processing: b.pdf', status: 'pending', metadata: { fileName: 'b.pdf' } };
    const bad = [
      { id: 'x'.repeat(200), name: 'too long', status: 'running', metadata: {} },
      { id: 'listed', name: 'metadata is a list', status: 'running', metadata: ['a'] },
      { id: 'counted', name: 'metadata is a number', status: 'paused', metadata: 5 },
    ];
    const entries = new Map([['mine', JSON.stringify([bad[0], whole, ...bad.slice(1)])]]);
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => entries.get(key) ?? null,
      setItem: (key: string, value: string) => void entries.set(key, value),
      removeItem: (key: string) => void entries.delete(key),
    });
    const house = await open({ persistenceKey: 'mine' });
    const report = await house.orchestrator.ready;
    expect(report.kept).toEqual(['whole']);
    expect(report.warnings).toHaveLength(bad.length);
    for (const { id } of bad.slice(1)) expect(report.warnings.join('\n')).toContain(`"${id}"`);
    expect(JSON.parse(entries.get('mine')!)).toEqual(bad);
    expect(await house.orchestrator.trigger(defineTask({ id: 'goes on', run: async () => 1 }), null).result()).toBe(1);
  });
});

describe('ids of one’s own', () => {
  it('a run triggered before the journal was read is refused if the journal knows its id', async () => {
    const house = await open();
    const task = defineTask({ id: 'owned', run: async (n: number) => n });
    const first = house.orchestrator.trigger(task, 1, { id: 'mine' });
    await first.result();
    const storage = house.storage;
    const next = await house.crash();
    await next.orchestrator.dispose();
    const third = new (next.orchestrator.constructor as new (options: object) => typeof next.orchestrator)({ clock: next.clock, storage, tabs: false });
    const early = third.trigger(task, 2, { id: 'mine' });
    const other = third.trigger(task, 3, { id: 'other' });
    await expect(early.accepted).rejects.toMatchObject({ code: 'DUPLICATE_RUN' });
    expect(await other.result()).toBe(3);
    expect(third.getTaskState('mine')).toMatchObject({ result: 1 });
    expect(() => third.trigger(task, 4, { id: 'mine' })).toThrow(/already/);
    await third.dispose();
  });
});

describe('a storage in trouble', () => {
  it('OPFS alone whose worker dies is told and written anew at once; nothing is lost', async () => {
    const disk = new FakeDisk();
    const timers = new HandTimers();
    let worker: any;
    const start = () => (worker = threadlessWorker(disk, timers));
    const orchestrator = new Orchestrator({ storage: opfs({ worker: start, timers }), clock: new TestClock(), tabs: false });
    await orchestrator.ready;
    const events: string[] = [];
    orchestrator.on('storage', ({ type }) => void events.push(type));
    const task = defineTask({ id: 'steady', run: async (n: number) => n });
    expect(await orchestrator.trigger(task, 1).result()).toBe(1);
    worker.onerror({ message: 'it threw' });
    disk.open.clear();
    expect(events).toContain('storage-degraded');
    expect(await orchestrator.trigger(task, 2).result()).toBe(2);
    expect(orchestrator.storageState.status).toBe('ok');
    await orchestrator.dispose();
    disk.open.clear();
    const next = new Orchestrator({ storage: opfs({ worker: start, timers }), clock: new TestClock(), tabs: false });
    await next.ready;
    expect(next.counts()).toMatchObject({ completed: 2, total: 2 });
    await next.dispose();
  });

  it('that can not be opened refuses every run with the reason, before and after', async () => {
    const { StorageUnavailableError } = await import('holdfast');
    const broken = Object.create((await open()).storage, { open: { value: async () => Promise.reject(new StorageUnavailableError('no storage here')) } });
    const orchestrator = new Orchestrator({ storage: broken as never, clock: new TestClock() });
    const task = defineTask({ id: 'unlucky', run: async () => 1 });
    const run = orchestrator.trigger(task, null);
    await expect(orchestrator.ready).rejects.toThrow('no storage here');
    await expect(run.accepted).rejects.toThrow('no storage here');
    await expect(run.result()).rejects.toThrow('no storage here');
    expect(() => orchestrator.trigger(task, null)).toThrow('no storage here');
    expect(orchestrator.storageState).toMatchObject({ status: 'failing' });
    await orchestrator.dispose();
  });

  it('C1, C5: that refuses for a while is told, loses nothing, and goes on by itself', async () => {
    const { StorageFullError, StorageLostError } = await import('holdfast');
    const house = await open();
    const { orchestrator, clock } = house;
    const slot = orchestrator.journal!.slot;
    const task = defineTask({ id: 'patient', run: async (n: number, ctx: TaskContext) => ctx.step('s', () => n) });
    await orchestrator.trigger(task, 0).result();
    const append = slot.append;
    for (const error of [new StorageFullError('full'), new StorageLostError('gone')]) {
      let refused = 0;
      Object.defineProperty(slot, 'append', { configurable: true, value: async () => { refused++; throw error; } });
      const replace = slot.replace;
      Object.defineProperty(slot, 'replace', { configurable: true, value: async () => { throw error; } });
      const run = orchestrator.trigger(task, 5);
      await clock.advance(300);
      expect(refused).toBeGreaterThan(0);
      expect(orchestrator.storageState.status).toBe(error instanceof StorageFullError ? 'full' : 'failing');
      if (error instanceof StorageFullError) expect(() => orchestrator.trigger(task, 6)).toThrow(StorageFullError);
      expect(run.state.durable).toBe(false);
      Object.defineProperty(slot, 'append', { configurable: true, value: append });
      Object.defineProperty(slot, 'replace', { configurable: true, value: replace });
      await clock.advance(10_000);
      expect(await run.result()).toBe(5);
      expect(orchestrator.storageState.status).toBe('ok');
    }
    const next = await again(house.crash());
    expect(next.orchestrator.counts()).toMatchObject({ completed: 3, total: 3 });
  });
});
