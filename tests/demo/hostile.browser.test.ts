/**
 * Hostile texts on their whole way: into a task, through storage and a reload, and onto the built page
 * under its policy. A page that only forbids scripts would complain; here nothing is even tried.
 */
import type { OrchestratorApi } from 'holdfast';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { payloads, refusedUrls } from '../fixtures/hostile-texts.ts';
import { servedDemo } from './built-demo.ts';

declare global {
  var holdfast: OrchestratorApi;
}

const demo = servedDemo();

/** A page that notes every sign of a text having become more than text. */
async function watched(path: string) {
  const page = await (await demo.browser.newContext({ locale: 'en-US' })).newPage();
  const signs: string[] = [];
  page.on('dialog', (dialog) => { signs.push(`dialog ${dialog.message()}`); void dialog.dismiss(); });
  page.on('pageerror', (error) => signs.push(`error ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && signs.push(`console ${message.text()}`));
  page.on('request', (request) => !request.url().startsWith(demo.server.url) && !request.url().startsWith('blob:') && signs.push(`request ${request.url()}`));
  page.on('framenavigated', (frame) => !frame.url().startsWith(demo.server.url) && signs.push(`navigation ${frame.url()}`));
  await page.goto(demo.server.url + path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  return { page, signs };
}

interface Shown {
  /** As the row's attribute has it. */
  fileName: string;
  /** Of the row's name. */
  name: string;
  details: string;
  links: string[];
}

/** Opens every row of the panel and reads it. */
async function readPanel(page: Page, rows: number): Promise<Shown[]> {
  for (let shown = 100; shown < rows; shown += 100) await page.locator('.tasks .hf-more').click();
  await expect.poll(() => page.locator('.tasks [data-task-id]').count(), { timeout: 30_000 }).toBe(rows);
  return page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const shown: Shown[] = [];
    const list = [...document.querySelectorAll<HTMLElement>('.tasks [data-task-id]')];
    for (const row of list) row.querySelector<HTMLElement>('.hf-toggle')!.click();
    for (let frames = 0; list.some((row) => !row.querySelector('dl')) && frames < 600; frames++) await frame();
    for (const row of list) {
      shown.push({
        fileName: row.dataset.filename!,
        name: row.querySelector('.hf-name')!.textContent!,
        details: row.querySelector('dl')!.textContent!,
        links: [...row.querySelectorAll('a')].map((link) => link.href),
      });
    }
    return shown;
  });
}

/** Elements the panel never makes, and attributes that would be code. */
const grown = (page: Page) =>
  page.evaluate(() => {
    const foreign = 'script, style, link, meta, base, img, iframe, frame, object, embed, video, audio, form, input, math, template, marquee, foreignObject, animate, set, use';
    const elements = [...document.querySelectorAll('.tasks *, .notices *')];
    return [
      ...elements.filter((element) => element.matches(foreign)).map((element) => element.outerHTML),
      ...elements.flatMap((element) => element.getAttributeNames().filter((name) => name.startsWith('on') || name === 'srcdoc' || name === 'autofocus')),
      ...[...document.scripts].filter(({ src }) => !src.startsWith(location.origin)).map((script) => script.outerHTML),
    ];
  });

/** Runs one task per text that carries it wherever a task can carry one, and ends as `end` says. */
const runAll = (page: Page, texts: readonly string[], end: 'fail' | 'complete') =>
  page.evaluate(async ({ texts, end }) => {
    const execute = async (text: string, _progress: unknown, ctx: any) => {
      await ctx.step(text, () => text);
      ctx.progress({ value: 10, message: text, phase: text, step: text });
      if (end === 'complete') return text;
      throw Object.assign(new Error(text), { stack: `Error: ${text}\n    at ${text} (${text}:1:1)`, code: text });
    };
    (globalThis.holdfast as any).setOptions({ maxRetries: 0 });
    const carried = (text: string) => ({ fileName: text, [text]: text, deep: { [text]: [text] } });
    await Promise.all(texts.map((text) => globalThis.holdfast.executeTask(text, { taskType: 'hostile', execute }, text, carried(text))));
  }, { texts, end });

const ended = (page: Page, count: number) =>
  expect.poll(() => page.evaluate(() => globalThis.holdfast.getAllTasks().filter(({ endedAt }) => endedAt).length), { timeout: 60_000 }).toBe(count);

describe('S1: 200 payloads', () => {
  it('are 200 different ones', () => {
    expect(new Set(payloads).size).toBe(200);
  });

  it.each(['fail', 'complete'] as const)('as name, error, stack, metadata, step and result are shown as they are when tasks %s, and again after a reload', async (end) => {
    const { page, signs } = await watched('#/json');
    await runAll(page, payloads, end);
    await ended(page, payloads.length);
    for (const life of ['first', 'reloaded']) {
      if (life === 'reloaded') {
        await page.reload();
        await ended(page, payloads.length);
      }
      const shown = new Map((await readPanel(page, payloads.length)).map((row) => [row.name, row]));
      expect([...shown.keys()].sort()).toEqual([...payloads].sort());
      for (const text of payloads) {
        const { fileName, details, links } = shown.get(text)!;
        expect([fileName, links]).toEqual([text, []]);
        // As error or result, as step, in the metadata as a value and within one.
        expect(details.split(text).length, `${text} in ${details}`).toBeGreaterThan(4);
      }
      expect(await grown(page)).toEqual([]);
    }
    expect(signs).toEqual([]);
    await page.context().close();
  }, 120_000);

  it.each(['#/json', '#/pdf'])('as names of files are shown as they are on %s', async (path) => {
    const { page, signs } = await watched(path);
    const names = await page.evaluate((texts) => {
      const transfer = new DataTransfer();
      for (const text of texts) transfer.items.add(new File(['[1]'], `${text}.json`));
      document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: transfer }));
      return [...transfer.files].map(({ name }) => name);
    }, payloads);
    await ended(page, payloads.length);
    const rows = await readPanel(page, payloads.length);
    expect(rows.map(({ fileName }) => fileName).sort()).toEqual([...names].sort());
    for (const { fileName, name, details } of rows) {
      expect(name).toContain(fileName);
      expect(details).toContain(fileName);
    }
    expect(await grown(page)).toEqual([]);
    expect(signs).toEqual([]);
    await page.context().close();
  }, 120_000);
});

describe('S2: addresses as results', () => {
  it('are links only where they are harmless', async () => {
    const allowed = ['https://a.example/x?y#z', 'HTTP://a.example/', 'http://localhost:1/x', 'mailto:a@b.example'];
    expect(refusedUrls.length).toBeGreaterThanOrEqual(40);
    const { page, signs } = await watched('#/json');
    const results = [...refusedUrls, ...allowed].filter((url) => url !== '');
    await runAll(page, results, 'complete');
    await ended(page, results.length);
    const links = (await readPanel(page, results.length)).flatMap((row) => row.links);
    expect(links.sort()).toEqual(allowed.map((url) => new URL(url).href).sort());
    expect(signs).toEqual([]);
    await page.context().close();
  }, 120_000);
});
