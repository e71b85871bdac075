/** Waiting for the outside: events, signals, wait tokens, cancel by event; killed and reopened. */
import { defineTask, type TaskContext, WaitTimeoutError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import type { Orchestrator } from '../../js/orchestrator.ts';
import { crashAndSettle as crash, name, open } from './houses.ts';

const waiting = (run: (ctx: TaskContext) => Promise<unknown>) => defineTask({ id: name('waits'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => run(ctx) });

describe('an event', () => {
  it('reaches the code that waits for it, which held no slot meanwhile', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const task = defineTask({ id: name('waits'), queue: 'one', run: async (_: null, ctx) => ctx.waitFor('paid').unwrap() });
    const other = defineTask({ id: name('other'), queue: 'one', run: async () => 'ran' });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    expect(run.state.phase).toBe('waiting');
    expect(await house.orchestrator.trigger(other, null).result()).toBe('ran');
    await house.orchestrator.send('paid', { cents: 990n });
    expect(await run.result()).toEqual({ cents: 990n });
  });

  it('that was sent before the wait, since the run was made, is not lost; an older one is none', async () => {
    const house = await open();
    await house.orchestrator.send('paid', 'too early');
    await house.clock.advance(1);
    const task = waiting(async (ctx) => {
      await ctx.sleep(1000);
      return ctx.waitFor('paid', { timeout: '1m' });
    });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(500);
    await house.orchestrator.send('paid', 'in time');
    await house.clock.advance(500);
    expect(await run.result()).toEqual({ ok: true, output: 'in time' });
  });

  it('is only one from now on where the code says so', async () => {
    const house = await open();
    const task = waiting(async (ctx) => {
      await ctx.sleep(1000);
      return ctx.waitFor('paid', { since: 'now' }).unwrap();
    });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(1000);
    expect(run.status).toBe('running');
    await house.orchestrator.send('paid', 'now');
    expect(await run.result()).toBe('now');
    const deaf = house.orchestrator.trigger(task, null);
    await house.clock.advance(999);
    await house.orchestrator.send('paid', 'before');
    await house.clock.advance(1);
    const next = await crash(house);
    await next.clock.advance(1000);
    expect(next.orchestrator.getTaskState(deaf.id)!.status).toBe('running');
    await next.orchestrator.send('paid', 'after');
    expect(await next.orchestrator.attach(deaf.id)!.result()).toBe('after');
  });

  it('that did not come in time is a result, not a failure, and stays that after a crash', async () => {
    const house = await open();
    const task = waiting(async (ctx) => {
      const result = await ctx.waitFor('paid', { timeout: '1m' });
      await ctx.sleep('1m');
      return result.ok ? result.output : `${result.error.name}: ${result.error instanceof WaitTimeoutError}`;
    });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(59_999);
    expect(run.state.steps).toBe(1);
    await house.clock.advance(1);
    const next = await crash(house);
    await next.orchestrator.send('paid', 'too late');
    await next.clock.advance(60_000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('WaitTimeoutError: true');
  });

  it('keeps its time over a crash, and throws only where it is unwrapped', async () => {
    const house = await open();
    const task = waiting((ctx) => ctx.waitFor('paid', { timeout: '1m' }).unwrap());
    const run = house.orchestrator.trigger(task, null);
    await house.clock.advance(40_000);
    const next = await crash(house);
    await next.clock.advance(19_999);
    const again = next.orchestrator.attach(run.id)!;
    expect(again.status).toBe('running');
    await next.clock.advance(1);
    await expect(again.result()).rejects.toThrow('No event "paid" came');
  });

  it('satisfies several runs, each of them once', async () => {
    const house = await open();
    const task = waiting(async (ctx) => [await ctx.waitFor('tick').unwrap(), await ctx.waitFor('tick').unwrap()]);
    const runs = [house.orchestrator.trigger(task, null), house.orchestrator.trigger(task, null)];
    await house.clock.settle();
    await house.orchestrator.send('tick', 1);
    await house.clock.settle();
    expect(runs.map(({ status }) => status)).toEqual(['running', 'running']);
    const next = await crash(house);
    await next.clock.settle();
    expect(runs.map(({ id }) => next.orchestrator.getTaskState(id)!.status)).toEqual(['running', 'running']);
    await next.orchestrator.send('tick', 2);
    for (const { id } of runs) expect(await next.orchestrator.attach(id)!.result()).toEqual([1, 2]);
  });

  it('goes to the first of several waits of one run that it fits', async () => {
    const house = await open();
    const task = waiting((ctx) => Promise.all([
      ctx.waitFor('tick', { match: { kind: 'b', at: { row: 2 } } }).unwrap(),
      ctx.waitFor('tick', { match: ({ n }: { n: number }) => n > 1 }).unwrap(),
      ctx.waitFor('tick').unwrap(),
    ]));
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    const sent = [{ kind: 'a', n: 1 }, { kind: 'b', n: 2, at: { row: 2, column: 3 } }, { kind: 'c', n: 3 }];
    for (const data of sent) await house.orchestrator.send('tick', data);
    expect(await run.result()).toEqual([sent[1], sent[2], sent[0]]);
  });

  it('keeps its files, also in the history of the run', async () => {
    const house = await open();
    const task = waiting(async (ctx) => {
      const file = await ctx.waitFor('file').unwrap();
      await ctx.sleep(1000);
      return `${file.name}: ${await file.text()}`;
    });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    const { id } = await house.orchestrator.send('file', new File(['content'], 'a.txt'));
    await house.clock.settle();
    expect(await house.orchestrator.removeTask(id)).toBe(true);
    const next = await crash(house);
    await next.clock.advance(1000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('a.txt: content');
  });

  it('whose file the browser has lost keeps no other from being taken, and waits for nobody', async () => {
    const house = await open();
    await house.orchestrator.send('scanned', { page: new File(['lost'], 'page.png') });
    const { slot } = house.orchestrator.journal!;
    await slot.deleteBlobs(await slot.blobIds());
    const next = await crash(house);
    const task = waiting(async (ctx) => ctx.waitFor('scanned'));
    const run = next.orchestrator.trigger(task, null, { id: 'later' });
    await next.clock.settle();
    expect(run.state.phase).toBe('waiting');
    await next.orchestrator.send('scanned', { page: 'new' });
    expect(await run.result()).toEqual({ ok: true, output: { page: 'new' } });
    expect(next.orchestrator.list({ hidden: true }).items.map(({ reason }) => reason)).not.toContain('missing-payload');
  });

  it('that a run was stopped over keeps no file longer than the event itself', async () => {
    const house = await open();
    const task = waiting(async (ctx) => ctx.waitFor('scanned'));
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    const { id } = await house.orchestrator.send('scanned', new File(['a page'], 'page.png'));
    await run.cancel();
    await house.clock.settle();
    for (const gone of [run.id, id]) expect(await house.orchestrator.removeTask(gone)).toBe(true);
    await house.clock.settle();
    expect(await house.orchestrator.journal!.slot.blobIds()).toEqual([]);
  });

  it('is stored when send resolves: a crash right after loses nothing', async () => {
    const house = await open();
    const task = waiting(async (ctx) => {
      await ctx.sleep(1000);
      return ctx.waitFor('paid').unwrap();
    });
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    await house.orchestrator.send('paid', 'stored');
    const next = await crash(house);
    await next.clock.advance(1000);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe('stored');
  });

  it('is not taken again by a run that begins anew, and none of those it left is lost', async () => {
    const house = await open();
    const task = defineTask({ id: name('loop'), run: async (seen: number[], ctx): Promise<number[]> => {
      const number = await ctx.waitFor('number').unwrap();
      const all = [...seen, number];
      if (all.length === 4) return all;
      return ctx.continueAsNew(all);
    } });
    const run = house.orchestrator.trigger(task, []);
    await house.clock.settle();
    for (const number of [1, 2, 3]) await house.orchestrator.send('number', number);
    await house.clock.settle();
    const next = await crash(house);
    await next.orchestrator.send('number', 4);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([1, 2, 3, 4]);
  });

  it('with an id is sent once', async () => {
    const house = await open();
    const task = waiting(async (ctx) => [await ctx.waitFor('paid').unwrap(), await ctx.waitFor('paid', { timeout: 1000 })]);
    const run = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    const ids = await Promise.all([1, 2].map(() => house.orchestrator.send('paid', 'x', { id: 'payment 7' })));
    expect(ids[0]).toEqual(ids[1]);
    const next = await crash(house);
    await next.orchestrator.send('paid', 'x', { id: 'payment 7' });
    await next.clock.advance(1000);
    expect(await next.orchestrator.attach(run.id)!.result()).toMatchObject(['x', { ok: false }]);
  });

  it('belongs to no tab alone: another tab that asks who goes on with it keeps its own copy', async () => {
    const house = await open();
    const { id } = await house.orchestrator.send('paid', 1);
    const token = await house.orchestrator.wait.createToken();
    const standing = (house.orchestrator as unknown as Orchestrator).opening.standingOf([id, token.id]);
    expect(standing).toEqual({ owned: [token.id], held: [] });
  });

  it('is hidden: no list, count or callback tells of it, unless it is asked for', async () => {
    const told: string[] = [];
    const house = await open({ onComplete: (id) => told.push(id) });
    house.orchestrator.on('change', ({ id }) => told.push(id));
    await house.orchestrator.send('paid', 1);
    const { id } = await house.orchestrator.wait.createToken();
    await house.clock.settle();
    for (const { orchestrator } of [house, await crash(house)]) {
      expect(orchestrator.getAllTasks()).toEqual([]);
      expect(orchestrator.counts().total).toBe(0);
      expect(orchestrator.list().items).toEqual([]);
      expect(orchestrator.list({ hidden: true }).items.map(({ taskIdentifier }) => taskIdentifier).sort()).toEqual(['holdfast:event', 'holdfast:token']);
      expect(orchestrator.why(id)).toContain('completeToken');
      expect((await orchestrator.ready).resumed).toEqual([]);
    }
    expect(told).toEqual([]);
  });

  it('is forgotten after a day, a token an hour after its end', async () => {
    const house = await open();
    await house.orchestrator.send('paid', 1);
    const { id } = await house.orchestrator.wait.createToken();
    await house.orchestrator.wait.completeToken(id);
    await house.clock.advance(3_600_000 - 1000);
    expect(house.orchestrator.list({ hidden: true }).items).toHaveLength(2);
    await house.clock.advance(5000);
    expect(house.orchestrator.list({ hidden: true }).items).toHaveLength(1);
    const next = await crash(house);
    await next.clock.advance(23 * 3_600_000);
    expect(next.orchestrator.list({ hidden: true }).items).toEqual([]);
  });

  it('for one run is a signal, and nobody else gets it', async () => {
    const house = await open();
    const task = waiting((ctx) => ctx.waitFor('go').unwrap());
    const [one, other] = [house.orchestrator.trigger(task, null), house.orchestrator.trigger(task, null)];
    await house.clock.settle();
    expect(await one.signal('go', 'one')).toBe(true);
    expect(await one.result()).toBe('one');
    expect(await one.signal('go', 'again')).toBe(false);
    expect(other.status).toBe('running');
  });

  it('is refused with a bad name or data, and nothing is stored', async () => {
    const house = await open();
    await expect(house.orchestrator.send('', 1)).rejects.toThrow('send name must be text');
    await expect(house.orchestrator.send('x', () => {})).rejects.toThrow('data');
    await expect(house.orchestrator.send('x', new Response('read once'))).rejects.toThrow('data is a Response');
    await expect(house.orchestrator.send('x', 1, { key: 1 } as never)).rejects.toThrow('no option "key"');
    expect(house.orchestrator.list({ hidden: true }).items).toEqual([]);
    for (const bad of [{ match: 'x' }, { since: 'ever' }, { timeout: 'soon' }, { till: 1 }])
      await expect(house.orchestrator.trigger(waiting((ctx) => ctx.waitFor('x', bad as never)), null).result()).rejects.toMatchObject({ name: 'ConfigurationError' });
    expect(() => defineTask({ id: 'holdfast:mine', run: () => 1 })).toThrow("holdfast's own");
  });
});

describe('a wait token', () => {
  it('is completed by somebody outside, for code and for a page, and for whoever asks later', async () => {
    const house = await open();
    const { wait } = house.orchestrator;
    const { id } = await wait.createToken({ tags: ['approval'] });
    const runs = [1, 2].map(() => house.orchestrator.trigger(waiting((ctx) => ctx.waitForToken(id)), null));
    const page = wait.forToken(id);
    await house.clock.settle();
    expect(runs.map(({ state }) => state.phase)).toEqual(['waiting', 'waiting']);
    expect(await wait.retrieveToken(id)).toMatchObject({ status: 'waiting', tags: ['approval'] });
    expect(await wait.completeToken(id, { approved: true })).toBe(true);
    const done = { ok: true, output: { approved: true } };
    expect([await page, await runs[0]!.result(), await runs[1]!.result(), await wait.forToken(id)]).toEqual([done, done, done, done]);
    expect(await wait.forToken(id).unwrap()).toEqual({ approved: true });
    await house.clock.settle();
    expect(await wait.retrieveToken(id)).toMatchObject({ status: 'completed', output: { approved: true } });
    expect(await wait.completeToken(id, { approved: false })).toBe(false);
    expect((await wait.listTokens({ tags: ['approval'] })).map((token) => token.id)).toEqual([id]);
    expect(await wait.listTokens({ status: 'waiting' })).toEqual([]);
  });

  it('Q10: is made once by code that runs again, which gives its id to whoever is to complete it', async () => {
    const house = await open();
    const task = waiting(async (ctx) => {
      const { id } = await ctx.createToken({ timeout: '1h', tags: ['approval'] });
      const other = await ctx.wait.createToken();
      await ctx.step('ask for approval', () => id);
      return [id !== other.id, await ctx.waitForToken(id).unwrap()];
    });
    const run = house.orchestrator.trigger(task, null);
    await run.accepted;
    await house.clock.settle();
    const next = await crash(house);
    await next.clock.settle();
    const tokens = await next.orchestrator.wait.listTokens();
    expect(tokens).toHaveLength(2);
    const [token] = await next.orchestrator.wait.listTokens({ tags: ['approval'] });
    expect(token!.timeoutAt - token!.createdAt).toBe(3_600_000);
    expect(await next.orchestrator.wait.completeToken(token!.id, 'yes')).toBe(true);
    expect(await next.orchestrator.attach(run.id)!.result()).toEqual([true, 'yes']);
    const refused = next.orchestrator.trigger(waiting((ctx) => ctx.createToken({ idempotencyKey: 'mine' } as never)), null);
    await expect(refused.result()).rejects.toThrow(/ctx\.createToken.*idempotencyKey/);
  });

  it('counts once when it is completed twice at the same time', async () => {
    const house = await open();
    const { wait } = house.orchestrator;
    const { id } = await wait.createToken();
    expect(await Promise.all([wait.completeToken(id, 'first'), wait.completeToken(id, 'second')])).toEqual([true, false]);
    expect(await wait.forToken(id)).toEqual({ ok: true, output: 'first' });
  });

  it('was completed before anybody waits, or while no page was open: it is there', async () => {
    const house = await open();
    const { id } = await house.orchestrator.wait.createToken();
    const run = house.orchestrator.trigger(waiting(async (ctx) => {
      await ctx.sleep(1000);
      return ctx.waitForToken(id).unwrap();
    }), null);
    await house.clock.settle();
    await house.orchestrator.wait.completeToken(id, new File(['signed'], 'contract.pdf'));
    const next = await crash(house);
    await next.clock.advance(1000);
    expect(await (await next.orchestrator.attach(run.id)!.result()).text()).toBe('signed');
    expect(next.orchestrator.attach(id)!.status).toBe('completed');
  });

  it('that timed out is a result; it can not be completed any more', async () => {
    const house = await open();
    const { wait } = house.orchestrator;
    const { id } = await wait.createToken();
    const run = house.orchestrator.trigger(waiting(async (ctx) => ctx.waitForToken({ id })), null);
    await house.clock.advance(599_999);
    expect(run.status).toBe('running');
    await house.clock.advance(1);
    expect(await run.result()).toMatchObject({ ok: false });
    expect(await wait.forToken(id)).toMatchObject({ ok: false, error: { name: 'WaitTimeoutError' } });
    expect(await wait.completeToken(id, 1)).toBe(false);
    expect(await wait.retrieveToken(id)).toMatchObject({ status: 'timedOut', error: { name: 'WaitTimeoutError' } });
  });

  it('whose time ran out while no page was open has timed out, and the run goes on', async () => {
    const house = await open();
    const { id } = await house.orchestrator.wait.createToken({ timeout: '1m' });
    const run = house.orchestrator.trigger(waiting(async (ctx) => (await ctx.waitForToken(id)).ok), null);
    await house.clock.settle();
    house.clock.jump(5 * 3_600_000);
    const next = await crash(house);
    await next.clock.advance(0);
    expect(await next.orchestrator.attach(run.id)!.result()).toBe(false);
  });

  it('under an idempotency key is one, for an hour, over a reload', async () => {
    const house = await open();
    const options = { idempotencyKey: 'order 7', timeout: '1d' };
    const [one, other] = await Promise.all([house.orchestrator.wait.createToken(options), house.orchestrator.wait.createToken(options)]);
    expect([one.isCached, other.isCached]).toEqual([false, true]);
    const next = await crash(house);
    expect(await next.orchestrator.wait.createToken(options)).toEqual({ id: one.id, isCached: true });
    await next.clock.advance(3_600_000);
    expect((await next.orchestrator.wait.createToken(options)).id).not.toBe(one.id);
  });

  it('that was cancelled, or that nobody knows, is an error in the result', async () => {
    const house = await open();
    const { wait } = house.orchestrator;
    const { id } = await wait.createToken();
    await house.orchestrator.cancelTask(id);
    expect(await wait.forToken(id)).toMatchObject({ ok: false, error: { name: 'CanceledError' } });
    const unknown = wait.forToken('nobody');
    await house.clock.advance(10_000);
    expect(await unknown).toMatchObject({ ok: false, error: { name: 'ConfigurationError' } });
    await expect(wait.completeToken('nobody')).rejects.toThrow('There is no token "nobody"');
    await expect(wait.createToken({ timeout: 0 })).rejects.toThrow('more than 0');
    await expect(wait.createToken({ ttl: 1 } as never)).rejects.toThrow('no option "ttl"');
  });

  it('works where nothing is kept beyond memory', async () => {
    const house = await open({ storage: 'memory' });
    const { wait } = house.orchestrator;
    const { id } = await wait.createToken();
    const run = house.orchestrator.trigger(waiting(async (ctx) => [await ctx.waitForToken(id).unwrap(), await ctx.wait.forEvent('x').unwrap()]), null);
    await house.clock.settle();
    await wait.completeToken(id, 1);
    await house.orchestrator.send('x', new Set([2]));
    expect(await run.result()).toEqual([1, new Set([2])]);
  });
});

describe('hooks of every task', () => {
  it('hear nothing of events and tokens', async () => {
    const heard: string[] = [];
    const hear = (word: string) => ({ state, ctx }: { state?: { taskIdentifier: string }; ctx?: TaskContext }) => void heard.push(`${word} ${state?.taskIdentifier ?? ctx?.task.id}`);
    const house = await open({ hooks: {
      middleware: ({ ctx, next }) => {
        heard.push(`middleware ${ctx.task.id}`);
        return next();
      },
      onStart: hear('start'), onSuccess: hear('success'), onCancel: hear('cancel'), onComplete: hear('complete'),
    } });
    const { id } = await house.orchestrator.wait.createToken();
    await house.orchestrator.send('x');
    await house.orchestrator.wait.completeToken(id, 1);
    await house.orchestrator.cancelTask((await house.orchestrator.wait.createToken()).id);
    await house.clock.settle();
    expect(heard).toEqual([]);
    const task = waiting((ctx) => ctx.waitFor('x', { since: 'now' }).unwrap());
    house.orchestrator.trigger(task, null);
    await house.clock.settle();
    expect(heard).toEqual([`middleware ${task.id}`, `start ${task.id}`]);
  });
});

describe('cancelOn', () => {
  it('cancels what fits, queued or running, by its data and its input', async () => {
    const house = await open();
    const task = defineTask({
      id: name('order'),
      cancelOn: [{ event: 'order.cancelled', match: (data: { order: number }, input: { order: number }) => data.order === input.order }],
      run: async (_: { order: number }, ctx) => ctx.sleep('1h'),
    });
    const runs = [7, 8].map((order) => house.orchestrator.trigger(task, { order }));
    const delayed = house.orchestrator.trigger(task, { order: 7 }, { delay: '1h' });
    await house.clock.settle();
    await house.orchestrator.send('order.cancelled', { order: 7 });
    await house.clock.settle();
    expect([...runs, delayed].map(({ status }) => status)).toEqual(['cancelled', 'running', 'cancelled']);
  });

  it('counts only within its time, and only for runs that were there', async () => {
    const house = await open();
    const task = defineTask({ id: name('order'), cancelOn: [{ event: 'stop', timeout: '1m' }], run: async (_: null, ctx) => ctx.sleep('1h') });
    const old = house.orchestrator.trigger(task, null);
    await house.clock.advance(61_000);
    const young = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    await house.orchestrator.send('stop');
    await house.clock.advance(1);
    const later = house.orchestrator.trigger(task, null);
    await house.clock.settle();
    expect([old, young, later].map(({ status }) => status)).toEqual(['running', 'cancelled', 'running']);
  });

  it('is made up for after a crash, and when the definition comes late', async () => {
    const house = await open();
    const id = name('order');
    const plain = defineTask({ id, run: async (_: null, ctx) => ctx.sleep('1h') });
    const run = house.orchestrator.trigger(plain, null);
    await house.clock.settle();
    await house.orchestrator.send('stop');
    const next = await crash(house);
    await next.clock.settle();
    expect(next.orchestrator.getTaskState(run.id)!.status).toBe('running');
    defineTask({ id, cancelOn: [{ event: 'stop' }], run: async (_: null, ctx) => ctx.sleep('1h') });
    await next.clock.settle();
    expect(next.orchestrator.getTaskState(run.id)!.status).toBe('cancelled');
  });

  it('refuses what it can not mean', () => {
    const define = (cancelOn: unknown) => () => defineTask({ id: name('bad'), cancelOn: cancelOn as never, run: () => 1 });
    expect(define({ event: 'x' })).toThrow('must be a list');
    expect(define([{ event: 'x', when: 1 }])).toThrow('no option "when"');
    expect(define([{ event: '' }])).toThrow('text of 1 to 128');
    expect(define([{ event: 'x', match: 1 }])).toThrow('match must be');
  });
});
