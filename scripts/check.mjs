// npm start -- --check FILE.pdf [--kill N] [--out FILE.zip]
// The demo's whole job in a real, headless Chromium; prints one line of JSON:
//   {pages, characters, images, zipBytes, ms}  and with --kill  {…, kills, pagesRerun}
// --kill N ends the whole browser N times on the way (SIGKILL, same profile afterwards). pagesRerun counts
// pages that were computed again although their result had been stored; it must be 0.
// A file that can't be processed: exit 1 and one sentence on stderr.
import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { strFromU8, unzipSync } from 'fflate';
import { Browser, pause } from '../demo/check/browser.mjs';
import { acknowledgePath, Ledger, resultPath } from '../demo/check/ledger.mjs';
import { built, serve } from '../demo/server.mjs';

const kStallMs = 180_000;

/** What the person can put right; printed without a stack. */
class Complaint extends Error {}

function parse(args) {
  const options = { file: undefined, kill: undefined, out: undefined };
  const rest = [...args];
  const value = (name) => {
    const next = rest.shift();
    if (next === undefined || next === '' || (next.startsWith('--') && !existsSync(next))) throw new Complaint(`${name} needs a value: npm start -- --check FILE.pdf [--kill N] [--out FILE.zip]`);
    return next;
  };
  while (rest.length > 0) {
    const word = rest.shift();
    if (word === '--kill') options.kill = Number(value(word));
    else if (word === '--out') options.out = value(word);
    else if (word === '--check' && options.file === undefined) options.file = value(word);
    else if (!word.startsWith('-') && options.file === undefined) options.file = word;
    else throw new Complaint(`"${word}" is not understood: npm start -- --check FILE.pdf [--kill N] [--out FILE.zip]`);
  }
  if (options.file === undefined) throw new Complaint('Which file? npm start -- --check FILE.pdf [--kill N] [--out FILE.zip]');
  if (options.kill !== undefined && !(Number.isInteger(options.kill) && options.kill >= 0)) throw new Complaint('--kill needs a whole number from 0.');
  // npm runs this in the project's directory; a relative path is meant from where the person is.
  const from = process.env.INIT_CWD ?? process.cwd();
  if (options.out !== undefined) options.out = checkOut(resolve(from, options.out));
  if (existsSync(resolve(from, options.file))) options.file = resolve(from, options.file);
  return options;
}

/** Said before the work is done, not after it. */
function checkOut(file) {
  const directory = dirname(file);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) throw new Complaint(`--out: there is no directory "${directory}".`);
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw new Complaint(`--out: "${file}" is a directory; name a file in it.`);
  try {
    accessSync(existsSync(file) ? file : directory, constants.W_OK);
  } catch {
    throw new Complaint(`--out: "${file}" can't be written: permission denied.`);
  }
  return file;
}

function checkFile(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat) throw new Complaint(`There is no file "${file}".`);
  if (stat.isDirectory()) throw new Complaint(`"${basename(file)}" is a directory, not a PDF file.`);
  if (!stat.isFile()) throw new Complaint(`"${basename(file)}" is not a regular file.`);
  try {
    accessSync(file, constants.R_OK);
  } catch {
    throw new Complaint(`"${basename(file)}" can't be read: permission denied.`);
  }
  if (!existsSync(join(built, 'index.html'))) throw new Complaint('The demo is not built yet; run: npm start -- --check FILE.pdf');
}

function progress(text) {
  // Only for people: what is piped stays clean.
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

/** The one run of this profile, as the page sees it. undefined: it has not been accepted. */
function stateOf(page) {
  return page.evaluate(async () => {
    await globalThis.holdfast.ready;
    const [task] = globalThis.holdfast.getAllTasks();
    return task && { id: task.id, status: task.status, phase: task.phase, progress: task.progress, message: task.progressMessage, error: task.error?.message };
  });
}

const isOver = (state) => state !== undefined && ['completed', 'failed', 'cancelled'].includes(state.status);

/** Polls from outside: the page's policy forbids the eval that waiting inside of it would need. */
async function until(page, ledger, condition) {
  for (;;) {
    const state = await stateOf(page);
    progress(`${state?.status ?? 'starting'} ${Math.round(state?.progress ?? 0)} %`);
    if (isOver(state) || condition(state)) return state;
    ledger.watch(JSON.stringify(state));
    if (Date.now() - ledger.lastChange > kStallMs) throw new Error(`nothing has happened for ${kStallMs / 1000} s (${JSON.stringify(state)})`);
    await pause(15);
  }
}

/**
 * Random moments, spread over the way: each kill waits for a step drawn at random, then a few milliseconds
 * more. Between two kills at least one step is stored: what dies three times without getting any further
 * is quarantined, and rightly so. What is left of N when the work is done kills the browser at rest.
 */
async function killOnTheWay(browser, url, ledger, kills) {
  for (let done = 0; done < kills; done++) {
    const begun = ledger.stored.size;
    let target = begun + 1;
    const drawn = Math.random();
    const state = await until(browser.page, ledger, (seen) => {
      const share = (totalOf(seen) - begun) / (kills - done);
      if (Number.isFinite(share)) target = begun + Math.max(1, Math.ceil(drawn * share));
      return ledger.stored.size >= target;
    });
    if (!isOver(state)) await pause(Math.random() * 40);
    if (state.status === 'failed') return;
    await browser.kill();
    await browser.open(url);
  }
}

/** How many steps there are, from the message `3 / 300 pages`. NaN: not known before the first page. */
const totalOf = (state) => Number(/\/ (\d+) /.exec(state?.message ?? '')?.[1] ?? Number.NaN) + 1;

async function fetchResult(page, ledger, id) {
  await page.evaluate(async ([runId, path]) => {
    const blob = await globalThis.holdfast.attach(runId).result();
    await fetch(path, { method: 'POST', body: blob });
  }, [id, resultPath]);
  return ledger.takeResult();
}

async function processed(browser, url, ledger, { file, kill }) {
  const page = await browser.open(url);
  const start = performance.now();
  await page.setInputFiles('input[type=file]', resolve(file));
  await until(page, ledger, (state) => state !== undefined);
  await killOnTheWay(browser, url, ledger, kill ?? 0);
  const state = await until(browser.page, ledger, () => false);
  const ms = Math.round(performance.now() - start);
  if (state.status !== 'completed') throw new Complaint(state.error ?? `"${basename(file)}" was not processed: the task was ${state.status}.`);
  return { zip: await fetchResult(browser.page, ledger, state.id), ms };
}

function summary(zip, ms, ledger, { kill }) {
  const { pages, characters, images } = JSON.parse(strFromU8(unzipSync(zip, { filter: ({ name }) => name === 'report.json' })['report.json']));
  const facts = { pages, characters, images, zipBytes: zip.length, ms };
  return kill === undefined ? facts : { ...facts, kills: kill, pagesRerun: new Set(ledger.rerun).size };
}

/** @returns {Promise<number>} the exit code */
export async function check(args) {
  const browser = new Browser();
  const ledger = new Ledger();
  let server;
  try {
    const options = parse(args);
    checkFile(options.file);
    server = await serve({ intercept: ledger.intercept });
    // Without kills nobody has to wait for acknowledgements.
    const query = options.kill === undefined ? '' : `?acknowledge=${acknowledgePath}`;
    const { zip, ms } = await processed(browser, `${server.url}${query}#/pdf`, ledger, options);
    progress('');
    if (options.out) writeFileSync(options.out, zip);
    process.stdout.write(`${JSON.stringify(summary(zip, ms, ledger, options))}\n`);
    if (ledger.rerun.length > 0) throw new Complaint(`These pages had been stored and were computed again: ${[...new Set(ledger.rerun)].join(', ')}.`);
    return 0;
  } catch (error) {
    progress('');
    process.stderr.write(error instanceof Complaint ? `${error.message}\n` : `The check failed: ${error.stack ?? error}\n`);
    return 1;
  } finally {
    await browser.close();
    await server?.close();
  }
}

if (process.argv[1]?.endsWith('check.mjs')) process.exit(await check(process.argv.slice(2)));
