/** One document done the blocking way and with holdfast; `npm run headline` is the same at full length. */
import { expect, it } from 'vitest';
import { findChromium } from '../../demo/check/browser.mjs';
import { headline, pictures } from '../bench/headline.mjs';

it('does a document with 40 slow pictures in less than a third of the time, ten at once at most, and again from the cache', async () => {
  process.env.HOLDFAST_CHROMIUM ??= findChromium();
  const { blocking, durable, again } = await headline({ pages: 60, imageEvery: 1, delayMs: 300 });
  expect(durable.digest).toBe(blocking.digest);
  expect(again.digest).toBe(blocking.digest);
  expect([durable.pages, durable.pictures, durable.questions, again.questions]).toEqual([60, pictures, pictures, 0]);
  expect(durable.mostOpen).toBeLessThanOrEqual(10);
  expect(durable.refused).toBe(0);
  expect(again.ms).toBeLessThan(2000);
  expect(durable.ms).toBeLessThan(blocking.ms / 3);
});
