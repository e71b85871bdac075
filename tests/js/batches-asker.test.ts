/** Whose code asks: known where it is certain, and nobody where it is not. */
import { defineTask, type Orchestrator } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { asking, enter, givenBack, leave } from '../../js/batches/current.ts';
import type { RunContext } from '../../js/context/context.ts';
import { name, open } from './houses.ts';

const one = defineTask({ id: 'asker-one', run: async (n: number) => n + 1 });
const context = (text: string) => text as unknown as RunContext;
const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await null;
};
const batchesOf = (orchestrator: Orchestrator, parentId: string) => orchestrator.list({ parentId, taskIdentifier: 'holdfast/batch' }).items.length;

/** What code of this asker would do: its first turn is known. */
function as<Value>(asker: RunContext, code: () => Value): Value {
  const before = enter(asker);
  try {
    return code();
  } finally {
    leave(before);
  }
}

describe('who asks', () => {
  it('is known again after an await of what was asked for, whatever else the page does in between', async () => {
    const seen: unknown[] = [];
    let noise = true;
    // Every other turn of the page finds nobody.
    const others = Promise.all(Array.from({ length: 20 }, async (_, n) => {
      while (noise) {
        await turns(n);
        if (asking() !== undefined) seen.push(`stranger ${n} saw ${String(asking())}`);
        await null;
      }
    }));
    const ask = (asker: RunContext, hops: number) => givenBack(turns(hops), asker);
    const code = async (asker: RunContext, hops: number) => {
      for (let round = 0; round < 50; round++) {
        await ask(asker, hops + round);
        if (asking() !== asker) seen.push(`${String(asker)} was ${String(asking())} in round ${round}`);
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, n) => as(context(`run ${n}`), () => code(context(`run ${n}`), n % 5))));
    noise = false;
    await others;
    expect(seen).toEqual([]);
    expect(asking()).toBeUndefined();
  });

  it('is known again after a failure too', async () => {
    const seen = await as(context('a'), async () => {
      try {
        await givenBack(Promise.reject(new Error('no')), context('a'));
      } catch {
        return asking();
      }
      return 'no failure';
    });
    expect(seen).toBe('a');
  });

  it('is nobody for code that somebody else gave the promise to, however it was passed on', async () => {
    const leaks: ((promise: Promise<unknown>) => Promise<unknown>)[] = [
      (promise) => promise,
      (promise) => Promise.resolve(promise),
      (promise) => (async () => promise)(),
      (promise) => new Promise((resolve) => resolve(promise)),
      (promise) => Promise.all([promise]),
      (promise) => Promise.race([promise, new Promise(() => {})]),
      (promise) => promise.then(() => 'then'),
      (promise) => promise.finally(() => {}),
      (promise) => promise.catch(() => {}),
    ];
    for (const [which, leak] of leaks.entries()) {
      let passed!: Promise<unknown>;
      const owner = as(context('owner'), async () => {
        const promise = givenBack(turns(10), context('owner'));
        passed = leak(promise);
        await promise;
      });
      // A stranger, and code of another run that is known to ask at this moment.
      const strangers = [
        (async () => (await passed, asking()))(),
        as(context('other'), async () => (await passed, asking())),
      ];
      const found = await Promise.all(strangers);
      expect(found.filter((who) => who !== undefined), `leak ${which}`).toEqual([]);
      await owner;
      expect(asking()).toBeUndefined();
    }
  });

  it('is nobody in what its callbacks set off', async () => {
    let go!: () => void;
    const signal = new Promise<void>((resolve) => (go = resolve));
    const stranger = (async () => (await signal, asking()))();
    await as(context('owner'), async () => {
      await givenBack(turns(3), context('owner')).then(() => go());
    });
    expect(await stranger).toBeUndefined();
  });
});

describe('a batch of the global kind', () => {
  it('is a child of the run whose code asks, from one await to the next; a plain one after an await of something else', async () => {
    const { orchestrator } = await open({ storage: 'memory' });
    const parent = defineTask({
      id: name('parent'),
      run: async (_: null) => {
        await one.batchTriggerAndWait([{ payload: 1 }]);
        await one.batchTriggerAndWait([{ payload: 2 }]);
        await Promise.all([one.batchTriggerAndWait([{ payload: 3 }]), one.batchTriggerAndWait([{ payload: 4 }])]).catch(() => {});
        return asking();
      },
    });
    const run = orchestrator.trigger(parent, null);
    expect(await run.result()).toBeUndefined();
    expect(batchesOf(orchestrator, run.id)).toBe(4);
  });

  it('belongs to each of many runs that ask at once', async () => {
    const { orchestrator } = await open({ storage: 'memory' });
    const parent = defineTask({
      id: name('parent'),
      run: async (n: number) => {
        const outputs: number[] = [];
        for (let round = 0; round < 3; round++) {
          const { runs } = await one.batchTriggerAndWait([{ payload: n + round }, { payload: n }]);
          outputs.push(...runs.outputs());
        }
        return outputs;
      },
    });
    const runs = Array.from({ length: 20 }, (_, n) => orchestrator.trigger(parent, n));
    for (const [n, run] of runs.entries()) {
      expect(await run.result()).toEqual([n + 1, n + 1, n + 2, n + 1, n + 3, n + 1]);
      expect(batchesOf(orchestrator, run.id)).toBe(3);
    }
  });
});
