/** The cache in a real Chromium: IndexedDB as it is, files, reloads. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedPage, servePage } from './served-page.ts';

/** Globals of cache/page.ts. */
declare const runContract: any, ask: any, costs: any, invalidate: any, explain: any;

let served: ServedPage;
beforeAll(async () => {
  served = await servePage(new URL('./cache/', import.meta.url));
});
afterAll(() => served?.close());

describe('the cache in a real browser', () => {
  it('J1: IndexedDB keeps the contract of every store', async () => {
    const { count, failures } = await served.page.evaluate(() => runContract());
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(12);
  });

  it('J2, J3: a file’s output is there for the next page, and goes when it is invalidated', async () => {
    const { page } = served;
    expect(await page.evaluate(() => ask(5_000_000, 1_000_000))).toMatchObject({ name: 'rest of a.bin', size: 4_000_000, first: 7, fromCache: false, calls: 1 });
    await page.reload();
    await page.waitForFunction(() => 'ready' in globalThis);
    expect(await page.evaluate(() => ask(5_000_000, 1_000_000))).toMatchObject({ name: 'rest of a.bin', size: 4_000_000, first: 7, fromCache: true, calls: 0 });
    expect(await page.evaluate(() => ask(10, 2))).toMatchObject({ size: 8, fromCache: false, calls: 1 });
    expect(await page.evaluate(() => explain())).toMatchObject({ outcome: 'miss', nearest: { differences: [{ path: 'input.from', was: '2', is: '3' }] } });
    expect(await page.evaluate(() => invalidate())).toBe(2);
    expect(await page.evaluate(() => ask(10, 2))).toMatchObject({ fromCache: false, calls: 2 });
    expect(served.complaints).toEqual([]);
  });

  it('costs a reading and a writing, and nothing where nothing is cached', async () => {
    const { plain, missed, hit } = await served.page.evaluate(() => costs(200));
    process.stdout.write(`  a run, one after the other: ${plain.toFixed(2)} ms uncached, ${missed.toFixed(2)} ms missed, ${hit.toFixed(2)} ms hit\n`);
    expect(Math.max(plain, missed, hit)).toBeLessThan(100);
  });
});
