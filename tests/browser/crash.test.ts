import { expect, it } from 'vitest';
import { harness } from '../crash/harness.mjs';

// Random moments of a fixed order; `npm run crash -- --kills 1000 --renderer 200` tries more.
it('A1, A2, A3, A5, E2: 40 kills of the browser and 20 of a renderer lose nothing accepted and repeat nothing recorded', {
  timeout: 600_000,
}, async () => {
  const { counts, violations, totals } = await harness({ kills: 40, renderer: 20, seed: 3 });
  expect(violations).toEqual([]);
  expect(Object.values(totals).every((count) => count === 0)).toBe(true);
  // The load was real: otherwise nothing could have been lost.
  expect(counts.accepted).toBeGreaterThan(5000);
  expect(counts.recorded).toBeGreaterThan(5000);
  expect(counts.completed).toBeGreaterThan(2500);
});

it('the audit finds what a store loses: the whole list in localStorage does not survive a killed browser', {
  timeout: 300_000,
}, async () => {
  const { totals } = await harness({ kills: 4, renderer: 0, seed: 7, store: 'localStorage' });
  expect(totals.lost).toBeGreaterThan(0);
});
