/** A queue whose concurrency all tabs of the origin share: slots are locks. */
import { defineTask, type RunHandle } from 'holdfast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import '../../js/limiting/origin-slots.ts';
import { name, open } from './houses.ts';
import { Origin, type Tab } from './origin.ts';

let origin: Origin;
beforeEach(() => void (origin = new Origin()));
afterEach(() => origin.close());

const slots = () => origin.locks.held.filter((lock) => lock.includes(':queue:'));

/** Runs last a second; the most that ran at once, in all tabs, and who ran. */
function watched(concurrency: number, options: object = {}) {
  const seen = { now: 0, most: 0, order: [] as string[] };
  const id = name('shared');
  const task = defineTask({ id, queue: 'q', retry: { maxAttempts: 1 }, run: async (label: string, ctx) => {
    seen.most = Math.max(seen.most, ++seen.now);
    seen.order.push(label);
    await new Promise<void>((resolve) => {
      origin.clock.schedule(origin.clock.now() + 1000, resolve);
      ctx.signal.addEventListener('abort', () => resolve());
    });
    seen.now--;
    return label;
  } });
  const queues = { q: { concurrency, scope: 'origin' as const, ...options } };
  const tab = () => origin.open({ tasks: [task], queues });
  const give = (where: Tab, label: string, count: number): RunHandle[] => Array.from({ length: count }, (_, index) => {
    let handle!: RunHandle;
    where.act(() => void (handle = where.orchestrator.trigger(task, `${label}${index}`)));
    return handle;
  });
  return { seen, tab, give, task, queues };
}

/** Dynamic imports and locks take turns of their own. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await origin.clock.advance(100);
  }
}

describe('with the scope origin', () => {
  it('three tabs together run no more than its concurrency, and all of them come to their turns', async () => {
    const { seen, tab, give } = watched(2);
    const tabs = [await tab(), await tab(), await tab()];
    const runs = tabs.flatMap((one, index) => give(one, 'abc'[index]!, 4));
    await pass(3000);
    expect(seen.most).toBe(2);
    expect(new Set(seen.order.map((label) => label[0])).size).toBe(3);
    await pass(12_000);
    expect(seen.most).toBe(2);
    expect(runs.every((run) => run.status === 'completed')).toBe(true);
    expect(slots()).toEqual([]);
  });

  it('an override is of one tab: so many slots at most that tab takes, and the others as many as there are', async () => {
    const { seen, tab, give } = watched(2);
    const [first, second] = [await tab(), await tab()];
    give(first, 'a', 20);
    await pass(300);
    await Promise.all([first.orchestrator.queues.overrideConcurrencyLimit('q', 4), pass(1500)]);
    expect(seen.most).toBe(4);
    await Promise.all([first.orchestrator.queues.resetConcurrencyLimit('q'), pass(2000)]);
    seen.most = seen.now;
    give(second, 'b', 4);
    await pass(2000);
    expect(seen.most).toBe(2);
    await expect(second.orchestrator.queues.overrideConcurrencyLimit('q', 65)).rejects.toThrow(/from 0 to 64, not 65/);
  });

  it('why says so; a tab that is killed leaves its slots to the others, which take its runs over', async () => {
    const { seen, tab, give } = watched(1);
    const [first, second] = [await tab(), await tab()];
    give(first, 'a', 2);
    await pass(300);
    const [waits] = give(second, 'b', 1);
    await pass(300);
    expect(seen.order).toEqual(['a0']);
    expect(second.orchestrator.why(waits!.id)).toBe('Waits for a slot of queue "q", whose 1 all tabs share.');
    expect(slots().length).toBe(1);
    first.kill();
    seen.now = 0;
    await pass(6000);
    expect(seen.most).toBe(1);
    expect(seen.order.slice(1).sort()).toEqual(['a0', 'a1', 'b0']);
    expect(waits!.status).toBe('completed');
  });

  it('a pause gives slots back when runs are over, and nobody is kept from them', async () => {
    const { seen, tab, give } = watched(1);
    const [first, second] = [await tab(), await tab()];
    give(first, 'a', 3);
    await pass(300);
    first.act(() => void first.orchestrator.queues.pause('q'));
    await pass(1500);
    give(second, 'b', 1);
    await pass(2500);
    expect(seen.order).toEqual(['a0', 'b0']);
  });

  it('needs a concurrency that slots can be made of', async () => {
    await expect(open({ queues: { q: { scope: 'origin' } } })).rejects.toThrow(/scope 'origin', which needs a concurrency from 1 to 64, not undefined/);
    await expect(open({ queues: { q: { scope: 'origin', concurrency: { total: 5 } } } })).rejects.toThrow(/needs a concurrency/);
    await expect(open({ queues: { q: { scope: 'world' as never } } })).rejects.toThrow(/scope must be one of tab, origin/);
  });
});
