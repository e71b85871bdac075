/** How durable code ends: undone, begun anew, gone on from a checkpoint, on another way than before. */
import { defineTask } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

const never = () => new Promise<never>(() => {});

describe('rollback', () => {
  /** Books two things, each with its undoing, and then does as it is told. */
  const trip = (done: string[], end: (attempt: number) => unknown, held = { on: '' }) => defineTask({
    id: name('trip'),
    retry: { maxAttempts: 2, minDelayMs: 1000, randomize: false },
    run: async (_: null, ctx) => {
      const book = (what: string) => ctx.step(what, () => {
        done.push(what);
        return `${what} ticket`;
      }, {
        compensate: async (ticket) => {
          if (held.on === what) await never();
          done.push(`undo ${ticket}`);
        },
      });
      await book('flight');
      ctx.onRollback('mail', () => void done.push('sorry'));
      await book('hotel');
      return end(ctx.attempt.number);
    },
  });

  it('undoes the last first, once, when the last attempt has failed; not before', async () => {
    const house = await open();
    const done: string[] = [];
    const run = house.orchestrator.trigger(trip(done, () => {
      throw new Error('no seats');
    }), null);
    await house.clock.settle();
    expect(done).toEqual(['flight', 'hotel']);
    await house.clock.advance(2000);
    expect(done).toEqual(['flight', 'hotel', 'undo hotel ticket', 'sorry', 'undo flight ticket']);
    expect(run.state).toMatchObject({ status: 'failed', error: { message: 'no seats' } });
  });

  it('goes on after a crash in the middle of it, and undoes nothing twice', async () => {
    const house = await open();
    const done: string[] = [];
    const held = { on: 'flight' };
    const run = house.orchestrator.trigger(trip(done, () => {
      throw new Error('no seats');
    }, held), null);
    await house.clock.advance(2000);
    expect(done).toEqual(['flight', 'hotel', 'undo hotel ticket', 'sorry']);
    held.on = '';
    const next = await crash(house);
    await house.clock.settle();
    expect(done).toEqual(['flight', 'hotel', 'undo hotel ticket', 'sorry', 'undo flight ticket']);
    expect(next.orchestrator.getTaskState(run.id)).toMatchObject({ status: 'failed', error: { message: 'no seats' } });
  });

  it('comes before a cancel, also for code that does not listen', async () => {
    const house = await open();
    const done: string[] = [];
    const run = house.orchestrator.trigger(trip(done, never), null);
    await house.clock.settle();
    const cancelled = run.cancel('changed my mind');
    await house.clock.advance(10_000);
    expect(await cancelled).toBe(true);
    expect(done).toEqual(['flight', 'hotel', 'undo hotel ticket', 'sorry', 'undo flight ticket']);
    expect(run.status).toBe('cancelled');
  });

  it('is none where the run succeeds', async () => {
    const house = await open();
    const done: string[] = [];
    const run = house.orchestrator.trigger(trip(done, (attempt) => {
      if (attempt === 1) throw new Error('once');
      return 'booked';
    }), null);
    await house.clock.advance(5000);
    expect(await run.result()).toBe('booked');
    expect(done).toEqual(['flight', 'hotel']);
  });

  it('done, a retry by hand does everything again', async () => {
    const house = await open();
    const done: string[] = [];
    let bad = true;
    const run = house.orchestrator.trigger(trip(done, () => {
      if (bad) throw new Error('no seats');
      return 'booked';
    }), null);
    await house.clock.advance(5000);
    bad = false;
    done.length = 0;
    await run.retry();
    await house.clock.settle();
    expect(await run.result()).toBe('booked');
    expect(done).toEqual(['flight', 'hotel']);
  });

  it('tells what could not be undone, and undoes the rest', async () => {
    const house = await open();
    const warnings: string[] = [];
    house.orchestrator.on('warning', (message) => warnings.push(message));
    const done: string[] = [];
    const task = defineTask({ id: name('stubborn'), retry: { maxAttempts: 1 }, run: async (_: null, ctx) => {
      ctx.onRollback('first', () => void done.push('first'));
      ctx.onRollback('second', () => {
        done.push('tried');
        throw new Error('stuck');
      });
      throw new Error('bad');
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(60_000);
    expect(done).toEqual(['tried', 'tried', 'tried', 'first']);
    expect(warnings.join()).toContain('"second" could not be undone: stuck');
    expect(run.state.error!.message).toBe('bad');
  });
});

describe('continueAsNew', () => {
  it('begins the run anew with another input, its old records gone, over crashes too', async () => {
    const house = await open();
    const seen: number[] = [];
    let hold = -1;
    const child = defineTask({ id: name('child'), run: async (n: number) => n * 10 });
    const task = defineTask({ id: name('loop'), run: async (n: number, ctx): Promise<number> => {
      const value = await ctx.run(child, n);
      await ctx.step('look', () => void seen.push(value));
      if (n === hold) await never();
      if (n < 4) ctx.continueAsNew(n + 1);
      return value;
    } });
    hold = 2;
    const run = house.orchestrator.trigger(task, 0);
    await house.clock.settle();
    expect(seen).toEqual([0, 10, 20]);
    expect(run.state.steps).toBe(2);
    hold = -1;
    const next = await crash(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe(40);
    expect(seen).toEqual([0, 10, 20, 30, 40]);
    expect(next.orchestrator.getTaskState(run.id)!.retryCount).toBe(0);
  });
});

describe('checkpoint', () => {
  it('gives the next attempt the last state', async () => {
    const house = await open();
    const seen: unknown[] = [];
    const task = defineTask({ id: name('pages'), run: async (_: null, ctx) => {
      seen.push(ctx.resumedFrom);
      const { page } = ctx.resumedFrom ?? { page: 0 };
      await ctx.checkpoint({ page: page + 1 });
      await ctx.checkpoint({ page: page + 2 });
      if (seen.length < 3) await never();
      return page;
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    const next = await crash(house);
    await house.clock.settle();
    const last = await crash(next);
    expect(await last.orchestrator.attach(run.id)!.result()).toBe(4);
    expect(seen).toEqual([undefined, { page: 2 }, { page: 4 }]);
  });
});

describe('drift, as the task says', () => {
  it('P6: a step that was taken out before others that are recorded is named, and nobody waits for it for ever', async () => {
    const house = await open();
    let isOut = false;
    const task = defineTask({ id: name('taken-out'), run: async (_: null, ctx) => {
      if (!isOut) await ctx.step('one', () => 1);
      await ctx.step('two', () => 2);
      await ctx.sleep('1h');
    } });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.settle();
    isOut = true;
    const next = await crash(house);
    await next.clock.advance(3_700_000);
    const { error, status } = next.orchestrator.getTaskState(run.id)!;
    expect(status).toBe('failed');
    expect(error).toMatchObject({ code: 'DRIFT', data: { expected: 'one', actual: 'two', path: task.id } });
  });

  async function drift(onDrift: 'restart' | 'discard-tail' | 'accept-new') {
    const house = await open();
    const computed: string[] = [];
    let names = ['one', 'two', 'three'];
    let holding = true;
    const task = defineTask({ id: name('drifts'), onDrift, run: async (_: null, ctx) => {
      for (const step of names) await ctx.step(step, () => void computed.push(step));
      if (holding) await never();
      return names.join();
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    names = ['one', 'zwei', 'three'];
    holding = false;
    computed.length = 0;
    const next = await crash(house);
    await house.clock.advance(10_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('one,zwei,three');
    return computed;
  }

  it('accept-new goes the way of the code', async () => {
    expect(await drift('accept-new')).toEqual(['zwei']);
  });
  it('discard-tail keeps what stands before the difference', async () => {
    expect(await drift('discard-tail')).toEqual(['zwei', 'zwei', 'three']);
  });
  it('restart does everything again', async () => {
    expect(await drift('restart')).toEqual(['zwei', 'one', 'zwei', 'three']);
  });
});
