/**
 * What the nodes of a run gave, as a repository of outputs: a run of the changed graph takes from it what is the same, and
 * executes the rest.
 *
 * Invariant: an output is found by what its node was made of and by what it got, as in every repository; where the graph has
 * changed around a node counts for nothing.
 */
import { canonical } from '../cache/canonical.ts';
import { inputsOf, isStorable, questionOf } from './caching.ts';
import type { LiveRun } from './live.ts';
import type { PlanNode } from './plan.ts';
import { type OutputRepository, type TaskOutput, TaskStatus } from './types.ts';

const keyOf = async (taskType: string, inputs: unknown): Promise<string> => `${JSON.stringify(taskType)} ${await canonical(inputs)}`;

/** REQUIRES: what its nodes gave is in this page. */
export async function outputsOf(live: LiveRun): Promise<OutputRepository> {
  const outputs = new Map<string, TaskOutput>();
  for (const node of live.plan.nodes) {
    const output = live.outputInPage(node.index);
    if (output === undefined || live.statuses[node.index] !== TaskStatus.COMPLETED || node.definitionId !== undefined || !isStorable(node.task)) continue;
    const key = await keyOfNode(live, node);
    if (key !== undefined) outputs.set(key, output);
  }
  return {
    getOutput: async (taskType, inputs) => outputs.get(await keyOf(taskType, inputs)),
    saveOutput: async (taskType, inputs, output) => void outputs.set(await keyOf(taskType, inputs), output as TaskOutput),
  };
}

/** undefined: it got something that has no text. */
async function keyOfNode(live: LiveRun, node: PlanNode): Promise<string | undefined> {
  const { task } = node;
  try {
    const input = await task.narrowInput(live.inputOf(node), live.registry);
    return await keyOf(task.type, inputsOf(questionOf(task, input)));
  } catch {
    return undefined;
  }
}
