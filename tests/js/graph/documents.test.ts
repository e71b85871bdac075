/** Graphs as documents: both forms lose nothing, and what is hostile or wrong is refused, all of it at once, before anything is made of it. */
import fc from 'fast-check';
import { defineTask } from 'holdfast';
import { createGraphFromDependencyJSON, createGraphFromGraphJSON, createTaskFromDependencyJSON, createTaskFromGraphJSON, globalTaskRegistry, JobQueueTask, readGraphText, registerBaseTasks, TaskGraph, TaskJSONError, TaskRegistry, toDependencyDocument, toDependencyJSON, withBoundaryNodes, DelayTask, LambdaTask, MergeTask, InputTask } from 'holdfast/graph';
import { describe, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { openHouse } from '../house.ts';

registerBaseTasks();

/** Keys that are refused wherever they stand. */
const hasForbiddenKey = (value: unknown) => /"(__proto__|constructor|prototype)":/.test(JSON.stringify(value));

/** Layers of nodes with edges forward only. */
const document = fc
  .record({ count: fc.integer({ min: 1, max: 8 }), edges: fc.array(fc.tuple(fc.nat(7), fc.nat(7), fc.constantFrom('a', 'b', '*', '[error]'), fc.constantFrom('a', 'b', '*')), { maxLength: 14 }), defaults: fc.dictionary(fc.constantFrom('x', 'y'), fc.jsonValue(), { maxKeys: 2 }).filter((defaults) => !hasForbiddenKey(defaults)) })
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
/** What `readGraphText` says is wrong. */
const issuesOf = async (document: any, options = {}): Promise<{ code: string; pointer: string; message: string }[]> => {
  const error = await readGraphText(document, options).then(() => undefined, (thrown) => thrown);
  if (error) expect(error).toBeInstanceOf(TaskJSONError);
  return error?.data.issues ?? [];
};
const pointersOf = async (document: any, options = {}) => (await issuesOf(document, options)).map(({ pointer }) => pointer);

describe('both forms', () => {
  it('lose nothing: there and back', async () => {
    await fc.assert(
      fc.asyncProperty(document, async (json) => {
        const graph = createGraphFromGraphJSON(json as any);
        expect(graph.toJSON()).toEqual(json);
        expect(byEdge(createGraphFromDependencyJSON(toDependencyJSON(graph)).toJSON())).toEqual(byEdge(json));
        expect((await readGraphText(JSON.stringify(json))).toJSON()).toEqual(json);
        expect(byEdge((await readGraphText(toDependencyJSON(graph))).toJSON())).toEqual(byEdge(json));
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
    // A name beside the config is shown, and stays where it stands.
    const named = { id: 'm', name: 'Both of them', type: 'MergeTask' };
    expect([createTaskFromGraphJSON(named).title, createTaskFromGraphJSON(named).toJSON(), createTaskFromGraphJSON({ ...named, config: { title: 'All' } }).title]).toEqual(['Both of them', named, 'All']);
    // What an editor keeps with each task, edge and step, words of the other form among it.
    const ends = { sourceTaskId: 'a', sourceTaskPortId: 'x', targetTaskId: 'b', targetTaskPortId: 'y' };
    const kept: any = { tasks: [{ id: 'a', type: 'MergeTask', position: { x: 1 }, note: null, dependencies: 5, subtasks: [] }, { id: 'b', type: 'GraphAsTask', color: 'red', subgraph: { tasks: [{ id: 'i', type: 'MergeTask', selected: true }], dataflows: [], zoom: 2 } }], dataflows: [{ id: 'e1', output: 7, ...ends, label: 'it goes', transforms: [{ id: 'uppercase', why: 'loud' }] }] };
    expect(createGraphFromGraphJSON(kept).toJSON()).toEqual(kept);
    const [a, b] = kept.tasks.map(({ dependencies: _, subtasks: __, ...task }: any) => task);
    const { zoom: _, ...inner } = b.subgraph;
    const { id: __, output: ___, ...edge } = kept.dataflows[0];
    const there = toDependencyJSON(createGraphFromGraphJSON(kept));
    expect(createGraphFromDependencyJSON(there).toJSON()).toEqual({ tasks: [a, { ...b, subgraph: inner }], dataflows: [edge] });
    expect(createTaskFromDependencyJSON(createTaskFromGraphJSON(json.tasks[0]!).toDependencyJSON()).subGraph!.getTask('m')!.type).toBe('MapTask');
    expect(() => createTaskFromGraphJSON({ id: 'a', type: 'MergeTask', config: { timeout: -5 } })).toThrow(/^MergeTask: config\.timeout must be/);
    expect(() => createTaskFromGraphJSON(null as any)).toThrow('The task must have an id and a type.');
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
  const wrong: any = {
    tasks: [{ id: 'a', type: 'Nobody' }, { id: 'a', type: 'MergeTask', config: 3 }, { type: 7 }, null, { id: 'g', type: 'GraphAsTask', merge: 'newest', subgraph: { tasks: [{ id: 'x', type: 'Nobody' }], dataflows: {} } }],
    dataflows: [{ sourceTaskId: 'a', sourceTaskPortId: 'x', targetTaskId: 'nowhere', targetTaskPortId: '' }, 'edge', { sourceTaskId: 'a', sourceTaskPortId: 'x', targetTaskId: 'g', targetTaskPortId: 'y', transforms: [{ id: 'shout' }] }],
  };

  it('is told at once, each thing with its place', async () => {
    expect((await pointersOf(wrong)).sort()).toEqual([
      '/dataflows/0/targetTaskId', '/dataflows/0/targetTaskPortId', '/dataflows/1', '/dataflows/2/transforms/0/id', '/tasks/0/type', '/tasks/1/config', '/tasks/1/id', '/tasks/2', '/tasks/2/type', '/tasks/3', '/tasks/4/merge', '/tasks/4/subgraph/dataflows', '/tasks/4/subgraph/tasks/0/type',
    ]);
    await expect(readGraphText(wrong)).rejects.toThrow('The document can\'t be read: /tasks/0/type: The type "Nobody" is not registered, or not allowed here. Register it: registerTask(…). And 12 more.');
    await expect(readGraphText(wrong)).rejects.toMatchObject({ data: { unknownTypes: ['Nobody'] } });
  });

  it('a cycle is shown, also in a graph in a graph', async () => {
    const flow = (sourceTaskId: string, targetTaskId: string) => ({ sourceTaskId, sourceTaskPortId: 'x', targetTaskId, targetTaskPortId: 'x' });
    const round = { tasks: ['a', 'b', 'c', 'd'].map((id) => ({ id, type: 'MergeTask' })), dataflows: [flow('a', 'b'), flow('b', 'c'), flow('c', 'b'), flow('c', 'd')] };
    expect(await issuesOf({ tasks: [{ id: 'g', type: 'GraphAsTask', subgraph: round }], dataflows: [] })).toMatchObject([{ code: 'cycle', pointer: expect.stringMatching('^/tasks/0/subgraph/dataflows/[12]$'), message: expect.stringMatching(/^A cycle: ("b" → "c" → "b"|"c" → "b" → "c")\./) }]);
    expect(() => createGraphFromGraphJSON(round)).toThrow('would close a cycle');
  });

  it('types that are not allowed, at any depth; a registry of ones own; what defineTask made', async () => {
    const json = { tasks: [{ id: 'g', type: 'GraphAsTask', subgraph: { tasks: [{ id: 'x', type: 'FetchUrlTask' }], dataflows: [] } }], dataflows: [] };
    expect(await issuesOf(json, { allowedTypes: ['GraphAsTask'] })).toMatchObject([{ code: 'unknown-type', pointer: '/tasks/0/subgraph/tasks/0/type' }]);
    expect(() => createGraphFromGraphJSON(json, { allowedTypes: ['GraphAsTask'] })).toThrow('/tasks/0/subgraph/tasks/0: tasks of type "FetchUrlTask" are not allowed here.');
    expect(await pointersOf(json, { registry: new TaskRegistry(), allowedTypes: new Set(['GraphAsTask', 'FetchUrlTask']) })).toEqual(['/tasks/0/type', '/tasks/0/subgraph/tasks/0/type']);
    const defined = { tasks: [{ id: 'd', type: 'made elsewhere' }], dataflows: [] };
    expect(await pointersOf(defined)).toEqual(['/tasks/0/type']);
    expect((await readGraphText(defined, { isDefined: (id) => id === 'made elsewhere' })).toJSON()).toEqual(defined);
    defineTask({ id: 'made elsewhere', run: () => 1 });
    expect((await readGraphText(JSON.stringify(defined))).toJSON()).toEqual(defined);
  });

  it('in the dependency form pointers lead to where it stands in that', async () => {
    const items = [{ id: 'a', type: 'MergeTask', dependencies: { x: { id: 'b' }, y: [3], z: { id: 'a', output: 'o' }, 'a/b': [{ id: 'a', output: 'o' }, { id: 'nowhere', output: 'o' }] } }, 7, { id: 'c', type: 'GraphAsTask', subtasks: [{ id: 'i', type: 'Nobody', dependencies: { p: { id: 'j', output: 'o', transforms: [{ id: 'shout' }] } } }] }, { id: 'd', type: 'MergeTask', dependencies: 4, subtasks: {} }];
    expect((await pointersOf(items)).sort()).toEqual([
      '/0/dependencies/a~1b/0', '/0/dependencies/a~1b/1/id', '/0/dependencies/x', '/0/dependencies/x/id', '/0/dependencies/y/0', '/0/dependencies/y/0', '/0/dependencies/z', '/1', '/2/subtasks/0/dependencies/p/id', '/2/subtasks/0/dependencies/p/transforms/0/id', '/2/subtasks/0/type', '/3/dependencies', '/3/subtasks',
    ]);
    expect((await issuesOf([{ id: 'a', type: 'MergeTask', dependencies: { x: { id: 'b', output: 'o' } } }]))[0]!.message).toBe('There is no task "b" in this graph.');
    expect(() => createGraphFromDependencyJSON([{ id: 'a', type: 'MergeTask', dependencies: { y: [3] } }] as any)).toThrow('/0/dependencies/y: a dependency is { id, output }, or a list of them.');
  });

  it('values of this page stay what they are', async () => {
    const defaults = { file: new File(['x'], 'x.txt'), big: 2n ** 70n, date: new Date(0) };
    expect((await readGraphText({ tasks: [{ id: 'a', type: 'MergeTask', defaults }] })).getTask('a')!.defaults).toBe(defaults);
  });

  it('an older form is read, and pointers lead to where it stands in that', async () => {
    const old = { nodes: [{ id: 'a', type: 'MergeTask', input: { v: 1 } }, { id: 'b', type: 'Nobody' }], edges: [{ sourceTaskId: 'a', sourceTaskOutputId: 'o', targetTaskId: 'c', targetTaskInputId: 'i' }] };
    expect(await pointersOf(old)).toEqual(['/nodes/1/type', '/edges/0']);
    const graph = await readGraphText({ nodes: [old.nodes[0], { id: 'c', type: 'MergeTask' }], edges: old.edges });
    expect(graph.toJSON()).toEqual({ tasks: [{ id: 'a', type: 'MergeTask', defaults: { v: 1 } }, { id: 'c', type: 'MergeTask' }], dataflows: [{ sourceTaskId: 'a', sourceTaskPortId: 'o', targetTaskId: 'c', targetTaskPortId: 'i' }] });
  });

  it('configs that their classes refuse are told with all the rest, at their places', async () => {
    const config: any = { timeout: -5, cacheable: 'yes', title: 5, name: 4, description: 3, extras: [], inputSchema: 5, outputSchema: 'x', disabled: 1, unknown: 0, 'a/b~c': 0 };
    const tasks: any[] = [
      { id: 'a', type: 'MergeTask', config, provenance: 5 }, { id: 'b', type: 'ConditionalTask', config: { conditionConfig: { branches: 3, exclusive: 'x' } } },
      { id: 'c', type: 'GraphAsTask', subgraph: { tasks: [{ id: 'd', type: 'MapTask', config: { maxIterations: 0, concurrencyLimit: 1.5, flatten: 3 } }, { id: 'e', type: 'DelayTask', config: { delay: 'soon' } }], dataflows: [] } },
      { id: 'f', type: 'HumanApprovalTask', config: { answerWithin: 'x', onDecline: 'y' } }, { id: 'g', type: 'JobQueueTask', config: { queue: 5, maxRetries: -1 } }, { id: 'h', type: 'WhileTask', config: { maxIterations: 2 } },
      { id: 'i', type: 'FallbackTask', config: { alternatives: [{}, 3] } }, { id: 'j', type: 'HumanInputTask' }, { id: 'k', type: 'MergeTask', config: { timeout: '10s', title: undefined } }, { id: 'l', type: 'made for configs', config: { timeout: 'soon' } },
    ];
    defineTask({ id: 'made for configs', run: () => 1 });
    const registry = new TaskRegistry(globalTaskRegistry).registerTask(JobQueueTask);
    const places = [
      ...Object.keys(config).map((name) => `/tasks/0/config/${name === 'a/b~c' ? 'a~1b~0c' : name}`), '/tasks/0/provenance', '/tasks/1/config/conditionConfig/branches', '/tasks/3/config/answerWithin', '/tasks/3/config/onDecline',
      '/tasks/4/config/queue', '/tasks/4/config/maxRetries', '/tasks/5/config', '/tasks/6/config/alternatives/1', '/tasks/7/config', '/tasks/9/config/timeout',
      '/tasks/2/subgraph/tasks/0/config/maxIterations', '/tasks/2/subgraph/tasks/0/config/concurrencyLimit', '/tasks/2/subgraph/tasks/0/config/flatten', '/tasks/2/subgraph/tasks/1/config/delay',
    ];
    const told = await issuesOf({ tasks, dataflows: [] }, { registry });
    expect(told.map(({ pointer }) => pointer)).toEqual(places);
    expect(told.every(({ code }) => code === 'wrong-config')).toBe(true);
    expect(told[0]!.message).toBe("config.timeout must be a duration of 0 or more: milliseconds, '500ms', '10s', '1h30m', '2d', 'PT5M' or { minutes: 5 }, not -5.");
    const [first, ...more] = await issuesOf({ tasks: [...tasks, { id: 'm', type: 'Nobody' }], dataflows: [] }, { registry });
    expect([first!.pointer, ...more.map(({ pointer }) => pointer)]).toEqual(['/tasks/10/type', ...places]);
    expect(await pointersOf({ nodes: [{ id: 'a', type: 'MergeTask', config: { timeout: -5 }, input: {} }] })).toEqual(['/nodes/0/config/timeout']);
    expect(await pointersOf([{ id: 'a', type: 'GraphAsTask', subtasks: [{ id: 'b', type: 'MergeTask', config: { timeout: -5 } }] }])).toEqual(['/0/subtasks/0/config/timeout']);
    expect(() => createGraphFromGraphJSON({ tasks: [{ id: 'a', type: 'MergeTask', config: { timeout: -5, title: 5 } }], dataflows: [] })).toThrow(/^\/tasks\/0: MergeTask: config\.timeout must be .*, not -5\. config\.title must be text, not 5\.$/);
  });

  it('what is built at once stops at the first thing that no graph can be built of', () => {
    expect(() => createGraphFromGraphJSON({ tasks: [{ id: 'a', type: 'MergeTask', config: 3 as any }], dataflows: [] })).toThrow('/tasks/0/config has to be an object.');
    expect(() => createGraphFromGraphJSON({ tasks: [{ id: 'a', type: 'MergeTask' }, { id: 'a', type: 'MergeTask' }], dataflows: [] })).toThrow('There is a task "a" in this graph already.');
    expect(() => createGraphFromGraphJSON({ tasks: [], dataflows: {} as any })).toThrow('/dataflows has to be a list.');
  });
});

const holdsItself: any = { tasks: [] };
holdsItself.more = holdsItself;

describe('what is hostile', () => {
  it('words of the dependency form in the graph form are none of it, whatever they hold', async () => {
    const flow = { sourceTaskId: 'a', sourceTaskPortId: 'o', targetTaskId: 'b', targetTaskPortId: 'i' };
    const wanted = (await toDependencyDocument({ tasks: [{ id: 'a', type: 'x' }, { id: 'b', type: 'x' }], dataflows: [flow] }, {})).document;
    expect(wanted).toEqual([{ id: 'a', type: 'x' }, { id: 'b', type: 'x', dependencies: { i: { id: 'a', output: 'o' } } }]);
    for (const [more, flows] of [[{ dependencies: 5, subtasks: [] }, flow], [{ dependencies: { i: 7 } }, flow], [{}, { id: 'e1', output: 'other', ...flow }]] as const)
      expect((await toDependencyDocument({ tasks: [{ id: 'a', type: 'x' }, { id: 'b', type: 'x', ...more }], dataflows: [flows] }, {})).document).toEqual(wanted);
  });


  it.each<[string, any, string]>([
    ['brackets without end', '['.repeat(100_000), 'too-deep'],
    ['objects in objects', `{"tasks":${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}}`, 'too-deep'],
    ['brackets in a text are none', `{"tasks":[],"x":"${'['.repeat(500)}\\"["`, 'invalid-json'],
    ['graphs in graphs', `${'{"tasks":[{"id":"a","type":"GraphAsTask","subgraph":'.repeat(60)}{"tasks":[]}${'}]}'.repeat(60)}`, 'too-deep'],
    ['a key that changes objects', '{"tasks":[{"id":"a","type":"MergeTask","defaults":{"__proto__":{"polluted":1}}}],"dataflows":[]}', 'forbidden-key'],
    ['no graph', '3', 'not-a-graph'],
    ['nothing', '', 'invalid-json'],
    ['what holds itself', holdsItself, 'invalid-json'],
  ])('%s', async (_, text, code) => {
    expect((await issuesOf(text)).map((issue) => issue.code)).toContain(code);
    expect(({} as any).polluted).toBeUndefined();
  });

  it('of configs that are refused a thousand are told, however many there are', async () => {
    const issues = await issuesOf({ tasks: Array.from({ length: 3000 }, (_, at) => ({ id: `t${at}`, type: 'MergeTask', config: { timeout: -1 } })), dataflows: [] });
    expect([issues.length, issues.at(-1)!.pointer]).toEqual([1000, '/tasks/999/config/timeout']);
  });

  it('has limits of size, depth and number', async () => {
    const codesOf = async (document: any, limits: object) => (await issuesOf(document, { limits })).map(({ code }) => code);
    expect(await codesOf(' '.repeat(1001), { maxBytes: 1000 })).toEqual(['too-large']);
    expect(await codesOf('[[1]]', { maxDepth: 1 })).toEqual(['too-deep']);
    expect(await codesOf({ tasks: [{ id: 'a', type: 'MergeTask' }, { id: 'b', type: 'MergeTask' }], dataflows: [] }, { maxTasks: 1 })).toEqual(['too-large']);
    let deep: any = {};
    for (let depth = 0; depth < 100_000; depth++) deep = { a: deep };
    const json = { tasks: [{ id: 'a', type: 'MergeTask', defaults: deep }], dataflows: [] };
    expect(await codesOf(json, {})).toEqual(['too-deep']);
    expect(() => createGraphFromGraphJSON(json)).toThrow(TaskJSONError);
  });

  it('two thousand things that are wrong are a thousand told, and counted', async () => {
    const many = { tasks: Array.from({ length: 2000 }, () => null), dataflows: [] };
    expect(await issuesOf(many)).toHaveLength(1000);
    await expect(readGraphText(many)).rejects.toThrow('And 1999 more.');
  });

  it('any JSON gives a graph or a TaskJSONError, of both who read', async () => {
    const task = fc.record({ id: fc.oneof(fc.constantFrom('a', 'b'), fc.jsonValue()), type: fc.oneof(fc.constantFrom('MergeTask', 'GraphAsTask'), fc.jsonValue()), config: fc.option(fc.jsonValue(), { nil: undefined }), subgraph: fc.option(fc.jsonValue(), { nil: undefined }), dependencies: fc.option(fc.jsonValue(), { nil: undefined }) }, { requiredKeys: [] });
    const allowed = ['TaskJSONError', 'TaskConfigurationError', 'CycleError'];
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.record({ tasks: fc.oneof(fc.array(task), fc.jsonValue()), dataflows: fc.jsonValue() }), fc.array(task)), async (value) => {
        await readGraphText(JSON.stringify(value)).catch((error) => expect(allowed).toContain(error.name));
        try {
          createGraphFromGraphJSON(value as any);
          createGraphFromDependencyJSON(value as any);
        } catch (error) {
          expect(allowed).toContain((error as Error).name);
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
