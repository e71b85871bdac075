/**
 * Outputs of nodes that are kept: a node whose output may be kept asks a run of its own for it, which the cache of the
 * house answers, or which executes the node. So keys, stores, sharing and `cache.explain` are those of every cached task.
 *
 * Invariant: an output is found by the type, version and config of its node and by what the node gets, and by nothing else:
 * a changed graph executes only what has changed, and what follows it with other values.
 */
import type { RunContext } from '../context/context.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import { FunctionTask } from './function-task.ts';
import { outputTask } from './names.ts';
import type { PlanNode } from './plan.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import type { GraphRunOptions } from './types.ts';

/** What an output is found by. */
export interface OutputQuestion {
  readonly type: string;
  readonly version: number | string | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly input: Readonly<Record<string, any>>;
}

/** Names of a config that say nothing of what the node does. */
const said: ReadonlySet<string> = new Set(['id', 'title', 'name', 'description', 'defaults', 'provenance', 'cacheable', 'timeout', 'extras', 'disabled']);

export function isKept({ task, definitionId }: PlanNode, { outputCache }: GraphRunOptions): boolean {
  return outputCache === true && definitionId === undefined && task.cacheable && isStorable(task);
}

/** Functions of the same text need not do the same. */
function isStorable(task: Task<any, any, any>): boolean {
  if (task instanceof FunctionTask) return false;
  return !task.hasChildren() || task.subGraph!.getTasks().every(isStorable);
}

export function questionOf(task: Task<any, any, any>, input: Record<string, any>): OutputQuestion {
  const { version } = task.constructor as { version?: number | string };
  const config: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(task.config)) if (!said.has(name) && value !== undefined) config[name] = value;
  // A graph in it is part of what it does.
  if (task.hasChildren()) config.subgraph = workOf(task.subGraph!);
  return { type: task.type, version: version ?? null, config, input };
}

/** What a graph does: its document, without what an editor keeps with it. */
function workOf(graph: TaskGraph): object {
  const without = <Json extends Record<string, any>>(json: Json, extras: Record<string, any> = {}): Json => Object.fromEntries(Object.entries(json).filter(([key]) => !Object.hasOwn(extras, key))) as Json;
  const tasks = graph.getTasks().map((task) => ({ ...without(task.toJSON(), task.extras), ...(task.subGraph && { subgraph: workOf(task.subGraph) }) }));
  return { tasks, dataflows: graph.getDataflows().map((dataflow) => without(dataflow.toJSON(), dataflow.extras)) };
}

export async function askForOutput(context: RunContext, task: Task<any, any, any>, input: Record<string, any>): Promise<unknown> {
  return context.run(outputTask, questionOf(task, input) as never, { id: 'output', label: task.title });
}

/** The run that a node has asked was answered by the cache. As its state says: after a reload that stands with what it gave. */
export function isFromCache(house: Orchestrator, run: Run): boolean {
  return house.services.children.of(run).some((child) => child.taskIdentifier === outputTask && child.state.fromCache);
}
