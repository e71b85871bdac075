/**
 * The property test of `tests/js/programs.test.ts` with a real browser, really killed: many random
 * programs at once, SIGKILL to every process of Chromium at random moments, the same profile again.
 * HOLDFAST_KILLS: how many kills (default 20).
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { until } from '../crash/chromium.mjs';
import { generator } from '../crash/harness.mjs';
import { programs } from '../js/programs/generate.ts';
import { observe } from '../js/programs/run.ts';
import { killablePage } from './killable-page.ts';
import type { End, Programs } from './programs/page.ts';

const kills = Number(process.env.HOLDFAST_KILLS ?? 20);
const seed = Number(process.env.HOLDFAST_SEED ?? 20_261_127);
/** New ones after every opening. */
const programsAtOnce = 12;

interface Told {
  type: 'computed' | 'given' | 'changed' | 'retried';
  number: number;
  path: string;
}

const told: Told[] = [];
const house = killablePage<Programs>('programs', (path, body) => {
  if (path !== '/report') return undefined;
  told.push(...JSON.parse(body!.toString('utf8')));
  return { status: 204, type: 'text/plain', body: '' };
});
const { call } = house;

/** Which of several branches fails first is a matter of milliseconds, and may be another after a kill. */
const withoutFirstFailure = (output: unknown): unknown =>
  JSON.parse(JSON.stringify(output ?? null).replace(/\b(caught|failed) [^"]*/g, '$1'));

/** Steps that were computed after the code had gone on with their result. */
function rerun(): string[] {
  const given = new Set<string>();
  const again: string[] = [];
  for (const { type, number, path } of told) {
    if (type === 'given') given.add(`${number}${path}`);
    else if (type === 'computed' && given.has(`${number}${path}`)) again.push(`program ${number}, step ${path}`);
  }
  return again;
}

it(`A1, P4: ${kills} kills of the browser: random programs give what they give undisturbed, and run no finished step again`, { timeout: 600_000 }, async () => {
  const random = generator(seed);
  const all = fc.sample(programs, { seed, numRuns: (kills + 1) * programsAtOnce });
  let page = await house.page();
  await call(page, 'open');
  let inFlight = 0;
  for (let kill = 0; kill < kills; kill++) {
    const first = kill * programsAtOnce;
    await Promise.all(all.slice(first, first + programsAtOnce).map((program, index) => call(page, 'submit', first + index, program)));
    await new Promise((resolve) => setTimeout(resolve, random() * 900));
    inFlight += await call(page, 'living');
    page = await house.killAndReopen();
    await call(page, 'open');
  }
  const submitted = kills * programsAtOnce;
  await until('every program has ended', async () => (await call(page, 'living')) === 0, 120_000);
  const ends: End[] = await call(page, 'ends');
  expect(ends.length, 'programs that were accepted').toBe(submitted);
  const numbers = (what: Told['type']) => new Set(told.filter(({ type }) => type === what).map(({ number }) => number));
  const [changed, retried] = [numbers('changed'), numbers('retried')];
  for (const { number, status, output, retries } of ends) {
    const undisturbed = await observe(all[number]!, []);
    expect({ number, status, output: withoutFirstFailure(output) }).toEqual({ number, status: undisturbed.status, output: withoutFirstFailure(undisturbed.output) });
    // A new try, after a failure or by hand, may have another winner.
    if (retries === 0 && !retried.has(number)) expect(changed, 'races with two winners').not.toContain(number);
  }
  expect(rerun()).toEqual([]);
  // The load was real: otherwise nothing could have been lost.
  expect(inFlight).toBeGreaterThan(kills * 2);
  expect(told.filter(({ type }) => type === 'given').length).toBeGreaterThan(submitted);
});
