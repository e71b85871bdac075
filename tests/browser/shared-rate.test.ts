/** L23 in a real browser: two tabs, one rate, a server that counts; one tab is killed, then the whole browser. */
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { until } from '../crash/chromium.mjs';
import { killablePage } from './killable-page.ts';
import type { Network } from './network/page.ts';

const [limit, periodMs] = [10, 500];
/** What two requests that began a period apart may have come closer on their way. */
const jitterMs = 50;
const arrivals: { atMs: number; page: string; run: string }[] = [];

const house = killablePage<Network>('network', (path, body) => {
  if (path !== '/rated') return undefined;
  arrivals.push({ atMs: performance.now(), ...JSON.parse(body!.toString('utf8')) });
  return { status: 200, type: 'text/plain', body: '' };
});
const { call } = house;

async function openTab(name: string): Promise<Page> {
  const page = await house.page(`?page=${name}`);
  await call(page, 'open');
  return page;
}

const ids = (letter: string, count: number) => Array.from({ length: count }, (_, index) => `${letter}${index}`);
const come = (count: number) => until(`${count} have come`, () => arrivals.length >= count, 30_000);
/** Arrivals closer together than the period, over as many as the limit. */
const tooClose = () => arrivals.filter(({ atMs }, index) => index >= limit && atMs - arrivals[index - limit]!.atMs < periodMs - jitterMs).length;

it('L23: two tabs never exceed a rate together and use it; no kill of a tab or of the browser lets anybody exceed it', { timeout: 90_000 }, async () => {
  const [one, two] = [await openTab('1'), await openTab('2')];
  await Promise.all([call(one, 'rate', ids('a', 60)), call(two, 'rate', ids('b', 60))]);
  await come(120);
  const idealMs = (120 / limit - 1) * periodMs;
  const tookMs = arrivals[119]!.atMs - arrivals[0]!.atMs;
  console.info(`two tabs: ${Math.round((100 * idealMs) / tookMs)} % of the rate used`);
  expect(tooClose()).toBe(0);
  expect(idealMs / tookMs).toBeGreaterThan(0.9);
  for (const page of ['1', '2']) expect(arrivals.slice(0, 100).filter((each) => each.page === page).length).toBeGreaterThan(30);

  await Promise.all([call(one, 'rate', ids('c', 30)), call(two, 'rate', ids('d', 30))]);
  await come(140);
  await house.browser.crash(one);
  await come(165);
  await house.kill();
  await house.launch();
  const three = await openTab('3');
  await call(three, 'rate', ids('e', 20));
  for (const id of [...ids('c', 30), ...ids('d', 30), ...ids('e', 20)]) await until(`${id} has ended`, async () => (await call(three, 'state', id)).status === 'completed', 30_000);
  expect(tooClose()).toBe(0);
});
