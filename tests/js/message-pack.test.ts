/** Held against msgpackr, which wrote the journals of earlier versions. */
import * as fc from 'fast-check';
// The entry that the package used: without `new Function`.
// @ts-expect-error it has no types
import { Packr, Unpackr } from 'msgpackr/index-no-eval';
import { describe, expect, it } from 'vitest';
import { pack, unpack } from '../../js/codec/message-pack.ts';
import { SerializationError } from '../../js/errors.ts';

const packr = new Packr({ useRecords: false, structuredClone: false, moreTypes: false });
const unpackr = new Unpackr({ useRecords: false, structuredClone: false, mapsAsObjects: true });

const packed = (value: unknown): Uint8Array => {
  const bytes = pack(value);
  return bytes.slice(bytes.start, bytes.end);
};
const read = (bytes: Uint8Array): unknown => unpack(bytes, 0, bytes.length);

const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.string({ unit: 'binary-ascii', maxLength: 60 }),
  fc.constantFrom('', 'a'.repeat(31), 'a'.repeat(32), 'a'.repeat(39), 'a'.repeat(40), 'ä'.repeat(31), 'ä'.repeat(100), '\u0000', 'x'.repeat(70_000)),
);
const leaves = fc.oneof(
  texts,
  fc.integer(),
  fc.double({ noNaN: false }),
  fc.boolean(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.uint8Array({ maxLength: 400 }),
  fc.constantFrom(
    null, undefined, 0, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, 1.5,
  ),
);
const values = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaves, fc.array(tie('value'), { maxLength: 40 }), fc.dictionary(texts.filter((key) => !(key in {})), tie('value'), { maxKeys: 40 })),
})).value;

/** msgpackr writes -0 as 0, so nothing was ever handed to it with -0 in it (codec/plain.ts). */
function asHanded(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(asHanded);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, asHanded(one)]));
}

/** Byte strings come as whatever kind of Uint8Array the reader has. */
function plainBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(plainBytes);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plainBytes(one)]));
}

describe('MessagePack', () => {
  it('what is written is read again, here and by msgpackr', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = packed(value);
        expect(plainBytes(read(bytes))).toStrictEqual(plainBytes(value));
        expect(plainBytes(unpackr.unpack(bytes))).toStrictEqual(plainBytes(value));
      }),
      { numRuns: 300 },
    );
  });

  it('what msgpackr has written is read', () => {
    fc.assert(
      fc.property(values.map(asHanded), (value) => {
        expect(plainBytes(read(Uint8Array.from(packr.pack(value))))).toStrictEqual(plainBytes(value));
      }),
      { numRuns: 300 },
    );
  });

  it('a number, a yes, a nothing take what msgpackr takes', () => {
    for (const value of [0, 1, 127, 128, 70_000, 2 ** 40, -1, -33, -200, -40_000, 0.1, Number.NaN, Number.NEGATIVE_INFINITY, true, false, null, undefined, 5n, 'text'])
      expect(packed(value)).toEqual(Uint8Array.from(packr.pack(value)));
  });

  it('lists and maps of every length keep their entries', () => {
    for (const length of [0, 15, 16, 65_535, 65_536]) {
      const list = Array.from({ length }, (_, n) => n & 7);
      expect(read(packed(list))).toEqual(list);
      const map = Object.fromEntries(list.map((n, index) => [`k${index}`, n]));
      expect(read(packed(map))).toEqual(map);
    }
  });

  it('all that other writers may write for one value is read: float32, long forms, unsigned 64 bits', () => {
    const cases: [number[], unknown][] = [
      [[0xca, 0x3f, 0xc0, 0, 0], 1.5],
      [[0xd9, 1, 97], 'a'],
      [[0xda, 0, 1, 97], 'a'],
      [[0xdb, 0, 0, 0, 1, 97], 'a'],
      [[0xdc, 0, 1, 5], [5]],
      [[0xdd, 0, 0, 0, 1, 5], [5]],
      [[0xde, 0, 1, 0xa1, 97, 5], { a: 5 }],
      [[0xdf, 0, 0, 0, 1, 0xd9, 1, 97, 5], { a: 5 }],
      [[0xcf, 255, 255, 255, 255, 255, 255, 255, 255], 2n ** 64n - 1n],
      [[0xc5, 0, 1, 9], Uint8Array.of(9)],
      [[0xce, 0, 0, 0, 7], 7],
    ];
    for (const [bytes, value] of cases) expect(read(Uint8Array.from(bytes))).toEqual(value);
  });

  it('S4: no key reaches a prototype', () => {
    const bytes = Uint8Array.of(0x81, 0xa9, ...new TextEncoder().encode('__proto__'), 0x81, 0xa1, 97, 1);
    const map = read(bytes) as object;
    expect(Object.keys(map)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(map)).toBe(Object.prototype);
    expect((map as { a?: number }).a).toBeUndefined();
  });

  it('H7: damaged bytes are refused, whatever they are, and allocate no more than they are long', () => {
    const bad = [
      [], [0xc1], [0xc7, 1, 0, 0], [0xd5, 1, 1], [0xd4, 1, 0], [0xa5, 97], [0xd9, 5, 97], [0x91], [0x81, 0xa1, 97], [0x81, 5, 5], [5, 5],
      [0xdd, 255, 255, 255, 255], [0xdf, 255, 255, 255, 255], [0xc6, 255, 255, 255, 255], [0xdb, 255, 255, 255, 255], [0xcb, 0],
      Array.from({ length: 130 }, () => 0x91), [0x82, 0xa1, 97, 1],
    ];
    for (const bytes of bad) expect(() => read(Uint8Array.from(bytes)), String(bytes)).toThrow(SerializationError);
    const nested = Uint8Array.from({ length: 600_000 }, (_, index) => (index < 640 ? [0xdd, 0, 8, 0, 0][index % 5]! : 0x91));
    expect(() => read(nested)).toThrow(SerializationError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SerializationError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('a piece is read where it lies, and only it', () => {
    const bytes = Uint8Array.of(9, 9, 0x92, 1, 2, 9);
    expect(unpack(bytes, 2, 5)).toEqual([1, 2]);
    expect(() => unpack(bytes, 2, 6)).toThrow(/bytes after the value at byte 5/);
    expect(() => unpack(bytes, 2, 4)).toThrow(SerializationError);
  });

  it('a getter that packs something itself disturbs nothing', () => {
    const inner = { a: [1, 'two'] };
    const value = { before: 'x', get now() { return [...packed(inner)]; }, after: 'y' };
    expect(read(packed(value))).toEqual({ before: 'x', now: [...packed(inner)], after: 'y' });
  });
});
