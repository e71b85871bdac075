/** Steps with options of their own, and collections. */
import { defineTask, joinById } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

describe('steps with options', () => {
  it('are tried again by themselves, each with its own count, and remember it over a crash', async () => {
    const house = await open();
    const tries: string[] = [];
    const task = defineTask({ id: name('tries'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => Promise.all(['a', 'b'].map((step) => ctx.step(step, ({ attempt }) => {
      tries.push(`${step}${attempt}`);
      if (attempt < (step === 'a' ? 2 : 4)) throw new Error(`${step} fails`);
      return `${step} after ${attempt}`;
    }, { retry: { maxAttempts: 4, minDelayMs: 1000, factor: 1, randomize: false } }))) });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(1500);
    expect(tries).toEqual(['a1', 'b1', 'a2', 'b2']);
    const next = await crash(house);
    await house.clock.advance(10_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual(['a after 2', 'b after 4']);
    expect(tries).toEqual(['a1', 'b1', 'a2', 'b2', 'b3', 'b4']);
  });

  it('that take too long are given up and tried again', async () => {
    const house = await open();
    const signals: AbortSignal[] = [];
    const task = defineTask({ id: name('late'), run: (_: null, ctx) => ctx.step('late', ({ attempt, signal }) => {
      signals.push(signal);
      return attempt === 1 ? new Promise<string>(() => {}) : 'in time';
    }, { timeout: 1000, retry: { maxAttempts: 2, minDelayMs: 100 } }) });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(5000);
    expect(await run.result()).toBe('in time');
    expect(signals[0]!.reason).toMatchObject({ name: 'StepTimeoutError' });
  });

  it('whose failure is caught stay failed for the code that goes on', async () => {
    const house = await open();
    let computed = 0;
    let holding = true;
    const task = defineTask({ id: name('caught'), run: async (_: null, ctx) => {
      const way = await ctx.step('risky', () => {
        computed++;
        throw new RangeError('no luck');
      }).catch((error: Error) => error.name);
      const next = await ctx.step(`after ${way}`, () => way);
      if (holding) await new Promise(() => {});
      return next;
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    holding = false;
    const next = await crash(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('RangeError');
    expect(computed).toBe(1);
  });
});

describe('values of steps', () => {
  it('I5: are what was recorded: what their function keeps, and what code does to them, reaches neither record nor another attempt', async () => {
    const kept = { list: [1] };
    let attempts = 0;
    const task = defineTask({ id: name('keeps'), retry: { maxAttempts: 2 }, run: async (_: null, ctx) => {
      const given = await ctx.step('one', () => kept);
      const before = [...given.list];
      kept.list.push(2);
      given.list.push(3);
      if (++attempts === 1) throw new Error('again');
      return [before, given.list];
    } });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(10_000);
    expect(await run.result()).toEqual([[1], [1, 3]]);
    expect(kept.list).toEqual([1, 2, 2]);
  });
});

describe('values that can not be stored as they are', () => {
  class Money {
    readonly cents: number;
    constructor(cents: number) {
      this.cents = cents;
    }
    get euros() {
      return this.cents / 100;
    }
  }
  const serde = { serialize: ({ cents }: Money) => cents, deserialize: async (cents: number) => new Money(cents) };

  it('P15: are recorded as `serde` says, and the code gets the same before and after a crash, and what compensates too', async () => {
    let holding = true;
    let computed = 0;
    const undone: unknown[] = [];
    const task = defineTask({ id: name('pays'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => {
      const money = await ctx.step('price', () => new Money(++computed * 1250), { serde, compensate: (given) => undone.push(given.euros) });
      if (holding) await new Promise(() => {});
      throw new Error(`${money instanceof Money} ${money.euros}`);
    } });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.settle();
    holding = false;
    const next = await crash(house);
    await expect(next.orchestrator.attach(run.id)!.result()).rejects.toThrow('true 12.5');
    expect([computed, undone]).toEqual([1, [12.5]]);
  });

  it.each([[{ serialize: () => 1 }, 'serde.deserialize'], [3, 'serde'], [{ ...serde, version: 1 }, 'version']])('P15: a serde that is none (%j) is refused, and nothing is computed', async (bad, words) => {
    const house = await open();
    let computed = 0;
    const task = defineTask({ id: name('pays'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.step('price', () => ++computed, { serde: bad as never }) });
    await expect(house.orchestrator.trigger(task, null).result()).rejects.toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining(words) });
    expect(computed).toBe(0);
  });

  it('P15: what can not be stored, or can not be serialized, fails the step, with the place', async () => {
    const house = await open();
    const ask = (given: object) => house.orchestrator.trigger(defineTask({ id: name('pays'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.step('price', () => new Money(1), { serde: { ...serde, ...given } }) }), null).result();
    await expect(ask({ serialize: () => ({ callback: () => 1 }) })).rejects.toMatchObject({ code: 'NOT_CLONEABLE', message: expect.stringContaining('result of step "price".callback') });
    await expect(ask({ serialize: () => { throw new Error('no cents'); } })).rejects.toThrow('no cents');
  });
});

describe('collections', () => {
  const items = [{ id: 'x', n: 1 }, { id: 'y', n: 2 }, { id: 'z', n: 3 }];

  it('keep the identity of their items, in map as in a child for each', async () => {
    const house = await open();
    const twice = defineTask({ id: name('twice'), retry: { maxAttempts: 1 }, run: async ({ n }: { n: number }) => {
      if (n === 2) throw new Error('two');
      return n * 2;
    } });
    const task = defineTask({ id: name('maps'), run: async (_: null, ctx) => ({
      children: await ctx.map(items, twice),
      steps: await ctx.map(items, ({ n }) => {
        if (n === 2) throw new Error('two');
        return n * 2;
      }, { concurrency: 2 }),
    }) });
    const { children, steps } = await house.orchestrator.trigger(task, null).result();
    const shape = [{ id: 'x', index: 0, ok: true, value: 2 }, { id: 'y', index: 1, ok: false, error: { message: 'two' } }, { id: 'z', index: 2, ok: true, value: 6 }];
    expect(children).toMatchObject(shape);
    expect(steps).toMatchObject(shape);
  });

  it('B10, P8: a child knows the item it is for, after a crash too, and its state says it; nobody else has one', async () => {
    let holding = true;
    const knows = defineTask({ id: name('knows'), run: async (_: unknown, ctx) => {
      if (holding && ctx.item?.id === 'z') await new Promise(() => {});
      return [ctx.item, ctx.run.item];
    } });
    const task = defineTask({ id: name('maps'), run: async (_: null, ctx) => [
      ctx.item, await ctx.run(knows, 'alone'), await ctx.run(knows, 'said', { item: { id: 'page', index: 4 } }), (await ctx.map(items, knows)).map((one) => one.ok && one.value),
    ] });
    const house = await open();
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.settle();
    holding = false;
    const next = await crash(house);
    const of = (id: string, index: number) => [{ id, index, total: 3 }, { id, index, total: 3 }];
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([
      undefined, [undefined, undefined], [{ id: 'page', index: 4 }, { id: 'page', index: 4 }], [of('x', 0), of('y', 1), of('z', 2)],
    ]);
    const children = next.orchestrator.getAllTasks().filter(({ parentId }) => parentId === run.id);
    expect(children.map(({ item }) => item?.id).sort()).toEqual(['page', 'x', 'y', 'z', undefined]);
  });

  it.each([[5, 'item'], [{ id: '', index: 0 }, 'item.id'], [{ id: 'a', index: -1 }, 'item.index'], [{ id: 'a', index: 2, total: 2 }, 'item.total'], [{ id: 'a', index: 0, of: 2 }, 'of']])(
    'B10: an item that is none (%j) is refused, and no child is made', async (item, words) => {
      const house = await open();
      const child = defineTask({ id: name('child'), run: async () => 1 });
      const task = defineTask({ id: name('parent'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.run(child, undefined, { item: item as never }) });
      await expect(house.orchestrator.trigger(task, null).result()).rejects.toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining(words) });
      expect(house.orchestrator.getAllTasks()).toHaveLength(1);
    },
  );

  it('with two items of one id are refused', async () => {
    const house = await open();
    const task = defineTask({ id: name('maps'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.map([1, 2], (n) => n, { id: () => 'same' }) });
    await expect(house.orchestrator.trigger(task, null).result()).rejects.toThrow('two items have the id "same"');
  });

  it('P8: gather fetches everything and combines it, with the records that map gives item by item', async () => {
    const house = await open();
    const text = defineTask({ id: name('text'), retry: { maxAttempts: 1 }, run: async ({ n }: { n: number }) => `text ${n}` });
    const images = ({ n }: { n: number }) => {
      if (n === 2) throw new Error('no image');
      return n * 10;
    };
    const task = defineTask({ id: name('gathers'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => ({
      combined: await ctx.gather(items, { text, images, again: text }, { concurrency: 1 }),
      each: await ctx.map(items, (item) => ({ text: `text ${item.n}`, images: images(item), again: `text ${item.n}` })),
    }) });
    const { combined, each } = await house.orchestrator.trigger(task, null).result();
    const known = (records: typeof each) => records.map((record) => (record.ok ? record : { ...record, error: 'failed' }));
    expect(known(combined)).toEqual(known(each));
    expect(combined[1]).toMatchObject({ id: 'y', ok: false, error: { name: 'BatchError', message: 'item "y": images: no image', data: { failed: ['images'] } } });
  });

  it('P8: gather finds every child and step again after a crash', async () => {
    const ran: string[] = [];
    const held = new Promise<void>(() => {});
    const image = defineTask({ id: name('image'), run: async ({ id }: { id: string }) => (ran.push(`image ${id}`), id) });
    const task = defineTask({ id: name('gathers'), run: async (hold: boolean, ctx) => {
      const records = await ctx.gather(items, { image, text: ({ id }) => (ran.push(`text ${id}`), id) });
      await ctx.step('held', () => (hold && ran.length === 6 ? held : undefined));
      return records.map((record) => record.ok && `${record.value.image}${record.value.text}`);
    } });
    const house = await open();
    const run = house.orchestrator.trigger(task, true);
    await run.accepted;
    await house.clock.settle();
    expect(ran).toHaveLength(6);
    ran.push('crash');
    const next = await crash(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual(['xx', 'yy', 'zz']);
    expect(ran.slice(7)).toEqual([]);
  });

  it('P8: lists of other runs are joined by id, not by place; what one list lacks is named', () => {
    const texts = [{ id: 'a', index: 0, item: 1, ok: true, value: 'A' }, { id: 'b', index: 1, item: 2, ok: true, value: 'B' }] as const;
    const sizes = [{ id: 'b', index: 0, item: 2, ok: true, value: 2 }, { id: 'c', index: 1, item: 3, ok: true, value: 3 }] as const;
    const joined = joinById({ texts, sizes });
    expect(joined.map(({ id, index, item, ok }) => [id, index, item, ok])).toEqual([['a', 0, 1, false], ['b', 1, 2, true], ['c', 2, 3, false]]);
    expect(joined[1]).toMatchObject({ value: { texts: 'B', sizes: 2 } });
    expect(joined.flatMap((one) => (one.ok ? [] : one.error.message))).toEqual(['item "a": sizes: has no such item', 'item "c": texts: has no such item']);
    expect(() => joinById({ texts: 7 as never })).toThrow('joinById needs named lists of records; texts is 7');
  });

  it('P8: gather refuses what is no item, no source, and two items of one id', async () => {
    const house = await open();
    const task = defineTask({ id: name('gathers'), retry: { maxAttempts: 1 }, run: ([list, sources, options]: any[], ctx) => ctx.gather(list, sources && { one: () => 1 }, options) });
    const refused = (...input: unknown[]) => expect(house.orchestrator.trigger(task, input).result()).rejects;
    await refused('abc', true).toThrow('ctx.gather needs an array of items, not "abc"');
    await refused([1], null).toThrow('ctx.gather needs an object of named sources');
    await refused([1], true, { concurrency: 0 }).toThrow('ctx.gather concurrency');
    await refused([1], true, { ordered: true }).toThrow('ordered');
    await refused([{ id: 'a' }, { id: 'a' }], true).toThrow('ctx.gather: two items have the id "a"');
  });

  it('scatter asks all sources at once and names all that failed', async () => {
    const house = await open();
    const task = defineTask({ id: name('scatters'), retry: { maxAttempts: 1 }, run: (fail: boolean, ctx) => ctx.scatter({
      one: () => 1,
      two: () => {
        if (fail) throw new Error('no two');
        return 2;
      },
    }) });
    expect(await house.orchestrator.trigger(task, false).result()).toEqual({ one: 1, two: 2 });
    await expect(house.orchestrator.trigger(task, true).result()).rejects.toThrow('two: no two');
  });
});
