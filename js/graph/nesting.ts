/**
 * Graphs stand in tasks of graphs.
 * Invariant: none stands in itself, however far down.
 */
import { CycleError, TaskConfigurationError } from './errors.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';

type AnyTask = Task<any, any, any>;

/** @throws TaskConfigurationError where graphs stand in it deeper than runs may begin others: a graph in a task is a run of its node's run */
export function refuseDepth(graph: TaskGraph, maxDepth: number): void {
  let levels = 0;
  for (let level = new Set([graph]); level.size > 0; levels++) {
    const below = new Set<TaskGraph>();
    for (const each of level) for (const { subGraph, isDisabled } of each.getTasks()) if (subGraph && subGraph.size > 0 && !isDisabled) below.add(subGraph);
    level = below;
  }
  if (2 * levels - 1 > maxDepth) throw new TaskConfigurationError(`The graph has graphs in it ${levels - 1} deep, and here ${Math.floor((maxDepth - 1) / 2)} can run: runs begin others ${maxDepth} deep at most (createOrchestrator({ maxDepth })). Flatten it.`, { data: { nesting: levels - 1 } });
}

/** @throws CycleError where the task that is to hold the inner graph stands in it, or the graph that the task stands in does */
export function refuseNesting(inner: TaskGraph, outer: TaskGraph | undefined, task: AnyTask): void {
  const seen = new Set([inner]);
  for (const graph of seen) {
    if (graph === outer || graph.getTask(task.id) === task) throw new CycleError(`The graph of task ${task.id} (${task.type}) would stand in itself. Give the task another graph: createGraphFromGraphJSON(graph.toJSON()) makes a copy. Nothing is changed.`, { data: { cycle: [task.id] } });
    for (const { subGraph } of graph.getTasks()) if (subGraph) seen.add(subGraph);
  }
}
