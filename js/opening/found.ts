/**
 * What is found in a slot: whose a payload is, how much of a log has content.
 */
import type { Engine, LocatedPayload } from '../pump/engine.ts';
import { StorageLockedError, StoreTooNewError } from '../errors.ts';
import { isSealed } from '../codec/frames.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { StorageSlot } from '../storage.ts';
import { isStreamNote, StreamLog } from '../streams/log.ts';

export function endOf(state: number): End {
  if (state === P.StateSucceeded) return End.Completed;
  if (state === P.StateFailed) return End.Failed;
  return state === P.StateCancelled ? End.Cancelled : End.None;
}

/** A payload of the log becomes a run's. */
export function place(run: Run, log: Uint8Array, { kind, offset, length, blobId }: LocatedPayload): void {
  if (blobId !== undefined) {
    (run.ownExtra.blobs ??= new Map()).set(blobId, length);
    return;
  }
  const payload = { bytes: log, start: offset, length };
  if (kind === P.PayloadKindInput) run.envelope = payload;
  else if (kind === P.PayloadKindStep) (run.ownExtra.stepPayloads ??= []).push(payload);
  else if (kind === P.PayloadKindResult) run.outputPayload = payload;
  else if ((kind & 0xff) === P.PayloadKindNote && isStreamNote(kind >>> 8)) (run.ownExtra.streams ??= new StreamLog()).found.push({ kind: kind >>> 8, payload });
  else if ((kind & 0xff) === P.PayloadKindNote) (run.ownExtra.notes ??= new Map()).set(kind >>> 8, { payload });
  else if (kind === P.PayloadKindError) run.ownExtra.errorPayload = payload;
}

/**
 * The runs of the log that was loaded. One becomes an object when somebody asks for it: a hundred thousand that
 * only wait cost an opening neither time nor memory.
 *
 * Invariant: each is made once, and as it stood when the log was read.
 */
export class FoundRuns {
  /** Every number is below it. */
  readonly end: number;
  readonly #make: (task: number, state: number) => Run;
  readonly #made: (run: Run) => void;
  /** By number; null: there is none. */
  readonly #runs: (Run | null | undefined)[];
  /** undefined: it has crashed, and another one is on its way. */
  #engine: Engine | undefined;
  #log: Uint8Array;
  /** Those below it have been taken. */
  #next = 1;

  /** @param made its payloads are in their places */
  constructor(engine: Engine, log: Uint8Array, make: (task: number, state: number) => Run, made: (run: Run) => void) {
    this.#engine = engine;
    this.#log = log;
    this.#make = make;
    this.#made = made;
    this.end = engine.value(0, P.FieldTaskEnd);
    this.#runs = new Array(this.end).fill(undefined);
  }

  /**
   * The run with this number, unless it has been taken already. `changing`: an event about it is being read, so
   * what the core says of it now is later than the log.
   */
  take(task: number, changing = false): Run | undefined {
    if (task >= this.end || this.#runs[task] !== undefined || !this.#engine) return undefined;
    this.#runs[task] = null;
    const located = this.#engine.locate(task);
    if (located.length === 0) return undefined;
    const run = this.#make(task, changing ? P.StateNone : this.#engine.state(task) & 0xf);
    for (const one of located) place(run, this.#log, one);
    this.#runs[task] = run;
    this.#made(run);
    return run;
  }

  /** Takes about so many of those that are left. False: there are more. */
  takeSome(count: number): boolean {
    if (!this.#engine) return false;
    const until = Math.min(this.end, this.#next + count);
    while (this.#next < until) this.take(this.#next++);
    return this.#next >= this.end;
  }

  /** Whose the number was when the log was read. */
  at(task: number): Run | undefined {
    return this.#runs[task] ?? this.take(task);
  }

  /** Numbers below `end` nobody has asked for; some may be free. */
  *left(): Iterable<number> {
    for (let task = this.#next; task < this.end; task++) if (this.#runs[task] === undefined) yield task;
  }

  /** The core has crashed: until there is another one nobody can be asked for. */
  pause(): void {
    this.#engine = undefined;
  }

  /** Another core has loaded what the journal holds now. */
  moved(engine: Engine, log: Uint8Array): void {
    this.#engine = engine;
    this.#log = log;
  }
}

export interface LogDescription {
  blobIds: string[];
  unconfirmed: Set<number>;
}

/**
 * Which blobs a log refers to, and which of its tasks (by their numbers there) wait because another log may have
 * them too. REQUIRES: the reader is fresh. It is of no use afterwards.
 * @throws StoreTooNewError
 */
export function describeLog(reader: Engine, log: Uint8Array): LogDescription {
  try {
    if (reader.load(log) < 0) throw new StoreTooNewError('It was written by a newer version of this page.');
    const blobIds = new Set(reader.referredBlobs().map(({ blobId }) => blobId));
    return { blobIds: [...blobIds], unconfirmed: new Set(reader.heldTasks(P.HoldImportUnconfirmed)) };
  } finally {
    reader.delete();
  }
}

/** @throws StorageLockedError it is encrypted, and we have no key */
export async function readLog(slot: StorageSlot): Promise<Uint8Array<ArrayBuffer>> {
  const log = await slot.read();
  if (isSealed(log)) throw new StorageLockedError('What is stored here is encrypted. createOrchestrator({ encryption: { key } }) opens it.');
  return log;
}

/** Without the zeros of a storage's reserve. */
export function contentLength(log: Uint8Array): number {
  let length = withoutZeros(log, log.length, (at) => at % 4 === 0);
  // Megabytes of zeros: four bytes at a time, where they are aligned. Eight would be big integers, each of them an object.
  if (log.byteOffset % 4 === 0 && length % 4 === 0) {
    const words = new Uint32Array(log.buffer, log.byteOffset, length / 4);
    length = withoutZeros(words, words.length) * 4;
  }
  return withoutZeros(log, length);
}

function withoutZeros(values: Uint8Array | Uint32Array, from: number, isEnough?: (at: number) => boolean): number {
  let length = from;
  while (length > 0 && values[length - 1] === 0 && !isEnough?.(length)) length--;
  return length;
}

/** A log begins with something. */
export function holdsContent(log: Uint8Array): boolean {
  return log.subarray(0, 64).some((byte) => byte !== 0) || contentLength(log) > 0;
}

/** The same run in two logs, and not two runs under one id. */
export function sameEnvelope(one: Run, other: Run): boolean {
  const [a, b] = [one.envelope, other.envelope];
  if (!a || !b || a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a.bytes[a.start + index] !== b.bytes[b.start + index]) return false;
  return true;
}
