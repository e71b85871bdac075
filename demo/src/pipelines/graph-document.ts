/**
 * The document that the editor draws: a graph as it is stored, and the changes that people make to it.
 *
 * Invariant: pure; a change gives a new document and leaves the former as it was, so that undo is keeping it.
 */
import { Dataflow, type DataflowJson, type TaskGraphItemJson, type TaskGraphJson } from 'holdfast/graph';

export interface Position {
  x: number;
  y: number;
}

/** What the editor keeps under `layout`: where the nodes stand, by their ids. */
export interface GraphDocument extends TaskGraphJson {
  version: number;
  layout: Record<string, Position>;
}

export const kEmpty: GraphDocument = { version: 1, tasks: [], dataflows: [], layout: {}, meta: {} };

export const edgeId = ({ sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId }: DataflowJson): string =>
  Dataflow.createId(sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId);

export const nameOf = (document: TaskGraphJson): string => (typeof document.meta?.['title'] === 'string' ? document.meta['title'] : '');

export const taskOf = (document: TaskGraphJson, id: string): TaskGraphItemJson | undefined => document.tasks.find((task) => task.id === id);

export const positionOf = ({ layout }: Pick<GraphDocument, 'layout'>, id: string): Position => (Object.hasOwn(layout, id) ? layout[id]! : { x: 0, y: 0 });

/** `words`, `words-2`, … : short, and readable in the file. */
export function freshId(document: TaskGraphJson, type: string): string {
  const stem = type.replace(/^.*\//, '').replace(/Task$/, '').replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase() || 'task';
  const taken = new Set(document.tasks.map(({ id }) => id));
  if (!taken.has(stem)) return stem;
  let number = 2;
  while (taken.has(`${stem}-${number}`)) number++;
  return `${stem}-${number}`;
}

export function withTask(document: GraphDocument, task: TaskGraphItemJson, at: Position): GraphDocument {
  return { ...document, tasks: [...document.tasks, task], layout: { ...document.layout, [task.id]: rounded(at) } };
}

export function withTaskChanged(document: GraphDocument, id: string, change: (task: TaskGraphItemJson) => TaskGraphItemJson): GraphDocument {
  return { ...document, tasks: document.tasks.map((task) => (task.id === id ? change(task) : task)) };
}

/** Their edges go with them. */
export function without(document: GraphDocument, taskIds: Iterable<string>, edgeIds: Iterable<string>): GraphDocument {
  const [tasks, edges] = [new Set(taskIds), new Set(edgeIds)];
  return {
    ...document,
    tasks: document.tasks.filter(({ id }) => !tasks.has(id)),
    dataflows: document.dataflows.filter((edge) => !edges.has(edgeId(edge)) && !tasks.has(edge.sourceTaskId) && !tasks.has(edge.targetTaskId)),
    layout: Object.fromEntries(Object.entries(document.layout).filter(([id]) => !tasks.has(id))),
  };
}

export function withMoved(document: GraphDocument, positions: Readonly<Record<string, Position>>): GraphDocument {
  const layout = { ...document.layout };
  for (const [id, at] of Object.entries(positions)) layout[id] = rounded(at);
  return { ...document, layout };
}

const rounded = ({ x, y }: Position): Position => ({ x: Math.round(x), y: Math.round(y) });

/** Copies of these nodes and of the edges between them, a little aside. */
export function withCopies(document: GraphDocument, taskIds: readonly string[]): { document: GraphDocument; copies: string[] } {
  const names = new Map<string, string>();
  let next = document;
  for (const id of taskIds) {
    const task = taskOf(document, id);
    if (!task) continue;
    const copy = freshId(next, id.replace(/-\d+$/, ''));
    const { x, y } = positionOf(document, id);
    names.set(id, copy);
    next = withTask(next, { ...structuredClone(task), id: copy }, { x: x + 40, y: y + 40 });
  }
  const between = document.dataflows.filter(({ sourceTaskId, targetTaskId }) => names.has(sourceTaskId) && names.has(targetTaskId));
  const edges = between.map((edge) => ({ ...structuredClone(edge), sourceTaskId: names.get(edge.sourceTaskId)!, targetTaskId: names.get(edge.targetTaskId)! }));
  return { document: { ...next, dataflows: [...next.dataflows, ...edges] }, copies: [...names.values()] };
}

/** Is `from` among those that `id` waits for, directly or not (or itself)? An edge back to it would close a cycle. */
export function leadsTo(document: TaskGraphJson, from: string, id: string): boolean {
  const targets = new Map<string, string[]>();
  for (const { sourceTaskId, targetTaskId } of document.dataflows) {
    const known = targets.get(sourceTaskId);
    if (known) known.push(targetTaskId);
    else targets.set(sourceTaskId, [targetTaskId]);
  }
  const [open, seen] = [[from], new Set([from])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === id) return true;
    for (const target of targets.get(next) ?? []) {
      if (seen.has(target)) continue;
      seen.add(target);
      open.push(target);
    }
  }
  return false;
}
