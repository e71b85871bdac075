/** Outputs that come in pieces: what they add up to, and who hears of them. */
import fc from 'fast-check';
import { portStreamMode, registerTask, StreamAccumulator, type StreamEvent, StreamingTask, TaskFailedError, TaskGraph, MergeTask, Workflow } from 'holdfast/graph';
import { describe, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import '../../../js/testing/rooms.ts';

const sum = (events: readonly StreamEvent[]) => {
  const accumulator = new StreamAccumulator();
  for (const event of events) accumulator.add(event);
  return accumulator.output;
};

class Words extends StreamingTask<{ text: string }, { text: string }> {
  static override readonly type = 'StreamWords';
  static override outputSchema = () => ({ type: 'object', properties: { text: { type: 'string', 'x-stream': 'append' }, whole: { 'x-stream': 'replace' }, other: {} } });
  override async *executeStream({ text }: { text: string }): AsyncIterable<StreamEvent> {
    for (const word of text.split(/(?= )/)) {
      if (word === ' bad') yield { type: 'error', error: new Error('a bad word') };
      yield { type: 'text-delta', port: 'text', textDelta: word };
    }
    yield { type: 'finish', data: {} };
  }
}
registerTask(Words);

it('who follows gets the whole; who listens hears each piece', async () => {
  const graph = new TaskGraph();
  graph.addTasks([new Words({ id: 'words' }), new MergeTask({ id: 'after' })]);
  graph.connect('words', 'text', 'after', 'a');
  const heard: string[] = [];
  graph.subscribeToTaskStreaming({ onStreamStart: (id) => heard.push(`start ${id}`), onStreamChunk: (_, event) => heard.push(event.type), onStreamEnd: (_, { text }) => heard.push(`end ${text}`) });
  graph.subscribeToTaskStatus((id, status) => heard.push(`${id} ${status}`));
  expect(await graph.run({ text: 'a bc d' })).toEqual([{ id: 'after', type: 'MergeTask', data: { output: ['a bc d'] } }]);
  expect(heard).toEqual(['words PROCESSING', 'words STREAMING', 'start words', 'text-delta', 'text-delta', 'text-delta', 'finish', 'end a bc d', 'words COMPLETED', 'after PROCESSING', 'after COMPLETED']);
});

it('an error among the pieces fails it; a workflow tells of pieces', async () => {
  const workflow = new Workflow<{ text: string }>().addTask(Words);
  const heard: string[] = [];
  workflow.on('stream_chunk', (_, event) => heard.push(event.type));
  await expect(workflow.run({ text: 'a bad word' })).rejects.toThrow('a bad word');
  expect(heard).toEqual(['text-delta']);
});

it('what it is at is told, and is no part of the output', async () => {
  class Busy extends StreamingTask {
    static override readonly type = 'StreamBusy';
    override async *executeStream(): AsyncIterable<StreamEvent> {
      yield { type: 'phase', message: 'Thinking', progress: 40 };
      yield { type: 'snapshot', data: { text: 'done' } };
    }
  }
  const graph = new TaskGraph();
  graph.addTask(new Busy({ id: 'busy' }));
  const heard: unknown[] = [];
  graph.subscribeToTaskProgress((_, progress, message) => heard.push([progress, message]));
  graph.subscribeToTaskStatus((_, status) => heard.push(status));
  graph.subscribeToTaskStreaming({ onStreamChunk: (_, { type }) => heard.push(type) });
  expect(await graph.run()).toMatchObject([{ data: { text: 'done' } }]);
  expect(heard.slice(0, 5)).toEqual(['PROCESSING', 'phase', [40, 'Thinking'], 'STREAMING', 'snapshot']);
});

describe('pieces', () => {
  it('of objects are put together by fields, of lists by ids', () => {
    expect(sum([{ type: 'object-delta', port: 'o', objectDelta: { a: 1 } }, { type: 'object-delta', port: 'o', objectDelta: { b: 2 } }])).toEqual({ o: { a: 1, b: 2 } });
    expect(sum([{ type: 'object-delta', port: 'o', objectDelta: [{ id: 1, a: 1 }, { id: 2 }] }, { type: 'object-delta', port: 'o', objectDelta: [{ id: 1, b: 2 }, 'x'] }])).toEqual({ o: [{ id: 1, a: 1, b: 2 }, { id: 2 }, 'x'] });
    expect(sum([{ type: 'text-delta', port: 't', textDelta: 'a' }, { type: 'snapshot', data: { t: 'whole' } }, { type: 'finish', data: { n: 1, t: undefined } }])).toEqual({ t: 'whole', n: 1 });
    expect(() => sum([{ type: 'snapshot', data: { t: 3 } }, { type: 'text-delta', port: 't', textDelta: 'a' }])).toThrow(TaskFailedError);
  });

  it('the mode of a port stands in its schema', () => {
    expect(['text', 'whole', 'other', 'nothing'].map((port) => portStreamMode(Words.outputSchema(), port))).toEqual(['append', 'replace', 'none', 'none']);
  });

  it('a text is the same however it was cut; the same element twice is one', () => {
    fc.assert(fc.property(fc.array(fc.string()), (pieces) => void expect(sum([{ type: 'text-delta', port: 't', textDelta: '' }, ...pieces.map((textDelta) => ({ type: 'text-delta', port: 't', textDelta }) as const)])).toEqual({ t: pieces.join('') })));
    const items = fc.array(fc.record({ id: fc.nat(3), n: fc.integer() }), { minLength: 1, maxLength: 6 });
    fc.assert(fc.property(items, (objectDelta) => {
      const once = sum([{ type: 'object-delta', port: 'o', objectDelta }]).o;
      expect(sum([{ type: 'object-delta', port: 'o', objectDelta: once }, { type: 'object-delta', port: 'o', objectDelta: once }]).o).toEqual(once);
      expect(new Set(once.map(({ id }: any) => id)).size).toBe(once.length);
    }));
  });
});

it.each([null, undefined, 'text', {}, { type: 'delta', port: 'text' }])('what is no piece of a stream fails the task that gives it, and the error shows it: %j', (piece) => {
  const add = () => new StreamAccumulator().add(piece as unknown as StreamEvent);
  expect(add).toThrow(TaskFailedError);
  expect(add).toThrow(/a type of text-delta, .* not /);
});

it('pieces of a leaf are not gathered where nobody wants the whole; what finish has is given', async () => {
  class Ends extends Words {
    static override readonly type: any = 'StreamEnds';
    override async *executeStream(input: { text: string }): AsyncIterable<StreamEvent> {
      for await (const event of super.executeStream(input)) yield event.type === 'finish' ? { type: 'finish', data: { other: 3 } } : event;
    }
  }
  const graph = new TaskGraph();
  graph.addTasks([new Ends({ id: 'words' }), new Words({ id: 'leads' }), new MergeTask({ id: 'after' })]);
  graph.connect('leads', 'text', 'after', 'a');
  const heard: string[] = [];
  graph.subscribeToTaskStreaming({ onStreamChunk: (id, event) => id === 'words' && heard.push(event.type) });
  expect((await graph.run({ text: 'a b' })).map(({ data }) => data)).toEqual([{ text: 'a b', other: 3 }, { output: ['a b'] }]);
  expect((await graph.run({ text: 'a b' }, { accumulateLeafOutputs: false })).map(({ data }) => data)).toEqual([{ other: 3 }, { output: ['a b'] }]);
  expect(heard).toEqual(['text-delta', 'text-delta', 'finish', 'text-delta', 'text-delta', 'finish']);
  await expect(graph.run({}, { accumulateLeafOutputs: 'no' as never })).rejects.toThrow('graphs.run accumulateLeafOutputs must be true or false, not "no"');
});
