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

/** Tasks per second from the first call until every result is there; opening and closing are not counted. */
async function measure(name, count) {
  await settle();
  const { run, close } = await contenders[name](count);
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
