// What the bootstrap found, remembered in the cache: one small file per version of
// toolchain.json and per set of tools the person brings along.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, hashText, toolchainText, which } from './common.mjs';
import { presentBrowser } from './extras.mjs';

export function stampFile() {
  const { EMSDK, HOLDFAST_CHROMIUM, HOLDFAST_NO_SYSTEM, HOLDFAST_TOOLCHAIN } = process.env;
  // Child processes of a run use the toolchain the run was started with.
  if (HOLDFAST_TOOLCHAIN) return HOLDFAST_TOOLCHAIN;
  const node = process.versions.node;
  const key = hashText(
    JSON.stringify([toolchainText, EMSDK, which('em++'), HOLDFAST_CHROMIUM, HOLDFAST_NO_SYSTEM, node]),
  );
  return join(cache, 'ready', `${key.slice(0, 16)}.json`);
}

const pathsToKeep = 'node cc cxx cmake ninja python empp emConfig include catch2 chromium'.split(' ');

/** The tools found by an earlier run, or undefined when one of them is gone or was missing. */
export function readStamp() {
  const file = stampFile();
  if (!existsSync(file)) return undefined;
  const tools = JSON.parse(readFileSync(file, 'utf8'));
  for (const key of pathsToKeep) {
    if (tools[key] && !existsSync(tools[key])) return undefined;
  }
  // A browser may have been installed since, by an administrator the bootstrap asked for it.
  tools.chromium ??= presentBrowser();
  return tools;
}
