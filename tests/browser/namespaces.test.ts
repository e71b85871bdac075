/** Destroying a namespace in a real Chromium: files, databases, marks and locks, other tabs, and a browser killed in the middle. */
import { expect, it } from 'vitest';
import { killablePage } from './killable-page.ts';
import type { VaultPage } from './vault/page.ts';
import { until } from '../crash/chromium.mjs';

const vault = killablePage<VaultPage>('vault');
const { call } = vault;

it('H13: nothing of the namespace is left, the other tab stops and says so, another namespace is untouched', async () => {
  const [one, other] = [await vault.page(), await vault.browser.context.newPage()];
  await other.goto(vault.url);
  await until('the page is loaded', () => other.evaluate(() => 'vault' in globalThis));
  await call(one, 'fill', 'anna', 'annas', 3);
  await call(one, 'fill', 'bert', 'berts', 2);
  await call(other, 'fill', 'anna', 'annas', 1);
  await call(one, 'keepHandle', 'anna');
  expect(await call(one, 'left', 'anna')).toEqual(expect.arrayContaining(['files of anna', 'database holdfast:anna', 'database holdfast:anna:handles', 'database holdfast-cache:anna']));
  await call(one, 'destroy', 'anna');
  expect(await call(one, 'left', 'anna')).toEqual([]);
  expect(await call(other, 'look', 'anna')).toEqual({ status: 'destroyed', runs: 0, disposed: true });
  expect(await call(one, 'look', 'bert')).toMatchObject({ status: 'ok', runs: 3 });
  expect(await call(one, 'left', 'bert')).toEqual(expect.arrayContaining(['files of bert', 'database holdfast:bert', 'database holdfast-cache:bert']));

  // The same page goes on with the same name, and by its name alone it can be destroyed as well.
  await call(other, 'fill', 'anna', 'annas', 1);
  await call(one, 'destroyByName', 'anna');
  expect(await call(other, 'look', 'anna')).toEqual({ status: 'destroyed', runs: 0, disposed: true });
  expect(await call(one, 'left', 'anna')).toEqual([]);
  await other.close();
});

it('H13: killed in the middle, it is finished by the next opening or by asking again', async () => {
  let page = await vault.page();
  for (const afterMs of [0, 15, 60]) {
    await call(page, 'fill', 'carl', 'carls', 20);
    await call(page, 'begin', 'carl');
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    page = await vault.killAndReopen();
    // A browser that is killed may have lost the mark, which is written a moment before.
    await call(page, 'open', 'carl');
    if ((await call(page, 'look', 'carl')).runs > 0) await call(page, 'destroy', 'carl');
    else await call(page, 'destroyByName', 'carl');
    expect(await call(page, 'left', 'carl'), `killed after ${afterMs} ms`).toEqual([]);
  }
  await call(page, 'open', 'bert');
  await until('what is left of bert is there', async () => (await call(page, 'look', 'bert')).runs === 3);
});
