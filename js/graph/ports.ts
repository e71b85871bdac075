/**
 * JSON Schemas as far as ports need them: what a port of a node carries. Only read here; values are validated
 * elsewhere.
 *
 * Invariant: pure; nothing here looks further than own properties.
 */

import type { JsonSchema, JsonSchemaObject } from './schema.ts';

export type { JsonSchema, JsonSchemaObject };

/** Shape of what comes out of `[error]`. */
export const errorSchema: JsonSchemaObject = {
  type: 'object',
  properties: { error: true, errorType: { type: 'string' } },
  required: ['error', 'errorType'],
};

export function isSchemaObject(schema: unknown): schema is JsonSchemaObject {
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema);
}

/** Own properties of a schema of objects; none where it has none. */
export function propertiesOf(schema: JsonSchema | undefined): Readonly<Record<string, JsonSchema>> {
  return isSchemaObject(schema) && isSchemaObject(schema.properties) ? (schema.properties as Record<string, JsonSchema>) : {};
}

export function propertyOf(schema: JsonSchema | undefined, name: string): JsonSchema | undefined {
  const properties = propertiesOf(schema);
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}

const deepestSame = 200;

/** Two JSON values are the same, whatever the order of their keys. What is nested deeper than 200 is not looked at: not the same. */
export function sameJson(one: unknown, other: unknown, depth = 0): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other;
  if (Array.isArray(one) !== Array.isArray(other) || depth > deepestSame) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && sameJson((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key], depth + 1));
}

/** The type of a value in the words of JSON Schema; `integer` where it is one. */
export function typeOfValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}
