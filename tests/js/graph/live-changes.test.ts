/** Graphs that are changed while a run of them goes on: what becomes part of the run, what is refused, what a crash leaves. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { ConditionalTask, CycleError, type ExecuteContext, GraphAsTask, registerTask, Task, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { again, crash, open } from '../houses.ts';

let executed: string[] = [];
class Add extends Task {
  static override readonly type = 'LiveAdd';
  override execute({ v = 0, w = 0 }: TaskInput): TaskOutput {
    executed.push(this.id);
    return { v: v + w + 1 };
  }
}
class Pause extends Task {
  static override readonly type = 'LivePause';
  override async execute({ v = 0 }: TaskInput, { durable }: ExecuteContext): Promise<TaskOutput> {
    await durable.sleep('3s');
    return { v: v + 10 };
  }
}
registerTask(Add, Pause, ConditionalTask, GraphAsTask);

/** p (3 s) → a → b. */
function chain(): TaskGraph {
  executed = [];
  const graph = new TaskGraph();
  graph.addTasks([new Pause({ id: 'p' }), new Add({ id: 'a' }), new Add({ id: 'b' })]);
  graph.connect('p', 'v', 'a', 'v');
  graph.connect('a', 'v', 'b', 'v');
  return graph;
}
async function running(graph = chain(), options = {}) {
  const house = await open();
  const run = await house.orchestrator.graphs.run(graph, { v: 1 }, options);
  await house.clock.advance(1000);
  return { house, graph, run };
}
const given = async (run: { result(): Promise<any> }) => (await run.result()).map(({ id, data }: any) => `${id} ${data.v}`);

it('a task that follows one that has not begun is executed in the run that goes on, and is a leaf of it', async () => {
  const { house, graph, run } = await running();
  const heard: string[] = [];
  graph.on('task_added', (id) => heard.push(id));
  graph.on('dataflow_added', (id) => heard.push(id));
  graph.addTask(new Add({ id: 'c' }));
  graph.connect('a', 'v', 'c', 'v');
  expect(heard).toEqual(['c', 'a[v] ==> c[v]']);
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['b 13', 'c 13']);
  expect(graph.getTask('c')!.status).toBe('COMPLETED');
  expect(graph.getDataflow('a[v] ==> c[v]')!.status).toBe('COMPLETED');
  expect([...run.nodes.keys()].sort()).toEqual(['a', 'b', 'c', 'p']);
});

it('a task that stands alone begins at once, with the input of the graph', async () => {
  const { house, graph, run } = await running();
  graph.addTask(new Add({ id: 'c' }));
  await house.clock.advance(10);
  expect(graph.getTask('c')!.runOutputData).toEqual({ v: 2 });
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['b 13', 'c 2']);
});

it('an edge into one that waits feeds it, and one that goes does not', async () => {
  const { house, graph, run } = await running();
  graph.addTask(new Pause({ id: 'q' }));
  graph.connect('q', 'v', 'b', 'w');
  graph.removeDataflow('a[v] ==> b[v]');
  await house.clock.advance(2500);
  expect([graph.getTask('a')!.status, graph.getTask('b')!.status]).toEqual(['COMPLETED', 'PENDING']);
  await house.clock.advance(1000);
  expect(await given(run)).toEqual(['a 12', 'b 12']);
});

it('a task that is removed is not executed, what followed it alone begins as a root, and nothing of it is left', async () => {
  const { house, graph, run } = await running();
  const { runId } = run.nodes.get('a')!;
  graph.removeTask('a');
  await house.clock.advance(10);
  expect(house.orchestrator.getTaskState(runId!)).toBeUndefined();
  expect(graph.getTask('b')!.runOutputData).toEqual({ v: 2 });
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['p 11', 'b 2']);
  expect(executed).toEqual(['b']);
});

it('one that was removed may come again under its id', async () => {
  const { house, graph, run } = await running();
  graph.removeTask('b');
  await house.clock.advance(10);
  graph.addTask(new Pause({ id: 'b' }));
  graph.connect('a', 'v', 'b', 'v');
  await house.clock.advance(6000);
  expect(await given(run)).toEqual(['b 22']);
});

it('another task in the place of one that waits: its class, and what its config says', async () => {
  const { house, graph, run } = await running();
  graph.replaceTask('a', new Pause({ id: 'a', title: 'Slower' }));
  graph.getTask('b')!.setDefaults({ w: 100 });
  await house.clock.advance(6000);
  expect(await given(run)).toEqual(['b 122']);
});

it('what is switched off while it waits is left out, with what only follows it; what a run has left out is not switched on in it', async () => {
  const { house, graph, run } = await running();
  const heard: string[] = [];
  for (const task of graph.getTasks()) task.on('disabled', () => heard.push(task.id));
  graph.addTask(new Add({ id: 'c' }));
  await graph.getTask('a')!.disable();
  await house.clock.advance(10);
  expect(heard).toEqual(['a', 'b']);
  await expect(graph.getTask('a')!.enable()).rejects.toThrow(`Task a is DISABLED in graph run ${run.id}`);
  expect(graph.getTask('a')!.isDisabled).toBe(true);
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['c 2']);
  await graph.getTask('a')!.enable();
  expect(graph.getTask('a')!.status).toBe('PENDING');
});

it('a graph that is switched off while it runs is left out as far as it has not begun', async () => {
  const { house, graph, run } = await running();
  await graph.disable();
  await house.clock.advance(3000);
  expect(await given(run)).toEqual([]);
  expect(graph.getTasks().map(({ status }) => status)).toEqual(['COMPLETED', 'DISABLED', 'DISABLED']);
});

it('what has begun stays as it is: refused at the call, with the run and how it is, and nothing is changed', async () => {
  const { house, graph, run } = await running();
  const before = JSON.stringify(graph.toJSON());
  graph.on('task_removed', () => expect.unreachable());
  const refusal = { name: 'TaskConfigurationError', data: { taskId: 'p', runId: run.id, status: 'PROCESSING' } };
  for (const change of [
    () => graph.removeTask('p'),
    () => graph.connect('p', 'v', 'b', 'w'),
    () => graph.removeDataflow('p[v] ==> a[v]'),
    () => graph.replaceTask('p', new Add({ id: 'p' })),
    () => graph.getTask('p')!.setDefaults({ v: 3 }),
  ])
    expect(change).toThrow(expect.objectContaining(refusal));
  await expect(graph.getTask('p')!.disable()).rejects.toMatchObject(refusal);
  expect(JSON.stringify(graph.toJSON())).toBe(before);
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['b 13']);
});

it('so does what is over', async () => {
  const { house, graph, run } = await running();
  graph.addTask(new Pause({ id: 'late' }));
  graph.connect('b', 'v', 'late', 'v');
  await house.clock.advance(2500);
  expect(() => graph.removeTask('a')).toThrow(`Task a is COMPLETED in graph run ${run.id}, and what has begun stays as it is`);
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['late 23']);
  expect(graph.removeTask('a')).toBe(true);
});

it('an edge that would close a cycle, a task that is there, and one that the run may not have are refused, and the run goes on as it was', async () => {
  const { house, graph, run } = await running(chain(), { maxTasks: 4 });
  expect(() => graph.connect('b', 'v', 'a', 'w')).toThrow(CycleError);
  expect(() => graph.addTask(new Add({ id: 'a' }))).toThrow('There is a task "a" in this graph already.');
  expect(() => graph.addTask((input: TaskInput) => input)).toThrow("can't be stored");
  graph.addTask(new Add({ id: 'c' }));
  expect(() => graph.addTask(new Add({ id: 'd' }))).toThrow('may have 4 tasks');
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['b 13', 'c 2']);
});

it('a failed change lets what it looked at begin', async () => {
  const { house, graph, run } = await running();
  graph.batch(() => {
    graph.addTask(new Add({ id: 'c' }));
    graph.connect('c', 'v', 'b', 'w');
    expect(() => graph.connect('b', 'v', 'c', 'w')).toThrow(CycleError);
  });
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['b 15']);
});

it('a crash after a change leaves the graph as it was changed', async () => {
  let { house, graph, run } = await running();
  graph.addTask(new Add({ id: 'c' }));
  graph.connect('a', 'v', 'c', 'v');
  graph.removeTask('b');
  await run.changesStored();
  house = await crash(house);
  await house.clock.advance(5000);
  run = (await house.orchestrator.graphs.get(run.id))!;
  expect(await given(run)).toEqual(['c 13']);
  expect((await run.graph()).getTasks().map(({ id }) => id)).toEqual(['p', 'a', 'c']);
  expect(executed).toEqual(['a', 'c']);
});

it('a crash before a change is stored leaves the graph as it was, and what waited goes on', async () => {
  let { house, graph, run } = await running();
  graph.addTask(new Add({ id: 'c' }));
  graph.connect('c', 'v', 'b', 'w');
  house = await crash(house);
  await house.clock.advance(5000);
  run = (await house.orchestrator.graphs.get(run.id))!;
  expect(await given(run)).toEqual(['b 13']);
});

it('a run that was read from its document is changed the same, and once more after another reload', async () => {
  let { house, run } = await running();
  const { id } = run;
  for (const added of ['c', 'd']) {
    house = await again(house.reload());
    await house.clock.advance(200);
    run = (await house.orchestrator.graphs.get(id))!;
    const graph = await run.graph();
    graph.addTask(new Add({ id: added }));
    graph.connect('b', 'v', added, 'v');
    await run.changesStored();
  }
  house = await crash(house);
  await house.clock.advance(5000);
  run = (await house.orchestrator.graphs.get(id))!;
  expect(await given(run)).toEqual(['c 14', 'd 14']);
});

it('a run that is suspended takes changes, and has them when it is resumed', async () => {
  const { house, graph, run } = await running();
  await run.suspend('interrupt');
  await house.clock.advance(10);
  graph.addTask(new Add({ id: 'c' }));
  graph.connect('a', 'v', 'c', 'v');
  graph.addTask(new Add({ id: 'root' }));
  await house.clock.advance(10_000);
  expect(executed).toEqual([]);
  await run.resume();
  await house.clock.advance(5000);
  expect(await given(run)).toEqual(['b 13', 'c 13', 'root 2']);
});

it('a listener may change the graph as it hears that a task is over', async () => {
  const { house, graph, run } = await running();
  graph.getTask('p')!.on('complete', () => {
    graph.addTask(new Add({ id: 'c' }));
    graph.connect('b', 'v', 'c', 'v');
  });
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['c 14']);
});

it('the last one that ends may bring one more; once the run is over it takes no more', async () => {
  const { house, graph, run } = await running();
  graph.getTask('b')!.on('complete', () => {
    graph.addTask(new Add({ id: 'c' }));
  });
  await house.clock.advance(3000);
  expect(await given(run)).toEqual(['b 13', 'c 2']);
  graph.addTask(new Add({ id: 'd' }));
  expect(await given(run)).toEqual(['b 13', 'c 2']);
});

it('a run in memory is changed the same', async () => {
  const graph = chain();
  graph.removeTask('p');
  const result = graph.run({ v: 1 });
  graph.addTask(new Add({ id: 'c' }));
  graph.connect('b', 'v', 'c', 'v');
  graph.getTask('a')!.on('start', () => {
    graph.addTask(new Add({ id: 'd' }));
    graph.connect('c', 'v', 'd', 'v');
  });
  expect((await result).map(({ id, data }) => `${id} ${data.v}`)).toEqual(['d 5']);
});

it('edges of a choice that has been made are kept as they are', async () => {
  const graph = new TaskGraph();
  graph.addTasks([new ConditionalTask({ id: 'if', branches: [{ id: 'yes', operator: 'is_true', field: 'v' }, { id: 'no', operator: 'is_true' }] }), new Pause({ id: 'p' }), new Add({ id: 'a' }), new Add({ id: 'b' })]);
  graph.connect('if', 'no', 'a', '*');
  graph.connect('p', 'v', 'a', 'v');
  const { house, run } = await running(graph);
  graph.addTask(new Pause({ id: 'q' }));
  graph.connect('q', 'v', 'a', 'w');
  await house.clock.advance(6000);
  expect(await given(run)).toEqual(['a 23', 'b 2']);
  expect(graph.getDataflow('if[no] ==> a[*]')!.status).toBe('DISABLED');
});

it("the graph of a node that runs stays as it is", async () => {
  const inner = chain();
  const graph = new TaskGraph();
  graph.addTask(new GraphAsTask({ id: 'whole', subGraph: inner }));
  const { house, run } = await running(graph);
  if (inner.shown?.isRunning) expect(() => inner.removeTask('b')).toThrow('The graph is that of a node');
  await house.clock.advance(5000);
  expect(await run.result()).toMatchObject([{ id: 'whole', data: { v: 13 } }]);
});
