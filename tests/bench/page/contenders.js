// Who is measured. Each makes itself ready for `count` tasks and gives { run, close }: `run` hands over
// trivial async tasks (n → n + 1, ten at once) and resolves with every result.
import Bottleneck from 'bottleneck/es5.js';
import fastq from 'fastq';
import { createOrchestrator, defineTask } from 'holdfast';
import { openDB } from 'idb';
import PQueue from 'p-queue';
import pRetry from 'p-retry';
import { documents, parsedAndSorted } from './documents.js';
import { oursInGraph, workglow } from './graphs.js';
import { SeedTasks } from './seed-tasks.js';

const concurrency = 10;
const work = async (n) => n + 1;

const task = defineTask({ id: 'bench', queue: { name: 'bench', concurrency }, run: work });

const steps = defineTask({
  id: 'steps',
  run: async (count, ctx) => {
    const results = [];
    for (let n = 0; n < count; n++) results.push(await ctx.step(`step ${n}`, () => work(n)));
    return results;
  },
});
const parallelSteps = defineTask({
  id: 'parallel steps',
  run: (count, ctx) => Promise.all(Array.from({ length: count }, (_, n) => ctx.step(`step ${n}`, () => work(n)))),
});

const keyed = defineTask({ id: 'keyed', concurrency: { perKey: 1 }, run: work });
const keys = 10_000;
const longestDelayMs = 500;

let made = 0;

/** Retry policy and state are its defaults; a listener hears of every end. */
export async function openOurs(options) {
  const id = `bench-${Date.now()}-${made++}`;
  const orchestrator = createOrchestrator({ id, ...options });
  let completed = 0;
  orchestrator.on('complete', () => completed++);
  await orchestrator.ready;
  return { orchestrator, id, completed: () => completed };
}

async function ours(count, options) {
  const { orchestrator, id, completed } = await openOurs(options);
  return {
    run: () => {
      const results = new Array(count);
      for (let n = 0; n < count; n++) results[n] = orchestrator.trigger(task, n).result();
      return Promise.all(results);
    },
    close: async () => {
      await new Promise((resolve) => setTimeout(resolve));
      if (completed() !== count) throw new Error(`${completed()} of ${count} ends were told`);
      const { name } = orchestrator.storageState;
      if (!options && name !== 'mirror(opfs, indexedDB)') throw new Error(`the default storage came out as ${name}`);
      await orchestrator.dispose();
      await removeStores(id);
    },
  };
}

/** One task whose steps are what is counted. */
async function oursInSteps(task, count) {
  const { orchestrator, id } = await openOurs();
  return {
    run: () => orchestrator.trigger(task, count).result(),
    close: async () => {
      await orchestrator.dispose();
      await removeStores(id);
    },
  };
}

/** What a namespace left in OPFS, IndexedDB and localStorage. */
export async function removeStores(namespace) {
  const root = await navigator.storage.getDirectory();
  const holdfast = await root.getDirectoryHandle('holdfast', { create: true });
  await holdfast.removeEntry(namespace, { recursive: true }).catch(() => {});
  for (const { name } of await indexedDB.databases()) {
    if (!name.includes(namespace)) continue;
    await new Promise((resolve) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = request.onerror = request.onblocked = resolve;
    });
  }
  for (const key of Object.keys(localStorage)) if (key.includes(namespace)) localStorage.removeItem(key);
}

/** Runs of one task in memory, each with options of its own. */
async function oursWith(task, count, optionsOf) {
  const { orchestrator, id } = await openOurs({ storage: 'memory' });
  return {
    run: () => Promise.all(Array.from({ length: count }, (_, n) => orchestrator.trigger(task, n, optionsOf(n)).result())),
    close: async () => {
      await orchestrator.dispose();
      await removeStores(id);
    },
  };
}

/** One batch; its results are read as people read them. */
async function oursInBatch(count) {
  const { orchestrator, id } = await openOurs();
  return {
    run: async () => {
      const { runs } = await orchestrator.batch.triggerByTaskAndWait(Array.from({ length: count }, (_, n) => ({ task, payload: n })));
      return runs.map((run) => (run.ok ? run.output : Number.NaN));
    },
    close: async () => {
      await orchestrator.dispose();
      await removeStores(id);
    },
  };
}

const onTheWay = 256;

/** Tells `heapWhileStreamed` how many items are on their way or were; nobody listens where rates are measured. */
export const streamed = { onItem: undefined };

async function oursStreamed(count) {
  const { orchestrator, id } = await openOurs({ storage: 'memory' });
  function* items() {
    for (let n = 0; n < count; n++) {
      streamed.onItem?.(n);
      yield { task, payload: n };
    }
  }
  return {
    run: async () => {
      const results = new Array(count);
      for await (const run of orchestrator.batch.stream(items(), { highWater: onTheWay })) results[run.index] = run.ok ? run.output : Number.NaN;
      return results;
    },
    close: async () => {
      await orchestrator.dispose();
      await removeStores(id);
    },
  };
}

/** As its readme says: what is added waits until the queue is short enough. */
async function pQueueStreamed(count) {
  const queue = new PQueue({ concurrency });
  return {
    run: async () => {
      const results = new Array(count);
      for (let n = 0; n < count; n++) {
        await queue.onSizeLessThan(onTheWay);
        void queue.add(() => work(n)).then((result) => (results[n] = result));
        streamed.onItem?.(n);
      }
      await queue.onIdle();
      return results;
    },
    close: async () => {},
  };
}

/** As most people use it: all is added at once. */
async function pQueueAllAdded(count) {
  const queue = new PQueue({ concurrency });
  return {
    run: async () => {
      const results = new Array(count);
      for (let n = 0; n < count; n++) {
        void queue.add(() => work(n)).then((result) => (results[n] = result));
        streamed.onItem?.(n);
      }
      await queue.onIdle();
      return results;
    },
    close: async () => {},
  };
}

async function bottleneckGroup(count) {
  const group = new Bottleneck.Group({ maxConcurrent: 1 });
  return {
    run: () => Promise.all(Array.from({ length: count }, (_, n) => group.key(`key ${n % keys}`).schedule(work, n))),
    close: async () => {
      for (const key of group.keys()) await group.deleteKey(key);
    },
  };
}

async function timeouts(count) {
  return {
    run: () => Promise.all(Array.from({ length: count }, (_, n) => new Promise((resolve) => setTimeout(() => resolve(n + 1), 1 + (n % longestDelayMs))))),
    close: async () => {},
  };
}

async function pQueueWithRetry(count) {
  const queue = new PQueue({ concurrency });
  let completed = 0;
  queue.addEventListener('completed', () => completed++);
  return {
    run: () => {
      const results = new Array(count);
      for (let n = 0; n < count; n++) results[n] = queue.add(() => pRetry(() => work(n), { retries: 2 }));
      return Promise.all(results);
    },
    close: async () => {
      if (completed !== count) throw new Error(`p-queue: ${completed} of ${count} ends were told`);
    },
  };
}

async function fastqPromise(count) {
  const queue = fastq.promise(work, concurrency);
  return {
    run: () => {
      const results = new Array(count);
      for (let n = 0; n < count; n++) results[n] = queue.push(n);
      return Promise.all(results);
    },
    close: async () => {},
  };
}

/** Each of the three changes of a task is put and its transaction awaited. */
async function idbAtEachChange(count) {
  const name = `peer-${Date.now()}-${made++}`;
  const db = await openDB(name, 1, { upgrade: (opened) => opened.createObjectStore('tasks', { keyPath: 'id' }) });
  const put = async (state) => {
    const transaction = db.transaction('tasks', 'readwrite');
    transaction.store.put(state);
    await transaction.done;
  };
  const queue = new PQueue({ concurrency });
  const submit = async (n) => {
    const state = { id: n, status: 'pending', input: n, createdAt: Date.now() };
    await put(state);
    return queue.add(async () => {
      await put({ ...state, status: 'running' });
      const result = await work(n);
      await put({ ...state, status: 'completed', result });
      return result;
    });
  };
  return {
    run: () => Promise.all(Array.from({ length: count }, (_, n) => submit(n))),
    close: async () => {
      db.close();
      await removeStores(name);
    },
  };
}

/** The result of each step is put and its transaction awaited, before the next or all at once. */
async function idbSteps(count, parallel) {
  const name = `peer-${Date.now()}-${made++}`;
  const db = await openDB(name, 1, { upgrade: (opened) => opened.createObjectStore('steps') });
  const step = async (n) => {
    const result = await work(n);
    const transaction = db.transaction('steps', 'readwrite');
    transaction.store.put(result, `step ${n}`);
    await transaction.done;
    return result;
  };
  const inTurn = async () => {
    const results = [];
    for (let n = 0; n < count; n++) results.push(await step(n));
    return results;
  };
  return {
    run: parallel ? () => Promise.all(Array.from({ length: count }, (_, n) => step(n))) : inTurn,
    close: async () => {
      db.close();
      await removeStores(name);
    },
  };
}

async function localStorageList(count) {
  localStorage.clear();
  const tasks = new SeedTasks('bench-seed-tasks');
  const queue = new PQueue({ concurrency });
  return {
    run: () => Promise.all(Array.from({ length: count }, (_, n) => tasks.execute(queue, `Task ${n}`, work, n))),
    close: async () => localStorage.clear(),
  };
}

export const contenders = {
  memory: (count) => ours(count, { storage: 'memory' }),
  durable: (count) => ours(count),
  fastq: fastqPromise,
  pQueue: pQueueWithRetry,
  idb: idbAtEachChange,
  localStorage: localStorageList,
  steps: (count) => oursInSteps(steps, count),
  parallelSteps: (count) => oursInSteps(parallelSteps, count),
  keyed: (count) => oursWith(keyed, count, (n) => ({ concurrencyKey: `key ${n % keys}` })),
  batch: oursInBatch,
  streamed: oursStreamed,
  pQueueStreamed,
  pQueueAllAdded,
  graph: oursInGraph,
  workglow,
  bottleneck: bottleneckGroup,
  documents,
  parsedAndSorted,
  delayed: (count) => oursWith(task, count, (n) => ({ delay: 1 + (n % longestDelayMs) })),
  timeouts,
  idbSteps: (count) => idbSteps(count, false),
  idbParallelSteps: (count) => idbSteps(count, true),
};
