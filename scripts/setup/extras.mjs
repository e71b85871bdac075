// Headers, the C++ test framework, and a browser.
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cache, makeWhole, run, SetupError, say, toolchain, which } from './common.mjs';
import { downloadPackages, downloadSource, hasApt, mayInstall, systemInstall, unpack } from './debian.mjs';

/** nlohmann/json's headers alone: with /usr/include on the path the host's C headers would shadow Emscripten's. */
export async function findHeaders() {
  const target = join(cache, `include-r${toolchain.revision}`);
  if (existsSync(target)) return target;
  if (hasApt()) {
    const [deb] = await downloadPackages('trixie', 'headers');
    return makeWhole(target, async (directory) => {
      const unpacked = join(directory, 'unpacked');
      mkdirSync(unpacked);
      await unpack(deb, unpacked);
      cpSync(join(unpacked, 'usr/include/nlohmann'), join(directory, 'nlohmann'), { recursive: true });
      rmSync(unpacked, { recursive: true });
    });
  }
  const prefixes = ['/opt/homebrew', '/usr/local', '/usr'].map((one) => `${one}/include/nlohmann`);
  const present = prefixes.find((one) => existsSync(join(one, 'json.hpp')));
  if (!present)
    throw new SetupError(
      'nlohmann/json was not found',
      'Install it (Homebrew: nlohmann-json, Fedora: json-devel, Arch: nlohmann-json), then run the same command again.',
    );
  return makeWhole(target, (directory) =>
    cpSync(present, join(directory, 'nlohmann'), { recursive: true, dereference: true }),
  );
}

/** Catch2's amalgamated files, or undefined where CMake is to find or fetch it. */
export async function findCatch2() {
  const target = join(cache, `catch2-r${toolchain.revision}`);
  if (existsSync(target)) return target;
  if (!hasApt()) return undefined;
  const archive = await downloadSource('trixie', 'catch2');
  const files = ['catch_amalgamated.cpp', 'catch_amalgamated.hpp'].map((name) => `*/extras/${name}`);
  return makeWhole(target, (directory) =>
    run('tar', ['-xzf', archive, '-C', directory, '--strip-components=2', '--wildcards', ...files]),
  );
}

const browsers = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const macBrowser = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/** The browser this machine has, if any. */
export function presentBrowser() {
  const told = process.env.HOLDFAST_CHROMIUM;
  if (told && !existsSync(told))
    throw new SetupError(`HOLDFAST_CHROMIUM names ${told}, which does not exist`, 'Correct or unset it.');
  return told ?? browsers.map((name) => which(name)).find(Boolean) ?? (existsSync(macBrowser) ? macBrowser : undefined);
}

/** A Chromium for the browser tests, or undefined with a note on what an administrator must install. */
export async function findChromium() {
  const found = presentBrowser();
  if (found) return found;
  if (mayInstall()) {
    await systemInstall(['chromium']);
    return presentBrowser();
  }
  say(
    'no Chromium was found, and it cannot be unpacked without root. The browser tests will fail until an administrator runs:',
  );
  say('    apt-get install --no-install-recommends chromium        (or set HOLDFAST_CHROMIUM to a Chromium or Chrome)');
  return undefined;
}
