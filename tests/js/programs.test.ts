/**
 * Random programs of steps, children, sleeps, branches, groups and races, killed at random moments, on a storage that
 * takes its time to acknowledge: the same output as undisturbed, and no finished step run again. A failure prints the program and the kills.
 * HOLDFAST_PROGRAMS: how many (default 200, in CI 2,000).
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { acknowledgements, programs, races } from './programs/generate.ts';
import type { Program } from './programs/program.ts';
import { observe } from './programs/run.ts';

const count = Number(process.env.HOLDFAST_PROGRAMS ?? (process.env.CI ? 2000 : 200));
const seed = Number(process.env.HOLDFAST_SEED ?? 20_261_126);
/** Three crashes in a row without a record between them would be a quarantine. */
const kills = fc
  .array(fc.record({ afterMs: fc.constantFrom(0, 1, 7, 45, 120, 400), orderly: fc.boolean() }), { minLength: 1, maxLength: 4 })
  .filter((list) => list.filter(({ orderly }) => !orderly).length <= 2);

const step = (name: string, afterMs: number, durability?: 'batched' | 'none') => ({ kind: 'step' as const, name, afterMs, fails: false, ...(durability && { durability }) });
/** Found with other seeds: what losers had recorded was called drift, twice; a result overtook another of the same frame. */
const foundProgram: Program = { body: [{ kind: 'cancelling', verb: 'race', branches: [[step('a', 0)], [step('a', 40, 'none'), step('a', 0)]] }, step('a', 0)], failures: 0 };
const foundLate: Program = { body: [{ kind: 'race', branches: [[step('a', 0, 'batched')], [step('a', 5), step('a', 0)]] }], failures: 0 };
const foundRace: Program = {
  body: [{ kind: 'race', branches: [[step('b', 40), step('b', 0)], [step('b', 0, 'batched'), step('a', 0)], [step('a', 0, 'batched')]] }, { kind: 'sleep', ms: 1000 }, { kind: 'now' }], failures: 0,
};

it(`A1, P4: ${count} random programs that are killed give what they give undisturbed, and run no finished step again`, { timeout: 900_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(programs, kills, acknowledgements, async (program, when, delaysMs) => {
      const undisturbed = await observe(program, []);
      const killed = await observe(program, when, delaysMs);
      expect(killed).toEqual({ ...undisturbed, rerun: [], changed: [] });
    }),
    { numRuns: count, seed, endOnFailure: false, examples: [
        [foundProgram, [{ afterMs: 120, orderly: true }, { afterMs: 0, orderly: false }], [7, 200]],
        [foundLate, [{ afterMs: 45, orderly: false }, { afterMs: 0, orderly: false }], [0, 30]],
      ] },
  );
});

it('P4: a race of steps has the winner that it had, however late they are acknowledged and when it is killed', { timeout: 300_000 }, async () => {
  const late = acknowledgements.filter((delaysMs) => delaysMs.some((delayMs) => delayMs > 0));
  await fc.assert(
    fc.asyncProperty(races, fc.constantFrom(45, 120, 400), late, async (program, afterMs, delaysMs) => {
      const { changed, rerun, status } = await observe(program, [{ afterMs, orderly: false }], delaysMs);
      expect({ changed, rerun, status }).toEqual({ changed: [], rerun: [], status: 'completed' });
    }),
    { numRuns: count / 5, seed, endOnFailure: true, examples: [[foundRace, 120, [60, 0, 0]]] },
  );
});
