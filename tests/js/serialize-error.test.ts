import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clone, encode } from '../../js/codec/codec.ts';
import * as errors from '../../js/errors.ts';
import { deserializeError, markOrigin, registerError, serializeError } from '../../js/runs/serialize-error.ts';

function withThrowingGetters(): object {
  const fail = () => {
    throw new Error('getter');
  };
  const error = Object.create(Error.prototype, { message: { value: 'kept' } });
  for (const key of ['name', 'stack', 'cause', 'code', 'extra'])
    Object.defineProperty(error, key, { get: fail, enumerable: true });
  return error;
}
function cyclic(): Error {
  const outer: any = new Error('outer');
  const inner: any = new Error('inner', { cause: outer });
  outer.cause = inner;
  outer.self = outer;
  return outer;
}
function cyclicObject(): object {
  const object: any = {};
  object.self = object;
  return object;
}
function chain(length: number): Error {
  let error = new Error('0');
  for (let i = 1; i < length; i++) error = new Error(String(i), { cause: error });
  return error;
}
const revoked = Proxy.revocable(new Error('x'), {});
revoked.revoke();
const explode = () => {
  throw new Error('trap');
};
class HttpError extends Error {
  override name = 'HttpError';
  status = 503;
  request = () => 1;
}

/** G3 */
const table: [name: string, thrown: unknown, expected: object][] = [
  ['an Error', new Error('a'), { name: 'Error', message: 'a', stack: expect.stringContaining('Error: a') }],
  ['a TypeError', new TypeError('a'), { name: 'TypeError', message: 'a' }],
  ['a subclass', new HttpError('busy'), { name: 'HttpError', message: 'busy', data: { status: 503 } }],
  ['a string', 'broken', { name: 'Error', message: 'broken' }],
  ['an empty string', '', { name: 'Error', message: '' }],
  ['null', null, { name: 'Error', message: expect.stringContaining('null'), data: { thrown: null } }],
  ['undefined', undefined, { name: 'Error', message: expect.stringContaining('undefined') }],
  ['a number', 42, { message: expect.stringContaining('42'), data: { thrown: 42 } }],
  ['NaN', NaN, { message: expect.stringContaining('NaN') }],
  ['a boolean', false, { message: expect.stringContaining('false') }],
  ['a bigint', 5n, { message: expect.stringContaining('5'), data: { thrown: 5n } }],
  ['a symbol', Symbol('s'), { message: expect.stringContaining('Symbol(s)') }],
  ['a function', () => 1, { message: expect.stringContaining('a function') }],
  [
    'a plain object',
    { status: 500 },
    { message: expect.stringContaining('{"status":500}'), data: { thrown: { status: 500 } } },
  ],
  [
    'an object with a message',
    { message: 'm', code: 'E_X', detail: 1 },
    { name: 'Error', message: 'm', code: 'E_X', data: { detail: 1 } },
  ],
  ['an array', [1, 2], { message: expect.stringContaining('[1,2]') }],
  ['a cyclic object', cyclicObject(), { name: 'Error' }],
  ['a null-prototype object', Object.create(null), { name: 'Error' }],
  ['a frozen Error', Object.freeze(new Error('cold')), { message: 'cold' }],
  ['a frozen object', Object.freeze({}), { name: 'Error' }],
  ['throwing getters', withThrowingGetters(), { name: 'Error', message: 'kept' }],
  ['a message that throws', Object.defineProperty(new Error(), 'message', { get: explode }), { name: 'Error' }],
  [
    'a Proxy that throws',
    new Proxy({}, { get: explode, ownKeys: explode, getPrototypeOf: explode }),
    { name: 'Error' },
  ],
  ['a revoked Proxy', revoked.proxy, { name: 'Error' }],
  ["another realm's Error", runInNewContext('new RangeError("far")'), { name: 'RangeError', message: 'far' }],
  ['a cause cycle', cyclic(), { message: 'outer', cause: { message: 'inner' } }],
  ['a chain of 100 causes', chain(100), { message: '99' }],
  ['a cause that is a string', new Error('a', { cause: 'why' }), { cause: { message: 'why' } }],
  [
    'an AggregateError',
    new AggregateError([new TypeError('x'), 1], 'all'),
    { name: 'AggregateError', data: { errors: [{ name: 'TypeError', message: 'x' }, {}] } },
  ],
  ['a DOMException', new DOMException('stop', 'AbortError'), { name: 'AbortError', message: 'stop' }],
  ['a numeric code', Object.assign(new Error('a'), { code: 7 }), { data: { code: 7 } }],
  ['10 MB of message', new Error('x'.repeat(1e7)), { name: 'Error' }],
  [
    '10,000 properties',
    Object.assign(
      new Error('a'),
      Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, 'x'.repeat(1000)])),
    ),
    { message: 'a' },
  ],
  ['a Promise', Promise.resolve(), { name: 'Error' }],
  ['a Response', new Response('x'), { name: 'Error' }],
  [
    'a name that is no string',
    Object.assign(new Error('a'), { name: { toString: explode } }),
    { name: 'Error', message: 'a' },
  ],
  ['toJSON that throws', { toJSON: explode }, { name: 'Error' }],
];

describe('serializeError', () => {
  for (const [name, thrown, expected] of table) {
    it(`G3: normalises ${name}`, () => {
      const serialized = serializeError(thrown);
      expect(serialized).toMatchObject(expected);
      expect(typeof serialized.message).toBe('string');
      expect(() => encode(serialized, 'error')).not.toThrow();
      expect(() => structuredClone(serialized)).not.toThrow();
      const error = deserializeError(clone(serialized, 'error'));
      expect(error).toBeInstanceOf(Error);
      expect([error.name, error.message]).toEqual([serialized.name, serialized.message]);
    });
  }

  it('G3: keeps at most five causes', () => {
    let depth = 0;
    for (let error = serializeError(chain(100)).cause; error; error = error.cause) depth++;
    expect(depth).toBe(5);
  });

  it('G3: never throws, whatever is thrown', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withNullPrototype: true, withMap: true, withDate: true }),
        (thrown) => {
          expect(deserializeError(serializeError(thrown))).toBeInstanceOf(Error);
        },
      ),
    );
  });

  it('S4: own properties named __proto__ or constructor pollute nothing', () => {
    const error = deserializeError({
      name: 'Error',
      message: '',
      data: JSON.parse('{"__proto__":{"polluted":1},"constructor":{"x":1}}'),
    });
    expect(({} as any).polluted).toBeUndefined();
    expect((error as any).polluted).toBeUndefined();
  });

  it('G7: later changes of the error do not change what was serialised', () => {
    const error = Object.assign(new Error('a'), { info: { n: 1 } });
    const serialized = serializeError(error);
    error.info.n = 2;
    expect(serialized.data).toEqual({ info: { n: 1 } });
  });
});

describe('deserializeError', () => {
  for (const [name, type] of Object.entries(errors)) {
    it(`A5: brings back ${name} as its class, with code, data and cause`, () => {
      const original = new type('why', { cause: new TypeError('inner'), data: { a: 1 } });
      const error: any = deserializeError(structuredClone(serializeError(original)));
      expect(error).toBeInstanceOf(type);
      expect(error.constructor).toBe(original.constructor);
      expect([error.name, error.code, error.retryable, error.message]).toEqual([
        original.name,
        original.code,
        original.retryable,
        'why',
      ]);
      expect(error.data).toEqual({ a: 1 });
      expect(error.stack).toBe(original.stack);
      expect(error.cause).toBeInstanceOf(TypeError);
    });
  }

  it('keeps retryAfter of a RetryableError', () => {
    const at = new Date(5);
    const error: any = deserializeError(serializeError(new errors.RetryableError('later', { retryAfter: at })));
    expect(error.retryAfter).toEqual(at);
  });

  it('brings back an AggregateError with its errors', () => {
    const error: any = deserializeError(serializeError(new AggregateError([new errors.FatalError('x')], 'all')));
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.errors[0]).toBeInstanceOf(errors.FatalError);
  });

  it('takes damaged records', () => {
    for (const damaged of [null, undefined, 5, {}, { name: 5, message: null, stack: 3, cause: 'x' }] as any[]) {
      expect(deserializeError(damaged)).toBeInstanceOf(Error);
    }
  });
});

describe('the origin of an error', () => {
  const origin = { taskIdentifier: 'task', runId: 'run_1', attempt: 2 };

  it('A5: is kept with it, and is not enumerable, so it is no data of its own', () => {
    const back = deserializeError(encodedAndBack(serializeError(new errors.FatalError('x'), origin)));
    expect(back).toMatchObject(origin);
    expect(Object.keys(back)).not.toContain('runId');
    expect(serializeError(back)).toMatchObject(origin);
    const marked = new Error('y');
    markOrigin(marked, origin);
    expect(serializeError(marked)).toMatchObject({ ...origin, name: 'Error' });
    expect(serializeError(marked).data).toBeUndefined();
  });

  it('A5: is the first one: an error that came from elsewhere says where from', () => {
    const child = new Error('from a child');
    markOrigin(child, { ...origin, runId: 'run_child' });
    markOrigin(child, origin);
    expect(serializeError(child, origin).runId).toBe('run_child');
    expect(serializeError(new Error('parent', { cause: child }), origin)).toMatchObject({ runId: 'run_1', cause: { runId: 'run_child' } });
  });

  it('A5: leaves what an error calls by the same names alone, and errors that can’t be written to', () => {
    const own = Object.assign(new Error('x'), { attempt: 'third', taskIdentifier: 7 });
    expect(deserializeError(serializeError(own))).toMatchObject({ attempt: 'third', taskIdentifier: 7 });
    for (const error of [Object.freeze(new Error('x')), new Proxy(new Error('x'), { has: () => { throw new Error('has'); } })])
      expect(() => markOrigin(error, origin)).not.toThrow();
    expect(deserializeError({ name: 'Error', message: 'x', runId: 3, attempt: '1' } as never)).not.toHaveProperty('runId');
  });
});

describe('registerError', () => {
  it('A5: brings errors of a class back as instances of it, without calling its constructor', () => {
    class HttpError extends Error {
      readonly status: number;
      constructor(status: number) {
        super(`HTTP ${status}`);
        if (status === undefined) throw new TypeError('its constructor was called');
        this.name = 'HttpError';
        this.status = status;
      }
      get isGone() {
        return this.status === 410;
      }
    }
    registerError(HttpError);
    registerError(HttpError);
    const back = deserializeError(encodedAndBack(serializeError(new Error('outer', { cause: new HttpError(410) })))).cause as HttpError;
    expect(back).toBeInstanceOf(HttpError);
    expect(back).toMatchObject({ status: 410, isGone: true, message: 'HTTP 410', name: 'HttpError' });
    expect(back.stack).toContain('HTTP 410');
  });

  it('A5: refuses what is no class of errors, and names that are taken', () => {
    class Other extends Error {}
    expect(() => registerError({} as never)).toThrow(errors.ConfigurationError);
    expect(() => registerError(Map as never)).toThrow('a class that extends Error');
    for (const name of ['HttpError', 'TypeError', 'FatalError', '']) expect(() => registerError(Other, name)).toThrow(errors.ConfigurationError);
    registerError(Other, 'Another');
    expect(deserializeError({ name: 'Another', message: 'x' })).toBeInstanceOf(Other);
    expect(deserializeError({ name: 'Another', message: 'x', code: 'FATAL' })).toBeInstanceOf(errors.FatalError);
  });
});

function encodedAndBack<Value>(value: Value): Value {
  return clone(value, 'error');
}
