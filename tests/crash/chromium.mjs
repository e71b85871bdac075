// A real Chromium with a profile of its own: pages, and every way to end it. Linux, as CI is.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const kFlags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves with the first value of `look` that is neither undefined nor false. @throws when that takes too long */
export async function until(what, look, timeoutMs = 30_000) {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > endMs) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
    await pause(20);
  }
}

/** Processes that name the profile on their command line: the browser and all its children but the zygotes. */
function processesOf(profile, kind = '') {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return line.includes(profile) && line.includes(kind);
      } catch {
        return false; // ended meanwhile
      }
    });
}

function sigkill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}

export class Chromium {
  profile = mkdtempSync(join(tmpdir(), 'holdfast-profile-'));
  context;
  #options;

  /** @param options `args`, `ignoreDefaultArgs` as Playwright has them */
  constructor(options = {}) {
    this.#options = options;
  }

  /** Starts it, in the profile as its last life left it. */
  async launch() {
    const { args = [], ...options } = this.#options;
    this.context = await chromium.launchPersistentContext(this.profile, {
      executablePath: process.env.HOLDFAST_CHROMIUM,
      args: [...kFlags, ...args],
      timeout: 60_000,
      handleSIGINT: false,
      ...options,
    });
    this.context.setDefaultTimeout(60_000);
    return this;
  }

  async open(url) {
    const blank = this.context.pages().find((page) => page.url() === 'about:blank');
    const page = blank ?? (await this.context.newPage());
    await page.goto(url);
    return page;
  }

  /**
   * Ends the process that renders the page, at once and without a last word. By its page and not by a
   * process number: under load nothing outside tells for sure which process is whose.
   */
  async crash(page) {
    const session = await this.context.newCDPSession(page);
    const crashed = page.waitForEvent('crash');
    session.send('Page.crash').catch(() => {});
    await crashed;
  }

  /** SIGKILL to what renders pages, of all tabs at once. */
  killRenderers() {
    for (const pid of processesOf(this.profile, '--type=renderer')) sigkill(pid);
  }

  /** SIGKILL to every process, no warning; resolves when none is left. */
  async kill() {
    for (let left = processesOf(this.profile); left.length > 0; left = processesOf(this.profile)) {
      for (const pid of left) sigkill(pid);
      await pause(10);
    }
    // A killed browser leaves its lock behind; the next one would hand over to a process that is gone.
    for (const name of ['SingletonLock', 'SingletonSocket', 'SingletonCookie'])
      rmSync(join(this.profile, name), { force: true });
  }

  async close() {
    await this.context?.close().catch(() => {});
    await this.kill();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
