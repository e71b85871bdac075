// The environment in which the project's tools run: nobody has to set PATH by hand.
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { cache, root } from './setup/common.mjs';
import { readStamp, stampFile } from './setup/stamp.mjs';

/** An environment for child processes from a set of found tools. */
export function environmentFor(tools) {
  const fetched = [tools.cmake, tools.ninja, tools.python].filter((file) => file?.startsWith(cache));
  const directories = [
    join(root, 'node_modules/.bin'), // tsc for --emit-tsd, vite, vitest
    tools.node,
    ...[tools.empp, ...fetched].map((file) => file && dirname(file)),
  ].filter(Boolean);
  const env = { ...process.env, PATH: [...new Set(directories), process.env.PATH ?? '/usr/bin:/bin'].join(delimiter) };
  const set = (name, value) => {
    if (value) env[name] = value;
  };
  set('CC', tools.cc);
  set('CXX', tools.cxx);
  set('EM_CONFIG', tools.emConfig);
  set('HOLDFAST_EMSCRIPTEN', tools.emscripten);
  set('HOLDFAST_INCLUDE', tools.include);
  set('HOLDFAST_CATCH2', tools.catch2);
  set('HOLDFAST_CHROMIUM', tools.chromium);
  const symbolizer = join(tools.llvm ?? '/usr/bin', 'llvm-symbolizer-19');
  if (existsSync(symbolizer)) set('ASAN_SYMBOLIZER_PATH', symbolizer); // names instead of addresses in findings
  // An inherited LIBRARY_PATH or CPATH would reach into the WASM build as well.
  for (const name of ['LIBRARY_PATH', 'CPATH', 'C_INCLUDE_PATH', 'CPLUS_INCLUDE_PATH']) delete env[name];
  return env;
}

/** The environment for child processes. REQUIRES: setup has run. */
export function toolchainEnvironment() {
  const tools = readStamp();
  if (!tools) throw new Error('The toolchain is not set up. Run: npm run setup');
  return { ...environmentFor(tools), HOLDFAST_TOOLCHAIN: stampFile() };
}
