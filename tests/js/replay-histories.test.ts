/** X5: exported histories, gone over by today's code: what drifts is told, and nothing is done outside. */
import { defineTask, type Task, type TaskContext } from 'holdfast';
import { assertReplays, createTestOrchestrator, type HoldfastMatchers, matchers, replay } from 'holdfast/testing';
import { describe, expect, it } from 'vitest';

declare module 'vitest' {
  interface Matchers<T> extends HoldfastMatchers<T> {}
}
expect.extend(matchers);

let computed: string[] = [];
const child = defineTask({ id: 'rp-child', run: async (n: number) => n + 1 });
const did = <Value>(name: string, value: Value): Value => (computed.push(name), value);

type Code = (input: { n: number }, ctx: TaskContext) => Promise<unknown>;
const taskOf = (run: Code, more = {}) => defineTask({ id: 'rp-order', retry: { maxAttempts: 2, minDelayMs: 1 }, ...more, run });
const yesterday: Code = async ({ n }, ctx) => {
  const first = await ctx.step('reserve', () => did('reserve', { seat: n }));
  const next = await ctx.run(child, n);
  await ctx.sleep('1h');
  const [left, right] = await Promise.all([ctx.step('left', () => did('left', 1)), ctx.step('right', () => did('right', 2))]);
  return ctx.step('confirm', () => did('confirm', `${first.seat} ${next} ${left + right}`));
};

async function exported(run: Code, input = { n: 1 }): Promise<string> {
  const task = taskOf(run);
  const orchestrator = createTestOrchestrator({ tasks: [task as Task, child] });
  orchestrator.trigger(task, input, { id: 'order-1' });
  await orchestrator.runUntilIdle();
  const text = await new Response(await orchestrator.exportState()).text();
  await orchestrator.dispose();
  computed = [];
  return text;
}

const replayed = async (text: string, run: Code, more = {}) => (await replay(text, [taskOf(run, more) as Task, child], { patienceMs: 40 })).runs.find(({ id }) => id === 'order-1')!;

describe('replay of exported histories', () => {
  it('code that goes the way it went is told so, with no step computed and nothing left behind', async () => {
    const text = await exported(yesterday);
    const report = await replay(text, [taskOf(yesterday) as Task, child]);
    expect(report.runs.map(({ task, verdict, given }) => [task, verdict, given])).toEqual([['rp-order', 'same', 6], ['rp-child', 'same', 0]]);
    expect(report.ok).toBe(true);
    expect(computed).toEqual([]);
    await expect(text).toReplay([taskOf(yesterday) as Task]);
  });

  it('a step that was renamed, left out, added or moved is drift, with what was expected, what came, and where', async () => {
    const text = await exported(yesterday);
    const renamed = await replayed(text, async (_, ctx) => (await ctx.step('book', () => did('book', 0)), null));
    expect(renamed).toMatchObject({ verdict: 'drift', given: 0, drift: { expected: 'reserve', actual: 'book', after: 0 } });
    const leftOut = await replayed(text, async ({ n }, ctx) => {
      await ctx.step('reserve', () => 0);
      await ctx.run(child, n);
      return 'early';
    });
    expect(leftOut).toMatchObject({ verdict: 'drift', drift: { expected: 'sleep', actual: 'the end of its code', after: 2 } });
    const added = await replayed(text, async (input, ctx) => {
      const value = await yesterday(input, ctx);
      await ctx.step('mail', () => did('mail', 0));
      return value;
    });
    expect(added).toMatchObject({ verdict: 'drift', drift: { expected: 'the end of its code', actual: 'mail', after: 6 } });
    const moved = await replayed(text, async ({ n }, ctx) => {
      await ctx.run(child, n);
      return ctx.step('reserve', () => 0);
    });
    expect(moved).toMatchObject({ verdict: 'drift', drift: { expected: 'reserve', actual: 'rp-child', after: 0 } });
    expect(computed).toEqual([]);
  });

  it('a child that gets another input, and code that throws today, are drift; a guarded change is none', async () => {
    const text = await exported(yesterday);
    const other = await replayed(text, async ({ n }, ctx) => {
      await ctx.step('reserve', () => 0);
      return ctx.run(child, n + 1).catch(() => 'swallowed');
    });
    expect(other).toMatchObject({ verdict: 'drift', drift: { actual: 'rp-child with another input' } });
    const throws = await replayed(text, async (input, ctx) => {
      await yesterday(input, ctx);
      throw new TypeError('today');
    });
    expect(throws.drift).toMatchObject({ expected: 'the end of its code', actual: 'TypeError: today' });
    const guarded = await replayed(text, async (input, ctx) => {
      if (await ctx.patch('greet')) await ctx.step('greet', () => did('greet', 0));
      return yesterday(input, ctx);
    });
    expect(guarded).toMatchObject({ verdict: 'same', given: 6 });
  });

  it('a run that goes on is followed as far as it is recorded; one that failed, to where it failed', async () => {
    const task = taskOf(yesterday);
    const open = createTestOrchestrator({ tasks: [task as Task, child] });
    const run = open.trigger(task, { n: 1 }, { id: 'order-1' });
    await open.runUntil(() => run.state.phase === 'waiting' && run.state.steps >= 3);
    const text = await new Response(await open.exportState()).text();
    expect(await replayed(text, yesterday)).toMatchObject({ verdict: 'same', given: 2 });
    expect((await replayed(text, async (_, ctx) => ctx.step('other', () => 0))).drift).toMatchObject({ expected: 'reserve', actual: 'other' });
    await open.dispose();
    const fails: Code = async (_, ctx) => {
      await ctx.step('one', () => 1);
      await ctx.step('two', () => Promise.reject(new Error('no luck')));
    };
    const failed = await exported(fails);
    expect(failed).toContain('"status":"failed"');
    expect(await replayed(failed, fails)).toMatchObject({ status: 'failed', verdict: 'same', given: 1 });
    computed = [];
  });

  it('races, failures that were caught, groups, times and chance are what they were', async () => {
    const code: Code = async (_, ctx) => {
      await ctx.step('breaks', () => Promise.reject(new Error('broken'))).catch(() => {});
      const winner = await ctx.race([(branch) => branch.step('fast', () => 'fast'), (branch) => branch.sleep('1d')], { cancelLosers: true });
      const at = ctx.now();
      return ctx.group('upload', (group) => group.step(`of ${winner} at ${at} by ${ctx.uuid()}`, () => 1));
    };
    const text = await exported(code);
    expect(await replayed(text, code)).toMatchObject({ verdict: 'same', given: 3 });
  });

  it('what has failed before the attempt that went through is there as a memo', async () => {
    let failing = true;
    const code: Code = async (_, ctx) => {
      await ctx.step('once', () => 1);
      await ctx.step('twice', () => (failing ? ((failing = false), Promise.reject(new Error('at first'))) : 2));
      return ctx.step('last', () => 3);
    };
    const text = await exported(code);
    expect(await replayed(text, code)).toMatchObject({ verdict: 'same', given: 3 });
    expect((await replayed(text, async (_, ctx) => (await ctx.step('once', () => 1), ctx.step('other', () => 2)))).drift).toMatchObject({ expected: 'twice', actual: 'other' });
  });

  it('reaches nobody: fetch of the code outside of steps is refused and put back, hooks and caches are left alone', async () => {
    const text = await exported(async (_, ctx) => ctx.step('only', () => 1));
    const before = globalThis.fetch;
    const heard: string[] = [];
    const calls: Code = async (_, ctx) => {
      await ctx.step('only', () => 1);
      await fetch('https://example.com/');
    };
    const run = await replayed(text, calls, { cache: true, onStart: () => heard.push('start'), onSuccess: () => heard.push('success'), onFailure: () => heard.push('failure') });
    expect(run.drift?.actual).toMatch(/^ConfigurationError: A replay does nothing outside, and its code called fetch/);
    expect(heard).toEqual([]);
    expect(globalThis.fetch).toBe(before);
  });

  it('what can’t be told says why: steps that keep nothing, schemas, workers, versions', async () => {
    const code: Code = async (_, ctx) => (await ctx.step('kept', () => 1), ctx.step('look', () => did('look', 1), { durability: 'none' }));
    const text = await exported(code);
    const run = await replayed(text, code);
    expect(run).toMatchObject({ verdict: 'unknown', given: 1 });
    expect(run.reason).toContain('"look"');
    expect(computed).toEqual([]);
    const refused = await replayed(text, code, { input: () => { throw new Error('no n'); } });
    expect(refused.drift?.actual).toContain('schema');
    expect(await replayed(text, async (_, ctx) => ctx.step('all new', () => 1), { version: 2, onVersionChange: 'restart' })).toMatchObject({ verdict: 'same', reason: expect.stringContaining('anew') });
    expect((await replayed(text, code, { version: 2, onVersionChange: 'fail' })).drift?.actual).toContain('VersionChangedError');
    const waits = await replay(text, [taskOf(() => new Promise(() => {})) as Task], { patienceMs: 20 });
    expect(waits.runs[0]).toMatchObject({ verdict: 'unknown', reason: expect.stringContaining('no verb of ctx') });
    expect(waits.ok).toBe(false);
  });

  it('a batch and its stream give what they gave', async () => {
    const code: Code = async ({ n }, ctx) => {
      const { runs } = await ctx.batch.triggerByTaskAndWait([{ task: child, payload: n }, { task: child, payload: n + 1 }]);
      let sum = runs.unwrapAll().reduce((one, other) => one + other, 0);
      for await (const item of ctx.batch.stream([{ task: child, payload: 5 }, { task: child, payload: 6 }])) if (item.ok) sum += item.output as number;
      return ctx.step(`sum ${sum}`, () => sum);
    };
    const text = await exported(code);
    expect(await replayed(text, code)).toMatchObject({ verdict: 'same' });
  });

  it('claims throw, and wrong calls are typed errors', async () => {
    const text = await exported(yesterday);
    const quick = { patienceMs: 40 };
    const other = [taskOf(async (_, ctx) => ctx.step('book', () => 0)) as Task];
    await expect(assertReplays(text, other, quick)).rejects.toThrow('rp-order order-1: after 0 records it had recorded "reserve", and the code now comes to "book".');
    await expect(expect(text).toReplay(other, quick)).rejects.toThrow('"reserve"');
    await expect(expect(text).not.toReplay(other, quick)).resolves.toBeUndefined();
    await expect(replay('no export', other)).rejects.toMatchObject({ name: 'ImportError' });
    await expect(replay(text, [])).rejects.toMatchObject({ code: 'CONFIGURATION' });
    await expect(replay(text, other, { runs: ['nobody'] })).rejects.toThrow('"nobody"');
    await expect(replay(text, other, { patience: 1 } as never)).rejects.toThrow('patience');
    await expect(replay({ id: 'a', taskIdentifier: 'b', entries: [] }, other)).rejects.toThrow('exportState');
    await expect(assertReplays(text, [defineTask({ id: 'rp-none', run: async () => 0 }) as Task])).rejects.toThrow('0 of 0');
  });
});
