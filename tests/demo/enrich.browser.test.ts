import AxeBuilder from '@axe-core/playwright';
import type { OrchestratorApi } from 'holdfast';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerTo, type CompletionsServer, completionsServer } from '../fixtures/completions-server.mjs';
import { servedDemo } from './built-demo.ts';

declare global {
  // What the demo shows to whoever drives it.
  var holdfast: OrchestratorApi;
}

const demo = servedDemo();
let server: CompletionsServer;
beforeAll(async () => {
  server = await completionsServer({ key: 'secret' });
});
afterAll(() => server.close());

async function opened(options: Parameters<Browser['newContext']>[0] = {}): Promise<{ page: Page; complaints: string[] }> {
  const context = await demo.browser.newContext({ locale: 'en-US', ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && !/status of (401|429)/.test(message.text()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${demo.server.url}#/enrich`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  return { page, complaints };
}

async function configure(page: Page, key = 'secret'): Promise<void> {
  await page.getByLabel('Address').fill(server.url);
  await page.getByLabel('Model').fill('counter');
  await page.getByLabel('Key', { exact: true }).fill(key);
  await page.getByLabel('Requests per minute').fill('10000');
  await page.getByLabel('At once').fill('3');
}

const texts = (count: number) => Array.from({ length: count }, (_, index) => ({ id: index, text: `text ${'x '.repeat(index % 4)}${index}` }));
const drop = (page: Page, value: unknown, name = 'texts.json') =>
  page.locator('input[type=file]').setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(value)) });
const counted = (page: Page, status: string) => page.evaluate((wanted) => globalThis.holdfast.list({ taskIdentifier: 'enrich-text', status: wanted as 'completed', limit: 1000 }).items.length, status);
const statusOf = (page: Page) => page.evaluate(() => globalThis.holdfast.list({ taskIdentifier: 'enrich' }).items[0]?.status);
const ended = (page: Page) => expect.poll(() => statusOf(page), { timeout: 30_000 });

async function downloaded(page: Page): Promise<unknown> {
  const download = page.waitForEvent('download');
  await page.locator('.tasks').getByRole('button', { name: /download/i }).first().click();
  const file = await download;
  expect(file.suggestedFilename()).toBe('texts.enriched.json');
  const pieces: Buffer[] = [];
  for await (const piece of await file.createReadStream()) pieces.push(piece as Buffer);
  return JSON.parse(Buffer.concat(pieces).toString());
}

describe('The Enrichment page', () => {
  it('says what is missing, and where', async () => {
    const { page } = await opened();
    await drop(page, ['a']);
    await page.locator('.notice').filter({ hasText: 'Give the address of the endpoint first' }).waitFor();
    expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).type)).toBe('url');
    await page.getByLabel('Address').fill(server.url);
    await drop(page, ['a']);
    await page.locator('.notice').filter({ hasText: 'Name the model first' }).waitFor();
    await page.context().close();
  });

  it('says why there is no answer yet, until there is one', async () => {
    Object.assign(server.behaviour, { delayMs: 0, trouble: () => 'fail' });
    const { page } = await opened();
    await configure(page);
    await drop(page, ['held up']);
    await page.getByRole('status').filter({ hasText: 'answers 500: The server had an error. It is asked again by itself.' }).waitFor();
    server.behaviour.trouble = undefined;
    await ended(page).toBe('completed');
    expect(await page.getByRole('status').filter({ hasText: 'asked again' }).count()).toBe(0);
    await page.context().close();
  });

  it('asks for each text, shows answers as they come, and gives the file back; a crash on the way asks for nothing twice', async () => {
    server.behaviour.delayMs = 25;
    server.seen.texts.length = 0;
    const { page, complaints } = await opened();
    await configure(page);
    await drop(page, texts(60));
    await expect.poll(() => counted(page, 'completed'), { interval: 10, timeout: 30_000 }).toBeGreaterThan(8);
    expect(await page.locator('.answers li').count()).toBeGreaterThan(0);
    const next = await page.context().newPage();
    const crashed = page.waitForEvent('crash');
    page.goto('chrome://crash').catch(() => {}); // never answers
    await crashed;
    const known = server.seen.texts.length;
    // The key was this tab's: another one has to be told.
    await next.goto(`${demo.server.url}#/enrich`);
    await next.getByLabel('Key', { exact: true }).fill('secret');
    await next.getByLabel('Key', { exact: true }).blur();
    // Whoever types slower than the work goes on is told, and tries again.
    await ended(next).toMatch(/completed|failed/);
    if ((await statusOf(next)) === 'failed') await next.locator('.tasks').getByRole('button', { name: /retry|again/i }).first().click();
    await ended(next).toBe('completed');
    expect(await downloaded(next)).toEqual(texts(60).map((element) => ({ ...element, enrichment: answerTo(element.text) })));
    // Those that were being answered when the tab died may be asked for again: three at once.
    expect(server.seen.texts.length).toBeLessThanOrEqual(63);
    expect(server.seen.mostOpen).toBeLessThanOrEqual(6);
    expect(known).toBeGreaterThan(8);
    expect(complaints).toEqual([]);
    await next.context().close();
  });

  it('keeps the key out of everything that is stored with the work', async () => {
    server.behaviour.delayMs = 0;
    const { page } = await opened();
    await configure(page);
    await drop(page, ['one']);
    await ended(page).toBe('completed');
    const stored = await page.evaluate(async () => JSON.stringify([globalThis.holdfast.getAllTasks(), localStorage]));
    expect(stored).not.toContain('secret');
    await page.getByLabel('Remember the key on this device').check();
    expect(await page.evaluate(() => JSON.stringify(localStorage))).toContain('secret');
    await page.reload();
    await expect.poll(() => page.getByLabel('Key', { exact: true }).inputValue()).toBe('secret');
    await page.getByLabel('Address').fill('https://elsewhere.example/v1');
    expect(await page.getByLabel('Key', { exact: true }).inputValue()).toBe('');
    await page.context().close();
  });

  it('fits 360 pixels and has no accessibility findings, light and dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await opened({ colorScheme, viewport: { width: 360, height: 740 } });
      await configure(page);
      await drop(page, ['a long text without a place to break: '.concat('x'.repeat(300)), 'b']);
      await ended(page).toBe('completed');
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
      await page.context().close();
    }
  });
});
