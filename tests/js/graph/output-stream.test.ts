/** One output and those who read it: who holds up whom, and what who is late finds. */
import { expect, it } from 'vitest';
import { Dataflow, type StreamEvent } from 'holdfast/graph';
import { inputStream, mostInFlight, OutputStream, type StreamConsumer } from '../../../js/graph/output-stream.ts';

class Reader implements StreamConsumer {
  isRunning = true;
  reads = 0;
  readonly outputs: OutputStream[] = [];
  waits: boolean[] = [];
  wait(outside: Promise<void>, isMoving: boolean) {
    this.waits.push(isMoving);
    return outside;
  }
  changed() {
    for (const output of this.outputs) output.look();
  }
}

function source() {
  const output = new OutputStream(() => true);
  let text = '';
  const say = (piece: string, port = 't') => {
    if (port === 't') text += piece;
    return output.push({ type: 'text-delta', port, textDelta: piece }, { t: text, u: 'u' });
  };
  const read = (consumer: Reader, transform?: (value: any) => unknown) => {
    consumer.outputs.push(output);
    return output.read({ edge: new Dataflow('a', 't', 'b', 'p'), from: 't', to: 'p', transform }, consumer);
  };
  return { output, say, read };
}
const piece = (textDelta: string): StreamEvent => ({ type: 'text-delta', port: 'p', textDelta });
const snapshot = (text: unknown): StreamEvent => ({ type: 'snapshot', data: { p: text } });
const turns = async () => {
  for (let turn = 0; turn < 10; turn++) await null;
};

it('who reads gets each piece under the name of its own port, and nothing of other ports', async () => {
  const { output, say, read } = source();
  const reader = read(new Reader());
  const first = reader.next();
  say('a');
  say('x', 'u');
  say('b');
  expect([await first, await reader.next()]).toEqual([piece('a'), piece('b')]);
  output.finish(() => 'ab');
  expect([await reader.next(), await reader.next()]).toEqual([{ type: 'finish', data: { p: 'ab' } }, undefined]);
});

it('the source waits when sixteen pieces lie before one that runs, and goes on with the next that is taken', async () => {
  const { say, read } = source();
  const reader = read(new Reader());
  const first = reader.next();
  say('0');
  await first;
  for (let at = 1; at < mostInFlight; at++) expect(say(`${at}`)).toBeUndefined();
  let isFree = false;
  const room = say('last')!.then(() => (isFree = true));
  await turns();
  expect([isFree, reader.inFlight]).toEqual([false, mostInFlight]);
  await reader.next();
  await room;
  expect(isFree).toBe(true);
});

it('who has not begun to read, who is not running and who has left hold up nobody, and find what has come as one snapshot', async () => {
  const { say, read } = source();
  const [late, parked, gone] = [new Reader(), new Reader(), new Reader()];
  const [lateReads, parkedReads, goneReads] = [read(late), read(parked), read(gone)];
  const [one, other] = [parkedReads.next(), goneReads.next()];
  say('.');
  await Promise.all([one, other]);
  parked.isRunning = false;
  for (let at = 0; at < mostInFlight - 1; at++) expect(say('.')).toBeUndefined();
  const room = say('.')!;
  goneReads.close();
  await room;
  for (let at = 0; at < 100; at++) expect(say('.')).toBeUndefined();
  const whole = '.'.repeat(101 + mostInFlight);
  expect([await lateReads.next(), await parkedReads.next(), await goneReads.next()]).toEqual([snapshot(whole), snapshot(whole), undefined]);
});

it('who waits for a piece of one stream is not held to be slow at another, and what it waits for is told', async () => {
  const [one, other] = [source(), source()];
  const consumer = new Reader();
  const [first, second] = [one.read(consumer), other.read(consumer)];
  const begun = second.next();
  other.say('.');
  await begun;
  for (let at = 0; at < mostInFlight - 1; at++) other.say('.');
  const room = other.say('.')!;
  expect(room).toBeInstanceOf(Promise);
  const waiting = first.next();
  await room;
  for (let at = 0; at < 50; at++) expect(other.say('.')).toBeUndefined();
  one.say('a');
  expect(await waiting).toEqual(piece('a'));
  expect(await second.next()).toEqual(snapshot('.'.repeat(51 + mostInFlight)));
});

it('a stream that breaks gives its error to who waits and to who comes later, and nothing of what lay before them', async () => {
  const { output, say, read } = source();
  const [waits, has] = [read(new Reader()), read(new Reader())];
  const begun = has.next();
  const waiting = waits.next();
  say('a');
  await Promise.all([begun, waiting]);
  const next = waits.next();
  const heard = next.catch((error) => error);
  say('b');
  expect(await next).toEqual(piece('b'));
  const broken = waits.next().catch((error) => error);
  output.break(new Error('gone'));
  expect(await broken).toMatchObject({ message: 'gone' });
  await expect(has.next()).rejects.toThrow('gone');
  expect(await heard).toEqual(piece('b'));
  expect(say('c')).toBeUndefined();
});

it('a transform makes of each piece what the whole is by then; one that throws is an error of who reads', async () => {
  const { output, say, read } = source();
  const [upper, throws] = [read(new Reader(), (value) => value.toUpperCase()), read(new Reader(), (value) => (value === 'ab' ? value.no() : value))];
  const [first, fine] = [upper.next(), throws.next()];
  say('a');
  expect([await first, await fine]).toEqual([snapshot('A'), snapshot('a')]);
  say('b');
  expect(await upper.next()).toEqual(snapshot('AB'));
  await expect(throws.next()).rejects.toThrow(TypeError);
  output.finish(() => 'AB');
  expect(await upper.next()).toEqual({ type: 'finish', data: { p: 'AB' } });
});

it('as a ReadableStream nothing is taken before it is asked for, it ends after finish, and who cancels has left', async () => {
  const { output, say, read } = source();
  const [reader, other] = [read(new Reader()), read(new Reader())];
  const [stream, left] = [inputStream(reader), inputStream(other)];
  say('a');
  await turns();
  expect(reader.inFlight).toBe(0);
  const found: StreamEvent[] = [];
  const reading = (async () => {
    for await (const event of stream) found.push(event);
  })();
  await left.cancel();
  await turns();
  for (let at = 0; at < 100; at++) expect(say('b')).toBeUndefined();
  await turns();
  output.finish(() => `a${'b'.repeat(100)}`);
  await reading;
  expect(found[0]).toEqual(snapshot('a'));
  expect(found.at(-1)).toEqual({ type: 'finish', data: { p: `a${'b'.repeat(100)}` } });
});
