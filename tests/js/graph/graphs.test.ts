/** TaskGraph and what a run of it tells: structure, events, error edges, policies, provenance, definitions as nodes. */
import { defineTask } from 'holdfast';
import { CycleError, createGraphFromGraphJSON, Dataflow, DataflowArrow, registerTask, Task, TaskConfigurationError, TaskGraph, TaskGraphRunner, TaskInvalidInputError, type TaskInput, type TaskOutput, TaskSerializationError } from 'holdfast/graph';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { open } from '../houses.ts';

class Plus extends Task {
  static override readonly type = 'Plus';
  static override inputSchema() {
    return { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number', default: 1 } }, required: ['a'] } as const;
  }
  override execute({ a, b }: TaskInput): TaskOutput {
    return { sum: a + b };
  }
}
class Fails extends Task {
  static override readonly type = 'Fails';
  override execute(): TaskOutput {
    throw new Error('it fails');
  }
}
class Tell extends Task {
  static override readonly type = 'Tell';
  override execute({ error, errorType }: TaskInput): TaskOutput {
    return { told: `${errorType}: ${error}` };
  }
}
registerTask(Plus, Fails, Tell);

const chain = () => {
  const graph = new TaskGraph();
  graph.addTasks([new Plus({ id: 'one' }), new Plus({ id: 'two' })]);
  graph.addDataflow(new DataflowArrow('one[sum] ==> two[a]'));
  return graph;
};

it('an edge that would close a cycle is refused, with the cycle, and the graph is unchanged', () => {
  const graph = chain();
  graph.addTask(new Plus({ id: 'three' }));
  graph.connect('two', 'sum', 'three', 'a');
  const before = graph.toJSON();
  expect(() => graph.connect('three', 'sum', 'one', 'a')).toThrow(CycleError);
  expect(() => graph.connect('three', 'sum', 'one', 'a')).toThrow('one → two → three → one');
  expect(() => graph.connect('one', 'sum', 'one', 'a')).toThrow('one → one');
  expect(graph.toJSON()).toEqual(before);
  expect(graph.isAcyclic()).toBe(true);
});

it('ids are unique, ends of edges are there, removed tasks take their edges along', () => {
  const graph = chain();
  expect(() => graph.addTask(new Plus({ id: 'one' }))).toThrow('There is a task "one" in this graph already.');
  expect(() => graph.connect('one', 'sum', 'none', 'a')).toThrow('There is no task "none" in this graph.');
  expect(() => graph.connect('one', 'sum', 'two', 'a')).toThrow('There is an edge one[sum] ==> two[a] in this graph already.');
  expect(() => new Plus({ id: 'x', wrong: 1 })).toThrow('Plus: config has no "wrong".');
  graph.connect('one', 'sum', 'two', 'b');
  expect(graph.getSourceDataflows('two').map(({ id }) => id)).toEqual(['one[sum] ==> two[a]', 'one[sum] ==> two[b]']);
  expect(graph.getTargetTasks('one').map(({ id }) => id)).toEqual(['two']);
  graph.replaceTask('one', new Fails({ id: 'one' }));
  expect(graph.getTargetDataflows('one')).toHaveLength(2);
  expect(graph.removeTask('one')).toBe(true);
  expect(graph.getDataflows()).toEqual([]);
  expect(graph.removeTask('one')).toBe(false);
});

it('events of the structure wait while they are suspended; what cancels itself out is not told', () => {
  const graph = new TaskGraph();
  const told: string[] = [];
  graph.on('task_added', (id) => told.push(`added ${id}`));
  graph.on('dataflow_added', (id) => told.push(`edge ${id}`));
  graph.on('task_removed', (id) => told.push(`removed ${id}`));
  graph.on('graph_changed', ({ added }) => told.push(`changed ${added.tasks.join()}`));
  expect(() => graph.batch(() => {
    graph.addTasks([new Plus({ id: 'a' }), new Plus({ id: 'b' }), new Plus({ id: 'c' })]);
    graph.connect('a', 'sum', 'b', 'a');
    graph.batch(() => graph.removeTask('c'));
    expect(told).toEqual([]);
    throw new Error('out of it');
  })).toThrow('out of it');
  expect(told).toEqual(['added a', 'added b', 'edge a[sum] ==> b[a]', 'changed a,b']);
  const changes: unknown[] = [];
  graph.on('graph_changed', (change) => changes.push(change));
  graph.suspendEvents();
  graph.suspendEvents();
  graph.removeTask('a');
  graph.replaceTask('b', new Fails({ id: 'b' }));
  graph.resumeEvents();
  expect(changes).toEqual([]);
  graph.resumeEvents();
  graph.resumeEvents();
  expect(changes).toEqual([{ added: { tasks: [], dataflows: [] }, removed: { tasks: ['a'], dataflows: ['a[sum] ==> b[a]'] }, replaced: { tasks: ['b'], dataflows: [] } }]);
});

it('a run tells of tasks and edges in order: status first, edges before what they lead to', async () => {
  const graph = chain();
  const told: string[] = [];
  graph.on('start', () => told.push('graph start'));
  graph.on('complete', () => told.push('graph complete'));
  graph.subscribeToTaskStatus((id, status) => told.push(`${id} ${status}`));
  graph.subscribeToDataflowStatus((id, status) => told.push(`edge ${status}`));
  for (const task of graph.getTasks()) for (const name of ['start', 'complete'] as const) task.on(name, () => told.push(`${task.id} ${name}`));
  await graph.run({ a: 1 });
  expect(told).toEqual([
    'graph start', 'one PROCESSING', 'one start', 'edge PROCESSING', 'one COMPLETED', 'one complete', 'edge COMPLETED',
    'two PROCESSING', 'two start', 'two COMPLETED', 'two complete', 'graph complete',
  ]);
  expect(graph.getDataflows()[0]!.value).toBe(2);
});

it('an error goes along the edges that lead on from it; without such an edge the run rejects with it', async () => {
  const graph = new TaskGraph();
  graph.addTasks([new Fails({ id: 'bad' }), new Plus({ id: 'next' }), new Tell({ id: 'tell' })]);
  graph.connect('bad', 'sum', 'next', 'a');
  const failing = graph.run();
  await expect(failing).rejects.toMatchObject({ name: 'TaskFailedError', message: 'it fails', taskId: 'bad', taskType: 'Fails' });
  expect(graph.getTask('bad')!.status).toBe('FAILED');
  graph.connect('bad', '[error]', 'tell', '*');
  expect(await graph.run()).toEqual([{ id: 'tell', type: 'Tell', data: { told: 'TaskFailedError: it fails' } }]);
  expect(graph.getTasks().map(({ status }) => status)).toEqual(['FAILED', 'DISABLED', 'COMPLETED']);
});

it('what does not depend on a failure goes on where the policy says so', async () => {
  const graph = new TaskGraph();
  const done: string[] = [];
  const slow = (name: string) => async () => {
    for (let turn = 0; turn < 20; turn++) await null;
    done.push(name);
    return { name };
  };
  graph.addTask(new Fails({ id: 'bad' }));
  graph.addTask(slow('first'), { id: 'first' });
  graph.addTask(slow('second'), { id: 'second' });
  graph.connect('first', 'name', 'second', 'name');
  await expect(graph.run({}, { failurePolicy: 'continue-independent' })).rejects.toThrow('it fails');
  expect(done).toEqual(['first', 'second']);
  expect(await graph.run({}, { failurePolicy: 'collect' })).toEqual([{ id: 'second', type: 'Function', data: { name: 'second' } }]);
  done.length = 0;
  await expect(graph.run()).rejects.toThrow('it fails');
  expect(graph.getTask('second')!.status).toBe('PENDING');
});

it('what is missing or does not fit is told by the task that needs it', async () => {
  const graph = chain();
  await expect(graph.run()).rejects.toThrow(TaskInvalidInputError);
  await expect(graph.run()).rejects.toThrow('Task one (Plus) needs "a", which nothing gives');
  await expect(graph.run({ a: 'text' })).rejects.toThrow('Task one (Plus) got what its schema refuses: /a: must be number, not');
});

it('a graph that is running is not run again, and start gives another run beside it', async () => {
  const graph = new TaskGraph();
  graph.addTask(async ({ n }: { n: number }) => ({ twice: 2 * n }), { id: 'twice' });
  const first = graph.run({ n: 1 });
  await expect(graph.run({ n: 2 })).rejects.toThrow(TaskConfigurationError);
  const beside = await graph.start({ n: 3 });
  expect(beside.id).not.toBe('');
  expect(await beside.result()).toEqual([{ id: 'twice', type: 'Function', data: { twice: 6 } }]);
  expect(await first).toEqual([{ id: 'twice', type: 'Function', data: { twice: 2 } }]);
  expect(graph.getTask('twice')!.runOutputData).toEqual({ twice: 2 });
});

it('abort ends the run and what runs in it', async () => {
  const graph = new TaskGraph();
  let aborted = false;
  graph.addTask((_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => ((aborted = true), reject(signal.reason)))), { id: 'waits' });
  const running = graph.run();
  await new Promise((resolve) => graph.getTask('waits')!.once('start', () => resolve(undefined)));
  graph.abort('enough');
  await expect(running).rejects.toMatchObject({ name: 'TaskAbortedError' });
  expect(aborted).toBe(true);
  expect(graph.getTask('waits')!.status).toBe('FAILED');
});

it('a document gives the same graph, and says all that is unknown', () => {
  const graph = chain();
  graph.getDataflows()[0]!.addTransform({ id: 'coalesce', params: { defaultValue: 1 } });
  const json = { ...graph.toJSON(), layout: { one: { x: 1 } } };
  expect(createGraphFromGraphJSON(json).toJSON()).toEqual(json);
  expect(() => createGraphFromGraphJSON({ tasks: [{ id: 'a', type: 'Nope' }, { id: 'b', type: 'Neither' }], dataflows: [] })).toThrow('The document: there is no task of type "Nope", "Neither" here. Register them: registerTask(…).');
  graph.addTask(() => 1, { id: 'function' });
  expect(() => graph.toJSON()).toThrow(TaskSerializationError);
});

it('provenance has what people noted and the nodes that a value went through', async () => {
  const house = await open();
  const graph = new TaskGraph();
  graph.addTasks([new Plus({ id: 'one', provenance: { model: 'x', who: 'one' } }), new Plus({ id: 'two', provenance: { who: 'two' } })]);
  graph.connect('one', 'sum', 'two', 'a');
  const run = await house.orchestrator.graphs.run(graph, { a: 1 }, { parentProvenance: { batch: 7 } });
  await run.result();
  const { tags, items } = (await run.getProvenance('two'))!;
  expect(tags).toEqual({ batch: 7, model: 'x', who: 'two' });
  expect(items.map(({ taskId, type, fromCache }) => ({ taskId, type, fromCache }))).toEqual([{ taskId: 'one', type: 'Plus', fromCache: false }, { taskId: 'two', type: 'Plus', fromCache: false }]);
  expect(items[0]!.outputHash).toMatch(/^[0-9a-f]{8}$/);
});

it('tasks of holdfast are nodes, by their ids, with their own retries', async () => {
  const house = await open();
  let tries = 0;
  const twice = defineTask({
    id: 'graph-twice', retry: { maxAttempts: 2, minDelayMs: 10 }, run: ({ n }: { n: number }) => {
      if (++tries === 1) throw new Error('once');
      return 2 * n;
    },
  });
  const graph = new TaskGraph();
  graph.addTask(twice, { id: 'twice' });
  graph.addTask(new Plus({ id: 'plus' }));
  graph.connect('twice', 'output', 'plus', 'a');
  const run = await house.orchestrator.graphs.run(createGraphFromGraphJSON(graph.toJSON()), { n: 4 });
  const result = run.result();
  await house.clock.advance(1000);
  expect(await result).toEqual([{ id: 'plus', type: 'Plus', data: { sum: 9 } }]);
  expect(tries).toBe(2);
});

it('edges may come in any order: the topological order is kept, and cycles are found, as a search of the whole graph finds them', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(14), fc.nat(14)), { maxLength: 60 }), fc.array(fc.nat(59), { maxLength: 8 }), (pairs, removed) => {
    const graph = new TaskGraph();
    for (let at = 0; at < 15; at++) graph.addTask(new Plus({ id: `${at}` }));
    const targets = new Map<string, Set<string>>();
    const reaches = (from: string, to: string): boolean => from === to || [...(targets.get(from) ?? [])].some((next) => reaches(next, to));
    for (const [at, [from, to]] of pairs.entries()) {
      const [source, target] = [`${from}`, `${to}`];
      const edge = new Dataflow(source, `p${at}`, target, 'a');
      if (reaches(target, source)) {
        const refused = (() => {
          try {
            graph.addDataflow(edge);
          } catch (error) {
            return error as CycleError;
          }
        })();
        expect(refused).toBeInstanceOf(CycleError);
        const { cycle } = refused!.data as { cycle: string[] };
        for (let place = 1; place < cycle.length; place++) expect(targets.get(cycle[place - 1]!)).toContain(cycle[place]);
        expect([cycle[0], cycle.at(-1)]).toEqual([target, source]);
      } else {
        graph.addDataflow(edge);
        targets.set(source, (targets.get(source) ?? new Set()).add(target));
      }
      expect(graph.isAcyclic()).toBe(true);
    }
    for (const at of removed) graph.removeTask(`${at}`);
    expect(graph.isAcyclic()).toBe(true);
  }), { numRuns: 100 });
});

it('ten thousand nodes in the wrong order are built in time that grows with them', () => {
  const graph = new TaskGraph();
  const count = 10_000;
  for (let at = count - 1; at >= 0; at--) graph.addTask(new Plus({ id: `${at}` }));
  const begin = performance.now();
  for (let at = 1; at < count; at++) graph.addDataflow(new Dataflow(`${at - 1}`, 'sum', `${at}`, 'a'));
  expect(graph.topologicallySortedNodes().slice(0, 2).map(({ id }) => id)).toEqual(['0', '1']);
  // A search of all that was there took 12 s.
  expect(performance.now() - begin).toBeLessThan(2000);
});

it('a value that an edge can not bring is an error of that edge, and of the task it leads to', async () => {
  const house = await open();
  const make = () => {
    const graph = chain();
    graph.getDataflows()[0]!.setTransforms([{ id: 'numberToString' }, { id: 'parseJson' }, { id: 'isoDateToUnix', params: { unit: 's' } }, { id: 'unixToIsoDate', params: { unit: 'ms' } }]);
    return graph;
  };
  const graph = make();
  const edge = graph.getDataflows()[0]!;
  const told: string[] = [];
  edge.on('status', (status) => told.push(status));
  edge.on('error', (error) => told.push(error.message));
  const says = 'Edge one[sum] ==> two[a]: The transform "isoDateToUnix" (step 3 of 4) failed: 10000001 is no moment.';
  await expect(graph.run({ a: 10_000_000 })).rejects.toMatchObject({ name: 'TransformError', code: 'TRANSFORM', taskId: 'two', message: says, data: { id: 'isoDateToUnix', index: 2, dataflowId: edge.id } });
  expect([told, edge.status, graph.getTask('one')!.status, graph.getTask('two')!.status]).toEqual([['PROCESSING', 'COMPLETED', 'FAILED', says], 'FAILED', 'COMPLETED', 'FAILED']);
  // So does one that is stored.
  const run = await house.orchestrator.graphs.run(make(), { a: 10_000_000 });
  await expect(run.result()).rejects.toMatchObject({ name: 'TransformError', message: says });
});

it('what runs when a run is aborted is told as aborting, then as failed, and edges as their sources', async () => {
  const graph = new TaskGraph();
  graph.addTask((_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))), { id: 'waits' });
  graph.addTasks([new Tell({ id: 'next' }), new Tell({ id: 'last' })]);
  graph.connect('waits', 'x', 'next', 'x');
  graph.connect('next', 'x', 'last', 'x');
  const told: string[] = [];
  graph.subscribeToTaskStatus((id, status) => told.push(`${id} ${status}`));
  const edge = graph.getDataflows()[0]!;
  edge.on('status', (status) => told.push(`edge ${status}`));
  for (const name of ['abort', 'error'] as const) edge.on(name, () => told.push(`edge ${name}`));
  const running = graph.run();
  await new Promise((resolve) => graph.getTask('waits')!.once('start', () => resolve(undefined)));
  graph.abort('enough');
  await expect(running).rejects.toMatchObject({ name: 'TaskAbortedError' });
  expect(told).toEqual(['waits PROCESSING', 'edge PROCESSING', 'waits ABORTING', 'waits FAILED', 'edge ABORTING', 'edge abort', 'edge FAILED']);
});

it('a strict graph refuses edges that can carry nothing, and is unchanged', () => {
  class Words extends Task {
    static override readonly type = 'StrictWords';
    static override inputSchema = () => ({ type: 'object', properties: { text: { type: 'string' } } }) as const;
    static override outputSchema = () => ({ type: 'object', properties: { words: { type: 'integer' } }, additionalProperties: false }) as const;
  }
  const graph = new TaskGraph({ strict: true });
  graph.addTasks([new Words({ id: 'a' }), new Words({ id: 'b' }), new Plus({ id: 'p' })]);
  graph.connect('a', 'words', 'p', 'a');
  const before = graph.toJSON();
  const says = 'The edge a[words] ==> b[text] can carry nothing: words of a (StrictWords) is {"type":"integer"}, and text of b (StrictWords) takes {"type":"string"}.';
  expect(() => graph.connect('a', 'words', 'b', 'text')).toThrow(says);
  expect(() => graph.connect('a', 'nowhere', 'b', 'text')).toThrow('nowhere of a (StrictWords) is no such port');
  expect(() => graph.replaceTask('p', new Words({ id: 'p', inputSchema: { type: 'object', properties: { a: { type: 'boolean' } } } }))).toThrow(TaskConfigurationError);
  expect(graph.toJSON()).toEqual(before);
  const edge = new Dataflow('a', 'words', 'b', 'text').setTransforms([{ id: 'numberToString' }]);
  graph.addDataflow(edge);
  expect(() => graph.replaceDataflow(new Dataflow('a', 'words', 'b', 'text'))).toThrow(says);
  expect(() => new TaskGraph({ strict: 1 as never })).toThrow('TaskGraph strict must be true or false, not 1');
  expect(new TaskGraph().isStrict).toBe(false);
});

it('a TaskGraphRunner runs a graph, merges what its leaves give, and ends its run', async () => {
  const graph = chain();
  const runner = new TaskGraphRunner(graph);
  const results = await runner.runGraph({ a: 1 });
  expect(results).toEqual([{ id: 'two', type: 'Plus', data: { sum: 3 } }]);
  expect(await runner.mergeExecuteOutputsToRunOutput(results, 'last-or-property-array')).toEqual({ sum: 3 });
  expect(await runner.runGraphPreview()).toEqual(results);
  const running = runner.runGraph({ a: 1 });
  runner.abort();
  await expect(running).rejects.toMatchObject({ name: 'TaskAbortedError' });
  expect(() => new TaskGraphRunner({} as never)).toThrow('new TaskGraphRunner takes a TaskGraph, not {}.');
});
