/**
 * Random graphs whose edges lead pieces, changed at random while they run, killed and reopened: they give what their whole
 * values say of the graph with the changes that were accepted; nobody reads a piece twice, or misses one; none hangs.
 */
import { afterEach, expect, it } from 'vitest';
import '../../../js/testing/graph-rooms.ts';
import type { TriggerOptions } from 'holdfast';
import { type ExecuteContext, type InputStream, type JsonSchema, registerTask, type StreamEvent, StreamingTask, Task, TaskGraph, type TaskOutput } from 'holdfast/graph';
import { seededRandom } from '../../../js/time/random.ts';
import type { House } from '../house.ts';
import { again, crash, open } from '../houses.ts';
import { changeBoth, type Connection, finishedOf, idOf, Model, removeEdge, removeNode, stateFound } from './changing.ts';

const text = { type: 'string', 'x-stream': 'append' };
const ports = (properties: Record<string, JsonSchema>) => ({ type: 'object', properties });

let house: House;
let random: () => number = () => 0;
const below = (limit: number): number => Math.floor(random() * limit);
/** Attempts of nodes that are to fail still. */
let failing = new Map<string, number>();
let finished = new Set<string>();
const counts: Record<string, number> = {};
const count = (what: string) => (counts[what] = (counts[what] ?? 0) + 1);

afterEach(() => {
  finished = new Set();
});

const pass = (): Promise<void> => new Promise((resolve) => void house.clock.schedule(house.clock.now() + below(100), resolve));
async function dawdle({ durable }: ExecuteContext): Promise<void> {
  const way = below(10);
  if (way === 0) await durable.sleep(below(100));
  else if (way < 3) await pass();
}
function begin(id: string): void {
  expect(finished.has(id), `${id} has finished and is executed again`).toBe(false);
}
function fail(id: string): void {
  const left = failing.get(id) ?? 0;
  if (left === 0) return;
  failing.set(id, left - 1);
  throw new Error(`${id} fails`);
}

/** What comes, as text; and the end says what all of it is. */
async function* heard(stream: InputStream | undefined, context: ExecuteContext): AsyncIterable<string> {
  if (!stream) return;
  let whole = '';
  for await (const event of stream) {
    if (event.type === 'finish') {
      expect(Object.values(event.data)[0] ?? '').toBe(whole);
      count('read to the end');
    }
    if (event.type === 'snapshot') expect((Object.values(event.data)[0] as string).startsWith(whole)).toBe(true);
    const piece = event.type === 'text-delta' ? event.textDelta : event.type === 'snapshot' ? (Object.values(event.data)[0] as string).slice(whole.length) : '';
    if (event.type === 'text-delta') count('pieces');
    whole += piece;
    if (piece) yield piece;
    await dawdle(context);
  }
}
async function all(stream: InputStream | undefined, context: ExecuteContext): Promise<string> {
  let whole = '';
  for await (const piece of heard(stream, context)) whole += piece;
  return whole;
}

abstract class Streams extends StreamingTask<TaskOutput, TaskOutput> {
  static override inputSchema = (): JsonSchema => ports({ a: text, b: text });
  static override outputSchema = (): JsonSchema => ports({ text });
  override runOptions(): TriggerOptions {
    return { retry: { maxAttempts: 4, minDelayMs: 50, factor: 1, jitter: 'none' } };
  }
}
class Say extends Streams {
  static override readonly type = 'ChangedSay';
  override async *executeStream({ words }: TaskOutput): AsyncIterable<StreamEvent> {
    begin(this.id);
    const at = below(words.length);
    for (const [place, word] of words.entries()) {
      if (below(3) === 0) await pass();
      if (place === at) fail(this.id);
      yield { type: 'text-delta', port: 'text', textDelta: word };
    }
  }
}
class Raise extends Streams {
  static override readonly type = 'ChangedRaise';
  override async *executeStream(_: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    begin(this.id);
    for await (const piece of heard(context.inputStreams?.get('a'), context)) yield { type: 'text-delta', port: 'text', textDelta: piece.toUpperCase() };
    fail(this.id);
  }
}
class Zip extends Streams {
  static override readonly type = 'ChangedZip';
  override async *executeStream(_: TaskOutput, context: ExecuteContext): AsyncIterable<StreamEvent> {
    begin(this.id);
    const { inputStreams } = context;
    const [a, b] = await Promise.all([all(inputStreams?.get('a'), context), all(inputStreams?.get('b'), context)]);
    for (const part of [a, '|', b]) yield { type: 'text-delta', port: 'text', textDelta: part };
  }
}
class Whole extends Task<TaskOutput, TaskOutput> {
  static override readonly type = 'ChangedWhole';
  override async execute({ a = '', b = '' }: TaskOutput) {
    begin(this.id);
    await pass();
    return { text: `<${a}${b}>` };
  }
}
class Caught extends Task<TaskOutput, TaskOutput> {
  static override readonly type = 'ChangedCaught';
  override execute({ error = 'nothing' }: TaskOutput) {
    begin(this.id);
    return { text: `caught ${error}` };
  }
}
registerTask(Say, Raise, Zip, Whole, Caught);
const classes = { Say, Raise, Zip, Whole, Caught };
type Kind = keyof typeof classes;

interface Node {
  readonly id: string;
  readonly kind: Kind;
  readonly words: readonly string[];
  /** Attempts that fail; 9: all. */
  readonly failures: number;
  readonly isDisabled?: boolean;
}
type Changed = Model<Node>;
const into = (model: Changed, id: string): Connection[] => [...model.edges.values()].filter(({ to }) => to === id).sort((one, other) => (idOf(one) < idOf(other) ? -1 : 1));

interface Expected {
  readonly status: string;
  readonly text?: string | undefined;
  readonly own?: boolean;
}
/** Whole values, sources first, one after the other. */
function reference(model: Changed): Map<string, Expected> {
  const found = new Map<string, Expected>();
  const isHandled = (id: string) => found.get(id)!.own === true && [...model.edges.values()].some(({ from, port }) => from === id && port === '[error]');
  const of = (id: string): Expected => {
    const known = found.get(id);
    if (known) return known;
    const { kind, words, failures, isDisabled } = model.nodes.get(id)!;
    const edges = into(model, id);
    for (const { from } of edges) of(from);
    const isActive = ({ from, port }: Connection) => (port === '[error]' ? found.get(from)!.own === true : found.get(from)!.status === 'COMPLETED');
    const value = (at: string) => {
      // Who gave nothing at a port leaves it to the others.
      const edge = edges.findLast((each) => each.toPort === at && isActive(each) && found.get(each.from)!.text !== undefined);
      return (edge && found.get(edge.from)!.text) ?? '';
    };
    const computed = (): string | undefined => {
      if (kind === 'Say') return words.join('');
      if (kind === 'Raise') return value('a').toUpperCase() || undefined;
      if (kind === 'Zip') return `${value('a')}|${value('b')}`;
      if (kind === 'Whole') return `<${value('a')}${value('b')}>`;
      const from = edges.findLast(({ port, from: id }) => port === '[error]' && found.get(id)!.own)?.from;
      return `caught ${from ? `${from} fails` : 'nothing'}`;
    };
    const expected: Expected = isDisabled
      ? { status: 'DISABLED' }
      : edges.some(({ from, port }) => port !== '[error]' && found.get(from)!.status === 'FAILED' && !isHandled(from))
        ? { status: 'FAILED' }
        : edges.length > 0 && !edges.some(isActive)
          ? { status: 'DISABLED' }
          : failures === 9
            ? { status: 'FAILED', own: true }
            : { status: 'COMPLETED', text: computed() };
    found.set(id, expected);
    return expected;
  };
  for (const id of model.nodes.keys()) of(id);
  return found;
}

function randomNode(id: string, hasSources: boolean): Node {
  const kind = hasSources ? (['Say', 'Raise', 'Raise', 'Zip', 'Whole', 'Caught'] as const)[below(6)]! : 'Say';
  const failures = kind === 'Say' ? [0, 0, 0, 0, 1, 2, 9][below(7)]! : kind === 'Raise' && below(4) === 0 ? 1 + below(2) : 0;
  return { id, kind, failures, words: Array.from({ length: 1 + below(40) }, () => 'abcdef'.slice(0, 1 + below(6))) };
}
/** Of two nodes. */
function randomEdge(from: string, to: Node): Connection {
  if (to.kind === 'Caught') return { from, port: '[error]', to: to.id, toPort: '*' };
  return { from, port: 'text', to: to.id, toPort: to.kind !== 'Raise' && below(2) === 0 ? 'b' : 'a' };
}
function taskOf({ id, kind, words, failures, isDisabled }: Node): Task<any, any, any> {
  failing.set(id, failures === 9 ? Number.POSITIVE_INFINITY : failures);
  return new classes[kind]({ id, ...(kind === 'Say' && { defaults: { words: [...words] } }), ...(isDisabled && { disabled: true }) });
}

function randomModel(size: number): Changed {
  const model: Changed = new Model(({ kind }) => `Changed${kind}`);
  for (let at = 0; at < size; at++) {
    const ids = [...model.nodes.keys()];
    const node = randomNode(`n${at}`, at > 0);
    model.nodes.set(node.id, node);
    if (node.kind === 'Say') continue;
    for (let left = 1 + below(3); left > 0; left--) {
      model.connect(randomEdge(ids[below(ids.length)]!, node));
    }
  }
  return model;
}
function graphOf(model: Changed): TaskGraph {
  const graph = new TaskGraph();
  for (const node of model.nodes.values()) graph.addTask(taskOf(node));
  for (const { from, port, to, toPort } of model.edges.values()) graph.connect(from, port, to, toPort);
  return graph;
}

async function change(graph: TaskGraph, model: Changed, serial: number): Promise<void> {
  if (!graph.shown?.isRunning) return;
  const ids = [...model.nodes.keys()];
  const some = () => ids[below(ids.length)] ?? 'none';
  const kind = ['add', 'add', 'connect', 'connect', 'removeEdge', 'removeNode', 'disable', 'enable', 'swap'][below(9)]!;
  const one = some();
  const known = model.nodes.get(one);
  if (kind === 'removeEdge' && model.edges.size === 0) return;
  if (['connect', 'disable', 'enable', 'swap'].includes(kind) && !known) return;
  if (kind === 'connect' && known!.kind === 'Say') return;
  if (kind === 'swap' && (known!.kind === 'Say' || known!.kind === 'Caught')) return;
  const connect = (next: Changed, edge: Connection) => {
    graph.connect(edge.from, edge.port, edge.to, edge.toPort);
    next.connect(edge);
  };
  const failuresBefore = new Map(failing);
  const isAccepted = await changeBoth(graph, model, kind, count, (next) => {
    if (kind === 'add') {
      const node = randomNode(`x${serial}`, ids.length > 0);
      graph.addTask(taskOf(node));
      next.nodes.set(node.id, node);
      for (let left = node.kind === 'Say' ? 0 : below(3); left > 0; left--) {
        try {
          connect(next, randomEdge(some(), node));
        } catch {
          count('connect of new refused');
        }
      }
    } else if (kind === 'connect') connect(next, randomEdge(some(), known!));
    else if (kind === 'removeEdge') removeEdge(graph, next, [...model.edges.keys()][below(model.edges.size)]!);
    else if (kind === 'removeNode') removeNode(graph, next, one);
    else if (kind === 'swap') {
      const node: Node = { id: one, kind: known!.kind === 'Zip' ? 'Whole' : 'Zip', words: [], failures: 0 };
      graph.replaceTask(one, taskOf(node));
      next.nodes.set(one, node);
    } else {
      next.nodes.set(one, { ...known!, isDisabled: kind === 'disable' });
      const task = graph.getTask(one)!;
      return kind === 'disable' ? task.disable() : task.enable();
    }
  });
  if (!isAccepted) failing = failuresBefore;
}

async function live(seed: number): Promise<void> {
  random = seededRandom(seed);
  finished = new Set();
  failing = new Map();
  let model = randomModel(2 + below(9));
  house = await open();
  const concurrency = below(2) === 0 ? 1 + below(3) : undefined;
  let run = await house.orchestrator.graphs.run(graphOf(model), {}, { failurePolicy: 'collect', ...(concurrency !== undefined && { concurrency }) });
  const { id } = run;
  const isOver = () => run.status === 'completed';
  let crashes = 0;
  for (let look = 0; look < 12 && !isOver(); look++) {
    let storedAt = 0;
    const states = [model.copy()];
    const graph = await run.graph();
    for (let left = 1 + below(3); left > 0 && !isOver(); left--) {
      await house.clock.advance(below(80));
      for (let each = 1 + below(3); each > 0; each--) await change(graph, model, look * 100 + left * 10 + each);
      states.push(model.copy());
      const at = states.length - 1;
      void run.changesStored().then(() => (storedAt = Math.max(storedAt, at)));
    }
    for (let turns = below(40); turns > 0; turns--) await null;
    if (below(3) > 0) continue;
    const stored = storedAt;
    // What ran in three crashes is quarantined.
    house = below(2) === 0 && crashes++ < 2 ? await crash(house) : await again(house.reload());
    count('deaths');
    run = (await house.orchestrator.graphs.get(id))!;
    model = stateFound(await run.graph(), states, stored, seed);
    for (const key of finishedOf(house, id)) finished.add(key);
  }
  for (let turn = 0; turn < 200 && !isOver(); turn++) await house.clock.advance(200);
  const expected = reference(model);
  const told = Object.fromEntries([...run.nodes].map(([node, { status }]) => [node, status]));
  expect(told, `seed ${seed}`).toEqual(Object.fromEntries([...expected].map(([node, { status }]) => [node, status])));
  expect(run.status, `seed ${seed}`).toBe('completed');
  for (const [node, { status, text: wanted }] of expected) if (status === 'COMPLETED') expect((await run.output(node))!.text, `seed ${seed}, ${node}`).toBe(wanted);
  await house.orchestrator.dispose();
}

it('random graphs of streams that are changed while they run, killed and reopened, give what the accepted changes make of them', { timeout: 120_000 }, async () => {
  const first = Number(process.env.HOLDFAST_SEED ?? 1);
  for (let seed = first; seed < first + Number(process.env.HOLDFAST_RUNS ?? (process.env.HOLDFAST_SEED ? 1 : 12)); seed++) await live(seed);
  for (const kind of ['pieces', 'read to the end', 'deaths', 'add', 'connect', 'removeEdge', 'removeNode', 'disable', 'swap', 'connect refused']) if (process.env.HOLDFAST_SEED === undefined) expect(counts[kind], kind).toBeGreaterThan(3);
});
