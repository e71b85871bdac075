/**
 * What each turn of a loop gets: elements of the lists that are gone through, everything else as it is.
 * Invariant: pure; lists that are gone through together are of one length.
 */
import { TaskConfigurationError, TaskInvalidInputError } from '../errors.ts';
import { isSchemaObject, type JsonSchema, propertiesOf, propertyOf } from '../ports.ts';

/** How a port is meant: its elements one by one, the whole each time, or as the value is. */
export type IterationMode = 'array' | 'scalar' | 'flexible';
export type IterationInputConfig = Readonly<Record<string, { readonly mode: IterationMode }>>;

/** A number, or 'unbounded': said by name, so that nobody loops for ever by mistake. */
export type IterationBound = number | 'unbounded';

export interface Iterations {
  readonly count: number;
  /** Ports whose lists are gone through. */
  readonly ports: readonly string[];
  /** Of one turn, with `_iterationIndex` and `_iterationCount`. */
  input(index: number): Record<string, any>;
}

/** @throws TaskConfigurationError where there is none, or it is none */
export function checkBound(bound: unknown, where: string): asserts bound is IterationBound {
  if (bound === 'unbounded' || (typeof bound === 'number' && Number.isInteger(bound) && bound > 0)) return;
  throw new TaskConfigurationError(`${where}: config.maxIterations must be a whole number above 0, or 'unbounded', not ${JSON.stringify(bound) ?? 'nothing'}.`);
}

/**
 * A list is gone through unless the port takes lists as such, or `config` says how it is meant.
 * @throws TaskConfigurationError where there is no list; TaskInvalidInputError where lists differ in length or are too long
 */
export function iterationsOf(input: Readonly<Record<string, any>>, inner: JsonSchema, config: IterationInputConfig | undefined, bound: IterationBound, where: string): Iterations {
  const ports = Object.keys(input).filter((port) => Array.isArray(input[port]) && isIterated(port, inner, config));
  if (ports.length === 0) throw new TaskConfigurationError(`${where} got no list to go through: ${Object.keys(input).join(', ') || 'nothing'} came in. Connect a list, or say { iterationInputConfig: { port: { mode: 'array' } } }.`);
  const count: number = input[ports[0]!].length;
  if (ports.some((port) => input[port].length !== count)) throw new TaskInvalidInputError(`${where}: the lists that are gone through together have to be of one length: ${ports.map((port) => `${port} has ${input[port].length}`).join(', ')}.`, { data: { lengths: Object.fromEntries(ports.map((port) => [port, input[port].length])) } });
  if (bound !== 'unbounded' && count > bound) throw new TaskInvalidInputError(`${where}: ${count} elements are more than its maxIterations (${bound}).`, { data: { count, maxIterations: bound } });
  const iterated = new Set(ports);
  return {
    count,
    ports,
    input: (index) => ({ ...Object.fromEntries(Object.entries(input).map(([port, value]) => [port, iterated.has(port) ? value[index] : value])), _iterationIndex: index, _iterationCount: count }),
  };
}

function isIterated(port: string, inner: JsonSchema, config: IterationInputConfig | undefined): boolean {
  const mode = config?.[port]?.mode;
  if (mode !== undefined) return mode !== 'scalar';
  const schema = propertyOf(inner, port);
  return !isSchemaObject(schema) || schema['x-ui-iteration'] === true || schema.type !== 'array';
}

/** Ports that take an element take a list of them. */
export function listOrElement(inner: JsonSchema, config: IterationInputConfig | undefined): JsonSchema {
  if (!isSchemaObject(inner)) return inner;
  const properties = Object.entries(propertiesOf(inner)).filter(([port]) => !contextPorts.has(port));
  return {
    ...inner,
    properties: Object.fromEntries(properties.map(([port, schema]) => [port, isIterated(port, inner, config) ? (config?.[port]?.mode === 'array' ? { type: 'array', items: schema } : { anyOf: [schema, { type: 'array', items: schema }] }) : schema])),
    required: (inner.required ?? []).filter((port) => !contextPorts.has(port)),
  };
}

/** What a loop gives to its turns beside what came in. */
export const contextPorts: ReadonlySet<string> = new Set(['_iterationIndex', '_iterationCount']);

/** What the turns gave, as a list for each property, in the order of the turns. */
export function listsOf(outputs: readonly Readonly<Record<string, any>>[], names: Iterable<string>, flatten: boolean): Record<string, any[]> {
  const found = new Set(names);
  for (const output of outputs) for (const name of Object.keys(output)) found.add(name);
  return Object.fromEntries([...found].map((name) => [name, flatten ? outputs.flatMap((output) => output[name]) : outputs.map((output) => output[name])]));
}

/** Every choice of one element of each of these ports: the last port's changes first. */
export function combinations(input: Readonly<Record<string, any>>, ports: readonly string[]): Record<string, any>[] {
  return ports.reduce<Record<string, any>[]>((some, port) => some.flatMap((one) => (input[port] as unknown[]).map((value) => ({ ...one, [port]: value }))), [{ ...input }]);
}

/**
 * Does so many at once, begun in order. The first failure ends it: nothing more is begun.
 * @throws what the first that failed threw
 */
export async function inTurns(count: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < count && !failed) {
      const index = next++;
      try {
        await work(index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, atOnce) }, worker));
}
