/**
 * The streams of one run: what is stored of them, and what waits to be.
 *
 *   append ─► waiting ─ one note at a time, what gathers meanwhile is the next ─► core ─► acknowledged ─► readers
 *
 * Few and batched: up to 64 KiB wait while a note is under way; a note takes 1 MiB at most. Notes of more than
 * `limits.inlineBytes` lie beside the journal; when those within it have grown to 512 KiB, a pack of all of them does,
 * and takes their place in one event. So the journal, which is kept in memory, keeps little of a long stream.
 *
 * Invariants: chunks are handed over in the order in which they were appended, one note after the other; nobody reads
 * what is not acknowledged; after the attempt that appended it a chunk that was not handed over is refused; the first
 * that can't be stored refuses those behind it, so there are no gaps.
 */
import { stopError } from '../runs/attempts.ts';
import { type BlobReference, decode, decodeWithBlobs, refersToBlobs } from '../codec/codec.ts';
import { inUnits } from '../codec/refuse.ts';
import { InterruptedError, PayloadTooLargeError } from '../errors.ts';
import { RecordKind } from '../journal/history.ts';
import { awaitedNote, NoteKind } from '../journal/notes.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { recordValueBytes } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import type { PayloadBytes, Run } from '../runs/run.ts';
import { joinChunks, lengthBytes, splitChunks } from './chunks.ts';
import type { FoundPart, StreamLog } from './log.ts';
import { type Place, Places, placesIn } from './places.ts';
import { headerOf, isInline, type Part, readParts, type Span } from './parts.ts';

const batchBytes = 1024 * 1024;
const impatientBytes = 64 * 1024;
const packBytes = 512 * 1024;

interface Waiting {
  key: string;
  bytes: Uint8Array;
  id: string | undefined;
  attempt: number;
  during: readonly string[];
  resolve(): void;
  reject(error: unknown): void;
}

export interface RecordedChunk {
  index: number;
  bytes: Uint8Array;
  attempt: number;
  during: readonly string[];
  id: string | undefined;
}

export class StreamRecorder {
  readonly #house: Orchestrator;
  readonly #run: Run;
  #parts: Part[];
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Chunks with their lengths, those that wait among them. */
  #bytes = 0;
  #inlineBytes = 0;
  /** By stream: how many were handed over, and how many of them are acknowledged. */
  readonly #counts = new Map<string, number>();
  readonly #acknowledged = new Map<string, number>();
  readonly #places = new Places();
  readonly #ids = new Map<string, Map<string, Promise<void>>>();
  /** A part is being stored beside the journal; nothing is handed over meanwhile. */
  #storing: Promise<void> | undefined;
  readonly #underway = new Map<Part, readonly Waiting[]>();
  #isScheduled = false;
  #packAt = packBytes;
  #failure: { attempt: number; error: unknown } | undefined;
  readonly #wakers = new Set<() => void>();
  #loaded: { part: Part; bytes: Promise<Uint8Array> } | undefined;

  constructor(house: Orchestrator, run: Run, log: StreamLog) {
    this.#house = house;
    this.#run = run;
    this.#parts = readParts(log.found);
    log.found = [];
    this.#recount();
  }

  #recount(): void {
    for (const map of [this.#counts, this.#acknowledged, this.#ids]) map.clear();
    this.#bytes = this.#inlineBytes = 0;
    for (const part of this.#parts) {
      for (const span of part.spans) this.#count(span, Promise.resolve());
      this.#weigh(part);
      if (part.acknowledged) this.#acknowledge(part);
    }
    this.#placeAnew();
  }

  #placeAnew(): void {
    this.#places.begin(this.#parts.filter(({ acknowledged }) => acknowledged));
  }

  #count({ key, first, count, ids }: Span, stored: Promise<void>): void {
    this.#counts.set(key, Math.max(this.#counts.get(key) ?? 0, first + count));
    if (!ids) return;
    const known = this.#idsOf(key);
    for (const id of ids) if (id !== null) known.set(id, stored);
  }

  #weigh(part: Part): void {
    for (const { bytes } of part.spans) this.#bytes += bytes;
    if (isInline(part)) this.#inlineBytes += part.payload?.length ?? 0;
  }

  #acknowledge(part: Part): void {
    const { spans } = part;
    this.#places.add(part);
    for (const { key, first, count } of spans) this.#acknowledged.set(key, Math.max(this.#acknowledged.get(key) ?? 0, first + count));
  }

  #idsOf(key: string): Map<string, Promise<void>> {
    let ids = this.#ids.get(key);
    if (!ids) this.#ids.set(key, (ids = new Map()));
    return ids;
  }

  // What is asked of it

  /** How many chunks of this stream are stored. */
  countOf(key: string): number {
    return this.#acknowledged.get(key) ?? 0;
  }

  /** Where the stream's chunks begin that the code of today's input has appended. */
  beginningOf(key: string): number {
    let beginning = 0;
    for (const { anew } of this.#parts) if (anew && Object.hasOwn(anew, key)) beginning = Math.max(beginning, anew[key]!);
    return beginning;
  }

  get usage(): { count: number; bytes: number } {
    let count = 0;
    for (const one of this.#counts.values()) count += one;
    return { count, bytes: this.#bytes };
  }

  /** In the journal. */
  get storedBytes(): number {
    let bytes = 0;
    for (const { payload } of this.#parts) bytes += payload?.length ?? 0;
    return bytes;
  }

  get payloads(): PayloadBytes[] {
    return this.#parts.flatMap(({ payload }) => (payload ? [payload] : []));
  }

  /** Called once, at the next chunk that is stored. Gives what takes that back. */
  wake(waker: () => void): () => void {
    this.#wakers.add(waker);
    return () => this.#wakers.delete(waker);
  }

  /** Stored chunks from an index on, as many as lie together; none: there is none yet. @throws PayloadLostError SerializationError */
  async read(key: string, from: number): Promise<RecordedChunk[]> {
    const places = this.#places.from(key, from);
    if (places.length === 0) return [];
    const whole = await this.#load(places[0]!.part);
    return places.flatMap(({ span, offset }) => this.#chunksOf(span, whole, offset, Math.max(from, span.first)));
  }

  #chunksOf({ first, count, attempt, during, ids }: Span, whole: Uint8Array, offset: number, from: number): RecordedChunk[] {
    const chunks = splitChunks(whole, offset, count);
    return chunks.slice(from - first).map((bytes, at) => {
      const place = from - first + at;
      return { index: first + place, bytes, attempt, during, id: ids?.[place] ?? undefined };
    });
  }

  #load(part: Part): Promise<Uint8Array> {
    if (part.bytes) return Promise.resolve(part.bytes);
    if (this.#loaded?.part !== part) {
      const bytes = this.#loadPart(recordValueBytes(part.payload!));
      bytes.catch(() => (this.#loaded = undefined));
      this.#loaded = { part, bytes };
    }
    return this.#loaded.bytes;
  }

  async #loadPart(bytes: Uint8Array): Promise<Uint8Array> {
    return refersToBlobs(bytes) ? decodeWithBlobs(bytes, this.#house.blobs.load) : decode(bytes);
  }

  // What comes in

  /** One that has this id, or is to have it. */
  known(key: string, id: string): Promise<void> | undefined {
    return this.#ids.get(key)?.get(id);
  }

  /** Resolves when it is stored. @throws PayloadTooLargeError, or why it can't be */
  push(key: string, bytes: Uint8Array, id: string | undefined, attempt: number, during: readonly string[]): Promise<void> {
    if (this.#failure?.attempt === attempt) return Promise.reject(this.#failure.error);
    const size = bytes.length + lengthBytes;
    const { streamBytes } = this.#house.payloads.limits;
    if (this.#bytes + size > streamBytes) return Promise.reject(this.#tooMuch(size, streamBytes));
    this.#bytes += size;
    const stored = new Promise<void>((resolve, reject) => this.#waiting.push({ key, bytes, id, attempt, during, resolve, reject }));
    // Who awaits it hears of it; so does the run, at its next step or its end.
    stored.catch(() => {});
    if (id !== undefined) this.#idsOf(key).set(id, stored);
    this.#waitingBytes += size;
    if (this.#underway.size === 0 || this.#waitingBytes >= impatientBytes) this.#schedule();
    return stored;
  }

  #tooMuch(size: number, limit: number): PayloadTooLargeError {
    const error = new PayloadTooLargeError(
      `The streams of run ${this.#run.id} would have ${inUnits(this.#bytes + size)}, the limit is ${inUnits(limit)}; append less, put large parts into the result as a Blob, or raise limits.streamBytes.`,
      { data: { size: this.#bytes + size, limit } },
    );
    this.#failure = { attempt: this.#run.attempt, error };
    return error;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#drain();
    });
  }

  /** Hands over what waits. undefined: that is done. @throws why a chunk of this attempt could not be stored */
  flush(attempt: number): Promise<void> | undefined {
    this.#drain();
    if (this.#storing) return this.#storing.then(() => this.flush(attempt));
    return this.#failure?.attempt === attempt ? Promise.reject(this.#failure.error) : undefined;
  }

  #drain(): void {
    while (!this.#storing && this.#waiting.length > 0) this.#write(this.#take());
  }

  #take(): Waiting[] {
    let count = 0;
    let bytes = 0;
    const { attempt } = this.#waiting[0]!;
    for (const one of this.#waiting) {
      if (count > 0 && (bytes + one.bytes.length > batchBytes || one.attempt !== attempt)) break;
      bytes += one.bytes.length + lengthBytes;
      count++;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  #write(batch: Waiting[]): void {
    const { attempt } = batch[0]!;
    if (this.#run.attempt !== attempt || this.#run.extra.gone) return this.#refuse(batch, stopError(this.#run, P.StopReasonInterrupt));
    const { journal, payloads } = this.#house;
    const { spans, bytes } = spansOf(batch, this.#counts);
    const part: Part = { kind: NoteKind.StreamPacked, spans, anew: undefined, payload: undefined, bytes: undefined, acknowledged: false };
    if (!journal) {
      part.bytes = bytes;
      part.acknowledged = true;
      this.#parts.push(part);
      this.#acknowledge(part);
      return this.#stored(batch);
    }
    part.payload = payloads.writeRecord(headerOf(spans), RecordKind.Value, attempt, bytes, 'chunks');
    const { blobs } = payloads;
    if (!blobs) return this.#handOver(part, batch);
    part.kind = NoteKind.StreamKept;
    this.#storeBeside(blobs, batch, () => this.#handOver(part, batch));
  }

  #storeBeside(references: readonly BlobReference[], batch: Waiting[], then: () => void): void {
    const { blobs } = this.#house;
    const over = () => (this.#storing = undefined);
    this.#storing = blobs.store(references).then(
      () => {
        over();
        const isOver = this.#run.extra.gone || (batch.length > 0 && this.#run.attempt !== batch[0]!.attempt);
        if (isOver) blobs.release(references);
        else blobs.attach(this.#run, references);
        if (isOver) this.#refuse(batch, stopError(this.#run, P.StopReasonInterrupt));
        else then();
        this.#drain();
      },
      (error) => {
        over();
        this.#refuse(batch, error);
        this.#drain();
      },
    );
  }

  /** There are to be no gaps: what waits behind it is refused too. */
  #refuse(batch: readonly Waiting[], error: unknown): void {
    if (batch.length === 0) return;
    const { attempt } = batch[0]!;
    const behind = this.#waiting.filter((one) => one.attempt === attempt);
    this.#waiting = this.#waiting.filter((one) => one.attempt !== attempt);
    this.#failure = { attempt, error };
    for (const { key, bytes, id, reject } of [...batch, ...behind]) {
      this.#bytes -= bytes.length + lengthBytes;
      if (id !== undefined) this.#ids.get(key)?.delete(id);
      reject(error);
    }
    for (const { bytes } of behind) this.#waitingBytes -= bytes.length + lengthBytes;
    // What it had counted on is not there.
    this.#recountHandedOver();
  }

  #recountHandedOver(): void {
    this.#counts.clear();
    for (const { spans } of this.#parts) for (const { key, first, count } of spans) this.#counts.set(key, Math.max(this.#counts.get(key) ?? 0, first + count));
  }

  #handOver(part: Part, batch: readonly Waiting[]): void {
    this.#parts.push(part);
    if (isInline(part)) this.#inlineBytes += part.payload!.length;
    this.#underway.set(part, batch);
    this.#note(part, (isStored) => {
      this.#underway.delete(part);
      // The run is gone, or the core crashed: then what there is is read anew.
      if (!isStored) return rejectAll(batch, stopError(this.#run, P.StopReasonInterrupt));
      part.acknowledged = true;
      this.#acknowledge(part);
      this.#stored(batch);
    });
  }

  #note({ kind, payload }: Part, resolve: (isStored: boolean) => void): void {
    const { pump } = this.#house;
    (this.#run.ownExtra.waiters ??= []).push({ command: awaitedNote(kind), resolve });
    pump.commands.addPayload(payload!.bytes, payload!.start, payload!.length);
    pump.commands.push(P.CommandNote, this.#run.task, kind, payload!.length);
    pump.wake();
  }

  #stored(batch: readonly Waiting[]): void {
    for (const { resolve } of batch) resolve();
    const wakers = [...this.#wakers];
    this.#wakers.clear();
    for (const waker of wakers) waker();
    this.#house.changed(this.#run);
    if (this.#inlineBytes > this.#packAt && !this.#storing && this.#underway.size === 0) this.#pack();
    if (this.#waiting.length > 0 && this.#underway.size === 0) this.#schedule();
  }

  /** One part beside the journal in place of all within it. */
  #pack(): void {
    const { payloads } = this.#house;
    const packed = this.#parts.filter(isInline);
    const bytes = new Map(packed.map((part) => [part, decode(recordValueBytes(part.payload!)) as Uint8Array]));
    // Stream after stream: of those that are written in turn each chunk would need a line of its own.
    const places = packed.flatMap(placesIn).sort(byStream);
    const spans = joinSpans(places.map(({ span }) => span));
    const chunks = places.map(({ part, span, offset }) => bytes.get(part)!.subarray(offset, offset + span.bytes));
    const payload = payloads.writeRecord(headerOf(spans), RecordKind.Value, 0, concatenated(chunks), 'chunks');
    const { blobs } = payloads;
    // Whoever keeps large values within the journal keeps chunks there.
    if (!blobs) return void (this.#packAt = Number.POSITIVE_INFINITY);
    this.#packAt = this.#inlineBytes * 2;
    this.#storeBeside(blobs, [], () => {
      this.#packAt = packBytes;
      const part: Part = { kind: NoteKind.StreamPacking, spans, anew: undefined, payload, bytes: undefined, acknowledged: true };
      this.#parts = [part, ...this.#parts.filter((one) => !isInline(one))];
      this.#placeAnew();
      this.#inlineBytes = 0;
      this.#note(part, () => {});
    });
  }

  /** Its code begins anew: what it appends from now on repeats nothing. */
  beginAnew(): void {
    if (this.#counts.size === 0) return;
    const anew = Object.fromEntries(this.#counts);
    const { journal, payloads } = this.#house;
    const part: Part = { kind: NoteKind.StreamKept, spans: [], anew, payload: undefined, bytes: undefined, acknowledged: true };
    this.#parts.push(part);
    if (!journal) return;
    part.payload = payloads.writeRecord(headerOf([], anew), RecordKind.Value, 0, null, 'chunks');
    this.#note(part, () => {});
  }

  /** A rebuilt core has these. What waited is lost with the attempt. */
  reread(found: readonly FoundPart[], error: Error): void {
    for (const batch of [...this.#underway.values(), this.#waiting]) rejectAll(batch, error);
    this.#underway.clear();
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#house.journal) this.#parts = readParts(found);
    this.#recount();
  }
}

/** Consecutive chunks of one stream, appended by one attempt, during the same steps. */
function spansOf(batch: readonly Waiting[], counts: Map<string, number>): { spans: Span[]; bytes: Uint8Array<ArrayBuffer> } {
  const spans: (Span & { ids: (string | null)[] | undefined })[] = [];
  for (const { key, bytes, id, attempt, during } of batch) {
    const first = counts.get(key) ?? 0;
    counts.set(key, first + 1);
    const last = spans.at(-1);
    const continues = last && last.key === key && sameSteps(last.during, during);
    const span = continues ? last : { key, first, count: 0, bytes: 0, attempt, during, ids: undefined };
    if (!continues) spans.push(span);
    if (id !== undefined) span.ids ??= new Array(span.count).fill(null);
    span.ids?.push(id ?? null);
    span.count++;
    span.bytes += bytes.length + lengthBytes;
  }
  return { spans, bytes: joinChunks(batch.map(({ bytes }) => bytes)) };
}

const byStream = ({ span: one }: Place, { span: other }: Place): number => (one.key === other.key ? one.first - other.first : one.key < other.key ? -1 : 1);

const sameSteps = (one: readonly string[], other: readonly string[]): boolean => one.length === other.length && one.every((step, index) => step === other[index]);

/** Those that lie one behind the other and are alike are one. */
function joinSpans(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    const isNext = last && last.key === span.key && last.first + last.count === span.first;
    if (!isNext || last.attempt !== span.attempt || !sameSteps(last.during, span.during) || !last.ids !== !span.ids) joined.push({ ...span });
    else Object.assign(last, { count: last.count + span.count, bytes: last.bytes + span.bytes, ids: last.ids && [...last.ids, ...span.ids!] });
  }
  return joined;
}

function rejectAll(batch: readonly Waiting[], error: unknown): void {
  for (const { reject } of batch) reject(error);
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
