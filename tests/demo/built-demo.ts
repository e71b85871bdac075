/** The demo as people get it: built once per test run, served under its policy, driven in a real Chromium. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

/** `npm start -- --check …` without setup and build. */
export const check = (...args: string[]): Promise<Output> => run(process.execPath, ['scripts/check.mjs', '--check', ...args]);

export const temporaryDirectory = (): string => mkdtempSync(join(tmpdir(), 'holdfast-demo-'));

export function writeFile(directory: string, name: string, bytes: Uint8Array): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}
