/** The panel in a real Chromium: accessibility, keyboard, narrow pages, and its pace with many tasks. */
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Look, openLook } from '../look/browser.mjs';

declare const fake: any, stir: (count: number, perSecond: number) => () => void;

let look: Look;
beforeAll(async () => {
  look = await openLook();
});
afterAll(() => look?.close());

async function violations(query: Record<string, string>, context = {}) {
  // High enough for every row to be drawn: what is not drawn is not checked.
  const page = await look.page(query, { viewport: { width: 920, height: 9000 }, ...context });
  for (const button of (await page.locator('.hf-toggle').all()).slice(0, 24)) await button.click();
  await page.mouse.move(0, 0);
  const results = await new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).analyze();
  const problems = page.problems;
  await page.context().close();
  return [
    ...problems,
    ...results.violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`),
    ),
  ];
}

describe('axe and the content security policy find nothing', () => {
  it.each([
    ['in every phase', { scene: 'phases' }, {}],
    ['in the dark', { scene: 'phases' }, { colorScheme: 'dark' }],
    ['on a phone, in French', { scene: 'awkward', locale: 'fr' }, { viewport: { width: 360, height: 9000 } }],
    ['from right to left', { scene: 'phases', dir: 'rtl' }, {}],
    ['with nothing to show', { scene: 'empty' }, {}],
    ['when storage is full', { scene: 'full' }, {}],
    ['when storage is memory, in the dark', { scene: 'memory' }, { colorScheme: 'dark' }],
  ] as const)('%s', async (_, query, context) => {
    expect(await violations(query, context)).toEqual([]);
  });
});

describe('on a phone of 360 px', () => {
  it.each(['phases', 'awkward', 'full', 'empty'])(
    'nothing of %s is wider, and every target is at least 40 px high',
    async (scene) => {
      const page = await look.page(
        { scene, locale: 'fr' },
        { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
      );
      for (const button of await page.locator('.hf-toggle').all()) await button.click();
      const found = await page.evaluate(() => ({
        overflow: document.documentElement.scrollWidth - innerWidth,
        small: [...document.querySelectorAll<HTMLElement>('.hf-panel button')]
          .map((button) => ({
            words: button.textContent,
            high: (button.matches('.hf-toggle') ? button.closest('li')! : button).getBoundingClientRect().height,
          }))
          .filter(({ high }) => high < 40),
      }));
      expect(found).toEqual({ overflow: 0, small: [] });
      await page.context().close();
    },
  );
});

describe('from right to left', () => {
  it('the bar grows from the right', async () => {
    const page = await look.page({ scene: 'one', dir: 'rtl' });
    const gap = await page.evaluate(() => {
      const [bar, fill] = ['.hf-bar', '.hf-bar-fill'].map((name) =>
        document.querySelector(name)!.getBoundingClientRect(),
      );
      return fill!.left - bar!.left;
    });
    expect(gap).toBeGreaterThan(100);
    await page.context().close();
  });
});

describe('the keyboard alone', () => {
  it('opens details with Enter and Space, cancels with Delete, and keeps its place when rows go', async () => {
    const page = await look.page({ scene: 'phases' });
    const focused = () =>
      page.evaluate(() => document.activeElement?.closest<HTMLElement>('[data-task-id]')?.dataset.taskId);
    await page.locator('.hf-toggle').first().focus();
    await page.keyboard.press('Enter');
    expect(await page.locator('dl').count()).toBe(1);
    await page.keyboard.press('Space');
    expect(await page.locator('dl').count()).toBe(0);
    await page.keyboard.press('Delete');
    await page.waitForSelector('[data-task-id=run-1][data-state=cancelled]');
    expect(await focused()).toBe('run-1');
    await page.evaluate(() => fake.drop('run-1'));
    await page.waitForFunction(() => !document.querySelector('[data-task-id=run-1]'));
    expect(await focused()).toBe('run-2');
    // A row that only moves keeps it too.
    await page.locator('[data-task-id=run-3] [data-action=cancel]').focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-task-id=run-3][data-state=cancelled]');
    expect(await focused()).toBe('run-3');
    await page.context().close();
  });
});

/** Of a trace: the longest task of the page's main thread, in ms of processor time, so that other work of the machine does not count. */
function longestOf(trace: Buffer): number {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: any[] };
  const mains = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const isMain = (event: any) => mains.some(({ pid, tid }) => pid === event.pid && tid === event.tid);
  const tasks = traceEvents.filter((event) => /RunTask$/.test(event.name) && event.tdur !== undefined && isMain(event));
  expect(tasks.length).toBeGreaterThan(100);
  return Math.round(Math.max(...tasks.map(({ tdur }) => tdur)) / 1000);
}

/** What the work itself takes: a neighbour on the machine makes a measurement longer (caches, clock), never shorter. */
async function bestOfThree(measure: () => Promise<number>): Promise<number> {
  let best = await measure();
  for (let again = 0; again < 2 && best > 50; again++) best = Math.min(best, await measure());
  return best;
}

async function stirred(query: Record<string, string>, count: number) {
  const page = await look.page({ ...query, loose: '' });
  const rows = Math.min(count, Number(query.limit));
  await page.waitForFunction((wanted) => document.querySelectorAll('.hf-row').length >= wanted, rows);
  await page.waitForTimeout(500);
  await look.browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  const updates = await page.evaluate(async (runs) => {
    let heard = 0;
    fake.on('change', () => heard++);
    const stop = stir(runs, 100);
    await new Promise((done) => setTimeout(done, 4000));
    stop();
    return heard;
  }, count);
  const longestMs = longestOf(await look.browser.stopTracing());
  await page.context().close();
  console.log(`${count} tasks, ${rows} rows, ${updates / 4} changes/s: longest task ${longestMs} ms`);
  return longestMs;
}

async function opened(): Promise<number> {
  const page = await look.page({ scene: 'empty', loose: '', limit: '1000' });
  await look.browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  await page.evaluate(() => {
    for (let index = 0; index < 1000; index++) fake.add({ id: `r${index}`, progress: 5, progressSource: 'reported' });
  });
  await page.waitForFunction(() => document.querySelectorAll('.hf-row').length === 1000);
  const longestMs = longestOf(await look.browser.stopTracing());
  await page.context().close();
  console.log(`1,000 rows at once: longest task ${longestMs} ms`);
  return longestMs;
}

describe('100 changes a second', () => {
  it('to 1,000 tasks, all of them rows, never hold the page up for 50 ms', async () => {
    expect(await bestOfThree(() => stirred({ scene: 'thousand', limit: '1000' }, 1000))).toBeLessThanOrEqual(50);
  });

  it('to 10,000 tasks at the default limit never hold the page up for 50 ms', async () => {
    expect(await bestOfThree(() => stirred({ scene: 'tenthousand', limit: '100' }, 10_000))).toBeLessThanOrEqual(50);
  });
});

describe('opening', () => {
  it('1,000 rows at once takes no task of 50 ms', async () => {
    expect(await bestOfThree(opened)).toBeLessThanOrEqual(50);
  });
});
