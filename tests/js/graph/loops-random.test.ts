/**
 * Random loops in loops, with ways that part and fall back: what becomes of one that is killed at random moments and
 * reopened is what becomes of it undisturbed, and no node that has ended is executed again.
 */
import { type TaskInput, type TaskOutput, ConditionalTask, FallbackTask, GraphAsTask, MapTask, ReduceTask, registerTask, Task, TaskGraph, WhileTask } from 'holdfast/graph';
import { afterEach, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { registerBaseTasks } from '../../../js/graph/nodes/index.ts';
import { seededRandom } from '../../../js/time/random.ts';
import { type House, openHouse } from '../house.ts';

/** Executions that ended, by what they did to what. */
let ended: string[] = [];
let houses: House[] = [];

class Step extends Task {
  static override readonly type = 'LoopStep';
  override async execute({ value }: TaskInput, { durable }: any): Promise<TaskOutput> {
    if (this.config.extras?.fails) throw new Error('fails');
    await durable.sleep(10);
    const given = JSON.stringify(value);
    ended.push(`${this.config.extras?.name} ${durable.run.id}`);
    return { value: Number(String(given).length % 7) + (this.config.extras?.add ?? 1) + (typeof value === 'number' ? value : 0) };
  }
}
class List extends Task {
  static override readonly type = 'LoopList';
  override execute({ value }: TaskInput): TaskOutput {
    return { value: [1, 2, 3].map((each) => each + (typeof value === 'number' ? value % 5 : 0)) };
  }
}
class Unlist extends Task {
  static override readonly type = 'LoopUnlist';
  override execute({ value, accumulator }: TaskInput): TaskOutput {
    return { value: [value, accumulator].flat(9).reduce((sum: number, each: unknown) => sum + (typeof each === 'number' ? each : 0), 0) };
  }
}
registerTask(Step, List, Unlist);
registerBaseTasks();

afterEach(() => {
  for (const house of houses) house.cut();
  houses = [];
});

/** Tasks in a row, each with `value` of the one before it. */
function chain(...tasks: Task<any, any, any>[]): TaskGraph {
  const graph = new TaskGraph();
  graph.addTasks(tasks);
  for (let at = 1; at < tasks.length; at++) graph.connect(tasks[at - 1]!.id, 'value', tasks[at]!.id, 'value');
  return graph;
}

function program(random: () => number): TaskGraph {
  let count = 0;
  const step = (extras: object = {}) => new Step({ id: `s${++count}`, extras: { name: `s${count}`, add: count, ...extras } });
  const part = (depth: number): Task<any, any, any>[] => {
    const id = `n${++count}`;
    const inner = () => row(depth + 1);
    const kind = depth >= 2 ? 0 : Math.floor(random() * 7);
    if (kind === 1) return [new List({ id: `${id}l` }), new MapTask({ id, maxIterations: 10, ...(random() < 0.5 && { concurrencyLimit: 2 }), subGraph: inner() }), new Unlist({ id: `${id}u` })];
    if (kind === 2) return [new List({ id: `${id}l` }), new ReduceTask({ id, maxIterations: 10, initialValue: { value: 0 }, subGraph: inner() }), new Unlist({ id: `${id}u` })];
    if (kind === 3) return [new WhileTask({ id, maxIterations: 3, conditionField: 'value', conditionOperator: 'less_than', conditionValue: 60, subGraph: inner() }), new Unlist({ id: `${id}u` })];
    if (kind === 4) return [new GraphAsTask({ id, subGraph: inner() }), new Unlist({ id: `${id}u` })];
    if (kind === 5) {
      const ways = new TaskGraph();
      ways.addTasks([step({ fails: true }), step()]);
      return [new FallbackTask({ id, subGraph: ways })];
    }
    return [step()];
  };
  const row = (depth: number): TaskGraph => {
    const parts = Array.from({ length: 1 + Math.floor(random() * 2) }, () => part(depth)).flat();
    const graph = chain(...parts);
    if (random() < 0.3) {
      const last = parts.at(-1)!.id;
      const [odd, even] = [step(), step()];
      graph.addTasks([new ConditionalTask({ id: `if${++count}`, branches: [{ id: 'big', field: 'value', operator: 'greater_than', value: 12 }, { id: 'small', operator: 'is_true' }] }), odd, even]);
      graph.connect(last, 'value', `if${count}`, 'value');
      graph.connect(`if${count}`, 'big', odd.id, '*');
      graph.connect(`if${count}`, 'small', even.id, '*');
    }
    return graph;
  };
  return row(0);
}

async function undisturbed(seed: number): Promise<unknown> {
  const house = await openHouse();
  houses.push(house);
  const run = await house.orchestrator.graphs.run(program(seededRandom(seed)), { value: 1 });
  await house.clock.advance(5_000);
  return run.result();
}

async function killed(seed: number): Promise<{ result: unknown; kills: number }> {
  const random = seededRandom(seed * 7 + 1);
  let house = await openHouse();
  houses.push(house);
  const { id } = await house.orchestrator.graphs.run(program(seededRandom(seed)), { value: 1 });
  let kills = 0;
  for (let look = 0; look < 200; look++) {
    await house.clock.advance(Math.floor(random() * 25));
    const run = (await house.orchestrator.graphs.get(id))!;
    if (run.status === 'completed') return { result: await run.result(), kills };
    if (kills >= 6 || random() > 0.35) continue;
    kills++;
    house = random() < 0.7 ? await house.crash() : await house.reload();
    houses.push(house);
  }
  throw new Error(`seed ${seed}: the run did not end`);
}

it('killed at random, a graph of loops gives what it gives undisturbed, and executes nothing twice', async () => {
  let kills = 0;
  let executions = 0;
  for (let seed = 1; seed <= 6; seed++) {
    ended = [];
    const expected = await undisturbed(seed);
    const count = ended.length;
    executions += count;
    ended = [];
    const found = await killed(seed);
    kills += found.kills;
    expect(found.result, `seed ${seed}`).toEqual(expected);
    // What ended as its page died, before that was stored, ends once more, as the same run.
    expect(new Set(ended).size, `seed ${seed}: ${ended}`).toBe(count);
    expect(ended.length - count, `seed ${seed}: ${ended}`).toBeLessThanOrEqual(3 * found.kills);
  }
  expect(kills).toBeGreaterThan(10);
  expect(executions).toBeGreaterThan(40);
});
