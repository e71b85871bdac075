/**
 * A graph, made ready to run: nodes in an order in which sources come first, with what each waits for.
 *
 * Invariants: made once for each version of a graph's structure; between two nodes there is one edge of the core for
 * each kind, however many dataflows lead from one to the other.
 */
import type { Vertex } from './dag.ts';
import type { Dataflow } from './dataflow.ts';
import { DefinitionTask } from './function-task.ts';
import { defaultsOf, requiredPorts } from './schema.ts';
import type { Task } from './task.ts';
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
  readonly defaults: Readonly<Record<string, any>> | undefined;
  readonly required: readonly string[];
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
  if (known && known.version === graph.version) return known;
  const vertices = graph.sorted();
  const byId = new Map<string, PlanNode>();
  const nodes = vertices.map((vertex, index) => {
    const node = nodeOf(vertex, index);
    byId.set(node.id, node);
    return node;
  });
  for (const [index, vertex] of vertices.entries()) connect(nodes[index]!, vertex, byId);
  const plan = { graph, version: graph.version, nodes, byId };
  plans.set(graph, plan);
  return plan;
}

type Writable<Each> = { -readonly [Name in keyof Each]: Each[Name] };

function nodeOf({ node: task, place, outgoing, incoming }: Vertex<AnyTask, Dataflow>, index: number): PlanNode {
  const schema = task.inputSchema();
  const defaults = defaultsOf(schema);
  const own = task.defaults;
  return {
    index, id: task.id, task, place,
    incoming: incoming.length > 1 ? [...incoming].sort((one, other) => (one.id < other.id ? -1 : 1)) : incoming,
    outgoing, sources: none, targets: none,
    definitionId: task instanceof DefinitionTask ? task.definitionId : undefined,
    handlesError: outgoing.some(({ isError }) => isError),
    defaults: isEmpty(own) ? defaults : { ...defaults, ...own },
    required: requiredPorts(schema),
  };
}

function connect(node: Writable<PlanNode>, vertex: Vertex<AnyTask, Dataflow>, byId: ReadonlyMap<string, PlanNode>): void {
  if (node.incoming.length > 0) node.sources = node.incoming.map(({ sourceTaskId }) => byId.get(sourceTaskId)!);
  if (node.outgoing.length > 0) node.targets = vertex.outgoing.map(({ targetTaskId }) => byId.get(targetTaskId)!);
}

export function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}
