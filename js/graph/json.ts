/**
 * Graphs built of their documents.
 * Invariant: nothing is judged here but whether it can be built: the first thing that can't is an error with its place.
 * Types that are not known are named, all of them at once.
 */
import { OrchestratorError } from '../errors.ts';
import { pageRegistry } from '../intake/registry.ts';
import { Dataflow } from './dataflow.ts';
import { TaskJSONError } from './errors.ts';
import { DefinitionTask } from './function-task.ts';
import { isEmpty } from './plan.ts';
import { globalTaskRegistry, type TaskRegistry } from './registry.ts';
import type { Task } from './task.ts';
import { TaskGraph } from './task-graph.ts';
import type { TaskConfig, TaskGraphItemJson, TaskGraphJson } from './types.ts';

export interface ReadGraphOptions {
  /** Default: the page's. */
  readonly registry?: TaskRegistry;
  /** Other types are refused. Default: all that are registered. */
  readonly allowedTypes?: Iterable<string>;
  /** Is there a definition of this id? Default: of this page. */
  readonly isDefined?: (id: string) => boolean;
}

/** Graphs in graphs, at most. */
const depthLimit = 32;

/** @throws TaskJSONError CycleError TaskConfigurationError */
export function createGraphFromGraphJSON(json: TaskGraphJson, options: ReadGraphOptions = {}): TaskGraph {
  return shallow(() => readGraph(json, { ...options, allowed: options.allowedTypes && new Set(options.allowedTypes) }, '', 0));
}

/** One task, with the graph in it. @throws as createGraphFromGraphJSON */
export function createTaskFromGraphJSON(item: TaskGraphItemJson, options: ReadGraphOptions = {}): Task<any, any, any> {
  return shallow(() => readTask(item, { ...options, allowed: options.allowedTypes && new Set(options.allowedTypes) }, '', 0));
}

/** @throws TaskJSONError of values that are nested deeper than the stack goes */
function shallow<Made>(build: () => Made): Made {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TaskJSONError(`The document is nested too deep to be built: ${error.message}. readGraphText(document) says where, and has a limit of its own.`, { cause: error });
  }
}

interface Reading extends ReadGraphOptions {
  readonly allowed: ReadonlySet<string> | undefined;
}

function readGraph(json: TaskGraphJson, reading: Reading, path: string, depth: number): TaskGraph {
  if (depth > depthLimit) throw new TaskJSONError(`${path || 'The document'}: graphs stand in graphs more than ${depthLimit} deep.`);
  if (typeof json !== 'object' || json === null || !Array.isArray(json.tasks)) throw new TaskJSONError(`${path || 'The document'} must be { tasks: […], dataflows: […] }.`);
  const { tasks, dataflows, ...extras } = json;
  const unknown = unknownTypes(json, reading);
  if (unknown.length > 0) throw new TaskJSONError(`${path || 'The document'}: there is no task of type ${unknown.map((type) => JSON.stringify(type)).join(', ')} here. Register ${unknown.length === 1 ? 'it' : 'them'}: registerTask(…).`, { data: { unknownTypes: unknown } });
  const graph = new TaskGraph();
  graph.extras = extras;
  for (const [index, item] of tasks.entries()) graph.addTask(readTask(item, reading, `${path}/tasks/${index}`, depth));
  if (dataflows !== undefined && !Array.isArray(dataflows)) throw new TaskJSONError(`${path}/dataflows has to be a list.`);
  for (const [index, edge] of (dataflows ?? []).entries()) {
    const ends = [edge?.sourceTaskId, edge?.sourceTaskPortId, edge?.targetTaskId, edge?.targetTaskPortId];
    if (!ends.every((end) => typeof end === 'string')) throw new TaskJSONError(`${path}/dataflows/${index} must name sourceTaskId, sourceTaskPortId, targetTaskId and targetTaskPortId.`);
    const dataflow = new Dataflow(...(ends as [string, string, string, string]));
    const { sourceTaskId: _source, sourceTaskPortId: _from, targetTaskId: _target, targetTaskPortId: _to, transforms, ...more } = edge;
    if (transforms !== undefined) dataflow.setTransforms(transforms);
    if (!isEmpty(more)) dataflow.extras = more;
    graph.addDataflow(dataflow);
  }
  return graph;
}

function readTask(item: TaskGraphItemJson, reading: Reading, path: string, depth: number): Task<any, any, any> {
  const { id, type, defaults, config, subgraph, merge, provenance, ...more } = item ?? {};
  if (typeof id !== 'string' || typeof type !== 'string') throw new TaskJSONError(`${path || 'The task'} must have an id and a type.`);
  if (reading.allowed && !reading.allowed.has(type)) throw new TaskJSONError(`${path || `Task ${id}`}: tasks of type ${JSON.stringify(type)} are not allowed here.`);
  for (const [name, value] of Object.entries({ config, defaults })) if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) throw new TaskJSONError(`${path}/${name} has to be an object.`);
  const whole = { ...config, ...(merge !== undefined && { merge }), ...(provenance && { provenance }), id, ...(defaults && { defaults }) };
  const task = makeTask(type, whole, reading, path);
  if (!task) throw new TaskJSONError(`${path || `Task ${id}`}: there is no task of type ${JSON.stringify(type)} here.`, { data: { unknownTypes: [type] } });
  if (!isEmpty(more)) task.extras = more;
  if (subgraph) task.subGraph = readGraph(subgraph, reading, `${path}/subgraph`, depth + 1);
  return task;
}

/** undefined: nobody here knows the type. @throws what its class says of the config, with its place */
export function makeTask(type: string, config: TaskConfig, reading: ReadGraphOptions, path: string): Task<any, any, any> | undefined {
  const Class = (reading.registry ?? globalTaskRegistry).getTask(type);
  try {
    return Class ? new Class(config) : isDefined(type, reading) ? new DefinitionTask(type, config) : undefined;
  } catch (error) {
    if (error instanceof OrchestratorError && path !== '') error.message = `${path}: ${error.message}`;
    throw error;
  }
}

function isDefined(id: string, { isDefined }: ReadGraphOptions): boolean {
  return isDefined ? isDefined(id) : pageRegistry.get(id) !== undefined;
}

/** Is there a class, or a definition, of this name? */
export function isKnown(type: string, options: ReadGraphOptions): boolean {
  return (options.registry ?? globalTaskRegistry).getTask(type) !== undefined || isDefined(type, options);
}

/** Types that a document names and nobody here knows, each once. */
export function unknownTypes(json: TaskGraphJson, options: ReadGraphOptions = {}): string[] {
  const unknown = new Set<string>();
  const look = (graph: Partial<TaskGraphJson> | null | undefined, depth: number): void => {
    const tasks = graph?.tasks;
    if (!Array.isArray(tasks) || depth > depthLimit) return;
    for (const item of tasks) {
      const type = item?.type;
      if (typeof type === 'string' && !isKnown(type, options)) unknown.add(type);
      if (item?.subgraph) look(item.subgraph, depth + 1);
    }
  };
  look(json, 0);
  return [...unknown];
}
