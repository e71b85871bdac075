/**
 * The kinds of nodes that can be drawn, and which ports a drawn one has.
 *
 * Invariant: a node whose kind is unknown, or whose config its kind refuses, is still drawn: with the ports that its
 * edges name, and with what is wrong.
 */
import { createTaskFromGraphJSON, type DataflowJson, type JsonSchema, type JsonSchemaObject, type Task, type TaskGraphItemJson, type TaskGraphJson, type TaskRegistry } from 'holdfast/graph';

export const kErrorPort = '[error]';
export const kAllPorts = '*';
/** Of nodes that take whatever comes: drawing an edge there makes a port. */
export const kNewPort = '+';

/** What travels through a port, as colours and words tell them apart. */
export type PortKind = 'text' | 'number' | 'boolean' | 'list' | 'object' | 'file' | 'any' | 'error';

export interface Port {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly kind: PortKind;
  readonly isRequired: boolean;
}

export interface Ports {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly takesAny: boolean;
  readonly givesAny: boolean;
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema;
  /** Why it can't be made, where it can't. */
  readonly problem: string | undefined;
}

export interface NodeKind {
  readonly type: string;
  readonly category: string;
  readonly title: string;
  readonly description: string;
  readonly configSchema: JsonSchema;
}

export class Catalog {
  readonly #registry: TaskRegistry;
  readonly #offered: readonly string[];
  /** Items are never changed in place, so what was found for one stays true. */
  readonly #known = new WeakMap<TaskGraphItemJson, Ports>();

  /** @param offered types of the palette, in its order; others may still stand in a document */
  constructor(registry: TaskRegistry, offered: readonly string[]) {
    this.#registry = registry;
    this.#offered = offered;
  }

  get offered(): NodeKind[] {
    return this.#offered.flatMap((type) => this.kindOf(type) ?? []);
  }

  /** All that may stand in a document. */
  get types(): string[] {
    return [...this.#registry.all.keys()];
  }

  kindOf(type: string): NodeKind | undefined {
    const Class = this.#registry.getTask(type) as (typeof Task & { configSchema(): JsonSchema }) | undefined;
    return Class && { type, category: Class.category, title: Class.title || type, description: Class.description, configSchema: Class.configSchema() };
  }

  /** What comes in goes out under the same name. */
  isPassing(type: string): boolean {
    const Class = this.#registry.getTask(type) as typeof Task | undefined;
    return Class?.passthroughInputsToOutputs === true;
  }

  portsOf(item: TaskGraphItemJson): Ports {
    const known = this.#known.get(item);
    if (known) return known;
    const ports = this.#read(item);
    this.#known.set(item, ports);
    return ports;
  }

  #read(item: TaskGraphItemJson): Ports {
    try {
      // Without values of this page (files) and without its subgraph, unless its ports come from that.
      const task = createTaskFromGraphJSON(item, { registry: this.#registry, isDefined: () => false });
      return portsBy(task.inputSchema(), task.outputSchema(), undefined);
    } catch (error) {
      const Class = this.#registry.getTask(item.type) as typeof Task | undefined;
      const problem = error instanceof Error ? error.message : String(error);
      return Class ? portsBy(Class.inputSchema(), Class.outputSchema(), problem) : portsBy(false, false, problem);
    }
  }
}

function portsBy(inputSchema: JsonSchema, outputSchema: JsonSchema, problem: string | undefined): Ports {
  return { inputs: listed(inputSchema), outputs: listed(outputSchema), takesAny: isOpen(inputSchema), givesAny: isOpen(outputSchema), inputSchema, outputSchema, problem };
}

export const isSchemaObject = (schema: unknown): schema is JsonSchemaObject => typeof schema === 'object' && schema !== null && !Array.isArray(schema);
const isOpen = (schema: JsonSchema): boolean => schema === true || (isSchemaObject(schema) && schema.additionalProperties === true);
/** Values that are given at the start of a run, or are always the same, and what a kind keeps for itself: no port to draw an edge to. */
const isHidden = (name: string, schema: JsonSchema): boolean => name.startsWith('_') || (isSchemaObject(schema) && schema['x-ui-hidden'] === true);

function listed(schema: JsonSchema): Port[] {
  if (!isSchemaObject(schema) || !schema.properties) return [];
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties).filter(([name, each]) => !isHidden(name, each)).map(([name, each]) => portOf(name, each, required.has(name)));
}

export const portOf = (name: string, schema: JsonSchema, isRequired = false): Port => ({ name, schema, kind: kindOfSchema(schema), isRequired });

export function kindOfSchema(schema: JsonSchema | undefined): PortKind {
  if (!isSchemaObject(schema)) return 'any';
  if (schema.format === 'file' || schema.format?.startsWith('file:')) return 'file';
  const { type } = schema;
  if (type === 'string') return 'text';
  if (type === 'number' || type === 'integer') return 'number';
  if (type === 'boolean') return 'boolean';
  if (type === 'array') return 'list';
  if (type === 'object') return 'object';
  return 'any';
}

export interface Edges {
  readonly incoming: readonly DataflowJson[];
  readonly outgoing: readonly DataflowJson[];
}

const kNoEdges: Edges = { incoming: [], outgoing: [] };
const grouped = new WeakMap<readonly DataflowJson[], Map<string, { incoming: DataflowJson[]; outgoing: DataflowJson[] }>>();

/** Of one node. Grouped once for each list of edges. */
export function edgesOf({ dataflows }: Pick<TaskGraphJson, 'dataflows'>, id: string): Edges {
  let known = grouped.get(dataflows);
  if (!known) {
    known = new Map();
    const of = (task: string) => known!.get(task) ?? known!.set(task, { incoming: [], outgoing: [] }).get(task)!;
    for (const edge of dataflows) {
      of(edge.sourceTaskId).outgoing.push(edge);
      of(edge.targetTaskId).incoming.push(edge);
    }
    grouped.set(dataflows, known);
  }
  return known.get(id) ?? kNoEdges;
}

/** The ports that a node shows: those it has, and those that its edges name. */
export function shownPorts(document: Pick<TaskGraphJson, 'dataflows'>, catalog: Catalog, item: TaskGraphItemJson): Ports {
  const ports = catalog.portsOf(item);
  const { incoming, outgoing } = edgesOf(document, item.id);
  const named = (ends: readonly string[], known: readonly Port[], schema: JsonSchema): Port[] => [
    ...known,
    ...[...new Set(ends)].filter((name) => name !== kErrorPort && !known.some((port) => port.name === name)).map((name) => portOf(name, schemaOfOpen(schema))),
  ];
  const passed = catalog.isPassing(item.type) ? [...incoming.map(({ targetTaskPortId }) => targetTaskPortId), ...Object.keys(item.defaults ?? {})] : [];
  const outputs = named([...passed.filter((name) => name !== kAllPorts), ...outgoing.map(({ sourceTaskPortId }) => sourceTaskPortId)], ports.outputs, ports.outputSchema);
  const isWholeNamed = outputs.some(({ name }) => name === kAllPorts);
  return {
    ...ports,
    inputs: named(incoming.map(({ targetTaskPortId }) => targetTaskPortId), ports.inputs, ports.inputSchema),
    outputs: ports.givesAny && !isWholeNamed ? [...outputs, portOf(kAllPorts, true)] : outputs,
  };
}

const schemaOfOpen = (schema: JsonSchema): JsonSchema => (isSchemaObject(schema) && isSchemaObject(schema.additionalProperties) ? schema.additionalProperties : true);

/** A port of its own for an edge from `from`: `pages`, `pages_2`, … */
export function newPortName(document: TaskGraphJson, targetTaskId: string, from: string): string {
  const taken = new Set(document.dataflows.filter((edge) => edge.targetTaskId === targetTaskId).map(({ targetTaskPortId }) => targetTaskPortId));
  const stem = from === kErrorPort ? 'error' : from === kAllPorts ? 'value' : from;
  if (!taken.has(stem)) return stem;
  let number = 2;
  while (taken.has(`${stem}_${number}`)) number++;
  return `${stem}_${number}`;
}

/** `+` is where a person lets go; the edge goes to a port. Everything (`*`) into a node that takes everything stays so. */
export function landed(document: TaskGraphJson, edge: DataflowJson): DataflowJson {
  if (edge.targetTaskPortId !== kNewPort) return edge;
  const isWhole = edge.sourceTaskPortId === kAllPorts || edge.sourceTaskPortId === kErrorPort;
  return { ...edge, targetTaskPortId: isWhole ? kAllPorts : newPortName(document, edge.targetTaskId, edge.sourceTaskPortId) };
}
