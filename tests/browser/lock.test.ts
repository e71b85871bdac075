/** C11, P13 in a real browser: two tabs that want one lock, one of them killed, then the whole browser. */
import { expect, it } from 'vitest';
import { until } from '../crash/chromium.mjs';
import { killablePage } from './killable-page.ts';
import type { Network } from './network/page.ts';

interface Said {
  what: string;
  page: string;
  run: string;
  step?: string;
  stepId?: string;
}

const said: Said[] = [];
/** Who is in the lock, by what living pages have said. */
const inside = new Map<string, string>();
const overlaps: string[] = [];
const dead = new Set<string>();

function hear(what: string, facts: Omit<Said, 'what'>): void {
  said.push({ what, ...facts });
  const { page, run } = facts;
  if (dead.has(page)) return;
  if (what === 'enter') {
    for (const [other, itsPage] of inside) if (!dead.has(itsPage)) overlaps.push(`${run} in page ${page} beside ${other} in page ${itsPage}`);
    inside.set(run, page);
  } else if (what === 'leave') inside.delete(run);
}

const house = killablePage<Network>('network', (path, body) => {
  if (!['/enter', '/begin', '/done', '/leave', '/in', '/out'].includes(path)) return undefined;
  hear(path.slice(1), JSON.parse(body!.toString('utf8')));
  return { status: 200, type: 'text/plain', body: '' };
});
const { call } = house;

const hears = (what: string, run: string, count = 1) => until(`${run} says ${what}`, () => said.filter((one) => one.what === what && one.run === run).length >= count);

it('C11, P13: one run at a time over tabs and kills, no finished step again, and steps that are asked again have the same id', { timeout: 60_000 }, async () => {
  const first = await house.openTab('1');
  const second = await house.openTab('2');
  await call(first, 'lock', 'a');
  await hears('done', 'a');
  await call(second, 'lock', 'b');
  await call(first, 'lock', 'c');
  await until('b waits', async () => (await call(second, 'state', 'b')).reason === 'lock');
  // The tab whose run is in the lock, in the middle of a step.
  dead.add('1');
  inside.clear();
  await house.browser.crash(first);
  await hears('done', 'b');
  dead.add('2');
  inside.clear();
  await house.kill();

  await house.launch();
  const third = await house.openTab('3');
  for (const run of ['a', 'b', 'c']) await until(`${run} has ended`, async () => (await call(third, 'state', run)).status === 'completed');
  expect(overlaps).toEqual([]);
  const dones = said.filter(({ what }) => what === 'done').map(({ page, run, step }) => `${page} ${run} ${step}`);
  for (const run of ['a', 'b', 'c']) {
    const begun = said.filter((one) => one.what === 'begin' && one.run === run).map(({ stepId }) => stepId);
    expect([...new Set(begun)]).toEqual([`${run}/one`, `${run}/two`, `${run}/three`]);
    // The one whose result was not kept when the page was killed may be asked again, and no other.
    expect(begun.length).toBeLessThanOrEqual(3 + (run === 'c' ? 0 : 1));
  }
  expect(dones).toContain('1 a one');
  expect(dones.filter((one) => one.startsWith('3 '))).toContain('3 c three');
});

it('a queue with the scope origin runs no more than its concurrency in all tabs together; a tab that dies leaves its slots', { timeout: 30_000 }, async () => {
  const [one, two] = [await house.openTab('4'), await house.openTab('5')];
  const ids = (letter: string) => Array.from({ length: 4 }, (_, index) => `${letter}${index}`);
  await Promise.all([call(one, 'share', ids('x')), call(two, 'share', ids('y'))]);
  await until('both tabs have run', () => ['4', '5'].every((page) => said.some((each) => each.what === 'out' && each.page === page)));
  await house.browser.crash(one);
  for (const run of [...ids('x'), ...ids('y')]) await until(`${run} has ended`, async () => (await call(two, 'state', run)).status === 'completed');
  const now = new Set<string>();
  let most = 0;
  // Nobody saw when the death ended those that never said that they were out.
  const cameOut = new Set(said.filter(({ what }) => what === 'out').map(({ page, run }) => `${page} ${run}`));
  for (const { what, page, run } of said) {
    if (what === 'in' && cameOut.has(`${page} ${run}`)) now.add(`${page} ${run}`);
    if (what === 'out') now.delete(`${page} ${run}`);
    most = Math.max(most, now.size);
  }
  expect(most).toBe(2);
});
