/** Along which edges pieces go: several into one port, transforms, kept outputs, graphs within a node; and why not along others. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { ConditionalTask, Dataflow, type ExecuteContext, GraphAsTask, type JsonSchema, MergeTask, registerBaseTasks, registerTask, type StreamEvent, StreamingTask, streamsOf, Task, TaskGraph, type TaskOutput } from 'holdfast/graph';
import '../../../js/cache/memory.ts';
import { type House, openHouse } from '../house.ts';

const port = (mode: string, more: Record<string, JsonSchema> = {}): JsonSchema => ({ type: 'object', properties: { text: { 'x-stream': mode }, ...more } });
let heard: string[] = [];
let executed: string[] = [];
let before: (word: string) => Promise<void> | void = () => {};
const pause = ({ clock }: House, delayMs: number): Promise<void> => new Promise((resolve) => void clock.schedule(clock.now() + delayMs, resolve));

class Say extends StreamingTask<TaskOutput, TaskOutput> {
  static override readonly type: string = 'PortsSay';
  static override outputSchema = (): JsonSchema => port('append');
  override async *executeStream({ words }: TaskOutput): AsyncIterable<StreamEvent> {
    executed.push(this.id);
    for (const word of words.split(' ')) {
      await before(word);
      yield { type: 'text-delta', port: 'text', textDelta: word };
    }
  }
}
class Revise extends StreamingTask<TaskOutput, TaskOutput> {
  static override readonly type = 'PortsRevise';
  static override outputSchema = (): JsonSchema => port('replace');
  override async *executeStream({ words }: TaskOutput): AsyncIterable<StreamEvent> {
    for (const word of words.split(' ')) {
      await before(word);
      yield { type: 'snapshot', data: { text: word } };
    }
  }
}
const named = (event: StreamEvent) => (event.type === 'text-delta' ? `+${event.textDelta}` : event.type === 'snapshot' ? `=${event.data.text}` : event.type === 'finish' ? `.${event.data.text}` : event.type);
class Hear extends Task<TaskOutput, TaskOutput> {
  static override readonly type: string = 'PortsHear';
  static override readonly cacheable = false;
  static override inputSchema = (): JsonSchema => port('append');
  override async execute({ text }: TaskOutput, { inputStreams }: ExecuteContext) {
    executed.push(this.id);
    let last = '';
    for await (const event of inputStreams?.get('text') ?? []) {
      heard.push(`${this.id} ${named(event)}`);
      if (event.type === 'finish') last = event.data.text;
    }
    return { text: last, ...(text !== undefined && { given: text }) };
  }
}
class HearRevised extends Hear {
  static override readonly type = 'PortsHearRevised';
  static override inputSchema = () => port('replace');
}
class Kept extends Hear {
  static override readonly type = 'PortsKept';
  static override readonly cacheable = true as false;
}
class Deaf extends Hear {
  static override readonly type = 'PortsDeaf';
  static override readonly takesStreams = false;
}
registerBaseTasks();
registerTask(Say, Revise, Hear, HearRevised, Kept, Deaf);

const say = (id: string, words: string) => new Say({ id, defaults: { words } });
function graphOf(...tasks: Task<any, any, any>[]): TaskGraph {
  [heard, executed, before] = [[], [], () => {}];
  const graph = new TaskGraph();
  graph.addTasks(tasks);
  return graph;
}

it('of each edge it is said how pieces go, or why they do not', () => {
  class Odd extends Say {
    static override readonly type = 'PortsOdd';
    override inactivePorts() {
      return [];
    }
  }
  const graph = graphOf(say('say', 'a'), new Hear({ id: 'hear' }), new HearRevised({ id: 'revised' }), new Deaf({ id: 'deaf' }), new MergeTask({ id: 'merge' }), new Hear({ id: 'transformed' }), new Hear({ id: 'odd' }), new Odd({ id: 'odder' }), new Hear({ id: 'both' }), new ConditionalTask({ id: 'choice', branches: [{ id: 'yes', condition: () => true, outputPort: 'text' }] }), new Hear({ id: 'chosen' }));
  graph.connect('say', 'text', 'hear', 'text');
  graph.connect('say', 'text', 'revised', 'text');
  graph.connect('say', 'text', 'deaf', 'text');
  graph.connect('say', 'text', 'merge', 'a');
  graph.connect('say', '*', 'merge', '*');
  graph.connect('say', '[error]', 'merge', 'failure');
  graph.addDataflow(new Dataflow('say', 'text', 'transformed', 'text').addTransform({ id: 'uppercase' }));
  graph.connect('odder', 'text', 'odd', 'text');
  graph.connect('say', 'text', 'both', 'text');
  graph.connect('say', 'other', 'both', 'more');
  graph.connect('say', 'text', 'choice', 'text');
  graph.connect('choice', 'text', 'chosen', 'text');
  const streams = streamsOf(graph);
  const why = (id: string) => {
    const found = streams.get(id)!;
    return found.mode === 'none' ? found.why : found.mode;
  };
  expect(why('say[text] ==> hear[text]')).toBe('append');
  expect(why('say[text] ==> revised[text]')).toBe('output port text of say grows by append, input port text of revised takes replace.');
  expect(why('say[text] ==> deaf[text]')).toBe('task deaf (PortsDeaf) reads no streams.');
  expect(why('say[text] ==> merge[a]')).toBe("input port a of merge does not say how it grows ('x-stream').");
  expect(why('say[*] ==> merge[*]')).toBe('* is all ports, and pieces are of one.');
  expect(why('say[[error]] ==> merge[failure]')).toBe('what a failure gives is there at once.');
  expect(why('say[text] ==> transformed[text]')).toBe('its transforms work on the whole value; pieces of port text (append) are parts of it.');
  expect(why('odder[text] ==> odd[text]')).toBe('which ports of odder give something is known from its whole output.');
  expect(why('say[text] ==> both[text]')).toBe('edge say[other] ==> both[more] of the same two tasks carries a whole value.');
  expect(why('choice[text] ==> chosen[text]')).toBe('task choice (ConditionalTask) gives its output at once: neither it nor the one leaf of its graph has an executeStream.');
  expect(() => streamsOf({} as TaskGraph)).toThrow('streamsOf takes a TaskGraph, not object.');
});

it('a port that nothing streams to gives one snapshot of what is there, and its value stands in the input too', async () => {
  const graph = graphOf(new Hear({ id: 'alone' }), new Deaf({ id: 'deaf', defaults: { text: 'deaf' } }));
  expect(await graph.run({ text: 'given' })).toMatchObject([{ data: { text: 'given', given: 'given' } }, { data: { text: '', given: 'given' } }]);
  expect(heard).toEqual(['alone =given', 'alone .given']);
});

it('transforms of whole values are done with each of them', async () => {
  const graph = graphOf(new Revise({ id: 'revise', defaults: { words: 'a b c' } }), new HearRevised({ id: 'hear' }));
  graph.addDataflow(new Dataflow('revise', 'text', 'hear', 'text').addTransform({ id: 'uppercase' }));
  expect(await graph.run()).toMatchObject([{ data: { text: 'C' } }]);
  expect(heard.slice(-2)).toEqual(['hear =C', 'hear .C']);
  expect(heard.every((word) => /[ABC]$/.test(word))).toBe(true);
});

it('of several edges into one port of text the last one counts, piece by piece too', async () => {
  const house = await openHouse();
  const graph = graphOf(say('one', 'a b'), say('two', 'c d'), new Hear({ id: 'hear' }));
  graph.connect('one', 'text', 'hear', 'text');
  graph.connect('two', 'text', 'hear', 'text');
  before = (word) => (word === 'd' || word === 'b' ? pause(house, 100) : undefined);
  const run = await house.orchestrator.graphs.run(graph);
  while (heard.length === 0) await house.clock.settle();
  expect(heard).toEqual(['hear =c']);
  await house.clock.advance(1000);
  expect(await run.result()).toMatchObject([{ data: { text: 'cd' } }]);
  expect(heard).toEqual(['hear =c', 'hear +d', 'hear .cd']);
  house.cut();
});

it('what is kept is the whole: a second run finds it, and who reads gets it as one snapshot; who is kept itself waits for the whole', async () => {
  const house = await openHouse();
  const graph = graphOf(say('say', 'a b c'), new Hear({ id: 'hear' }), new Kept({ id: 'kept' }));
  graph.connect('say', 'text', 'hear', 'text');
  graph.connect('say', 'text', 'kept', 'text');
  before = (word) => (word === 'a' ? undefined : pause(house, 100));
  const first = await house.orchestrator.graphs.run(graph, {}, { outputCache: true });
  while (heard.length === 0) await house.clock.settle();
  expect(heard).toEqual(['hear =a']);
  await house.clock.advance(1000);
  expect(await first.result()).toMatchObject([{ data: { text: 'abc' } }, { data: { text: 'abc', given: 'abc' } }]);
  expect(executed).toEqual(['say', 'hear', 'kept']);
  [heard, executed] = [[], []];
  const second = await house.orchestrator.graphs.run(graph, {}, { outputCache: true });
  await house.clock.advance(1000);
  expect(await second.result()).toMatchObject([{ data: { text: 'abc' } }, { data: { text: 'abc', given: 'abc' } }]);
  expect([executed, heard]).toEqual([['hear'], ['hear =abc', 'hear .abc']]);
  house.cut();
});

it('pieces of the only leaf of a graph within a node are pieces of the node, after a crash too', async () => {
  let house = await openHouse();
  const inner = new TaskGraph();
  inner.addTask(say('inner', 'a b c'));
  const outer = graphOf(new GraphAsTask({ id: 'group', subGraph: inner }), new Hear({ id: 'hear' }));
  outer.connect('group', 'text', 'hear', 'text');
  expect(streamsOf(outer).get('group[text] ==> hear[text]')).toEqual({ mode: 'append' });
  before = (word) => (word === 'c' ? new Promise(() => {}) : undefined);
  const chunks: string[] = [];
  outer.subscribeToTaskStreaming({ onStreamChunk: (id, event) => chunks.push(`${id} ${named(event)}`) });
  const run = await house.orchestrator.graphs.run(outer);
  while (heard.length < 2) await house.clock.settle();
  expect(chunks).toEqual(['group +a', 'group +b']);
  expect(heard.at(-1)).toMatch(/^hear [+=]a?b$/);
  [heard, executed, before] = [[], [], (word) => (word === 'c' ? pause(house, 100) : undefined)];
  house = await house.crash();
  while (heard.length < 2) await house.clock.settle();
  expect(heard.at(-1)).toMatch(/^hear [+=]a?b$/);
  await house.clock.advance(1000);
  const again = (await house.orchestrator.graphs.get(run.id))!;
  expect(await again.result()).toMatchObject([{ data: { text: 'abc' } }]);
  expect(executed).toEqual(['inner', 'hear']);
  house.cut();
});
