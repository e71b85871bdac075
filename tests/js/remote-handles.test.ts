/** Handles of another tab's run: they end as it does, wherever it goes on, and whoever waits with one hears why there is nothing more to wait for. */
import { defineTask, DisposedError, NamespaceDestroyedError, type RunHandle, StorageLostError, TabSilentError } from 'holdfast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Origin, type Tab } from './origin.ts';

let origin: Origin;
beforeEach(() => {
  origin = new Origin();
});
afterEach(() => origin.close());

const work = defineTask({
  id: 'remote handle',
  retry: { maxAttempts: 1 },
  run: async (word: string, ctx) => {
    await ctx.stream('out').append(word);
    await ctx.sleep('1m');
    await ctx.metadata.set('said', word);
    return `${word} done`;
  },
});
const open = () => origin.open({ tasks: [work] });

/** What is loaded with its first use takes turns of the real loop. */
async function settle(ms = 0): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await origin.clock.settle();
  }
  if (ms > 0) await origin.clock.advance(ms);
  if (ms > 0) await settle();
}

async function running(): Promise<{ owner: Tab; other: Tab; handle: RunHandle }> {
  const [owner, other] = [await open(), await open()];
  await owner.orchestrator.streams.load();
  owner.act(() => void owner.orchestrator.trigger(work, 'it', { id: 'it' }));
  await settle(100);
  return { owner, other, handle: other.orchestrator.attach('it')! };
}

/** Everything that waits for the end. */
function waiting(handle: RunHandle) {
  const read = async (source: AsyncIterable<unknown>) => {
    const all: unknown[] = [];
    for await (const one of source) all.push(one);
    return all;
  };
  return Promise.allSettled([handle.result(), handle.wait(), read(handle), read(handle.stream('out'))]);
}
const reasons = (ended: Awaited<ReturnType<typeof waiting>>) => ended.map((one) => (one.status === 'rejected' ? one.reason : 'resolved'));

describe('a handle of another tab’s run', () => {
  it.each(['dies', 'is closed'])('goes on with the run when that tab %s and its own takes the run over', async (how) => {
    const { owner, other, handle } = await running();
    const ended = waiting(handle);
    const seen: unknown[] = [];
    handle.subscribe(({ status, metadata }) => seen.push(`${status} ${metadata.said ?? ''}`));
    if (how === 'dies') owner.kill();
    else owner.act(() => void owner.orchestrator.dispose());
    await settle(2000);
    expect(other.own.map(({ id }) => id)).toEqual(['it']);
    expect(handle.state).toMatchObject({ id: 'it', local: true });
    await settle(60_000);
    expect(await ended).toMatchObject([
      { value: 'it done' }, { value: { ok: true, status: 'completed', output: 'it done' } }, { value: [{ type: 'succeeded', runId: 'it' }] }, { value: ['it'] },
    ]);
    expect(seen.at(-1)).toBe('completed it');
    expect(await handle.result()).toBe('it done');
  });

  it('commands it in its own tab then', async () => {
    const { owner, handle } = await running();
    owner.kill();
    await settle(2000);
    const paused = handle.pause('hard');
    await settle();
    expect(await paused).toBe(true);
    expect(handle.state.status).toBe('paused');
    const cancelled = handle.cancel('enough');
    await settle();
    expect(await cancelled).toBe(true);
    expect(await handle.wait()).toMatchObject({ ok: false, status: 'cancelled' });
  });

  it('says that this tab has been disposed, or the namespace destroyed, to whoever waits', async () => {
    const { other, handle } = await running();
    const ended = waiting(handle);
    await settle();
    other.act(() => void other.orchestrator.dispose());
    await settle();
    expect(reasons(await ended)).toEqual(Array(4).fill(expect.any(DisposedError)));
    expect(reasons(await waiting(handle))).toEqual(Array(4).fill(expect.any(DisposedError)));

    const third = await open();
    const signedOut = waiting(third.orchestrator.attach('it')!);
    await settle();
    await third.orchestrator.opening.destroyed();
    await settle();
    expect(reasons(await signedOut)).toEqual(Array(4).fill(expect.any(NamespaceDestroyedError)));
  });

  it('says that its tab does not answer, and calls no run failed that has completed', async () => {
    const { owner, handle } = await running();
    const [result, wait] = [handle.result(), handle.wait()];
    for (const promise of [result, wait]) promise.catch(() => {});
    owner.silent = true;
    await settle(61_000);
    expect(handle.state.status).toBe('completed');
    await settle(11_000);
    await expect(result).rejects.toBeInstanceOf(TabSilentError);
    await expect(wait).rejects.toBeInstanceOf(TabSilentError);
    owner.silent = false;
    const again = handle.result();
    await settle();
    expect(await again).toBe('it done');
  });

  it('of a run that was removed, or that nobody takes over, says so', async () => {
    const { owner, other, handle } = await running();
    await settle(61_000);
    const removed = other.orchestrator.removeTask('it');
    await settle();
    expect(await removed).toBe(true);
    await expect(handle.result()).rejects.toBeInstanceOf(StorageLostError);

    owner.act(() => void owner.orchestrator.trigger(work, 'lost', { id: 'lost' }));
    await settle(100);
    const lost = other.orchestrator.attach('lost')!.result();
    lost.catch(() => {});
    origin.onOperation = ({ tab, name }) => (tab === other && name === 'openSlot' ? Promise.reject(new Error('no disk')) : undefined);
    owner.kill();
    await settle(16_000);
    await expect(lost).rejects.toThrow('nobody has taken it over');
  });
});
