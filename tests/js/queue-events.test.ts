/** What queues tell and are asked: rates that keep somebody back, failures, other limits while they run, queues of one task alone. */
import { defineTask } from 'holdfast';
import { describe, expect, it } from 'vitest';
import type { House } from './house.ts';
import { name, open } from './houses.ts';

const once = { retry: { maxAttempts: 1 } };

/** Runs that end when they are told to. */
function held(options: object = {}) {
  const ends: (() => void)[] = [];
  const task = defineTask({ id: name('held'), ...once, ...options, run: (_: unknown) => new Promise<void>((resolve) => ends.push(resolve)) });
  return { task, ends };
}

/** Whether it has settled by now, and how. */
function watched(house: House, promise: Promise<unknown>) {
  let state = 'open';
  promise.then(() => (state = 'resolved'), (error) => (state = `rejected: ${error.message}`));
  return async () => {
    await house.clock.settle();
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 0)).then(() => house.clock.settle());
    return state;
  };
}

describe('a queue', () => {
  it('tells when a rate keeps one of it back, and when none does any more', async () => {
    const house = await open({ queues: { api: { rateLimit: { limit: 2, period: '10s' } } } });
    const quick = defineTask({ id: name('quick'), queue: 'api', run: async (_: null) => null });
    const { queues } = house.orchestrator;
    const limited = watched(house, queues.onRateLimit('api'));
    house.orchestrator.trigger(quick, null);
    house.orchestrator.trigger(quick, null);
    expect(await limited()).toBe('open');
    house.orchestrator.trigger(quick, null);
    expect(await limited()).toBe('resolved');
    const cleared = watched(house, queues.onRateLimitCleared('api'));
    expect(await cleared()).toBe('open');
    await house.clock.advance(9_000);
    expect(await cleared()).toBe('open');
    await house.clock.advance(1_001);
    expect(await cleared()).toBe('resolved');
  });

  it('does not call it a rate when somebody waits for a slot', async () => {
    const house = await open({ queues: { one: { concurrency: 1, rateLimit: { limit: 100, period: '1s' } } } });
    const { task } = held({ queue: 'one' });
    house.orchestrator.trigger(task, 1);
    house.orchestrator.trigger(task, 2);
    expect(await watched(house, house.orchestrator.queues.onRateLimit('one'))()).toBe('open');
  });

  it('tells of the first run that fails for good, of its own only; and ends with the orchestrator', async () => {
    const house = await open({ queues: { one: {}, two: {} } });
    const failing = defineTask({ id: name('failing'), ...once, run: async (word: string) => Promise.reject(new Error(word)) });
    const { queues } = house.orchestrator;
    const of = { one: watched(house, queues.onError('one')), two: watched(house, queues.onError('two')) };
    await of.one();
    house.orchestrator.trigger(failing, 'first', { queue: 'one' });
    expect(await of.one()).toBe('rejected: first');
    expect(await of.two()).toBe('open');
    await house.orchestrator.dispose();
    expect(await of.two()).toMatch(/^rejected: This orchestrator was disposed/);
  });

  it('without a name is that of the task alone', async () => {
    const house = await open();
    const { task, ends } = held({ queue: { concurrency: 2 } });
    for (let n = 0; n < 5; n++) house.orchestrator.trigger(task, n);
    await house.clock.settle();
    expect(ends).toHaveLength(2);
    expect(house.orchestrator.queues.retrieve(`task/${task.id}`)).toMatchObject({ type: 'task', running: 2, queued: 3, concurrencyLimit: 2 });
    expect(() => house.orchestrator.trigger(task, 1, { queue: { concurrency: 2 } as never })).toThrow(/queue\.name/);
  });

  it('says who has overridden its concurrency, and when', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const { queues } = house.orchestrator;
    const atMs = house.clock.now();
    await Promise.all([queues.overrideConcurrencyLimit('one', 3, { by: 'ada' }), house.clock.settle()]);
    expect(queues.retrieve('one')).toMatchObject({ type: 'custom', concurrency: { current: 3, base: 1, override: 3, overriddenAt: atMs, overriddenBy: 'ada' } });
    await Promise.all([queues.resetConcurrencyLimit('one'), house.clock.settle()]);
    expect(queues.retrieve('one').concurrency).toEqual({ current: 1, base: 1, override: undefined, overriddenAt: undefined, overriddenBy: undefined });
  });
});

describe('a limit by name', () => {
  it('has another concurrency until it is reset; who waited begins, and nobody is stopped', async () => {
    const house = await open({ concurrencyLimits: { pool: { concurrency: { total: 2, perKey: 1 } } } });
    const { task, ends } = held();
    for (const key of ['a', 'a', 'b', 'c']) house.orchestrator.trigger(task, key, { concurrencyKey: key, concurrencyLimits: ['pool'] });
    await house.clock.settle();
    expect(ends).toHaveLength(2);
    const { limits } = house.orchestrator.queues;
    const atMs = house.clock.now();
    const change = async (changed: Promise<void>) => {
      const isOver = watched(house, changed);
      expect(await isOver()).toBe('resolved');
    };
    await change(limits.override('pool', 4, { by: 'ada' }));
    expect(ends).toHaveLength(3);
    expect(await limits.retrieve('pool')).toEqual({
      name: 'pool', concurrency: { total: 4, perKey: 1 }, base: { total: 2, perKey: 1 }, override: { total: 4, perKey: 1 }, overriddenAt: atMs, overriddenBy: 'ada', running: 3, waiting: 1,
    });
    await change(limits.override('pool', { perKey: 2 }));
    expect(ends).toHaveLength(3);
    await change(limits.override('pool', { total: 4, perKey: 2 }));
    expect(ends).toHaveLength(4);
    await change(limits.reset('pool'));
    expect(await limits.list()).toMatchObject([{ name: 'pool', concurrency: { total: 2, perKey: 1 }, override: undefined, overriddenAt: undefined, running: 4 }]);
    house.orchestrator.trigger(task, 'd', { concurrencyKey: 'd', concurrencyLimits: ['pool'] });
    await house.clock.settle();
    expect(ends).toHaveLength(4);
  });

  it('keeps it when it is declared anew', async () => {
    const house = await open({ concurrencyLimits: { pool: { concurrency: 1 } } });
    const { limits } = house.orchestrator.queues;
    expect(await watched(house, limits.override('pool', 2))()).toBe('resolved');
    house.orchestrator.setOptions({ concurrencyLimits: { pool: { concurrency: 1, rateLimit: { limit: 100, period: '1s' } } } });
    const { task, ends } = held();
    for (let n = 0; n < 3; n++) house.orchestrator.trigger(task, n, { concurrencyLimits: ['pool'] });
    await house.clock.settle();
    expect(ends).toHaveLength(2);
  });

  it('says what is wrong with a call, and changes nothing', async () => {
    const { orchestrator } = await open({ concurrencyLimits: { pool: { concurrency: 1 } } });
    const { limits } = orchestrator.queues;
    await expect(limits.retrieve('pond')).rejects.toThrow('There is no concurrency limit "pond". Declare it: createOrchestrator({ concurrencyLimits: { "pond": { concurrency: 5 } } }).');
    await expect(limits.override('pool', 0)).rejects.toThrow('limits.override "pool" concurrency must be a whole number from 1 to 4294967294, not 0.');
    await expect(limits.override('pool', { sum: 1 } as never)).rejects.toThrow('limits.override "pool" concurrency has no option "sum"');
    await expect(limits.override('pool', 2, { by: 7 as never })).rejects.toThrow('by');
    expect((await limits.retrieve('pool')).override).toBeUndefined();
  });
});
