// The pages, bundled by Vite with the built package as a stranger's app would be, served on localhost
// (a secure context) to a Chromium with a fresh profile on disk.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const work = join(root, 'build/bench');
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--js-flags=--expose-gc',
  '--enable-precise-memory-info',
];

async function serve(name, { minify = true } = {}) {
  const outDir = join(work, name);
  const config = {
    root: join(here, name),
    configFile: false,
    logLevel: 'error',
    worker: { format: 'es' },
    build: { outDir, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, minify, chunkSizeWarningLimit: 1000 },
    preview: { host: 'localhost', port: 0 },
  };
  await build(config);
  const server = await preview(config);
  return { url: server.resolvedUrls.local[0], outDir, close: () => server.close() };
}

async function launch() {
  const executablePath = process.env.HOLDFAST_CHROMIUM;
  if (!executablePath)
    throw new Error('No Chromium: name one in HOLDFAST_CHROMIUM; `npm run bench` finds an installed one.');
  mkdirSync(work, { recursive: true });
  const profile = mkdtempSync(join(work, 'profile-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: flags });
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('pageerror', (error) => process.stderr.write(`page: ${error.stack}\n`));
  page.on('console', (message) => message.type() === 'error' && process.stderr.write(`page: ${message.text()}\n`));
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  return { page, close };
}

async function open(name, options) {
  const site = await serve(name, options);
  const browser = await launch();
  const close = async () => {
    await browser.close();
    await site.close();
  };
  return { site, page: browser.page, close };
}

/** The page under measurement, with `globalThis.bench`. */
export async function openPage(options) {
  const { site, page, close } = await open('page', options);
  await page.goto(site.url);
  await page.waitForFunction(() => 'bench' in globalThis);
  return { page, close };
}

/** gzip bytes that the smallest app may fetch before its first task is accepted; a change that needs more says why. */
export const firstDownloadBytes = 227_600;

/** The smallest app. `use(id)`: ms from import to the first task accepted; `downloads()`: what it fetched for that. */
export async function openFirst() {
  const { site, page, close } = await open('first');
  const fetched = new Set();
  page.context().on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (/\.(js|wasm)$/.test(pathname)) fetched.add(pathname);
  });
  const use = async (id) => {
    await page.goto(site.url);
    await page.waitForFunction(() => 'first' in globalThis);
    return page.evaluate((name) => globalThis.first(name), id);
  };
  const downloads = () =>
    [...fetched].map((path) => ({
      name: path.split('/').at(-1),
      bytes: gzipSync(readFileSync(join(site.outDir, path)), { level: 9 }).length,
    }));
  return { use, downloads, close };
}

/** The page that does one document in two ways, with `globalThis.headline`. */
export async function openHeadline(pdf) {
  const { site, page, close } = await open('headline');
  writeFileSync(join(site.outDir, 'document.pdf'), pdf);
  await page.goto(site.url);
  await page.waitForFunction(() => 'headline' in globalThis);
  return { page, close };
}
