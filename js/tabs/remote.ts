/**
 * Runs of other tabs: their states as they were told, and handles whose commands go to their owner.
 * Invariant: what is told is a hint, checked for its shape, and replaced or dropped with its session.
 */
import type { RemoveOptions } from '../runs/removals.ts';
import type { Clock } from '../time/clock.ts';
import { checkFunction, checkPause, checkResume, checkText } from '../intake/checks.ts';
import { byValue } from '../asking/asking.ts';
import { toMessage } from '../codec/message.ts';
import { saveBlob } from '../runs/download.ts';
import { StorageLostError } from '../errors.ts';
import type { Run } from '../runs/run.ts';
import { deserializeError, serializeError } from '../runs/serialize-error.ts';
import { hasEnded, taskStatuses } from '../runs/status.ts';
import { checkEventName } from '../waiting/events.ts';
import type { QueryOptions, ReadStreamOptions, ResultPromise, ResumePolicy, RunEvent, RunHandle, StreamReader, TaskRunResult, TaskState, TaskStatus, UpdateOptions } from '../types.ts';

/** Between the death of a tab and the time when another one tells that it has its runs. */
const takenOverWithinMs = 15_000;
const mostRemoved = 1000;

interface RemoteEntry {
  session: string;
  state: TaskState;
}

export interface RemoteHost {
  readonly clock: Clock;
  /** A run that is ours by now: its tab has died. */
  local(id: string): Run | undefined;
  /** What another tab would be asked, of a run of ours. */
  obey(id: string, verb: string, argument: unknown): Promise<unknown>;
  ask(session: string, id: string, verb: string, argument: unknown): Promise<unknown>;
  stream(id: string, key: string, options?: ReadStreamOptions): StreamReader;
  update(id: string, name: string, data: unknown, options?: UpdateOptions): Promise<unknown>;
  changed(id?: string): void;
}

/** A state as it may cross: the result stays with its owner, the error becomes data. */
export function publicState(state: TaskState): unknown {
  return { ...state, result: undefined, error: state.error ? serializeError(state.error) : null, local: false };
}

export class RemoteRuns {
  readonly #host: RemoteHost;
  #entries = new Map<string, RemoteEntry>();
  #listeners = new Map<string, Set<() => void>>();
  readonly #keyed = new Set<string>();
  /** Ids of the last ones that their tabs have removed. */
  readonly #removed = new Set<string>();
  readonly #closing = new Set<(because: Error) => void>();
  #closed: Error | undefined;

  constructor(host: RemoteHost) {
    this.#host = host;
  }

  accept(session: string, states: readonly unknown[]): void {
    for (const told of states) {
      const state = readState(told);
      if (!state) continue;
      this.#entries.set(state.id, { session, state });
      this.#removed.delete(state.id);
      if (state.idempotencyKey !== undefined) this.#keyed.add(state.id);
      this.#tell(state.id);
    }
  }

  forget(session: string, id: string): void {
    if (this.#entries.get(id)?.session !== session) return;
    this.#entries.delete(id);
    this.#removed.add(id);
    if (this.#removed.size > mostRemoved) this.#removed.delete(this.#removed.values().next().value!);
    this.#tell(id);
  }

  dropSession(session: string): void {
    for (const [id, entry] of this.#entries) {
      if (entry.session !== session) continue;
      this.#entries.delete(id);
      this.#tell(id);
    }
  }

  #tell(id: string): void {
    this.#host.changed(id);
    this.#tellListeners(id);
  }
  #tellListeners(id: string): void {
    for (const listener of [...(this.#listeners.get(id) ?? [])]) listener();
  }

  /** Somebody looks at a run of another tab, or of one that was there. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Whoever looked at a run of another tab goes on looking when it is ours. */
  changedHere(runs: readonly Run[]): void {
    if (this.#listeners.size === 0) return;
    for (const { id } of runs) this.#tellListeners(id);
  }

  close(because: Error): void {
    this.#closed = because;
    for (const refuse of [...this.#closing]) refuse(because);
  }

  states(): TaskState[] {
    return Array.from(this.#entries.values(), ({ state }) => state);
  }

  state(id: string): TaskState | undefined {
    return this.#entries.get(id)?.state;
  }

  /** As it is now, whoever has it. */
  current(id: string): TaskState | undefined {
    return this.#host.local(id)?.state ?? this.state(id);
  }

  /**
   * Resolves when somebody has the run, and it is so. A tab that dies is followed by whoever takes the run over.
   * @throws StorageLostError nobody has it @throws DisposedError
   */
  until(id: string, isSo: (state: TaskState) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      let giveUp: (() => void) | undefined;
      const settle = (how: () => void) => {
        giveUp?.();
        stop();
        this.#closing.delete(fail);
        how();
      };
      const fail = (error: Error) => settle(() => reject(error));
      const lost = () => fail(this.#lost(id));
      const look = () => {
        const state = this.current(id);
        if (state && isSo(state)) return settle(resolve);
        if (!state && this.#removed.has(id)) return lost();
        if (!state) giveUp ??= this.#host.clock.schedule(this.#host.clock.now() + takenOverWithinMs, lost);
        else giveUp?.();
        if (state) giveUp = undefined;
      };
      this.#closing.add(fail);
      const stop = this.subscribe(id, look);
      look();
    });
  }

  #lost(id: string): StorageLostError {
    return new StorageLostError(`Run ${id} is not known any more: its tab was closed and nobody has taken it over, or it was removed.`);
  }

  /** Those that have a key. */
  *keyed(): Iterable<TaskState> {
    for (const id of this.#keyed) {
      const state = this.state(id);
      if (state?.idempotencyKey !== undefined) yield state;
      else this.#keyed.delete(id);
    }
  }

  handle(id: string): RemoteHandle | undefined {
    return this.#entries.has(id) ? new RemoteHandle(this, id) : undefined;
  }

  update(id: string, name: string, data: unknown, options?: UpdateOptions): Promise<unknown> {
    return this.#host.update(id, name, data, options);
  }

  stream(id: string, key: string, options?: ReadStreamOptions): StreamReader {
    return this.#host.stream(id, key, options);
  }

  async ask(id: string, verb: string, argument?: unknown): Promise<unknown> {
    if (this.#closed) throw this.#closed;
    if (this.#host.local(id)) return this.#host.obey(id, verb, argument);
    const entry = this.#entries.get(id);
    if (!entry) throw this.#lost(id);
    return this.#host.ask(entry.session, id, verb, argument);
  }

  subscribe(id: string, listener: () => void): () => void {
    let listeners = this.#listeners.get(id);
    if (!listeners) this.#listeners.set(id, (listeners = new Set()));
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  readError(error: unknown): Error {
    return deserializeError(error as Parameters<typeof deserializeError>[0]);
  }
  writeError(error: unknown): unknown {
    return serializeError(error);
  }
}

/** Commands that a tab carries out for others. */
export const remoteVerbs = ['cancel', 'pause', 'resume', 'retry', 'remove', 'undoRemove', 'result', 'signal', 'query', 'update', 'completeToken', 'tokenOutcome', 'provide', 'freeKey', 'reschedule', 'collapse', 'readStream'] as const;

export class RemoteHandle implements RunHandle {
  readonly id: string;
  readonly #runs: RemoteRuns;
  #last: TaskState;

  constructor(runs: RemoteRuns, id: string) {
    this.#runs = runs;
    this.id = id;
    this.#last = runs.state(id)!;
  }

  get state(): TaskState {
    this.#last = this.#runs.current(this.id) ?? this.#last;
    return this.#last;
  }
  get taskIdentifier(): string {
    return this.state.taskIdentifier;
  }
  get status(): TaskStatus {
    return this.state.status;
  }
  get isCached(): boolean {
    return false;
  }
  get idempotencyKey(): string | undefined {
    return this.state.idempotencyKey;
  }
  /** Only accepted runs are told to others. */
  get accepted(): Promise<void> {
    return Promise.resolve();
  }

  async result(): Promise<any> {
    await this.#ended();
    await this.#runs.until(this.id, () => true);
    return this.#runs.ask(this.id, 'result');
  }

  async #ended(): Promise<void> {
    if (!hasEnded(this.state.status)) await this.#runs.until(this.id, ({ status }) => hasEnded(status));
  }

  wait(): ResultPromise<any> {
    const promise = this.#settle() as ResultPromise<any>;
    promise.unwrap = () => this.result();
    return promise;
  }

  async #settle(): Promise<TaskRunResult> {
    await this.#ended();
    const { attempt, createdAt, endedAt, taskIdentifier, id, status, fromCache, error } = this.state;
    const common = { id, taskIdentifier, attempts: attempt, durationMs: (endedAt ?? createdAt) - createdAt, fromCache };
    // What can't be had is no failure of the run.
    if (status === 'completed') return { ok: true, ...common, status, output: await this.result() };
    const asked = error ?? ((await this.result().catch((thrown) => thrown)) as Error);
    return { ok: false, ...common, status: status === 'cancelled' ? status : 'failed', error: asked };
  }

  #command(verb: string, argument?: unknown): Promise<boolean> {
    return this.#runs.ask(this.id, verb, argument).then((done) => done === true, () => false);
  }
  cancel(reason?: unknown): Promise<boolean> {
    return this.#command('cancel', reason);
  }
  pause(kind: 'soft' | 'hard' = 'soft'): Promise<boolean> {
    checkPause(kind);
    return this.#command('pause', kind);
  }
  resume(policy: ResumePolicy = 'keepDeadline'): Promise<boolean> {
    checkResume(policy);
    return this.#command('resume', policy);
  }
  retry(): Promise<boolean> {
    return this.#command('retry');
  }
  reschedule(atMs: number): Promise<boolean> {
    return this.#command('reschedule', atMs);
  }
  freeKey(): Promise<boolean> {
    return this.#command('freeKey');
  }
  remove(options?: RemoveOptions): Promise<boolean> {
    return this.#command('remove', options);
  }
  undoRemove(): Promise<boolean> {
    return this.#command('undoRemove');
  }
  /** @internal `id`: of the event, by which it is known when it is sent again. */
  async signal(name: string, data?: unknown, id?: string): Promise<boolean> {
    checkEventName(name, 'signal');
    return (await this.#runs.ask(this.id, 'signal', [name, toMessage(data, 'data').value, id])) === true;
  }
  async query(name: string, data?: unknown, options?: QueryOptions): Promise<any> {
    const sent = toMessage(byValue(data), 'data').value;
    const { queryMs } = await import('../asking/caller.ts');
    return this.#runs.ask(this.id, 'query', [name, sent, { timeout: queryMs(name, options) }]);
  }
  update(name: string, data?: unknown, options?: UpdateOptions): Promise<any> {
    return this.#runs.update(this.id, name, data, options);
  }
  async provide(file: Blob | FileSystemFileHandle): Promise<boolean> {
    return (await this.#runs.ask(this.id, 'provide', file)) === true;
  }

  stream<Chunk = any>(key: string, options?: ReadStreamOptions): StreamReader<Chunk> {
    return this.#runs.stream(this.id, key, options);
  }
  /** @internal */
  ask(verb: string, argument: unknown): Promise<unknown> {
    return this.#runs.ask(this.id, verb, argument);
  }

  onProgress(listener: (progress: number, state: TaskState) => void): () => void {
    checkFunction(listener, 'onProgress listener');
    let last = this.state.progress;
    return this.subscribe((state) => {
      if (state.progress === last) return;
      last = state.progress;
      listener(last, state);
    });
  }
  subscribe(listener: (state: TaskState) => void): () => void {
    checkFunction(listener, 'subscribe listener');
    return this.#runs.subscribe(this.id, () => listener(this.state));
  }
  /** Its owner keeps the log; from here only how it ended can be told. */
  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined> {
    await this.#ended();
    const { id, status, lastUpdated } = this.state;
    const type = status === 'completed' ? 'succeeded' : status === 'cancelled' ? status : 'failed';
    yield { seq: 0, at: lastUpdated, type, runId: id };
  }
  async download(fileName?: string): Promise<void> {
    if (fileName !== undefined) checkText(fileName, 'download fileName');
    await saveBlob(await this.result(), fileName, this.state.name);
  }
}

function readState(told: unknown): TaskState | undefined {
  if (typeof told !== 'object' || told === null) return undefined;
  const state = told as TaskState & { error: unknown };
  const named = [state.id, state.name, state.taskIdentifier, state.phase].every((value) => typeof value === 'string');
  const counted = [state.progress, state.createdAt, state.startTime, state.lastUpdated].every((value) => typeof value === 'number');
  if (!named || !counted || !taskStatuses.includes(state.status)) return undefined;
  const keyed = [typeof state.idempotencyKey, typeof state.idempotencyKeyExpiresAt].join();
  if (keyed !== 'undefined,undefined' && keyed !== 'string,number') return undefined;
  const metadata = typeof state.metadata === 'object' && state.metadata !== null ? state.metadata : {};
  const error = state.error ? deserializeError(state.error as never) : null;
  const tags = Array.isArray(state.tags) ? state.tags : [];
  return Object.freeze({ ...state, metadata, tags, error, fromCache: state.fromCache === true, missing: readMissing(state.missing), result: undefined, local: false });
}

function readMissing(told: unknown): TaskState['missing'] {
  if (!Array.isArray(told)) return undefined;
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const number = (value: unknown) => (typeof value === 'number' ? value : undefined);
  return told.map((file) => ({
    name: text(file?.name), type: text(file?.type) ?? '', size: number(file?.size) ?? 0,
    lastModified: number(file?.lastModified), digest: text(file?.digest),
  }));
}
