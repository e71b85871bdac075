/** Limits by name, of tasks and of queues: at once, in a period, for each key; over crashes, and by the words that say why. */
import { createOrchestrator, defineTask, RetryableError, type RunHandle } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { keyNumber, limitNumber } from '../../js/limiting/settings.ts';
import type { House } from './house.ts';
import { crash, name, open } from './houses.ts';

const once = { retry: { maxAttempts: 1 } };
const ends = (run: RunHandle) => run.result().then((output) => output, (error) => error);

/** A task whose runs last a second and tell when they began. */
function timed(house: House, options: object = {}) {
  const began: [label: string, atMs: number][] = [];
  const start = house.clock.now();
  const task = defineTask({ id: name('timed'), ...once, ...options, run: async (label: string, ctx) => {
    began.push([label, house.clock.now() - start]);
    await new Promise<void>((resolve) => {
      house.clock.schedule(house.clock.now() + 1000, resolve);
      ctx.signal.addEventListener('abort', () => resolve());
    });
  } });
  return { task, began };
}

describe('concurrency', () => {
  it('of each key beside that of all, in one queue, and keys hold up nobody', async () => {
    const house = await open({ queues: { api: { concurrency: { total: 3, perKey: 1 } } } });
    const { task, began } = timed(house, { queue: 'api' });
    for (const label of ['a1', 'a2', 'b1', 'c1', 'd1']) house.orchestrator.trigger(task, label, { concurrencyKey: label[0]! });
    await house.clock.settle();
    expect(began.map(([label]) => label)).toEqual(['a1', 'b1', 'c1']);
    await house.clock.advance(1000);
    expect(began.map(([label]) => label)).toEqual(['a1', 'b1', 'c1', 'a2', 'd1']);
  });

  it('runs without a key share that of one; children stand in the queue of their own task', async () => {
    const house = await open({ queues: { api: { concurrency: { perKey: 2 } } } });
    const { task, began } = timed(house, { queue: 'api' });
    for (const label of ['1', '2', '3', '4']) house.orchestrator.trigger(task, label);
    house.orchestrator.trigger(task, 'a', { concurrencyKey: 'a' });
    await house.clock.settle();
    expect(began.map(([label]) => label)).toEqual(['1', '2', 'a']);
    const child = defineTask({ id: name('child'), run: async () => 1 });
    const parent = defineTask({ id: name('parent'), queue: 'api', run: (_: null, ctx) => ctx.run(child, undefined) });
    expect(await house.orchestrator.trigger(parent, null, { concurrencyKey: 'b' }).result()).toBe(1);
    expect(house.orchestrator.list({ queue: 'api', taskIdentifier: child.id }).items).toEqual([]);
  });

  it('of a name is shared by queues and tasks, and taken by weight', async () => {
    const house = await open({ queues: { one: {}, two: {} }, concurrencyLimits: { memory: { concurrency: 100 } } });
    const { task, began } = timed(house);
    const use = (label: string, queue: string, weight: number) => house.orchestrator.trigger(task, label, { queue, concurrencyLimits: [{ name: 'memory', weight }] });
    use('60', 'one', 60);
    const waits = use('50', 'two', 50);
    use('40', 'one', 40);
    await house.clock.settle();
    expect(began.map(([label]) => label)).toEqual(['60', '40']);
    expect(house.orchestrator.why(waits.id)).toMatch(/^Waits for a slot of concurrency limit "memory"; they are held by run_\w+, run_\w+\.$/);
    await house.clock.advance(1000);
    expect(began.at(-1)![0]).toBe('50');
  });

  it('of a task is its own, whatever its queue', async () => {
    const house = await open();
    const { task, began } = timed(house, { concurrency: 2 });
    for (let index = 0; index < 5; index++) house.orchestrator.trigger(task, `${index}`);
    await house.clock.advance(1000);
    expect(began.map(([, atMs]) => atMs)).toEqual([0, 0, 1000, 1000]);
  });
});

describe('a rate', () => {
  it('lets no more begin in any window; why says when the next one may', async () => {
    const house = await open({ queues: { api: { rateLimit: { limit: 2, period: '10s' } } } });
    const { task, began } = timed(house, { queue: 'api' });
    const runs = ['1', '2', '3', '4', '5'].map((label) => house.orchestrator.trigger(task, label));
    await house.clock.settle();
    expect(house.orchestrator.why(runs[2]!.id)).toMatch(/^Waits for its turn: the limit of queue "api" lets the next one begin at \d{4}-/);
    await house.clock.advance(25_000);
    expect(began.map(([, atMs]) => atMs)).toEqual([0, 0, 10_000, 10_000, 20_000]);
  });

  it('is not begun anew by a crash', async () => {
    const options = { queues: { api: { rateLimit: { limit: 1, period: '1m' } } } };
    const house = await open(options);
    const quick = defineTask({ id: name('quick'), queue: 'api', ...once, run: async () => 1 });
    await house.orchestrator.trigger(quick, null).result();
    await house.clock.advance(20_000);
    const next = await crash(house);
    const second = next.orchestrator.trigger(quick, null);
    await next.clock.advance(39_999);
    expect(second.status).toBe('pending');
    await next.clock.advance(1);
    expect(second.status).toBe('completed');
  });

  it('of a key, of a bucket, spaced and fixed, as it says', async () => {
    const house = await open({ concurrencyLimits: {
      key: { rateLimit: { limit: 1, period: '1s', perKey: true } }, bucket: { rateLimit: { limit: 10, period: '1s', type: 'token-bucket', burst: 3 } },
      even: { rateLimit: { limit: 10, period: '1s', type: 'gcra' } }, spaced: { minTime: 250 }, fixed: { rateLimit: { limit: 2, period: '1s', type: 'fixed' } },
    } });
    const starts = async (limit: string, keys: string[]) => {
      const { task, began } = timed(house);
      for (const key of keys) house.orchestrator.trigger(task, key, { concurrencyKey: key, concurrencyLimits: [limit] });
      await house.clock.advance(3000);
      return began.map(([, atMs]) => atMs);
    };
    expect(await starts('key', ['a', 'b', 'a'])).toEqual([0, 0, 1000]);
    expect(await starts('bucket', [...'abcdef'])).toEqual([0, 0, 0, 100, 200, 300]);
    expect(await starts('even', [...'abc'])).toEqual([0, 100, 200]);
    expect(await starts('spaced', [...'abc'])).toEqual([0, 250, 500]);
    expect(await starts('fixed', [...'abcd'])).toEqual([0, 0, 1000, 1000]);
  });

  it('is closed by what a service says of when to come again', async () => {
    const house = await open({ queues: { api: { rateLimit: { limit: 100, period: '1s', feedback: true } } } });
    const began: number[] = [];
    const start = house.clock.now();
    const task = defineTask({ id: name('told'), queue: 'api', run: async (_: string) => {
      began.push(house.clock.now() - start);
      if (began.length === 1) throw new RetryableError('429', { retryAfter: 5000 });
    } });
    house.orchestrator.trigger(task, 'first');
    await house.clock.settle();
    house.orchestrator.trigger(task, 'second');
    await house.clock.advance(4999);
    expect(began).toEqual([0]);
    await house.clock.advance(1);
    expect(began).toEqual([0, 5000, 5000]);
  });

  it('is closed by the answer that asks for most, whichever comes last, over a crash too; penalize has the last word', async () => {
    const options = { queues: { api: { rateLimit: { limit: 100, period: '1s', feedback: true } } } } as const;
    const house = await open(options);
    const began: number[] = [];
    const task = defineTask({ id: name('told'), queue: 'api', ...once, run: async (retryAfter: number) => {
      began.push(retryAfter);
      if (retryAfter > 0) throw new RetryableError('429', { retryAfter });
    } });
    const runs = [60_000, 5000, 30_000].map((retryAfter) => house.orchestrator.trigger(task, retryAfter));
    await Promise.all([...runs.map(ends), house.clock.settle()]);
    const last = house.orchestrator.trigger(task, 0);
    await Promise.all([last.accepted, house.clock.advance(31_000)]);
    const next = await crash(house, options);
    await next.clock.advance(28_999);
    expect(began).toEqual([60_000, 5000, 30_000]);
    await next.clock.advance(1);
    expect(began.at(-1)).toBe(0);
    const penalize = (options: { for: string | number }) => Promise.all([next.orchestrator.queues.penalize('api', options as { for: number }), next.clock.settle()]);
    await penalize({ for: '1h' });
    await penalize({ for: 0 });
    next.orchestrator.trigger(task, -1);
    await next.clock.settle();
    expect(began.at(-1)).toBe(-1);
  });
});

describe('queues', () => {
  it('are paused and resumed, over a crash, and say what is in them', async () => {
    const options = { queues: { one: { concurrency: 1 }, two: {} } };
    const house = await open(options);
    const { task, began } = timed(house, { queue: 'one' });
    house.orchestrator.trigger(task, 'runs');
    house.orchestrator.trigger(task, 'waits');
    await house.clock.settle();
    expect(house.orchestrator.queues.list().map(({ name: queue }) => queue)).toEqual(['one', 'two']);
    expect(house.orchestrator.queues.retrieve('one')).toMatchObject({ running: 1, queued: 1, paused: false, concurrencyLimit: 1 });
    const pausing = house.orchestrator.queues.pause('one');
    await house.clock.settle();
    await pausing;
    await house.clock.advance(2000);
    expect(began).toHaveLength(1);
    const next = await crash(house);
    expect(next.orchestrator.queues.retrieve('one')).toMatchObject({ running: 0, queued: 1, paused: true });
    await next.clock.advance(1000);
    expect(began).toHaveLength(1);
    const resuming = next.orchestrator.queues.resume('one');
    await next.clock.settle();
    await resuming;
    expect(began).toHaveLength(2);
  });

  it('get another limit for a while', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const { task, began } = timed(house, { queue: 'one' });
    for (let index = 0; index < 4; index++) house.orchestrator.trigger(task, `${index}`);
    const change = async (promise: Promise<void>) => {
      await house.clock.settle();
      await promise;
      await house.clock.settle();
    };
    const { queues } = house.orchestrator;
    await change(queues.overrideConcurrencyLimit('one', 3));
    expect(began).toHaveLength(3);
    expect(queues.retrieve('one').concurrency).toMatchObject({ current: 3, base: 1, override: 3 });
    await change(queues.overrideConcurrencyLimit('one', 0));
    await house.clock.advance(1000);
    expect(began).toHaveLength(3);
    await change(queues.resetConcurrencyLimit('one'));
    expect(began).toHaveLength(4);
    expect(queues.retrieve('one').concurrency.override).toBeUndefined();
    await expect(queues.pause('nobody')).rejects.toThrow(/There is no queue "nobody", only one\./);
    expect(() => queues.retrieve(5 as never)).toThrow(/queue name must be text, not 5/);
  });

  it.each([
    [{ total: 2 }, 1, 5, 2, 5],
    [{ total: 4, perKey: 1 }, 2, 8, 2, 4],
    [{ perKey: 1 }, 1, 3, 30, 3],
  ])('an override of %j is of weights too (%d each), upwards and back: %d', async (concurrency, weight, limit, before, now) => {
    const house = await open({ queues: { one: { concurrency } } });
    const { task } = timed(house, { queue: 'one' });
    const { queues } = house.orchestrator;
    const give = async () => {
      for (let index = 0; index < 30; index++) house.orchestrator.trigger(task, `${index}`, { weight, concurrencyKey: `key ${index}` });
      await house.clock.settle();
    };
    await give();
    expect(queues.retrieve('one').running).toBe(before);
    await Promise.all([queues.overrideConcurrencyLimit('one', limit), house.clock.settle()]);
    await give();
    await house.clock.advance(1000);
    expect(queues.retrieve('one')).toMatchObject({ running: now, concurrency: { current: limit, base: (concurrency as { total?: number }).total } });
    await Promise.all([queues.resetConcurrencyLimit('one'), house.clock.settle()]);
    await house.clock.advance(60_000);
    await give();
    expect(queues.retrieve('one')).toMatchObject({ running: before, concurrency: { current: (concurrency as { total?: number }).total, override: undefined } });
  });

  it('of what is said of a queue in one breath the last word counts, and all that was asked resolves', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const { queues } = house.orchestrator;
    const done = Promise.all([
      queues.pause('one'), queues.resume('one'),
      queues.overrideConcurrencyLimit('one', 3), queues.overrideConcurrencyLimit('one', 0), queues.resetConcurrencyLimit('one'), queues.overrideConcurrencyLimit('one', 5),
    ]).then(() => 'done');
    for (let turn = 0; turn < 100; turn++) await new Promise<void>((resolve) => house.clock.defer(resolve));
    expect(await Promise.race([done, 'waits'])).toBe('done');
    expect(queues.retrieve('one')).toMatchObject({ paused: false, concurrencyLimit: 5 });
  });

  it('an override with 0 is no pause: neither ends the other, and a reload ends the override', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const { task, began } = timed(house, { queue: 'one' });
    const change = async (of: typeof house, promise: Promise<void>) => {
      await of.clock.settle();
      await promise;
      await of.clock.settle();
    };
    const { queues } = house.orchestrator;
    await change(house, queues.overrideConcurrencyLimit('one', 0));
    const run = house.orchestrator.trigger(task, 'a');
    await change(house, run.accepted);
    expect(house.orchestrator.why(run.id)).toBe('The limit of its queue is overridden with 0: queues.resetConcurrencyLimit("one").');
    expect((await queues.standing(run.id))?.blockedBy).toEqual([{ reason: 'concurrency', name: 'one', holders: [] }]);
    await change(house, queues.resume('one'));
    expect(queues.retrieve('one')).toMatchObject({ paused: false, queued: 1, concurrency: { current: 0 } });
    await change(house, queues.pause('one'));
    await change(house, queues.resetConcurrencyLimit('one'));
    expect(queues.retrieve('one')).toMatchObject({ paused: true, queued: 1, concurrency: { current: 1 } });
    await change(house, queues.overrideConcurrencyLimit('one', 0));
    await change(house, queues.resume('one'));
    expect(began).toEqual([]);
    const next = await crash(house, { queues: { one: { concurrency: 1 } } });
    const again = timed(next, { queue: 'one', id: task.id });
    next.orchestrator.trigger(again.task, 'b');
    await next.clock.settle();
    await next.clock.advance(1000);
    expect([...began, ...again.began].map(([label]) => label)).toEqual(['a', 'b']);
  });
});

it('What makes no sense is refused at the call, with the value and the fix', async () => {
  const bad = (options: object) => () => createOrchestrator({ id: name('bad'), storage: 'memory', ...options });
  expect(bad({ queues: { one: { rateLimit: { limit: 0, period: '1s' } } } })).toThrow(/queue "one" rateLimit.limit must be a whole number.*not 0/);
  expect(bad({ queues: { one: { rateLimit: { limit: 1, period: 0 } } } })).toThrow(/rateLimit.period must be at least 1 ms, not 0/);
  expect(bad({ queues: { one: { rateLimit: { limit: 1, period: 1, type: 'leaky' } } } })).toThrow(/rateLimit.type must be one of sliding, fixed, token-bucket, gcra, not "leaky"/);
  expect(bad({ queues: { one: { rateLimit: { limit: 1, period: 1, burst: 2 } } } })).toThrow(/burst is for a token-bucket or gcra; a sliding window has none/);
  expect(bad({ queues: { one: { concurrency: { total: 0 } } } })).toThrow(/concurrency.total must be a whole number.*not 0/);
  expect(bad({ queues: { one: { concurrency: { max: 1 } } } })).toThrow(/concurrency/);
  expect(bad({ concurrencyLimits: { one: { minTime: -1 } } })).toThrow(/minTime/);
  expect(bad({ concurrencyLimits: { one: { rate: 1 } } })).toThrow(/concurrencyLimits "one"/);
  const house = await open({ concurrencyLimits: { small: { concurrency: 2 } } });
  const { task } = timed(house);
  const trigger = (options: object) => () => house.orchestrator.trigger(task, 'x', options);
  expect(trigger({ concurrencyLimits: ['large'] })).toThrow(/There is no concurrency limit "large"\. Declare it/);
  expect(trigger({ concurrencyLimits: ['small', { name: 'small', weight: 1 }] })).toThrow(/names a limit twice/);
  expect(trigger({ concurrencyLimits: [{ name: 'small', weight: 3 }] })).toThrow(/weight 3 is more than all of limit "small": its concurrency is 2/);
  expect(trigger({ concurrencyLimits: 'small' })).toThrow(/concurrencyLimits must be a list of names/);
  expect(trigger({ weight: 0 })).toThrow(/weight must be a whole number/);
  expect(trigger({ concurrencyKey: '' })).toThrow(/concurrencyKey must be text of 1 to 512 bytes/);
});

it('A limit and a key have the numbers that journals of earlier versions hold', () => {
  expect([keyNumber('key 1'), keyNumber('ключ 𝄞'), keyNumber(undefined)]).toEqual([98217553245217, 57165879170164, 1]);
  expect([limitNumber('queue', 'files'), limitNumber('limit', 'api')]).toEqual([1178311438, 1434613150]);
});
