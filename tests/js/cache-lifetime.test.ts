/** J8, J3, J9: how long entries live: ttl, stale outputs, limits, tags, failures, private entries. */
import { type Cache, defineTask, FatalError, type RunHandle } from 'holdfast';
import { memoryCache } from 'holdfast/cache';
import { describe, expect, it } from 'vitest';
import { resolvePlan } from '../../js/cache/options.ts';
import { gate, open, over, PlainCache, watch } from './cache-house.ts';

function counting(options: object = {}) {
  let calls = 0;
  const task = defineTask({ id: 'count', cache: true, ...options, run: (_input?: unknown) => ++calls } as any) as any;
  return { task, calls: () => calls };
}

describe('ttl', () => {
  it('an entry answers until its time is over, not longer', async () => {
    const { orchestrator, clock, told } = await open();
    const { task } = counting({ cache: { ttl: '10s' } });
    await orchestrator.run(task, 1);
    await clock.advance(9_999);
    expect(await orchestrator.run(task, 1)).toBe(1);
    await clock.advance(1);
    expect(await orchestrator.run(task, 1)).toBe(2);
    expect(told().filter((one) => one.startsWith('cache'))).toEqual(['cache_miss absent', 'cache_hit', 'cache_miss absent']);
  });

  it('a call may ask for younger ones, and code of today for younger ones than it stored', async () => {
    const { orchestrator, clock, events } = await open();
    const { task } = counting({ cache: { ttl: '1h' } });
    await orchestrator.run(task, 1);
    await clock.advance(60_000);
    expect(await orchestrator.run(task, 1, { cache: { ttl: '2m' } })).toBe(1);
    expect(await orchestrator.run(task, 1, { cache: { ttl: '1m' } })).toBe(2);
    expect(events.find(({ reason }) => reason === 'expired')).toMatchObject({ detail: 'it is 60000 ms old' });
    await clock.advance(60_000);
    defineTask({ id: 'count', cache: { ttl: '30s' }, run: () => 'new' });
    expect(await orchestrator.run(defineTask({ id: 'count', cache: { ttl: '30s' }, run: () => 'new' }), 1)).toBe('new');
  });

  it('a clock that was set back makes no entry old', async () => {
    const { orchestrator, clock } = await open();
    const { task } = counting({ cache: { ttl: '10s' } });
    await orchestrator.run(task, 1);
    clock.jump(-3_600_000);
    expect(await orchestrator.run(task, 1)).toBe(1);
  });
});

describe('stale outputs', () => {
  const options = { cache: { ttl: '10s', staleWhileRevalidate: '1m' } };

  it('are given at once, and computed anew behind it by a run of its own', async () => {
    const { orchestrator, clock, told } = await open();
    const { task, calls } = counting(options);
    await orchestrator.run(task, 1, { name: 'mine' });
    await clock.advance(20_000);
    told();
    const stale = orchestrator.trigger(task, 1, { name: 'mine', priority: 5, cache: { tags: ['x'] } });
    expect(await stale.result()).toBe(1);
    await clock.settle();
    expect([calls(), stale.state.fromCache]).toEqual([2, true]);
    expect(told()).toEqual(['output_retrieved', 'cache_stale', 'cache_hit', 'cache_miss mode', 'output_saved']);
    expect(orchestrator.list({ text: '(refresh)' }).items).toMatchObject([{ name: 'mine (refresh)', status: 'completed', result: 2 }]);
    expect(await orchestrator.run(task, 1)).toBe(2);
    expect(await orchestrator.cache.invalidate({ tag: 'x' })).toBe(1);
  });

  it('asked for a hundred times at once are computed anew once, and nobody waits for it', async () => {
    const { orchestrator, clock } = await open();
    const { opened, open: go } = gate();
    let calls = 0;
    const task = defineTask({ id: 'slow', ...options, run: async () => (++calls === 1 ? 1 : (await opened, calls)) });
    await orchestrator.run(task, 1);
    await clock.advance(20_000);
    for (let round = 0; round < 3; round++) {
      const runs = Array.from({ length: 33 }, () => orchestrator.trigger(task, 1));
      expect(new Set(await Promise.all(runs.map((run) => run.result())))).toEqual(new Set([1]));
      await clock.settle();
    }
    expect(calls).toBe(2);
    go();
    await clock.settle();
    expect(await orchestrator.run(task, 1)).toBe(2);
  });

  it('that can not be computed anew are given while they may be, then no more', async () => {
    const { orchestrator, clock } = await open();
    let calls = 0;
    const task = defineTask({ id: 'dying', ...options, retry: { maxAttempts: 1 }, run: () => { if (++calls > 1) throw new Error('gone'); return 1; } });
    await orchestrator.run(task, 1);
    for (const ageMs of [20_000, 20_000, 29_999]) {
      await clock.advance(ageMs);
      expect(await orchestrator.run(task, 1)).toBe(1);
      await clock.settle();
    }
    await clock.advance(1);
    await expect(orchestrator.run(task, 1)).rejects.toThrow('gone');
  });

  it('are not computed anew for who must not store, and files of the input are there again', async () => {
    const { orchestrator, clock } = await open();
    const texts: string[] = [];
    const read = defineTask({ id: 'read', ...options, run: async (file: File) => (texts.push(await file.text()), texts.length) });
    await orchestrator.run(read, new File(['abc'], 'a'));
    await clock.advance(20_000);
    expect(await orchestrator.run(read, new File(['abc'], 'a'), { cache: 'read-only' })).toBe(1);
    await clock.settle();
    expect(texts).toEqual(['abc']);
    expect(await orchestrator.run(read, new File(['abc'], 'a'))).toBe(1);
    await clock.settle();
    expect(texts).toEqual(['abc', 'abc']);
  });
});

describe('limits', () => {
  it('the least recently used go first, and are told', async () => {
    const { orchestrator, events } = await open({ cache: memoryCache({ maxEntries: 3 }) });
    const { task, calls } = counting();
    for (const input of [1, 2, 3, 1, 4]) await orchestrator.run(task, input);
    expect(events.filter(({ name }) => name === 'output_pruned')).toMatchObject([{ count: 1, keys: [events.filter(({ name }) => name === 'output_saved')[1]!.key] }]);
    expect(calls()).toBe(4);
    await orchestrator.run(task, 1);
    expect(calls()).toBe(4);
    await orchestrator.run(task, 2);
    expect(calls()).toBe(5);
  });

  it('the default store takes them from the orchestrator', async () => {
    const { orchestrator } = await open({ cache: { maxEntries: 2 } });
    const { task } = counting();
    for (const input of [1, 2, 3]) await orchestrator.run(task, input);
    expect(await orchestrator.cache.size()).toBe(2);
  });

  it('a task may have a store of its own, and what is asked of all counts it', async () => {
    const own = memoryCache();
    const { orchestrator, cache } = await open();
    const { task } = counting({ cache: { store: own } });
    await orchestrator.run(task, 1);
    await orchestrator.run(defineTask({ id: 'other', cache: true, run: () => 1 }), 1);
    expect([await own.size(), await cache.size(), await orchestrator.cache.size()]).toEqual([1, 1, 2]);
    expect(await orchestrator.cache.clear()).toBe(2);
    expect(await orchestrator.cache.size()).toBe(0);
  });
});

describe('invalidate', () => {
  async function filled() {
    const house = await open();
    const user = defineTask({
      id: 'user',
      cache: { key: ({ id }: { id: string }) => `user/${id}`, tags: (output: string[], { id }) => ['users', `user-${id}`, ...output] },
      run: ({ id }: { id: string }) => [`team-${id.length}`],
    });
    const post = defineTask({ id: 'post', cache: { tags: ['posts'] }, run: (n: number) => n });
    for (const id of ['a', 'b', 'cc']) await house.orchestrator.run(user, { id });
    for (const n of [1, 2]) await house.orchestrator.run(post, n, { cache: { tags: [`post-${n}`] } });
    house.told();
    return { ...house, user, post };
  }

  it.each([
    [{ tag: 'users' }, 3],
    [{ tag: 'user-a' }, 1],
    [{ tag: 'team-1' }, 2],
    [{ tag: 'post-2' }, 1],
    [{ tag: 'nothing' }, 0],
    [{ task: 'post' }, 2],
    [{ task: 'user', prefix: 'user/c' }, 1],
    [{ prefix: 'user/user/' }, 3],
    [{ task: 'post', tag: 'users' }, 0],
    [{ task: 'user', tag: 'team-1', prefix: 'user/b' }, 1],
  ])('J8: %j drops %i', async (filter, count) => {
    const { orchestrator, told, cache } = await filled();
    expect(await orchestrator.cache.invalidate(filter)).toBe(count);
    expect(await cache.size()).toBe(5 - count);
    expect(told()).toEqual(['output_cleared']);
    expect(await orchestrator.cache.keys(filter)).toEqual([]);
  });

  it('refuses to drop everything by mistake', async () => {
    const { orchestrator, cache } = await filled();
    await expect(orchestrator.cache.invalidate({})).rejects.toThrow('invalidate needs a tag, a task or a prefix; clear() drops everything.');
    await expect(orchestrator.cache.invalidate({ tga: 'x' } as any)).rejects.toThrow('invalidate has no option "tga"');
    await expect(orchestrator.cache.invalidate({ tag: '' })).rejects.toThrow('invalidate tag must be text');
    expect(await cache.size()).toBe(5);
  });

  it('what is being computed meanwhile is not stored, and who comes later does not get it', async () => {
    const house = await open();
    const hands: ((value: string) => void)[] = [];
    const slow = defineTask({ id: 'slow', cache: { tags: ['s'] }, run: () => { const { opened, open: go } = gate<string>(); hands.push(go); return opened; } });
    const [a] = [house.orchestrator.trigger(slow, 1)];
    await house.clock.settle();
    await house.orchestrator.cache.invalidate({ tag: 's' });
    const b = house.orchestrator.trigger(slow, 1);
    await house.clock.settle();
    expect(hands).toHaveLength(2);
    hands[0]!('old');
    expect(await a.result()).toBe('old');
    expect(await house.cache.size()).toBe(0);
    hands[1]!('new');
    expect(await b.result()).toBe('new');
    expect(await house.orchestrator.run(slow, 1)).toBe('new');
  });

  it('clearOlderThan drops what is older', async () => {
    const { orchestrator, clock, told, post } = await filled();
    await clock.advance(60_000);
    await orchestrator.run(post, 3);
    told();
    expect(await orchestrator.cache.clearOlderThan('1m')).toBe(0);
    await clock.advance(1);
    expect(await orchestrator.cache.clearOlderThan('1m')).toBe(5);
    expect(told()).toEqual(['output_pruned', 'output_pruned']);
    await expect(orchestrator.cache.clearOlderThan(-1)).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });
});

describe('failures', () => {
  const failing = (negative: object, error: () => Error = () => new RangeError('no such user'), retry = { maxAttempts: 2, jitter: 'none' as const }) => {
    let calls = 0;
    const task = defineTask({ id: 'failing', cache: { negative } as any, retry, run: (): number => { calls++; throw error(); } });
    return { task, calls: () => calls };
  };
  const outcome = async ({ orchestrator, clock }: Awaited<ReturnType<typeof open>>, task: any) => {
    const run: RunHandle = orchestrator.trigger(task, 1);
    await clock.advance(1500);
    const { status, retryCount, fromCache, error } = run.state;
    return [status, retryCount, fromCache, `${error?.name}: ${error?.message}`];
  };

  it('J3: are kept where that is asked for, only final ones, for their time; who meets one fails with it at once', async () => {
    const house = await open();
    const { task, calls } = failing({ ttl: '1m' });
    expect(await outcome(house, task)).toEqual(['failed', 2, false, 'RangeError: no such user']);
    expect(calls()).toBe(2);
    expect(await outcome(house, task)).toEqual(['failed', 1, true, 'RangeError: no such user']);
    expect(calls()).toBe(2);
    expect(house.told()).toEqual(['cache_miss absent', 'cache_miss absent', 'output_saved', 'output_retrieved', 'cache_hit']);
    await house.clock.advance(60_000);
    await outcome(house, task);
    expect(calls()).toBe(4);
  });

  it('J3: say that they were not of the run’s own code after a reload too', async () => {
    const house = await open();
    const { task } = failing({ ttl: '1h' });
    await outcome(house, task);
    const run = house.orchestrator.trigger(task, 1);
    await house.clock.settle();
    const next = watch(await house.reload(), house.cache);
    expect(next.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'failed', fromCache: true, error: { message: 'no such user' } });
  });

  it('J3: only those that are meant, and never what stopped a run from outside', async () => {
    const house = await open();
    const some = failing({ ttl: '1h', when: (error: Error) => error.message === 'keep' }, () => new FatalError('drop'));
    await outcome(house, some.task);
    await outcome(house, some.task);
    expect(some.calls()).toBe(2);
    const slow = defineTask({ id: 'slow', cache: { negative: { ttl: '1h' } }, timeout: 10, graceMs: 1, retry: { maxAttempts: 1 }, run: () => new Promise<number>(() => {}) });
    await outcome(house, slow);
    expect(await house.cache.size()).toBe(0);
  });

  it('J3: one of another version, or that nobody asks for any more, is a miss', async () => {
    const house = await open();
    await outcome(house, failing({ ttl: '1h' }).task);
    house.told();
    await house.orchestrator.run(defineTask({ id: 'failing', cache: true, run: () => 1 }), 1);
    expect(house.told()).toEqual(['cache_miss expired', 'output_saved']);
    await house.orchestrator.cache.clear();
    await outcome(house, failing({ ttl: '1h' }).task);
    house.told();
    const now = defineTask({ id: 'failing', version: 2, migrations: { 1: () => 5 }, cache: { negative: { ttl: '1h' } }, run: () => 1 });
    expect(await house.orchestrator.run(now, 1)).toBe(1);
    expect(house.told()[0]).toBe('cache_miss version');
  });

  it('J3: without being asked for are not kept', async () => {
    const house = await open();
    let calls = 0;
    const task = defineTask({ id: 'plain', cache: true, retry: { maxAttempts: 1 }, run: () => { calls++; throw new Error('no'); } });
    await outcome(house, task);
    await outcome(house, task);
    expect([calls, await house.cache.size()]).toEqual([2, 0]);
  });
});

describe('J9: private entries', () => {
  it('lie under their root run, are there for it after a crash, and go when it succeeds', async () => {
    const store = memoryCache();
    const { opened, open: write } = gate();
    const house = await open({ cache: over(store, { set: async (key, entry, options) => { await store.set(key, entry, options); await opened; } }) });
    const { task, calls } = counting({ cache: { scope: 'run' } });
    const run = house.orchestrator.trigger(task, 1, { id: 'root/1' });
    await run.accepted;
    await house.clock.settle();
    expect(await store.keys!()).toEqual([expect.stringMatching(/^@root%2F1\/count\//)]);
    const next = watch(await house.crash({ cache: store }), store);
    expect(await next.orchestrator.attach('root/1')!.result()).toBe(1);
    expect(calls()).toBe(1);
    await next.clock.settle();
    expect(await store.size()).toBe(0);
    expect(next.told()).toEqual(['output_retrieved', 'cache_hit', 'output_cleared']);
    write();
  });

  it('answer no other run', async () => {
    const house = await open();
    const { task, calls } = counting({ cache: { scope: 'run' } });
    await house.orchestrator.run(task, 1);
    await house.orchestrator.run(task, 1);
    expect(calls()).toBe(2);
  });
});

describe('an orchestrator', () => {
  it('closes the store it made, and leaves alone the one it was given', async () => {
    const closed: string[] = [];
    const given = over(memoryCache(), { close: async () => void closed.push('given') });
    const house = await open({ cache: given });
    await house.orchestrator.run(counting().task, 1);
    await house.orchestrator.dispose();
    expect(closed).toEqual([]);
  });

  it('is told of a store whose clock it is not: entries end by its time', async () => {
    const cache = new PlainCache();
    const house = await open({ cache });
    await house.orchestrator.run(counting({ cache: { ttl: '1s' } }).task, 1);
    await house.clock.advance(1000);
    house.told();
    await house.orchestrator.run(counting({ cache: { ttl: '1s' } }).task, 1);
    expect(house.told()[0]).toBe('cache_miss expired');
  });
});
