/**
 * Graphs from texts and objects that people bring, in both forms that they are kept in:
 *
 *   graph form        { tasks: [{ id, type, … }], dataflows: [{ sourceTaskId, … }] }
 *   dependency form   [{ id, type, config, defaults, dependencies: { port: { id, output } | [ … ] }, subtasks }]
 *
 * Invariant: nothing is made of a document before all of it has been looked at; what is wrong is told at once, each with
 * its place as a JSON pointer. Bounded in time and memory by its limits, however hostile.
 */
import { Dataflow } from './dataflow.ts';
import { TaskJSONError } from './errors.ts';
import type { JsonTaskItem } from './forms.ts';
import { createGraphFromGraphJSON as made, type ReadGraphOptions, unknownTypes } from './json.ts';
import { mergeStrategies } from './merging.ts';
import { TaskRegistry } from './registry.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import { transforms } from './transforms.ts';
import type { DataflowJson, TaskGraphItemJson, TaskGraphJson } from './types.ts';

export interface DocumentLimits {
  /** Of a text, in characters. Default 16 Mi. */
  readonly maxLength?: number;
  /** Of objects and lists in each other. Default 100. */
  readonly maxDepth?: number;
  /** Of tasks, those of graphs in graphs too. Default 100,000. */
  readonly maxTasks?: number;
}

export interface ReadDocumentOptions extends ReadGraphOptions, DocumentLimits {}

/** One thing that is wrong, and where: `/tasks/3/type`. */
export interface DocumentIssue {
  /** A JSON pointer; '' is the whole. */
  readonly pointer: string;
  readonly message: string;
}

const isRecord = (value: unknown): value is Record<string, any> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** As many issues are told; more are counted. */
const toldIssues = 100;

class Issues {
  readonly list: DocumentIssue[] = [];
  #more = 0;
  add(pointer: string, message: string): void {
    if (this.list.length < toldIssues) this.list.push({ pointer, message });
    else this.#more++;
  }
  throwIfAny(): void {
    const [first, ...others] = this.list;
    if (!first) return;
    const more = others.length + this.#more;
    throw new TaskJSONError(`The document can't be read: ${first.pointer || 'at its top'}: ${first.message}${more > 0 ? ` And ${more} more.` : ''}`, { data: { issues: this.list, count: more + 1 } });
  }
}

/** Before it is parsed: a text of brackets would be deeper than any parser goes. @throws TaskJSONError */
function parseText(text: string, { maxLength = 2 ** 24, maxDepth = 100 }: DocumentLimits): unknown {
  if (text.length > maxLength) throw new TaskJSONError(`The document has ${text.length} characters; the limit is ${maxLength}.`);
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > maxDepth) throw new TaskJSONError(`The document is nested deeper than ${maxDepth} at position ${at}.`);
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TaskJSONError(`The document is no JSON: ${(error as Error).message}`, { cause: error });
  }
}

function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}

/** Of what is an object already: nested no deeper than that, and no key that changes objects. */
function refuseHostile(document: unknown, { maxDepth = 100 }: DocumentLimits, issues: Issues): void {
  const open: { value: object; path: string; depth: number }[] = isObject(document) ? [{ value: document, path: '', depth: 1 }] : [];
  for (let one = open.pop(); one; one = open.pop()) {
    if (one.depth > maxDepth) throw new TaskJSONError(`The document is nested deeper than ${maxDepth} at ${one.path.slice(0, 200)}.`);
    for (const key of Object.keys(one.value)) {
      const path = `${one.path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (key === '__proto__') issues.add(path, 'the key "__proto__" is not taken.');
      const value = (one.value as Record<string, unknown>)[key];
      if (isObject(value)) open.push({ value, path, depth: one.depth + 1 });
    }
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Looks at one graph and those in it. */
class Looking {
  readonly #issues: Issues;
  readonly #options: ReadDocumentOptions;
  readonly #allowed: ReadonlySet<string> | undefined;
  readonly #unknown: ReadonlySet<string>;
  #tasks = 0;

  constructor(json: TaskGraphJson, options: ReadDocumentOptions, issues: Issues) {
    this.#issues = issues;
    this.#options = options;
    this.#allowed = options.allowedTypes && new Set(options.allowedTypes);
    this.#unknown = new Set(unknownTypes(json, options));
  }

  graph(json: unknown, path: string): void {
    if (!isRecord(json) || !Array.isArray(json.tasks)) return this.#issues.add(path, 'a graph is { tasks: […], dataflows: […] }.');
    const ids = new Set<string>();
    this.#tasks += json.tasks.length;
    const { maxTasks = 100_000 } = this.#options;
    if (this.#tasks > maxTasks) throw new TaskJSONError(`The document has more than ${maxTasks} tasks.`);
    for (const [index, item] of json.tasks.entries()) this.#task(item, `${path}/tasks/${index}`, ids);
    const flows: unknown = json.dataflows ?? [];
    if (!Array.isArray(flows)) return this.#issues.add(`${path}/dataflows`, 'has to be a list.');
    const edges: DataflowJson[] = [];
    const known = new Set<string>();
    for (const [index, flow] of flows.entries()) if (this.#flow(flow, `${path}/dataflows/${index}`, ids, known)) edges.push(flow as DataflowJson);
    const cycle = cycleOf(ids, edges);
    if (cycle) this.#issues.add(`${path}/dataflows`, `the edges close a cycle: ${[...cycle, cycle[0]].join(' → ')}.`);
  }

  #task(item: unknown, path: string, ids: Set<string>): void {
    if (!isRecord(item)) return this.#issues.add(path, 'a task is { id, type }.');
    const { id, type, config, defaults, subgraph, merge } = item;
    if (typeof id !== 'string' || id === '') this.#issues.add(`${path}/id`, 'has to be text.');
    else if (ids.has(id)) this.#issues.add(`${path}/id`, `there are two tasks ${JSON.stringify(id)}.`);
    else ids.add(id);
    if (typeof type !== 'string') this.#issues.add(`${path}/type`, 'has to be text.');
    else if (this.#allowed && !this.#allowed.has(type)) this.#issues.add(`${path}/type`, `tasks of type ${JSON.stringify(type)} are not allowed here.`);
    else if (this.#unknown.has(type)) this.#issues.add(`${path}/type`, `there is no task of type ${JSON.stringify(type)} here. Register it: registerTask(…).`);
    for (const [name, value] of Object.entries({ config, defaults })) if (value !== undefined && !isRecord(value)) this.#issues.add(`${path}/${name}`, 'has to be an object.');
    if (merge !== undefined && !(mergeStrategies as readonly unknown[]).includes(merge)) this.#issues.add(`${path}/merge`, `${JSON.stringify(merge)} is no merge strategy. Known are: ${mergeStrategies.join(', ')}.`);
    if (subgraph !== undefined) this.graph(subgraph, `${path}/subgraph`);
  }

  #flow(flow: unknown, path: string, ids: ReadonlySet<string>, known: Set<string>): boolean {
    const before = this.#issues.list.length;
    if (!isRecord(flow)) this.#issues.add(path, 'an edge is { sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId }.');
    else {
      for (const name of ['sourceTaskPortId', 'targetTaskPortId']) if (typeof flow[name] !== 'string' || flow[name] === '') this.#issues.add(`${path}/${name}`, 'has to be the name of a port.');
      for (const name of ['sourceTaskId', 'targetTaskId']) if (!ids.has(flow[name])) this.#issues.add(`${path}/${name}`, `there is no task ${JSON.stringify(flow[name])} in this graph.`);
      const id = Dataflow.createId(flow.sourceTaskId, flow.sourceTaskPortId, flow.targetTaskId, flow.targetTaskPortId);
      if (known.has(id)) this.#issues.add(path, `there is an edge ${id} already.`);
      known.add(id);
      if (flow.transforms !== undefined) this.#transforms(flow.transforms, `${path}/transforms`);
    }
    return this.#issues.list.length === before && before < toldIssues;
  }

  #transforms(steps: unknown, path: string): void {
    if (!Array.isArray(steps)) return this.#issues.add(path, 'has to be a list of { id, params }.');
    for (const [index, step] of steps.entries()) {
      if (!isRecord(step) || !transforms.getTransform(step.id)) this.#issues.add(`${path}/${index}/id`, `there is no transform ${JSON.stringify(isRecord(step) ? step.id : step)}.`);
    }
  }
}

/** Ids on a cycle; undefined: there is none. */
function cycleOf(ids: ReadonlySet<string>, edges: readonly DataflowJson[]): string[] | undefined {
  const targets = new Map<string, string[]>([...ids].map((id) => [id, []]));
  const waiting = new Map<string, number>([...ids].map((id) => [id, 0]));
  for (const { sourceTaskId, targetTaskId } of edges) {
    targets.get(sourceTaskId)!.push(targetTaskId);
    waiting.set(targetTaskId, waiting.get(targetTaskId)! + 1);
  }
  const free = [...ids].filter((id) => waiting.get(id) === 0);
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    waiting.delete(id);
    for (const target of targets.get(id)!) {
      const left = waiting.get(target)! - 1;
      waiting.set(target, left);
      if (left === 0) free.push(target);
    }
  }
  return waiting.size === 0 ? undefined : walkedRound(waiting, edges);
}

/** What is left all has a source that is left: going back comes round. */
function walkedRound(left: ReadonlyMap<string, number>, edges: readonly DataflowJson[]): string[] {
  const sourceOf = new Map<string, string>();
  for (const { sourceTaskId, targetTaskId } of edges) if (left.has(sourceTaskId) && left.has(targetTaskId)) sourceOf.set(targetTaskId, sourceTaskId);
  const walked = new Set<string>();
  let id = [...sourceOf.keys()][0]!;
  for (; !walked.has(id); id = sourceOf.get(id)!) walked.add(id);
  const way = [...walked];
  return way.slice(way.indexOf(id)).reverse();
}

/**
 * Looks at a document in the graph form, without making anything of it.
 * @throws TaskJSONError with `data.issues`, `[{ pointer, message }]`: all that is wrong
 */
export function checkGraphDocument(document: unknown, options: ReadDocumentOptions = {}): asserts document is TaskGraphJson {
  const issues = new Issues();
  refuseHostile(document, options, issues);
  issues.throwIfAny();
  new Looking(document as TaskGraphJson, options, issues).graph(document, '');
  issues.throwIfAny();
}

/**
 * A graph of a text or an object in either form.
 * @throws TaskJSONError with `data.issues` of all that is wrong, TaskConfigurationError for configs that tasks refuse
 */
export function readGraphText(document: string | object, options: ReadDocumentOptions = {}): TaskGraph {
  const parsed = typeof document === 'string' ? parseText(document, options) : document;
  if (isRecord(parsed) && 'tasks' in parsed) {
    checkGraphDocument(parsed, options);
    return made(parsed, options);
  }
  const items = Array.isArray(parsed) ? parsed : [parsed];
  return createGraphFromDependencyJSON(items as JsonTaskItem[], options);
}

/** Where types are found: a registry, or options that name one. */
type Found = TaskRegistry | ReadDocumentOptions;
const optionsOf = (found: Found = {}, more: ReadDocumentOptions = {}): ReadDocumentOptions => (found instanceof TaskRegistry ? { ...more, registry: found } : { ...found, ...more });

/**
 * A graph of a document in the graph form: `(json, registry, { allowedTypes })` or `(json, { registry, allowedTypes })`.
 * @throws TaskJSONError with `data.issues` of all that is wrong, TaskConfigurationError for configs that tasks refuse
 */
export function createGraphFromGraphJSON(json: TaskGraphJson, found?: Found, more?: ReadDocumentOptions): TaskGraph {
  const options = optionsOf(found, more);
  checkGraphDocument(json, options);
  return made(json, options);
}

/** One task of a document, with the graph in it. @throws as createGraphFromGraphJSON */
export function createTaskFromGraphJSON(item: TaskGraphItemJson, found?: Found, more?: ReadDocumentOptions): Task<any, any, any> {
  return taken(createGraphFromGraphJSON({ tasks: [item], dataflows: [] }, found, more));
}

/** The only task of a graph, which is none of it any more. */
function taken(graph: TaskGraph): Task<any, any, any> {
  const [task] = graph.getTasks();
  graph.removeTask(task!.id);
  return task!;
}

// The dependency form

/** The graph form of the dependency form. @throws TaskJSONError with `data.issues` */
export function graphForm(items: readonly JsonTaskItem[], path = ''): TaskGraphJson {
  const issues = new Issues();
  const form = graphFormOf(items, path, issues);
  issues.throwIfAny();
  return form;
}

function graphFormOf(items: unknown, path: string, issues: Issues): TaskGraphJson {
  const form: TaskGraphJson = { tasks: [], dataflows: [] };
  if (!Array.isArray(items)) {
    issues.add(path, 'tasks in the dependency form are a list.');
    return form;
  }
  for (const [index, item] of items.entries()) {
    if (!isRecord(item)) {
      issues.add(`${path}/${index}`, 'a task is { id, type, dependencies }.');
      continue;
    }
    const { dependencies = {}, subtasks, ...task } = item;
    form.tasks.push({ ...task, ...(subtasks !== undefined && { subgraph: graphFormOf(subtasks, `${path}/${index}/subtasks`, issues) }) } as TaskGraphItemJson);
    if (!isRecord(dependencies)) issues.add(`${path}/${index}/dependencies`, 'has to be an object of ports.');
    else for (const [port, from] of Object.entries(dependencies)) addFlows(form.dataflows, item.id, port, from, `${path}/${index}/dependencies/${port}`, issues);
  }
  return form;
}

function addFlows(flows: DataflowJson[], targetTaskId: string, targetTaskPortId: string, from: unknown, path: string, issues: Issues): void {
  for (const one of Array.isArray(from) ? from : [from]) {
    if (!isRecord(one) || typeof one.id !== 'string' || typeof one.output !== 'string') issues.add(path, 'a dependency is { id, output }, or a list of them.');
    else flows.push({ sourceTaskId: one.id, sourceTaskPortId: one.output, targetTaskId, targetTaskPortId, ...(one.transforms !== undefined && { transforms: one.transforms }) });
  }
}

/** As `createGraphFromGraphJSON`, of the dependency form. @throws TaskJSONError with `data.issues` of all that is wrong */
export function createGraphFromDependencyJSON(items: readonly JsonTaskItem[], found?: Found, more?: ReadDocumentOptions): TaskGraph {
  const options = optionsOf(found, more);
  const issues = new Issues();
  refuseHostile(items, options, issues);
  issues.throwIfAny();
  return createGraphFromGraphJSON(graphForm(items), options);
}

/** One task, with those in it. @throws TaskJSONError with `data.issues` of all that is wrong */
export function createTaskFromDependencyJSON(item: JsonTaskItem, found?: Found, more?: ReadDocumentOptions): Task<any, any, any> {
  if (Object.keys(item?.dependencies ?? {}).length > 0) throw new TaskJSONError('A task alone has no dependencies: createGraphFromDependencyJSON reads a graph.');
  return taken(createGraphFromDependencyJSON([item], found, more));
}
