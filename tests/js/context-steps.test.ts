/** Steps with options of their own, and collections. */
import { defineTask } from 'holdfast';
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

  it('with two items of one id are refused', async () => {
    const house = await open();
    const task = defineTask({ id: name('maps'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => ctx.map([1, 2], (n) => n, { id: () => 'same' }) });
    await expect(house.orchestrator.trigger(task, null).result()).rejects.toThrow('two items have the id "same"');
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
