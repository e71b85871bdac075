import { describe, expect, it, vi } from 'vitest';
import {
  CanceledError,
  ContextClosedError,
  FatalError,
  NotCloneableError,
  TaskTimeoutError,
  UnrecognizedTaskError,
  WaitTimeoutError,
  WorkerCrashedError,
} from '../../js/errors.ts';
import type { TaskContext } from '../../js/types.ts';
import { workerHandler } from '../../js/workers/pool.ts';
import { type Handlers, serve, type WorkerScope } from '../../js/workers/serve.ts';
import { FakeWorker } from '../fake/worker.ts';
import { setup, TestContext, type TestHandler } from './worker-house.ts';

/** Never settles by itself, but listens to its signal. */
const untilAborted = (_input: unknown, ctx: TaskContext) =>
  new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
const never = () => new Promise(() => {});

async function failure(promise: Promise<unknown>): Promise<any> {
  return promise.then(
    () => expect.fail('did not fail'),
    (error) => error,
  );
}

describe('a handler in a worker', () => {
  it('gets its input and gives its output exactly, also what postMessage would lose', async () => {
    const { run } = setup((input) => ({ input, now: -0 }));
    const error = Object.assign(new TypeError('kept'), { code: 'E' });
    const input = {
      map: new Map([[1, new URL('https://example.com')]]),
      error,
      big: new Uint8Array([1, 2]).subarray(1),
    };
    const output: any = await run(input, new TestContext());
    expect(output.input.map.get(1).href).toBe('https://example.com/');
    expect(output.input.error).toMatchObject({ message: 'kept', code: 'E' });
    expect(output.input.big).toStrictEqual(new Uint8Array([2]));
    expect(Object.is(output.now, -0)).toBe(true);
  });

  it('sees attempt, run, task and metadata, frozen', async () => {
    const { run } = setup((_, ctx) => [
      ctx.attempt,
      { ...ctx.run },
      ctx.task,
      ctx.metadata,
      Object.isFrozen(ctx),
      Object.isFrozen(ctx.run),
    ]);
    const ctx = new TestContext();
    expect(await run(1, ctx)).toEqual([ctx.attempt, ctx.run, ctx.task, ctx.metadata, true, true]);
  });

  it('B12, B13, E4, E5: sees tags, options and usage; what it says of itself is carried out by the page', async () => {
    const { run } = setup(async (_, ctx) => {
      const before = [ctx.tags.current, ctx.options, ctx.usage.computeMs! >= 40, ctx.metadata.tag];
      ctx.metadata.set('page', 1).increment('done', 2);
      ctx.metadata.root.increment('all', 3);
      await ctx.metadata.flush();
      await ctx.tags.add('two');
      ctx.heartbeat();
      await ctx.yield();
      return [...before, ctx.tags.current, ctx.metadata.page, ctx.metadata.get('done')];
    });
    const ctx = new TestContext();
    const note = (...told: unknown[]) => void ctx.heard.push(told);
    const verbs = (whose: string) => ({ set: (...args: unknown[]) => note(whose, 'set', ...args), increment: (...args: unknown[]) => note(whose, 'increment', ...args) });
    const described = { ...ctx.metadata };
    for (const [key, value] of Object.entries({ ...verbs('own'), flush: async () => note('flush'), root: verbs('root') })) Object.defineProperty(described, key, { value, enumerable: false });
    const told = Object.assign(ctx, { metadata: described, run: { ...ctx.run, parentId: 'p' }, heartbeat: () => note('heartbeat'), yield: async () => note('yield') });
    expect(await run(1, told)).toEqual([['one'], ctx.options, true, 'x', ['one', 'two'], 1, 2]);
    expect(ctx.heard).toEqual([['own', 'set', 'page', 1], ['own', 'increment', 'done', 2], ['root', 'increment', 'all', 3], ['flush'], ['tags', 'two'], ['heartbeat'], ['yield']]);
  });

  it('keeps its own buffers: what it returns is a copy that was transferred', async () => {
    const cache = new Uint8Array(100_000).fill(3);
    const { run } = setup(() => cache);
    for (let i = 0; i < 2; i++) expect(await run(1, new TestContext())).toStrictEqual(cache);
    expect(cache.length).toBe(100_000);
  });

  it('computes a step here and finds it recorded the next time', async () => {
    const compute = vi.fn(() => new Map([['a', 1]]));
    const { run } = setup(async (_, ctx) => [await ctx.step('one', compute), await ctx.step('two', () => 2n)]);
    const recorded = new Map<string, unknown>();
    for (let i = 0; i < 2; i++) expect(await run(1, new TestContext(recorded))).toEqual([new Map([['a', 1]]), 2n]);
    expect(compute).toHaveBeenCalledTimes(1);
    expect([...recorded.keys()]).toEqual(['one', 'two']);
  });

  it('waits for events and tokens as in the page; a match that is a function is refused', async () => {
    const { run } = setup(async (_, ctx) => {
      const event = await ctx.waitFor('paid', { match: { sum: 3n }, timeout: 5 });
      const late = await ctx.wait.forEvent('late');
      const thrown = await ctx.waitFor('late').unwrap().catch((error: Error) => error.name);
      const token = await ctx.waitForToken({ id: 'token' }).unwrap();
      const refused = await ctx.waitFor('x', { match: () => true }).catch((error: Error) => error.name);
      const made = await ctx.createToken({ timeout: 5 });
      return { event, late: !late.ok && late.error instanceof WaitTimeoutError, thrown, token, refused, made };
    });
    const asked: unknown[] = [];
    const ctx = Object.assign(new TestContext(), {
      waitForEvent: async (name: string, options: unknown) => {
        asked.push([name, options]);
        return name === 'late' ? { ok: false, error: new WaitTimeoutError('late') } : { ok: true, output: new Map([[1, new Uint8Array([2])]]) };
      },
      waitForToken: async (token: unknown) => ({ ok: true, output: token }),
      createToken: async (options: object) => ({ id: 'made', isCached: false, ...options }),
    });
    expect(await run(1, ctx)).toEqual({
      event: { ok: true, output: new Map([[1, new Uint8Array([2])]]) },
      late: true, thrown: 'WaitTimeoutError', token: { id: 'token' }, refused: 'NotCloneableError', made: { id: 'made', isCached: false, timeout: 5 },
    });
    expect(asked[0]).toEqual(['paid', { match: { sum: 3n }, timeout: 5 }]);
  });

  it('gets the error its step threw, as its class, and may go on', async () => {
    const { run } = setup(async (_, ctx) => {
      const error = await ctx.step('bad', () => Promise.reject(new FatalError('no'))).catch((thrown) => thrown);
      return [error instanceof FatalError, error.message];
    });
    expect(await run(1, new TestContext())).toEqual([true, 'no']);
  });

  it('may run steps side by side', async () => {
    const { run } = setup((_, ctx) => Promise.all([1, 2, 3].map((n) => ctx.step(`s${n}`, async () => n * n))));
    expect(await run(1, new TestContext())).toEqual([1, 4, 9]);
  });

  it('G5: a million progress reports send only what a bar can show', async () => {
    const { run } = setup((_, ctx) => {
      for (let i = 0; i <= 1_000_000; i++) ctx.progress(i / 10_000);
      ctx.progress({ value: 100, message: 'done' });
    });
    const ctx = new TestContext();
    await run(1, ctx);
    expect(ctx.reports.length).toBeLessThan(1100);
    expect(ctx.reports.at(-1)).toMatchObject({ value: 100, message: 'done' });
  });

  it('throws what it threw, as its class with cause and code', async () => {
    const { run, workers } = setup(() => {
      throw new FatalError('broken', { cause: new RangeError('inner'), data: { page: 3 } });
    });
    const error = await failure(run(1, new TestContext()));
    expect(error).toBeInstanceOf(FatalError);
    expect(error.cause).toBeInstanceOf(RangeError);
    expect(error.data).toEqual({ page: 3 });
    expect(workers[0]!.terminated).toBe(false);
  });

  it('H4: a result that cannot be sent is refused with its path', async () => {
    const { run } = setup(() => ({ list: [() => 1] }));
    const error = await failure(run(1, new TestContext()));
    expect(error).toBeInstanceOf(NotCloneableError);
    expect(error.message).toMatch(/^result\.list\[0\] is a function/);
  });

  it('G9: its ctx is closed when it has ended', async () => {
    let late: TaskContext | undefined;
    const { run } = setup((_, ctx) => {
      late = ctx;
    });
    const ctx = new TestContext();
    await run(1, ctx);
    await expect(late!.step('x', () => 1)).rejects.toThrow(ContextClosedError);
    late!.progress(5);
    expect(ctx.reports).toEqual([]);
  });

  it('P2: a verb inside of a step is refused, time and chance too', async () => {
    const { run } = setup(async (_, ctx) => {
      const attempts = [() => ctx.step('inner', () => 1), () => ctx.now(), () => ctx.uuid(), () => ctx.sleep(1)];
      const refused = attempts.map((attempt) => ctx.step('outer', attempt as () => unknown).then(() => 'taken', (error: Error) => `${error.name} ${/ctx\.(\w+)/.exec(error.message)?.[1]}`));
      return [await Promise.all(refused), await ctx.step('after', () => 2)];
    });
    const asked = ['step', 'now', 'uuid', 'sleep'].map((verb) => `ConfigurationError ${verb}`);
    expect(await run(1, new TestContext())).toEqual([asked, 2]);
  });

  it('P13: a step knows its try and its id, and so does what it fetches before it awaits', async () => {
    const { run } = setup(async (_, ctx) => {
      const facts = await ctx.step('pay', ({ attempt, stepId }) => ({ attempt, stepId, own: ctx.stepId }));
      const late = await ctx.step('late', async () => {
        await null;
        return ctx.stepId;
      }).catch((error: Error) => error.name);
      return { ...facts, late, bare: await ctx.fetch('http://127.0.0.1:9/', { idempotencyKey: true }).catch((error: Error) => error.name) };
    });
    expect(await run(null, new TestContext())).toEqual({ attempt: 2, stepId: 'r1/pay', own: 'r1/pay', late: 'ConfigurationError', bare: 'ConfigurationError' });
  });

  it('C11: holds a lock of its page around what it does, and gives it back when that throws', async () => {
    const ctx = new TestContext();
    const { run } = setup(async (_, given) => {
      const value = await given.lock('cache', () => given.step('write', () => 5), { timeoutMs: 10 });
      await given.lock('cache', async () => { throw new FatalError('bad'); }).catch(() => {});
      return value;
    });
    expect(await run(null, ctx)).toBe(5);
    expect(ctx.heard).toEqual([['acquire', 'cache', { timeoutMs: 10 }], ['release', 7], ['acquire', 'cache', undefined], ['release', 7]]);
  });

  it('D6: tries again by the delays and the clock of its page', async () => {
    const { run } = setup((_, ctx) => ctx.retry.onThrow(({ attempt }) => {
      throw new Error(`try ${attempt}`);
    }, { maxAttempts: 3, retryOn: () => true }));
    const ctx = new TestContext();
    expect(await failure(run(1, ctx))).toMatchObject({ message: 'try 3' });
    expect(ctx.heard).toEqual([[{ maxAttempts: 3 }, 1, 0, undefined], [{ maxAttempts: 3 }, 2, 7, undefined], [{ maxAttempts: 3 }, 3, 7, undefined]]);
  });

  it('is found by task id among several', async () => {
    const { run } = setup({ a: () => 'A', b: () => 'B' });
    expect(await run(1, new TestContext(new Map(), 'b'))).toBe('B');
    for (const id of ['c', 'toString', '__proto__']) {
      expect(await failure(run(1, new TestContext(new Map(), id)))).toBeInstanceOf(UnrecognizedTaskError);
    }
  });
});

describe('stopping', () => {
  it('S5: abort comes first, with its typed reason; the worker is kept', async () => {
    const { run, workers } = setup(untilAborted);
    const ctx = new TestContext();
    const outcome = failure(run(1, ctx));
    ctx.controller.abort(new CanceledError('by the user'));
    const error = await outcome;
    expect(error).toBeInstanceOf(CanceledError);
    expect(error.message).toBe('by the user');
    expect(workers[0]!.terminated).toBe(false);
  });

  it('G2: when the grace period is over the worker is terminated and the next attempt gets a fresh one', async () => {
    const { run, workers } = setup((input) => (input === 'long' ? never() : input));
    const ctx = new TestContext();
    const outcome = failure(run('long', ctx));
    const reason = new TaskTimeoutError('too long');
    ctx.controller.abort(reason);
    ctx.abandon();
    expect(await outcome).toBe(reason);
    expect(workers[0]!.terminated).toBe(true);
    expect(await run('second', new TestContext())).toBe('second');
    expect(workers).toHaveLength(2);
  });

  it('an abandon that comes after the end harms nobody', async () => {
    const { run, workers } = setup((input) => (input === 'long' ? never() : input));
    const first = new TestContext();
    await run(1, first);
    const second = run('long', new TestContext());
    first.abandon();
    expect(workers[0]!.terminated).toBe(false);
    run.close();
    expect(await failure(second)).toBeInstanceOf(WorkerCrashedError);
  });

  it('an attempt that waits for a worker leaves when it is aborted', async () => {
    const { run } = setup((input) => (input === 'long' ? never() : input));
    void run('long', new TestContext()).catch(() => {});
    const ctx = new TestContext();
    const waiting = failure(run(1, ctx));
    await Promise.resolve();
    ctx.controller.abort('enough');
    expect(await waiting).toBe('enough');
    const aborted = new TestContext();
    aborted.controller.abort('before');
    expect(await failure(run(1, aborted))).toBe('before');
    run.close();
  });

  it('S5: those that wait behind a given up attempt are run, not failed', async () => {
    const { run } = setup((input) => (input === 'long' ? never() : input));
    const ctx = new TestContext();
    const stuck = failure(run('long', ctx));
    const behind = [1, 2, 3].map((n) => run(n, new TestContext()));
    await Promise.resolve();
    ctx.controller.abort(new CanceledError('stop'));
    ctx.abandon();
    await stuck;
    expect(await Promise.all(behind)).toEqual([1, 2, 3]);
  });

  it('steps still open when the worker is given up are closed', async () => {
    const { run } = setup((_, ctx) => ctx.step('long', never));
    const ctx = new TestContext();
    const step = vi.spyOn(ctx, 'step');
    const outcome = failure(run(1, ctx));
    await vi.waitFor(() => expect(step).toHaveBeenCalled());
    ctx.abandon();
    await outcome;
    await expect(step.mock.results[0]!.value).rejects.toThrow();
  });
});

describe('a worker that dies', () => {
  const deaths: [name: string, die: (worker: FakeWorker) => void, words: RegExp][] = [
    [
      'with an error event',
      (w) => w.fail('error', { message: 'boom', filename: 'w.js', lineno: 3 }),
      /boom \(w\.js:3\)/,
    ],
    ['because its script cannot be loaded', (w) => w.fail('error'), /404, wrong type, syntax or CSP/],
    ['with a message that cannot be read', (w) => w.fail('messageerror'), /can't read/],
    [
      'by an unhandled rejection',
      (w) => w.scope.dispatchEvent(Object.assign(new Event('unhandledrejection'), { reason: new Error('stray') })),
      /stray/,
    ],
    ['by self.close()', (w) => w.scope.close(), /closed itself/],
    ['by a message it cannot read', (w) => w.scope.dispatchEvent(new Event('messageerror')), /couldn't be read/],
  ];
  for (const [name, die, words] of deaths) {
    it(`${name} fails its own attempt only, and the pool recovers`, async () => {
      const { run, workers } = setup((input) => (input === 'long' ? never() : input), 2);
      const doomed = failure(run('long', new TestContext()));
      const other = run('other', new TestContext());
      await other;
      die(workers[0]!);
      const error = await doomed;
      expect(error).toBeInstanceOf(WorkerCrashedError);
      expect(error.retryable).toBe(true);
      expect(error.message).toMatch(words);
      expect(workers[0]!.terminated).toBe(true);
      expect(await Promise.all([run(1, new TestContext()), run(2, new TestContext())])).toEqual([1, 2]);
    });

    it(`${name} while idle is replaced when it is needed`, async () => {
      const { run, workers } = setup((input) => input);
      await run(1, new TestContext());
      die(workers[0]!);
      await vi.waitFor(() => expect(workers[0]!.terminated).toBe(true));
      expect(await run(2, new TestContext())).toBe(2);
      expect(workers).toHaveLength(2);
    });
  }

  it('or cannot be made (CSP) is a WorkerCrashedError, each time anew', async () => {
    let allowed = false;
    const run = workerHandler(
      () => {
        if (!allowed) throw new DOMException('refused', 'SecurityError');
        return new FakeWorker((scope) => serve((input) => input, scope)) as unknown as Worker;
      },
      { size: 1 },
    ) as unknown as TestHandler;
    const error = await failure(run(1, new TestContext()));
    expect(error).toBeInstanceOf(WorkerCrashedError);
    expect(error.cause.name).toBe('SecurityError');
    allowed = true;
    expect(await run(1, new TestContext())).toBe(1);
    run.close();
  });
});

describe('the pool', () => {
  it('makes workers when needed, at most `size`, and keeps idle ones', async () => {
    let most = 0;
    let running = 0;
    const { run, workers } = setup(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    }, 3);
    expect(workers).toHaveLength(0);
    await Promise.all(Array.from({ length: 20 }, () => run(1, new TestContext())));
    expect([most, workers.length]).toEqual([3, 3]);
    await run(1, new TestContext());
    expect(workers).toHaveLength(3);
    run.close();
    expect(workers.every(({ terminated }) => terminated)).toBe(true);
  });

  it('refuses wrong options, naming them', () => {
    expect(() => workerHandler(null as any)).toThrow(/workerHandler must be given a function/);
    for (const size of [0, -1, 1.5, NaN])
      expect(() => workerHandler(() => null as any, { size })).toThrow(/size must be a whole number/);
    expect(() => serve(5 as any, {} as any)).toThrow(/serve must be given a handler/);
  });

  it('S3: messages that are not ours are not believed', async () => {
    const { run, workers } = setup((input) => (input === 'long' ? never() : input));
    const outcome = failure(run('long', new TestContext()));
    await Promise.resolve();
    const scope = workers[0]!.scope;
    for (const message of [
      null,
      5,
      'x',
      {},
      { holdfast: 'returned' },
      { holdfast: 5, call: 1 },
      { holdfast: 'returned', call: 99 },
    ])
      scope.postMessage(message, []);
    scope.postMessage({ holdfast: 'returned', call: 1, value: { graph: [[1], [99, 1]] } }, []);
    expect(await outcome).toBeInstanceOf(WorkerCrashedError);
  });
});
