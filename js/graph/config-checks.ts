/**
 * What configs may say, by the `configSchema()` of their classes: in code and in documents the same.
 *
 * Of JSON Schema these words are held to: `type`, `const`, `enum`, `minimum`, `maximum`, `minLength`, `items`, `properties`,
 * `anyOf`; and `x-duration`, which is a duration as everywhere in holdfast. What is required a class says itself, as it is
 * made.
 *
 * Invariant: pure; all that is wrong is told at once, each with its place in the config.
 */
import { describe } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { propertyOf, sameJson, typeOfValue } from './ports.ts';
import type { JsonSchema, JsonSchemaObject } from './schema.ts';

export interface ConfigIssue {
  /** Within the config, as a JSON pointer (RFC 6901): `/branches/0`. */
  readonly pointer: string;
  /** `config.timeout must be …, not -5.` */
  readonly message: string;
}

/** What a class allows, read once. */
interface Allowed {
  readonly fields: ReadonlyMap<string, JsonSchema>;
  /** Other names are no mistake. */
  readonly isOpen: boolean;
}
const known = new WeakMap<Function, Allowed>();

interface ConfiguredClass extends Function {
  configSchema(): JsonSchema;
}

/** @param common names that every config may have */
export function configIssues(type: ConfiguredClass, config: Readonly<Record<string, unknown>>, common: Readonly<Record<string, JsonSchema>>): readonly ConfigIssue[] | undefined {
  let issues: ConfigIssue[] | undefined;
  let allowed: Allowed | undefined;
  for (const name in config) {
    const value = config[name];
    // Every task has one.
    if (name === 'id' && typeof value === 'string' && value !== '') continue;
    allowed ??= known.get(type) ?? read(type, common);
    const schema = allowed.fields.get(name);
    const found = schema === undefined ? (allowed.isOpen ? undefined : unknownName(name, allowed)) : value === undefined ? undefined : refused(value, schema, `/${escaped(name)}`, `config.${name}`);
    if (found) (issues ??= []).push(found);
  }
  return issues;
}

function read(type: ConfiguredClass, common: Readonly<Record<string, JsonSchema>>): Allowed {
  const schema = type.configSchema();
  const own = typeof schema === 'boolean' ? {} : (schema.properties ?? {});
  const allowed = { fields: new Map(Object.entries({ ...common, ...own })), isOpen: typeof schema === 'boolean' || schema.additionalProperties !== false };
  known.set(type, allowed);
  return allowed;
}

function unknownName(name: string, { fields }: Allowed): ConfigIssue {
  return { pointer: `/${escaped(name)}`, message: `config has no ${JSON.stringify(name)}. Its configSchema() names what there is: ${[...fields.keys()].join(', ')}.` };
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** undefined: it fits. */
function refused(value: unknown, schema: JsonSchema, pointer: string, name: string): ConfigIssue | undefined {
  if (!fits(value, schema)) return { pointer, message: `${name} must be ${wanted(schema)}, not ${describe(value)}.` };
  if (typeof value !== 'object' || value === null || typeof schema === 'boolean') return undefined;
  const isList = Array.isArray(value);
  for (const [key, each] of Object.entries(value)) {
    const inner = isList ? (schema.items as JsonSchema | undefined) : propertyOf(schema, key);
    const found = inner === undefined || each === undefined ? undefined : refused(each, inner, `${pointer}/${escaped(key)}`, isList ? `${name}[${key}]` : `${name}.${key}`);
    if (found) return found;
  }
  return undefined;
}

/** Itself; what it holds is looked at one by one. */
function fits(value: unknown, schema: JsonSchema): boolean {
  if (typeof schema === 'boolean') return schema;
  if (schema['x-duration'] === true) return isDuration(value);
  const { type, enum: choices, minimum, maximum, minLength, anyOf } = schema;
  if (type !== undefined && ![type].flat().some((one) => isOf(value, one))) return false;
  if (Object.hasOwn(schema, 'const') && !sameJson(value, schema.const)) return false;
  if (choices && !choices.some((one) => sameJson(value, one))) return false;
  if (typeof value === 'number' && (value < (minimum ?? value) || value > (maximum ?? value))) return false;
  if (typeof value === 'string' && value.length < (minLength ?? 0)) return false;
  return !anyOf || anyOf.some((one) => fits(value, one));
}

function isOf(value: unknown, type: string): boolean {
  return type === 'number' ? Number.isFinite(value) : typeOfValue(value) === type;
}

function isDuration(value: unknown): boolean {
  try {
    toMilliseconds(value as number, '');
    return true;
  } catch {
    return false;
  }
}

const names: Readonly<Record<string, string>> = { string: 'text', number: 'a number', integer: 'a whole number', boolean: 'true or false', array: 'a list', object: 'an object', null: 'null' };

/** In words. */
function wanted(schema: JsonSchema): string {
  if (typeof schema === 'boolean') return 'left out';
  if (schema['x-duration'] === true) return "a duration of 0 or more: milliseconds, '500ms', '10s', '1h30m', '2d', 'PT5M' or { minutes: 5 }";
  if (Object.hasOwn(schema, 'const')) return typeof schema.const === 'string' ? `'${schema.const}'` : describe(schema.const);
  if (schema.enum) return `one of ${schema.enum.map((one) => (typeof one === 'string' ? one : describe(one))).join(', ')}`;
  if (schema.anyOf) return schema.anyOf.map(wanted).join(', or ');
  return [schema.type ?? 'any value'].flat().map((type) => `${names[type] ?? type}${bounds(schema, type)}`).join(' or ');
}

function bounds({ minimum, maximum, minLength }: JsonSchemaObject, type: string): string {
  if (type === 'string') return minLength === undefined ? '' : ` of at least ${minLength} character${minLength === 1 ? '' : 's'}`;
  if (type !== 'number' && type !== 'integer') return '';
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return type === 'integer' && minimum === 1 ? ' above 0' : ` of ${minimum} or more`;
  return maximum === undefined ? '' : ` of at most ${maximum}`;
}
