/** Runs a program in a house on a virtual clock, killing the house at given moments. */
import { defineTask, type Task, TestClock } from 'holdfast';
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

export async function observe(program: Program, kills: readonly Kill[]): Promise<Observed> {
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
  let house: House = await openHouse({ recovery: { mode: 'auto' } }, clock);
  const run = house.orchestrator.trigger(task, program);
  await run.accepted;
  for (const { afterMs, orderly } of kills) {
    await clock.advance(afterMs);
    if (isOver(house, run.id)) break;
    life++;
    const next = orderly ? await house.reload() : await house.crash();
    await next.orchestrator.ready;
    house = next;
  }
  for (let turn = 0; turn < 60 && !isOver(house, run.id); turn++) await clock.advance(2000);
  const state = house.orchestrator.getTaskState(run.id)!;
  const output = state.status === 'completed' ? await house.orchestrator.attach(run.id)!.result() : undefined;
  await house.orchestrator.dispose();
  return { status: state.status, output, failed: state.error !== null, rerun, changed: state.retryCount > 0 ? [] : changed };
}

function isOver(house: House, id: string): boolean {
  const { status } = house.orchestrator.getTaskState(id)!;
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
