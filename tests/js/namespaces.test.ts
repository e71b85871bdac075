/** Destroying a namespace: nothing of it is left, other tabs stop, other namespaces stay, and what was cut short is finished. */
import { createOrchestrator, defineTask, destroyNamespace, NamespaceDestroyedError } from 'holdfast';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Origin, type Tab } from './origin.ts';

let origin: Origin;
let kept: Map<string, string>;
let onKept: (key: string) => unknown;
beforeEach(() => {
  origin = new Origin();
  kept = new Map();
  onKept = () => {};
  vi.stubGlobal('localStorage', {
    get length() {
      return kept.size;
    },
    key: (index: number) => [...kept.keys()][index] ?? null,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => {
      kept.set(key, value);
      onKept(key);
    },
    removeItem: (key: string) => void kept.delete(key),
  });
});
afterEach(() => origin.close());

const quick = defineTask({ id: 'quick', run: async (n: number) => n * 2 });
const endless = defineTask({
  id: 'endless',
  run: (_: { file?: Blob }, ctx) => new Promise((_, stop) => ctx.signal.addEventListener('abort', () => stop(ctx.signal.reason))),
});

/** What lies in the store, whoever has written it. */
async function stored(): Promise<number> {
  let bytes = 0;
  for (const number of await origin.disk.occupiedSlots()) {
    const slot = await origin.disk.openSlot(number);
    bytes += (await slot.read()).length + (await slot.blobIds()).length;
    await slot.close();
  }
  return bytes;
}

const destroy = (tab: Tab, options = {}) => {
  let done: Promise<void>;
  tab.act(() => void (done = tab.orchestrator.destroyNamespace(options)));
  return done!;
};

describe('destroying a namespace', () => {
  it('leaves nothing of it, and a new orchestrator begins with nothing', async () => {
    const tab = await origin.open();
    const waiting = tab.orchestrator.trigger(endless, { file: new Blob(['x'.repeat(200_000)]) });
    await tab.orchestrator.trigger(quick, 1).result();
    await waiting.accepted;
    kept.set('holdfast:default:end:0', '1');
    kept.set('holdfast:default2:end:0', 'other');
    expect(await stored()).toBeGreaterThan(0);

    const heard = waiting.result().catch((error) => error);
    await destroy(tab);
    expect(await heard).toBeInstanceOf(NamespaceDestroyedError);
    expect(await stored()).toBe(0);
    expect([...kept]).toEqual([['holdfast:default2:end:0', 'other']]);
    expect(tab.orchestrator.getAllTasks()).toEqual([]);
    expect(tab.orchestrator.counts().total).toBe(0);
    expect(tab.orchestrator.storageState).toMatchObject({ status: 'destroyed', message: expect.stringContaining('destroyed') });
    expect(() => tab.orchestrator.trigger(quick, 1)).toThrow(NamespaceDestroyedError);

    const next = await origin.open();
    expect(next.orchestrator.getAllTasks()).toEqual([]);
    expect(await next.orchestrator.run(quick, 4)).toBe(8);
  });

  it('ends the other tabs too: they show nothing, who waits hears why, and who looks is told', async () => {
    const [one, other] = [await origin.open(), await origin.open()];
    const theirs = other.orchestrator.trigger(endless, {});
    await theirs.accepted;
    const heard = theirs.result().catch((error) => error);
    const told: string[] = [];
    other.orchestrator.on('storage', () => told.push(other.orchestrator.storageState.status));
    const looked: number[] = [];
    other.orchestrator.subscribe(() => looked.push(other.orchestrator.getAllTasks().length));
    await destroy(one);
    expect(await heard).toMatchObject({ code: 'NAMESPACE_DESTROYED' });
    expect(told).toContain('destroyed');
    expect(looked.at(-1)).toBe(0);
    expect(other.orchestrator.disposed).toBe(true);
    expect(origin.locks.names).toEqual([]);
    expect(await stored()).toBe(0);
  });

  it('waits for a tab that does not answer only so long, deletes nothing then, and the next opening finishes it', async () => {
    const [one, frozen] = [await origin.open(), await origin.open()];
    await frozen.orchestrator.trigger(quick, 1).result();
    // A frozen tab keeps its locks and hears nothing.
    frozen.dead = true;
    await expect(destroy(one, { timeout: 50 })).rejects.toMatchObject({ code: 'NAMESPACE_IN_USE', message: expect.stringContaining('50 ms') });
    expect(await stored()).toBeGreaterThan(0);
    expect(kept.has('holdfast:default:destroying')).toBe(true);
    frozen.kill();
    const next = origin.begin();
    await next.orchestrator.ready;
    expect(kept.has('holdfast:default:destroying')).toBe(false);
    expect(next.orchestrator.getAllTasks().filter(({ local }) => local)).toEqual([]);
  });

  it('keeps who opens meanwhile waiting until it is done', async () => {
    const one = await origin.open();
    await one.orchestrator.trigger(quick, 1).result();
    const done = destroy(one);
    const next = await new Promise<Tab>((resolve) => {
      onKept = (key) => key.endsWith(':destroying') && resolve(origin.begin());
    });
    await done;
    await next.orchestrator.ready;
    expect(next.orchestrator.getAllTasks()).toEqual([]);
    expect(await next.orchestrator.run(quick, 2)).toBe(4);
  });

  it('can be done twice, at once and one after the other, and after the orchestrator was disposed', async () => {
    const one = await origin.open();
    await Promise.all([destroy(one), destroy(one)]);
    await destroy(one);
    const two = await origin.open();
    await two.orchestrator.trigger(quick, 1).result();
    await two.orchestrator.dispose();
    await destroy(two);
    expect(await stored()).toBe(0);
  });

  it('refuses options and names that are none, and changes nothing', async () => {
    const one = await origin.open();
    await expect(destroy(one, { timeout: -1 })).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(destroy(one, { now: true } as never)).rejects.toThrow('now');
    await expect(destroyNamespace('')).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(destroyNamespace(undefined as never)).rejects.toMatchObject({ code: 'CONFIGURATION' });
    expect(await one.orchestrator.run(quick, 1)).toBe(2);
  });
});

describe('another user on the same page', () => {
  it('H13: gets no orchestrator of the first one, who has to be let go before, and then nothing of theirs is shown', async () => {
    const mine = { storage: 'memory' as const, tabs: false };
    const anna = createOrchestrator({ ...mine, namespace: 'anna' });
    expect(await anna.trigger(quick, 1).result()).toBe(2);
    expect(createOrchestrator()).toBe(anna);
    expect(createOrchestrator({ namespace: 'anna' })).toBe(anna);
    for (const other of [() => createOrchestrator({ ...mine, namespace: 'bob' }), () => anna.setOptions({ namespace: 'bob' }), () => anna.setOptions({ id: 'bob' })])
      expect(other).toThrow(expect.objectContaining({ code: 'CONFIGURATION', message: expect.stringMatching(/anna|default/) }));
    anna.setOptions({ namespace: undefined });
    expect(anna.getOptions().namespace).toBe('anna');
    await anna.dispose();
    const bob = createOrchestrator({ ...mine, namespace: 'bob' });
    expect(bob).not.toBe(anna);
    expect(bob.getAllTasks()).toEqual([]);
    await bob.dispose();
  });
});
