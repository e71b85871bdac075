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

async function longestTask(query: Record<string, string>, count: number) {
  const page = await look.page({ ...query, loose: '' });
  await page.waitForFunction(
    (rows) => document.querySelectorAll('.hf-row').length >= rows,
    Math.min(count, Number(query.limit)),
    { timeout: 30_000 },
  );
  const result = await page.evaluate(async (runs) => {
    await new Promise((done) => setTimeout(done, 500));
    const tasks: number[] = [];
    const watch = new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration)));
    watch.observe({ type: 'longtask', buffered: true });
    await new Promise((done) => setTimeout(done));
    const opening = Math.max(0, ...tasks.splice(0));
    let frames = 0;
    const counting = () => {
      frames++;
      requestAnimationFrame(counting);
    };
    requestAnimationFrame(counting);
    const stop = stir(runs, 100);
    await new Promise((done) => setTimeout(done, 4000));
    stop();
    return { longest: Math.max(0, ...tasks), fps: frames / 4, opening };
  }, count);
  await page.context().close();
  return result;
}

// Repeated, because whatever else the machine does counts too.
describe('100 changes a second', { retry: 2 }, () => {
  it('to 1,000 tasks, all of them rows, never hold the page up for 50 ms', async () => {
    const { longest, fps, opening } = await longestTask({ scene: 'thousand', limit: '1000' }, 1000);
    console.log(
      `1,000 rows: longest task ${longest} ms (0: none of 50 ms), ${fps} frames/s; while opening ${opening} ms`,
    );
    expect(longest).toBeLessThanOrEqual(50);
  });

  it('to 10,000 tasks at the default limit never hold the page up for 50 ms', async () => {
    const { longest, fps, opening } = await longestTask({ scene: 'tenthousand', limit: '100' }, 10_000);
    console.log(`10,000 tasks, 100 rows: longest task ${longest} ms, ${fps} frames/s; while opening ${opening} ms`);
    expect(longest).toBeLessThanOrEqual(50);
  });
});
