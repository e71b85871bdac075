/**
 * Random batches, killed at random moments and reopened until they end: what an item did is recorded once,
 * no item has two runs, and the results are in the order of the items.
 */
import { defineTask } from 'holdfast';
import { expect, it } from 'vitest';
import { seededRandom } from '../../js/time/random.ts';
import { again, crash, open } from './houses.ts';

/** By seed: what each item has recorded. It outlives every page, as a server would. */
const effects = new Map<string, Set<string>>();

const item = defineTask({
  id: 'random-item',
  retry: { maxAttempts: 2, minDelayMs: 10, jitter: 'none' },
  run: async ({ seed, n, fails }: { seed: number; n: number; fails: boolean }, ctx) => {
    const token = await ctx.step('effect', ({ stepId }) => stepId);
    const known = effects.get(`${seed}/${n}`) ?? new Set();
    effects.set(`${seed}/${n}`, known.add(token));
    if (n % 3 === 0) await ctx.sleep(20);
    if (fails) throw new Error(`item ${n}`);
    return n * 7;
  },
});
const parent = defineTask({
  id: 'random-parent',
  run: async (plan: { seed: number; fails: boolean[]; concurrency?: number }, ctx) => {
    const { runs } = await ctx.batch.triggerByTaskAndWait(plan.fails.map((fails, n) => ({ task: item, payload: { seed: plan.seed, n, fails } })), plan.concurrency ? { concurrency: plan.concurrency } : {});
    return runs.map((run) => (run.ok ? run.output : run.error.message));
  },
});

async function live(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const fails = Array.from({ length: 1 + below(40) }, () => random() < 0.2);
  const concurrency = below(3) === 0 ? 1 + below(5) : undefined;
  let house = await open();
  const run = house.orchestrator.trigger(parent, { seed, fails, ...(concurrency && { concurrency }) });
  await run.accepted;
  const { id } = run;
  // What runs in three crashes in a row is quarantined.
  let crashes = 0;
  for (let deaths = below(8); deaths > 0; deaths--) {
    // Somewhere between two turns of the page, or further on.
    for (let turns = below(60); turns > 0; turns--) await null;
    if (below(2) === 0) await house.clock.advance(below(40));
    house = crashes++ < 2 ? await crash(house) : await again(house.reload());
  }
  await house.clock.advance(10_000);
  const { orchestrator } = house;
  expect(orchestrator.getTaskState(id), `seed ${seed}`).toMatchObject({ status: 'completed' });
  expect(await orchestrator.attach(id)!.result(), `seed ${seed}`).toEqual(fails.map((failed, n) => (failed ? `item ${n}` : n * 7)));
  const members = orchestrator.getAllTasks().filter(({ rootId, taskIdentifier }) => rootId === id && taskIdentifier === item.id);
  expect(members, `seed ${seed}: one run for each item`).toHaveLength(fails.length);
  for (let n = 0; n < fails.length; n++) expect(effects.get(`${seed}/${n}`)?.size, `seed ${seed}, item ${n}`).toBe(1);
  await orchestrator.dispose();
}

it('random batches that are killed and reopened do each item once, in order', { timeout: 60_000 }, async () => {
  const first = Number(process.env.HOLDFAST_SEED ?? 1);
  for (let seed = first; seed < first + 40; seed++) await live(seed);
});
