/** What both tasks tell the world while they run. */
import type { TaskContext } from 'holdfast';

/**
 * `npm start -- --check` counts, outside the browser, which pages were computed and which were stored.
 * A task with `metadata.acknowledge` (a path on this origin) waits until each of these is received there:
 * a page is announced before it is computed and after it is stored, so no kill can hide a page computed twice.
 */
export function acknowledger(ctx: TaskContext): (event: 'computing' | 'stored', step: string) => Promise<void> {
  const path = ctx.metadata['acknowledge'];
  if (typeof path !== 'string' || !/^\/\w/.test(path)) return async () => {};
  return async (event, step) => {
    await fetch(path, { method: 'POST', body: JSON.stringify({ event, step }), signal: ctx.signal });
  };
}

/** `ctx.step`, announced. */
export function announcedStep(ctx: TaskContext) {
  const tell = acknowledger(ctx);
  return async <Value>(name: string, compute: () => Promise<Value>): Promise<Value> => {
    const value = await ctx.step(name, async () => {
      await tell('computing', name);
      return compute();
    });
    await tell('stored', name);
    return value;
  };
}

/** Results of 1 … count in order, `limit` of them under way at a time; the first failure ends it. */
export async function inOrder<Value>(count: number, limit: number, work: (number: number) => Promise<Value>): Promise<Value[]> {
  const results: Value[] = [];
  let next = 1;
  let failed = false;
  const lane = async () => {
    while (next <= count && !failed) {
      const number = next++;
      try {
        results[number - 1] = await work(number);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, count) }, lane));
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}
