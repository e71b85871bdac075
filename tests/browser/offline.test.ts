/** D8 with a real browser that is really taken off the network, and killed while it is. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Chromium, until } from '../crash/chromium.mjs';
import { bundle, serve } from '../crash/serve.mjs';
import type { Network } from './network/page.ts';

const browser = new Chromium();
const asked: string[] = [];
let pages: Awaited<ReturnType<typeof bundle>>;
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  pages = await bundle(new URL('./network/', import.meta.url));
  const answer = (path: string) => {
    if (!path.startsWith('/step') && !path.startsWith('/data')) return undefined;
    asked.push(path);
    return { status: 200, type: 'text/plain', body: `answer to ${path}` };
  };
  server = await serve(pages.directory, { answer: answer as () => undefined });
});

afterAll(async () => {
  await browser.close();
  await server?.close();
  await pages?.remove();
});

async function openPage(online?: boolean): Promise<Page> {
  await browser.launch();
  const page: Page = await browser.open(server.url);
  await until('the page is loaded', () => page.evaluate(() => 'network' in globalThis));
  await call(page, 'open', online);
  return page;
}

function call<Name extends keyof Network>(page: Page, name: Name, ...args: unknown[]): Promise<any> {
  return page.evaluate(([name, args]) => (globalThis as any).network[name as string](...(args as unknown[])), [name, args] as const);
}

const reaches = (page: Page, id: string, status: string) => until(`${id} is ${status}`, async () => (await call(page, 'state', id)).status === status);

it('D8: runs wait for the network, over a kill of the browser too, and lose no attempt and no step by it', { timeout: 60_000 }, async () => {
  let page = await openPage();
  await call(page, 'submit', 'before', false);
  await reaches(page, 'before', 'completed');
  await call(page, 'submit', 'underway', true);
  await until('its step is kept', async () => (await call(page, 'state', 'underway')).steps === 1);

  await browser.context!.setOffline(true);
  await until('the page knows', () => page.evaluate(() => !navigator.onLine));
  await call(page, 'submit', 'held', false);
  await call(page, 'submit', 'fails', false, 'always');
  await call(page, 'openGate');
  await reaches(page, 'fails', 'failed');
  await reaches(page, 'underway', 'paused');
  for (const id of ['held', 'underway']) expect(await call(page, 'state', id)).toMatchObject({ status: 'paused', reason: 'offline', retryCount: 0 });

  await browser.kill();
  page = await openPage(false);
  for (const id of ['held', 'underway']) expect(await call(page, 'state', id)).toMatchObject({ status: 'paused', reason: 'offline', retryCount: 0 });
  await page.evaluate(() => void ((globalThis as any).network.online = true));
  for (const id of ['held', 'underway']) await reaches(page, id, 'completed');
  expect(asked.filter((path) => path.startsWith('/step'))).toHaveLength(3);
  expect(asked.filter((path) => path.startsWith('/data'))).toHaveLength(3);

  // In the same life, by the browser's own word.
  await browser.kill();
  page = await openPage();
  await browser.context!.setOffline(true);
  await until('the page knows', () => page.evaluate(() => !navigator.onLine));
  await call(page, 'submit', 'again', false);
  await reaches(page, 'again', 'paused');
  await browser.context!.setOffline(false);
  await reaches(page, 'again', 'completed');
});
