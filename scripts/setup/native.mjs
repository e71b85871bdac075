// The native compiler, cmake, ninja and python: the system's, installed by root, or unpacked into the cache.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, isAtLeast, makeWhole, SetupError, say, succeeds, toolchain, versionOf, which } from './common.mjs';
import {
  downloadPackages,
  hasApt,
  linkLibraries,
  mayInstall,
  notNeeded,
  otherSystems,
  systemInstall,
  triple,
  unpack,
} from './debian.mjs';

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
    for (const [tool, name] of [
      ['clang-19', 'clang-19'],
      ['wasm-ld-19', 'lld-19'],
      ['llvm-ar-19', 'llvm-19'],
    ]) {
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
    if (missing.length)
      throw new SetupError(`after installing, ${missing.join(', ')} still cannot be used`, otherSystems());
  }
  if (!missing.length) {
    return {
      cc: tools.clang.cc,
      cxx: tools.clang.cxx,
      cmake: tools.cmake,
      ninja: tools.ninja,
      python: tools.python,
      llvm: '/usr/bin',
    };
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
    throw new SetupError(
      `${cxx} does not work here`,
      `${otherSystems()} (This system's C library may be too old: Debian 12 or newer is needed.)`,
    );
  }
  return {
    cc: bin('clang-19'),
    cxx,
    cmake: tools.cmake ?? bin('cmake'),
    ninja: tools.ninja ?? bin('ninja'),
    python: tools.python ?? bin('python3'),
    llvm: join(prefix, 'bin'),
  };
}

/** The prefix: root (what the packages hold; also the sysroot), libraries (what the tools load), bin (the wrappers). */
async function fillNative(directory, prefix, debs) {
  say(`  unpacking ${debs.length} packages`);
  const sysroot = join(directory, 'root');
  mkdirSync(join(sysroot, 'usr/lib'), { recursive: true });
  mkdirSync(join(sysroot, 'usr/lib64'));
  // As on a real system: part of Debian 12's C library is still packaged in /lib.
  for (const name of ['lib', 'lib64']) symlinkSync(`usr/${name}`, join(sysroot, name));
  for (const deb of debs) await unpack(deb, sysroot, notNeeded);
  const loaded = [`usr/lib/${triple}`, 'usr/lib/llvm-19/lib'].map((name) => join(sysroot, name));
  linkLibraries(loaded, join(directory, 'libraries'));
  writeWrappers(directory, prefix);
}

function writeWrappers(directory, prefix) {
  mkdirSync(join(directory, 'bin'));
  const wanted = /^((clang|clang\+\+|lld|wasm-ld|ld\.lld|opt|llc|llvm-[a-z-]+)-19|cmake|ctest|ninja|python3)$/;
  for (const name of readdirSync(join(directory, 'root/usr/bin')).filter((one) => wanted.test(one))) {
    // Headers and libraries from the sysroot, lld because the host may have no linker. Emscripten
    // names a sysroot of its own; clang takes the last one given.
    const clang = ` --sysroot="${prefix}/root" -fuse-ld=lld -Wno-unused-command-line-argument`;
    const libraries = `LD_LIBRARY_PATH="${prefix}/libraries\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`;
    const command = `exec "${prefix}/root/usr/bin/${name}"${name.startsWith('clang') ? clang : ''} "$@"`;
    writeFileSync(join(directory, 'bin', name), `#!/bin/sh\n${libraries} ${command}\n`);
    chmodSync(join(directory, 'bin', name), 0o755);
  }
}
