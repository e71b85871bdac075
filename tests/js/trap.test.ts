/**
 * H12: the core ends in the middle of applying an event, at every point where it can. The module is a
 * build of its own, whose `__trap(n)` ends it at the n-th half-way point from then on (src/trap.h).
 */
import { readFileSync } from 'node:fs';
import { defineTask, type OrchestratorOptions, type TaskContext, TestClock } from 'holdfast';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Engine } from '../../js/pump/engine.ts';
import { loadCore } from '../../js/load.ts';
import * as P from '../../js/protocol.ts';
import { type House, openHouse } from './house.ts';

interface TrapModule {
  __trap(point: number): void;
}
const { modules, born } = vi.hoisted(() => ({ modules: [] as TrapModule[], born: { trap: 0 } }));
vi.mock('../../js/core.js', async () => {
  const glue = new URL('../../build/wasm-trap/core.js', import.meta.url).href;
  const { default: create } = await import(/* @vite-ignore */ glue);
  return {
    default: async (...args: unknown[]) => {
      const module = await create(...args);
      module.__trap(born.trap);
      modules.push(module);
      return module;
    },
  };
});
const wasm = new WebAssembly.Module(readFileSync(new URL('../../build/wasm-trap/core.wasm', import.meta.url)));

const houses: House[] = [];
afterEach(async () => {
  born.trap = 0;
  for (const { orchestrator } of houses.splice(0)) await Promise.race([orchestrator.dispose(), new TestClock().settle()]);
});

/** Arms the core: of the house's instances one is the pump's; the others only inspect, or are gone. */
function arm(point: number): void {
  for (const module of modules) module.__trap(point);
}

/** Opens, and lets the core trap at that point. */
async function openTrapping(point: number, options: OrchestratorOptions = {}): Promise<{ house: House; warnings: string[] }> {
  modules.length = 0;
  const house = await openHouse({ wasm, queues: { narrow: { concurrency: 2 } }, ...options });
  houses.push(house);
  const warnings: string[] = [];
  house.orchestrator.on('warning', (message) => warnings.push(message));
  arm(point);
  return { house, warnings };
}

/** Some of everything: steps and a retry, a queue, a timeout, a cancel, a pause, a delay. */
function work() {
  const recorded = new Set<string>();
  const rerun: string[] = [];
  const retry = { randomize: false, minDelayMs: 1000, maxAttempts: 9 };
  const step = async (ctx: TaskContext, name: string) => {
    const key = `${ctx.run.id} ${name}`;
    await ctx.step(name, () => {
      if (recorded.has(key)) rerun.push(key);
      return name;
    });
    recorded.add(key);
  };
  const failedOnce = new Set<string>();
  const stepper = defineTask({ id: 'trap: stepper', retry, run: async (input: number, ctx: TaskContext) => {
    await step(ctx, 'one');
    if (!failedOnce.has(ctx.run.id)) {
      failedOnce.add(ctx.run.id);
      throw new Error('once');
    }
    await step(ctx, 'two');
    return input * 2;
  } });
  const narrow = defineTask({ id: 'trap: narrow', retry, queue: 'narrow', run: async (input: number) => input + 1 });
  const stuck = defineTask({ id: 'trap: stuck', retry: { maxAttempts: 1 }, timeout: 500, graceMs: 100, run: () => new Promise<number>(() => {}) });
  const endless = defineTask({ id: 'trap: endless', retry, run: (_: null, ctx: TaskContext) => new Promise<number>((_resolve, reject) => {
    ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
  }) });
  return { stepper, narrow, stuck, endless, rerun };
}

async function live({ orchestrator, clock }: House, { stepper, narrow, stuck, endless }: ReturnType<typeof work>) {
  const runs = [
    ...[1, 2].map((input) => orchestrator.trigger(stepper, input, { id: `stepper ${input}` })),
    ...[1, 2, 3].map((input) => orchestrator.trigger(narrow, input, { id: `narrow ${input}` })),
    orchestrator.trigger(stuck, null, { id: 'stuck' }),
    orchestrator.trigger(endless, null, { id: 'endless' }),
    orchestrator.trigger(narrow, 10, { id: 'delayed', delay: 700 }),
  ];
  await clock.settle();
  const answers = [runs[6]!.cancel('enough'), runs[7]!.pause()];
  await clock.advance(2000);
  // What a crash took from whoever asked is answered with false; they may ask again.
  const heard = await Promise.all(answers);
  if (!heard[0]) await runs[6]!.cancel('enough');
  if (!heard[1]) await runs[7]!.pause();
  await clock.advance(500);
  if (!(await runs[7]!.resume())) await runs[7]!.resume();
  await clock.advance(10_000);
  return runs;
}

/** Everything the core says of its tasks and queues. */
function stateOf(engine: Engine, tasks: number): string {
  const fields = [
    P.FieldAttempt, P.FieldFailures, P.FieldRecoveries, P.FieldProgress, P.FieldCreatedAt, P.FieldStartedAt, P.FieldUpdatedAt, P.FieldDueAt,
    P.FieldPriority, P.FieldFailReason, P.FieldQueue, P.FieldPolicy, P.FieldUnmetEdges, P.FieldCancelReason, P.FieldSteps, P.FieldMaxAttempts,
  ];
  const known = Array.from({ length: tasks }, (_, task) => [engine.state(task), ...fields.map((field) => engine.value(task, field))]);
  const queues = [0, 1].map((queue) => [P.QueueValueRunning, P.QueueValueReady, P.QueueValueConcurrency].map((value) => engine.queueValue(queue, value)));
  return JSON.stringify([known, queues]);
}

async function checkState({ orchestrator }: House): Promise<void> {
  const { engine, runs } = orchestrator.pump;
  const fresh = new Engine(await loadCore(wasm), 1, 1);
  fresh.load(orchestrator.journal!.log());
  expect(stateOf(engine, runs.length)).toBe(stateOf(fresh, runs.length));
  fresh.delete();
}

/** What becomes of the runs, whatever happens on the way. */
const outcome = [
  ['stepper 1', 'completed', 2], ['stepper 2', 'completed', 4],
  ['narrow 1', 'completed', 2], ['narrow 2', 'completed', 3], ['narrow 3', 'completed', 4],
  ['stuck', 'failed', undefined], ['endless', 'cancelled', undefined], ['delayed', 'completed', 11],
];

describe('H12: a core that traps half way through an event', () => {
  it('at every point is rebuilt to the same state, and every run ends as it would have', async () => {
    let point = 1;
    for (let trapped = true; trapped; point++) {
      const { house, warnings } = await openTrapping(point);
      const parts = work();
      const runs = await live(house, parts);
      const states = runs.map((run) => [run.id, run.state.status, run.state.result]);
      expect(states, `trapped at ${point}`).toEqual(outcome);
      expect(parts.rerun, `trapped at ${point}`).toEqual([]);
      await checkState(house);
      trapped = warnings.length > 0;
      if (trapped) expect(warnings).toEqual([expect.stringMatching(/rebuilt from the journal/)]);
      await house.orchestrator.dispose();
      houses.length = 0;
    }
    // The story has more half-way points than that, or this test has lost its subject.
    expect(point).toBeGreaterThan(80);
  }, 120_000);

  it('three times within a minute goes on, a fourth time says that it is over', async () => {
    const { house, warnings } = await openTrapping(1);
    const task = defineTask({ id: 'trap: plain', run: async () => 1 });
    for (let crash = 1; crash <= 3; crash++) {
      const run = house.orchestrator.trigger(task, null);
      await house.clock.settle();
      expect(await run.result()).toBe(1);
      expect(warnings).toHaveLength(crash);
      arm(1);
    }
    const last = house.orchestrator.trigger(task, null);
    await expect(last.result()).rejects.toMatchObject({ code: 'CORE_CRASHED' });
    expect(house.orchestrator.storageState.status).toBe('failing');
  });

  it('in a compaction is rebuilt from the log as it was', async () => {
    // The bulk is to lie in the journal.
    const { house, warnings } = await openTrapping(0, { limits: { inlineBytes: 1024 * 1024 } });
    const { orchestrator, clock } = house;
    const task = defineTask({ id: 'trap: bulky', run: async (text: string) => text.length });
    const { engine } = orchestrator.pump;
    const compact = engine.compact.bind(engine);
    const spy = vi.spyOn(engine, 'compact').mockImplementationOnce((log) => {
      arm(1);
      return compact(log);
    });
    for (let round = 0; round < 10 && spy.mock.calls.length === 0; round++) {
      const bulk = Array.from({ length: 10 }, () => orchestrator.trigger(task, 'x'.repeat(400_000)));
      await Promise.all(bulk.map((run) => run.result()));
      await orchestrator.clearAllTasks();
    }
    const run = orchestrator.trigger(task, 'short');
    await clock.settle();
    expect(spy).toHaveBeenCalledTimes(1);
    expect(warnings).toEqual([expect.stringMatching(/rebuilt from the journal/)]);
    expect(await run.result()).toBe(5);
    await checkState(house);
    const next = await house.crash();
    houses.push(next);
    expect(next.orchestrator.attach(run.id)!.state).toMatchObject({ status: 'completed', result: 5 });
    expect(next.orchestrator.counts().total).toBe(1);
  });

  it('in being rebuilt, too, says so and lets nobody wait', async () => {
    const { house } = await openTrapping(0);
    const { orchestrator, clock } = house;
    const task = defineTask({ id: 'trap: again', run: async () => 1 });
    await orchestrator.trigger(task, null).result();
    arm(1);
    born.trap = 1;
    const run = orchestrator.trigger(task, null);
    await clock.settle();
    await expect(run.result()).rejects.toMatchObject({ code: 'CORE_CRASHED' });
    expect(orchestrator.storageState).toMatchObject({ status: 'failing', message: expect.stringMatching(/core/) });
    expect(() => orchestrator.trigger(task, null)).toThrow(/core/);
  });

  it('is nothing that ships', () => {
    for (const file of ['core.js', 'core.wasm', 'core.d.ts', 'core-bytes.js'])
      expect(readFileSync(new URL(`../../js/${file}`, import.meta.url), 'latin1')).not.toContain('__trap');
    expect(readFileSync(new URL('../../build/wasm-trap/core.wasm', import.meta.url), 'latin1')).toContain('__trap');
  });
});
