/** The demo as people get it: built once per test run, served under its policy, driven in a real Chromium. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { findChromium } from '../../demo/check/browser.mjs';
import { serve } from '../../demo/server.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Output {
  code: number | null;
  stdout: string;
  stderr: string;
}

export function run(command: string, args: string[]): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => { output.stdout += data; });
    child.stderr.on('data', (data) => { output.stderr += data; });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...output }));
  });
}

/** REQUIRES: dist/ is built. */
export async function buildDemo(): Promise<void> {
  const { code, stdout, stderr } = await run(join(root, 'node_modules/.bin/vite'), ['build', 'demo', '--logLevel', 'warn']);
  if (code !== 0) throw new Error(`The demo could not be built:\n${stdout}${stderr}`);
}

export interface ServedDemo {
  browser: Browser;
  server: Awaited<ReturnType<typeof serve>>;
}

/** The demo, served, and a browser: there from the first test of the file to its last. */
export function servedDemo(): ServedDemo {
  const demo = {} as ServedDemo;
  beforeAll(async () => {
    await buildDemo();
    demo.server = await serve();
    demo.browser = await chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
  }, 120_000);
  afterAll(async () => {
    await demo.browser?.close();
    await demo.server?.close();
  });
  return demo;
}

/** `npm start -- --check …` without setup and build. */
export const check = (...args: string[]): Promise<Output> => run(process.execPath, ['scripts/check.mjs', '--check', ...args]);

export const temporaryDirectory = (): string => mkdtempSync(join(tmpdir(), 'holdfast-demo-'));

export function writeFile(directory: string, name: string, bytes: Uint8Array): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}
