// The rooms of the house that can fail: how each is run and how its results are counted.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { attempt, buildPreset } from './build.mjs';
import { checkDoor } from './check-door.mjs';
import { checkPackage } from './check-package.mjs';
import { toolchainEnvironment } from './env.mjs';
import { root } from './setup/common.mjs';
import { tidy } from './tidy.mjs';

const reports = join(root, 'build/reports');

function reportFile(name) {
  mkdirSync(reports, { recursive: true });
  const file = join(reports, name);
  rmSync(file, { force: true });
  return file;
}

/** A program without a report: its last line "N passed, N failed", or one check by its exit code. */
function counted(command, args, env = {}) {
  return new Promise((fulfil) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...toolchainEnvironment(), ...env },
      stdio: ['inherit', 'pipe', 'inherit'],
    });
    let tail = '';
    child.stdout.on('data', (data) => {
      process.stdout.write(data);
      tail = (tail + data).slice(-4096);
    });
    child.on('error', (error) => process.stderr.write(`${command}: ${error.message}\n`));
    child.on('close', (code) => {
      const [, passed, failed] = [...tail.matchAll(/(\d+) passed, (\d+) failed/g)].at(-1) ?? [];
      if (passed === undefined) fulfil(code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
      else fulfil({ passed: Number(passed), failed: code === 0 ? Number(failed) : Math.max(1, Number(failed)) });
    });
  });
}

/** Catch2 writes its totals into an XML report beside what it prints; a crash before that is one failure. */
function catch2(preset) {
  return (args) => {
    const directory = buildPreset(preset, ['core_tests']);
    const report = reportFile(`${preset}.xml`);
    const status = attempt(
      join(directory, 'core_tests'),
      ['--reporter', 'console', '--reporter', `xml::out=${report}`, ...args],
      {
        env: {
          ASAN_OPTIONS: 'detect_stack_use_after_return=1:strict_string_checks=1',
          UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
        },
      },
    );
    const text = existsSync(report) ? readFileSync(report, 'utf8') : '';
    const [, passed, failed] = /<OverallResultsCases successes="(\d+)" failures="(\d+)"/.exec(text) ?? [];
    if (passed === undefined) return { passed: 0, failed: 1 };
    return { passed: Number(passed), failed: status === 0 ? Number(failed) : Math.max(1, Number(failed)) };
  };
}

/** What a file of vitest's report says of its failures, for the end of a log of which often only the end is kept. */
function detailsOf(file) {
  const name = relative(root, file.name);
  const failed = file.assertionResults.filter((one) => one.status === 'failed');
  if (!failed.length) return file.status === 'failed' ? [`${name}\n${file.message}`] : [];
  return failed.map((one) => `${name} > ${one.fullName}\n${one.failureMessages.join('\n')}`);
}

function vitest(project) {
  return (args) => {
    const report = reportFile(`${project}.json`);
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const status = attempt('vitest', ['run', '--project', project, ...reporters, ...args]);
    if (!existsSync(report)) return { passed: 0, failed: 1 };
    const result = JSON.parse(readFileSync(report, 'utf8'));
    // A file that could not even be loaded has failed without any test of its own failing.
    const unloaded = result.testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed'),
    ).length;
    const failed = result.numFailedTests + unloaded;
    const details = result.testResults.flatMap(detailsOf);
    if (status !== 0 && failed === 0) details.push('no test failed, yet vitest has found an error: see above');
    return { passed: result.numPassedTests, failed: status === 0 ? failed : Math.max(1, failed), details };
  };
}

/** At least a million events under ASan and UBSan; more with `--events N`, one story again with `--seed N`. */
async function simulation(args) {
  const directory = buildPreset('asan', ['simulation']);
  return counted(join(directory, 'simulation'), args);
}

/** Each fuzzer for `--seconds N` (5 in npm test, 60 by npm run fuzz); a finding stays in build/fuzz/findings. */
async function fuzz(args) {
  const directory = join(buildPreset('fuzz'), 'fuzzers');
  const at = args.indexOf('--seconds');
  const time = at < 0 ? 60 : Number(args[at + 1]);
  const findings = join(root, 'build/fuzz/findings/');
  mkdirSync(findings, { recursive: true });
  const total = { passed: 0, failed: 0 };
  for (const name of readdirSync(directory)) {
    const corpus = join(root, 'build/fuzz/corpus', name);
    mkdirSync(corpus, { recursive: true });
    const seeds = join(root, 'tests/fuzz/corpus', name);
    const options = [
      `-max_total_time=${time}`,
      `-artifact_prefix=${findings}`,
      '-print_final_stats=0',
      '-verbosity=0',
      '-timeout=10',
    ];
    const status = attempt(join(directory, name), [...options, corpus, ...(existsSync(seeds) ? [seeds] : [])]);
    process.stdout.write(`  ${name}: ${status === 0 ? `${time} s, nothing found` : `finding in ${findings}`}\n`);
    total[status === 0 ? 'passed' : 'failed']++;
  }
  return total;
}

async function types() {
  const projects = ['tsconfig.json', 'demo/tsconfig.json'].filter((file) => existsSync(join(root, file)));
  const statuses = projects.map((file) => attempt('tsc', ['--noEmit', '-p', file]));
  const failed = statuses.filter(Boolean).length;
  return { passed: statuses.length - failed, failed };
}

function browser(args) {
  if (toolchainEnvironment().HOLDFAST_CHROMIUM) return vitest('browser')(args);
  process.stdout.write(
    'No Chromium: apt-get install --no-install-recommends chromium, or name one in HOLDFAST_CHROMIUM.\n',
  );
  return { passed: 0, failed: 1 };
}

/**
 * In the order of npm test: cheap first, so that a slip shows early. `needs` are commands of run.mjs; `byName`: not a part
 * of npm test, since another room tests the same more strictly.
 */
export const rooms = [
  { name: 'tidy', what: 'house rules', needs: [], run: tidy },
  { name: 'check:door', what: 'generated files are current', needs: ['build:wasm'], run: checkDoor },
  { name: 'types', what: 'TypeScript', needs: ['build'], run: types },
  { name: 'test:core', what: 'C++ core, without sanitizers', byName: true, needs: [], run: catch2('native') },
  { name: 'test:asan', what: 'C++ core, sanitizers', needs: [], run: catch2('asan') },
  { name: 'test:sim', what: 'simulation, sanitizers', needs: [], run: simulation },
  { name: 'fuzz', what: 'fuzzers', needs: [], run: fuzz, args: ['--seconds', '5'] },
  { name: 'test:js', what: 'JavaScript', needs: ['build:wasm', 'build:trap'], run: vitest('js') },
  { name: 'check:package', what: 'the package as others get it', needs: ['build'], run: checkPackage },
  { name: 'test:browser', what: 'Chromium', needs: ['build'], run: browser },
];
