// The package as others get it: publint, the list of packed files, size budgets, and a stranger's
// app that installs the tarball, compiles against its types and bundles it with Vite.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { toolchainEnvironment } from './env.mjs';
import { cache, root } from './setup/common.mjs';

/**
 * gzip bytes, each with room for what is planned; a change that needs more changes the number here and says why.
 * core.wasm: orders of queues, fair turns of keys and bounds with overflow are decided in the core (6 KB);
 * members of groups and what depends on what (1 KB); flows of graphs, and who of a graph goes first (2 KB).
 * json.wasm and json.js: graph documents, loaded with the first of them.
 */
const budgets = { 'core.wasm': 62_000, 'core.js': 16_000, 'json.wasm': 86_000, 'json.js': 13_000 };

const directory = join(root, 'build/package');

function run(command, args, cwd = root) {
  const result = spawnSync(command, args, { cwd, env: toolchainEnvironment(), encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}\n${result.stdout}${result.stderr}`.trim());
  return result.stdout;
}

const manifest = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

function everyExportExists() {
  const missing = Object.values(manifest().exports)
    .flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)))
    .filter((file) => !file.includes('*') && !existsSync(join(root, file)));
  if (missing.length) throw new Error(`package.json exports files that were not built: ${missing.join(', ')}`);
}

function isClean() {
  run('publint', ['--strict', '--pack', 'false']);
}

function sizes() {
  const over = [];
  for (const [name, budget] of Object.entries(budgets)) {
    const bytes = gzipSync(readFileSync(join(root, 'js', name)), { level: 9 }).length;
    process.stdout.write(`  ${name}: ${bytes} B gzip of ${budget}\n`);
    if (bytes > budget) over.push(name);
  }
  if (over.length) throw new Error(`over budget: ${over.join(', ')}`);
}

function pack() {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]));
  const foreign = packed.files
    .map((file) => file.path)
    .filter(
      (path) =>
        !/^(dist\/|package\.json|README\.md|LICENSE|CHANGELOG\.md)/.test(path) ||
        /\.test\.|\.ts$/.test(path.replace(/\.d\.ts$/, '')),
    );
  if (foreign.length) throw new Error(`packed, but not meant to be: ${foreign.join(', ')}`);
  process.stdout.write(`  ${packed.filename}: ${packed.files.length} files, ${Math.round(packed.size / 1000)} KB\n`);
}

const strangersPage = `import * as holdfast from 'holdfast';
import 'holdfast/react/styles.css';
export * from 'holdfast/react';
export * from 'holdfast/testing';
console.log(Object.keys(holdfast).length);
`;

/** Only compiled: every other entry, and what the oldest library lacks. */
const strangersTypes = `import * as inline from 'holdfast/inline';
import * as cache from 'holdfast/cache';
import * as testing from 'holdfast/testing';
import * as worker from 'holdfast/worker';
import * as indexeddb from 'holdfast/storage/indexeddb';
import * as local from 'holdfast/storage/local';
import * as memory from 'holdfast/storage/memory';
import * as mirror from 'holdfast/storage/mirror';
import * as opfs from 'holdfast/storage/opfs';
export const entries = [inline, cache, testing, worker, indexeddb, local, memory, mirror, opfs];
export const close = (orchestrator: inline.Orchestrator): Promise<void> => orchestrator[Symbol.asyncDispose]();
`;

function install() {
  const app = join(directory, 'app');
  mkdirSync(app);
  const tarball = readdirSync(directory).find((name) => name.endsWith('.tgz'));
  const dependencies = { holdfast: `file:../${tarball}` };
  writeFileSync(
    join(app, 'package.json'),
    JSON.stringify({ name: 'stranger', private: true, type: 'module', dependencies }),
  );
  // With the project's locked versions of its few dependencies npm needs no registry: all of it is in the cache.
  const packages = { '': { name: 'stranger', dependencies } };
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  for (const [path, entry] of Object.entries(locked)) {
    if (path && !entry.dev && !entry.devOptional && !entry.peer) packages[path] = entry;
  }
  const { version, dependencies: needs } = manifest();
  packages['node_modules/holdfast'] = { version, resolved: dependencies.holdfast, dependencies: needs };
  writeFileSync(
    join(app, 'package-lock.json'),
    JSON.stringify({ name: 'stranger', lockfileVersion: 3, requires: true, packages }),
  );
  const flags = [
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--omit=peer',
    '--cache',
    join(cache, 'npm'),
  ];
  run('npm', ['install', ...flags], app);
  // React and the tools come from the project, as they would from the stranger's own devDependencies.
  mkdirSync(join(app, 'node_modules/@types'), { recursive: true });
  for (const name of ['react', 'react-dom', '@types/react', '@types/react-dom', 'scheduler', 'csstype']) {
    const from = join(root, 'node_modules', name);
    const to = join(app, 'node_modules', name);
    if (existsSync(from) && !existsSync(to)) symlinkSync(from, to);
  }
}

/** With the oldest library the package is meant for, and nothing let pass: our typings are the stranger's errors. */
function typesOfAStranger(moduleResolution, module) {
  const app = join(directory, 'app');
  writeFileSync(join(app, 'page.ts'), strangersPage);
  writeFileSync(join(app, 'types.ts'), strangersTypes);
  writeFileSync(join(app, 'vite-env.d.ts'), "declare module '*.css';\n");
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2022', 'DOM', 'DOM.Iterable'],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    types: [],
    module,
    moduleResolution,
    jsx: 'react-jsx',
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['page.ts', 'types.ts', 'vite-env.d.ts'] }));
  run('tsc', ['-p', '.'], app);
}

/** Builds a page of one script with Vite. */
function bundle(script) {
  const app = join(directory, 'app');
  writeFileSync(join(app, 'index.html'), `<!doctype html><script type="module" src="/${script}"></script>`);
  run('vite', ['build', '--logLevel', 'error'], app);
  return app;
}

function bundles() {
  const app = bundle('page.ts');
  const assets = readdirSync(join(app, 'dist/assets'));
  const modules = assets.filter((name) => /^core-[\w-]+\.wasm$/.test(name));
  if (modules.length !== 1) throw new Error(`one hashed core-*.wasm was expected among: ${assets.join(', ')}`);
  const source = assets
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(app, 'dist/assets', name), 'utf8'))
    .join('\n');
  if (!source.includes(modules[0])) throw new Error(`no script names ${modules[0]}`);
  if (/from\s*["'](node:)?module["']|import\(["'](node:)?module["']\)/.test(source))
    throw new Error('the bundle imports node:module');
}

/** What a page waits for before its first line. */
const scriptLimit = 5;

/** Modules one by one would be cut into a script for every set of dynamic imports that shares them. */
function startsWithFewScripts() {
  const app = bundle('page.ts');
  const waiting = [/src="\/(assets\/[^"]+\.js)"/.exec(readFileSync(join(app, 'dist/index.html'), 'utf8'))[1]];
  for (const path of waiting) {
    const code = readFileSync(join(app, 'dist', path), 'utf8');
    for (const [, name] of code.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g))
      if (!waiting.includes(`assets/${name}`)) waiting.push(`assets/${name}`);
  }
  process.stdout.write(`  ${waiting.length} scripts\n`);
  if (waiting.length > scriptLimit) throw new Error(`more than ${scriptLimit}: ${waiting.join(', ')}`);
}

function inlineCarriesItsCore() {
  const app = join(directory, 'app');
  writeFileSync(join(app, 'inline.ts'), "import { createOrchestrator } from 'holdfast/inline';\ncreateOrchestrator();\n");
  bundle('inline.ts');
  const begin = readFileSync(join(root, 'dist/core.wasm')).subarray(0, 24).toString('base64');
  const scripts = readdirSync(join(app, 'dist/assets')).filter((name) => name.endsWith('.js'));
  if (!scripts.some((name) => readFileSync(join(app, 'dist/assets', name), 'utf8').includes(begin)))
    throw new Error('no script of the bundle has the bytes of core.wasm');
}

const strangersTest = `import { createOrchestrator, defineTask, schedules } from 'holdfast';
import { createTestOrchestrator, matchers, TestClock } from 'holdfast/testing';
import { expect, it } from 'vitest';

expect.extend(matchers);
const send = defineTask({ id: 'send', run: async () => { throw new Error('not in a test'); } });
const order = defineTask({ id: 'order', run: async (input, ctx) => { await ctx.run(send, input); await ctx.sleep('1h'); return ctx.step('end', () => 'ended'); } });
const daily = [];
schedules.task({ id: 'daily', cron: '0 9 * * *', run: async ({ timestamp }) => void daily.push(timestamp.toISOString()) });

it('goes on after a crash, with mocks, failures and a schedule', async () => {
  const first = createTestOrchestrator({ tasks: [order, send] });
  await first.ready;
  first.mockTask('send', 'sent');
  first.failNext('send', 2);
  const crashed = first.crashAt('after-step:end');
  const run = first.trigger(order, { id: 1 });
  await first.runUntil(() => run.state.phase === 'waiting');
  await first.clock.advance('1d');
  await crashed;
  const second = await first.reload();
  await second.runUntilIdle();
  await second.clock.advance('1d');
  expect(second.getTaskState(run.id)).toMatchObject({ status: 'completed', result: 'ended' });
  expect(second).toHaveDispatched('send', { id: 1 });
  expect(daily).toEqual(['2026-01-02T09:00:00.000Z']);
  expect(createOrchestrator).toBeTypeOf('function');
  expect(new TestClock().now()).toBe(Date.UTC(2026, 0, 1));
  await second.dispose();
});
`;

/** As its developer writes them: with nothing of this project but what is installed. */
function testsOfAStrangerRun() {
  const app = join(directory, 'app');
  symlinkSync(join(root, 'node_modules/vitest'), join(app, 'node_modules/vitest'));
  writeFileSync(join(app, 'order.test.js'), strangersTest);
  // Its own, or the project's around it would be taken.
  writeFileSync(join(app, 'vitest.config.js'), 'export default {};\n');
  run('vitest', ['run', '--root', app], app);
}

/** Importing the package must touch nothing: no window, no wasm, no worker. Server rendering depends on it. */
function importsUnderNode() {
  const script =
    "const names = Object.keys(await import('holdfast')); if (!names.length) throw new Error('no exports');";
  run('node', ['--input-type=module', '-e', script], join(directory, 'app'));
}

/** Nobody can dispose of the house that it runs in. */
function aGraphEndsItsScript() {
  const script = `import { Task, TaskGraph } from 'holdfast/graph';
    class Next extends Task { static type = 'Next'; async execute({ n }) { return { next: n + 1 }; } }
    const graph = new TaskGraph();
    graph.addTask(new Next({ id: 'one', defaults: { n: 1 } }));
    process.stdout.write(JSON.stringify(await graph.run()));`;
  const { status, stdout, stderr } = spawnSync('node', ['--input-type=module', '-e', script], { cwd: join(directory, 'app'), timeout: 40_000, encoding: 'utf8' });
  if (stdout !== '[{"id":"one","type":"Next","data":{"next":2}}]') throw new Error(`it wrote ${JSON.stringify(stdout)}\n${stderr}`);
  if (status !== 0) throw new Error('it did not end within 40 seconds');
}

const checks = {
  'every export exists': everyExportExists,
  'publint has nothing to say': isClean,
  'sizes are within budget': sizes,
  'only dist/ is packed': pack,
  'installs into an empty app': install,
  'types resolve with a bundler': () => typesOfAStranger('bundler', 'esnext'),
  'types resolve in Node': () => typesOfAStranger('nodenext', 'nodenext'),
  'Vite emits one hashed core.wasm': bundles,
  'a page starts with few scripts': startsWithFewScripts,
  'holdfast/inline carries its core': inlineCarriesItsCore,
  'imports without effects in Node': importsUnderNode,
  'a script in Node ends when its graph is done': aGraphEndsItsScript,
  'tests of a stranger run in vitest': testsOfAStrangerRun,
};

export async function checkPackage() {
  const result = { passed: 0, failed: 0 };
  for (const [title, check] of Object.entries(checks)) {
    try {
      check();
      process.stdout.write(`✓ ${title}\n`);
      result.passed++;
    } catch (error) {
      process.stdout.write(`✗ ${title}\n${error.message.replace(/^/gm, '    ')}\n`);
      result.failed++;
    }
  }
  return result;
}
