/**
 * What contexts ask of the house: records, children, delays. One for all runs of an orchestrator.
 * Invariant: whatever is recorded goes through `record`, in the order in which it is asked for.
 */
import type { TaskCache } from '../cache/types.ts';
import { clone, decode, decodeWithBlobs, encode, refersToBlobs } from '../codec/codec.ts';
import type { Deferred } from '../dependencies/types.ts';
import type { Determinism } from '../definition/determinism.ts';
import type { Validator } from '../definition/schema.ts';
import { checkOf, issuesInWords } from '../definition/validation.ts';
import { ConfigurationError, OutputValidationError, UnrecognizedTaskError } from '../errors.ts';
import { type Entry, History } from '../journal/history.ts';
import { forkedEntries } from '../identity/forked.ts';
import { refuseCycle } from '../identity/join-child.ts';
import type { RunKey } from '../identity/key.ts';
import type { Joined } from '../identity/keyed-handle.ts';
import { asksForKey } from '../identity/plan.ts';
import { NoteKind, type StoredNote } from '../journal/notes.ts';
import { Lazy } from '../lazy.ts';
import type { LockTable } from '../locking/table.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { checkIdentifier, describe, naming } from '../intake/checks.ts';
import { type Policy } from '../intake/options.ts';
import { payloadBytes, recordValueBytes } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import { type Definition, isTask } from '../intake/registry.ts';
import { End, Run } from '../runs/run.ts';
import { platformOf } from '../tabs/platform.ts';
import type { RemoteHandle } from '../tabs/remote.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { crc32 } from '../storage/crc32.ts';
import type { FailedRun, RunItem, Task, TaskRunResult, TriggerOptions } from '../types.ts';
import { stopError } from '../runs/attempts.ts';
import type { StreamDoor } from '../streams/door.ts';
import type { Waiting } from '../waiting/waiting.ts';
import { ChildIndex } from './child-index.ts';
import { depthLimit, type ChildrenHost } from './children.ts';
import type { DurableHost, NewRecord, Prepared } from './durable.ts';
import { eraOf } from './step-id.ts';
import type { StepHost } from './steps.ts';

const pausedBit = 1 << 4;
/** Why it is being stopped. */
const stopBits = 0xff << 8;

/** What a container makes. */
export interface NewMember {
  readonly key: string;
  readonly definition: Definition;
  readonly input: unknown;
  readonly options?: TriggerOptions | undefined;
  readonly identity?: RunKey | undefined;
  readonly item?: RunItem | undefined;
  readonly deferred?: Deferred | undefined;
}

export class ContextServices implements DurableHost, StepHost, ChildrenHost {
  readonly #house: Orchestrator;
  readonly children: ChildIndex;
  readonly #locks = new Lazy<LockTable>(async () => {
    const { LockTable } = await import('../locking/table.ts');
    const house = this.#house;
    return new LockTable({
      nameOf: (key) => house.opening.tabs && `holdfast:${house.opening.namespace}:lock:${key}`,
      locks: platformOf(house.getOptions().tabs).locks,
      changed: (run) => house.changed(run),
      warn: (message) => house.warn(message),
    });
  });

  /** Events and tokens. */
  get waiting(): Waiting {
    return this.#house.waiting;
  }

  get streams(): StreamDoor {
    return this.#house.streams;
  }

  get determinism(): Determinism | undefined {
    return this.#house.definitions.determinism;
  }

  constructor(house: Orchestrator) {
    this.#house = house;
    this.children = new ChildIndex(house);
  }

  get house(): Orchestrator {
    return this.#house;
  }

  get nowMs(): number {
    return this.#house.clock.now();
  }

  // What is recorded

  historyOf(run: Run): History {
    const extra = run.ownExtra;
    if (!extra.history) {
      extra.history = extra.stepPayloads ? History.read(extra.stepPayloads) : new History();
      extra.stepPayloads = undefined;
    }
    return extra.history;
  }

  forkedOf(run: Run): Entry[] {
    return forkedEntries(run);
  }

  closedAttemptOf(run: Run): number {
    return this.#house.pump.open ? this.#house.pump.engine.value(run.task, P.FieldClosedAttempt) : 0;
  }

  async record(run: Run, record: NewRecord): Promise<Entry> {
    const prepared = this.prepare(run, record);
    return this.commit(run, prepared instanceof Promise ? await prepared : prepared);
  }

  prepare(run: Run, { key, kind, attempt, value, what }: NewRecord): Prepared | Promise<Prepared> {
    const { journal, payloads, blobs: store } = this.#house;
    if (!journal) return { entry: { key, kind, attempt, payload: undefined, value: clone(value, what), acknowledged: true }, blobs: undefined };
    const payload = payloads.writeRecord(key, kind, attempt, value, what);
    const { blobs } = payloads;
    const prepared = { entry: { key, kind, attempt, payload, acknowledged: false }, blobs };
    return blobs ? store.store(blobs).then(() => prepared) : prepared;
  }

  discard({ blobs }: Prepared): void {
    if (blobs) this.#house.blobs.release(blobs);
  }

  async commit(run: Run, { entry, blobs }: Prepared): Promise<Entry> {
    const streamed = run.extra.streams?.flush(entry.attempt);
    if (streamed) await streamed;
    if (run.attempt !== entry.attempt) {
      this.discard({ entry, blobs });
      throw stopError(run, P.StopReasonInterrupt);
    }
    const { payload } = entry;
    // What its code said before is stored before: going over it again says nothing twice.
    const { metadata } = this.#house.definitions.describing;
    if (metadata.isDirty) metadata.store(run);
    if (blobs) this.#house.blobs.attach(run, blobs);
    if (payload) this.#house.pump.commands.addPayload(payload.bytes, payload.start, payload.length);
    return this.#push(run, entry, payload?.length ?? 0);
  }

  #push(run: Run, entry: Entry, length: number): Promise<Entry> {
    const { pump } = this.#house;
    return new Promise((resolve, reject) => {
      this.historyOf(run).push(entry, resolve, () => reject(stopError(run, P.StopReasonInterrupt)));
      pump.commands.push(P.CommandRecordStep, run.task, entry.attempt, length);
      pump.wake();
    });
  }

  /** By value; a promise where blobs have to be loaded. */
  valueOf(entry: Entry): unknown {
    if (!entry.payload) return clone(entry.value, 'step');
    return this.#decode(recordValueBytes(entry.payload));
  }

  #decode(bytes: Uint8Array): unknown {
    return refersToBlobs(bytes) ? decodeWithBlobs(bytes, this.#house.blobs.load) : decode(bytes);
  }

  // Notes

  /** Resolves when it is acknowledged; false: the run is gone. @throws SerializationError StorageFullError */
  async note(run: Run, kind: number, value: unknown, what: string): Promise<boolean> {
    const written = await this.writeNote(run, kind, value, what);
    return new Promise((resolve) => {
      (run.ownExtra.waiters ??= []).push({ command: P.CommandNote, resolve });
      written();
      this.#house.pump.wake();
    });
  }

  /** Everything but the command itself, which the caller gives in the order it needs. */
  async writeNote(run: Run, kind: number, value: unknown, what: string): Promise<() => void> {
    const { payloads, blobs: store, pump, journal } = this.#house;
    const keep = (note: StoredNote) => (run.ownExtra.notes ??= new Map()).set(kind, note);
    if (!journal) {
      const copy = clone(value, what);
      return () => {
        keep({ value: copy });
        pump.commands.push(P.CommandNote, run.task, kind, 0);
      };
    }
    const payload = payloads.writeValue(value, what);
    const { blobs } = payloads;
    if (blobs) {
      await store.store(blobs);
      store.attach(run, blobs);
    }
    return () => {
      keep({ payload });
      pump.commands.addPayload(payload.bytes, payload.start, payload.length);
      pump.commands.push(P.CommandNote, run.task, kind, payload.length);
    };
  }

  /** Its records are being dropped: what it does from now on is not what it did, so the ids of its steps are others. */
  beginEra(run: Run): void {
    const { journal, payloads, pump } = this.#house;
    const era = eraOf(this, run) + 1;
    const payload = journal && payloads.writeValue(era, 'era');
    if (payload) pump.commands.addPayload(payload.bytes, payload.start, payload.length);
    (run.ownExtra.notes ??= new Map()).set(NoteKind.Era, payload ? { payload } : { value: era });
    pump.commands.push(P.CommandNote, run.task, NoteKind.Era, payload?.length ?? 0);
  }

  /** undefined: there is none. By value; a promise where blobs have to be loaded. */
  readNote(run: Run, kind: number): { value: unknown } | undefined {
    const note = run.extra.notes?.get(kind);
    if (!note) return undefined;
    return { value: note.payload ? this.#decode(payloadBytes(note.payload)) : clone(note.value, 'note') };
  }

  // The core

  /** Running time so far; undefined: it is not counted. */
  computedMs(run: Run): number | undefined {
    const { pump } = this.#house;
    if (!run.options?.maxDurationMs || !pump.open) return undefined;
    const isRunning = (this.#state(run) & 0xf) === P.StateRunning;
    return pump.engine.value(run.task, P.FieldComputedMs) + (isRunning ? Math.max(0, this.nowMs - pump.engine.steppedMs) : 0);
  }
  isPaused(run: Run): boolean {
    return (this.#state(run) & pausedBit) !== 0;
  }
  isRunning(run: Run): boolean {
    // The core refuses to let code wait that it has asked to stop.
    return (this.#state(run) & (0xf | stopBits)) === P.StateRunning;
  }
  #state(run: Run): number {
    return this.#house.pump.open && run.task !== 0 ? this.#house.pump.engine.state(run.task) : 0;
  }

  push(run: Run, command: number, a = 0, b = 0, at = 0): void {
    if (run.task === 0) return;
    this.#house.pump.commands.push(command, run.task, a, b, at);
    this.#house.pump.wake();
  }

  readonly retryDelay = (policy: Policy, failures: number, lastDelayMs: number): Promise<number> =>
    this.#house.table.retryDelay(this.#house.pump, policy, failures, lastDelayMs);

  suspends(run: Run, error: unknown): boolean | Promise<boolean> {
    return this.#house.opening.network.suspends(run, error);
  }

  defer(callback: () => void): void {
    this.#house.clock.defer(callback);
  }
  shortWaitMsOf(run: Run): number {
    const own = run.definition?.spec.shortWait ?? this.#house.getOptions().shortWait;
    return own === undefined ? 0 : toMilliseconds(own, 'shortWait');
  }
  after(delayMs: number, callback: () => void): () => void {
    return this.#house.clock.schedule(this.nowMs + delayMs, callback);
  }
  warn(message: string): void {
    this.#house.warn(message);
  }

  /** Who holds which lock; loaded with the first. */
  lockTable(): Promise<LockTable> {
    return this.#locks.load();
  }

  /** To another run, once however often it is asked for under this id. @throws ConfigurationError for a run nobody knows */
  async signalTo(id: string, name: string, data: unknown, eventId: string): Promise<boolean> {
    const handle = this.#house.attach(checkIdentifier(id, 'ctx.signalRun id'));
    if (!handle) throw new ConfigurationError(`ctx.signalRun("${name}"): there is no run ${JSON.stringify(id)}.`);
    return handle instanceof Run ? this.waiting.events.signal(handle, name, data, eventId) : (handle as RemoteHandle).signal(name, data, eventId);
  }

  get cache(): Pick<TaskCache, 'explain' | 'invalidate'> {
    return this.#house.cache;
  }

  // Children

  resolve(task: unknown): Definition {
    return this.#house.definitions.of(task, 'ctx.run');
  }

  find(parent: Run, key: string): Run | undefined {
    return this.children.find(parent, key);
  }

  create(parent: Run, key: string, policy: number, definition: Definition, input: unknown, options: TriggerOptions, identity?: RunKey, item?: RunItem): Run {
    const depth = this.#depthBelow(parent, definition);
    try {
      const family = { parent, key, policy, depth, fingerprint: this.#fingerprint(input), item };
      const child = this.#house.intake.trigger(definition, input, options, undefined, family, identity);
      if (identity?.endTurn) child.accepted.then(identity.endTurn, identity.endTurn);
      this.children.add(parent, key, child);
      return child;
    } catch (error) {
      throw naming(error, `ctx.run("${definition.id}")`, definition.id);
    }
  }

  /** A child of a container, in its group. @throws what triggering throws, and nothing is changed */
  member(parent: Run, { key, definition, input, options, identity, item, deferred }: NewMember, group: number): Run {
    const family = { parent, key, policy: P.ChildPolicyCancel, depth: this.#depthBelow(parent, definition), fingerprint: 0, item, group };
    const member = this.#house.intake.trigger(definition, input, options, undefined, family, identity, undefined, deferred);
    if (identity?.endTurn) member.accepted.then(identity.endTurn, identity.endTurn);
    this.children.add(parent, key, member);
    return member;
  }

  /** @throws ConfigurationError */
  #depthBelow(parent: Run, { id }: Definition): number {
    const { depth } = parent.extra;
    const { maxDepth = depthLimit } = this.#house.getOptions();
    if (depth >= maxDepth) throw new ConfigurationError(`ctx.run("${id}"): run ${parent.id} is ${depth} children deep, which is the limit. Does a task run itself?`);
    return depth + 1;
  }

  #fingerprint(input: unknown): number {
    return fingerprint(input, this.#house.payloads.limits.valueBytes);
  }

  identityOf(parent: Run, attempt: number, definition: Definition, input: unknown, options: TriggerOptions): Promise<RunKey | undefined> | undefined {
    return asksForKey(definition, options) ? this.#house.identity.keyOf(definition, input, options, { id: parent.id, attempt }) : undefined;
  }
  joinedBy(parent: Run, definition: Definition, identity: RunKey): Joined | undefined {
    try {
      const joined = this.#house.identity.claim(definition.id, identity);
      const holder = joined?.handle ?? identity.after ?? identity.replaces;
      if (holder) refuseCycle(parent, holder, (run) => this.children.of(run));
      if (joined) identity.endTurn?.();
      return joined && this.#house.identity.takenIn(joined, identity);
    } catch (error) {
      identity.endTurn?.();
      throw error;
    }
  }

  matches(child: Run, definition: Definition, input: unknown): boolean {
    if (child.taskIdentifier !== definition.id) return false;
    const now = this.#fingerprint(input);
    return now === 0 || child.extra.fingerprint === 0 || now === child.extra.fingerprint;
  }

  async outputOf(child: Run): Promise<unknown> {
    return this.#house.outcomes.copyOf(child);
  }

  detach(parent: Run, child: Run): void {
    // On its way to the core it says so itself.
    child.ownExtra.childPolicy = P.ChildPolicyDetach;
    this.push(child, P.CommandBelong, parent.task, P.ChildPolicyDetach);
  }

  /** What code that begins anew had made is nobody's child any more. */
  release(parent: Run): void {
    for (const child of this.children.of(parent)) {
      this.push(child, P.CommandBelong, parent.task, P.ChildPolicyRelease);
      if (child.end === End.None) void this.#house.cancelRun(child, 'its parent begins anew');
      this.children.forget(child);
      child.ownExtra.parent = undefined;
    }
  }

  errorOf(child: Run): Error {
    return this.#house.errorOf(child);
  }

  resultOf(child: Run): TaskRunResult | Promise<TaskRunResult> {
    return this.#house.outcomes.resultOf(child);
  }

  isCancelling(child: Run): boolean {
    return child.end === End.None && this.#house.stateOf(child).phase === 'cancelling';
  }

  /** What an error callback is called for. */
  failureOf({ extra: { bound } }: Run): FailedRun | undefined {
    const { role } = bound?.data ?? {};
    const failed = role === 'failure' || role === 'cancelled' || role === 'instead' ? this.#house.localRun(bound!.sources.of ?? '') : undefined;
    return failed && { id: failed.id, taskIdentifier: failed.taskIdentifier, error: this.#house.errorOf(failed) };
  }

  /** Its end is forgotten; the promises of it are made anew. */
  async retry(child: Run): Promise<boolean> {
    return child.end === End.None ? false : this.#house.retryRun(child);
  }

  async validate(schema: unknown, value: unknown, what: string): Promise<unknown> {
    const checked = await checkOf(schema as Validator, `The schema of the ${what}`)(value);
    if (!checked.issues) return checked.value;
    throw new OutputValidationError(`The ${what} does not fit its schema: ${issuesInWords(checked.issues)}`, { issues: checked.issues });
  }
}

/** Of a value as it was given; 0: it refers to blobs, which are told apart by what is in them only. */
function fingerprint(input: unknown, valueLimit: number): number {
  const { bytes, blobs } = encode(input, 'input', { valueLimit });
  return blobs?.length ? 0 : crc32(bytes) || 1;
}
