/** Durable code: children, sleeps, decisions, races; killed, reopened, tried again. */
import { defineTask, DriftError, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { crash, name, open } from './houses.ts';

/** A promise to be settled by the test. */
function gate<Value = void>() {
  let open!: (value: Value) => void;
  const passed = new Promise<Value>((resolve) => (open = resolve));
  return { passed, open };
}

describe('children', () => {
  it('give their output to the code, run as runs of their own, and know their parent', async () => {
    const house = await open();
    const child = defineTask({ id: name('child'), run: async (n: number) => n * 2 });
    const parent = defineTask({ id: name('parent'), run: async (n: number, ctx) => (await ctx.run(child, n)) + (await ctx.run(child, n + 1)) });
    const run = house.orchestrator.trigger(parent, 10);
    expect(await run.result()).toBe(42);
    const children = house.orchestrator.getAllTasks().filter(({ parentId }) => parentId === run.id);
    expect(children.map(({ taskIdentifier, depth, rootId }) => [taskIdentifier, depth, rootId])).toEqual([
      [child.id, 1, run.id],
      [child.id, 1, run.id],
    ]);
  });

  it('are found by name, and a name nobody registered is refused', async () => {
    const house = await open();
    const child = defineTask({ id: name('child'), run: async (text: string) => text.toUpperCase() });
    const parent = defineTask({ id: name('parent'), retry: { maxAttempts: 1 }, run: (input: string, ctx) => ctx.run(input, 'text') });
    expect(await house.orchestrator.trigger(parent, child.id).result()).toBe('TEXT');
    await expect(house.orchestrator.trigger(parent, 'nobody').result()).rejects.toThrow('no task "nobody" is registered');
  });

  it('run in the slot their parent gives back: a queue of one is enough for both', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const child = defineTask({ id: name('child'), queue: 'one', run: async () => 'done' });
    const parent = defineTask({ id: name('parent'), queue: 'one', run: (_: null, ctx) => ctx.run(child, null) });
    expect(await house.orchestrator.trigger(parent, null).result()).toBe('done');
  });

  it('that finished are not run again after a crash, those that had not are taken up', async () => {
    let ran: string[] = [];
    const held = gate();
    let holding = true;
    const child = defineTask({
      id: name('child'),
      run: async (text: string) => {
        ran.push(text);
        if (text === 'b' && holding) await held.passed;
        return `${text}!`;
      },
    });
    const parent = defineTask({ id: name('parent'), run: async (_: null, ctx) => Promise.all(['a', 'b', 'c'].map((text) => ctx.run(child, text))) });
    const house = await open();
    const run = house.orchestrator.trigger(parent, null);
    await run.accepted;
    await house.clock.settle();
    expect(ran).toEqual(['a', 'b', 'c']);
    ran = [];
    holding = false;
    const next = await crash(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual(['a!', 'b!', 'c!']);
    expect(ran).toEqual(['b']);
    expect(next.orchestrator.getAllTasks()).toHaveLength(4);
  });

  it('that fail throw their error at the parent, which tries them again with its next attempt', async () => {
    const house = await open();
    let tries = 0;
    const child = defineTask({
      id: name('child'),
      retry: { maxAttempts: 1 },
      run: async () => {
        if (++tries < 3) throw new TypeError(`bad ${tries}`);
        return 'good';
      },
    });
    const seen: string[] = [];
    const parent = defineTask({
      id: name('parent'),
      retry: { maxAttempts: 5, minDelayMs: 1000, randomize: false },
      run: async (_: null, ctx) => ctx.run(child, null).catch((error) => {
        seen.push(`${error.name}: ${error.message}`);
        throw error;
      }),
    });
    const run = house.orchestrator.trigger(parent, null);
    await house.clock.advance(60_000);
    expect(await run.result()).toBe('good');
    expect(seen).toEqual(['TypeError: bad 1', 'TypeError: bad 2']);
    expect(house.orchestrator.getAllTasks()).toHaveLength(2);
  });

  it('whose failure was caught stay failed for the code that goes on, also after a crash', async () => {
    const house = await open();
    const ran: string[] = [];
    const held = gate();
    let holding = true;
    const bad = defineTask({
      id: name('bad'), retry: { maxAttempts: 1 },
      run: async () => {
        ran.push('bad');
        throw new Error('no');
      },
    });
    const good = defineTask({
      id: name('good'),
      run: async () => {
        ran.push('good');
        if (holding) await held.passed;
        return 'fallback';
      },
    });
    const parent = defineTask({ id: name('parent'), run: (_: null, ctx) => ctx.run(bad, null).catch((error) => ctx.run(good, null).then((value) => `${error.message}: ${value}`)) });
    const run = house.orchestrator.trigger(parent, null);
    await house.clock.settle();
    holding = false;
    const next = await crash(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('no: fallback');
    expect(ran).toEqual(['bad', 'good', 'good']);
  });

  it('are cancelled with their parent, unless they are detached', async () => {
    const house = await open();
    const stuck = defineTask({ id: name('stuck'), graceMs: 10, run: (_: null, ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
    const free = defineTask({ id: name('free'), run: async (_: null, ctx) => ctx.sleep('1h') });
    const parent = defineTask({ id: name('parent'), run: async (_: null, ctx) => Promise.all([ctx.run(stuck, null), ctx.run(free, null, { childPolicy: 'detach' })]) });
    const run = house.orchestrator.trigger(parent, null);
    await house.clock.settle();
    expect(await run.cancel()).toBe(true);
    await house.clock.advance(10_000);
    const states = Object.fromEntries(house.orchestrator.getAllTasks().map(({ taskIdentifier, status }) => [taskIdentifier.split('-')[0], status]));
    expect(states).toEqual({ parent: 'cancelled', stuck: 'cancelled', free: 'running' });
    await house.clock.advance(3_600_000);
    expect(house.orchestrator.getAllTasks().find(({ taskIdentifier }) => taskIdentifier === free.id)!.status).toBe('completed');
  });

  it('that are asked for in the moment in which their parent ends or is cancelled do not outlive it', async () => {
    const house = await open();
    let cancel = () => {};
    const child = defineTask({ id: name('child'), graceMs: 10, run: async (_: null, ctx) => ctx.sleep('1h') });
    const parent = defineTask({ id: name('parent'), unawaited: 'cancel', graceMs: 10, run: async (cancelled: boolean, ctx) => {
      const running = ctx.run(child, null).catch(() => {});
      if (!cancelled) return 'returned';
      cancel();
      await running;
    } });
    for (const cancelled of [false, true]) {
      const run = house.orchestrator.trigger(parent, cancelled);
      cancel = () => void run.cancel();
      await house.clock.advance(100);
      expect(run.status).toBe(cancelled ? 'cancelled' : 'completed');
      const children = house.orchestrator.getAllTasks().filter(({ taskIdentifier }) => taskIdentifier === child.id);
      expect(children.map(({ status }) => status).filter((status) => status !== 'cancelled')).toEqual([]);
    }
  });

  it('cannot be removed while their parent may ask for them', async () => {
    const house = await open();
    const child = defineTask({ id: name('child'), run: async () => 1 });
    const parent = defineTask({ id: name('parent'), run: async (_: null, ctx) => {
      await ctx.run(child, null);
      await ctx.sleep(1000);
    } });
    const run = house.orchestrator.trigger(parent, null);
    await house.clock.settle();
    const { id } = house.orchestrator.getAllTasks().find(({ parentId }) => parentId === run.id)!;
    expect(await house.orchestrator.removeTask(id)).toBe(false);
    await house.clock.advance(1000);
    expect(await house.orchestrator.removeTask(id)).toBe(true);
  });

  it('nobody awaited are waited for, left, or an error, as the task says', async () => {
    const house = await open();
    const warnings: string[] = [];
    house.orchestrator.on('warning', (message) => warnings.push(message));
    const done: string[] = [];
    const child = defineTask({ id: name('child'), run: async (text: string, ctx) => {
      await ctx.sleep(1000);
      done.push(text);
    } });
    const forgetful = (unawaited?: 'wait' | 'detach' | 'cancel' | 'error') => defineTask({
      id: name('forgetful'), retry: { maxAttempts: 1 }, ...(unawaited && { unawaited }),
      run: async (input: string, ctx: TaskContext) => {
        void ctx.run(child, input).catch(() => {});
        return 'returned';
      },
    });
    const waits = house.orchestrator.trigger(forgetful(), 'waited for');
    const detaches = house.orchestrator.trigger(forgetful('detach'), 'left');
    const cancels = house.orchestrator.trigger(forgetful('cancel'), 'cancelled');
    const errs = house.orchestrator.trigger(forgetful('error'), 'an error');
    await house.clock.settle();
    expect([waits.status, detaches.status, cancels.status, errs.status]).toEqual(['running', 'completed', 'completed', 'failed']);
    await house.clock.advance(10_000);
    expect(waits.status).toBe('completed');
    expect(done.sort()).toEqual(['left', 'waited for']);
    expect(errs.state.error!.name).toBe('UnawaitedChildrenError');
    expect(warnings[0]).toContain('await what ctx.run returns');
  });

  it('are at most 64 deep', async () => {
    const house = await open();
    const id = name('itself');
    const itself: any = defineTask({ id, retry: { maxAttempts: 1 }, run: async (n: number, ctx): Promise<number> => ctx.run(id, n + 1) });
    await expect(house.orchestrator.trigger(itself, 0).result()).rejects.toThrow('64 children deep');
  });
});

describe('sleep', () => {
  it('holds no slot and goes on when it is time', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const order: string[] = [];
    const task = defineTask({ id: name('sleeper'), queue: 'one', run: async (ms: number, ctx) => {
      await ctx.sleep(ms);
      order.push(`${ms}`);
    } });
    const slow = house.orchestrator.trigger(task, 5000);
    const quick = house.orchestrator.trigger(task, 1000);
    await house.clock.advance(999);
    expect([slow.state.phase, quick.state.phase, order]).toEqual(['waiting', 'waiting', []]);
    await house.clock.advance(1);
    expect(order).toEqual(['1000']);
    await house.clock.advance(4000);
    expect(order).toEqual(['1000', '5000']);
  });

  it('waits for what is left after a crash, and not at all when it is over', async () => {
    const house = await open();
    const task = defineTask({ id: name('sleeper'), run: async (_: null, ctx) => {
      await ctx.sleep('10s');
      await ctx.sleep('10s');
      return ctx.now();
    } });
    const startMs = house.clock.now();
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(6000);
    const next = await crash(house);
    await house.clock.advance(3999);
    expect(next.orchestrator.getTaskState(run.id)!.steps).toBe(1);
    await house.clock.advance(1);
    const last = await crash(next);
    house.clock.jump(60_000);
    await house.clock.advance(0);
    expect(await last.orchestrator.attach(run.id)!.result()).toBe(startMs + 70_000);
  });

  it('of several branches each has its own time', async () => {
    const house = await open();
    const done: string[] = [];
    const task = defineTask({ id: name('branches'), run: async (_: null, ctx) => Promise.all([3000, 1000, 2000].map(async (ms) => {
      await ctx.sleep(ms);
      done.push(`${ms} at ${house.clock.now() % 100_000}`);
    })) });
    const startMs = house.clock.now() % 100_000;
    house.orchestrator.trigger(task, null);
    await house.clock.advance(5000);
    expect(done).toEqual([1000, 2000, 3000].map((ms) => `${ms} at ${startMs + ms}`));
  });

  it('until a moment in the past is no wait, or an error where that is asked for', async () => {
    const house = await open();
    const task = defineTask({ id: name('past'), retry: { maxAttempts: 1 }, run: async (strict: boolean, ctx) => ctx.sleepUntil(new Date(1000), { throwIfInThePast: strict }) });
    await house.orchestrator.trigger(task, false).result();
    await expect(house.orchestrator.trigger(task, true).result()).rejects.toThrow('is in the past');
  });

  it('is cancelled and paused like any other', async () => {
    const house = await open();
    const task = defineTask({ id: name('sleeper'), run: async (_: null, ctx) => ctx.sleep('1h') });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    await run.pause();
    await house.clock.advance(2 * 3_600_000);
    expect(run.status).toBe('paused');
    await run.resume();
    await house.clock.settle();
    expect(run.status).toBe('completed');
    const other = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    await other.cancel('enough');
    await house.clock.settle();
    expect(other.status).toBe('cancelled');
  });
});

describe('races', () => {
  it('have the winner they had, whatever else has come about since', async () => {
    const house = await open();
    const held = gate();
    let holding = true;
    const child = defineTask({ id: name('child'), run: async (_: null, ctx) => {
      await ctx.sleep(2000);
      return 'child';
    } });
    const task = defineTask({ id: name('race'), run: async (_: null, ctx) => {
      const winner = await Promise.race([ctx.run(child, null), ctx.sleep(1000).then(() => 'sleep')]);
      await ctx.step('after', async () => {
        if (holding) await held.passed;
      });
      return winner;
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(5000);
    holding = false;
    const next = await crash(house);
    await house.clock.settle();
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('sleep');
  });

  it('of steps are repeated in the order in which they were recorded', async () => {
    const house = await open();
    const gates = [gate(), gate(), gate()];
    const computed: number[] = [];
    let holding = true;
    const task = defineTask({ id: name('race'), run: async (_: null, ctx) => {
      const order: number[] = [];
      await Promise.all(gates.map(async ({ passed }, index) => {
        await ctx.step(`step ${index}`, async () => {
          computed.push(index);
          if (holding) await passed;
        });
        order.push(index);
        if (order.length === 3 && holding) await new Promise(() => {});
      }));
      return order;
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    for (const index of [2, 0, 1]) {
      gates[index]!.open();
      await house.clock.settle();
    }
    holding = false;
    const next = await crash(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([2, 0, 1]);
    expect(computed).toEqual([0, 1, 2]);
  });
});

describe('what is decided once', () => {
  it('time, chance and ids are the same after a crash', async () => {
    const house = await open();
    const seen: unknown[][] = [];
    let holding = true;
    const task = defineTask({ id: name('decides'), run: async (_: null, ctx) => {
      const values = [ctx.now(), ctx.random(), ctx.uuid(), ctx.random(), ctx.now()];
      seen.push(values);
      await ctx.step('one', () => 1);
      if (holding) await new Promise(() => {});
      return values;
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(1000);
    holding = false;
    const next = await crash(house);
    await house.clock.advance(5000);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual(seen[0]);
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[0]![2]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('a patch is for runs that come to it first with it', async () => {
    const house = await open();
    let patched = false;
    let holding = true;
    const task = defineTask({ id: name('patched'), run: async (_: null, ctx) => {
      await ctx.step('one', () => 1);
      const way = patched && (await ctx.patch('new way')) ? await ctx.step('new', () => 'new') : await ctx.step('old', () => 'old');
      if (holding) await new Promise(() => {});
      return way;
    } });
    const old = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    patched = true;
    const next = await crash(house);
    const fresh = next.orchestrator.trigger(task, null);
    await house.clock.settle();
    holding = false;
    const last = await crash(next);
    expect(await last.orchestrator.attach(old.id)!.result()).toBe('old');
    expect(await last.orchestrator.attach(fresh.id)!.result()).toBe('new');
  });
});

describe('a patch whose old way is gone', () => {
  it('P7: may be left out of the code: runs that were told of it go on, and no drift is seen', async () => {
    const house = await open();
    let isPatched = true;
    let holding = true;
    const task = defineTask({ id: name('patched'), run: async (_: null, ctx) => {
      await ctx.step('one', () => 1);
      if (isPatched && !(await ctx.patch('new way'))) return ctx.step('old', () => 'old');
      const way = await ctx.step('new', () => 'new');
      if (holding) await new Promise(() => {});
      return way;
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    expect(run.state.steps).toBeGreaterThanOrEqual(2);
    isPatched = holding = false;
    const next = await crash(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('new');
    expect(next.orchestrator.attach(run.id)!.state.retryCount).toBe(0);
  });
});

describe('drift', () => {
  it('a step that is gone from the code is named', async () => {
    const house = await open();
    let names = ['one', 'two'];
    let holding = true;
    const task = defineTask({ id: name('drifts'), run: async (_: null, ctx) => {
      for (const step of names) await ctx.step(step, () => step);
      if (holding) await new Promise(() => {});
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    names = ['one', 'zwei'];
    holding = false;
    const next = await crash(house);
    await house.clock.advance(5000);
    const { error, status } = next.orchestrator.getTaskState(run.id)!;
    expect(status).toBe('failed');
    expect(error).toBeInstanceOf(DriftError);
    expect(error!.message).toContain('had recorded "two" here, but asked for "zwei"');
    expect(error).toMatchObject({ code: 'DRIFT', taskIdentifier: task.id, data: { expected: 'two', actual: 'zwei', path: task.id } });
  });

  it('new steps at the end are none', async () => {
    const house = await open();
    let names = ['one'];
    let holding = true;
    const task = defineTask({ id: name('grows'), run: async (_: null, ctx) => {
      for (const step of names) await ctx.step(step, () => step);
      if (holding) await new Promise(() => {});
      return names.length;
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    names = ['one', 'two', 'three'];
    holding = false;
    const next = await crash(house);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe(3);
  });

  it('a child with another input is named', async () => {
    const house = await open();
    let input = 'before';
    let holding = true;
    const child = defineTask({ id: name('child'), run: async (text: string) => text });
    const task = defineTask({ id: name('drifts'), run: async (_: null, ctx) => {
      const text = await ctx.run(child, input);
      if (holding) await new Promise(() => {});
      return text;
    } });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    input = 'after';
    holding = false;
    const next = await crash(house);
    await house.clock.settle();
    expect(next.orchestrator.getTaskState(run.id)!.error).toBeInstanceOf(DriftError);
  });

  it('a branch that does something of its own first is none', async () => {
    const house = await open();
    const held = gate();
    let holding = true;
    const outside = async () => {
      for (let turn = 0; turn < 30; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    };
    const task = defineTask({ id: name('outside'), run: async (_: null, ctx) => Promise.all([
      outside().then(() => ctx.step('b', () => 'b')),
      ctx.step('c', async () => {
        if (holding) await held.passed;
        return 'c';
      }),
    ]) });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    await house.clock.settle();
    expect(run.state.steps).toBe(1);
    holding = false;
    const next = await crash(house);
    await house.clock.settle();
    await house.clock.advance(5000);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual(['b', 'c']);
  });
});
