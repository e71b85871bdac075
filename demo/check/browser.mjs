// A real Chromium with a profile of its own that can be killed as a whole and started again.
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { chromium } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function runs(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function findChromium() {
  const own = process.env.HOLDFAST_CHROMIUM;
  if (own) return own;
  const directories = (process.env.PATH ?? '').split(delimiter);
  const found = directories.flatMap((directory) => names.map((name) => join(directory, name))).find(runs);
  if (!found) throw new Error('No Chromium was found; set HOLDFAST_CHROMIUM to its path or put it on PATH.');
  return found;
}

/** Every process that names the profile on its command line: the browser and those of its children that do. */
function processesOf(profile) {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').some((word) => word.includes(profile));
      } catch {
        return false; // ended meanwhile
      }
    });
  } catch {
    const { stdout } = spawnSync('ps', ['-axo', 'pid=,command='], { encoding: 'utf8' });
    return (stdout ?? '').split('\n').filter((line) => line.includes(profile)).map((line) => Number.parseInt(line, 10)).filter((pid) => pid !== process.pid);
  }
}

export class Browser {
  profile = mkdtempSync(join(tmpdir(), 'holdfast-check-'));
  #context;
  page;

  /** Opens the address, in the profile as the last life left it. */
  async open(url) {
    this.#context = await chromium.launchPersistentContext(this.profile, { executablePath: findChromium(), args: flags, locale: 'en-US', timeout: 60_000 });
    this.page = this.#context.pages()[0] ?? (await this.#context.newPage());
    this.page.setDefaultTimeout(120_000);
    await this.page.goto(url);
    return this.page;
  }

  /** SIGKILL, no warning, every process; resolves when none is left. */
  async kill() {
    for (let left = processesOf(this.profile); left.length > 0; left = processesOf(this.profile)) {
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // ended meanwhile
        }
      }
      await pause(20);
    }
    // A killed browser leaves its lock behind; the next one would hand over to a process that is gone.
    for (const name of ['SingletonLock', 'SingletonSocket', 'SingletonCookie']) rmSync(join(this.profile, name), { force: true });
  }

  async close() {
    await this.#context?.close().catch(() => {});
    await this.kill();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
