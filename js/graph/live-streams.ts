/**
 * The streams of a run of a graph, in this page: who gives pieces just now, who reads them, who begins because they come.
 *
 * A node whose input streams is begun by the core when the first piece comes (`MeetEdge`), and not when its source ends. It has
 * begun on trust: where its source does not end well, or begins anew, what it has read counts for nothing. It is stopped
 * then and begins anew, with nothing of what it recorded, and finds what every other node would find: a stream again, a whole
 * output, or that nothing leads to it. And it ends only after its sources have, so what is stored of it came from what is
 * stored of them.
 *
 * Invariants: no slot is held by who waits for one that has none; a source waits only for those who run; what is kept here is
 * kept by id, since a graph that is changed meanwhile has other nodes (`LiveRun.now`).
 */
import type { RunContext } from '../context/context.ts';
import type { WaitReason } from '../types.ts';
import { InterruptedError } from '../errors.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { isKept } from './caching.ts';
import type { StreamEvent } from './events.ts';
import type { LiveRun } from './live.ts';
import type { Dataflow } from './dataflow.ts';
import { NodeContext } from './node-context.ts';
import { type InputStream, inputStream, OutputStream, type PortReader, type StreamConsumer, type StreamPath, wholeStream } from './output-stream.ts';
import type { PlanNode } from './plan.ts';
import { portStreamMode, streamsInto } from './stream-ports.ts';
import type { Outlet } from './task.ts';
import { applyTransforms } from './transforms.ts';
import { type TaskIdType, type TaskOutput, TaskStatus } from './types.ts';
import { checkNow } from './validate.ts';

export class LiveStreams {
  readonly live: LiveRun;
  readonly #outputs = new Map<TaskIdType, OutputStream>();
  readonly #readers = new Map<TaskIdType, Consumer>();
  /** Of each edge into a node: it leads pieces. */
  readonly #leading = new Map<PlanNode, readonly boolean[]>();
  /** Who waits until one of its sources streams, or is over. */
  readonly #waiting = new Set<() => void>();

  constructor(live: LiveRun) {
    this.live = live;
  }

  /** Of the edges into it: which lead pieces. What is kept by its whole input waits for that. */
  leading(node: PlanNode): readonly boolean[] {
    let leading = this.#leading.get(node);
    if (!leading) {
      const never = !node.takesStreams || isKept(node, this.live.options);
      leading = never ? node.incoming.map(() => false) : streamsInto(node).map(({ mode }) => mode !== 'none');
      this.#leading.set(node, leading);
    }
    return leading;
  }

  outputOf(node: PlanNode): OutputStream | undefined {
    return this.#outputs.get(node.id);
  }

  // Who gives

  /** The first piece of an execution has come. */
  begin(node: PlanNode, context: RunContext): OutputStream {
    const { live } = this;
    const { owner, signal } = context;
    const { services } = live.house;
    const former = this.#outputs.get(node.id);
    if (former) this.broke(node, former, new InterruptedError(`Task ${node.id} begins its output anew.`));
    const output = new OutputStream(() => services.isRunning(owner));
    this.#outputs.set(node.id, output);
    signal.addEventListener('abort', () => this.broke(node, output, signal.reason), { once: true });
    output.whenOver = hearParked(owner, () => output.moved());
    for (const target of new Set(live.now(node).targets)) this.#meet(node, target);
    this.#tell();
    return output;
  }

  #isLedTo(source: PlanNode, target: PlanNode): boolean {
    return target.takesStreams && this.leading(target).some((leads, at) => leads && target.sources[at]!.id === source.id);
  }

  /** The core need not wait for the source's end. */
  #meet(source: PlanNode, target: PlanNode): void {
    const { runs, house, plan } = this.live;
    const from = runs[plan.byId.get(source.id)!.index]!;
    const known = plan.byId.get(target.id);
    const to = known && runs[known.index];
    if (!to || to.end !== End.None || this.live.isOver(source) || !this.#isLedTo(source, known)) return;
    if (to.task === 0) return void to.accepted.then(() => to.task !== 0 && this.#meet(source, target), () => {});
    house.pump.commands.push(P.CommandMeetEdge, to.task, from.task, P.EdgeKindDataflow);
    house.pump.wake();
  }

  /** The page has its turn: who begins because the first piece has come does so before the second is asked for, however fast those come. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.live.house.clock.defer(resolve));
  }

  /** It is in the core now: what streams already leads to it. */
  joined(target: PlanNode): void {
    for (const source of new Set(target.sources)) if (this.#outputs.has(source.id)) this.#meet(source, target);
  }

  /** What was read of it counts for nothing. */
  broke(node: PlanNode, output: OutputStream, error: unknown): void {
    if (output.isOver) return;
    output.break(error);
    const { passed } = this.live;
    if (passed?.from === node.id) passed.outlet.broke(error);
    if (this.#outputs.get(node.id) === output) this.#outputs.delete(node.id);
    for (const [target, consumer] of this.#readers) if (consumer.sources.has(node.id)) this.#beginAnew(target, consumer, error);
  }

  #beginAnew(target: TaskIdType, consumer: Consumer, error: unknown): void {
    consumer.close({ error });
    this.#readers.delete(target);
    const { run, context } = consumer;
    if (run.end === End.None && run.context === context && !context.stopReason) beginAnew(this.live, run, error);
  }

  /** A node is over, as the core says. */
  ended(node: PlanNode): void {
    this.#readers.delete(node.id);
    const output = this.#outputs.get(node.id);
    if (output) {
      this.#outputs.delete(node.id);
      if (this.live.statuses[node.index] === TaskStatus.COMPLETED) {
        const valueOn = (edge: Dataflow) => this.live.valueOn(edge, node)?.value;
        for (const [target, consumer] of this.#readers) if (consumer.isMisled(node, valueOn)) this.#beginAnew(target, consumer, new InterruptedError(`Task ${node.id} gave nothing at a port in the end.`));
        output.finish(({ edge }) => valueOn(edge));
      } else this.broke(node, output, this.live.errorOf(node) ?? new InterruptedError(`Task ${node.id} was ended.`));
    }
    this.#tell();
  }

  // Who reads

  /** Sources that have not ended, though it has begun. Empty: it began as every node does. */
  early(node: PlanNode): PlanNode[] {
    return [...new Set(this.live.now(node).sources)].filter((source) => !this.live.isOver(source));
  }

  /** Until all of those stream, or are over; undefined: they do. */
  coming(sources: readonly PlanNode[]): Promise<void> | undefined {
    return this.#until(() => sources.every((source) => this.live.isOver(source) || this.#outputs.has(source.id)));
  }

  /** Until all of those are over; undefined: they are. */
  over(sources: readonly PlanNode[]): Promise<void> | undefined {
    return this.#until(() => sources.every((source) => this.live.isOver(source)));
  }

  #until(isSo: () => boolean): Promise<void> | undefined {
    if (isSo()) return undefined;
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  #tell(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** What its code reads. @param sources those that stream */
  open(node: PlanNode, input: Record<string, any>, context: RunContext, sources: readonly PlanNode[]): Consumer {
    const consumer = new Consumer(this.live, node, context, new Set(sources.map(({ id }) => id)));
    const leading = this.leading(node);
    // Of several into one port the last one counts.
    const ports = new Map<string, number>();
    for (const [at, edge] of node.incoming.entries()) {
      const source = node.sources[at]!;
      if (leading[at] && this.#outputs.has(source.id)) ports.set(edge.targetTaskPortId, at);
      else if (this.live.valueOn(edge, source)?.value !== undefined) ports.delete(edge.targetTaskPortId);
    }
    for (const at of ports.values()) {
      const edge = node.incoming[at]!;
      const output = this.#outputs.get(node.sources[at]!.id)!;
      const { sourceTaskPortId: from, targetTaskPortId: to } = edge;
      const hasOther = input[to] !== undefined || node.incoming.some((other) => other !== edge && other.targetTaskPortId === to);
      delete input[to];
      const steps = edge.getTransforms();
      consumer.read(output, { edge, from, to, transform: steps.length > 0 ? (value) => applyTransforms(value, steps) : undefined }, hasOther);
    }
    consumer.addWhole(input);
    if (sources.length > 0) this.#readers.set(node.id, consumer);
    return consumer;
  }

  /** Its code has come to its end, or was stopped. */
  left(node: PlanNode, consumer: Consumer): void {
    consumer.close();
    if (this.#readers.get(node.id) === consumer) this.#readers.delete(node.id);
  }
}

/** Without what it recorded: other pieces come, or the same cut otherwise. */
export function beginAnew({ house }: LiveRun, run: Run, reason: unknown): void {
  const { services, pump, attempts } = house;
  if (services.historyOf(run).entries.length > 0) {
    services.release(run);
    services.beginEra(run);
    pump.commands.push(P.CommandDropSteps, run.task, run.attempt, 0);
  }
  attempts.interrupt(run, new InterruptedError(`Run ${run.id} begins anew: it had begun with a stream.`, { cause: reason }));
}

/** Gives what ends it. */
function hearParked(run: Run, parked: () => void): () => void {
  const flows = (run.ownExtra.flows ??= new Set());
  flows.add(parked);
  return () => void flows.delete(parked);
}

/** A node that reads streams, in one execution. */
export class Consumer implements StreamConsumer {
  readonly run: Run;
  /** Whom it reads from. */
  readonly sources: ReadonlySet<TaskIdType>;
  readonly streams = new Map<string, InputStream>();
  reads = 0;
  readonly #live: LiveRun;
  readonly #node: PlanNode;
  readonly context: RunContext;
  readonly #readers: { reader: PortReader; output: OutputStream }[] = [];
  readonly #begunWith: { readonly reader: PortReader; readonly hasOther: boolean }[] = [];
  #deafen: (() => void) | undefined;
  readonly #close = (): void => this.close({ error: this.context.signal.reason });

  constructor(live: LiveRun, node: PlanNode, context: RunContext, reads: ReadonlySet<TaskIdType>) {
    this.#live = live;
    this.#node = node;
    this.context = context;
    this.run = context.owner;
    this.sources = reads;
    if (reads.size === 0) return;
    this.#deafen = hearParked(this.run, () => this.changed());
    context.signal.addEventListener('abort', this.#close, { once: true });
  }

  /** @param hasOther the port would have a value without it */
  read(output: OutputStream, path: StreamPath, hasOther: boolean): void {
    const reader = output.read(path, this);
    this.#readers.push({ reader, output });
    this.#begunWith.push({ reader, hasOther });
    this.streams.set(path.to, inputStream(reader));
  }

  /** A source came to give nothing where it streamed, so the port has what others give, or nothing. It may have read all it wants. */
  isMisled(source: PlanNode, valueOn: (edge: Dataflow) => unknown): boolean {
    const isNothing = ({ path: { edge } }: PortReader): boolean => {
      try {
        return edge.sourceTaskId === source.id && valueOn(edge) === undefined;
      } catch {
        // A transform's: it hears that as the end of its stream.
        return false;
      }
    };
    return this.#begunWith.some(({ reader, hasOther }) => (hasOther || reader.hasGiven) && isNothing(reader));
  }

  /** Of ports that grow, and got their value otherwise. */
  addWhole(input: Record<string, any>): void {
    const schema = this.#node.task.inputSchema();
    for (const [port, value] of Object.entries(input)) if (value !== undefined && !this.streams.has(port) && portStreamMode(schema, port) !== 'none') this.streams.set(port, wholeStream(port, value));
  }

  get isRunning(): boolean {
    return this.#live.house.services.isRunning(this.run);
  }

  /** Without its slot, where who gives has none either. */
  wait(outside: Promise<void>, isMoving: boolean): Promise<void> {
    return isMoving ? outside : this.context.durableWork.wait(outside, () => {}, forSources(this.#live, [...this.sources]));
  }

  changed(): void {
    for (const { output } of this.#readers) output.look();
  }

  /** @param over what who still reads hears */
  close(over?: { readonly error: unknown }): void {
    this.#deafen?.();
    this.context.signal.removeEventListener('abort', this.#close);
    for (const { reader } of this.#readers.splice(0)) reader.close(over);
  }
}

/** So many pieces are given before the page gets its turn: who gives and who reads may wait for nothing but each other. */
const turnPieces = 256;

/** Of one execution of a node that streams. */
export class NodeOutlet implements Outlet {
  readonly #live: LiveRun;
  readonly #node: PlanNode;
  readonly #context: RunContext;
  #output: OutputStream | undefined;
  #count = 0;

  constructor(live: LiveRun, node: PlanNode, context: RunContext) {
    this.#live = live;
    this.#node = node;
    this.#context = context;
  }

  get isHeardOnly(): boolean {
    const { options, passed } = this.#live;
    return options.accumulateLeafOutputs === false && passed === undefined && !isKept(this.#node, options) && this.#node.isLeaf;
  }

  #begun(): OutputStream {
    // Of a graph within it a task may begin again while this goes on.
    if (!this.#output || this.#output.isOver) {
      this.#output = this.#live.streams.begin(this.#node, this.#context);
      const now = this.#live.now(this.#node);
      this.#live.statuses[now.index] = TaskStatus.STREAMING;
      this.#live.mirror?.streamBegun(now);
    }
    return this.#output;
  }

  told(event: StreamEvent): void {
    this.#live.mirror?.streamed(this.#node, event);
  }

  gave(event: StreamEvent, output: TaskOutput): Promise<void> | undefined {
    if (this.#context.signal.aborted) return undefined;
    const isFirst = !this.#output || this.#output.isOver;
    const room = this.#begun().push(event, output) ?? (isFirst || ++this.#count % turnPieces === 0 ? this.#live.streams.turn() : undefined);
    this.told(event);
    const { passed } = this.#live;
    const beyond = passed?.from === this.#node.id ? passed.outlet.gave(event, output) : undefined;
    return room && beyond ? Promise.all([room, beyond]).then(() => {}) : (room ?? beyond);
  }

  gaveAll(output: TaskOutput): void {
    if (this.#context.signal.aborted) return;
    this.#begun();
    this.#live.mirror?.streamEnded(this.#node, output);
  }

  broke(error: unknown): void {
    if (this.#output) this.#live.streams.broke(this.#node, this.#output, error);
  }
}

/** Recorded by a node that reads pieces, before all else it records: that depends on how they were cut. */
const readingMark = `${KeyPrefix.Mark}reads pieces`;

/** Of a node whose input ports grow: it may have begun before its sources have ended. */
export function executeReading(live: LiveRun, node: PlanNode, run: Run, context: RunContext): unknown {
  if (live.house.services.historyOf(run).entries.some(({ key }) => key === readingMark)) {
    beginAnew(live, run, undefined);
    return new Promise(() => {});
  }
  const deciding = live.deciding(node);
  if (deciding) return deciding.then(() => executeReading(live, live.now(node), run, context));
  const early = live.streams.early(node);
  if (early.length > 0) return executeEarly(live, node, run, context, early);
  if (isLeadTo(live, node)) return live.executeWhole(node, context);
  // It had begun with what a source that has failed since gave.
  return live.skip(run, true);
}

function isLeadTo(live: LiveRun, { incoming, sources }: PlanNode): boolean {
  return incoming.some((edge, at) => live.isActive(edge, sources[at]!));
}

/** For people: who has not ended yet of those whose pieces it reads. */
const forSources = ({ runs, plan }: LiveRun, sources: readonly TaskIdType[]) => (): WaitReason => {
  const open = sources.flatMap((id) => runs[plan.byId.get(id)?.index ?? -1] ?? []).filter(({ end }) => end === End.None);
  const names = open.map(({ id, taskIdentifier }) => `${id} (${taskIdentifier})`).join(', ');
  return { kind: 'dependencies', runs: open.map(({ id }) => id), text: `Waits for what ${names || 'the tasks before it'} give${open.length === 1 ? 's' : ''}.` };
};

async function executeEarly(live: LiveRun, begun: PlanNode, run: Run, context: RunContext, early: readonly PlanNode[]): Promise<unknown> {
  const { streams } = live;
  for (let coming = streams.coming(early); coming; coming = streams.coming(early)) await context.durableWork.wait(coming, () => {}, forSources(live, early.map(({ id }) => id)));
  const node = live.now(begun);
  if (live.failedSourceOf(node)) return live.skip(run);
  const open = streams.early(node);
  if (open.length === 0) return executeReading(live, node, run, context);
  return live.executeWhole(node, context, open);
}

/** With streams of what has not ended yet. Gives what it gave when its sources are over. */
export async function callReading(live: LiveRun, node: PlanNode, input: Record<string, any>, context: RunContext, early: readonly PlanNode[]): Promise<unknown> {
  const { task } = node;
  const { streams } = live;
  const consumer = streams.open(node, input, context, early);
  try {
    checkNow(task, input, consumer.streams);
    live.mirror?.started(node, input);
    const given = await task.execute(input, new NodeContext(live, node, context, consumer.streams, () => context.durableWork.note(readingMark, RecordKind.Mark)));
    consumer.close();
    // It stays known as one that reads, so it begins anew where a source does.
    for (let coming = streams.over(early); coming; coming = streams.over(early)) await context.durableWork.wait(coming, () => {}, forSources(live, early.map(({ id }) => id)));
    checkWhole(live, live.now(node));
    return given;
  } finally {
    streams.left(node, consumer);
  }
}

/** Now that all of it is there. */
function checkWhole(live: LiveRun, node: PlanNode): void {
  const { task } = node;
  const whole = live.inputOf(node);
  checkNow(task, whole);
  if (live.mirror) task.runInputData = whole;
}
