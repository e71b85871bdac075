/**
 * The pieces of one output on their way to those who read them: one queue for each reader, so that nobody takes a piece from
 * another.
 *
 * Who reads has `mostInFlight` pieces before it at most. Where that many lie before one that runs and reads none of its
 * streams just now, the source waits; so the slowest decides. Who has not begun to read, or is not running, holds
 * up nobody: it falls behind, and finds all that has come meanwhile as one snapshot.
 *
 * Invariants: what a reader's pieces add up to is what has come so far; `finish` comes when the output is stored, and nothing
 * after it; a stream that is broken gives an error and nothing else.
 */
import type { Dataflow } from './dataflow.ts';
import type { StreamEvent } from './events.ts';
import { portValue } from './assembly.ts';

/** Pieces that lie before a reader. */
export const mostInFlight = 16;

/** Whose code reads; of all streams into one node. */
export interface StreamConsumer {
  /** It has its slot. */
  readonly isRunning: boolean;
  /** Reads that wait for a piece. */
  reads: number;
  /** Until `outside` comes about. @param isMoving who gives the pieces has its slot */
  wait(outside: Promise<void>, isMoving: boolean): Promise<void>;
  /** It reads, or has ceased to: sources look again whether they may go on. */
  changed(): void;
}

/** The edge: what a piece is behind it. */
export interface StreamPath {
  readonly edge: Dataflow;
  readonly from: string;
  readonly to: string;
  /** Of whole values. */
  readonly transform: ((value: unknown) => unknown) | undefined;
}

type Over = { readonly data: Record<string, any> } | { readonly error: unknown };

export class OutputStream {
  readonly #readers = new Set<PortReader>();
  /** As far as it has come, by ports. */
  #output: Readonly<Record<string, any>> = {};
  #free: (() => void) | undefined;
  #over = false;
  whenOver: (() => void) | undefined;
  /** Who gives the pieces has its slot. */
  readonly #isMoving: () => boolean;

  constructor(isMoving: () => boolean) {
    this.#isMoving = isMoving;
  }

  get output(): Readonly<Record<string, any>> {
    return this.#output;
  }
  get isOver(): boolean {
    return this.#over;
  }
  get isMoving(): boolean {
    return this.#isMoving();
  }

  /** @param output what the pieces add up to with this one. Gives: until there is room for the next; undefined: there is */
  push(event: StreamEvent, output: Readonly<Record<string, any>>): Promise<void> | undefined {
    this.#output = output;
    for (const reader of this.#readers) reader.offer(event);
    return this.#isHeldUp() ? new Promise((resolve) => (this.#free = resolve)) : undefined;
  }

  #isHeldUp(): boolean {
    if (this.#over) return false;
    for (const reader of this.#readers) if (reader.holdsUp) return true;
    return false;
  }

  /** Something about those who read is other than before. */
  look(): void {
    if (!this.#free || this.#isHeldUp()) return;
    const free = this.#free;
    this.#free = undefined;
    free();
  }

  /** Who gives the pieces has lost its slot, or has it again. */
  moved(): void {
    for (const reader of this.#readers) reader.stir();
  }

  read(path: StreamPath, consumer: StreamConsumer): PortReader {
    const reader = new PortReader(this, path, consumer);
    this.#readers.add(reader);
    return reader;
  }

  left(reader: PortReader): void {
    this.#readers.delete(reader);
    this.look();
  }

  /** Its output is stored. @param endOf what came along the edge of a reader in the end */
  finish(endOf: (path: StreamPath) => unknown): void {
    for (const reader of [...this.#readers]) {
      try {
        const value = endOf(reader.path);
        reader.end({ data: value === undefined ? {} : { [reader.path.to]: value } });
      } catch (error) {
        reader.end({ error });
      }
    }
    this.#end();
  }

  /** What has come counts for nothing. */
  break(error: unknown): void {
    for (const reader of [...this.#readers]) reader.end({ error });
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.whenOver?.();
    this.#readers.clear();
    this.look();
  }
}

export class PortReader {
  readonly path: StreamPath;
  readonly #source: OutputStream;
  readonly #consumer: StreamConsumer;
  #queue: StreamEvent[] = [];
  /** What lies before it is what has come so far. */
  #isBehind = true;
  #over: Over | undefined;
  #isDone = false;
  /** Something was read of it. */
  hasGiven = false;
  #stir: (() => void) | undefined;

  constructor(source: OutputStream, path: StreamPath, consumer: StreamConsumer) {
    this.#source = source;
    this.path = path;
    this.#consumer = consumer;
  }

  /** The source waits for it. */
  get holdsUp(): boolean {
    return this.#queue.length >= mostInFlight && this.#consumer.reads === 0 && this.#consumer.isRunning;
  }
  get inFlight(): number {
    return this.#queue.length;
  }

  offer(event: StreamEvent): void {
    if (this.#isBehind || this.#over) return;
    let piece: StreamEvent | undefined;
    try {
      piece = this.#behindEdge(event);
    } catch (error) {
      // A transform's: whoever reads fails by it, and not who gives.
      return this.end({ error });
    }
    if (!piece) return;
    if (this.#queue.length >= mostInFlight) {
      this.#queue = [];
      this.#isBehind = true;
    } else this.#queue.push(piece);
    this.stir();
  }

  /** undefined: it says nothing of this port. */
  #behindEdge(event: StreamEvent): StreamEvent | undefined {
    const { from, to, transform } = this.path;
    if (event.type === 'text-delta' || event.type === 'object-delta') {
      if (event.port !== from) return undefined;
      return transform ? this.#snapshot() : { ...event, port: to };
    }
    return event.type === 'snapshot' ? this.#snapshot() : undefined;
  }

  /** All that has come; undefined: nothing. */
  #snapshot(): StreamEvent | undefined {
    const { from, to, transform } = this.path;
    const value = portValue(this.#source.output, from);
    if (value === undefined) return undefined;
    return { type: 'snapshot', data: { [to]: transform ? transform(value) : value } };
  }

  /** The next piece; undefined: there is none any more. @throws what broke the stream, what a transform throws */
  async next(): Promise<StreamEvent | undefined> {
    for (;;) {
      const event = this.#take();
      if (event) this.hasGiven ||= event.type !== 'finish';
      if (event || this.#isDone) return event;
      const stirred = new Promise<void>((resolve) => (this.#stir = resolve));
      this.#consumer.reads++;
      this.#consumer.changed();
      try {
        await this.#consumer.wait(stirred, this.#source.isMoving);
      } finally {
        this.#consumer.reads--;
        this.#stir = undefined;
      }
    }
  }

  #take(): StreamEvent | undefined {
    if (this.#isDone) return undefined;
    const over = this.#over;
    if (over && 'error' in over) {
      this.#isDone = true;
      throw over.error;
    }
    if (this.#isBehind) {
      const snapshot = this.#snapshot();
      this.#isBehind = false;
      if (snapshot) return snapshot;
    }
    const piece = this.#queue.shift();
    if (piece) {
      this.#source.look();
      return piece;
    }
    if (!over) return undefined;
    this.#isDone = true;
    return { type: 'finish', data: over.data };
  }

  /** Whoever waits looks again. */
  stir(): void {
    this.#stir?.();
  }

  end(over: Over): void {
    this.#over ??= over;
    this.stir();
  }

  /** Nobody reads it any more. @param over what who still does hears; default: that it is over, without `finish` */
  close(over?: { readonly error: unknown }): void {
    if (over) this.#over ??= over;
    else this.#isDone = true;
    this.#queue = [];
    this.#source.left(this);
    this.stir();
  }
}

export type InputStream = ReadableStream<StreamEvent> & AsyncIterable<StreamEvent>;

/** As the code of a node gets it. Nothing is taken before it is asked for. */
export function inputStream(reader: Pick<PortReader, 'next' | 'close'>): InputStream {
  const stream = new ReadableStream<StreamEvent>(
    {
      async pull(controller) {
        const event = await reader.next();
        if (event) controller.enqueue(event);
        else controller.close();
      },
      cancel: () => reader.close(),
    },
    { highWaterMark: 0 },
  );
  // Not every browser has it yet.
  if (!(Symbol.asyncIterator in stream)) Object.defineProperty(stream, Symbol.asyncIterator, { value: () => pieces(stream) });
  return stream as InputStream;
}

async function* pieces(stream: ReadableStream<StreamEvent>): AsyncGenerator<StreamEvent> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

/** Of what is there already: one snapshot, and the end. */
export function wholeStream(port: string, value: unknown): InputStream {
  const events: StreamEvent[] = [{ type: 'snapshot', data: { [port]: value } }, { type: 'finish', data: { [port]: value } }];
  return inputStream({ next: async () => events.shift(), close: () => void (events.length = 0) });
}
