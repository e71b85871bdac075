/** Where a value comes from: tags merged along edges, executions once, of ports, of graphs in graphs; in words, and as PROV-JSON. */
import { defineTask } from 'holdfast';
import { explainProvenance, GraphAsTask, type Provenance, registerTask, Task, TaskConfigurationError, TaskGraph, type TaskInput, type TaskOutput, toProvJson } from 'holdfast/graph';
import { describe, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { openHouse } from '../house.ts';
import { open } from '../houses.ts';

class Pass extends Task {
  static override readonly type = 'ProvPass';
  static override readonly version = 3;
  override execute(input: TaskInput): TaskOutput {
    return { ...input, by: this.id };
  }
}
class Fails extends Task {
  static override readonly type = 'ProvFails';
  override execute(): TaskOutput {
    throw new Error('no');
  }
}
registerTask(Pass, Fails);

/** a → b, a → c, b and c → d */
function diamond(): TaskGraph {
  const graph = new TaskGraph();
  for (const id of ['a', 'b', 'c', 'd']) graph.addTask(new Pass({ id, provenance: { who: id, [id]: 1 } }));
  graph.connect('a', 'by', 'b', 'x');
  graph.connect('a', 'by', 'c', 'x');
  graph.connect('b', 'by', 'd', 'left');
  graph.connect('c', '*', 'd', 'right');
  return graph;
}
const ids = (provenance: Provenance | undefined) => provenance?.items.map(({ taskId }) => taskId);

describe('a graph that was run', () => {
  it('says where outputs, ports and edges have their values from: tags of later ones count, each execution once', async () => {
    const graph = diamond();
    expect(graph.getProvenance('d')).toBe(undefined);
    await graph.run({ text: 'x' }, { parentProvenance: { who: 'parent', batch: 7 } });
    const { tags, items } = graph.getProvenance('d')!;
    expect(tags).toEqual({ batch: 7, a: 1, b: 1, c: 1, d: 1, who: 'd' });
    expect(items.map(({ taskId, type, version }) => [taskId, type, version])).toEqual(['a', 'b', 'c', 'd'].map((id) => [id, 'ProvPass', 3]));
    expect(items.every(({ startedAt, durationMs, configHash, inputHash, outputHash }) => startedAt > 1e12 && durationMs >= 0 && durationMs < 10_000 && configHash && inputHash && outputHash)).toBe(true);
    expect(items[3]!.sources.map(({ runId, sourcePort, targetPort }) => [items.find((item) => item.runId === runId)!.taskId, sourcePort, targetPort])).toEqual([['b', 'by', 'left'], ['c', '*', 'right']]);
    expect(ids(graph.getProvenance('d', 'left'))).toEqual(['a', 'b']);
    expect(graph.getProvenance('d', 'right')!.tags).toEqual({ batch: 7, a: 1, c: 1, who: 'c' });
    expect(graph.getProvenance('d', 'nowhere')).toBe(undefined);
    expect(graph.getTask('b')!.getProvenance()!.tags['who']).toBe('b');
    expect(ids(graph.getDataflow('b[by] ==> d[left]')!.provenance)).toEqual(['a', 'b']);
    graph.resetGraph();
    expect(graph.getDataflow('b[by] ==> d[left]')!.provenance).toBe(undefined);
  });

  it('of an error that was handled, with the node that failed', async () => {
    const graph = new TaskGraph();
    graph.addTasks([new Fails({ id: 'fails', provenance: { from: 'fails' } }), new Pass({ id: 'handles' })]);
    graph.connect('fails', '[error]', 'handles', '*');
    await graph.run();
    expect(graph.getProvenance('handles')!.tags).toEqual({ from: 'fails' });
    expect(graph.explain('handles').steps.map(({ message }) => message)[0]).toContain('with the error of fails.');
  });

  it('nodes of a graph within a node have that node\'s tags below their own', async () => {
    const inner = new TaskGraph();
    inner.addTask(new Pass({ id: 'inner', provenance: { inner: 1, who: 'inner' } }));
    const graph = new TaskGraph();
    graph.addTasks([new Pass({ id: 'first', provenance: { first: 1 } }), new GraphAsTask({ id: 'whole', subGraph: inner, provenance: { who: 'whole', whole: 1 } })]);
    graph.connect('first', 'by', 'whole', 'by');
    await graph.run({}, { parentProvenance: { batch: 7 } });
    expect(inner.getProvenance('inner')!.tags).toEqual({ batch: 7, first: 1, whole: 1, who: 'inner', inner: 1 });
  });

  it('explains an output by its task, by its result, by itself; and refuses what is none', async () => {
    const graph = diamond();
    expect(() => graph.explain('d')).toThrow('Task "d" has given nothing, in the run that the graph shows. Run it first');
    const [result] = await graph.run();
    const explanation = graph.explain('d');
    expect(explanation.message.split('\n')).toEqual([
      'What d gave:', expect.stringMatching(/^d \(ProvPass, version 3\) ran for \d+ ms at 20.*Z, with left = by of b, right = all that c gave\.$/), expect.stringMatching(/^c .* with x = by of a\.$/), expect.stringMatching(/^b .* with x = by of a\.$/),
      expect.stringMatching(/^a .* on the graph's input and its defaults\.$/), 'Noted on the way: who = d, a = 1, b = 1, c = 1, d = 1.',
    ]);
    expect(explanation.steps[0]!.inputs).toEqual([{ port: 'left', taskId: 'b', sourcePort: 'by' }, { port: 'right', taskId: 'c', sourcePort: '*' }]);
    expect(graph.explain(result!)).toEqual(explanation);
    expect(graph.explain(result!.data)).toEqual(explanation);
    expect(graph.explain('d', 'left').message.startsWith('What came to d[left]:\nb ')).toBe(true);
    for (const wrong of [{}, null, 3, 'nobody'] as any[]) expect(() => graph.explain(wrong)).toThrow(TaskConfigurationError);
    expect(() => graph.explain('d', 'up')).toThrow('Task "d" got nothing by its port "up"');
  });
});

it('a run that comes back after a crash says the same, of its nodes and their ports', async () => {
  let house = await openHouse();
  const { id } = await house.orchestrator.graphs.run(diamond(), { text: 'x' });
  await house.clock.advance(1000);
  const before = await (await house.orchestrator.graphs.get(id))!.getProvenance('d');
  house = await house.crash();
  await house.clock.advance(1000);
  const run = (await house.orchestrator.graphs.get(id))!;
  await run.result();
  expect(await run.getProvenance('d')).toEqual(before);
  expect(ids(await run.getProvenance('d', 'right'))).toEqual(['a', 'c']);
  expect((await run.explain('d', 'right'))!.steps).toHaveLength(2);
  expect(explainProvenance(before!)).toEqual(await run.explain('d'));
  house.cut();
});

describe('PROV-JSON', () => {
  const relations = {
    wasGeneratedBy: [['prov:entity', 'entity'], ['prov:activity', 'activity']], used: [['prov:activity', 'activity'], ['prov:entity', 'entity']], wasDerivedFrom: [['prov:generatedEntity', 'entity'], ['prov:usedEntity', 'entity'], ['prov:activity', 'activity']],
    wasAssociatedWith: [['prov:activity', 'activity'], ['prov:agent', 'agent'], ['prov:plan', 'entity']], wasAttributedTo: [['prov:entity', 'entity'], ['prov:agent', 'agent']],
  } as const;
  const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

  /** The rules of the PROV-JSON schema, as far as they touch what is written here. */
  function checkProv(document: any): void {
    const isQualified = (name: string) => {
      const [, prefix] = /^([A-Za-z][\w-]*):(?:[A-Za-z0-9_]|%[0-9A-F]{2})(?:[A-Za-z0-9_.-]|%[0-9A-F]{2})*$/.exec(name) ?? [];
      return prefix !== undefined && (prefix === 'prov' || Object.hasOwn(document.prefix, prefix));
    };
    const checkAttributes = (record: Record<string, unknown>) => {
      for (const [name, value] of Object.entries(record)) {
        expect(isQualified(name), name).toBe(true);
        const literal = value as any;
        if (typeof value === 'object') expect(Object.keys(literal).sort()).toEqual(['$', 'type']);
        if (typeof value === 'object') expect(typeof literal.$ === 'string' && isQualified(literal.type)).toBe(true);
        if (literal?.type === 'prov:QUALIFIED_NAME') expect(isQualified(literal.$)).toBe(true);
        else if (typeof value !== 'object') expect(['string', 'number', 'boolean']).toContain(typeof value);
        if (name === 'prov:time' || name === 'prov:startTime' || name === 'prov:endTime') expect(value).toMatch(dateTime);
      }
    };
    for (const [prefix, address] of Object.entries(document.prefix)) expect([/^[A-Za-z][\w-]*$/.test(prefix), URL.canParse(address as string)]).toEqual([true, true]);
    for (const kind of ['entity', 'activity', 'agent']) for (const [name, record] of Object.entries<any>(document[kind])) {
      expect(isQualified(name), name).toBe(true);
      checkAttributes(record);
    }
    for (const [relation, ends] of Object.entries(relations)) for (const [name, record] of Object.entries<any>(document[relation])) {
      expect(name).toMatch(/^_:\w+$/);
      checkAttributes(record);
      for (const [attribute, kind] of ends) expect(Object.hasOwn(document[kind], record[attribute]), `${relation} ${attribute} ${record[attribute]}`).toBe(true);
    }
    expect(Object.keys(document).sort()).toEqual(['activity', 'agent', 'entity', 'prefix', ...Object.keys(relations)].sort());
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  }

  it('is sound, and says who made what of what', async () => {
    const graph = diamond();
    await graph.run();
    const provenance = graph.getProvenance('d')!;
    const document = toProvJson(provenance);
    checkProv(document);
    expect([document.entity, document.activity, document.agent, document.wasGeneratedBy, document.used, document.wasDerivedFrom].map((each) => Object.keys(each).length)).toEqual([4 + 1 + 1, 4, 1, 4, 5, 5]);
    const last = `holdfast:output-${provenance.items[3]!.runId}`;
    expect(Object.values(document.wasDerivedFrom).filter((each) => each['prov:generatedEntity'] === last).map((each) => each['prov:usedEntity'])).toEqual([1, 2].map((at) => `holdfast:output-${provenance.items[at]!.runId}`));
    expect(document.entity[last]).toMatchObject({ 'holdfast:tag-who': 'd', 'holdfast:tag-a': { $: '1', type: 'xsd:integer' } });
    expect(toProvJson(provenance)).toEqual(document);
  });

  it('is sound with any names and tags, and refuses a prefix that is none', async () => {
    const { orchestrator } = await open();
    defineTask({ id: 'ä/ö: "<é>" 😀 %', run: () => ({ n: 1 }) });
    const graph = new TaskGraph();
    graph.addTask(new Pass({ id: '-a.b/c "😀"', provenance: { 'a b/ü': 'x', '': { deep: [1] }, half: 0.5, no: null, yes: true } }));
    const run = await orchestrator.graphs.run(graph);
    await run.result();
    const provenance = (await run.getProvenance('-a.b/c "😀"'))!;
    checkProv(toProvJson(provenance, { prefix: 'mine', namespace: 'https://example.com/prov#' }));
    for (const prefix of ['', '1', 'prov', 'a b']) expect(() => toProvJson(provenance, { prefix })).toThrow(TypeError);
  });
});
