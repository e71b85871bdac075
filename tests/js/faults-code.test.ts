import vm from 'node:vm';
import { ConfigurationError, defineTask, type TaskContext } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { open } from './houses.ts';

const trap = () => {
  throw new Error('trapped');
};
const hostile = { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap, getOwnPropertyDescriptor: trap } as ProxyHandler<object>;
function cyclic(): Error {
  const error = new Error('cycle');
  error.cause = error;
  return error;
}
function deep(): Error {
  let error = new Error('bottom');
  for (let level = 0; level < 1000; level++) error = new Error(`level ${level}`, { cause: error });
  return error;
}
const defined = (key: string, descriptor: PropertyDescriptor) => Object.defineProperty(new Error('base'), key, descriptor);

const thrown: [string, () => unknown][] = [
  ['text', () => 'text'], ['no text', () => ''], ['null', () => null], ['undefined', () => undefined], ['a number', () => 42],
  ['NaN', () => Number.NaN], ['a bigint', () => 12n], ['a symbol', () => Symbol('s')], ['true', () => true], ['a function', () => () => {}],
  ['a plain object', () => ({ a: 1 })], ['an object with a message', () => ({ message: 'like an error' })],
  ['a null prototype', () => Object.create(null)], ['a frozen object', () => Object.freeze({ a: 1 })],
  ['a frozen error', () => Object.freeze(new Error('frozen'))], ['an array', () => [1, 2]], ['a promise', () => Promise.resolve(1)],
  ['a cycle', cyclic], ['a thousand causes', deep], ['an aggregate', () => new AggregateError([new Error('a'), 'b'], 'many')],
  ['a message that throws', () => defined('message', { get: trap })], ['a name that throws', () => defined('name', { get: trap })],
  ['a stack that throws', () => defined('stack', { get: trap })], ['a message that is a number', () => defined('message', { value: 5 })],
  ['a proxy around an object', () => new Proxy({}, hostile)], ['a proxy around an error', () => new Proxy(new Error('inner'), hostile)],
  ['a revoked proxy', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  }],
  ['an error of another realm', () => vm.runInNewContext('new TypeError("elsewhere")')], ['a huge message', () => new Error('x'.repeat(3_000_000))],
  ['a DOMException', () => new DOMException('gone', 'AbortError')], ['an error with functions', () => Object.assign(new Error('fn'), { f: () => 1, s: Symbol('x') })],
  ['text that throws', () => ({ toString: trap, toJSON: trap, valueOf: trap })],
];

for (const storage of ['memory', undefined] as const) {
  const options = storage ? { storage } : {};
  describe(`code of people, ${storage ? 'in memory' : 'stored'}`, () => {
    it('G3: whatever is thrown becomes an Error with a message, and nothing breaks', async () => {
      const { orchestrator, clock } = await open(options);
      const thrower = defineTask({ id: 'thrower', retry: { maxAttempts: 1 }, run: (index: number) => {
        throw thrown[index]![1]();
      } });
      expect(thrown.length).toBeGreaterThanOrEqual(30);
      for (const [index, [name]] of thrown.entries()) {
        const run = orchestrator.trigger(thrower, index);
        const result = await run.wait();
        expect(result.ok, name).toBe(false);
        expect(run.state.error, name).toBeInstanceOf(Error);
        expect(typeof run.state.error!.message, name).toBe('string');
        expect(typeof run.state.error!.name, name).toBe('string');
        expect(orchestrator.why(run.id), name).toBeTypeOf('string');
      }
      await clock.settle();
      expect(orchestrator.counts()).toMatchObject({ failed: thrown.length, total: thrown.length });
    });

    it('G6: a handler that throws at once, returns no promise or is a generator ends like any other', async () => {
      const { orchestrator, clock } = await open(options);
      const sync = defineTask({ id: 'sync', retry: { randomize: false, maxAttempts: 2 }, run: () => {
        throw new Error('at once');
      } });
      const run = orchestrator.trigger(sync, null);
      await clock.advance(1000);
      expect(await run.wait()).toMatchObject({ ok: false, attempts: 2, error: { message: 'at once' } });
      const generator = defineTask({ id: 'generator', retry: { maxAttempts: 1 }, run: async function* () {
        yield 1;
      } as never });
      expect(await orchestrator.trigger(generator, null).wait()).toMatchObject({ ok: false, error: { code: 'NOT_CLONEABLE' } });
      const returned = defineTask({ id: 'returned', retry: { maxAttempts: 1 }, run: () => (() => 1) as never });
      expect(await orchestrator.trigger(returned, null).wait()).toMatchObject({ ok: false, error: { code: 'NOT_CLONEABLE' } });
      const thenable = defineTask({ id: 'thenable', run: () => ({ then: (yes: (value: number) => void) => yes(5) }) as never });
      expect(await orchestrator.trigger(thenable, null).result()).toBe(5);
      const hostileThen = defineTask({ id: 'hostile then', retry: { maxAttempts: 1 }, run: () => ({ get then() {
        return trap();
      } }) as never });
      expect(await orchestrator.trigger(hostileThen, null).wait()).toMatchObject({ ok: false });
      for (const run of [undefined, null, 'code', {}, 5]) expect(() => defineTask({ id: 'none', run: run as never })).toThrow(ConfigurationError);
      await expect(orchestrator.executeTask('x', { execute: 5 } as never, null)).rejects.toThrow(ConfigurationError);
      await expect(orchestrator.executeTask('x', undefined as never, null)).rejects.toThrow(ConfigurationError);
    });

    it('G4: settling twice, or again through a thenable, counts once', async () => {
      const { orchestrator, clock } = await open(options);
      const completed: string[] = [];
      orchestrator.on('complete', (id) => completed.push(id));
      const twice = defineTask({ id: 'twice', run: () => ({ then: (yes: (value: number) => void, no: (error: Error) => void) => {
        yes(1);
        yes(2);
        no(new Error('late'));
      } }) as never });
      expect(await orchestrator.trigger(twice, null).result()).toBe(1);
      await clock.settle();
      expect(completed).toHaveLength(1);
    });

    it('G4: promises of a class of its own, and what only has a then, settle their own run and no other', async () => {
      class Impatient<Value> extends Promise<Value> {
        override then<A = Value, B = never>(yes?: ((value: Value) => A | PromiseLike<A>) | null, no?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
          const answered = super.then(yes, no);
          void super.then(yes, no);
          return answered;
        }
      }
      const thenable = (n: number) => ({ then: (yes: (value: number) => void) => {
        yes(n);
        setTimeout(() => yes(-1));
      } });
      const shapes = [(n: number) => Impatient.resolve(n), thenable, async (n: number) => n];
      const { orchestrator, clock } = await open(options);
      const task = defineTask({ id: 'shapes', queue: { name: 'shapes', concurrency: 2 }, run: (n: number) => shapes[n % 3]!(n) as Promise<number> });
      const runs = Array.from({ length: 60 }, (_, n) => orchestrator.trigger(task, n));
      expect(await Promise.all(runs.map((run) => run.result()))).toEqual(runs.map((_, n) => n));
      await clock.settle();
      expect(runs.map((run) => run.state.result)).toEqual(runs.map((_, n) => n));
    });

    it('G7: what code does to its input, result, metadata or ctx afterwards reaches nobody', async () => {
      const { orchestrator } = await open(options);
      const kept: { result?: { list: number[] }; ctx?: TaskContext } = {};
      const task = defineTask({ id: 'mutator', run: async (input: { list: number[] }, ctx: TaskContext) => {
        kept.ctx = ctx;
        const stored = await ctx.step('one', () => ({ deep: [1] }));
        stored.deep.push(2);
        try {
          (ctx.metadata as Record<string, unknown>).added = true;
        } catch {
          // Refusing is as good.
        }
        input.list.push(9);
        return (kept.result = { list: [1] });
      } });
      const metadata: Record<string, unknown> = { tag: { name: 'a' } };
      const run = orchestrator.trigger(task, { list: [0] }, { metadata });
      (metadata.tag as { name: string }).name = 'b';
      expect(await run.result()).toEqual({ list: [1] });
      kept.result!.list.push(5);
      expect(run.state.result).toEqual({ list: [1] });
      expect(run.state.metadata).toMatchObject({ tag: { name: 'a' } });
      await expect(kept.ctx!.step('late', () => 1)).rejects.toMatchObject({ code: 'CONTEXT_CLOSED' });
      kept.ctx!.progress(1);
      expect(run.state).toMatchObject({ status: 'completed', progress: 100 });
    });
  });
}
