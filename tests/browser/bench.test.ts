import { expect, it } from 'vitest';
import { firstDownloadBytes } from '../bench/browser.mjs';
import { bench } from '../bench/run.mjs';
import { parts, smoke } from '../bench/workloads.mjs';

interface Row {
  workload: string;
  ours: number;
  peer: string;
  theirs: number;
  ratio: number;
}

it('the bench compares every workload with its peer and prints every figure', { timeout: 180_000 }, async () => {
  const { rows, figures }: { rows: Row[]; figures: { figure: string; value: number }[] } = await bench({
    rounds: 1,
    only: parts,
    sizes: smoke,
  });
  expect(rows.map(({ peer }) => peer.replace(/\d[\d.]*/, 'N'))).toEqual([
    'fastq, promises',
    'p-queue + p-retry',
    'p-queue, idb at each of N changes (200 tasks)',
    'ours in memory',
    'whole list into localStorage at each change (N tasks)',
    'each result written with idb, its transaction awaited (N steps)',
    'a transaction of idb for each result, all at once (N steps)',
    "Bottleneck's Group, maxConcurrent N",
    'a setTimeout for each, no tasks',
    'by hand: p-queue, idb at each of N changes (200 tasks)',
    'p-queue, onSizeLessThan(N)',
    'JSON.parse and a topological sort, nothing checked',
    '@workglow/task-graph (N nodes)',
    '@workglow/task-graph (N nodes)',
    'ours with N',
    'a worker that reads the same N MB from OPFS',
  ]);
  for (const { ours, theirs, ratio } of rows) {
    expect(ours).toBeGreaterThan(0);
    expect(theirs).toBeGreaterThan(0);
    expect(ratio).toBeCloseTo(ours / theirs, 6);
  }
  expect(figures).toHaveLength(16);
  for (const { value } of figures) expect(Number.isFinite(value)).toBe(true);
  const download = figures.find(({ figure }) => figure === 'first download, gzip')!.value;
  expect(download, 'what is seldom used loads with its first use (js/lazy.ts)').toBeLessThanOrEqual(firstDownloadBytes);
  // The one difference no noise can hide: an append is no transaction.
  expect(rows[2]!.ratio).toBeGreaterThan(10);
});
