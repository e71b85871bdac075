/**
 * What a node gets: values of ports, put together.
 *
 * Invariants: the order is defaults, the graph's input, edges by their ids; the later counts, but at ports for lists,
 * where the values of several edges are joined; a value is passed as it is, and only what holds them is new.
 */
import { DATAFLOW_ALL_PORTS, type Dataflow } from './dataflow.ts';
import type { PlanNode } from './plan.ts';
import { portOf } from './schema.ts';
import { takesLists } from './task.ts';
import { applyTransforms, TransformError } from './transforms.ts';
import type { TaskInput } from './types.ts';

export interface Carrier {
  /** Of an edge: what it carries, as it leaves its source; undefined: it is not active. */
  carried(edge: Dataflow, source: PlanNode): { readonly value: any } | undefined;
}

/** @throws what a transform throws */
export function assemble(node: PlanNode, input: TaskInput | undefined, matchAll: boolean, carrier: Carrier): Record<string, any> {
  const given: Record<string, any> = node.defaults ? { ...node.defaults } : {};
  const { incoming } = node;
  if (input && (incoming.length === 0 || (matchAll && lacks(node, given)))) for (const [port, value] of taken(node, input)) bring(given, port, value);
  if (node.joins) return join(node, given, carrier);
  for (let at = 0; at < incoming.length; at++) {
    const edge = incoming[at]!;
    const arrived = carrier.carried(edge, node.sources[at]!);
    if (!arrived) continue;
    if (edge.targetTaskPortId !== DATAFLOW_ALL_PORTS) put(node, given, edge.targetTaskPortId, arrived.value, false);
    else if (typeof arrived.value === 'object' && arrived.value !== null) for (const [name, value] of taken(node, arrived.value)) put(node, given, name, value, false);
  }
  return given;
}

function join(node: PlanNode, given: Record<string, any>, carrier: Carrier): Record<string, any> {
  const filled = new Set<string>();
  const fill = (port: string, value: unknown): void => {
    put(node, given, port, value, filled.has(port));
    filled.add(port);
  };
  for (const [at, edge] of node.incoming.entries()) {
    const arrived = carrier.carried(edge, node.sources[at]!);
    if (!arrived) continue;
    if (edge.targetTaskPortId !== DATAFLOW_ALL_PORTS) fill(edge.targetTaskPortId, arrived.value);
    else if (typeof arrived.value === 'object' && arrived.value !== null) for (const [port, value] of taken(node, arrived.value)) fill(port, value);
  }
  return given;
}

/** Of a port, and of nothing that every object has. */
export function portValue(output: any, port: string): any {
  return typeof output === 'object' && output !== null && Object.hasOwn(output, port) ? output[port] : undefined;
}

/** As a port, whatever its name is: `__proto__` would be what the inputs inherit from. */
function bring(given: Record<string, any>, port: string, value: unknown): void {
  if (port === '__proto__') Object.defineProperty(given, port, { value, configurable: true, enumerable: true, writable: true });
  else given[port] = value;
}

/** What leaves the source, on its way through the edge. */
export function along(edge: Dataflow, output: any): any {
  const { sourceTaskPortId: port } = edge;
  const value = port === DATAFLOW_ALL_PORTS || edge.isError ? output : portValue(output, port);
  const transforms = edge.getTransforms();
  return transforms.length === 0 ? value : transformed(edge, value);
}

/** @throws TransformError that names the edge */
function transformed(edge: Dataflow, value: any): unknown {
  try {
    return applyTransforms(value, edge.getTransforms());
  } catch (error) {
    if (!(error instanceof TransformError)) throw error;
    const { cause } = error;
    throw new TransformError(`Edge ${edge.id}: ${error.message}`, { cause, data: { ...(error.data as object), dataflowId: edge.id } });
  }
}

/** Of a whole, what the task's ports take: others may be meant with the rest. */
function taken({ task }: PlanNode, whole: Record<string, any>): [port: string, value: any][] {
  const schema = task.inputSchema();
  const isClosed = typeof schema === 'object' && schema.additionalProperties === false;
  return isClosed ? Object.entries(whole).filter(([port]) => portOf(schema, port) !== undefined) : Object.entries(whole);
}

function lacks({ required, incoming }: PlanNode, given: Record<string, any>): boolean {
  return required.some((port) => given[port] === undefined && !incoming.some((edge) => edge.targetTaskPortId === port || edge.targetTaskPortId === DATAFLOW_ALL_PORTS));
}

function put(node: PlanNode, given: Record<string, any>, port: string, value: unknown, isSecond: boolean): void {
  if (value === undefined) return;
  if (!isSecond && !node.hasLists) return bring(given, port, value);
  const former = isSecond ? given[port] : undefined;
  if (!takesLists(node.task, port, former)) bring(given, port, value);
  else {
    const list = Array.isArray(value) ? value : [value];
    bring(given, port, former === undefined ? [...list] : [...(Array.isArray(former) ? former : [former]), ...list]);
  }
}
