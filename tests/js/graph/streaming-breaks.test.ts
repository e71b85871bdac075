/** Streams that break off: who gives fails, is tried again, stopped or killed in the middle, and who reads of it. */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import { type ExecuteContext, type GraphRun, registerTask, type StreamEvent, StreamingTask, Task, TaskGraph, type TaskOutput } from 'holdfast/graph';
import type { TriggerOptions } from 'holdfast';
import { type House, openHouse } from '../house.ts';

const port = (name = 'text') => ({ type: 'object', properties: { [name]: { type: 'string', 'x-stream': 'append' } } });
let told: string[] = [];
let before: (word: string, context: ExecuteContext) => Promise<unknown> | void = () => {};
let after: (text: string, context: ExecuteContext) => Promise<unknown> | void = () => {};

class Speaker extends StreamingTask<TaskOutput, TaskOutput> {
  static override readonly type: string = 'BreakSpeaker';
  static override outputSchema = () => port();
  override async *executeStream({ words }: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    for (const word of words.split(' ')) {
      await before(word, context);
      told.push(`says ${word}`);
      yield { type: 'text-delta', port: 'text', textDelta: `${word} ` };
    }
  }
}
class Persistent extends Speaker {
  static override readonly type = 'BreakPersistent';
  override runOptions(): TriggerOptions {
    return { retry: { maxAttempts: 3, minDelayMs: 1000, factor: 1, jitter: 'none' } };
  }
}
class Listener extends Task<TaskOutput, TaskOutput> {
  static override readonly type: string = 'BreakListener';
  static override inputSchema = () => ({ type: 'object', properties: { ...port().properties, more: {} } });
  override async execute({ more, text }: TaskOutput, context: ExecuteContext) {
    let heard = '';
    told.push(`${this.id} listens`);
    const stream = context.inputStreams?.get('text');
    if (!stream) return { heard: 'nothing', more };
    for await (const event of stream) {
      if (event.type === 'text-delta') heard += event.textDelta;
      if (event.type === 'snapshot') heard = event.data.text;
      await after(heard, context);
    }
    return { heard, ...(more !== undefined && { more }), ...(text !== undefined && { text }) };
  }
}
class Catch extends Task<TaskOutput, TaskOutput> {
  static override readonly type = 'BreakCatch';
  override execute({ error }: TaskOutput) {
    return { caught: error };
  }
}
registerTask(Speaker, Persistent, Listener, Catch);

const never = () => new Promise<void>(() => {});
const pause = ({ clock }: House, delayMs: number): Promise<void> => new Promise((resolve) => void clock.schedule(clock.now() + delayMs, resolve));

function pair(source: Task<any, any, any> = new Speaker({ id: 'speaker', defaults: { words: 'a b c' } })): TaskGraph {
  [told, before, after] = [[], () => {}, () => {}];
  const graph = new TaskGraph();
  graph.addTasks([source, new Listener({ id: 'listener' })]);
  graph.connect('speaker', 'text', 'listener', 'text');
  return graph;
}
const statuses = (run: GraphRun) => [...run.nodes.values()].map(({ id, status }) => `${id} ${status}`);

it('who gives is tried again: who reads begins anew, and holds no slot until there is a stream again', async () => {
  const house = await openHouse();
  const graph = pair(new Persistent({ id: 'speaker', defaults: { words: 'a b c' } }));
  let failures = 0;
  before = async (word) => {
    if (word === 'a') return;
    await pause(house, 100);
    if (word === 'c' && failures++ < 2) throw new Error('stutters');
  };
  const run = await house.orchestrator.graphs.run(graph, {}, { concurrency: 2 });
  // The first graph of a page loads its code, which no clock of a test waits for.
  while (told.length === 0) await house.clock.settle();
  await house.clock.advance(250);
  const listener = run.nodes.get('listener')!.runId!;
  expect(house.orchestrator.getTaskState(listener)!.phase).toBe('waiting');
  await house.clock.advance(10_000);
  expect(await run.result()).toMatchObject([{ data: { heard: 'a b c ' } }]);
  expect(told.filter((word) => word === 'listener listens')).toHaveLength(3);
  expect(house.orchestrator.getTaskState(listener)).toMatchObject({ status: 'completed' });
  house.cut();
});

it('a failure that an edge leads on disables who read, and what follows it; one that something else feeds runs with that', async () => {
  const house = await openHouse();
  const graph = pair();
  graph.addTasks([new Catch({ id: 'catch' }), new Listener({ id: 'after' }), new Listener({ id: 'fed' }), new Catch({ id: 'other', defaults: { error: 'other' } })]);
  graph.connect('speaker', '[error]', 'catch', '*');
  graph.connect('listener', 'heard', 'after', 'more');
  graph.connect('speaker', 'text', 'fed', 'text');
  graph.connect('other', 'caught', 'fed', 'more');
  before = async (word) => {
    if (word !== 'c') return;
    await pause(house, 100);
    throw new Error('lost its voice');
  };
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(50);
  expect(told).toContain('fed listens');
  await house.clock.advance(1000);
  expect(await run.result()).toMatchObject([{ id: 'catch', data: { caught: 'lost its voice' } }, { id: 'fed', data: { heard: 'nothing', more: 'other' } }]);
  expect(statuses(run)).toEqual(expect.arrayContaining(['speaker FAILED', 'listener DISABLED', 'after DISABLED', 'fed COMPLETED']));
  house.cut();
});

it('one slot is enough: who reads takes it when who gives has ended, whatever was killed in between', async () => {
  let house = await openHouse();
  const graph = pair();
  before = (word, { durable }) => (word === 'b' ? durable.sleep('1s') : undefined);
  const run = await house.orchestrator.graphs.run(graph, {}, { concurrency: 1 });
  await house.clock.advance(500);
  expect(told).toEqual(['says a', 'listener listens']);
  house = await house.crash();
  await house.clock.advance(500);
  house = await house.crash();
  await house.clock.advance(5000);
  const again = (await house.orchestrator.graphs.get(run.id))!;
  expect(await again.result()).toMatchObject([{ data: { heard: 'a b c ' } }]);
  house.cut();
});

it('a page that dies after who gave has ended: who reads begins anew, with one snapshot, and records anew what it had recorded of pieces', async () => {
  let house = await openHouse();
  const graph = pair();
  let steps = 0;
  after = async (text, { durable }) => {
    if (text !== 'a b c ') return;
    await durable.run(`think about ${text}`, () => ++steps);
    await never();
  };
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(100);
  expect(steps).toBe(1);
  after = async (text, { durable }) => void (text === 'a b c ' && (await durable.run(`think about ${text}`, () => ++steps)));
  told = [];
  house = await house.crash();
  await house.clock.advance(100);
  const again = (await house.orchestrator.graphs.get(run.id))!;
  expect(await again.result()).toMatchObject([{ data: { heard: 'a b c ', text: 'a b c ' } }]);
  expect(told).toEqual(['listener listens']);
  // With the snapshot, and with the end.
  expect(steps).toBe(1 + 2);
  house.cut();
});

it('what was recorded of a stream that broke off is not there in the next: who reads records it anew', async () => {
  let house = await openHouse();
  const graph = pair();
  const thoughts: string[] = [];
  before = (word) => (word === 'c' ? never() : undefined);
  after = (text, { durable }) => durable.run('think', () => thoughts.push(text));
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(100);
  expect(thoughts.length).toBeGreaterThan(0);
  thoughts.length = 0;
  before = () => {};
  house = await house.crash();
  await house.clock.advance(2000);
  const again = (await house.orchestrator.graphs.get(run.id))!;
  expect(await again.result()).toMatchObject([{ data: { heard: 'a b c ' } }]);
  expect(thoughts.at(-1)).toBe('a b c ');
  house.cut();
});

it('aborted in the middle all of it ends; suspended, it begins anew when it is resumed', async () => {
  const house = await openHouse();
  const graph = pair();
  let stopped: unknown;
  before = (word, { signal }) => (word === 'c' ? new Promise((_, reject) => signal.addEventListener('abort', () => reject((stopped = signal.reason)))) : undefined);
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(50);
  expect(await run.suspend('interrupt')).toBe(true);
  await house.clock.advance(50);
  expect(stopped).toMatchObject({ name: 'InterruptedError' });
  told = [];
  expect(await run.resume()).toBe(true);
  await house.clock.advance(50);
  expect(told).toEqual(expect.arrayContaining(['says a', 'says b', 'listener listens']));
  expect(await run.abort('enough')).toBe(true);
  await house.clock.advance(10_000);
  await expect(run.result()).rejects.toMatchObject({ name: 'TaskAbortedError' });
  expect(statuses(run)).toEqual(['speaker FAILED', 'listener FAILED']);
  house.cut();
});

it('who ends early, and who never reads, hold up nobody, and end after who gives', async () => {
  const house = await openHouse();
  const words = Array.from({ length: 50 }, (_, at) => `w${at}`).join(' ');
  const graph = pair(new Speaker({ id: 'speaker', defaults: { words } }));
  class Brief extends Listener {
    static override readonly type = 'BreakBrief';
    override async execute(_: TaskOutput, { inputStreams }: ExecuteContext) {
      for await (const _event of inputStreams!.get('text')!) break;
      return { heard: 'enough' };
    }
  }
  class Deaf extends Listener {
    static override readonly type = 'BreakDeaf';
    override execute() {
      return Promise.resolve({ heard: 'what?' });
    }
  }
  registerTask(Brief, Deaf);
  graph.addTasks([new Brief({ id: 'brief' }), new Deaf({ id: 'deaf' })]);
  graph.connect('speaker', 'text', 'brief', 'text');
  graph.connect('speaker', 'text', 'deaf', 'text');
  before = (word) => (word === 'w40' ? pause(house, 1000) : undefined);
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(500);
  expect(told).toContain('says w39');
  expect(statuses(run)).toEqual(['speaker STREAMING', 'listener PROCESSING', 'brief PROCESSING', 'deaf PROCESSING']);
  await house.clock.advance(1000);
  expect(await run.result()).toMatchObject([{ data: { heard: `${words} ` } }, { data: { heard: 'enough' } }, { data: { heard: 'what?' } }]);
  house.cut();
});

it('a run that failed is tried again: who gives streams again, and who reads reads again', async () => {
  const house = await openHouse();
  const graph = pair();
  before = (word) => (word === 'c' ? Promise.reject(new Error('not now')) : undefined);
  const run = await house.orchestrator.graphs.run(graph);
  const failed = run.result().catch((error) => error.message);
  await house.clock.advance(10_000);
  expect(await failed).toBe('not now');
  before = (word) => (word === 'c' ? pause(house, 100) : undefined);
  told = [];
  expect(await run.retry()).toBe(true);
  await house.clock.advance(50);
  expect(told).toEqual(expect.arrayContaining(['says b', 'listener listens']));
  await house.clock.advance(1000);
  expect(await run.result()).toMatchObject([{ data: { heard: 'a b c ' } }]);
  house.cut();
});

it('who reads and gives, and gives its slot back in the middle, holds up nobody meanwhile', async () => {
  const house = await openHouse();
  const words = Array.from({ length: 60 }, (_, at) => `w${at}`).join(' ');
  class Sleeper extends Speaker {
    static override readonly type = 'BreakSleeper';
    static override inputSchema = () => port();
    override async *executeStream(_: TaskOutput, { inputStreams, durable }: ExecuteContext): AsyncIterable<StreamEvent> {
      let place = 0;
      for await (const event of inputStreams!.get('text')!) {
        if (event.type !== 'finish') yield { type: 'text-delta', port: 'text', textDelta: '.' };
        if (place++ > 0) continue;
        await pause(house, 100);
        await durable.sleep('10s');
      }
    }
  }
  registerTask(Sleeper);
  const graph = pair(new Speaker({ id: 'speaker', defaults: { words } }));
  graph.removeDataflow('speaker[text] ==> listener[text]');
  graph.addTask(new Sleeper({ id: 'sleeper' }));
  graph.connect('speaker', 'text', 'sleeper', 'text');
  graph.connect('sleeper', 'text', 'listener', 'text');
  const run = await house.orchestrator.graphs.run(graph);
  while (!told.includes('says w16')) await house.clock.settle();
  await house.clock.advance(50);
  expect(told).not.toContain('says w30');
  await house.clock.advance(100);
  expect(told).toContain('says w59');
  expect(statuses(run)).toEqual(['speaker COMPLETED', 'sleeper STREAMING', 'listener PROCESSING']);
  expect(house.orchestrator.getTaskState(run.nodes.get('listener')!.runId!)!.phase).toBe('waiting');
  await house.clock.advance(20_000);
  expect(await run.result()).toMatchObject([{ id: 'listener', data: { heard: expect.stringMatching(/^\.{2,20}$/) } }]);
  house.cut();
});

it('who gives comes to nothing at its port: who reads begins anew with what the port has otherwise, whether it has read all it wants or not', async () => {
  const house = await openHouse();
  class Mute extends Speaker {
    static override readonly type = 'BreakMute';
    override async *executeStream({ words = '' }: TaskOutput): AsyncIterable<StreamEvent> {
      if (words) yield { type: 'text-delta', port: 'text', textDelta: words };
      await pause(house, 300);
      yield { type: 'snapshot', data: { aside: 'never mind' } };
    }
  }
  registerTask(Mute);
  const graph = pair();
  graph.addTasks([new Mute({ id: 'y mute' }), new Mute({ id: 'z taken back', defaults: { words: 'lies' } }), new Listener({ id: 'lone', defaults: { text: 'my own' } }), new Listener({ id: 'deceived' })]);
  graph.connect('y mute', 'text', 'listener', 'text');
  graph.connect('z taken back', 'text', 'lone', 'text');
  graph.connect('z taken back', 'text', 'deceived', 'text');
  before = (word) => (word === 'a' ? undefined : pause(house, 100));
  const run = await house.orchestrator.graphs.run(graph);
  await house.clock.advance(5000);
  expect(await run.result()).toMatchObject([{ id: 'listener', data: { heard: 'a b c ' } }, { id: 'lone', data: { heard: 'my own' } }, { id: 'deceived', data: { heard: 'nothing' } }]);
  house.cut();
});
