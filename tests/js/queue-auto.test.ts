/** Queues whose concurrency is found out: from what their runs take and how they fail, from what the page says. */
import { ConfigurationError, defineTask, RetryableError, TestClock } from 'holdfast';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { name, open } from './houses.ts';

afterEach(() => void vi.unstubAllGlobals());

/** It bears so many at once in 100 ms each; more share that. */
function service(bears: number, clock: TestClock) {
  const seen = { now: 0, most: 0 };
  return { seen, call: async () => {
    seen.most = Math.max(seen.most, ++seen.now);
    const tookMs = 100 * Math.max(1, seen.now / bears);
    await new Promise<void>((resolve) => clock.schedule(clock.now() + tookMs, resolve));
    seen.now--;
  } };
}

async function house(concurrency: unknown, bears = 8, run?: (n: number) => Promise<unknown>) {
  const clock = new TestClock();
  const { seen, call } = service(bears, clock);
  const task = defineTask({ id: name('auto'), queue: 'q', retry: { maxAttempts: 1 }, run: run ?? call });
  const { orchestrator } = await open({ clock, storage: 'memory', tasks: [task], queues: { q: { concurrency: concurrency as 'auto' } } });
  const limit = () => orchestrator.queues.retrieve('q').concurrency.auto!;
  const give = (count: number) => Array.from({ length: count }, (_, index) => orchestrator.trigger(task, index));
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 20) await clock.advance(20);
  };
  return { clock, seen, orchestrator, limit, give, pass, task };
}

describe('a concurrency that is auto', () => {
  it('begins with its least, finds what is borne, and says how it changes', async () => {
    const { seen, orchestrator, limit, give, pass } = await house({ auto: true, max: 32 });
    const changes: unknown[] = [];
    orchestrator.on('concurrency', (change) => changes.push(change));
    expect(limit()).toEqual({ min: 1, max: 32, limit: 1, reason: 'start', changedAt: undefined });
    give(400);
    await pass(1000);
    expect(limit().limit).toBeGreaterThan(1);
    expect(changes[0]).toMatchObject({ queue: 'q', from: 1, to: 2, reason: 'room' });
    await pass(3000);
    expect(limit().limit).toBeGreaterThanOrEqual(6);
    expect(limit().limit).toBeLessThanOrEqual(11);
    expect(seen.most).toBeLessThanOrEqual(16);
    expect(orchestrator.queues.retrieve('q').concurrencyLimit).toBe(limit().limit);
    expect(orchestrator.queues.retrieve('q').running).toBeLessThanOrEqual(limit().limit);
    expect(changes.some((change) => (change as { reason: string }).reason === 'latency')).toBe(true);
  });

  it('429s and timeouts take a quarter; other errors say nothing of how many there are', async () => {
    const clock: { of?: TestClock } = {};
    let failure: Error | undefined;
    const world = await house({ auto: true, min: 4, max: 16 }, 99, async () => {
      await new Promise<void>((resolve) => clock.of!.schedule(clock.of!.now() + 50, resolve));
      if (failure) throw failure;
    });
    clock.of = world.clock;
    const { give, limit, pass } = world;
    give(200);
    await pass(1000);
    expect(limit()).toMatchObject({ limit: 16, reason: 'room' });
    failure = new Error('The input is bad.');
    give(50);
    await pass(1000);
    expect(limit().limit).toBe(16);
    failure = new RetryableError('Too many requests', { retryAfter: '1s' });
    give(16);
    await pass(100);
    expect(limit()).toMatchObject({ limit: 12, reason: 'refused' });
    failure = Object.assign(new Error('Busy'), { status: 503 });
    give(12);
    await pass(100);
    expect(limit()).toMatchObject({ limit: 9, reason: 'refused' });
  });

  it.each([['heeds its signal', true], ['does not', false]])('an attempt that takes too long speaks against it, whether its code %s', async (_, isPolite) => {
    const { orchestrator, clock, limit, give, pass } = await house({ auto: true, max: 8 }, 99);
    give(100);
    await pass(1500);
    expect(limit().limit).toBe(8);
    const hangs = defineTask({ id: name('hangs'), queue: 'q', timeout: 1000, graceMs: 500, retry: { maxAttempts: 1 }, run: (_: number, ctx) => new Promise((_, reject) => isPolite && ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
    for (let index = 0; index < 8; index++) orchestrator.trigger(hangs, index);
    await clock.advance(2000);
    expect(limit()).toMatchObject({ limit: 6, reason: 'timeout' });
  });

  it('beside a rate too, and neither it nor an override is held back by what stood there first', async () => {
    const clock = new TestClock();
    const { seen, call } = service(99, clock);
    const task = defineTask({ id: name('auto'), retry: { maxAttempts: 1 }, run: call });
    const rateLimit = { limit: 1000, period: 1000 };
    const { orchestrator } = await open({ clock, storage: 'memory', tasks: [task], queues: { found: { concurrency: 'auto', rateLimit }, said: { concurrency: 2, rateLimit } } });
    const most = async (queue: string, weight = 1) => {
      seen.most = 0;
      for (let index = 0; index < 60; index++) orchestrator.trigger(task, index, { queue, weight });
      for (let passed = 0; passed < 4000; passed += 20) await clock.advance(20);
      return seen.most;
    };
    expect(await most('found')).toBeGreaterThanOrEqual(8);
    // A number counts runs, whatever they weigh.
    expect(await most('said', 3)).toBe(2);
    await orchestrator.queues.overrideConcurrencyLimit('said', 5);
    expect(await most('said')).toBe(5);
  });

  it('an override counts as long as it does; after it what was found out', async () => {
    const { orchestrator, limit, give, pass } = await house('auto', 99);
    give(400);
    await pass(1000);
    const found = limit().limit;
    expect(found).toBeGreaterThan(1);
    await orchestrator.queues.overrideConcurrencyLimit('q', 2);
    await pass(300);
    expect(orchestrator.queues.retrieve('q')).toMatchObject({ concurrencyLimit: 2, running: 2 });
    await orchestrator.queues.resetConcurrencyLimit('q');
    await pass(300);
    expect(orchestrator.queues.retrieve('q').running).toBeGreaterThanOrEqual(limit().limit - 1);
  });

  it('long tasks of the page, and a heap that is nearly full, speak against it', async () => {
    let tell!: (durationMs: number) => void;
    class Observer {
      static readonly supportedEntryTypes = ['longtask'];
      constructor(callback: (list: { getEntries(): { duration: number }[] }) => void) {
        tell = (duration) => callback({ getEntries: () => [{ duration }] });
      }
      observe() {}
      disconnect() {}
    }
    vi.stubGlobal('PerformanceObserver', Observer);
    const { limit, give, pass } = await house({ auto: true, min: 8, max: 16 }, 99);
    give(2000);
    await pass(1500);
    expect(limit().limit).toBe(16);
    tell(200);
    await pass(1000);
    expect(limit().limit).toBe(16);
    tell(400);
    await pass(1000);
    expect(limit()).toMatchObject({ limit: 12, reason: 'long-tasks' });
    vi.stubGlobal('performance', Object.assign(Object.create(performance), { memory: { usedJSHeapSize: 90, jsHeapSizeLimit: 100 }, now: () => 0 }));
    await pass(1000);
    expect(limit()).toMatchObject({ limit: 9, reason: 'memory' });
  });

  it('begins anew with the page', async () => {
    const { orchestrator, limit, give, pass, task, clock } = await house('auto', 99);
    give(100);
    await pass(1000);
    expect(limit().limit).toBeGreaterThan(1);
    await orchestrator.dispose();
    const { orchestrator: next } = await open({ clock, storage: 'memory', tasks: [task], queues: { q: { concurrency: 'auto' } } });
    expect(next.queues.retrieve('q').concurrency).toMatchObject({ current: 1, auto: { limit: 1, reason: 'start' } });
  });

  it('takes another least and most while it goes on', async () => {
    const { orchestrator, limit, give, pass } = await house({ auto: true, max: 16 }, 99);
    give(300);
    await pass(1000);
    expect(limit().limit).toBe(16);
    orchestrator.setOptions({ queues: { q: { concurrency: { auto: true, min: 2, max: 3 } } } });
    give(100);
    await pass(500);
    expect(limit()).toMatchObject({ min: 2, max: 3 });
    expect(orchestrator.queues.retrieve('q').running).toBeLessThanOrEqual(3);
    orchestrator.setOptions({ queues: { q: { concurrency: 5 } } });
    give(100);
    await pass(500);
    expect(orchestrator.queues.retrieve('q').concurrency).toMatchObject({ current: 5, auto: undefined });
  });

  it.each([
    ['Auto', /queue "q" concurrency must be a number, an object or 'auto', not "Auto"/],
    [{ auto: false }, /concurrency.auto must be true, not false/],
    [{ auto: true, min: 0 }, /concurrency.min must be/],
    [{ auto: true, min: 5, max: 4 }, /concurrency.max must be .* 5/],
    [{ auto: true, tolerance: -1 }, /concurrency.tolerance must be a number from 0.01 to 10, not -1/],
    [{ auto: true, backoff: 1 }, /concurrency.backoff must be a number from 0.01 to 0.99, not 1/],
    [{ auto: true, most: 4 }, /most/],
  ])('%j is refused', async (concurrency, message) => {
    await expect(open({ queues: { q: { concurrency: concurrency as never } } })).rejects.toThrow(message);
    await expect(open({ queues: { q: { concurrency: concurrency as never } } })).rejects.toBeInstanceOf(ConfigurationError);
  });

  it('is refused beside a limit that stays', async () => {
    await expect(open({ queues: { q: { concurrency: 'auto', concurrencyLimit: 4 } } })).rejects.toThrow(/queue "q" has a concurrency that is found out and a concurrencyLimit of 4. Say { auto: true, max: 4 }/);
  });

  it('is refused for what all tabs share, and where a number of weights is meant', async () => {
    await expect(open({ queues: { q: { concurrency: 'auto', scope: 'origin' } } })).rejects.toThrow(/found out, which each tab does for itself/);
    await expect(open({ concurrencyLimits: { c: { concurrency: 'auto' as never } } })).rejects.toThrow(/"auto"/);
  });
});
