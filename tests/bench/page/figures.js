// Figures without a peer: how long the page is held up, and what a waiting task costs in wasm memory.
import { defineTask } from 'holdfast';
import { opfs } from 'holdfast/storage/opfs';
import { contenders, openOurs, removeStores, streamed } from './contenders.js';

const task = defineTask({ id: 'figure', queue: { name: 'bench', concurrency: 10 }, run: async (n) => n + 1 });
const stuck = defineTask({ id: 'stuck', queue: { name: 'stuck', concurrency: 1 }, run: () => new Promise(() => {}) });

const nextMacrotask = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(0);
  });

/**
 * The longest main-thread task, in ms, while `count` tasks are submitted and run. `sliced`: the page
 * submits for 5 ms at a time, so that what is long is ours; otherwise in one loop of its own.
 * Browsers tell of tasks from 50 ms on; 0: there was none.
 */
export async function longestTask(kind, count, sliced) {
  const { orchestrator, id } = await openOurs(kind === 'memory' ? { storage: 'memory' } : undefined);
  let longest = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  await nextMacrotask();
  observer.observe({ type: 'longtask' });
  await submitAll(orchestrator, count, sliced);
  await new Promise((resolve) => setTimeout(resolve, 100)); // entries come later
  observer.disconnect();
  await orchestrator.dispose();
  await removeStores(id);
  return longest;
}

/** Awaits every result without one promise of them all: a hundred thousand continuations are not ours. */
function submitAll(orchestrator, count, sliced) {
  return new Promise((resolve, reject) => {
    let left = count;
    const done = () => {
      if (--left === 0) resolve();
    };
    const submit = async () => {
      let sliceEnds = performance.now() + 5;
      for (let n = 0; n < count; n++) {
        orchestrator.trigger(task, n).result().then(done, reject);
        if (!sliced || n % 16 !== 0 || performance.now() < sliceEnds) continue;
        await nextMacrotask();
        sliceEnds = performance.now() + 5;
      }
    };
    submit().catch(reject);
  });
}

/** As the core counts it, over `count` tasks that wait for a slot. */
export async function bytesPerWaitingTask(count) {
  const { orchestrator, id } = await openOurs({ storage: 'memory' });
  const before = orchestrator.pump.engine.taskBytes;
  let last;
  for (let n = 0; n < count; n++) last = orchestrator.trigger(stuck, n);
  await last.accepted;
  const after = orchestrator.pump.engine.taskBytes;
  await orchestrator.dispose();
  await removeStores(id);
  return (after - before) / count;
}

/** Microseconds from a small append until it is acknowledged, one after the other: no step can be faster than that. */
export async function acknowledgementMicroseconds(count) {
  const namespace = `bench-floor-${Date.now()}`;
  const storage = opfs();
  await storage.open({ namespace, durability: 'process', onEvent: () => {}, inspect: () => ({ validBytes: 0 }) });
  const slot = await storage.openSlot(0);
  await slot.truncate(0);
  const start = performance.now();
  for (let n = 0; n < count; n++) await slot.append(new Uint8Array(64));
  const ms = performance.now() - start;
  await slot.close();
  await storage.close();
  await removeStores(namespace);
  return (ms / count) * 1000;
}

const looks = 20;

/** What is reachable, after collections that find nothing more. */
function liveBytes() {
  let bytes = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    globalThis.gc();
    const now = performance.memory.usedJSHeapSize;
    if (bytes - now < 1024) return Math.min(bytes, now);
    bytes = now;
  }
  return bytes;
}

/**
 * What is reachable at 20 points on the way, beyond what was before the first item. In the midst of it, after collections: for both sides
 * alike, in a page of its own, which has streamed before, so that compiled code and what is made once are no growth.
 */
export async function heapWhileStreamed(name, count) {
  const run = async (items, onItem) => {
    const contender = await contenders[name](items);
    streamed.onItem = onItem;
    try {
      await contender.run();
    } finally {
      streamed.onItem = undefined;
      await contender.close();
    }
  };
  await run(Math.min(count, 5000));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const grown = [];
  let before;
  await run(count, (n) => {
    // Its own results, as many as all items, stand in an array made before the first.
    if (n === 0) before = liveBytes();
    else if ((n + 1) % Math.ceil(count / looks) === 0) grown.push(liveBytes() - before);
  });
  const half = grown.length >> 1;
  const most = (bytes) => Math.max(...bytes);
  return { most: most(grown), firstHalf: most(grown.slice(0, half)), secondHalf: most(grown.slice(half)) };
}
