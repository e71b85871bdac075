/** What graphs are handed and can't be: refused at the call, in words, and nothing is changed. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { createGraphFromGraphJSON, Dataflow, GraphAsTask, memoryGraphStore, registerTask, Task, TaskConfigurationError, TaskGraph, TaskGraphRepository, type TaskInput } from 'holdfast/graph';
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

it.each([null, 3, 'x', [1]] as never[])('an input that is no object of values by ports (%j) is refused', async (input) => {
  const { orchestrator } = await open();
  await expect(orchestrator.graphs.run(withTasks(), input)).rejects.toThrow('graphs.run input must be an object of values by ports, not');
  await expect(withTasks().run(input)).rejects.toThrow('graphs.run input must be an object of values by ports, not');
  await expect(orchestrator.graphs.plan(withTasks(), input)).rejects.toThrow('graphs.plan input must be an object of values by ports, not');
});

it('a config that is no object, and a graph in a task that is none, are refused', () => {
  for (const config of [null, 3, 'x'] as never[]) expect(() => new Pass(config)).toThrow('RefusedPass: config must be an object, not');
  for (const subGraph of [3, 'x', {}] as never[]) expect(() => new GraphAsTask({ id: 'whole', subGraph })).toThrow('Task whole (GraphAsTask): subGraph must be a TaskGraph, not');
});

it.each([-5, 'x', Number.NaN, Infinity, null, '', {}, true])('a config with timeout %s is refused as the task is made', (timeout: any) => {
  expect(() => new Pass({ timeout })).toThrow('RefusedPass: config.timeout must be a duration of 0 or more: ');
  const graph = new TaskGraph();
  expect(() => graph.addTask(Pass, { id: 'a', timeout })).toThrow(TaskConfigurationError);
  expect(graph.size).toBe(0);
});

it('all that a config says and can not be is told at once, by what its class asks for', () => {
  class Asks extends Task {
    static override readonly type = 'RefusedAsks';
    static override configSchema() {
      return { type: 'object', properties: { size: { type: 'integer', minimum: 2, maximum: 9 }, names: { type: 'array', items: { type: 'string', minLength: 1 } }, kind: { enum: ['a', { deep: [1] }] }, ratio: { type: 'number', maximum: 1 }, either: { anyOf: [{ type: 'null' }, { const: 'none' }] }, inner: { type: 'object', properties: { on: { type: 'boolean' } } }, none: false, any: {} }, additionalProperties: false } as const;
    }
  }
  const config = { size: 1, names: ['x', ''], kind: 'b', ratio: Number.NaN, either: 0, inner: { on: 1 }, none: 1, any: () => 1, extra: 1 };
  const [error] = [() => new Asks(config)].map((make) => {
    try {
      return make() && undefined;
    } catch (thrown) {
      return thrown as TaskConfigurationError;
    }
  });
  expect((error!.data as any).issues).toEqual([
    { pointer: '/size', message: 'config.size must be a whole number from 2 to 9, not 1.' }, { pointer: '/names/1', message: 'config.names[1] must be text of at least 1 character, not "".' }, { pointer: '/kind', message: `config.kind must be one of a, {"deep":[1]}, not "b".` },
    { pointer: '/ratio', message: 'config.ratio must be a number of at most 1, not NaN.' }, { pointer: '/either', message: "config.either must be null, or 'none', not 0." }, { pointer: '/inner/on', message: 'config.inner.on must be true or false, not 1.' }, { pointer: '/none', message: 'config.none must be left out, not 1.' },
    { pointer: '/extra', message: expect.stringMatching(/^config has no "extra"\. Its configSchema\(\) names what there is: .*size, names/) },
  ]);
  expect(new Asks({ size: 2, names: [], kind: { deep: [1] }, ratio: -1, either: 'none', inner: { off: 1 }, any: null, timeout: { minutes: 5 }, title: undefined }).config.size).toBe(2);
});

it('a document that stands in itself is refused', async () => {
  const { orchestrator } = await open();
  const own: any = { tasks: [{ id: 'a', type: 'GraphAsTask' }], dataflows: [] };
  own.tasks[0].subgraph = own;
  await expect(orchestrator.graphs.run(own)).rejects.toMatchObject({ name: 'TaskJSONError', data: { issues: [{ code: 'invalid-json' }] } });
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
