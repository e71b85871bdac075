/** The small worker's timer, on a clock turned by hand. */
import { describe, expect, it } from 'vitest';
import { StorageLostError } from '../../js/errors.ts';
import { connectWorker } from '../../js/small-worker/worker-client.ts';
import { FakeDisk, threadlessWorker } from './fake-opfs.ts';
import { HandTimers, turn } from './scenario.ts';

function begin() {
  const timers = new HandTimers();
  const client = connectWorker(() => threadlessWorker(new FakeDisk(), timers));
  let rung = 0;
  client.onTimer = () => rung++;
  return { timers, client, rung: () => rung };
}

describe('the worker’s timer', () => {
  it('rings once, at its time', async () => {
    const { timers, client, rung } = begin();
    client.armTimer(1_000_500, 1_000_000);
    await timers.advance(499);
    expect(rung()).toBe(0);
    await timers.advance(1);
    expect(rung()).toBe(1);
    await timers.advance(10_000);
    expect(rung()).toBe(1);
  });

  it('a new time takes the place of the old one, null takes it back', async () => {
    const { timers, client, rung } = begin();
    client.armTimer(100, 0);
    client.armTimer(200, 0);
    await timers.advance(150);
    expect(rung()).toBe(0);
    client.armTimer(null, 0);
    await timers.advance(1_000);
    expect(rung()).toBe(0);
  });

  it('a time in the past is now', async () => {
    const { timers, client, rung } = begin();
    client.armTimer(5, 1_000);
    await timers.advance(0);
    expect(rung()).toBe(1);
  });

  it('a delay longer than timers can hold is waited for in steps', async () => {
    const { timers, client, rung } = begin();
    const year = 365 * 24 * 3_600_000;
    client.armTimer(year, 0);
    await timers.advance(year - 1);
    expect(rung()).toBe(0);
    await timers.advance(1);
    expect(rung()).toBe(1);
  });

  it('calls on a worker that was terminated fail, those under way too', async () => {
    const { client } = begin();
    const call = expect(client.call('connect', { namespace: 'x' })).rejects.toBeInstanceOf(StorageLostError);
    client.terminate();
    await call;
    await expect(client.call('slotCount', {})).rejects.toBeInstanceOf(StorageLostError);
    await turn();
  });
});

describe('the worker’s watch', () => {
  /** Time passes with timers ringing; `stand` lets it pass without. */
  function watched() {
    const timers = new HandTimers();
    let stoodMs = 0;
    const client = connectWorker(() => threadlessWorker(new FakeDisk(), timers, () => timers.nowMs() + stoodMs));
    return { timers, client, stand: (ms: number) => (stoodMs += ms), count: () => client.call<number>('standstill', {}) };
  }

  it('counts the time in which no timer rang, and no other', async () => {
    const { timers, client, stand, count } = watched();
    client.watchStandstill(true);
    await timers.advance(60_000);
    expect(await count()).toBe(0);
    stand(3_600_000);
    expect(await count()).toBe(3_600_000);
    await timers.advance(10_000);
    expect(await count()).toBe(3_600_000);
    await timers.advance(500);
    stand(60_000);
    await timers.advance(10_000);
    // The tick that was under way belongs to it: never less than it was, at most a second more.
    expect(await count()).toBe(3_661_000);
  });

  it('takes a late timer for a busy machine, and a clock that was set back for nothing', async () => {
    const { timers, client, stand, count } = watched();
    client.watchStandstill(true);
    stand(2900);
    await timers.advance(1000);
    stand(-3_600_000);
    await timers.advance(5000);
    expect(await count()).toBeLessThanOrEqual(3900);
  });

  it('counts nothing when nobody watches, and anew when somebody does', async () => {
    const { timers, client, stand, count } = watched();
    stand(60_000);
    expect(await count()).toBe(0);
    client.watchStandstill(true);
    await turn();
    stand(60_000);
    expect(await count()).toBe(60_000);
    client.watchStandstill(false);
    await turn();
    expect(timers.pending).toBe(0);
    stand(60_000);
    client.watchStandstill(true);
    expect(await count()).toBe(0);
  });
});
