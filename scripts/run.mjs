// Every npm script that needs the toolchain:  node scripts/run.mjs NAME [ARGUMENTS…]
// Setup first (milliseconds when nothing is missing), then the room. PATH need not be set.
import { spawn } from 'node:child_process';
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { attempt, buildJs, buildPreset, buildTrap, buildWasm, endOnFailure, must } from './build.mjs';
import { toolchainEnvironment } from './env.mjs';
import { rooms } from './rooms.mjs';
import { root } from './setup/common.mjs';
import { setup } from './setup.mjs';

function build() {
  buildWasm();
  buildJs();
}

/** Hands over to a script of its own; the package is built first, because such scripts use it as a stranger would. */
function delegate(file) {
  return (args) => {
    build();
    process.exit(attempt('node', [file, ...args]));
  };
}

/** The demo with hot reload: tsc keeps dist/ current, changes of C++ rebuild the module, Vite serves. */
function dev(args) {
  build();
  const env = toolchainEnvironment();
  const start = (command, list) => spawn(command, list, { cwd: root, stdio: 'inherit', env });
  const children = [start('tsc', ['-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'])];
  let timer;
  for (const room of ['src', 'src/json', 'wasm'].filter((name) => existsSync(join(root, name)))) {
    watch(join(root, room), () => {
      clearTimeout(timer);
      timer = setTimeout(
        () => spawn('node', ['scripts/run.mjs', 'refresh:wasm'], { cwd: root, stdio: 'inherit', env }),
        200,
      );
    });
  }
  const server = start('vite', ['demo', ...args]);
  server.on('exit', (code) => {
    for (const child of children) child.kill();
    process.exit(code ?? 0);
  });
}

function fix() {
  must('biome', ['check', '--write', '.']);
  const formatter = ['clang-format-19', 'clang-format'].find(
    (name) => attempt(name, ['--version'], { stdio: 'ignore' }) === 0,
  );
  if (!formatter) return process.stdout.write('clang-format is not installed; C++ is left as it is\n');
  must('bash', ['-c', `git ls-files -co --exclude-standard -z -- '*.cpp' '*.h' | xargs -0 -r ${formatter} -i`]);
}

const commands = {
  build,
  'build:wasm': () => buildWasm(),
  'build:js': () => buildJs(),
  'build:trap': () => buildTrap(),
  'refresh:wasm': () => {
    buildWasm();
    must('bash', ['-c', 'cp js/core.js js/core.wasm js/core.d.ts dist/']);
  },
  dev,
  fix,
  bench: delegate('tests/bench/run.mjs'),
  'bench:core': () => must(join(buildPreset('release', ['bench_graph']), 'bench_graph'), []),
  headline: delegate('tests/bench/headline.mjs'),
  crash: delegate('scripts/crash.mjs'),
};

const [name, ...args] = process.argv.slice(2);
const room = rooms.find((one) => one.name === name);
if (!commands[name] && !room) {
  process.stderr.write(
    `no such command: ${name}\nknown: ${[...Object.keys(commands), ...rooms.map((one) => one.name)].join(', ')}\n`,
  );
  process.exit(2);
}
endOnFailure();
await setup();
if (commands[name]) commands[name](args);
else {
  for (const needed of room.needs) commands[needed]();
  const { passed, failed } = await room.run(args);
  process.stdout.write(`${room.name}: ${passed} passed, ${failed} failed\n`);
  process.exit(failed ? 1 : 0);
}
