/** A key that another run holds makes nobody wait for himself, over however many runs the way goes. */
import { ConfigurationError, defineTask, idempotencyKeys, type DuplicatePolicy, type RunHandle, type Task } from 'holdfast';
import { describe, expect, it } from 'vitest';
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
