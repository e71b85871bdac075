import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Alarm, SystemClock } from '../../js/time/clock.ts';

function fakeAlarm(): Alarm & { armed: number[] } {
  const armed: number[] = [];
  return { armed, arm: (atMs) => armed.push(atMs), onDue: undefined, dispose: () => {} };
}

afterEach(() => void vi.useRealTimers());

describe('the system clock', () => {
  it('rings its alarm for the earliest, and calls back what is due and nothing else', () => {
    const alarm = fakeAlarm();
    const clock = new SystemClock(alarm);
    const heard: string[] = [];
    const nowMs = clock.now();
    clock.schedule(nowMs + 50_000, () => heard.push('later'));
    clock.schedule(nowMs - 1, () => heard.push('due'));
    const cancel = clock.schedule(nowMs - 1, () => heard.push('cancelled'));
    cancel();
    expect(alarm.armed).toEqual([nowMs + 50_000, nowMs - 1]);
    alarm.onDue!();
    expect(heard).toEqual(['due']);
    expect(alarm.armed.at(-1)).toBe(nowMs + 50_000);
    clock.dispose();
  });

  it('what may be a minute late does without the alarm, which is a worker in a page', async () => {
    const alarm = fakeAlarm();
    const clock = new SystemClock(alarm);
    await new Promise<void>((resolve) => clock.schedule(clock.now(), resolve, 60_000));
    expect(alarm.armed).toEqual([]);
    clock.dispose();
  });

  it.each([['an hour', 3_600_000], ['ten years', 315_360_000_000]])('D1: set back by %s, in a page where nothing happens, rings when it would have rung', async (_, backMs) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    const clock = new SystemClock();
    const startMs = performance.now();
    const heard: [string, number][] = [];
    const note = (name: string) => heard.push([name, performance.now() - startMs]);
    clock.schedule(clock.now() + 60_000, () => note('first'));
    clock.schedule(clock.now() + 90_000, () => note('second'));
    clock.schedule(clock.now() + 300_000, () => note('loose'), 60_000);
    await vi.advanceTimersByTimeAsync(10_000);
    vi.setSystemTime(Date.now() - backMs);
    await vi.advanceTimersByTimeAsync(10_000);
    clock.schedule(clock.now() + 20_000, () => note('since'));
    await vi.advanceTimersByTimeAsync(400_000);
    expect(heard).toEqual([['since', 40_000], ['first', 60_000], ['second', 90_000], ['loose', 300_000]]);
    clock.dispose();
  });
});
