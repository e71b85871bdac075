/** A queue whose rate all tabs of the origin share: turns, leave, and a ledger of what has begun. */
import { defineTask } from 'holdfast';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { believed, MemoryLedger } from '../../js/limiting/ledger.ts';
import { name, open } from './houses.ts';
import { Origin, type Tab } from './origin.ts';

let origin: Origin;
beforeEach(() => void (origin = new Origin()));
afterEach(() => origin.close());

/** Runs that end at once; when each began, in all tabs. */
function watched(options: object, workMs = 0) {
  const starts: { atMs: number; label: string; key: string | undefined }[] = [];
  const id = name('rated');
  const task = defineTask({ id, queue: 'q', retry: { maxAttempts: 1 }, run: async ({ label, key }: { label: string; key?: string }) => {
    // Of a tab that was killed nothing goes out into the world.
    if (origin.acting?.dead) return new Promise<never>(() => {});
    starts.push({ atMs: origin.clock.now(), label, key });
    if (workMs > 0) await new Promise<void>((resolve) => origin.clock.schedule(origin.clock.now() + workMs, resolve));
    return label;
  } });
  const queues = { q: { scope: 'origin' as const, ...options } };
  const tab = () => origin.open({ tasks: [task], queues });
  const give = (where: Tab, label: string, count: number, more: object = {}) =>
    where.act(() => {
      for (let index = 0; index < count; index++) where.orchestrator.trigger(task, { label: `${label}${index}`, ...('concurrencyKey' in more && { key: String(more.concurrencyKey) }) }, more);
    });
  return { starts, tab, give, task, queues };
}

/** Of a tab that is killed nothing runs on, in whatever promise it was. */
function kill(tab: Tab): void {
  tab.kill();
  tab.orchestrator.pump.stop();
}

/** Locks, ledgers and dynamic imports take turns of their own. */
async function pass(ms: number, stepMs = 50): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await origin.clock.advance(stepMs);
  }
}

/** The most that began in any window of the period, wherever it lies. */
function mostIn(starts: readonly { atMs: number }[], periodMs: number): number {
  const times = starts.map(({ atMs }) => atMs).sort((a, b) => a - b);
  return Math.max(0, ...times.map((atMs, index) => times.slice(index).filter((other) => other - atMs < periodMs).length));
}
const labels = (starts: readonly { label: string }[], letter: string) => starts.filter(({ label }) => label[0] === letter).length;

describe('a rate with the scope origin', () => {
  it('three tabs together begin no more in any window than it allows, use it, and all come to their turns', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 10, period: 1000 } });
    const tabs = [await tab(), await tab(), await tab()];
    tabs.forEach((one, index) => give(one, 'abc'[index]!, 30));
    await pass(5500);
    expect(mostIn(starts, 1000)).toBe(10);
    const whole = starts.filter(({ atMs }) => atMs - starts[0]!.atMs < 5000).length;
    expect(whole).toBeGreaterThanOrEqual(0.95 * 50);
    for (const letter of 'abc') expect(labels(starts, letter)).toBeGreaterThan(10);
  });

  it('a tab alone uses all of it', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 10, period: 1000 } });
    give(await tab(), 'a', 60);
    await pass(4500);
    expect(mostIn(starts, 1000)).toBe(10);
    expect(starts.length).toBeGreaterThanOrEqual(0.95 * 50);
  });

  it.each(['fixed', 'token-bucket', 'gcra'] as const)('%s: two tabs together begin what one would', async (type) => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 10, period: 1000, type } });
    for (const one of [await tab(), await tab()]) give(one, 'x', 40);
    await pass(3000, 20);
    // A window after the other may be met at its end and at its beginning; a bucket is full once.
    expect(mostIn(starts, 1000)).toBeLessThanOrEqual({ fixed: 20, 'token-bucket': 20, gcra: 11 }[type]);
    expect(starts.length).toBeGreaterThanOrEqual(0.95 * 30);
    expect(starts.length).toBeLessThanOrEqual(10 + 30);
  });

  it('minTime is that of all tabs', async () => {
    const { starts, tab, give } = watched({ minTime: 200 });
    for (const [index, one] of [await tab(), await tab()].entries()) give(one, 'ab'[index]!, 10);
    await pass(2000, 20);
    expect(mostIn(starts, 200)).toBe(1);
    expect(starts.length).toBeGreaterThanOrEqual(9);
    expect(labels(starts, 'a')).toBeGreaterThan(3);
    expect(labels(starts, 'b')).toBeGreaterThan(3);
  });

  it('keys have their own, also when another tab waits with theirs', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 2, period: 1000, perKey: true } });
    const [first, second] = [await tab(), await tab()];
    give(first, 'a', 10, { concurrencyKey: 'one' });
    await pass(100);
    give(second, 'b', 10, { concurrencyKey: 'two' });
    give(second, 'c', 10, { concurrencyKey: 'one' });
    await pass(4500);
    const of = (key: string) => starts.filter((start) => start.key === key);
    for (const key of ['one', 'two']) expect(mostIn(of(key), 1000)).toBe(2);
    for (const key of ['one', 'two']) expect(of(key).length).toBeGreaterThanOrEqual(9);
  });

  it('a key that comes later is not kept waiting by one that has used up its own', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 2, period: 5000, perKey: true } });
    const first = await tab();
    give(first, 'a', 4, { concurrencyKey: 'one' });
    await pass(500);
    give(first, 'b', 2, { concurrencyKey: 'two' });
    await pass(200);
    expect(starts.map(({ label }) => label)).toEqual(['a0', 'a1', 'b0', 'b1']);
    await pass(5000);
    expect(starts.length).toBe(6);
  });

  it('a queue that is not shared any more lets go of its turn, and a browser that refuses its locks leaves the rate to the tab', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 2, period: 1000 } });
    const [first, second] = [await tab(), await tab()];
    give(first, 'a', 6);
    await pass(200);
    expect(origin.locks.held.filter((lock) => lock.includes(':rate:')).length).toBe(1);
    first.act(() => first.orchestrator.setOptions({ queues: { q: { rateLimit: { limit: 2, period: 1000 } } } }));
    await pass(100);
    expect(origin.locks.held.filter((lock) => lock.includes(':rate:'))).toEqual([]);
    vi.spyOn(origin.locks, 'request').mockRejectedValue(new Error('no locks'));
    give(second, 'b', 2);
    await pass(2500);
    expect(labels(starts, 'a')).toBe(6);
    expect(labels(starts, 'b')).toBe(2);
    expect(second.warnings.some((message) => message.includes('(no locks)'))).toBe(true);
    vi.restoreAllMocks();
  });

  it('a run that weighs more than a turn takes has its turn', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 8, period: 1000 } });
    const [first, second] = [await tab(), await tab()];
    give(first, 'a', 3, { weight: 8 });
    give(second, 'b', 12, { weight: 1 });
    await pass(8000);
    expect(labels(starts, 'a')).toBe(3);
    expect(labels(starts, 'b')).toBe(12);
    const weights = starts.flatMap(({ atMs, label }) => Array.from({ length: label[0] === 'a' ? 8 : 1 }, () => ({ atMs })));
    expect(mostIn(weights, 1000)).toBe(8);
  });

  it.each(['sliding', 'fixed', 'token-bucket'] as const)('%s: heavy and light runs mixed all come to their turns', async (type) => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 20, period: 1000, type } });
    for (const one of [await tab(), await tab()]) for (const weight of [1, 1, 5, 2, 5, 1, 7, 1, 2, 5]) give(one, 'a', 1, { weight });
    await pass(6000);
    expect(starts.length).toBe(20);
  });

  it('beside slots that are shared too', async () => {
    const { starts, tab, give } = watched({ concurrency: 2, rateLimit: { limit: 10, period: 1000 } }, 100);
    const tabs = [await tab(), await tab(), await tab()];
    tabs.forEach((one, index) => give(one, 'abc'[index]!, 8));
    await pass(3500);
    expect(starts.length).toBe(24);
    expect(mostIn(starts, 1000)).toBeLessThanOrEqual(10);
    expect(mostIn(starts, 100)).toBeLessThanOrEqual(2);
  });

  it.each([20, 150, 1100])('tabs that are killed, after %d ms and later: nothing is exceeded, and the others go on', async (killAtMs) => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 8, period: 1000 } });
    const tabs = [await tab(), await tab(), await tab()];
    for (const one of tabs) give(one, 'x', 20);
    await pass(killAtMs, 10);
    kill(tabs[0]!);
    await pass(1000);
    kill(tabs[1]!);
    await pass(3000);
    expect(mostIn(starts, 1000)).toBeLessThanOrEqual(8);
    expect(starts.length).toBeGreaterThanOrEqual(8 * 3);
  });

  it('a reload, or a tab that comes when all have gone, keeps it', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 5, period: 5000 } });
    const first = await tab();
    give(first, 'a', 5);
    await pass(1000);
    expect(starts.length).toBe(5);
    await first.orchestrator.dispose();
    first.kill();
    const second = await tab();
    give(second, 'b', 5);
    await pass(3500);
    expect(starts.length).toBe(5);
    await pass(1500);
    expect(starts.length).toBe(10);
  });

  it('what a tab has begun in its turn counts once in who takes its runs over', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 10, period: 5000 } }, 60_000);
    const [first, second] = [await tab(), await tab()];
    give(first, 'a', 4);
    await pass(500);
    kill(first);
    give(second, 'b', 20);
    await pass(4000);
    // Four of the first; six more of who is there, the four begin anew among them.
    expect(starts.length).toBe(10);
  });

  it('leave without room does not keep others waiting', async () => {
    const { starts, tab, give, task } = watched({ rateLimit: { limit: 100, period: 1000 } }, 500);
    const limits = { concurrencyLimits: { narrow: { concurrency: 1 } } };
    const [first, second] = [await origin.open({ tasks: [task], queues: { q: { scope: 'origin', rateLimit: { limit: 100, period: 1000 } } }, ...limits }), await tab()];
    give(first, 'a', 10, { concurrencyLimits: ['narrow'] });
    await pass(100);
    give(second, 'b', 40);
    await pass(300);
    expect(labels(starts, 'b')).toBe(40);
    expect(labels(starts, 'a')).toBe(1);
  });

  it('why says so; what closes it in one tab closes it in all', async () => {
    const { starts, tab, give, task } = watched({ rateLimit: { limit: 4, period: 1000, feedback: true } });
    const [first, second] = [await tab(), await tab()];
    give(first, 'a', 1);
    await pass(200);
    await new Promise<void>((resolve) => first.act(() => void first.orchestrator.queues.penalize('q', { for: '5s' }).then(resolve)));
    await pass(200);
    const closedAtMs = origin.clock.now();
    let waits = '';
    second.act(() => void (waits = second.orchestrator.trigger(task, { label: 'b' }).id));
    await pass(50);
    expect(second.orchestrator.why(waits)).toMatch(/^Waits for its turn: the limit of queue "q" (is that of all tabs, one after the other|lets the next one begin at .*)\.$/);
    await pass(4000);
    expect(starts.length).toBe(1);
    await pass(1000);
    expect(starts.length).toBe(2);
    expect(starts[1]!.atMs - closedAtMs).toBeGreaterThan(4500);
  });

  it('a ledger that can not be read is a warning, and the rate is the tab\'s until it can', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 4, period: 1000 } });
    const read = vi.spyOn(MemoryLedger.prototype, 'read').mockRejectedValue(new Error('no room'));
    const write = vi.spyOn(MemoryLedger.prototype, 'write').mockRejectedValue(new Error('no room'));
    const one = await tab();
    give(one, 'a', 12);
    await pass(2500);
    expect(starts.length).toBe(12);
    expect(mostIn(starts, 1000)).toBe(4);
    expect(one.warnings).toEqual(['What tabs have begun by the rate of queue "q" can\'t be shared (no room); until it can, it is this tab\'s own.']);
    read.mockRestore();
    write.mockRestore();
  });

  it('a record that can not be true is none, and one from before the clock was set back does not close it for long', async () => {
    const { starts, tab, give } = watched({ rateLimit: { limit: 4, period: 1000 } });
    const wrong = origin.clock.now() + 3_600_000;
    const read = vi.spyOn(MemoryLedger.prototype, 'read').mockResolvedValueOnce({ uses: [[0, 0, 4, wrong]], reserved: 0, closedUntilMs: 0 });
    give(await tab(), 'a', 8);
    await pass(2500);
    expect(starts.length).toBe(8);
    read.mockRestore();
    for (const found of [null, 7, { uses: 'all', reserved: 0, closedUntilMs: 0 }, { uses: [[0, 0, 'x', 1]], reserved: 0, closedUntilMs: 0 }, { uses: [], reserved: -1, closedUntilMs: 0 }])
      expect(believed(found)).toEqual({ uses: [], reserved: 0, closedUntilMs: 0 });
  });

  it('is refused where it can not be', async () => {
    await expect(open({ queues: { q: { scope: 'origin', rateLimit: { limit: 1, period: 1000, onExceed: 'drop' } } } })).rejects.toThrow(/rate that drops/);
    await expect(open({ queues: { q: { scope: 'origin', throttle: { every: 100, trailing: false } } } })).rejects.toThrow(/rate that drops/);
    await expect(open({ queues: { q: { scope: 'origin', concurrency: 65, rateLimit: { limit: 1, period: 1000 } } } })).rejects.toThrow(/concurrency from 1 to 64, not 65/);
  });
});
