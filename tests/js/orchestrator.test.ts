import { ConfigurationError, defineTask, FatalError, NotCloneableError, RetryableError, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { open } from './houses.ts';

const double = defineTask({ id: 'double', run: async (n: number) => n * 2 });

for (const storage of ['memory', undefined] as const) {
  const options = storage ? { storage } : {};
  describe(`a run, ${storage ? 'in memory' : 'stored'}`, () => {
    it('gives its result to whoever waits', async () => {
      const { orchestrator } = await open(options);
      const run = orchestrator.trigger(double, 21);
      expect(await run.result()).toBe(42);
      expect(run.state).toMatchObject({ status: 'completed', phase: 'completed', progress: 100, result: 42, attempt: 1, retryCount: 0 });
      expect(await run.wait()).toMatchObject({ ok: true, output: 42, taskIdentifier: 'double', attempts: 1 });
    });

    it('is tried three times with the delays of the default policy', async () => {
      const { orchestrator, clock } = await open(options);
      const startsMs: number[] = [];
      const failing = defineTask({
        id: 'failing',
        retry: { randomize: false },
        run: async () => {
          startsMs.push(clock.now());
          throw new Error('no');
        },
      });
      const run = orchestrator.trigger(failing, null);
      const result = run.wait();
      await clock.advance(10_000);
      expect(await result).toMatchObject({ ok: false, error: { message: 'no' }, attempts: 3 });
      expect(startsMs.map((atMs) => atMs - startsMs[0]!)).toEqual([0, 1000, 3000]);
      expect(run.state).toMatchObject({ status: 'failed', retryCount: 3, maxRetries: 2 });
      await expect(run.result()).rejects.toThrow('no');
      await expect(run.wait().unwrap()).rejects.toThrow('Error in failing: no');
    });

    it('shows when the next attempt is due', async () => {
      const { orchestrator, clock } = await open(options);
      const failing = defineTask({ id: 'failing once', retry: { randomize: false }, run: async (_: null, ctx: TaskContext) => {
        if (ctx.attempt.number === 1) throw new Error('not yet');
        return ctx.attempt;
      } });
      const run = orchestrator.trigger(failing, null);
      await clock.settle();
      expect(run.state).toMatchObject({ status: 'pending', phase: 'retrying', retryAt: clock.now() + 1000, retryCount: 1 });
      expect(orchestrator.why(run.id)).toMatch(/Attempt 1 failed \(not yet\)/);
      await clock.advance(1000);
      expect(await run.result()).toEqual({ number: 2, max: 3 });
    });

    it('fails at once on a FatalError, and later than the policy says on a RetryableError', async () => {
      const { orchestrator, clock } = await open(options);
      const fatal = defineTask({ id: 'fatal', run: async () => Promise.reject(new FatalError('never')) });
      expect(await orchestrator.trigger(fatal, null).wait()).toMatchObject({ ok: false, attempts: 1 });
      const later = defineTask({ id: 'later', run: async () => Promise.reject(new RetryableError('wait', { retryAfter: 5000 })) });
      const run = orchestrator.trigger(later, null);
      await clock.settle();
      expect(run.state.retryAt).toBe(clock.now() + 5000);
    });

    it('takes input and result by value', async () => {
      const { orchestrator } = await open(options);
      const seen: unknown[] = [];
      const kept = { list: [1] };
      const greedy = defineTask({ id: 'greedy', retry: { initialDelay: 0 }, run: async (input: { list: number[] }, ctx: TaskContext) => {
        seen.push(structuredClone(input));
        input.list.push(99);
        if (ctx.attempt.number === 1) throw new Error('again');
        return kept;
      } });
      const input = { list: [1] };
      const run = orchestrator.trigger(greedy, input);
      input.list.push(2);
      const result = await run.result();
      kept.list.push(3);
      expect(seen).toEqual([{ list: [1] }, { list: [1] }]);
      expect(result).toEqual({ list: [1] });
      expect(run.state.result).toEqual({ list: [1] });
    });

    it('H4: is refused at the call when its input can not be stored', async () => {
      const { orchestrator } = await open(options);
      expect(() => orchestrator.trigger(double, { callback: () => {} } as never)).toThrow(NotCloneableError);
      expect(() => orchestrator.trigger(double, { callback: () => {} } as never)).toThrow(/input\.callback/);
      expect(orchestrator.getAllTasks()).toEqual([]);
    });

    it('runs no more at once than its queue allows, by priority', async () => {
      const { orchestrator, clock } = await open({ ...options, queues: { narrow: { concurrency: 2 } } });
      const order: string[] = [];
      let running = 0;
      let most = 0;
      const gates: (() => void)[] = [];
      const task = defineTask({ id: 'gated', queue: 'narrow', run: async (name: string) => {
        order.push(name);
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => gates.push(resolve));
        running--;
      } });
      const runs = ['a', 'b', 'c', 'd'].map((name) => orchestrator.trigger(task, name, name === 'd' ? { priority: 5 } : {}));
      for (let turn = 0; turn < 6; turn++) {
        await clock.settle();
        if (turn === 0) expect(orchestrator.why(runs[2]!.id)).toMatch(/queue "narrow" runs 2 of 2/);
        gates.shift()?.();
      }
      await Promise.all(runs.map((run) => run.result()));
      expect(most).toBe(2);
      expect(order[0]).toBe('d');
      expect(order.slice(1)).toEqual(['a', 'b', 'c']);
    });

    it('G1: a handler that never settles is timed out, its slot freed, its late result ignored', async () => {
      const { orchestrator, clock } = await open({ ...options, queues: { one: { concurrency: 1 } } });
      const late: ((value: number) => void)[] = [];
      let reason: unknown;
      const stuck = defineTask({ id: 'stuck', queue: 'one', timeout: 1000, graceMs: 500, retry: { maxAttempts: 1 }, run: (_: null, ctx: TaskContext) => {
        ctx.signal.addEventListener('abort', () => (reason = ctx.signal.reason));
        return new Promise<number>((resolve) => late.push(resolve));
      } });
      const run = orchestrator.trigger(stuck, null);
      const next = orchestrator.trigger(double, 4, { queue: 'one' });
      await clock.advance(1000);
      expect(reason).toMatchObject({ name: 'TaskTimeoutError' });
      await clock.advance(500);
      expect(await run.wait()).toMatchObject({ ok: false, error: { name: 'TaskTimeoutError' } });
      expect(await next.result()).toBe(8);
      late[0]!(1);
      await clock.settle();
      expect(run.state.status).toBe('failed');
    });

    it('cancels at once what waits, and what runs when its code has ended', async () => {
      const { orchestrator, clock } = await open({ ...options, queues: { single: { concurrency: 1 } } });
      const polite = defineTask({ id: 'polite', queue: 'single', run: (_: null, ctx: TaskContext) =>
        new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
      const running = orchestrator.trigger(polite, null);
      const waiting = orchestrator.trigger(polite, null);
      await clock.settle();
      expect(await waiting.cancel()).toBe(true);
      expect(await running.cancel('enough')).toBe(true);
      expect(running.state).toMatchObject({ status: 'cancelled', error: { name: 'CanceledError', cause: 'enough' } });
      expect(await running.cancel()).toBe(false);
      await expect(waiting.result()).rejects.toMatchObject({ code: 'CANCELED' });
    });

    it('pauses softly at the next step, resumes there, and repeats nothing', async () => {
      const { orchestrator, clock } = await open(options);
      const done: string[] = [];
      let go!: () => void;
      const steps = defineTask({ id: 'steps', run: async (_: null, ctx: TaskContext) => {
        await ctx.step('one', async () => {
          done.push('one');
          await new Promise<void>((resolve) => (go = resolve));
        });
        await ctx.step('two', () => void done.push('two'));
        return done.length;
      } });
      const run = orchestrator.trigger(steps, null);
      await clock.settle();
      expect(await run.pause()).toBe(true);
      go();
      await clock.settle();
      expect(done).toEqual(['one']);
      expect(run.state).toMatchObject({ status: 'paused', phase: 'suspended' });
      expect(await run.resume()).toBe(true);
      expect(await run.result()).toBe(2);
    });

    it('pauses hard by aborting the attempt, and starts again without counting a failure', async () => {
      const { orchestrator, clock } = await open(options);
      const attempts: number[] = [];
      const task = defineTask({ id: 'interruptible', run: (_: null, ctx: TaskContext) => {
        attempts.push(ctx.attempt.number);
        if (attempts.length > 1) return 'done';
        return new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
      } });
      const run = orchestrator.trigger(task, null);
      await clock.settle();
      expect(await run.pause('hard')).toBe(true);
      await clock.settle();
      expect(run.state).toMatchObject({ status: 'paused', phase: 'interrupted' });
      await run.resume();
      expect(await run.result()).toBe('done');
      expect(run.state.retryCount).toBe(0);
    });

    it('G4: the first outcome wins; a failed run can be retried by hand under the same id', async () => {
      const { orchestrator, clock } = await open(options);
      let broken = true;
      const moody = defineTask({ id: 'moody', retry: { maxAttempts: 1 }, run: async () => {
        if (broken) throw new Error('broken');
        return 'mended';
      } });
      const run = orchestrator.trigger(moody, null, { id: 'mine' });
      await expect(run.result()).rejects.toThrow('broken');
      broken = false;
      const again = await orchestrator.retryTask('mine');
      await clock.settle();
      expect(await again!.result()).toBe('mended');
    });

    it('G5: progress is clamped, never goes back, drops nonsense and never revives an ended run', async () => {
      const { orchestrator, clock } = await open(options);
      let ctx!: TaskContext;
      let finish!: () => void;
      const task = defineTask({ id: 'progressing', run: (_: null, context: TaskContext) => {
        ctx = context;
        return new Promise<void>((resolve) => (finish = resolve));
      } });
      const run = orchestrator.trigger(task, null);
      await clock.settle();
      const seen: number[] = [];
      for (const value of [Number.NaN, -5, 10, 5, Number.POSITIVE_INFINITY, 40]) {
        ctx.progress(value);
        seen.push(run.state.progress);
      }
      expect(seen).toEqual([0, 0, 10, 10, 99, 99]);
      expect(() => ctx.progress('50' as never)).toThrow(/ctx.progress must be a number from 0 to 100 .*, not "50"/);
      finish();
      await run.result();
      ctx.progress(3);
      await clock.settle();
      expect(run.state).toMatchObject({ progress: 100, status: 'completed' });
    });

    it('G9: onProgress hears of it, once a frame and the last always; setOptions replaces the one slot', async () => {
      const heard: unknown[] = [];
      const { orchestrator, clock } = await open({ ...options, onProgress: (id, progress) => heard.push([id, progress]) });
      let ctx!: TaskContext;
      const task = defineTask({ id: 'heard', run: (_: null, context: TaskContext) => {
        ctx = context;
        return new Promise<void>(() => {});
      } });
      const run = orchestrator.trigger(task, null);
      await clock.settle();
      for (let value = 1; value <= 50; value++) ctx.progress(value);
      await clock.settle();
      expect(heard).toEqual([[run.id, 50]]);
      orchestrator.setOptions({ onProgress: (_, progress) => heard.push(progress) });
      ctx.progress(60);
      await clock.settle();
      expect(heard).toEqual([[run.id, 50], 60]);
    });

    it('A9: setOptions counts for runs triggered from now on, of a task that was triggered before too', async () => {
      const { orchestrator } = await open(options);
      const task = defineTask({ id: 'limited', run: () => 1 });
      const before = orchestrator.trigger(task, null);
      orchestrator.setOptions({ maxRetries: 6 });
      const after = orchestrator.trigger(task, null);
      await Promise.all([before.result(), after.result()]);
      expect([before.state.maxRetries, after.state.maxRetries]).toEqual([2, 6]);
    });

    it('A9: the last definition of an id counts, of a task that was triggered before too', async () => {
      const { orchestrator } = await open(options);
      const first = defineTask({ id: 'replaced', run: () => 'first' });
      expect(await orchestrator.trigger(first, null).result()).toBe('first');
      const second = defineTask({ id: 'replaced', run: () => 'second' });
      expect(await orchestrator.trigger(second, null).result()).toBe('second');
      expect(await orchestrator.trigger(first, null).result()).toBe('first');
      expect(await orchestrator.trigger(second, null).result()).toBe('second');
    });

    it('G10, G11: a listener that throws or triggers harms nobody', async () => {
      const errors: unknown[] = [];
      const { orchestrator, clock } = await open({ ...options, onListenerError: (error) => errors.push(error) });
      const completed: string[] = [];
      orchestrator.on('complete', () => {
        throw new Error('listener');
      });
      orchestrator.on('complete', (id, result) => {
        completed.push(id);
        if (result === 2) orchestrator.trigger(double, 2);
      });
      orchestrator.trigger(double, 1);
      await clock.settle();
      expect(completed).toHaveLength(2);
      expect(errors).toHaveLength(2);
    });

    it('refuses bad options at the call, naming value and fix', async () => {
      const { orchestrator } = await open(options);
      const bad = (call: () => unknown, message: RegExp) => {
        expect(call).toThrow(ConfigurationError);
        expect(call).toThrow(message);
      };
      bad(() => orchestrator.trigger(double, 1, { prioritty: 1 } as never), /no option "prioritty".*priority/);
      bad(() => orchestrator.trigger(double, 1, { queue: 'nowhere' }), /no queue "nowhere"/);
      bad(() => orchestrator.trigger(double, 1, { timeout: -1 }), /timeout/);
      bad(() => orchestrator.trigger(double, 1, { retry: { maxAttempts: 3, maxRetries: 3 } }), /disagree/);
      bad(() => orchestrator.trigger({} as never, 1), /defineTask/);
      bad(() => defineTask({ id: '', run: () => 1 }), /id must be text/);
      bad(() => defineTask({ id: 'x', run: () => 1, retries: 3 } as never), /no option "retries"/);
      expect(orchestrator.getAllTasks()).toEqual([]);
    });
  });
}
