import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  BLOB_THRESHOLD,
  blobIds,
  clone,
  decode,
  decodeWithBlobs,
  encode,
  INLINE_LIMIT,
  PayloadWriter,
  registerCodec,
} from '../../js/codec.ts';
import {
  NotCloneableError,
  PayloadLostError,
  PayloadTooLargeError,
  SerializationError,
  TooDeepError,
} from '../../js/errors.ts';

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
        fc.date({ noInvalidDate: false }),
      ],
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
    expect(blobIds(bytes)).toEqual(blobs?.map(({ id }) => id));
    const stored = new Map(
      await Promise.all(blobs!.map(async (b) => [b.id, new Blob([await b.blob.arrayBuffer()])] as const)),
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
    const copy = await decodeWithBlobs(bytes, async () => blobs![0]!.blob);
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
    expect(blobIds(encode({ a: 1 }, 'input').bytes)).toEqual([]);
    expect(encode({ a: 1 }, 'input').blobs).toBeUndefined();
  });
});

describe('what is refused', () => {
  class Point {
    x = 1;
  }
  const throwing = {
    get value() {
      throw new Error('no');
    },
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const table: [name: string, value: unknown, words: RegExp][] = [
    ['function', () => 1, /is a function; store its name and look it up/],
    ['method', { run() {} }.run, /is a function/],
    ['class', Point, /is a function/],
    ['symbol', Symbol('s'), /is a symbol/],
    ['Promise', Promise.resolve(), /is a Promise; await it/],
    ['WeakMap', new WeakMap(), /use a Map/],
    ['WeakSet', new WeakSet(), /use a Set/],
    ['WeakRef', new WeakRef({}), /WeakRef/],
    ['stream', new ReadableStream(), /is a stream; read it first/],
    ['WritableStream', new WritableStream(), /is a stream/],
    ['Request', new Request('https://example.com'), /is a Request/],
    ['Response', new Response('x'), /is a Response; .*blob\(\)/],
    ['Headers', new Headers(), /Headers/],
    ['FormData', new FormData(), /FormData/],
    ['URLSearchParams', new URLSearchParams(), /toString\(\)/],
    ['AbortSignal', new AbortController().signal, /ctx\.signal/],
    ['MessagePort', new MessageChannel().port1, /MessagePort/],
    [
      'WebAssembly.Module',
      new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
      /WebAssembly\.Module/,
    ],
    ['WebAssembly.Memory', new WebAssembly.Memory({ initial: 1 }), /WebAssembly\.Memory/],
    ['SharedArrayBuffer', new SharedArrayBuffer(8), /SharedArrayBuffer/],
    ['class instance', new Point(), /instance of Point; .*registerCodec\('Point'/],
    ['subclass of Map', new (class Cache extends Map {})(), /instance of Cache/],
    ['boxed string', new String('x'), /instance of String/],
    ['generator', (function* () {})(), /input\.callback/],
    ['Event', new Event('x'), /DOM object/],
    ['getter that throws', throwing, /input\.callback\.?.* threw while it was read/],
    ['revoked Proxy', revoked.proxy, /threw while it was read/],
    [
      'Proxy that throws',
      new Proxy(
        {},
        {
          ownKeys() {
            throw new Error('no');
          },
        },
      ),
      /threw while it was read/,
    ],
    ['detached buffer', detached(), /transferred/],
  ];

  function detached(): ArrayBuffer {
    const buffer = new ArrayBuffer(8);
    structuredClone(buffer, { transfer: [buffer] });
    return buffer;
  }

  for (const [name, value, words] of table) {
    it(`H4: refuses a ${name} with its path and stores nothing`, () => {
      for (const error of [refusal({ callback: value }), refusal({ at: new Date(), callback: value })]) {
        expect(error).toBeInstanceOf(NotCloneableError);
        expect(error.message).toMatch(/^input\.callback/);
        expect(error.message).toMatch(words);
      }
      expect(() => clone({ callback: value }, 'input')).toThrow(NotCloneableError);
    });
  }

  it('H4: the path goes through arrays, odd keys, Maps, Sets and errors', () => {
    const bad = () => 1;
    expect(refusal({ 'my key': [0, { a: bad }] }).message).toMatch(/^input\["my key"\]\[1\]\.a /);
    expect(refusal(new Map([['k', bad]])).message).toMatch(/^input\.get\("k"\) /);
    expect(refusal(new Set([bad])).message).toMatch(/^input\.item\(0\) /);
    expect(refusal(Object.assign(new Error('x'), { retry: bad })).message).toMatch(/^input\.retry /);
    expect(refusal(bad).message).toMatch(/^input is a function/);
  });

  it('H6: 128 levels are stored, 129 and a million are refused without a stack overflow', () => {
    const nested = (levels: number, wrap: (inner: unknown) => unknown) => {
      let value: unknown = 1;
      for (let i = 0; i < levels; i++) value = wrap(value);
      return value;
    };
    for (const wrap of [(v: unknown) => [v], (a: unknown) => ({ a }), (v: unknown) => new Set([v])]) {
      expectExact(nested(128, wrap));
      for (const levels of [129, 1000, 1_000_000]) {
        const error = refusal(nested(levels, wrap));
        expect(error).toBeInstanceOf(TooDeepError);
        expect(error.message.length).toBeLessThan(250);
      }
    }
  });

  it('H3: more than 1 MiB inline is refused with sizes and a fix, 100 MB as quickly', () => {
    for (const value of [
      'x'.repeat(INLINE_LIMIT + 1),
      { a: 'ä'.repeat(INLINE_LIMIT * 0.6) },
      new Array(INLINE_LIMIT + 1).fill(0),
      'x'.repeat(1e8),
    ]) {
      const error = refusal(value);
      expect(error).toBeInstanceOf(PayloadTooLargeError);
      expect(error.message).toMatch(/^input.* 1024 KiB; put the large part into a Blob/);
    }
    expectExact('x'.repeat(INLINE_LIMIT - 10));
  });

  it('a sparse array of four billion is refused at once', () => {
    const value: number[] = [];
    value[4_000_000_000] = 1;
    expect(refusal(value)).toBeInstanceOf(PayloadTooLargeError);
    expect(() => clone(value, 'input')).toThrow(PayloadTooLargeError);
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

describe('hostile bytes', () => {
  const safely = (bytes: Uint8Array) => {
    try {
      decode(bytes, () => new Blob(['abc']));
    } catch (error) {
      if (!(error instanceof PayloadLostError)) expect(error).toBeInstanceOf(SerializationError);
    }
  };

  it('S3: random bytes give a value or a SerializationError', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 2, 3), bytes, (kind, rest) => safely(Uint8Array.of(kind, ...rest))),
      { numRuns: 5000 },
    );
  });

  it('S3: mutated and truncated encodings give a value or a SerializationError', () => {
    const sample = {
      list: [1, -0, 'x', 5n ** 40n, undefined, '\ud800'],
      map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1])]]),
      when: new Date(5),
      what: /x/g,
      where: new URL('https://example.com'),
      error: new AggregateError([new TypeError('x')], 'y'),
      bytes: new Uint16Array([1, 2]),
      file: new File(['abc'], 'n'),
    };
    const bytes = encode(sample, 'input').bytes.slice();
    for (let length = 0; length < bytes.length; length++) expect(() => decode(bytes.slice(0, length))).toThrow();
    const change = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(change, (changes) => {
        const copy = bytes.slice();
        for (const [at, byte] of changes) copy[at] = byte;
        safely(copy);
      }),
      { numRuns: 5000 },
    );
  });

  it('S3: lengths beyond the end, deep nesting and extensions are refused before anything is made of them', () => {
    const hostile: Record<string, number[]> = {
      'array of 4 billion': [0, 0xdd, 255, 255, 255, 255],
      'map of 4 billion': [0, 0xdf, 255, 255, 255, 255],
      'string of 4 billion': [0, 0xdb, 255, 255, 255, 255],
      'bytes of 4 billion': [0, 0xc6, 255, 255, 255, 255],
      '129 levels': [0, ...new Array(129).fill(0x91), 1],
      'a million levels': [0, ...new Array(1_000_000).fill(0x91), 1],
      'record definition': [0, 0xd4, 0x72, 0x40, 0x91, 0xa1, 97, 1],
      reference: [0, 0xd6, 0x70, 0, 0, 0, 1],
      'typed array': [0, 0xc7, 2, 0x74, 1, 1],
      'trailing byte': [0, 1, 1],
      nothing: [],
      'unknown format': [9],
      'blob list of 4 billion': [2, 255, 255, 255, 255],
      'node that is its own codec value': [1, 0x92, 0x91, 1, 0x94, 14, 0xa5, 109, 111, 110, 101, 121, 0, 0x91, 9],
      'kept node': [1, 0x92, 0x91, 1, 0x92, 15, 1],
    };
    for (const [name, bytes] of Object.entries(hostile))
      expect(() => decode(Uint8Array.from(bytes)), name).toThrow(SerializationError);
  });

  it('S3: 128 levels of nesting in bytes are read', () => {
    expect(() => decode(Uint8Array.from([0, ...new Array(128).fill(0x91), 1]))).not.toThrow();
  });

  it('S4: a map with the key __proto__ in the plain form pollutes nothing', () => {
    const bytes = Uint8Array.from([
      0,
      0x81,
      0xa9,
      ...new TextEncoder().encode('__proto__'),
      0x81,
      0xa8,
      ...new TextEncoder().encode('polluted'),
      1,
    ]);
    const value = decode(bytes);
    expect(value.polluted).toBeUndefined();
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
});
