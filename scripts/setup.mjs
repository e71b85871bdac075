// The one bootstrap: everything npm start and npm test need, fetched once into
// ${XDG_CACHE_HOME:-~/.cache}/holdfast and shared by all clones. Re-running is safe and,
// when nothing is missing, takes a fraction of a second. Versions: scripts/toolchain.json.
//   HOLDFAST_NO_SYSTEM=1      never apt-get install, use the private prefix
//   HOLDFAST_DEBIAN_MIRROR    another Debian mirror
//   HOLDFAST_CHROMIUM         the browser to test with
//   EMSDK, em++ on PATH       your own Emscripten, if new enough
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { environmentFor } from './env.mjs';
import { cache, run, SetupError, say, sayOnStderr, seconds, sweep, takeLock } from './setup/common.mjs';
import { forgetDownloads } from './setup/debian.mjs';
import { fetchEmscripten, findEmscripten } from './setup/emscripten.mjs';
import { findCatch2, findChromium, findHeaders } from './setup/extras.mjs';
import { findNative } from './setup/native.mjs';
import { findNode, installNpmPackages, npmPackagesAreInstalled } from './setup/node.mjs';
import { readStamp, stampFile } from './setup/stamp.mjs';

const smokeSource = `#include <emscripten/bind.h>
struct Probe { int next(int x) { return x + 1; } };
EMSCRIPTEN_BINDINGS(probe) { emscripten::class_<Probe>("Probe").constructor<>().function("next", &Probe::next); }
`;

/** Builds a three-line module, so that a broken toolchain is found here and not in the middle of a build. */
async function checkEmscripten(tools) {
  const start = Date.now();
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'));
  try {
    writeFileSync(join(directory, 'probe.cpp'), smokeSource);
    const flags = [
      '-std=c++23',
      '-O1',
      '-lembind',
      '--no-entry',
      '--emit-tsd',
      'probe.d.ts',
      '-sMODULARIZE',
      '-sEXPORT_ES6',
      '-sSTRICT',
    ];
    await run(tools.empp, ['probe.cpp', '-o', 'probe.js', ...flags], {
      cwd: directory,
      env: environmentFor(tools),
      advice: `Emscripten ${tools.emscriptenVersion} does not work. If it is the fetched one, remove ${cache} and run the same command again.`,
    });
    if (!existsSync(join(directory, 'probe.d.ts')))
      throw new SetupError('em++ wrote no typings', 'TypeScript 5.x must be installed (npm ci).');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  say(`  Emscripten ${tools.emscriptenVersion} builds a module (${seconds(start)})`);
}

async function setUpEverything() {
  const start = Date.now();
  takeLock();
  sweep();
  const node = await findNode();
  await installNpmPackages(environmentFor({ node }));
  if (readStamp()) return; // another clone was faster, or only npm packages were missing
  const own = findEmscripten();
  const native = await findNative(!own);
  const emscripten = own ?? (await fetchEmscripten(native));
  const tools = {
    node,
    ...native,
    empp: emscripten.empp,
    emscripten: emscripten.emscripten,
    emConfig: emscripten.emConfig,
    emscriptenVersion: emscripten.version,
    include: await findHeaders(),
    catch2: await findCatch2(),
    chromium: await findChromium(),
  };
  await checkEmscripten(tools);
  forgetDownloads();
  const temporary = `${stampFile()}.${process.pid}`;
  mkdirSync(join(cache, 'ready'), { recursive: true });
  writeFileSync(temporary, JSON.stringify(tools, null, 2));
  renameSync(temporary, stampFile());
  say(`everything is in place (${seconds(start)})`);
}

/** Sets up what is missing; nothing to do takes milliseconds. Ends the process with advice when it cannot. */
export async function setup({ quiet = false } = {}) {
  if (quiet) sayOnStderr();
  try {
    if (!(readStamp() && npmPackagesAreInstalled())) await setUpEverything();
  } catch (error) {
    process.stderr.write(`\nsetup failed: ${error.message}\n`);
    if (error.advice) process.stderr.write(`\nWhat to do: ${error.advice}\n`);
    if (!(error instanceof SetupError)) process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await setup();
  const tools = readStamp();
  say(`ready: Emscripten ${tools.emscriptenVersion}, ${tools.cxx}, ${tools.chromium ?? 'no Chromium'}`);
}
