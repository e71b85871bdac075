/** Cached tasks: answered or computed, in every mode, over crashes, by value, whatever the store does. */
import { type Cache, type CacheMode, ConfigurationError, defineTask } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { describe, expect, it } from 'vitest';
import { gate, open, over, PlainCache, watch } from './cache-house.ts';
import { open as openAny } from './houses.ts';

function counted(options: object = {}) {
  let calls = 0;
  const task = defineTask({ id: 'square', cache: true, ...options, run: ({ n }: { n: number }) => ({ n: n * n, call: ++calls }) });
  return { task, calls: () => calls };
}

describe('a cached task', () => {
  it('J3: is computed once; the next run of that input is a run all the same, answered without its handler', async () => {
    const { orchestrator, clock, told } = await open();
    const { task, calls } = counted();
    const first = orchestrator.trigger(task, { n: 3 });
    expect(await first.result()).toEqual({ n: 9, call: 1 });
    expect(told()).toEqual(['cache_miss absent', 'output_saved']);
    const second = orchestrator.trigger(task, { n: 3 });
    expect(await second.wait()).toMatchObject({ ok: true, output: { n: 9, call: 1 }, fromCache: true, attempts: 1 });
    expect(told()).toEqual(['output_retrieved', 'cache_hit']);
    expect(second.state).toMatchObject({ status: 'completed', progress: 100, fromCache: true, result: { n: 9, call: 1 } });
    expect(first.state.fromCache).toBe(false);
    expect(orchestrator.list({ taskIdentifier: 'square' }).items).toHaveLength(2);
    expect(calls()).toBe(1);
    await clock.settle();
  });

  it('J3: stays answered after a reload, says so, and its result is there', async () => {
    const house = await open();
    const { task } = counted();
    await house.orchestrator.run(task, { n: 2 });
    const run = house.orchestrator.trigger(task, { n: 2 });
    await run.result();
    const next = watch(await house.reload(), house.cache);
    const again = next.orchestrator.attach(run.id)!;
    expect(again.state).toMatchObject({ fromCache: true, result: { n: 4, call: 1 } });
    expect(await again.result()).toEqual({ n: 4, call: 1 });
    expect(await again.wait()).toMatchObject({ fromCache: true });
  });

  it('J3: works the same where runs are kept in memory', async () => {
    const { orchestrator } = await open({ storage: 'memory' });
    const { task, calls } = counted();
    await orchestrator.run(task, { n: 2 });
    const run = orchestrator.trigger(task, { n: 2 });
    expect(await run.result()).toEqual({ n: 4, call: 1 });
    expect(run.state.fromCache).toBe(true);
    expect(calls()).toBe(1);
  });

  it('has a default store of its own, which goes with the page where there is no IndexedDB', async () => {
    const { orchestrator } = await open({ cache: undefined });
    const { task, calls } = counted();
    await orchestrator.run(task, { n: 2 });
    await orchestrator.run(task, { n: 2 });
    expect(calls()).toBe(1);
    expect(await orchestrator.cache.size()).toBe(1);
  });

  it('costs nothing where it is not asked for: a house without cached tasks loads nothing', async () => {
    const { orchestrator } = await openAny();
    const plain = defineTask({ id: 'plain', run: (n: number) => n });
    const off = defineTask({ id: 'off', cache: false, run: (n: number) => n });
    await orchestrator.run(plain, 1);
    await orchestrator.run(off, 1);
    expect(orchestrator.cache.loaded).toBeUndefined();
    expect(await orchestrator.run(off, 1, { cache: true })).toBe(1);
    expect(await orchestrator.cache.size()).toBe(1);
  });

  it('J1: entries say whose they are, of which version, when, how long it took and how large they are', async () => {
    const cache = new PlainCache();
    const { orchestrator, clock } = await open({ cache });
    const { opened, open: go } = gate<string>();
    const slow = defineTask({ id: 'slow', cache: { ttl: '1h', tags: ['a'] }, version: '2.1', run: () => opened });
    const run = orchestrator.trigger(slow, null);
    await clock.settle();
    await clock.advance(250);
    go('done');
    await run.result();
    const [[key, entry]] = [...cache.entries] as [[string, any]];
    expect(key).toMatch(/^slow\/[0-9a-f]{64}$/);
    expect(entry).toEqual({
      value: 'done',
      version: 2,
      createdAt: clock.now(),
      expiresAt: clock.now() + 3_600_000,
      tags: ['a'],
      meta: { taskId: 'slow', runId: run.id, durationMs: 250, bytes: 6, inputs: { input: 'null' } },
    });
  });
});

describe('modes', () => {
  const table: [mode: CacheMode, answersFromStore: boolean, stores: boolean, miss: string[]][] = [
    ['read-write', true, true, ['cache_miss absent']],
    ['read-only', true, false, ['cache_miss absent']],
    ['write-only', false, true, ['cache_miss mode']],
    ['refresh', false, true, ['cache_miss mode']],
    ['off', false, false, []],
  ];
  it.each(table)('J3: %s', async (mode, answers, stores, miss) => {
    const { orchestrator, cache, told } = await open();
    const { task, calls } = counted({ cache: mode });
    await orchestrator.run(task, { n: 1 });
    expect(told()).toEqual([...miss, ...(stores ? ['output_saved'] : [])]);
    expect(await cache.size()).toBe(stores ? 1 : 0);
    await orchestrator.run(task, { n: 1 }, { cache: 'read-write' });
    expect(calls()).toBe(stores ? 1 : 2);
    const before = calls();
    await orchestrator.run(task, { n: 1 });
    expect(calls() - before).toBe(answers ? 0 : 1);
  });

  it('J3, A9: the call counts more than the task, the task more than the orchestrator', async () => {
    const { orchestrator } = await open({ cache: { store: memoryCache(), mode: 'off' } });
    const says = counted({ id: 'says', cache: 'read-write' });
    const silent = counted({ id: 'silent', cache: true });
    const twice = async ({ task, calls }: ReturnType<typeof counted>, options: object) => {
      const before = calls();
      await orchestrator.run(task, { n: 1 }, options);
      await orchestrator.run(task, { n: 1 }, options);
      return calls() - before;
    };
    expect(await twice(silent, {})).toBe(2);
    expect(await twice(silent, { cache: 'read-write' })).toBe(1);
    expect(await twice(says, {})).toBe(1);
    expect(await twice(says, { cache: 'off' })).toBe(2);
    expect(await twice(says, { cache: false })).toBe(2);
    const never = counted({ id: 'never', cache: undefined });
    expect(await twice(never, {})).toBe(2);
    expect(await twice(never, { cache: 'read-write' })).toBe(1);
  });

  it('J3: what a call said holds for its run after a crash', async () => {
    const house = await open();
    const { opened } = gate<number>();
    let calls = 0;
    const slow = defineTask({ id: 'slow', cache: true, run: () => (calls++, calls === 1 ? 1 : opened) });
    await house.orchestrator.run(slow, null);
    const run = house.orchestrator.trigger(slow, null, { cache: 'refresh' });
    await run.accepted;
    await house.clock.settle();
    expect(calls).toBe(2);
    const next = watch(await house.crash(), house.cache);
    await next.clock.settle();
    expect(calls).toBe(3);
    expect(next.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'running', fromCache: false });
  });

  it('J3: an orchestrator may be told another default while it runs', async () => {
    const { orchestrator } = await open({ cache: { store: memoryCache() } });
    const { task, calls } = counted();
    await orchestrator.run(task, { n: 1 });
    orchestrator.setOptions({ cache: { store: memoryCache(), mode: 'off' } });
    await orchestrator.run(task, { n: 1 });
    await orchestrator.run(task, { n: 1 });
    expect(calls()).toBe(3);
  });
});

describe('what is stored', () => {
  it('J3: failures are not; a retry that succeeds is', async () => {
    const { orchestrator, clock, cache } = await open();
    let calls = 0;
    const flaky = defineTask({
      id: 'flaky',
      cache: true,
      retry: { maxAttempts: 2, jitter: 'none' },
      run: () => {
        if (++calls < 4) throw new Error(`no ${calls}`);
        return 'yes';
      },
    });
    const first = orchestrator.trigger(flaky, 1);
    await clock.advance(5000);
    await expect(first.result()).rejects.toThrow('no 2');
    expect(await cache.size()).toBe(0);
    const second = orchestrator.trigger(flaky, 1);
    await clock.advance(5000);
    expect(await second.result()).toBe('yes');
    expect(await cache.size()).toBe(1);
    expect(await orchestrator.run(flaky, 1)).toBe('yes');
    expect(calls).toBe(4);
  });

  it('an attempt that was cancelled or ran out of time stores nothing, however late it returns', async () => {
    const { orchestrator, clock, cache } = await open();
    const { opened, open: go } = gate<string>();
    const deaf = defineTask({ id: 'deaf', cache: true, graceMs: 10, retry: { maxAttempts: 1 }, run: () => opened });
    const cancelled = orchestrator.trigger(deaf, 1);
    const late = orchestrator.trigger(deaf, 2, { timeout: 50 });
    await clock.settle();
    void cancelled.cancel();
    await clock.advance(100);
    expect([cancelled.status, late.status]).toEqual(['cancelled', 'failed']);
    go('too late');
    await clock.settle();
    expect(await cache.size()).toBe(0);
  });

  it('an output that can not be the result of a run fails the run and is not stored', async () => {
    const { orchestrator, cache } = await open();
    const bad = defineTask({ id: 'bad', cache: true, run: () => ({ call: () => 1 }) as unknown });
    await expect(orchestrator.run(bad, 1)).rejects.toThrow('result.call is a function');
    const large = defineTask({ id: 'large', cache: true, run: () => 'x'.repeat(2 * 1024 * 1024) });
    await expect(orchestrator.run(large, 1)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await cache.size()).toBe(0);
  });

  it('an output its schema refuses is not stored; what the schema makes of it is the output, read or computed', async () => {
    const { orchestrator, cache, clock } = await open();
    const toNumber = (text: string): number => {
      if (Number.isNaN(Number(text))) throw new Error('not a number');
      return Number(text);
    };
    const parse = defineTask({ id: 'parse', cache: true, retry: { maxAttempts: 1 }, output: toNumber, run: (text: string) => text });
    await expect(orchestrator.run(parse, 'x')).rejects.toMatchObject({ code: 'OUTPUT_VALIDATION' });
    expect(await cache.size()).toBe(0);
    expect(await orchestrator.run(parse, '7')).toBe(7);
    const again = orchestrator.trigger(parse, '7');
    expect(await again.result()).toBe(7);
    expect(again.state.fromCache).toBe(true);
    await clock.settle();
  });

  it('J2: the key is made of the input as its schema gives it', async () => {
    const { orchestrator } = await open();
    let calls = 0;
    const trim = defineTask({ id: 'trim', cache: true, input: (text: string) => text.trim().toLowerCase(), run: (text: string) => (calls++, `<${text}>`) });
    expect(await orchestrator.run(trim, ' A ')).toBe('<a>');
    expect(await orchestrator.run(trim, 'a')).toBe('<a>');
    expect(calls).toBe(1);
    const late = defineTask({ id: 'late', cache: true, validate: 'run', input: (text: string) => text.trim(), run: (text: string) => (calls++, text) });
    await orchestrator.run(late, ' b');
    expect(await orchestrator.run(late, 'b ')).toBe('b');
    expect(calls).toBe(2);
  });
});

describe('by value', () => {
  it.each([['a store that copies', () => memoryCache()], ['a store that gives what it was given', () => new PlainCache()]])(
    'J3: %s: what a reader does to an output reaches no other reader, nor what a handler does to it afterwards',
    async (_, make: () => Cache) => {
      for (const storage of [undefined, 'memory'] as const) {
        const { orchestrator, clock } = await open({ cache: make(), ...(storage && { storage }) });
        const kept: { list: number[] }[] = [];
        const list = defineTask({ id: 'list', cache: true, run: () => (kept.push({ list: [1] }), kept[0]!) });
        const first = await orchestrator.run(list, null);
        kept[0]!.list.push(2);
        first.list.push(3);
        const second = await orchestrator.run(list, null);
        expect(second).toEqual({ list: [1] });
        second.list.push(4);
        expect(await orchestrator.run(list, null)).toEqual({ list: [1] });
        await clock.settle();
      }
    },
  );

  it('H11: everything the codec keeps comes back exactly, files too', async () => {
    const { orchestrator } = await open();
    const file = new File(['hello'], 'a.txt', { type: 'text/plain', lastModified: 5 });
    const value = { map: new Map([[{ a: 1 }, new Set([1n])]]), date: new Date(7), u: undefined, z: -0, bytes: new Uint8Array(70_000).fill(7), file };
    const rich = defineTask({ id: 'rich', cache: true, run: () => value });
    await orchestrator.run(rich, null);
    const run = orchestrator.trigger(rich, null);
    const got = await run.result();
    expect(run.state.fromCache).toBe(true);
    expect(got).toStrictEqual({ ...value, file: expect.any(File) });
    expect(Object.is(got.z, -0)).toBe(true);
    expect([got.file.name, got.file.lastModified, await got.file.text()]).toEqual(['a.txt', 5, 'hello']);
  });
});

describe('J1, durability', () => {
  it('an entry is written before its result is announced, so who hears of it finds it', async () => {
    const { orchestrator, cache } = await open();
    const { task } = counted();
    const sizes: Promise<number>[] = [];
    orchestrator.on('complete', () => sizes.push(cache.size()));
    await orchestrator.run(task, { n: 1 });
    expect(await Promise.all(sizes)).toEqual([1]);
  });

  it('a crash before the entry leaves a miss, one between entry and result an entry that the run finds: never a third call', async () => {
    for (const crashBefore of ['entry', 'result'] as const) {
      const { opened, open: write } = gate();
      const store = memoryCache();
      const cache = over(store, {
        set: async (...args: Parameters<Cache['set']>) => {
          if (crashBefore === 'result') await store.set(...args);
          await opened;
        },
      });
      const house = await open({ cache });
      const { task, calls } = counted({ id: `crash-${crashBefore}` });
      const run = house.orchestrator.trigger(task, { n: 1 });
      await run.accepted;
      await house.clock.settle();
      expect([calls(), run.status]).toEqual([1, 'running']);
      const next = watch(await house.crash({ cache: store }), store);
      expect(await next.orchestrator.attach(run.id)!.result()).toMatchObject({ n: 1 });
      expect(calls()).toBe(crashBefore === 'entry' ? 2 : 1);
      write();
    }
  });
});

describe('a store that fails', () => {
  const broken = (parts: Partial<Cache>): Cache => Object.assign(new PlainCache(), parts);

  it('J6: costs no result: what can not be read is computed, what can not be written is a warning', async () => {
    const fails = () => Promise.reject(new Error('disk on fire'));
    const { orchestrator, told, warnings } = await open({ cache: broken({ get: fails, set: fails }) });
    const { task } = counted();
    expect(await orchestrator.run(task, { n: 2 })).toMatchObject({ n: 4 });
    expect(told()).toEqual(['cache_miss store']);
    expect(warnings).toEqual([expect.stringContaining("can't be read (Error: disk on fire)"), expect.stringContaining('was not cached (Error: disk on fire)')]);
  });

  it('that never answers is not waited for longer than 5 s', async () => {
    const { orchestrator, clock, told, warnings } = await open({ cache: broken({ get: () => new Promise(() => {}), set: () => new Promise(() => {}) }) });
    const { task } = counted();
    const run = orchestrator.trigger(task, { n: 2 });
    await clock.advance(4999);
    expect(run.status).toBe('running');
    await clock.advance(5002);
    expect(run.status).toBe('completed');
    expect(told()).toEqual(['cache_miss store']);
    expect(warnings).toHaveLength(2);
  });

  it.each([
    ['nothing', null],
    ['a number', 7],
    ['no version', { value: 1, createdAt: 1, meta: { taskId: 'square' } }],
    ['a version that is none', { value: 1, version: {}, createdAt: 1, meta: { taskId: 'square' } }],
    ['no meta', { value: 1, version: 1, createdAt: 1 }],
    ['a time that is none', { value: 1, version: 1, createdAt: 'now', meta: { taskId: 'square' } }],
  ])('that gives %s has no entry there', async (_, found) => {
    const { orchestrator, told } = await open({ cache: broken({ get: async () => found as any }) });
    const { task } = counted();
    expect(await orchestrator.run(task, { n: 2 })).toMatchObject({ n: 4 });
    expect(told()).toEqual(['cache_miss unreadable', 'output_saved']);
  });
});

describe('options', () => {
  it.each<[object, string]>([
    [{ cache: 'often' }, 'defineTask "t" cache mode must be one of read-write, read-only, write-only, refresh, off, not "often".'],
    [{ cache: 5 }, 'defineTask "t" cache must be true, false, a mode or an object, not 5.'],
    [{ cache: { ttl: -1 } }, 'cache ttl'],
    [{ cache: { tll: 1 } }, 'defineTask "t" cache has no option "tll"'],
    [{ cache: { scope: 'all' } }, 'cache scope must be one of shared, run, not "all".'],
    [{ cache: { tags: [''] } }, 'cache tags must be a list of at most 64 texts'],
    [{ cache: { serialize: JSON.stringify } }, 'needs serialize and deserialize together'],
    [{ cache: { key: 'id' } }, 'cache key must be a function, not "id".'],
    [{ cache: { negative: {} } }, 'cache negative needs a ttl'],
    [{ cache: { store: new Map() } }, 'cache store must be a cache such as memoryCache() of holdfast/cache; {} has no size, clearOlderThan.'],
    [{ version: 2, migrations: { 2: () => 1 } }, 'migrations has an entry "2": each starts from a version before today\'s 2.'],
    [{ version: 2, migrations: { 1: 'x' } }, 'migrations[1] must be a function'],
    [{ version: 'beta', migrations: { 1: () => 1 } }, "its version must be a number or begin with one ('2', '2.1.0'), not \"beta\"."],
    [{ selectVersion: {} }, 'selectVersion must be text, not {}.'],
  ])('%j is refused when the task is defined', (spec, message) => {
    const define = () => defineTask({ id: 't', run: () => 1, ...spec } as any);
    expect(define).toThrow(ConfigurationError);
    expect(define).toThrow(message);
  });

  it('a call’s are refused at the call: functions belong into the definition', async () => {
    const { orchestrator } = await open();
    const { task } = counted();
    expect(() => orchestrator.trigger(task, { n: 1 }, { cache: { key: () => 1 } as any })).toThrow('trigger "square" cache key belongs into the definition of the task');
    expect(() => orchestrator.trigger(task, { n: 1 }, { cache: { mode: 'x' as any } })).toThrow(ConfigurationError);
    expect(orchestrator.counts().total).toBe(0);
    await expect(open({ cache: { ttl: 'soon' } })).rejects.toThrow(ConfigurationError);
    await expect(open({ cache: { maxEntries: 0 } })).rejects.toThrow('createOrchestrator cache maxEntries must be a whole number from 1');
    await expect(open({ cache: new Map() as any })).rejects.toThrow('createOrchestrator cache must be a cache such as memoryCache() of holdfast/cache; {} has no size, clearOlderThan.');
  });
});
