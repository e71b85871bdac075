/**
 * One run: what JavaScript keeps of it (code, payloads, promises), and the handle people hold.
 * Where it stands is asked of the core; nothing here decides.
 *
 * Invariant: `state` is the same object until something changed, and an end is shown only after it
 * was acknowledged.
 */
import { checkFunction, checkText } from '../intake/checks.ts';
import type { Asking } from '../asking/asking.ts';
import type { RunContext } from '../context/context.ts';
import { SubtaskUnwrapError } from '../errors.ts';
import type { ResolvedRunOptions } from '../intake/options.ts';
import { RecordBytes } from '../protocol.ts';
import type { Definition } from '../intake/registry.ts';
import { saveBlob } from './download.ts';
import { noExtra, RunExtra } from './run-extra.ts';
import type {
  QueryOptions, ReadStreamOptions, ResultPromise, ResumePolicy, RunEvent, RunHandle, StreamReader, TaskRunResult, TaskState, TaskStatus, UpdateOptions,
} from '../types.ts';

/** Where the bytes of a payload lie in memory. */
export interface PayloadBytes {
  bytes: Uint8Array;
  start: number;
  length: number;
}

export interface RunHost {
  /** What creation times are counted from. */
  readonly madeAtMs: number;
  stateOf(run: Run): TaskState;
  definition(id: string): Definition | undefined;
  identify(run: Run): string;
  cancelRun(run: Run, reason?: unknown): Promise<boolean>;
  pauseRun(run: Run, kind: 'soft' | 'hard'): Promise<boolean>;
  resumeRun(run: Run, policy: ResumePolicy): Promise<boolean>;
  retryRun(run: Run): Promise<boolean>;
  signalRun(run: Run, name: string, data: unknown): Promise<boolean>;
  readonly waiting: { readonly asking: Pick<Asking, 'query' | 'update'> };
  provideFor(run: Run, file: Blob | FileSystemFileHandle): Promise<boolean>;
  stream(id: string, key: string, options?: ReadStreamOptions): StreamReader;
  outputOf(run: Run): Promise<unknown>;
  errorOf(run: Run): Error;
  /** Settles what `promised` of a run waits for, once its end has been announced. */
  deliver(run: Run): void;
  subscribeRun(run: Run, listener: () => void): () => void;
  readonly eventLog: { story(run: Run): AsyncIterator<RunEvent, void, undefined> };
}

export interface Settlement {
  promise: Promise<any>;
  resolve: (value?: any) => void;
  reject: (error: unknown) => void;
}

let resolve: Settlement['resolve'];
let reject: Settlement['reject'];
/** One executor for all: a closure for each of a hundred thousand promises is work for the collector. */
const capture = (yes: Settlement['resolve'], no: Settlement['reject']): void => {
  resolve = yes;
  reject = no;
};
const ignore = () => {};

/** A promise to be settled from outside. Nobody handling its rejection is reported, as for any promise. */
export function delivery(): Settlement {
  const promise = new Promise<any>(capture);
  return { promise, resolve, reject };
}

export function settlement(): Settlement {
  const made = delivery();
  // Whoever cares awaits it; nobody caring is no unhandled rejection.
  made.promise.catch(ignore);
  return made;
}

/** How a run ended. */
export const End = { None: 0, Completed: 1, Failed: 2, Cancelled: 3 } as const;
export type End = (typeof End)[keyof typeof End];

export interface CommandWaiter {
  command: number;
  resolve: (carriedOut: boolean) => void;
}

/** `createdAfterMs` of a run that was found, not triggered in this page. */
const found = -(2 ** 30);

/**
 * A hundred thousand of these live at once, and the collector copies each of them twice: what most
 * runs do not need stands in `extra`. 45 fields here were a fifth of the time a trivial run took.
 */
export class Run<Output = any, Id extends string = string> implements RunHandle<Output, Id> {
  readonly host: RunHost;
  /** The core's number; 0 until it is created there. */
  task = 0;
  /** undefined: stands in the envelope, not decoded yet. */
  knownId: string | undefined;
  identifier: string | undefined;
  /** Its code; undefined until it is looked up, and when the code was replaced. */
  definition: Definition | undefined;
  options: ResolvedRunOptions | undefined;
  /** Of its call's `concurrencyKey`, as the core numbers it; 0: none that counts. */
  callKey = 0;
  /** Since the host was made: a small whole number takes no object of its own, milliseconds since 1970 do. */
  createdAfterMs = found;

  /** The input itself (memory), or the envelope it stands in (durable). */
  input: unknown;
  /** What is kept is a pair: the parsed input, and what was given. */
  keepsRaw = false;
  /** Of the code that accepted it. */
  version: number | string | undefined;
  envelope: PayloadBytes | undefined;
  output: unknown;
  outputPayload: PayloadBytes | undefined;

  /** Attempt whose code runs now; 0: none. */
  attempt = 0;
  context: RunContext | undefined;
  accepted_ = false;
  /** How it ended, in the core … */
  end: End = End.None;
  /** … and whether that has been acknowledged and announced. */
  announced = false;
  /** Listeners are about to hear that it changed. */
  dirty = false;
  /** What `result()` gives until the end is announced, and what settles it. */
  promised: Promise<any> | undefined;
  deliver: Settlement['resolve'] | undefined;
  /** To read what only some runs have. */
  extra: Readonly<RunExtra> = noExtra;

  constructor(host: RunHost) {
    this.host = host;
  }

  /** To write it. */
  get ownExtra(): RunExtra {
    if (this.extra === noExtra) this.extra = new RunExtra();
    return this.extra;
  }

  /** 0: it was found, and only the core knows. */
  get createdAtMs(): number {
    return this.createdAfterMs === found ? 0 : this.host.madeAtMs + this.createdAfterMs;
  }

  get id(): string {
    return this.knownId ?? this.host.identify(this);
  }

  get taskIdentifier(): Id {
    if (this.identifier === undefined) this.host.identify(this);
    return this.identifier as Id;
  }

  /** It was triggered by this call. */
  get isCached(): boolean {
    return false;
  }

  get idempotencyKey(): string | undefined {
    if (this.identifier === undefined) this.host.identify(this);
    return this.extra.key?.text;
  }

  get state(): TaskState<Output> {
    return this.extra.snapshot ?? this.host.stateOf(this);
  }

  get status(): TaskStatus {
    return this.state.status;
  }

  get accepted(): Promise<void> {
    const { acceptance, refusal } = this.extra;
    if (acceptance) return acceptance.promise;
    const made = (this.ownExtra.acceptance = settlement());
    if (refusal !== undefined) made.reject(refusal);
    else if (this.accepted_) made.resolve();
    return made.promise;
  }

  /** Settles when the end has been announced; the value is not kept in it. */
  get ended(): Promise<void> {
    const { completion, refusal } = this.extra;
    if (completion) return completion.promise;
    const made = (this.ownExtra.completion = settlement());
    if (refusal !== undefined) made.reject(refusal);
    else if (this.announced) made.resolve();
    return made.promise;
  }

  result(): Promise<Output> {
    if (this.promised) return this.promised;
    const promise = (this.promised = new Promise<any>(capture));
    this.deliver = resolve;
    if (this.extra.refusal !== undefined) this.deliver(Promise.reject(this.extra.refusal));
    else if (this.announced) this.host.deliver(this);
    return promise;
  }

  /** @internal Nobody will ever tell how it ended. */
  letGo(because: Error): void {
    if (!this.announced && this.extra.refusal === undefined) this.refuse(because);
  }

  /** @internal Whoever waits for it hears why. */
  refuse(error: unknown): void {
    const extra = this.ownExtra;
    extra.refusal = error;
    extra.acceptance?.reject(error);
    extra.completion?.reject(error);
    this.deliver?.(Promise.reject(error));
  }

  wait(): ResultPromise<Output, Id> {
    const promise = this.#settle() as ResultPromise<Output, Id>;
    promise.unwrap = () => promise.then(unwrap);
    return promise;
  }

  async #settle(): Promise<TaskRunResult<Output, Id>> {
    await this.ended;
    const { attempt, createdAt, endedAt, status, fromCache } = this.state;
    const common = {
      id: this.id,
      taskIdentifier: this.taskIdentifier,
      attempts: attempt,
      fromCache,
      durationMs: Math.max(0, (endedAt ?? createdAt) - createdAt),
    };
    if (this.end !== End.Completed) {
      return { ok: false, ...common, status: status === 'cancelled' ? status : 'failed', error: this.host.errorOf(this) };
    }
    return { ok: true, ...common, status: 'completed', output: (await this.host.outputOf(this)) as Output };
  }

  cancel(reason?: unknown): Promise<boolean> {
    return this.host.cancelRun(this, reason);
  }
  pause(kind: 'soft' | 'hard' = 'soft'): Promise<boolean> {
    return this.host.pauseRun(this, kind);
  }
  resume(policy: ResumePolicy = 'keepDeadline'): Promise<boolean> {
    return this.host.resumeRun(this, policy);
  }
  retry(): Promise<boolean> {
    return this.host.retryRun(this);
  }
  signal(name: string, data?: unknown): Promise<boolean> {
    return this.host.signalRun(this, name, data);
  }
  query(name: string, data?: unknown, options?: QueryOptions): Promise<any> {
    return this.host.waiting.asking.query(this, name, data, options);
  }
  update(name: string, data?: unknown, options?: UpdateOptions): Promise<any> {
    return this.host.waiting.asking.update(this.id, name, data, options);
  }
  provide(file: Blob | FileSystemFileHandle): Promise<boolean> {
    return this.host.provideFor(this, file);
  }

  stream<Chunk = any>(key: string, options?: ReadStreamOptions): StreamReader<Chunk> {
    return this.host.stream(this.id, key, options);
  }

  onProgress(listener: (progress: number, state: TaskState<Output>) => void): () => void {
    checkFunction(listener, 'onProgress listener');
    let last = this.state.progress;
    return this.subscribe((state) => {
      if (state.progress === last) return;
      last = state.progress;
      listener(last, state);
    });
  }

  subscribe(listener: (state: TaskState<Output>) => void): () => void {
    checkFunction(listener, 'subscribe listener');
    return this.host.subscribeRun(this, () => listener(this.state));
  }

  async download(fileName?: string): Promise<void> {
    if (fileName !== undefined) checkText(fileName, 'download fileName');
    await saveBlob(await this.result(), fileName, this.state.name);
  }

  [Symbol.asyncIterator](): AsyncIterator<RunEvent, void, undefined> {
    return this.host.eventLog.story(this);
  }
}

/** Seven records say where a run that has ended stands; its payloads are kept as they are. */
const snapshotRecordBytes = 7 * RecordBytes;

/** About what a snapshot needs for it. */
export function snapshotBytesOf(run: Run): number {
  let bytes = snapshotRecordBytes + (run.envelope?.length ?? 0) + (run.outputPayload?.length ?? 0) + (run.extra.streams?.bytes ?? 0);
  if (run.end === End.None) {
    bytes += run.extra.history?.bytes ?? 0;
    for (const { length } of run.extra.stepPayloads ?? []) bytes += length;
  }
  return bytes;
}

export function unwrap<Output>(result: TaskRunResult<Output>): Output {
  if (result.ok) return result.output;
  const { taskIdentifier, id, error } = result;
  throw new SubtaskUnwrapError(`Error in ${taskIdentifier}: ${error.message}`, { cause: error, data: { taskId: taskIdentifier, runId: id } });
}
