/** Orders, bounds and overflow of queues; who waits for a size; what is done to those who wait. */
import { CanceledError, ConfigurationError, defineTask, QueueOverflowError, RateLimitedError, type RunHandle, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import type { House } from './house.ts';
import { crash, name, open } from './houses.ts';

const once = { retry: { maxAttempts: 1 } };

/** A task whose runs last a second and tell when they began. */
function timed(house: House, options: object = {}) {
  const began: string[] = [];
  const task = defineTask({ id: name('timed'), queue: 'q', ...once, ...options, run: async (label: string, ctx) => {
    began.push(label);
    await new Promise<void>((resolve) => {
      house.clock.schedule(house.clock.now() + 1000, resolve);
      ctx.signal.addEventListener('abort', () => resolve());
    });
    return label;
  } });
  return { task, began };
}

const ends = (run: RunHandle) => run.result().then((output) => output, (error) => error);

describe('the order of a queue', () => {
  const order = async (queue: object, labels: [label: string, options?: object][], apartMs = 0) => {
    const house = await open({ queues: { q: { concurrency: 1, ...queue } } });
    const { task, began } = timed(house);
    house.orchestrator.trigger(task, 'first');
    await house.clock.settle();
    for (const [label, options] of labels) {
      house.orchestrator.trigger(task, label, options);
      if (apartMs > 0) await house.clock.advance(apartMs);
    }
    await house.clock.settle();
    await house.clock.advance(60_000);
    return began.slice(1).join(' ');
  };
  const given: [string, object?][] = [['a', { priority: 1 }], ['b', { priority: 5 }], ['c']];

  it('is by priority, by who came first or last, as it says', async () => {
    expect(await order({}, given)).toBe('b a c');
    expect(await order({ order: 'fifo' }, given)).toBe('a b c');
    expect(await order({ order: 'lifo' }, given)).toBe('c b a');
  });

  it('by offset counts a priority as seconds of age', async () => {
    const late: [string, object?][] = [['a'], ['b'], ['c', { priority: 1 }]];
    expect(await order({ priorityMode: 'offset' }, late, 300)).toBe('c a b');
    expect(await order({ priorityMode: 'offset' }, [['a'], ['c', { priority: 1 }]], 300)).toBe('c a');
    const house = await open({ queues: { q: { priorityMode: 'offset' } } });
    expect(house.orchestrator.queues.list().find((queue) => queue.name === 'q')?.order).toBe('priority');
  });

  it('is fair to keys, by their weights', async () => {
    const many = (key: string, count: number): [string, object][] => Array.from({ length: count }, (_, index) => [`${key}${index}`, { concurrencyKey: key }]);
    expect(await order({ order: 'fair' }, [...many('a', 4), ...many('b', 2)])).toBe('a0 b0 a1 b1 a2 a3');
    expect(await order({ order: 'fair', fair: { weights: { a: 2 } } }, [...many('a', 4), ...many('b', 2)])).toBe('a0 b0 a1 a2 b1 a3');
  });

  it('changes by setPriority, promote, remove and setOptions, and over a crash stays', async () => {
    const options = { queues: { q: { concurrency: 1 } } };
    const house = await open(options);
    const { queues } = house.orchestrator;
    const { task, began } = timed(house);
    const runs = new Map<string, RunHandle>();
    for (const label of ['first', 'a', 'b', 'c', 'd', 'e']) runs.set(label, house.orchestrator.trigger(task, label, label === 'e' ? { delay: '1h' } : {}));
    await house.clock.settle();
    const id = (label: string) => runs.get(label)!.id;
    expect(house.orchestrator.why(id('c'))).toMatch(/^Waits for a slot: queue "q" runs 1 of 1 at once; it is held by run_\w+, and 2 of it are before it\.$/);
    expect(await queues.standing(id('c'))).toEqual({ position: 3, queue: 'q', blockedBy: [{ reason: 'concurrency', name: 'q', holders: [id('first')] }] });
    expect(await queues.setPriority(id('c'), 9)).toBe(true);
    expect(await queues.promote(id('e'))).toBe(true);
    expect(await queues.remove(id('b'), 'no need')).toBe(true);
    expect(await queues.remove(id('first'))).toBe(false);
    expect(await queues.promote(id('first'))).toBe(false);
    expect(await ends(runs.get('b')!)).toBeInstanceOf(CanceledError);
    expect(queues.retrieve('q')).toMatchObject({ running: 1, queued: 4, size: 4, order: 'priority' });
    began.length = 0;
    const next = await crash(house, options);
    await next.clock.advance(10_000);
    expect(began.join(' ')).toBe('e c first a d');
    expect(await next.orchestrator.queues.statistics('q')).toMatchObject({ total: 6, completed: 5, cancelled: 1, oldestQueuedAt: undefined });
  });
});

describe('a queue that is full', () => {
  const fill = async (queue: object, priorities = [0, 0, 0, 0]) => {
    const house = await open({ queues: { q: { concurrency: 1, maxSize: 2, ...queue } } });
    const { task } = timed(house);
    const runs: RunHandle[] = [];
    for (const [index, priority] of priorities.entries()) {
      runs.push(house.orchestrator.trigger(task, `${index}`, { priority }));
      // The first is under way before the others come.
      if (index === 0) await house.clock.settle();
    }
    await house.clock.settle();
    return { house, task, runs };
  };

  it('refuses: accepted and result say so, nothing is left of it', async () => {
    const { house, runs } = await fill({});
    await expect(runs[3]!.accepted).rejects.toThrow('Queue "q" is full');
    await expect(runs[3]!.result()).rejects.toBeInstanceOf(QueueOverflowError);
    expect(house.orchestrator.getTaskState(runs[3]!.id)).toBeUndefined();
    expect(house.orchestrator.queues.retrieve('q')).toMatchObject({ size: 2, maxSize: 2 });
    await house.clock.advance(5000);
    expect(await Promise.all(runs.slice(0, 3).map(ends))).toEqual(['0', '1', '2']);
  });

  it.each([
    ['drop-new', [0, 0, 0, 9], 3],
    ['drop-oldest', [0, 0, 0, 0], 1],
    ['drop-lowest-priority', [0, 4, 2, 9], 2],
    ['drop-lowest-priority', [0, 4, 2, 1], 3],
  ] as const)('%s: %j drops the run %i, which is stored as cancelled', async (overflow, priorities, dropped) => {
    const { house, runs } = await fill({ overflow }, [...priorities]);
    await Promise.all(runs.map((run) => run.accepted));
    const error = await ends(runs[dropped]!);
    expect(error).toBeInstanceOf(QueueOverflowError);
    expect(error.message).toContain('Queue "q" was full');
    const next = await crash(house);
    expect(next.orchestrator.getTaskState(runs[dropped]!.id)).toMatchObject({ status: 'cancelled', error: { code: 'QUEUE_OVERFLOW' } });
  });

  it('blocks: accepted waits for room, in order; a cancel takes one back, clear all', async () => {
    const { house, task, runs } = await fill({ overflow: 'block' }, [0, 0, 0, 0, 0, 0]);
    let accepted = 0;
    for (const run of runs) void run.accepted.then(() => accepted++, () => {});
    await house.clock.settle();
    expect(accepted).toBe(3);
    expect(await runs[4]!.cancel()).toBe(true);
    await expect(runs[4]!.accepted).rejects.toBeInstanceOf(CanceledError);
    await house.clock.advance(1000);
    expect(accepted).toBe(4);
    await house.clock.advance(10_000);
    expect(await Promise.all([0, 1, 2, 3, 5].map((index) => ends(runs[index]!)))).toEqual(['0', '1', '2', '3', '5']);
    const more = Array.from({ length: 6 }, (_, index) => house.orchestrator.trigger(task, `${index}`));
    await house.clock.settle();
    expect(await house.orchestrator.queues.clear('q', { reason: 'enough' })).toBe(5);
    await house.clock.advance(1000);
    const errors = await Promise.all(more.map(ends));
    expect(errors.map((end) => (end instanceof CanceledError ? end.cause : end))).toEqual(['0', ...Array(5).fill('enough')]);
  });

  it('what is asked of one that is not let in yet is done when it is, and nobody waits for that', async () => {
    const { house, runs } = await fill({ overflow: 'block', maxSize: 1 }, [0, 0, 0, 0]);
    const { orchestrator } = house;
    const [, , third, fourth] = runs as [RunHandle, RunHandle, RunHandle, RunHandle];
    const asked = Promise.all([orchestrator.queues.setPriority(fourth.id, 7), orchestrator.pauseTask(third.id), orchestrator.runs.bulk.pause({ taskIdentifier: third.taskIdentifier, text: fourth.id })]);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve)).then(() => house.clock.settle());
    expect(await Promise.race([asked, 'waits'])).toEqual([true, true, { total: 1, done: 1, skipped: 0, failed: 0 }]);
    await house.clock.advance(3000);
    expect([third.status, fourth.status]).toEqual(['paused', 'pending']);
    await third.cancel();
    await house.clock.advance(3000);
    expect(fourth.status).toBe('paused');
    await fourth.cancel();
    await Promise.all(runs.map(ends));
  });

  it('a throttle lets the first begin and, of those that come meanwhile, the last', async () => {
    const house = await open({ queues: { q: { throttle: { every: '1s' } }, l: { throttle: { every: '1s', trailing: false } } } });
    const { task, began } = timed(house);
    const trigger = (queue: string) => Array.from({ length: 5 }, (_, index) => house.orchestrator.trigger(task, `${queue}${index}`, { queue }));
    const [trailing, leading] = [trigger('q'), trigger('l')];
    await house.clock.advance(10_000);
    expect(began.sort()).toEqual(['l0', 'q0', 'q4']);
    expect(await ends(trailing[3]!)).toBeInstanceOf(QueueOverflowError);
    expect(await ends(leading[3]!)).toBeInstanceOf(RateLimitedError);
  });
});

describe('a rate that drops', () => {
  it('cancels what comes beyond it with when there is room, over a crash too', async () => {
    const options = { queues: { q: { rateLimit: { limit: 2, period: '10s', onExceed: 'drop' as const } } } };
    const house = await open(options);
    const { task } = timed(house);
    const runs = ['a', 'b', 'c'].map((label) => house.orchestrator.trigger(task, label));
    await house.clock.advance(4000);
    const error = await ends(runs[2]!);
    expect(error).toBeInstanceOf(RateLimitedError);
    expect(error.retryAfter).toBe(10_000);
    expect(await Promise.all(runs.slice(0, 2).map(ends))).toEqual(['a', 'b']);
    const next = await crash(house, options);
    const late = next.orchestrator.trigger(task, 'd');
    await next.clock.settle();
    expect(await ends(late)).toMatchObject({ code: 'RATE_LIMITED', retryAfter: 6000 });
    await next.clock.advance(6000);
    const again = next.orchestrator.trigger(task, 'e');
    await next.clock.advance(1000);
    expect(await ends(again)).toBe('e');
  });
});

describe('who waits for a size', () => {
  it('hears of it: ready, onSizeLessThan, onEmpty, onPendingZero, onIdle; a dispose rejects', async () => {
    const house = await open({ queues: { q: { concurrency: 1, maxSize: 3 } } });
    const { queues } = house.orchestrator;
    const { task } = timed(house);
    const said: string[] = [];
    for (const label of ['a', 'b', 'c', 'd']) house.orchestrator.trigger(task, label);
    await house.clock.settle();
    void queues.ready('q').then(() => said.push('ready'));
    void queues.onSizeLessThan('q', 2).then(() => said.push('less than 2'));
    void queues.onEmpty('q').then(() => said.push('empty'));
    void queues.onIdle('q').then(() => said.push('idle'));
    await house.clock.settle();
    expect(said).toEqual([]);
    await house.clock.advance(1000);
    expect(said).toEqual(['ready']);
    await house.clock.advance(1000);
    expect(said).toEqual(['ready', 'less than 2']);
    await house.clock.advance(1000);
    expect(said).toEqual(['ready', 'less than 2', 'empty']);
    await house.clock.advance(1000);
    expect(said).toEqual(['ready', 'less than 2', 'empty', 'idle']);
    await queues.onPendingZero('q');
    house.orchestrator.trigger(task, 'e');
    const never = queues.onIdle('q').catch((error) => error.code);
    await house.clock.settle();
    await house.orchestrator.dispose();
    expect(await never).toBe('DISPOSED');
  });

  it('who is being let in counts: a queue that blocks has no room, and is not empty, before that one has begun', async () => {
    const house = await open({ queues: { q: { concurrency: 1, maxSize: 1, overflow: 'block' } } });
    const { task } = timed(house);
    for (const label of ['a', 'b', 'c']) house.orchestrator.trigger(task, label);
    await house.clock.settle();
    const { queues } = house.orchestrator;
    const [beganMs, said] = [house.clock.now(), [] as [what: string, afterMs: number][]];
    for (const what of ['onEmpty', 'ready', 'onPendingZero', 'onIdle'] as const) void queues[what]('q').then(() => said.push([what, house.clock.now() - beganMs]));
    for (let passed = 0; passed < 4000; passed += 500) await house.clock.advance(500);
    expect(said.sort()).toEqual([['onEmpty', 2000], ['onIdle', 3000], ['onPendingZero', 3000], ['ready', 2000]]);
  });

  it('addAll asks for the next input only when there is room', async () => {
    const house = await open({ queues: { q: { concurrency: 2 } } });
    const { task, began } = timed(house);
    let asked = 0;
    function* inputs() {
      for (; asked < 10; ) yield `${asked++}`;
    }
    const all = house.orchestrator.queues.addAll(task, inputs(), { highWater: 2 });
    await house.clock.settle();
    expect(asked).toBeLessThan(6);
    await house.clock.advance(20_000);
    const handles = await all;
    expect(handles.length).toBe(10);
    expect(began.length).toBe(10);
    const { queues } = house.orchestrator;
    await expect(queues.addAll(task, 'no list' as never)).rejects.toThrow(ConfigurationError);
    await expect(queues.addAll({} as never, [1])).rejects.toThrow(/addAll needs a task made by defineTask/);
    await expect(queues.addAll(task, ['never'], { queue: { name: 'other' } as never })).rejects.toThrow(/addAll queue must be text/);
    await expect(queues.clear('q', { running: 'no' as never })).rejects.toThrow(/clear running must be true or false, not "no"/);
    await expect(queues.deadLetters.redrive(null as never)).rejects.toThrow(/deadLetters\.redrive must be an object, not null/);
    await expect(queues.deadLetters.list(5 as never)).rejects.toThrow(/deadLetters\.list must be an object, not 5/);
    expect(house.orchestrator.getAllTasks()).toHaveLength(10);
  });

  it('addAll ends when it is aborted, whether the queue has no room or the source gives nothing', async () => {
    const house = await open({ queues: { q: { concurrency: 1 } } });
    const { task } = timed(house);
    const stuck = async function* () {
      yield 'a';
      await new Promise(() => {});
    };
    for (const [inputs, highWater] of [[stuck(), 9], [['b', 'c', 'd', 'e'], 1]] as const) {
      const controller = new AbortController();
      const added = house.orchestrator.queues.addAll(task, inputs, { highWater, signal: controller.signal });
      added.catch(() => undefined);
      await house.clock.settle();
      controller.abort(new Error('enough'));
      await expect(added).rejects.toThrow('addAll was aborted.');
    }
  });

  it('drain takes nothing more, and says when all is over; resume opens it again', async () => {
    const house = await open({ queues: { q: { concurrency: 1 } } });
    const { task } = timed(house);
    const run = house.orchestrator.trigger(task, 'a');
    const drained = house.orchestrator.queues.drain('q').then(() => 'over');
    expect(() => house.orchestrator.trigger(task, 'b')).toThrow(/was drained and takes nothing more/);
    await house.clock.advance(1000);
    expect([await drained, await ends(run)]).toEqual(['over', 'a']);
    await house.orchestrator.queues.resume('q');
    const next = house.orchestrator.trigger(task, 'c');
    await house.clock.advance(1000);
    expect(await ends(next)).toBe('c');
  });
});

it('what sleeps, is paused or is to be tried again is not over: drain and onIdle wait for it', async () => {
  const doing: Record<string, (ctx: TaskContext) => unknown> = {
    sleeps: (ctx) => ctx.sleep('1m'),
    'has a child': (ctx) => ctx.run(defineTask({ id: name('child'), run: (_: null, of) => of.sleep('1m') }), null),
    'is to be tried again': (ctx) => {
      if (ctx.attempt.number === 1) throw new Error('not yet');
    },
  };
  for (const [what, does] of Object.entries(doing)) {
    const house = await open({ queues: { q: { concurrency: 1 } } });
    const task = defineTask({ id: name('slow'), queue: 'q', retry: { randomize: false, minTimeoutInMs: 60_000 }, run: (_: null, ctx) => does(ctx) });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    const said: string[] = [];
    void house.orchestrator.queues.onIdle('q').then(() => said.push(`idle, ${run.status}`));
    void house.orchestrator.queues.drain('q').then(() => said.push(`drained, ${run.status}`));
    const pass = async (ms: number) => {
      await house.clock.advance(ms);
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve)).then(() => house.clock.settle());
    };
    await pass(1000);
    expect(said, what).toEqual([]);
    await house.orchestrator.pauseTask(run.id);
    await pass(60_000);
    expect(said, what).toEqual([]);
    await Promise.all([house.orchestrator.resumeTask(run.id), pass(60_000)]);
    expect(said.sort(), what).toEqual(['drained, completed', 'idle, completed']);
  }
});

describe('dead letters', () => {
  it('are gathered under a name, and tried again; those that are discarded are gone', async () => {
    const house = await open({ queues: { q: { deadLetter: 'broken' }, d: { deadLetter: 'discard' }, k: {} } });
    let works = false;
    const task = defineTask({ id: name('fails'), ...once, run: async (label: string) => {
      if (!works) throw new Error('no');
      return label;
    } });
    const runs = ['q', 'd', 'k'].map((queue) => house.orchestrator.trigger(task, queue, { queue }));
    await Promise.all(runs.map(ends));
    await house.clock.settle();
    const { deadLetters } = house.orchestrator.queues;
    expect((await deadLetters.list()).map(({ id }) => id)).toEqual([runs[0]!.id]);
    expect(await deadLetters.list({ name: 'other' })).toEqual([]);
    expect(house.orchestrator.getTaskState(runs[1]!.id)).toBeUndefined();
    expect(house.orchestrator.getTaskState(runs[2]!.id)?.status).toBe('failed');
    // What made it may ask for it again.
    const parent = defineTask({ id: name('parent'), ...once, run: (_: null, ctx) => ctx.run(defineTask({ id: name('child'), queue: 'd', ...once, run: async () => Promise.reject(new Error('no')) }), undefined) });
    await ends(house.orchestrator.trigger(parent, null));
    await house.clock.settle();
    expect(house.orchestrator.runs.list({ queue: 'd' }).items).toMatchObject([{ status: 'failed' }]);
    works = true;
    const next = await crash(house);
    expect(await next.orchestrator.queues.deadLetters.redrive({ name: 'broken' })).toEqual({ total: 1, done: 1 });
    await next.clock.settle();
    expect(next.orchestrator.getTaskState(runs[0]!.id)).toMatchObject({ status: 'completed' });
  });
});

describe('a limit that is declared later', () => {
  it('counts for the runs of its queue that are there', async () => {
    const house = await open({ queues: { q: { concurrency: 5 } } });
    const { task, began } = timed(house);
    for (let index = 0; index < 8; index++) house.orchestrator.trigger(task, `${index}`);
    await house.clock.settle();
    house.orchestrator.setOptions({ queues: { q: { concurrency: { total: 6 } } } });
    await house.clock.settle();
    expect(began.length).toBe(6);
    await house.clock.advance(1000);
    expect(began.length).toBe(8);
  });

  it('counts for those of a former page, whose code knew of none', async () => {
    const house = await open({ queues: { q: {} } });
    const { task, began } = timed(house, { delay: '1s' });
    for (let index = 0; index < 4; index++) house.orchestrator.trigger(task, `${index}`);
    await house.clock.settle();
    const next = await crash(house, { queues: { q: { rateLimit: { limit: 1, period: '1m' } } } });
    await next.clock.advance(10_000);
    expect(began.length).toBe(1);
    await next.clock.advance(60_000);
    expect(began.length).toBe(2);
  });
});

it('penalize closes a limit until then; statistics and standing say so', async () => {
  const house = await open({ queues: { q: { minTime: 1 } }, concurrencyLimits: { api: {} } });
  const { queues } = house.orchestrator;
  const { task, began } = timed(house);
  await queues.penalize('q', { for: '10s' });
  const run = house.orchestrator.trigger(task, 'a');
  await house.clock.advance(4000);
  expect(began).toEqual([]);
  const until = house.clock.now() + 6000;
  expect(await queues.statistics('q')).toMatchObject({ total: 1, rateLimited: true, nextSlotAt: until, oldestQueuedAt: until - 10_000, avgWaitMs: undefined });
  expect(await queues.standing(run.id)).toEqual({ position: 1, queue: 'q', blockedBy: [{ reason: 'rate', name: 'the limit of queue "q"', untilMs: until, holders: [] }] });
  await house.clock.advance(7000);
  expect(await ends(run)).toBe('a');
  expect(await queues.statistics('q')).toMatchObject({ completed: 1, rateLimited: false, avgWaitMs: 10_000, avgDurationMs: 1000, throughput: 1 });
  await expect(queues.penalize('nobody', { for: 1 })).rejects.toThrow(/There is no limit of the name "nobody"/);
  await expect(queues.penalize('api', {})).rejects.toThrow(/needs one of until, a Date, for, a duration, and backoff/);
  await expect(queues.penalize('api', { backoff: true, for: 5 })).rejects.toThrow(/needs one of/);
  await queues.penalize('api', { until: new Date(house.clock.now() + 5) });
});

it('penalize backs off where nobody says how long: twice as long when it is refused again, anew when it was open as long, never for less than it is closed', async () => {
  const house = await open({ queues: { q: { minTime: 1 } } });
  const { queues } = house.orchestrator;
  const { task, began } = timed(house);
  const closedFor = async (backoff: true | object = { randomize: false }) => {
    // What was under way is refused too.
    for (let again = 0; again < 3; again++) await queues.penalize('q', { backoff });
    const [atMs, count] = [house.clock.now(), began.length];
    house.orchestrator.trigger(task, 'next');
    for (let passed = 0; began.length === count && passed < 100_000; passed += 500) await house.clock.advance(500);
    return house.clock.now() - atMs;
  };
  expect([await closedFor(), await closedFor(), await closedFor()]).toEqual([1000, 2000, 4000]);
  await house.clock.advance(4001);
  expect(await closedFor()).toBe(1000);
  expect(await closedFor({ randomize: false, factor: 10, maxTimeoutInMs: 3000 })).toBe(3000);
  await house.clock.advance(4000);
  const usual = await closedFor(true);
  expect(usual).toBeGreaterThanOrEqual(1000);
  expect(usual).toBeLessThanOrEqual(2000);
  await queues.penalize('q', { for: '10s' });
  expect(await closedFor()).toBe(10_000);
  await expect(queues.penalize('q', { backoff: false as never })).rejects.toThrow(/backoff must be an object, not false/);
  await expect(queues.penalize('q', { backoff: { maxAttempts: 3 } as never })).rejects.toThrow(/penalize backoff has no option "maxAttempts"/);
  await expect(queues.penalize('nobody', { backoff: true })).rejects.toThrow(/There is no limit of the name "nobody"/);
});

it('a run may need what a machine has little of, without a declaration: cpu, network, memory, gpu', async () => {
  const house = await open({ queues: { q: {} }, concurrencyLimits: { memory: { concurrency: 10 } } });
  const { task, began } = timed(house);
  const use = (label: string, limits: (string | { name: string; weight?: number; key?: string })[]) => house.orchestrator.trigger(task, label, { concurrencyLimits: limits });
  use('gpu 1', ['gpu']);
  const waits = use('gpu 2', ['gpu', { name: 'memory', weight: 4 }]);
  for (let index = 0; index < 8; index++) use(`a.org ${index}`, [{ name: 'network', key: 'a.org' }]);
  use('b.org', [{ name: 'network', key: 'b.org' }]);
  await house.clock.settle();
  expect(began.filter((label) => label.startsWith('gpu'))).toEqual(['gpu 1']);
  expect(began.filter((label) => label.startsWith('a.org')).length).toBe(6);
  expect(began).toContain('b.org');
  expect(house.orchestrator.why(waits.id)).toMatch(/^Waits for a slot of concurrency limit "gpu"; it is held by run_\w+\.$/);
  expect(await house.orchestrator.queues.standing(waits.id)).toMatchObject({ blockedBy: [{ reason: 'limit', holders: [expect.any(String)] }] });
  expect(() => use('more', [{ name: 'memory', weight: 11 }])).toThrow(/its concurrency is 10/);
  expect(() => use('none', ['gpus'])).toThrow(/There is no concurrency limit "gpus"/);
});

it('options that mean nothing are refused, with what to say instead', async () => {
  const refused = (q: object, words: RegExp) => expect(open({ queues: { q } })).rejects.toThrow(words);
  await refused({ overflow: 'block' }, /has no maxSize/);
  await refused({ maxSize: 0 }, /maxSize must be a whole number from 1/);
  await refused({ order: 'best' }, /order must be one of/);
  await refused({ order: 'lifo', priorityMode: 'offset' }, /an offset is an order of its own/);
  await refused({ order: 'fifo', fair: {} }, /Say order: 'fair'/);
  await refused({ fair: { weights: { a: 0 } } }, /weights "a" must be a whole number from 1/);
  await refused({ throttle: { every: '1s' }, minTime: 5 }, /Give one of the two/);
  await refused({ rateLimit: { limit: 1, period: '1s', onExceed: 'queue' } }, /onExceed must be one of wait, drop/);
});
