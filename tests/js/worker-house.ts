/** Workers for tests: in this thread, with the context of a page that does as little as it can. */
import { workerHandler } from '../../js/workers/pool.ts';
import { type Handlers, serve } from '../../js/workers/serve.ts';
import { FakeWorker } from '../fake/worker.ts';

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
