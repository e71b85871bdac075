/** D9 in a real browser that is killed while a breaker is open. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Chromium, until } from '../crash/chromium.mjs';
import { bundle, serve } from '../crash/serve.mjs';
import type { Network } from './network/page.ts';

const browser = new Chromium();
let asked = 0;
let status = 503;
let pages: Awaited<ReturnType<typeof bundle>>;
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  pages = await bundle(new URL('./network/', import.meta.url));
  const answer = (path: string) => {
    if (path !== '/flaky') return undefined;
    asked++;
    return { status, type: 'text/plain', body: '' };
  };
  server = await serve(pages.directory, { answer: answer as () => undefined });
});

afterAll(async () => {
  await browser.close();
  await server?.close();
  await pages?.remove();
});

async function openPage(): Promise<Page> {
  await browser.launch();
  const page: Page = await browser.open(server.url);
  await until('the page is loaded', () => page.evaluate(() => 'network' in globalThis));
  await call(page, 'open');
  return page;
}

function call<Name extends keyof Network>(page: Page, name: Name, ...args: unknown[]): Promise<any> {
  return page.evaluate(([name, args]) => (globalThis as any).network[name as string](...(args as unknown[])), [name, args] as const);
}

it('D9: what is held back stays so over a kill, until its time, and then one tries for all', { timeout: 60_000 }, async () => {
  let page = await openPage();
  for (const id of ['1', '2', '3']) {
    await call(page, 'ask', id);
    await until(`${id} has failed`, async () => (await call(page, 'state', id)).status === 'failed');
  }
  await Promise.all(['4', '5', '6'].map((id) => call(page, 'ask', id)));
  await until('6 is held back', async () => (await call(page, 'state', '6')).reason === 'breaker');
  const { retryAt } = await call(page, 'state', '6');
  expect(retryAt).toBeGreaterThan(Date.now());

  await browser.kill();
  page = await openPage();
  expect(asked).toBe(3);
  expect(await call(page, 'state', '6')).toMatchObject({ status: 'pending', reason: 'breaker', retryAt });
  status = 200;
  for (const id of ['4', '5', '6']) await until(`${id} is served`, async () => (await call(page, 'state', id)).status === 'completed');
  expect(Date.now()).toBeGreaterThanOrEqual(retryAt);
  expect(asked).toBe(6);
});
