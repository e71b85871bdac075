/** Workers for tests: in this thread, with the context of a page that does as little as it can. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { workerHandler } from '../../js/workers/pool.ts';
import { type Handlers, serve, type WorkerScope } from '../../js/workers/serve.ts';

/** A Worker in this thread: a real structured clone and asynchrony in between, no thread. */
export class FakeWorker extends EventTarget {
  static alive = 0;
  readonly scope: EventTarget & WorkerScope;
  readonly #port: MessagePort;
  readonly #inner: MessagePort;
  terminated = false;

  constructor(script: (scope: WorkerScope) => void) {
    super();
    FakeWorker.alive++;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#inner = port2;
    const post = (message: unknown, transfer: any) => port2.postMessage(message, transfer);
    this.scope = Object.assign(new EventTarget(), { postMessage: post, close: () => this.#stop() });
    port1.on('message', (data) => this.#deliver(this, data));
    port2.on('message', (data) => this.#deliver(this.scope, data));
    queueMicrotask(() => script(this.scope));
  }

  #deliver(target: EventTarget, data: unknown): void {
    if (!this.terminated) target.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  postMessage(message: unknown, transfer: any): void {
    this.#port.postMessage(message, transfer);
  }

  #stop(): void {
    this.#inner.unref();
    this.#port.unref();
  }

  terminate(): void {
    if (this.terminated) return;
    this.terminated = true;
    FakeWorker.alive--;
    this.#port.close();
  }

  fail(type: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

/** Stands for the engine: records steps, keeps what was reported. */
export class TestContext {
  readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  readonly attempt = { number: 2, max: 3 };
  readonly run = { id: 'r1', name: 'run', createdAt: 5, recoveries: 0, depth: 0 };
  readonly task: { id: string };
  readonly metadata = { tag: 'x', at: new Date(7) };
  readonly tags: { current: readonly string[]; add(tags: string | readonly string[]): Promise<void> } = {
    current: ['one'], add: async (tags) => void this.heard.push(['tags', tags]),
  };
  readonly options = { dryRun: true, since: new Date(8) };
  readonly usage = { computeMs: 40 };
  /** What it was told, in order. */
  readonly heard: unknown[] = [];
  readonly recorded: Map<string, unknown>;
  readonly reports: unknown[] = [];
  #listeners: (() => void)[] = [];

  constructor(recorded = new Map<string, unknown>(), taskId = 'task') {
    this.recorded = recorded;
    this.task = { id: taskId };
  }
  async step<Value>(name: string, run: (info: object) => Value | Promise<Value>): Promise<Value> {
    const info = { attempt: 2, signal: this.signal, stepId: `r1/${name}` };
    if (!this.recorded.has(name)) this.recorded.set(name, await run(info));
    return this.recorded.get(name) as Value;
  }
  progress(report: any): void {
    this.reports.push(report);
  }
  /** Three tries, as a page would have it. */
  async pauseBeforeRetry(...asked: unknown[]): Promise<number> {
    this.heard.push(asked);
    return asked[1] === 3 ? Number.POSITIVE_INFINITY : 7;
  }
  async acquireLock(key: string, options: unknown): Promise<number> {
    this.heard.push(['acquire', key, options]);
    return 7;
  }
  releaseLock(number: number): void {
    this.heard.push(['release', number]);
  }
  onAbandon(listener: () => void): void {
    this.#listeners.push(listener);
  }
  abandon(): void {
    for (const listener of this.#listeners) listener();
  }
}

export interface TestHandler {
  (input: unknown, ctx: TestContext): Promise<any>;
  close(): void;
}

export function setup(handlers: Handlers, size = 1) {
  const workers: FakeWorker[] = [];
  const run = workerHandler(
    () => {
      const worker = new FakeWorker((scope) => serve(handlers, scope));
      workers.push(worker);
      return worker as unknown as Worker;
    },
    { size, name: 'pdf' },
  );
  // The test's context has the verbs that cross into a worker one by one; the others have their own tests.
  return { run: run as unknown as TestHandler, workers };
}
