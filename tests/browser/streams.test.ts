/**
 * `ctx.stream` with a real browser, really killed: SIGKILL to every process of Chromium while a run streams, the same
 * profile again. What its code was told is stored is there, once, in order.
 */
import type { Page } from 'playwright-core';
import { beforeAll, expect, it } from 'vitest';
import { generator } from '../crash/harness.mjs';
import { digest } from '../crash/page/digest.ts';
import { killablePage } from './killable-page.ts';
import type { Streams } from './streams/page.ts';

const kills = Number(process.env.HOLDFAST_KILLS ?? 3);
const seed = Number(process.env.HOLDFAST_SEED ?? 20_261_127);
const chunks = 200;

const stored = new Set<number>();
const house = killablePage<Streams>('streams', (path, body) => {
  if (path !== '/report') return undefined;
  for (const { index } of JSON.parse(body!.toString('utf8')) as { index: number }[]) stored.add(index);
  return { status: 204, type: 'text/plain', body: '' };
});
const { call } = house;
let page: Page;

beforeAll(async () => {
  page = await house.page();
  await call(page, 'open');
});

async function killAndReopen(): Promise<void> {
  page = await house.killAndReopen();
  await call(page, 'open');
}

it(`I9: ${kills} kills of the browser: a stream has every chunk that was acknowledged, each once and in order`, { timeout: 120_000 }, async () => {
  const random = generator(seed);
  const id = await call(page, 'submit', chunks);
  let midway = 0;
  for (let kill = 0; kill < kills; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 60 + random() * 200));
    await house.kill();
    const before = stored.size;
    await house.launch();
    page = await house.page();
    await call(page, 'open');
    const there: number[] = await call(page, 'stored', id);
    expect(there).toEqual(Array.from({ length: there.length }, (_, index) => index));
    expect(there.length, 'chunks that are there of those that were acknowledged').toBeGreaterThanOrEqual(before);
    if (before > 0 && before < chunks) midway++;
  }
  const { indexes, pieces, result } = await call(page, 'whole', id);
  expect(indexes).toEqual(Array.from({ length: chunks }, (_, index) => index));
  expect(pieces).toEqual(await Promise.all(Array.from({ length: chunks / 10 }, (_, piece) => call(page, 'expected', piece * 10 + 9))));
  expect(result).toBe(chunks);
  // Otherwise nothing could have been lost.
  expect(midway).toBeGreaterThan(0);
});

it('I2, I4: a file handle outlives the browser; the run whose file was changed waits for it', async () => {
  const before = await call(page, 'blobBytes');
  const ids = await call(page, 'submitHandles');
  await killAndReopen();
  const expected = (bytes: number) => `${bytes} ${digest(new Uint8Array(bytes).fill(5))}`;
  const { blobs, ...rest } = await call(page, 'readHandles', ids);
  expect(rest).toEqual({
    output: `same.bin ${expected(3_000_000)}`, missing: [['changed.bin', 1000]], wrong: 'PayloadMismatchError', given: true, again: `given.bin ${expected(1000)}`,
  });
  // Two tickets and no file.
  expect(blobs - before).toBeLessThan(1000);
});
