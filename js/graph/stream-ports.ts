/**
 * Along which edges an output goes piece by piece, and why not along the others. Both ends have to say that they grow in the
 * same way; along every other edge goes the whole, when it is there.
 *
 * Invariant: pure; it depends on the graph alone, so after a crash the same edges lead pieces.
 */
import { DATAFLOW_ALL_PORTS, type Dataflow } from './dataflow.ts';
import { TaskConfigurationError } from './errors.ts';
import { isSchemaObject } from './ports.ts';
import { type Plan, type PlanNode, planOf } from './plan.ts';
import { type JsonSchema, portOf } from './schema.ts';
import type { StreamEvent } from './events.ts';
import { type ExecuteContext, isForLists, Task } from './task.ts';
import type { TaskGraph } from './task-graph.ts';
import type { TaskIdType } from './types.ts';

/** `append`: text; `object`: fields, and elements of lists by their id; `replace`: whole values. */
export type StreamMode = 'append' | 'replace' | 'object' | 'none';

/** How pieces go along an edge; or `none`, and why. */
export type EdgeStream = { readonly mode: Exclude<StreamMode, 'none'> } | { readonly mode: 'none'; readonly why: string };

/** What gives its output by pieces. */
export interface Streaming {
  executeStream(input: any, context: ExecuteContext): AsyncIterable<StreamEvent>;
}

/** How a port grows. */
export function portStreamMode(schema: JsonSchema, port: string): StreamMode {
  const found = portOf(schema, port);
  const mode = isSchemaObject(found) ? found['x-stream'] : undefined;
  return mode === 'append' || mode === 'replace' || mode === 'object' ? mode : 'none';
}

const whole = (why: string): EdgeStream => ({ mode: 'none', why });

/** Of each edge into a node, in the order of `incoming`. */
export function streamsInto(node: PlanNode): readonly EdgeStream[] {
  const alone = node.incoming.map((edge, at) => edgeAlone(edge, node.sources[at]!, node));
  const atPorts = alone.map((found, at) => (found.mode === 'none' ? found : (portShared(node, at, found.mode) ?? found)));
  return atPorts.map((found, at) => (found.mode === 'none' ? found : (heldBack(node, at, atPorts) ?? found)));
}

function edgeAlone(edge: Dataflow, { task: source }: PlanNode, { task: target, definitionId, takesStreams }: PlanNode): EdgeStream {
  const { sourceTaskPortId: from, targetTaskPortId: to } = edge;
  if (edge.isError) return whole('what a failure gives is there at once.');
  if (from === DATAFLOW_ALL_PORTS || to === DATAFLOW_ALL_PORTS) return whole('* is all ports, and pieces are of one.');
  if (!source.givesStreams) return whole(`task ${source.id} (${source.type}) gives its output at once: neither it nor the one leaf of its graph has an executeStream.`);
  const [gives, takes] = [portStreamMode(source.outputSchema(), from), portStreamMode(target.inputSchema(), to)];
  if (gives === 'none') return whole(`output port ${from} of ${source.id} does not say how it grows ('x-stream').`);
  if (takes === 'none') return whole(`input port ${to} of ${target.id} does not say how it grows ('x-stream').`);
  if (gives !== takes) return whole(`output port ${from} of ${source.id} grows by ${gives}, input port ${to} of ${target.id} takes ${takes}.`);
  if (definitionId !== undefined) return whole(`${target.id} is a task of holdfast (${definitionId}), whose input is stored when it begins.`);
  if (!takesStreams) return whole(`task ${target.id} (${target.type}) reads no streams.`);
  if (source.inactivePorts !== Task.prototype.inactivePorts) return whole(`which ports of ${source.id} give something is known from its whole output.`);
  if (gives !== 'replace' && edge.getTransforms().length > 0) return whole(`its transforms work on the whole value; pieces of port ${from} (${gives}) are parts of it.`);
  return { mode: gives };
}

/** Of several that bring text the last one counts, and which is the last is known when all have begun. */
function portShared({ incoming, task }: PlanNode, at: number, mode: StreamMode): EdgeStream | undefined {
  const { id, targetTaskPortId: port } = incoming[at]!;
  const other = incoming.find(({ targetTaskPortId, id: each }) => each !== id && (targetTaskPortId === port || targetTaskPortId === DATAFLOW_ALL_PORTS));
  if (!other || (mode === 'append' && other.targetTaskPortId === port && !isForLists(task.inputPort(port)))) return undefined;
  return whole(`edge ${other.id} leads into port ${port} too, and what comes of them together is known when both are over.`);
}

/** Another edge of the same two tasks carries what is there only when the source has ended. */
function heldBack({ incoming, sources }: PlanNode, at: number, found: readonly EdgeStream[]): EdgeStream | undefined {
  const other = sources.findIndex((source, each) => source === sources[at] && found[each]!.mode === 'none');
  return other < 0 ? undefined : whole(`edge ${incoming[other]!.id} of the same two tasks carries a whole value.`);
}

/**
 * How the pieces of each edge go, by its id.
 * @throws TaskConfigurationError of what is no graph
 */
export function streamsOf(graph: TaskGraph): ReadonlyMap<TaskIdType, EdgeStream> {
  if (typeof (graph as Partial<TaskGraph> | null)?.getTasks !== 'function') throw new TaskConfigurationError(`streamsOf takes a TaskGraph, not ${graph === null ? 'null' : typeof graph}.`);
  const { nodes }: Plan = planOf(graph);
  return new Map(nodes.flatMap((node) => streamsInto(node).map((found, at) => [node.incoming[at]!.id, found] as const)));
}
