/**
 * Which ports fit is judged twice: in TypeScript while a graph is built, in C++ where a document is read. Both have to
 * say the same, of any schemas.
 */
import { expect, it } from 'vitest';
import { portsCompatible } from '../../../js/graph/compatibility.ts';
import { comparePorts } from '../../../js/graph/document.ts';
import type { JsonSchema } from '../../../js/graph/schema.ts';

/** The same schemas each time (mulberry32). */
class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(most: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % most;
  }
  of<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!;
  }
  list<Value>(most: number, make: () => Value): Value[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}

const types = ['null', 'boolean', 'number', 'integer', 'string', 'array', 'object'] as const;
const values = [null, true, 0, 1, -1, 1.5, 2, '', 'a', 'x', [1], [], {}, { a: 1 }, { a: 1, b: [2] }, { b: [2], a: 1 }];
const numbers = [0, 1, 1.5, 2, 10, -3];

function schemaOf(chance: Chance, depth: number): JsonSchema {
  if (chance.below(12) === 0) return chance.below(3) > 0;
  const inner = () => (depth > 0 ? schemaOf(chance, depth - 1) : chance.of<JsonSchema>([true, { type: 'string' }, { type: 'number' }, { type: 'integer' }, {}]));
  const inners = () => chance.list(3, inner);
  const properties = (names: readonly string[]) => Object.fromEntries(chance.list(3, () => [chance.of(names), inner()] as const));
  const makers: Record<string, () => unknown> = {
    type: () => (chance.below(4) > 0 ? chance.of(types) : chance.of([chance.list(3, () => chance.of(types)), 'strange', 7])),
    format: () => chance.of(['date', 'file', 'file:pdf', 'file:png', '', 5]), $id: () => chance.of(['one', 'two', 3]), title: () => chance.of(['t', 'u']),
    const: () => chance.of(values), enum: () => chance.list(3, () => chance.of(values)), default: () => chance.of(values),
    properties: () => properties(['a', 'b', 'c', 'length', 'toString']), required: () => chance.of<unknown>([chance.list(2, () => chance.of(['a', 'b', 'toString'])), [3], 'a']),
    additionalProperties: inner, items: () => (chance.below(4) > 0 ? inner() : inners()), allOf: inners, anyOf: inners, oneOf: inners,
    minimum: () => chance.of<unknown>([...numbers, '5']), maximum: () => chance.of(numbers), minLength: () => chance.of(numbers), maxItems: () => chance.of(numbers), exclusiveMinimum: () => chance.of(numbers), multipleOf: () => chance.of(numbers),
    pattern: () => chance.of(['^a', '^b']), uniqueItems: () => chance.below(2) > 0, not: inner, $ref: () => chance.of(['#/a', '#/b']), contains: inner, if: inner,
  };
  const likely = ['type', 'type', 'properties', 'required', 'items', 'anyOf', 'additionalProperties'];
  const words = [...chance.list(2, () => chance.of(likely)), ...chance.list(2, () => chance.of(Object.keys(makers)))];
  return Object.fromEntries([...new Set(words)].map((word) => [word, makers[word]!()]));
}

/** Much the same as another, so that not nearly all pairs are incompatible. */
function likeness(chance: Chance, schema: JsonSchema, depth: number): JsonSchema {
  if (typeof schema !== 'object' || chance.below(3) === 0) return structuredClone(schema);
  const other = schemaOf(chance, depth);
  const mixed: Record<string, any> = { ...structuredClone(schema), ...(typeof other === 'object' && chance.below(2) > 0 && other) };
  for (const word of Object.keys(mixed)) if (chance.below(4) === 0) delete mixed[word];
  return mixed;
}

async function same(pairs: [JsonSchema, string, JsonSchema, string][]): Promise<Record<string, number>> {
  const { verdicts, issues } = await comparePorts(pairs);
  expect(issues).toEqual([]);
  const counted: Record<string, number> = {};
  for (const [at, [output, from, input, to]] of pairs.entries()) {
    const mine = portsCompatible(output, from, input, to);
    expect({ verdict: verdicts![at], output, from, input, to }).toEqual({ verdict: mine, output, from, input, to });
    counted[mine] = (counted[mine] ?? 0) + 1;
  }
  return counted;
}

it('schemas of ports: six thousand pairs', async () => {
  const chance = new Chance(1);
  const pairs = Array.from({ length: 6000 }, (): [JsonSchema, string, JsonSchema, string] => {
    const source = schemaOf(chance, 3);
    const target = chance.below(3) === 0 ? schemaOf(chance, 3) : likeness(chance, source, 3);
    return [{ type: 'object', properties: { p: source } }, 'p', { type: 'object', properties: { p: target } }, 'p'];
  });
  const counted = await same(pairs);
  for (const verdict of ['static', 'runtime', 'incompatible']) expect(counted[verdict]).toBeGreaterThan(500);
});

it('ports of tasks, wholes (`*`) and errors: six thousand pairs', async () => {
  const chance = new Chance(2);
  const portsOf = (): JsonSchema => {
    const more = schemaOf(chance, 2);
    return chance.below(8) === 0 ? more : { type: 'object', properties: Object.fromEntries(chance.list(3, () => [chance.of(['a', 'b', 'c']), schemaOf(chance, 2)] as const)), ...(chance.below(2) > 0 && { required: chance.list(2, () => chance.of(['a', 'b', 'z'])) }), ...(chance.below(2) > 0 && { additionalProperties: chance.of([false, true, more]) }) };
  };
  const pairs = Array.from({ length: 6000 }, (): [JsonSchema, string, JsonSchema, string] => {
    const output = portsOf();
    return [output, chance.of(['a', 'b', 'z', '*', '*', '[error]']), chance.below(3) === 0 ? portsOf() : likeness(chance, output, 2), chance.of(['a', 'b', 'z', '*', '*'])];
  });
  const counted = await same(pairs);
  for (const verdict of ['static', 'runtime', 'incompatible']) expect(counted[verdict]).toBeGreaterThan(300);
});

it('a whole into ports that take no others: what has no port there is left out', async () => {
  const closed: JsonSchema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false };
  const wide: JsonSchema = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'number' } }, required: ['a', 'b'] };
  expect(portsCompatible(wide, '*', closed, '*')).toBe('static');
  await same([[wide, '*', closed, '*'], [closed, '*', wide, '*'], [true, '*', closed, '*']]);
});
