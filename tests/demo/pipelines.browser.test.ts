/** The Pipelines page in a real Chromium: drawn with keys alone, run, killed in the middle, gone on with. */
import AxeBuilder from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { servedDemo } from './built-demo.ts';

const demo = servedDemo();

async function opened(options: Parameters<Browser['newContext']>[0] = {}, of?: BrowserContext): Promise<{ page: Page; complaints: string[] }> {
  const context = of ?? (await demo.browser.newContext({ locale: 'en-US', ...options }));
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${demo.server.url}#/pipelines`);
  await page.locator('.pl-canvas').waitFor();
  return { page, complaints };
}

/** Presses what has the name, found with the keyboard's focus. */
async function press(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name, exact: true }).focus();
  await page.keyboard.press('Enter');
}

const node = (page: Page, id: string) => page.locator(`.react-flow__node[data-id="${id}"]`);

/** Gives a node the keyboard's focus, which it can't have before it is drawn. */
async function focus(page: Page, id: string): Promise<void> {
  await node(page, id).waitFor({ state: 'visible' });
  await node(page, id).focus();
  expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset['id'])).toBe(id);
}

/** `C`, the output, a word that finds the input, Enter. */
async function connect(page: Page, from: string, output: string, to: string): Promise<void> {
  await focus(page, from);
  await page.keyboard.press('c');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('combobox').selectOption({ label: output });
  await page.keyboard.press('Tab');
  await page.keyboard.type(to);
  await dialog.locator('.pl-target').first().focus();
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
}

async function drawWithKeys(page: Page): Promise<void> {
  await page.getByRole('combobox', { name: 'Start from' }).selectOption({ label: 'An empty drawing' });
  for (const kind of ['JSON file', 'Read JSON', 'Totals', 'Delay', 'Sentence']) await press(page, kind);
  await connect(page, 'json-file', 'File', 'Read JSON');
  await connect(page, 'json-rows', 'Rows', 'Totals');
  await connect(page, 'totals', 'Sum', 'Delay');
  await connect(page, 'delay', 'sum', 'Sentence');
  await focus(page, 'delay');
  await page.keyboard.press('Enter');
  await page.getByLabel('Delay', { exact: true }).fill('8s'); // what is to be done meanwhile may be slow
  await focus(page, 'sentence');
  await page.keyboard.press('Enter');
  await page.getByLabel('Sentence', { exact: true }).fill('All orders: {{sum}}');
}

const statuses = (page: Page) => page.locator('.pl-node').evaluateAll((nodes) => nodes.map((each) => (each as HTMLElement).dataset['status']));

describe('A pipeline', () => {
  it('is drawn with keys alone, run, killed in the middle, and goes on with what is missing', async () => {
    const { page, complaints } = await opened();
    await drawWithKeys(page);
    await focus(page, 'sentence');
    await page.keyboard.press('ArrowLeft');
    expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset['id'])).not.toBe('sentence');
    // Removed, with its edges, and back again.
    await focus(page, 'totals');
    await page.keyboard.press('Delete');
    await expect.poll(() => page.locator('.react-flow__edge').count()).toBe(2);
    await page.keyboard.press('Control+z');
    await expect.poll(() => page.locator('.react-flow__edge').count()).toBe(4);
    await press(page, 'Run');
    await expect.poll(() => statuses(page), { timeout: 20_000 }).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED', 'PROCESSING', 'PENDING']);
    expect(complaints).toEqual([]);

    const context = page.context();
    const crashed = page.waitForEvent('crash');
    page.goto('chrome://crash').catch(() => {}); // never answers
    await crashed;
    const next = await opened({}, context);
    await next.page.getByText('Resumed after its page was gone; 3 nodes had ended and were not run again.').waitFor();
    await expect.poll(() => statuses(next.page), { timeout: 20_000 }).toEqual(Array(5).fill('COMPLETED'));
    await focus(next.page, 'sentence');
    await next.page.keyboard.press('Enter');
    const inspector = next.page.getByRole('region', { name: 'Inspector' });
    await inspector.getByText('All orders: 3577.5').waitFor();
    await inspector.getByText('Where this comes from').waitFor();
    expect(await inspector.locator('.pl-lineage li > span').allTextContents()).toEqual(['json-file', 'json-rows', 'totals', 'delay', 'sentence']);
    // What was drawn is there as well.
    await next.page.getByRole('button', { name: 'Back to the drawing' }).click();
    expect(await next.page.locator('.pl-node').count()).toBe(5);
    expect(next.complaints).toEqual([]);
    await context.close();
  });

  it('is switched off in part, in the drawing and while it runs, and says why what has begun stays', async () => {
    const { page, complaints } = await opened();
    await drawWithKeys(page);
    const off = () => page.locator('.pl-node[data-off]').count();
    await focus(page, 'sentence');
    await page.keyboard.press('o');
    await expect.poll(off).toBe(1);
    await press(page, 'Switch on');
    await expect.poll(off).toBe(0);
    await press(page, 'Run');
    await expect.poll(() => statuses(page), { timeout: 20_000 }).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED', 'PROCESSING', 'PENDING']);
    await focus(page, 'delay');
    await page.keyboard.press('Delete');
    await page.getByText('The run goes on as it was. “delay” has begun (running), and what has begun stays as it is, with its edges.').waitFor();
    await focus(page, 'sentence');
    await page.keyboard.press('o');
    await expect.poll(() => statuses(page)).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED', 'PROCESSING', 'DISABLED']);
    await expect.poll(() => statuses(page), { timeout: 20_000 }).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'DISABLED']);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('says why an edge is refused, and why a file is not opened, and changes nothing then', async () => {
    const { page, complaints } = await opened();
    await focus(page, 'count-words');
    await page.keyboard.press('c');
    const refused = page.getByRole('dialog').getByRole('button', { name: /^PDF to zip \(pdf-to-zip\) · File/ });
    expect(await refused.getAttribute('aria-disabled')).toBe('true');
    expect(await refused.textContent()).toContain('“Words” gives a whole number, and “File” takes a PDF file.');
    await page.keyboard.press('Escape');
    // The same with the pointer.
    const handle = (id: string, port: string) => node(page, id).locator(`.react-flow__handle[data-handleid="${port}"]`);
    await handle('count-words', 'words').hover();
    await page.mouse.down();
    await handle('zip', 'files').hover();
    await page.mouse.up();
    await page.getByText('“Words” gives a whole number, and “Files” takes a list of files.').first().waitFor();
    const edges = await page.locator('.react-flow__edge').count();
    await page.locator('.pl-toolbar input[type=file]').setInputFiles({
      name: 'bad.json', mimeType: 'application/json', buffer: Buffer.from('{"version":1,"tasks":[{"id":"a","type":"nope"},{"id":"a","type":"demo/zip"}],"dataflows":[{"sourceTaskId":"a"}]}'),
    });
    await expect.poll(() => page.locator('.pl-issues li').allTextContents()).toEqual([
      '/tasks/0/type No kind of node is called “nope” here.', '/tasks/1/id The id "a" is that of /tasks/0 too: ids are unique in a graph.',
      ...['targetTaskId', 'sourceTaskPortId', 'targetTaskPortId'].map((name) => `/dataflows/0 \`${name}\` is missing: give a text.`),
    ]);
    expect(await page.locator('.react-flow__edge').count()).toBe(edges);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('fits 320 pixels in the longer words of French', async () => {
    const { page } = await opened({ locale: 'fr-FR', viewport: { width: 320, height: 640 } });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    await page.context().close();
  });

  it('fits 360 pixels and has no accessibility findings while it is drawn and while it runs, light and dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, complaints } = await opened({ colorScheme, viewport: { width: 360, height: 740 } });
      if (colorScheme === 'dark') {
        await press(page, 'Run');
        await expect.poll(() => statuses(page), { timeout: 20_000 }).toContain('COMPLETED');
      }
      await focus(page, 'pdf-file');
      await page.keyboard.press('Enter');
      await page.getByRole('region', { name: 'Inspector' }).waitFor();
      await audit(page);
      expect(complaints).toEqual([]);
      await page.context().close();
    }
  });
});

async function audit(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
}
