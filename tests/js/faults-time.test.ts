import { ConfigurationError, defineTask, type RetryOptions, TestClock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { again, open } from './houses.ts';

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;
const delayMs = 60_000;

/** Fails once; tells when it ran. */
function failing(clock: TestClock, id: string) {
  const startsMs: number[] = [];
  const task = defineTask({ id, retry: { randomize: false, minDelayMs: delayMs, maxAttempts: 2 }, run: () => {
    startsMs.push(clock.now());
    if (startsMs.length === 1) throw new Error('once');
    return startsMs.length;
  } });
  return { task, startsMs };
}

describe('the clock of the machine', () => {
  for (const [name, jumpMs] of [['an hour', hourMs], ['ten years', 10 * yearMs]] as const) {
    it(`D1: set back by ${name} during a backoff makes the retry neither early by more than that, nor later than its delay`, async () => {
      const { orchestrator, clock } = await open();
      const { task, startsMs } = failing(clock, `back ${name}`);
      const run = orchestrator.trigger(task, null);
      await clock.advance(delayMs / 2);
      clock.jump(-jumpMs);
      const backMs = clock.now();
      // Somebody looks in; otherwise the timer of before rings when it would have.
      orchestrator.trigger(defineTask({ id: 'tick', run: () => 1 }), null);
      await clock.settle();
      await clock.advance(delayMs);
      expect(await run.result()).toBe(2);
      expect(startsMs[1]! - backMs).toBeGreaterThanOrEqual(0);
      expect(startsMs[1]! - backMs).toBeLessThanOrEqual(delayMs);
      expect(run.state.endedAt! - run.state.createdAt).toBeGreaterThanOrEqual(0);
      expect((await run.wait()).durationMs).toBeGreaterThanOrEqual(0);
    });

    it(`D1: set back by ${name} between two pages delays a stored retry by no more than its delay`, async () => {
      const house = await open();
      const { task, startsMs } = failing(house.clock, `back between ${name}`);
      const run = house.orchestrator.trigger(task, null);
      await house.clock.settle();
      expect(run.state.phase).toBe('retrying');
      await house.orchestrator.dispose();
      house.clock.jump(-jumpMs);
      const backMs = house.clock.now();
      const next = await again(house.reload());
      await next.clock.advance(2 * delayMs);
      expect(startsMs).toHaveLength(2);
      expect(startsMs[1]! - backMs).toBeLessThanOrEqual(delayMs);
    });
  }

  it('D2: set forward a year lets what is due run once, no more at a time than its queue allows', async () => {
    const { orchestrator, clock } = await open({ queues: { narrow: { concurrency: 3 } } });
    let [running, most, runs] = [0, 0, 0];
    const task = defineTask({ id: 'due', queue: 'narrow', run: async () => {
      runs++;
      most = Math.max(most, ++running);
      await new Promise((resolve) => clock.schedule(clock.now() + 1, () => resolve(undefined)));
      running--;
    } });
    const all = Array.from({ length: 50 }, (_, n) => orchestrator.trigger(task, null, { delay: `${n + 1}h` }));
    await Promise.all(all.map((run) => run.accepted));
    clock.jump(yearMs);
    await clock.advance(1000);
    await Promise.all(all.map((run) => run.result()));
    expect({ runs, most }).toEqual({ runs: 50, most: 3 });
  });

  it('D7: no factor, attempt or limit makes a delay negative, endless or longer than asked for', async () => {
    const { orchestrator, clock } = await open();
    const policies: RetryOptions[] = [
      { factor: 1e308 }, { factor: Number.MAX_VALUE, jitter: 'decorrelated' }, { backoff: 'fibonacci', jitter: 'full' },
      { backoff: 'linear', jitter: 'equal' }, { minDelayMs: Number.MAX_SAFE_INTEGER / 2 }, { backoff: [0, 5, 1e12] },
    ];
    for (const [index, policy] of policies.entries()) {
      const retry: RetryOptions = { maxAttempts: 60, maxDelayMs: '1h', minDelayMs: 1000, ...policy };
      const task = defineTask({ id: `hopeless ${index}`, retry, run: () => Promise.reject(new Error('no')) });
      const run = orchestrator.trigger(task, null);
      while (run.status !== 'failed') {
        await clock.settle();
        if (run.state.phase !== 'retrying') continue;
        const waitMs = run.state.retryAt! - clock.now();
        expect(waitMs).toBeGreaterThanOrEqual(0);
        expect(waitMs).toBeLessThanOrEqual(hourMs);
        await clock.advance(waitMs);
      }
      expect(await run.wait()).toMatchObject({ ok: false, attempts: 60 });
    }
    for (const factor of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, '2'])
      expect(() => orchestrator.trigger(defineTask({ id: 'x', run: () => 1 }), null, { retry: { factor: factor as number } })).toThrow(ConfigurationError);
  });
});
