/**
 * A graph as nodes and edges of React Flow (`@xyflow/react`), and back. Plain objects of its shape: nothing of it is
 * needed here.
 *
 * Invariant: what is made of a document, and moved, connected and deleted in React Flow, comes back as a document that
 * keeps all that was not touched.
 */
import { DATAFLOW_ALL_PORTS, DATAFLOW_ERROR_PORT, Dataflow } from './dataflow.ts';
import { type GraphLayout, type GraphLayoutOptions, layoutDocument } from './document.ts';
import { TaskConfigurationError, TaskJSONError } from './errors.ts';
import { TaskGraph } from './task-graph.ts';
import type { DataflowJson, TaskGraphItemJson, TaskGraphJson } from './types.ts';

/** In pixels, of the upper left corner. */
export interface NodePosition {
  readonly x: number;
  readonly y: number;
}

/** `Node` of `@xyflow/react`, as far as it is filled. */
export interface ReactFlowNode {
  id: string;
  position: { x: number; y: number };
  /** Key of `nodeTypes`. */
  type?: string;
  data: {
    /** Its title, or its id. */
    label: string;
    /** As it stands in the document. */
    task: TaskGraphItemJson;
    [more: string]: unknown;
  };
  [more: string]: unknown;
}

/** `Edge` of `@xyflow/react`, as far as it is filled. */
export interface ReactFlowEdge {
  /** `source[port] ==> target[port]` */
  id: string;
  source: string;
  target: string;
  /** The port, which is the id of its handle. */
  sourceHandle?: string | null;
  targetHandle?: string | null;
  data?: { dataflow?: DataflowJson; isError?: boolean; [more: string]: unknown };
  [more: string]: unknown;
}

export interface ReactFlowOptions {
  /**
   * Where nodes stand: by ids, or what `layoutDocument` gave. Default: the `layout` that the document has, and for tasks
   * that this says nothing of their place in the layers.
   */
  readonly layout?: Readonly<Record<string, NodePosition>> | readonly GraphLayout[];
  /** Of nodes that get their place by this, in pixels. */
  readonly sizes?: GraphLayoutOptions['sizes'];
  /** Keys of `nodeTypes` and `edgeTypes`, one for all or by task or edge. Default: React Flow's own. */
  readonly nodeType?: string | ((task: TaskGraphItemJson) => string | undefined);
  readonly edgeType?: string | ((dataflow: DataflowJson) => string | undefined);
}

/**
 * Nodes and edges for `<ReactFlow nodes={nodes} edges={edges} />`. A graph in a task stays in `data.task.subgraph`.
 * @throws TaskSerializationError where a graph has no document, TaskJSONError where a document can't be drawn, CoreLoadError
 */
export async function toReactFlow(given: TaskGraph | TaskGraphJson, options: ReactFlowOptions = {}): Promise<{ nodes: ReactFlowNode[]; edges: ReactFlowEdge[] }> {
  const document = given instanceof TaskGraph ? given.toJSON() : given;
  const known = placesOf(options.layout ?? document.layout);
  const isPlaced = document.tasks.every(({ id }) => known.has(id));
  const layers = isPlaced ? undefined : placesOf(await layersOf(document, options));
  return reactFlowElements(document, { ...options, layout: Object.fromEntries(document.tasks.map(({ id }) => [id, known.get(id) ?? layers?.get(id) ?? origin])) });
}

/** As `toReactFlow`, at once: tasks without a place stand at 0, 0. */
export function reactFlowElements({ tasks, dataflows, layout }: TaskGraphJson, options: ReactFlowOptions = {}): { nodes: ReactFlowNode[]; edges: ReactFlowEdge[] } {
  const places = placesOf(options.layout ?? layout);
  const nodes = tasks.map((task): ReactFlowNode => {
    const type = named(options.nodeType, task);
    const title = task.config?.['title'] ?? task.config?.['name'];
    return { id: task.id, position: { ...(places.get(task.id) ?? origin) }, ...(type !== undefined && { type }), data: { label: typeof title === 'string' && title !== '' ? title : task.id, task } };
  });
  const edges = dataflows.map((dataflow): ReactFlowEdge => {
    const { sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId } = dataflow;
    const type = named(options.edgeType, dataflow);
    return {
      id: Dataflow.createId(sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId),
      source: sourceTaskId, target: targetTaskId, sourceHandle: sourceTaskPortId, targetHandle: targetTaskPortId, ...(type !== undefined && { type }),
      data: { dataflow, isError: sourceTaskPortId === DATAFLOW_ERROR_PORT },
    };
  });
  return { nodes, edges };
}

/**
 * The document that nodes and edges of React Flow stand for, with `layout` of where the nodes stand. A node that was
 * added there needs `data.task`; an edge that was drawn there leads from its handles, or from and to everything (`*`).
 * @param base keys of the document beside its tasks and dataflows
 * @throws TaskConfigurationError of a node without `data.task`
 */
export function fromReactFlow({ nodes, edges }: { readonly nodes: readonly ReactFlowNode[]; readonly edges: readonly ReactFlowEdge[] }, base: Partial<TaskGraphJson> = {}): TaskGraphJson {
  const tasks = nodes.map(({ id, data }) => {
    if (typeof data?.task?.type !== 'string') throw new TaskConfigurationError(`fromReactFlow: node ${JSON.stringify(id)} has no data.task with a type. Give what it stands for: data: { label, task: { id, type } }.`);
    return data.task.id === id ? data.task : { ...data.task, id };
  });
  const dataflows = edges.map(({ source, target, sourceHandle, targetHandle, data }): DataflowJson => {
    const ends = { sourceTaskId: source, sourceTaskPortId: sourceHandle ?? DATAFLOW_ALL_PORTS, targetTaskId: target, targetTaskPortId: targetHandle ?? DATAFLOW_ALL_PORTS };
    return { ...data?.dataflow, ...ends };
  });
  return { ...base, tasks, dataflows, layout: Object.fromEntries(nodes.map(({ id, position: { x, y } }) => [id, { x, y }])) };
}

const origin: NodePosition = { x: 0, y: 0 };

const named = <Given>(name: string | ((given: Given) => string | undefined) | undefined, given: Given): string | undefined => (typeof name === 'function' ? name(given) : name);

/** What stands at a place that is none is left out. */
function placesOf(layout: unknown): Map<string, NodePosition> {
  if (Array.isArray(layout)) return new Map((layout as GraphLayout[]).map(({ id, x, y }) => [id, { x, y }]));
  const places = new Map<string, NodePosition>();
  for (const [id, at] of Object.entries((layout ?? {}) as Record<string, Partial<NodePosition> | undefined>)) if (Number.isFinite(at?.x) && Number.isFinite(at?.y)) places.set(id, { x: at!.x!, y: at!.y! });
  return places;
}

/** @throws TaskJSONError */
async function layersOf(document: TaskGraphJson, { sizes }: ReactFlowOptions): Promise<readonly GraphLayout[]> {
  const { tasks, dataflows } = document;
  const { places, issues } = await layoutDocument({ tasks: tasks.map(({ id, type }) => ({ id, type })), dataflows }, {}, sizes && { sizes });
  if (places) return places;
  const { pointer, message } = issues.find(({ severity }) => severity === 'error')!;
  throw new TaskJSONError(`toReactFlow: the document can't be drawn: ${pointer || 'at its top'}: ${message}`, { data: { issues } });
}
