/**
 * Which ports of a node that was just added are fed by the one before it, or by earlier ones, where nobody says so.
 *
 *   1  the same name, or `output` into `input`, and types that fit
 *   2  what is left: the same `format` or `$id`, whatever the names
 *   3  required ports that are left: 1 and 2 with earlier nodes, the nearest first
 *
 * Invariant: pure, and deterministic: ports in the order of the target's schema, candidates in that of the source's.
 */
import { semanticallyCompatible } from './compatibility.ts';
import { isSchemaObject, type JsonSchema, propertiesOf, propertyOf } from './ports.ts';
import { portOf, requiredPorts } from './schema.ts';
import type { DataflowJson } from './types.ts';

/** A node, as far as its ports are concerned. */
export interface Connectable {
  readonly id: string;
  readonly type: string;
  inputSchema(): JsonSchema;
  outputSchema(): JsonSchema;
}

export interface AutoConnectOptions {
  /** Ports that are given a value already. */
  readonly providedInputKeys?: Iterable<string>;
  /** Ports that an edge goes to already. */
  readonly connectedInputKeys?: Iterable<string>;
  /** Nodes before the source, the nearest first, for required ports that the source has nothing for. */
  readonly earlierTasks?: readonly Connectable[];
}

export interface AutoConnection {
  /** By ports of the target: the port it is fed from. */
  readonly matches: ReadonlyMap<string, string>;
  /** The same as edges, with which node each comes from. */
  readonly dataflows: readonly DataflowJson[];
  /** What is wrong, in words; undefined: nothing. */
  readonly error?: string;
  /** Required ports that nothing was found for. */
  readonly unmatchedRequired: readonly string[];
}

/** Does this output go into this input? */
type Rule = (output: string, outputSchema: JsonSchema, input: string, inputSchema: JsonSchema) => boolean;

const fits = (source: JsonSchema, target: JsonSchema): boolean => semanticallyCompatible(source, target) !== 'incompatible';
const byName: Rule = (output, outputSchema, input, inputSchema) => (output === input || (output === 'output' && input === 'input')) && fits(outputSchema, inputSchema);
const byMeaning: Rule = (_output, outputSchema, _input, inputSchema) => {
  const meant = meanings(inputSchema);
  return [...meanings(outputSchema)].some((meaning) => meant.has(meaning)) && fits(outputSchema, inputSchema);
};

/** `format` and `$id`, its own and those of its parts. */
function meanings(schema: JsonSchema): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (one: unknown) => {
    if (!isSchemaObject(one)) return;
    if (typeof one.format === 'string') found.add(`format ${one.format}`);
    if (typeof one.$id === 'string') found.add(`$id ${one.$id}`);
  };
  const addWithItems = (one: unknown) => {
    add(one);
    if (isSchemaObject(one)) add(one.items);
  };
  addWithItems(schema);
  if (isSchemaObject(schema)) for (const part of [...listOf(schema.anyOf), ...listOf(schema.oneOf)]) addWithItems(part);
  return found;
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** @see the head of this file */
export function autoConnect(source: Connectable, target: Connectable, options: AutoConnectOptions = {}): AutoConnection {
  const connection = new Connecting(target, options);
  connection.from(source, connection.openPorts(source));
  for (const earlier of options.earlierTasks ?? []) {
    const missing = connection.missing();
    if (missing.length === 0) break;
    connection.from(earlier, missing);
  }
  return connection.found(source);
}

class Connecting {
  readonly #target: Connectable;
  readonly #inputs: JsonSchema;
  readonly #provided: ReadonlySet<string>;
  readonly #connected: ReadonlySet<string>;
  readonly #dataflows = new Map<string, DataflowJson>();

  constructor(target: Connectable, { providedInputKeys = [], connectedInputKeys = [] }: AutoConnectOptions) {
    this.#target = target;
    this.#inputs = target.inputSchema();
    this.#provided = new Set(providedInputKeys);
    this.#connected = new Set(connectedInputKeys);
  }

  /** Those that are listed; a node that takes any takes what the source lists. */
  openPorts(source: Connectable): string[] {
    const listed = Object.keys(propertiesOf(this.#inputs));
    const takesAny = this.#inputs === true || (isSchemaObject(this.#inputs) && this.#inputs.additionalProperties === true);
    return takesAny ? [...new Set([...listed, ...Object.keys(propertiesOf(source.outputSchema()))])] : listed;
  }

  from(source: Connectable, ports: readonly string[]): void {
    const output = source.outputSchema();
    for (const rule of [byName, byMeaning]) for (const port of ports) this.#connect(source, output, port, rule);
  }

  #connect(source: Connectable, output: JsonSchema, port: string, rule: Rule): void {
    if (this.#dataflows.has(port) || this.#connected.has(port)) return;
    const wanted = portOf(this.#inputs, port)!;
    const candidates = Object.entries(propertiesOf(output)).filter(([name, schema]) => rule(name, schema, port, wanted));
    const winner = candidates.find(([name]) => name === port) ?? candidates.find(([, schema]) => streamMode(schema) === streamMode(wanted)) ?? candidates[0];
    const name = winner?.[0] ?? (rule === byName && this.#mayHave(source, output, port, wanted) ? port : undefined);
    if (name !== undefined) this.#dataflows.set(port, { sourceTaskId: source.id, sourceTaskPortId: name, targetTaskId: this.#target.id, targetTaskPortId: port });
  }

  /** A node that gives any ports gives those that are needed; the graph's own input all that are there. */
  #mayHave(source: Connectable, output: JsonSchema, port: string, wanted: JsonSchema): boolean {
    if (propertyOf(output, port) !== undefined || !(source.type === 'InputTask' || requiredPorts(this.#inputs).includes(port))) return false;
    const given = portOf(output, port);
    return given !== undefined && fits(given, wanted);
  }

  /** Required ports that nothing gives. */
  missing(): string[] {
    return requiredPorts(this.#inputs).filter((port) => !this.#provided.has(port) && !this.#connected.has(port) && !this.#dataflows.has(port) && !hasDefault(propertyOf(this.#inputs, port)));
  }

  found(source: Connectable): AutoConnection {
    const unmatchedRequired = this.missing();
    const matches = new Map([...this.#dataflows].map(([port, { sourceTaskPortId }]) => [port, sourceTaskPortId]));
    const error = unmatchedRequired.length > 0 ? this.#noneFor(unmatchedRequired, source) : this.#isFed() ? undefined : this.#noMatch(source);
    return { matches, dataflows: [...this.#dataflows.values()], ...(error !== undefined && { error }), unmatchedRequired };
  }

  #noneFor(ports: readonly string[], source: Connectable): string {
    return `Could not find matches for required inputs [${ports.join(', ')}] of ${this.#target.type}. Attempted to match from ${source.type} and earlier tasks. Give them a value, or say where they come from: rename(output, input) before it is added.`;
  }

  #noMatch(source: Connectable): string {
    return `Could not find a match between the outputs of ${source.type} and the inputs of ${this.#target.type}. Connect them by hand: connect(), or rename(output, input) before it is added.`;
  }

  /** It gets something, has all that it needs, or needs nothing at all. */
  #isFed(): boolean {
    if (this.#dataflows.size > 0 || this.#connected.size > 0) return true;
    const listed = Object.values(propertiesOf(this.#inputs));
    return requiredPorts(this.#inputs).length > 0 || listed.length === 0 || listed.some(hasDefault) || this.#provided.size > 0;
  }
}

const hasDefault = (schema: JsonSchema | undefined): boolean => isSchemaObject(schema) && schema.default !== undefined;
const streamMode = (schema: JsonSchema): unknown => (isSchemaObject(schema) ? (schema['x-stream'] ?? 'none') : 'none');
