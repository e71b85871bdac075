/** A run that runs is asked things: queries, updates and their answers; killed, reopened, in a worker. */
import { defineTask, InputValidationError, QueryError, type TaskContext, UpdateError, workerHandler } from 'holdfast';
import { describe, expect, it } from 'vitest';
// What asks is loaded with the first question: here before, so that it takes no time of which the clock knows nothing.
import { serve } from '../../js/workers/serve.ts';
import { FakeWorker } from '../fake/worker.ts';
import type { House } from './house.ts';
import { crash, name, open } from './houses.ts';

const once = { retry: { maxAttempts: 1 } };
const asked = (run: (ctx: TaskContext) => Promise<unknown>) => defineTask({ id: name('asked'), ...once, run: (_: null, ctx) => run(ctx) });

/** Messages and imports take turns of which the clock knows nothing. */
async function turns(house: House, advanceMs = 0): Promise<void> {
  for (let turn = 0; turn < 8; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await house.clock.settle();
  }
  if (advanceMs > 0) {
    await house.clock.advance(advanceMs);
    await turns(house);
  }
}

/** A basket that says what is in it, and takes more. */
const basket = (more: object = {}) =>
  defineTask({
    id: name('basket'),
    ...once,
    ...more,
    run: async (_: null, ctx) => {
      const skus: string[] = [];
      ctx.onQuery('skus', (most?: number) => skus.slice(0, most));
      for await (const update of ctx.updates<{ sku: string }>('add', { timeout: '1h' })) {
        skus.push(update.data.sku);
        if (update.data.sku === 'bomb') await update.reject(new RangeError('no bombs'));
        else await update.respond({ size: skus.length });
      }
      return skus;
    },
  });

describe('a query', () => {
  it('is answered by code that waits, by value, and nothing of it is kept', async () => {
    const house = await open();
    const shared = { list: ['a'] };
    const run = house.orchestrator.trigger(asked(async (ctx) => {
      ctx.onQuery('list', (more: string[]) => {
        shared.list.push(...more);
        return shared;
      });
      await ctx.sleep('1h');
    }), null);
    await turns(house);
    const { steps } = run.state;
    const given = ['b'];
    const answer = run.query('list', given);
    given.push('c');
    await turns(house);
    const got = await answer;
    expect(got).toEqual({ list: ['a', 'b'] });
    shared.list.push('later');
    expect(got).toEqual({ list: ['a', 'b'] });
    expect(run.state.steps).toBe(steps);
    expect(house.orchestrator.list({ hidden: true }).items).toHaveLength(1);
  });

  it('waits for code that answers: of a run that is queued, of code that has not come to it, of a page that opens', async () => {
    const house = await open({ queues: { one: { concurrency: 1 } } });
    const task = defineTask({
      id: name('late'), queue: 'one', ...once,
      run: async (who: string, ctx) => {
        await ctx.step('before', () => 1);
        ctx.onQuery('who', () => who);
        if (who === 'first') await ctx.waitFor('go');
        else await ctx.sleep('1d');
      },
    });
    house.orchestrator.trigger(task, 'first');
    const second = house.orchestrator.trigger(task, 'second');
    const answer = second.query('who');
    await turns(house, 1000);
    await house.orchestrator.send('go', null);
    await turns(house);
    expect(await answer).toBe('second');
    const next = await crash(house);
    const again = next.orchestrator.attach(second.id)!.query('who', undefined, { timeout: '2d' });
    await turns(next, 86_400_000);
    // Its code runs again when its sleep is over, and comes to it.
    expect(await again).toBe('second');
    await expect(next.orchestrator.attach(second.id)!.query('who')).rejects.toThrow(/has ended \(completed\)/);
  });

  it('says why nobody answers: another name, no code that runs, an end, a time that is over', async () => {
    const house = await open({ queues: { none: { concurrency: 1 } } });
    const sleeps = asked(async (ctx) => {
      ctx.onQuery('one', () => 1);
      await ctx.sleep('1d');
    });
    const run = house.orchestrator.trigger(sleeps, null);
    const wrong = run.query('two').catch((error) => error);
    await turns(house, 10_000);
    expect(await wrong).toMatchObject({ name: 'QueryError', code: 'QUERY', message: expect.stringMatching(/"two" was not answered by run \S+ of "asked-\d+" within 10000 ms\. Its code answers "one"; ctx\.onQuery\("two"/) });
    const delayed = house.orchestrator.trigger(sleeps, null, { delay: '1h' });
    const early = delayed.query('one', null, { timeout: 500 }).catch((error) => error);
    await turns(house, 500);
    expect(await early).toMatchObject({ name: 'QueryError', message: expect.stringMatching(/Its code does not run: .+/) });
    const open1 = run.query('two').catch((error) => error);
    await turns(house);
    await run.cancel();
    expect(await open1).toMatchObject({ message: expect.stringContaining('has ended (cancelled)') });
    await expect(run.query('one')).rejects.toBeInstanceOf(QueryError);
  });

  it('throws what the code throws, and refuses what is no name, no data, no answer, no option', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(asked(async (ctx) => {
      ctx.onQuery('throws', () => {
        throw new RangeError('not today');
      });
      ctx.onQuery('function', () => () => 1);
      expect(() => ctx.onQuery('', () => 1)).toThrow(/ctx\.onQuery name must be text of 1 to 100 bytes/);
      expect(() => ctx.onQuery('x', 5 as never)).toThrow(/ctx\.onQuery\("x"\) answer must be a function, not 5/);
      await ctx.sleep('1h');
    }), null);
    await turns(house);
    await expect(run.query('throws')).rejects.toThrow(new RangeError('not today'));
    await expect(run.query('function')).rejects.toThrow(/the answer to query "function"/);
    await expect(run.query('throws', () => 1)).rejects.toThrow(/data/);
    await expect(run.query('')).rejects.toThrow(/query name must be text of 1 to 100 bytes, not ""/);
    await expect(run.query('throws', 1, { timeOut: 1 } as never)).rejects.toThrow(/query "throws"/);
    await expect(run.query('throws', 1, { timeout: 'soon' })).rejects.toThrow(/query "throws" timeout/);
  });

  it('is not answered by an attempt that is over', async () => {
    const house = await open();
    let kept!: TaskContext;
    const run = house.orchestrator.trigger(asked(async (ctx) => void (kept = ctx)), null);
    await run.result();
    expect(() => kept.onQuery('late', () => 1)).toThrow(/onQuery/);
  });
});

describe('an update', () => {
  it('gives its answer to whoever asked, each to its own, in order', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(basket(), null);
    const answers = [run.update('add', { sku: 'tea' }), run.update('add', { sku: 'milk' })];
    await turns(house);
    expect(await Promise.all(answers)).toEqual([{ size: 1 }, { size: 2 }]);
    expect(await run.query('skus')).toEqual(['tea', 'milk']);
    expect(await run.query('skus', 1)).toEqual(['tea']);
    const refused = run.update('add', { sku: 'bomb' }).catch((error) => error);
    await turns(house);
    expect(await refused).toMatchObject({ name: 'RangeError', message: 'no bombs' });
    await turns(house, 3_600_000);
    expect(await run.result()).toEqual(['tea', 'milk', 'bomb']);
    expect(await house.orchestrator.wait.listTokens()).toEqual([]);
  });

  it('survives a crash between being asked and being answered, and is answered once', async () => {
    const house = await open();
    const counts = { taken: 0 };
    const task = asked(async (ctx) => {
      const update = await ctx.waitForUpdate<number>('double').unwrap();
      counts.taken++;
      await ctx.sleep('1m');
      await update.respond(update.data * 2);
      await ctx.sleep('1m');
      await update.respond('another answer');
      return 'done';
    });
    const run = house.orchestrator.trigger(task, null);
    void run.update('double', 21, { id: 'one' });
    await turns(house);
    expect(counts.taken).toBe(1);
    const next = await crash(house);
    const again = next.orchestrator.attach(run.id)!.update('double', 21, { id: 'one' });
    await turns(next, 60_000);
    expect(await again).toBe(42);
    const third = await crash(next);
    const late = third.orchestrator.attach(run.id)!.update('double', 21, { id: 'one' });
    await turns(third);
    expect(await late).toBe(42);
    await turns(third, 60_000);
    expect(await third.orchestrator.attach(run.id)!.result()).toBe('done');
  });

  it('that was accepted before a crash is taken by code that comes to it later', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(asked(async (ctx) => {
      await ctx.sleep('1h');
      const update = await ctx.waitForUpdate('late', { match: { for: 'me' } }).unwrap();
      await update.respond('in the end');
      return update.data;
    }), null);
    void run.update('late', { for: 'another' }).catch(() => {});
    void run.update('late', { for: 'me' }, { id: 'mine', timeout: '2h' });
    await turns(house);
    const next = await crash(house);
    await turns(next, 3_600_000);
    const handle = next.orchestrator.attach(run.id)!;
    expect(await handle.result()).toEqual({ for: 'me' });
  });

  it('is refused at the call by the schema of its definition, and nothing is stored; what it gives is what the code gets', async () => {
    const house = await open();
    const task = defineTask({
      id: name('checked'), ...once,
      updates: { add: (given: { count?: string }) => {
        if (!given.count) throw new Error('count is missing');
        return { count: Number(given.count) };
      } },
      run: async (_: null, ctx) => {
        const update = await ctx.waitForUpdate('add').unwrap();
        await update.respond(update.data);
      },
    });
    const run = house.orchestrator.trigger(task, null);
    const stored = () => house.orchestrator.list({ hidden: true }).items.length;
    const before = stored();
    const bad = await run.update('add', {}).catch((error) => error);
    expect(bad).toBeInstanceOf(InputValidationError);
    expect(bad.message).toMatch(/Update "add" of run \S+ \("checked-\d+"\) is not valid: count is missing\./);
    await expect(run.update('remove')).rejects.toThrow(/"checked-\d+" takes no update "remove", only add\./);
    expect(stored()).toBe(before);
    const answer = run.update('add', { count: '7' });
    await turns(house);
    expect(await answer).toEqual({ count: 7 });
    expect(() => defineTask({ id: name('x'), updates: { add: 5 as never }, run: async () => 1 })).toThrow(/updates "add" must be a Standard Schema/);
    expect(() => defineTask({ id: name('x'), updates: [] as never, run: async () => 1 })).toThrow(/updates must be an object/);
  });

  it('ends with the run, or with its time', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(asked((ctx) => ctx.sleep('1d')), null);
    const slow = run.update('x', null, { timeout: '1m' }).catch((error) => error);
    await turns(house, 60_000);
    expect(await slow).toMatchObject({ name: 'UpdateError', message: expect.stringContaining('was not answered') });
    const orphan = run.update('x').catch((error) => error);
    await turns(house);
    await run.cancel();
    await turns(house);
    expect(await orphan).toMatchObject({ name: 'UpdateError', message: expect.stringMatching(/ended \(cancelled\) before it answered/) });
    await expect(run.update('x')).rejects.toBeInstanceOf(UpdateError);
    await expect(run.update('x', null, { timeout: 0 })).rejects.toThrow(/timeout must be more than 0/);
    await expect(run.update('x', null, { id: 'y'.repeat(65) })).rejects.toThrow(/update "x" id/);
  });

  it('keeps a last answer that nobody waited for before the run ended', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(asked(async (ctx) => {
      const update = await ctx.waitForUpdate('last').unwrap();
      void update.respond('bye');
    }), null);
    const answer = run.update('last');
    await turns(house);
    expect(await answer).toBe('bye');
  });

  it('that does not come in time is named as what it is', async () => {
    const house = await open();
    const run = house.orchestrator.trigger(asked(async (ctx) => {
      const result = await ctx.waitForUpdate('never', { timeout: 5 });
      const seen: unknown[] = [];
      for await (const data of ctx.events('news', { timeout: 5 })) seen.push(data);
      return [result.ok ? '' : result.error.message, seen];
    }), null);
    await house.clock.advance(5);
    await run.signal('news', 1);
    await run.signal('news', 2);
    await turns(house, 5);
    expect(await run.result()).toEqual([`No update "never" came for run ${run.id} within 5 ms.`, [1, 2]]);
  });
});

it('code in a worker is asked the same', async () => {
  const handler = async (_: unknown, ctx: TaskContext) => {
    let total = 0;
    ctx.onQuery('total', async (factor: number) => total * factor);
    ctx.onQuery('throws', () => {
      throw new RangeError('in the worker');
    });
    for await (const update of ctx.updates<bigint>('add', { timeout: 50 })) {
      total += Number(update.data);
      await update.respond(total);
    }
    return total;
  };
  const run = workerHandler<any, any>(() => new FakeWorker((scope) => serve(handler as never, scope)) as unknown as Worker);
  const house = await open();
  const handle = house.orchestrator.trigger(defineTask({ id: name('in-worker'), ...once, run }), null);
  const answer = handle.update('add', 5n);
  await turns(house);
  expect(await answer).toBe(5);
  const total = handle.query('total', 2);
  const thrown = handle.query('throws').catch((error) => error);
  await turns(house);
  expect(await total).toBe(10);
  expect(await thrown).toMatchObject({ name: 'RangeError', message: 'in the worker' });
  await turns(house, 50);
  expect(await handle.result()).toBe(5);
  run.close();
});
