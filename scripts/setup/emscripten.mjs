// Emscripten: the person's own when new enough, else Debian 13's in the cache, started through its own C library.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { cache, hashText, isAtLeast, makeWhole, root, say, seconds, toolchain, versionOf, which } from './common.mjs';
import { downloadPackages, notNeeded, triple, unpack } from './debian.mjs';

/** An em++ of the person's own, when it is new enough. */
export function findEmscripten() {
  const places = [];
  if (process.env.EMSDK) places.push(join(process.env.EMSDK, 'upstream/emscripten/em++'));
  const onPath = which('em++');
  if (onPath) places.push(onPath);
  for (const empp of places) {
    if (!existsSync(empp)) continue;
    const version = versionOf(empp);
    if (version && isAtLeast(version, toolchain.emscripten.minimum)) {
      return { empp, emscripten: emscriptenRoot(empp), emConfig: process.env.EM_CONFIG, version };
    }
    say(
      `${empp} is ${version ?? 'not working'}; ${toolchain.emscripten.minimum} or newer is needed, so it is left aside`,
    );
  }
  return undefined;
}

function emscriptenRoot(empp) {
  const told = spawnSync(join(dirname(empp), 'em-config'), ['EMSCRIPTEN_ROOT'], { encoding: 'utf8' });
  return told.status === 0 ? told.stdout.trim() : dirname(realpathSync(empp));
}

// GL, threads, dynamic linking, sanitizers and the virtual file system: 1.5 of 1.7 GB, none of it used here.
const prunedEmscripten = [
  '*-mt*',
  '*-ww*',
  '*libGL*',
  '*asan*',
  '*ubsan*',
  '*lsan*',
  '*sanitizer*',
  '*wasmfs*',
  '*/wasm32-emscripten/pic',
  '*/wasm32-emscripten/lto-pic',
  './usr/share/emscripten/test',
  './usr/share/emscripten/docs',
  './usr/share/emscripten/media',
  './usr/share/doc',
  './usr/share/man',
];

/** Debian 13's Emscripten in the cache. REQUIRES: npm packages are installed (acorn comes from there). */
export async function fetchEmscripten(native) {
  const revision = hashText(
    JSON.stringify([toolchain.revision, toolchain.debian.trixie.emscripten, native.llvm]),
  ).slice(0, 8);
  const prefix = join(cache, `emscripten-${toolchain.emscripten.fetched}-${revision}`);
  if (!existsSync(prefix)) {
    const debs = await downloadPackages('trixie', 'emscripten');
    const start = Date.now();
    await makeWhole(prefix, (directory) => fillEmscripten(directory, prefix, debs, native));
    say(`  unpacked without its GL and threading variants into ${prefix} in ${seconds(start)}`);
  }
  const emscripten = join(prefix, 'usr/share/emscripten');
  return {
    empp: join(emscripten, 'em++'),
    emscripten,
    emConfig: join(prefix, 'config.py'),
    version: toolchain.emscripten.fetched,
  };
}

async function fillEmscripten(directory, prefix, debs, native) {
  for (const deb of debs) {
    const isEmscripten = /emscripten_/.test(deb);
    await unpack(
      deb,
      isEmscripten ? directory : makeDirectory(directory, 'trixie'),
      isEmscripten ? prunedEmscripten : notNeeded,
    );
  }
  wrapBinaryen(directory, prefix);
  const packageRoot = join(directory, 'usr/share/emscripten');
  const acorn = join(packageRoot, 'node_modules/acorn');
  rmSync(acorn, { recursive: true, force: true });
  cpSync(join(root, 'node_modules/acorn'), acorn, { recursive: true });
  writeFileSync(
    join(directory, 'config.py'),
    emscriptenConfig(readFileSync(join(packageRoot, '.emscripten'), 'utf8'), prefix, native),
  );
}

function makeDirectory(...path) {
  const directory = join(...path);
  mkdirSync(directory, { recursive: true });
  return directory;
}

const loader = arch() === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2';

/** binaryen wants a newer C library than Debian 12 has, so each tool starts through its own loader. */
function wrapBinaryen(directory, prefix) {
  const bin = makeDirectory(directory, 'binaryen/bin');
  const libraries = `${prefix}/trixie/usr/lib/${triple}`;
  for (const name of readdirSync(join(directory, 'trixie/usr/bin'))) {
    const command = `exec "${libraries}/${loader}" --library-path "${libraries}" "${prefix}/trixie/usr/bin/${name}" "$@"`;
    writeFileSync(join(bin, name), `#!/bin/sh\n${command}\n`);
    chmodSync(join(bin, name), 0o755);
  }
}

/** The package's own configuration with our directories; FROZEN_CACHE and the "19" suffixes stay. */
function emscriptenConfig(original, prefix, native) {
  return (
    original
      .replace(/^LLVM_ROOT =.*$/m, `LLVM_ROOT = '${native.llvm}'`)
      .replace(/^BINARYEN_ROOT =.*$/m, `BINARYEN_ROOT = '${prefix}/binaryen'`)
      // The Node of the build at hand, not the one that happened to run the first bootstrap.
      .replace(/^NODE_JS =.*$/m, "NODE_JS = 'node'")
  );
}
