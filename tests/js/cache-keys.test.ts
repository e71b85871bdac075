/** Keys: equal values have equal ones, different values different ones; what belongs to them and what does not. */
import { defineTask, registerCodec } from 'holdfast';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { canonical, fieldsOf } from '../../js/cache/canonical.ts';
import { keyBegin, makeKey, meets } from '../../js/cache/key.ts';
import { resolvePlan } from '../../js/cache/options.ts';
import { open } from './cache-house.ts';

const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(undefined, null, -0, Number.NaN, Number.NEGATIVE_INFINITY),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 80 }),
  fc.constantFrom(/a/g, /a/i, new URL('https://a.test/?b')),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
  ),
}));

/** The same value made anew: keys and entries the other way round, nothing shared. */
function rebuilt(from: any): any {
  if (typeof from !== 'object' || from === null || from instanceof RegExp || from instanceof URL) return from;
  if (from instanceof Date) return new Date(from);
  if (from instanceof Uint8Array) return new Uint8Array(from);
  if (Array.isArray(from)) return from.map(rebuilt);
  if (from instanceof Map) return new Map([...from].reverse().map(([key, item]) => [rebuilt(key), rebuilt(item)]));
  if (from instanceof Set) return new Set([...from].reverse().map(rebuilt));
  return Object.fromEntries(Object.entries(from).reverse().map(([key, item]) => [key, rebuilt(item)]));
}

/** Equal as keys see it, decided another way: by looking for each part in the other. */
function isEqual(one: any, other: any): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return false;
  if (Object.prototype.toString.call(one) !== Object.prototype.toString.call(other)) return false;
  if (one instanceof Date) return Object.is(one.getTime(), other.getTime());
  if (one instanceof RegExp || one instanceof URL) return String(one) === String(other);
  if (one instanceof Uint8Array || Array.isArray(one)) return one.length === other.length && [...one].every((item, i) => isEqual(item, other[i]));
  if (one instanceof Map || one instanceof Set) return isSameBag([...one], [...other]);
  return isSameBag(Object.entries(one), Object.entries(other));
}
function isSameBag(one: unknown[], other: unknown[]): boolean {
  if (one.length !== other.length) return false;
  const rest = [...other];
  return one.every((item) => {
    const at = rest.findIndex((candidate) => isEqual(item, candidate));
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  });
}

describe('the canonical text', () => {
  it('J2: is the same for equal values, whatever the order of keys and entries', async () => {
    await fc.assert(fc.asyncProperty(value, async (one) => void expect(await canonical(rebuilt(one))).toBe(await canonical(one))), { numRuns: 2000 });
  });

  it('J2: differs exactly where the values do', async () => {
    const near = fc.tuple(value, value).chain(([one, other]) => fc.constantFrom([one, other], [one, rebuilt(one)], [[one], one], [{ a: one }, { a: other }]));
    await fc.assert(
      fc.asyncProperty(near, async ([one, other]) => void expect((await canonical(one)) === (await canonical(other))).toBe(isEqual(one, other))),
      { numRuns: 3000 },
    );
  });

  it('J2: differs for what is easily mixed up', async () => {
    const values = [
      0, -0, '0', 0n, false, null, undefined, '', [], {}, [undefined], [[]], [null], { a: undefined }, new Map(), new Set(), new Date(0), Number.NaN, 'NaN',
      '[]', 'undefined', new Uint8Array(0), new Uint8Array(1), new Int8Array(1), new Uint8Array(2), new Uint16Array(1), new ArrayBuffer(1), new DataView(new ArrayBuffer(1)),
      new Map([['a', 1]]), { a: 1 }, new Set(['a', 1]), [['a', 1]], new Set(['a,1']), ['a', 1], ['a,1'], /a/, /a/g, '/a/', new Error('a'), new TypeError('a'),
      new Error('a', { cause: 1 }), new DOMException('a', 'b'), new URL('https://a.test/'), 'https://a.test/', '\ud800', '\ud801', '\ufffd', new Blob(['a']),
      new Blob(['b']), new Blob(['a'], { type: 'text/plain' }), new File(['a'], 'a'), new File(['a'], 'b'), 'x'.repeat(600), ['x'.repeat(600)], ['x'.repeat(601)],
    ];
    const texts = await Promise.all(values.map(canonical));
    expect(new Set(texts).size).toBe(values.length);
  });

  it('J2: does not count an error’s stack, a file’s lastModified, a missing prototype', async () => {
    const error = (stack: string) => Object.assign(new Error('a'), { stack });
    expect(await canonical(error('here'))).toBe(await canonical(error('there')));
    expect(await canonical(new File(['a'], 'a', { lastModified: 1 }))).toBe(await canonical(new File(['a'], 'a', { lastModified: 2 })));
    expect(await canonical(Object.assign(Object.create(null), { a: 1 }))).toBe(await canonical({ a: 1 }));
  });

  it('J2: is finite for cycles, and quick for parts that are shared over and over', async () => {
    const loop = (n: number) => {
      const one: any = { n };
      one.self = { back: one };
      return one;
    };
    expect(await canonical(loop(1))).toBe(await canonical(loop(1)));
    expect(await canonical(loop(1))).not.toBe(await canonical(loop(2)));
    let shared: unknown = { leaf: true };
    let copied: unknown = { leaf: true };
    for (let level = 0; level < 100; level++) shared = { one: shared, other: shared };
    for (let level = 0; level < 10; level++) copied = { one: copied, other: structuredClone(copied) };
    let small: unknown = { leaf: true };
    for (let level = 0; level < 10; level++) small = { one: small, other: small };
    expect((await canonical(shared)).length).toBeLessThan(600);
    expect(await canonical(copied)).toBe(await canonical(small));
  });

  it('H11: holds the name and the encoding of a registered class', async () => {
    class Point {
      readonly x: number;
      readonly y: number;
      constructor(x: number, y: number) {
        this.x = x;
        this.y = y;
      }
    }
    registerCodec('test-point', { match: (value) => value instanceof Point, encode: ({ x, y }: Point) => ({ x, y }), decode: ({ x, y }) => new Point(x, y) });
    expect(await canonical(new Point(1, 2))).toBe('@"test-point"({"x":1,"y":2})');
    expect(await canonical({ x: 1, y: 2 })).not.toBe(await canonical(new Point(1, 2)));
  });

  it('tells what can not be stored, and is no text for it', async () => {
    await expect(canonical({ a: () => 1 })).rejects.toMatchObject({ code: 'NOT_CLONEABLE' });
  });
});

describe('files', () => {
  afterEach(() => vi.unstubAllGlobals());
  const large = () => new Blob(Array.from({ length: 9 }, (_, n) => new Uint8Array(1024 * 1024).fill(n)));

  it('J2: two of the same content are one input, wherever they stand; another byte is another', async () => {
    const { orchestrator } = await open();
    let calls = 0;
    const size = defineTask({ id: 'size', cache: true, run: ({ files }: { files: File[] }) => (calls++, files.reduce((sum, file) => sum + file.size, 0)) });
    const file = (text: string, lastModified: number) => new File([text], 'a.pdf', { lastModified });
    await orchestrator.run(size, { files: [file('abc', 1)] });
    const same = orchestrator.trigger(size, { files: [file('abc', 2)] });
    await same.result();
    expect([same.state.fromCache, calls]).toEqual([true, 1]);
    await orchestrator.run(size, { files: [file('abd', 1)] });
    expect(calls).toBe(2);
  });

  it('one that can not be read any more costs the cache, not the run', async () => {
    const { orchestrator, warnings, told } = await open({ storage: 'memory' });
    const file = new File(['abc'], 'a.txt');
    vi.spyOn(Blob.prototype, 'arrayBuffer').mockRejectedValueOnce(new DOMException('gone', 'NotReadableError'));
    const name = defineTask({ id: 'name', cache: true, run: (input: File) => input.name });
    expect(await orchestrator.run(name, file)).toBe('a.txt');
    expect(told()).toEqual(['cache_miss key']);
    expect(warnings[0]).toContain('no cache key can be made of its input (SerializationError: The file "a.txt" can\'t be read');
    vi.restoreAllMocks();
  });
});

describe('keys', () => {
  const keyOf = async (options: object, input: unknown = 1, { call = true as any, rootId = 'r' } = {}) => {
    const plan = resolvePlan({ call, spec: { id: 'a/b', run: () => 1, cache: options } as any, cacheMode: undefined, orchestrator: undefined })!;
    return (await makeKey({ plan, input, rootId, context: { task: { id: 'a/b' }, metadata: {}, options: {} } }))?.key;
  };

  it('J2: belong to one task, whatever its id looks like', async () => {
    expect(await keyOf({})).toMatch(/^a%2Fb\/[0-9a-f]{64}$/);
    expect(keyBegin('a')).not.toBe(keyBegin('a/b').slice(0, keyBegin('a').length));
    expect(meets({ task: 'a' }, 'a%2Fb/x', 'a/b', [])).toBe(false);
  });

  it('J2: change with the salt', async () => {
    const keys = await Promise.all([
      keyOf({}),
      keyOf({ salt: 'x' }),
      keyOf({ salt: 'y' }),
      keyOf({}, 1, { call: { salt: 'z' } }),
      keyOf({}, { salt: 'z' }),
    ]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(await keyOf({ salt: 'z' }, 1)).toBe(keys[3]);
  });

  it('J2: `cache.key` stands for the input: text as it is, other values hashed, undefined for what is not to be cached', async () => {
    expect(await keyOf({ key: ({ id }: any) => `user/${id}` }, { id: 7, noise: 1 })).toBe('a%2Fb/user/7');
    expect(await keyOf({ key: ({ id }: any) => `user/${id}`, salt: 's' }, { id: 7 })).toMatch(/^a%2Fb\/user\/7#[0-9a-f]{64}$/);
    expect(await keyOf({ key: () => 'a#b' })).toBe('a%2Fb/a#b#');
    expect(await keyOf({ key: ({ id }: any) => ({ id }) }, { id: 7, noise: 1 })).toBe(await keyOf({ key: ({ id }: any) => ({ id }) }, { id: 7, noise: 2 }));
    expect(await keyOf({ key: () => undefined })).toBeUndefined();
    expect(await keyOf({ key: () => 'x'.repeat(2000) })).toMatch(/^a%2Fb\/[0-9a-f]{64}$/);
  });

  it('J2: `cache.key` hears of task, run and metadata; one that throws costs the cache, not the run', async () => {
    const { orchestrator, told, warnings, events } = await open();
    const heard: unknown[] = [];
    const byUser = defineTask({
      id: 'by-user',
      cache: {
        key: (input: string, { task, run, metadata }) => {
          heard.push([input, task.id, run?.name, metadata.who]);
          if (input === 'bad') throw new Error('no key');
          return input === 'never' ? undefined : `${metadata.who}`;
        },
      },
      run: (input: string) => input,
    });
    const options = { name: 'mine', metadata: { who: 'me' } };
    await orchestrator.run(byUser, 'a', options);
    expect(heard).toEqual([['a', 'by-user', 'mine', 'me']]);
    expect(events.at(-1)).toMatchObject({ name: 'output_saved', key: 'by-user/me' });
    expect(await orchestrator.run(byUser, 'b', options)).toBe('a');
    told();
    expect(await orchestrator.run(byUser, 'bad', options)).toBe('bad');
    expect(await orchestrator.run(byUser, 'never', options)).toBe('never');
    expect(told()).toEqual(['cache_miss key', 'cache_miss key']);
    expect(warnings).toEqual([expect.stringContaining('(Error: no key)')]);
  });

  it('J9: of a private entry begin with its root run', async () => {
    expect(await keyOf({ scope: 'run' }, 1, { rootId: 'run/1' })).toMatch(/^@run%2F1\/a%2Fb\/[0-9a-f]{64}$/);
  });
});

describe('what a value is made of', () => {
  it('J10: are its fields by path, short; what is too much stays together', () => {
    expect(fieldsOf({ a: [1, { 'b c': 'x' }], d: undefined }, 'input')).toEqual({ 'input.a[0]': '1', 'input.a[1]["b c"]': '"x"', 'input.d': 'undefined' });
    expect(fieldsOf(5, 'input')).toEqual({ input: '5' });
    expect(fieldsOf({}, 'input')).toEqual({ input: '{}' });
    const long = fieldsOf({ text: 'x'.repeat(500), many: Array.from({ length: 1000 }, (_, n) => n) }, 'input');
    expect(long['input.text']).toMatch(/^"x{40}"… #[0-9a-f]{16}$/);
    expect(long['input.many']).toMatch(/^#[0-9a-f]{16}$/);
  });

  it('J10: are never more than 64', () => {
    fc.assert(fc.property(value, (one) => void expect(Object.keys(fieldsOf(one, 'input')).length).toBeLessThanOrEqual(64)), { numRuns: 500 });
  });
});
