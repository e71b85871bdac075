/**
 * A file that somebody opens: is it a graph, and one that can be drawn here? Everything that is wrong is told at once,
 * each with its place (a JSON pointer).
 *
 * Invariants: nothing of the file is believed before it was looked at; what comes out is made anew, of known keys, so
 * nothing strange comes in; bounded in size, number and depth.
 */
import type { DataflowJson, TaskGraphItemJson, TaskGraphJson } from 'holdfast/graph';
import type { Catalog } from './catalog.ts';
import { portsFit, type Refusal } from './fit.ts';
import { edgeId, type GraphDocument, isAcyclic, leadsTo, type Position } from './graph-document.ts';

export const kMostBytes = 2_000_000;
const kMostTasks = 2_000;
const kMostEdges = 10_000;
const kMostIssues = 50;
const kDeepest = 40;
const kLongestId = 200;

export type Issue =
  | { code: 'tooLarge' | 'notJson' | 'notGraph' | 'tooDeep' | 'tooMany' | 'version' | 'more'; pointer: string; detail: string }
  | { code: 'shape' | 'unknownType' | 'twice' | 'config'; pointer: string; detail: string }
  | { code: 'edge'; pointer: string; refusal: Refusal };

export type Opened = { document: GraphDocument } | { issues: Issue[] };

export function openText(text: string, catalog: Catalog): Opened {
  if (text.length > kMostBytes) return { issues: [{ code: 'tooLarge', pointer: '', detail: String(kMostBytes / 1e6) }] };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { issues: [{ code: 'notJson', pointer: '', detail: error instanceof Error ? error.message : String(error) }] };
  }
  return openJson(json, catalog);
}

export function openJson(json: unknown, catalog: Catalog): Opened {
  const reader = new Reader(catalog);
  const document = reader.read(json);
  return document ? { document } : { issues: reader.issues };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
};
const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

class Reader {
  readonly issues: Issue[] = [];
  readonly #catalog: Catalog;
  #left = kMostIssues;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** undefined: it is not drawn, and `issues` say why. */
  read(json: unknown): GraphDocument | undefined {
    if (!isObject(json) || !Array.isArray(json['tasks'])) return this.#stop({ code: 'notGraph', pointer: '', detail: shown(json) });
    const flat = this.#flat(json, '', 0);
    const { version = 1 } = json;
    if (version !== 1) this.#tell({ code: 'version', pointer: '/version', detail: shown(version) });
    if (!flat) return undefined;
    const dataflows = json['dataflows'] ?? [];
    if (!Array.isArray(dataflows)) return this.#stop({ code: 'shape', pointer: '/dataflows', detail: '[…]' });
    if (json['tasks'].length > kMostTasks) return this.#stop({ code: 'tooMany', pointer: '/tasks', detail: String(kMostTasks) });
    if (dataflows.length > kMostEdges) return this.#stop({ code: 'tooMany', pointer: '/dataflows', detail: String(kMostEdges) });
    const tasks = this.#tasks(json['tasks'], '/tasks');
    const document = { ...(flat as TaskGraphJson), version: 1, tasks, dataflows: [], layout: this.#layout(json['layout'], tasks) } as GraphDocument;
    document.dataflows = this.#edges(dataflows, document);
    return this.issues.length === 0 ? document : undefined;
  }

  #stop(issue: Issue): undefined {
    this.#tell(issue);
  }

  #tell(issue: Issue): void {
    if (this.#left-- > 0) this.issues.push(issue);
    else if (this.#left === -1) this.issues.push({ code: 'more', pointer: '', detail: String(kMostIssues) });
  }

  /** Nothing hides in it: it is not nested without end, and has no key that would reach a prototype. */
  #flat(value: unknown, pointer: string, depth: number): unknown {
    if (depth > kDeepest) return this.#stop({ code: 'tooDeep', pointer: pointer.slice(0, 120), detail: String(kDeepest) });
    if (typeof value !== 'object' || value === null) return value;
    let isWhole = true;
    const look = (each: unknown, key: string | number): void => {
      if (typeof each === 'object' && each !== null && this.#flat(each, `${pointer}/${escaped(String(key))}`, depth + 1) === undefined) isWhole = false;
    };
    if (Array.isArray(value)) value.forEach(look);
    else
      for (const key of Object.keys(value)) {
        if (key === '__proto__' || key === 'constructor' || key === 'prototype') {
          this.#tell({ code: 'shape', pointer: `${pointer}/${key}`, detail: key });
          isWhole = false;
        } else look((value as Record<string, unknown>)[key], key);
      }
    return isWhole ? value : undefined;
  }

  #tasks(items: readonly unknown[], pointer: string): TaskGraphItemJson[] {
    const ids = new Set<string>();
    const tasks: TaskGraphItemJson[] = [];
    for (const [index, item] of items.entries()) {
      const at = `${pointer}/${index}`;
      if (!isObject(item)) this.#tell({ code: 'shape', pointer: at, detail: '{ id, type }' });
      else if (this.#isTask(item, at, ids)) tasks.push(item as unknown as TaskGraphItemJson);
    }
    return tasks;
  }

  #isTask(item: Record<string, unknown>, at: string, ids: Set<string>): boolean {
    const { id, type, defaults = {}, config = {} } = item;
    if (typeof id !== 'string' || id === '' || id.length > kLongestId) return this.#wrong({ code: 'shape', pointer: `${at}/id`, detail: `"id": "…" (1–${kLongestId})` });
    if (ids.has(id)) return this.#wrong({ code: 'twice', pointer: `${at}/id`, detail: id });
    ids.add(id);
    if (typeof type !== 'string' || type === '') return this.#wrong({ code: 'shape', pointer: `${at}/type`, detail: '"type": "…"' });
    if (!isObject(defaults)) return this.#wrong({ code: 'shape', pointer: `${at}/defaults`, detail: '{ … }' });
    if (!isObject(config)) return this.#wrong({ code: 'shape', pointer: `${at}/config`, detail: '{ … }' });
    if (!this.#catalog.knows(type)) return this.#wrong({ code: 'unknownType', pointer: `${at}/type`, detail: type });
    const { problem } = this.#catalog.portsOf(item as unknown as TaskGraphItemJson);
    return problem === undefined || this.#wrong({ code: 'config', pointer: at, detail: problem });
  }

  #wrong(issue: Issue): false {
    this.#tell(issue);
    return false;
  }

  #edges(items: readonly unknown[], document: TaskGraphJson): DataflowJson[] {
    const edges: { edge: DataflowJson; pointer: string }[] = [];
    const tasks = new Map(document.tasks.map((task) => [task.id, task]));
    const known = new Set<string>();
    for (const [index, item] of items.entries()) {
      const pointer = `/dataflows/${index}`;
      if (!isEdge(item)) {
        this.#tell({ code: 'shape', pointer, detail: `{ ${kEnds.join(', ')} }` });
        continue;
      }
      const refusal = this.#refusalOf(item, tasks, known);
      if (refusal) this.#tell({ code: 'edge', pointer, refusal });
      else edges.push({ edge: item, pointer });
    }
    return isAcyclic({ tasks: document.tasks, dataflows: edges.map(({ edge }) => edge) }) ? edges.map(({ edge }) => edge) : this.#withoutCircles(edges, document.tasks);
  }

  #refusalOf(edge: DataflowJson, tasks: ReadonlyMap<string, TaskGraphItemJson>, known: Set<string>): Refusal | undefined {
    const [source, target] = [tasks.get(edge.sourceTaskId), tasks.get(edge.targetTaskId)];
    if (!source || !target) return { code: 'noTask', id: source ? edge.targetTaskId : edge.sourceTaskId };
    if (source === target) return { code: 'self' };
    const id = edgeId(edge);
    if (known.has(id)) return { code: 'known' };
    known.add(id);
    const fit = portsFit(this.#catalog, source, target, edge);
    return 'refusal' in fit ? fit.refusal : undefined;
  }

  /** Which edges close a circle: in their order, those that lead back. Looked for until enough is said. */
  #withoutCircles(edges: readonly { edge: DataflowJson; pointer: string }[], tasks: TaskGraphItemJson[]): DataflowJson[] {
    const dataflows: DataflowJson[] = [];
    for (const { edge, pointer } of edges) {
      if (this.#left <= 0) break;
      if (leadsTo({ tasks, dataflows }, edge.targetTaskId, edge.sourceTaskId)) this.#tell({ code: 'edge', pointer, refusal: { code: 'cycle' } });
      else dataflows.push(edge);
    }
    return dataflows;
  }

  /** Where nothing is said, or nothing that can be: a place below the others. */
  #layout(layout: unknown, tasks: readonly TaskGraphItemJson[]): Record<string, Position> {
    const places: Record<string, Position> = {};
    for (const { id } of tasks) {
      const at = isObject(layout) && Object.hasOwn(layout, id) ? layout[id] : undefined;
      if (isObject(at) && isPlace(at['x']) && isPlace(at['y'])) places[id] = { x: at['x'], y: at['y'] };
    }
    return places;
  }
}

const kEnds = ['sourceTaskId', 'sourceTaskPortId', 'targetTaskId', 'targetTaskPortId'] as const;
const isEdge = (item: unknown): item is DataflowJson => isObject(item) && kEnds.every((end) => typeof item[end] === 'string' && item[end] !== '');
const isPlace = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) < 1e6;
