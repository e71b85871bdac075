/**
 * The editor's state and everything that changes it: one function of the state and an action.
 *
 * Invariants: pure; the document that is drawn is always whole (an edge has both of its nodes, an id is there once);
 * each step that a person would call one is one step of undo, so what is typed or dragged in one go is one.
 */
import type { DataflowJson, TaskGraphItemJson, TaskGraphJson } from 'holdfast/graph';
import { edgeId, type GraphDocument, kEmpty, type Position, taskOf, without, withCopies, withMoved, withTask, withTaskChanged } from './graph-document.ts';

/** What is selected: nodes, or edges, or both. */
export interface Selection {
  readonly tasks: readonly string[];
  readonly edges: readonly string[];
}

export interface Editor {
  readonly document: GraphDocument;
  readonly selection: Selection;
  readonly past: readonly GraphDocument[];
  readonly future: readonly GraphDocument[];
  /** What the last change was part of: the next of the same joins it. */
  readonly joining: string | undefined;
}

export type Action =
  | { type: 'add'; task: TaskGraphItemJson; at: Position; from?: DataflowJson | undefined }
  /** `done`: the pointer was let go, so the next move is a step of its own. */
  | { type: 'move'; positions: Readonly<Record<string, Position>>; done: boolean }
  | { type: 'connect'; edge: DataflowJson }
  | { type: 'remove'; tasks: readonly string[]; edges: readonly string[] }
  | { type: 'duplicate'; tasks: readonly string[] }
  /** `undefined` takes the value away. */
  | { type: 'setDefault'; id: string; port: string; value: unknown }
  | { type: 'setConfig'; id: string; name: string; value: unknown }
  /** What a node that holds a graph does for each element. */
  | { type: 'setSubgraph'; id: string; subgraph: TaskGraphJson | undefined }
  | { type: 'rename'; title: string }
  | { type: 'open'; document: GraphDocument }
  | { type: 'select'; selection: Selection }
  /** A box was left: what is typed next is a step of its own. */
  | { type: 'settle' }
  | { type: 'undo' }
  | { type: 'redo' };

const kMostSteps = 200;
const kNothing: Selection = { tasks: [], edges: [] };

export const startedWith = (document: GraphDocument = kEmpty): Editor => ({ document, selection: kNothing, past: [], future: [], joining: undefined });

export function edited(editor: Editor, action: Action): Editor {
  switch (action.type) {
    case 'select':
      return sameSelection(editor.selection, action.selection) ? editor : { ...editor, selection: action.selection };
    case 'settle':
      return editor.joining === undefined ? editor : { ...editor, joining: undefined };
    case 'undo':
      return undone(editor);
    case 'redo':
      return redone(editor);
    case 'open':
      return changed(editor, action.document, { selection: kNothing });
    case 'add':
      return added(editor, action);
    case 'duplicate': {
      const { document, copies } = withCopies(editor.document, action.tasks);
      return copies.length === 0 ? editor : changed(editor, document, { selection: { tasks: copies, edges: [] } });
    }
    case 'connect':
      return connected(editor, action.edge);
    case 'remove':
      return removed(editor, action);
    case 'move': {
      const moved = changed(editor, withMoved(editor.document, action.positions), { joining: `move ${Object.keys(action.positions).sort().join(' ')}` });
      return action.done ? { ...moved, joining: undefined } : moved;
    }
    case 'setDefault':
      return withValue(editor, action.id, 'defaults', action.port, action.value);
    case 'setConfig':
      return withValue(editor, action.id, 'config', action.name, action.value);
    case 'setSubgraph':
      return changed(editor, withTaskChanged(editor.document, action.id, ({ subgraph: _, ...task }) => (action.subgraph ? { ...task, subgraph: action.subgraph } : task)));
    case 'rename':
      return changed(editor, { ...editor.document, meta: { ...editor.document.meta, title: action.title } }, { joining: 'rename' });
  }
}

/** The document changes; undo leads back to the former. */
function changed(editor: Editor, document: GraphDocument, { selection = editor.selection, joining }: { selection?: Selection; joining?: string } = {}): Editor {
  const isJoined = joining !== undefined && joining === editor.joining;
  const past = isJoined ? editor.past : [...editor.past.slice(-(kMostSteps - 1)), editor.document];
  return { document, selection, past, future: [], joining };
}

function added(editor: Editor, { task, at, from }: Extract<Action, { type: 'add' }>): Editor {
  if (taskOf(editor.document, task.id)) return editor;
  const document = withTask(editor.document, task, at);
  return changed(editor, from ? { ...document, dataflows: [...document.dataflows, from] } : document, { selection: { tasks: [task.id], edges: [] } });
}

function connected(editor: Editor, edge: DataflowJson): Editor {
  const { document } = editor;
  const id = edgeId(edge);
  const isWhole = taskOf(document, edge.sourceTaskId) && taskOf(document, edge.targetTaskId);
  if (!isWhole || document.dataflows.some((each) => edgeId(each) === id)) return editor;
  return changed(editor, { ...document, dataflows: [...document.dataflows, edge] }, { selection: { tasks: [], edges: [id] } });
}

function removed(editor: Editor, { tasks, edges }: { tasks: readonly string[]; edges: readonly string[] }): Editor {
  const { document } = editor;
  const next = without(document, tasks, edges);
  if (next.tasks.length === document.tasks.length && next.dataflows.length === document.dataflows.length) return editor;
  return changed(editor, next, { selection: kNothing });
}

function withValue(editor: Editor, id: string, place: 'defaults' | 'config', name: string, value: unknown): Editor {
  const task = taskOf(editor.document, id);
  if (!task || Object.is(own(task[place], name), value)) return editor;
  const next = withTaskChanged(editor.document, id, (before) => {
    const { [place]: former = {}, ...rest } = before;
    const { [name]: _, ...others } = former;
    const values = value === undefined ? others : { ...others, [name]: value };
    return (Object.keys(values).length > 0 ? { ...rest, [place]: values } : rest) as TaskGraphItemJson;
  });
  return changed(editor, next, { joining: `${place} ${id} ${name}` });
}

const own = (values: Record<string, unknown> | undefined, name: string): unknown => (values && Object.hasOwn(values, name) ? values[name] : undefined);

function undone(editor: Editor): Editor {
  const document = editor.past.at(-1);
  if (!document) return editor;
  return { document, past: editor.past.slice(0, -1), future: [editor.document, ...editor.future], selection: still(document, editor.selection), joining: undefined };
}

function redone(editor: Editor): Editor {
  const [document, ...future] = editor.future;
  if (!document) return editor;
  return { document, past: [...editor.past, editor.document], future, selection: still(document, editor.selection), joining: undefined };
}

/** What of a selection is still there. */
function still(document: GraphDocument, { tasks, edges }: Selection): Selection {
  const ids = new Set(document.tasks.map(({ id }) => id));
  const flows = new Set(document.dataflows.map(edgeId));
  return { tasks: tasks.filter((id) => ids.has(id)), edges: edges.filter((id) => flows.has(id)) };
}

const sameList = (one: readonly string[], other: readonly string[]): boolean => one.length === other.length && one.every((id, at) => id === other[at]);
export const sameSelection = (one: Selection, other: Selection): boolean => sameList(one.tasks, other.tasks) && sameList(one.edges, other.edges);
