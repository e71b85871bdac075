import { ConfigurationError, defineTask, FatalError, SetupError, type TaskContext, type TaskSpec } from 'holdfast';
import PQueue from 'p-queue';
import { describe, expect, it, vi } from 'vitest';
import { again, open } from './houses.ts';

/** A promise to be settled from outside. */
function gate() {
  let settle = () => {};
  const passed = new Promise<void>((resolve) => (settle = resolve));
  return { passed, open: () => settle() };
}

describe('seed 000', () => {
  it('B3: its task with a queue of p-queue runs as it is written', async () => {
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    const rateSimilarity: TaskSpec<null, any, undefined> = {
      name: "process-post",
      setup(){
        return {
            queue: new PQueue()
        }
      },
      async run(input, ctx) {
       return ctx.queue.add(() => {
            console.log("Do the stuff in here")
        })
      },
    };
    const { orchestrator } = await open();
    const task = defineTask(rateSimilarity);
    expect(await orchestrator.run(task, null)).toBeUndefined();
    expect(said.mock.calls).toEqual([['Do the stuff in here']]);
    expect(task.id).toBe('process-post');
  });

  it('B3: a limit of the queue holds for all runs of the task, and its results are theirs', async () => {
    let [running, most] = [0, 0];
    const task = defineTask({
      name: 'limited',
      setup: () => ({ queue: new PQueue({ concurrency: 2 }) }),
      run: (n: number, ctx) =>
        ctx.queue.add(async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          return n * 2;
        }),
    });
    const { orchestrator } = await open();
    const results = await Promise.all([1, 2, 3, 4, 5].map((n) => orchestrator.run(task, n)));
    expect(results).toEqual([2, 4, 6, 8, 10]);
    expect(most).toBe(2);
  });

  it('B3: what a cancelled run had put into the queue does not run, and the queue goes on', async () => {
    const ran: string[] = [];
    const first = gate();
    const queue = new PQueue({ concurrency: 1 });
    const task = defineTask({
      name: 'dropped jobs', graceMs: 0, setup: () => ({ queue }),
      run: (name: string, ctx) => ctx.queue.addAll([async () => void ran.push(name), ({ signal }) => void ran.push(String(signal instanceof AbortSignal))]),
    });
    const { orchestrator, clock } = await open();
    void queue.add(() => first.passed);
    const doomed = orchestrator.trigger(task, 'doomed');
    const kept = orchestrator.trigger(task, 'kept');
    await clock.settle();
    await doomed.cancel();
    first.open();
    expect((await kept.wait()).ok).toBe(true);
    expect(ran).toEqual(['kept', 'true']);
    expect((await doomed.wait()).status).toBe('cancelled');
  });

  it('B3: of the queue only `add` is linked: its state, getters and private fields are its own', async () => {
    const queue = new PQueue({ concurrency: 3 });
    const task = defineTask({ name: 'whole queue', retry: { maxAttempts: 1 }, setup: () => ({ queue }), run: async (_: null, ctx) => {
      const own = new AbortController();
      const refused = ctx.queue.add(async () => new Promise(() => {}), { signal: own.signal });
      own.abort(new FatalError('its own'));
      await expect(refused).rejects.toThrow('its own');
      ctx.queue.concurrency = 4;
      await ctx.queue.add(() => 1, { priority: 2 });
      return [ctx.queue.concurrency, ctx.queue.isPaused, ctx.queue instanceof PQueue, ctx.queue.pending, ctx.queue.add === ctx.queue.add];
    } });
    const { orchestrator } = await open();
    expect(await orchestrator.run(task, null)).toEqual([4, false, true, 0, true]);
    expect(queue.concurrency).toBe(4);
  });
});

describe('setup', () => {
  it('B3: runs when the first run needs it, once for all that begin together, and again for another orchestrator', async () => {
    let made = 0;
    const ready = gate();
    const task = defineTask({ name: 'shared', version: 1, setup: async () => {
      made++;
      await ready.passed;
      return { number: made };
    }, run: (_: null, ctx) => ctx.number });
    const { orchestrator, clock } = await open();
    expect(made).toBe(0);
    const runs = [1, 2, 3].map(() => orchestrator.trigger(task, null));
    await clock.settle();
    expect(made).toBe(1);
    ready.open();
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual([1, 1, 1]);
    expect(await orchestrator.run(task, null)).toBe(1);
    expect(await (await open()).orchestrator.run(task, null)).toBe(2);
  });

  it('B3: hears of its orchestrator, its options and its task', async () => {
    const seen: unknown[] = [];
    const task = defineTask({ name: 'informed', version: '2', setup: ({ orchestrator, options, task: { id, version }, run }) => {
      seen.push(orchestrator, options.maxRetries, id, version, run);
    }, run: () => 1 });
    const { orchestrator } = await open({ maxRetries: 7 });
    await orchestrator.run(task, undefined);
    expect(seen).toEqual([orchestrator, 7, 'informed', '2', undefined]);
  });

  it('B3: that hangs costs an attempt its time, and not the task its life: the next one sets up anew, and what comes of the first is torn down', async () => {
    let made = 0;
    const torn: number[] = [];
    const first = gate();
    const task = defineTask({
      name: 'hangs once', timeout: '5s', retry: { minDelayMs: 1000, jitter: 'none' },
      setup: async () => {
        const number = ++made;
        if (number === 1) await first.passed;
        return { number };
      },
      teardown: ({ number }) => void torn.push(number),
      run: (_: null, ctx) => ctx.number,
    });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, null);
    await clock.advance(4000);
    const joined = orchestrator.trigger(task, null);
    const cancelled = orchestrator.trigger(task, null);
    await clock.settle();
    await cancelled.cancel();
    await expect(cancelled.result()).rejects.toThrow('cancelled');
    expect(made).toBe(1);
    await clock.advance(1000);
    await clock.advance(1500);
    expect([made, await run.result()]).toEqual([2, 2]);
    // It waits for the first one on, as long as it may.
    expect(joined.status).toBe('running');
    first.open();
    expect(await joined.result()).toBe(1);
    await clock.settle();
    expect([await orchestrator.run(task, null), made, torn]).toEqual([2, 2, [1]]);
  });

  it('B3: that fails fails the attempts that wait for it, leaves nothing behind, and is tried again', async () => {
    let tries = 0;
    const task = defineTask({
      name: 'shaky', retry: { minDelayMs: 1000, jitter: 'none' },
      setup: async () => {
        if (++tries < 3) throw new TypeError('no network');
        return { base: 'here' };
      },
      run: (_: null, ctx) => ctx.base,
    });
    const { orchestrator, clock } = await open();
    const runs = [orchestrator.trigger(task, null), orchestrator.trigger(task, null)];
    await clock.settle();
    expect(tries).toBe(1);
    for (const { state } of runs) {
      expect(state).toMatchObject({ phase: 'retrying', error: { code: 'SETUP', message: 'The setup of "shaky" failed: no network' } });
      expect(state.error).toBeInstanceOf(SetupError);
      expect((state.error as Error).cause).toBeInstanceOf(TypeError);
    }
    await clock.advance(5000);
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(['here', 'here']);
    expect(tries).toBe(3);
  });

  it('B3: whose error is final fails its runs at once, and the next run tries again', async () => {
    let isRight = false;
    const task = defineTask({ name: 'wrong key', setup: () => {
      if (!isRight) throw new FatalError('the key is wrong');
    }, run: () => 'done' });
    const house = await open();
    const run = house.orchestrator.trigger(task, undefined);
    expect(await run.wait()).toMatchObject({ ok: false, attempts: 1, error: { code: 'SETUP', retryable: false } });
    isRight = true;
    expect(await house.orchestrator.run(task, undefined)).toBe('done');
    const next = await again(house.crash());
    expect(next.orchestrator.getTaskState(run.id)!.error).toMatchObject({ code: 'SETUP', retryable: false, cause: { code: 'FATAL' } });
  });

  it('B3: names that ctx has, and what is no object, are refused and not retried', async () => {
    const taken = defineTask({ name: 'taken', setup: (): object => ({ step: 1 }), run: () => 1 });
    const inherited = defineTask({ name: 'inherited', setup: (): object => ({ toString: 1 }), run: () => 1 });
    const text = defineTask({ name: 'text', setup: () => 'queue', run: () => 1 });
    const { orchestrator } = await open();
    for (const [task, words] of [[taken, 'called "step"'], [inherited, 'called "toString"'], [text, 'an object of services or nothing, not queue']] as const) {
      const result = await orchestrator.trigger(task, undefined).wait();
      expect(result).toMatchObject({ ok: false, attempts: 1, error: { code: 'CONFIGURATION' } });
      expect((result as { error: Error }).error.message).toContain(words);
    }
    const define = (spec: object) => () => defineTask({ name: 'bad', run: () => 1, ...spec } as never);
    expect(define({ setup: {} })).toThrow('setup.run must be a function');
    expect(define({ setup: { scope: 'page', run: () => 1 } })).toThrow("'task', 'run' or 'process'");
    expect(define({ setup: { scop: 'run', run: () => 1 } })).toThrow('has no option "scop"');
    expect(define({ teardown: () => {} })).toThrow('no setup');
    expect(define({ setup: () => ({}), teardown: 1 })).toThrow('teardown must be a function');
    expect(define({ setup: () => ({}), run: Object.assign(() => 1, { inWorker: true }) })).toThrow(ConfigurationError);
  });

  it('B3: is not waited for by an attempt that times out meanwhile', async () => {
    let isRun = false;
    const task = defineTask({ name: 'slow setup', timeout: 1000, retry: { maxAttempts: 1 }, setup: () => new Promise<{ a: 1 }>(() => {}), run: () => {
      isRun = true;
    } });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, undefined);
    await clock.advance(10_000);
    expect(await run.wait()).toMatchObject({ ok: false, error: { code: 'TASK_TIMEOUT' } });
    expect(isRun).toBe(false);
  });
});

describe('teardown', () => {
  /** Says what is made and torn down. */
  function counted(name: string, scope: 'task' | 'run' | 'process', told: string[], run: (ctx: TaskContext<{ n: number }>) => unknown, version = 1) {
    let made = 0;
    return defineTask({
      name, version, retry: { minDelayMs: 0, maxAttempts: 2 },
      setup: { scope, run: () => {
        told.push(`made ${++made}`);
        return { n: made };
      } },
      teardown: ({ n }) => void told.push(`gone ${n}`),
      run: (_: null, ctx) => run(ctx),
    });
  }

  it('B3: comes when the orchestrator is disposed, and is waited for', async () => {
    const told: string[] = [];
    const task = defineTask({ name: 'closing', setup: () => ({ n: 1 }), run: () => 1, teardown: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      told.push('gone');
    } });
    const { orchestrator } = await open();
    await orchestrator.run(task, undefined);
    expect(told).toEqual([]);
    await orchestrator.dispose();
    expect(told).toEqual(['gone']);
  });

  it('B3: is the services’ own dispose where the task says nothing', async () => {
    const told: string[] = [];
    const asynchronous = { async [Symbol.asyncDispose]() { told.push(`async ${this === asynchronous}`); }, [Symbol.dispose]: () => told.push('wrong') };
    const plain = { [Symbol.dispose]: () => told.push('plain') };
    const { orchestrator } = await open();
    await orchestrator.run(defineTask({ name: 'async dispose', setup: () => asynchronous, run: () => 1 }), undefined);
    await orchestrator.run(defineTask({ name: 'dispose', setup: () => plain, run: () => 1 }), undefined);
    await orchestrator.dispose();
    expect(told.sort()).toEqual(['async true', 'plain']);
  });

  it('B3: comes when the code is replaced, after the attempts that use the services; new ones get new services', async () => {
    const told: string[] = [];
    const going = gate();
    counted('replaced', 'task', told, async ({ n }) => (await going.passed, n));
    const { orchestrator, clock } = await open();
    const old = orchestrator.trigger(counted('replaced', 'task', told, async ({ n }) => (await going.passed, `old ${n}`)), null);
    await clock.settle();
    const fresh = counted('replaced', 'task', told, ({ n }) => `new ${n}`);
    expect(await orchestrator.run(fresh, null)).toBe('new 1');
    expect(told).toEqual(['made 1', 'made 1']);
    going.open();
    expect(await old.result()).toBe('old 1');
    await clock.settle();
    expect(told).toEqual(['made 1', 'made 1', 'gone 1']);
    orchestrator.register(fresh);
    await clock.settle();
    expect(told).toHaveLength(3);
  });

  it('B3: of the scope `run` comes with the run’s end; its attempts share the services', async () => {
    const told: string[] = [];
    const task = counted('each run', 'run', told, ({ n, attempt }) => {
      if (attempt.number === 1) throw new Error('once more');
      return n;
    });
    const { orchestrator, clock } = await open();
    expect(await orchestrator.run(task, null)).toBe(1);
    await clock.settle();
    expect(told).toEqual(['made 1', 'gone 1']);
    expect(await orchestrator.run(task, null)).toBe(2);
    await clock.settle();
    expect(told).toEqual(['made 1', 'gone 1', 'made 2', 'gone 2']);
  });

  it('B3: of the scope `run` comes with a cancelled run too, and a retried one is set up anew', async () => {
    const told: string[] = [];
    let isPatient = true;
    const task = counted('cancelled', 'run', told, ({ n, signal }) =>
      isPatient ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))) : n);
    const { orchestrator, clock } = await open({ storage: 'memory' });
    const run = orchestrator.trigger(task, null);
    await clock.settle();
    await run.cancel();
    await run.wait();
    await clock.settle();
    expect(told).toEqual(['made 1', 'gone 1']);
    isPatient = false;
    await run.retry();
    expect(await run.result()).toBe(2);
  });

  it('B3: that throws is reported and harms nobody; one that never ends holds closing up for five seconds', async () => {
    const reported: unknown[] = [];
    const warned: string[] = [];
    const throwing = defineTask({ name: 'throwing', setup: () => ({}), run: () => 1, teardown: () => {
      throw new Error('torn');
    } });
    const endless = defineTask({ name: 'endless', setup: () => ({}), run: () => 1, teardown: () => new Promise<void>(() => {}) });
    const { orchestrator, clock } = await open({ onListenerError: (error) => reported.push(error) });
    orchestrator.on('warning', (message) => warned.push(message));
    await orchestrator.run(throwing, undefined);
    await orchestrator.run(endless, undefined);
    const closed = orchestrator.dispose();
    await clock.advance(5000);
    await closed;
    expect(reported).toMatchObject([{ message: 'torn' }]);
    expect(warned).toEqual([expect.stringContaining('1 teardown(s) had not ended after 5000 ms')]);
  });
});
