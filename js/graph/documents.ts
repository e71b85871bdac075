/**
 * Graphs from texts and objects that people bring, in both forms that they are kept in:
 *
 *   graph form        { tasks: [{ id, type, … }], dataflows: [{ sourceTaskId, … }] }
 *   dependency form   [{ id, type, config, defaults, dependencies: { port: { id, output } | [ … ] }, subtasks }]
 *
 * Invariant: what a document may say is judged in one place, the checker in C++ behind `document.ts`. `readGraph` asks it
 * about all of a document before anything is made of it, and tells all that is wrong at once. What is called `create…`
 * only builds, at once, and stops at the first thing that no graph can be built of.
 */
import type { GraphCatalogue, GraphDocument, GraphIssue } from './document.ts';
import { TaskJSONError } from './errors.ts';
import type { JsonTaskItem } from './forms.ts';
import { configFaults, isRecord, itemsOf, mostIssues } from './config-faults.ts';
import { createGraphFromGraphJSON as built, createTaskFromGraphJSON as builtTask, isKnown, type ReadGraphOptions } from './json.ts';
import { mergeStrategies } from './merging.ts';
import { pageRegistry } from '../intake/registry.ts';
import { globalTaskRegistry, TaskRegistry } from './registry.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import { transforms } from './transforms.ts';
import type { DataflowJson, TaskGraphItemJson, TaskGraphJson } from './types.ts';

export interface ReadDocumentOptions extends ReadGraphOptions {
  /** Of what is read by `readGraph`. Defaults: those of `GraphCatalogue`. */
  readonly limits?: GraphCatalogue['limits'];
}

// Checked first

/** A graph, and its document in the graph form of this version. */
export interface ReadGraph {
  readonly graph: TaskGraph;
  readonly document: TaskGraphJson;
}

/**
 * Reads a document that somebody brings, text or object, in either form: checked as a whole, then built. Its ports need
 * not fit, nor all be connected: `checkDocument` says what is wrong with those.
 * @throws TaskJSONError with `data.issues` of all that is wrong, configs that their classes refuse among it
 */
export async function readDocument(document: string | object, options: ReadDocumentOptions = {}): Promise<ReadGraph> {
  const { upgradeDocument } = await import('./document.ts');
  const { issues, leftOut = 0, document: form } = await upgradeDocument(document as GraphDocument, readingCatalogue(document, options));
  const errors = issues.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) refuseIssues(errors, configFaults(document, options, errors), leftOut, () => namedTypes(document).filter((type) => !isKnown(type, options)));
  try {
    return { graph: built(form as TaskGraphJson, options), document: form as TaskGraphJson };
  } catch (error) {
    const faults = configFaults(document, options, []);
    if (faults.length === 0) throw error;
    return refuseIssues([], faults, 0, () => [], error);
  }
}

/** As `readDocument`; the graph alone. @throws TaskJSONError */
export async function readGraphText(document: string | object, options: ReadDocumentOptions = {}): Promise<TaskGraph> {
  return (await readDocument(document, options)).graph;
}

/** What may stand in a document that is built: which types there are, whatever their ports are. */
function readingCatalogue(document: string | object, { registry = globalTaskRegistry, allowedTypes, isDefined, limits }: ReadDocumentOptions): GraphCatalogue {
  const known = new Set([...registry.all.keys(), ...(isDefined ? namedTypes(document).filter(isDefined) : pageRegistry.ids())]);
  const allowed = allowedTypes ? [...allowedTypes].filter((type) => known.has(type)) : [...known];
  return {
    types: Object.fromEntries(allowed.map((type) => [type, { dynamic: true }])),
    merges: mergeStrategies, transforms: transforms.listTransforms().map(({ id }) => id), limits: { maxNesting: 32, ...limits },
  };
}

/** Each once; none of what is no JSON, which is told elsewhere. */
function namedTypes(document: string | object): string[] {
  const types = new Set<string>();
  for (const { item } of itemsOf(document)) if (typeof item.type === 'string') types.add(item.type);
  return [...types];
}

/** @throws TaskJSONError */
function refuseIssues(wrong: readonly GraphIssue[], faults: readonly GraphIssue[], leftOut: number, unknownTypes: () => string[], cause?: unknown): never {
  const issues = [...wrong, ...faults].slice(0, mostIssues);
  const [first] = issues;
  const count = wrong.length + faults.length + leftOut;
  const unknown = wrong.some(({ code }) => code === 'unknown-type') ? unknownTypes() : [];
  throw new TaskJSONError(`The document can't be read: ${first!.pointer || 'at its top'}: ${first!.message}${count > 1 ? ` And ${count - 1} more.` : ''}`, { ...(cause !== undefined && { cause }), data: { issues, count, ...(unknown.length > 0 && { unknownTypes: unknown }) } });
}

// Built at once

/** Where types are found: a registry, or options that name one. */
type Found = TaskRegistry | ReadGraphOptions;
const optionsOf = (found: Found = {}, more: ReadGraphOptions = {}): ReadGraphOptions => (found instanceof TaskRegistry ? { ...more, registry: found } : { ...found, ...more });

/**
 * Builds a graph of a document in the graph form: `(json, registry, { allowedTypes })` or `(json, { registry, allowedTypes })`.
 * Of a document that somebody brought: `readGraphText`, which says all that is wrong with it.
 * @throws TaskJSONError TaskConfigurationError CycleError of the first thing that can't be built
 */
export function createGraphFromGraphJSON(json: TaskGraphJson, found?: Found, more?: ReadGraphOptions): TaskGraph {
  return built(json, optionsOf(found, more));
}

/** One task of a document, with the graph in it. @throws as createGraphFromGraphJSON */
export function createTaskFromGraphJSON(item: TaskGraphItemJson, found?: Found, more?: ReadGraphOptions): Task<any, any, any> {
  return builtTask(item, optionsOf(found, more));
}

/** The graph form of the dependency form. @throws TaskJSONError where a task or a dependency is none */
export function graphForm(items: readonly JsonTaskItem[], path = ''): TaskGraphJson {
  if (!Array.isArray(items)) throw new TaskJSONError(`${path || 'The document'}: tasks in the dependency form are a list.`);
  const form: TaskGraphJson = { tasks: [], dataflows: [] };
  for (const [index, item] of items.entries()) {
    if (!isRecord(item)) throw new TaskJSONError(`${path}/${index}: a task is { id, type, dependencies }.`);
    const { dependencies = {}, subtasks, ...task } = item;
    if (!isRecord(dependencies)) throw new TaskJSONError(`${path}/${index}/dependencies has to be an object of ports.`);
    form.tasks.push({ ...task, ...(subtasks !== undefined && { subgraph: graphForm(subtasks, `${path}/${index}/subtasks`) }) } as TaskGraphItemJson);
    for (const [port, from] of Object.entries(dependencies)) addFlows(form.dataflows, item.id, port, from, `${path}/${index}/dependencies/${port}`);
  }
  return form;
}

function addFlows(flows: DataflowJson[], targetTaskId: string, targetTaskPortId: string, from: unknown, path: string): void {
  for (const one of Array.isArray(from) ? from : [from]) {
    if (!isRecord(one)) throw new TaskJSONError(`${path}: a dependency is { id, output }, or a list of them.`);
    const { id, output, ...more } = one;
    flows.push({ sourceTaskId: id, sourceTaskPortId: output, targetTaskId, targetTaskPortId, ...more });
  }
}

/** As `createGraphFromGraphJSON`, of the dependency form. @throws as createGraphFromGraphJSON */
export function createGraphFromDependencyJSON(items: readonly JsonTaskItem[], found?: Found, more?: ReadGraphOptions): TaskGraph {
  return createGraphFromGraphJSON(graphForm(items), found, more);
}

/** One task, with those in it. @throws as createGraphFromGraphJSON */
export function createTaskFromDependencyJSON(item: JsonTaskItem, found?: Found, more?: ReadGraphOptions): Task<any, any, any> {
  if (Object.keys(item?.dependencies ?? {}).length > 0) throw new TaskJSONError('A task alone has no dependencies: createGraphFromDependencyJSON reads a graph.');
  return createTaskFromGraphJSON(graphForm([item]).tasks[0]!, found, more);
}
