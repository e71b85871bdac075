/** Runs whose code is called once for many: each ends with its own element, over failures, cancels and crashes. */
import { ConfigurationError, defineTask } from 'holdfast';
import { createTestOrchestrator } from 'holdfast/testing';
import { expect, it } from 'vitest';
import { name } from './houses.ts';

/** A task that doubles, and says with what its code was called. */
function doubling(batchEvents: object, options: object = {}) {
  const calls: number[][] = [];
  const task = defineTask({
    id: name('doubling'), retry: { randomize: false }, ...options,
    batchEvents: { maxSize: 3, timeout: '1s', ...batchEvents },
    run: async (inputs: number[]) => {
      calls.push(inputs);
      return inputs.map((input) => input * 2);
    },
  });
  return { task, calls };
}

it('Code is called once for many runs, when they are enough or time is over, and each run has its own output', async () => {
  const { task, calls } = doubling({});
  await using orchestrator = createTestOrchestrator();
  await orchestrator.ready;
  const runs = [1, 2, 3, 4].map((input) => orchestrator.trigger(task, input));
  await orchestrator.clock.advance(0);
  expect(calls).toEqual([[1, 2, 3]]);
  expect(runs[3]!.state.phase).toBe('waiting');
  expect(orchestrator.why(runs[3]!.id)).toContain('1 of 3 are there');
  await orchestrator.clock.advance('1s');
  expect(calls).toEqual([[1, 2, 3], [4]]);
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual([2, 4, 6, 8]);
});

it('Only runs of one key come together, what `if` says is not collected, and a queue of one lets them all in', async () => {
  const { task, calls } = doubling({ key: (input: number) => (input % 2 ? 'odd' : 'even'), if: (input: number) => input < 100 }, { queue: { name: name('one'), concurrency: 1 } });
  await using orchestrator = createTestOrchestrator();
  await orchestrator.ready;
  const runs = [1, 2, 100, 3, 4, 5].map((input) => orchestrator.trigger(task, input));
  await orchestrator.clock.advance(0);
  expect(calls).toEqual([[100], [1, 3, 5]]);
  await orchestrator.runUntilIdle();
  expect(calls).toEqual([[100], [1, 3, 5], [2, 4]]);
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual([2, 4, 200, 6, 8, 10]);
});

it('What the code throws fails them all, and they are tried again together; a list that is too short is a failure too', async () => {
  let calls = 0;
  const task = defineTask({
    id: name('failing'), retry: { randomize: false }, batchEvents: { maxSize: 2, timeout: '1s' },
    run: async (inputs: number[]) => {
      if (++calls === 1) throw new Error('the first time');
      return calls === 2 ? [1] : inputs;
    },
  });
  await using orchestrator = createTestOrchestrator();
  await orchestrator.ready;
  const runs = [7, 8].map((input) => orchestrator.trigger(task, input));
  await orchestrator.clock.advance(0);
  expect(runs.map(({ state }) => state.error?.message)).toEqual(['the first time', 'the first time']);
  await orchestrator.clock.advance('1s');
  expect(runs[1]!.state.error?.message).toContain('an output for each of its 2 inputs');
  await orchestrator.runUntilIdle();
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual([7, 8]);
  expect(calls).toBe(3);
});

it('One that is cancelled leaves its batch; when the one that leads is cancelled at work, the others begin anew', async () => {
  const gates: (() => void)[] = [];
  const calls: number[][] = [];
  const task = defineTask({
    id: name('gated'), batchEvents: { maxSize: 3, timeout: '1s' },
    run: async (inputs: number[], ctx) => {
      calls.push(inputs);
      await new Promise<void>((resolve, reject) => {
        gates.push(resolve);
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
      });
      return inputs;
    },
  });
  await using orchestrator = createTestOrchestrator();
  await orchestrator.ready;
  const [first, ...others] = [1, 2, 3].map((input) => orchestrator.trigger(task, input));
  await others[1]!.cancel();
  await orchestrator.clock.advance(0);
  const runs = [first!, others[0]!, orchestrator.trigger(task, 4)];
  await orchestrator.clock.advance(0);
  expect(calls).toEqual([[1, 2, 4]]);
  await first!.cancel();
  await orchestrator.clock.advance('1s');
  expect(calls).toEqual([[1, 2, 4], [2, 4]]);
  gates[1]!();
  await orchestrator.runUntilIdle();
  expect(runs.map(({ status }) => status)).toEqual(['cancelled', 'completed', 'completed']);
});

it('After a crash at work the code goes on with the same batch and its steps; those that only waited are collected anew', async () => {
  const calls: string[] = [];
  const task = defineTask({
    id: name('durable'), batchEvents: { maxSize: 2, timeout: '1s' },
    run: async (inputs: number[], ctx) => {
      calls.push(inputs.join());
      const sum = await ctx.step('sum', () => {
        calls.push('sum');
        return inputs.reduce((a, b) => a + b);
      });
      await ctx.sleep('1h');
      return inputs.map((input) => `${input} of ${sum}`);
    },
  });
  let orchestrator = createTestOrchestrator({ tasks: [task] });
  await orchestrator.ready;
  const runs = [1, 2, 3].map((input) => orchestrator.trigger(task, input));
  await Promise.all(runs.map((run) => run.accepted));
  await orchestrator.clock.advance(0);
  expect(calls).toEqual(['1,2', 'sum']);
  orchestrator = await orchestrator.crash();
  await orchestrator.runUntilIdle();
  expect(runs.map(({ id }) => orchestrator.getTaskState(id)!.result)).toEqual(['1 of 3', '2 of 3', '3 of 3']);
  expect(calls.filter((call) => call === 'sum')).toHaveLength(2);
  expect(calls).toContain('3');
  await orchestrator.dispose();
});

it('A page that closes while a batch is at work leaves no promise that nobody handles', async () => {
  const unhandled: unknown[] = [];
  const hear = (error: unknown) => unhandled.push(error);
  const hearers = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', hear);
  const task = defineTask({ id: name('sleeping'), batchEvents: { maxSize: 3, timeout: '1s' }, run: async (inputs: number[], ctx) => (await ctx.sleep('1h'), inputs) });
  let orchestrator = createTestOrchestrator({ tasks: [task] });
  const runs = [1, 2].map((input) => orchestrator.trigger(task, input));
  await Promise.all(runs.map((run) => run.accepted));
  await orchestrator.clock.advance('2s');
  orchestrator = await orchestrator.reload();
  await new Promise((resolve) => setTimeout(resolve));
  await orchestrator.runUntilIdle();
  process.removeListener('unhandledRejection', hear);
  for (const hearer of hearers) process.on('unhandledRejection', hearer);
  expect([unhandled, runs.map(({ id }) => orchestrator.getTaskState(id)!.result)]).toEqual([[], [1, 2]]);
  await orchestrator.dispose();
});

it('Each element is validated and typed as a run of its own', async () => {
  const task = defineTask({
    id: name('validated'), batchEvents: { maxSize: 2, timeout: 5 }, retry: { maxAttempts: 1 },
    output: (value: unknown) => { if (value === 'b!') throw new Error('not b'); return value as string; },
    run: (inputs: string[]) => inputs.map((input) => `${input}!`),
  });
  await using orchestrator = createTestOrchestrator();
  await orchestrator.ready;
  const runs = ['a', 'b'].map((input) => orchestrator.trigger(task, input));
  const output: string = await orchestrator.runUntilIdle().then(() => runs[0]!.result());
  expect(output).toBe('a!');
  expect(runs[1]!.status).toBe('failed');
});

it('What is no batching is refused at the definition', () => {
  for (const batchEvents of [5, {}, { maxSize: 0, timeout: 5 }, { maxSize: 2 }, { maxSize: 2, timeout: -1 }, { maxSize: 2, timeout: 5, key: 5 }, { maxSize: 2, timeout: 5, if: true }, { maxSize: 2, timeout: 5, size: 2 }])
    expect(() => defineTask({ id: name('wrong'), batchEvents: batchEvents as any, run: async () => [] }), JSON.stringify(batchEvents)).toThrow(ConfigurationError);
});
