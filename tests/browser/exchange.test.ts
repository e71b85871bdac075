/** Export and import in a real Chromium: as a stream from one namespace into another, over kills of the browser. */
import { expect, it } from 'vitest';
import { until } from '../crash/chromium.mjs';
import { killablePage } from './killable-page.ts';
import type { VaultPage } from './vault/page.ts';

const vault = killablePage<VaultPage>('vault');
const { call } = vault;

it('H14: runs with their files go from one namespace to another, once, whenever the browser is killed', async () => {
  let page = await vault.page();
  await call(page, 'openSealed', 'anna', 7);
  await call(page, 'fill', 'anna', 'words', 5);
  let imported = 0;
  // Killed while it imports, after more and more of it.
  for (const afterMs of [20, 80, 300]) {
    // What goes on in anna has got on in this life: it is to be exported as going on, not quarantined by the third kill.
    await until('anna goes on', () => call(page, 'getsOn', 'anna'));
    await call(page, 'openSealed', 'bert', 0);
    const copied = call(page, 'copy', 'anna', 'bert').catch(() => 0);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    page = (await Promise.all([vault.killAndReopen(), copied]))[0];
    await call(page, 'openSealed', 'anna', 7);
    const { states } = await call(page, 'openSealed', 'bert', 0);
    // All of them or none.
    expect([0, 6]).toContain(states.length);
    imported = states.length;
  }
  expect(await call(page, 'copy', 'anna', 'bert')).toBe(6 - imported);
  expect(await call(page, 'copy', 'anna', 'bert')).toBe(0);
  page = await vault.killAndReopen();
  await call(page, 'openSealed', 'bert', 0);
  const expected = [...Array.from({ length: 5 }, (_, n) => `words ${n} 100000`), 'paused'].sort();
  await until('everything is there', async () => JSON.stringify((await call(page, 'results', 'bert')).sort()) === JSON.stringify(expected));
});
