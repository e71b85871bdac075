/** Encryption in a real Chromium: the bytes that the browser keeps, wrong keys, and a browser that is killed. */
import { expect, it } from 'vitest';
import { killablePage } from './killable-page.ts';
import type { VaultPage } from './vault/page.ts';
import { until } from '../crash/chromium.mjs';

const vault = killablePage<VaultPage>('vault');
const { call } = vault;
/** In names, inputs, files, steps, results, cache keys; each `copy-of-secrets` is a task's id. */
const words = ['hushhush', 'copy-of-secrets', 'forever'];

it('H12: not a word can be read in any store, and after a kill the key gives everything back; another key loses nothing', async () => {
  let page = await vault.page();
  await call(page, 'openSealed', 'anna', 7);
  await call(page, 'fill', 'anna', 'hushhush', 4);
  page = await vault.killAndReopen();
  for (const word of words) {
    const { found, bytes } = await call(page, 'search', word);
    expect(found, word).toEqual([]);
    expect(bytes).toBeGreaterThan(700_000);
  }

  // Another key, and none.
  const locked = [{ status: 'paused', reason: 'locked', taskIdentifier: 'locked' }, ...Array(4).fill({ status: 'completed', reason: 'locked', taskIdentifier: 'locked' })];
  const sorted = (states: { status: string }[]) => [...states].sort((a, b) => b.status.localeCompare(a.status));
  for (const key of [9, 0]) {
    const { status, states } = await call(page, 'openSealed', 'anna', key);
    expect({ status, states: sorted(states) }, `key ${key}`).toEqual({ status: 'locked', states: locked });
    page = await vault.killAndReopen();
  }

  expect(await call(page, 'openSealed', 'anna', 9)).toMatchObject({ status: 'locked' });
  expect(await call(page, 'unlock', 'anna', 7)).toBe(0);
  const expected = ['hushhush 0 100000', 'hushhush 1 100000', 'hushhush 2 100000', 'hushhush 3 100000', 'running'];
  await until('everything is there', async () => JSON.stringify((await call(page, 'results', 'anna')).sort()) === JSON.stringify(expected));

  // From the start with the right key, after one more kill: the log was sealed anew with it.
  page = await vault.killAndReopen();
  expect(await call(page, 'openSealed', 'anna', 7)).toMatchObject({ status: 'ok' });
  await until('everything is there', async () => JSON.stringify((await call(page, 'results', 'anna')).sort()) === JSON.stringify(expected));
  for (const word of words) expect((await call(page, 'search', word)).found, word).toEqual([]);

  // What is looked for is found where nothing is encrypted.
  await call(page, 'fill', 'bert', 'hushhush', 1);
  for (const word of words) expect((await call(page, 'search', word)).found.length, word).toBeGreaterThan(0);
});

it('H12: says what it costs, a run in turn and at once, and a large file', async () => {
  const page = await vault.page();
  const plain = await call(page, 'costs', 'plain', 0, 200);
  const sealed = await call(page, 'costs', 'sealed', 5, 200);
  const words = ({ inTurn, atOnce, stored }: typeof plain) => `${inTurn.toFixed(2)} ms a run in turn, ${(atOnce * 1000).toFixed(0)} µs at once, 20 MB stored in ${stored.toFixed(0)} ms`;
  process.stdout.write(`  plain: ${words(plain)}\n  sealed: ${words(sealed)}\n`);
  expect(sealed.inTurn).toBeLessThan(plain.inTurn + 20);
});
