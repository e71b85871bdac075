/**
 * How the results of several leaves become one output. Strategies by name, those of today and those that graphs were
 * stored with before, or a function.
 *
 * Invariant: pure; results are given in the order they came in, and what they hold is not changed.
 */
import { deepMerge } from '../signatures/deep-merge.ts';
import { TaskConfigurationError } from './errors.ts';
import { isSchemaObject, type JsonSchema, type JsonSchemaObject, propertiesOf } from './ports.ts';
import { requiredPorts } from './schema.ts';
import type { GraphResult, GraphResultArray, MergeStrategy } from './types.ts';

/** The results as they are: what `graph.run()` gives. */
export const GRAPH_RESULT_ARRAY = 'GRAPH_RESULT_ARRAY';
/** The data of the only leaf; of several, each property as a list over the leaves that have it. */
export const PROPERTY_ARRAY = 'PROPERTY_ARRAY';

type Data = Record<string, unknown>;
const dataOf = ({ data }: GraphResult): Data => (data ?? {}) as Data;

/** Each property of any leaf, as the list of what the leaves have for it. */
function propertyLists(results: GraphResultArray): Data {
  const lists = new Map<string, unknown[]>();
  for (const result of results)
    for (const [name, value] of Object.entries(dataOf(result))) {
      const list = lists.get(name);
      if (list) list.push(value);
      else lists.set(name, [value]);
    }
  return Object.fromEntries(lists);
}

/** The only leaf's data, where there is one only. */
const orOne = (many: (results: GraphResultArray) => unknown) => (results: GraphResultArray): unknown => (results.length === 1 ? dataOf(results[0]!) : many(results));
const asGiven = (results: GraphResultArray): unknown => results;
const unordered = (results: GraphResultArray): unknown => ({ data: results.map(dataOf) });

/** @throws TaskConfigurationError of leaves whose data hold themselves */
function deeper(merged: unknown, result: GraphResult): unknown {
  try {
    return deepMerge(merged, dataOf(result));
  } catch (cause) {
    throw new TaskConfigurationError(`merge "deep-merge" can't add what task ${result.id} (${result.type}) gave: ${(cause as Error).message}`, { cause, data: { taskId: result.id } });
  }
}

const strategies: Readonly<Record<Extract<MergeStrategy, string>, (results: GraphResultArray) => unknown>> = {
  GRAPH_RESULT_ARRAY: asGiven,
  PROPERTY_ARRAY: orOne(propertyLists),
  last: (results) => (results.length ? dataOf(results.at(-1)!) : {}),
  named: asGiven,
  'unordered-array': unordered,
  'property-array': propertyLists,
  'last-or-named': orOne(asGiven),
  'last-or-unordered-array': orOne(unordered),
  'last-or-property-array': orOne(propertyLists),
  'by-id': (results) => Object.fromEntries(results.map((result) => [result.id, dataOf(result)])),
  'deep-merge': (results) => results.reduce<unknown>(deeper, {}),
};

/** All that have a name. */
export const mergeStrategies = Object.keys(strategies) as readonly Extract<MergeStrategy, string>[];

/** @throws TaskConfigurationError for what is no strategy */
export function checkMergeStrategy(strategy: unknown, where = 'merge'): asserts strategy is MergeStrategy {
  if (typeof strategy === 'function' || (typeof strategy === 'string' && Object.hasOwn(strategies, strategy))) return;
  throw new TaskConfigurationError(`${where} is ${JSON.stringify(strategy) ?? String(strategy)}, which is no merge strategy. Known are: ${mergeStrategies.join(', ')}, or a function of the results.`);
}

/**
 * One output of the results of leaves, `[{ id, type, data }]`. A disabled leaf has none. Default strategy:
 * `PROPERTY_ARRAY`.
 * @throws TaskConfigurationError for what is no strategy, and for data that hold themselves under `deep-merge`
 */
export function mergeResults(results: GraphResultArray, strategy: MergeStrategy = PROPERTY_ARRAY): any {
  checkMergeStrategy(strategy);
  return typeof strategy === 'function' ? strategy(results) : strategies[strategy](results);
}

/** A leaf, as far as the schema of what it becomes is concerned. */
export interface LeafSchema {
  readonly id: string;
  readonly outputSchema: JsonSchema;
}

/** What `mergeResults` gives of such leaves. A function's is not known. */
export function mergedSchema(leaves: readonly LeafSchema[], strategy: MergeStrategy = PROPERTY_ARRAY): JsonSchema {
  checkMergeStrategy(strategy);
  if (typeof strategy === 'function') return true;
  const one = leaves.length === 1 ? leaves[0]!.outputSchema : undefined;
  switch (strategy) {
    case 'GRAPH_RESULT_ARRAY':
    case 'named':
      return resultsSchema(leaves);
    case 'last':
      return leaves.at(-1)?.outputSchema ?? nothing;
    case 'unordered-array':
      return unorderedSchema(leaves);
    case 'property-array':
      return listsSchema(leaves);
    case 'last-or-named':
      return one ?? resultsSchema(leaves);
    case 'last-or-unordered-array':
      return one ?? unorderedSchema(leaves);
    case 'by-id':
      return { type: 'object', properties: Object.fromEntries(leaves.map(({ id, outputSchema }) => [id, outputSchema])), required: leaves.map(({ id }) => id), additionalProperties: false };
    case 'deep-merge':
      return one ?? { type: 'object', additionalProperties: true };
    default:
      return one ?? listsSchema(leaves);
  }
}

const nothing: JsonSchemaObject = { type: 'object', properties: {}, additionalProperties: false };

const anyOf = (schemas: readonly JsonSchema[]): JsonSchema => (schemas.length === 0 ? true : schemas.length === 1 ? schemas[0]! : { anyOf: schemas });

function resultsSchema(leaves: readonly LeafSchema[]): JsonSchema {
  const data = anyOf(leaves.map(({ outputSchema }) => outputSchema));
  return { type: 'array', items: { type: 'object', properties: { id: { type: 'string' }, type: { type: 'string' }, data }, required: ['id', 'type', 'data'] } };
}

function unorderedSchema(leaves: readonly LeafSchema[]): JsonSchema {
  return { type: 'object', properties: { data: { type: 'array', items: anyOf(leaves.map(({ outputSchema }) => outputSchema)) } }, required: ['data'] };
}

/** A property is sure to be there where one leaf has to give it; a leaf of any ports gives any lists. */
function listsSchema(leaves: readonly LeafSchema[]): JsonSchema {
  const items = new Map<string, JsonSchema[]>();
  const required = new Set<string>();
  let isOpen = false;
  for (const { outputSchema } of leaves) {
    if (outputSchema === true || (isSchemaObject(outputSchema) && outputSchema.additionalProperties !== undefined && outputSchema.additionalProperties !== false)) isOpen = true;
    for (const name of requiredPorts(outputSchema)) required.add(name);
    for (const [name, schema] of Object.entries(propertiesOf(outputSchema))) items.set(name, [...(items.get(name) ?? []), schema]);
  }
  const properties = Object.fromEntries([...items].map(([name, schemas]) => [name, { type: 'array', ...(!isOpen && { items: anyOf(schemas) }) }]));
  return { type: 'object', properties, ...(required.size > 0 && { required: [...required] }), additionalProperties: isOpen };
}
