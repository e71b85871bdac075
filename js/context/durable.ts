/**
 * The durable side of one attempt: what `ctx.step`, `ctx.run`, `ctx.sleep` and their kin share. Made
 * with the first of them; a handler that uses none costs nothing.
 *
 * Invariants: every verb is known by a key (its kind, its name, its ordinal among those of that name),
 * so code that runs again finds what it did before; what is given to the code is recorded before
 * anything after it can be; once the attempt has ended or is being stopped, no verb begins.
 */
import type { BlobReference } from '../codec/codec.ts';
import { ConfigurationError, HistoryLimitError } from '../errors.ts';
import { type Entry, KeyPrefix, nameOf, ordinalMark, RecordKind, type History } from '../journal/history.ts';
import * as P from '../protocol.ts';
import type { Determinism } from '../definition/determinism.ts';
import type { Run, Settlement } from '../runs/run.ts';
import { deserializeError, serializeError } from '../runs/serialize-error.ts';
import type { StepInfo, WaitReason } from '../types.ts';
import { Alarms } from './alarms.ts';
import { closedError, nestedError, noStepError, whoIs } from './misuse.ts';
import { Parking } from './parking.ts';
import type { Branch } from './race.ts';
import { Replay } from './replay.ts';
import { pendingRollback, type Undoing } from './rollback.ts';
import { idOfStep, StepFacts } from './step-id.ts';

export interface NewRecord {
  key: string;
  kind: number;
  attempt: number;
  value: unknown;
  what: string;
}
/** One that can be handed over at once: nothing of it has to be stored before. */
export interface Prepared {
  entry: Entry;
  blobs: readonly BlobReference[] | undefined;
}

/** What the rest of the house does for it. */
export interface DurableHost {
  readonly nowMs: number;
  historyOf(run: Run): History;
  /** What it has taken over from another run. */
  forkedOf(run: Run): Entry[];
  closedAttemptOf(run: Run): number;
  isPaused(run: Run): boolean;
  isRunning(run: Run): boolean;
  push(run: Run, command: number, a?: number, b?: number, at?: number): void;
  /** Resolves when it is acknowledged. @throws SerializationError */
  note(run: Run, kind: number, value: unknown, what: string): Promise<boolean>;
  readNote(run: Run, kind: number): { value: unknown } | undefined;
  /** Encodes a record, and stores the blobs of it (a promise then). @throws SerializationError */
  prepare(run: Run, record: NewRecord): Prepared | Promise<Prepared>;
  /** One that will not be handed over. */
  discard(prepared: Prepared): void;
  /** Hands it over; resolves when it is acknowledged. */
  commit(run: Run, prepared: Prepared): Promise<Entry>;
  record(run: Run, record: NewRecord): Promise<Entry>;
  valueOf(entry: Entry): unknown;
  defer(callback: () => void): void;
  /** Sleeps up to so long keep the slot. */
  shortWaitMsOf(run: Run): number;
  after(delayMs: number, callback: () => void): () => void;
  warn(message: string): void;
  /** Who listens to what code asks of the page. */
  readonly determinism: Determinism | undefined;
}

/** More records than this are more than a page should replay. */
export const historyWarning = 1000;
export const historyLimit = 10_000;
/** Its reactions are microtasks as queueMicrotask's are, which is a call into the browser. */
const settled = Promise.resolve();

/** Code may be that many promises deep between an answer and its next question. */
const hops = 64;

function afterHops(left: number, callback: () => void): void {
  if (left === 0) callback();
  else void settled.then(() => afterHops(left - 1, callback));
}

/** Children from the call on until they are there: a handler may return before. */
export class Launches {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Gives what ends it. */
  begin(): () => void {
    let over = false;
    this.#count++;
    return () => {
      if (over) return;
      over = true;
      if (--this.#count === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    };
  }

  /** Resolves when there is none. */
  none(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

export class Durable {
  readonly host: DurableHost;
  readonly run: Run;
  readonly attempt: number;
  readonly replay: Replay;
  readonly parking: Parking;
  readonly alarms: Alarms;
  readonly #ordinals = new Map<string, number>();
  /** Of verbs with an `id`. */
  readonly #ownKeys = new Set<string>();
  /** The step that is being computed, while its function has not given way. */
  #inside: { name: string; key: string } | undefined;
  /** Thrown at the code, and not recorded: the code may not go on. */
  #failures: { key: string; kind: number; error: unknown }[] = [];
  #recorded: number;
  #warned = false;
  /** Nothing more is recorded, so the code goes no further. */
  #limitReached: HistoryLimitError | undefined;
  #stopReason: Error | undefined;
  readonly #isClosed: () => boolean;
  /** Keys of steps that are being computed now. */
  readonly computing = new Set<string>();
  /** Children that have not ended, with the place in the code that asked for them, where it is known. */
  readonly children = new Map<Run, string>();
  readonly launches = new Launches();
  /** What its code waits for now. */
  waits: Set<() => WaitReason> | undefined;
  /** What is to be undone if the run fails for good or is cancelled. */
  readonly undoings: Undoing[] = [];
  #undoing = false;
  /** Of `ctx.race`: whose verb is being called just now. */
  branch: Branch | undefined;
  #branches: Map<string, Branch> | undefined;
  /** Until a result that the code was given before it is acknowledged has reached it. */
  #ahead: Promise<void> | undefined;

  constructor(host: DurableHost, run: Run, attempt: number, isClosed: () => boolean) {
    this.host = host;
    this.#isClosed = isClosed;
    this.run = run;
    this.attempt = attempt;
    const history = host.historyOf(run);
    this.#recorded = history.entries.length;
    const drained = (callback: () => void) => host.defer(() => afterHops(hops, callback));
    this.replay = new Replay({ defer: drained, after: (delayMs, callback) => host.after(delayMs, callback) }, history, host.closedAttemptOf(run));
    for (const entry of host.forkedOf(run)) if (!history.entries.some(({ key }) => key === entry.key)) this.replay.remember(entry);
    this.parking = new Parking(
      {
        push: (command, a, b, at) => host.push(run, command, a, b, at),
        get paused() {
          return host.isPaused(run);
        },
        get running() {
          return host.isRunning(run);
        },
        defer: drained,
      },
      attempt,
    );
    this.alarms = new Alarms((atMs) => host.push(run, P.CommandSetAlarm, attempt, 0, atMs));
  }

  /** The code is being stopped: what it waits for is rejected. */
  get isStopped(): boolean {
    return this.#stopReason !== undefined || this.#isClosed();
  }

  /** What the verb is known by. `id`: the caller's own word for it, in place of the ordinal. */
  key(prefix: string, name: string, id?: string): string {
    const key = this.#keyOf(prefix + name, id);
    if (this.branch) (this.#branches ??= new Map()).set(key, this.branch);
    return key;
  }

  /** Whose verb it is, where it is one of a branch of a race. */
  branchOf(key: string): Branch | undefined {
    return this.#branches?.get(key);
  }

  #keyOf(stem: string, id: string | undefined): string {
    if (id !== undefined) return this.#ownKey(stem, id);
    const count = this.#ordinals.get(stem) ?? 0;
    this.#ordinals.set(stem, count + 1);
    return count === 0 ? stem : `${stem}${ordinalMark}${count}`;
  }

  #ownKey(stem: string, id: string): string {
    const key = `${stem}${ordinalMark}#${id}`;
    if (this.#ownKeys.has(key))
      throw new ConfigurationError(`${this.#who}: "${nameOf(stem)}" is asked for twice with the id ${JSON.stringify(id)}; the second would get the record of the first. Give each its own.`);
    this.#ownKeys.add(key);
    return key;
  }

  get #who(): string {
    return whoIs(this.run.taskIdentifier, this.run.id);
  }

  /** Calls what computes a step: no verb may be used in it, as far as it goes by itself. */
  inside<Value>(name: string, key: string, compute: (info: StepInfo) => Value, attempt: number, signal: AbortSignal | undefined): Value {
    this.#inside = { name, key };
    try {
      const facts = new StepFacts(this.host, this.run, key, attempt, this.#signalOf(key, signal));
      const { determinism } = this.host;
      return determinism ? (determinism['holdfast:step'](() => compute(facts)) as Value) : compute(facts);
    } finally {
      this.#inside = undefined;
    }
  }

  #signalOf(key: string, signal: AbortSignal | undefined): AbortSignal | undefined {
    const branch = this.branchOf(key);
    return branch && signal ? AbortSignal.any([branch.signal, signal]) : (branch?.signal ?? signal);
  }

  /** Of the step that is being computed. @throws ConfigurationError where none can be told */
  get stepId(): string {
    if (!this.#inside) throw noStepError(this.#who);
    return idOfStep(this.host, this.run, this.#inside.key);
  }

  /**
   * @param key of the verb that has begun
   * @throws the reason of the stop, HistoryLimitError, ContextClosedError, ConfigurationError inside of a step, and why its
   * branch of a race has lost
   */
  check(verb: string, name: string, key?: string): void {
    if (this.#inside !== undefined) throw nestedError(this.#who, verb, name, this.#inside.name);
    if (this.#stopReason) throw this.#stopReason;
    if (this.#limitReached && verb !== 'continueAsNew') throw this.#limitReached;
    if (this.#isClosed()) throw closedError(this.#who, verb, name);
    if (key !== undefined) this.branchOf(key)?.check();
  }

  /** Waits while the run is paused. @throws as check */
  async safePoint(verb: string, name: string, key?: string): Promise<void> {
    const halted = this.parking.haltIfPaused();
    if (halted) await halted;
    this.check(verb, name, key);
  }

  /**
   * What is recorded under the key; waits for its turn. undefined: nothing, and it may be done now.
   * @throws why the run is being rolled back, or why its branch of a race has lost
   */
  async ask(key: string): Promise<Entry | undefined> {
    this.settleFailures();
    const entry = await this.replay.ask(key);
    const rollback = entry || this.#undoing ? undefined : pendingRollback(this);
    if (rollback) throw rollback.error;
    if (!entry) this.branchOf(key)?.check();
    return entry;
  }

  get isUndoing(): boolean {
    return this.#undoing;
  }

  /** From now on only what undoes begins; a stop no longer stands in its way. */
  beginUndoing(): void {
    this.#undoing = true;
    this.#stopReason = this.#limitReached = undefined;
  }

  /** What an entry says: its value, or the failure it was. */
  answer(entry: Entry): unknown {
    if (entry.kind === RecordKind.Failure || entry.kind === RecordKind.ChildFailed) throw deserializeError(this.host.valueOf(entry) as never);
    return this.host.valueOf(entry);
  }

  /** As the code gets it: in development frozen. @param whose for people */
  given<Value>(value: Value, whose: string): Value {
    const { determinism } = this.host;
    return determinism ? determinism.given(value, whose) : value;
  }

  /** Resolves when it is acknowledged. @throws SerializationError HistoryLimitError */
  async record(key: string, kind: number, value: unknown, what: string): Promise<Entry> {
    this.settleFailures();
    this.#count();
    const ahead = this.#ahead;
    const entry = await this.host.record(this.run, { key, kind, attempt: this.attempt, value, what });
    // Where it is over this takes no hop more: what is acknowledged in the same frame comes after as many as this.
    if (ahead && this.#ahead === ahead) await ahead;
    return entry;
  }

  /**
   * Resolves when it is handed over: the code goes on with it in a turn of its own, so nothing that is recorded later
   * reaches it before. What can't be kept in that order is as `record`. @throws as record
   */
  async recordAhead(key: string, kind: number, value: unknown, what: string): Promise<Entry> {
    if (this.run.extra.streams) return this.record(key, kind, value, what);
    this.settleFailures();
    this.#count();
    const prepared = this.prepare(key, kind, value, what);
    // What has files takes its time, and what is kept in memory needs none.
    if (prepared instanceof Promise || !prepared.entry.payload) return this.host.commit(this.run, await prepared);
    this.host.commit(this.run, prepared).catch(() => {});
    const turn = new Promise<void>((resolve) => this.host.defer(() => afterHops(hops, resolve)));
    this.#ahead = turn.then(() => void (this.#ahead = undefined));
    await turn;
    return prepared.entry;
  }


  /** Recorded without waiting: nothing that is recorded later can be there without it. */
  note(key: string, kind: number, value?: unknown): void {
    // Refused when the attempt is over, which whoever waits hears from elsewhere.
    this.record(key, kind, value, 'record').catch(() => {});
  }

  prepare(key: string, kind: number, value: unknown, what: string): Prepared | Promise<Prepared> {
    return this.host.prepare(this.run, { key, kind, attempt: this.attempt, value, what });
  }

  /** As `note`, of one that is prepared. */
  commit(prepared: Prepared): void {
    this.settleFailures();
    this.#count();
    this.host.commit(this.run, prepared).catch(() => {});
  }

  /** A time or a word that was decided once. */
  mark(name: string, decide: () => unknown): unknown {
    const key = this.key(KeyPrefix.Mark, name);
    const known = this.replay.mark(key);
    if (known) return this.host.valueOf(known);
    const value = decide();
    this.note(key, RecordKind.Mark, value);
    return value;
  }

  /** The code hears of a failure now. Recorded only if it goes on: a new try does it again. */
  fail(key: string, kind: number, error: unknown): void {
    this.#failures.push({ key, kind, error });
  }

  settleFailures(): void {
    if (this.#failures.length === 0) return;
    const failures = this.#failures;
    this.#failures = [];
    for (const { key, kind, error } of failures) this.note(key, kind, serializeError(error));
  }

  /** Gives the slot back until the outside has come about; `arrive` is called as the code goes on. @param what it waits for, for people @param key of the verb @param keepsSlot it is over too soon to give it back */
  wait<Value>(outside: Promise<Value>, arrive: () => void, what?: () => WaitReason, key?: string, keepsSlot = false): Promise<Value> {
    const place: Settlement = this.parking.enter(keepsSlot);
    const off = key === undefined ? undefined : this.branchOf(key)?.onLost((error) => this.parking.forget(place) && place.reject(error));
    if (off) place.promise.then(off, off);
    if (what) {
      const waits = (this.waits ??= new Set());
      waits.add(what);
      const over = () => waits.delete(what);
      place.promise.then(over, over);
    }
    outside.then(
      (value) =>
        this.parking.leave(place, () => {
          arrive();
          place.resolve(value);
        }),
      (error) =>
        this.parking.leave(place, () => {
          arrive();
          place.reject(error);
        }),
    );
    return place.promise;
  }

  #count(): void {
    if (this.#undoing) return;
    this.#recorded++;
    if (this.#recorded > historyLimit)
      throw this.#limitReached ??= new HistoryLimitError(
        `Run ${this.run.id} has recorded ${historyLimit} steps, children and waits, which is the limit. Split the work into child runs, or begin anew with ctx.continueAsNew(input).`,
      );
    if (this.#recorded <= historyWarning || this.#warned) return;
    this.#warned = true;
    this.host.warn(`Run ${this.run.id} has recorded more than ${historyWarning} steps, children and waits; all of them are read again when it is taken up. ctx.continueAsNew(input) begins anew.`);
  }

  stop(reason: Error): void {
    this.#stopReason = reason;
    this.parking.stop(reason);
    this.replay.stop();
  }
}
