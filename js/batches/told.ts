/**
 * What is recorded of items that have no run of their own: they could not be made, or their key is another run's.
 * Invariant: what is read here was recorded before their batch ended.
 */
import { DuplicateRunError } from '../errors.ts';
import { KeyPrefix, valueOf } from '../journal/history.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { End, type Run } from '../runs/run.ts';
import { deserializeError } from '../runs/serialize-error.ts';
import type { TaskRunResult } from '../types.ts';
import { unmade } from './batch.ts';
import type { BatchOutput } from './container.ts';

export const outcomeMark = `${KeyPrefix.Mark}item `;
export type Outcome = { rejected: unknown; task: string } | { joined: string };

export function* outcomesOf({ services }: Orchestrator, run: Run): Generator<[number, Outcome]> {
  for (const { key, ...entry } of services.historyOf(run).entries)
    if (key.startsWith(outcomeMark)) yield [Number(key.slice(outcomeMark.length)), valueOf({ key, ...entry }) as Outcome];
}

/** What is recorded of items that have no run of their own. */
export async function toldOf(house: Orchestrator, run: Run): Promise<[number, TaskRunResult | Promise<TaskRunResult>][]> {
  if (run.end !== End.Completed) return [...outcomesOf(house, run)].map(([index, outcome]) => [index, resultOf(house, outcome)]);
  const { rejected = [], joined = [] } = (await house.outcomes.outputOf(run)) as BatchOutput;
  return [
    ...rejected.map(([index, task, error]): [number, TaskRunResult] => [index, unmade(task, deserializeError(error as never))]),
    ...joined.map(([index, id]): [number, Promise<TaskRunResult>] => [index, Promise.resolve(resultOf(house, { joined: id }))]),
  ];
}

export function resultOf(house: Orchestrator, outcome: Outcome): TaskRunResult | Promise<TaskRunResult> {
  if ('rejected' in outcome) return unmade(outcome.task, deserializeError(outcome.rejected as never));
  const gone = () => unmade('', new DuplicateRunError(`Run ${outcome.joined}, which held the key of this item, is not there any more.`));
  return (house.attach(outcome.joined)?.wait() ?? Promise.resolve(gone())).catch(gone);
}
