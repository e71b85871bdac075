import { ConfigurationError, defineTask, FatalError, type RunHandle, type TaskHooks } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { pageRegistry } from '../../js/intake/registry.ts';
import { again, open } from './houses.ts';

/** Hooks that note when they are called, all of them. */
function noting(who: string, told: string[]): TaskHooks {
  const note = (name: string) => async () => {
    await null;
    told.push(`${who} ${name}`);
  };
  return {
    middleware: async ({ next }) => {
      told.push(`${who} middleware`);
      await next().finally(() => told.push(`${who} middleware ends`));
    },
    init: note('init'), onStart: note('onStart'), onStartAttempt: note('onStartAttempt'), onWait: note('onWait'), onResume: note('onResume'),
    catchError: note('catchError'), onSuccess: note('onSuccess'), onFailure: note('onFailure'), onComplete: note('onComplete'), onCancel: note('onCancel'),
  };
}

const around = ['middleware', 'init', 'onStart', 'onStartAttempt'];
const pair = (name: string) => [`every ${name}`, `task ${name}`];

describe('hooks', () => {
  it('B9: are called in order, the orchestrator’s before the task’s, each attempt with its own', async () => {
    const told: string[] = [];
    const task = defineTask({ id: 'ordered', retry: { minDelayMs: 0 }, setup: () => void told.push('setup'), ...noting('task', told), run: (_: null, ctx) => {
      told.push(`run ${ctx.attempt.number}`);
      if (ctx.attempt.number === 1) throw new Error('once');
      return 1;
    } });
    const { orchestrator, clock } = await open({ hooks: noting('every', told) });
    expect(await orchestrator.run(task, null)).toBe(1);
    await clock.settle();
    expect(told).toEqual([
      'every middleware', 'task middleware', 'setup', ...pair('init'), ...pair('onStart'), ...pair('onStartAttempt'), 'run 1',
      'task middleware ends', 'every middleware ends', ...pair('catchError'),
      'every middleware', 'task middleware', ...pair('init'), ...pair('onStartAttempt'), 'run 2',
      'task middleware ends', 'every middleware ends', ...pair('onSuccess'), ...pair('onComplete'),
    ]);
  });

  it('B9: of a run that fails for good: onFailure after the last attempt, then onComplete', async () => {
    const told: string[] = [];
    const task = defineTask({ id: 'failing', retry: { maxAttempts: 2, minDelayMs: 0 }, ...noting('task', told), run: () => Promise.reject(new TypeError('no')) });
    const { orchestrator, clock } = await open();
    await orchestrator.trigger(task, null).wait();
    await clock.settle();
    expect(told.filter((name) => !around.some((other) => name.includes(other)))).toEqual(
      ['catchError', 'catchError', 'onFailure', 'onComplete'].map((name) => `task ${name}`),
    );
  });

  it('B9: get the parsed input, ctx with its services, the output, the error and the result', async () => {
    const seen: Record<string, any> = {};
    const keep = (name: string) => (event: object) => void (seen[name] = event);
    const given = { input: (value: unknown) => Number(value), setup: () => ({ base: 'here' }), onStart: keep('onStart'), onComplete: keep('onComplete') };
    const good = defineTask({ id: 'good', ...given, onSuccess: keep('onSuccess'), run: (n) => n * 2 });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(good as never, '21' as never) as RunHandle;
    await run.result();
    await clock.settle();
    expect(seen.onStart).toMatchObject({ input: 21, payload: 21, ctx: { base: 'here', attempt: { number: 1 } } });
    expect(seen.onStart.signal).toBe(seen.onStart.ctx.signal);
    expect(seen.onSuccess).toMatchObject({ input: 21, payload: 21, output: 42, state: { id: run.id, status: 'completed' } });
    expect(seen.onComplete.result).toMatchObject({ ok: true, id: run.id, taskIdentifier: 'good', output: 42, attempts: 1 });
    const bad = defineTask({ id: 'bad', ...given, onFailure: keep('onFailure'), run: () => Promise.reject(new FatalError('never')) });
    await orchestrator.trigger(bad as never, 1 as never).wait();
    await clock.settle();
    expect(seen.onFailure).toMatchObject({ input: 1, error: { code: 'FATAL', message: 'never' }, state: { status: 'failed' } });
    expect(seen.onComplete.result).toMatchObject({ ok: false, status: 'failed', error: { code: 'FATAL' } });
  });

  it('B9: that follow the end get an input with its files', async () => {
    let text = '';
    const task = defineTask({ id: 'with a file', run: ({ file }: { file: File }) => file.size, onSuccess: async ({ input }) => {
      text = await input.file.text();
    } });
    const { orchestrator, clock } = await open();
    await orchestrator.run(task, { file: new File(['hello'], 'a.txt') });
    await clock.settle();
    expect(text).toBe('hello');
  });

  for (const name of ['init', 'onStart', 'onStartAttempt'] as const)
    it(`B9: what ${name} throws fails the attempt, and the handler is not called`, async () => {
      let [calls, runs] = [0, 0];
      const task = defineTask({ id: `throwing ${name}`, retry: { minDelayMs: 0 }, [name]: async () => {
        if (++calls === 1) throw new Error(`from ${name}`);
      }, run: () => ++runs });
      const { orchestrator } = await open();
      const errors: unknown[] = [];
      const run = orchestrator.trigger(task, undefined);
      run.subscribe(({ error }) => error && errors.push(error.message));
      expect(await run.result()).toBe(1);
      expect(errors).toContain(`from ${name}`);
      expect(run.state.attempt).toBe(2);
    });

  it('B9: what onSuccess, onFailure and onComplete throw is reported and changes nothing', async () => {
    const reported: unknown[] = [];
    const told: string[] = [];
    const { orchestrator, clock } = await open({ onListenerError: (error) => reported.push((error as Error).message) });
    const spec = {
      retry: { maxAttempts: 1 },
      onSuccess: async () => Promise.reject(new Error('success')),
      onFailure: () => {
        throw new Error('failure');
      },
      onComplete: () => {
        told.push('complete');
        throw new Error('complete');
      },
    };
    orchestrator.on('complete', () => told.push('heard'));
    expect(await orchestrator.run(defineTask({ id: 'ok', ...spec, run: () => 1 }), undefined)).toBe(1);
    expect(await orchestrator.trigger(defineTask({ id: 'not ok', ...spec, run: () => Promise.reject(new Error('x')) }), undefined).wait()).toMatchObject({ error: { message: 'x' } });
    await clock.settle();
    expect(reported).toEqual(['success', 'complete', 'failure', 'complete']);
    expect(told).toEqual(['heard', 'complete', 'complete']);
  });

  it('B9: are told once, by the page in which the run ended', async () => {
    const told: string[] = [];
    const task = defineTask({ id: 'once', ttl: 1000, onSuccess: () => told.push('success'), onFailure: ({ error }) => told.push((error as any).code), run: () => 1 });
    const endless = defineTask({ id: 'endless', run: () => new Promise(() => {}) });
    const house = await open();
    await house.orchestrator.run(task, undefined);
    await house.clock.settle();
    const queue = { name: 'narrow', concurrency: 1 };
    house.orchestrator.trigger(endless, undefined, { queue });
    await house.orchestrator.trigger(task, undefined, { queue }).accepted;
    const next = await again(house.crash());
    await next.clock.advance(5000);
    expect(next.orchestrator.counts().failed).toBe(1);
    expect(told).toEqual(['success', 'EXPIRED']);
    await (await again(next.crash())).clock.settle();
    expect(told).toEqual(['success', 'EXPIRED']);
  });

  it('B9: what `init` gives stands in ctx.init', async () => {
    const task = defineTask({ id: 'init', run: (n: number, ctx) => ctx.init.twice + n, init: async ({ input }) => ({ twice: input * 2 }) });
    expect(await (await open()).orchestrator.run(task, 2)).toBe(6);
  });

  it('B9: onWait and onResume stand around each wait, and what they throw is reported', async () => {
    const told: string[] = [];
    const reported: unknown[] = [];
    const { orchestrator, clock } = await open({ onListenerError: (error) => reported.push((error as Error).message), hooks: { onWait: () => void told.push('every onWait') } });
    const task = defineTask({
      id: 'waiter',
      run: async (_: string, ctx) => {
        await ctx.sleep(1000);
        told.push('between');
        await Promise.all([ctx.sleep(1000), ctx.sleep(2000)]);
        await ctx.step('last', () => 1);
        return 'over';
      },
      onWait: async ({ input, ctx }) => {
        told.push(`onWait ${input} ${ctx.attempt.number}`);
        throw new Error('ignored');
      },
      onResume: () => told.push('onResume'),
    });
    const run = orchestrator.trigger(task, 'a');
    await clock.settle();
    expect(told).toEqual(['every onWait', 'onWait a 1']);
    await clock.advance(1000);
    expect(told.splice(0)).toEqual(['every onWait', 'onWait a 1', 'onResume', 'between', 'every onWait', 'onWait a 1']);
    await clock.advance(5000);
    expect(await run.result()).toBe('over');
    expect(told).toEqual(['onResume', 'every onWait', 'onWait a 1', 'onResume']);
    expect(reported).toEqual(['ignored', 'ignored', 'ignored']);
  });

  it('B9: a pause is no wait of its code', async () => {
    const told: string[] = [];
    let go = () => {};
    const task = defineTask({ id: 'paused', run: async (_: null, ctx) => {
      await ctx.step('one', () => new Promise<void>((resolve) => (go = resolve)));
      return ctx.step('two', () => 2);
    }, onWait: () => told.push('onWait'), onResume: () => told.push('onResume') });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, null);
    await clock.settle();
    await run.pause();
    go();
    await clock.settle();
    expect(run.state.phase).toBe('suspended');
    await run.resume();
    expect(await run.result()).toBe(2);
    expect(told).toEqual([]);
  });

  it('B9: of the orchestrator end when they are let go, and those of its options are replaced', async () => {
    const told: string[] = [];
    const task = defineTask({ id: 'heard', run: () => 1 });
    const { orchestrator, clock } = await open({ hooks: { onComplete: () => told.push('first') } });
    const stop = orchestrator.hooks.use({ onStart: () => told.push('start') });
    const hear = async () => {
      await orchestrator.run(task, undefined);
      await clock.settle();
      return told.splice(0);
    };
    expect(await hear()).toEqual(['start', 'first']);
    orchestrator.setOptions({ hooks: { onComplete: () => told.push('second') } });
    expect(await hear()).toEqual(['start', 'second']);
    orchestrator.setOptions({ maxRetries: 1 });
    stop();
    expect(await hear()).toEqual(['second']);
    orchestrator.setOptions({ hooks: undefined });
    expect(await hear()).toEqual([]);
  });

  it('B9: bad ones are refused at the call; tasks that have none cost nothing', async () => {
    expect(() => defineTask({ id: 'bad hook', onStart: 'x', run: () => 1 } as never)).toThrow('defineTask "bad hook" onStart must be a function, not "x"');
    expect(() => defineTask({ id: 'bad hook', middleware: [() => {}, 3], run: () => 1 } as never)).toThrow('middleware must be a function, not 3');
    await expect(open({ hooks: { onstart: () => {} } as never })).rejects.toThrow('has no option "onstart"');
    const { orchestrator } = await open({ hooks: { onComplete: () => {} } });
    expect(() => orchestrator.hooks.use({ onStart: 1 } as never)).toThrow(ConfigurationError);
    expect(() => orchestrator.setOptions({ hooks: { onStart: 1 } as never })).toThrow(ConfigurationError);
    defineTask({ id: 'hookless', run: () => 1 });
    expect(pageRegistry.get('hookless')!.prepared).toBeUndefined();
    expect(orchestrator.hooks.around).toBe(false);
  });
});

describe('onCancel', () => {
  it('B9: hears of running code that is asked to stop, and can wait for it', async () => {
    const told: unknown[] = [];
    let started = 0;
    const task = defineTask({
      id: 'cancelled', graceMs: 10_000,
      run: (_: string, ctx) => new Promise<string>((resolve) => {
        started++;
        ctx.signal.addEventListener('abort', () => resolve('tidied up'));
      }),
      onCancel: async ({ input, signal, runPromise, state }) => {
        told.push(input, signal.aborted, (signal.reason as Error).name, state.phase);
        told.push(await runPromise);
      },
      onComplete: ({ result }) => told.push(result.ok, !result.ok && result.status),
    });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, 'a');
    await clock.settle();
    expect(started).toBe(1);
    expect(await run.cancel('enough')).toBe(true);
    await clock.settle();
    expect(told).toEqual(['a', true, 'CanceledError', 'cancelling', 'tidied up', false, 'cancelled']);
  });

  it('B9: hears of a run whose code does not run when it has ended; of a timeout or pause it does not', async () => {
    const told: unknown[] = [];
    const task = defineTask({
      id: 'queued', timeout: 1000, retry: { maxAttempts: 1 },
      run: (_: string, ctx) => new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
      onCancel: async ({ input, signal, runPromise }) => {
        told.push(input, signal.aborted, await runPromise);
      },
    });
    const { orchestrator, clock } = await open();
    const delayed = orchestrator.trigger(task, 'delayed', { delay: 1000 });
    await delayed.accepted;
    await delayed.cancel();
    await clock.settle();
    expect(told.splice(0)).toEqual(['delayed', true, undefined]);
    const paused = orchestrator.trigger(task, 'paused');
    const slow = orchestrator.trigger(task, 'slow');
    await clock.settle();
    await paused.pause('hard');
    await clock.advance(2000);
    expect(slow.state.error).toMatchObject({ code: 'TASK_TIMEOUT' });
    expect(told).toEqual([]);
    await paused.cancel();
    await clock.settle();
    expect(told).toEqual(['paused', true, undefined]);
  });

  it('B9: hears of each cancellation of a run that is retried', async () => {
    let count = 0;
    const task = defineTask({ id: 'again', onCancel: () => count++, run: (_: null, ctx) => new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, null);
    for (const times of [1, 2]) {
      await clock.settle();
      await run.cancel();
      await clock.settle();
      expect(count).toBe(times);
      await run.retry();
    }
    await clock.settle();
    expect(run.state.status).toBe('running');
  });
});

describe('middleware', () => {
  const runWith = async (middleware: TaskHooks['middleware'], run: () => unknown = () => 'result') => {
    const { orchestrator } = await open();
    return orchestrator.trigger(defineTask({ id: 'peeled', retry: { maxAttempts: 1 }, middleware, run }), undefined).wait();
  };

  it('B9: surrounds the attempt, layer around layer, and sees what it comes to', async () => {
    const told: unknown[] = [];
    const layer = (name: string): TaskHooks['middleware'] => async ({ next, payload, signal, ctx }) => {
      told.push(`${name} in`, payload, signal === ctx.signal);
      told.push(`${name} out`, await next());
    };
    const { orchestrator } = await open();
    const task = defineTask({ id: 'layers', middleware: [layer('a'), layer('b')] as never, run: (n: number) => n + 1 });
    expect(await orchestrator.run(task, 1)).toBe(2);
    expect(told).toEqual(['a in', 1, true, 'b in', 1, true, 'b out', 2, 'a out', 2]);
  });

  it('B9: changes neither the result nor the failure by what it returns, swallows or does not wait for', async () => {
    expect(await runWith(() => 'another')).toMatchObject({ ok: false, error: { code: 'CONFIGURATION', message: expect.stringContaining('without calling next()') } });
    expect(await runWith(async ({ next }) => (await next(), 'another'))).toMatchObject({ ok: true, output: 'result' });
    expect(await runWith(({ next }) => void next())).toMatchObject({ ok: true, output: 'result' });
    const failing = () => Promise.reject(new FatalError('from run'));
    expect(await runWith(({ next }) => next().catch(() => 'swallowed'), failing)).toMatchObject({ ok: false, error: { message: 'from run' } });
    expect(await runWith(({ next }) => void next(), failing)).toMatchObject({ ok: false, error: { message: 'from run' } });
  });

  it('B9: fails the attempt by what it throws, before or after, and may call next() once', async () => {
    const after: TaskHooks['middleware'] = async ({ next }) => {
      await next();
      throw new FatalError('after');
    };
    let runs = 0;
    const twice: TaskHooks['middleware'] = async ({ next }) => (await next(), await next());
    expect(await runWith(after)).toMatchObject({ ok: false, error: { message: 'after' } });
    expect(await runWith(() => { throw new FatalError('before'); }, () => ++runs)).toMatchObject({ ok: false, error: { message: 'before' } });
    expect(runs).toBe(0);
    expect(await runWith(twice, () => ++runs)).toMatchObject({ ok: false, error: { message: expect.stringContaining('next() twice') } });
    expect(runs).toBe(1);
    const translating: TaskHooks['middleware'] = ({ next }) => next().catch((error) => Promise.reject(new FatalError('in other words', { cause: error })));
    expect(await runWith(translating, () => Promise.reject(new Error('raw')))).toMatchObject({ error: { message: 'in other words', cause: { message: 'raw' } } });
  });
});
