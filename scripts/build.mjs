// Building: a CMake preset, the WASM module with its place in js/, the package in dist/.
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { toolchainEnvironment } from './env.mjs';
import { hashText, root } from './setup/common.mjs';

/** A tool ended with an error it has explained itself. */
export class ToolFailed extends Error {
  constructor(command, args, status) {
    super(`failed (${status}): ${command} ${args.join(' ')}`);
    this.status = status;
  }
}

/** For entry scripts: a failed tool ends the process with its exit code, without a stack. */
export function endOnFailure() {
  process.on('uncaughtException', (error) => {
    process.stderr.write(`\n${error instanceof ToolFailed ? error.message : error.stack}\n`);
    process.exit(error.status ?? 1);
  });
}

/** Runs a tool of the toolchain in the project's directory. @throws ToolFailed */
export function must(command, args, options = {}) {
  const status = attempt(command, args, options);
  if (status !== 0) throw new ToolFailed(command, args, status);
}

/** The same, but answers with the exit code. */
export function attempt(command, args, { env = {}, ...options } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...toolchainEnvironment(), ...env },
    ...options,
  });
  if (result.error) process.stderr.write(`${command}: ${result.error.message}\n`);
  return result.status ?? 1;
}

/** Like must, but shows the output only when it fails. */
function quietly(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', env: toolchainEnvironment() });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? result.error?.message}`);
  throw new ToolFailed(command, args, result.status ?? 1);
}

/** Configures a preset when it is new or the toolchain changed, and builds it. Ninja does the rest of the bookkeeping. */
export function buildPreset(preset, targets = [], options = {}) {
  const directory = join(root, 'build', preset);
  const env = toolchainEnvironment();
  const fingerprint = hashText(
    JSON.stringify(['CXX', 'HOLDFAST_EMSCRIPTEN', 'HOLDFAST_INCLUDE', 'HOLDFAST_CATCH2'].map((name) => env[name])) +
      readFileSync(join(root, 'CMakePresets.json'), 'utf8'),
  );
  const mark = join(directory, '.toolchain');
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== fingerprint) {
    process.stderr.write(`configuring build/${preset}\n`);
    quietly('cmake', ['--preset', preset, '--fresh', '--log-level=WARNING']);
    writeFileSync(mark, fingerprint);
  }
  must(
    'cmake',
    ['--build', '--preset', preset, ...targets.flatMap((name) => ['--target', name]), '--', '--quiet'],
    options,
  );
  return directory;
}

function copyIfChanged(from, to) {
  if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return;
  copyFileSync(from, to);
}

/** The module as js/core.js, core.wasm and core.d.ts, where load.ts, the tests and tsc find it; and its bytes as text for ./inline. */
export function buildWasm({ preset = 'wasm', ...options } = {}) {
  const directory = buildPreset(preset, [], options);
  for (const name of ['core', 'json']) {
    if (!existsSync(join(directory, `${name}.wasm`))) continue;
    for (const extension of ['js', 'wasm', 'd.ts']) {
      copyIfChanged(join(directory, `${name}.${extension}`), join(root, `js/${name}.${extension}`));
    }
  }
  if (!existsSync(join(root, 'js/core.wasm'))) return;
  for (const name of ['core', 'json']) {
    if (!existsSync(join(root, `js/${name}.wasm`))) continue;
    const bytes = readFileSync(join(root, `js/${name}.wasm`)).toString('base64');
    writeFileSync(
      join(root, `js/${name}-bytes.js`),
      `// ${name}.wasm as base64; generated\nexport const ${name}Base64 =\n  '${bytes}';\n`,
    );
    writeFileSync(join(root, `js/${name}-bytes.d.ts`), `export declare const ${name}Base64: string;\n`);
  }
}

/** The module with a trap on demand, for tests; it stays in its build directory. */
export function buildTrap() {
  buildPreset('wasm-trap', ['door']);
}

const isGenerated = (name) => /^(core|json|core-bytes|json-bytes)\.(js|wasm|d\.ts)$/.test(name);

/** dist/: plain tsc, so that the new URL literals and 'use client' survive, and what tsc does not copy; then gathered. */
export function buildJs(options = {}) {
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  must('tsc', ['-p', 'tsconfig.build.json'], options);
  for (const file of readdirSync(join(root, 'js'), { recursive: true })) {
    if (!isGenerated(file) && !file.endsWith('.css')) continue;
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    cpSync(join(root, 'js', file), join(dist, file));
  }
  for (const file of readdirSync(dist, { recursive: true }).filter((name) => name.endsWith('.d.ts'))) {
    const path = join(dist, file);
    const text = readFileSync(path, 'utf8');
    // Whoever compiles with `lib: ES2022` has no `Symbol.asyncDispose` of their own.
    const lib = text.includes('Symbol.asyncDispose') ? '/// <reference lib="esnext.disposable" />\n' : '';
    // tsc rewrites './x.ts' to './x.js' in code but not in typings.
    writeFileSync(path, lib + text.replace(/((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]*)\.tsx?(['"])/g, '$1.js$2'));
  }
  must('node', ['scripts/gather.mjs'], options);
}
