/** The builder: what is connected to what, what is wrong and when that is said, what comes out. */
import { registerTask, Task, type TaskInput, type TaskOutput } from 'holdfast/graph';
import { describe, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import '../../../js/testing/rooms.ts';
import { createGraphFromDependencyJSON, createGraphFromGraphJSON } from '../../../js/graph/documents.ts';
import { FetchUrlTask, registerBaseTasks, TemplateTask } from '../../../js/graph/nodes/index.ts';
import { Workflow } from '../../../js/graph/workflow.ts';

const text = { type: 'string' } as const;
const number = { type: 'number' } as const;
const ports = (properties: Record<string, any>, required: string[] = Object.keys(properties)) => ({ type: 'object', properties, required, additionalProperties: false });

class Words extends Task<{ text: string }, { words: string[]; text: string }> {
  static override readonly type = 'FlowWords';
  static override inputSchema = () => ports({ text });
  static override outputSchema = () => ports({ words: { type: 'array', items: text }, text });
  override execute({ text: given }: { text: string }) {
    return { words: given.split(' '), text: given };
  }
}
class Measure extends Task<{ word: string }, { length: number }> {
  static override readonly type = 'FlowMeasure';
  static override inputSchema = () => ports({ word: text });
  static override outputSchema = () => ports({ length: number });
  override execute({ word }: { word: string }) {
    if (word === 'bad') throw new Error('a bad word');
    return { length: word.length };
  }
}
class Sum extends Task<{ length: number[] }, { sum: number }> {
  static override readonly type = 'FlowSum';
  static override inputSchema = () => ports({ length: { type: 'array', items: number } });
  static override outputSchema = () => ports({ sum: number });
  override execute({ length }: { length: number[] }) {
    return { sum: length.reduce((one, other) => one + other, 0) };
  }
}
class Needs extends Task {
  static override readonly type = 'FlowNeeds';
  static override inputSchema = () => ports({ sum: number, model: text });
  override execute(input: TaskInput): TaskOutput {
    return input;
  }
}
registerTask(Words, Measure, Sum, Needs);
registerBaseTasks();

const edges = (workflow: Workflow<any, any>) => workflow.graph.getDataflows().map(({ id }) => id);

describe('a workflow', () => {
  it('connects each task to the one before it, loops included', async () => {
    const workflow = new Workflow<{ text: string }>()
      .addTask(Words, {}, { id: 'words' })
      .rename('words', 'word')
      .map({ id: 'each', maxIterations: 10 })
      .addTask(Measure, {}, { id: 'measure' })
      .endMap()
      .addTask(Sum, {}, { id: 'sum' });
    expect(workflow.error).toBe('');
    expect(edges(workflow)).toEqual(['words[words] ==> each[word]', 'each[length] ==> sum[length]']);
    expect(await workflow.run({ text: 'how long is it' })).toEqual({ sum: 11 });
  });

  it('takes functions; pipe gives each all that the one before it gave', async () => {
    expect(await new Workflow().addTask(({ n }: any) => ({ n: n + 1 })).addTask(({ n }: any) => ({ n: n * 2 })).run({ n: 1 })).toEqual({ n: 4 });
    expect(await Workflow.pipe(({ n }: any) => ({ n: n + 1 }), ({ n }: any) => n * 2).run({ n: 1 })).toEqual({ output: 4 });
  });

  it('parallel does all at once and merges', async () => {
    expect(await Workflow.parallel([({ n }: any) => ({ n: n + 1 }), ({ n }: any) => ({ n: n * 10 })]).run({ n: 1 })).toEqual({ n: [2, 10] });
    expect(await new Workflow().pipe(({ n }: any) => ({ n: n + 1 })).parallel([({ n }: any) => ({ a: n }), ({ n }: any) => ({ b: n })], 'deep-merge').run({ n: 1 })).toEqual({ a: 2, b: 2 });
  });

  it('rename carries transforms, and reaches further back', async () => {
    const workflow = new Workflow().addTask(Words, { text: 'a bc' }).rename('words', 'word', { transforms: [{ id: 'index', params: { index: 1 } }, { id: 'uppercase' }] }).addTask(Measure).rename('text', 'template', -2).addTask(TemplateTask, { values: {} });
    expect(workflow.error).toBe('');
    expect(await workflow.run()).toEqual({ length: [2], result: ['a bc'] });
  });

  it('goes on by one of two ways, and on from both', async () => {
    const workflow = () => new Workflow().addTask(({ n }: any) => ({ n })).if({ field: 'n', operator: 'greater_than', value: 3 }, ({ n }: any) => ({ n: n * 100 }), ({ n }: any) => ({ n: -n })).addTask(({ n }: any) => ({ said: `it is ${n}` }));
    expect(await workflow().run({ n: 5 })).toEqual({ said: 'it is 500' });
    expect(await workflow().run({ n: 2 })).toEqual({ said: 'it is -2' });
  });

  it('goes round while something holds, carries along, groups, falls back', async () => {
    expect(await new Workflow().while({ maxIterations: 20, condition: ({ n }: any) => n < 10 }).addTask(({ n }: any) => ({ n: n * 2 })).endWhile().run({ n: 1 })).toMatchObject({ n: 16, _iterations: 4 });
    expect(await new Workflow().reduce({ maxIterations: 20, initialValue: 0 }).addTask(({ accumulator, currentItem }: any) => ({ accumulator: accumulator + currentItem })).endReduce().run({ n: [1, 2, 3] })).toEqual({ accumulator: 6 });
    expect(await new Workflow().group().addTask(({ n }: any) => ({ n: n + 1 })).addTask(({ n }: any) => ({ n: n + 1 })).endGroup().run({ n: 1 })).toEqual({ n: 3 });
    const fails = (): never => {
      throw new Error('no');
    };
    expect(await new Workflow().fallback().addTask(fails).addTask(({ n }: any) => ({ n })).endFallback().run({ n: 1 })).toEqual({ n: 1 });
    expect(await new Workflow().fallbackWith([{ word: 'bad' }, { word: 'good' }]).addTask(Measure).endFallbackWith().run()).toEqual({ length: 4 });
  });

  it('a failure goes to its handler', async () => {
    const workflow = new Workflow().addTask(Measure, { word: 'bad' }, { id: 'measure' }).onError(({ error, errorType }: any) => ({ said: `${errorType}: ${error}` }));
    expect(edges(workflow)[0]).toMatch(/^measure\[\[error\]\] ==> .+\[\*\]$/);
    expect(await workflow.run()).toEqual({ said: 'TaskFailedError: a bad word' });
  });

  it('keeps what went wrong first, adds nothing after it, and throws it at run', async () => {
    const heard: string[] = [];
    const workflow = new Workflow();
    workflow.on('error', (error) => heard.push(error));
    workflow.addTask(Words, { text: 'a' }, { id: 'words' }).addTask(Needs).addTask(Measure);
    expect(workflow.error).toBe('Could not find matches for required inputs [sum, model] of FlowNeeds. Attempted to match from FlowWords and earlier tasks. Give them a value, or say where they come from: rename(output, input) before it is added. It was not added.');
    expect(workflow.graph.getTasks().map(({ id }) => id)).toEqual(['words']);
    await expect(workflow.run()).rejects.toMatchObject({ name: 'WorkflowError', message: workflow.error });
    expect(() => workflow.toTaskGraph()).toThrow('It was not added.');
    expect(heard).toEqual([workflow.error]);
    expect(await workflow.reset().addTask(Words, { text: 'a' }).run()).toEqual({ words: ['a'], text: 'a' });
  });

  it.each<[string, (workflow: Workflow<any, any>) => Workflow<any, any>, string]>([
    ['a rename of no output', (workflow) => workflow.rename('nothing', 'word'), 'has no output "nothing"'],
    ['a rename to no input', (workflow) => workflow.rename('words', 'nothing').addTask(Measure), 'has no input "nothing". It was not added.'],
    ['a rename too far back', (workflow) => workflow.rename('words', 'word', -2), 'rename: there is no task -2: 1 was added. -1 is the last.'],
    ['an end without a beginning', (workflow) => workflow.endMap(), 'endMap() ends a block, and none is open.'],
    ['another end', (workflow) => workflow.group().addTask(Measure).endMap(), "endMap() can't end this block: endGroup() does."],
    ['something wrong in a block', (workflow) => workflow.group().addTask(Words).addTask(Needs).endGroup(), 'required inputs [sum, model] of FlowNeeds'],
    ['a loop without a bound', (workflow) => workflow.map({} as never).addTask(Measure).endMap(), 'config.maxIterations must be a whole number above 0'],
    ['a cycle', (workflow) => workflow.addTask(Words).connect(workflow.graph.getTasks()[1]!.id, 'text', workflow.graph.getTasks()[0]!.id, 'text'), 'would close a cycle'],
    ['an unknown merge', (workflow) => workflow.parallel([Words], 'newest' as never), 'no merge strategy'],
  ])('%s is kept as an error', (_, build, says) => {
    expect(build(new Workflow().addTask(Words)).error).toContain(says);
  });

  it('a rename that nothing follows is said at run; pop takes back the last task and its error', async () => {
    const workflow = new Workflow().addTask(Words, { text: 'a b' });
    await expect(workflow.rename('words', 'word').run()).rejects.toThrow('rename(…, "word") is for the task that is added next');
    expect(workflow.addTask(Measure, { word: 'a' }).pop().graph.size).toBe(1);
    expect(new Workflow().pop().error).toBe('pop needs a task before it, and there is none.');
  });

  it('tells of changes and of its run', async () => {
    const workflow = new Workflow();
    const heard: string[] = [];
    for (const name of ['changed', 'start', 'complete', 'error', 'reset'] as const) workflow.on(name, (...given: unknown[]) => heard.push([name, ...given].join(' ')));
    workflow.addTask(Measure, { word: 'bad' }, { id: 'a' });
    await expect(workflow.run()).rejects.toThrow();
    workflow.reset();
    expect(heard).toEqual(['changed a', 'start', 'error a bad word', 'reset']);
  });

  it('is aborted', async () => {
    const workflow = new Workflow().addTask((_: any, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))));
    const running = workflow.run();
    const aborted = workflow.waitOn('abort');
    setTimeout(() => workflow.abort('enough'), 20);
    await expect(running).rejects.toMatchObject({ name: 'TaskAbortedError' });
    await aborted;
  });

  it.each(['signal', 'parentSignal'] as const)('is aborted by the %s of a run, where both are given too, and tells of that', async (name) => {
    const workflow = new Workflow().addTask((_: any, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))), {}, { id: 'waits' });
    const controllers = { signal: new AbortController(), parentSignal: new AbortController() };
    const heard: string[] = [];
    for (const event of ['abort', 'error'] as const) workflow.on(event, () => heard.push(event));
    const running = workflow.run({}, { signal: controllers.signal.signal, parentSignal: controllers.parentSignal.signal });
    await new Promise((resolve) => workflow.graph.getTask('waits')!.once('start', () => resolve(undefined)));
    controllers[name].abort();
    await expect(running).rejects.toMatchObject({ name: 'TaskAbortedError' });
    expect(heard).toEqual(['abort']);
  });

  it('keeps outputs where it is given a place, by name or alone, and refuses what is none', async () => {
    let executed = 0;
    class Counts extends Task<{ n: number }, { n: number }> {
      static override readonly type = 'FlowCounts';
      override execute({ n }: { n: number }) {
        executed++;
        return { n: n + 1 };
      }
    }
    const outputs = new Map<string, unknown>();
    const repository = { getOutput: async (...of: unknown[]) => outputs.get(JSON.stringify(of)), saveOutput: async (type: string, inputs: unknown, output: unknown) => void outputs.set(JSON.stringify([type, inputs]), output) };
    for (const workflow of [new Workflow(repository), new Workflow({ outputCache: repository })]) expect(await workflow.addTask(Counts).run({ n: 1 })).toEqual({ n: 2 });
    expect([executed, [...outputs.keys()]]).toEqual([1, ['["FlowCounts",{"n":1}]']]);
    expect(() => new Workflow({ cache: repository } as never)).toThrow('new Workflow');
    expect(() => new Workflow({ outputCache: 3 as never })).toThrow('new Workflow outputCache must be true, false or a repository');
  });

  it('helpers add a task to a workflow, or begin one', async () => {
    const words = Workflow.createWorkflow(Words);
    const measure = Workflow.createWorkflow(Measure);
    expect(await words({ text: 'a bc' }).rename('text', 'word').use(measure).run()).toEqual({ length: 4 });
  });

  it('is a task, a graph, and documents in both forms', async () => {
    const workflow = new Workflow().addTask(Words, {}, { id: 'words' }).rename('text', 'word').addTask(Measure, {}, { id: 'measure' });
    expect(await workflow.toTask({ id: 'one' }).run({ text: 'abc' })).toEqual({ length: 3 });
    for (const graph of [createGraphFromGraphJSON(workflow.toJSON()), createGraphFromDependencyJSON(workflow.toDependencyJSON())]) expect(await graph.run({ text: 'abc' })).toEqual([{ id: 'measure', type: 'FlowMeasure', data: { length: 3 } }]);
    expect(workflow.toDependencyJSON()).toEqual([{ id: 'words', type: 'FlowWords' }, { id: 'measure', type: 'FlowMeasure', dependencies: { word: { id: 'words', output: 'text' } } }]);
    const bounded = workflow.toJSON({ withBoundaryNodes: true });
    expect(bounded.tasks.map(({ id }) => id)).toEqual(['input', 'words', 'measure', 'output']);
    expect(await createGraphFromGraphJSON(bounded).run({ text: 'abc' })).toEqual([{ id: 'output', type: 'OutputTask', data: { length: 3 } }]);
  });

  it('knows the types of what it is given', () => {
    const typed = new Workflow<{ text: string }>().addTask(Words);
    const never = () => {
      // @ts-expect-error it has no such port
      new Workflow().addTask(FetchUrlTask, { url: 3 });
      typed.run({ text: 'a' }).then(({ words }) => words.map((word) => word.length));
    };
    expect(never).toBeTypeOf('function');
  });
});
