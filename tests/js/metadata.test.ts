import { ConfigurationError, defineTask, PayloadTooLargeError, SerializationError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { again, open } from './houses.ts';

describe('metadata', () => {
  it('B12: is read by its names, and changed by verbs that stand beside them', async () => {
    const task = defineTask({ id: 'changing', run: async (_: null, ctx) => {
      const seen: unknown[] = [ctx.metadata.file, { ...ctx.metadata }, Object.keys(ctx.metadata)];
      ctx.metadata.set('page', 3).increment('done').increment('done', 4).decrement('left', 2).append('log', 'a').append('log', { b: 1 }).remove('log', { b: 1 }).del('file');
      return [...seen, { ...ctx.metadata }, ctx.metadata.get('page'), ctx.metadata.current()];
    } });
    const { orchestrator } = await open();
    const run = orchestrator.trigger(task, null, { metadata: { file: 'a.pdf' } });
    const after = { page: 3, done: 5, left: -2, log: ['a'] };
    expect(await run.result()).toEqual(['a.pdf', { file: 'a.pdf' }, ['file'], after, 3, after]);
    expect(run.state.metadata).toEqual(after);
  });

  it('B12: of one look does not change; values are taken by value; a value called like a verb is had by get', async () => {
    const task = defineTask({ id: 'looks', run: async (_: null, ctx) => {
      const before = ctx.metadata;
      const list = [1];
      ctx.metadata.set('list', list).set('set', 'a value').set('__proto__', { polluted: true });
      list.push(2);
      return [before.list, ctx.metadata.list, ctx.metadata.get('set'), typeof ctx.metadata.set, ctx.metadata.get('polluted'), ({} as any).polluted];
    } });
    const { orchestrator } = await open();
    expect(await orchestrator.run(task, null)).toEqual([undefined, [1], 'a value', 'function', undefined, undefined]);
  });

  it('B12: can be replaced as a whole, returned from a step, and is seen by listeners at once', async () => {
    const seen: unknown[] = [];
    const task = defineTask({ id: 'replaced', run: async (_: null, ctx) => {
      ctx.metadata.replace({ a: 1 });
      await ctx.sleep(10);
      return ctx.step('copy', () => ctx.metadata);
    } });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, null, { metadata: { b: 2 } });
    run.subscribe(({ metadata }) => seen.push(metadata));
    await clock.advance(10);
    expect(await run.result()).toEqual({ a: 1 });
    expect(seen).toContainEqual({ a: 1 });
  });

  for (const how of ['crash', 'reload'] as const)
    it(`B12: survives a ${how}, and is not changed again by code that goes over what is recorded`, async () => {
      let isHeld = true;
      const task = defineTask({ id: `counting ${how}`, run: async (_: null, ctx) => {
        ctx.metadata.increment('begun');
        await ctx.step('one', () => 1);
        ctx.metadata.increment('one').append('log', 'after one');
        await ctx.step('two', () => 2);
        ctx.metadata.increment('two');
        await ctx.step('three', () => (isHeld ? new Promise<never>(() => {}) : 3));
        ctx.metadata.set('over', true);
        return { ...ctx.metadata };
      } });
      const house = await open();
      const run = house.orchestrator.trigger(task, null);
      await house.clock.settle();
      isHeld = false;
      const next = await again(house[how]());
      const result = (await next.orchestrator.attach(run.id)!.result()) as any;
      // What came after the last recorded step may have been stored with nothing behind it that says so.
      expect(result).toMatchObject({ begun: 1, one: 1, log: ['after one'], over: true });
      expect(result.two).toBeGreaterThanOrEqual(1);
      await next.clock.advance(1000);
      expect((await again(next.crash())).orchestrator.getTaskState(run.id)!.metadata).toEqual(result);
    });

  it('B12: is stored at most four times a second, but at once by flush', async () => {
    const { orchestrator, clock } = await open();
    let flushed = false;
    const task = defineTask({ id: 'flushing', run: async (_: null, ctx) => {
      for (let n = 0; n < 100; n++) {
        ctx.metadata.increment('n');
        await null;
      }
      await ctx.metadata.flush();
      flushed = true;
      return new Promise<never>(() => {});
    } });
    const run = orchestrator.trigger(task, null);
    await clock.settle();
    expect(flushed).toBe(true);
    const notes: number[] = [];
    for await (const { type, at } of orchestrator.events({ runId: run.id })) {
      if (type === 'noted') notes.push(at);
      if (notes.length === 2) break;
    }
    expect(run.state.metadata.n).toBe(100);
    await clock.advance(1000);
    expect(orchestrator.getTaskState(run.id)!.metadata.n).toBe(100);
  });

  it('B12: of more than a value that stands in the journal is stored whole, and no more than is allowed', async () => {
    const house = await open();
    const large = 'é'.repeat(60_000);
    const task = defineTask({ id: 'large metadata', run: async (_: null, ctx) => {
      ctx.metadata.set('large', large);
      await ctx.metadata.flush();
      return ctx.sleep('1m');
    } });
    const run = house.orchestrator.trigger(task, null, { metadata: { first: large } });
    await run.accepted;
    await house.clock.settle();
    const next = await again(house.crash());
    expect(next.orchestrator.getTaskState(run.id)!.metadata).toEqual({ first: large, large });
    expect(() => house.orchestrator.trigger(task, null, { metadata: { first: large.repeat(3) } })).toThrow(/metadata/);
  });

  it('B12: of parent and root is changed by their children', async () => {
    const leaf = defineTask({ id: 'counting leaf', run: (n: number, ctx) => {
      ctx.metadata.parent.increment('leaves').append('seen', n);
      ctx.metadata.root.increment('all');
    } });
    const middle = defineTask({ id: 'counting middle', run: async (n: number, ctx) => {
      await Promise.all([ctx.run(leaf, n), ctx.run(leaf, n + 1)]);
      return { ...ctx.metadata };
    } });
    const top = defineTask({ id: 'counting top', run: async (_: null, ctx) => [await ctx.run(middle, 1), await ctx.run(middle, 3), { ...ctx.metadata }] });
    const { orchestrator } = await open();
    expect(await orchestrator.run(top, null)).toEqual([{ leaves: 2, seen: [1, 2] }, { leaves: 2, seen: [3, 4] }, { all: 4 }]);
    const lonely = defineTask({ id: 'lonely', run: (_: null, ctx) => void ctx.metadata.parent.set('a', 1) });
    expect(await orchestrator.trigger(lonely, null).wait()).toMatchObject({ error: { code: 'CONFIGURATION', message: expect.stringContaining('no parent') } });
  });

  it('B12: refuses what makes no sense or is too large, and nothing has changed', async () => {
    const refused: Error[] = [];
    const task = defineTask({ id: 'refusing', run: async (_: null, ctx) => {
      const attempt = (change: () => unknown) => {
        try {
          change();
        } catch (error) {
          refused.push(error as Error);
        }
      };
      const { metadata } = ctx;
      attempt(() => metadata.set('', 1));
      attempt(() => metadata.increment('text'));
      attempt(() => metadata.increment('n', Number.NaN));
      attempt(() => metadata.append('text', 1));
      attempt(() => metadata.replace([1] as never));
      attempt(() => metadata.set('code', () => {}));
      attempt(() => metadata.set('file', new Blob(['x'])));
      attempt(() => metadata.set('large', 'x'.repeat(256 * 1024)));
      attempt(() => {
        for (let n = 0; n < 10; n++) metadata.append('list', 'x'.repeat(30_000));
      });
      return { ...ctx.metadata, list: ctx.metadata.list?.length };
    } });
    const { orchestrator } = await open();
    const run = orchestrator.trigger(task, null, { metadata: { text: 'a' } });
    expect(await run.result()).toEqual({ text: 'a', list: 8 });
    expect(refused.map(({ name }) => name)).toEqual([...Array(5).fill('ConfigurationError'), 'NotCloneableError', 'SerializationError', 'PayloadTooLargeError', 'PayloadTooLargeError']);
    expect(refused[5]!.message).toContain('metadata.code');
    expect([ConfigurationError, SerializationError, PayloadTooLargeError].every((type) => refused.some((error) => error instanceof type))).toBe(true);
    expect(() => orchestrator.trigger(task, null, { metadata: { large: 'x'.repeat(300_000) } })).toThrow(PayloadTooLargeError);
  });

  it('B12: is not changed by code whose attempt has ended, and says so', async () => {
    let later = () => {};
    const task = defineTask({ id: 'late', run: (_: null, ctx) => {
      later = () => void ctx.metadata.set('late', true);
      return 1;
    } });
    const { orchestrator, clock } = await open();
    const run = orchestrator.trigger(task, null);
    await run.result();
    expect(later).toThrow(/Task "late" .*ctx\.metadata\.set\(\) was used after its attempt had ended/);
    await clock.advance(1000);
    expect(run.state.metadata).toEqual({});
  });
});

describe('tags', () => {
  it('B12: of task, call and process add up, are listed by, and survive', async () => {
    const task = defineTask({ id: 'tagged', tags: ['a', 'b'], run: (_: null, ctx) => ctx.run.tags });
    const house = await open();
    const run = house.orchestrator.trigger(task, null, { tags: 'c', process: { tags: ['d', 'a'] } });
    expect(await run.result()).toEqual(['d', 'a', 'b', 'c']);
    await house.orchestrator.run(task, null);
    const { orchestrator } = await again(house.crash());
    expect(orchestrator.getTaskState(run.id)!.tags).toEqual(['d', 'a', 'b', 'c']);
    expect(orchestrator.list({ tags: 'c' }).items.map(({ id }) => id)).toEqual([run.id]);
    expect(orchestrator.list({ tags: ['a', 'b'] }).items).toHaveLength(2);
    expect(orchestrator.list({ tags: ['a', 'x'] }).items).toEqual([]);
  });

  it('B12: are added while it runs, and that survives; a child has them where its parent says so', async () => {
    const child = defineTask({ id: 'tagged child', tags: 'own', run: (_: null, ctx) => ctx.run.tags });
    const task = defineTask({ id: 'adding', run: async (_: null, ctx) => {
      await ctx.tags.add(['late', 'later']);
      await ctx.tags.add('late');
      return [ctx.tags.current, await ctx.run(child, null)];
    } });
    const house = await open();
    const plain = house.orchestrator.trigger(task, null, { tags: 'early' });
    expect(await plain.result()).toEqual([['early', 'late', 'later'], ['own']]);
    expect(await house.orchestrator.run(task, null, { propagateTags: true })).toEqual([['late', 'later'], ['late', 'later', 'own']]);
    expect((await again(house.crash())).orchestrator.getTaskState(plain.id)!.tags).toEqual(['early', 'late', 'later']);
  });

  it('B12: are refused when they are none, or more than ten', async () => {
    const { orchestrator } = await open();
    const eleven = Array.from({ length: 11 }, (_, n) => `tag ${n}`);
    const task = defineTask({ id: 'many', tags: eleven.slice(0, 6), run: async (_: null, ctx) => ctx.tags.add(eleven) });
    for (const tags of ['', 'x'.repeat(129), [3], [['a']], null]) expect(() => orchestrator.trigger(task, null, { tags: tags as never })).toThrow('1 to 128 characters');
    expect(() => orchestrator.trigger(task, null, { tags: eleven.slice(5) })).toThrow('at most 10, not 11');
    expect(() => defineTask({ id: 'bad', tags: eleven, run: () => 1 })).toThrow(ConfigurationError);
    expect(await orchestrator.trigger(task, null).wait()).toMatchObject({ ok: false, error: { code: 'CONFIGURATION' } });
    expect(orchestrator.getAllTasks()).toHaveLength(1);
  });
});

describe('a run with bad tags', () => {
  it('B12: leaves nothing behind, not even the queue that it would have declared', async () => {
    const { orchestrator } = await open();
    const task = defineTask({ id: 'badly tagged', run: () => 1 });
    for (const wrong of [{ tags: '' }, { tags: Array.from({ length: 11 }, (_, index) => `t${index}`) }, { propagateTags: 'yes' as never }])
      expect(() => orchestrator.trigger(task, null, { ...wrong, queue: { name: 'its own', concurrency: 1 } })).toThrow(ConfigurationError);
    expect(() => orchestrator.trigger(task, null, { queue: 'its own' })).toThrow('no queue "its own"');
    expect(orchestrator.counts().total).toBe(0);
  });
});
