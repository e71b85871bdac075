// What every part of the bootstrap needs: where things live, calm output, child
// processes whose failure says what to do, checksums, and a lock that a killed
// process cannot leave behind.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'holdfast');
export const toolchainText = readFileSync(join(root, 'scripts/toolchain.json'), 'utf8');
export const toolchain = JSON.parse(toolchainText);

let lock; // the descriptor of the cache's lock, once taken

/** A failure the person can act on: `message` says what went wrong, `advice` what to do. */
export class SetupError extends Error {
  constructor(message, advice = '') {
    super(message);
    this.advice = advice;
  }
}

let stream = process.stdout;

/** For commands whose output is read by programs. */
export function sayOnStderr() {
  stream = process.stderr;
}

export function say(line) {
  stream.write(`setup: ${line}\n`);
}

export function seconds(sinceMs) {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/** The first executable called `name` on PATH, leaving out directories of our own cache. */
export function which(name, path = process.env.PATH ?? '') {
  for (const directory of path.split(delimiter)) {
    if (!directory || directory.startsWith(cache)) continue;
    const file = join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {}
  }
  return undefined;
}

export function isAtLeast(version, minimum) {
  const [a, b] = [version, minimum].map((text) => text.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0);
  }
  return true;
}

/** The first dotted number a tool prints about itself, or undefined when it does not run. */
export function versionOf(command, args = ['--version'], env = process.env) {
  const result = spawnSync(command, args, { encoding: 'utf8', env });
  if (result.status !== 0) return undefined;
  return /(\d+\.\d+(\.\d+)?)/.exec(result.stdout)?.[1];
}

export function succeeds(command, args, options = {}) {
  return spawnSync(command, args, { stdio: ['pipe', 'ignore', 'ignore'], ...options }).status === 0;
}

function directoryBytes(directory) {
  let total = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const file = join(directory, entry.name);
    try {
      total += entry.isDirectory() ? directoryBytes(file) : statSync(file).size;
    } catch {}
  }
  return total;
}

/** Runs a command and keeps its output for the error; with `watch`, says every 3 s how far a download is. */
export function run(command, args, { cwd, env, advice, watch, megabytes, input } = {}) {
  return new Promise((fulfil, reject) => {
    const stdio = ['pipe', 'pipe', 'pipe', ...(lock === undefined ? [] : [lock])];
    const child = spawn(command, args, { cwd, env: env ?? process.env, stdio });
    let output = '';
    let stdout = '';
    child.stdout.on('data', (data) => {
      stdout += data;
      output += data;
    });
    child.stderr.on('data', (data) => {
      output += data;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    const timer =
      watch &&
      setInterval(() => {
        const have = Math.round(directoryBytes(watch) / 1e6);
        say(`  … ${have} MB${megabytes ? ` of ${megabytes} MB` : ''}`);
      }, 3000);
    const done = (error) => {
      clearInterval(timer);
      if (error) reject(error);
      else fulfil(stdout);
    };
    child.on('error', (error) => done(new SetupError(`${command} could not be started: ${error.message}`, advice)));
    child.on('close', (code, signal) => {
      if (code === 0) return done();
      const tail = output.trim().split('\n').slice(-15).join('\n');
      done(new SetupError(`${command} ${args.join(' ').slice(0, 160)} ended with ${signal ?? code}:\n${tail}`, advice));
    });
  });
}

export function hashOf(file, algorithm = 'sha256', encoding = 'hex') {
  return new Promise((fulfil, reject) => {
    const hash = createHash(algorithm);
    createReadStream(file)
      .on('data', (data) => hash.update(data))
      .on('error', reject)
      .on('end', () => fulfil(hash.digest(encoding)));
  });
}

export function hashText(text) {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Fills a directory as a whole or not at all: `fill` works in a temporary one that
 * takes its name only when complete, so a killed run leaves nothing half-done behind.
 */
export async function makeWhole(target, fill) {
  if (existsSync(target)) return target;
  const temporary = join(dirname(target), `.partial-${process.pid}-${Date.now()}`);
  mkdirSync(temporary, { recursive: true });
  await fill(temporary);
  renameSync(temporary, target);
  return target;
}

/** Removes what killed runs left. REQUIRES: the lock is held. */
export function sweep() {
  for (const name of readdirSync(cache)) {
    if (name.startsWith('.partial-')) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

/**
 * Waits for the cache's lock. It is an flock on a descriptor that this process and its
 * children keep open to their end, so the kernel gives it back however they die, and not
 * before an orphaned apt-get or npm is done. Systems without flock(1) go without: there
 * only npm packages are fetched, and npm has its own.
 */
export function takeLock() {
  mkdirSync(cache, { recursive: true });
  lock = openSync(join(cache, 'lock'), 'a');
  const stdio = ['ignore', 'ignore', 'ignore', lock];
  const attempt = spawnSync('flock', ['--exclusive', '--nonblock', '3'], { stdio });
  if (attempt.error || attempt.status === 0) return;
  say('another setup is at work; waiting for it');
  spawnSync('flock', ['--exclusive', '3'], { stdio });
}
