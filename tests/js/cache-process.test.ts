/** Caches by intent, and what a process says about them. */
import { type Cache, defineTask } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { describe, expect, it } from 'vitest';
import { resolvePlan } from '../../js/cache/options.ts';
import { open } from './cache-house.ts';

describe('by intent', () => {
  it('J3, B2: a task whose intent is fetch or transform is cached where the orchestrator has a cache; fetch for 5 minutes, effect never by itself', async () => {
    const { orchestrator, clock } = await open();
    const of = (intent: 'fetch' | 'transform' | 'effect', options = {}) => {
      let calls = 0;
      const task = defineTask({ id: `${intent}-task`, intent, ...options, run: () => ++calls });
      return async () => [await orchestrator.run(task, 1), await orchestrator.run(task, 1)];
    };
    const [fetchTwice, transformTwice] = [of('fetch'), of('transform')];
    expect(await fetchTwice()).toEqual([1, 1]);
    expect(await transformTwice()).toEqual([1, 1]);
    expect(await of('effect')()).toEqual([1, 2]);
    expect(await of('effect', { cache: true })()).toEqual([1, 1]);
    await clock.advance(5 * 60_000);
    expect(await fetchTwice()).toEqual([2, 2]);
    expect(await transformTwice()).toEqual([1, 1]);
  });

  it('J7, B2: what runs of an intent share where nobody says', () => {
    const planOf = (intent: string, cache?: boolean, orchestrator: Cache | undefined = memoryCache()) =>
      resolvePlan({ call: undefined, spec: { id: 't', intent, run: () => 1, ...(cache !== undefined && { cache }) } as any, cacheMode: undefined, orchestrator });
    expect(planOf('fetch')).toMatchObject({ mode: 'read-write', ttlMs: 300_000, coalesce: true });
    expect(planOf('transform')).toMatchObject({ mode: 'read-write', ttlMs: Number.POSITIVE_INFINITY, coalesce: true });
    expect(planOf('effect')).toMatchObject({ mode: 'off', keyed: false });
    expect(planOf('effect', true)).toMatchObject({ mode: 'read-write', coalesce: false });
    expect(planOf('fetch', false)).toMatchObject({ mode: 'off', keyed: false });
  });
});

describe('of a process', () => {
  it('B13: a process says how its caches are used, down the tree; a call of ctx.run says more', async () => {
    const { orchestrator } = await open();
    let calls = 0;
    const child = defineTask({ id: 'child', cache: { options: ['locale'] }, run: () => ++calls });
    const own = defineTask({ id: 'own', run: (_: unknown, ctx) => ctx.run(child, 0, { cache: 'read-write' }) });
    const parent = defineTask({ id: 'parent', run: (_: unknown, ctx) => ctx.run(child, 0) });
    expect(await orchestrator.run(parent, 0)).toBe(1);
    expect(await orchestrator.run(parent, 0)).toBe(1);
    expect(await orchestrator.run(parent, 0, { process: { cacheMode: 'refresh' } })).toBe(2);
    expect(await orchestrator.run(own, 0, { process: { cacheMode: 'refresh' } })).toBe(2);
    expect(await orchestrator.run(parent, 0, { process: { locale: 'de' } })).toBe(3);
    expect(await orchestrator.run(parent, 0, { process: { locale: 'de', dryRun: true } })).toBe(3);
    expect(await orchestrator.run(parent, 0)).toBe(2);
  });

  it('B13: what stands in for code that is left out is neither stored nor looked for', async () => {
    const { orchestrator, cache } = await open();
    const child = defineTask({ id: 'child', cache: true, run: () => 'real' });
    const parent = defineTask({ id: 'parent', run: (_: unknown, ctx) => ctx.run(child, 0) });
    expect(await orchestrator.run(parent, 0, { process: { skipTasks: ['child'] } })).toBeUndefined();
    expect(await cache.size()).toBe(0);
    expect(await orchestrator.run(parent, 0)).toBe('real');
    expect(await orchestrator.run(parent, 0, { process: { skipTasks: ['child'] } })).toBeUndefined();
  });

  it('J10: explain says which option of the process differs', async () => {
    const { orchestrator } = await open();
    const page = defineTask({ id: 'page', cache: { options: ['locale'] }, run: (n: number) => n });
    await orchestrator.run(page, 1, { process: { locale: 'de' } });
    expect(await orchestrator.cache.explain(page, 1, { process: { locale: 'de', seed: 5 } })).toMatchObject({ outcome: 'hit' });
    const { nearest } = await orchestrator.cache.explain(page, 1, { process: { locale: 'en' } });
    expect(nearest!.differences).toEqual([{ path: 'options.locale', was: '"de"', is: '"en"' }]);
    expect(await orchestrator.cache.explain(page, 1, { process: { cacheMode: 'write-only' } })).toMatchObject({ reason: 'mode' });
  });

  it('an unknown cache mode is refused at the call', async () => {
    const { orchestrator } = await open();
    const task = defineTask({ id: 'plain', run: () => 1 });
    expect(() => orchestrator.trigger(task, 0, { process: { cacheMode: 'x' as any } })).toThrow('cacheMode must be one of');
  });
});
