/**
 * A directory with an index.html, built by Vite as a stranger's app would be, served under a strict
 * content security policy and opened in a real Chromium.
 */
import { readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'vite';

const sources = fileURLToPath(new URL('../../js/', import.meta.url));
const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
  '.css': 'text/css',
};
/** No `unsafe-eval`, nothing inline, nothing from elsewhere. */
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self' blob:";

export interface ServedPage {
  page: Page;
  /** What the page said about its policy or an error nobody caught. */
  complaints: string[];
  close(): Promise<void>;
}

export async function servePage(directory: URL): Promise<ServedPage> {
  const root = fileURLToPath(directory);
  const outDir = join(tmpdir(), `holdfast-page-${process.pid}-${root.split('/').filter(Boolean).at(-1)}`);
  const alias = { 'holdfast/worker': join(sources, 'workers/index.ts') };
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { alias },
    worker: { format: 'es' },
    build: { outDir, emptyOutDir: true },
  });
  const server = await listen(outDir);
  const browser = await chromium.launch({
    executablePath: process.env.HOLDFAST_CHROMIUM,
    args: ['--no-sandbox'],
  });
  const complaints: string[] = [];
  const page = await openPage(browser, server, complaints);
  const close = async () => {
    await browser.close();
    server.close();
    await rm(outDir, { recursive: true, force: true });
  };
  return { page, complaints, close };
}

async function openPage(browser: Browser, server: Server, complaints: string[]): Promise<Page> {
  const page = await browser.newPage();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) complaints.push(message.text());
  });
  await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction(() => 'ready' in globalThis);
  return page;
}

function listen(directory: string): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = request.url === '/' ? '/index.html' : (request.url ?? '').split('?')[0]!;
    try {
      const body = await readFile(join(directory, path));
      response.writeHead(200, {
        'content-type': types[extname(path)] ?? 'application/octet-stream',
        'content-security-policy': policy,
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(0, 'localhost', () => resolve(server)));
}
