/**
 * The only file that touches WebAssembly memory: encodes commands, hands over payloads, decodes events.
 *
 * Invariants: no view of wasm memory is kept across a call into it; events are copied out before any
 * other code runs; commands gather in a buffer of ours and go through the door in chunks that fit.
 */
import type { Core, MainModule } from '../core.js';
import * as P from '../protocol.ts';

export const recordWords = P.RecordBytes / 4;
const inboxRecords = 1024;
/** Most runs are described in fewer. */
const recordsOfRun = 8;
/** A frame stays small enough to fit into what a storage keeps in reserve. */
const chunkPayloadBytes = 96 * 1024;
/** Of a log that is loaded: memory that is touched for the first time costs more than what is done with it. */
const pieceBytes = 512 * 1024;

/** A payload of a known run in the log; or, with `blobId`, a blob of that length that the run refers to. */
export interface LocatedPayload {
  task: number;
  kind: number;
  length: number;
  offset: number;
  blobId?: string;
}

/** Commands in the order they were given, with the payloads they carry. Grows as needed. */
export class CommandBuffer {
  words = new Uint32Array(256 * recordWords);
  times = new Float64Array(this.words.buffer);
  bytes = new Uint8Array(4096);
  count = 0;
  byteCount = 0;

  push(kind: number, task: number, a = 0, b = 0, at = 0): void {
    if ((this.count + 1) * recordWords > this.words.length) this.#growRecords();
    const word = this.count++ * recordWords;
    const words = this.words;
    words[word] = kind;
    words[word + 1] = task;
    words[word + 2] = a;
    words[word + 3] = b;
    this.times[(word >> 1) + 2] = at;
  }

  setTask(task: number, field: number, value: number): void {
    this.push(P.CommandSetTask, task, field, 0, value);
  }

  /** Adds payload bytes for the command pushed next; their length goes into its `b`. */
  addPayload(source: Uint8Array, start: number, length: number): void {
    if (this.byteCount + length > this.bytes.length) this.#growBytes(length);
    if (length < 64) {
      // A short loop beats a subarray and a set.
      for (let index = 0; index < length; index++) this.bytes[this.byteCount + index] = source[start + index]!;
    } else {
      this.bytes.set(source.subarray(start, start + length), this.byteCount);
    }
    this.byteCount += length;
  }

  /** As much as one step carries out, or more: with another run it would be two. */
  get fillsStep(): boolean {
    return this.count > inboxRecords - recordsOfRun || this.byteCount >= chunkPayloadBytes;
  }

  clear(): void {
    this.count = 0;
    this.byteCount = 0;
  }

  #growRecords(): void {
    // What a burst brings is copied seldom, and memory that nobody writes to costs nothing.
    const grown = new Uint32Array(this.words.length * 4);
    grown.set(this.words);
    this.words = grown;
    this.times = new Float64Array(grown.buffer);
  }

  #growBytes(length: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.byteCount + length));
    grown.set(this.bytes.subarray(0, this.byteCount));
    this.bytes = grown;
  }
}

/** Which commands carry a payload whose length stands in `b`. */
function carriesPayload(kind: number): boolean {
  return kind === P.CommandCreate || kind === P.CommandSettle || kind === P.CommandRecordStep || kind === P.CommandNote;
}

/** A few words are copied before a view of them is made. */
export function copyWords(from: Uint32Array, start: number, to: Uint32Array, at: number, length: number): void {
  if (length > 32) to.set(from.subarray(start, start + length), at);
  else for (let index = 0; index < length; index++) to[at + index] = from[start + index]!;
}

/** Events of one step as records, copied out of wasm memory. Reused: read it before the next step. */
export class EventBatch {
  words = new Uint32Array(64 * recordWords);
  times = new Float64Array(this.words.buffer);
  count = 0;

  copyFrom(memory: Uint32Array, pointer: number, count: number): void {
    const length = count * recordWords;
    if (length > this.words.length) {
      this.words = new Uint32Array(length * 2);
      this.times = new Float64Array(this.words.buffer);
    }
    copyWords(memory, pointer >> 2, this.words, 0, length);
    this.count = count;
  }
}

export class Engine {
  readonly #module: MainModule;
  readonly #create: () => Core;
  #core: Core;
  readonly events = new EventBatch();
  /** When the core wants to be stepped again, in host time, as of the last step; Infinity: never. */
  deadlineMs = Number.POSITIVE_INFINITY;
  /** Attempts whose timeout or grace stands still with the page, as of the last step: somebody should watch for that. */
  thawableAttempts = 0;
  /** When the core was stepped last: what it counts, it has counted until then. */
  steppedMs = 0;
  /** Where they lie as long as the core lives; only views of the memory come and go. */
  #inbox = 0;
  #report = 0;
  /** Commands of one pump already carried out. */
  #doneRecords = 0;
  #doneBytes = 0;

  constructor(module: MainModule, session: number, seed: number) {
    this.#module = module;
    this.#create = () => new module.Core(session, seed);
    this.#core = this.#fresh();
  }

  #fresh(): Core {
    const core = this.#create();
    this.#inbox = core.inbox();
    this.#report = core.report();
    return core;
  }

  /** Nothing that is stepped from now on is gathered for a frame. */
  keepNothing(): void {
    this.#core.keepNothing();
  }

  /** Frees the core. The engine is of no use afterwards. */
  delete(): void {
    this.#core.delete();
  }

  /**
   * Carries out the next chunk of the buffer's commands; with an empty buffer, only what time brings.
   * The events stand in `events`. True when the buffer is done (and cleared).
   */
  step(buffer: CommandBuffer, nowMs: number): boolean {
    const first = this.#doneRecords;
    const { count, bytes } = this.#chunk(buffer, first);
    const core = this.#core;
    if (bytes > 0) {
      const area = core.reserve(bytes);
      this.#module.HEAPU8.set(buffer.bytes.subarray(this.#doneBytes, this.#doneBytes + bytes), area);
    }
    copyWords(buffer.words, first * recordWords, this.#module.HEAPU32, this.#inbox >> 2, count * recordWords);
    this.#stepped(core.step(count, bytes, nowMs), nowMs);
    return this.#advance(buffer, count, bytes);
  }

  #stepped(events: number, nowMs: number): void {
    this.steppedMs = nowMs;
    const memory: Uint32Array = this.#module.HEAPU32;
    const report = this.#report >> 2;
    this.deadlineMs = this.#module.HEAPF64[report >> 1];
    this.thawableAttempts = memory[report + 3]!;
    this.events.copyFrom(memory, memory[report + 2]!, events);
  }

  #chunk(buffer: CommandBuffer, first: number): { count: number; bytes: number } {
    const left = buffer.count - first;
    const bytesLeft = buffer.byteCount - this.#doneBytes;
    if (left <= inboxRecords && bytesLeft <= chunkPayloadBytes) return { count: left, bytes: bytesLeft };
    let whole = { count: 0, bytes: 0 };
    let isDraft = false;
    let bytes = 0;
    let count = 0;
    for (; count < Math.min(left, inboxRecords); count++) {
      const word = (first + count) * recordWords;
      const kind = buffer.words[word]!;
      const length = carriesPayload(kind) ? buffer.words[word + 3]! : 0;
      if (count > 0 && bytes + length > chunkPayloadBytes) break;
      bytes += length;
      if (kind === P.CommandCreate) isDraft = buffer.words[word + 2]! < 0x80000000;
      else if (kind === P.CommandSubmit) isDraft = false;
      if (!isDraft) whole = { count: count + 1, bytes };
    }
    // A crash between two frames would leave a run that is described by half and never begins.
    return whole.count > 0 ? whole : { count, bytes };
  }

  #advance(buffer: CommandBuffer, count: number, bytes: number): boolean {
    this.#doneRecords += count;
    this.#doneBytes += bytes;
    if (this.#doneRecords < buffer.count) return false;
    this.#doneRecords = 0;
    this.#doneBytes = 0;
    buffer.clear();
    return true;
  }

  /** One command of the whole house by itself, whatever else is under way. */
  stepOne(kind: number, at: number, nowMs: number): void {
    const record = new Uint32Array(recordWords);
    record[0] = kind;
    new Float64Array(record.buffer)[2] = at;
    copyWords(record, 0, this.#module.HEAPU32, this.#inbox >> 2, recordWords);
    this.#stepped(this.#core.step(1, 0, nowMs), nowMs);
  }

  /** Everything stepped since the last seal as one frame for the log; undefined when there is nothing. */
  seal(): Uint8Array<ArrayBuffer> | undefined {
    const length = this.#core.seal();
    return length === 0 ? undefined : this.#frame(length);
  }

  /** A compacted log; the next frame continues the old one until `commitCompaction`. */
  compact(log: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    return this.#frame(this.#core.compact(this.#stage(log)));
  }

  /** The compacted log stands: from now on frames continue it. */
  commitCompaction(): void {
    this.#core.commitCompaction();
  }

  /** Takes a log over. Gives the bytes of its valid prefix; -1: written by a newer version, nothing was taken. */
  load(log: Uint8Array): number {
    this.#feed(log);
    const validBytes = this.#core.load();
    if (validBytes >= -1) return validBytes;
    // A frame that can't be true has left its traces in this core.
    this.#core.delete();
    this.#core = this.#fresh();
    return this.load(log.subarray(0, -2 - validBytes));
  }

  #feed(log: Uint8Array): void {
    let size = pieceBytes;
    for (let at = 0; at < log.length; ) {
      const piece = log.subarray(at, at + size);
      const taken = this.#core.feed(this.#stage([piece]));
      const wanted = this.#core.wanted();
      at += taken;
      if (wanted === 0 || (taken === 0 && at + piece.length === log.length)) return;
      size = Math.max(pieceBytes, wanted);
    }
  }

  /** What the log that was loaded holds for a task; offsets are into that log. */
  locate(task: number): LocatedPayload[] {
    this.#core.locate(task);
    return this.#located();
  }

  /** A task of each queue that has any. */
  someOfQueues(): { queue: number; task: number }[] {
    this.#core.locateQueues();
    const start = this.#core.outbox() >> 2;
    return Array.from({ length: this.#core.outboxCount() }, (_, index) => {
      const word = start + index * recordWords;
      return { task: this.#module.HEAPU32[word + 1]!, queue: this.#module.HEAPU32[word + 2]! };
    });
  }

  /** What is remembered of what began by the rate of a limit; key 0: of all its runs. */
  usesOf(limit: number): [key: number, use: number, weight: number, at: number][] {
    this.#core.locateUses(limit);
    const start = this.#core.outbox() >> 2;
    const { HEAPU32: words, HEAPF64: times } = this.#module;
    return Array.from({ length: this.#core.outboxCount() }, (_, index) => {
      const word = start + index * recordWords;
      const b: number = words[word + 3]!;
      return [words[word + 2]! + (b & 0xffff) * 0x100000000, (b >>> 16) & 3, b >>> 18, times[(word >> 1) + 2]!];
    });
  }

  /** Blobs that the log that was loaded refers to, by the tasks that do. */
  referredBlobs(): (LocatedPayload & { blobId: string })[] {
    this.#core.locateBlobs();
    return this.#located() as (LocatedPayload & { blobId: string })[];
  }

  /**
   * Merges another session's log; `located` speaks of the new task numbers and of offsets in that log.
   * `order`: the numbers they had there; the first of them is `firstTask` here, its first group `firstGroup`.
   */
  importLog(log: Uint8Array, firstTask: number, firstGroup: number): { tasks: number; located: LocatedPayload[]; order: number[] } {
    const tasks = this.#core.importLog(this.#stage([log]), firstTask, firstGroup);
    return { tasks, located: this.#located(), order: this.#importOrder() };
  }

  /** The last `limit` events of a log as they were written, and how many there are in all. */
  history(log: Uint8Array, limit: number): { total: number; words: Uint32Array } {
    const total = this.#core.history(this.#stage([log]), limit);
    const start = this.#core.outbox() >> 2;
    const words: Uint32Array = this.#module.HEAPU32.slice(start, start + this.#core.outboxCount() * recordWords);
    return { total, words };
  }

  /** Length of the longest valid prefix; changes nothing. */
  inspect(log: Uint8Array): number {
    return this.#core.inspect(this.#stage([log]));
  }

  state(task: number): number {
    return this.#core.state(task);
  }
  value(task: number, field: number): number {
    return this.#core.value(task, field);
  }
  queueValue(queue: number, field: number): number {
    return this.#core.queueValue(queue, field);
  }
  /** Who bears this key and keeps others from it; 0: nobody. */
  keyHolder(key: number, nowMs: number): number {
    return this.#core.keyHolder(key, nowMs);
  }
  /** Milliseconds before the next try within an attempt; Infinity: there is none. */
  retryDelay(policy: number, failures: number, lastDelayMs: number): number {
    return this.#core.retryDelay(policy, failures, lastDelayMs);
  }
  /** The reasons why a task is held, as bits (`Hold…` of protocol.ts and holds.ts). */
  holds(task: number): number {
    return this.#core.state(task) >>> 16;
  }
  /** Tasks on which this hold lies. The core finds those that bear any: few, mostly, of very many. */
  heldTasks(hold: number): number[] {
    const held: number[] = [];
    for (let task = this.value(0, P.FieldNextHeld); task !== 0; task = this.value(task, P.FieldNextHeld))
      if (this.holds(task) & hold) held.push(task);
    return held;
  }
  get taskBytes(): number {
    return this.#core.bytes();
  }

  #stage(parts: readonly Uint8Array[]): number {
    let length = 0;
    for (const part of parts) length += part.length;
    let area = this.#core.reserve(length);
    for (const part of parts) {
      this.#module.HEAPU8.set(part, area);
      area += part.length;
    }
    return length;
  }

  #frame(length: number): Uint8Array<ArrayBuffer> {
    const pointer = this.#core.frame();
    return this.#module.HEAPU8.slice(pointer, pointer + length) as Uint8Array<ArrayBuffer>;
  }

  #importOrder(): number[] {
    const events = this.#core.outboxCount();
    const memory = this.#module.HEAPU32;
    const start = this.#core.outbox() >> 2;
    const order: number[] = [];
    for (let index = 0; index < events; index++) {
      const word = start + index * recordWords;
      if (memory[word] === P.EventImportedTask) order.push(memory[word + 2]!);
    }
    return order;
  }

  #located(): LocatedPayload[] {
    const events = this.#core.outboxCount();
    const memory = this.#module.HEAPU32;
    const start = this.#core.outbox() >> 2;
    const times = this.#module.HEAPF64;
    const found: LocatedPayload[] = [];
    for (let index = 0; index < events; index++) {
      const word = start + index * recordWords;
      const [kind, task, a, b] = [memory[word]!, memory[word + 1]!, memory[word + 2]!, memory[word + 3]!];
      const at = times[(word >> 1) + 2]!;
      if (kind === P.EventLocated) found.push({ task, kind: a, length: b, offset: at });
      else if (kind === P.EventBlobAttached) found.push({ task, kind: 0, length: at, offset: 0, blobId: blobIdOf(a, b) });
    }
    return found;
  }
}

/** 16 hexadecimal digits. */
function blobIdOf(low: number, high: number): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
