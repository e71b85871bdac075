/** Several tabs: what a dead one leaves goes on in a living one, once, whatever happens on the way. */
import { defineTask } from 'holdfast';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Operation, Origin, type Tab } from './origin.ts';

let origin: Origin;
beforeEach(() => {
  origin = new Origin();
});
afterEach(() => origin.close());

/** Every body that ran, and where; every step that was computed. */
let bodies: { run: string; tab: Tab | undefined }[];
let computed: string[];
let gates: Map<string, () => void>;
beforeEach(() => {
  bodies = [];
  computed = [];
  gates = new Map();
});

/** Records a step, then waits until the test lets it go on. */
const waiting = defineTask({
  id: 'waiting',
  run: async (input: { file?: Blob }, ctx) => {
    bodies.push({ run: ctx.run.id, tab: origin.tabs.find((tab) => !tab.dead && tab.orchestrator.getTaskState(ctx.run.id)?.local) });
    await ctx.step('once', () => computed.push(ctx.run.id));
    if (input.file) expect(await input.file.text()).toBe('the file');
    await new Promise<void>((resolve) => gates.set(ctx.run.id, resolve));
    return 'done';
  },
});
const quick = defineTask({ id: 'quick', run: async (n: number) => n * 2 });

async function startWork(tab: Tab): Promise<string[]> {
  const runs = [
    ...[1, 2].map(() => tab.orchestrator.trigger(waiting, {})),
    tab.orchestrator.trigger(waiting, { file: new Blob(['the file']) }),
    tab.orchestrator.trigger(quick, 21),
  ];
  await Promise.all(runs.map((run) => run.accepted));
  await origin.clock.settle();
  return runs.map(({ id }) => id);
}

const living = () => origin.tabs.filter((tab) => !tab.dead);
const owners = (id: string) => living().filter((tab) => tab.own.some((state) => state.id === id));

/** Every run is in one living tab; what was not over runs there, in one body, and has computed its step once in all. */
function expectAllOnce(runs: readonly string[]): void {
  for (const id of runs) {
    expect(owners(id), id).toHaveLength(1);
    const state = owners(id)[0]!.orchestrator.getTaskState(id)!;
    expect(['running', 'completed'], id).toContain(state.status);
    expect(computed.filter((run) => run === id).length, id).toBeLessThanOrEqual(1);
    const going = bodies.filter(({ run, tab }) => run === id && tab && !tab.dead);
    expect(going.length, id).toBe(state.status === 'running' ? 1 : 0);
  }
}

/** Ends and removes all runs. What their files are in stays readable until the last that wants it is gone, and no longer. */
async function expectFilesToGoWithTheLast(runs: readonly string[]): Promise<void> {
  for (const id of runs) if (owners(id)[0]!.orchestrator.getTaskState(id)!.status === 'running') gates.get(id)!();
  await origin.clock.settle();
  const withFiles: string[] = [];
  const remove = async (id: string) => {
    expect(await owners(id)[0]!.orchestrator.removeTask(id), id).toBe(true);
    await origin.clock.settle();
  };
  for (const id of runs) {
    const { orchestrator } = owners(id)[0]!;
    const input = (await orchestrator.attempts.inputOf(orchestrator.attach(id) as never)) as { file?: Blob };
    if (input.file) withFiles.push(id);
    else await remove(id);
  }
  for (const id of withFiles) {
    const { orchestrator } = owners(id)[0]!;
    const input = (await orchestrator.attempts.inputOf(orchestrator.attach(id) as never)) as { file: Blob };
    expect(await input.file.text(), id).toBe('the file');
    await remove(id);
  }
  for (const tab of living()) expect(await tab.orchestrator.journal!.slot.blobIds()).toEqual([]);
}

describe('a tab that changes', () => {
  it('asks the browser for a frame only where somebody listens or looks, here or in another tab', async () => {
    const frames = vi.spyOn(origin.clock, 'frame');
    const framesOf = async (work: () => Promise<unknown>) => {
      frames.mockClear();
      await work();
      await origin.clock.settle();
      return frames.mock.calls.length;
    };
    const first = await origin.open();
    const work = () => first.orchestrator.run(quick, 1);
    expect(await framesOf(work)).toBe(0);
    const states: string[] = [];
    const stop = first.orchestrator.subscribe(() => states.push(first.orchestrator.getAllTasks().at(-1)!.phase));
    expect(await framesOf(work)).toBeGreaterThan(0);
    expect(states.at(-1)).toBe('completed');
    stop();
    expect(await framesOf(work)).toBe(0);
    const second = await origin.open();
    expect(second.orchestrator.getAllTasks().map(({ phase }) => phase)).toEqual(['completed', 'completed', 'completed']);
    expect(await framesOf(work)).toBeGreaterThan(0);
    expect(second.orchestrator.getAllTasks()).toHaveLength(4);
    const toTell = await framesOf(work);
    const unwatch = second.orchestrator.subscribe(() => {});
    expect(await framesOf(work)).toBeGreaterThan(toTell);
    unwatch();
    second.kill();
    await origin.clock.settle();
    await work();
    await origin.clock.settle();
    expect(await framesOf(work)).toBe(0);
    frames.mockRestore();
  });
});

describe('a tab that dies', () => {
  it('E2: leaves its runs, files and recorded steps to another one, which goes on with them', async () => {
    const one = await origin.open();
    const other = await origin.open();
    const runs = await startWork(one);
    one.kill();
    await origin.clock.settle();
    expectAllOnce(runs);
    for (const id of runs.slice(0, 3)) gates.get(id)!();
    await origin.clock.settle();
    expect(other.own.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed', 'completed']);
    expect(other.warnings).toEqual([]);
    expect(origin.locks.names).toHaveLength(1);
  });

  it('E2: is taken over by a tab that came while it was still opening', async () => {
    const first = await origin.open();
    const runs = await startWork(first);
    // The only tab dies; the next one claims its slot and dies before it has opened it.
    first.kill();
    const watcher = origin.begin();
    const opening = new Promise<void>((resolve) => {
      origin.onOperation = ({ tab, name }) => {
        if (name !== 'openSlot' || tab !== watcher) return undefined;
        resolve();
        return new Promise(() => {});
      };
    });
    await opening;
    const next = await origin.open();
    watcher.kill();
    await origin.clock.settle();
    expectAllOnce(runs);
    expect(owners(runs[0]!)).toEqual([next]);
  });

  it('E2: is not forgotten by a tab that was just opening: nobody else had seen it', async () => {
    const one = await origin.open();
    const runs = await startWork(one);
    let goOn = () => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const late = origin.begin();
    // After it has looked which slots are free, before it listens.
    origin.onOperation = ({ tab, name }) => (tab === late && name === 'openSlot' ? held : undefined);
    await origin.clock.settle();
    one.kill();
    goOn();
    await late.orchestrator.ready;
    await origin.clock.settle();
    expectAllOnce(runs);
  });
});

describe('an adoption that can not go on', () => {
  const refuse = (matches: (operation: Operation) => boolean, times: number) => {
    let left = times;
    origin.onOperation = (operation) => {
      if (left > 0 && matches(operation)) {
        left--;
        throw new Error('the disk is busy');
      }
    };
    return () => left;
  };

  for (const name of ['openSlot', 'read', 'replace', 'deleteBlobs', 'close'])
    it(`is told once and tried again until it is done: ${name} fails`, async () => {
      const one = await origin.open();
      const other = await origin.open();
      const runs = await startWork(one);
      const dead = one.slot;
      const left = refuse((operation) => operation.tab === other && operation.name === name && (name === 'openSlot' || operation.slot === dead), 3);
      one.kill();
      await origin.clock.settle();
      await origin.clock.advance(60_000);
      expectAllOnce(runs);
      expect(other.warnings.filter((message) => message.includes('could not be taken over'))).toHaveLength(name === 'deleteBlobs' ? 0 : 1);
      if (name !== 'deleteBlobs') expect(left()).toBe(0);
      await origin.clock.advance(60_000);
      expect(other.warnings).toHaveLength(name === 'deleteBlobs' ? 0 : 1);
    });

  it('a full disk while its files are copied leaves everything in the other slot for the next try', async () => {
    const one = await origin.open();
    const other = await origin.open();
    const runs = await startWork(one);
    const left = refuse(({ tab, name }) => tab === other && name === 'copyBlobs', 4);
    one.kill();
    await origin.clock.settle();
    expect(other.own).toEqual([]);
    await origin.clock.advance(60_000);
    expect(left()).toBe(0);
    expectAllOnce(runs);
  });

  it('one that hangs is told, and goes on when it can', async () => {
    const one = await origin.open();
    const other = await origin.open();
    const runs = await startWork(one);
    let goOn = () => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    origin.onOperation = ({ tab, name }) => (tab === other && name === 'copyBlobs' ? held : undefined);
    one.kill();
    await origin.clock.advance(10_000);
    expect(other.warnings).toEqual([expect.stringMatching(/takes more than 10 s: 1 blobs are being copied/)]);
    goOn();
    await origin.clock.settle();
    expectAllOnce(runs);
  });

  const trapped = { 'before the import is sealed': 'importLog', 'before the runs are released': 'step' } as const;
  for (const [when, method] of Object.entries(trapped))
    it(`H12: a core that is trapped ${when} is rebuilt, and the runs go on with their recorded steps`, async () => {
      const one = await origin.open();
      const other = await origin.open();
      const runs = await startWork(one);
      const trap = () => {
        const { engine } = other.orchestrator.pump;
        const original = engine[method].bind(engine) as (...args: unknown[]) => unknown;
        engine[method] = ((...args: unknown[]) => {
          if (method === 'importLog') {
            const result = original(...args);
            engine.step = () => {
              throw new WebAssembly.RuntimeError('unreachable');
            };
            engine.seal = engine.step as never;
            return result;
          }
          throw new WebAssembly.RuntimeError('unreachable');
        }) as never;
      };
      const dead = one.slot;
      origin.onOperation = ({ tab, name, slot }) => {
        const isTime = method === 'importLog' ? name === 'copyBlobs' : name === 'replace' && slot === dead;
        if (tab !== other || !isTime) return;
        origin.onOperation = () => undefined;
        trap();
      };
      one.kill();
      await origin.clock.settle();
      await origin.clock.advance(60_000);
      expect(other.warnings).toEqual(expect.arrayContaining([expect.stringMatching(/rebuilt from the journal/)]));
      expectAllOnce(runs);
      // What the rebuilt core was told of them is in its log too.
      other.kill();
      await origin.open();
      await origin.clock.settle();
      expectAllOnce(runs);
    });

  it('closing in the middle of one lets go of the slot, and the runs are found again', async () => {
    const one = await origin.open();
    const other = await origin.open();
    const runs = await startWork(one);
    origin.onOperation = ({ tab, name }) => {
      if (tab === other && name === 'append') throw new Error('nothing can be stored');
    };
    one.kill();
    await origin.clock.settle();
    await other.orchestrator.dispose();
    other.dead = true;
    expect(origin.locks.names).toEqual([]);
    origin.onOperation = () => undefined;
    await origin.open();
    expectAllOnce(runs);
  });

  it('blobs that can not be swept now stay where they are, and the tab goes on', async () => {
    (await origin.open()).kill();
    origin.onOperation = ({ name }) => {
      if (name === 'blobIds') throw new Error('nothing can be listed');
    };
    const tab = await origin.open();
    expect(await tab.orchestrator.trigger(quick, 21).result()).toBe(42);
  });

  it('one that a crash cut short when its files were copied has them still when it is done again', async () => {
    const taker = await origin.open();
    const one = await origin.open();
    const runs = [...(await startWork(taker)), ...(await startWork(one))];
    origin.onOperation = ({ tab, name }) => {
      if (tab === taker && name === 'append') taker.kill();
    };
    one.kill();
    await origin.clock.settle();
    expect(taker.dead).toBe(true);
    origin.onOperation = () => undefined;
    // The first life goes on with what was read before, the second has to read it.
    for (const life of [1, 2]) {
      const next = await origin.open();
      await origin.clock.settle();
      expectAllOnce(runs);
      expect(next.slot, `life ${life}`).toBe(taker.slot);
      expect(next.own.filter(({ status }) => status === 'running'), `life ${life}`).toHaveLength(6);
      next.kill();
    }
    await origin.open();
  });

  it('a slot that only looks as if something were in it keeps no run waiting: a crash left it while it was being emptied', async () => {
    const taker = await origin.open();
    const one = await origin.open();
    const runs = [...(await startWork(taker)), ...(await startWork(one))];
    let emptied = false;
    origin.onOperation = ({ tab, name, slot }) => {
      if (tab !== taker) return;
      if (emptied && name !== 'replace') taker.kill();
      if (name === 'replace' && slot === one.slot) emptied = true;
    };
    one.kill();
    await origin.clock.settle();
    expect(taker.dead).toBe(true);
    origin.onOperation = () => undefined;
    const leftover = await origin.disk.openSlot(one.slot);
    await leftover.append(new Uint8Array(64));
    await origin.open();
    await origin.clock.advance(20_000);
    expectAllOnce(runs);
    expect(await origin.disk.occupiedSlots()).toEqual([taker.slot]);
  });

  it('a tab whose core is being rebuilt does not say what it has: what is asked again then is its own', async () => {
    const before = await origin.open();
    const later = before.orchestrator.trigger(quick, 1, { delay: 3_600_000 });
    await later.accepted;
    const runs = [later.id];
    before.kill();
    const tab = origin.begin();
    const { opening } = tab.orchestrator;
    await opening.opened;
    tab.act(() => tab.orchestrator.crashed(new WebAssembly.RuntimeError('unreachable')));
    expect(opening.standingOf(runs)).toBeUndefined();
    await tab.orchestrator.ready;
    await origin.clock.settle();
    expect(opening.standingOf(runs)).toEqual({ owned: runs, held: [] });
  });
});

describe('the tab that takes over dies too', () => {
  /** Kills the tab at its N-th storage operation from now on. Tells how many there were. */
  function killAt(victim: () => Tab | undefined, count: number): () => number {
    let seen = 0;
    origin.onOperation = ({ tab }) => {
      if (tab === victim() && ++seen === count) tab.kill();
    };
    return () => seen;
  }

  /** Whose turn it is to take over a slot, among those that wait for it. */
  const orders = {
    'the same tab takes both slots': () => undefined,
    'each slot goes to another tab': (one: Tab, other: Tab, dead: number) => (name: string) => (name.endsWith(`:${dead}`) ? one : other),
    'the other way round': (one: Tab, other: Tab, dead: number) => (name: string) => (name.endsWith(`:${dead}`) ? other : one),
  };

  for (const [words, order] of Object.entries(orders))
    it(`E2: wherever that is, every run goes on once and no recorded step is repeated: ${words}`, async () => {
      const life = async (at: number): Promise<number> => {
        await origin.close();
        origin = new Origin();
        bodies = [];
        computed = [];
        const [first, second, third, fourth] = [await origin.open(), await origin.open(), await origin.open(), await origin.open()];
        const runs = [...(await startWork(first!)), ...(await startWork(second!))];
        const prefer = order(third!, fourth!, first!.slot);
        // The first slot goes to the second tab, whatever comes then.
        origin.locks.prefer = (name, tabs) => (tabs.includes(second!) ? second : prefer?.(name));
        const seen = killAt(() => second, at);
        first!.kill();
        await origin.clock.settle();
        second!.kill();
        await origin.clock.settle();
        await origin.clock.advance(60_000);
        expectAllOnce(runs);
        await expectFilesToGoWithTheLast(runs);
        return seen();
      };
      const operations = await life(Number.POSITIVE_INFINITY);
      expect(operations).toBeGreaterThan(8);
      for (let at = 1; at <= operations; at++) await life(at);
    }, 60_000);
});
