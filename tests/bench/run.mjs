// npm run bench -- [--rounds 5] [--only memory,durable,local,steps,limits,batches,graphs,reopen,figures] [--smoke] [--profile memory|durable]
// Measures holdfast against its peers in one page of a real Chromium, interleaved, medians of the rounds.
// Prints a table and writes build/bench.json: [{workload, ours, peer, theirs, ratio}], rates in tasks per
// second, a ratio above 1 meaning that ours is better. REQUIRES: dist/ is built, as `npm run bench` does.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstDownloadBytes, openFirst, openPage } from './browser.mjs';
import { printFigures, printRows } from './print.mjs';
import { profile } from './profile.mjs';
import { comparisons, full, once, parts, sameAs, smoke } from './workloads.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

function parse(args) {
  const options = { rounds: 5, only: parts, sizes: full, warmUpMs: 1000, turnMs: 250, profile: undefined };
  const rest = [...args];
  const value = (name) => rest.shift() ?? fail(`${name} needs a value`);
  while (rest.length > 0) {
    const word = rest.shift();
    if (word === '--rounds') options.rounds = Number(value(word));
    else if (word === '--only') options.only = value(word).split(',');
    else if (word === '--profile') options.profile = value(word);
    else if (word === '--smoke') Object.assign(options, { sizes: smoke, warmUpMs: 0, turnMs: 0, rounds: 1 });
    else fail(`"${word}" is not understood`);
  }
  if (!(Number.isInteger(options.rounds) && options.rounds > 0)) fail('--rounds needs a whole number from 1');
  const unknown = options.only.find((part) => !parts.includes(part));
  if (unknown) fail(`--only takes ${parts.join(', ')}; there is no "${unknown}"`);
  return options;
}

function fail(message) {
  process.stderr.write(
    `${message}\nnpm run bench -- [--rounds 5] [--only ${parts.join(',')}] [--smoke] [--profile memory|durable]\n`,
  );
  process.exit(2);
}

/** Rates of every contender the comparisons need, by 'name/count'; the order turns with the round. */
async function measureRates(page, wanted, { rounds, sizes, warmUpMs = 0, turnMs = 0 }, say) {
  const entrants = new Map();
  for (const { ours, peer } of wanted) for (const one of [ours, peer]) entrants.set(`${one}/${sizes[one]}`, one);
  const keys = [...entrants.keys()];
  const rates = new Map(keys.map((key) => [key, []]));
  // A run of some milliseconds is over before V8 has optimised it.
  for (const [, name] of entrants) if (!once.includes(name)) await turnOf(page, name, Math.min(sizes[name], 2000), warmUpMs);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < keys.length; turn++) {
      const key = keys[(turn + round) % keys.length];
      if (round > 0 && once.includes(entrants.get(key))) continue;
      rates.get(key).push(await turnOf(page, entrants.get(key), sizes[entrants.get(key)], turnMs));
    }
    say(
      `round ${round + 1} of ${rounds}: ${keys.map((key) => `${key} ${Math.round(rates.get(key).at(-1))}`).join(' · ')}`,
    );
  }
  return rates;
}

/** Once, and again until it has been at work for so long: the median. */
async function turnOf(page, entrant, count, workMs) {
  const rates = [];
  for (let spentMs = 0; spentMs <= workMs; spentMs += (count / rates.at(-1)) * 1000) rates.push(await rateOf(page, entrant, count));
  return median(rates);
}

function rateOf(page, entrant, count) {
  const name = sameAs[entrant] ?? entrant;
  return page.evaluate(([which, n]) => globalThis.bench.measure(which, n), [name, count]);
}

function toRows(wanted, rates, sizes) {
  return wanted.map(({ workload, ours, peer, peerName, aim }) => {
    const [mine, theirs] = [ours, peer].map((name) => median(rates.get(`${name}/${sizes[name]}`)));
    return { workload: workload(sizes), ours: mine, peer: peerName(sizes), theirs, ratio: mine / theirs, aim };
  });
}

/** Fill, reload, reopen; reload, read the same bytes; in turns. */
async function measureReopen(page, { rounds, sizes }, say) {
  const [ours, theirs] = [[], []];
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    const id = `reopen-${Date.now()}`;
    await page.evaluate(([name, count]) => globalThis.bench.fill(name, count), [id, sizes.reopen]);
    await reload(page);
    ours.push(await page.evaluate(([name, count]) => globalThis.bench.reopen(name, count), [id, sizes.reopen]));
    await reload(page);
    const read = await page.evaluate((name) => globalThis.bench.readBytes(name), id);
    theirs.push(read.ms);
    bytes = read.bytes;
    say(
      `reopen, round ${round + 1} of ${rounds}: ours ${ours.at(-1).toFixed(0)} ms · reading ${(bytes / 1e6).toFixed(1)} MB ${read.ms.toFixed(0)} ms`,
    );
  }
  const rate = (times) => (sizes.reopen / median(times)) * 1000;
  return {
    workload: `reopen with ${sizes.reopen} unfinished tasks, until all are known and the first runs`,
    ours: rate(ours),
    peer: `a worker that reads the same ${(bytes / 1e6).toFixed(1)} MB from OPFS`,
    theirs: rate(theirs),
    ratio: rate(ours) / rate(theirs),
    aim: 0.3,
  };
}

async function reload(page) {
  await page.reload();
  await page.waitForFunction(() => 'bench' in globalThis);
  await page.evaluate(() => globalThis.bench.settle());
}

/** What has no peer: first download and first use, memory of a waiting task, how long the page is held up. */
async function measureFigures(page, { rounds, sizes }, say) {
  const figures = [];
  const add = (figure, value, unit, aim) => figures.push({ figure, value, unit, aim });
  const first = await openFirst();
  try {
    const [cold, warm] = [[], []];
    for (let round = 0; round < rounds; round++) {
      cold.push(await first.use(`first-${round}`));
      warm.push(await first.use(`first-${round}`));
    }
    for (const { name, bytes } of first.downloads()) say(`first download: ${name} ${bytes} B gzip`);
    add(
      'first download, gzip',
      first.downloads().reduce((sum, { bytes }) => sum + bytes, 0),
      'B',
      `≤ ${firstDownloadBytes.toLocaleString('en-US')}`,
    );
    add('from import to the first task accepted, first visit', median(cold), 'ms');
    add('from import to the first task accepted, later visits', median(warm), 'ms');
  } finally {
    await first.close();
  }
  const evaluate = (name, ...args) => page.evaluate(([which, list]) => globalThis.bench[which](...list), [name, args]);
  add(
    `wasm memory per waiting task (${sizes.memory})`,
    await evaluate('bytesPerWaitingTask', sizes.memory),
    'B',
    '≤ 200',
  );
  const built = [];
  for (let round = 0; round < rounds; round++) {
    await evaluate('settle');
    built.push(await evaluate('buildMs', sizes.graph10));
  }
  add(`a graph of ${sizes.graph10} nodes and its edges built, each edge checked for cycles as it comes`, median(built), 'ms', '≤ 100');
  await measureHeap(page, rounds, sizes.streamed, evaluate, add);
  const floors = [];
  for (let round = 0; round < rounds; round++) floors.push(await evaluate('acknowledgementMicroseconds', 1000));
  add('acknowledgement of one append to OPFS: the floor of a step after a step', median(floors), 'us');
  for (const kind of ['memory', 'durable']) {
    for (const sliced of [true, false]) {
      const longest = [];
      for (let round = 0; round < rounds; round++)
        longest.push(await evaluate('longestTask', kind, sizes[kind], sliced));
      const how = sliced ? 'submitted in slices of 5 ms' : 'submitted in one loop';
      add(
        `longest main-thread task, ${sizes[kind]} ${kind} tasks ${how} (0: none of 50 or more)`,
        median(longest),
        'ms',
        sliced ? '≤ 50' : undefined,
      );
    }
  }
  return figures;
}

/** Who keeps how much while items are streamed; each look in a page of its own. */
const streamers = [
  ['streamed', 'ours, 256 on the way', '≤ 1/5 of what p-queue keeps of all that are added'],
  ['pQueueStreamed', 'p-queue, onSizeLessThan(256)'],
  ['pQueueAllAdded', 'p-queue, all added at once'],
];

async function measureHeap(page, rounds, count, evaluate, add) {
  for (const [name, whose, aim] of streamers) {
    const looks = [];
    for (let round = 0; round < rounds; round++) {
      await reload(page);
      looks.push(await evaluate('heapWhileStreamed', name, count));
    }
    const of = (what) => median(looks.map((look) => look[what]));
    add(`live heap while ${count} items are streamed, at the most of 20 looks: ${whose}`, of('most'), 'B', aim);
    add(`… and that of the second half of them beyond the first half: ${whose}`, of('secondHalf') - of('firstHalf'), 'B', name === 'streamed' ? 'bounded: about 0' : undefined);
  }
}

/** The whole bench. `say` hears of what is going on. */
export async function bench(options, say = () => {}) {
  const rows = [];
  let figures = [];
  const served = await openPage();
  try {
    const wanted = comparisons.filter(({ part }) => options.only.includes(part));
    if (wanted.length > 0)
      rows.push(...toRows(wanted, await measureRates(served.page, wanted, options, say), options.sizes));
    if (options.only.includes('reopen')) rows.push(await measureReopen(served.page, options, say));
    if (options.only.includes('figures')) figures = await measureFigures(served.page, options, say);
  } finally {
    await served.close();
  }
  return { rows, figures };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = parse(process.argv.slice(2));
  const say = (text) => process.stderr.write(`${text}\n`);
  if (options.profile) await profile(options.profile, options.sizes, say);
  else {
    const { rows, figures } = await bench(options, say);
    printRows(rows);
    printFigures(figures);
    mkdirSync(join(root, 'build'), { recursive: true });
    const plain = rows.map(({ workload, ours, peer, theirs, ratio }) => ({ workload, ours, peer, theirs, ratio }));
    writeFileSync(join(root, 'build/bench.json'), `${JSON.stringify(plain, null, 2)}\n`);
  }
}
