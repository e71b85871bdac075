/** May a port's values go into another port? A table that the C++ checker is held to as well, and laws over random schemas. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portsCompatible, semanticallyCompatible } from '../../../js/graph/compatibility.ts';
import type { JsonSchema, JsonSchemaObject } from '../../../js/graph/schema.ts';
import cases from '../../fixtures/schema-compatibility.json' with { type: 'json' };

describe('the table', () => {
  it.each(cases.schemas.map(({ name, ...rest }) => [name, rest] as const))('%s', (_name, { source, target, expected }) => {
    expect(semanticallyCompatible(source as JsonSchema, target as JsonSchema)).toBe(expected);
  });

  it.each(cases.ports.map(({ name, ...rest }) => [name, rest] as const))('ports: %s', (_name, one) => {
    expect(portsCompatible(one.output as JsonSchema, one.sourcePort, one.input as JsonSchema, one.targetPort)).toBe(one.expected);
  });

  it('what a closed input has no port for is left out of a whole that comes in', () => {
    const input = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false };
    const output = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'number' } }, required: ['a', 'b'] };
    expect(portsCompatible(output, '*', input, '*')).toBe('static');
    expect(portsCompatible({ type: 'object', properties: { all: output }, required: ['all'] }, 'all', input, '*')).toBe('static');
  });

  it('has every name once', () => {
    const names = [...cases.schemas, ...cases.ports].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

// Properties a value has to have are those that are listed, as ports mean it.
const { schema } = fc.letrec<{ schema: JsonSchemaObject }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom<JsonSchemaObject>({ type: 'string' }, { type: 'number' }, { type: 'integer' }, { type: 'boolean' }, { type: 'null' }),
    fc.constantFrom<JsonSchemaObject>({ type: ['string', 'null'] }, { type: ['integer', 'boolean'] }, { type: 'number', minimum: 2 }, { type: 'integer', maximum: 4 }, { type: 'string', minLength: 1 }),
    fc.uniqueArray(fc.constantFrom('a', 'b', 1, 2, true, null), { minLength: 1, maxLength: 3 }).map((values) => ({ enum: values })),
    tie('schema').map((items) => ({ type: 'array', items })),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('schema'), { maxKeys: 3 }).map((properties) => ({ type: 'object', properties, required: Object.keys(properties) })),
    fc.dictionary(fc.constantFrom('a', 'b'), tie('schema'), { maxKeys: 2 }).map((properties) => ({ type: 'object', properties, required: Object.keys(properties), additionalProperties: false })),
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc.tuple(tie('schema'), fc.constantFrom<JsonSchemaObject>({ minimum: 1 }, { minLength: 1 })).map((allOf) => ({ allOf })),
  ),
}));

/** All that a few values of it may look like. */
function examples(one: JsonSchemaObject): unknown[] {
  return candidates(one).filter((value) => fits(value, one));
}

function candidates(one: JsonSchemaObject): unknown[] {
  if (one.anyOf) return (one.anyOf as JsonSchemaObject[]).flatMap(candidates);
  if (one.allOf) return candidates(one.allOf[0] as JsonSchemaObject);
  if (one.enum) return [...one.enum];
  const found: unknown[] = [];
  for (const type of [one.type].flat()) {
    if (type === 'string') found.push('', 'a', 'other');
    if (type === 'integer' || type === 'number') found.push(-3, 1, 3, 7);
    if (type === 'number') found.push(2.5);
    if (type === 'boolean') found.push(true, false);
    if (type === 'null') found.push(null);
    if (type === 'array') found.push(...candidates(one.items as JsonSchemaObject).slice(0, 4).map((item) => [item]));
    if (type === 'object') found.push(...objectsOf(one));
  }
  return found;
}

function objectsOf(one: JsonSchemaObject): unknown[] {
  const entries = Object.entries(one.properties as Record<string, JsonSchemaObject>).map(([name, property]) => [name, examples(property)] as const);
  const count = Math.max(1, ...entries.map(([, values]) => values.length));
  if (entries.some(([, values]) => values.length === 0)) return [];
  return Array.from({ length: count }, (_, index) => Object.fromEntries(entries.map(([name, values]) => [name, values[index % values.length]])));
}

function fits(value: any, one: JsonSchemaObject): boolean {
  if (one.anyOf && !(one.anyOf as JsonSchemaObject[]).some((part) => fits(value, part))) return false;
  if (one.allOf && !(one.allOf as JsonSchemaObject[]).every((part) => fits(value, part))) return false;
  if (one.enum && !one.enum.includes(value)) return false;
  if (one.type && ![one.type].flat().some((type) => isOf(value, type as string))) return false;
  if (typeof value === 'number' && (value < ((one.minimum as number) ?? value) || value > ((one.maximum as number) ?? value))) return false;
  if (typeof value === 'string' && value.length < ((one.minLength as number) ?? 0)) return false;
  if (Array.isArray(value)) return one.items === undefined || value.every((item) => fits(item, one.items as JsonSchemaObject));
  if (typeof value !== 'object' || value === null || !one.properties) return true;
  const properties = one.properties as Record<string, JsonSchemaObject>;
  if ((one.required ?? []).some((name) => !(name in value))) return false;
  return Object.keys(value).every((name) => (name in properties ? fits(value[name], properties[name]!) : one.additionalProperties !== false));
}

function isOf(value: unknown, type: string): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}

describe('laws', () => {
  it('a schema is static into itself, and into what asks nothing', () => {
    fc.assert(
      fc.property(schema, (one) => {
        expect(semanticallyCompatible(one, structuredClone(one))).toBe('static');
        expect(semanticallyCompatible(one, true)).toBe('static');
        expect(semanticallyCompatible(one, false)).toBe('incompatible');
      }),
    );
  });

  it('static: every value of the source fits; incompatible: none does', () => {
    const seen = { static: 0, runtime: 0, incompatible: 0 };
    fc.assert(
      fc.property(schema, schema, (source, target) => {
        const found = semanticallyCompatible(source, target);
        seen[found]++;
        const values = examples(source);
        if (found === 'static') for (const value of values) expect(fits(value, target), JSON.stringify(value)).toBe(true);
        if (found === 'incompatible') for (const value of values) expect(fits(value, target), JSON.stringify(value)).toBe(false);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(50);
  });

  it('a wider target is never worse', () => {
    const rank = { incompatible: 0, runtime: 1, static: 2 };
    fc.assert(
      fc.property(schema, schema, schema, (source, target, other) => {
        const narrow = rank[semanticallyCompatible(source, target)];
        expect(rank[semanticallyCompatible(source, { anyOf: [target, other] })]).toBeGreaterThanOrEqual(source.anyOf ? Math.min(narrow, 1) : narrow);
      }),
    );
  });

  it('schemas of unbounded size take bounded time', () => {
    let source: JsonSchemaObject = { type: 'string' };
    let target: JsonSchemaObject = { type: 'number' };
    for (let depth = 0; depth < 60; depth++) {
      source = { anyOf: [source, source, { type: 'array', items: source }] };
      target = { anyOf: [target, target, { type: 'array', items: target }] };
    }
    expect(semanticallyCompatible(source, target)).toBe('runtime');
    let deep: JsonSchemaObject = { type: 'string' };
    for (let depth = 0; depth < 100_000; depth++) deep = { type: 'array', items: deep };
    expect(semanticallyCompatible(deep, { type: 'array', items: deep })).toBe('runtime');
  });
});
