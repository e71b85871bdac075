// The page under measurement. Everything is bundled into it, ours as the built package; run.mjs calls
// one function at a time and waits for its answer.
import { contenders } from './contenders.js';
import { acknowledgementMicroseconds, bytesPerWaitingTask, longestTask, heapWhileStreamed } from './figures.js';
import { buildMs } from './graphs.js';
import { fill, readBytes, reopen } from './reopen.js';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What one run leaves behind must not slow the next: garbage, and copies that are still being written. */
async function settle() {
  globalThis.gc?.();
  await pause(50);
  globalThis.gc?.();
}

/**
 * The last of each name. A collection that is asked for makes V8 drop the shapes of objects that nobody has any more, and
 * the optimised code with them: the next run would pay for that, as no page does that goes on with its work.
 */
const kept = new Map();

/** Tasks per second from the first call until every result is there; opening and closing are not counted. */
async function measure(name, count) {
  await settle();
  const contender = await contenders[name](count);
  const { run, close } = contender;
  kept.set(name, contender);
  const start = performance.now();
  const results = await run();
  const ms = performance.now() - start;
  await close();
  checkResults(results, count, name);
  return (count / ms) * 1000;
}

/** A contender that does not do the work is no peer. */
function checkResults(results, count, name) {
  const sum = results.reduce((total, value) => total + value, 0);
  if (results.length !== count || sum !== (count * (count + 1)) / 2) throw new Error(`${name}: wrong results`);
}

globalThis.bench = { measure, buildMs, acknowledgementMicroseconds, longestTask, bytesPerWaitingTask, heapWhileStreamed, fill, reopen, readBytes, settle };
