/** What nodes get and give where names, values and failures are unusual, and what changes between two runs of a graph. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { GraphAsTask, HumanApprovalTask, type HumanRequest, listHumanRequests, registerTask, respondToHumanRequest, Task, TaskGraph, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { open } from '../houses.ts';

class Pass extends Task {
  static override readonly type = 'GivenPass';
  override execute(input: TaskInput): TaskOutput {
    return input;
  }
}
registerTask(Pass, HumanApprovalTask);

function two(work: () => unknown, source: string, target: string): TaskGraph {
  const graph = new TaskGraph();
  graph.addTask(work as () => object, { id: 'gives' });
  graph.addTask(new Pass({ id: 'gets' }));
  graph.connect('gives', source, 'gets', target);
  return graph;
}
const data = async (graph: TaskGraph, input: TaskInput = {}) => (await graph.run(input))[0]!.data;

it('defaults that are set between two runs count in the second, set as a whole or one by one', async () => {
  const graph = new TaskGraph();
  const task = graph.addTask(new Pass({ id: 'pass', defaults: { a: 1 } }));
  expect(await data(graph)).toEqual({ a: 1 });
  task.setDefaults({ a: 2, b: 3 });
  expect(await data(graph)).toEqual({ a: 2, b: 3 });
  task.defaults['a'] = 4;
  expect(await data(graph)).toEqual({ a: 4, b: 3 });
  delete task.defaults['b'];
  expect(await data(graph)).toEqual({ a: 4 });
});

it('a task of a graph that needs another port after its graph was changed gets that from the graph\'s input', async () => {
  class Needs extends Task {
    static override readonly type = 'GivenNeeds';
    static override inputSchema = () => ({ type: 'object', properties: { late: { type: 'number' } }, required: ['late'] }) as const;
    override execute({ late }: TaskInput): TaskOutput {
      return { late };
    }
  }
  const inner = new TaskGraph();
  inner.addTask(new Pass({ id: 'pass' }));
  const graph = new TaskGraph();
  graph.addTasks([new Pass({ id: 'first' }), new GraphAsTask({ id: 'whole', subGraph: inner })]);
  graph.connect('first', 'text', 'whole', 'text');
  await graph.run({ text: 'a' });
  inner.addTask(new Needs({ id: 'needs' }));
  await expect(graph.run({ text: 'a', late: 5 }, { matchAllEmptyInputs: true })).resolves.toBeTruthy();
});

it('a port is what the output itself has, not what every object has', async () => {
  expect(await data(two(() => ({ a: 1 }), 'toString', 'text'))).toEqual({});
  expect(await data(two(() => ({ a: 1 }), 'constructor', 'text'))).toEqual({});
});

it('a port of the name __proto__ is a port', async () => {
  const given = (await data(two(() => ({ a: { b: 1 } }), 'a', '__proto__')))!;
  expect(Object.getPrototypeOf(given)).toBe(Object.prototype);
  expect(Object.entries(given)).toEqual([['__proto__', { b: 1 }]]);
  const graph = new TaskGraph();
  graph.addTask(new Pass({ id: 'pass' }));
  expect(Object.keys((await data(graph, JSON.parse('{"__proto__":{"b":1}}')))!)).toEqual(['__proto__']);
});

it('what a task promises may be any promise, not only the language\'s own', async () => {
  const promise = { then: (resolve: (value: object) => void) => resolve({ a: 1 }) };
  class Promises extends Task {
    static override readonly type = 'GivenPromises';
    override execute(): any {
      return promise;
    }
  }
  const graph = new TaskGraph();
  graph.addTask(new Promises({ id: 'promises' }));
  expect(await data(graph)).toEqual({ a: 1 });
  expect(await data(two(() => promise, 'a', 'a'))).toEqual({ a: 1 });
  const fails = { then: (_: unknown, reject: (error: unknown) => void) => reject(new Error('broken')) };
  await expect(two(() => fails, 'a', 'a').run()).rejects.toThrow('broken');
});

it('what is thrown and is no error is told in its own words', async () => {
  const thrown = (value: unknown) =>
    two(() => {
      throw value;
    }, '[error]', '*');
  expect(await data(thrown({ message: 'no room', code: 3 }))).toEqual({ error: 'no room', errorType: 'TaskFailedError' });
  expect(await data(thrown({ code: 3 }))).toEqual({ error: '{"code":3}', errorType: 'TaskFailedError' });
  expect(await data(thrown(Object.create(null)))).toEqual({ error: '{}', errorType: 'TaskFailedError' });
});

it('nobody is asked for what a run wanted that is over, and no answer to it is taken', async () => {
  const { clock, orchestrator } = await open();
  const graph = new TaskGraph();
  graph.addTask(new HumanApprovalTask({ id: 'ask', message: 'Send it?' }));
  const run = await orchestrator.graphs.run(graph);
  let request: HumanRequest | undefined;
  while (!request) {
    await clock.advance(10);
    [request] = await listHumanRequests(orchestrator);
  }
  await run.abort();
  await clock.advance(10);
  expect(await listHumanRequests(orchestrator)).toEqual([]);
  expect(await respondToHumanRequest(orchestrator, request, { action: 'accept', content: { approved: true } })).toBe(false);
});

it('what is set for a task by itself counts in its runs and previews over its defaults, until it is reset; a graph brings its own', async () => {
  class Sum extends Task {
    static override readonly type = 'GivenSum';
    static override inputSchema = () => ({ type: 'object', properties: { list: { type: 'array' }, by: { type: 'number', default: 10 } }, required: ['list'] }) as const;
    override execute({ list, by }: TaskInput): TaskOutput {
      return { sum: list.reduce((sum: number, each: number) => sum + each, by) };
    }
    override executePreview(input: TaskInput): TaskOutput {
      return this.execute(input);
    }
  }
  const task = new Sum({ id: 'sum', defaults: { list: [100] } });
  task.setInput({ list: [1] });
  expect([task.addInput({ list: 2 }), task.addInput({ list: [3] }), task.addInput({ by: undefined }), task.addInput(undefined)]).toEqual([true, true, false, false]);
  expect(await task.runPreview()).toEqual({ sum: 16 });
  for (let times = 0; times < 3; times++) expect(await task.run()).toEqual({ sum: 16 });
  expect(await task.run({ by: 0 })).toEqual({ sum: 6 });
  const graph = new TaskGraph();
  graph.addTask(task);
  expect(await data(graph, { list: [5] })).toEqual({ sum: 15 });
  task.resetInputData();
  expect(await task.run()).toEqual({ sum: 110 });
});

it('inputs that are reset are the defaults by value, but for what is binary or has a class', () => {
  class Point {}
  const defaults = { plain: { deep: [1] }, bytes: new Uint8Array(2), file: new Blob(['x']), point: new Point() };
  const task = new Pass({ id: 'pass', defaults });
  task.resetInputData();
  expect(task.runInputData).toEqual(defaults);
  for (const [port, value] of Object.entries(task.runInputData)) expect(value === (defaults as any)[port], port).toBe(port !== 'plain');
  expect(task.runInputData['plain'].deep).not.toBe(defaults.plain.deep);
});
