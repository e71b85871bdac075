/** A key that another run holds makes nobody wait for himself, over however many runs the way goes. */
import { ConfigurationError, defineTask, idempotencyKeys, type DuplicatePolicy, type RunHandle, type Task } from 'holdfast';
import { beforeAll, describe, expect, it } from 'vitest';
import { type House } from './house.ts';
import { name, open } from './houses.ts';

const key = (text: string) => idempotencyKeys.create(text, { scope: 'global' });

async function ended(house: House, run: RunHandle): Promise<any> {
  let result: any;
  void run.wait().then((one) => (result = one));
  for (let i = 0; i < 50 && !result; i++) await house.clock.advance(100);
  return result;
}

/** Whoever has the key `text` asks for the runs of these keys, one after the other. */
function asking(ways: Record<string, string[]>): Task<string, any, any> {
  const task: Task<string, any, any> = defineTask({
    id: name('asking'),
    retry: { maxAttempts: 1 },
    run: async (text: string, ctx): Promise<unknown> => {
      await ctx.sleep(100);
      for (const other of ways[text] ?? []) await ctx.run(task, other, { idempotencyKey: key(other) });
      return text;
    },
  });
  return task;
}

describe('A key that would make a run wait for itself is refused', () => {
  for (const onDuplicate of ['join', 'queue', 'replace'] as DuplicatePolicy[])
    it(`where its parent holds it, with '${onDuplicate}'`, async () => {
      const house = await open();
      const task: Task<string, any, any> = defineTask({
        id: name('own'), retry: { maxAttempts: 1 }, run: async (depth: number, ctx): Promise<unknown> => depth > 0 && ctx.run(task, depth - 1, { idempotencyKey: key('own'), onDuplicate }),
      });
      const result = await ended(house, house.orchestrator.trigger(task, 1, { idempotencyKey: 'own' }));
      expect(result).toMatchObject({ ok: false, status: 'failed', error: { code: 'CONFIGURATION' } });
      expect(result.error.message).toMatch(/holds the key "own".*Use another key/);
      expect(house.orchestrator.getAllTasks()).toHaveLength(1);
    });

  it('where two runs ask for each other: the one that comes second', async () => {
    const house = await open();
    const task = asking({ a: ['b'], b: ['a'] });
    const runs = ['a', 'b'].map((text) => house.orchestrator.trigger(task, text, { idempotencyKey: text }));
    const results = await Promise.all(runs.map((run) => ended(house, run)));
    expect(results.map((result) => result?.error?.message)).toEqual([expect.stringContaining('waits for this one itself'), expect.stringContaining('waits for this one itself')]);
    expect(results[1].error).toBeInstanceOf(ConfigurationError);
  });

  it('where the way goes over children and other keys', async () => {
    const house = await open();
    const task = asking({ a: ['b'], b: ['c'], c: ['a'] });
    const results = await Promise.all(['a', 'b'].map((text) => ended(house, house.orchestrator.trigger(task, text, { idempotencyKey: text }))));
    for (const result of results) expect(result?.error?.message).toContain('waits for this one itself');
  });

  it('and not where the other run waits for somebody else, or has waited', async () => {
    const house = await open();
    const task = asking({ a: ['c'], b: ['a', 'c'], d: ['a', 'b'] });
    const results = await Promise.all(['a', 'b', 'd'].map((text) => ended(house, house.orchestrator.trigger(task, text, { idempotencyKey: text }))));
    expect(results).toMatchObject([{ output: 'a' }, { output: 'b' }, { output: 'd' }]);
  });
});

/** What can go on without time passing has: code that is loaded with its first use comes in by itself. */
const calm = async ({ clock }: House) => {
  for (let round = 0; round < 6; round++) {
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
    await clock.settle();
  }
};
const once = { maxAttempts: 1 };

describe('Runs that would wait for each other over locks, keys and outputs that are shared', () => {
  // Loading takes time that no clock of a test counts.
  beforeAll(() => Promise.all([import('../../js/locking/acquire.ts'), import('../../js/locking/table.ts'), import('../../js/cache/task-cache.ts')]));

  /** `outer` has the lock that `inner` wants, and asks for `inner`, which was triggered before. */
  async function crossed(spec: object, asked: object) {
    const house = await open();
    const { orchestrator, clock } = house;
    const inner = defineTask({ id: name('inner'), ...spec, retry: once, run: (_: null, ctx) => ctx.lock('one', async () => 'inner') });
    const outer = defineTask({
      id: name('outer'), retry: { maxAttempts: 2, minDelayMs: 1000, jitter: 'none' },
      run: (_: null, ctx) => ctx.lock('one', async () => {
        await ctx.sleep(1000);
        return ctx.run(inner, null, asked);
      }),
    });
    const first = orchestrator.trigger(outer, null);
    await calm(house);
    const second = orchestrator.trigger(inner, null, asked);
    await calm(house);
    expect(second.state.reason).toBe('lock');
    await clock.advance(1000);
    await calm(house);
    return { house, first, second };
  }

  it('a key: who would close the circle is told, gives its lock back, and its retry has what the other gave', async () => {
    const { house, first, second } = await crossed({}, { idempotencyKey: key('inner') });
    expect(first.state.error).toMatchObject({ name: 'LockDeadlockError', message: expect.stringMatching(/holds the key.*waits for the lock "one", which run/) });
    expect(await second.result()).toBe('inner');
    for (let second = 0; second < 3; second++) {
      await house.clock.advance(1000);
      await calm(house);
    }
    expect(await first.result()).toBe('inner');
  });

  it('a cached task: who would close the circle computes by itself, and is told at the lock', async () => {
    const { house, first, second } = await crossed({ cache: true }, {});
    expect(first.state.error).toMatchObject({ name: 'LockDeadlockError' });
    expect(await second.result()).toBe('inner');
    for (let second = 0; second < 3; second++) {
      await house.clock.advance(1000);
      await calm(house);
    }
    expect(await first.result()).toBe('inner');
  });

  it('a lock that is asked for last, by who computes for a child of its holder', async () => {
    const house = await open();
    const { orchestrator, clock } = house;
    const computing = defineTask({ id: name('computing'), cache: true, retry: once, run: async (_: null, ctx) => {
      await ctx.sleep(1000);
      return ctx.lock('two', async () => 'computed');
    } });
    const holding = defineTask({ id: name('holding'), retry: once, run: (_: null, ctx) => ctx.lock('two', () => ctx.run(computing, null)) });
    const first = orchestrator.trigger(computing, null);
    await calm(house);
    const second = orchestrator.trigger(holding, null);
    await calm(house);
    await clock.advance(1000);
    await calm(house);
    expect([first.state.error?.name, second.state.error?.name]).toEqual(['LockDeadlockError', 'LockDeadlockError']);
  });

  it('a cached task that asks for itself ends as one that is not cached does: it is too deep', async () => {
    const house = await open();
    const task: Task<string, any, any> = defineTask({ id: name('recursive'), cache: true, retry: once, run: (_: null, ctx): Promise<unknown> => ctx.run(task, null) });
    const run = house.orchestrator.trigger(task, null);
    for (let round = 0; round < 100 && run.status !== 'failed'; round++) await calm(house);
    expect(run.state.error?.message).toMatch(/children deep, which is the limit/);
  });
});
