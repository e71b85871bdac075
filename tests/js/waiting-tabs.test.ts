/** Waiting over several tabs of one origin: events reach all of them, tokens are completed from any, and both outlive their tab. */
import { defineTask, type Storage, type TaskContext, TestClock } from 'holdfast';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { memory } from '../../js/storage/memory.ts';
import { FakeLocks } from '../fake/locks.ts';
import { type House, openHouse } from './house.ts';

let locks: FakeLocks;
let clock: TestClock;
let storage: Storage;
let namespace: string;
let tabs: House[] = [];
let made = 0;
const name = (text: string) => `${text}-${++made}`;
const waiting = (run: (ctx: TaskContext) => Promise<unknown>) => defineTask({ id: name('waits'), retry: { maxAttempts: 1 }, run: (_: null, ctx) => run(ctx) });

beforeEach(() => {
  locks = new FakeLocks();
  vi.stubGlobal('navigator', { locks });
  clock = new TestClock();
  const kept = memory();
  // Tabs share what outlives them.
  storage = new Proxy(kept, {
    get(target, key) {
      if (key === 'durability') return 'process';
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  namespace = name('tabs');
});
afterEach(async () => {
  for (const { orchestrator } of tabs.splice(0)) await Promise.race([orchestrator.dispose(), new TestClock().settle()]);
  vi.unstubAllGlobals();
});

async function tab(): Promise<House> {
  const house = await openHouse({ tabs: true, namespace }, clock, storage);
  tabs.push(house);
  await talk();
  return house;
}

/** Messages between tabs take turns of the event loop, of which the clock knows nothing. */
async function talk(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.settle();
  }
}

/** Its process is gone: it writes and says nothing more, and the browser frees its lock. */
async function kill(house: House): Promise<void> {
  const { slot } = house.orchestrator.journal!.slot;
  house.cut();
  locks.kill(`holdfast:${namespace}:slot:${slot}`);
  await talk();
}

describe('an event', () => {
  it('reaches runs of other tabs, and is stored there when send resolves', async () => {
    const [one, other] = [await tab(), await tab()];
    const run = other.orchestrator.trigger(waiting(async (ctx) => [await ctx.waitFor('paid').unwrap()]), null);
    await talk();
    const { id } = await one.orchestrator.send('paid', { at: new Date(5), sum: 3n });
    expect([one, other].map(({ orchestrator }) => orchestrator.waiting.events.has('paid'))).toEqual([true, true]);
    expect(other.orchestrator.attach(id)!.state.local).toBe(true);
    await talk();
    expect(await run.result()).toEqual([{ at: new Date(5), sum: 3n }]);
    expect(one.orchestrator.list({ hidden: true }).items.filter(({ hidden }) => hidden)).toHaveLength(1);
  });

  it('is resolved after two seconds where a tab does not answer', async () => {
    const [one, other] = [await tab(), await tab()];
    other.cut();
    let sent = false;
    const sending = one.orchestrator.send('paid').then(() => (sent = true));
    await talk();
    await clock.advance(1999);
    expect(sent).toBe(false);
    await clock.advance(1);
    await sending;
  });

  it('that reached only the sender is found by a run that the sender’s heir takes over with it', async () => {
    const [one, other] = [await tab(), await tab()];
    const task = waiting(async (ctx) => {
      await ctx.sleep(5000);
      return ctx.waitFor('paid').unwrap();
    });
    const run = one.orchestrator.trigger(task, null);
    await talk();
    // For this run alone: only its tab has it.
    await run.signal('paid', 'kept');
    expect(other.orchestrator.waiting.events.has('paid')).toBe(false);
    await kill(one);
    await clock.advance(5000);
    await talk();
    const heir = other.orchestrator.attach(run.id)!;
    expect(heir.state.local).toBe(true);
    expect(await heir.result()).toBe('kept');
  });

  it('that both had is one event for whoever takes the other over', async () => {
    const [one, other] = [await tab(), await tab()];
    const task = waiting(async (ctx) => [(await ctx.waitFor('tick').unwrap()), (await ctx.waitFor('tick', { timeout: 9000 })).ok]);
    const run = one.orchestrator.trigger(task, null);
    await talk();
    await other.orchestrator.send('tick', 1);
    await talk();
    await kill(one);
    await clock.advance(9000);
    await talk();
    expect(await other.orchestrator.attach(run.id)!.result()).toEqual([1, false]);
    expect(other.orchestrator.list({ hidden: true }).items.filter(({ hidden }) => hidden)).toHaveLength(1);
  });

  it('for a run of another tab goes to its owner', async () => {
    const [one, other] = [await tab(), await tab()];
    const run = one.orchestrator.trigger(waiting((ctx) => ctx.waitFor('go').unwrap()), null);
    await talk();
    const remote = other.orchestrator.attach(run.id)!;
    expect(await remote.signal('go', new Map([[1, 2]]))).toBe(true);
    expect(await run.result()).toEqual(new Map([[1, 2]]));
    await talk();
    expect(await remote.signal('go')).toBe(false);
  });

  it('cancels runs of other tabs', async () => {
    const [one, other] = [await tab(), await tab()];
    const task = defineTask({ id: name('order'), cancelOn: [{ event: 'stop' }], run: async (_: null, ctx) => ctx.sleep('1h') });
    const run = one.orchestrator.trigger(task, null);
    await talk();
    await other.orchestrator.send('stop');
    await talk();
    expect(run.status).toBe('cancelled');
  });

  it('that is no event is not believed', async () => {
    const house = await tab();
    const channel = new BroadcastChannel(`holdfast:${namespace}`);
    for (const event of [null, { id: 5 }, { id: 'x', name: '', atMs: 1 }, { id: 'x', name: 'y', atMs: Number.NaN }, { id: 'x', name: 'y', atMs: 1, data: null }, { id: 'x', name: 'y', atMs: 1, data: { graph: [[99]] } }])
      channel.postMessage({ type: 'event', session: 'stranger', request: 'r', event });
    await talk();
    channel.close();
    expect(house.orchestrator.list({ hidden: true }).items).toEqual([]);
    expect(await house.orchestrator.send('y')).toBeDefined();
  });
});

describe('a wait token', () => {
  it('is completed from any tab, and waited for in any', async () => {
    const [one, other] = [await tab(), await tab()];
    const { id } = await one.orchestrator.wait.createToken({ idempotencyKey: 'order 7' });
    await talk();
    expect(await other.orchestrator.wait.createToken({ idempotencyKey: 'order 7' })).toEqual({ id, isCached: true });
    const run = other.orchestrator.trigger(waiting((ctx) => ctx.waitForToken(id)), null);
    const page = other.orchestrator.wait.forToken(id);
    await talk();
    expect(run.state.phase).toBe('waiting');
    expect((await other.orchestrator.wait.listTokens()).map((token) => token.status)).toEqual(['waiting']);
    expect(await other.orchestrator.wait.completeToken(id, { ok: 1n })).toBe(true);
    await talk();
    expect(await run.result()).toEqual({ ok: true, output: { ok: 1n } });
    expect(await page).toEqual({ ok: true, output: { ok: 1n } });
    expect(await other.orchestrator.wait.completeToken(id, 2)).toBe(false);
    expect(await other.orchestrator.wait.retrieveToken(id)).toMatchObject({ status: 'completed', output: { ok: 1n } });
  });

  it('outlives its tab: its heir answers for it', async () => {
    const [one, other] = [await tab(), await tab()];
    const { id } = await one.orchestrator.wait.createToken();
    await talk();
    const run = other.orchestrator.trigger(waiting((ctx) => ctx.waitForToken(id).unwrap()), null);
    const page = other.orchestrator.wait.forToken(id);
    await talk();
    await kill(one);
    expect(await other.orchestrator.wait.completeToken(id, 'from the heir')).toBe(true);
    await talk();
    expect([await run.result(), await page]).toEqual(['from the heir', { ok: true, output: 'from the heir' }]);
  });

  it('that its dead tab had completed is completed', async () => {
    const [one, other] = [await tab(), await tab()];
    const { id } = await one.orchestrator.wait.createToken();
    await talk();
    await one.orchestrator.wait.completeToken(id, 'done');
    await kill(one);
    expect(await other.orchestrator.wait.forToken(id)).toEqual({ ok: true, output: 'done' });
  });
});
