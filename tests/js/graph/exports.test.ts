/** Graphs as nodes and edges of React Flow, and as TypeScript that builds them. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { defineTask } from 'holdfast';
import * as graphModule from 'holdfast/graph';
import { createGraphFromGraphJSON, DelayTask, fromReactFlow, GraphAsTask, InputTask, LambdaTask, layoutDocument, MapTask, MergeTask, OutputTask, registerBaseTasks, registerTask, reactFlowElements, Task, TaskConfigSchema, TaskGraph, type TaskGraphJson, TaskSerializationError, toReactFlow, toTypeScript } from 'holdfast/graph';
import { describe, expect, it } from 'vitest';
import { letters as printedLetters } from './letters.ts';

registerBaseTasks();
class Strange extends Task {
  static override readonly type = 'my-tasks/ "Strange" `${1}` \\';
  static override configSchema = () => ({ type: 'object', properties: {}, additionalProperties: true }) as const;
}
class MergeTask2 extends Task {
  static override readonly type = 'MergeTask2';
}
registerTask(Strange, MergeTask2);
defineTask({ id: 'a defined task', run: () => 1 });

/** A list, mapped, and what became of it. */
function letters(): TaskGraph {
  const inner = new TaskGraph();
  inner.addTask(new MergeTask({ id: 'inner' }));
  const graph = new TaskGraph();
  graph.addTasks([new InputTask({ id: 'in' }), new MapTask({ id: 'each', maxIterations: 3, subGraph: inner, title: 'Each "one"' }), new DelayTask({ id: 'wait', delay: '1h', defaults: { a: [1, { b: null }] }, provenance: { by: 'me' } }), new OutputTask({ id: 'out' })]);
  graph.connect('in', 'list', 'each', 'list').setTransforms([{ id: 'pick', params: { path: 'q' } }]);
  graph.connect('each', '*', 'wait', '*');
  graph.connect('each', '[error]', 'out', 'error');
  graph.connect('wait', '*', 'out', '*');
  graph.extras = { version: 1, meta: { title: 'Letters' } };
  return graph;
}

describe('React Flow', () => {
  it('has a node for each task where its layers have it, and an edge for each edge by its handles', async () => {
    const { nodes, edges } = await toReactFlow(letters(), { nodeType: 'task', edgeType: ({ sourceTaskPortId }) => (sourceTaskPortId === '[error]' ? 'failure' : undefined) });
    expect(nodes.map(({ id, type, data: { label, task } }) => [id, type, label, task.type])).toEqual([['in', 'task', 'in', 'InputTask'], ['each', 'task', 'Each "one"', 'MapTask'], ['wait', 'task', 'wait', 'DelayTask'], ['out', 'task', 'out', 'OutputTask']]);
    expect(nodes.map(({ position: { x } }) => x)).toEqual([0, 264, 528, 792]);
    expect(edges[2]).toEqual({ id: 'each[[error]] ==> out[error]', type: 'failure', source: 'each', target: 'out', sourceHandle: '[error]', targetHandle: 'error', data: { dataflow: letters().toJSON().dataflows[2], isError: true } });
    expect(new Set([...nodes, ...edges].map(({ id }) => id)).size).toBe(8);
  });

  it('keeps the places that are given or stored, and finds one for those that have none', async () => {
    const document = { ...letters().toJSON(), layout: { in: { x: 5, y: 7 }, each: { x: 'left' } } };
    const { nodes } = await toReactFlow(document);
    expect(nodes[0]!.position).toEqual({ x: 5, y: 7 });
    expect(nodes[1]!.position.x).toBe(264);
    const { places } = await layoutDocument(document, {});
    expect(reactFlowElements(document, { layout: places! }).nodes.map(({ position }) => position.x)).toEqual([0, 264, 528, 792]);
    expect(reactFlowElements({ tasks: [{ id: 'a', type: 'x' }], dataflows: [] }).nodes[0]!.position).toEqual({ x: 0, y: 0 });
  });

  it('comes back as the document it was, with what was moved, connected and taken away there', async () => {
    const document = letters().toJSON();
    const flow = await toReactFlow(document);
    const { layout, ...back } = fromReactFlow(flow, { version: 1, meta: document.meta! });
    expect(back).toEqual(document);
    expect(Object.keys(layout!)).toEqual(['in', 'each', 'wait', 'out']);
    const drawn = fromReactFlow({ nodes: flow.nodes.slice(0, 2), edges: [{ id: 'xy-edge__in-each', source: 'in', target: 'each', sourceHandle: null, targetHandle: 'list' }] });
    expect(drawn.dataflows).toEqual([{ sourceTaskId: 'in', sourceTaskPortId: '*', targetTaskId: 'each', targetTaskPortId: 'list' }]);
    expect(() => fromReactFlow({ nodes: [{ id: 'n', position: { x: 0, y: 0 }, data: {} as any }], edges: [] })).toThrow('node "n" has no data.task');
  });

  it('is refused of what can not be drawn', async () => {
    await expect(toReactFlow({ tasks: [{ id: 'a', type: 'x' }, { id: 'a', type: 'x' }], dataflows: [] })).rejects.toThrow("the document can't be drawn: /tasks/1/id: The id \"a\"");
  });
});

describe('A layout', () => {
  it('has layers side by side and nothing on another, with the sizes that are given', async () => {
    const document = letters().toJSON();
    const places = (await layoutDocument(document, {}, { sizes: { each: { width: 500, height: 300 } }, columnGap: 10 })).places!;
    expect(places.map(({ column, x }) => [column, x])).toEqual([[0, 0], [1, 210], [2, 720], [3, 930]]);
    expect(Math.min(...places.map(({ y }) => y))).toBe(0);
  });

  it('of thousands of tasks in any layers takes its time, and no more', async () => {
    const tasks = Array.from({ length: 5000 }, (_, index) => ({ id: `n${index}`, type: `t${index}` }));
    const dataflows = tasks.slice(1).flatMap(({ id }, index) => [index, Math.floor(index / 7)].map((from, port) => ({ sourceTaskId: `n${from}`, sourceTaskPortId: 'o', targetTaskId: id, targetTaskPortId: `p${port}` })));
    const { places } = await layoutDocument({ tasks, dataflows }, {});
    expect(places![4999]!.column).toBe(4999);
  });
});

/** What the code builds: its types are taken away, and what it imports handed over. `letters.ts` is compiled as it is. */
function built(code: string, modules: Record<string, object> = {}): TaskGraph {
  const plain = code
    .replace(/^import \{ (.*) \} from (.*);$/gm, (_, names: string, from: string) => `const { ${names.replaceAll(' as ', ': ')} } = require(${from});`)
    .replace(/^(?:export )?function (.+)\(\): TaskGraph \{$/gm, 'function $1() {')
    .replace(/^(const .+)!;$/gm, '$1;');
  return new Function('require', `${plain}\nreturn ${/^export function (.+)\(\)/m.exec(code)![1]}();`)((name: string) => (name === 'holdfast/graph' ? graphModule : modules[name]));
}

describe('TypeScript', () => {
  it('reads as people write it', () => {
    const [, ...printed] = readFileSync(new URL('./letters.ts', import.meta.url), 'utf8').split('\n');
    expect(toTypeScript(letters(), { functionName: 'letters' })).toBe(printed.join('\n'));
    expect(printedLetters().toJSON()).toEqual(letters().toJSON());
  });

  it('builds the same graph: in graphs in graphs, with merges and keys of an editor', () => {
    const json: TaskGraphJson = { $schema: 's', version: 1, layout: { n: [1, 2] }, tasks: [{ id: 'g', type: 'GraphAsTask', merge: 'by-id', subgraph: { tasks: [{ id: 'm', type: 'MapTask', config: { maxIterations: 3 }, subgraph: { tasks: [{ id: 'x', type: 'MergeTask' }], dataflows: [], note: 1 } }], dataflows: [] } }], dataflows: [] };
    expect(built(toTypeScript(json)).toJSON()).toEqual(json);
    const kept: TaskGraphJson = { tasks: [{ id: 'a', type: 'MergeTask', position: { x: 1 } }, { id: 'g', type: 'GraphAsTask', color: 'red', subgraph: { tasks: [], dataflows: [] } }], dataflows: [{ sourceTaskId: 'a', sourceTaskPortId: 'x', targetTaskId: 'g', targetTaskPortId: 'y', label: 'it goes', transforms: [{ id: 'uppercase' }] }] };
    expect(built(toTypeScript(kept)).toJSON()).toEqual(kept);
    expect(built(toTypeScript(letters())).toJSON()).toEqual(letters().toJSON());
  });

  it('names classes by where they are: of holdfast, of the page, of defineTask, of a module that is given', () => {
    const json: TaskGraphJson = { tasks: [{ id: 'merge', type: 'MergeTask' }, { id: 'strange', type: Strange.type, config: { any: 'thing' } }, { id: 'second', type: 'MergeTask2' }, { id: 'defined', type: 'a defined task', defaults: { n: 1 } }], dataflows: [] };
    const code = toTypeScript(json, { importOf: (type) => (type === 'MergeTask2' ? { name: 'MergeTask', from: './tasks.ts' } : undefined) });
    expect(code).toContain("import { MergeTask as MergeTask2 } from './tasks.ts';");
    expect(code).toContain('const MyTasksStrange = globalTaskRegistry.getTask(\'my-tasks/ "Strange" `${1}` \\\\\')!;');
    expect(code).toContain("new DefinitionTask('a defined task', { id: 'defined', defaults: { n: 1 } })");
    expect(built(code, { './tasks.ts': { MergeTask: MergeTask2 } }).toJSON()).toEqual(json);
  });

  it('takes names, texts and values of any kind as values', () => {
    const name = fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.constantFrom('__proto__x', 'a\'b"c`${d}\\', '*/ //', '</script>', 'constructor', 'class', '日本', '\u2028', '\ud800'));
    const value = fc.jsonValue({ stringUnit: 'binary', maxDepth: 3 }) as fc.Arbitrary<any>;
    /** What a task's config gives a meaning to takes values of its own only. */
    const meant = new Set(Object.keys(TaskConfigSchema.properties));
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 2, maxLength: 4 }), fc.dictionary(name, value, { maxKeys: 3 }), fc.dictionary(name.filter((key) => !meant.has(key)), value, { maxKeys: 3 }), name, value, fc.boolean(), (ids, defaults, extra, port, more, isNested) => {
        const graph = { tasks: ids.map((id, at) => ({ id, type: at === 0 ? Strange.type : 'MergeTask', ...(at === 0 && Object.keys(extra).length > 0 && { config: extra }), ...(Object.keys(defaults).length > 0 && { defaults }) })), dataflows: [{ sourceTaskId: ids[0]!, sourceTaskPortId: port, targetTaskId: ids[1]!, targetTaskPortId: port, transforms: [{ id: port, params: { more } }] }], more };
        const json: TaskGraphJson = isNested ? { tasks: [{ id: ids[0]!, type: 'GraphAsTask', subgraph: graph }], dataflows: [] } : graph;
        const expected = createGraphFromGraphJSON(structuredClone(json)).toJSON();
        expect(built(toTypeScript(json)).toJSON()).toEqual(expected);
      }),
      { numRuns: 200, interruptAfterTimeLimit: 8000 },
    );
  });

  it('keeps keys that change objects, and minus nought', () => {
    const defaults = JSON.parse('{"__proto__":{"polluted":1},"n":-0,"constructor":1}');
    const again = built(toTypeScript({ tasks: [{ id: 'a', type: 'MergeTask', defaults }], dataflows: [] })).getTask('a')!.defaults;
    expect(Object.keys(again)).toEqual(['__proto__', 'n', 'constructor']);
    expect([Object.is(again['n'], -0), ({} as any).polluted]).toEqual([true, undefined]);
  });

  it('refuses what no code can say', () => {
    const graph = new TaskGraph();
    graph.addTask(new LambdaTask({ id: 'l', execute: () => 1 }));
    expect(() => toTypeScript(graph)).toThrow(TaskSerializationError);
    const of = (value: unknown) => toTypeScript({ tasks: [{ id: 'a', type: 'MergeTask', defaults: { deep: [value] } }], dataflows: [] });
    for (const value of [new Date(0), Number.NaN, 1n, new Map(), Symbol('x')]) expect(() => of(value)).toThrow('toTypeScript: /tasks/0/defaults/deep/0 is');
    const holdsItself: any = {};
    holdsItself.me = holdsItself;
    expect(() => of(holdsItself)).toThrow('nested deeper than 200');
    expect(new GraphAsTask({ id: 'g' }).id).toBe('g');
  });
});
