/** How a limit finds what is borne: simulations of what is called, by events and without a clock. */
import { describe, expect, it } from 'vitest';
import { Adaptation, type AutoSettings } from '../../js/limiting/adaptation.ts';
import { seededRandom } from '../../js/time/random.ts';

const usual: AutoSettings = { min: 1, max: 64, tolerance: 0.2, backoff: 0.75 };

interface World {
  /** How long a call takes that is one of so many. */
  latencyMs(running: number, nowMs: number): number;
  /** Is a call that comes to so many refused? */
  refuses?(running: number): boolean;
  /** How many calls there are to make at once. */
  demand?: number;
}

const least = (limits: readonly { limit: number }[]) => limits.reduce((least, { limit }) => Math.min(least, limit), Number.POSITIVE_INFINITY);
const most = (limits: readonly { limit: number }[]) => limits.reduce((most, { limit }) => Math.max(most, limit), 0);

/** Calls begin as soon as the limit lets them; gives the limit at each moment that something ended. */
function simulate(world: World, forMs: number, settings = usual, adaptation = new Adaptation(settings, 0)) {
  const running: { beganAtMs: number; endsAtMs: number; isRefused: boolean }[] = [];
  const limits: { atMs: number; limit: number; reason: string }[] = [];
  let [now, done] = [0, 0];
  while (now < forMs) {
    while (running.length < Math.min(adaptation.now.limit, world.demand ?? Number.POSITIVE_INFINITY)) {
      const isRefused = world.refuses?.(running.length + 1) === true;
      running.push({ beganAtMs: now, endsAtMs: now + (isRefused ? 5 : world.latencyMs(running.length + 1, now)), isRefused });
    }
    running.sort((a, b) => a.endsAtMs - b.endsAtMs);
    const { beganAtMs, endsAtMs, isRefused } = running[0]!;
    now = endsAtMs;
    if (isRefused) adaptation.failed(now, beganAtMs, 'refused');
    else adaptation.ended(now, beganAtMs, running.length);
    running.shift();
    done++;
    limits.push({ atMs: now, limit: adaptation.now.limit, reason: adaptation.now.reason });
  }
  expect(least(limits)).toBeGreaterThanOrEqual(settings.min);
  expect(most(limits)).toBeLessThanOrEqual(settings.max);
  const after = (ms: number) => limits.filter(({ atMs }) => atMs >= ms);
  return { limits, after, done, adaptation, mean: (ms: number) => after(ms).reduce((sum, { limit }) => sum + limit, 0) / after(ms).length };
}

/** It does `bears` at once in 100 ms each; more share that. */
const shared = (bears: number, baseMs = 100) => (running: number) => baseMs * Math.max(1, running / bears);

describe('a service that bears so many at once', () => {
  it.each([3, 10, 25, 48])('%d: the limit settles near it, and stays off the ends', (bears) => {
    const { after, mean } = simulate({ latencyMs: shared(bears) }, 600_000);
    expect(mean(60_000)).toBeGreaterThan(bears * 0.75);
    expect(mean(60_000)).toBeLessThan(bears * 1.25);
    const settled = after(60_000).filter(({ reason }) => reason !== 'probe');
    expect(least(settled)).toBeGreaterThanOrEqual(Math.floor(bears * 0.6));
    expect(most(settled)).toBeLessThanOrEqual(Math.ceil(bears * 1.4));
  });

  it('runs that differ tenfold by their input do not bring it down', () => {
    const random = seededRandom(7);
    const { mean } = simulate({ latencyMs: (running) => shared(16)(running) * (0.2 + 1.8 * random()) }, 600_000);
    expect(mean(60_000)).toBeGreaterThan(16 * 0.6);
    expect(mean(60_000)).toBeLessThan(16 * 1.6);
  });

  it('it bears more and then less: the limit follows', () => {
    const world: World = { latencyMs: (running, now) => shared(now < 200_000 ? 6 : now < 400_000 ? 30 : 6)(running) };
    const { limits } = simulate(world, 600_000);
    const mean = (fromMs: number, toMs: number) => {
      const those = limits.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
      return those.reduce((sum, { limit }) => sum + limit, 0) / those.length;
    };
    expect(mean(100_000, 200_000)).toBeLessThan(9);
    expect(mean(300_000, 400_000)).toBeGreaterThan(22);
    expect(mean(500_000, 600_000)).toBeLessThan(9);
  });

  it('it becomes slower for good: that is measured anew, and the limit does not fall to its least', () => {
    const { mean } = simulate({ latencyMs: (running, now) => shared(10, now < 100_000 ? 100 : 400)(running) }, 600_000);
    expect(mean(300_000)).toBeGreaterThan(7);
    expect(mean(300_000)).toBeLessThan(13);
  });

  it('one that refuses what is too much is met at what it takes', () => {
    const { mean, after } = simulate({ latencyMs: () => 100, refuses: (running) => running > 12 }, 300_000);
    expect(mean(30_000)).toBeGreaterThan(8);
    expect(most(after(30_000))).toBeLessThanOrEqual(13);
  });
});

it('a service that bears whatever comes gets the greatest limit, in a few rounds', () => {
  const { limits } = simulate({ latencyMs: () => 100 }, 20_000);
  expect(limits.find(({ limit }) => limit === 64)!.atMs).toBeLessThan(3000);
});

it('a limit that nobody uses does not grow', () => {
  const { limits } = simulate({ latencyMs: () => 100, demand: 5 }, 60_000);
  expect(most(limits)).toBeLessThanOrEqual(8);
});

it('pressure of the page takes a quarter, once a second, down to the least', () => {
  const adaptation = new Adaptation({ ...usual, min: 3 }, 0);
  for (let now = 0; now < 2000; now += 100) for (let index = 0; index < 64; index++) adaptation.ended(now + 100, now, 64);
  expect(adaptation.now.limit).toBe(64);
  expect(adaptation.pressed(10_000, 'long-tasks')).toBe(true);
  expect(adaptation.now).toEqual({ limit: 48, reason: 'long-tasks', changedAt: 10_000 });
  expect(adaptation.pressed(10_500, 'memory')).toBe(false);
  expect(adaptation.pressed(11_000, 'memory')).toBe(true);
  expect(adaptation.now).toEqual({ limit: 36, reason: 'memory', changedAt: 11_000 });
  for (let now = 12_000; now < 40_000; now += 1000) adaptation.pressed(now, 'memory');
  expect(adaptation.now.limit).toBe(3);
});

it('what began under the former limit says nothing of this one: one loss in a swarm is one decrease', () => {
  const adaptation = new Adaptation(usual, 0);
  for (let now = 0; now < 2000; now += 100) for (let index = 0; index < 64; index++) adaptation.ended(now + 100, now, 64);
  for (let index = 0; index < 20; index++) adaptation.failed(5000, 4900, 'timeout');
  expect(adaptation.now).toEqual({ limit: 48, reason: 'timeout', changedAt: 5000 });
});
