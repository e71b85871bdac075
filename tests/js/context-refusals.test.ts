/** What durable code gets wrong: a typed error that names the task, the place and the fix; nothing stored. */
import { type TaskContext, ConfigurationError, ContextClosedError, defineTask, InputValidationError, SerializationError, UnrecognizedTaskError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

/** The error of a run of this code, and how many runs and records there are then. */
async function refusal(run: (ctx: TaskContext, input: any) => unknown, input: unknown = null) {
  const house = await open();
  const task = defineTask({ id: name('wrong'), retry: { maxAttempts: 1 }, run: (given: any, ctx) => run(ctx as TaskContext, given) });
  const handle = house.orchestrator.trigger(task, input);
  const result = await handle.wait();
  const error = result.ok ? undefined : result.error;
  return { error: error as (Error & { data?: any }) | undefined, runs: house.orchestrator.getAllTasks().length, steps: house.orchestrator.getTaskState(handle.id)!.steps, task };
}

describe('durable code that asks for what is not to be had', () => {
  it('a child of a task nobody registered: its name, and how to register it', async () => {
    const { error, runs, steps } = await refusal((ctx) => ctx.run('nobody', 1));
    expect(error).toBeInstanceOf(UnrecognizedTaskError);
    expect(error!.message).toContain('"nobody"');
    expect([runs, steps]).toEqual([1, 0]);
  });

  it('a child that is no task', async () => {
    const { error, runs } = await refusal((ctx) => ctx.run({ id: 'plain' } as never, 1 as never));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error!.message).toMatch(/ctx\.run/);
    expect(runs).toBe(1);
  });

  it('a child whose input its schema refuses', async () => {
    const child = defineTask({ id: name('strict'), input: (value: unknown) => {
      if (typeof value !== 'number') throw new TypeError('not a number');
      return value;
    }, run: async (n: number) => n });
    const { error, runs, steps } = await refusal((ctx) => ctx.run(child, 'text' as never));
    expect(error).toBeInstanceOf(InputValidationError);
    expect(error!.message).toContain(child.id);
    expect([runs, steps]).toEqual([1, 0]);
  });

  it('a task that calls itself: the 65th is refused, and says how deep it is', async () => {
    const house = await open();
    const id = name('recursive');
    const task = defineTask({ id, retry: { maxAttempts: 1 }, run: (n: number, ctx): Promise<number> => ctx.run(id, n + 1) });
    const result = await house.orchestrator.trigger(task, 0).wait();
    expect(result.ok).toBe(false);
    expect((result as { error: Error }).error).toBeInstanceOf(ConfigurationError);
    expect((result as { error: Error }).error.message).toMatch(new RegExp(`${id}.*64`));
    expect(house.orchestrator.getAllTasks()).toHaveLength(65);
  });

  it('two tasks that call each other end the same way', async () => {
    const house = await open();
    const [one, other] = [name('one'), name('other')];
    const first = defineTask({ id: one, retry: { maxAttempts: 1 }, run: (n: number, ctx): Promise<number> => ctx.run(other, n + 1) });
    defineTask({ id: other, retry: { maxAttempts: 1 }, run: (n: number, ctx): Promise<number> => ctx.run(one, n + 1) });
    const result = await house.orchestrator.trigger(first, 0).wait();
    expect((result as { error: Error }).error.message).toMatch(/64/);
  });

  it('two steps of one name and one id: they would share a record', async () => {
    const { error } = await refusal(async (ctx) => Promise.all([ctx.step('page', () => 1, { id: 'a' }), ctx.step('page', () => 2, { id: 'a' })]));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error!.message).toMatch(/"page" is asked for twice with the id "a"/);
  });

  it('two children of one task and one id', async () => {
    const child = defineTask({ id: name('child'), run: async (n: number) => n });
    const { error, runs } = await refusal(async (ctx) => Promise.all([ctx.run(child, 1, { id: 'a' }), ctx.run(child, 2, { id: 'a' })]));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error!.message).toMatch(/twice/);
    expect(runs).toBeLessThanOrEqual(2);
  });

  it('a step whose value cannot be kept: the place in it', async () => {
    const { error, steps } = await refusal((ctx) => ctx.step('open', () => ({ pages: [{ render: () => 1 }] })));
    expect(error).toBeInstanceOf(SerializationError);
    expect(error!.message).toMatch(/step "open".*pages\[0\]\.render/);
    expect(steps).toBe(0);
  });

  it('a step in a step', async () => {
    const { error } = await refusal((ctx) => ctx.step('outer', () => ctx.step('inner', () => 1)));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error!.message).toMatch(/"inner".*"outer"/);
  });

  it('now, random and uuid in a step: what they give would be another after a crash', async () => {
    for (const verb of ['now', 'random', 'uuid'] as const) {
      const { error } = await refusal((ctx) => ctx.step('stamp', () => ctx[verb]()));
      expect(error, verb).toBeInstanceOf(ConfigurationError);
      expect(error!.message, verb).toMatch(/step "stamp".*the result is recorded/);
    }
  });

  it.each<[string, (ctx: TaskContext) => unknown, RegExp]>([
    ['a step without a name', (ctx) => ctx.step('', () => 1), /step/],
    ['a step whose name is no text', (ctx) => ctx.step(7 as never, () => 1), /step.*7/],
    ['a step without a function', (ctx) => ctx.step('open', 7 as never), /"open"/],
    ['a sleep that is no time', (ctx) => ctx.sleep('soon'), /soon/],
    ['a sleep until no moment', (ctx) => ctx.sleepUntil('yesterday noon'), /yesterday noon/],
    ['an option nobody knows', (ctx) => ctx.step('open', () => 1, { retires: 3 } as never), /retires/],
    ['a progress that is no number', (ctx) => ctx.progress('half' as never), /half/],
    ['a wait for no event', (ctx) => ctx.waitFor('' as never), /event|name/],
    ['a durability that is none', (ctx) => ctx.step('open', () => 1, { durability: 7 as never }), /durability.*7/],
    ['a group without a name', (ctx) => ctx.group('', async () => 1), /ctx\.group/],
    ['a group without work', (ctx) => ctx.group('upload', 7 as never), /ctx\.group\("upload"\) work.*7/],
    ['a group whose id is no text', (ctx) => ctx.group('upload', async () => 1, { id: 7 as never }), /ctx\.group\("upload"\) id.*7/],
    ['an option of a group that nobody knows', (ctx) => ctx.group('upload', async () => 1, { name: 'x' } as never), /"name"/],
    ['a step without a function in a group', (ctx) => ctx.group('upload', (group) => group.step('open', 7 as never)), /"open"/],
    ['a race of nothing', (ctx) => ctx.race(7 as never), /ctx\.race.*7/],
    ['a race with a word for cancelLosers', (ctx) => ctx.any([() => 1], { cancelLosers: 'yes' as never }), /cancelLosers.*yes/],
  ])('%s', async (_, run, words) => {
    const { error, runs, steps } = await refusal(run);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error!.message).toMatch(words);
    expect([runs, steps]).toEqual([1, 0]);
  });

  it('collections of one task do not share records, however alike their items: map, gather and scatter', async () => {
    const house = await open();
    const child = defineTask({ id: name('child'), run: async (text: string) => `${text}!` });
    const task = defineTask({ id: name('twice'), run: async (_: null, ctx) => {
      const values = (records: readonly { ok: boolean; value?: unknown }[]) => records.map(({ value }) => value);
      const first = values(await ctx.map([1, 2], (n) => n));
      const second = values(await ctx.map([3, 4], (n) => n * 10));
      const children = [values(await ctx.map(['a', 'b'], child)), values(await ctx.map(['c', 'd'], child))];
      const gathered = [values(await ctx.gather([1], { one: (n) => n })), values(await ctx.gather([2], { one: (n) => n }))];
      const scattered = [await ctx.scatter({ one: () => 1 }), await ctx.scatter({ one: () => 2 })];
      await ctx.sleep('1m');
      return { first, second, children, gathered, scattered };
    } });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.advance(1000);
    const next = await crash(house);
    await house.clock.advance(60_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual({
      first: [1, 2], second: [30, 40], children: [['a!', 'b!'], ['c!', 'd!']], gathered: [[{ one: 1 }], [{ one: 2 }]], scattered: [{ one: 1 }, { one: 2 }],
    });
  });

  it('ctx after its task has ended: every verb says which task', async () => {
    const house = await open();
    let kept!: TaskContext;
    const task = defineTask({ id: name('ended'), run: async (_: null, ctx) => void (kept = ctx as TaskContext) });
    await house.orchestrator.run(task, null);
    const child = defineTask({ id: name('child'), run: async (n: number) => n });
    const verbs: [string, () => unknown][] = [
      ['step', () => kept.step('late', () => 1)], ['run', () => kept.run(child, 1)], ['sleep', () => kept.sleep(1)], ['waitFor', () => kept.waitFor('event')],
      ['checkpoint', () => kept.checkpoint(1)], ['map', () => kept.map([1], child)], ['map of nothing', () => kept.map([], child)], ['gather', () => kept.gather([1], { child })], ['scatter', () => kept.scatter({ late: () => 1 })],
      ['waitForToken', () => kept.waitForToken('token')], ['sleepUntil', () => kept.sleepUntil(5)], ['uuid', () => kept.uuid()], ['onRollback', () => kept.onRollback('late', () => 1)], ['continueAsNew', () => kept.continueAsNew(1)],
      ['metadata.set', () => kept.metadata.set('late', 1)], ['tags.add', () => kept.tags.add('late')], ['yield', () => kept.yield()], ['fetch', () => kept.fetch('http://127.0.0.1:1/')], ['retry.onThrow', () => kept.retry.onThrow(() => 1)], ['patch', () => kept.patch('p')], ['now', () => kept.now()], ['random', () => kept.random()],
    ];
    for (const [verb, call] of verbs) {
      const error = await Promise.resolve().then(call).then(() => undefined, (error: Error) => error);
      expect(error, verb).toBeInstanceOf(ContextClosedError);
      expect(error!.message, verb).toContain(task.id);
      expect(error!.message, verb).not.toContain('("")');
    }
    expect(house.orchestrator.getAllTasks()).toHaveLength(1);
    const next = await crash(house);
    expect(next.orchestrator.getAllTasks()).toHaveLength(1);
    expect(next.orchestrator.getAllTasks()[0]).toMatchObject({ tags: [] });
    expect(next.orchestrator.getAllTasks()[0]!.metadata?.late).toBeUndefined();
  });

  it('a collection whose work is none, or is a task nobody registered, is the code’s mistake and no failure of its items', async () => {
    const house = await open();
    const wrong: [(ctx: any) => unknown, RegExp][] = [
      [(ctx) => ctx.map([1, 2]), /ctx\.map needs a task made by defineTask, the id of one or a function for its items, not undefined/],
      [(ctx) => ctx.map([1, 2], 'nobody'), /no task "nobody" is registered/],
      [(ctx) => ctx.gather([1], { a: () => 1, b: 5 }), /ctx\.gather source "b" needs a task.*not 5/],
      [(ctx) => ctx.gather([1], { a: () => 1, b: 'nobody' }), /no task "nobody" is registered/],
      [(ctx) => ctx.scatter([() => 1]), /ctx\.scatter needs an object of named sources/],
    ];
    for (const [call, message] of wrong) {
      const task = defineTask({ id: name('wrong'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => void (await call(ctx)) });
      await expect(house.orchestrator.run(task, null)).rejects.toThrow(message);
    }
    const caller = defineTask({ id: name('caller'), retry: { maxAttempts: 1 }, run: async (_: number, ctx) => ctx.run('nobody' as never, 1 as never) });
    const task = defineTask({ id: name('mapping'), run: async (_: null, ctx) => (await ctx.map([1], caller)).map(({ ok }) => ok) });
    expect(await house.orchestrator.run(task, null)).toEqual([false]);
  });

  it('options of a step and what undoes of another type, each under the verb that it was given to', async () => {
    const house = await open();
    const wrong: [(ctx: any) => unknown, RegExp][] = [
      [(ctx) => ctx.step('a', () => 1, { compensate: 5 }), /ctx\.step\("a"\) compensate must be a function, not 5/],
      [(ctx) => ctx.step('a', () => 1, { id: 5 }), /ctx\.step\("a"\) id must be text, not 5/],
      [(ctx) => ctx.step(Symbol('a'), () => 1), /ctx\.step needs a name of 1 to 512 characters, not Symbol\(a\)/],
      [(ctx) => ctx.onRollback('a'), /ctx\.onRollback\("a"\) undo must be a function, not undefined/],
      [(ctx) => ctx.onRollback('', () => 1), /ctx\.onRollback needs a name/],
    ];
    for (const [call, message] of wrong) {
      const task = defineTask({ id: name('wrong'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => void (await call(ctx)) });
      await expect(house.orchestrator.run(task, null)).rejects.toThrow(message);
    }
  });
});
