/** What the tests of handlers in workers and of the codec call in the page. */
import * as codec from '../../../js/codec/codec.ts';
import { CanceledError, TaskTimeoutError } from '../../../js/errors.ts';
import type { TaskContext } from '../../../js/types.ts';
import { workerHandler } from '../../../js/workers/pool.ts';

export class TestContext {
  controller = new AbortController();
  signal = this.controller.signal;
  attempt = { number: 1, max: 3 };
  run = { id: 'r', name: 'r', createdAt: 0, recoveries: 0, depth: 0 };
  metadata = {};
  tags = { current: [], add: async () => {} };
  options = {};
  usage = { computeMs: undefined };
  reports: unknown[] = [];
  recorded = new Map<string, unknown>();
  abandoned: (() => void)[] = [];
  task: { id: string };
  constructor(id: string) {
    this.task = { id };
  }
  async step(name: string, run: (info: object) => unknown): Promise<any> {
    if (!this.recorded.has(name)) this.recorded.set(name, await run({ attempt: 1, stepId: `r/${name}` }));
    return this.recorded.get(name);
  }
  progress(report: unknown) {
    this.reports.push(report);
  }
  onAbandon(listener: () => void) {
    this.abandoned.push(listener);
  }
  abandon() {
    for (const listener of this.abandoned) listener();
  }
}

let made = 0;
const run = workerHandler(
  () => {
    made++;
    return new Worker(new URL('./tasks.worker.ts', import.meta.url), { type: 'module' });
  },
  { size: 2, name: 'tasks' },
);
const missing = workerHandler(() => new Worker('/missing.js', { type: 'module' }), { size: 1 });
const elsewhere = workerHandler(() => new Worker('data:text/javascript,1', { type: 'module' }), { size: 1 });

Object.assign(globalThis, {
  codec,
  run,
  missing,
  elsewhere,
  TestContext,
  CanceledError,
  TaskTimeoutError,
  made: () => made,
  start: (id: string, input?: unknown) => {
    const ctx = new TestContext(id);
    return { ctx, outcome: run(input, ctx as unknown as TaskContext) };
  },
  fails: (promise: Promise<unknown>) =>
    promise.then(
      () => 'did not fail',
      (error) => ({ name: error.name, code: error.code, message: error.message, data: error.data }),
    ),
  pause: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
  ready: true,
});
