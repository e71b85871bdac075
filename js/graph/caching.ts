/**
 * Outputs of nodes that are kept: a node whose output may be kept asks a run of its own for it, which the cache of the
 * house answers, or which executes the node. So keys, stores, sharing and `cache.explain` are those of every cached task.
 *
 * Invariant: an output is found by the type, version and config of its node and by what the node gets, and by nothing else:
 * a changed graph executes only what has changed, and what follows it with other values.
 */
import type { RunContext } from '../context/context.ts';
import { refuse } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import { byPorts, FunctionTask } from './function-task.ts';
import type { LiveRun } from './live.ts';
import { outputTask } from './names.ts';
import { isEmpty, type PlanNode } from './plan.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import type { GraphRunOptions, OutputRepository } from './types.ts';

/** What an output is found by. */
export interface OutputQuestion {
  readonly type: string;
  readonly version: number | string | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly input: Readonly<Record<string, any>>;
}

/** Names of a config that say nothing of what the node does. */
const said: ReadonlySet<string> = new Set(['id', 'title', 'name', 'description', 'defaults', 'provenance', 'cacheable', 'timeout', 'extras', 'disabled']);

/** @throws ConfigurationError */
export function checkOutputCache(given: unknown, where: string): void {
  if (given !== undefined && typeof given !== 'boolean' && !isRepository(given)) refuse(where, 'true, false or a repository with getOutput(type, inputs) and saveOutput(type, inputs, output); a cache becomes one by taskOutputRepository(cache) of holdfast/cache', given);
}

export function isRepository(given: unknown): given is OutputRepository {
  const { getOutput, saveOutput } = (typeof given === 'object' ? (given ?? {}) : {}) as Partial<OutputRepository>;
  return typeof getOutput === 'function' && typeof saveOutput === 'function';
}

export function isKept({ task, definitionId }: PlanNode, { outputCache }: GraphRunOptions): boolean {
  return Boolean(outputCache) && definitionId === undefined && task.cacheable && isStorable(task);
}

/** Functions of the same text need not do the same. */
export function isStorable(task: Task<any, any, any>): boolean {
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

export function askForOutput(live: LiveRun, { task }: PlanNode, context: RunContext, input: Record<string, any>): Promise<unknown> {
  const { outputCache } = live.options;
  if (isRepository(outputCache)) return askRepository(outputCache, live, task, context, input);
  return context.run(outputTask, questionOf(task, input) as never, { id: 'output', label: task.title });
}

/** Runs that a repository answered, in this page. */
const answered = new WeakSet<Run>();

/** What goes wrong with it costs an execution, and no more. */
async function askRepository(repository: OutputRepository, live: LiveRun, task: Task<any, any, any>, context: RunContext, input: Record<string, any>): Promise<unknown> {
  const inputs = inputsOf(questionOf(task, input));
  const warn = (verb: string) => (error: unknown): undefined => void live.house.warn(`outputCache.${verb} failed for task ${task.id} (${task.type}), which goes on without: ${error instanceof Error ? error.message : String(error)}`);
  const found = await Promise.resolve().then(() => repository.getOutput(task.type, inputs)).catch(warn('getOutput'));
  if (found !== undefined) {
    answered.add(context.owner);
    return found;
  }
  answered.delete(context.owner);
  const output = byPorts(await live.executeKept(context.owner, input, context)) ?? {};
  await Promise.resolve().then(() => repository.saveOutput(task.type, inputs, output)).catch(warn('saveOutput'));
  return output;
}

/** What a repository keeps outputs by: the inputs alone, where nothing else counts. */
export function inputsOf({ input, version, config }: OutputQuestion): unknown {
  return version === null && isEmpty(config) ? input : { input, version, config };
}

/** The run that a node has asked was answered by the cache. As its state says: after a reload that stands with what it gave. */
export function isFromCache(house: Orchestrator, run: Run): boolean {
  return answered.has(run) || house.services.children.of(run).some((child) => child.taskIdentifier === outputTask && child.state.fromCache);
}
