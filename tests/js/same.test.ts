import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clone, encode } from '../../js/codec/codec.ts';
import { sameValue } from '../../js/definition/same.ts';

const anything = () =>
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withNullPrototype: true, maxDepth: 3 });

const bytesOf = (value: unknown) => Buffer.from(encode(value, 'value').bytes).toString('hex');

describe('the same value', () => {
  it('is a copy of any value', () => {
    fc.assert(fc.property(anything(), (value) => sameValue(value, clone(value, 'value'))), { numRuns: 2000 });
  });

  it('is never said of two values that are stored differently', () => {
    fc.assert(
      fc.property(anything(), anything(), (one, other) => {
        if (sameValue(one, other)) expect(bytesOf(one)).toBe(bytesOf(other));
      }),
      { numRuns: 5000 },
    );
    for (const [one, other] of [
      [0, -0], [1, '1'], [null, undefined], [[], {}], [{ a: undefined }, {}], [{ a: undefined }, { b: undefined }], [[1], [1, 2]], [new Array(1), [1]], [new Map([[1, 2]]), new Map([[2, 1]])],
      [new Date(1), new Date(2)], [new Uint8Array([1]), new Int8Array([1])], [new Uint8Array([1]), new Uint8Array([2])], [new Blob(['a']), new Blob(['a'])], [/a/, /a/g],
    ])
      expect(sameValue(one, other), `${String(one)} ${String(other)}`).toBe(false);
  });

  it('of what is nested without end is not said, and takes no stack', () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const other: { self?: unknown } = {};
    other.self = other;
    expect(sameValue(circle, circle)).toBe(true);
    expect(sameValue(circle, other)).toBe(false);
    const doubled = (times: number): unknown => {
      let list: unknown[] = [];
      for (let index = 0; index < times; index++) list = [list, list];
      return list;
    };
    expect(sameValue(doubled(10), doubled(10))).toBe(true);
    expect(sameValue(doubled(60), doubled(60))).toBe(false);
  });
});
