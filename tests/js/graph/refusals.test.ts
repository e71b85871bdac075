/** What graphs are handed and can't be: refused at the call, in words, and nothing is changed. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { createGraphFromGraphJSON, Dataflow, GraphAsTask, memoryGraphStore, registerTask, Task, TaskGraph, TaskGraphRepository, type TaskInput } from 'holdfast/graph';
import { open } from '../houses.ts';

class Pass extends Task {
  static override readonly type = 'RefusedPass';
  override execute(input: TaskInput) {
    return input;
  }
}
registerTask(Pass);
const wrong: any[] = [undefined, null, 3, {}];
const withTasks = () => {
  const graph = new TaskGraph();
  graph.addTasks([new Pass({ id: 'a' }), new Pass({ id: 'b' })]);
  return graph;
};

it.each(wrong)('edges, lists and transforms of a graph are refused where they are %s', (value) => {
  const graph = withTasks();
  expect(() => graph.addDataflow(value)).toThrow('addDataflow takes a Dataflow, not');
  expect(() => graph.addDataflows(value)).toThrow('addDataflows takes a list of Dataflows, not');
  expect(() => graph.addTasks(value)).toThrow('addTasks takes a list of tasks, not');
  expect(() => new Dataflow('a', value, 'b', 'x')).toThrow('Dataflow: sourceTaskPortId must be text of at least one character, not');
  expect(() => new Dataflow('a', 'x', 'b', 'x').setTransforms(value)).toThrow('transforms are a list of { id, params }, not');
  expect(() => new Dataflow('a', 'x', 'b', 'x').addTransform(value)).toThrow('transforms are a list of { id, params }, not');
  expect(graph.removeDataflow(value)).toBe(false);
  expect([graph.size, graph.getDataflows().length]).toEqual([2, 0]);
});

it.each(wrong)('documents are refused where they are %s, and are not saved', async (value) => {
  const { orchestrator } = await open();
  const repository = new TaskGraphRepository(memoryGraphStore());
  expect(() => createGraphFromGraphJSON(value)).toThrow('The document must be { tasks: […], dataflows: […] }.');
  await expect(orchestrator.graphs.run(value)).rejects.toMatchObject({ name: 'TaskJSONError' });
  await expect(orchestrator.graphs.plan(value)).rejects.toMatchObject({ name: 'TaskJSONError' });
  await expect(repository.saveTaskGraph('key', value)).rejects.toThrow('saveTaskGraph: what is saved as "key" must be a TaskGraph or its document');
  expect(await repository.size()).toBe(0);
});

it('options that a run of a graph does not have are refused by their names', async () => {
  const { orchestrator } = await open();
  const misspelt = { concurency: 2 } as object;
  await expect(withTasks().run({}, misspelt)).rejects.toThrow('graphs.run has no option "concurency". Known are:');
  await expect(orchestrator.graphs.run(withTasks(), {}, misspelt)).rejects.toThrow('graphs.run has no option "concurency". Known are:');
  await expect(orchestrator.graphs.run(withTasks(), {}, null as never)).rejects.toThrow('graphs.run must be an object, not null.');
});

it('a config that is no object, and a graph in a task that is none, are refused', () => {
  for (const config of [null, 3, 'x'] as never[]) expect(() => new Pass(config)).toThrow('RefusedPass: config must be an object, not');
  for (const subGraph of [3, 'x', {}] as never[]) expect(() => new GraphAsTask({ id: 'whole', subGraph })).toThrow('Task whole (GraphAsTask): subGraph must be a TaskGraph, not');
});

it('a graph that would stand in itself is refused, from either end and however far down, and nothing is changed', () => {
  const [outer, middle] = [new TaskGraph(), new TaskGraph()];
  const whole = outer.addTask(new GraphAsTask({ id: 'whole' }));
  expect(() => (whole.subGraph = outer)).toThrow('would stand in itself');
  whole.subGraph = middle;
  const inner = middle.addTask(new GraphAsTask({ id: 'inner' }));
  expect(() => (inner.subGraph = outer)).toThrow('would stand in itself');
  expect(inner.subGraph).toBe(undefined);
  expect(() => middle.addTask(new GraphAsTask({ id: 'again', subGraph: outer }))).toThrow('would stand in itself');
  expect(middle.size).toBe(1);
});
