/** J10, J11: why a run was, or would be, answered or not; and what listeners hear. */
import { defineTask } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { describe, expect, it } from 'vitest';
import { open, over, PlainCache } from './cache-house.ts';

interface Page {
  url: string;
  page: number;
  options?: { dpi: number };
}
const pageTask = (options: object = {}, spec: object = {}) =>
  defineTask({ id: 'page', cache: { ttl: '1h', staleWhileRevalidate: '1h', ...options }, ...spec, run: ({ page }: Page) => page } as any) as any;

async function filled() {
  const house = await open();
  const task = pageTask();
  await house.orchestrator.run(task, { url: '/a', page: 1, options: { dpi: 300 } });
  await house.orchestrator.run(task, { url: '/b', page: 1, options: { dpi: 72 } }, { cache: { salt: 'de' } });
  house.told();
  return { ...house, task, explain: house.orchestrator.cache.explain.bind(house.orchestrator.cache) };
}
const input: Page = { url: '/a', page: 1, options: { dpi: 300 } };

describe('J10: explain', () => {
  it('a hit: whose it is and how old', async () => {
    const { explain, task, clock, orchestrator } = await filled();
    await clock.advance(1234);
    const found = await explain(task, input);
    expect(found).toMatchObject({ outcome: 'hit', mode: 'read-write', version: 1, entry: { version: 1, meta: { taskId: 'page' } } });
    expect(found.message).toBe(`Hit: 1234 ms old, of run ${found.entry!.meta.runId}.`);
    expect(orchestrator.getTaskState(found.entry!.meta.runId)).toMatchObject({ result: 1 });
    expect(found.entry).not.toHaveProperty('value');
    expect(await explain('page', { options: { dpi: 300 }, page: 1, url: '/a' })).toEqual(found);
  });

  it('a miss: in which field the nearest entry differs', async () => {
    const { explain, task } = await filled();
    const one = await explain(task, { ...input, page: 2 });
    expect(one).toMatchObject({ outcome: 'miss', reason: 'absent', nearest: { differences: [{ path: 'input.page', was: '1', is: '2' }] } });
    expect(one.message).toBe('Miss: the nearest entry differs: input.page was 1 and is 2.');
    const deep = await explain(task, { ...input, options: { dpi: 600 } });
    expect(deep.nearest!.differences).toEqual([{ path: 'input.options.dpi', was: '300', is: '600' }]);
    const missing = await explain(task, { url: '/a', page: 1 });
    expect(missing.nearest!.differences).toEqual([{ path: 'input.options.dpi', was: '300' }]);
    expect(missing.message).toBe('Miss: the nearest entry differs: input.options.dpi was 300 and is absent.');
  });

  it('a miss: which salt', async () => {
    const { explain, task } = await filled();
    const german = { url: '/b', page: 1, options: { dpi: 72 } };
    expect(await explain(task, german, { cache: { salt: 'de' } })).toMatchObject({ outcome: 'hit' });
    expect((await explain(task, german, { cache: { salt: 'en' } })).nearest!.differences).toEqual([{ path: 'salt', was: '"de"', is: '"en"' }]);
    expect((await explain(task, german)).nearest!.differences).toEqual([{ path: 'salt', was: '"de"' }]);
    expect((await explain(task, input, { cache: { salt: 'x' } })).nearest!.differences).toEqual([{ path: 'salt', is: '"x"' }]);
  });

  it('a miss: too old, and that it is stale before that', async () => {
    const { explain, task, clock, orchestrator } = await filled();
    await clock.advance(3_600_000);
    expect(await explain(task, input)).toMatchObject({ outcome: 'stale', message: expect.stringMatching(/^Stale: it is given \(3600000 ms old, of run .*\) and computed anew behind it\.$/) });
    expect(await explain(task, input, { cache: { ttl: 1000, staleWhileRevalidate: 0 } })).toMatchObject({ outcome: 'miss', reason: 'expired', message: 'Miss: it is 3600000 ms old.' });
    expect(orchestrator.list({ text: 'refresh' }).items).toEqual([]);
  });

  it('a miss: the version, the migration, the schema, and a hit by migrations', async () => {
    const { explain } = await filled();
    pageTask({}, { version: 2 });
    expect(await explain('page', input)).toMatchObject({ outcome: 'miss', reason: 'version', version: 2, entry: { version: 1 }, message: 'Miss: it was stored by version 1, the code is version 2.' });
    pageTask({}, { version: 3, migrations: { 1: (n: number) => n + 1, 2: () => { throw new Error('no'); } } });
    expect(await explain('page', input)).toMatchObject({ reason: 'migration', message: 'Miss: the migration from version 2 threw Error: no (migration).' });
    pageTask({}, { version: 2, migrations: { 1: (n: number) => n }, output: (value: unknown) => { if (typeof value !== 'string') throw new Error('text!'); return value; } });
    expect(await explain('page', input)).toMatchObject({ reason: 'schema', message: expect.stringContaining('text!') });
    pageTask({}, { version: 3, migrations: { 1: (n: number) => n, 2: (n: number) => n } });
    expect(await explain('page', input)).toMatchObject({ outcome: 'hit', migrations: [1, 2], message: expect.stringContaining(', migrated from version 1 to 3.') });
  });

  it('changes nothing and tells no events', async () => {
    const { explain, task, told, cache, clock } = await filled();
    const kept = async () => Promise.all((await cache.keys!()).sort().map((key) => cache.peek!(key)));
    const before = await kept();
    pageTask({}, { version: 2, migrations: { 1: (n: number) => n } });
    await clock.advance(3_600_000);
    await explain(task, input);
    await explain(task, { ...input, page: 9 });
    await clock.settle();
    expect(await kept()).toEqual(before);
    expect(told()).toEqual([]);
  });

  it('that nothing is read, that nothing is cached, that there is no key', async () => {
    const { explain, task } = await filled();
    expect(await explain(task, input, { cache: 'refresh' })).toMatchObject({ outcome: 'miss', reason: 'mode', message: 'Miss: the mode is refresh.' });
    expect(await explain(task, input, { cache: 'write-only' })).toMatchObject({ reason: 'mode' });
    expect(await explain(task, input, { cache: false })).toMatchObject({ outcome: 'off' });
    defineTask({ id: 'bare', run: () => 1 });
    expect(await explain('bare', 1)).toMatchObject({ outcome: 'off', message: expect.stringContaining('"bare" is not cached.') });
    expect(await explain('bare', 1, { cache: true })).toMatchObject({ outcome: 'miss', reason: 'absent', message: 'Miss: there is no entry of this task that is alike.' });
    pageTask({ key: () => undefined });
    expect(await explain('page', input)).toMatchObject({ outcome: 'miss', reason: 'key' });
    await expect(explain('nobody', 1)).rejects.toThrow('No task "nobody" is registered');
    await expect(explain(task, input, { mode: 'off' } as any)).rejects.toThrow('explain has no option "mode"');
    expect(await explain(task, { url: () => 1 })).toMatchObject({ outcome: 'miss', reason: 'key' });
  });

  it('works with `cache.key`, with stores that can not be listed, over files', async () => {
    const { explain } = await filled();
    const { orchestrator } = await open({ cache: new PlainCache() });
    pageTask({ key: ({ url }: Page) => url });
    await orchestrator.run(pageTask({ key: ({ url }: Page) => url }), input);
    expect(await orchestrator.cache.explain('page', { ...input, page: 99 })).toMatchObject({ outcome: 'hit', key: 'page//a' });
    const miss = await orchestrator.cache.explain('page', { ...input, url: '/c' });
    expect(miss).toMatchObject({ outcome: 'miss', reason: 'absent' });
    expect(miss.nearest).toBeUndefined();
    const file = (text: string) => new File([text], 'a.pdf');
    const pdf = defineTask({ id: 'pdf', cache: true, run: ({ file }: { file: File }) => file.size });
    const { orchestrator: other } = await open();
    await other.run(pdf, { file: file('one') });
    const differs = (await other.cache.explain(pdf, { file: file('two') })).nearest!.differences;
    expect(differs).toEqual([{ path: 'input.file', was: expect.stringMatching(/^#[0-9a-f]{16}$/), is: expect.stringMatching(/^#[0-9a-f]{16}$/) }]);
    void explain;
  });

  it('a failure that is kept', async () => {
    const { orchestrator, clock } = await open();
    const task = defineTask({ id: 'bad', cache: { negative: { ttl: '1m' } }, retry: { maxAttempts: 1 }, run: (): number => { throw new Error('no'); } });
    orchestrator.trigger(task, 1);
    await clock.settle();
    expect(await orchestrator.cache.explain(task, 1)).toMatchObject({ outcome: 'hit', message: expect.stringMatching(/^Hit: a failure, 0 ms old, of run .*: no$/) });
  });
});

describe('J11: events', () => {
  it('say which run, which task, which key, and why', async () => {
    const { orchestrator, events, clock } = await open();
    const task = pageTask({ ttl: 1000, staleWhileRevalidate: 1000 });
    const first = orchestrator.trigger(task, input);
    await first.result();
    const key = events[0]!.key!;
    expect(key).toMatch(/^page\/[0-9a-f]{64}$/);
    const about = { key, taskId: 'page', runId: first.id };
    expect(events.splice(0)).toEqual([{ name: 'cache_miss', ...about, reason: 'absent' }, { name: 'output_saved', ...about }]);
    await clock.advance(1500);
    const second = orchestrator.trigger(task, input);
    await second.result();
    const then = { key, taskId: 'page', runId: second.id, ageMs: 1500 };
    expect(events.splice(0, 3)).toEqual([{ name: 'output_retrieved', ...then }, { name: 'cache_stale', ...then }, { name: 'cache_hit', ...then }]);
    await clock.settle();
    events.length = 0;
    await orchestrator.cache.invalidate({ task: 'page' });
    await orchestrator.cache.clear();
    await orchestrator.cache.clearOlderThan(5);
    expect(events).toEqual([
      { name: 'output_cleared', count: 1, filter: { task: 'page' } },
      { name: 'output_cleared', count: 0, filter: {} },
      { name: 'output_pruned', count: 0 },
    ]);
  });

  it('a listener that throws harms no run', async () => {
    const errors: unknown[] = [];
    const { orchestrator } = await open({ onListenerError: (error) => errors.push(error) });
    for (const name of ['cache_miss', 'output_saved', 'cache_hit'] as const) orchestrator.on(name, () => { throw new Error(name); });
    const task = pageTask();
    expect(await orchestrator.run(task, input)).toBe(1);
    expect(await orchestrator.run(task, input)).toBe(1);
    expect(errors.map(String)).toEqual(['Error: cache_miss', 'Error: output_saved', 'Error: cache_hit']);
  });

  it('what a store gives up for itself is told', async () => {
    const { orchestrator, events } = await open({ cache: over(memoryCache(), { set: async () => ({ pruned: ['x', 'y'] }) }) });
    await orchestrator.run(pageTask(), input);
    expect(events.find(({ name }) => name === 'output_pruned')).toEqual({ name: 'output_pruned', count: 2, keys: ['x', 'y'] });
  });
});
