import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { clone, decode, encode, type EncodeOptions, VALUE_LIMIT, PayloadWriter, registerCodec } from '../../js/codec/codec.ts';
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

function refusal(value: unknown, options: EncodeOptions = {}): Error {
  const writer = new PayloadWriter(options);
  try {
    writer.write(value, 'input');
  } catch (error) {
    expect(writer.position).toBe(0);
    return error as Error;
  }
  throw new Error('was not refused');
}

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
    ['WritableStream', new WritableStream(), /is a stream/],
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

  const withBodies: typeof table = [
    ['stream', new ReadableStream(), /is a stream; read it first/],
    ['Request', new Request('https://example.com'), /is a Request/],
    ['Response', new Response('x'), /is a Response; .*blob\(\)/],
  ];
  for (const [name, value, words] of withBodies) {
    it(`refuses a ${name} where nothing can lie beside the value`, () => {
      const error = refusal({ deep: [value] }, { blobs: 'refuse' });
      expect(error).toBeInstanceOf(NotCloneableError);
      expect(error.message).toMatch(words);
      expect(error.message).toContain('input.deep[0]');
    });
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
      'x'.repeat(VALUE_LIMIT + 1),
      { a: 'ä'.repeat(VALUE_LIMIT * 0.6) },
      new Array(VALUE_LIMIT + 1).fill(0),
      'x'.repeat(1e8),
    ]) {
      const error = refusal(value);
      expect(error).toBeInstanceOf(PayloadTooLargeError);
      expect(error.message).toMatch(/^input.* 1 MiB; put the large part into a Blob/);
    }
    expectExact('x'.repeat(VALUE_LIMIT - 10));
  });

  it('a sparse array of four billion is refused at once', () => {
    const value: number[] = [];
    value[4_000_000_000] = 1;
    expect(refusal(value)).toBeInstanceOf(PayloadTooLargeError);
    expect(() => clone(value, 'input')).toThrow(PayloadTooLargeError);
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
