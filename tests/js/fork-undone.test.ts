/** What a fork has taken over counts as long as it was neither undone nor begun anew. */
import { defineTask, FatalError, type Task } from 'holdfast';
import { afterEach, describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

const done: string[] = [];
let broken = true;

afterEach(() => {
  done.length = 0;
  broken = true;
});

const order = (): Task<string, any, any> =>
  defineTask({
    id: name('order'),
    retry: { maxAttempts: 1 },
    run: async (_: unknown, ctx) => {
      await ctx.step('reserve', () => void done.push('reserve'), { compensate: () => void done.push('release') });
      return ctx.step('charge', () => {
        done.push('charge');
        if (broken) throw new FatalError('no money');
        return 'charged';
      });
    },
  });

describe('A fork that was rolled back', () => {
  for (const storage of ['memory', undefined] as const)
    it(`does what it had taken over again when it is retried, for that was undone${storage ? ', in memory too' : ''}`, async () => {
      let house = await open(storage && { storage });
      const task = order();
      broken = false;
      const one = house.orchestrator.trigger(task, 1);
      await one.result();
      broken = true;
      const fork = await house.orchestrator.runs.fork(one.id, { fromStep: 'charge' });
      await expect(fork.result()).rejects.toThrow('no money');
      expect(done.splice(0)).toEqual(['reserve', 'charge', 'charge', 'release']);
      if (!storage) house = await crash(house, { tasks: [task] });
      broken = false;
      const again = house.orchestrator.attach(fork.id)!;
      expect(await again.retry()).toBe(true);
      expect(await again.result()).toBe('charged');
      expect(done.splice(0)).toEqual(['reserve', 'charge']);
      const second = await house.orchestrator.runs.fork(fork.id, { fromStep: 'charge' });
      expect(await second.result()).toBe('charged');
      expect(done).toEqual(['charge']);
    });
});

describe('A fork that begins anew', () => {
  it('because code of another version took it up has nothing of what the old version recorded', async () => {
    const house = await open();
    const id = name('versioned');
    const task = (version: number): Task<string, any, any> =>
      defineTask({ id, version, onVersionChange: 'restart', run: async (_: unknown, ctx) => ctx.step('first', () => (done.push(`first of ${version}`), version)) });
    const one = house.orchestrator.trigger(task(1), 1);
    expect(await one.result()).toBe(1);
    const fork = await house.orchestrator.runs.fork(one.id, { delay: '1m' });
    await fork.accepted;
    const next = await crash(house, { tasks: [task(2)] });
    await next.clock.advance(60_000);
    expect(await next.orchestrator.attach(fork.id)!.result()).toBe(2);
    expect(done).toEqual(['first of 1', 'first of 2']);
  });
});
