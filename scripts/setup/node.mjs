// Node and the npm packages. Fetched ones come through npm, into a cache all clones share.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import {
  cache,
  hashOf,
  hashText,
  isAtLeast,
  makeWhole,
  root,
  run,
  SetupError,
  say,
  seconds,
  toolchain,
} from './common.mjs';

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
    say(
      `Node ${process.versions.node} is older than ${minimum}: downloading Node ${version} from npm (52 MB) and using it for everything`,
    );
    await makeWhole(target, (directory) => unpackNode(directory, `${name}@${version}`, sha512[arch()]));
  }
  return join(target, 'bin');
}

async function unpackNode(directory, specifier, expected) {
  const advice = 'Is the npm registry reachable? Or install a newer Node yourself, then run the same command again.';
  const stdout = await run('npm', ['pack', specifier, '--silent', '--cache', join(cache, 'npm')], {
    cwd: directory,
    advice,
  });
  const archive = join(directory, stdout.trim().split('\n').at(-1));
  const actual = await hashOf(archive, 'sha512', 'base64');
  if (expected && actual !== expected) {
    throw new SetupError(
      `${specifier} has sha512 ${actual}, recorded is ${expected}`,
      'The registry serves something else than was recorded; do not go on.',
    );
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
  const args = [
    'ci',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--cache',
    join(cache, 'npm'),
  ];
  await run('npm', args, {
    cwd: root,
    env,
    advice:
      'Is the npm registry reachable (npm ping)? If package.json and package-lock.json disagree: npm install --package-lock-only.',
  });
  writeFileSync(installedMark, lockfileHash());
  say(`  installed in ${seconds(start)}`);
}
