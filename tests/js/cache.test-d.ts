import { type Cache, type CacheEntry, defineTask, type Migration, type Task } from 'holdfast';
import { memoryCache, taskOutputRepository } from 'holdfast/cache';
import { describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';

describe('types of a cached task', () => {
  it('J5: the output is what select gives, select takes what run returns, the serializer too', () => {
    const post = defineTask({
      id: 'post',
      cache: { ttl: '1h', serialize: (raw) => raw.title, deserialize: (title: string) => ({ title, stars: 0 }) },
      run: async (url: string) => ({ title: url, stars: 5 }),
      select: (raw) => {
        expectTypeOf(raw).toEqualTypeOf<{ title: string; stars: number }>();
        return raw.title;
      },
      selectVersion: 2,
    });
    expectTypeOf(post).toEqualTypeOf<Task<'post', string, string>>();
    const later = defineTask({ id: 'a', run: (n: number) => ({ n }), select: async ({ n }) => new Date(n) });
    expectTypeOf(later).toEqualTypeOf<Task<'a', number, Date>>();
    // @ts-expect-error what run returns has no such field
    defineTask({ id: 'a', run: (n: number) => ({ n }), select: ({ m }) => m });
    // @ts-expect-error there is nothing to select
    defineTask({ id: 'a', run: (n: number) => n, selectVersion: 1 });
  });

  it('J2, J8: key and tags see the input as its schema gives it, and the output', () => {
    const task = defineTask({
      id: 'a',
      input: z.object({ n: z.coerce.number<string>() }),
      run: ({ n }) => String(n),
      cache: {
        key: (input, ctx) => {
          expectTypeOf(input).toEqualTypeOf<{ n: number }>();
          expectTypeOf(ctx.run).toEqualTypeOf<{ readonly id: string; readonly name: string } | undefined>();
          return input.n;
        },
        tags: (output, input) => {
          expectTypeOf(output).toBeString();
          expectTypeOf(input).toEqualTypeOf<{ n: number }>();
          return [output];
        },
      },
    });
    expectTypeOf(task).toEqualTypeOf<Task<'a', { n: string }, string>>();
    defineTask({ id: 'a', cache: true, run: () => 1 });
    defineTask({ id: 'a', cache: 'read-only', run: () => 1 });
    // @ts-expect-error no such mode
    defineTask({ id: 'a', cache: 'sometimes', run: () => 1 });
    // @ts-expect-error functions belong into the definition
    task.trigger({ n: '1' }, { cache: { key: () => 1 } });
  });

  it('J1: stores, entries, and migrations have names', () => {
    expectTypeOf(memoryCache()).toEqualTypeOf<Cache>();
    expectTypeOf<CacheEntry<string>['value']>().toBeString();
    const migration: Migration<string, { text: string }, number> = (text, input) => ({ text: text + input });
    expectTypeOf(migration).parameters.toEqualTypeOf<[output: string, input: number]>();
    expectTypeOf(taskOutputRepository(memoryCache()).getOutput<number>('T', 1)).toEqualTypeOf<Promise<number | undefined>>();
  });
});
