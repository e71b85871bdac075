import { ConfigurationError, defineTask, InputValidationError, locals, type OrchestratorOptions, type ProcessOptions, type Task, UnrecognizedTaskError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { again, open } from './houses.ts';

declare module 'holdfast' {
  interface ProcessOptions {
    tenant?: string;
  }
}

/** What a run and its child see of the process. */
const seen = (id: string) => {
  const child = defineTask({ id: `${id} child`, run: (_: null, ctx) => ({ options: ctx.options, random: ctx.random() }) });
  return defineTask({ id, run: async (_: null, ctx) => ({ options: ctx.options, random: ctx.random(), child: await ctx.run(child, null) }) });
};

describe('options of a process', () => {
  it('B13: are seen by all its runs, by value and frozen; a run without any sees none', async () => {
    const { orchestrator } = await open();
    const task = seen('seen');
    const given: ProcessOptions = { dryRun: true, locale: 'de', cacheMode: 'refresh' };
    const running = orchestrator.run(task, null, { process: given });
    given.locale = 'fr';
    const result = await running;
    expect(result.options).toEqual({ dryRun: true, locale: 'de', cacheMode: 'refresh' });
    expect(result.child.options).toEqual(result.options);
    expect((await orchestrator.run(task, null)).options).toEqual({});
    const frozen = defineTask({ id: 'frozen', run: (_: null, ctx) => Object.isFrozen(ctx.options) });
    expect(await orchestrator.run(frozen, null, { process: { dryRun: true } })).toBe(true);
  });

  it('B13: survive a reload, of a parent as of a child that is made after it', async () => {
    let isHeld = true;
    const child = defineTask({ id: 'late child', run: (_: null, ctx) => ctx.options });
    const task = defineTask({ id: 'held', run: async (_: null, ctx) => {
      await ctx.step('one', () => (isHeld ? new Promise<never>(() => {}) : 1));
      return [ctx.options, await ctx.run(child, null)];
    } });
    const house = await open();
    const run = house.orchestrator.trigger(task, null, { process: { dryRun: true, deadline: '1h' } });
    await run.accepted;
    isHeld = false;
    const next = await again(house.crash());
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([{ dryRun: true, deadline: '1h' }, { dryRun: true, deadline: '1h' }]);
  });

  it('B13: a child’s own call adds to them, for it and what is below it', async () => {
    const leaf = defineTask({ id: 'leaf', run: (_: null, ctx) => ctx.options });
    const middle = defineTask({ id: 'middle', run: (_: null, ctx) => ctx.run(leaf, null) });
    const top = defineTask({ id: 'top', run: async (_: null, ctx) => [await ctx.run(middle, null, { process: { dryRun: true } }), await ctx.run(leaf, null)] });
    const { orchestrator } = await open();
    expect(await orchestrator.run(top, null, { process: { locale: 'de' } })).toEqual([{ locale: 'de', dryRun: true }, { locale: 'de' }]);
  });

  it('B13, A9: attempts and priority count where neither call nor definition says; call and definition are stronger', async () => {
    const { orchestrator, clock } = await open({ retry: { maxAttempts: 9 } });
    const failing = (id: string, spec: object = {}) => defineTask({ id, ...spec, run: () => Promise.reject(new Error('x')) });
    const maxRetries = async (task: Task, options: object) => {
      const run = orchestrator.trigger(task, null, options);
      await clock.settle();
      const { maxRetries: most } = run.state;
      await run.cancel();
      return most;
    };
    const process = { retry: { maxAttempts: 5 } };
    expect(await maxRetries(failing('says nothing'), { process })).toBe(4);
    expect(await maxRetries(failing('says two', { retry: { maxAttempts: 2 } }), { process })).toBe(1);
    expect(await maxRetries(failing('says nothing'), { process, retry: { maxAttempts: 3 } })).toBe(2);
    expect(await maxRetries(failing('says nothing'), {})).toBe(8);
    const order: string[] = [];
    const ordered = defineTask({ id: 'ordered', queue: { name: 'narrow', concurrency: 1 }, run: (name: string) => void order.push(name) });
    await Promise.all([
      orchestrator.run(ordered, 'plain'), orchestrator.run(ordered, 'later', { process: { priority: -1 } }), orchestrator.run(ordered, 'sooner', { process: { priority: 1 } }),
    ]);
    expect(order.indexOf('sooner')).toBeLessThan(order.indexOf('later'));
  });

  it('B13: its deadline is of all of it, and shortens those of its runs', async () => {
    const endless = defineTask({ id: 'endless child', deadline: '1h', run: (_: null, ctx) => ctx.sleep('1d') });
    const task = defineTask({ id: 'hurried', run: async (_: null, ctx) => {
      await ctx.sleep(600);
      return ctx.run(endless, null);
    } });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, null, { process: { deadline: 1000 } });
    await clock.advance(700);
    const child = orchestrator.list({ taskIdentifier: 'endless child' }).items[0]!;
    await clock.advance(299);
    expect(run.state.status).toBe('running');
    await clock.advance(10_000);
    expect(run.state).toMatchObject({ phase: 'timedOut', error: { code: 'DEADLINE' } });
    expect(orchestrator.getTaskState(child.id)!.status).not.toBe('running');
  });

  it('B13: `skipTasks` and `onlyTasks` leave tasks out: their code does not run, their output is undefined', async () => {
    const ran: string[] = [];
    const leaf = (id: string) => defineTask({ id, output: z.number(), run: (n: number) => (ran.push(id), n) });
    const [upload, measure] = [leaf('upload'), leaf('measure')];
    const task = defineTask({ id: 'partly', run: async (n: number, ctx) => [await ctx.run(upload, n), await ctx.run(measure, n)] });
    const { orchestrator } = await open();
    expect(await orchestrator.run(task, 1, { process: { skipTasks: ['upload'] } })).toEqual([undefined, 1]);
    expect(ran.splice(0)).toEqual(['measure']);
    expect(orchestrator.list({ taskIdentifier: 'upload' }).items[0]).toMatchObject({ status: 'completed', skipped: true });
    expect(await orchestrator.run(task, 2, { process: { onlyTasks: ['partly', 'upload'] } })).toEqual([2, undefined]);
    expect(ran).toEqual(['upload']);
  });

  it('B13: what is left out is left out after a reload too', async () => {
    let runs = 0;
    const task = defineTask({ id: 'left out', delay: 1000, run: () => ++runs });
    const house = await open();
    const run = house.orchestrator.trigger(task, undefined, { process: { skipTasks: ['left out'] } });
    await run.accepted;
    const next = await again(house.crash());
    await next.clock.advance(1000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBeUndefined();
    expect(runs).toBe(0);
  });

  it('B13: with a seed chance repeats, in each run of it another', async () => {
    const { orchestrator } = await open();
    const task = seen('seeded');
    const [one, same, other] = [await orchestrator.run(task, null, { process: { seed: 7 } }), await orchestrator.run(task, null, { process: { seed: 7 } }), await orchestrator.run(task, null, { process: { seed: 8 } })];
    expect([one.random, one.child.random]).toEqual([same.random, same.child.random]);
    expect(one.random).not.toBe(other.random);
    expect(one.random).not.toBe(one.child.random);
    expect((await orchestrator.run(task, null)).random).not.toBe((await orchestrator.run(task, null)).random);
  });

  it('B13: `concurrency` is that of its maps', async () => {
    let [running, most] = [0, 0];
    const task = defineTask({ id: 'mapping', run: (_: null, ctx) => ctx.map([1, 2, 3, 4], async (n) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return n;
    }) });
    const { orchestrator } = await open();
    await orchestrator.run(task, null, { process: { concurrency: 2 } });
    expect(most).toBe(2);
    most = 0;
    await orchestrator.run(task, null);
    expect(most).toBe(4);
  });

  it('B13: are refused at the call when they are wrong, with the value and the fix', async () => {
    const { orchestrator } = await open();
    const task = seen('refused');
    const bad: [object, string][] = [
      [{ tenant: 'a' }, 'process has no option "tenant"'], [{ dryRun: 1 }, 'process.dryRun must be true or false, not 1'], [{ seed: 0.5 }, 'process.seed'],
      [{ onlyTasks: 'a' }, 'list of task ids'], [{ skipTasks: [3] }, 'must be text, not 3'], [{ retry: { maxAttempts: 0 } }, 'retry.maxAttempts'],
      [{ deadline: -1 }, 'process.deadline'], [{ deadline: 'soon' as never }, 'process.deadline'], [{ concurrency: 0 }, 'process.concurrency'], [{ tags: [''] }, 'process.tags'], [{ priority: 'high' }, 'process.priority'],
    ];
    for (const [process, words] of bad) expect(() => orchestrator.trigger(task, null, { process: process as never })).toThrow(words);
    expect(() => orchestrator.trigger(task, null, { process: { retry: { retryOn: () => true } } })).toThrow('process.retry.retryOn');
    expect(() => orchestrator.trigger(task, null, { process: 'fast' as never })).toThrow(ConfigurationError);
    expect(orchestrator.getAllTasks()).toEqual([]);
  });

  it('B13: an application’s own are what its schema gives', async () => {
    const { orchestrator } = await open({ processSchema: z.object({ tenant: z.string().default('nobody') }).strict() });
    const task = seen('own options');
    expect((await orchestrator.run(task, null, { process: { tenant: 'ada', dryRun: true } })).child.options).toEqual({ tenant: 'ada', dryRun: true });
    expect((await orchestrator.run(task, null, { process: {} })).options).toEqual({ tenant: 'nobody' });
    expect(() => orchestrator.trigger(task, null, { process: { tenant: 3 } as never })).toThrow(InputValidationError);
    expect(() => orchestrator.trigger(task, null, { process: { other: 3 } as never })).toThrow('The input of "process" is not valid');
    const asynchronous = await open({ processSchema: async (value: unknown) => value });
    expect(() => asynchronous.orchestrator.trigger(task, null, { process: {} })).toThrow('must be synchronous');
  });
});

describe('services of a process', () => {
  it('B3, B13: are shared by its runs, and torn down when the one at its top ends', async () => {
    const told: string[] = [];
    let made = 0;
    const child = defineTask({
      id: 'sharing', setup: { scope: 'process', run: ({ run }) => {
        told.push(`made for ${run!.id}`);
        return { n: ++made };
      } },
      run: (_: null, ctx) => ctx.n, teardown: ({ n }) => void told.push(`gone ${n}`),
    });
    const top = defineTask({ id: 'shared by', run: async (_: null, ctx) => [await ctx.run(child, null), ...(await Promise.all([ctx.run(child, null), ctx.run(child, null)]))] });
    const { orchestrator, clock } = await open();
    const one = orchestrator.trigger(top, null);
    expect(await one.result()).toEqual([1, 1, 1]);
    await clock.settle();
    expect(told).toEqual([`made for ${one.id}`, 'gone 1']);
    expect(await orchestrator.run(top, null)).toEqual([2, 2, 2]);
  });
});

describe('locals', () => {
  const who = locals.create<string>('who');

  it('B11: are set by middleware or code, and seen by the run and those it makes, in this page', async () => {
    const child = defineTask({ id: 'local child', run: (_: null, ctx) => {
      const inherited = ctx.locals.getOrThrow(who);
      ctx.locals.set(who, 'the child');
      return [inherited, ctx.locals.get(who)];
    } });
    const task = defineTask({ id: 'local', run: async (_: null, ctx) => [await ctx.run(child, null), ctx.locals.get(who)], middleware: ({ ctx, next }) => (ctx.locals.set(who, 'Ada'), next()) });
    const { orchestrator } = await open();
    expect(await orchestrator.run(task, null)).toEqual([['Ada', 'the child'], 'Ada']);
  });

  it('B11: are of one run; another key of the same name is another; what nobody set is told of', async () => {
    const other = locals.create<string>('who');
    const task = defineTask({ id: 'unset', retry: { maxAttempts: 1 }, run: (isSet: boolean, ctx) => {
      if (isSet) ctx.locals.set(who, 'me');
      return [ctx.locals.get(who), ctx.locals.get(other), isSet || ctx.locals.getOrThrow(who)];
    } });
    const { orchestrator } = await open();
    expect(await orchestrator.run(task, true)).toEqual(['me', undefined, true]);
    expect(await orchestrator.trigger(task, false).wait()).toMatchObject({ error: { code: 'CONFIGURATION', message: expect.stringContaining('ctx.locals "who"') } });
    expect(() => locals.create('')).toThrow(ConfigurationError);
  });

  it('B11: takes only keys that locals.create made, and a name', async () => {
    const { orchestrator } = await open();
    const task = defineTask({ id: 'keyless', run: async (_: null, ctx) => {
      for (const verb of ['get', 'set', 'getOrThrow'] as const) for (const key of ['who', null, undefined, 5, { name: 'who' }, function who() {}, new Error('who')])
        expect(() => ctx.locals[verb](key as never, 1 as never)).toThrow(ConfigurationError);
    } });
    await orchestrator.run(task, null);
    expect(() => locals.create('')).toThrow('not ""');
  });
});

describe('intent', () => {
  it('B2: decides about attempts and queue where nobody else does', async () => {
    const { orchestrator, clock } = await open();
    const failing = (id: string, spec: object) => defineTask({ id, ...spec, run: () => Promise.reject(new Error('x')) });
    const stateOf = async (task: Task, options?: object) => {
      const run = orchestrator.trigger(task, null, options);
      await clock.settle();
      return run.state;
    };
    expect(await stateOf(failing('f', { intent: 'fetch' }))).toMatchObject({ maxRetries: 2, phase: 'retrying' });
    expect(await stateOf(failing('t', { intent: 'transform' }))).toMatchObject({ maxRetries: 0, phase: 'failed' });
    expect(await stateOf(failing('e', { intent: 'effect' }))).toMatchObject({ maxRetries: 2 });
    expect(await stateOf(failing('t2', { intent: 'transform', retry: { maxAttempts: 2 } }))).toMatchObject({ maxRetries: 1 });
    expect(await stateOf(failing('t3', { intent: 'transform' }), { retry: { maxAttempts: 4 } })).toMatchObject({ maxRetries: 3 });
    expect(() => defineTask({ id: 'bad', intent: 'read' as never, run: () => 1 })).toThrow('intent must be one of fetch, transform, effect, not "read"');
  });

  it('B2: fetches share a queue of six, unless the task or the application says otherwise', async () => {
    const most = async (queues: OrchestratorOptions['queues'], spec: object) => {
      let [running, highest] = [0, 0];
      let letGo!: () => void;
      const gate = new Promise<void>((resolve) => (letGo = resolve));
      const task = defineTask({ id: 'fetching', intent: 'fetch', ...spec, run: async () => {
        highest = Math.max(highest, ++running);
        await gate;
        running--;
      } });
      const { orchestrator, clock } = await open({ ...(queues && { queues }) });
      const runs = Array.from({ length: 10 }, () => orchestrator.trigger(task, undefined));
      await clock.settle();
      letGo();
      await Promise.all(runs.map((run) => run.result()));
      return highest;
    };
    expect(await most(undefined, {})).toBe(6);
    expect(await most({ network: { concurrency: 2 } }, {})).toBe(2);
    expect(await most(undefined, { queue: { name: 'own', concurrency: 8 } })).toBe(8);
  });

  it('B2, B7: stands in ctx.task and in what is known of the tasks', async () => {
    const task = defineTask({ id: 'known', version: 3, intent: 'effect', description: 'Sends it.', tags: 'mail', input: z.string(), queue: { name: 'mail', concurrency: 1 }, run: (_, ctx) => ctx.task });
    const { orchestrator } = await open({ tasks: { known: task } });
    expect(await orchestrator.run(task, '')).toEqual({ id: 'known', version: 3, intent: 'effect' });
    const info = { id: 'known', version: 3, intent: 'effect', description: 'Sends it.', tags: ['mail'], queue: 'mail', validatesInput: true, validatesOutput: false, inWorker: false };
    expect(orchestrator.tasks.get('known')).toEqual(info);
    expect(orchestrator.tasks.list()).toContainEqual(info);
    expect(orchestrator.tasks.get('nobody')).toBeUndefined();
    expect(() => defineTask({ id: 'bad', description: 3 as never, run: () => 1 })).toThrow('description must be text');
  });
});

describe('names', () => {
  it('B14: a task is called by its id', async () => {
    defineTask({ id: 'called by name', run: (n: number) => n + 1 });
    const { orchestrator } = await open();
    expect(await orchestrator.run('called by name' as never, 1 as never)).toBe(2);
    expect((await orchestrator.triggerAndWait('called by name' as never, 1 as never)) as unknown).toMatchObject({ ok: true, output: 2 });
    expect(() => orchestrator.trigger('nobody' as never, 1 as never)).toThrow(UnrecognizedTaskError);
    await expect(orchestrator.run('nobody' as never, 1 as never)).rejects.toThrow('run: no task "nobody" is registered');
    expect(() => orchestrator.trigger({} as never, 1 as never)).toThrow(ConfigurationError);
    await expect(open({ tasks: { other: defineTask({ id: 'named otherwise', run: () => 1 }) } })).rejects.toThrow('"named otherwise" under "other"');
    await expect(open({ tasks: 'all' as never })).rejects.toThrow('tasks must be tasks made by defineTask');
  });
});
