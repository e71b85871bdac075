/** `ctx.race` and `ctx.any`: who was first stays first, and those that lost are stopped where that is asked for. */
import { CanceledError, defineTask, type Section, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import type { House } from './house.ts';
import { crash, name, open } from './houses.ts';

const cancelLosers = { cancelLosers: true } as const;
const statuses = (house: House, id: string) => house.orchestrator.getAllTasks().filter(({ taskIdentifier }) => taskIdentifier === id).map(({ status, phase }) => (status === 'cancelled' ? status : phase)).sort();

/** Tasks of a test, and what ran. */
function tasks() {
  const ran: string[] = [];
  const child = defineTask({
    id: name('child'), retry: { maxAttempts: 1 },
    run: async ({ id, ms, fails = false }: { id: string; ms: number; fails?: boolean }, ctx) => {
      ran.push(id);
      await ctx.sleep(ms);
      if (fails) throw new Error(`${id} fails`);
      return id;
    },
  });
  return { ran, child };
}

describe('a race', () => {
  it('P4: with cancelLosers cancels the children of those that were not first, and nothing more of them begins', async () => {
    const house = await open();
    const { ran, child } = tasks();
    const told: unknown[] = [];
    const task = defineTask({
      id: name('race'),
      run: async (_: null, ctx) => {
        const first = await ctx.race([
          (branch) => branch.run(child, { id: 'fast', ms: 100 }),
          async (branch) => {
            try {
              await branch.run(child, { id: 'slow', ms: 10_000 });
            } catch (error) {
              told.push(error instanceof CanceledError, branch.signal.aborted);
              await branch.step('late', () => ran.push('late')).catch((refused) => told.push(refused === error));
            }
          },
        ], cancelLosers);
        await ctx.sleep(1000);
        return first;
      },
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.advance(2000);
    expect(await run.result()).toBe('fast');
    expect(statuses(house, child.id)).toEqual(['cancelled', 'completed']);
    expect(told).toEqual([true, true, true]);
    expect(ran).toEqual(['fast', 'slow']);
  });

  it('P4: without it lets them end, as Promise.race does', async () => {
    const house = await open();
    const { child } = tasks();
    const task = defineTask({
      id: name('race'),
      run: async (_: null, ctx) => ctx.race([(branch) => branch.run(child, { id: 'fast', ms: 100 }), ctx.run(child, { id: 'slow', ms: 500 })]),
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.advance(2000);
    expect(await run.result()).toBe('fast');
    expect(statuses(house, child.id)).toEqual(['completed', 'completed']);
  });

  it('P4: has the winner that it had after a crash, also where the loser would be faster now, and runs no branch again', async () => {
    const house = await open();
    const { ran, child } = tasks();
    const task = defineTask({
      id: name('race'),
      run: async (_: null, ctx) => {
        const first = await ctx.race([
          (branch) => branch.run(child, { id: 'fast', ms: 100 }),
          async (branch) => {
            await branch.step('begin', () => ran.push('begin'));
            await branch.run(child, { id: 'slow', ms: 200 });
            return branch.step('end', () => ran.push('end'));
          },
        ], cancelLosers);
        await ctx.sleep('1h');
        return first;
      },
    });
    let life = house;
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.advance(150);
    for (let kill = 0; kill < 2; kill++) {
      life = await crash(life);
      await life.clock.advance(1000);
    }
    await life.clock.advance(3_600_000);
    expect(await life.orchestrator.attach(run.id)!.result()).toBe('fast');
    expect(ran.sort()).toEqual(['begin', 'fast', 'slow']);
    expect(statuses(life, child.id)).toEqual(['cancelled', 'completed']);
    expect(life.orchestrator.getAllTasks().filter(({ parentId }) => parentId === run.id)).toHaveLength(2);
  });

  it('P4: decides again in a new try where it was lost by failing, and not where somebody won', async () => {
    const house = await open();
    const { ran, child } = tasks();
    let attempts = 0;
    const task = defineTask({
      id: name('race'), retry: { maxAttempts: 2, minDelayMs: 10, randomize: false },
      run: async (_: null, ctx) => {
        const attempt = ++attempts;
        const won = await ctx.race([(branch) => branch.run(child, { id: 'won', ms: 10 }), (branch) => branch.run(child, { id: 'lost', ms: 5000 })], cancelLosers);
        const second = await ctx.race([
          (branch) => branch.step('may fail', () => {
            if (attempt === 1) throw new Error('not yet');
            return 'did not fail';
          }),
          (branch) => branch.run(child, { id: 'other', ms: 5000 }),
        ], cancelLosers);
        return [won, second];
      },
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.advance(20_000);
    expect(await run.result()).toEqual(['won', 'did not fail']);
    expect(attempts).toBe(2);
    expect(ran.filter((id) => id === 'won' || id === 'lost')).toEqual(['won', 'lost']);
    expect(statuses(house, child.id)).toEqual(['cancelled', 'cancelled', 'completed']);
  });

  it('P4: any takes the first that gives something, and an AggregateError says that none did', async () => {
    const house = await open();
    const { child } = tasks();
    const task = defineTask({
      id: name('any'), retry: { maxAttempts: 1 },
      run: async (all: boolean, ctx) =>
        ctx.any([
          (branch) => branch.run(child, { id: 'fails', ms: 10, fails: true }),
          (branch) => branch.run(child, { id: 'gives', ms: 100, fails: all }),
          ...(all ? [] : [(branch: Section) => branch.run(child, { id: 'slow', ms: 10_000 })]),
        ], cancelLosers),
    });
    const run = house.orchestrator.trigger(task, false);
    const none = house.orchestrator.trigger(task, true);
    none.result().catch(() => {});
    await none.accepted;
    await house.clock.advance(1000);
    expect(await run.result()).toBe('gives');
    await expect(none.result()).rejects.toThrow('All promises were rejected');
    expect(statuses(house, child.id)).toEqual(['cancelled', 'completed', 'failed', 'failed', 'failed']);
  });

  it('P4: stops steps by their signal, sleeps and waits; an event that comes later is left to who waits for it then', async () => {
    const house = await open();
    const stopped: string[] = [];
    const task = defineTask({
      id: name('race'),
      run: async (_: null, ctx) => {
        await ctx.race([
          (branch) => branch.sleep(50),
          (branch) => branch.step('long', ({ signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => {
            stopped.push('long');
            reject(signal.reason);
          }))),
          (branch) => branch.waitFor('late'),
          (branch) => branch.sleep('1d'),
          (branch) => branch.group('deep', (group) => group.race([(inner) => inner.sleep('1d').catch(() => stopped.push('inner'))])),
        ], cancelLosers);
        return (await ctx.waitFor<string>('late', { timeout: '1h' }).unwrap());
      },
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.advance(100);
    expect(stopped.sort()).toEqual(['inner', 'long']);
    expect(house.orchestrator.explain(run.id).reasons.map(({ kind }) => kind)).toEqual(['event']);
    await house.orchestrator.send('late', 'came');
    await house.clock.advance(100);
    expect(await run.result()).toBe('came');
  });

  it('P4: a branch that lost takes no update and no token: they are left to who waits for them then', async () => {
    const house = await open();
    const task = defineTask({
      id: name('race'), retry: { maxAttempts: 1 },
      run: async (_: null, ctx) => {
        const { id } = await ctx.createToken();
        await ctx.race([(branch) => branch.sleep(50), (branch) => branch.waitForUpdate('go'), (branch) => branch.waitForToken(id)], cancelLosers);
        const update = await ctx.waitForUpdate<string>('go', { timeout: '1h' }).unwrap();
        await update.respond(id);
        return [update.data, await ctx.waitForToken(id).unwrap()];
      },
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.advance(100);
    expect(house.orchestrator.explain(run.id).reasons.map(({ kind }) => kind)).toEqual(['event']);
    const asked = run.update<string>('go', 'data');
    await house.clock.settle();
    await house.orchestrator.wait.completeToken(await asked, 'done');
    await house.clock.settle();
    expect(await run.result()).toEqual(['data', 'done']);
  });

  it('cancels what a crash had left between the decision and the cancelling', async () => {
    const house = await open();
    const { child } = tasks();
    const task = defineTask({
      id: name('race'),
      run: async (_: null, ctx) => {
        await ctx.race([(branch) => branch.step('won', () => 1), (branch) => branch.run(child, { id: 'lost', ms: 3_600_000 })], cancelLosers);
        await ctx.sleep('30m');
        return 'done';
      },
    });
    // Its cancel never reaches the core: as where the page dies between the two.
    const { cancelRun } = house.orchestrator as unknown as { cancelRun: unknown };
    (house.orchestrator as unknown as { cancelRun: unknown }).cancelRun = () => Promise.resolve(false);
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.advance(1000);
    expect(statuses(house, child.id)).toEqual(['waiting']);
    (house.orchestrator as unknown as { cancelRun: unknown }).cancelRun = cancelRun;
    const next = await crash(house);
    await next.clock.advance(1000);
    expect(statuses(next, child.id)).toEqual(['cancelled']);
    await next.clock.advance(3_600_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('done');
  });

  it('refuses what is no race, and names what it was given', async () => {
    const house = await open();
    const refused = async (code: (ctx: TaskContext) => Promise<unknown>) => {
      const task = defineTask({ id: name('refused'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => code(ctx) });
      return house.orchestrator.trigger(task, null).result().catch((error: Error) => error.message);
    };
    expect(await refused((ctx) => ctx.race([]))).toMatch(/^ctx\.race needs an array of branches, at least one, not /);
    expect(await refused((ctx) => ctx.any('x' as never))).toMatch(/^ctx\.any needs an array of branches/);
    expect(await refused((ctx) => ctx.race([ctx.sleep(1)], cancelLosers))).toMatch(/^ctx\.race with cancelLosers needs functions.+Branch 0 is /);
    expect(await refused((ctx) => ctx.race([() => 1], { cancelLosers: 'yes' as never }))).toMatch(/ctx\.race cancelLosers .+"yes"/);
    expect(await refused((ctx) => ctx.race([() => 1], { cancel: true } as never))).toMatch(/ctx\.race has no option "cancel"/);
  });
});
