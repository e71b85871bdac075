import { ConfigurationError, defineTask, DuplicateRunError, isCanceled, isCompleted, isExecuting, isFailed, isQueued, isSuccess, isWaiting, type ListFilter, projectStatus, type RunHandle, type TaskContext, type TaskPhase, type TaskState } from 'holdfast';
import { describe, expect, it, vi } from 'vitest';
import { again, open } from './houses.ts';

const double = defineTask({ id: 'double', run: (n: number) => n * 2 });

describe('listeners', () => {
  it('A8: `once` hears one event, `off` and a signal end listening, others hear on', async () => {
    const { orchestrator, clock } = await open();
    const heard: string[] = [];
    const stop = new AbortController();
    const listener = () => heard.push('on');
    orchestrator.on('complete', listener);
    orchestrator.once('complete', () => heard.push('once'));
    orchestrator.on('complete', () => heard.push('signal'), { signal: stop.signal });
    await orchestrator.trigger(double, 1).result();
    await clock.settle();
    expect(heard.splice(0)).toEqual(['on', 'once', 'signal']);
    stop.abort();
    await orchestrator.trigger(double, 1).result();
    await clock.settle();
    expect(heard.splice(0)).toEqual(['on']);
    orchestrator.off('complete', listener);
    await orchestrator.trigger(double, 1).result();
    await clock.settle();
    expect(heard).toEqual([]);
  });

  it('A8: `waitOn` gives the next event’s arguments, and rejects when it is aborted or nothing comes any more', async () => {
    const { orchestrator } = await open();
    const next = orchestrator.waitOn('complete');
    const run = orchestrator.trigger(double, 21);
    expect(await next).toEqual([run.id, 42]);
    const aborted = orchestrator.waitOn('complete', { signal: AbortSignal.abort('enough') });
    await expect(aborted).rejects.toBe('enough');
    const late = new AbortController();
    const waiting = orchestrator.waitOn('error', { signal: late.signal });
    late.abort('later');
    await expect(waiting).rejects.toBe('later');
    const last = orchestrator.waitOn('error');
    void orchestrator.dispose();
    await expect(last).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('A8, C10: are told once, after the end they hear of is stored', async () => {
    const house = await open();
    const told: unknown[] = [];
    house.orchestrator.on('complete', async (id) => {
      told.push(house.orchestrator.getTaskState(id)!.status, (await house.orchestrator.journal!.slot.read()).length > 0);
    });
    const run = house.orchestrator.trigger(double, 1);
    await run.result();
    await house.clock.settle();
    expect(told).toEqual(['completed', true]);
    const next = await again(house.crash({ onComplete: (id) => told.push(id) }));
    await next.clock.settle();
    expect(told).toHaveLength(2);
  });
});

describe('ids', () => {
  it('A2: begin with run_, sort by creation, repeat with the seed, and are refused twice', async () => {
    const make = async (seed: number) => {
      const { orchestrator, clock } = await open({ seed });
      const ids: string[] = [];
      for (let n = 0; n < 40; n++) {
        ids.push(orchestrator.trigger(double, n).id);
        if (n % 10 === 9) await clock.advance(1);
      }
      return ids;
    };
    const ids = await make(7);
    expect(ids.every((id) => /^run_[0-9a-v]{22}$/.test(id))).toBe(true);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(40);
    expect(await make(7)).toEqual(ids);
    expect(await make(8)).not.toEqual(ids);
    const { orchestrator } = await open();
    orchestrator.trigger(double, 1, { id: 'mine' });
    expect(() => orchestrator.trigger(double, 1, { id: 'mine' })).toThrow(DuplicateRunError);
  });

  it('A4: results bear status, attempts and duration', async () => {
    const { orchestrator, clock } = await open();
    expect(await orchestrator.trigger(double, 1).wait()).toMatchObject({ ok: true, status: 'completed', attempts: 1, durationMs: 0 });
    const bad = defineTask({ id: 'bad', retry: { maxAttempts: 1 }, run: () => Promise.reject(new Error('no')) });
    expect(await orchestrator.trigger(bad, null).wait()).toMatchObject({ ok: false, status: 'failed' });
    const late = orchestrator.trigger(double, 1, { delay: '1h' });
    await clock.advance(500);
    await late.cancel();
    expect(await late.wait()).toMatchObject({ ok: false, status: 'cancelled', durationMs: 500 });
  });
});

describe('runs as a collection', () => {
  it('C7: list, retrieve and follow by a filter', async () => {
    const { orchestrator, clock } = await open();
    const { runs } = orchestrator;
    const other = defineTask({ id: 'other', run: () => 1 });
    const seen: string[] = [];
    const stop = runs.subscribe({ taskIdentifier: 'double', status: 'completed' }, ({ id }) => seen.push(id));
    const run = orchestrator.trigger(double, 2);
    await Promise.all([run.result(), orchestrator.trigger(other, null).result()]);
    await clock.settle();
    expect(seen).toEqual([run.id]);
    expect(runs.retrieve(run.id)).toBe(run.state);
    expect(runs.retrieve('nobody')).toBeUndefined();
    expect(runs.list({ taskIdentifier: 'double' }).items.map(({ id }) => id)).toEqual([run.id]);
    stop();
    await orchestrator.trigger(double, 2).result();
    await clock.settle();
    expect(seen).toHaveLength(1);
  });

  it('C7: pages of a list are newest first, and go on where the last one ended, whatever came or went meanwhile', async () => {
    const { orchestrator, clock } = await open();
    const runs: RunHandle[] = [];
    const add = async () => {
      runs.push(orchestrator.trigger(double, runs.length, { tags: 'paged' }));
      await clock.advance(runs.length % 2);
    };
    for (let n = 0; n < 5; n++) await add();
    const page = (cursor?: string) => orchestrator.runs.list({ tags: 'paged', limit: 2, ...(cursor !== undefined && { cursor }) });
    const of = (items: readonly TaskState[]) => items.map(({ id }) => runs.findIndex((run) => run.id === id));
    const first = page();
    await add();
    await orchestrator.removeTask(runs[4]!.id);
    const second = page(first.cursor);
    const third = page(second.cursor);
    expect([first, second, third].map(({ items }) => of(items))).toEqual([[4, 3], [2, 1], [0]]);
    expect(third.cursor).toBeUndefined();
    expect(of(page().items)).toEqual([5, 3]);
    expect(() => orchestrator.list({ cursor: 'second' })).toThrow('list cursor must be what an earlier list gave as its cursor, not "second"');
    expect(() => orchestrator.list({ limits: 2 } as ListFilter)).toThrow(/no option "limits".*limit, cursor\.$/);
  });

  it('C7: list finds by version, parent, root and time of creation, over a crash too', async () => {
    const house = await open();
    const leaf = defineTask({ id: 'leaf', version: 2, run: async () => 1 });
    const middle = defineTask({ id: 'middle', version: '2', run: (_: null, ctx: TaskContext) => ctx.run(leaf, undefined) });
    const top = defineTask({ id: 'top', run: (_: null, ctx: TaskContext) => ctx.run(middle, null) });
    const begun = house.clock.now();
    const first = house.orchestrator.trigger(top, null);
    await first.result();
    await house.clock.advance(60_000);
    await house.orchestrator.trigger(leaf, undefined).result();
    for (const { orchestrator } of [house, await again(house.crash())]) {
      const found = (filter: ListFilter) => orchestrator.list(filter).items.map(({ taskIdentifier }) => taskIdentifier);
      expect(found({ rootId: first.id }).sort()).toEqual(['leaf', 'middle']);
      expect(found({ parentId: first.id })).toEqual(['middle']);
      expect(found({ version: 2 })).toEqual(['leaf', 'leaf']);
      expect(found({ version: '2' })).toEqual(['middle']);
      expect(found({ from: begun + 60_000 })).toEqual(['leaf']);
      expect(found({ from: new Date(begun), to: new Date(begun + 60_000).toISOString() })).toHaveLength(3);
      expect(found({ to: begun })).toEqual([]);
    }
  });

  for (const storage of ['memory', undefined] as const) {
    it(`C6: replay is a new run with the same input, name and metadata, ${storage ?? 'stored'}`, async () => {
      const { orchestrator } = await open(storage ? { storage } : {});
      const run = orchestrator.trigger(double, 4, { name: 'four', metadata: { a: 1 } });
      await run.result();
      const again = await orchestrator.runs.replay<number>(run.id);
      expect(await again.result()).toBe(8);
      expect(again.state).toMatchObject({ replayOf: run.id, name: 'four', metadata: { a: 1 } });
      expect(again.id).not.toBe(run.id);
      const changed = await orchestrator.runs.replay<number>(run.id, { payload: 5, name: 'five' });
      expect(await changed.result()).toBe(10);
      expect(changed.state.name).toBe('five');
      await expect(orchestrator.runs.replay('nobody')).rejects.toThrow(ConfigurationError);
      expect(run.state.replayOf).toBeUndefined();
    });
  }

  it('B10: code knows that its run is a replay, after a crash too', async () => {
    const asks = defineTask({ id: 'asks', run: async (_: null, ctx: TaskContext) => {
      await ctx.sleep('1m');
      return ctx.run.isReplay;
    } });
    const house = await open();
    const run = house.orchestrator.trigger(asks, null);
    await house.clock.advance(60_000);
    expect(await run.result()).toBe(false);
    const again = await house.orchestrator.runs.replay(run.id);
    await again.accepted;
    const next = await house.crash();
    await next.clock.advance(60_000);
    expect(await next.orchestrator.attach(again.id)!.result()).toBe(true);
    await next.orchestrator.dispose();
  });

  it('C6: replay loads the files of the input, also after a crash; what it repeats is still known then', async () => {
    const length = defineTask({ id: 'length', run: async ({ file }: { file: File }) => `${file.name} ${(await file.text()).length}` });
    const house = await open();
    const run = house.orchestrator.trigger(length, { file: new File(['x'.repeat(100_000)], 'a.txt') });
    await run.result();
    const next = await house.crash();
    const replayed = await next.orchestrator.runs.replay(run.id);
    expect(await replayed.result()).toBe('a.txt 100000');
    const last = await again(next.crash());
    expect(last.orchestrator.getTaskState(replayed.id)).toMatchObject({ replayOf: run.id });
    expect(last.orchestrator.getTaskState(run.id)!.replayOf).toBeUndefined();
  });

  it('C6: retryTask goes on under the same id: no error any more, its failures counted anew, its attempts numbered on', async () => {
    const { orchestrator, clock } = await open();
    let broken = true;
    const moody = defineTask({ id: 'moody twice', retry: { maxAttempts: 2, minDelayMs: 0 }, run: async () => {
      if (broken) throw new Error('broken');
      await new Promise(() => {});
    } });
    const run = orchestrator.trigger(moody, null);
    await run.wait();
    expect(run.state).toMatchObject({ status: 'failed', attempt: 2, retryCount: 2, error: { message: 'broken' } });
    broken = false;
    const again = await orchestrator.retryTask(run.id);
    expect(again).toBeDefined();
    expect(again!.id).toBe(run.id);
    await clock.settle();
    expect(orchestrator.getTaskState(run.id)).toMatchObject({ status: 'running', attempt: 3, retryCount: 0, error: null });
    const types = orchestrator.events({ runId: run.id })[Symbol.asyncIterator]();
    const told: string[] = [];
    while (!told.includes('retried')) told.push((await types.next()).value!.type);
    expect(told.filter((type) => type === 'attemptFailed')).toHaveLength(2);
    await types.return!();
    void run.cancel();
  });

  it('C6: retryTask works on ended runs only', async () => {
    const { orchestrator } = await open();
    const run = orchestrator.trigger(double, 1);
    await run.result();
    expect(await orchestrator.retryTask(run.id)).toBeUndefined();
    expect(await orchestrator.retryTask('nobody')).toBeUndefined();
  });

  it('G7: aggregateProgress is the mean, with ended runs as 100', async () => {
    const { orchestrator, clock } = await open();
    expect(orchestrator.aggregateProgress()).toEqual({ value: undefined, total: 0, done: 0, failed: 0 });
    const half = defineTask({ id: 'half', run: (_: null, ctx: TaskContext) => {
      ctx.progress(50);
      return new Promise(() => {});
    } });
    orchestrator.trigger(half, null);
    const fails = defineTask({ id: 'fails', retry: { maxAttempts: 1 }, run: () => Promise.reject(new Error('no')) });
    await Promise.all([orchestrator.trigger(double, 1).result(), orchestrator.trigger(fails, null).wait()]);
    orchestrator.trigger(double, 1, { delay: '1h' });
    await clock.settle();
    expect(orchestrator.aggregateProgress()).toEqual({ value: 62.5, total: 4, done: 1, failed: 1 });
    expect(orchestrator.aggregateProgress({ taskIdentifier: 'half' })).toEqual({ value: 50, total: 1, done: 0, failed: 0 });
  });
});

describe('words of others', () => {
  const table: [TaskPhase, string, string, string, string, string][] = [
    ['delayed', 'pending', 'pending', 'DELAYED', 'PENDING', 'PENDING'],
    ['blocked', 'pending', 'pending', 'QUEUED', 'PENDING', 'PENDING'],
    ['queued', 'pending', 'pending', 'QUEUED', 'PENDING', 'PENDING'],
    ['running', 'running', 'active', 'EXECUTING', 'PROCESSING', 'PROCESSING'],
    ['waiting', 'running', 'active', 'WAITING', 'PROCESSING', 'PROCESSING'],
    ['retrying', 'pending', 'active', 'QUEUED', 'PROCESSING', 'PENDING'],
    ['suspended', 'paused', 'suspended', 'QUEUED', 'PENDING', 'PENDING'],
    ['interrupted', 'paused', 'interrupted', 'QUEUED', 'PENDING', 'PENDING'],
    ['cancelling', 'running', 'canceled', 'EXECUTING', 'ABORTING', 'ABORTING'],
    ['stopping', 'running', 'active', 'EXECUTING', 'ABORTING', 'ABORTING'],
    ['completed', 'completed', 'done', 'COMPLETED', 'COMPLETED', 'COMPLETED'],
    ['failed', 'failed', 'failed', 'FAILED', 'FAILED', 'FAILED'],
    ['timedOut', 'failed', 'failed', 'TIMED_OUT', 'FAILED', 'FAILED'],
    ['expired', 'failed', 'failed', 'EXPIRED', 'FAILED', 'FAILED'],
    ['quarantined', 'failed', 'failed', 'CRASHED', 'FAILED', 'FAILED'],
    ['cancelled', 'failed', 'canceled', 'CANCELED', 'FAILED', 'FAILED'],
  ];
  const vocabularies = ['dataflow', 'mageflow', 'trigger.dev', 'workglow-task', 'workglow-job'] as const;

  it('A6: every phase has its word in each of the vocabularies', () => {
    for (const [phase, ...words] of table)
      expect(vocabularies.map((vocabulary) => projectStatus({ phase, error: null }, vocabulary)), phase).toEqual(words);
    const unregistered = { phase: 'blocked', reason: 'missing-definition', error: null } as const;
    expect(vocabularies.map((vocabulary) => projectStatus(unregistered, vocabulary))).toEqual(['paused', 'pending', 'PENDING_VERSION', 'PENDING', 'PENDING']);
    const crashed = Object.assign(new Error('gone'), { code: 'WORKER_CRASHED' });
    expect(projectStatus({ phase: 'failed', error: crashed }, 'trigger.dev')).toBe('CRASHED');
    expect(() => projectStatus({ phase: 'failed', error: null }, 'toString' as never)).toThrow(ConfigurationError);
  });

  it('C7: exactly one of queued, executing, waiting, completed or paused holds; completed is success, failed or canceled', () => {
    for (const [phase] of table) {
      const state = { phase, status: 'pending' } as const;
      const paused = phase === 'suspended' || phase === 'interrupted';
      expect([isQueued(state), isExecuting(state), isWaiting(state), isCompleted(state), paused].filter(Boolean), phase).toHaveLength(1);
      expect([isSuccess(state), isFailed(state), isCanceled(state)].filter(Boolean)).toHaveLength(isCompleted(state) ? 1 : 0);
    }
  });
});

describe('options', () => {
  it('I7: output.nonEmpty fails an attempt whose file has no byte', async () => {
    const { orchestrator, clock } = await open();
    const sizes = [0, 3];
    const file = defineTask({ id: 'file', output: { nonEmpty: true }, retry: { randomize: false }, run: () => new Blob(['x'.repeat(sizes.shift()!)]) });
    const run = orchestrator.trigger(file, null);
    await clock.settle();
    expect(run.state).toMatchObject({ phase: 'retrying', error: { code: 'EMPTY_OUTPUT' } });
    await clock.advance(1000);
    expect((await run.result()).size).toBe(3);
    const lenient = defineTask({ id: 'lenient', run: () => new Blob([]) });
    expect((await orchestrator.trigger(lenient, null).result()).size).toBe(0);
    expect(() => defineTask({ id: 'x', output: { notEmpty: true } as never, run: () => 1 })).toThrow(/no option "notEmpty"/);
  });

  it('I7: a download has the name that was asked for, else the file’s own, else the run’s', async () => {
    const { orchestrator } = await open();
    const names: string[] = [];
    vi.stubGlobal('document', { createElement: () => ({ download: '', click() { names.push(this.download); } }) });
    const give = defineTask({ id: 'gives a file', run: (named: boolean) => (named ? new File(['x'], 'own.txt') : new Blob(['x'])) });
    for (const named of [true, false]) {
      const run = orchestrator.trigger(give, named, { name: 'The run' });
      await run.download();
      await run.download('asked.txt');
    }
    expect(names).toEqual(['own.txt', 'asked.txt', 'The run', 'asked.txt']);
    await expect(orchestrator.trigger(double, 1).download()).rejects.toThrow('a Blob or File, not number');
  });

  it('G3: curve eta shows an estimate and the time left from the third run on, and remembers it', async () => {
    const entries = new Map<string, string>();
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => entries.get(key) ?? null,
      setItem: (key: string, value: string) => void entries.set(key, value),
      removeItem: (key: string) => void entries.delete(key),
    });
    const house = await open({ namespace: 'pace' });
    const steady = defineTask({ id: 'steady', simulateProgress: { curve: 'eta', intervalMs: 100 }, run: () =>
      new Promise<void>((resolve) => house.clock.schedule(house.clock.now() + 1000, resolve)) });
    for (let sample = 0; sample < 3; sample++) {
      const run = house.orchestrator.trigger(steady, null);
      await house.clock.advance(500);
      expect(run.state.progressSource).toBe('simulated');
      expect(run.state.remainingMs).toBeUndefined();
      await house.clock.advance(500);
      await run.result();
    }
    expect(entries.has('holdfast:pace:durations')).toBe(true);
    const next = await again(house.reload());
    const run = next.orchestrator.trigger(steady, null);
    await next.clock.advance(500);
    expect(run.state).toMatchObject({ progressSource: 'estimated', progress: 50, remainingMs: 500 });
    await next.clock.advance(500);
    await run.result();
  });

  it('E7: a jump of the clock is told, as a warning and an event, forward and back; a wait is not', async () => {
    const { orchestrator, clock } = await open();
    const warnings: string[] = [];
    const jumps: unknown[] = [];
    orchestrator.on('warning', (message) => warnings.push(message));
    orchestrator.on('event', ({ type, data }) => type === 'clockJumped' && jumps.push(data!.byMs));
    const run = orchestrator.trigger(double, 1, { delay: '1h' });
    await clock.advance(1_800_000);
    orchestrator.trigger(double, 2);
    await clock.settle();
    expect(warnings).toEqual([]);
    clock.jump(-3_600_000);
    orchestrator.trigger(double, 2);
    await clock.settle();
    expect(warnings).toEqual([expect.stringMatching(/^clock jump: .*set back, by 3600000 ms/)]);
    clock.jump(10 * 3_600_000);
    await clock.advance(0);
    expect(await run.result()).toBe(2);
    expect(warnings).toHaveLength(2);
    // The core never lets time go back: what was due in half an hour then was due at 0 o’clock of the clock set back.
    expect(jumps).toEqual([-3_600_000, 9.5 * 3_600_000]);
  });
});
