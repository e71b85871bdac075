/** Merge strategies, transforms of edges, conditions: what they give, what they refuse, and their laws. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { semanticallyCompatible } from '../../../js/graph/compatibility.ts';
import { activeBranches, type BranchConfig, checkBranches, comparisonOperators, evaluateCondition, getNestedValue } from '../../../js/graph/conditions.ts';
import { TaskConfigurationError, TaskFailedError } from '../../../js/graph/errors.ts';
import { checkMergeStrategy, mergedSchema, mergeResults, mergeStrategies } from '../../../js/graph/merging.ts';
import { applyTransforms, checkTransforms, TransformError, TransformRegistry, transformedSchema, transforms } from '../../../js/graph/transforms.ts';
import type { GraphResultArray } from '../../../js/graph/types.ts';

const leaf = (id: string, data: any) => ({ id, type: 'Leaf', data });
const one = [leaf('a', { text: 'x', n: 1 })];
const two = [leaf('a', { text: 'x', n: 1 }), leaf('b', { text: 'y', more: { deep: [1] } })];

describe('merge strategies', () => {
  it.each([
    ['GRAPH_RESULT_ARRAY', [], one, two],
    ['PROPERTY_ARRAY', {}, { text: 'x', n: 1 }, { text: ['x', 'y'], n: [1], more: [{ deep: [1] }] }],
    ['last', {}, { text: 'x', n: 1 }, { text: 'y', more: { deep: [1] } }],
    ['named', [], one, two],
    ['unordered-array', { data: [] }, { data: [{ text: 'x', n: 1 }] }, { data: [{ text: 'x', n: 1 }, { text: 'y', more: { deep: [1] } }] }],
    ['property-array', {}, { text: ['x'], n: [1] }, { text: ['x', 'y'], n: [1], more: [{ deep: [1] }] }],
    ['last-or-named', [], { text: 'x', n: 1 }, two],
    ['last-or-unordered-array', { data: [] }, { text: 'x', n: 1 }, { data: [{ text: 'x', n: 1 }, { text: 'y', more: { deep: [1] } }] }],
    ['last-or-property-array', {}, { text: 'x', n: 1 }, { text: ['x', 'y'], n: [1], more: [{ deep: [1] }] }],
    ['by-id', {}, { a: { text: 'x', n: 1 } }, { a: { text: 'x', n: 1 }, b: { text: 'y', more: { deep: [1] } } }],
    ['deep-merge', {}, { text: 'x', n: 1 }, { text: 'y', n: 1, more: { deep: [1] } }],
  ] as const)('%s of none, one and two leaves', (strategy, ofNone, ofOne, ofTwo) => {
    expect(mergeResults([], strategy)).toEqual(ofNone);
    expect(mergeResults(one, strategy)).toEqual(ofOne);
    expect(mergeResults(two, strategy)).toEqual(ofTwo);
  });

  it('has a test for each, and a default', () => {
    expect(mergeStrategies).toHaveLength(11);
    expect(mergeResults(two)).toEqual(mergeResults(two, 'PROPERTY_ARRAY'));
  });

  it('data that hold themselves, in two leaves at one place, are refused and not followed without end', () => {
    const [mine, theirs]: any[] = [{ n: 1 }, { n: 2 }];
    mine.self = mine;
    theirs.self = theirs;
    expect(mergeResults([leaf('a', mine)], 'deep-merge')).toEqual(mine);
    expect(() => mergeResults([leaf('a', mine), leaf('b', theirs)], 'deep-merge')).toThrow(TaskConfigurationError);
    expect(() => mergeResults([leaf('a', mine), leaf('b', theirs)], 'deep-merge')).toThrow('can\'t add what task b (Leaf) gave: What is merged holds itself');
  });

  it('a function gets the results as they are', () => {
    expect(mergeResults(two, (results) => results.map(({ id }) => id).join())).toBe('a,b');
  });

  it('an unknown one is refused with those that are known', () => {
    expect(() => mergeResults(one, 'newest' as never)).toThrow(TaskConfigurationError);
    expect(() => checkMergeStrategy('toString', 'config.merge')).toThrow('config.merge is "toString", which is no merge strategy. Known are: GRAPH_RESULT_ARRAY, PROPERTY_ARRAY, last,');
  });

  it('a leaf that gave nothing counts as one without properties', () => {
    expect(mergeResults([leaf('a', undefined), leaf('b', { x: 1 })])).toEqual({ x: [1] });
    expect(mergeResults([leaf('a', undefined)])).toEqual({});
  });

  it('keys that every object has are keys like others', () => {
    const hostile = [leaf('__proto__', JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')), leaf('b', { toString: 2 })];
    for (const strategy of mergeStrategies) mergeResults(hostile, strategy);
    expect(({} as any).polluted).toBeUndefined();
    expect(Object.hasOwn(mergeResults(hostile, 'by-id'), '__proto__')).toBe(true);
    expect(Object.hasOwn(mergeResults(hostile, 'PROPERTY_ARRAY'), '__proto__')).toBe(true);
  });
});

const data = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.oneof(fc.integer(), fc.string(), fc.array(fc.integer())), { maxKeys: 4 });
const results = fc.array(data, { maxLength: 6 }).map((leaves) => leaves.map((each, index) => leaf(`n${index}`, each)));

describe('laws of merging', () => {
  it('nothing is changed, nothing is lost, and the order of leaves is kept', () => {
    fc.assert(
      fc.property(results, (given) => {
        const before = structuredClone(given);
        for (const strategy of mergeStrategies) mergeResults(given, strategy);
        expect(given).toEqual(before);
        const lists = mergeResults(given, 'property-array') as Record<string, unknown[]>;
        for (const [name, list] of Object.entries(lists)) expect(list).toEqual(given.filter(({ data: each }) => name in each).map(({ data: each }) => each[name]));
        expect(Object.values(mergeResults(given, 'by-id'))).toEqual(given.map(({ data: each }) => each));
        expect(mergeResults(given, 'deep-merge')).toEqual(Object.assign({}, ...given.map(({ data: each }) => each)));
      }),
    );
  });

  it('the schema of the merged is one that the merged fits', () => {
    const schemas = fc.array(fc.constantFrom('a', 'b').chain((name) => fc.constantFrom({ type: 'string' }, { type: 'integer' }).map((type) => ({ type: 'object', properties: { [name]: type }, required: [name] }))), { maxLength: 4 });
    fc.assert(
      fc.property(schemas, fc.constantFrom(...mergeStrategies), (leaves, strategy) => {
        const given: GraphResultArray = leaves.map((schema, index) => leaf(`n${index}`, Object.fromEntries(Object.entries(schema.properties).map(([name, { type }]: any) => [name, type === 'string' ? 's' : 1]))));
        const merged = mergedSchema(leaves.map((outputSchema, index) => ({ id: `n${index}`, outputSchema })), strategy);
        expect(semanticallyCompatible(schemaOf(mergeResults(given, strategy)), merged)).not.toBe('incompatible');
      }),
    );
  });
});

/** The narrowest schema of a value. */
function schemaOf(value: any): any {
  if (Array.isArray(value)) return { type: 'array', items: value.length ? { anyOf: value.map(schemaOf) } : true };
  if (typeof value !== 'object') return { const: value };
  return { type: 'object', properties: Object.fromEntries(Object.entries(value).map(([name, each]) => [name, schemaOf(each)])), required: Object.keys(value), additionalProperties: false };
}

describe('transforms', () => {
  it.each([
    ['pick', { path: 'user.tags.1' }, { user: { tags: ['a', 'b'] } }, 'b'],
    ['pick', { path: 'toString' }, {}, undefined],
    ['pick', { path: 'a.b' }, null, undefined],
    ['index', { index: -1 }, [1, 2, 3], 3],
    ['index', { index: 5 }, [1], undefined],
    ['index', { index: 0 }, 'text', undefined],
    ['coalesce', { defaultValue: 0 }, null, 0],
    ['coalesce', { defaultValue: 0 }, undefined, 0],
    ['coalesce', { defaultValue: 0 }, '', ''],
    ['uppercase', {}, 'aé', 'AÉ'],
    ['uppercase', {}, null, ''],
    ['lowercase', {}, 12, '12'],
    ['truncate', { max: 2 }, 'abc', 'ab'],
    ['truncate', { max: 2 }, 'a😀b', 'a'],
    ['truncate', { max: 3 }, 'a😀b', 'a😀'],
    ['substring', { start: 1 }, 'abc', 'bc'],
    ['substring', { start: -2, end: -1 }, 'abc', 'b'],
    ['unixToIsoDate', { unit: 's' }, 0, '1970-01-01T00:00:00.000Z'],
    ['unixToIsoDate', { unit: 'ms' }, '1500', '1970-01-01T00:00:01.500Z'],
    ['isoDateToUnix', {}, '1970-01-01T00:00:01Z', 1000],
    ['isoDateToUnix', { unit: 's' }, '1970-01-01T00:00:01Z', 1],
    ['numberToString', {}, 1.5, '1.5'],
    ['toBoolean', {}, 'TRUE', true],
    ['toBoolean', {}, 'no', false],
    ['toBoolean', {}, 0, false],
    ['stringify', {}, { a: [1] }, '{"a":[1]}'],
    ['parseJson', {}, '{"a":[1]}', { a: [1] }],
  ] as const)('%s %j of %j', (id, params, value, expected) => {
    expect(applyTransforms(value, [{ id, params }])).toEqual(expected);
  });

  it.each([
    ['unixToIsoDate', { unit: 's' }, 'soon', '"soon" is no moment'],
    ['unixToIsoDate', { unit: 's' }, {}, 'it takes a number'],
    ['isoDateToUnix', {}, 'soon', '"soon" is no moment'],
    ['parseJson', {}, '{', 'JSON'],
    ['stringify', {}, undefined, 'undefined has no JSON'],
    ['uppercase', {}, {}, 'it takes text'],
    ['numberToString', {}, {}, 'it takes a number'],
  ] as const)('%s fails for what it can not take, as an error of the edge', (id, params, value, says) => {
    const fails = () => applyTransforms(value, [{ id: 'coalesce', params: { defaultValue: value } }, { id, params }]);
    expect(fails).toThrow(TransformError);
    expect(fails).toThrow(new RegExp(`"${id}" \\(step 2 of 2\\) failed: .*${says}`));
  });

  it.each([
    [[{ id: 'shout' }], 'transforms[0]: there is no transform "shout". Known are: pick, index,'],
    [[{ id: 'uppercase' }, { id: 'pick' }], 'transforms[1] (pick): it needs params.path.'],
    [[{ id: 'index', params: { index: 'first' } }], 'transforms[0] (index): params.index has to be of type integer, not "first".'],
    [[{ id: 'truncate', params: { max: -1 } }], 'params.max has to be of type integer, 0 at least, not -1.'],
    [[{ id: 'unixToIsoDate', params: { unit: 'h' } }], 'params.unit has to be one of s, ms, not "h".'],
    [[{ id: 'uppercase', params: { locale: 'de' } }], 'it has no parameter "locale". It takes none.'],
    [[{ id: 'pick', params: [] }], 'params has to be an object'],
    [{}, 'transforms has to be a list'],
  ])('%j is refused before anything moves', (steps, says) => {
    expect(() => checkTransforms(steps as any)).toThrow(TaskConfigurationError);
    expect(() => checkTransforms(steps as any)).toThrow(says);
  });

  it('others can be registered, in a registry of ones own too', () => {
    const own = new TransformRegistry();
    own.registerTransform({ id: 'double', apply: (value) => value * 2, inferOutputSchema: (input) => input });
    expect(applyTransforms(3, [{ id: 'double' }, { id: 'numberToString' }], own)).toBe('6');
    expect(transforms.getTransform('double')).toBeUndefined();
    expect(() => own.registerTransform({ id: 'half' } as never)).toThrow(TaskConfigurationError);
  });

  it('say what becomes of the schema', () => {
    const user = { type: 'object', properties: { tags: { type: 'array', items: { type: 'string' } }, age: { type: ['integer', 'null'] } } };
    expect(transformedSchema(user, [{ id: 'pick', params: { path: 'tags' } }, { id: 'index', params: { index: 0 } }])).toEqual({ type: 'string' });
    expect(transformedSchema(user, [{ id: 'pick', params: { path: 'tags.0' } }])).toEqual({ type: 'string' });
    expect(transformedSchema(user, [{ id: 'pick', params: { path: 'age' } }, { id: 'coalesce', params: { defaultValue: 0 } }])).toEqual({ anyOf: [{ type: 'integer' }, { type: 'integer' }] });
    expect(transformedSchema({ type: 'number' }, [{ id: 'unixToIsoDate', params: { unit: 's' } }])).toEqual({ type: 'string', format: 'date-time' });
    expect(transformedSchema(user, [{ id: 'nobody' }])).toBe(true);
  });
});

describe('laws of transforms', () => {
  it('steps in a row are steps one after the other', () => {
    const step = fc.constantFrom<any>({ id: 'stringify' }, { id: 'uppercase' }, { id: 'lowercase' }, { id: 'truncate', params: { max: 3 } }, { id: 'toBoolean' }, { id: 'numberToString' });
    const outcome = (work: () => unknown) => {
      try {
        return { value: work() };
      } catch (error) {
        return { error: (error as TransformError).cause };
      }
    };
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(step, { maxLength: 4 }), fc.array(step, { maxLength: 4 }), (value, first, second) => {
        expect(outcome(() => applyTransforms(value, [...first, ...second]))).toEqual(outcome(() => applyTransforms(applyTransforms(value, first), second)));
      }),
    );
  });

  it('JSON and dates come back as they were', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void expect(applyTransforms(value, [{ id: 'stringify' }, { id: 'parseJson' }])).toEqual(JSON.parse(JSON.stringify(value)))));
    fc.assert(fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (moment) => void expect(applyTransforms(moment, [{ id: 'unixToIsoDate', params: { unit: 'ms' } }, { id: 'isoDateToUnix' }])).toBe(moment)));
  });

  it('a text is never cut through a character', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (value, max) => {
      const cut = applyTransforms(value, [{ id: 'truncate', params: { max } }]) as string;
      expect((cut as any).isWellFormed()).toBe(true);
      expect(value.startsWith(cut) && cut.length <= max && cut.length >= Math.min(max, value.length) - 1).toBe(true);
    }));
  });

  it('what comes out fits the schema that was said', () => {
    fc.assert(
      fc.property(fc.record({ tags: fc.array(fc.string(), { minLength: 1 }), at: fc.integer({ min: 0, max: 1e12 }) }), fc.constantFrom<any>(
        [{ id: 'pick', params: { path: 'tags' } }, { id: 'index', params: { index: 0 } }, { id: 'truncate', params: { max: 2 } }],
        [{ id: 'pick', params: { path: 'at' } }, { id: 'unixToIsoDate', params: { unit: 'ms' } }],
        [{ id: 'pick', params: { path: 'at' } }, { id: 'numberToString' }],
        [{ id: 'stringify' }],
        [{ id: 'toBoolean' }],
      ), (value, steps) => {
        const schema = { type: 'object', properties: { tags: { type: 'array', items: { type: 'string' } }, at: { type: 'integer' } } };
        const expected = transformedSchema(schema, steps);
        expect(semanticallyCompatible({ const: applyTransforms(value, steps) }, { type: (expected as any).type })).toBe('static');
      }),
    );
  });
});

describe('conditions', () => {
  it.each([
    [5, 'equals', '5', true], ['5', 'equals', 5, true], [true, 'equals', 'true', true], ['', 'equals', '0', false], ['a', 'equals', 'A', false], [{}, 'equals', '[object Object]', false],
    [5, 'not_equals', '5', false], ['a', 'not_equals', 'b', true], [null, 'not_equals', 'b', false],
    [10, 'greater_than', '9', true], ['10', 'greater_than', '9', true], ['b', 'greater_than', 'a', true], ['b', 'greater_than', '1', false], [1, 'greater_or_equal', 1, true],
    [1, 'less_than', '2', true], [2, 'less_or_equal', '2', true], [{}, 'less_than', 1, false], [Number.NaN, 'less_than', 1, false],
    ['Hello World', 'contains', 'world', true], [[1, 2], 'contains', '2', true], [['ab'], 'contains', 'a', false], [{}, 'contains', 'object', false],
    ['Hello', 'starts_with', 'he', true], ['Hello', 'ends_with', 'LO', true], [123, 'starts_with', '12', true],
    ['', 'is_empty', undefined, true], [[], 'is_empty', undefined, true], [{}, 'is_empty', undefined, true], [null, 'is_empty', undefined, true], [0, 'is_empty', undefined, false], [new Map(), 'is_empty', undefined, true],
    ['a', 'is_not_empty', undefined, true], [undefined, 'is_not_empty', undefined, false],
    [1, 'is_true', undefined, true], [null, 'is_true', undefined, false], [0, 'is_false', undefined, true], [null, 'is_false', undefined, true],
    [null, 'equals', null, false], [undefined, 'less_than', 1, false],
  ] as const)('%j %s %j', (actual, operator, value, expected) => {
    expect(evaluateCondition(actual, operator, value)).toBe(expected);
  });

  it('reads paths of own properties only', () => {
    expect(getNestedValue({ a: { b: [1, { c: 2 }] } }, 'a.b.1.c')).toBe(2);
    expect(getNestedValue({}, 'constructor.name')).toBeUndefined();
    expect(getNestedValue(3, '')).toBe(3);
  });

  it('refuses an operator that is none', () => {
    expect(() => evaluateCondition(1, 'like' as never, 1)).toThrow('"like" is no operator. Known are: equals, not_equals,');
    expect(() => evaluateCondition(null, 'toString' as never, 1)).toThrow(TaskConfigurationError);
  });

  it('are each other\'s opposite where they say so', () => {
    const value = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer()), fc.double({ noNaN: true }));
    fc.assert(
      fc.property(value, value, (actual, other) => {
        expect(evaluateCondition(actual, 'equals', other)).not.toBe(evaluateCondition(actual, 'not_equals', other));
        expect(evaluateCondition(actual, 'is_empty')).not.toBe(evaluateCondition(actual, 'is_not_empty'));
        expect(evaluateCondition(actual, 'is_true')).not.toBe(evaluateCondition(actual, 'is_false'));
        if (typeof actual === 'number' && typeof other === 'number') {
          expect(evaluateCondition(actual, 'less_than', other)).not.toBe(evaluateCondition(actual, 'greater_or_equal', other));
          expect(evaluateCondition(actual, 'greater_than', String(other))).toBe(evaluateCondition(actual, 'greater_than', other));
        }
        if (typeof actual !== 'object') expect(evaluateCondition(actual, 'equals', String(actual))).toBe(true);
      }),
    );
  });
});

describe('branches', () => {
  const branches: BranchConfig[] = [
    { id: 'big', field: 'n', operator: 'greater_than', value: '100' },
    { id: 'even', condition: ({ n }) => n % 2 === 0 },
    { id: 'small', field: 'n', operator: 'less_than', value: 10 },
  ];

  it('the first that holds, or all, or the default', () => {
    expect(activeBranches({ n: 200 }, branches)).toEqual(['big']);
    expect(activeBranches({ n: 200 }, branches, { exclusive: false })).toEqual(['big', 'even']);
    expect(activeBranches({ n: 51 }, branches)).toEqual([]);
    expect(activeBranches({ n: 51 }, branches, { defaultBranch: 'small' })).toEqual(['small']);
  });

  it('a condition that throws is neither yes nor no', () => {
    expect(() => activeBranches(null, branches)).toThrow(TaskFailedError);
    expect(() => activeBranches(null, branches)).toThrow('The condition of branch "even" threw');
  });

  it('exclusive takes the first of what all would take', () => {
    fc.assert(fc.property(fc.integer({ min: -10, max: 300 }), (n) => void expect(activeBranches({ n }, branches)).toEqual(activeBranches({ n }, branches, { exclusive: false }).slice(0, 1))));
  });

  it.each([
    [[], undefined, 'branches has to be a list'],
    [[{ id: '' }], undefined, 'each branch needs an id'],
    [[branches[0], branches[0]], undefined, 'two branches have the id "big"'],
    [[{ id: 'a', condition: 'n > 3' }], undefined, 'the condition of branch "a" is no function'],
    [[{ id: 'a', operator: 'like' }], undefined, 'needs a condition, or one of the operators equals'],
    [branches, 'none', 'defaultBranch "none" is none of its branches (big, even, small)'],
  ])('%j with default %s is refused', (given, defaultBranch, says) => {
    expect(() => checkBranches(given as any, defaultBranch, 'ConditionalTask "c"')).toThrow(says);
  });

  it('knows every operator', () => expect(comparisonOperators).toHaveLength(13));
});
