/** Signs of life, and how long code may run in all: what stalls or overruns is stopped, told by its name, and counted over reloads. */
import { ConfigurationError, defineTask, type Task, type TaskContext, type TaskSpec, WorkerCrashedError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { again, name, open } from './houses.ts';
import type { House } from './house.ts';

/** Time that code spends running: the clock goes on, and the run keeps its slot. */
const busy = (house: () => House, ms: number) =>
  new Promise<void>((resolve) => void house().clock.schedule(house().clock.now() + ms, resolve));

function task(run: (ctx: TaskContext) => unknown, spec: Partial<TaskSpec> = {}): Task<string, null, any> {
  return defineTask({ id: name('beats'), retry: { maxAttempts: 2, minDelayMs: 10, jitter: 'none' }, ...spec, run: async (_: null, ctx: TaskContext) => run(ctx) }) as Task<string, null, any>;
}

describe('a heartbeat', () => {
  it('E5: that is missed fails the attempt with StalledError, and the next one is tried', async () => {
    const house = await open();
    const reasons: unknown[] = [];
    const silent = task(({ signal, attempt }) => (attempt.number === 2 ? 'done' : new Promise((_, reject) => signal.addEventListener('abort', () => {
      reasons.push(signal.reason);
      reject(new Error('whatever it says'));
    }))), { heartbeat: '1s' });
    const run = house.orchestrator.trigger(silent, null);
    await house.clock.advance(999);
    expect([run.state.phase, reasons]).toEqual(['running', []]);
    await house.clock.advance(1);
    expect(run.state).toMatchObject({ phase: 'retrying', retryCount: 1, error: { code: 'STALLED', message: expect.stringContaining('no sign of life for 1000 ms') } });
    await house.clock.advance(10);
    expect(await run.result()).toBe('done');
    expect(reasons).toMatchObject([{ code: 'STALLED' }]);
  });

  for (const [sign, give] of [
    ['ctx.heartbeat()', (ctx: TaskContext) => ctx.heartbeat()], ['progress', (ctx: TaskContext, n: number) => ctx.progress(n)],
    ['ctx.yield()', (ctx: TaskContext) => ctx.yield()], ['a recorded step', (ctx: TaskContext, n: number) => ctx.step(`step ${n}`, () => n)],
  ] as [string, (ctx: TaskContext, n: number) => unknown][])
    it(`E5: is given by ${sign}`, async () => {
      const house = await open();
      const alive = task(async (ctx) => {
        for (let n = 1; n <= 5; n++) {
          await busy(() => house, 900);
          await give(ctx, n);
        }
        return ctx.attempt.number;
      }, { heartbeat: { timeout: '1s' } });
      const run = house.orchestrator.trigger(alive, null);
      for (let n = 0; n < 5; n++) await house.clock.advance(900);
      expect(await run.result()).toBe(1);
    });

  it('E5: many signs are few records, and the last one counts', async () => {
    const house = await open();
    const eager = task(async (ctx) => {
      for (let n = 0; n < 1000; n++) ctx.heartbeat();
      await busy(() => house, 240);
      ctx.heartbeat();
      await busy(() => house, 1000);
      return ctx.attempt.number;
    }, { heartbeat: '1s' });
    const run = house.orchestrator.trigger(eager, null);
    await house.clock.advance(1240);
    expect(await run.result()).toBe(1);
    const beats: unknown[] = [];
    for await (const { type } of house.orchestrator.events({ types: ['heartbeat', 'succeeded'] })) {
      if (type === 'succeeded') break;
      beats.push(type);
    }
    expect(beats).toHaveLength(2);
  });

  it('E5: is not asked of code that waits', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(task(async (ctx) => {
      await ctx.sleep('1h');
      return ctx.attempt.number;
    }, { heartbeat: '1s' }), null);
    await house.clock.advance(3_600_000);
    expect(await run.result()).toBe(1);
  });

  it('E5: of code in a worker is given by the page, as long as its worker lives', async () => {
    const house = await open();
    const run = Object.assign(() => busy(() => house, 10_000), { inWorker: true });
    const worked = house.orchestrator.trigger(defineTask({ id: name('in worker'), heartbeat: '1s', run }), undefined);
    await house.clock.advance(10_000);
    await worked.result();
    expect(worked.state.attempt).toBe(1);
  });

  it('E5: is still asked for after a reload', async () => {
    let isOver = false;
    let house = await open();
    const stuck = task(() => (isOver ? 'done' : new Promise(() => {})), { heartbeat: '1s', graceMs: 100 });
    const run = house.orchestrator.trigger(stuck, null);
    await run.accepted;
    await house.clock.advance(500);
    house = await again(house.crash());
    await house.clock.advance(999);
    expect(house.orchestrator.getTaskState(run.id)!.phase).toBe('running');
    isOver = true;
    await house.clock.advance(200);
    expect(await house.orchestrator.attach(run.id)!.result()).toBe('done');
    expect(house.orchestrator.getTaskState(run.id)!.retryCount).toBe(1);
  });

  it('E5: ctx.yield() throws what stops the attempt', async () => {
    const house = await open();
    const thrown: unknown[] = [];
    const run = house.orchestrator.trigger(task(async (ctx) => {
      await busy(() => house, 100);
      await ctx.yield().catch((error) => thrown.push(error));
    }), null);
    await house.clock.advance(50);
    void run.cancel('enough');
    await house.clock.advance(50);
    expect(thrown).toMatchObject([{ code: 'CANCELED' }]);
  });

  it('E4, E5: that can not be meant is refused at the call', async () => {
    const { orchestrator } = await open();
    const plain = task(() => 1);
    expect(() => orchestrator.trigger(plain, null, { heartbeat: -1 })).toThrow('heartbeat must be a duration');
    expect(() => orchestrator.trigger(plain, null, { heartbeat: { timeout: '1s', every: 3 } as never })).toThrow('no option "every"');
    expect(() => orchestrator.trigger(plain, null, { maxDuration: 'long' as never })).toThrow(ConfigurationError);
    expect(orchestrator.getAllTasks()).toEqual([]);
  });
});

describe('maxDuration', () => {
  it('E4: is of all attempts, without waits and delays; over it the run has failed and is not tried again', async () => {
    const house = await open();
    const usages: unknown[] = [];
    const long = task(async (ctx) => {
      usages.push(ctx.usage.computeMs);
      await busy(() => house, 300);
      await ctx.sleep('1h');
      usages.push(ctx.usage.computeMs);
      if (ctx.attempt.number === 1) throw new Error('once more');
      await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
    }, { maxDuration: '1s' });
    const run = house.orchestrator.trigger(long, null);
    await house.clock.advance(300);
    await house.clock.advance(3_600_000);
    await house.clock.advance(10);
    // A sleep that is recorded is not slept again.
    await house.clock.advance(300);
    expect(usages).toEqual([0, 300, 300, 600]);
    await house.clock.advance(399);
    expect(run.state.phase).toBe('running');
    await house.clock.advance(1);
    expect(run.state).toMatchObject({ phase: 'timedOut', attempt: 2, error: { code: 'MAX_DURATION', message: expect.stringContaining('1000 ms in all') } });
    await expect(run.result()).rejects.toMatchObject({ code: 'MAX_DURATION', retryable: false });
  });

  it('E4: goes on after a crash with what was used, as far as anybody knows', async () => {
    let house = await open();
    const long = task(async (ctx) => {
      await ctx.step('one', () => busy(() => house, 400));
      await busy(() => house, 500);
      return ctx.usage.computeMs;
    }, { maxDuration: '1s' });
    const run = house.orchestrator.trigger(long, null);
    await house.clock.advance(400);
    house = await again(house.crash());
    await house.clock.advance(500);
    expect(await house.orchestrator.attach(run.id)!.result()).toBe(900);
  });

  it('E4: is not counted where nobody asked for it', async () => {
    const { orchestrator } = await open();
    expect(await orchestrator.run(task((ctx) => ctx.usage.computeMs), null)).toBeUndefined();
  });
});

describe('crashRetries', () => {
  it('B2: are tries for workers that died, beyond those for errors of the code', async () => {
    const attempts = async (spec: Partial<TaskSpec>, error: () => Error) => {
      const house = await open();
      const failing = defineTask({ id: name('crashing'), ...spec, run: () => Promise.reject(error()) });
      const run = house.orchestrator.trigger(failing, undefined);
      await house.clock.advance(3_600_000);
      expect(run.status).toBe('failed');
      return run.state.attempt;
    };
    const died = () => new WorkerCrashedError('it died');
    expect(await attempts({ intent: 'transform' }, died)).toBe(3);
    expect(await attempts({ intent: 'transform' }, () => new Error('wrong'))).toBe(1);
    expect(await attempts({ retry: { maxAttempts: 2, crashRetries: 3 } }, died)).toBe(5);
    expect(await attempts({ retry: { maxAttempts: 2 } }, died)).toBe(2);
    const bad = (crashRetries: number) => () => defineTask({ id: name('bad'), retry: { crashRetries }, run: () => 1 }).trigger(undefined);
    for (const value of [-1, 0.5, Number.NaN]) expect(bad(value)).toThrow('retry.crashRetries');
  });
});
