/** What comes from outside, in races and over kills at every await: the code gets it in the order in which it came. */
import { defineTask, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crashAndSettle as crash, name, open } from './houses.ts';

const waiting = (run: (ctx: TaskContext) => Promise<unknown>) => defineTask({ id: name('waits'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => run(ctx) });

describe('a race', () => {
  const race = (log: string[]) => waiting(async (ctx) => {
    const winner = await Promise.race([ctx.waitFor('x').then(() => 'event'), ctx.sleep(1000).then(() => 'sleep')]);
    log.push(winner);
    await ctx.sleep(5000);
    return winner;
  });

  it('that the time won keeps its winner, though the event has come since', async () => {
    const house = await open();
    const log: string[] = [];
    const run = house.orchestrator.trigger(race(log), null);
    await house.clock.advance(1000);
    await house.orchestrator.send('x');
    await house.clock.settle();
    const next = await crash(house);
    await next.clock.advance(5000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('sleep');
    expect(log).toEqual(['sleep', 'sleep']);
  });

  it('that the event won keeps its winner, though the time is over since', async () => {
    const house = await open();
    const log: string[] = [];
    const run = house.orchestrator.trigger(race(log), null);
    await house.clock.advance(999);
    await house.orchestrator.send('x');
    await house.clock.advance(1000);
    const next = await crash(house);
    await next.clock.advance(5000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('event');
    expect(log).toEqual(['event', 'event']);
  });
});

describe('what came while the slot was another run’s', () => {
  it('reaches the code one after the other, in the order in which it came: a race has one winner', async () => {
    for (const first of ['event', 'child', 'sleep'] as const) {
      const house = await open({ queues: { one: { concurrency: 1 } } });
      const child = defineTask({ id: name('child'), run: async (ms: number, ctx) => ctx.sleep(ms) });
      const winners: string[] = [];
      const at = { event: 300, child: 300, sleep: 300, [first]: 100 };
      const task = defineTask({ id: name('race'), queue: 'one', run: async (_: null, ctx) => {
        const winner = await Promise.race([
          ctx.sleep(at.sleep).then(() => 'sleep'), ctx.waitFor('x').then(() => 'event'), ctx.run(child, at.child).then(() => 'child'),
        ]);
        winners.push(winner);
        await ctx.sleep(10_000);
        return winner;
      } });
      const busy = defineTask({ id: name('busy'), queue: 'one', run: async (_: null, ctx) => new Promise((resolve) => {
        house.clock.schedule(house.clock.now() + 1000, () => resolve(1));
        void ctx;
      }) });
      const run = house.orchestrator.trigger(task, null);
      await house.clock.settle();
      house.orchestrator.trigger(busy, null);
      await house.clock.advance(at.event);
      await house.orchestrator.send('x');
      await house.clock.advance(2000);
      expect(winners).toEqual([first]);
      const next = await crash(house);
      await next.clock.advance(10_000);
      expect(await next.orchestrator.attach(run.id)!.result()).toBe(first);
      expect(winners).toEqual([first, first]);
    }
  });
});

describe('a race against a step', () => {
  it('that was recorded first is won by the step, though its record is acknowledged after the time was over', async () => {
    const house = await open();
    const winners: string[] = [];
    let finish!: () => void;
    const task = waiting(async (ctx) => {
      const winner = await Promise.race([
        ctx.step('work', () => new Promise<void>((resolve) => (finish = resolve))).then(() => 'step'), ctx.sleep(1000).then(() => 'sleep'),
      ]);
      winners.push(winner);
      await ctx.sleep(5000);
      return winner;
    });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    // The time is over in the very turn in which the step is recorded.
    house.clock.jump(1000);
    finish();
    for (let hop = 0; hop < 3; hop++) await Promise.resolve();
    await house.clock.advance(0);
    const next = await crash(house);
    await next.clock.advance(5000);
    await next.orchestrator.attach(run.id)!.result();
    expect(winners[1]).toBe(winners[0]);
  });
});

describe('a run that is killed at every await', () => {
  it('goes on with the same answers, and asks nothing twice', async () => {
    for (let kill = 0; kill < 24; kill++) {
      let house = await open();
      const { id } = await house.orchestrator.wait.createToken({ timeout: '1d' });
      const computed: string[] = [];
      const task = waiting(async (ctx) => {
        const first = await ctx.waitFor('a', { timeout: '1h' }).unwrap();
        await ctx.step('one', () => void computed.push('one'));
        const second = await ctx.waitForToken(id).unwrap();
        const third = await ctx.waitFor('never', { timeout: 100 });
        await ctx.step('two', () => void computed.push('two'));
        const fourth = await ctx.waitFor('a').unwrap();
        return [first, second, third.ok, fourth];
      });
      const run = house.orchestrator.trigger(task, null);
      await run.accepted;
      let turn = 0;
      const doing = [
        () => house.orchestrator.send('a', 1, { id: 'first' }), () => house.clock.settle(),
        () => house.orchestrator.wait.completeToken(id, 2), () => house.clock.advance(100), () => house.clock.settle(),
        () => house.orchestrator.send('a', 4, { id: 'fourth' }), () => house.clock.advance(100),
      ];
      for (const act of doing) {
        // Half of the kills come in the middle of what is being done.
        const acting = act();
        if (kill % 2 === 0) await acting;
        else acting.catch(() => {});
        if (turn++ === Math.floor(kill / 2) % doing.length) {
          for (let hop = 0; hop < kill; hop++) await Promise.resolve();
          house = await crash(house);
          await act();
        }
        await house.clock.settle();
      }
      await house.clock.advance(1000);
      expect(await house.orchestrator.attach(run.id)!.result(), `kill ${kill}`).toEqual([1, 2, false, 4]);
      expect(new Set(computed)).toEqual(new Set(['one', 'two']));
    }
  });
});
