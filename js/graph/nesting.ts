/**
 * Graphs stand in tasks of graphs.
 * Invariant: none stands in itself, however far down.
 */
import { CycleError } from './errors.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';

type AnyTask = Task<any, any, any>;

/** @throws CycleError where the task that is to hold the inner graph stands in it, or the graph that the task stands in does */
export function refuseNesting(inner: TaskGraph, outer: TaskGraph | undefined, task: AnyTask): void {
  const seen = new Set([inner]);
  for (const graph of seen) {
    if (graph === outer || graph.getTask(task.id) === task) throw new CycleError(`The graph of task ${task.id} (${task.type}) would stand in itself. Give the task another graph: createGraphFromGraphJSON(graph.toJSON()) makes a copy. Nothing is changed.`, { data: { cycle: [task.id] } });
    for (const { subGraph } of graph.getTasks()) if (subGraph) seen.add(subGraph);
  }
}
