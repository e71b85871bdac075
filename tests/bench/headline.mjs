// npm run headline -- [--pages 2000] [--delay 2500]
// One document done the blocking way and with holdfast, in a real Chromium: text of every page, and 40 pictures, each
// described by an endpoint that takes its time and lets ten ask at once; then once more, from the cache. The endpoint is
// a local server that waits and counts. REQUIRES: dist/ is built.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completionsServer } from '../fixtures/completions-server.mjs';
import { makePdf } from '../fixtures/pdfs.mjs';
import { openHeadline } from './browser.mjs';

export const pictures = 40;
/** As the page's queue says. */
const atOnce = 10;

/**
 * @param {{pages: number, imageEvery: number, delayMs: number}} options
 * @returns the measurements of each way, and what the endpoint saw of it
 */
export async function headline({ pages, imageEvery, delayMs }, say = () => {}) {
  const pdf = await makePdf({ pages, imageSize: 64, imageEvery, images: pictures });
  const server = await completionsServer({ delayMs, most: atOnce, streams: false, ports: 2 });
  const { page, close } = await openHeadline(pdf);
  const run = async (way) => {
    Object.assign(server.seen, { mostOpen: 0, refused: 0 });
    server.seen.arrivals.length = 0;
    const measured = await page.evaluate(([name, addresses]) => globalThis.headline.measure(name, addresses), [way, server.urls]);
    const { mostOpen, refused } = server.seen;
    say(`${way}: ${(measured.ms / 1000).toFixed(2)} s, ${server.seen.arrivals.length} questions, at most ${mostOpen} at once, longest task of the page ${Math.round(measured.longestMs)} ms`);
    return { ...measured, questions: server.seen.arrivals.length, mostOpen, refused };
  };
  try {
    const blocking = await run('blocking');
    const durable = await run('durable');
    const again = await run('durable');
    return { blocking, durable, again, lessPercent: 100 * (1 - durable.ms / blocking.ms) };
  } finally {
    await close();
    await server.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const numbers = Object.fromEntries([...process.argv.slice(2).join(' ').matchAll(/--(pages|delay) (\d+)/g)].map(([, name, value]) => [name, Number(value)]));
  const { pages = 2000, delay: delayMs = 2500 } = numbers;
  const result = await headline({ pages, imageEvery: 2, delayMs }, (text) => process.stderr.write(`${text}\n`));
  const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
  const { blocking, durable, again, lessPercent } = result;
  process.stdout.write(`${pages} pages, ${pictures} pictures, ${delayMs} ms each, ${atOnce} at once: ${seconds(blocking.ms)} → ${seconds(durable.ms)} (${lessPercent.toFixed(1)} % less), again ${seconds(again.ms)}\n`);
  const build = fileURLToPath(new URL('../../build/', import.meta.url));
  mkdirSync(build, { recursive: true });
  writeFileSync(join(build, 'headline.json'), `${JSON.stringify(result, null, 2)}\n`);
}
