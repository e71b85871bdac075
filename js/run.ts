/**
 * One run: what JavaScript keeps of it (code, payloads, promises), and the handle people hold.
 * Where it stands is asked of the core; nothing here decides.
 *
 * Invariant: `state` is the same object until something changed, and an end is shown only after it
 * was acknowledged.
 */
import type { BlobReference } from './codec.ts';
import type { RunContext } from './context.ts';
import { SubtaskUnwrapError } from './errors.ts';
import type { EventOwner } from './event-records.ts';
import type { ResolvedRunOptions } from './options.ts';
import type { RunProgress } from './progress.ts';
import { RecordBytes } from './protocol.ts';
import type { Definition } from './registry.ts';
import type {
  ResultPromise, ResumePolicy, RunEvent, RunHandle, TaskRunResult, TaskState, TaskStatus,
} from './types.ts';

/** Where the bytes of a payload lie in memory. */
export interface PayloadBytes {
  bytes: Uint8Array;
  start: number;
  length: number;
}

export interface RunHost {
  stateOf(run: Run): TaskState;
  identify(run: Run): string;
  cancelRun(run: Run, reason?: unknown): Promise<boolean>;
  pauseRun(run: Run, kind: 'soft' | 'hard'): Promise<boolean>;
  resumeRun(run: Run, policy: ResumePolicy): Promise<boolean>;
  retryRun(run: Run): Promise<boolean>;
  outputOf(run: Run): Promise<unknown>;
  errorOf(run: Run): Error;
  /** Settles `run.delivery` of a run whose end has been announced. */
  deliver(run: Run): void;
  subscribeRun(run: Run, listener: () => void): () => void;
  download(run: Run, fileName?: string): Promise<void>;
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

export class Run<Output = any, Id extends string = string> implements RunHandle<Output, Id> {
  readonly host: RunHost;
  /** The core's number; 0 until it is created there. */
  task = 0;
  /** undefined: stands in the envelope, not decoded yet. */
  knownId: string | undefined;
  identifier: string | undefined;
  name: string | undefined;
  metadata: Record<string, any> | undefined;
  /** Its code; undefined until it is looked up, and when the code was replaced. */
  definition: Definition | undefined;
  options: ResolvedRunOptions | undefined;
  createdAtMs = 0;
  /** First start not before; 0: at once. */
  notBeforeMs = 0;
  /** Forgotten: nothing can be asked of it any more. */
  gone = false;

  /** The input itself (memory), or the envelope it stands in (durable). */
  input: unknown;
  envelope: PayloadBytes | undefined;
  blobIds: string[] | undefined;
  /** Stored, and not attached in the core yet. */
  pendingBlobs: readonly BlobReference[] | undefined;
  /** Results of durable steps by key: bytes until asked for. */
  steps: Map<string, unknown> | undefined;
  stepPayloads: PayloadBytes[] | undefined;
  output: unknown;
  outputPayload: PayloadBytes | undefined;
  error: Error | undefined;
  errorPayload: PayloadBytes | undefined;

  /** Attempt whose code runs now; 0: none. */
  attempt = 0;
  context: RunContext | undefined;
  accepted_ = false;
  refusal: unknown;
  /** How it ended, in the core … */
  end: End = End.None;
  /** … and whether that has been acknowledged and announced. */
  announced = false;

  /** Made with the first word about it: most runs have none. */
  progress: RunProgress | undefined;

  snapshot: TaskState | undefined;
  dirty = false;
  acceptance: Settlement | undefined;
  completion: Settlement | undefined;
  /** What `result()` gives until the end is announced. */
  delivery: Settlement | undefined;
  waiters: CommandWaiter[] | undefined;
  listeners: Set<() => void> | undefined;
  /** Commands given before the core knows the run. */
  early: (() => void)[] | undefined;
  cancelReason: unknown;
  lateOutcomes = 0;
  /** The run this one repeats. */
  replayOf: string | undefined;
  /** Of the event log. */
  eventSteps: EventOwner['eventSteps'];
  remains: EventOwner | undefined;

  constructor(host: RunHost) {
    this.host = host;
  }

  get id(): string {
    return this.knownId ?? this.host.identify(this);
  }

  get taskIdentifier(): Id {
    if (this.identifier === undefined) this.host.identify(this);
    return this.identifier as Id;
  }

  get state(): TaskState<Output> {
    return this.snapshot ?? this.host.stateOf(this);
  }

  get status(): TaskStatus {
    return this.state.status;
  }

  get accepted(): Promise<void> {
    if (this.acceptance) return this.acceptance.promise;
    this.acceptance = settlement();
    if (this.refusal !== undefined) this.acceptance.reject(this.refusal);
    else if (this.accepted_) this.acceptance.resolve();
    return this.acceptance.promise;
  }

  /** Settles when the end has been announced; the value is not kept in it. */
  get ended(): Promise<void> {
    if (this.completion) return this.completion.promise;
    this.completion = settlement();
    if (this.refusal !== undefined) this.completion.reject(this.refusal);
    else if (this.announced) this.completion.resolve();
    return this.completion.promise;
  }

  result(): Promise<Output> {
    if (this.delivery) return this.delivery.promise;
    const { promise, reject } = (this.delivery = delivery());
    if (this.refusal !== undefined) reject(this.refusal);
    else if (this.announced) this.host.deliver(this);
    return promise;
  }

  /** @internal Nobody will ever tell how it ended. */
  letGo(error: Error): void {
    if (this.announced || this.refusal !== undefined) return;
    this.refusal = error;
    this.acceptance?.reject(error);
    this.completion?.reject(error);
    this.delivery?.reject(error);
  }

  wait(): ResultPromise<Output, Id> {
    const promise = this.#settle() as ResultPromise<Output, Id>;
    promise.unwrap = () => promise.then(unwrap);
    return promise;
  }

  async #settle(): Promise<TaskRunResult<Output, Id>> {
    await this.ended;
    const { attempt, createdAt, endedAt, status } = this.state;
    const common = {
      id: this.id,
      taskIdentifier: this.taskIdentifier,
      attempts: attempt,
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

  onProgress(listener: (progress: number, state: TaskState<Output>) => void): () => void {
    let last = this.state.progress;
    return this.subscribe((state) => {
      if (state.progress === last) return;
      last = state.progress;
      listener(last, state);
    });
  }

  subscribe(listener: (state: TaskState<Output>) => void): () => void {
    return this.host.subscribeRun(this, () => listener(this.state));
  }

  download(fileName?: string): Promise<void> {
    return this.host.download(this, fileName);
  }

  [Symbol.asyncIterator](): AsyncIterator<RunEvent, void, undefined> {
    return this.host.eventLog.story(this);
  }
}

/** Seven records say where a run that has ended stands; its payloads are kept as they are. */
const snapshotRecordBytes = 7 * RecordBytes;

/** About what a snapshot needs for it. */
export function snapshotBytesOf(run: Run): number {
  let bytes = snapshotRecordBytes + (run.envelope?.length ?? 0) + (run.outputPayload?.length ?? 0);
  if (run.end === End.None) for (const { length } of run.stepPayloads ?? []) bytes += length;
  return bytes;
}

function unwrap<Output>(result: TaskRunResult<Output>): Output {
  if (result.ok) return result.output;
  const { taskIdentifier, id, error } = result;
  throw new SubtaskUnwrapError(`Error in ${taskIdentifier}: ${error.message}`, { cause: error, data: { taskId: taskIdentifier, runId: id } });
}
