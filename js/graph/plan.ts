/**
 * A graph, made ready to run: nodes in an order in which sources come first, with what each waits for.
 *
 * Invariants: made once for each version of a graph's structure, as long as what its tasks take is the same, and never changed; between two nodes there is one edge of the core for
 * each kind, however many dataflows lead from one to the other.
 */
import type { Vertex } from './dag.ts';
import { DATAFLOW_ALL_PORTS, type Dataflow } from './dataflow.ts';
import { DefinitionTask } from './function-task.ts';
import type { JsonSchema } from './ports.ts';
import { defaultsOf, requiredPorts } from './schema.ts';
import { isForLists, type Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';

type AnyTask = Task<any, any, any>;

export interface PlanNode {
  readonly index: number;
  readonly id: string;
  readonly task: AnyTask;
  /** When it was added to the graph, among the others. */
  readonly place: number;
  /** Sorted by their ids, which is the order in which values come. */
  readonly incoming: readonly Dataflow[];
  /** Of each of those. */
  readonly sources: readonly PlanNode[];
  readonly outgoing: readonly Dataflow[];
  readonly targets: readonly PlanNode[];
  /** It is a task of holdfast, not of a graph. */
  readonly definitionId: string | undefined;
  /** A failure of it goes on along an edge. */
  readonly handlesError: boolean;
  /** It leads to nothing but where its failure leads. */
  readonly isLeaf: boolean;
  readonly defaults: Readonly<Record<string, any>> | undefined;
  /** Those of the task itself, as they were. */
  readonly own: Readonly<Record<string, any>> | undefined;
  readonly required: readonly string[];
  /** Several edges may bring to one port. */
  readonly joins: boolean;
  /** Some of its ports are for lists. */
  readonly hasLists: boolean;
  /** Some of its input ports say how they grow, and its code reads them piece by piece. */
  readonly takesStreams: boolean;
  /** It is switched off. */
  readonly isDisabled: boolean;
  /** Nodes on the longest way from here on, itself among them; 0: all ways through the graph are equally long. */
  readonly height: number;
}

export interface Plan {
  readonly graph: TaskGraph;
  readonly version: number;
  readonly nodes: readonly PlanNode[];
  readonly byId: ReadonlyMap<string, PlanNode>;
}

const plans = new WeakMap<TaskGraph, Plan>();
const none: readonly never[] = Object.freeze([]);

export function planOf(graph: TaskGraph): Plan {
  const known = plans.get(graph);
  if (known && known.version === graph.version && known.nodes.every(isAsItWas)) return known;
  const vertices = graph.sorted();
  const byId = new Map<string, PlanNode>();
  const nodes: PlanNode[] = [];
  for (let index = 0; index < vertices.length; index++) {
    const node = nodeOf(vertices[index]!, index);
    nodes.push(node);
    byId.set(node.id, node);
  }
  const depths = new Uint32Array(nodes.length);
  for (let index = 0; index < vertices.length; index++) connect(nodes[index]!, vertices[index]!, nodes, depths);
  measure(nodes, depths);
  const plan = { graph, version: graph.version, nodes, byId };
  plans.set(graph, plan);
  return plan;
}

/** Those whose outputs are what the graph gives: that lead to nothing but where their failure leads, or the marked ones of them. */
export function leavesOf({ nodes }: Plan): PlanNode[] {
  const leaves = nodes.filter((node) => node.isLeaf);
  const marked = leaves.filter(({ task }) => (task.constructor as { isGraphOutput?: boolean }).isGraphOutput);
  return marked.length > 0 ? marked : leaves;
}

function countErrorFlows(edges: readonly Dataflow[]): number {
  let count = 0;
  for (let at = 0; at < edges.length; at++) if (edges[at]!.isError) count++;
  return count;
}

type Writable<Each> = { -readonly [Name in keyof Each]: Each[Name] };

function nodeOf(vertex: Vertex<AnyTask, Dataflow>, index: number): PlanNode {
  const { node: task, place, outgoing, incoming } = vertex;
  vertex.isPlanned = true;
  vertex.index = index;
  const schema = task.inputSchema();
  const { defaults, hasLists, grows } = readOnce(schema);
  const errorFlows = countErrorFlows(outgoing);
  const own = isEmpty(task.defaults) ? undefined : { ...task.defaults };
  return {
    index, id: task.id, task, place,
    incoming, outgoing, sources: none, targets: none,
    definitionId: task instanceof DefinitionTask ? task.definitionId : undefined,
    handlesError: errorFlows > 0,
    isLeaf: errorFlows === outgoing.length,
    defaults: own === undefined || defaults === undefined ? (own ?? defaults) : { ...defaults, ...own },
    own,
    required: requiredPorts(schema),
    joins: incoming.length > 1 && meet(incoming),
    hasLists,
    takesStreams: grows && (task.constructor as typeof Task).takesStreams,
    isDisabled: task.isDisabled,
    height: 0,
  };
}

/** Defaults may be set between two runs, and ports that follow a config or a graph may be others: no edge tells of that. */
function isAsItWas({ task, isDisabled, own = noDefaults }: PlanNode): boolean {
  if ((task.constructor as typeof Task).hasDynamicSchemas || task.isDisabled !== isDisabled) return false;
  const { defaults } = task;
  for (const port in defaults) if (defaults[port] !== own[port]) return false;
  for (const port in own) if (!(port in defaults)) return false;
  return true;
}
const noDefaults: Readonly<Record<string, any>> = Object.freeze({});
interface ReadSchema {
  readonly defaults: Readonly<Record<string, any>> | undefined;
  readonly hasLists: boolean;
  /** Some port says how it grows. */
  readonly grows: boolean;
}

/** Many nodes are of one class, and have one schema. */
const schemas = new WeakMap<object, ReadSchema>();

const nothing: ReadSchema = { defaults: undefined, hasLists: false, grows: false };
let last: { readonly schema: JsonSchema; readonly read: ReadSchema } = { schema: true, read: nothing };

function readOnce(schema: JsonSchema): ReadSchema {
  if (schema === last.schema) return last.read;
  if (typeof schema === 'boolean') return nothing;
  let read = schemas.get(schema);
  if (!read) {
    const { properties = {}, additionalProperties } = schema;
    read = { defaults: defaultsOf(schema), hasLists: isForLists(additionalProperties) || Object.values(properties).some(isForLists), grows: Object.values(properties).some(saysGrowth) };
    schemas.set(schema, read);
  }
  last = { schema, read };
  return read;
}

const saysGrowth = (port: JsonSchema): boolean => typeof port === 'object' && port['x-stream'] !== undefined;

/** Edges by their ids, each with its source. Few at once: what the language's own does for such costs more than the nodes themselves. */
function sortByIds(edges: Dataflow[], sources: PlanNode[]): void {
  if (edges.length > 16) return sortMany(edges, sources);
  for (let at = 1; at < edges.length; at++) {
    const edge = edges[at]!;
    const source = sources[at]!;
    let place = at;
    for (; place > 0 && isLater(edges[place - 1]!, edge); place--) {
      edges[place] = edges[place - 1]!;
      sources[place] = sources[place - 1]!;
    }
    edges[place] = edge;
    sources[place] = source;
  }
}

/** In the order of their ids, which are long texts put together: sources that are equally long say it already. */
function isLater(one: Dataflow, other: Dataflow): boolean {
  const { sourceTaskId: source } = one;
  const { sourceTaskId: otherSource } = other;
  return source !== otherSource && source.length === otherSource.length ? source > otherSource : one.id > other.id;
}

function sortMany(edges: Dataflow[], sources: PlanNode[]): void {
  const pairs = edges.map((edge, at) => ({ edge, source: sources[at]! })).sort((one, other) => (isLater(one.edge, other.edge) ? 1 : -1));
  for (const [at, { edge, source }] of pairs.entries()) {
    edges[at] = edge;
    sources[at] = source;
  }
}

/** Two bring to one port, or one to any. */
function meet(edges: readonly Dataflow[]): boolean {
  if (edges.length > 16) return true;
  for (let at = 0; at < edges.length; at++) {
    const port = edges[at]!.targetTaskPortId;
    if (port === DATAFLOW_ALL_PORTS) return true;
    for (let other = 0; other < at; other++) if (edges[other]!.targetTaskPortId === port) return true;
  }
  return false;
}

function connect(node: Writable<PlanNode>, vertex: Vertex<AnyTask, Dataflow>, nodes: readonly PlanNode[], depths: Uint32Array): void {
  const { incoming, outgoing } = vertex;
  if (incoming.length > 0) {
    const edges = incoming.slice();
    const sources = planned(vertex.sources, nodes);
    if (edges.length > 1) sortByIds(edges, sources);
    node.incoming = edges;
    node.sources = sources;
  }
  if (outgoing.length > 0) {
    const targets = planned(vertex.targets, nodes);
    node.targets = targets;
    deepen(targets, depths[node.index]! + 1, depths);
    // One that is switched off leads nothing on.
    if (node.handlesError) node.handlesError = outgoing.some((edge, at) => edge.isError && !targets[at]!.isDisabled);
  }
}

/** An edge's place among those of its vertex is its end's among the ends. */
function planned(vertices: readonly Vertex<AnyTask, Dataflow>[], nodes: readonly PlanNode[]): PlanNode[] {
  const found: PlanNode[] = new Array(vertices.length);
  for (let at = 0; at < vertices.length; at++) found[at] = nodes[vertices[at]!.index]!;
  return found;
}

/** REQUIRES: its sources were here before, as the order of nodes has it. */
function deepen(targets: readonly PlanNode[], depth: number, depths: Uint32Array): void {
  for (let at = 0; at < targets.length; at++) {
    const { index } = targets[at]!;
    if (depths[index]! < depth) depths[index] = depth;
  }
}

/** The core's bound; deeper down nobody is told apart. */
const highest = 2 ** 20 - 1;

/** Heights, where there is something to choose: some way through the graph is shorter than another. By index: a first run is not optimised yet, and an iterator gives an object for each edge. */
function measure(nodes: readonly Writable<PlanNode>[], depths: Uint32Array): void {
  let [isEven, longest] = [true, 0];
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index]!;
    let below = 0;
    const { targets } = node;
    for (let at = 0; at < targets.length; at++) if (targets[at]!.height > below) below = targets[at]!.height;
    node.height = Math.min(below + 1, highest);
    longest ||= depths[index]! + node.height;
    isEven &&= depths[index]! + node.height === longest;
  }
  if (isEven) for (const node of nodes) node.height = 0;
}

export function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}
