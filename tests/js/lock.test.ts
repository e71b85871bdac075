/** C11: ctx.lock. One at a time, in turn, without a slot, and given back whatever happens. */
import { CanceledError, ConfigurationError, defineTask, FatalError, LockDeadlockError, LockReentryError, LockTimeoutError, type RunHandle, type TaskContext, type TestClock } from 'holdfast';
import { beforeAll, describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';
import { Origin } from './origin.ts';

/** Who is in which section, and whether anybody was ever beside another. */
class Witness {
  readonly inside = new Map<string, string>();
  readonly story: string[] = [];
  enter(key: string, who: string): void {
    if (this.inside.has(key)) throw new FatalError(`${who} and ${this.inside.get(key)} are in ${key} at once`);
    this.inside.set(key, who);
    this.story.push(`${who} in`);
  }
  leave(key: string, who: string): void {
    if (this.inside.get(key) === who) this.inside.delete(key);
    this.story.push(`${who} out`);
  }
  /** The page died: nobody is anywhere. */
  clear(): void {
    this.inside.clear();
  }
  async within<Value>(key: string, who: string, work: () => Promise<Value>): Promise<Value> {
    this.enter(key, who);
    try {
      return await work();
    } finally {
      this.leave(key, who);
    }
  }
}

/** What can go on without time passing has: code that is loaded with the first lock comes in by itself. */
const calm = async (clock: TestClock) => {
  for (let round = 0; round < 6; round++) {
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
    await clock.settle();
  }
};
const once = { maxAttempts: 1 };

// Loading takes time that no clock of a test counts.
beforeAll(() => Promise.all([import('../../js/locking/acquire.ts'), import('../../js/locking/table.ts')]));

describe('a lock', () => {
  it('C11: lets one run at a time in, in the order in which they came; who waits says so and holds no slot', async () => {
    const { orchestrator, clock } = await open();
    const witness = new Witness();
    const queue = { name: name('q'), concurrency: 1 };
    const task = defineTask({ id: name('locks'), queue, run: (who: string, ctx) => ctx.lock('cache', () => witness.within('cache', who, () => ctx.sleep(1000))) });
    const runs = ['a', 'b', 'c'].map((who) => orchestrator.trigger(task, who));
    await calm(clock);
    expect(runs.map(({ state }) => [state.status, state.phase, state.reason])).toEqual([['running', 'waiting', undefined], ['running', 'waiting', 'lock'], ['running', 'waiting', 'lock']]);
    expect(orchestrator.why(runs[1]!.id)).toMatch(new RegExp(`Waits for the lock "cache", which run ${runs[0]!.id} holds`));
    // All three have given back the one slot of their queue.
    await expect(orchestrator.trigger(defineTask({ id: name('free'), queue, run: async () => 'ran' }), null).result()).resolves.toBe('ran');
    await clock.advance(3000);
    await Promise.all(runs.map((run) => run.result()));
    expect(witness.story).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    expect(runs.map(({ state }) => state.reason)).toEqual([undefined, undefined, undefined]);
  });

  it('C11: gives what its work gives or throws, and other keys are other locks', async () => {
    const { orchestrator, clock } = await open({ storage: 'memory' });
    const task = defineTask({ id: name('values'), retry: once, run: async (key: string, ctx) => {
      const values = [await ctx.lock(key, () => 1), await ctx.lock(key, async () => 2)];
      await expect(ctx.lock(key, () => { throw new FatalError('mine'); })).rejects.toThrow('mine');
      await ctx.lock(key, () => ctx.sleep(1000));
      return values;
    } });
    const runs = [orchestrator.trigger(task, 'a'), orchestrator.trigger(task, 'b')];
    await calm(clock);
    await clock.advance(1000);
    await calm(clock);
    expect(runs.map(({ status }) => status)).toEqual(['completed', 'completed']);
    await expect(runs[0]!.result()).resolves.toEqual([1, 2]);
  });

  it.each(['cancelled', 'cancelled and abandoned', 'timed out', 'interrupted', 'failed', 'returned without awaiting it'] as const)('C11: is given back by a run that is %s', async (how) => {
    const { orchestrator, clock } = await open();
    const deaf = how === 'cancelled and abandoned';
    const holder = defineTask({ id: name('holder'), retry: once, graceMs: 100, ...(how === 'timed out' && { timeout: 50 }), run: async (_: null, ctx) => {
      const locked = ctx.lock('k', () => new Promise<void>((_resolve, reject) => {
        if (how === 'failed') reject(new Error('bad'));
        if (!deaf) ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
      }));
      locked.catch(() => {});
      if (how === 'returned without awaiting it') return ctx.step('other', () => 1);
      return locked;
    } });
    const first = orchestrator.trigger(holder, null);
    await calm(clock);
    const second = orchestrator.trigger(defineTask({ id: name('next'), run: (_: null, ctx) => ctx.lock('k', async () => 'got it') }), null);
    await calm(clock);
    if (how === 'interrupted') await first.pause('hard');
    else if (how.startsWith('cancelled')) void first.cancel();
    await clock.advance(200);
    await calm(clock);
    expect(second.status).toBe('completed');
  });

  it('C11: who no longer waits for it holds nobody up', async () => {
    const { orchestrator, clock } = await open();
    const task = defineTask({ id: name('waits'), retry: once, run: (_: null, ctx) => ctx.lock('k', () => ctx.sleep(1000)) });
    const [first, second, third] = [0, 1, 2].map(() => orchestrator.trigger(task, null));
    await calm(clock);
    await second!.cancel();
    await expect(second!.result()).rejects.toThrow(CanceledError);
    await clock.advance(1000);
    await calm(clock);
    expect([first!.status, third!.state.reason]).toEqual(['completed', undefined]);
    await clock.advance(1000);
    await calm(clock);
    expect(third!.status).toBe('completed');
  });

  it('C11: a run that is tried again takes it again; finished steps in it are not run again', async () => {
    const { orchestrator, clock } = await open();
    const witness = new Witness();
    let steps = 0;
    const task = defineTask({ id: name('again'), retry: { maxAttempts: 2, minDelayMs: 1000, randomize: false }, run: (who: string, ctx) =>
      ctx.lock('k', () => witness.within('k', who, async () => {
        await ctx.step('once', () => void steps++);
        if (ctx.attempt.number === 1) throw new Error('again');
        await ctx.sleep(100);
        return ctx.attempt.number;
      })) });
    const runs = [orchestrator.trigger(task, 'a'), orchestrator.trigger(task, 'b')];
    for (let turn = 0; turn < 20; turn++) {
      await clock.advance(200);
      await calm(clock);
    }
    await expect(Promise.all(runs.map((run) => run.result()))).resolves.toEqual([2, 2]);
    expect(steps).toBe(2);
  });
});

describe('over a crash', () => {
  it('C11: it is taken again before the code goes on, by one run after the other, and no finished step runs again', async () => {
    let house = await open();
    const witness = new Witness();
    const steps: string[] = [];
    const task = defineTask({ id: name('durable'), run: async (who: string, ctx) => {
      await ctx.lock('k', () => witness.within('k', who, async () => {
        await ctx.step('one', () => void steps.push(`${who}1`));
        await ctx.sleep(1000);
        await ctx.step('two', () => void steps.push(`${who}2`));
      }));
      await ctx.step('after', () => void steps.push(`${who}3`));
      return who;
    } });
    const ids = await Promise.all(['a', 'b', 'c'].map(async (who) => {
      const run = house.orchestrator.trigger(task, who);
      await run.accepted;
      return run.id;
    }));
    for (let kill = 0; kill < 6; kill++) {
      await house.clock.advance(600);
      await calm(house.clock);
      witness.clear();
      house = await crash(house, { tasks: [task] });
      await calm(house.clock);
    }
    for (let turn = 0; turn < 20; turn++) {
      await house.clock.advance(500);
      await calm(house.clock);
    }
    expect(ids.map((id) => house.orchestrator.getTaskState(id)?.status)).toEqual(['completed', 'completed', 'completed']);
    expect([...steps].sort()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'c1', 'c2', 'c3']);
  });

  it('C11: time that was over stays over for code that went on, and goes on for who waited', async () => {
    const house = await open();
    const ways: string[] = [];
    const holder = defineTask({ id: name('holder'), run: (_: null, ctx) => ctx.lock('k', () => ctx.sleep(60_000)) });
    const task = defineTask({ id: name('timed'), retry: once, run: async (timeoutMs: number, ctx) => {
      const way = await ctx.lock('k', () => 'in', { timeoutMs }).catch((error) => (error instanceof LockTimeoutError ? 'late' : String(error)));
      ways.push(way);
      await ctx.step('went', () => way);
      await ctx.sleep(100_000);
      return way;
    } });
    const held = house.orchestrator.trigger(holder, null);
    await calm(house.clock);
    const runs = [house.orchestrator.trigger(task, 1000), house.orchestrator.trigger(task, 30_000)];
    await house.clock.advance(5000);
    await calm(house.clock);
    expect(ways).toEqual(['late']);
    await held.cancel();
    await calm(house.clock);
    expect(ways).toEqual(['late', 'in']);
    const next = await crash(house, { tasks: [holder, task] });
    for (let turn = 0; turn < 5; turn++) {
      await next.clock.advance(30_000);
      await calm(next.clock);
    }
    const outputs = await Promise.all(runs.map(({ id }) => next.orchestrator.attach(id)!.result()));
    expect(outputs).toEqual(['late', 'in']);
  });

  it('C11: a time that runs over a crash is over when it says', async () => {
    const house = await open();
    const holder = defineTask({ id: name('holder'), run: (_: null, ctx) => ctx.lock('k', () => ctx.sleep(600_000)) });
    const task = defineTask({ id: name('timed'), retry: once, run: (_: null, ctx) => ctx.lock('k', () => 'in', { timeout: '10s' }) });
    house.orchestrator.trigger(holder, null);
    await calm(house.clock);
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(8000);
    await calm(house.clock);
    const next = await crash(house, { tasks: [holder, task] });
    await next.clock.advance(1000);
    await calm(next.clock);
    expect(next.orchestrator.getTaskState(run.id)?.reason).toBe('lock');
    await next.clock.advance(1100);
    await calm(next.clock);
    const { status, error } = next.orchestrator.getTaskState(run.id)!;
    expect([status, error?.name]).toEqual(['failed', 'LockTimeoutError']);
    expect(error?.message).toMatch(/"k" within 10000 ms.*holds/);
  });
});

describe('what would wait for ever', () => {
  it('C11: the same lock again is refused by name, and the run may go on', async () => {
    const { orchestrator } = await open();
    const task = defineTask({ id: name('twice'), retry: once, run: (_: null, ctx) => ctx.lock('k"1', async () => ctx.lock('k"1', () => 'never').catch((error) => error)) });
    const error = await orchestrator.trigger(task, null).result().catch((thrown) => thrown);
    expect(error).toMatchObject({ name: 'LockReentryError', code: 'LOCK_REENTRY', data: { key: 'k"1' } });
    expect(error.message).toMatch(/holds the lock "k\\"1" already/);
    const uncaught = defineTask({ id: name('uncaught'), run: (_: null, ctx) => ctx.lock('x', () => ctx.lock('x', () => 'never')) });
    const run = orchestrator.trigger(uncaught, null);
    await expect(run.result()).rejects.toBeInstanceOf(LockReentryError);
    expect(run.state.attempt).toBe(1);
  });

  it('C11: two locks in two orders are found out; who came last fails, is tried again, and both end', async () => {
    const { orchestrator, clock } = await open();
    const failures: string[] = [];
    const task = defineTask({ id: name('order'), retry: { maxAttempts: 3, minDelayMs: 1000 }, catchError: ({ error }) => void failures.push((error as Error).name), run: ([first, second]: [string, string], ctx) =>
      ctx.lock(first, async () => {
        await ctx.sleep(100);
        return ctx.lock(second, () => ctx.sleep(100).then(() => first + second));
      }) });
    const runs = [orchestrator.trigger(task, ['a', 'b']), orchestrator.trigger(task, ['b', 'a'])];
    for (let turn = 0; turn < 50; turn++) {
      await clock.advance(100);
      await calm(clock);
    }
    await expect(Promise.all(runs.map((run) => run.result()))).resolves.toEqual(['ab', 'ba']);
    expect(failures).toEqual(['LockDeadlockError']);
  });

  it('C11: so is a child that takes what its parent holds while it waits for it, over others too', async () => {
    const { orchestrator, clock } = await open();
    const child = defineTask({ id: name('child'), retry: once, run: (_: null, ctx) => ctx.lock('k', () => 'never') });
    const parent = defineTask({ id: name('parent'), retry: once, run: (_: null, ctx) => ctx.lock('k', () => (ctx as TaskContext).run(child, null)) });
    const run = orchestrator.trigger(parent, null);
    await calm(clock);
    await expect(run.result()).rejects.toBeInstanceOf(LockDeadlockError);
    await expect(run.result()).rejects.toThrow(/would wait for the lock "k", which run .* holds; run .* waits for its child/);
    // A child that is let go takes it when its turn comes.
    const free = defineTask({ id: name('free'), retry: once, run: async (_: null, ctx) => {
      const detached = await ctx.lock('k', async () => {
        const promise = (ctx as TaskContext).run(child, null, { childPolicy: 'detach' });
        promise.catch(() => {});
        await ctx.sleep(10);
        return 'done';
      });
      return detached;
    } });
    const other = orchestrator.trigger(free, null);
    await calm(clock);
    await clock.advance(50);
    await calm(clock);
    await expect(other.result()).resolves.toBe('done');
    expect(orchestrator.list({ taskIdentifier: child.id, status: 'completed' }).items.map(({ result }) => result)).toEqual(['never']);
  });

  it('C11: bad keys, options and work are refused by name', async () => {
    const { orchestrator } = await open();
    const tell = (ask: (ctx: TaskContext) => Promise<unknown>) =>
      orchestrator.trigger(defineTask({ id: name('bad'), retry: once, run: (_: null, ctx) => ask(ctx as TaskContext) }), null).result().then(() => undefined, (error) => error);
    const cases: ((ctx: TaskContext) => Promise<unknown>)[] = [
      (ctx) => ctx.lock('', () => 1), (ctx) => ctx.lock(7 as never, () => 1), (ctx) => ctx.lock('\ud800', () => 1), (ctx) => ctx.lock('x'.repeat(513), () => 1),
      (ctx) => ctx.lock('k', 'work' as never), (ctx) => ctx.lock('k', () => 1, { wait: 5 } as never), (ctx) => ctx.lock('k', () => 1, { timeoutMs: -1 }), (ctx) => ctx.lock('k', () => 1, { timeout: 1, timeoutMs: 2 }),
      (ctx) => ctx.step('s', () => ctx.lock('k', () => 1)),
    ];
    for (const ask of cases) expect(await tell(ask)).toBeInstanceOf(ConfigurationError);
    await expect(orchestrator.trigger(defineTask({ id: name('good'), run: (_: null, ctx) => ctx.lock('k', () => 'free') }), null).result()).resolves.toBe('free');
  });
});

describe('several tabs', () => {
  it('C11: one tab at a time; a tab that dies gives back what it held, and its run takes it again where it goes on', async () => {
    const origin = new Origin();
    const witness = new Witness();
    let steps = 0;
    const task = defineTask({ id: name('tabs'), run: (who: string, ctx) => ctx.lock('k', async () => {
      witness.enter('k', who);
      await ctx.step('once', () => void steps++);
      await ctx.sleep(10_000);
      witness.leave('k', who);
      return who;
    }) });
    const first = await origin.open({ tasks: [task] });
    const second = await origin.open({ tasks: [task] });
    let [a, b]: RunHandle[] = [];
    first.act(() => void (a = first.orchestrator.trigger(task, 'a')));
    await a!.accepted;
    await calm(origin.clock);
    second.act(() => void (b = second.orchestrator.trigger(task, 'b')));
    await calm(origin.clock);
    expect(b!.state.reason).toBe('lock');
    expect(second.orchestrator.why(b!.id)).toMatch(/which another tab holds/);
    expect(origin.locks.held.filter((lock) => lock.includes(':lock:'))).toEqual(['holdfast:default:lock:k']);
    first.kill();
    witness.clear();
    await origin.clock.advance(5000);
    await calm(origin.clock);
    expect(witness.inside.get('k')).toBe('b');
    expect(second.orchestrator.getTaskState(a!.id)).toMatchObject({ local: true, reason: 'lock' });
    for (let turn = 0; turn < 5; turn++) {
      await origin.clock.advance(5000);
      await calm(origin.clock);
    }
    expect([a!.id, b!.id].map((id) => second.orchestrator.getTaskState(id)?.result)).toEqual(['a', 'b']);
    expect(steps).toBe(2);
    expect(origin.locks.held.filter((lock) => lock.includes(':lock:'))).toEqual([]);
    await origin.close();
  });

  it('C11: a browser that refuses the lock is told of, and runs of the page still take turns', async () => {
    const origin = new Origin();
    const { request } = origin.locks;
    origin.locks.request = (lock, ...rest) => (lock.includes(':lock:') ? Promise.reject(new DOMException('No locks here.', 'SecurityError')) : request.call(origin.locks, lock, ...rest));
    const witness = new Witness();
    const tab = await origin.open();
    const task = defineTask({ id: name('refused'), run: (who: string, ctx) => ctx.lock('k', () => witness.within('k', who, () => ctx.sleep(10))) });
    const runs = [tab.orchestrator.trigger(task, 'a'), tab.orchestrator.trigger(task, 'b')];
    for (let turn = 0; turn < 10; turn++) {
      await origin.clock.advance(10);
      await calm(origin.clock);
    }
    expect(runs.map(({ status }) => status)).toEqual(['completed', 'completed']);
    expect(tab.warnings[0]).toMatch(/"k" could not be had of the browser.*No locks here/);
    await origin.close();
  });
});
