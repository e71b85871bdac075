/** `triggerAndWait` in a task's code: a durable child, whose end is a value. */
import { defineTask, idempotencyKeys, tasks } from 'holdfast';
import { describe, expect, it } from 'vitest';
import type { House } from './house.ts';
import { crash, name, open } from './houses.ts';

const double = defineTask({ id: 'triggered-double', run: async (n: number) => n * 2 });
const broken = defineTask({ id: 'triggered-broken', retry: { maxAttempts: 1 }, run: async (_: null): Promise<number> => Promise.reject(new Error('no')) });
const childrenOf = ({ orchestrator }: House, parentId: string) => orchestrator.list({ parentId }).items.map(({ taskIdentifier }) => taskIdentifier).sort();
const isWaiting = (house: House, id: string) => () => house.orchestrator.getTaskState(id)?.phase === 'waiting';

async function until(house: House, isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !isSo(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await house.clock.settle();
  }
  expect(isSo()).toBe(true);
}

describe('triggerAndWait in a task', () => {
  it('makes a child, whose result is a value', async () => {
    const house = await open({ storage: 'memory' });
    const parent = defineTask({
      id: name('parent'),
      run: async (_: null) => {
        const good = await double.triggerAndWait(2);
        const bad = await broken.triggerAndWait(null);
        const byId = await tasks.triggerAndWait<typeof double>(double.id, 5);
        const unwrapped = await double.triggerAndWait(4).unwrap();
        const side = await Promise.all([double.triggerAndWait(6), double.triggerAndWait(7)]);
        return [good.ok && good.output, bad.ok || bad.error.message, byId.ok && byId.output, unwrapped, ...side.map((each) => each.ok && each.output)];
      },
    });
    const run = house.orchestrator.trigger(parent, null);
    expect(await run.result()).toEqual([4, 'no', 10, 8, 12, 14]);
    expect(childrenOf(house, run.id)).toEqual([broken.id, ...Array(5).fill(double.id)]);
  });

  it('is found again after a crash, and not made twice, while it runs and when it has ended', async () => {
    let made = 0;
    let open_!: (value: string) => void;
    const gate = () => new Promise<string>((resolve) => (open_ = resolve));
    const fast = defineTask({ id: name('fast'), run: async (_: null) => ++made });
    const slow = defineTask({ id: name('slow'), run: (_: null) => gate() });
    const seen: unknown[] = [];
    const parent = defineTask({
      id: name('parent'),
      run: async (_: null) => {
        const first = await fast.triggerAndWait(null);
        const lost = await broken.triggerAndWait(null);
        seen.push(lost.ok || [lost.status, lost.id, lost.error.message]);
        const second = await slow.triggerAndWait(null);
        return [first.ok && first.output, lost.ok, second.ok && second.output];
      },
    });
    let house = await open();
    const { id } = house.orchestrator.trigger(parent, null);
    const hasSlow = () => house.orchestrator.list({ parentId: id, taskIdentifier: slow.id, status: 'running' }).items.length === 1;
    await until(house, hasSlow);
    const before = house.orchestrator.list({ parentId: id }).items.map((item) => item.id).sort();
    house = await crash(house, { tasks: [parent, fast, slow, broken] });
    await until(house, () => hasSlow() && isWaiting(house, id)());
    expect(house.orchestrator.list({ parentId: id }).items.map((item) => item.id).sort()).toEqual(before);
    open_('done');
    expect(await house.orchestrator.attach(id)!.result()).toEqual([1, false, 'done']);
    expect(made).toBe(1);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toEqual(seen[0]);
  });

  it('tries a failed child again when the code is tried again, and keeps what succeeded', async () => {
    const house = await open({ storage: 'memory' });
    const calls = { good: 0, bad: 0 };
    const good = defineTask({ id: name('good'), run: async (_: null) => ++calls.good });
    const bad = defineTask({ id: name('bad'), retry: { maxAttempts: 1 }, run: async (_: null) => (++calls.bad < 2 ? Promise.reject(new Error('not yet')) : 'now') });
    const parent = defineTask({
      id: name('parent'),
      retry: { maxAttempts: 2, backoff: [10] },
      run: async (_: null) => {
        const first = await good.triggerAndWait(null);
        const second = await bad.triggerAndWait(null);
        if (!second.ok) throw second.error;
        return [first.ok && first.output, second.output];
      },
    });
    const run = house.orchestrator.trigger(parent, null);
    await until(house, () => calls.bad === 1 && run.state.phase === 'retrying');
    await house.clock.advance(1000);
    await until(house, () => run.status === 'completed');
    expect(await run.result()).toEqual([1, 'now']);
    expect(calls).toEqual({ good: 1, bad: 2 });
  });

  it('with a key that another run holds gives what that came to, and the same after a crash', async () => {
    let open_!: (value: unknown) => void;
    const shared = defineTask({ id: name('shared'), run: async (n: number) => n });
    const later = defineTask({ id: name('later'), run: (_: null) => new Promise((resolve) => (open_ = resolve)) });
    const results: unknown[] = [];
    const parent = defineTask({
      id: name('parent'),
      run: async (_: null) => {
        const result = await shared.triggerAndWait(2, { idempotencyKey: idempotencyKeys.create('one', { scope: 'global' }) });
        results.push(result);
        await later.triggerAndWait(null);
        return result.ok && result.output;
      },
    });
    let house = await open();
    const holder = house.orchestrator.trigger(shared, 1, { idempotencyKey: 'one' });
    await holder.result();
    const { id } = house.orchestrator.trigger(parent, null);
    const asks = () => house.orchestrator.list({ taskIdentifier: later.id, status: 'running' }).items.length === 1;
    await until(house, asks);
    house = await crash(house, { tasks: [parent, shared, later] });
    await until(house, () => asks() && results.length === 2);
    open_(null);
    expect(await house.orchestrator.attach(id)!.result()).toBe(1);
    expect(results[0]).toMatchObject({ ok: true, id: holder.id, output: 1 });
    expect(results[1]).toEqual(results[0]);
  });

  it('is cancelled with its parent', async () => {
    const house = await open({ storage: 'memory' });
    const slow = defineTask({ id: name('slow'), run: (_: null, ctx) => new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) });
    const parent = defineTask({ id: name('parent'), run: async (_: null) => slow.triggerAndWait(null).unwrap() });
    const run = house.orchestrator.trigger(parent, null);
    await until(house, () => childrenOf(house, run.id).length === 1 && run.state.phase === 'waiting');
    await run.cancel();
    await until(house, () => house.orchestrator.list({ parentId: run.id, status: 'cancelled' }).items.length === 1);
    expect(run.status).toBe('cancelled');
  });

  it('says at the call what is wrong with it', async () => {
    const house = await open({ storage: 'memory' });
    const parent = defineTask({
      id: name('parent'),
      retry: { maxAttempts: 1 },
      run: async (kind: string) => {
        if (kind === 'task') return tasks.triggerAndWait('nobody knows it', 1);
        return double.triggerAndWait(1, { colour: 'red' } as never);
      },
    });
    expect((await house.orchestrator.triggerAndWait(parent, 'task')) as unknown).toMatchObject({ ok: false, error: { name: 'UnrecognizedTaskError' } });
    expect((await house.orchestrator.triggerAndWait(parent, 'options')) as unknown).toMatchObject({ ok: false, error: { name: 'ConfigurationError', message: expect.stringContaining('colour') } });
  });

  it('of another orchestrator, or after an await of something else, is a run of its own', async () => {
    const house = await open({ storage: 'memory' });
    const other = await open({ storage: 'memory' });
    const parent = defineTask({
      id: name('parent'),
      run: async (_: null) => {
        const elsewhere = await other.orchestrator.triggerAndWait(double, 1);
        const after = await house.orchestrator.triggerAndWait(double, 2);
        return [elsewhere.ok && elsewhere.output, after.ok && after.output];
      },
    });
    const run = house.orchestrator.trigger(parent, null);
    expect(await run.result()).toEqual([2, 4]);
    expect(childrenOf(house, run.id)).toEqual([]);
    expect(other.orchestrator.list().items).toHaveLength(1);
  });
});
