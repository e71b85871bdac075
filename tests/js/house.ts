/**
 * A house for tests: an orchestrator on a standing clock and a storage that survives it, so that a
 * test can close, kill and reopen in a few lines.
 */
import { type Clock, createOrchestrator, type Orchestrator, type OrchestratorOptions, type Storage, TestClock } from 'holdfast';
import { Orchestrator as OrchestratorClass } from '../../js/orchestrator.ts';
import { memory } from '../../js/storage/memory.ts';
// To load a module takes real time, of which a standing clock knows nothing.
import '../../js/testing/rooms.ts';

export interface House {
  clock: TestClock;
  storage: Storage;
  orchestrator: Orchestrator;
  /** The tab dies: nothing more is written, nothing more runs; another one opens on what was stored. */
  crash(options?: OrchestratorOptions): Promise<House>;
  /** The tab dies, and nobody opens another one. */
  cut(): void;
  /** The tab closes in order. */
  reload(options?: OrchestratorOptions): Promise<House>;
}

export { createOrchestrator };

let opened = 0;

/** Everything acknowledged lives in `storage`; a dead orchestrator's writes no longer arrive. */
export async function openHouse(options: OrchestratorOptions = {}, clock = new TestClock(), storage: Storage = memory()): Promise<House> {
  const gate = guard(storage);
  const orchestrator = new OrchestratorClass({ seed: ++opened, clock: gate.time(clock), storage: gate.storage, tabs: false, ...options });
  await orchestrator.ready;
  const again = (next?: OrchestratorOptions) => openHouse({ ...options, ...next }, clock, storage);
  const cut = () => {
    gate.cut();
    // The page's definitions outlive it in a test, and would keep it in memory.
    orchestrator.definitions.stopWatching();
  };
  return {
    clock,
    storage,
    orchestrator,
    cut,
    crash: async (next) => {
      cut();
      return again(next);
    },
    reload: async (next) => {
      await orchestrator.dispose();
      return again(next);
    },
  };
}

/** After `cut` every call waits for ever, as in a process that is gone. */
function guard(storage: Storage): { storage: Storage; time: (clock: Clock) => Clock; cut: () => void } {
  let dead = false;
  const wrap = <Target extends object>(target: Target): Target =>
    new Proxy(target, {
      get(_, key) {
        const value = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          if (dead) return new Promise(() => {});
          const result = await value.apply(target, args);
          if (dead) return new Promise(() => {});
          return key === 'openSlot' ? wrap(result) : result;
        };
      },
    });
  // Nobody rings for the dead either.
  const unlessDead = (callback: () => void) => () => {
    if (!dead) callback();
  };
  const time = (clock: Clock): Clock => ({
    now: () => clock.now(),
    schedule: (atMs, callback, lateMs) => clock.schedule(atMs, unlessDead(callback), lateMs),
    defer: (callback) => clock.defer(unlessDead(callback)),
    frame: (callback) => clock.frame(unlessDead(callback)),
    watchStandstill: () => clock.watchStandstill?.(),
    dispose: () => {},
  });
  return { storage: wrap(storage), time, cut: () => (dead = true) as unknown as void };
}

/** The same store, in which this session has another slot. */
export function shifted(storage: Storage): Storage {
  return new Proxy(storage, {
    get: (target, key) => {
      const value = Reflect.get(target, key, target);
      if (key === 'openSlot') return (slot: number) => target.openSlot((slot + 1) % 2);
      if (key === 'occupiedSlots') return async () => [];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
