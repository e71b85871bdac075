/**
 * Other forms of a graph's document: each task with where its inputs come from, and a graph with its ends said.
 * Invariant: pure; nothing of the document is lost on the way but what stands beside its tasks in the graph form, for which a
 * list has no place.
 */
import { DATAFLOW_ALL_PORTS } from './dataflow.ts';
import { TaskConfigurationError } from './errors.ts';
import { propertiesOf } from './ports.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import type { DataflowJson, TaskGraphItemJson, TaskGraphJson, TransformStep } from './types.ts';

/** How a document is written. */
export interface TaskGraphJsonOptions {
  /** With an InputTask and an OutputTask at its ends, where it has none. Default false. */
  readonly withBoundaryNodes?: boolean;
}

/** A task in the dependency form. */
export interface JsonTaskItem {
  id: string;
  type: string;
  config?: Record<string, any>;
  defaults?: Record<string, any>;
  /** By ports: where each comes from; several are joined. */
  dependencies?: Record<string, JsonDependency | JsonDependency[]>;
  subtasks?: JsonTaskItem[];
  merge?: string;
  provenance?: Record<string, any>;
  [more: string]: any;
}
export interface JsonDependency {
  id: string;
  output: string;
  transforms?: TransformStep[];
  [more: string]: any;
}

/** The same in the other form. `*` and `[error]` are ports there too. */
export function toDependencyJSON(graph: TaskGraph): JsonTaskItem[] {
  return dependencyForm(graph.toJSON());
}

export function dependencyForm({ tasks, dataflows }: TaskGraphJson): JsonTaskItem[] {
  const items = new Map(tasks.map(({ subgraph, dependencies: _ours, subtasks: _too, ...task }) => [task.id, { ...task, ...(subgraph && { subtasks: dependencyForm(subgraph) }) } as JsonTaskItem]));
  const fed = new Map<string, Map<string, JsonDependency[]>>();
  for (const { sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId, id: _id, output: _output, ...more } of dataflows) {
    const byPort = fed.get(targetTaskId) ?? new Map<string, JsonDependency[]>();
    fed.set(targetTaskId, byPort.set(targetTaskPortId, [...(byPort.get(targetTaskPortId) ?? []), { id: sourceTaskId, output: sourceTaskPortId, ...more }]));
  }
  for (const [id, byPort] of fed) items.get(id)!.dependencies = Object.fromEntries([...byPort].map(([port, from]) => [port, from.length === 1 ? from[0]! : from]));
  return [...items.values()];
}

/**
 * The document with its ends said: an InputTask that feeds the ports that nothing feeds, an OutputTask that gathers what
 * the leaves give. Where it has such nodes they stay.
 * @throws TaskConfigurationError where an id of theirs is taken
 */
export function withBoundaryNodes(graph: TaskGraph, { inputId = 'input', outputId = 'output' } = {}): TaskGraphJson {
  const document = graph.toJSON();
  const tasks = graph.getTasks();
  const added: { input?: TaskGraphItemJson; output?: TaskGraphItemJson } = {};
  const flows: DataflowJson[] = [];
  if (!tasks.some(({ type }) => type === 'InputTask')) {
    added.input = { id: inputId, type: 'InputTask' };
    for (const task of tasks.filter(({ id }) => graph.getSourceDataflows(id).length === 0)) flows.push(...feeding(inputId, task));
  }
  if (!tasks.some(({ type }) => type === 'OutputTask')) {
    added.output = { id: outputId, type: 'OutputTask' };
    for (const { id } of tasks.filter((task) => graph.getTargetDataflows(task.id).every(({ isError }) => isError))) flows.push({ sourceTaskId: id, sourceTaskPortId: '*', targetTaskId: outputId, targetTaskPortId: '*' });
  }
  for (const task of [added.input, added.output]) if (task && graph.getTask(task.id)) throw new TaskConfigurationError(`There is a task ${JSON.stringify(task.id)} in this graph, which is no ${task.type}. Give another id: withBoundaryNodes(graph, { ${task.type === 'InputTask' ? 'inputId' : 'outputId'}: … }).`);
  return { ...document, tasks: [...(added.input ? [added.input] : []), ...document.tasks, ...(added.output ? [added.output] : [])], dataflows: [...document.dataflows, ...flows] };
}

/** A task that takes any ports gets all that comes, one of certain ports those. */
function feeding(sourceTaskId: string, task: Task<any, any, any>): DataflowJson[] {
  const schema = task.inputSchema();
  const isClosed = typeof schema === 'object' && schema.additionalProperties === false;
  return (isClosed ? Object.keys(propertiesOf(schema)) : [DATAFLOW_ALL_PORTS]).map((port) => ({ sourceTaskId, sourceTaskPortId: port, targetTaskId: task.id, targetTaskPortId: port }));
}
