/** Ids of steps, and the header made of them: the same for what is asked again, another for everything else. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigurationError, defineTask, FatalError, type TaskContext } from 'holdfast';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stepIdOf } from '../../js/context/step-id.ts';
import { crash, name, open } from './houses.ts';

let url = '';
let keys: (string | undefined)[] = [];
let refusals = 0;
const server = createServer((request, response) => {
  keys.push(request.headers['idempotency-key'] as string | undefined);
  response.writeHead(refusals-- > 0 ? 503 : 200).end('good');
});
beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
beforeEach(() => {
  keys = [];
  refusals = 0;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const once = { maxAttempts: 1 };
const retry = { minDelayMs: 1000, randomize: false };

describe('the id of a step', () => {
  it('P13: is the same in every attempt and after a crash, and of no other step or run', async () => {
    const seen: string[] = [];
    let isFailing = true;
    let hangs = true;
    const task = defineTask({ id: name('pay'), retry, run: async (_: null, ctx) => {
      await ctx.step('other', ({ stepId }) => void seen.push(stepId));
      await ctx.step('pay', async ({ stepId }) => {
        seen.push(stepId);
        if (isFailing) throw new Error('no');
        if (hangs) await new Promise(() => {});
      });
    } });
    const house = await open();
    const run = house.orchestrator.trigger(task, null, { id: 'one' });
    await house.clock.settle();
    expect(seen).toEqual(['one/other', 'one/pay']);
    isFailing = false;
    await house.clock.advance(1000);
    expect(run.state.attempt).toBe(2);
    hangs = false;
    const next = await crash(house, { tasks: [task] });
    await next.clock.settle();
    expect(next.orchestrator.getTaskState('one')?.status).toBe('completed');
    expect(seen).toEqual(['one/other', 'one/pay', 'one/pay', 'one/pay']);
    await next.orchestrator.trigger(task, null, { id: 'two' }).result();
    expect(seen.slice(4)).toEqual(['two/other', 'two/pay']);
  });

  it('P13: tells steps of one name apart by their order, and by the id they were given', async () => {
    const task = defineTask({ id: name('many'), run: async (_: null, ctx) => {
      const ids: string[] = [];
      const note = ({ stepId }: { stepId: string }) => void ids.push(stepId);
      await ctx.step('a', note);
      await ctx.step('a', note);
      await ctx.step('a', note, { id: '1' });
      await ctx.step('a/1', note);
      await ctx.map(['x'], (_item, info) => note(info));
      return ids;
    } });
    const { orchestrator } = await open();
    const ids = await orchestrator.trigger(task, null, { id: 'r' }).result();
    expect(ids).toEqual(['r/a', 'r/a/1', 'r/a/%23;1', 'r/a%2f;1', 'r/map/%23;0']);
    expect(new Set(ids).size).toBe(5);
  });

  it('P13: is another one for what is done again with another input, or after it was undone', async () => {
    const seen: string[] = [];
    const anew = defineTask({ id: name('anew'), run: async (round: number, ctx) => {
      await ctx.step('pay', ({ stepId }) => void seen.push(stepId));
      if (round < 3) ctx.continueAsNew(round + 1);
    } });
    let isBad = true;
    const undone = defineTask({ id: name('undone'), retry: once, run: async (_: null, ctx) => {
      await ctx.step('pay', ({ stepId }) => void seen.push(stepId), { compensate: () => {} });
      if (isBad) throw new Error('bad');
    } });
    const house = await open();
    await house.orchestrator.trigger(anew, 1, { id: 'a' }).result();
    expect(seen.splice(0)).toEqual(['a/pay', 'a/pay@1', 'a/pay@2']);
    const run = house.orchestrator.trigger(undone, null, { id: 'u' });
    await expect(run.result()).rejects.toThrow('bad');
    isBad = false;
    const next = await crash(house, { tasks: [undone] });
    await next.orchestrator.retryTask('u');
    await next.orchestrator.attach('u')!.result();
    expect(seen).toEqual(['u/pay', 'u/pay@1']);
  });

  it('P13: fits into a header whatever the names are, and stays unique', () => {
    const long = 'é'.repeat(300);
    const ids = [stepIdOf('run', long, 0), stepIdOf('run', `${long}x`, 0), stepIdOf('run', '\ud800 \u0000"', 0), stepIdOf('ru%20;n', '', 1), stepIdOf(long, 'step', 12)];
    for (const id of ids) expect(id).toMatch(/^[\x21-\x7e]{1,255}$/);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Headers({ 'Idempotency-Key': ids[0]! }).get('idempotency-key')).toBe(ids[0]);
  });

  it('P13: is refused where no step is known to ask, with the fix', async () => {
    const tell = async (work: (ctx: TaskContext) => Promise<unknown>): Promise<Error> => {
      const { orchestrator } = await open();
      const run = orchestrator.trigger(defineTask({ id: name('where'), retry: once, run: (_: null, ctx) => work(ctx as TaskContext) }), null);
      return run.result().then(() => new Error('not refused'), (error) => error);
    };
    const outside = await tell(async (ctx) => ctx.stepId);
    expect(outside).toBeInstanceOf(ConfigurationError);
    expect(outside.message).toMatch(/ctx\.step\(name, async \(\{ stepId \}\)/);
    const later = await tell((ctx) => ctx.step('a', async () => {
      await null;
      return ctx.stepId;
    }));
    expect(later).toBeInstanceOf(ConfigurationError);
    expect(await tell((ctx) => ctx.fetch(url, { idempotencyKey: true }))).toBeInstanceOf(ConfigurationError);
    expect(keys).toEqual([]);
    expect((await tell((ctx) => ctx.step('a', async () => { throw new FatalError(ctx.stepId); }))).message).toMatch(/^run_\w+\/a$/);
  });
});

describe('the header Idempotency-Key', () => {
  const fetches = async (init: (info: { stepId: string }) => object, input: () => string | Request = () => url) => {
    const house = await open();
    const task = defineTask({ id: name('send'), retry: once, run: (_: null, ctx) =>
      ctx.step('send', async (info) => (await (ctx as TaskContext).fetch(input(), { method: 'POST', retry: { byStatus: { '5xx': { strategy: 'backoff', minDelayMs: 0 } } }, ...init(info) })).status) });
    const run = house.orchestrator.trigger(task, null, { id: name('r') });
    const outcome = run.result().catch((error: Error) => error);
    for (let over = false; !over; ) {
      await house.clock.advance(10);
      over = await Promise.race([outcome.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);
    }
    return { id: run.id, outcome: await outcome };
  };

  it('P13: is the id of the step in every try', async () => {
    refusals = 2;
    const { id, outcome } = await fetches(() => ({ idempotencyKey: true }));
    expect(outcome).toBe(200);
    expect(keys).toEqual([`${id}/send`, `${id}/send`, `${id}/send`]);
  });

  it('P13: is what the caller says, beside the headers of the call or of the request', async () => {
    await fetches(({ stepId }) => ({ idempotencyKey: `mine-${stepId.length}` }));
    expect(keys[0]).toMatch(/^mine-\d+$/);
    const { outcome } = await fetches(() => ({ idempotencyKey: 'k', headers: undefined }), () => new Request(url, { headers: { 'x-own': '1' } }));
    expect(outcome).toBe(200);
    expect(keys[1]).toBe('k');
  });

  it.each([['no text', { idempotencyKey: 7 }], ['empty', { idempotencyKey: '' }], ['not ASCII', { idempotencyKey: 'é' }], ['false', { idempotencyKey: false }], ['two of them', { idempotencyKey: 'a', headers: { 'idempotency-key': 'b' } }]])(
    'P13: %s is refused by name, and nothing is sent', async (_, init) => {
      const { outcome } = await fetches(() => init);
      expect(outcome).toBeInstanceOf(ConfigurationError);
      expect((outcome as Error).message).toMatch(/idempotencyKey/);
      expect(keys).toEqual([]);
    });
});
