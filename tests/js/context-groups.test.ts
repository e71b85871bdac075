/** `ctx.group`: steps under a name of their own; in one page, over crashes, in workers. */
import { defineTask, type Section } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';
import { setup } from './worker-house.ts';

describe('a group', () => {
  it('P2: has steps of its own, which do not meet those of that name outside, in other groups, or in the next one of its name', async () => {
    const house = await open();
    let computed = 0;
    const value = () => ++computed;
    const task = defineTask({
      id: name('groups'),
      run: async (_: null, ctx) => {
        const one = async (group: Section) => [await group.step('head', value), await group.step('body', value)];
        const all = [await ctx.step('head', value), await ctx.group('upload', one), await ctx.group('upload', one), await ctx.group('up:load', one)];
        await ctx.group('outer', (outer) => Promise.all([outer.group('upload', one), outer.group('b', one)]).then((both) => all.push(both.flat())));
        await ctx.sleep('1h');
        return all;
      },
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.settle();
    const next = await crash(house);
    await next.clock.advance(3_600_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([1, [2, 3], [4, 5], [6, 7], [8, 10, 9, 11]]);
    expect(computed).toBe(11);
  });

  it('P2: where two steps have one name is refused: it names the task, the path and what to do, and nothing is stored', async () => {
    const house = await open();
    let computed = 0;
    const task = defineTask({
      id: name('twice'), retry: { maxAttempts: 1 },
      run: async (how: string, ctx) =>
        ctx.group('upload', async (group) => {
          await group.group('page', async (page) => {
            await page.step('head', () => ++computed);
            await page.step('head', () => ++computed, how === 'id' ? { id: 'second' } : {});
          });
          return how;
        }),
    });
    const run = house.orchestrator.trigger(task, 'names');
    await expect(run.result()).rejects.toThrow(`Task "${task.id}" (run ${run.id}): there are two steps "upload/page/head". Give the second another name, or an id of its own.`);
    expect(computed).toBe(1);
    expect(await house.orchestrator.trigger(task, 'id').result()).toBe('id');
    expect(computed).toBe(3);
  });

  it('P2: refuses two groups of one name in a group, and of one id anywhere', async () => {
    const house = await open();
    const work = (group: Section) => group.step('a', () => 1);
    const inner = defineTask({
      id: name('inner'), retry: { maxAttempts: 1 },
      run: (_: null, ctx) => ctx.group('outer', async (outer) => [await outer.group('page', work), await outer.group('page', work)]),
    });
    await expect(house.orchestrator.trigger(inner, null).result()).rejects.toThrow('there are two groups "outer/page". Give the second another name, or an id of its own.');
    const twice = defineTask({
      id: name('twice'), retry: { maxAttempts: 1 },
      run: async (_: null, ctx) => [await ctx.group('page', work, { id: 'x' }), await ctx.group('page', work, { id: 'x' })],
    });
    await expect(house.orchestrator.trigger(twice, null).result()).rejects.toThrow(/"a" is asked for twice with the id/);
  });

  it('P3: branches whose groups have ids find their steps in whatever order they come', async () => {
    const house = await open();
    const computed: string[] = [];
    let order = ['a', 'b', 'c'];
    const task = defineTask({
      id: name('ids'),
      run: async (_: null, ctx) => {
        const work = (id: string) => ctx.group('page', (page) => page.step('fetch', () => {
          computed.push(id);
          return id;
        }), { id });
        const pages = await Promise.all(order.map(work));
        await ctx.sleep('1h');
        return pages;
      },
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.settle();
    order = ['c', 'a', 'b'];
    const next = await crash(house);
    await next.clock.advance(3_600_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual(['c', 'a', 'b']);
    expect(computed).toEqual(['a', 'b', 'c']);
  });

  it('has the other verbs too: children, sleeps, waits, collections, each once over a crash', async () => {
    const house = await open();
    const ran: unknown[] = [];
    const child = defineTask({ id: name('child'), run: async (n: number) => (ran.push(n), n * 2) });
    const task = defineTask({
      id: name('verbs'),
      run: async (_: null, ctx) => {
        const work = async (group: Section) => {
          const doubled = await Promise.all([group.run(child, 1), group.run(child, 2)]);
          const mapped = await group.map([3, 4], child);
          const squares = await group.map([5, 6], (n) => (ran.push(n), n * n));
          const { both } = await group.scatter({ both: () => (ran.push('both'), 'both') });
          const joined = await group.gather([7], { one: (n: number) => (ran.push(n), n), two: child });
          await group.sleep(10);
          await group.sleepUntil(house.clock.now() + 10);
          const { output } = await group.waitFor<string>('go', { id: 'go' }).then((result) => result as { output: string });
          await group.sleep(10);
          return [doubled, mapped.map((item) => item.ok && item.value), squares.map((item) => item.ok && item.value), both, joined[0]!.ok && joined[0]!.value, output];
        };
        const first = await ctx.group('first', work);
        await ctx.sleep('1h');
        return [first, await ctx.group('second', work)];
      },
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.orchestrator.send('go', 'went');
    await house.clock.advance(100);
    expect(ran).toHaveLength(9);
    const next = await crash(house);
    await next.clock.advance(3_600_000);
    await next.orchestrator.send('go', 'went');
    await next.clock.advance(100);
    const once = [[2, 4], [6, 8], [25, 36], 'both', { one: 7, two: 14 }, 'went'];
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([once, once]);
    expect(ran).toHaveLength(18);
  });

  it('P13: gives its steps ids of their own, visible ASCII', async () => {
    const house = await open();
    const task = defineTask({
      id: name('step-ids'),
      run: (_: null, ctx) => Promise.all(['a', 'b'].map((group) => ctx.group(group, (part) => part.step('send', ({ stepId }) => stepId)))),
    });
    const ids = await house.orchestrator.trigger(task, null).result();
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[\x21-\x7e]{1,255}$/);
  });

  it('is told in the story of the run by the path of its steps', async () => {
    const house = await open();
    const task = defineTask({ id: name('told'), run: (_: null, ctx) => ctx.group('up:load', (group) => group.group('page', (page) => page.step('head', () => 1))) });
    const run = house.orchestrator.trigger(task, null);
    await run.result();
    const steps: unknown[] = [];
    for await (const { type, data } of run) if (type === 'stepRecorded') steps.push(data!.step);
    expect(steps).toEqual(['up:load/page/head']);
  });

  it('is the same in a worker', async () => {
    const house = await open();
    let computed = 0;
    const { run: inWorker } = setup(async (_: null, ctx) => {
      const one = (group: Section) => group.step('head', () => ++computed);
      const both = [await ctx.group('a', one), await ctx.group('b', (group) => group.race([one, () => new Promise(() => {})]))];
      await ctx.sleep('1h');
      return [...both, await ctx.race([ctx.step('fast', () => 'fast'), ctx.sleep('1h')])];
    }, 2);
    const task = defineTask({ id: name('in-worker'), run: inWorker as never });
    const run = house.orchestrator.trigger(task, null as never);
    await run.accepted;
    await house.clock.settle();
    expect(computed).toBe(2);
    const next = await crash(house);
    await next.clock.settle();
    await next.clock.advance(3_600_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([1, 2, 'fast']);
    expect(computed).toBe(2);
  });
});
