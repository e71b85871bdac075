// Packages from Debian without touching the system's apt: a private sources list, lists
// and cache. apt itself checks Debian's signature and every hash; on top of it the
// recorded sha256 is compared wherever Debian still serves the recorded version.
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { basename, join, relative } from 'node:path';
import { cache, hashOf, run, SetupError, say, seconds, toolchain, which } from './common.mjs';

const { debian } = toolchain;
const mirror = process.env.HOLDFAST_DEBIAN_MIRROR || debian.mirror;
const networkAdvice =
  `The Debian mirror ${mirror} must be reachable (a proxy set in apt's configuration or in http_proxy is respected). ` +
  'Name another one in HOLDFAST_DEBIAN_MIRROR, or install Emscripten yourself and put em++ on PATH. Then run the same command again: it continues.';

export function hasApt() {
  return Boolean(which('apt-get') && which('dpkg-deb'));
}

/** May packages be installed for the whole system? */
export const mayInstall = () => process.getuid?.() === 0 && hasApt() && !process.env.HOLDFAST_NO_SYSTEM;

/** The directory Debian keeps this machine's libraries in. */
export const triple = arch() === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

export const notNeeded = [
  './usr/share/doc',
  './usr/share/man',
  './usr/share/locale',
  './usr/share/info',
  './usr/share/i18n',
];

const prepared = new Map();

/** apt's options for one private suite; its package lists are fetched once per run. */
function suiteOptions(suite) {
  if (!prepared.has(suite)) prepared.set(suite, prepareSuite(suite));
  return prepared.get(suite);
}

async function prepareSuite(suite) {
  if (!hasApt()) throw new SetupError('this system has no apt-get', otherSystems());
  if (!existsSync(debian.keyring)) {
    throw new SetupError(
      `${debian.keyring} is missing`,
      'Install the package debian-archive-keyring, then run the same command again.',
    );
  }
  const directory = join(cache, 'apt', suite);
  for (const name of ['lists/partial', 'archives/partial', 'debs'])
    mkdirSync(join(directory, name), { recursive: true });
  const from = `[signed-by=${debian.keyring}] ${mirror} ${suite} main`;
  writeFileSync(join(directory, 'sources.list'), `deb ${from}\n${suite === 'trixie' ? `deb-src ${from}\n` : ''}`);
  writeFileSync(join(directory, 'status'), '');
  const settings = {
    'Dir::Etc::sourcelist': join(directory, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::State::lists': join(directory, 'lists'),
    'Dir::State::status': join(directory, 'status'),
    'Dir::Cache': directory,
    'Dir::Cache::archives': join(directory, 'archives'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    'APT::Sandbox::User': 'root',
    'Debug::NoLocking': '1',
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  say(`reading the package lists of Debian ${suite} (private apt configuration; the system's stays as it is)`);
  // Without this an unreachable mirror is only a warning and the old lists are used.
  await run('apt-get', [...options, '-o', 'APT::Update::Error-Mode=any', 'update', '-q'], { advice: networkAdvice });
  return { options, directory };
}

/** Downloads packages; with `closure`, also everything they depend on. Returns the .deb files. */
export async function downloadPackages(suite, part, { closure = false } = {}) {
  const recorded = debian[suite][part].packages;
  const names = Object.keys(recorded);
  const { options, directory } = await suiteOptions(suite);
  const into = join(directory, closure ? 'archives' : 'debs');
  const megabytes = Object.values(recorded).reduce((sum, one) => sum + (one.megabytes ?? 0), 0);
  const start = Date.now();
  say(
    `downloading ${names.join(', ')}${megabytes ? ` (${megabytes} MB)` : ''}${closure ? ' and what they depend on' : ''}`,
  );
  const how = { advice: networkAdvice, watch: into, megabytes, cwd: into };
  if (closure)
    await run(
      'apt-get',
      [...options, 'install', '--download-only', '--no-install-recommends', '-y', '-q', ...names],
      how,
    );
  else await run('apt-get', [...options, 'download', '-q', ...names], how);
  for (const name of names) await checkPackage(into, name, recorded[name]);
  say(`  verified in ${seconds(start)}`);
  const ours = (file) => closure || names.some((name) => file.startsWith(`${name}_`));
  return readdirSync(into)
    .filter((file) => file.endsWith('.deb') && ours(file))
    .map((file) => join(into, file));
}

async function checkPackage(directory, name, recorded) {
  const files = readdirSync(directory).filter((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
  const exact = files.find((file) => decodeURIComponent(file).startsWith(`${name}_${recorded.version}_`));
  if (!exact) {
    const served = decodeURIComponent(files[0] ?? 'nothing');
    if (!files.length) throw new SetupError(`apt downloaded no ${name}`, networkAdvice);
    return say(
      `  note: Debian now serves ${served} (recorded: ${recorded.version}); accepted, apt verified its signature`,
    );
  }
  // A stale older file beside the recorded one must not be unpacked instead of it.
  for (const file of files) if (file !== exact) rmSync(join(directory, file));
  const foreign = !/_(all|amd64)\.deb$/.test(exact);
  if (foreign) return say(`  note: no checksum is recorded for ${exact}; apt verified its signature`);
  const actual = await hashOf(join(directory, exact));
  if (actual === recorded.sha256) return;
  rmSync(join(directory, exact));
  throw new SetupError(
    `${exact} has sha256 ${actual}, recorded is ${recorded.sha256}`,
    'The file was removed. Run the same command again; if it happens again, the mirror serves something else than Debian did.',
  );
}

/** Unpacks a package's files below `into`, without the paths matching `leaveOut`. */
export async function unpack(deb, into, leaveOut = []) {
  const excludes = leaveOut.map((pattern) => `--exclude=${pattern}`);
  const script =
    'set -eu; deb=$1; into=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$into" "$@"';
  await run('bash', ['-o', 'pipefail', '-c', script, 'unpack', deb, into, ...excludes], {
    advice: 'Is the disk full? Run the same command again: unpacking starts over.',
  });
}

/** Downloads one upstream archive of a source package and returns the file. */
export async function downloadSource(suite, part) {
  const { source, version, archive, sha256 } = debian[suite][part];
  const { options, directory } = await suiteOptions(suite);
  const cwd = join(directory, 'debs');
  say(`downloading the source of ${source} ${version} (1.2 MB)`);
  const files = () => readdirSync(cwd).filter((file) => file.startsWith(`${source}_`) && file.includes('.orig.tar'));
  await run('apt-get', [...options, 'source', '--download-only', '-q', source], { cwd, advice: networkAdvice });
  const file = files().includes(archive) ? archive : files()[0];
  if (!file) throw new SetupError(`apt downloaded no source of ${source}`, networkAdvice);
  if (file !== archive)
    say(`  note: Debian now serves ${file} (recorded: ${archive}); accepted, apt verified its signature`);
  else if ((await hashOf(join(cwd, file))) !== sha256) {
    rmSync(join(cwd, file));
    throw new SetupError(
      `${file} has not the recorded sha256 ${sha256}`,
      'The file was removed. Run the same command again.',
    );
  }
  return join(cwd, file);
}

/** What was downloaded is not needed once unpacked: a second clone uses the unpacked form. */
export function forgetDownloads() {
  rmSync(join(cache, 'apt'), { recursive: true, force: true });
  prepared.clear();
}

/** Installs packages for the whole system. REQUIRES: root. */
export async function systemInstall(names) {
  say(`installing with apt-get: ${names.join(' ')}`);
  const start = Date.now();
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Acquire::Retries=3'];
  const advice = `Run it by hand to see what is wrong: apt-get update && apt-get install --no-install-recommends ${names.join(' ')}`;
  const install = () =>
    run('apt-get', [...wait, 'install', '-y', '-q', '--no-install-recommends', ...names], { env, advice });
  await run('apt-get', [...wait, 'update', '-q'], { env, advice: networkAdvice });
  try {
    await install();
  } catch (error) {
    if (!/dpkg --configure -a/.test(error.message)) throw error;
    say('  an earlier installation was interrupted; finishing it (dpkg --configure -a)');
    await run('dpkg', ['--configure', '-a'], { env, advice });
    await install();
  }
  say(`  installed in ${seconds(start)}`);
}

export function otherSystems() {
  return (
    'Install by hand: Emscripten 3.1.57 or newer (https://emscripten.org/docs/getting_started/downloads.html; em++ on PATH or EMSDK set), ' +
    'clang 17 or newer, cmake 3.25 or newer, ninja and Chromium (or its path in HOLDFAST_CHROMIUM). Then run the same command again.'
  );
}

/** Shared libraries of an unpacked prefix that may stand in for missing ones of the host: all but the C and C++ runtimes. */
export function linkLibraries(directories, into) {
  const runtime =
    /^(ld-linux|lib(c|m|mvec|pthread|dl|rt|resolv|util|anl|nsl|nss_.*|thread_db|BrokenLocale|c_malloc_debug|stdc\+\+|gcc_s))[-.]/;
  mkdirSync(into, { recursive: true });
  for (const directory of directories) {
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory)) {
      if (!/\.so(\.|$)/.test(name) || runtime.test(name) || existsSync(join(into, basename(name)))) continue;
      // Relative, because the directory around both gets its final name later.
      symlinkSync(relative(into, join(directory, name)), join(into, name));
    }
  }
}
