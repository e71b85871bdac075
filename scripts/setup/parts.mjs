// The parts of the toolchain. Each function finds its part or fetches it, and answers
// with the absolute paths the rest of the project uses.
import { spawnSync } from 'node:child_process';
import {
  chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync,
} from 'node:fs';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import {
  cache, hashOf, hashText, isAtLeast, makeWhole, root, run, say, seconds, SetupError, succeeds, toolchain, versionOf, which,
} from './common.mjs';
import { downloadPackages, downloadSource, hasApt, linkLibraries, otherSystems, systemInstall, unpack } from './debian.mjs';

const mayInstall = () => process.getuid?.() === 0 && hasApt() && !process.env.HOLDFAST_NO_SYSTEM;
const triple = arch() === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const loader = arch() === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2';

// ---- Node and npm packages ------------------------------------------------------------

/** The directory of a Node that is new enough, or undefined when the running one is. */
export async function findNode() {
  const { minimum, version, npmPackage, sha512 } = toolchain.node;
  if (isAtLeast(process.versions.node, minimum)) return undefined;
  const name = npmPackage[arch()];
  if (platform() !== 'linux' || !name) {
    throw new SetupError(`Node ${process.versions.node} is too old`, `Install Node ${minimum} or newer.`);
  }
  const target = join(cache, `node-${version}`);
  if (!existsSync(target)) {
    say(`Node ${process.versions.node} is older than ${minimum}: downloading Node ${version} from npm (52 MB) and using it for everything`);
    await makeWhole(target, (directory) => unpackNode(directory, `${name}@${version}`, sha512[arch()]));
  }
  return join(target, 'bin');
}

async function unpackNode(directory, specifier, expected) {
  const advice = 'Is the npm registry reachable? Or install a newer Node yourself, then run the same command again.';
  const stdout = await run('npm', ['pack', specifier, '--silent', '--cache', join(cache, 'npm')], { cwd: directory, advice });
  const archive = join(directory, stdout.trim().split('\n').at(-1));
  const actual = await hashOf(archive, 'sha512', 'base64');
  if (expected && actual !== expected) {
    throw new SetupError(`${specifier} has sha512 ${actual}, recorded is ${expected}`, 'The registry serves something else than was recorded; do not go on.');
  }
  await run('tar', ['-xzf', archive, '-C', directory, '--strip-components=1', 'package/bin', 'package/LICENSE']);
  rmSync(archive);
}

const installedMark = join(root, 'node_modules/.holdfast-lock');
const lockfileHash = () => hashText(readFileSync(join(root, 'package-lock.json'), 'utf8'));

export function npmPackagesAreInstalled() {
  return existsSync(installedMark) && readFileSync(installedMark, 'utf8') === lockfileHash();
}

export async function installNpmPackages(env) {
  if (npmPackagesAreInstalled()) return;
  const start = Date.now();
  say('installing npm packages from package-lock.json (npm ci, no install scripts)');
  const args = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', '--cache', join(cache, 'npm')];
  await run('npm', args, {
    cwd: root, env,
    advice: 'Is the npm registry reachable (npm ping)? If package.json and package-lock.json disagree: npm install --package-lock-only.',
  });
  writeFileSync(installedMark, lockfileHash());
  say(`  installed in ${seconds(start)}`);
}

// ---- compilers, cmake, ninja, python ---------------------------------------------------

const cxxProbe = '#include <expected>\n#include <vector>\nint main() { return std::vector<int>{0}[0]; }\n';

/** Can it build C++23 against a standard library, and link? */
function compiles(compiler, flags = []) {
  return succeeds(compiler, ['-std=c++23', ...flags, '-x', 'c++', '-', '-o', '/dev/null'], { input: cxxProbe });
}

function findClang() {
  const { minimum, wanted } = toolchain.clang;
  for (const suffix of [`-${wanted}`, '-20', '-21', '', '-18', '-17']) {
    const cxx = which(`clang++${suffix}`);
    if (!cxx || !isAtLeast(versionOf(cxx) ?? '0', minimum)) continue;
    if (compiles(cxx, ['-fsanitize=address,undefined'])) return { cxx, cc: which(`clang${suffix}`) ?? cxx, suffix };
  }
  return undefined;
}

function findNewEnough(name, minimum) {
  const file = which(name);
  return file && isAtLeast(versionOf(file) ?? '0', minimum) ? file : undefined;
}

/** What of the native tools this machine has; a value is undefined where it is missing. */
function nativeTools() {
  const clang = findClang();
  const python = which('python3');
  return { clang, cmake: findNewEnough('cmake', toolchain.cmake.minimum), ninja: which('ninja'), python };
}

function missingPackages(tools, needsLlvm) {
  const missing = [];
  if (!tools.clang) missing.push('clang-19', 'libclang-rt-19-dev', standardLibraryPackage());
  if (needsLlvm) {
    for (const [tool, name] of [['clang-19', 'clang-19'], ['wasm-ld-19', 'lld-19'], ['llvm-ar-19', 'llvm-19']]) {
      if (!which(tool) && !missing.includes(name)) missing.push(name);
    }
  }
  if (!tools.cmake) missing.push('cmake');
  if (!tools.ninja) missing.push('ninja-build');
  if (!tools.python) missing.push('python3');
  return missing;
}

/** clang uses the newest g++ library it finds, so that is the one whose headers must be there. */
function standardLibraryPackage() {
  const found = spawnSync('apt-cache', ['show', 'libstdc++-12-dev'], { stdio: 'ignore' }).status === 0;
  return found ? 'libstdc++-12-dev' : 'libstdc++-14-dev';
}

/** Native compiler, cmake, ninja, python, and clang-19's LLVM where our own Emscripten needs it. */
export async function findNative(needsLlvm) {
  let tools = nativeTools();
  let missing = missingPackages(tools, needsLlvm);
  if (missing.length && mayInstall()) {
    await systemInstall(missing);
    tools = nativeTools();
    missing = missingPackages(tools, needsLlvm);
    if (missing.length) throw new SetupError(`after installing, ${missing.join(', ')} still cannot be used`, otherSystems());
  }
  if (!missing.length) {
    return { cc: tools.clang.cc, cxx: tools.clang.cxx, cmake: tools.cmake, ninja: tools.ninja, python: tools.python, llvm: '/usr/bin' };
  }
  if (!hasApt()) throw new SetupError(`missing: ${missing.join(', ')}`, otherSystems());
  return privateNative(tools, missing);
}

/** Without root: Debian 12's packages unpacked into the cache, started by small wrappers. */
async function privateNative(tools, missing) {
  const prefix = join(cache, `native-${toolchain.clang.wanted}-r${toolchain.revision}`);
  if (!existsSync(prefix)) {
    say(`not installing for the whole system, so ${missing.join(', ')} go into ${prefix}`);
    const debs = await downloadPackages('bookworm', 'native', { closure: true });
    await makeWhole(prefix, (directory) => fillNative(directory, prefix, debs));
  }
  const bin = (name) => join(prefix, 'bin', name);
  const cxx = bin('clang++-19');
  if (!compiles(cxx, ['-fsanitize=address,undefined'])) {
    throw new SetupError(`${cxx} does not work here`, `${otherSystems()} (This system's C library may be too old: Debian 12 or newer is needed.)`);
  }
  return {
    cc: bin('clang-19'), cxx, cmake: tools.cmake ?? bin('cmake'), ninja: tools.ninja ?? bin('ninja'),
    python: tools.python ?? bin('python3'), llvm: join(prefix, 'bin'),
  };
}

const notNeeded = ['./usr/share/doc', './usr/share/man', './usr/share/locale', './usr/share/info', './usr/share/i18n'];

async function fillNative(directory, prefix, debs) {
  say(`  unpacking ${debs.length} packages`);
  for (const deb of debs) await unpack(deb, directory, notNeeded);
  // Debian's C library still lives in /lib, which is a link to /usr/lib on a merged system; a sysroot needs it too.
  for (const name of ['lib', 'lib64']) {
    const from = join(directory, name);
    if (!existsSync(from)) continue;
    cpSync(from, join(directory, 'usr', name), { recursive: true, verbatimSymlinks: true, force: false });
    rmSync(from, { recursive: true });
  }
  for (const name of ['lib', 'lib64']) {
    mkdirSync(join(directory, 'usr', name), { recursive: true });
    await run('ln', ['-s', `usr/${name}`, join(directory, name)]);
  }
  linkLibraries([`usr/lib/${triple}`, 'usr/lib/llvm-19/lib'].map((name) => join(directory, name)), join(directory, 'libraries'));
  writeWrappers(directory, prefix);
}

function writeWrappers(directory, prefix) {
  mkdirSync(join(directory, 'bin'));
  const wanted = /^((clang|clang\+\+|lld|wasm-ld|ld\.lld|opt|llc|llvm-[a-z-]+)-19|cmake|ctest|ninja|python3)$/;
  for (const name of readdirSync(join(directory, 'usr/bin')).filter((one) => wanted.test(one))) {
    const sysroot = /^clang/.test(name) ? ` --sysroot=${prefix}` : '';
    // The wasm compilation names its own sysroot; clang takes the last one given.
    const lines = [
      '#!/bin/sh',
      `LD_LIBRARY_PATH="${prefix}/libraries\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "${prefix}/usr/bin/${name}"${sysroot} "$@"`,
    ];
    writeFileSync(join(directory, 'bin', name), `${lines.join('\n')}\n`);
    chmodSync(join(directory, 'bin', name), 0o755);
  }
}

// ---- Emscripten ------------------------------------------------------------------------

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
    say(`${empp} is ${version ?? 'not working'}; ${toolchain.emscripten.minimum} or newer is needed, so it is left aside`);
  }
  return undefined;
}

function emscriptenRoot(empp) {
  const told = spawnSync(join(dirname(empp), 'em-config'), ['EMSCRIPTEN_ROOT'], { encoding: 'utf8' });
  return told.status === 0 ? told.stdout.trim() : dirname(realpathSync(empp));
}

// GL, threads, dynamic linking, sanitizers and the virtual file system: 1.5 of 1.7 GB, none of it used here.
const prunedEmscripten = [
  '*-mt*', '*-ww*', '*libGL*', '*asan*', '*ubsan*', '*lsan*', '*sanitizer*', '*wasmfs*', '*/wasm32-emscripten/pic', '*/wasm32-emscripten/lto-pic',
  './usr/share/emscripten/test', './usr/share/emscripten/docs', './usr/share/emscripten/media', './usr/share/doc', './usr/share/man',
];

/** Debian 13's Emscripten in the cache. REQUIRES: npm packages are installed (acorn comes from there). */
export async function fetchEmscripten(native) {
  const revision = hashText(JSON.stringify([toolchain.revision, toolchain.debian.trixie.emscripten, native.llvm])).slice(0, 8);
  const prefix = join(cache, `emscripten-${toolchain.emscripten.fetched}-${revision}`);
  if (!existsSync(prefix)) {
    const debs = await downloadPackages('trixie', 'emscripten');
    const start = Date.now();
    await makeWhole(prefix, (directory) => fillEmscripten(directory, prefix, debs, native));
    say(`  unpacked without its GL and threading variants into ${prefix} in ${seconds(start)}`);
  }
  const emscripten = join(prefix, 'usr/share/emscripten');
  return { empp: join(emscripten, 'em++'), emscripten, emConfig: join(prefix, 'config.py'), version: toolchain.emscripten.fetched };
}

async function fillEmscripten(directory, prefix, debs, native) {
  for (const deb of debs) {
    const isEmscripten = /emscripten_/.test(deb);
    await unpack(deb, isEmscripten ? directory : makeDirectory(directory, 'trixie'), isEmscripten ? prunedEmscripten : notNeeded);
  }
  wrapBinaryen(directory, prefix);
  const packageRoot = join(directory, 'usr/share/emscripten');
  const acorn = join(packageRoot, 'node_modules/acorn');
  rmSync(acorn, { recursive: true, force: true });
  cpSync(join(root, 'node_modules/acorn'), acorn, { recursive: true });
  writeFileSync(join(directory, 'config.py'), emscriptenConfig(readFileSync(join(packageRoot, '.emscripten'), 'utf8'), prefix, native));
}

function makeDirectory(...path) {
  const directory = join(...path);
  mkdirSync(directory, { recursive: true });
  return directory;
}

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
  return original
    .replace(/^LLVM_ROOT =.*$/m, `LLVM_ROOT = '${native.llvm}'`)
    .replace(/^BINARYEN_ROOT =.*$/m, `BINARYEN_ROOT = '${prefix}/binaryen'`)
    // The Node of the build at hand, not the one that happened to run the first bootstrap.
    .replace(/^NODE_JS =.*$/m, "NODE_JS = 'node'");
}

// ---- headers, test framework, browser ---------------------------------------------------

/** nlohmann/json's headers alone: with /usr/include on the path the host's C headers would shadow Emscripten's. */
export async function findHeaders() {
  const target = join(cache, `include-r${toolchain.revision}`);
  if (existsSync(target)) return target;
  if (hasApt()) {
    const [deb] = await downloadPackages('trixie', 'headers');
    return makeWhole(target, async (directory) => {
      const unpacked = makeDirectory(directory, 'unpacked');
      await unpack(deb, unpacked);
      cpSync(join(unpacked, 'usr/include/nlohmann'), join(directory, 'nlohmann'), { recursive: true });
      rmSync(unpacked, { recursive: true });
    });
  }
  const prefixes = ['/opt/homebrew', '/usr/local', '/usr'].map((one) => `${one}/include/nlohmann`);
  const present = prefixes.find((one) => existsSync(join(one, 'json.hpp')));
  if (!present) throw new SetupError('nlohmann/json was not found', 'Install it (Homebrew: nlohmann-json, Fedora: json-devel, Arch: nlohmann-json), then run the same command again.');
  return makeWhole(target, (directory) => cpSync(present, join(directory, 'nlohmann'), { recursive: true, dereference: true }));
}

/** Catch2's amalgamated files, or undefined where CMake is to find or fetch it. */
export async function findCatch2() {
  const target = join(cache, `catch2-r${toolchain.revision}`);
  if (existsSync(target)) return target;
  if (!hasApt()) return undefined;
  const archive = await downloadSource('trixie', 'catch2');
  const files = ['catch_amalgamated.cpp', 'catch_amalgamated.hpp'].map((name) => `*/extras/${name}`);
  return makeWhole(target, (directory) =>
    run('tar', ['-xzf', archive, '-C', directory, '--strip-components=2', '--wildcards', ...files]));
}

const browsers = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const macBrowser = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

function presentBrowser() {
  const told = process.env.HOLDFAST_CHROMIUM;
  if (told && !existsSync(told)) throw new SetupError(`HOLDFAST_CHROMIUM names ${told}, which does not exist`, 'Correct or unset it.');
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
  say('no Chromium was found, and it cannot be unpacked without root. The browser tests will fail until an administrator runs:');
  say('    apt-get install --no-install-recommends chromium        (or set HOLDFAST_CHROMIUM to a Chromium or Chrome)');
  return undefined;
}
