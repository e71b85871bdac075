/** Edges along which an output goes piece by piece: who follows begins with the first of them. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { type ExecuteContext, MergeTask, registerTask, type StreamEvent, StreamingTask, streamsOf, Task, TaskGraph, type TaskOutput } from 'holdfast/graph';
import { type House, openHouse } from '../house.ts';

const port = (mode: string) => ({ type: 'object', properties: { text: { type: 'string', 'x-stream': mode } }, required: ['text'] });
const delta = (textDelta: string): StreamEvent => ({ type: 'text-delta', port: 'text', textDelta });

let told: string[] = [];
const settled: Promise<void> = Promise.resolve();
/** What happens before a word is given. */
let before: (word: string, context: ExecuteContext) => Promise<void> | void = () => settled;
/** What happens after a piece was read. */
let after: (text: string, context: ExecuteContext) => Promise<void> | void = () => settled;

class Speaker extends StreamingTask<TaskOutput, TaskOutput> {
  static override readonly type = 'EdgeSpeaker';
  static override outputSchema = () => port('append');
  override async *executeStream({ words }: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    for (const word of words.split(' ')) {
      await before(word, context);
      told.push(`says ${word}`);
      yield delta(`${word} `);
    }
    told.push('said all');
  }
}
class Listener extends Task<TaskOutput, TaskOutput> {
  static override readonly type: string = 'EdgeListener';
  static override inputSchema = () => port('append');
  override async execute(_: TaskOutput, context: ExecuteContext) {
    let heard = '';
    told.push('listens');
    for await (const event of context.inputStreams!.get('text')!) {
      if (event.type === 'text-delta') heard += event.textDelta;
      if (event.type === 'snapshot') heard = event.data.text;
      if (event.type === 'finish') expect(event.data).toEqual({ text: heard });
      told.push(event.type === 'finish' ? 'heard all' : `heard ${heard.trim()}`);
      await after(heard, context);
    }
    return { heard };
  }
}
/** Reads and gives. */
class Shouter extends StreamingTask<TaskOutput, TaskOutput> {
  static override readonly type = 'EdgeShouter';
  static override inputSchema = () => port('append');
  static override outputSchema = () => port('append');
  override async *executeStream(_: TaskOutput, { inputStreams }: ExecuteContext): AsyncIterable<StreamEvent> {
    for await (const event of inputStreams!.get('text')!) {
      if (event.type === 'text-delta') yield delta(event.textDelta.toUpperCase());
      if (event.type === 'snapshot') yield { type: 'snapshot', data: { text: event.data.text.toUpperCase() } };
    }
  }
}
registerTask(Speaker, Listener, Shouter, MergeTask);

const pause = ({ clock }: House, delayMs: number): Promise<void> => new Promise((resolve) => void clock.schedule(clock.now() + delayMs, resolve));

function pair(): TaskGraph {
  [told, before, after] = [[], () => settled, () => settled];
  const graph = new TaskGraph();
  graph.addTasks([new Speaker({ id: 'speaker', defaults: { words: 'a b c' } }), new Listener({ id: 'listener' })]);
  graph.connect('speaker', 'text', 'listener', 'text');
  return graph;
}

it('who reads runs beside who gives, piece by piece', async () => {
  const house = await openHouse();
  const graph = pair();
  before = (word, { durable }) => (word === 'a' ? settled : pause(house, 100));
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(50);
  expect(told).toEqual(['says a', 'listens', 'heard a']);
  expect(graph.getTasks().map(({ status }) => status)).toEqual(['STREAMING', 'PROCESSING']);
  expect(graph.getDataflows()[0]!.status).toBe('STREAMING');
  await house.clock.advance(1000);
  expect(told).toEqual(['says a', 'listens', 'heard a', 'says b', 'heard a b', 'says c', 'said all', 'heard a b c', 'heard all']);
  expect(await run.result()).toEqual([{ id: 'listener', type: 'EdgeListener', data: { heard: 'a b c ' } }]);
  house.cut();
});

it('who gives waits for who reads slowly, with sixteen pieces before it; who gives and who reads that slowly ends the same', async () => {
  const house = await openHouse();
  const graph = pair();
  const words = Array.from({ length: 100 }, (_, at) => `w${at}`).join(' ');
  after = () => pause(house, 10);
  const run = await house.orchestrator.graphs.run(graph, { words });
  graph.getTask('speaker')!.setDefaults({ words });
  let most = 0;
  for (let at = 0; at < 120; at++) {
    await house.clock.advance(10);
    const said = told.filter((word) => word.startsWith('says')).length;
    const heard = told.filter((word) => word.startsWith('heard w')).length;
    most = Math.max(most, said - heard);
  }
  expect(most).toBeGreaterThan(10);
  expect(most).toBeLessThanOrEqual(18);
  expect(await run.result()).toMatchObject([{ data: { heard: `${words} ` } }]);
  house.cut();
});

it('who gives without ever waiting is read beside it all the same', async () => {
  const graph = pair();
  const words = Array.from({ length: 1000 }, (_, at) => `w${at}`).join(' ');
  graph.getTask('speaker')!.setDefaults({ words });
  expect(await graph.run()).toMatchObject([{ data: { heard: `${words} ` } }]);
  expect(told.indexOf('listens')).toBe(1);
  let [said, heard, most] = [0, 0, 0];
  for (const word of told) {
    if (word.startsWith('says')) said++;
    if (word.startsWith('heard w')) heard++;
    most = Math.max(most, said - heard);
  }
  expect(heard).toBe(1000);
  expect(most).toBeLessThanOrEqual(18);
});

it('who reads the whole and who reads pieces follow one port; a chain of streaming nodes runs side by side', async () => {
  const house = await openHouse();
  const graph = pair();
  graph.addTasks([new Shouter({ id: 'shouter' }), new Listener({ id: 'end' }), new MergeTask({ id: 'whole' })]);
  graph.connect('speaker', 'text', 'shouter', 'text');
  graph.connect('shouter', 'text', 'end', 'text');
  graph.connect('speaker', 'text', 'whole', 'one');
  const heard: string[] = [];
  graph.subscribeToTaskStatus((id, status) => heard.push(`${id} ${status}`));
  before = (word) => (word === 'a' ? settled : pause(house, 100));
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(50);
  expect(told).toEqual(['says a', 'listens', 'heard a', 'listens', 'heard A']);
  await house.clock.advance(1000);
  expect(await run.result()).toMatchObject([{ data: { heard: 'a b c ' } }, { data: { heard: 'A B C ' } }, { data: { output: ['a b c '] } }]);
  expect(heard.indexOf('whole PROCESSING')).toBeGreaterThan(heard.indexOf('speaker COMPLETED'));
  expect(heard.indexOf('listener COMPLETED')).toBeGreaterThan(heard.indexOf('speaker COMPLETED'));
  house.cut();
});

it('who gives fails: who reads hears of it, and is not executed, as what follows a failure', async () => {
  const house = await openHouse();
  const graph = pair();
  let thrown: unknown;
  class Careful extends Listener {
    static override readonly type = 'EdgeCareful';
    override async execute(input: TaskOutput, context: ExecuteContext) {
      try {
        return await super.execute(input, context);
      } catch (error) {
        thrown = error;
        return { heard: 'nothing' };
      }
    }
  }
  registerTask(Careful);
  graph.addTask(new Careful({ id: 'careful' }));
  graph.connect('speaker', 'text', 'careful', 'text');
  graph.getTask('speaker')!.config.extras = {};
  before = (word) => (word === 'c' ? pause(house, 100).then(() => Promise.reject(new Error('out of words'))) : settled);
  const run = await house.orchestrator.graphs.run(graph, {}, { failurePolicy: 'continue-independent' });
  const failed = run.result().catch((error) => error);
  await house.clock.advance(100_000);
  expect(thrown).toMatchObject({ message: 'out of words' });
  expect(await failed).toMatchObject({ message: 'out of words', taskId: 'speaker' });
  expect([...run.nodes.values()].map(({ status, error }) => [status, error?.name])).toEqual([['FAILED', 'TaskFailedError'], ['FAILED', 'TaskAbortedError'], ['FAILED', 'TaskAbortedError']]);
  house.cut();
});

it('a page that dies in the middle: who gives begins anew, and so does who reads', async () => {
  let house = await openHouse();
  const graph = pair();
  before = (word) => (word === 'c' ? new Promise(() => {}) : settled);
  const run = await house.orchestrator.graphs.run(graph, {}, { concurrency: 2 });
  await house.clock.advance(50);
  expect(told).toEqual(['says a', 'listens', 'says b', 'heard a', 'heard a b']);
  [told, before] = [[], () => settled];
  house = await house.crash();
  await house.clock.advance(1000);
  const again = (await house.orchestrator.graphs.get(run.id))!;
  expect(await again.result()).toMatchObject([{ data: { heard: 'a b c ' } }]);
  expect(told.filter((word) => !word.startsWith('heard'))).toEqual(['says a', 'listens', 'says b', 'says c', 'said all']);
  house.cut();
});

it('a graph that is changed while pieces go along an edge: they go on to who reads them, and other tasks take their places', async () => {
  const house = await openHouse();
  [told, after] = [[], () => settled];
  before = (word) => (word === 'a' ? settled : pause(house, 100));
  const graph = new TaskGraph();
  graph.addTasks([new MergeTask({ id: 'gone' }), new Speaker({ id: 'speaker', defaults: { words: 'a b c' } }), new Listener({ id: 'listener' }), new MergeTask({ id: 'last' })]);
  graph.connect('speaker', 'text', 'listener', 'text');
  graph.connect('listener', 'heard', 'last', 'heard');
  graph.connect('last', '*', 'gone', '*');
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(50);
  graph.removeTask('gone');
  graph.addTask(new MergeTask({ id: 'new' }));
  graph.connect('last', 'merged', 'new', 'merged');
  await house.clock.advance(1000);
  expect(told.at(-1)).toBe('heard all');
  expect(graph.getTasks().map(({ id, status }) => `${id} ${status}`)).toEqual(['speaker COMPLETED', 'listener COMPLETED', 'last COMPLETED', 'new COMPLETED']);
  expect((await run.result()).map(({ id }) => id)).toEqual(['new']);
  expect(graph.getTask('listener')!.runOutputData).toEqual({ heard: 'a b c ' });
  house.cut();
});
