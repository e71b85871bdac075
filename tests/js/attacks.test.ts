import { ConfigurationError, createOrchestrator, defineTask, DisposedError, type RunHandle, type TaskContext } from 'holdfast';
import { createTestOrchestrator, memory, TestClock, type TestOptions } from 'holdfast/testing';
import { expect, it } from 'vitest';
import type { Run } from '../../js/runs/run.ts';
import { storageName } from '../../js/intake/storage-name.ts';

const plain = defineTask({ id: 'attacked', run: async (n: number) => n });

/** Rejections that nobody handled while it worked. */
async function unheardOf(work: () => Promise<void>): Promise<unknown[]> {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => unheard.push(error);
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', hear);
  try {
    await work();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('unhandledRejection', hear);
    for (const other of others) process.on('unhandledRejection', other);
  }
  return unheard;
}

for (const storage of ['memory', undefined] as const) {
  const open = () => createTestOrchestrator({ clock: new TestClock(), storage: storage ?? memory() });
  const where = storage ? 'in memory' : 'stored';

  it(`a delay that is none is refused at the call and harms nobody, ${where}`, async () => {
    await using house = open();
    const good = house.trigger(plain, 1);
    for (const delay of [Number.NaN, Number.POSITIVE_INFINITY, -5, 'soon', new Date(Number.NaN)]) {
      expect(() => house.trigger(plain, 1, { delay: delay as never })).toThrow(ConfigurationError);
    }
    expect(await good.result()).toBe(1);
    expect(house.getAllTasks()).toHaveLength(1);
  });

  it(`commands on a removed run answer false, and it stays what it was, ${where}`, async () => {
    await using house = open();
    const run = house.trigger(plain, 1);
    await run.result();
    expect(await house.removeTask(run.id)).toBe(true);
    expect(await Promise.all([run.cancel(), run.pause(), run.resume(), run.retry()])).toEqual([false, false, false, false]);
    expect(run.state.status).toBe('completed');
  });

  it(`nothing hangs over dispose, ${where}`, async () => {
    const house = open();
    const run = house.trigger(defineTask({ id: 'endless', run: () => new Promise(() => {}) }), null);
    await run.accepted;
    const pending = [run.result(), run.wait()].map((promise) => promise.catch((error) => error));
    await house.dispose();
    for (const error of await Promise.all(pending)) expect(error).toBeInstanceOf(DisposedError);
    await expect(run.result()).rejects.toThrow(DisposedError);
    await expect(house.waitOn('complete')).rejects.toThrow(DisposedError);
    expect(house.why(run.id)).toMatch(/disposed/);
  });

  it(`a run that is being removed as the house is closed: who asks is told; what the house removes by itself is no rejection that nobody handles, ${where}`, async () => {
    const unheard = await unheardOf(async () => {
      const house = open();
      const [asked, notAsked] = [1, 2].map((n) => house.trigger(plain, n, { delay: '1h' })) as [RunHandle, RunHandle];
      await Promise.all([asked.accepted, notAsked.accepted]);
      const removed = house.removeTask(asked.id).catch((error) => error);
      void house.control.forget(notAsked as Run);
      await house.dispose();
      expect(await removed).toBeInstanceOf(DisposedError);
    });
    expect(unheard).toEqual([]);
  });

  it(`a run that is being undone as the house is closed is no rejection that nobody handles, ${where}`, async () => {
    const unheard = await unheardOf(async () => {
      const house = open();
      const undone = defineTask({ id: 'undone', run: async (_: unknown, ctx: TaskContext) => {
        await ctx.step('done', () => 1, { compensate: () => new Promise(() => {}) });
        await new Promise(() => {});
      } });
      const run = house.trigger(undone, null);
      await run.accepted;
      await house.clock.settle();
      expect(run.state.status).toBe('running');
      void house.control.cancel(run as unknown as Run);
      await house.dispose();
      await expect((run as unknown as Run).ended).rejects.toBeInstanceOf(DisposedError);
    });
    expect(unheard).toEqual([]);
  });

}

it('namespaces never share a store', () => {
  const names = ['王', '李', 'ann@x.org', 'ann_x.org', 'a'.repeat(64), 'a'.repeat(65), `${'a'.repeat(65)}b`, '.', '..', 'x y', 'x_y'];
  const stored = names.map(storageName);
  expect(new Set(stored).size).toBe(names.length);
  for (const name of stored) expect(name).toMatch(/^[\w.-]{1,64}$/);
  expect(storageName('user-7')).toBe('user-7');
});

it('options of an orchestrator are checked with their values', () => {
  const bad: Record<string, unknown>[] = [
    { durability: 'bogus' }, { retention: { completd: {} } }, { retention: { completed: { age: 'x' } } }, { retention: { failed: { count: Number.NaN } } },
    { onComplete: 5 }, { onError: 'x' }, { seed: 'x' }, { tabs: 'no' }, { persistenceKey: 5 }, { worker: 5 }, { tasks: 5 }, { tasks: [{}] }, { tasks: [null] },
    { storage: 'idb' }, { storage: {} }, { namespace: 5 }, { clock: {} },
  ];
  for (const options of bad) expect(() => createTestOrchestrator(options as TestOptions), JSON.stringify(options)).toThrow(ConfigurationError);
  expect(() => createOrchestrator(null as never)).toThrow(ConfigurationError);
});
