/** Previews: what cheap code of the tasks gives for an editor, node by node. Stores nothing and touches no run. */
import { assemble, along } from './assembly.ts';
import { planOf } from './plan.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import { type GraphResultArray, type TaskInput, type TaskOutput, TaskStatus } from './types.ts';

const context = { own: <Each>(owned: Each): Each => owned };

/** A task that has completed keeps its output; of the others, what their preview gives. */
export async function previewGraph(graph: TaskGraph, input: TaskInput): Promise<GraphResultArray> {
  const { nodes } = planOf(graph);
  const outputs: (TaskOutput | undefined)[] = new Array(nodes.length);
  const isOff = new Uint8Array(nodes.length);
  for (const node of nodes) {
    if (node.isDisabled || (node.incoming.length > 0 && node.sources.every(({ index }) => isOff[index]))) {
      isOff[node.index] = 1;
      continue;
    }
    const given = assemble(node, input, false, {
      carried(edge, source) {
        const output = outputs[source.index];
        return output === undefined || edge.isError ? undefined : { value: along(edge, output) };
      },
    });
    outputs[node.index] = node.task.status === TaskStatus.COMPLETED ? node.task.runOutputData : ((await node.task.executePreview(given, context)) ?? {});
  }
  return nodes
    .filter(({ outgoing, index }) => outgoing.length === 0 && !isOff[index])
    .sort((one, other) => one.place - other.place)
    .map(({ id, task, index }) => ({ id, type: task.type, data: outputs[index]! }));
}

export async function previewTask(task: Task<any, any, any>, overrides: TaskInput): Promise<any> {
  return (await task.executePreview({ ...task.defaults, ...overrides }, context)) ?? task.runOutputData;
}
