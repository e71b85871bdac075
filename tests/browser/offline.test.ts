/** D8 with a real browser that is really taken off the network, and killed while it is. */
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { until } from '../crash/chromium.mjs';
import { killablePage } from './killable-page.ts';
import type { Network } from './network/page.ts';

const asked: string[] = [];
const house = killablePage<Network>('network', (path) => {
  if (!path.startsWith('/step') && !path.startsWith('/data')) return undefined;
  asked.push(path);
  return { status: 200, type: 'text/plain', body: `answer to ${path}` };
});
const { call } = house;

const reaches = (page: Page, id: string, status: string) => until(`${id} is ${status}`, async () => (await call(page, 'state', id)).status === status);

it('D8: runs wait for the network, over a kill of the browser too, and lose no attempt and no step by it', { timeout: 60_000 }, async () => {
  let page = await house.page();
  await call(page, 'open');
  await call(page, 'submit', 'before', false);
  await reaches(page, 'before', 'completed');
  await call(page, 'submit', 'underway', true);
  await until('its step is kept', async () => (await call(page, 'state', 'underway')).steps === 1);

  await house.browser.context!.setOffline(true);
  await until('the page knows', () => page.evaluate(() => !navigator.onLine));
  await call(page, 'submit', 'held', false);
  await call(page, 'submit', 'fails', false, 'always');
  await call(page, 'openGate');
  await reaches(page, 'fails', 'failed');
  await reaches(page, 'underway', 'paused');
  for (const id of ['held', 'underway']) expect(await call(page, 'state', id)).toMatchObject({ status: 'paused', reason: 'offline', retryCount: 0 });

  page = await house.killAndReopen();
  await call(page, 'open', false);
  for (const id of ['held', 'underway']) expect(await call(page, 'state', id)).toMatchObject({ status: 'paused', reason: 'offline', retryCount: 0 });
  await page.evaluate(() => void ((globalThis as any).network.online = true));
  for (const id of ['held', 'underway']) await reaches(page, id, 'completed');
  expect(asked.filter((path) => path.startsWith('/step'))).toHaveLength(3);
  expect(asked.filter((path) => path.startsWith('/data'))).toHaveLength(3);

  // In the same life, by the browser's own word.
  page = await house.killAndReopen();
  await call(page, 'open');
  await house.browser.context!.setOffline(true);
  await until('the page knows', () => page.evaluate(() => !navigator.onLine));
  await call(page, 'submit', 'again', false);
  await reaches(page, 'again', 'paused');
  await house.browser.context!.setOffline(false);
  await reaches(page, 'again', 'completed');
});
