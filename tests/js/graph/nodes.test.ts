/** The nodes that are built in: what each gives, and what it refuses. */
import fc from 'fast-check';
import { ConditionalTask, GraphAsTask, MapTask, Task, TaskGraph } from 'holdfast/graph';
import { afterEach, describe, expect, it, vi } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import {
  baseTasks, csvRows, DateFormatTask, DebugLogTask, DelayTask, FetchUrlTask, FileLoaderTask, HumanApprovalTask, HumanInputTask, InputTask, JsonPathTask, JsonTask, LambdaTask, listHumanRequests, MergeTask, OutputTask, parsePath,
  readPath, RegexTask, registerBaseTasks, renderTemplate, respondToHumanRequest, SplitTask, TemplateTask,
} from '../../../js/graph/nodes/index.ts';
import { matchRegex } from '../../../js/graph/nodes/regex.ts';
import { openHouse } from '../house.ts';

registerBaseTasks();
afterEach(() => vi.restoreAllMocks());

describe('nodes that move values', () => {
  it('Input and Output pass on what comes; an Output is what its graph gives', async () => {
    const graph = new TaskGraph();
    graph.addTasks([new InputTask({ id: 'in' }), new OutputTask({ id: 'out' }), new MergeTask({ id: 'other' })]);
    graph.connect('in', '*', 'out', '*');
    graph.connect('in', 'a', 'other', 'a');
    expect(await graph.run({ a: 1, b: 2 })).toEqual([{ id: 'out', type: 'OutputTask', data: { a: 1, b: 2 } }]);
  });

  it('Merge gathers its ports by their names, Split takes a list apart', async () => {
    expect(await new MergeTask({}).run({ input_10: 'c', input_2: 'b', input_1: 'a' })).toEqual({ output: ['a', 'b', 'c'] });
    expect(await new SplitTask({}).run({ input: ['a', 'b'] })).toEqual({ output_0: 'a', output_1: 'b' });
    expect(await new SplitTask({}).run({ input: 'a' })).toEqual({ output_0: 'a' });
  });

  it('what Split takes apart Merge puts together', () => {
    fc.assert(fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 30 }), (input) => {
      expect(new MergeTask({}).execute(new SplitTask({}).execute({ input }))).toEqual({ output: input });
    }));
  });

  it('Lambda is a function by its config, which can not be stored', async () => {
    expect(await new LambdaTask({ execute: ({ n }) => ({ n: n + 1 }) }).run({ n: 1 })).toEqual({ n: 2 });
    expect(await new LambdaTask({ execute: ({ n }) => n + 1 }).run({ n: 1 })).toEqual({ output: 2 });
    expect(() => new LambdaTask({})).toThrow('LambdaTask needs config.execute');
    expect(() => new LambdaTask({ execute: () => 1 }).toJSON()).toThrow("can't be stored");
  });

  it('DebugLog shows what passes', async () => {
    const shown = vi.spyOn(console, 'warn').mockImplementation(() => {});
    expect(await new DebugLogTask({ id: 'log', log_level: 'warn' }).run({ a: 1 })).toEqual({ a: 1 });
    expect(shown).toHaveBeenCalledExactlyOnceWith('Debug Log (log)', { a: 1 });
    expect(() => new DebugLogTask({ log_level: 'loud' as never })).toThrow('must be one of dir, log, debug, info, warn, error, not "loud"');
  });

  it('Delay waits over a reload, for the rest of its time', async () => {
    const graph = new TaskGraph();
    graph.addTask(new DelayTask({ id: 'delay', delay: '2h' }));
    let house = await openHouse();
    const { id } = await house.orchestrator.graphs.run(graph, { a: 1 });
    await house.clock.advance(3_600_000);
    house = await house.crash();
    await house.clock.advance(3_599_000);
    const run = (await house.orchestrator.graphs.get(id))!;
    expect(run.status).toBe('running');
    await house.clock.advance(1_000);
    expect(await run.result()).toEqual([{ id: 'delay', type: 'DelayTask', data: { a: 1 } }]);
    expect(() => new DelayTask({ delay: 'soon' as never })).toThrow('DelayTask: config.delay must be a duration');
    house.cut();
  });
});

describe('Template', () => {
  it('fills in values, by paths, with what stands there otherwise', async () => {
    const values = { user: { name: 'Ada' }, n: 0, list: [1, 2] };
    expect(await new TemplateTask({}).run({ template: 'Dear {{user.name}}, {{ n }} of {{total|many}}: {{list.1}} {{list}}{{nothing}}', values })).toEqual({ result: 'Dear Ada, 0 of many: 2 [1,2]' });
    expect(renderTemplate('{{constructor}}{{__proto__.x}}', {})).toBe('');
  });

  it('what is filled in is not looked at again', () => {
    fc.assert(fc.property(fc.string(), (text) => void expect(renderTemplate('<{{a}}>', { a: text })).toBe(`<${text}>`)));
  });
});

describe('JsonPath', () => {
  const value = { store: { books: [{ title: 'A', 'list price': 5 }, { title: 'B' }], open: true }, '0': 'zero', 'a.b': 1 };

  it.each([
    ['$.store.books[0].title', 'A'], ['store.books.1.title', 'B'], ['$.store.books[-1].title', 'B'], ['$.store.books[*].title', ['A', 'B']], ['store.books.*.title', ['A', 'B']],
    ["$.store.books[0]['list price']", 5], ['$["a.b"]', 1], ['$', value], ['', value], ['$.nobody.there', undefined], ['$.store.books[7]', undefined], ['$.store.books[*].nothing', []], ['$.constructor', undefined], ['store.books.length', undefined], ['0', 'zero'],
    ['$.store.*', [value.store.books, true]],
  ])('%s', (path, expected) => {
    expect(readPath(value, path)).toEqual(expected);
  });

  it.each([['$.', 1], ['$..title', 1], ['$[', 1], ['$[?(@.a)]', 1], ['a b', 1], ['$.a[0', 3], ["$['a]", 1], ['$[1:2]', 1]])('%s is no path', (path, position) => {
    expect(() => parsePath(path)).toThrow(`is no path at position ${position}`);
  });

  it('finds what is there, whatever it is called', () => {
    const key = fc.string({ minLength: 1 });
    fc.assert(fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), fc.jsonValue(), (keys, leaf) => {
      const nested = keys.reduceRight<unknown>((inner, name) => JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(inner)}}`), leaf);
      const path = `$${keys.map((name) => `['${name.replace(/[\\']/g, '\\$&')}']`).join('')}`;
      expect(readPath(nested, path)).toEqual(JSON.parse(JSON.stringify(leaf)));
    }));
  });

  it('as a node', async () => {
    expect(await new JsonPathTask({}).run({ value, path: '$.store.open' })).toEqual({ result: true });
  });
});

describe('Regex', () => {
  it('finds the first with its groups, or all', async () => {
    expect(await new RegexTask({}).run({ value: 'a1 b22', pattern: '([a-z])(\\d+)' })).toEqual({ match: true, matches: ['a1', 'a', '1'] });
    expect(await new RegexTask({}).run({ value: 'a1 B22', pattern: '([a-z])(\\d+)', flags: 'gi' })).toEqual({ match: true, matches: ['a1', 'B22'] });
    expect(await matchRegex('none', '\\d')).toEqual({ match: false, matches: [] });
    expect(await matchRegex('ac', 'a(b)?c')).toEqual({ match: true, matches: ['ac', ''] });
  });

  it('takes no pattern that may go back for ever, and says so', async () => {
    for (const pattern of ['(?=a)b', '(a)\\1', '(']) await expect(matchRegex('aaa', pattern)).rejects.toThrow('is not taken: ');
    await expect(matchRegex('a', 'a', 'gx')).rejects.toThrow('flags "gx": each of g, i, m, s and u at most once');
    await expect(matchRegex('a', 'a'.repeat(1001))).rejects.toThrow('the limit is 1000');
    await expect(matchRegex('a'.repeat(100_000), '(a?){400}')).rejects.toThrow(/instructions; a text may have \d+ characters then, not 100000/);
  });

  it('patterns that are slow elsewhere end at once, and between matches others get their turn', async () => {
    const evil = `${'a'.repeat(20_000)}!`;
    for (const pattern of ['(a+)+$', '(a|a)+$', '(a|aa)+$', '(.*a){12}$']) expect((await matchRegex(evil, pattern)).match).toBe(false);
    let turns = 0;
    await matchRegex('a'.repeat(1_000), '(a*b|a)', 'g', () => void turns++);
    expect(turns).toBeGreaterThan(5);
  });

  it('finds what the page finds, for patterns that both have', async () => {
    const piece = fc.constantFrom('a', 'b', '[ab]', '.', '\\d', '(a|b)', 'a?', 'b*', '(?:ab)+', '^', '$', '\\b');
    await fc.assert(fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 5 }), fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ', '\n'), maxLength: 12 }), async (pieces, text) => {
      const pattern = pieces.join('');
      const first = new RegExp(pattern).exec(text);
      expect((await matchRegex(text, pattern)).matches[0]).toBe(first?.[0]);
    }), { numRuns: 300 });
  });
});

describe('DateFormat', () => {
  it.each([
    [{ value: '2026-05-01T12:00:00+02:00' }, '2026-05-01T10:00:00.000Z'], [{ value: '1000' }, '1970-01-01T00:00:01.000Z'], [{ value: 0, format: 'unix' }, '0'],
    [{ value: 0, format: 'date', locale: 'de-CH', timeZone: 'Europe/Zurich' }, '01.01.70'], [{ value: 0, format: 'time' }, '12:00:00 AM'], [{ value: 0, format: 'datetime', locale: 'en-GB' }, '01/01/1970, 00:00:00'],
  ] as const)('%j', async (input, expected) => {
    expect((await new DateFormatTask({}).run(input as any)).result.replaceAll(' ', ' ')).toBe(expected);
  });

  it('refuses what is no date, zone or language', async () => {
    await expect(new DateFormatTask({}).run({ value: 'soon' })).rejects.toThrow('"soon" is no date');
    await expect(new DateFormatTask({}).run({ value: 0, format: 'date', timeZone: 'Mars' })).rejects.toThrow('time zone "Mars"');
  });
});

describe('Fetch and FileLoader', () => {
  const answers = (...responses: (() => Response)[]) => vi.spyOn(globalThis, 'fetch').mockImplementation(async () => (responses.length > 1 ? responses.shift()! : responses[0]!)());
  const json = () => new Response('{"a":1}', { headers: { 'content-type': 'application/json', 'x-more': 'yes' } });

  it('gives what comes by the port of its type', async () => {
    answers(json);
    expect(await new FetchUrlTask({}).run({ url: 'https://example.com/a' })).toEqual({ json: { a: 1 }, metadata: { status: 200, contentType: 'application/json', headers: { 'content-type': 'application/json', 'x-more': 'yes' } } });
    expect(await new FetchUrlTask({}).run({ url: 'https://example.com/a', response_type: 'text' })).toMatchObject({ text: '{"a":1}' });
    expect(await (await new FetchUrlTask({}).run({ url: 'https://example.com/a', response_type: 'blob' })).blob!.text()).toBe('{"a":1}');
  });

  it('waits as long as Retry-After says, and tries again', async () => {
    const fetched = answers(() => new Response('', { status: 429, headers: { 'retry-after': '20' } }), json);
    const graph = new TaskGraph();
    graph.addTask(new FetchUrlTask({ id: 'fetch', defaults: { url: 'https://example.com/a' } }));
    const house = await openHouse();
    const run = await house.orchestrator.graphs.run(graph);
    await house.clock.advance(19_000);
    expect([fetched.mock.calls.length, run.status]).toEqual([1, 'running']);
    await house.clock.advance(2_000);
    expect(await run.result()).toMatchObject([{ data: { json: { a: 1 } } }]);
    house.cut();
  });

  it('a status that is no success fails it, and so does an address that is none', async () => {
    answers(() => new Response('', { status: 404, statusText: 'Not Found' }));
    await expect(new FetchUrlTask({}).run({ url: 'https://example.com/a' })).rejects.toThrow('GET https://example.com/a: the server says 404 Not Found.');
    for (const url of ['javascript:alert(1)', 'file:///etc/passwd']) await expect(new FetchUrlTask({}).run({ url })).rejects.toThrow('is no address to fetch');
    answers(() => new Response('{', { headers: { 'content-type': 'application/json' } }));
    await expect(new FetchUrlTask({}).run({ url: 'https://example.com/a' })).rejects.toThrow('is no JSON');
  });

  it('a file comes as what it is', async () => {
    const load = (file: File, more: object = {}) => new FileLoaderTask({}).run({ file, ...more });
    expect(await load(new File(['{"a":1}'], 'a.json'))).toEqual({ json: { a: 1 }, metadata: { title: 'a.json', format: 'json', size: 7, mimeType: '' } });
    expect(await load(new File(['a,b\n1,2'], 'a.csv'))).toMatchObject({ csv: [{ a: '1', b: '2' }] });
    expect(await load(new File(['# A'], 'a.md', { type: 'text/plain' }))).toMatchObject({ text: '# A', metadata: { format: 'markdown' } });
    expect((await load(new File(['%PDF'], 'a.pdf'))).blob!.size).toBe(4);
    expect(await load(new File(['a'], 'a.json'), { format: 'text' })).toMatchObject({ text: 'a' });
    await expect(new FileLoaderTask({}).run({})).rejects.toThrow('needs a file or a url');
  });

  it('rows of CSV come back as they were written', () => {
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    fc.assert(fc.property(fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 6 }), fc.constantFrom('\n', '\r\n'), (rows, end) => {
      const text = [['a', 'b'], ...rows].map((row) => row.map(quoted).join(',')).join(end);
      expect(csvRows(text)).toEqual(rows.map(([a, b]) => ({ a, b })));
    }));
    expect(csvRows('a,b\r\n1,\r\n\r\n"x ""y""",2\r\n')).toEqual([{ a: '1', b: '' }, { a: 'x "y"', b: '2' }]);
    expect(() => csvRows('a\n"b"c')).toThrow('This is no CSV at position 2');
  });
});

describe('Json', () => {
  const document = JSON.stringify({ tasks: [{ id: 't', type: 'TemplateTask', defaults: { template: 'Hi {{name}}' } }], dataflows: [] });

  it('runs the graph that it gets', async () => {
    expect(await new JsonTask({}).run({ json: document, values: { name: 'Ada' } })).toEqual({ output: { result: 'Hi Ada' } });
    expect(await new JsonTask({}).run({ json: '[{"id":"a","type":"MergeTask"},{"id":"b","type":"SplitTask","dependencies":{"input":{"id":"a","output":"output"}}}]', x: 1 })).toMatchObject({ output: { output_0: 1 } });
  });

  it('only of types that are allowed, and never itself', async () => {
    await expect(new JsonTask({ allowedTypes: ['MergeTask'] }).run({ json: document })).rejects.toThrow('/tasks/0/type: The type "TemplateTask" is not registered, or not allowed here.');
    await expect(new JsonTask({}).run({ json: '[{"id":"a","type":"JsonTask"}]' })).rejects.toThrow('may not hold a JsonTask');
    await expect(new JsonTask({}).run({ json: '{' })).rejects.toThrow('Not valid JSON at byte');
  });
});

describe('people', () => {
  class After extends Task {
    static override readonly type = 'HumanAfter';
    override execute(input: any) {
      return input;
    }
  }
  registerBaseTasks();
  const asking = (task: Task<any, any, any>) => {
    const graph = new TaskGraph();
    graph.addTasks([task, new After({ id: 'yes' }), new After({ id: 'no' })]);
    graph.connect('ask', '*', 'yes', '*');
    graph.connect('ask', '[error]', 'no', 'failure');
    return graph;
  };

  it('a request outlives its page, and is answered in a later one', async () => {
    const { registerTask } = await import('holdfast/graph');
    registerTask(After);
    let house = await openHouse();
    const { id } = await house.orchestrator.graphs.run(asking(new HumanApprovalTask({ id: 'ask', message: 'Send it?', metadata: { to: 'Bob' } })), {});
    await house.clock.advance(10);
    expect(await listHumanRequests(house.orchestrator)).toMatchObject([{ taskId: 'ask', graphRunId: id, rootGraphRunId: id, kind: 'approval', message: 'Send it?', context: { to: 'Bob' }, targetHumanId: 'default' }]);
    house = await house.crash();
    await house.clock.advance(86_400_000);
    const [request] = await listHumanRequests(house.orchestrator);
    await expect(respondToHumanRequest(house.orchestrator, request!, { action: 'accept', content: { approved: 'yes' } })).rejects.toThrow('is not what was asked for');
    expect(await respondToHumanRequest(house.orchestrator, request!, { action: 'accept', content: { approved: true, reason: 'fine' } })).toBe(true);
    await house.clock.advance(10);
    expect(await respondToHumanRequest(house.orchestrator, request!, { action: 'cancel' })).toBe(false);
    expect((await (await house.orchestrator.graphs.get(id))!.output('yes'))).toEqual({ action: 'accept', approved: true, reason: 'fine' });
    expect(await listHumanRequests(house.orchestrator)).toEqual([]);
    house.cut();
  });

  it('what is asked in graphs within nodes says which run people began, in a later page too', async () => {
    let house = await openHouse();
    const one = new TaskGraph();
    one.addTask(new HumanApprovalTask({ id: 'ask' }));
    const each = new TaskGraph();
    each.addTask(new MapTask({ id: 'each', maxIterations: 9, subGraph: one }));
    const graph = new TaskGraph();
    graph.addTask(new GraphAsTask({ id: 'whole', subGraph: each }));
    const { id } = await house.orchestrator.graphs.run(graph, { prompt: ['one', 'two'] });
    for (const messages of [['one', 'two'], ['two']]) {
      await house.clock.advance(10);
      const requests = await listHumanRequests(house.orchestrator);
      expect(requests.map(({ message, rootGraphRunId, graphRunId }) => [message, rootGraphRunId, graphRunId === id])).toEqual(messages.map((message) => [message, id, false]));
      await respondToHumanRequest(house.orchestrator, requests[0]!, { action: 'accept', content: { approved: true } });
      house = await house.crash();
    }
    await house.clock.advance(10);
    expect((await (await house.orchestrator.graphs.get(id))!.output('whole'))!.approved).toEqual([true, true]);
    house.cut();
  });

  it('a no leaves by the error port', async () => {
    const house = await openHouse();
    const run = await house.orchestrator.graphs.run(asking(new HumanApprovalTask({ id: 'ask' })), {});
    await house.clock.advance(10);
    const [request] = await listHumanRequests(house.orchestrator);
    await respondToHumanRequest(house.orchestrator, request!, { action: 'decline', reason: 'too late' });
    await house.clock.advance(10);
    await run.result();
    expect(await run.output('no')).toEqual({ failure: { error: 'Approval was declined: too late', errorType: 'TaskFailedError' } });
    house.cut();
  });

  it('or is what it gives, where it is to', async () => {
    const house = await openHouse();
    const run = await house.orchestrator.graphs.run(asking(new HumanApprovalTask({ id: 'ask', onDecline: 'output', targetHumanId: 'ada' })), {});
    await house.clock.advance(10);
    expect(await listHumanRequests(house.orchestrator, { targetHumanId: 'bob' })).toEqual([]);
    const [request] = await listHumanRequests(house.orchestrator, { targetHumanId: 'ada' });
    await respondToHumanRequest(house.orchestrator, request!.id, { action: 'accept', content: { approved: false } });
    await house.clock.advance(10);
    expect(await run.output('ask')).toEqual({ action: 'decline', approved: false });
    house.cut();
  });

  it('values that are asked for are the ports that come out', async () => {
    const contentSchema = { type: 'object', properties: { name: { type: 'string', minLength: 1 }, age: { type: 'integer' } }, required: ['name'] };
    const task = new HumanInputTask({ id: 'ask', contentSchema });
    expect(task.outputSchema()).toMatchObject({ properties: { name: { type: 'string' }, action: {} }, required: ['name', 'action'] });
    const house = await openHouse();
    const run = await house.orchestrator.graphs.run(asking(task), { prompt: 'Who?' });
    await house.clock.advance(10);
    const [request] = await listHumanRequests(house.orchestrator);
    expect(request).toMatchObject({ kind: 'input', message: 'Who?', contentSchema });
    await expect(respondToHumanRequest(house.orchestrator, request!, { action: 'accept', content: {} })).rejects.toThrow('name');
    await respondToHumanRequest(house.orchestrator, request!, { action: 'accept', content: { name: 'Ada' } });
    await house.clock.advance(10);
    expect(await run.output('yes')).toEqual({ name: 'Ada', action: 'accept' });
    expect(() => new HumanInputTask({ id: 'ask' })).toThrow('HumanInputTask needs config.contentSchema');
    await expect(respondToHumanRequest(house.orchestrator, 'nobody', { action: 'cancel' })).rejects.toThrow('is no request to a person');
    await expect(respondToHumanRequest(house.orchestrator, request!, {} as never)).rejects.toThrow("An answer is { action: 'accept', content }");
    house.cut();
  });

  it('time that ran out fails the node', async () => {
    const house = await openHouse();
    const run = await house.orchestrator.graphs.run(asking(new HumanApprovalTask({ id: 'ask', answerWithin: '1h' })), {});
    await house.clock.advance(3_600_001);
    await run.result();
    expect(await run.output('no')).toMatchObject({ failure: { errorType: expect.stringMatching(/WaitTimeoutError|TaskFailedError/) } });
    house.cut();
  });
});

it('what is built in can be found by its type', () => {
  expect(new Set(baseTasks.map(({ type }) => type)).size).toBe(22);
  expect(baseTasks.every(({ title, category, description }) => title && category && description)).toBe(true);
});

it('a preview shows what cheap nodes would give, loops left out, and touches nothing', async () => {
  const graph = new TaskGraph();
  graph.addTasks([new InputTask({ id: 'in' }), new JsonPathTask({ id: 'path', defaults: { path: '$.user.name' } }), new TemplateTask({ id: 'text', defaults: { template: 'Hi {{name}}' } }), new DelayTask({ id: 'delay', delay: '1h' })]);
  graph.connect('in', 'value', 'path', 'value');
  graph.connect('in', 'values', 'text', 'values');
  graph.connect('path', 'result', 'delay', 'a');
  expect(await graph.runPreview({ value: { user: { name: 'Ada' } }, values: { name: 'Bob' } })).toEqual([{ id: 'text', type: 'TemplateTask', data: { result: 'Hi Bob' } }, { id: 'delay', type: 'DelayTask', data: { a: 'Ada' } }]);
  expect(graph.getTasks().every(({ status }) => status === 'PENDING')).toBe(true);
});

it('a preview shows what a run would give: by the branches that are taken, of leaves as a run has them, groups with what came in', async () => {
  const condition = (value: string) => ({ field: 'values.name', operator: 'equals', value }) as const;
  const inner = new TaskGraph();
  inner.addTasks([new InputTask({ id: 'first' }), new TemplateTask({ id: 'text', defaults: { template: 'Hi {{name}}' } })]);
  inner.connect('first', 'any', 'text', 'any');
  const graph = new TaskGraph();
  graph.addTasks([new ConditionalTask({ id: 'which', branches: [{ id: 'ada', ...condition('Ada') }, { id: 'bob', ...condition('Bob') }] }), new GraphAsTask({ id: 'yes', subGraph: inner }), new TemplateTask({ id: 'no' }), new InputTask({ id: 'told' })]);
  graph.connect('which', 'bob', 'yes', '*');
  graph.connect('which', 'ada', 'no', '*');
  graph.connect('yes', '[error]', 'told', '*');
  const input = { values: { name: 'Bob' } };
  const previewed = await graph.runPreview(input);
  expect(previewed).toEqual([{ id: 'yes', type: 'GraphAsTask', data: { result: 'Hi Bob' } }]);
  expect(await graph.run(input)).toEqual(previewed);
  const ended = new TaskGraph();
  ended.addTasks([new InputTask({ id: 'in' }), new OutputTask({ id: 'out' })]);
  expect((await ended.runPreview({ a: 1 })).map(({ id }) => id)).toEqual(['out']);
});
