/**
 * What may happen to a value on its way along an edge: steps by name, from a registry that can be added to.
 *
 * A step is a pure function of the value and its parameters, so that a value need not be stored twice: it is computed
 * again where a page needs it. It also says what becomes of the port's schema.
 *
 * Invariant: a step gives a value or fails with a TransformError that says which step and why; never a half value.
 */
import { describe } from '../intake/checks.ts';
import { TaskConfigurationError, TransformError } from './errors.ts';
import { getNestedValue } from './conditions.ts';
import { isSchemaObject, type JsonSchema, type JsonSchemaObject, typeOfValue } from './ports.ts';
import { portOf } from './schema.ts';
import type { TransformStep } from './types.ts';

export { TransformError };
export type TransformParams = Readonly<Record<string, any>>;

export interface TransformDefinition {
  /** What documents call it. */
  readonly id: string;
  readonly title?: string;
  readonly category?: string;
  /** An object schema of its parameters, with plain types. None: it takes none. */
  readonly paramsSchema?: JsonSchemaObject;
  /** Pure: the same value and parameters give the same, in any page. What it throws is an error of the edge. */
  apply(value: any, params: TransformParams): unknown;
  /** What comes out of it, of what goes in. */
  inferOutputSchema(input: JsonSchema, params: TransformParams): JsonSchema;
}

const text: JsonSchemaObject = { type: 'string' };
const asText = (value: unknown): string => {
  if (value === undefined || value === null) return '';
  if (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`it takes text, a number or a boolean, not ${describe(value)}`);
  return String(value);
};
const params = (properties: Record<string, JsonSchemaObject>, required: readonly string[] = Object.keys(properties)): JsonSchemaObject => ({ type: 'object', properties, required });

/** Not in the middle of a character that takes two units. */
function cut(value: string, start: number, end: number | undefined): string {
  const part = value.slice(start, end);
  const isHalf = /[\ud800-\udbff]$/.test(part) && !part.endsWith(value.slice(-1));
  return isHalf ? part.slice(0, -1) : part;
}

function withoutNull(schema: JsonSchema): JsonSchema {
  if (!isSchemaObject(schema) || !Array.isArray(schema.type)) return schema;
  const left = schema.type.filter((type: string) => type !== 'null');
  return { ...schema, type: left.length === 1 ? left[0] : left };
}

function itemSchema(schema: JsonSchema, index: number): JsonSchema {
  const items = isSchemaObject(schema) ? schema.items : undefined;
  if (!Array.isArray(items)) return (items as JsonSchema | undefined) ?? true;
  return items[index] ?? true;
}

function dateOf(milliseconds: number, value: unknown): Date {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) throw new RangeError(`${describe(value)} is no moment`);
  return date;
}

function truth(value: unknown): boolean {
  if (typeof value === 'string') return value.toLowerCase() === 'true' || value === '1';
  return Boolean(value);
}

function written(value: unknown): string {
  const found = JSON.stringify(value);
  if (found === undefined) throw new TypeError(`${describe(value)} has no JSON`);
  return found;
}

/** Text of a number; others are not guessed. */
function ofNumber(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') return String(value);
  throw new TypeError(`it takes a number, not ${describe(value)}`);
}

const unixNumber = (value: unknown): number => {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number') throw new TypeError(`it takes a number, not ${describe(value)}`);
  return number;
};

const builtIn: readonly TransformDefinition[] = [
  {
    id: 'pick', title: 'Pick a field', category: 'Structure', paramsSchema: params({ path: text }),
    apply: (value, { path }) => getNestedValue(value, path),
    inferOutputSchema: (input, { path }) => String(path).split('.').reduce<JsonSchema>((schema, key) => (isSchemaObject(schema) && schema.type === 'array' ? itemSchema(schema, Number(key)) : (portOf(schema, key) ?? true)), input),
  },
  {
    id: 'index', title: 'Element of a list', category: 'Structure', paramsSchema: params({ index: { type: 'integer' } }),
    apply: (value, { index }) => (Array.isArray(value) ? value.at(index) : undefined),
    inferOutputSchema: (input, { index }) => itemSchema(input, index),
  },
  {
    id: 'coalesce', title: 'Where there is none', category: 'Conversion', paramsSchema: params({ defaultValue: {} }),
    apply: (value, { defaultValue }) => value ?? defaultValue,
    inferOutputSchema: (input, { defaultValue }) => (input === true ? true : { anyOf: [withoutNull(input), { type: typeOfValue(defaultValue) }] }),
  },
  { id: 'uppercase', title: 'Upper case', category: 'Text', apply: (value) => asText(value).toUpperCase(), inferOutputSchema: () => text },
  { id: 'lowercase', title: 'Lower case', category: 'Text', apply: (value) => asText(value).toLowerCase(), inferOutputSchema: () => text },
  {
    id: 'truncate', title: 'Truncate', category: 'Text', paramsSchema: params({ max: { type: 'integer', minimum: 0 } }),
    apply: (value, { max }) => cut(asText(value), 0, max),
    inferOutputSchema: (_input, { max }) => ({ type: 'string', maxLength: max }),
  },
  {
    id: 'substring', title: 'Part of a text', category: 'Text', paramsSchema: params({ start: { type: 'integer' }, end: { type: 'integer' } }, ['start']),
    apply: (value, { start, end }) => cut(asText(value), start, end),
    inferOutputSchema: () => text,
  },
  {
    id: 'unixToIsoDate', title: 'Unix time to ISO date', category: 'Date', paramsSchema: params({ unit: { type: 'string', enum: ['s', 'ms'] } }),
    apply: (value, { unit }) => dateOf(unixNumber(value) * (unit === 's' ? 1000 : 1), value).toISOString(),
    inferOutputSchema: () => ({ type: 'string', format: 'date-time' }),
  },
  {
    id: 'isoDateToUnix', title: 'ISO date to Unix time', category: 'Date', paramsSchema: params({ unit: { type: 'string', enum: ['s', 'ms'], default: 'ms' } }, []),
    apply: (value, { unit }) => dateOf(Date.parse(asText(value)), value).getTime() / (unit === 's' ? 1000 : 1),
    inferOutputSchema: () => ({ type: 'number' }),
  },
  { id: 'numberToString', title: 'Number to text', category: 'Conversion', apply: ofNumber, inferOutputSchema: () => text },
  { id: 'toBoolean', title: 'To true or false', category: 'Conversion', apply: truth, inferOutputSchema: () => ({ type: 'boolean' }) },
  { id: 'stringify', title: 'To JSON', category: 'Conversion', apply: written, inferOutputSchema: () => text },
  { id: 'parseJson', title: 'From JSON', category: 'Conversion', apply: (value) => JSON.parse(asText(value)), inferOutputSchema: () => true },
];

/** Transforms by id: those that are built in, and those that were registered. */
export class TransformRegistry {
  readonly #transforms = new Map<string, TransformDefinition>(builtIn.map((transform) => [transform.id, transform]));

  /**
   * A later one of an id takes the place of the earlier.
   * @throws TaskConfigurationError for what is no transform
   */
  registerTransform(transform: TransformDefinition): void {
    const { id, apply, inferOutputSchema } = transform ?? {};
    if (typeof id !== 'string' || id === '' || typeof apply !== 'function' || typeof inferOutputSchema !== 'function')
      throw new TaskConfigurationError(`A transform is { id, apply(value, params), inferOutputSchema(schema, params) }, not ${describe(transform)}.`);
    this.#transforms.set(id, transform);
  }

  getTransform(id: string): TransformDefinition | undefined {
    return this.#transforms.get(id);
  }

  listTransforms(): TransformDefinition[] {
    return [...this.#transforms.values()];
  }
}

/** Those of the page. */
export const transforms: TransformRegistry = new TransformRegistry();

/**
 * Checks steps before anything moves: known ids, parameters of the right types.
 * @throws TaskConfigurationError naming the step and what it wants
 */
export function checkTransforms(steps: readonly TransformStep[], registry: TransformRegistry = transforms, where = 'transforms'): void {
  if (!Array.isArray(steps)) throw new TaskConfigurationError(`${where} has to be a list of { id, params }, not ${describe(steps)}.`);
  steps.forEach((step, index) => {
    const at = `${where}[${index}]`;
    const transform = registry.getTransform(step?.id);
    if (!transform) throw new TaskConfigurationError(`${at}: there is no transform ${JSON.stringify(step?.id) ?? 'without an id'}. Known are: ${registry.listTransforms().map(({ id }) => id).join(', ')}. Others: transforms.registerTransform({ id, apply, inferOutputSchema }).`);
    checkParams(transform, step.params ?? {}, at);
  });
}

function checkParams({ id, paramsSchema }: TransformDefinition, given: unknown, at: string): void {
  const refuse = (says: string): never => {
    throw new TaskConfigurationError(`${at} (${id}): ${says}`);
  };
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return refuse(`params has to be an object, not ${describe(given)}.`);
  const properties = paramsSchema?.properties ?? {};
  for (const name of paramsSchema?.required ?? []) if (!Object.hasOwn(given, name)) refuse(`it needs params.${name}.`);
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(properties, name)) refuse(`it has no parameter ${JSON.stringify(name)}. ${Object.keys(properties).length ? `Known are: ${Object.keys(properties).join(', ')}.` : 'It takes none.'}`);
    const schema = properties[name] as JsonSchemaObject;
    const type = typeOfValue(value);
    const isType = schema.type === undefined || schema.type === type || (schema.type === 'number' && type === 'integer');
    if (!isType || (schema.enum && !schema.enum.includes(value)) || (typeof schema.minimum === 'number' && (value as number) < schema.minimum))
      refuse(`params.${name} has to be ${schema.enum ? `one of ${schema.enum.join(', ')}` : `of type ${schema.type}${typeof schema.minimum === 'number' ? `, ${schema.minimum} at least` : ''}`}, not ${describe(value)}.`);
  }
}

/**
 * The value at the end of the edge.
 * @throws TransformError for the step that fails, TaskConfigurationError for one that is none
 */
export function applyTransforms(value: unknown, steps: readonly TransformStep[] = [], registry: TransformRegistry = transforms): unknown {
  if (steps.length === 0) return value;
  checkTransforms(steps, registry);
  return steps.reduce((current, step, index) => {
    try {
      return registry.getTransform(step.id)!.apply(current, step.params ?? {});
    } catch (error) {
      throw new TransformError(`The transform ${JSON.stringify(step.id)} (step ${index + 1} of ${steps.length}) failed: ${error instanceof Error ? error.message : String(error)}.`, { cause: error, data: { id: step.id, index } });
    }
  }, value);
}

/** The schema at the end of the edge; `true` behind a step that is not known. */
export function transformedSchema(schema: JsonSchema, steps: readonly TransformStep[] = [], registry: TransformRegistry = transforms): JsonSchema {
  return steps.reduce<JsonSchema>((current, step) => registry.getTransform(step.id)?.inferOutputSchema(current, step.params ?? {}) ?? true, schema);
}
