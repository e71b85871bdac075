/** L23 in a real browser: two tabs, one rate, a server that counts; one tab is killed, then the whole browser. */
import { expect, it } from 'vitest';
import { until } from '../crash/chromium.mjs';
import { killablePage } from './killable-page.ts';
import type { Network } from './network/page.ts';

const [limit, periodMs] = [20, 1000];
/**
 * What requests that began a period apart may come closer on their way, from pages that share two cores with others, and
 * while one of them is killed and a browser starts: a forgotten window would let through twice as many at once.
 */
const [jitterMs, killJitterMs] = [250, 600];
const arrivals: { atMs: number; page: string; run: string }[] = [];

const house = killablePage<Network>('network', (path, body) => {
  if (path !== '/rated') return undefined;
  arrivals.push({ atMs: performance.now(), ...JSON.parse(body!.toString('utf8')) });
  return { status: 200, type: 'text/plain', body: '' };
});
const { call } = house;

const ids = (letter: string, count: number) => Array.from({ length: count }, (_, index) => `${letter}${index}`);
const come = (count: number) => until(`${count} have come`, () => arrivals.length >= count, 30_000);
/** Closer together than that, over as many as the limit. */
const tooClose = (times: readonly number[], leastMs: number) => times.filter((atMs, index) => index >= limit && atMs - times[index - limit]! < leastMs).length;
const arrived = (jitter: number) => tooClose(arrivals.map(({ atMs }) => atMs), periodMs - jitter);

/** Of what could have come between two of them. */
const used = (from: number, to: number) => (((to - from) / limit) * periodMs) / (arrivals[to]!.atMs - arrivals[from]!.atMs);

it('L23: two tabs never exceed a rate together and use it; no kill of a tab or of the browser lets anybody exceed it', { timeout: 120_000 }, async () => {
  const [one, two] = [await house.openTab('1'), await house.openTab('2')];
  let most = 0;
  const begun: number[] = [];
  // A busy machine holds up what goes from tab to tab: one quiet round of three says what is ours.
  for (let round = 0; round < 3 && most < 0.95; round++) {
    const before = arrivals.length;
    await Promise.all([call(one, 'rate', ids(`a${round}-`, 60)), call(two, 'rate', ids(`b${round}-`, 60))]);
    await come(before + 120);
    begun.push(...(await call(one, 'begun', ids(`a${round}-`, 60))), ...(await call(two, 'begun', ids(`b${round}-`, 60))));
    most = Math.max(most, used(before + 20, before + 100));
    const middle = arrivals.slice(before + 20, before + 100);
    for (const page of ['1', '2']) expect(middle.filter((each) => each.page === page).length).toBeGreaterThan(20);
  }
  console.info(`two tabs: ${Math.round(100 * most)} % of the rate used`);
  expect(begun.filter(Number.isFinite).length).toBe(arrivals.length);
  expect(tooClose(begun.sort((a, b) => a - b), periodMs)).toBe(0);
  expect(arrived(jitterMs)).toBe(0);
  expect(most).toBeGreaterThanOrEqual(0.95);

  const before = arrivals.length;
  await Promise.all([call(one, 'rate', ids('c', 40)), call(two, 'rate', ids('d', 40))]);
  await come(before + 30);
  await house.browser.crash(one);
  await come(before + 60);
  await house.kill();
  await house.launch();
  const three = await house.openTab('3');
  await call(three, 'rate', ids('e', 20));
  const runs = [...ids('c', 40), ...ids('d', 40), ...ids('e', 20)];
  for (const id of runs) await until(`${id} has ended`, async () => (await call(three, 'state', id)).status === 'completed', 30_000);
  expect(tooClose((await call(three, 'begun', runs)).sort((a, b) => a - b), periodMs)).toBe(0);
  expect(arrived(killJitterMs)).toBe(0);
});
