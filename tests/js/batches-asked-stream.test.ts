/** `batch.stream` in a task's code: results as they come, in the same order when the code runs again. */
import { batch, defineTask } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../js/time/random.ts';
import { again, crash, name, open } from './houses.ts';

const item = defineTask({
  id: 'asked-stream-item',
  retry: { maxAttempts: 1 },
  run: async ({ n, delayMs, fails }: { n: number; delayMs: number; fails?: boolean }, ctx) => {
    if (delayMs > 0) await ctx.sleep(delayMs);
    if (fails) throw new Error(`item ${n}`);
    return n * 7;
  },
});
type Plan = { delays: number[]; ordered?: boolean; fails?: number[]; leaveAfter?: number };
/** By run: what its code was given, in each life. */
const given = new Map<string, number[][]>();
const words = (result: { ok: boolean; index: number }) => (result.ok ? result.index : -1 - result.index);

const reader = defineTask({
  id: 'asked-stream-reader',
  run: async (plan: Plan, ctx) => {
    const seen: number[] = [];
    given.set(ctx.run.id, [...(given.get(ctx.run.id) ?? []), seen]);
    const items = plan.delays.map((delayMs, n) => ({ task: item, payload: { n, delayMs, fails: plan.fails?.includes(n) ?? false } }));
    for await (const result of ctx.batch.stream(items, { ordered: plan.ordered ?? false })) {
      seen.push(words(result));
      if (seen.length % 3 === 0) await ctx.step(`look-${seen.length}`, () => null);
      if (seen.length === plan.leaveAfter) break;
    }
    return seen;
  },
});

describe('batch.stream in a task', () => {
  it('gives results as they come, failures as data, or in the order of the items', async () => {
    const { orchestrator, clock } = await open({ storage: 'memory' });
    const asTheyCome = orchestrator.trigger(reader, { delays: [30, 10, 20, 0], fails: [2] });
    const inOrder = orchestrator.trigger(reader, { delays: [30, 10, 20, 0], ordered: true });
    await clock.advance(100);
    expect(await asTheyCome.result()).toEqual([3, 1, -3, 0]);
    expect(await inOrder.result()).toEqual([0, 1, 2, 3]);
  });

  it('is a child of the run, and cancelled when the loop is left', async () => {
    const { orchestrator, clock } = await open({ storage: 'memory' });
    const run = orchestrator.trigger(reader, { delays: [0, 10, 5000], leaveAfter: 2 });
    await clock.advance(100);
    expect(await run.result()).toEqual([0, 1]);
    const [stream] = orchestrator.list({ parentId: run.id, taskIdentifier: 'holdfast/batch' }).items;
    expect(stream).toMatchObject({ status: 'cancelled' });
    expect(orchestrator.list({ parentId: stream!.id, status: 'cancelled' }).items).toHaveLength(1);
  });

  it('pulls no more of a source than highWater beyond what was taken, and throws what it throws', async () => {
    const { orchestrator, clock } = await open({ storage: 'memory' });
    let pulled = 0;
    let taken = 0;
    let most = 0;
    function* source() {
      for (let n = 0; n < 20; n++) {
        most = Math.max(most, ++pulled - taken);
        yield { task: item, payload: { n, delayMs: 0 } };
      }
      throw new Error('the source is broken');
    }
    const parent = defineTask({
      id: name('parent'),
      retry: { maxAttempts: 1 },
      run: async (_: null, ctx) => {
        for await (const result of batch.stream(source(), { highWater: 4 })) {
          taken += Number(result.ok);
          await ctx.sleep(10);
        }
      },
    });
    const run = orchestrator.trigger(parent, null);
    await clock.advance(5000);
    const result = await run.wait();
    expect(result).toMatchObject({ ok: false, error: { name: 'BatchTriggerError', data: { phase: 'stream', itemCount: 20 } } });
    expect(taken).toBe(20);
    expect(most).toBeLessThanOrEqual(5);
  });

  it('killed at random moments gives each result once, in the order in which it gave them before', async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const random = seededRandom(seed);
      const below = (limit: number) => Math.floor(random() * limit);
      const delays = Array.from({ length: 1 + below(25) }, () => below(4) * 15);
      const fails = delays.flatMap((_, n) => (below(6) === 0 ? [n] : []));
      const ordered = below(3) === 0;
      let house = await open();
      const { id, accepted } = house.orchestrator.trigger(reader, { delays, fails, ordered });
      await accepted;
      let crashes = 0;
      for (let deaths = below(6); deaths > 0; deaths--) {
        for (let turns = below(80); turns > 0; turns--) await null;
        if (below(2) === 0) await house.clock.advance(below(40));
        house = crashes++ < 2 ? await crash(house) : await again(house.reload());
      }
      await house.clock.advance(10_000);
      const seen = (await house.orchestrator.attach(id)!.result()) as number[];
      const all = delays.map((_, n) => (fails.includes(n) ? -1 - n : n));
      expect(ordered ? seen : [...seen].sort((a, b) => a - b), `seed ${seed}`).toEqual(ordered ? all : all.sort((a, b) => a - b));
      // What followed a step was recorded; the rest of a life was in one frame with it, or was not.
      for (const life of given.get(id) ?? []) expect(life.slice(0, Math.floor(life.length / 3) * 3), `seed ${seed}`).toEqual(seen.slice(0, Math.floor(life.length / 3) * 3));
      const members = house.orchestrator.getAllTasks().filter(({ rootId, taskIdentifier }) => rootId === id && taskIdentifier === item.id);
      expect(members, `seed ${seed}`).toHaveLength(delays.length);
      await house.orchestrator.dispose();
    }
  });
});
