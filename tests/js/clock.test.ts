import { describe, expect, it } from 'vitest';
import { type Alarm, SystemClock } from '../../js/time/clock.ts';

function fakeAlarm(): Alarm & { armed: number[] } {
  const armed: number[] = [];
  return { armed, arm: (atMs) => armed.push(atMs), onDue: undefined, dispose: () => {} };
}

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
});
