/** Calls that become one run: debounced and throttled, over reloads and tabs. */
import { ConfigurationError, defineTask, InputValidationError } from 'holdfast';
import { createTestOrchestrator } from 'holdfast/testing';
import { expect, it } from 'vitest';
import { name } from './houses.ts';

/** A task that says what it was given and when, in seconds since the test began. */
function noting(options: object = {}) {
  const runs: string[] = [];
  const clock: { now(): number }[] = [];
  const task = defineTask({ id: name('noting'), ...options, run: async (input: string) => void runs.push(`${input} ${(clock[0]!.now() - Date.UTC(2026, 0, 1)) / 1000}`) });
  const open = async () => {
    const orchestrator = createTestOrchestrator({ tasks: [task] });
    clock[0] = orchestrator.clock;
    await orchestrator.ready;
    return orchestrator;
  };
  return { task, runs, open };
}

it('A debounced run begins when calls have stopped for a while, with what the first or the last one gave', async () => {
  for (const [mode, given] of [['leading', 'a'], ['trailing', 'c']] as const) {
    const { task, runs, open } = noting();
    await using orchestrator = await open();
    const call = (input: string) => orchestrator.trigger(task, input, { debounce: { key: 'k', delay: '10s', mode }, metadata: { input } });
    const first = call('a');
    await orchestrator.clock.advance('6s');
    const second = call('b');
    const third = call('c');
    expect([second.id, third.id, second.isCached]).toEqual([first.id, first.id, true]);
    await Promise.all([third.accepted, orchestrator.clock.advance('6s')]);
    expect(first.state).toMatchObject({ phase: 'delayed', metadata: { input: given } });
    await orchestrator.runUntilIdle();
    expect(runs).toEqual([`${given} 16`]);
    expect(call('d').id).not.toBe(first.id);
    await orchestrator.runUntilIdle();
    expect(runs).toEqual([`${given} 16`, 'd 26']);
  }
});

it('It begins so long after the first call at the latest, and each key and task has its own', async () => {
  const { task, runs, open } = noting({ debounce: { delay: '10s', maxDelay: '25s', key: (input: string) => input[0]! } });
  await using orchestrator = await open();
  for (let second = 0; second < 24; second += 6) {
    orchestrator.trigger(task, `a${second}`);
    if (second === 0) orchestrator.trigger(task, 'b');
    await orchestrator.clock.advance('6s');
  }
  await orchestrator.runUntilIdle();
  expect(runs).toEqual(['b 10', 'a0 25']);
});

it('A reload and a crash in the middle keep it, and the next page goes on with it', async () => {
  const { task, runs, open } = noting({ debounce: { delay: '10s', mode: 'trailing' } });
  let orchestrator = await open();
  const { id } = orchestrator.trigger(task, 'a');
  await orchestrator.clock.advance('5s');
  const second = orchestrator.trigger(task, 'b');
  await Promise.all([second.accepted, orchestrator.clock.settle()]);
  orchestrator = await orchestrator.crash();
  await orchestrator.clock.advance('5s');
  expect(orchestrator.trigger(task, 'c').id).toBe(id);
  await orchestrator.clock.advance('5s');
  orchestrator = await orchestrator.reload();
  await orchestrator.runUntilIdle();
  expect(runs).toEqual(['c 20']);
  await orchestrator.dispose();
});

it('Calls of two tabs become one run', async () => {
  const { task, runs, open } = noting({ debounce: { delay: '10s', mode: 'trailing' } });
  const one = await open();
  const two = await one.newTab();
  const first = one.trigger(task, 'a');
  await one.clock.advance('3s');
  const second = two.trigger(task, 'b');
  await Promise.all([second.accepted, one.clock.advance('3s')]);
  expect(second.id).toBe(first.id);
  await one.runUntilIdle();
  expect(runs).toEqual(['b 13']);
  await Promise.all([one.dispose(), two.dispose()]);
});

it('An idempotency key wins over it, also one of a call that was taken in, over a reload too', async () => {
  const { task, runs, open } = noting();
  let orchestrator = await open();
  const call = (input: string, idempotencyKey: string) => orchestrator.trigger(task, input, { idempotencyKey, debounce: { key: 'k', delay: '10s' } });
  const first = call('a', '1');
  expect(call('b', '2').id).toBe(first.id);
  await orchestrator.clock.advance('5s');
  await orchestrator.runUntilIdle();
  expect(runs).toEqual(['a 10']);
  orchestrator = await orchestrator.reload();
  expect([call('c', '1').id, call('d', '2').id]).toEqual([first.id, first.id]);
  expect(call('e', '3').id).not.toBe(first.id);
  await orchestrator.runUntilIdle();
  expect(runs).toEqual(['a 10', 'e 20']);
  await orchestrator.dispose();
});

it('A call that the schema refuses changes nothing of the run that would take it in', async () => {
  const { task, runs, open } = noting({ debounce: { delay: '10s', mode: 'trailing' }, input: (value: string) => { if (value === 'bad') throw new Error('bad'); return value; } });
  await using orchestrator = await open();
  orchestrator.trigger(task, 'good');
  await orchestrator.clock.advance('5s');
  expect(() => orchestrator.trigger(task, 'bad')).toThrow(InputValidationError);
  await orchestrator.runUntilIdle();
  expect(runs).toEqual(['good 10']);
});

it('A throttled task runs at once, and then once a period with what the last call gave', async () => {
  const { task, runs, open } = noting({ throttle: { period: '10s' } });
  await using orchestrator = await open();
  const handles = [orchestrator.trigger(task, 'a'), orchestrator.trigger(task, 'b'), orchestrator.trigger(task, 'c')];
  expect(handles[2]!.id).toBe(handles[1]!.id);
  await orchestrator.clock.advance('4s');
  expect(orchestrator.trigger(task, 'd').id).toBe(handles[1]!.id);
  await orchestrator.clock.advance('8s');
  orchestrator.trigger(task, 'e');
  await orchestrator.clock.advance('20s');
  orchestrator.trigger(task, 'f');
  await orchestrator.runUntilIdle();
  expect(runs).toEqual(['a 0', 'd 10', 'e 20', 'f 32']);
});

it('Several begin at once where the limit says so; leading and trailing are left out as it says', async () => {
  const runsOf = async (throttle: object) => {
    const { task, runs, open } = noting({ throttle: { period: '10s', ...throttle } });
    await using orchestrator = await open();
    for (const input of ['a', 'b', 'c', 'd']) orchestrator.trigger(task, input);
    await orchestrator.clock.advance('3s');
    const last = orchestrator.trigger(task, 'e');
    await orchestrator.runUntilIdle();
    await last.wait();
    return runs;
  };
  expect(await runsOf({ limit: 2 })).toEqual(['a 0', 'b 0', 'e 10']);
  expect(await runsOf({ leading: false })).toEqual(['e 10']);
  expect(await runsOf({ trailing: false })).toEqual(['a 0']);
  expect(await runsOf({ key: (input: string) => (input < 'c' ? 'x' : 'y') })).toEqual(['a 0', 'c 0', 'b 10', 'e 10']);
});

it('A period goes on over a reload', async () => {
  const { task, runs, open } = noting({ throttle: { period: '10s' } });
  let orchestrator = await open();
  orchestrator.trigger(task, 'a');
  await orchestrator.clock.advance('4s');
  orchestrator = await orchestrator.crash();
  orchestrator.trigger(task, 'b');
  orchestrator = await orchestrator.reload();
  const trailing = orchestrator.trigger(task, 'c');
  await Promise.all([trailing.accepted, orchestrator.clock.settle()]);
  await orchestrator.runUntilIdle();
  expect(runs).toEqual(['a 0', 'c 10']);
  await orchestrator.dispose();
});

it('A child is debounced too: its parents get what the one run gave', async () => {
  const child = defineTask({ id: name('child'), debounce: { delay: '1s', mode: 'trailing' }, run: async (input: number) => input * 10 });
  const parent = defineTask({ id: name('parent'), run: (input: number, ctx) => ctx.run(child, input) });
  await using orchestrator = createTestOrchestrator();
  await orchestrator.ready;
  const parents = [orchestrator.trigger(parent, 1), orchestrator.trigger(parent, 2)];
  await orchestrator.runUntilIdle();
  expect(await Promise.all(parents.map((run) => run.result()))).toEqual([20, 20]);
});

it('What can not be is refused at the call or the definition', async () => {
  const { task, open } = noting();
  await using orchestrator = await open();
  const wrong: [object, string][] = [
    [{ delay: 0 }, 'more than 0 ms'], [{ key: 'k' }, 'debounce.delay'], [{ delay: '10s', maxDelay: '10s' }, 'longer than the delay'], [{ delay: 5, mode: 'both' }, 'leading, trailing'],
    [{ delay: 5, key: 'x'.repeat(513) }, '512 bytes'], [{ delay: 5, key: '' }, '512 bytes'], [{ delay: 5, often: 1 }, 'no option "often"'], [5 as never, 'an object'],
  ];
  for (const [debounce, says] of wrong) {
    expect(() => orchestrator.trigger(task, 'a', { debounce: debounce as any }), JSON.stringify(debounce)).toThrow(says);
    expect(() => defineTask({ id: name('wrong'), debounce: debounce as any, run: async () => null }), JSON.stringify(debounce)).toThrow(ConfigurationError);
  }
  for (const throttle of [{ period: 0 }, {}, { period: 5, limit: 0 }, { period: 5, leading: false, trailing: false }, { period: 5, leading: 'yes' }, { period: 5, key: 5 }, { period: 5, burst: 1 }])
    expect(() => defineTask({ id: name('wrong'), throttle: throttle as any, run: async () => null }), JSON.stringify(throttle)).toThrow(ConfigurationError);
  expect(() => orchestrator.trigger(task, 'a', { debounce: { delay: 5 }, delay: 5 })).toThrow('Leave one of them out');
  const single = defineTask({ id: name('single'), singleton: { mode: 'skip' }, run: async (_: string) => null });
  expect(() => orchestrator.trigger(single, 'a', { debounce: { delay: 5 } })).toThrow('singleton');
  const throttled = defineTask({ id: name('throttled'), throttle: { period: 5 }, run: async (_: string) => null });
  expect(() => orchestrator.trigger(throttled, 'a', { debounce: { delay: 5 } })).toThrow('debounced and throttled');
  expect(orchestrator.getAllTasks()).toEqual([]);
});
