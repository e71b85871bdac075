// A page that is opened again over unfinished tasks, and the least that any store would have to do for
// that: a worker reads the same bytes from the same file and hands them to the page.
import { createOrchestrator, defineTask } from 'holdfast';
import { removeStores } from './contenders.js';
import readerUrl from './reader.js?worker&url';

let started = () => {};
const task = defineTask({
  id: 'unfinished',
  queue: { name: 'one', concurrency: 1 },
  run: () => {
    started();
    return new Promise(() => {});
  },
});

/** `count` accepted tasks, of which the first never ends. */
export async function fill(id, count) {
  const orchestrator = createOrchestrator({ id });
  await orchestrator.ready;
  const accepted = [];
  for (let n = 0; n < count; n++) accepted.push(orchestrator.trigger(task, n).accepted);
  await Promise.all(accepted);
}

/** Milliseconds from creation until every task is known and the first runs. */
export async function reopen(id, count) {
  const running = new Promise((resolve) => {
    started = resolve;
  });
  const start = performance.now();
  const orchestrator = createOrchestrator({ id });
  await running;
  const { total } = orchestrator.counts();
  const ms = performance.now() - start;
  if (total !== count) throw new Error(`${total} of ${count} tasks are known after a reload`);
  await orchestrator.dispose();
  return ms;
}

/** Milliseconds to have the bytes of the log in the page. Removes what the namespace has stored. */
export async function readBytes(id) {
  const start = performance.now();
  const worker = new Worker(readerUrl, { type: 'module' });
  const bytes = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(`holdfast/${id}`);
  });
  const ms = performance.now() - start;
  worker.terminate();
  await removeStores(id);
  return { ms, bytes: bytes.length };
}
