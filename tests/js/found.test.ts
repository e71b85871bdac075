/** Runs of a journal become objects when somebody asks for them: nobody must be able to tell. */
import { defineTask, type Orchestrator } from 'holdfast';
import { describe, expect, it, vi } from 'vitest';
import { crash, open } from './houses.ts';

const taken = (orchestrator: Orchestrator) => orchestrator.pump.runs.filter(Boolean).length;

/** Many that wait behind one that never ends; `started` is told of each start. */
function crowd(started: (n: number) => void) {
  return defineTask({
    id: 'crowd',
    queue: { name: 'one', concurrency: 1 },
    run: (n: number) => {
      started(n);
      return new Promise<never>(() => {});
    },
  });
}

async function fill(orchestrator: Orchestrator, task: ReturnType<typeof crowd>, count: number): Promise<string[]> {
  const runs = Array.from({ length: count }, (_, n) => orchestrator.trigger(task, n));
  await Promise.all(runs.map(({ accepted }) => accepted));
  return runs.map(({ id }) => id);
}

describe('runs of a journal', () => {
  it('the first one runs before the others are objects, and all of them count', async () => {
    let look = () => {};
    const task = crowd(() => look());
    const house = await open();
    const ids = await fill(house.orchestrator, task, 3000);
    const seen: unknown[] = [];
    const { OrchestratorClass } = { OrchestratorClass: house.orchestrator.constructor as new (options: object) => Orchestrator };
    await house.orchestrator.dispose();
    look = () => seen.push(taken(next), next.counts().total, next.counts().pending, next.counts().running);
    const next = new OrchestratorClass({ seed: 99, clock: house.clock, storage: house.storage, tabs: false });
    const report = await next.ready;
    expect(seen).toEqual([1, 3000, 2999, 1]);
    expect(report.resumed.sort()).toEqual(ids.sort());
    expect(taken(next)).toBe(3000);
    expect(next.getTaskState(ids[2999]!)).toMatchObject({ status: 'pending', phase: 'queued' });
    await next.dispose();
  });

  it('numbers of forgotten runs are used again by the next page', async () => {
    const task = crowd(() => {});
    const house = await open();
    const ids = await fill(house.orchestrator, task, 10);
    await house.orchestrator.removeTask(ids[3]!);
    await house.orchestrator.removeTask(ids[7]!);
    await house.clock.settle();
    const next = await crash(house);
    const numbers = next.orchestrator.pump.runs.length;
    await fill(next.orchestrator, task, 2);
    expect(next.orchestrator.pump.runs.length).toBe(numbers);
    expect(next.orchestrator.counts().total).toBe(10);
  });

  it('H12: a core that traps before they have been read loses none of them', async () => {
    let trap = () => {};
    const task = crowd(() => trap());
    const house = await open();
    const ids = await fill(house.orchestrator, task, 5000);
    const OrchestratorClass = house.orchestrator.constructor as new (options: object) => Orchestrator;
    await house.orchestrator.dispose();
    let trapped = 0;
    trap = () => {
      if (trapped++ > 0) return;
      vi.spyOn(next.pump.engine, 'step').mockImplementation(() => {
        throw new WebAssembly.RuntimeError('unreachable');
      });
      next.pump.wake();
      next.pump.commands.push(0, 0);
    };
    const next = new OrchestratorClass({ seed: 98, clock: house.clock, storage: house.storage, tabs: false });
    await next.ready;
    await house.clock.settle();
    expect(trapped).toBeGreaterThan(1);
    expect(next.counts()).toMatchObject({ total: 5000, running: 1 });
    expect(next.list({ limit: 10_000 }).items.map(({ id }) => id).sort()).toEqual(ids.sort());
    await next.dispose();
  });

  it('what ends by its recovery is announced, though nobody had asked for it', async () => {
    const poison = defineTask({ id: 'poison', run: () => new Promise(() => {}) });
    let house = await open();
    const run = house.orchestrator.trigger(poison, null);
    await run.accepted;
    for (let crashes = 0; crashes < 2; crashes++) {
      await house.clock.settle();
      house = await crash(house);
    }
    await house.clock.settle();
    house = await crash(house);
    const report = await house.orchestrator.ready;
    expect(report.failed).toEqual([run.id]);
    expect(house.orchestrator.getTaskState(run.id)).toMatchObject({ phase: 'quarantined', error: { code: 'QUARANTINED' } });
  });

  it('the story of a run that was forgotten in this page is told with its id', async () => {
    const task = crowd(() => {});
    const house = await open();
    const ids = await fill(house.orchestrator, task, 5);
    const next = await crash(house);
    await next.orchestrator.removeTask(ids[4]!);
    await next.clock.settle();
    const told: unknown[] = [];
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    for await (const { type, runId } of next.orchestrator.events({ signal: stop.signal })) if (runId === ids[4]) told.push(type);
    expect(told[0]).toBe('created');
    expect(told).toContain('cancelled');
  });

  it('F8: a run that waited for its code goes on in a page that has it from the start', async () => {
    const house = await open();
    class Late {
      execute = (n: number) => new Promise<number>(() => n);
    }
    const id = await house.orchestrator.executeTask('late', new Late(), 5);
    const without = await crash(house);
    await without.clock.settle();
    expect(without.orchestrator.getTaskState(id)).toMatchObject({ reason: 'missing-definition' });
    const OrchestratorClass = house.orchestrator.constructor as new (options: object) => Orchestrator;
    await without.orchestrator.dispose();
    const next = new OrchestratorClass({ seed: 97, clock: house.clock, storage: house.storage, tabs: false });
    next.registerExecutor('Late', () => ({ execute: async (n: number) => n * 3 }));
    await next.ready;
    expect(await Promise.race([next.attach(id)!.result(), house.clock.settle().then(() => next.getTaskState(id))])).toBe(15);
    await next.dispose();
  });
});
