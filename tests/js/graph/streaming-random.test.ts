/**
 * Random graphs of nodes that give and read streams give what their whole values say: with few slots, with failures that are
 * tried again or led on, with pages that die at random moments.
 */
import { expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import type { TriggerOptions } from 'holdfast';
import { type ExecuteContext, type InputStream, type JsonSchema, registerTask, type StreamEvent, StreamingTask, Task, TaskGraph, type TaskOutput } from 'holdfast/graph';
import { seededRandom } from '../../../js/time/random.ts';
import { type House, openHouse } from '../house.ts';

const text = { type: 'string', 'x-stream': 'append' };
const items = { type: 'array', 'x-stream': 'object' };
const ports = (properties: Record<string, JsonSchema>) => ({ type: 'object', properties });

let house: House;
let random: () => number = () => 0;
const below = (limit: number): number => Math.floor(random() * limit);
/** Attempts of nodes that are to fail still. */
let failing = new Map<string, number>();

/** Whatever may take its time between two pieces. */
async function dawdle({ durable }: ExecuteContext): Promise<void> {
  const way = below(8);
  if (way === 0) await durable.sleep(below(200));
  else if (way < 3) await pass();
}
const pass = (): Promise<void> => new Promise((resolve) => void house.clock.schedule(house.clock.now() + below(100), resolve));

function fail(id: string): void {
  const left = failing.get(id) ?? 0;
  if (left === 0) return;
  failing.set(id, left - 1);
  throw new Error(`${id} fails`);
}

async function read(stream: InputStream | undefined, context: ExecuteContext, heard: (piece: string) => void = () => {}): Promise<string> {
  let whole = '';
  if (stream) for await (const event of stream) {
    if (event.type === 'finish') expect(event.data).toEqual({ [Object.keys(event.data)[0]!]: whole });
    const piece = event.type === 'text-delta' ? event.textDelta : event.type === 'snapshot' ? (Object.values(event.data)[0] as string).slice(whole.length) : '';
    if (event.type === 'snapshot') expect((Object.values(event.data)[0] as string).startsWith(whole)).toBe(true);
    whole += piece;
    if (piece) heard(piece);
    await dawdle(context);
  }
  return whole;
}

const retried: TriggerOptions = { retry: { maxAttempts: 4, minDelayMs: 50, factor: 1, jitter: 'none' } };

abstract class Streams extends StreamingTask<TaskOutput, TaskOutput> {
  static override inputSchema = (): JsonSchema => ports({ a: text, b: text });
  static override outputSchema = (): JsonSchema => ports({ text });
  override runOptions(): TriggerOptions {
    return retried;
  }
}
class Say extends Streams {
  static override readonly type = 'RandomSay';
  override async *executeStream({ words }: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    const at = below(words.length);
    for (const [place, word] of words.entries()) {
      // Always at the same places: who does not read is held to what it has recorded.
      if ((word.length + place) % 7 === 0) await context.durable.sleep(50);
      else if (below(4) === 0) await pass();
      if (place === at) fail(this.id);
      yield { type: 'text-delta', port: 'text', textDelta: word };
    }
  }
}
/** As they come. */
class Raise extends Streams {
  static override readonly type = 'RandomRaise';
  override async *executeStream(_: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    const { inputStreams } = context;
    let given = '';
    for await (const event of inputStreams!.get('a')!) {
      await dawdle(context);
      if (below(3) === 0) fail(this.id);
      if (event.type === 'text-delta') yield { type: 'text-delta', port: 'text', textDelta: event.textDelta.toUpperCase() };
      if (event.type === 'snapshot') yield { type: 'text-delta', port: 'text', textDelta: event.data.a.toUpperCase().slice(given.length) };
      given += event.type === 'text-delta' ? event.textDelta : event.type === 'snapshot' ? event.data.a.slice(given.length) : '';
    }
    fail(this.id);
  }
}
/** Both side by side. */
class Zip extends Streams {
  static override readonly type = 'RandomZip';
  override async *executeStream(_: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    const { inputStreams } = context;
    const [a, b] = below(2) === 0 ? await Promise.all([read(inputStreams?.get('a'), context), read(inputStreams?.get('b'), context)]) : [await read(inputStreams?.get('a'), context), await read(inputStreams?.get('b'), context)];
    fail(this.id);
    for (const part of [a, '|', b]) yield { type: 'text-delta', port: 'text', textDelta: part };
  }
}
class Brief extends Task<TaskOutput, TaskOutput> {
  static override readonly type = 'RandomBrief';
  static override inputSchema = () => ports({ a: text });
  override async execute(_: TaskOutput, { inputStreams }: ExecuteContext) {
    for await (const _event of inputStreams!.get('a')!) if (below(2) === 0) break;
    return { text: 'brief' };
  }
}
class Whole extends Task<TaskOutput, TaskOutput> {
  static override readonly type = 'RandomWhole';
  override async execute({ a = '', b = '' }: TaskOutput) {
    await pass();
    return { text: `<${a}${b}>` };
  }
}
/** Text to a list of its letters, each once, with how often it came; and back. */
class Count extends Streams {
  static override readonly type = 'RandomCount';
  static override outputSchema = () => ports({ items });
  override async *executeStream(_: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    const counts = new Map<string, number>();
    const pieces: StreamEvent[] = [];
    const count = (piece: string): void => {
      for (const letter of piece) {
        counts.set(letter, (counts.get(letter) ?? 0) + 1);
        pieces.push({ type: 'object-delta', port: 'items', objectDelta: [{ id: letter, count: counts.get(letter) }] });
      }
    };
    await read(context.inputStreams!.get('a')!, context, count);
    fail(this.id);
    yield* pieces;
  }
}
class Spell extends Streams {
  static override readonly type = 'RandomSpell';
  static override inputSchema = () => ports({ items });
  override async *executeStream(_: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    let whole: { id: string; count: number }[] = [];
    for await (const event of context.inputStreams!.get('items')!) {
      if (event.type === 'snapshot') whole = event.data.items;
      if (event.type === 'object-delta') for (const item of event.objectDelta) whole = whole.some(({ id }) => id === item.id) ? whole.map((one) => (one.id === item.id ? item : one)) : [...whole, item];
      if (event.type === 'finish') expect(event.data.items ?? []).toEqual(whole);
      await dawdle(context);
    }
    yield { type: 'text-delta', port: 'text', textDelta: whole.map(({ id, count }) => `${id}${count}`).join('') };
  }
}
class Caught extends Task<TaskOutput, TaskOutput> {
  static override readonly type = 'RandomCaught';
  override execute({ error }: TaskOutput) {
    return { text: `caught ${error}` };
  }
}
registerTask(Say, Raise, Zip, Brief, Whole, Count, Spell, Caught);

interface Spec {
  id: string;
  kind: 'Say' | 'Raise' | 'Zip' | 'Brief' | 'Whole' | 'Count' | 'Spell' | 'Caught';
  words: string[];
  from: { port: string; id: string; of: string }[];
  /** Attempts that fail; 9: all. */
  failures: number;
}

function randomSpecs(size: number): Spec[] {
  const specs: Spec[] = [];
  for (let at = 0; at < size; at++) {
    const id = `n${at}`;
    const failures = below(5) === 0 ? (below(3) === 0 ? 9 : 1 + below(2)) : 0;
    const sources = specs.filter(({ kind }) => kind !== 'Count');
    const counts = specs.filter(({ kind }) => kind === 'Count');
    const doomed = specs.filter(({ failures, kind, id }) => failures === 9 && kind === 'Say' && !specs.some(({ from }) => from.some((edge) => edge.id === id && edge.of === '[error]')));
    const kinds = ['Say', ...(sources.length > 0 ? ['Raise', 'Raise', 'Zip', 'Brief', 'Whole', 'Count'] : []), ...(counts.length > 0 ? ['Spell'] : []), ...(doomed.length > 0 ? ['Caught'] : [])] as Spec['kind'][];
    const kind = kinds[below(kinds.length)]!;
    const one = <Each>(list: readonly Each[]): Each => list[below(list.length)]!;
    const a = { port: 'a', id: sources.length > 0 ? one(sources).id : '', of: 'text' };
    const from = kind === 'Say' ? [] : kind === 'Spell' ? [{ port: 'items', id: one(counts).id, of: 'items' }] : kind === 'Caught' ? [{ port: '*', id: one(doomed).id, of: '[error]' }] : kind === 'Zip' || (kind === 'Whole' && below(2) === 0) ? [a, { ...a, port: 'b', id: one(sources).id }] : [a];
    // Who reads pieces and fails by itself does so before its sources do, where they would: only sources fail for good.
    const fails = kind === 'Say' ? failures : failures === 9 ? 0 : kind === 'Raise' || kind === 'Zip' || kind === 'Count' ? failures : 0;
    specs.push({ id, kind, from, failures: fails, words: Array.from({ length: 1 + below(30) }, () => 'abcdef'.slice(0, 1 + below(6))) });
  }
  return specs;
}

interface Expected {
  status: string;
  text?: any;
  own?: boolean;
}

function reference(specs: readonly Spec[]): Map<string, Expected> {
  const found = new Map<string, Expected>();
  for (const { id, kind, from, failures, words } of specs) {
    const handled = (source: string) => found.get(source)!.own === true && specs.some((spec) => spec.from.some((edge) => edge.id === source && edge.of === '[error]'));
    const isAborted = from.some((edge) => edge.of !== '[error]' && found.get(edge.id)!.status === 'FAILED' && !handled(edge.id));
    const active = from.filter((edge) => (edge.of === '[error]' ? found.get(edge.id)!.own : found.get(edge.id)!.status === 'COMPLETED'));
    const value = (port: string): any => found.get(active.find((edge) => edge.port === port)?.id ?? '')?.text;
    if (isAborted) found.set(id, { status: 'FAILED' });
    else if (from.length > 0 && active.length === 0) found.set(id, { status: 'DISABLED' });
    else if (failures === 9) found.set(id, { status: 'FAILED', own: true });
    else found.set(id, { status: 'COMPLETED', text: computed(kind, words, value, from) });
  }
  return found;
}

function computed(kind: Spec['kind'], words: string[], value: (port: string) => any, from: Spec['from']): unknown {
  switch (kind) {
    case 'Say': return words.join('');
    case 'Raise': return value('a').toUpperCase();
    case 'Zip': return `${value('a') ?? ''}|${value('b') ?? ''}`;
    case 'Brief': return 'brief';
    case 'Whole': return `<${value('a') ?? ''}${value('b') ?? ''}>`;
    case 'Caught': return `caught ${from[0]!.id} fails`;
    case 'Spell': return value('items').map(({ id, count }: any) => `${id}${count}`).join('');
    case 'Count': {
      const counts = new Map<string, number>();
      for (const letter of value('a')) counts.set(letter, (counts.get(letter) ?? 0) + 1);
      return [...counts].map(([id, count]) => ({ id, count }));
    }
  }
}

function graphOf(specs: readonly Spec[]): TaskGraph {
  const classes = { Say, Raise, Zip, Brief, Whole, Count, Spell, Caught };
  const graph = new TaskGraph();
  for (const { id, kind, words } of specs) graph.addTask(new classes[kind]({ id, ...(kind === 'Say' && { defaults: { words } }) }));
  for (const { id, from } of specs) for (const edge of from) graph.connect(edge.id, edge.of, id, edge.port);
  return graph;
}

async function live(seed: number): Promise<number> {
  random = seededRandom(seed);
  const specs = randomSpecs(2 + below(12));
  const expected = reference(specs);
  failing = new Map(specs.map(({ id, failures }) => [id, failures === 9 ? Number.POSITIVE_INFINITY : failures]));
  house = await openHouse();
  const concurrency = below(2) === 0 ? 1 + below(3) : undefined;
  const { id } = await house.orchestrator.graphs.run(graphOf(specs), {}, { failurePolicy: 'collect', ...(concurrency !== undefined && { concurrency }) });
  for (let deaths = below(3); deaths > 0; deaths--) {
    await house.clock.advance(below(400));
    house = await house.crash();
  }
  const run = (await house.orchestrator.graphs.get(id))!;
  await run.graph();
  for (let turn = 0; turn < 200 && run.status !== 'completed'; turn++) await house.clock.advance(200);
  const told = Object.fromEntries([...run.nodes].map(([node, { status }]) => [node, status]));
  expect(told, `seed ${seed}`).toEqual(Object.fromEntries([...expected].map(([node, { status }]) => [node, status])));
  for (const [node, { status, text: wanted }] of expected) {
    const output = status === 'COMPLETED' ? await run.output(node) : undefined;
    if (output) expect(output.text ?? output.items ?? (Array.isArray(wanted) ? [] : ''), `seed ${seed}, ${node}`).toEqual(wanted);
  }
  house.cut();
  return specs.length;
}

it('random graphs of streams give what their whole values say', async () => {
  let nodes = 0;
  const first = Number(process.env.HOLDFAST_SEED ?? 1);
  const count = Number(process.env.HOLDFAST_RUNS ?? (process.env.HOLDFAST_SEED ? 1 : 25));
  for (let seed = first; seed < first + count; seed++) nodes += await live(seed);
  expect(nodes).toBeGreaterThan(count);
}, 300_000);
