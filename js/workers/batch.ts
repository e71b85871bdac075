/**
 * `ctx.batch` of code in a worker: its items go to the page by the ids of their tasks, the results come back.
 * A source is read here, to its end, before the batch is made.
 */
import { ResultArray } from '../batches/results.ts';
import type { BatchApi, BatchOptions } from '../batches/types.ts';
import { ConfigurationError } from '../errors.ts';
import { describe } from '../intake/checks.ts';
import { isTask } from '../intake/registry.ts';

/** Verbs that the page carries out for a worker. */
export const batchVerbs = ['triggerAndWait', 'trigger'] as const;

/** What of it crosses. */
export type BatchAnswer = { id: string; runs?: any[]; runCount?: number };

export function workerBatch(ask: (verb: (typeof batchVerbs)[number], items: unknown[], options: BatchOptions | undefined) => Promise<BatchAnswer>): BatchApi {
  const call = (name: string, verb: (typeof batchVerbs)[number]) => async (items: any, options?: BatchOptions) => {
    const list: unknown[] = [];
    for await (const item of items) list.push(byId(item));
    const { id, runs, runCount = 0 } = await ask(verb, list, options);
    if (runs) return { id, runs: ResultArray.over(runs, { tagsOf: () => notHere(`${name}: runs.byTag`), payloadOf: async () => notHere(`${name}: runs.payload`) }) };
    return { id, batchId: id, runCount, isCached: false };
  };
  return {
    triggerByTaskAndWait: call('batch.triggerByTaskAndWait', 'triggerAndWait'),
    triggerByTask: call('batch.triggerByTask', 'trigger'),
    triggerAndWait: call('batch.triggerAndWait', 'triggerAndWait'),
    trigger: call('batch.trigger', 'trigger'),
    stream: () => notHere('batch.stream'),
    retrieve: async () => notHere('batch.retrieve'),
    retryFailed: async () => notHere('batch.retryFailed'),
  } as unknown as BatchApi;
}

function byId(item: any): unknown {
  if (typeof item !== 'object' || item === null) throw new ConfigurationError(`A batch item must be { task, payload, options }, not ${describe(item)}.`);
  const { task, ...rest } = item;
  return task === undefined ? rest : { ...rest, id: isTask(task) ? task.id : task };
}

function notHere(what: string): never {
  throw new ConfigurationError(`${what} is not to be had in a worker. Use it in the page.`);
}
