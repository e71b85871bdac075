/** D9 in a real browser that is killed while a breaker is open. */
import { expect, it } from 'vitest';
import { until } from '../crash/chromium.mjs';
import { killablePage } from './killable-page.ts';
import type { Network } from './network/page.ts';

let asked = 0;
let status = 503;
const house = killablePage<Network>('network', (path) => {
  if (path !== '/flaky') return undefined;
  asked++;
  return { status, type: 'text/plain', body: '' };
});
const { call } = house;

it('D9: what is held back stays so over a kill, until its time, and then one tries for all', { timeout: 60_000 }, async () => {
  let page = await house.page();
  await call(page, 'open');
  for (const id of ['1', '2', '3']) {
    await call(page, 'ask', id);
    await until(`${id} has failed`, async () => (await call(page, 'state', id)).status === 'failed');
  }
  await Promise.all(['4', '5', '6'].map((id) => call(page, 'ask', id)));
  await until('6 is held back', async () => (await call(page, 'state', '6')).reason === 'breaker');
  const { retryAt } = await call(page, 'state', '6');
  expect(retryAt).toBeGreaterThan(Date.now());

  page = await house.killAndReopen();
  await call(page, 'open');
  expect(asked).toBe(3);
  expect(await call(page, 'state', '6')).toMatchObject({ status: 'pending', reason: 'breaker', retryAt });
  status = 200;
  for (const id of ['4', '5', '6']) await until(`${id} is served`, async () => (await call(page, 'state', id)).status === 'completed');
  expect(Date.now()).toBeGreaterThanOrEqual(retryAt!);
  expect(asked).toBe(6);
});
