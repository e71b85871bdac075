import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  BLOB_THRESHOLD,
  blobEntries,
  clone,
  decode,
  decodeWithBlobs,
  encode,
  PayloadWriter,
  registerCodec,
} from '../../js/codec/codec.ts';
import { NotCloneableError, PayloadLostError } from '../../js/errors.ts';

const prototypeKeys = Object.getOwnPropertyNames(Object.prototype).sort();
afterEach(() => {
  // S4, H7: whatever a test has encoded or decoded, nothing has leaked into the prototypes.
  expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(prototypeKeys);
  expect(({} as any).polluted).toBeUndefined();
});

function roundTrip<Value>(value: Value): Value {
  const { bytes, blobs } = encode(value, 'input');
  return decode(bytes, (id) => blobs?.find((blob) => blob.id === id)?.blob);
}

/** Both ways a value crosses a boundary must give the same. */
function expectExact(value: unknown): void {
  for (const copy of [roundTrip(value), clone(value, 'input')]) {
    if (!isDeepStrictEqual(copy, value)) expect(copy).toStrictEqual(value);
  }
}

function refusal(value: unknown): Error {
  const writer = new PayloadWriter();
  try {
    writer.write(value, 'input');
  } catch (error) {
    expect(writer.position).toBe(0);
    return error as Error;
  }
  throw new Error('was not refused');
}

describe('what survives exactly', () => {
  const anything = () =>
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withTypedArray: true,
      withSparseArray: false,
      withUnicodeString: true,
      key: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', ''),
      ),
      values: [
        fc.string({ unit: 'binary' }),
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.constantFrom(undefined, null, -0, NaN, Infinity, '\ud800', '\0', '\ufeffmark', 2 ** 53),
        fc.bigInt(),
        // An invalid one under the key `constructor` is more than the comparison can take.
        fc.date({ noInvalidDate: true }),
      ],
    });

  it('H9: a date that is none comes back as one', () => {
    expectExact([new Date(Number.NaN), { at: new Date(Number.NaN) }]);
  });

  it('H9: any value of any shape comes back equal', () => {
    fc.assert(
      fc.property(anything(), (value) => expectExact(value)),
      { numRuns: 1000 },
    );
  });

  it('H8: any string comes back exactly, lone surrogates, NUL and byte order marks included', () => {
    const units = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 });
    fc.assert(
      fc.property(units, (codes) => {
        const text = String.fromCharCode(...codes);
        expectExact(text);
        expectExact({ [text]: [text] });
      }),
    );
    for (const text of [
      '',
      '\0',
      '\ud800',
      '\udc00\ud800',
      '\u202eabc',
      '\ufeff',
      `\ufeff${'x'.repeat(200)}`,
      '👍🏽',
      'ä'.repeat(70),
    ]) {
      expectExact(text);
      expectExact([text]);
    }
  });

  it('H9: numbers are exact', () => {
    const special = [
      0,
      -0,
      1,
      127,
      128,
      -1,
      -32,
      -33,
      2 ** 31,
      2 ** 32,
      2 ** 53,
      -(2 ** 53),
      0.1,
      5e-324,
      1.7976931348623157e308,
      NaN,
      Infinity,
      -Infinity,
    ];
    for (const number of special) expect(Object.is(roundTrip(number), number), String(number)).toBe(true);
    for (const number of special) expect(Object.is(roundTrip([number])[0], number), String(number)).toBe(true);
    fc.assert(fc.property(fc.double(), (number) => Object.is(roundTrip({ number }).number, number)));
  });

  it('H9: bigints of any size are exact', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }), (value) => roundTrip([value])[0] === value),
    );
    for (const value of [0n, 2n ** 63n - 1n, 2n ** 63n, -(2n ** 63n), -(2n ** 63n) - 1n, 2n ** 64n])
      expect(roundTrip(value)).toBe(value);
  });

  it('undefined is kept in objects and arrays, holes become undefined', () => {
    expect(Object.keys(roundTrip({ a: undefined }))).toEqual(['a']);
    // biome-ignore lint/suspicious/noSparseArray: on purpose
    expect(roundTrip([1, , 3])).toStrictEqual([1, undefined, 3]);
  });

  it('Date, RegExp, URL, null prototype, DOMException', () => {
    expectExact(new Date(NaN));
    expectExact(new Date(-8.64e15));
    expectExact(/a\/b"[\s\S]+/giu);
    expectExact(new URL('https://user@example.com:8080/ä?q=1#h'));
    expectExact(Object.assign(Object.create(null), { a: 1 }));
    const abort = roundTrip(new DOMException('stopped', 'AbortError'));
    expect([abort instanceof DOMException, abort.name, abort.message]).toEqual([true, 'AbortError', 'stopped']);
  });

  it('H5: a view stores its own bytes, not its buffer', () => {
    const memory = new Uint8Array(1_000_000).fill(7);
    const { bytes } = encode({ view: memory.subarray(10, 11) }, 'input');
    expect(bytes.length).toBeLessThan(40);
    expect(decode(bytes).view).toStrictEqual(new Uint8Array([7]));
    expect(roundTrip(new DataView(memory.buffer, 4, 3)).byteLength).toBe(3);
    expect(clone(memory.subarray(10, 11), 'input').buffer.byteLength).toBe(1);
  });

  it('typed arrays of every kind', () => {
    const buffer = Uint8Array.from({ length: 64 }, (_, i) => i * 3).buffer;
    for (const Type of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array])
      expectExact(new Type(buffer));
    for (const Type of [Float32Array, Float64Array, BigInt64Array, BigUint64Array]) expectExact(new Type(buffer));
    expectExact(buffer);
    expectExact(new Uint16Array(buffer, 2, 3));
    expect(roundTrip(Buffer.from('ab'))).toStrictEqual(new Uint8Array([97, 98]));
  });

  it('cycles and sharing', () => {
    const shared = { n: 1 };
    const value: any = { a: shared, b: shared, list: [], map: new Map(), set: new Set() };
    value.self = value;
    value.list.push(value.list, shared);
    value.map.set(value.map, value);
    value.set.add(value.set);
    for (const copy of [roundTrip(value), clone(value, 'input')]) {
      expect(copy).not.toBe(value);
      expect(copy.self).toBe(copy);
      expect(copy.a).toBe(copy.b);
      expect(copy.list[0]).toBe(copy.list);
      expect(copy.list[1]).toBe(copy.a);
      expect(copy.map.get(copy.map)).toBe(copy);
      expect(copy.set.has(copy.set)).toBe(true);
    }
  });

  it('Map keys may be objects that are also elsewhere', () => {
    const key = { id: 1 };
    const copy = roundTrip({ key, map: new Map([[key, 'x']]) });
    expect(copy.map.get(copy.key)).toBe('x');
  });

  it('errors keep name, message, stack, cause, own properties and the errors of an AggregateError', () => {
    class HttpError extends TypeError {
      override name = 'HttpError';
      status = 503;
    }
    const error: any = Object.assign(new HttpError('busy', { cause: new RangeError('inner') }), {
      data: new Map([[1, 2]]),
    });
    error.self = error;
    const copy = roundTrip(new AggregateError([error, 'text'], 'many'));
    expect(copy).toBeInstanceOf(AggregateError);
    const inner: any = copy.errors[0];
    expect(inner).toBeInstanceOf(TypeError);
    expect([inner.name, inner.message, inner.status, inner.stack]).toEqual(['HttpError', 'busy', 503, error.stack]);
    expect(inner.cause).toBeInstanceOf(RangeError);
    expect(inner.self).toBe(inner);
    expect(inner.data.get(1)).toBe(2);
    expect(Object.keys(roundTrip(new Error('x', { cause: 1 })))).toEqual([]);
    expect(String(inner)).toBe('HttpError: busy');
  });

  it('H7, S4: __proto__, constructor and toString as own keys stay own keys', () => {
    const value = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x","hasOwnProperty":1}',
    );
    for (const copy of [roundTrip(value), clone(value, 'input')]) {
      expect(Object.keys(copy)).toEqual(['__proto__', 'constructor', 'toString', 'hasOwnProperty']);
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
      expect(Object.getOwnPropertyDescriptor(copy, '__proto__')?.value).toEqual({ polluted: 1 });
    }
    const map = roundTrip(new Map([['__proto__', { polluted: 1 }]]));
    expect(map.get('__proto__')).toEqual({ polluted: 1 });
  });

  it('G7: what is written does not change with what is mutated afterwards', () => {
    const value = { list: [1, { a: 1 }], at: new Date(5) };
    const plain = { list: [1, { a: 1 }] };
    const copies = [clone(value, 'input'), clone(plain, 'input')];
    (value.list[1] as any).a = 2;
    (plain.list[1] as any).a = 2;
    value.at.setTime(6);
    for (const copy of copies) expect(copy.list).toEqual([1, { a: 1 }]);
    expect((copies[0] as any).at.getTime()).toBe(5);
  });

  it('clone gives primitives and Blobs as they are', () => {
    const blob = new Blob(['x']);
    expect(clone({ blob }, 'input').blob).toBe(blob);
    for (const value of [1, 'x', true, null, undefined, 5n]) expect(clone(value, 'input')).toBe(value);
  });
});

describe('registered codecs', () => {
  class Money {
    readonly cents: bigint;
    readonly parts: unknown[];
    constructor(cents: bigint, parts: unknown[]) {
      this.cents = cents;
      this.parts = parts;
    }
  }
  registerCodec<Money, unknown>('money', {
    version: 3,
    match: (value) => value instanceof Money,
    encode: ({ cents, parts }) => ({ cents, parts }),
    decode: ({ cents, parts }: any, version) => Object.assign(new Money(cents, parts), { version }),
  });

  it('bring back instances with the version they were stored with, shared ones once', () => {
    const money = new Money(5n, [new Date(1)]);
    for (const copy of [roundTrip([money, money]), clone([money, money], 'input')]) {
      expect(copy[0]).toBeInstanceOf(Money);
      expect(copy[0]).toBe(copy[1]);
      expect(copy[0]).toMatchObject({ cents: 5n, parts: [new Date(1)], version: 3 });
    }
  });

  it('are refused inside themselves', () => {
    const money = new Money(1n, []);
    money.parts.push(money);
    expect(refusal({ money }).message).toContain('input.money.parts[0]');
  });
});

describe('Blobs and Files', () => {
  let next = 0;
  const options = { randomId: () => (++next).toString(16).padStart(16, '0') };

  it('become references and come back with name, type, lastModified and content', async () => {
    const file = new File(['hello'], 'ä.pdf', { type: 'application/pdf', lastModified: 123 });
    const blob = new Blob([new Uint8Array(100)], { type: 'image/png' });
    const { bytes, blobs } = encode({ file, deep: [{ blob }], again: file }, 'input', options);
    expect(blobs).toHaveLength(2);
    expect(blobs?.[0]).toMatchObject({
      size: 5,
      name: 'ä.pdf',
      type: 'application/pdf',
      lastModified: 123,
      kind: 'blob',
    });
    expect(blobEntries(bytes).map(({ id }) => id)).toEqual(blobs?.map(({ id }) => id));
    const stored = new Map(
      await Promise.all(blobs!.map(async (b) => [b.id, new Blob([await b.blob!.arrayBuffer()])] as const)),
    );
    const copy = decode(bytes, (id) => stored.get(id));
    expect(copy.file).toBeInstanceOf(File);
    expect([copy.file.name, copy.file.type, copy.file.lastModified, await copy.file.text()]).toEqual([
      'ä.pdf',
      'application/pdf',
      123,
      'hello',
    ]);
    expect(copy.again).toBe(copy.file);
    expect([copy.deep[0].blob.type, copy.deep[0].blob.size, copy.deep[0].blob instanceof File]).toEqual([
      'image/png',
      100,
      false,
    ]);
  });

  it('H3: binary values above the threshold are stored as blobs and come back as what they were', async () => {
    const large = new Float64Array(BLOB_THRESHOLD).map((_, i) => i);
    const { bytes, blobs } = encode({ large: large.subarray(1) }, 'input', options);
    expect(bytes.length).toBeLessThan(100);
    expect(blobs?.[0]).toMatchObject({ kind: 'bytes', size: (large.length - 1) * 8 });
    const copy = await decodeWithBlobs(bytes, async () => blobs![0]!.blob!);
    expect(copy.large).toStrictEqual(large.slice(1));
    expect(clone(large, 'input')).toStrictEqual(large);
  });

  it('that are gone or shortened are reported, not invented', () => {
    const { bytes } = encode(new Blob(['abc']), 'input', options);
    expect(() => decode(bytes)).toThrow(PayloadLostError);
    expect(() => decode(bytes, () => new Blob(['ab']))).toThrow(PayloadLostError);
  });

  it('random ids have 16 hexadecimal digits and differ', () => {
    const { blobs } = encode([new Blob(), new Blob()], 'input');
    for (const { id } of blobs!) expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(blobs![0]!.id).not.toBe(blobs![1]!.id);
  });

  it('plain bytes name no blobs', () => {
    expect(blobEntries(encode({ a: 1 }, 'input').bytes)).toEqual([]);
    expect(encode({ a: 1 }, 'input').blobs).toBeUndefined();
  });
});

describe('PayloadWriter', () => {
  it('writes values one after the other and rolls back what is refused', () => {
    const writer = new PayloadWriter({}, 8);
    const values = [1, { a: 'b' }, undefined, new Date(7), 'x'.repeat(5000)];
    const ends = values.map((value) => {
      writer.write(value, 'input');
      expect(() => writer.write({ a: 1, b: () => 1 }, 'input')).toThrow(NotCloneableError);
      return writer.position;
    });
    let start = 0;
    values.forEach((value, i) => {
      expect(decode(writer.bytesFrom(start, ends[i]))).toStrictEqual(value);
      start = ends[i]!;
    });
    writer.reset();
    expect(writer.write(5, 'input')).toBe(2);
  });

  it('a getter that encodes something else disturbs nothing', () => {
    const value = {
      get a() {
        return decode(encode({ inner: [1, { b: 2 }] }, 'x').bytes);
      },
      c: [{ d: 1 }],
    };
    expect(roundTrip(value)).toEqual({ a: { inner: [1, { b: 2 }] }, c: [{ d: 1 }] });
  });
});
