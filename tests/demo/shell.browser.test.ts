import type { OrchestratorApi } from 'holdfast';
import AxeBuilder from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { makePdf } from '../fixtures/pdfs.mjs';
import { servedDemo } from './built-demo.ts';

const demo = servedDemo();

interface Opened {
  page: Page;
  /** Policy violations, errors nobody caught, failed loads. */
  complaints: string[];
  /** Requests to anywhere but the demo's own origin. */
  foreign: string[];
}

async function opened(options: Parameters<Browser['newContext']>[0] = {}, path = '#/pdf'): Promise<Opened> {
  const context = await demo.browser.newContext({ locale: 'en-US', ...options });
  const page = await context.newPage();
  const [complaints, foreign]: [string[], string[]] = [[], []];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => !request.url().startsWith(demo.server.url) && !request.url().startsWith('blob:') && foreign.push(request.url()));
  await page.goto(demo.server.url + path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  return { page, complaints, foreign };
}

const pdf = async (name: string, pages = 2) => ({ name, mimeType: 'application/pdf', buffer: Buffer.from(await makePdf({ pages, lines: 5 })) });
const badge = (page: Page, words: string | RegExp) => page.locator('.tasks').getByText(words).first();

declare global {
  // What the demo shows to whoever drives it.
  var holdfast: OrchestratorApi;
}

describe('The shell', () => {
  it('works under its policy, without a complaint and without a foreign request', async () => {
    const { page, complaints, foreign } = await opened();
    await page.locator('input[type=file]').setInputFiles([await pdf('one.pdf'), await pdf('two.pdf')]);
    await expect.poll(() => page.evaluate(() => globalThis.holdfast.counts().completed), { timeout: 30_000 }).toBe(2);
    expect({ complaints, foreign }).toEqual({ complaints: [], foreign: [] });
    await page.context().close();
  });

  it('offers the zip for download', async () => {
    const { page } = await opened();
    await page.locator('input[type=file]').setInputFiles(await pdf('../../été 😀.pdf'));
    const download = page.waitForEvent('download');
    await page.locator('.tasks').getByRole('button', { name: /download/i }).click();
    expect((await download).suggestedFilename()).toBe('été 😀.zip');
    await page.context().close();
  });

  it('pauses, resumes, cancels and retries from the panel', async () => {
    const { page, complaints } = await opened();
    const press = (name: RegExp) => page.locator('.tasks').getByRole('button', { name }).first().click();
    const becomes = (status: string) => expect.poll(() => page.evaluate(() => globalThis.holdfast.getAllTasks()[0]?.status), { timeout: 30_000 }).toBe(status);
    await page.locator('input[type=file]').setInputFiles(await pdf('long.pdf', 400));
    await becomes('running');
    await press(/pause/i);
    await becomes('paused');
    await press(/resume/i);
    await becomes('running');
    await press(/^cancel/i);
    await becomes('cancelled');
    await press(/retry|again/i);
    await becomes('completed');
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('says what is wrong with a file, in the language of the page', async () => {
    for (const [locale, sentence] of [['en-US', '"no.pdf" is not a PDF file.'], ['fr-FR', '« no.pdf » n’est pas un fichier PDF.']] as const) {
      const { page } = await opened({ locale });
      await page.locator('input[type=file]').setInputFiles({ name: 'no.pdf', mimeType: 'application/pdf', buffer: Buffer.from('hello') });
      await badge(page, sentence).waitFor();
      await page.context().close();
    }
  });

  it('takes a drop anywhere, and shows names as text only', async () => {
    const { page, complaints } = await opened({}, '#/json');
    await page.evaluate(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['[1, 2, 3]'], '<img src=x onerror=alert(1)>.json'));
      document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: transfer }));
    });
    await expect.poll(() => page.evaluate(() => globalThis.holdfast.counts().completed), { timeout: 30_000 }).toBe(1);
    expect(await page.locator('.tasks img').count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('is used with the keyboard alone', async () => {
    const { page } = await opened();
    const names: string[] = [];
    for (let presses = 0; presses < 9; presses++) {
      await page.keyboard.press('Tab');
      names.push(await page.evaluate(() => document.activeElement?.tagName ?? ''));
    }
    expect(names).toEqual(['A', 'A', 'A', 'A', 'A', 'SELECT', 'SELECT', 'INPUT', 'BUTTON']);
    await page.context().close();
  });

  it.each(['#/pdf', '#/json'])('fits 360 pixels and has no accessibility findings on %s, light and dark', async (path) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await opened({ colorScheme, viewport: { width: 360, height: 740 } }, path);
      await page.locator('input[type=file]').setInputFiles([
        { name: `${'long '.repeat(40)}.json`, mimeType: 'application/json', buffer: Buffer.from('[1]') },
        path === '#/pdf' ? await pdf('good.pdf') : { name: 'good.json', mimeType: 'application/json', buffer: Buffer.from('[1]') },
      ]);
      await expect.poll(() => page.evaluate(() => globalThis.holdfast.getAllTasks().filter(({ endedAt }) => endedAt).length), { timeout: 30_000 }).toBe(2);
      await page.locator('summary').filter({ hasText: 'Try it' }).click();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
      await page.context().close();
    }
  });
});

it('a JSON file that was not all right is done, and the page says that it was not', async () => {
  const { page } = await opened({}, '#/json');
  const upload = (name: string, text: string) => page.locator('input[type=file]').setInputFiles({ name, mimeType: 'application/x-ndjson', buffer: Buffer.from(text) });
  await upload('right.ndjson', '{"a":1}\n');
  await upload('broken.ndjson', '{"a":1}\n{"a":2,}\nnot json\n{"b":4}\n');
  await expect.poll(() => page.locator('.notice').allTextContents(), { timeout: 30_000 }).toEqual([
    expect.stringMatching(/^broken\.ndjson is done, but not all of it was right \(2 problems\); report\.json/),
  ]);
  // On the narrowest page too the button keeps its word in one line.
  await page.setViewportSize({ width: 360, height: 740 });
  expect((await page.locator('.notice button').boundingBox())!.height).toBeLessThan(35);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await page.context().close();
});

describe('A crashed tab', () => {
  /** Runs a file to its end, killing the tab `crashes` times on the way; gives the zip's hash and what was computed. */
  async function runWith(crashes: number, buffer: Buffer) {
    let { page } = await opened({}, '#/json');
    await page.getByRole('spinbutton').fill('0.3');
    await page.locator('input[type=file]').setInputFiles({ name: 'rows.ndjson', mimeType: 'application/x-ndjson', buffer });
    const stepsAtLeast = (count: number) =>
      expect.poll(() => page.evaluate(() => globalThis.holdfast.getAllTasks()[0]?.steps ?? 0), { interval: 5, timeout: 30_000 }).toBeGreaterThanOrEqual(count);
    for (let crash = 1; crash <= crashes; crash++) {
      await stepsAtLeast(crash * 4);
      const next = await page.context().newPage();
      const crashed = page.waitForEvent('crash');
      page.goto('chrome://crash').catch(() => {}); // never answers
      await crashed;
      page = next;
      await page.goto(`${demo.server.url}#/json`);
    }
    await expect.poll(() => page.evaluate(() => globalThis.holdfast.getAllTasks()[0]?.status), { timeout: 60_000 }).toBe('completed');
    const outcome = await page.evaluate(async () => {
      const { id, steps, recoveries } = globalThis.holdfast.getAllTasks()[0]!;
      const zip = (await globalThis.holdfast.attach(id)!.result()) as File;
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await zip.arrayBuffer()));
      return { steps, recoveries, sha: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') };
    });
    await page.context().close();
    return outcome;
  }

  it('does not change a byte of what a JSON file is cut into', async () => {
    const row = (id: number) => JSON.stringify({ id, text: `row ${id} `.repeat(20), none: null });
    const buffer = Buffer.from(Array.from({ length: 40_000 }, (_, index) => row(index)).join('\n'));
    const undisturbed = await runWith(0, buffer);
    const crashed = await runWith(2, buffer);
    expect(crashed.sha).toBe(undisturbed.sha);
    expect(crashed.steps).toBe(undisturbed.steps);
  }, 120_000);
});
