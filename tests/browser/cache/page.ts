/** A page with the cache's real store: the contract of all stores, and an orchestrator whose outputs outlive it. */
import { canonical } from '../../../js/cache/canonical.ts';
import { indexedDBCache } from '../../../js/cache/indexeddb.ts';
import { createOrchestrator, defineTask, type Task } from '../../../js/index.ts';
import { contract } from '../../storage/cache-contract.ts';

let made = 0;

/** Name and what went wrong, of every test of the contract that failed. */
async function runContract(): Promise<{ count: number; failures: string[] }> {
  const failures: string[] = [];
  for (const [name, run] of contract) {
    const clock = { nowMs: 1_000_000 };
    const make = async (limits = {}) => {
      const cache = indexedDBCache({ name: `contract-${made++}`, ...limits });
      cache.useClock!({ now: () => clock.nowMs });
      return cache;
    };
    const check = async (actual: unknown, expected: unknown) => {
      const texts = await Promise.all([canonical(actual), canonical(expected)]);
      if (texts[0] !== texts[1]) failures.push(`${name}: ${texts.join(' is not ')}`);
    };
    const checks: Promise<void>[] = [];
    try {
      await run({ make, clock }, (actual, expected) => checks.push(check(actual, expected)));
      await Promise.all(checks);
    } catch (error) {
      failures.push(`${name}: ${String(error)}`);
    }
  }
  return { count: contract.length, failures };
}

let calls = 0;
const read = defineTask({
  id: 'read',
  cache: { ttl: '1d', tags: ['files'] },
  run: async ({ file, from }: { file: File; from: number }) => (calls++, new File([file.slice(from)], `rest of ${file.name}`)),
});
const orchestrator = createOrchestrator();

/** What the run gave, whether its code ran, and how long it took. */
async function ask(bytes: number, from: number) {
  const file = new File([new Uint8Array(bytes).fill(7)], 'a.bin');
  const before = performance.now();
  const run = orchestrator.trigger(read, { file, from });
  const output = await run.result();
  const { fromCache } = run.state;
  return { name: output.name, size: output.size, first: new Uint8Array(await output.slice(0, 1).arrayBuffer())[0], fromCache, calls, ms: performance.now() - before };
}

/** Milliseconds a run of a trivial task takes from trigger to result, one after the other: uncached, missed, hit. */
async function costs(count: number) {
  const plain = defineTask({ id: 'plain', run: (n: number) => n });
  const cached = defineTask({ id: 'cached', cache: true, run: (n: number) => n });
  const measure = async (task: Task<string, number, number>) => {
    const before = performance.now();
    for (let n = 0; n < count; n++) await orchestrator.run(task, n);
    return (performance.now() - before) / count;
  };
  return { plain: await measure(plain), missed: await measure(cached), hit: await measure(cached) };
}

const invalidate = () => orchestrator.cache.invalidate({ tag: 'files' });
const explain = () => orchestrator.cache.explain(read, { file: new File([new Uint8Array(10).fill(7)], 'a.bin'), from: 3 });
Object.assign(globalThis, { runContract, ask, costs, invalidate, explain, ready: true });
