/** What people ask of the cache: with inputs as they give them, and of stores that never answer. */
import { defineTask, InputValidationError, StorageBlockedError } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { describe, expect, it } from 'vitest';
import { open, over, PlainCache } from './cache-house.ts';
import { name } from './houses.ts';

describe('explain', () => {
  it('asks about the input as the task’s schema makes it, as a run would', async () => {
    const house = await open();
    let computed = 0;
    const task = defineTask({
      id: name('parsed'), cache: true, input: (given: { url: string; dpi?: number }) => ({ dpi: 300, ...given }), run: async ({ url }) => `${url} ${++computed}`,
    });
    await house.orchestrator.run(task, { url: 'a' });
    await house.orchestrator.run(task, { url: 'a', dpi: 300 });
    expect(computed).toBe(1);
    expect(await house.orchestrator.cache.explain(task, { url: 'a' })).toMatchObject({ outcome: 'hit' });
    const { message } = await house.orchestrator.cache.explain(task, { url: 'b' });
    expect(message).toBe('Miss: the nearest entry differs: input.url was "a" and is "b".');
  });

  it('rejects for an input that the schema refuses, now or later, as the call would', async () => {
    const house = await open();
    const isText = (value: unknown) => {
      if (typeof value !== 'string') throw new Error('must be text');
      return value;
    };
    for (const input of [isText, { '~standard': { version: 1, vendor: 'test', validate: async (value: unknown) => (typeof value === 'string' ? { value } : { issues: [{ message: 'must be text' }] }) } } as any]) {
      const task = defineTask({ id: name('refused'), cache: true, input, run: async () => 1 });
      await expect(house.orchestrator.cache.explain(task, 5)).rejects.toThrow(InputValidationError);
      expect((await house.orchestrator.cache.explain(task, 'text')).outcome).toBe('miss');
    }
  });

  it('makes no entry of a clock that was set back younger than nothing', async () => {
    const house = await open();
    const task = defineTask({ id: name('back'), cache: true, run: async () => 1 });
    const store = house.cache;
    await house.orchestrator.run(task, 1);
    const [key] = await house.orchestrator.cache.keys();
    await store.set(key!, { ...(await store.get(key!))!, createdAt: house.clock.now() + 3_600_000 });
    expect((await house.orchestrator.cache.explain(task, 1)).message).toMatch(/^Hit: 0 ms old/);
  });
});

describe('Keys of the cache', () => {
  it('are made of URLSearchParams, Headers and FormData too, by what is in them', async () => {
    const house = await open();
    let computed = 0;
    const task = defineTask({ id: name('web'), cache: true, run: async (_: unknown) => ++computed });
    const form = (...fields: [string, string | Blob][]) => {
      const made = new FormData();
      for (const [field, value] of fields) made.append(field, value as string);
      return made;
    };
    const inputs = [
      () => new URLSearchParams('a=1&b=2'), () => new URLSearchParams('b=2&a=1'), () => new Headers({ a: '1', b: '2' }), () => new Headers({ a: '2', b: '1' }),
      () => form(['a', '1'], ['a', '2']), () => form(['a', '2'], ['a', '1']), () => form(['f', new File(['one'], 'f.txt')]), () => form(['f', new File(['two'], 'f.txt')]),
      () => ({ a: '1', b: '2' }), () => [['a', '1'], ['b', '2']],
    ];
    for (const input of inputs) await house.orchestrator.run(task, input());
    expect(computed).toBe(inputs.length);
    for (const input of inputs) await house.orchestrator.run(task, input());
    await house.orchestrator.run(task, new Headers([['B', '2'], ['A', '1']]));
    expect(computed).toBe(inputs.length);
    expect(house.warnings).toEqual([]);
  });
});

describe('A store that never answers', () => {
  const never = () => new Promise<never>(() => {});
  const asked = {
    keys: (cache: any) => cache.keys(), size: (cache: any) => cache.size(), clear: (cache: any) => cache.clear(),
    invalidate: (cache: any) => cache.invalidate({ tag: 'a' }), clearOlderThan: (cache: any) => cache.clearOlderThan('1s'), migrateAll: (cache: any) => cache.migrateAll(),
  };
  for (const [verb, ask] of Object.entries(asked))
    it(`is said of it when ${verb}() is asked for, after five seconds`, async () => {
      const house = await open({ cache: over(new PlainCache(), { keys: never, size: never, clear: never, clearOlderThan: never }) });
      const task = defineTask({ id: name('old'), version: 2, migrations: { 1: (value: unknown) => value }, cache: true, run: async () => 1 });
      await house.orchestrator.run(task, 1);
      let error: unknown;
      ask(house.orchestrator.cache).catch((thrown: unknown) => (error = thrown));
      await house.clock.advance(5100);
      expect(error).toBeInstanceOf(StorageBlockedError);
    });
});

it('Limits beside a store of one’s own are refused: they are of the default store', async () => {
  await expect(open({ cache: { store: memoryCache(), maxEntries: 5 } })).rejects.toThrow(/cache maxEntries is of the default store; give it to your own/);
});
