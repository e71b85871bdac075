/** Runs a program in a house on a virtual clock, killing the house at given moments. */
import { defineTask, type Storage, type StorageSlot, type Task, TestClock } from 'holdfast';
import { memory } from 'holdfast/storage/memory';
import { type House, openHouse } from '../house.ts';
import { interpret, type Part, type Program, type Witness } from './program.ts';

export interface Observed {
  status: string;
  output: unknown;
  failed: boolean;
  /** Steps that were computed again after the code had gone on with their result. */
  rerun: string[];
  /** Races that changed their winner; a new try after a failure may. */
  changed: string[];
}

/** After so many milliseconds of the virtual clock, from the one before. */
export interface Kill {
  afterMs: number;
  /** The page is closed in order instead. */
  orderly: boolean;
}

const isPrompt = (delaysMs: readonly number[]): boolean => delaysMs.every((delayMs) => delayMs === 0);

/** What is appended is stored at once, and acknowledged so long afterwards. */
export function slowly(storage: Storage, clock: TestClock, delaysMs: readonly number[]): Storage {
  if (isPrompt(delaysMs)) return storage;
  let appended = 0;
  const slot = (target: StorageSlot): StorageSlot => new Proxy(target, {
    get: (_, key) => {
      const value = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key !== 'append') return value.bind(target);
      return async (...args: unknown[]) => {
        const result: unknown = await value.apply(target, args);
        const delayMs = delaysMs[appended++ % delaysMs.length]!;
        if (delayMs > 0) await new Promise<void>((resolve) => void clock.schedule(clock.now() + delayMs, resolve));
        return result;
      };
    },
  });
  return new Proxy(storage, {
    get: (_, key) => {
      const value = Reflect.get(storage, key, storage);
      if (typeof value !== 'function') return value;
      return key === 'openSlot' ? async (...args: unknown[]) => slot(await value.apply(storage, args)) : value.bind(storage);
    },
  });
}

export async function observe(program: Program, kills: readonly Kill[], delaysMs: readonly number[] = [0]): Promise<Observed> {
  const given = new Set<string>();
  const rerun: string[] = [];
  const changed: string[] = [];
  let failures = program.failures;
  const clock = new TestClock();
  const child: Task<string, Part, unknown> = defineTask({
    id: 'program-child', retry: { maxAttempts: 1 },
    run: ({ body, path }: Part, ctx): Promise<unknown> => interpret(body, ctx, living(), path),
  });
  const witness: Witness = {
    computed: (path) => {
      if (given.has(path)) rerun.push(path);
    },
    given: (path) => void given.add(path),
    changed: (path) => void changed.push(path),
    sleep: (ms) => new Promise((resolve) => void clock.schedule(clock.now() + ms, resolve)),
    child: (ctx, part) => ctx.run(child, part),
  };
  // In a test the code of a page that was killed goes on in memory; nobody hears of it.
  let life = 0;
  const living = (): Witness => {
    const mine = life;
    const heard = (tell: (path: string) => void) => (path: string) => {
      if (mine === life) tell(path);
    };
    return { ...witness, computed: heard(witness.computed), given: heard(witness.given), changed: heard(witness.changed) };
  };
  const task = defineTask({
    id: 'program', retry: { maxAttempts: 3, minDelayMs: 50, randomize: false },
    run: async (input: Program, ctx) => {
      const values = await interpret(input.body, ctx, living(), '');
      if (failures-- > 0) throw new Error('the program fails');
      return values;
    },
  });
  /** The storage may take its time for it. */
  const meanwhile = async <Value>(promise: Promise<Value>): Promise<Value> => {
    if (isPrompt(delaysMs)) return promise;
    let isOver = false;
    const end = () => (isOver = true);
    promise.then(end, end);
    await clock.settle();
    while (!isOver) await clock.advance(30);
    return promise;
  };
  let house: House = await meanwhile(openHouse({ recovery: { mode: 'auto' } }, clock, slowly(memory(), clock, delaysMs)));
  const run = house.orchestrator.trigger(task, program);
  await meanwhile(run.accepted);
  for (const { afterMs, orderly } of kills) {
    await clock.advance(afterMs);
    if (isOver(house, run.id)) break;
    life++;
    const next = await meanwhile(orderly ? house.reload() : house.crash());
    await meanwhile(next.orchestrator.ready);
    house = next;
  }
  for (let turn = 0; turn < 60 && !isOver(house, run.id); turn++) await clock.advance(2000);
  const state = house.orchestrator.getTaskState(run.id)!;
  const output = state.status === 'completed' ? await meanwhile(house.orchestrator.attach(run.id)!.result()) : undefined;
  await meanwhile(house.orchestrator.dispose());
  return { status: state.status, output, failed: state.error !== null, rerun, changed: state.retryCount > 0 ? [] : changed };
}

function isOver(house: House, id: string): boolean {
  const { status } = house.orchestrator.getTaskState(id)!;
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
