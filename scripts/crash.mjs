// npm run crash -- --kills N [--renderer N] [--seed S] [--baseline]
// Kills Chromium N times at random moments (SIGKILL, whole browser; with --renderer one tab's process) under
// a mixed load in one profile, lets everything finish, and compares what is there with what was acknowledged
// outside of the browser before each kill. Exit 1 when anything accepted or recorded was lost or done twice.
// --baseline: the same with a plain idb and a localStorage store, for comparison; they may lose.
import { harness } from '../tests/crash/harness.mjs';
import { promises } from '../tests/crash/witness.mjs';
import { toolchainEnvironment } from './env.mjs';

const usage = 'npm run crash -- --kills N [--renderer N] [--seed S] [--baseline]';

function parse(args) {
  const options = { kills: 40, renderer: undefined, seed: Math.floor(Math.random() * 2 ** 31), baseline: false };
  for (let index = 0; index < args.length; index++) {
    const name = args[index].replace(/^--/, '');
    if (name === 'baseline') options.baseline = true;
    else if (name in options && /^\d+$/.test(args[index + 1] ?? '')) options[name] = Number(args[++index]);
    else throw new Error(`"${args[index]}" is not understood: ${usage}`);
  }
  options.renderer ??= Math.ceil(options.kills / 2);
  return options;
}

function print(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? String(cell).padEnd(widths[0]) : String(cell).padStart(widths[column]),
    );
    process.stdout.write(`${cells.join('   ')}\n`);
  }
}

function table(results) {
  const line = (words, value) => [words, ...results.map(value)];
  const acknowledged = ['accepted', 'recorded', 'completed', 'failed', 'cancelled', 'paused', 'removed'];
  print([
    line('', ({ store }) => store),
    line('kills of the whole browser', ({ kills }) => kills),
    line('kills of a renderer', ({ renderer }) => renderer),
    ...acknowledged.map((name) =>
      line(`acknowledged: ${name === 'recorded' ? 'steps recorded' : `tasks ${name}`}`, ({ counts }) => counts[name]),
    ),
    line('attempts, step executions', ({ counts }) => `${counts.attempts}, ${counts.executed}`),
    ...Object.entries(promises).map(([name, words]) => line(words, ({ totals }) => totals[name])),
    line('page open to recovered, median ms', ({ recoveryMs }) => recoveryMs),
    line('tab dead to taken over, median and longest ms', ({ takeOverMs }) => takeOverMs.join(', ')),
    line('seconds', ({ seconds }) => seconds),
  ]);
}

/** 0 in n: the rate is below 3/n with 95 % confidence. */
function verdict({ kills, renderer, seed, violations, warnings, events }) {
  for (const { promise, run, words, story } of violations.slice(0, 30))
    process.stdout.write(`  ${promises[promise]}: ${run} ${words}\n    told: ${story}\n`);
  if (violations.length > 30) process.stdout.write(`  … and ${violations.length - 30} more\n`);
  for (const [message, count] of warnings) process.stdout.write(`  warning (${count} times): ${message}\n`);
  if (events?.some((one) => Object.keys(one).length))
    process.stdout.write(`  storage events of the last life: ${JSON.stringify(events)}\n`);
  const total = kills + renderer;
  if (violations.length === 0)
    process.stdout.write(
      `Nothing lost in ${total} kills: below ${((3 / total) * 100).toPrecision(2)} % of kills, with 95 % confidence.\n`,
    );
  else
    process.stdout.write(
      `${violations.length} violations. The same kills again: npm run crash -- --kills ${kills} --renderer ${renderer} --seed ${seed}\n`,
    );
}

async function main(args) {
  process.env.HOLDFAST_CHROMIUM ??= toolchainEnvironment().HOLDFAST_CHROMIUM;
  const { baseline, ...options } = parse(args);
  const log = process.stderr.isTTY ? (words) => process.stderr.write(`\r\u001b[K${words}`) : undefined;
  const results = [];
  for (const store of baseline ? ['holdfast', 'idb', 'localStorage'] : ['holdfast'])
    results.push(await harness({ ...options, store, log }));
  if (log) process.stderr.write('\r\u001b[K');
  process.stdout.write(`seed ${options.seed}\n`);
  table(results);
  verdict(results[0]);
  return results[0].violations.length === 0 ? 0 : 1;
}

process.exit(
  await main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    return 2;
  }),
);
