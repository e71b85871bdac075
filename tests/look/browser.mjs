// The panel's page, built for production with its strict CSP, and a Chromium to look at it.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));
export const outDirectory = fileURLToPath(new URL('../../build/look/', import.meta.url));
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const withoutEngine = {
  name: 'without-engine',
  enforce: 'pre',
  resolveId(id, from) {
    return id === '../index.ts' && from?.includes('/js/react/') ? `${here}no-engine.ts` : undefined;
  },
};

/** Builds, serves and opens. `close()` ends all of it. */
export async function openLook() {
  mkdirSync(outDirectory, { recursive: true });
  const config = {
    root: here,
    base: './',
    configFile: false,
    logLevel: 'error',
    plugins: [withoutEngine],
    build: { outDir: `${outDirectory}page`, emptyOutDir: true, target: 'es2022' },
    preview: { host: '127.0.0.1', port: 0 },
  };
  await build(config);
  const server = await preview(config);
  const address = server.resolvedUrls.local[0];
  const browser = await chromium.launch({
    executablePath: process.env.HOLDFAST_CHROMIUM ?? '/usr/bin/chromium',
    args: flags,
  });
  return {
    browser,
    /** A page with the panel: `{ scene, locale, … }` go to page.tsx, the rest to the browser's context. */
    async page(query, context = {}) {
      const page = await (await browser.newContext({ viewport: { width: 920, height: 700 }, ...context })).newPage();
      page.problems = [];
      page.on('pageerror', (error) => page.problems.push(String(error)));
      page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()));
      await page.goto(`${address}?${new URLSearchParams(query)}`);
      await page.waitForSelector('.hf-panel');
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
