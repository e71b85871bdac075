/**
 * The handle of a call whose key is held by another run, or may be: until that is known it speaks of the
 * run that was asked for, from then on of the one that there is.
 *
 * Invariant: what was asked of it before that settles as if it had been asked after it.
 */
import { DuplicateRunError } from '../errors.ts';
import { Reader } from '../streams/reader.ts';
import type { QueryOptions, ReadStreamOptions, ResultPromise, ResumePolicy, RunEvent, RunHandle, StreamReader, TaskRunResult, TaskState, TaskStatus, UpdateOptions } from '../types.ts';

export interface Joined {
  handle: RunHandle;
  /** Nobody waits for its end. */
  skipped: boolean;
  /** It takes the call in; `stored` settles when that is. */
  takesIn?: boolean;
  stored?: Promise<void>;
}

export class KeyedHandle implements RunHandle<any, any> {
  #target: RunHandle;
  /** undefined: it is known. */
  #decision: Promise<void> | undefined;
  #joined: Joined | undefined;

  constructor(target: RunHandle | Joined, decision?: Promise<Joined | undefined>) {
    if ('skipped' in target) this.#joined = target;
    this.#target = 'skipped' in target ? target.handle : target;
    this.#decision = decision?.then((joined) => {
      this.#decision = undefined;
      this.#joined = joined;
      if (joined) this.#target = joined.handle;
    });
  }

  get id(): string {
    return this.#target.id;
  }
  get taskIdentifier(): string {
    return this.#target.taskIdentifier;
  }
  get status(): TaskStatus {
    return this.#target.status;
  }
  get state(): TaskState {
    return this.#target.state;
  }
  get isCached(): boolean {
    return this.#joined !== undefined;
  }
  get idempotencyKey(): string | undefined {
    return this.#target.idempotencyKey;
  }

  #then<Value>(ask: () => Promise<Value>): Promise<Value> {
    return this.#decision ? this.#decision.then(ask) : ask();
  }

  get accepted(): Promise<void> {
    return this.#then(() => this.#joined?.stored ?? this.#target.accepted);
  }
  result(): Promise<any> {
    return this.#then(() => (this.#joined?.skipped ? Promise.reject(this.#skip()) : this.#target.result()));
  }
  wait(): ResultPromise<any, any> {
    const promise = this.#then(() => this.#wait()) as ResultPromise<any, any>;
    promise.unwrap = () => this.#then(() => (this.#joined?.skipped ? Promise.reject(this.#skip()) : this.#target.wait().unwrap()));
    return promise;
  }
  #wait(): Promise<TaskRunResult<any, any>> {
    if (!this.#joined?.skipped) return this.#target.wait();
    const { id, taskIdentifier } = this;
    return Promise.resolve({ ok: false, status: 'cancelled', id, taskIdentifier, error: this.#skip(), attempts: 0, durationMs: 0, fromCache: false });
  }
  #skip(): DuplicateRunError {
    return duplicate(this.#target, 'This call was skipped');
  }

  cancel(reason?: unknown): Promise<boolean> {
    return this.#then(() => this.#target.cancel(reason));
  }
  pause(kind?: 'soft' | 'hard'): Promise<boolean> {
    return this.#then(() => this.#target.pause(kind));
  }
  resume(policy?: ResumePolicy): Promise<boolean> {
    return this.#then(() => this.#target.resume(policy));
  }
  retry(): Promise<boolean> {
    return this.#then(() => this.#target.retry());
  }
  provide(file: Blob | FileSystemFileHandle): Promise<boolean> {
    return this.#then(() => this.#target.provide(file));
  }
  signal(name: string, data?: unknown): Promise<boolean> {
    return this.#then(() => this.#target.signal(name, data));
  }
  query(name: string, data?: unknown, options?: QueryOptions): Promise<any> {
    return this.#then(() => this.#target.query(name, data, options));
  }
  update(name: string, data?: unknown, options?: UpdateOptions): Promise<any> {
    return this.#then(() => this.#target.update(name, data, options));
  }
  download(fileName?: string): Promise<void> {
    return this.#then(() => this.#target.download(fileName));
  }

  stream<Chunk = any>(key: string, options?: ReadStreamOptions): StreamReader<Chunk> {
    const reader = this.#target.stream<Chunk>(key, options);
    if (!this.#decision) return reader;
    const read = async function* (handle: KeyedHandle, signal: AbortSignal | undefined) {
      await handle.#decision;
      yield* handle.#target.stream(key, { ...options, ...(signal && { signal }) }).entries();
    };
    return new Reader(key, (signal) => read(this, signal), options?.signal);
  }

  onProgress(listener: (progress: number, state: TaskState) => void): () => void {
    return this.#follow(() => this.#target.onProgress(listener));
  }
  subscribe(listener: (state: TaskState) => void): () => void {
    return this.#follow(() => this.#target.subscribe(listener));
  }
  /** Of the one, and then of the other. */
  #follow(listen: () => () => void): () => void {
    let stop = listen();
    let stopped = false;
    void this.#decision?.then(() => {
      if (!this.#joined || stopped) return;
      stop();
      stop = listen();
    });
    return () => {
      stopped = true;
      stop();
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined> {
    await this.#decision;
    yield* { [Symbol.asyncIterator]: () => this.#target[Symbol.asyncIterator]() };
  }
}

export function duplicate({ id, taskIdentifier, idempotencyKey }: RunHandle, what: string): DuplicateRunError {
  return new DuplicateRunError(`${what}: run ${id} of "${taskIdentifier}" holds the key ${JSON.stringify(idempotencyKey)}. Use attach("${id}"), or idempotencyKeys.reset to free the key.`, {
    data: { runId: id },
  });
}
