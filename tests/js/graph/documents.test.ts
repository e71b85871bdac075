/** Graphs as documents: both forms lose nothing, and what is hostile or wrong is refused, all of it at once, before anything is made. */
import fc from 'fast-check';
import { createGraphFromDependencyJSON, createGraphFromGraphJSON, createTaskFromDependencyJSON, createTaskFromGraphJSON, readGraphText, registerBaseTasks, TaskGraph, TaskJSONError, TaskRegistry, toDependencyJSON, withBoundaryNodes, DelayTask, LambdaTask, MergeTask, InputTask } from 'holdfast/graph';
import { describe, expect, it } from 'vitest';
import '../../../js/graph/container.ts';
import '../../../js/graph/home.ts';
import '../../../js/groups/container.ts';
import { openHouse } from '../house.ts';

registerBaseTasks();

/** Layers of nodes with edges forward only. */
const document = fc
  .record({ count: fc.integer({ min: 1, max: 8 }), edges: fc.array(fc.tuple(fc.nat(7), fc.nat(7), fc.constantFrom('a', 'b', '*', '[error]'), fc.constantFrom('a', 'b', '*')), { maxLength: 14 }), defaults: fc.dictionary(fc.constantFrom('x', 'y'), fc.jsonValue(), { maxKeys: 2 }) })
  .map(({ count, edges, defaults }) => {
    const tasks = Array.from({ length: count }, (_, index) => ({ id: `n${index}`, type: index % 2 ? 'MergeTask' : 'InputTask', ...(Object.keys(defaults).length && index === 0 ? { defaults: JSON.parse(JSON.stringify(defaults)) } : {}) }));
    const seen = new Set<string>();
    const dataflows = edges.flatMap(([one, other, sourceTaskPortId, targetTaskPortId]) => {
      const [from, to] = [Math.min(one, other) % count, Math.max(one, other) % count];
      const key = `${from} ${to} ${sourceTaskPortId} ${targetTaskPortId}`;
      if (from >= to || seen.has(key)) return [];
      seen.add(key);
      return [{ sourceTaskId: `n${from}`, sourceTaskPortId, targetTaskId: `n${to}`, targetTaskPortId, ...(targetTaskPortId === 'b' ? { transforms: [{ id: 'pick', params: { path: 'q' } }] } : {}) }];
    });
    return { tasks, dataflows };
  });

const byEdge = (json: any) => ({ ...json, dataflows: [...json.dataflows].sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1)) });
const issuesOf = (work: () => unknown): { pointer: string; message: string }[] => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(TaskJSONError);
    return (error as TaskJSONError).data ? (error as any).data.issues : [{ pointer: '', message: (error as Error).message }];
  }
  return [];
};

describe('both forms', () => {
  it('lose nothing: there and back', () => {
    fc.assert(
      fc.property(document, (json) => {
        const graph = createGraphFromGraphJSON(json as any);
        expect(graph.toJSON()).toEqual(json);
        expect(byEdge(createGraphFromDependencyJSON(toDependencyJSON(graph)).toJSON())).toEqual(byEdge(json));
        expect(readGraphText(JSON.stringify(json)).toJSON()).toEqual(json);
      }),
    );
  });

  it('with graphs in graphs, merges and keys of an editor', () => {
    const json = { $schema: 's', version: 1, layout: { n: [1, 2] }, tasks: [{ id: 'g', type: 'GraphAsTask', merge: 'by-id', subgraph: { tasks: [{ id: 'm', type: 'MapTask', config: { maxIterations: 3 }, subgraph: { tasks: [{ id: 'x', type: 'MergeTask' }], dataflows: [] } }], dataflows: [] } }], dataflows: [] };
    expect(createGraphFromGraphJSON(json).toJSON()).toEqual(json);
    const items = toDependencyJSON(createGraphFromGraphJSON(json));
    expect(items[0]!.subtasks![0]!.subtasks).toEqual([{ id: 'x', type: 'MergeTask' }]);
    expect(createGraphFromDependencyJSON(items).getTask('g')!.toJSON()).toEqual(json.tasks[0]);
    expect(createTaskFromGraphJSON(json.tasks[0]!).toJSON()).toEqual(json.tasks[0]);
    expect(createTaskFromDependencyJSON(createTaskFromGraphJSON(json.tasks[0]!).toDependencyJSON()).subGraph!.getTask('m')!.type).toBe('MapTask');
    expect(() => createTaskFromDependencyJSON({ id: 'a', type: 'MergeTask', dependencies: { a: { id: 'b', output: 'c' } } })).toThrow('A task alone has no dependencies');
  });

  it('several sources of one port are a list', () => {
    const graph = new TaskGraph();
    graph.addTasks([new InputTask({ id: 'a' }), new InputTask({ id: 'b' }), new MergeTask({ id: 'm' })]);
    graph.connect('a', 'x', 'm', 'list');
    graph.connect('b', 'y', 'm', 'list');
    expect(toDependencyJSON(graph)[2]!.dependencies).toEqual({ list: [{ id: 'a', output: 'x' }, { id: 'b', output: 'y' }] });
  });

  it('with boundary nodes at their ends, once', () => {
    const graph = new TaskGraph();
    graph.addTask(new MergeTask({ id: 'm' }));
    const bounded = withBoundaryNodes(graph);
    expect(bounded.dataflows).toEqual([{ sourceTaskId: 'input', sourceTaskPortId: '*', targetTaskId: 'm', targetTaskPortId: '*' }, { sourceTaskId: 'm', sourceTaskPortId: '*', targetTaskId: 'output', targetTaskPortId: '*' }]);
    expect(createGraphFromGraphJSON(bounded).toJSON({ withBoundaryNodes: true })).toEqual(bounded);
    expect(graph.toDependencyJSON({ withBoundaryNodes: true }).map(({ id }) => id)).toEqual(['input', 'm', 'output']);
    graph.addTask(new MergeTask({ id: 'input' }));
    expect(() => withBoundaryNodes(graph)).toThrow('withBoundaryNodes(graph, { inputId: … })');
  });

  it('a function has no document', () => {
    const graph = new TaskGraph();
    graph.addTask(new LambdaTask({ id: 'l', execute: () => 1 }));
    expect(() => toDependencyJSON(graph)).toThrow("Task l (LambdaTask) can't be stored");
  });
});

describe('what is wrong', () => {
  it('is told at once, each thing with its place', () => {
    const wrong = {
      tasks: [{ id: 'a', type: 'Nobody' }, { id: 'a', type: 'MergeTask', config: 3 }, { type: 7 }, null, { id: 'g', type: 'GraphAsTask', merge: 'newest', subgraph: { tasks: [{ id: 'x', type: 'Nobody' }], dataflows: {} } }],
      dataflows: [{ sourceTaskId: 'a', sourceTaskPortId: 'x', targetTaskId: 'nowhere', targetTaskPortId: '' }, 'edge', { sourceTaskId: 'a', sourceTaskPortId: 'x', targetTaskId: 'g', targetTaskPortId: 'y', transforms: [{ id: 'shout' }] }],
    };
    expect(issuesOf(() => createGraphFromGraphJSON(wrong as any)).map(({ pointer }) => pointer)).toEqual([
      '/tasks/0/type', '/tasks/1/id', '/tasks/1/config', '/tasks/2/id', '/tasks/2/type', '/tasks/3', '/tasks/4/merge', '/tasks/4/subgraph/tasks/0/type', '/tasks/4/subgraph/dataflows',
      '/dataflows/0/targetTaskPortId', '/dataflows/0/targetTaskId', '/dataflows/1', '/dataflows/2/transforms/0/id',
    ]);
    expect(() => createGraphFromGraphJSON(wrong as any)).toThrow('The document can\'t be read: /tasks/0/type: there is no task of type "Nobody" here. Register it: registerTask(…). And 12 more.');
  });

  it('a cycle is shown, also in a graph in a graph', () => {
    const flow = (sourceTaskId: string, targetTaskId: string) => ({ sourceTaskId, sourceTaskPortId: 'x', targetTaskId, targetTaskPortId: 'x' });
    const round = { tasks: ['a', 'b', 'c', 'd'].map((id) => ({ id, type: 'MergeTask' })), dataflows: [flow('a', 'b'), flow('b', 'c'), flow('c', 'b'), flow('c', 'd')] };
    expect(issuesOf(() => createGraphFromGraphJSON({ tasks: [{ id: 'g', type: 'GraphAsTask', subgraph: round }], dataflows: [] }))).toEqual([{ pointer: '/tasks/0/subgraph/dataflows', message: expect.stringMatching(/^the edges close a cycle: (b → c → b|c → b → c)\.$/) }]);
  });

  it('types that are not allowed, at any depth; a registry of ones own', () => {
    const json = { tasks: [{ id: 'g', type: 'GraphAsTask', subgraph: { tasks: [{ id: 'x', type: 'FetchUrlTask' }], dataflows: [] } }], dataflows: [] };
    expect(issuesOf(() => createGraphFromGraphJSON(json, { allowedTypes: ['GraphAsTask'] }))).toEqual([{ pointer: '/tasks/0/subgraph/tasks/0/type', message: 'tasks of type "FetchUrlTask" are not allowed here.' }]);
    expect(issuesOf(() => createGraphFromGraphJSON(json, new TaskRegistry(), { allowedTypes: new Set(['GraphAsTask', 'FetchUrlTask']) })).map(({ pointer }) => pointer)).toEqual(['/tasks/0/type', '/tasks/0/subgraph/tasks/0/type']);
  });

  it('in the dependency form too', () => {
    expect(issuesOf(() => createGraphFromDependencyJSON([{ id: 'a', type: 'MergeTask', dependencies: { x: { id: 'b' }, y: [3] } }, 7] as any)).map(({ pointer }) => pointer)).toEqual(['/0/dependencies/x', '/0/dependencies/y', '/1']);
    expect(issuesOf(() => createGraphFromDependencyJSON([{ id: 'a', type: 'MergeTask', dependencies: { x: { id: 'b', output: 'o' } } }]))[0]!.message).toBe('there is no task "b" in this graph.');
  });
});

describe('what is hostile', () => {
  it.each<[string, string, string]>([
    ['brackets without end', '['.repeat(100_000), 'nested deeper than 100 at position 100'],
    ['objects in objects', `{"tasks":${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}}`, 'nested deeper than 100'],
    ['brackets in a text are none', `{"tasks":[],"x":"${'['.repeat(500)}\\"["`, 'is no JSON'],
    ['graphs in graphs', `${'{"tasks":[{"id":"a","type":"GraphAsTask","subgraph":'.repeat(60)}{}${'}]}'.repeat(60)}`, 'nested deeper than 100'],
    ['a key that changes objects', '{"tasks":[{"id":"a","type":"MergeTask","defaults":{"__proto__":{"polluted":1}}}],"dataflows":[]}', 'the key "__proto__" is not taken'],
    ['no graph', '3', 'a task is { id, type, dependencies }'],
    ['nothing', '', 'is no JSON'],
  ])('%s', (_, text, says) => {
    expect(() => readGraphText(text)).toThrow(TaskJSONError);
    expect(() => readGraphText(text)).toThrow(says);
    expect(({} as any).polluted).toBeUndefined();
  });

  it('has limits of length, depth and number', () => {
    expect(() => readGraphText(' '.repeat(1001), { maxLength: 1000 })).toThrow('has 1001 characters; the limit is 1000');
    expect(() => readGraphText('[[1]]', { maxDepth: 1 })).toThrow('nested deeper than 1');
    expect(() => createGraphFromGraphJSON({ tasks: [{ id: 'a', type: 'MergeTask' }, { id: 'b', type: 'MergeTask' }], dataflows: [] }, { maxTasks: 1 })).toThrow('more than 1 tasks');
    let deep: any = {};
    for (let depth = 0; depth < 100_000; depth++) deep = { a: deep };
    expect(() => createGraphFromGraphJSON({ tasks: [{ id: 'a', type: 'MergeTask', defaults: deep }], dataflows: [] })).toThrow('nested deeper than 100');
  });

  it('a thousand things that are wrong are a hundred told, and counted', () => {
    const many = { tasks: Array.from({ length: 1000 }, () => null), dataflows: [] };
    expect(issuesOf(() => createGraphFromGraphJSON(many as any))).toHaveLength(100);
    expect(() => createGraphFromGraphJSON(many as any)).toThrow('And 999 more.');
  });

  it('any JSON gives a graph or a TaskJSONError', () => {
    const task = fc.record({ id: fc.oneof(fc.constantFrom('a', 'b'), fc.jsonValue()), type: fc.oneof(fc.constantFrom('MergeTask', 'GraphAsTask'), fc.jsonValue()), config: fc.option(fc.jsonValue(), { nil: undefined }), subgraph: fc.option(fc.jsonValue(), { nil: undefined }) }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record({ tasks: fc.oneof(fc.array(task), fc.jsonValue()), dataflows: fc.jsonValue() }), fc.array(task)), (value) => {
        try {
          readGraphText(JSON.stringify(value));
        } catch (error) {
          expect(['TaskJSONError', 'TaskConfigurationError']).toContain((error as Error).name);
        }
      }),
      { numRuns: 500 },
    );
  });
});

it('what is run is not held to the limits of what people bring: a run of a graph that is nested deeper comes back', async () => {
  let deep: any = 'leaf';
  for (let depth = 0; depth < 110; depth++) deep = [deep];
  const graph = new TaskGraph();
  graph.addTask(new DelayTask({ id: 'delay', delay: '1h', defaults: { deep } }));
  let house = await openHouse();
  const { id } = await house.orchestrator.graphs.run(graph);
  house = await house.crash();
  await house.clock.advance(3_600_000);
  expect(await (await house.orchestrator.graphs.get(id))!.result()).toEqual([{ id: 'delay', type: 'DelayTask', data: { deep } }]);
  house.cut();
});
