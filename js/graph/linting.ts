/**
 * What is wrong with a graph in this page, or mostly a mistake. Judged by the checker of documents: the graph is
 * described to it with the ports that its tasks have now, so that graphs of functions are judged too.
 *
 * Invariant: nothing of the graph is changed, and none of its values leaves it.
 */
import { checkDocument, type GraphCatalogue, type GraphIssue } from './document.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';

export interface GraphLintIssue extends GraphIssue {
  /** The task that it is about; in a graph in a task that of the innermost. */
  readonly taskId?: string;
  /** The edge that it is about. */
  readonly dataflowId?: string;
}

type Types = Record<string, NonNullable<GraphCatalogue['types']>[string]>;

export async function lintGraph(graph: TaskGraph): Promise<readonly GraphLintIssue[]> {
  const types: Types = {};
  const { issues } = await checkDocument(described(graph, types), { types, lint: true });
  return issues.map((issue) => ({ ...issue, ...meant(graph, issue.pointer) }));
}

/** Values of defaults are people's: only which there are counts. */
function described(graph: TaskGraph, types: Types): { tasks: object[]; dataflows: object[] } {
  const tasks = graph.getTasks().map((task) => {
    const { id, type, defaults, subGraph } = task;
    types[type] = { dynamic: true, isGraphOutput: (task.constructor as typeof Task).isGraphOutput };
    const given = Object.keys(defaults).filter((port) => defaults[port] !== undefined);
    return { id, type, config: { inputSchema: task.inputSchema(), outputSchema: task.outputSchema() }, defaults: Object.fromEntries(given.map((port) => [port, true])), ...(subGraph && { subgraph: described(subGraph, types) }) };
  });
  return { tasks, dataflows: graph.getDataflows().map((dataflow) => dataflow.toJSON()) };
}

/** The task or edge that a pointer leads to. */
function meant(graph: TaskGraph, pointer: string): Pick<GraphLintIssue, 'taskId' | 'dataflowId'> {
  let [at, found]: [TaskGraph | undefined, Pick<GraphLintIssue, 'taskId' | 'dataflowId'>] = [graph, {}];
  const parts = pointer.split('/').slice(1);
  for (let place = 0; at && place < parts.length; place += 3) {
    const [list, index] = [parts[place], Number(parts[place + 1])];
    if (list === 'dataflows') {
      const dataflow = at.getDataflows()[index];
      return dataflow ? { ...found, dataflowId: dataflow.id } : found;
    }
    const task: Task<any, any, any> | undefined = list === 'tasks' ? at.getTasks()[index] : undefined;
    if (task) found = { taskId: task.id };
    at = task?.subGraph;
  }
  return found;
}
