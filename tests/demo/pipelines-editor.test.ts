/** The editor's model: what people do to a graph, without a page. */
import { type JsonSchema, Task, TaskRegistry } from 'holdfast/graph';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Catalog, landed, shownPorts } from '../../demo/src/pipelines/catalog.ts';
import { openDrawing } from '../../demo/src/pipelines/check.ts';
import { issueSaid } from '../../demo/src/pipelines/words.ts';
import { type Action, edited, type Editor, startedWith } from '../../demo/src/pipelines/editor.ts';
import { fitOf } from '../../demo/src/pipelines/fit.ts';
import { insideOf } from '../../demo/src/pipelines/inside.tsx';
import { edgeId, freshId, type GraphDocument, kEmpty } from '../../demo/src/pipelines/graph-document.ts';

const ports = (properties: Record<string, JsonSchema>, required: string[] = []): JsonSchema => ({ type: 'object', properties, required, additionalProperties: false });

class Pages extends Task {
  static override readonly type = 'demo/pages';
  static override readonly title = 'Pages';
  static override inputSchema = () => ports({ file: { type: 'object', format: 'file:pdf' } }, ['file']);
  static override outputSchema = () => ports({ pages: { type: 'array', items: { type: 'string' } }, count: { type: 'integer' } });
}
class Shout extends Task {
  static override readonly type = 'ShoutTask';
  static override inputSchema = () => ports({ text: { type: 'string' } }, ['text']);
  static override outputSchema = () => ports({ text: { type: 'string' } });
}
class Open extends Task {
  static override readonly type = 'OpenTask';
}
const catalog = new Catalog(new TaskRegistry().registerTask(Pages, Shout, Open), ['demo/pages', 'ShoutTask', 'NoSuchTask']);

const add = (id: string, type = 'ShoutTask'): Action => ({ type: 'add', task: { id, type }, at: { x: 10.4, y: 20 } });
const edge = (from: string, port: string, to: string, toPort: string) => ({ sourceTaskId: from, sourceTaskPortId: port, targetTaskId: to, targetTaskPortId: toPort });
const connect = (from: string, to: string): Action => ({ type: 'connect', edge: edge(from, 'text', to, 'text') });
const after = (...actions: Action[]): Editor => actions.reduce(edited, startedWith());
const twoConnected = () => after(add('a'), add('b'), connect('a', 'b'));

it('shows what stands in a node that holds a graph, however deep', () => {
  const inner = { tasks: [{ id: 'first', type: 'ShoutTask', config: { title: 'Loud' } }, { id: 'whole', type: 'GraphAsTask', subgraph: { tasks: [{ id: 'in it', type: 'NoSuchTask', config: { disabled: true } }], dataflows: [] } }], dataflows: [edge('first', 'text', 'whole', 'a'), edge('first', 'text', 'whole', 'b'), edge('gone', 'x', 'whole', 'c')] };
  const plain = { from: [], isOff: false, inside: [] };
  expect(insideOf({ subgraph: inner }, catalog, 'en')).toEqual([
    { ...plain, id: 'first', title: 'Loud', kind: 'ShoutTask' },
    { id: 'whole', title: 'GraphAsTask', kind: 'GraphAsTask', from: ['Loud', 'gone'], isOff: false, inside: [{ ...plain, id: 'in it', title: 'NoSuchTask', kind: 'NoSuchTask', isOff: true }] },
  ]);
  expect(insideOf({}, catalog, 'fr')).toEqual([]);
});

describe('Drawing', () => {
  it('adds nodes and edges, and selects what was added', () => {
    const { document, selection } = twoConnected();
    expect(document.tasks.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(document.layout).toEqual({ a: { x: 10, y: 20 }, b: { x: 10, y: 20 } });
    expect(selection).toEqual({ tasks: [], edges: ['a[text] ==> b[text]'] });
  });

  it('takes the edges of a node away with it, and gives both back together', () => {
    const removed = edited(twoConnected(), { type: 'remove', tasks: ['b'], edges: [] });
    expect(removed.document).toMatchObject({ tasks: [{ id: 'a' }], dataflows: [], layout: { a: { x: 10 } } });
    expect(removed.document.layout).not.toHaveProperty('b');
    expect(edited(removed, { type: 'undo' }).document).toEqual(twoConnected().document);
  });

  it('refuses an id that is there, an edge that is there, and an edge to nowhere, by changing nothing', () => {
    const editor = twoConnected();
    for (const action of [add('a'), connect('a', 'b'), connect('a', 'nowhere'), { type: 'remove', tasks: ['nowhere'], edges: [] } as Action]) expect(edited(editor, action)).toBe(editor);
  });

  it('copies nodes with what is between them', () => {
    const { document, selection } = edited(twoConnected(), { type: 'duplicate', tasks: ['a', 'b'] });
    expect(selection.tasks).toEqual(['a-2', 'b-2'].map((id) => document.tasks.find((task) => task.id === id)!.id));
    expect(document.dataflows.map(edgeId)).toEqual(['a[text] ==> b[text]', 'a-2[text] ==> b-2[text]']);
  });

  it('names new nodes after their kind, each once', () => {
    const document = { ...kEmpty, tasks: [{ id: 'json-path', type: 'x' }, { id: 'json-path-2', type: 'x' }] };
    expect([freshId(kEmpty, 'demo/pdf-text'), freshId(kEmpty, 'HumanApprovalTask'), freshId(document, 'JsonPathTask')]).toEqual(['pdf-text', 'human-approval', 'json-path-3']);
  });
});

describe('Undo', () => {
  it('takes a drag, or a word that is typed, back as one step', () => {
    const moved = (x: number, done = false): Action => ({ type: 'move', positions: { a: { x, y: 0 } }, done });
    const typed = (value: string): Action => ({ type: 'setDefault', id: 'a', port: 'text', value });
    const editor = [add('a'), moved(50), moved(90), moved(120, true), moved(300, true), typed('h'), typed('hi'), { type: 'settle' } as Action, typed('hi!')].reduce(edited, startedWith());
    const seen = [];
    for (let at = editor; at.past.length > 0; at = edited(at, { type: 'undo' })) seen.push([at.document.layout['a']?.x, at.document.tasks[0]?.defaults?.['text']]);
    expect(seen).toEqual([[300, 'hi!'], [300, 'hi'], [300, undefined], [120, undefined], [10, undefined]]);
  });

  it('forgets what was undone when something else is done', () => {
    const editor = edited(edited(twoConnected(), { type: 'undo' }), add('c'));
    expect(edited(editor, { type: 'redo' })).toBe(editor);
  });

  it('of any actions leads back to the beginning, and redo to the end, with whole documents on the way', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd');
    const action: fc.Arbitrary<Action> = fc.oneof(
      id.map((one) => add(one)),
      fc.tuple(id, id).map(([from, to]) => connect(from, to)),
      fc.tuple(id, fc.integer(), fc.boolean()).map(([one, x, done]): Action => ({ type: 'move', positions: { [one]: { x, y: x } }, done })),
      id.map((one): Action => ({ type: 'remove', tasks: [one], edges: [] })),
      id.map((one): Action => ({ type: 'duplicate', tasks: [one] })),
      fc.tuple(id, fc.option(fc.string(), { nil: undefined })).map(([one, value]): Action => ({ type: 'setConfig', id: one, name: 'title', value })),
      fc.constant<Action>({ type: 'settle' }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        let editor = actions.reduce(edited, startedWith());
        const end = editor.document;
        const steps = editor.past.length;
        for (let step = 0; step < steps; step++) {
          const ids = new Set(editor.document.tasks.map((task) => task.id));
          expect(editor.document.dataflows.every(({ sourceTaskId, targetTaskId }) => ids.has(sourceTaskId) && ids.has(targetTaskId))).toBe(true);
          expect(ids.size).toBe(editor.document.tasks.length);
          editor = edited(editor, { type: 'undo' });
        }
        expect(editor.document).toBe(kEmpty);
        for (let step = 0; step < steps; step++) editor = edited(editor, { type: 'redo' });
        expect(editor.document).toBe(end);
      }),
      { numRuns: 200 },
    );
  });
});

describe('An edge', () => {
  const document = after(add('pages', 'demo/pages'), add('a'), add('b'), add('open', 'OpenTask'), connect('a', 'b')).document;
  const refusal = (from: string, port: string, to: string, toPort: string) => {
    const fit = fitOf(document, catalog, edge(from, port, to, toPort));
    return 'refusal' in fit ? fit.refusal : fit.how;
  };

  it('is refused where its ports do not fit, with what each of them is', () => {
    expect(refusal('pages', 'pages', 'a', 'text')).toEqual({ code: 'types', gives: { type: 'array', items: { type: 'string' } }, takes: { type: 'string' }, sourcePort: 'pages', targetPort: 'text' });
    expect(refusal('a', 'text', 'pages', 'file')).toMatchObject({ code: 'types', takes: { format: 'file:pdf' } });
  });

  it('is refused to itself, twice, round in a circle, and where there is no such port', () => {
    expect([refusal('a', 'text', 'a', 'text'), refusal('a', 'text', 'b', 'text'), refusal('b', 'text', 'a', 'text')]).toEqual([{ code: 'self' }, { code: 'known' }, { code: 'cycle' }]);
    expect(refusal('a', 'nothing', 'b', 'text')).toEqual({ code: 'noPort', id: 'a', port: 'nothing', way: 'out' });
    expect(refusal('a', 'text', 'pages', 'nothing')).toEqual({ code: 'noPort', id: 'pages', port: 'nothing', way: 'in' });
  });

  it('says whether it always fits or each value is looked at', () => {
    expect([refusal('a', 'text', 'open', 'anything'), refusal('open', 'x', 'a', 'text'), refusal('a', '[error]', 'open', '*')]).toEqual(['static', 'runtime', 'static']);
  });

  it('to a node that takes anything makes a port of its own', () => {
    const first = landed(document, edge('a', 'text', 'open', '+'));
    expect(first.targetTaskPortId).toBe('text');
    const next = { ...document, dataflows: [...document.dataflows, first] };
    expect(landed(next, edge('b', 'text', 'open', '+')).targetTaskPortId).toBe('text_2');
    expect(shownPorts(next, catalog, next.tasks.at(-1)!).inputs.map(({ name }) => name)).toEqual(['text']);
  });
});

describe('A file that is opened', () => {
  const saved = () => JSON.parse(JSON.stringify(twoConnected().document)) as GraphDocument;
  const refusedOf = async (given: string | object) => {
    const opened = await openDrawing(given, catalog);
    return 'issues' in opened ? opened : { issues: [] };
  };

  it('is drawn as it was saved, with everything that stands in it', async () => {
    const json = { ...saved(), meta: { title: 'Mine', by: 'me' }, note: [1, { a: 2 }] };
    expect(await openDrawing(JSON.stringify(json), catalog)).toEqual({ document: json });
    expect(await openDrawing(json, catalog)).toEqual({ document: json });
  });

  it('tells everything that is wrong, each with its place', async () => {
    const json = { ...saved(), tasks: [...saved().tasks, { id: 'a', type: 'ShoutTask' }, { id: 'x', type: 'NoSuchTask' }, { id: '', type: 'ShoutTask' }, 5, { id: 'y', type: 'ShoutTask', config: { nonsense: 1 } }] };
    const edges = [...saved().dataflows, edge('b', 'text', 'a', 'text'), edge('a', 'text', 'gone', 'text'), { sourceTaskId: 'a' }];
    const { issues } = await refusedOf({ ...json, dataflows: edges });
    expect(issues.map(({ code, pointer }) => `${pointer} ${code}`).sort()).toEqual([
      '/dataflows/1 cycle', '/dataflows/2/targetTaskId unknown-task', '/dataflows/3 missing-field', '/dataflows/3 missing-field', '/dataflows/3 missing-field',
      '/tasks/2/id duplicate-id', '/tasks/3/type unknown-type', '/tasks/4/id wrong-type', '/tasks/5 wrong-type', '/tasks/6 config',
    ]);
    expect(issues.map((issue) => issueSaid(issue, 'fr'))).toContain('Aucun type de nœud ne s’appelle « NoSuchTask » ici.');
  });

  it('tells of configs and ports that this page\'s nodes refuse, by the ports that they have here', async () => {
    const wrong = { ...saved(), tasks: [...saved().tasks, { id: 'y', type: 'ShoutTask', config: { nonsense: 1 } }], dataflows: [...saved().dataflows, edge('a', 'nothing', 'b', 'text')] };
    expect((await refusedOf(wrong)).issues.map(({ code, pointer }) => `${pointer} ${code}`)).toEqual(['/tasks/2 config', '/dataflows/1/sourceTaskPortId unknown-port']);
  });

  it('is refused when it is hostile, quickly and without a trace', async () => {
    const deep = `{"tasks":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    const prototype = '{"tasks":[{"id":"a","type":"ShoutTask","config":{"__proto__":{"polluted":true}}}]}';
    const many = { tasks: Array.from({ length: 3000 }, (_, index) => ({ id: `n${index}`, type: 'ShoutTask' })) };
    const codes: string[] = [];
    for (const text of [deep, prototype, JSON.stringify(many), 'no json', 'null', '{"tasks":{}}', ' '.repeat(3_000_000), '{"tasks":[{"id":"__proto__","type":"constructor"}]}', '{"version":7,"tasks":[]}']) codes.push((await refusedOf(text)).issues[0]?.code ?? 'opened');
    expect(codes).toEqual(['too-deep', 'forbidden-key', 'too-large', 'invalid-json', 'not-a-graph', 'wrong-type', 'too-large', 'unknown-type', 'unsupported-version']);
    expect(Object.prototype).not.toHaveProperty('polluted');
    expect(await refusedOf({ tasks: Array.from({ length: 500 }, () => 0) })).toMatchObject({ issues: { length: 50 }, leftOut: 450 });
  });
});
