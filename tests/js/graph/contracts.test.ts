/** What tasks, edges and results promise one by one: ports, narrowing, validation, order of results, marked leaves, hooks of jobs. */
import { Dataflow, DataflowArrow, type ExecuteContext, JobQueueTask, JobTaskFailedError, MapTask, registerTask, serialGraph, Task, TaskConfigurationError, TaskGraph, TaskGraphTimeoutError, type TaskInput, TaskInvalidInputError, type TaskOutput } from 'holdfast/graph';
import { describe, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { open } from '../houses.ts';

class Pass extends Task {
  static override readonly type: string = 'ContractPass';
  override execute(input: TaskInput): TaskOutput | Promise<TaskOutput> {
    return input;
  }
}
class Result extends Pass {
  static override readonly type = 'ContractResult';
  static override readonly isGraphOutput = true;
}
class Turns extends Pass {
  static override readonly type = 'ContractTurns';
  override async execute({ turns }: TaskInput): Promise<TaskOutput> {
    for (let left = turns; left > 0; left--) await null;
    return { turns };
  }
}
class Narrow extends Pass {
  static override readonly type = 'ContractNarrow';
  static override inputSchema = () => ({ type: 'object', properties: { n: { type: 'number', minimum: 1 } }, required: ['n'] }) as const;
  override narrowInput(input: TaskInput): TaskInput {
    return typeof input['n'] === 'string' ? { ...input, n: Number(input['n']) } : input;
  }
}
registerTask(Pass, Result, Turns, Narrow);

describe('an edge', () => {
  it('takes its port of what its source gave, or all of it, and gives it by its target\'s port, or its properties', () => {
    const through = (from: string, to: string, output: unknown) => {
      const edge = new Dataflow('a', from, 'b', to);
      edge.setPortData(output);
      return edge.getPortData();
    };
    expect(through('x', 'y', { x: 1, z: 2 })).toEqual({ y: 1 });
    expect(through('*', 'y', { x: 1 })).toEqual({ y: { x: 1 } });
    expect(through('x', '*', { x: { p: 1 } })).toEqual({ p: 1 });
    expect(through('*', '*', { x: 1 })).toEqual({ x: 1 });
    expect(through('[error]', 'y', { error: 'no', errorType: 'E' })).toEqual({ y: { error: 'no', errorType: 'E' } });
  });

  it('is made of its id, whatever ports it names', () => {
    for (const [from, to] of [['x', 'y'], ['*', '*'], ['[error]', 'y'], ['a port', 'ä-1']] as const) {
      const id = Dataflow.createId('one', from, 'two', to);
      const { sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId } = new DataflowArrow(id);
      expect([sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId, new DataflowArrow(id).id]).toEqual(['one', from, 'two', to, id]);
    }
    for (const wrong of ['', 'a => b', 'a[x] ==> b', 'a[] ==> b[y]']) expect(() => new DataflowArrow(wrong)).toThrow(`An edge reads "source[port] ==> target[port]", not ${JSON.stringify(wrong)}.`);
  });
});

describe('a task', () => {
  it('makes values fit before they are looked at, and says of any input whether it fits', async () => {
    expect(await new Narrow({ id: 'n' }).run({ n: '5' as never })).toEqual({ n: 5 });
    await expect(new Narrow({ id: 'n' }).validateInput({ n: 2 })).resolves.toBe(true);
    await expect(new Narrow({ id: 'n' }).validateInput({ n: 0 })).rejects.toThrow(TaskInvalidInputError);
    await expect(new Narrow({ id: 'n' }).validateInput({})).rejects.toThrow('Task n (ContractNarrow) needs "n"');
  });

  it('has the times of its last run', async () => {
    const task = new Pass({ id: 'p' });
    expect([task.createdAt instanceof Date, task.startedAt, task.completedAt]).toEqual([true, undefined, undefined]);
    await task.run();
    expect(task.startedAt!.getTime()).toBeGreaterThanOrEqual(task.createdAt.getTime());
    expect(task.completedAt!.getTime()).toBeGreaterThanOrEqual(task.startedAt!.getTime());
  });
});

describe('results', () => {
  const ids = (results: readonly { id: string }[]) => results.map(({ id }) => id).join();
  it('are of the marked leaves alone where there are such', async () => {
    const graph = new TaskGraph();
    graph.addTasks([new Pass({ id: 'a' }), new Result({ id: 'b' }), new Result({ id: 'c' }), new Pass({ id: 'd' })]);
    expect(ids(await graph.run({ x: 1 }))).toBe('b,c');
  });

  it('come in the order in which tasks were added, or as they ended where that is asked for', async () => {
    const graph = new TaskGraph();
    for (const [id, turns] of [['slow', 60], ['fast', 1], ['middle', 20]] as const) graph.addTask(new Turns({ id, defaults: { turns } }));
    expect(ids(await graph.run())).toBe('slow,fast,middle');
    expect(ids(await graph.run({}, { resultsOrder: 'completion' }))).toBe('fast,middle,slow');
  });

  it('of turns come as they ended where their order is not kept', async () => {
    const subGraph = new TaskGraph();
    subGraph.addTask(new Turns({ id: 'turns', inputSchema: { type: 'object', properties: { turns: { type: 'number' } }, required: ['turns'], additionalProperties: false } }));
    const map = (config: object) => new MapTask({ id: 'map', maxIterations: 'unbounded', subGraph, ...config }).run({ turns: [90, 1, 30] });
    expect(await map({})).toEqual({ turns: [90, 1, 30] });
    expect(await map({ preserveOrder: false })).toEqual({ turns: [1, 30, 90] });
  });

  it('of tasks in a row are what the last one gives', async () => {
    expect(await serialGraph([new Pass({ id: 'a' }), new Pass({ id: 'b' }), new Pass({ id: 'c' })], 'x', 'x').run({ x: 1, y: 2 })).toEqual([{ id: 'c', type: 'ContractPass', data: { x: 1 } }]);
  });
});

it('of several reasons a run rejects with its time that ran out, else with the abort, else with the first failure', async () => {
  const house = await open();
  const make = (throws: boolean) => {
    const graph = new TaskGraph();
    graph.addTask((_: TaskInput, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('its own')))), { id: 'waits' });
    if (throws) graph.addTask(() => Promise.reject(new Error('first')), { id: 'fails' });
    return graph;
  };
  class Waits extends Task {
    static override readonly type = 'ContractWaits';
    override execute(_: TaskInput, { signal }: ExecuteContext): Promise<TaskOutput> {
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('its own'))));
    }
  }
  registerTask(Waits);
  const stored = new TaskGraph();
  stored.addTask(new Waits({ id: 'waits' }));
  const late = await house.orchestrator.graphs.run(stored, {}, { timeout: '1m' });
  const rejected = expect(late.result()).rejects.toThrow(TaskGraphTimeoutError);
  await house.clock.advance(61_000);
  await rejected;
  const running = make(false);
  const aborted = running.run();
  await new Promise((resolve) => running.getTask('waits')!.once('start', () => resolve(undefined)));
  running.abort('enough');
  await expect(aborted).rejects.toMatchObject({ name: 'TaskAbortedError' });
  await expect(make(true).run()).rejects.toMatchObject({ name: 'TaskFailedError', message: 'first', taskId: 'fails' });
});

describe('a job', () => {
  class Job extends JobQueueTask {
    static override readonly type: string = 'ContractJob';
    override execute(input: TaskInput): TaskOutput {
      if (input['fails']) throw new TimeoutErrorLike('no answer');
      return input;
    }
  }
  class TimeoutErrorLike extends Error {
    code = 'E_LATE';
  }
  class Bound extends Job {
    static override readonly type = 'ContractBound';
    static override readonly canRunDirectly = false;
    override getDefaultQueueName(): string {
      return 'bound jobs';
    }
  }
  registerTask(Job, Bound);
  const queueOf = async (task: Task<any, any, any>) => {
    const house = await open({ queues: { named: { concurrency: 1 } } });
    const graph = new TaskGraph();
    graph.addTask(task);
    const run = await house.orchestrator.graphs.run(graph, { a: 1 });
    await run.result();
    return house.orchestrator.getTaskState(run.nodes.get(task.id)!.runId!)?.queue;
  };

  it('stands in the queue that its config names, of its type, or of its class; in none where it says so', async () => {
    expect(await queueOf(new Job({ id: 'j', queue: 'named' }))).toBe('named');
    expect(await queueOf(new Job({ id: 'j' }))).toBe('ContractJob');
    expect(await queueOf(new Bound({ id: 'j' }))).toBe('bound jobs');
    const direct = await queueOf(new Job({ id: 'j', queue: false }));
    expect(['ContractJob', 'named']).not.toContain(direct);
    expect(await queueOf(new Job({ id: 'j', queue: 'nobody declared it' }))).toBe(direct);
    for (const queue of [false, 'nobody declared it']) await expect(queueOf(new Bound({ id: 'j', queue }))).rejects.toThrow(TaskConfigurationError);
  });

  it('that fails says with what, and with its code', async () => {
    const house = await open();
    const graph = new TaskGraph();
    graph.addTask(new Job({ id: 'j', maxRetries: 0 }));
    const run = await house.orchestrator.graphs.run(graph, { fails: true });
    const error = await run.result().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(JobTaskFailedError);
    expect(error).toMatchObject({ message: 'no answer', code: 'JOB_TASK_FAILED', data: { code: 'E_LATE' }, jobError: { message: 'no answer' }, taskId: 'j', taskType: 'ContractJob' });
  });
});
