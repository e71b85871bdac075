/** Tasks that are switched off: what they take along, where that is kept, and in which runs. */
import { beforeEach, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { ConditionalTask, createGraphFromGraphJSON, type ExecuteContext, FallbackTask, GraphAsTask, MapTask, registerTask, Task, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { registerBaseTasks } from '../../../js/graph/nodes/index.ts';
import { again, crash, open } from '../houses.ts';

let executed: string[] = [];
class Add extends Task {
  static override readonly type = 'DisabledAdd';
  override execute({ v = 0 }: TaskInput): TaskOutput {
    executed.push(this.id);
    if (v === 'fail') throw new Error('fails');
    return { v: v + 1 };
  }
}
class Pause extends Task {
  static override readonly type = 'DisabledPause';
  override async execute({ v = 0 }: TaskInput, { durable }: ExecuteContext): Promise<TaskOutput> {
    await durable.sleep('3s');
    return { v };
  }
}
registerTask(Add, Pause);
registerBaseTasks();
beforeEach(() => {
  executed = [];
});

/** a → b → c, a → d. */
function forked(): TaskGraph {
  const graph = new TaskGraph();
  graph.addTasks(['a', 'b', 'c', 'd'].map((id) => new Add({ id })));
  graph.connect('a', 'v', 'b', 'v');
  graph.connect('b', 'v', 'c', 'v');
  graph.connect('a', 'v', 'd', 'v');
  return graph;
}
const statuses = (graph: TaskGraph) => graph.getTasks().map(({ id, status }) => `${id} ${status}`);

it('what is switched off is not executed, and neither is what only follows it; the edges out of it are disabled', async () => {
  const graph = forked();
  const heard: string[] = [];
  for (const task of graph.getTasks()) task.on('disabled', () => heard.push(task.id));
  await graph.getTask('b')!.disable();
  expect([graph.getTask('b')!.status, heard]).toEqual(['DISABLED', ['b']]);
  expect(await graph.run({ v: 1 })).toEqual([{ id: 'd', type: 'DisabledAdd', data: { v: 3 } }]);
  expect(executed).toEqual(['a', 'd']);
  expect(statuses(graph)).toEqual(['a COMPLETED', 'b DISABLED', 'c DISABLED', 'd COMPLETED']);
  expect(graph.getDataflows().map(({ status }) => status)).toEqual(['COMPLETED', 'DISABLED', 'COMPLETED']);
  expect(heard).toEqual(['b', 'b', 'c']);
});

it('what has another active edge is executed without it', async () => {
  const graph = forked();
  graph.connect('d', 'v', 'c', 'w');
  await graph.getTask('b')!.disable();
  await graph.run({ v: 1 });
  expect(statuses(graph)).toEqual(['a COMPLETED', 'b DISABLED', 'c COMPLETED', 'd COMPLETED']);
});

it('switched on again it is executed in the next run', async () => {
  const graph = forked();
  await graph.getTask('b')!.disable();
  await graph.run({ v: 1 });
  await graph.getTask('b')!.enable();
  expect(graph.getTask('b')!.status).toBe('PENDING');
  expect((await graph.run({ v: 1 })).map(({ id, data }) => [id, data.v])).toEqual([['c', 4], ['d', 3]]);
});

it('a graph that is switched off gives nothing, and all of it switched on again gives everything', async () => {
  const graph = forked();
  const heard: string[] = [];
  graph.on('disabled', () => heard.push('graph'));
  await graph.disable();
  expect(await graph.run({ v: 1 })).toEqual([]);
  expect([executed, heard]).toEqual([[], ['graph']]);
  await graph.enable();
  expect(await graph.run({ v: 1 })).toHaveLength(2);
});

it('it stands in the document, says nothing of what the task does, and is read again', async () => {
  const graph = forked();
  await graph.getTask('b')!.disable();
  const document = graph.toJSON();
  expect(document.tasks[1]).toEqual({ id: 'b', type: 'DisabledAdd', config: { disabled: true } });
  const other = createGraphFromGraphJSON(document);
  expect([other.getTask('b')!.isDisabled, other.getTask('b')!.status]).toEqual([true, 'DISABLED']);
  expect((await other.run({ v: 1 })).map(({ id }) => id)).toEqual(['d']);
  await other.getTask('b')!.enable();
  expect(other.toJSON().tasks[1]).toEqual({ id: 'b', type: 'DisabledAdd' });
  expect(() => new Add({ id: 'x', disabled: 'yes' as never })).toThrow('DisabledAdd: config.disabled must be true or false, not "yes".');
});

it('a failure that leads to it makes it no failure', async () => {
  const graph = forked();
  await graph.getTask('b')!.disable();
  await expect(graph.run({ v: 'fail' })).rejects.toThrow('fails');
  expect(statuses(graph)).toEqual(['a FAILED', 'b DISABLED', 'c DISABLED', 'd FAILED']);
});

it('a plan says so', async () => {
  const { orchestrator } = await open();
  const graph = forked();
  await graph.getTask('b')!.disable();
  const plan = await orchestrator.graphs.plan(graph, { v: 1 });
  expect(plan.map(({ id, action, why }) => `${id} ${action}: ${why}`)).toEqual(expect.arrayContaining(['b disabled: It is switched off.', 'a run: The run has no output cache.']));
  await graph.getTask('a')!.disable();
  expect((await orchestrator.graphs.plan(graph, { v: 1 })).map(({ action }) => action)).toEqual(['disabled', 'disabled', 'disabled', 'disabled']);
});

it('what is kept for a task is found whether it was switched off meanwhile or not', async () => {
  const { orchestrator } = await open();
  const graph = forked();
  graph.outputCache = true;
  await (await orchestrator.graphs.run(graph, { v: 1 })).result();
  await graph.getTask('b')!.disable();
  await (await orchestrator.graphs.run(graph, { v: 1 })).result();
  await graph.getTask('b')!.enable();
  executed = [];
  expect((await orchestrator.graphs.plan(graph, { v: 1 })).map(({ action }) => action)).toEqual(['cached', 'cached', 'cached', 'cached']);
  await (await orchestrator.graphs.run(graph, { v: 1 })).result();
  expect(executed).toEqual([]);
});

it('a run that is taken up again leaves out what it left out before, and tried again, too', async () => {
  let house = await open();
  const graph = new TaskGraph();
  graph.addTasks([new Pause({ id: 'p' }), new Add({ id: 'b' }), new Add({ id: 'c' }), new Add({ id: 'd' })]);
  graph.connect('p', 'v', 'b', 'v');
  graph.connect('b', 'v', 'c', 'v');
  graph.connect('p', 'v', 'd', 'v');
  await graph.getTask('b')!.disable();
  const { id } = await house.orchestrator.graphs.run(graph, { v: 1 });
  await house.clock.advance(1000);
  house = await crash(house);
  await house.clock.advance(1000);
  let run = (await house.orchestrator.graphs.get(id))!;
  await run.graph();
  expect([...run.nodes.values()].map((node) => `${node.id} ${node.status}`)).toEqual(['p PROCESSING', 'b DISABLED', 'c DISABLED', 'd PENDING']);
  await run.abort('enough');
  await house.clock.advance(10);
  house = await again(house.reload());
  run = (await house.orchestrator.graphs.get(id))!;
  await run.retry();
  await house.clock.advance(5000);
  expect(await run.result()).toEqual([{ id: 'd', type: 'DisabledAdd', data: { v: 2 } }]);
  expect([...run.nodes.values()].map((node) => `${node.id} ${node.status}`)).toEqual(['p COMPLETED', 'b DISABLED', 'c DISABLED', 'd COMPLETED']);
  expect(executed).toEqual(['d']);
});

const inner = (): TaskGraph => {
  const graph = forked();
  graph.getTask('b')!.config.disabled = true;
  return graph;
};

it('within a node: a graph, a map, a fallback, a choice', async () => {
  const graph = new TaskGraph();
  graph.addTasks([new GraphAsTask({ id: 'whole', subGraph: inner() })]);
  expect(await graph.run({ v: 1 })).toMatchObject([{ data: { v: 3 } }]);
  const map = new TaskGraph();
  map.addTask(new MapTask({ id: 'map', maxIterations: 9, subGraph: inner() }));
  expect(await map.run({ v: [1, 5] })).toMatchObject([{ data: { v: [3, 7] } }]);
  const ways = new TaskGraph();
  ways.addTasks([new Add({ id: 'first', disabled: true }), new Add({ id: 'second' })]);
  const fallback = new TaskGraph();
  fallback.addTask(new FallbackTask({ id: 'f', subGraph: ways }));
  executed = [];
  expect(await fallback.run({ v: 1 })).toMatchObject([{ data: { v: 2 } }]);
  expect(executed).toEqual(['second']);
  const choice = new TaskGraph();
  choice.addTasks([new ConditionalTask({ id: 'if', disabled: true, branches: [{ id: 'yes', operator: 'is_true' }] }), new Add({ id: 'then' }), new Add({ id: 'else' })]);
  choice.connect('if', 'yes', 'then', '*');
  expect((await choice.run({ v: 1 })).map(({ id }) => id)).toEqual(['else']);
});

it('a preview leaves it out', async () => {
  const graph = forked();
  await graph.getTask('b')!.disable();
  expect((await graph.runPreview({ v: 1 })).map(({ id }) => id)).toEqual(['d']);
});
