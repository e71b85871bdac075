/** Previews: what cheap code of the tasks gives for an editor, node by node. Stores nothing and touches no run. */
import { assemble, along } from './assembly.ts';
import type { Dataflow } from './dataflow.ts';
import { leavesOf, type PlanNode, planOf } from './plan.ts';
import { defaultsOf } from './schema.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import { type GraphResultArray, type TaskInput, type TaskOutput, TaskStatus } from './types.ts';

const context = { own: <Each>(owned: Each): Each => owned };

/** A task that has completed keeps its output; of the others, what their preview gives. What a choice closes is left out, as in a run. */
export async function previewGraph(graph: TaskGraph, input: TaskInput, matchAllEmptyInputs = false): Promise<GraphResultArray> {
  const plan = planOf(graph);
  const { nodes } = plan;
  const outputs: (TaskOutput | undefined)[] = new Array(nodes.length);
  const isOff = new Uint8Array(nodes.length);
  const closed: (readonly string[])[] = new Array(nodes.length).fill([]);
  // Nothing fails in a preview, so nothing leads on from that.
  const isActive = (edge: Dataflow, { index }: PlanNode): boolean => !edge.isError && !isOff[index] && !closed[index]!.includes(edge.sourceTaskPortId);
  for (const node of nodes) {
    if (node.isDisabled || (node.incoming.length > 0 && !node.incoming.some((edge, at) => isActive(edge, node.sources[at]!)))) {
      isOff[node.index] = 1;
      continue;
    }
    const given = assemble(node, input, matchAllEmptyInputs, { carried: (edge, source) => (isActive(edge, source) ? { value: along(edge, outputs[source.index]) } : undefined) });
    const { index, task } = node;
    const shown = task.status === TaskStatus.COMPLETED ? task.runOutputData : await task.executePreview(given, context);
    outputs[index] = shown ?? {};
    // What has no preview says nothing of its ports.
    if (shown) closed[index] = task.inactivePorts(shown);
  }
  return leavesOf(plan)
    .filter(({ index }) => !isOff[index])
    .sort((one, other) => one.place - other.place)
    .map(({ id, task, index }) => ({ id, type: task.type, data: outputs[index]! }));
}

export async function previewTask(task: Task<any, any, any>, overrides: TaskInput): Promise<any> {
  return (await task.executePreview({ ...defaultsOf(task.inputSchema()), ...task.defaults, ...task.inputWith(overrides) }, context)) ?? task.runOutputData;
}
