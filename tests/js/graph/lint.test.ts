/** graph.validate(): what is wrong, and what mostly is a mistake; and where documents are judged without the second file. */
import { checkDocument, GraphAsTask, OutputTask, setDocumentsWasm, Task, TaskGraph, type TaskInput } from 'holdfast/graph';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';

type Ports = Record<string, object>;
const schema = (properties: Ports, required: string[] = Object.keys(properties)) => ({ type: 'object', properties, required, additionalProperties: false }) as const;
function taskOf(type: string, inputs: Ports, outputs: Ports, required?: string[]) {
  return class extends Task {
    static override readonly type = type;
    static override inputSchema = () => schema(inputs, required);
    static override outputSchema = () => schema(outputs);
    override execute(input: TaskInput) {
      return input;
    }
  };
}
const text = { type: 'string' };
const number = { type: 'number' };
const Reads = taskOf('Reads', { file: text }, { text, pages: number });
const Counts = taskOf('Counts', { text }, { count: number });
const Adds = taskOf('Adds', { count: number, start: number }, { sum: number });
const Starts = taskOf('Starts', { sum: number }, { start: number, sum: number });

const found = async (graph: TaskGraph) => (await graph.validate()).map(({ code, severity, taskId, dataflowId }) => `${severity} ${code} ${taskId ?? ''}${dataflowId ?? ''}`);

describe('A graph', () => {
  it('with nothing to say is told nothing', async () => {
    const graph = new TaskGraph();
    graph.addTasks([new Reads({ id: 'read', defaults: { file: 'a.pdf' } }), new Counts({ id: 'count' })]);
    graph.connect('read', 'text', 'count', 'text');
    expect(await found(graph)).toEqual(['warning unused-output read']);
    graph.addTask(({ pages }: { pages: number }) => ({ pages }), { id: 'function' });
    graph.connect('read', 'pages', 'function', 'pages');
    expect(await found(graph)).toEqual([]);
  });

  it('has required inputs that nothing leads to, ports that do not fit, and those that are not there', async () => {
    const graph = new TaskGraph();
    graph.addTasks([new Reads({ id: 'read' }), new Adds({ id: 'add' }), new Counts({ id: 'count' })]);
    graph.connect('read', 'text', 'add', 'count');
    graph.connect('read', 'pages', 'count', 'words');
    expect(await found(graph)).toEqual([
      'warning incompatible-ports read[text] ==> add[count]', 'error unknown-port read[pages] ==> count[words]', 'error missing-input add', 'error missing-input count', 'warning unconnected-input read',
    ]);
  });

  it('has outputs that nobody takes: of ports, and beside the tasks that its result is taken from', async () => {
    const graph = new TaskGraph();
    graph.addTasks([new Reads({ id: 'read', defaults: { file: '' } }), new Counts({ id: 'count' }), new Counts({ id: 'aside' }), new OutputTask({ id: 'out' })]);
    graph.connect('read', 'text', 'count', 'text');
    graph.connect('read', 'text', 'aside', 'text');
    graph.connect('count', '*', 'out', '*');
    expect((await graph.validate()).map(({ message }) => message)).toEqual(['Nothing takes the output "pages" of "read".', 'Nothing takes what "aside" gives, and the graph\'s result is that of other tasks: connect it, or remove it.']);
  });

  it('has a task that never begins, and an input that only what follows could feed', async () => {
    const graph = new TaskGraph();
    graph.addTasks([new Adds({ id: 'add', defaults: { count: 1 } }), new Starts({ id: 'start' })]);
    graph.connect('add', 'sum', 'start', 'sum');
    expect(await found(graph)).toEqual(['warning unconnected-input add', 'warning cycle-candidate add']);
    const flow = (sourceTaskId: string, sourceTaskPortId: string, targetTaskId: string, targetTaskPortId: string) => ({ sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId });
    const round = { tasks: ['a', 'b', 'behind'].map((id) => ({ id, type: 'X' })), dataflows: [flow('a', 'o', 'b', 'i'), flow('b', 'o', 'a', 'i'), flow('b', 'o', 'behind', 'i')] };
    expect((await checkDocument(round, { lint: true })).issues.map(({ code, pointer }) => `${code} ${pointer}`)).toEqual(['cycle /dataflows/1', 'unreachable /tasks/0', 'unreachable /tasks/1', 'unreachable /tasks/2']);
    expect((await checkDocument(round, {})).issues).toHaveLength(1);
  });

  it('is told of what is in its tasks, by their ids', async () => {
    const inner = new TaskGraph();
    inner.addTasks([new Reads({ id: 'read' }), new Adds({ id: 'add' })]);
    inner.connect('read', 'text', 'add', 'count');
    const graph = new TaskGraph();
    graph.addTask(new GraphAsTask({ id: 'whole', subGraph: inner, defaults: { file: 'x', start: 1 } }));
    const issues = await graph.validate();
    expect(issues.map(({ code, taskId, dataflowId, pointer }) => [code, taskId, dataflowId, pointer])).toContainEqual(['incompatible-ports', 'whole', 'read[text] ==> add[count]', '/tasks/0/subgraph/dataflows/0']);
    expect(issues.map(({ code, taskId }) => `${code} ${taskId}`)).toContain('missing-input add');
  });
});

describe('Where json.wasm is', () => {
  afterEach(() => setDocumentsWasm(readFileSync(new URL('../../../js/json.wasm', import.meta.url))));
  const empty = { tasks: [] };

  it('can be said: its bytes; what is none is an error with what to do, and may be tried again', async () => {
    setDocumentsWasm(new Uint8Array([1, 2, 3]));
    await expect(checkDocument(empty, {})).rejects.toMatchObject({ name: 'CoreLoadError', message: expect.stringContaining('is not json.wasm of this version of holdfast') });
    setDocumentsWasm(readFileSync(new URL('../../../js/core.wasm', import.meta.url)));
    await expect(checkDocument(empty, {})).rejects.toMatchObject({ name: 'CoreLoadError', message: expect.stringContaining('setDocumentsWasm(bytes)') });
    setDocumentsWasm(readFileSync(new URL('../../../js/json.wasm', import.meta.url)));
    expect((await checkDocument(empty, {})).issues).toEqual([]);
  });

  it('is within holdfast/inline', async () => {
    setDocumentsWasm(undefined as never);
    await import('holdfast/inline');
    expect((await checkDocument(empty, {})).issues).toEqual([]);
  });
});
