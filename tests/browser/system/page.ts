/** A page as users write it, with tasks that tell the test when their code runs. Globals: see `System`. */
import {
  createOrchestrator,
  defineTask,
  type Orchestrator,
  type OrchestratorOptions,
  type RunHandle,
  type Task,
} from 'holdfast';

const page = new URLSearchParams(location.search).get('page') ?? '';
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const gates = new Map<string, PromiseWithResolvers<void>>();

interface PromiseWithResolvers<T> {
  promise: Promise<T>;
  resolve(value: T): void;
}

function gate(name: string): PromiseWithResolvers<void> {
  let found = gates.get(name);
  if (!found) {
    let resolve!: () => void;
    found = { promise: new Promise<void>((yes) => (resolve = yes)), resolve };
    gates.set(name, found);
  }
  return found;
}

/** Resolves when the test has it: what was told has left the browser. */
async function tell(type: string, facts: object): Promise<void> {
  await fetch('/told', { method: 'POST', body: JSON.stringify({ page, atMs: Date.now(), type, ...facts }) });
}

const tasks: Record<string, Task<string, any, any>> = {
  echo: defineTask({
    id: 'echo',
    run: async (input: unknown, ctx) => {
      await tell('body', { run: ctx.run.id });
      return input;
    },
  }),
  /** Tells nothing: an opaque origin may not ask the server. */
  silent: defineTask({ id: 'silent', run: (input: number) => input * 2 }),
  size: defineTask({ id: 'size', run: (input: Blob) => input.size }),
  /** Steps of `ms` each; every body and every step is told before it begins. */
  steps: defineTask({
    id: 'steps',
    run: async ({ count, ms }: { count: number; ms: number }, ctx) => {
      await tell('body', { run: ctx.run.id });
      for (let index = 0; index < count; index++) {
        await ctx.step(`step ${index}`, async () => {
          await tell('step', { run: ctx.run.id, step: index });
          await pause(ms);
          return index;
        });
        await tell('recorded', { run: ctx.run.id, step: index });
      }
      await tell('bodyEnd', { run: ctx.run.id });
      return count;
    },
  }),
  /** Runs until the test lets it go on. */
  gate: defineTask({
    id: 'gate',
    run: async (name: string, ctx) => {
      await tell('body', { run: ctx.run.id });
      await gate(name).promise;
      await tell('bodyEnd', { run: ctx.run.id });
      return `through ${name}`;
    },
  }),
  failing: defineTask({
    id: 'failing',
    retry: { maxAttempts: 6, minDelayMs: 1500, factor: 1, randomize: false },
    run: async (failures: number, ctx) => {
      await tell('body', { run: ctx.run.id, attempt: ctx.attempt.number });
      if (ctx.attempt.number <= failures) throw new Error('not yet');
      return ctx.attempt.number;
    },
  }),
};

export interface System {
  orchestrator: Orchestrator;
  events: any[];
  warnings: string[];
  violations: string[];
  /** Resolves with what opening found; `error` where it failed. */
  open(options?: OrchestratorOptions): Promise<any>;
  /** Resolves with the run's id when it is accepted. */
  submit(task: string, input: unknown, options?: object): Promise<string>;
  submitBlob(bytes: number): Promise<string>;
  /** As many runs with a file of up to 30 kB and one without, all ended. Resolves with their ids. */
  fill(count: number): Promise<string[]>;
  handle(id: string): RunHandle | undefined;
  letThrough(name: string): void;
  states(): {
    id: string;
    status: string;
    phase: string;
    local: boolean;
    recoveries: number;
    retryCount: number;
    result: any;
  }[];
  openAndClose(times: number): Promise<void>;
}

const system: Partial<System> = {
  events: [],
  warnings: [],
  violations: [],
  async open(options = {}) {
    const orchestrator = createOrchestrator({ id: 'system', ...options });
    system.orchestrator = orchestrator;
    orchestrator.on('storage', ({ type, ...rest }: any) =>
      system.events!.push({ type, store: rest.store, recoveredBytes: rest.recoveredBytes }),
    );
    orchestrator.on('warning', (message) => system.warnings!.push(message));
    try {
      return { report: await orchestrator.ready, state: orchestrator.storageState };
    } catch (error: any) {
      return {
        error: { name: error.name, code: error.code, message: error.message, cause: String(error.cause ?? '') },
        state: orchestrator.storageState,
      };
    }
  },
  async submit(task, input, options) {
    const handle = system.orchestrator!.trigger(tasks[task]!, input, options);
    await handle.accepted;
    return handle.id;
  },
  submitBlob: (bytes) => system.submit!('echo', new Blob([new Uint8Array(bytes)])),
  async fill(count) {
    const { orchestrator } = system as System;
    const runs: RunHandle[] = [];
    for (let index = 0; index < count; index++) {
      const file = new Blob([new Uint8Array(1000 + ((index * 7919) % 29_000)).fill(index)]);
      runs.push(orchestrator.trigger(tasks.size!, file), orchestrator.trigger(tasks.silent!, index));
      if (index % 100 === 99) await Promise.all(runs.slice(-200).map((run) => run.result()));
    }
    await Promise.all(runs.map((run) => run.result()));
    return runs.map(({ id }) => id);
  },
  handle: (id) => system.orchestrator!.attach(id),
  letThrough: (name) => gate(name).resolve(),
  states: () =>
    system.orchestrator!.getAllTasks().map(({ id, status, phase, local, recoveries, retryCount, result }) => ({
      id,
      status,
      phase,
      local,
      recoveries,
      retryCount,
      result,
    })),
  async openAndClose(times) {
    for (let count = 0; count < times; count++) {
      const orchestrator = createOrchestrator({ id: `one of many ${count % 3}` });
      await orchestrator.run(tasks.echo!, count);
      await orchestrator.dispose();
    }
  },
};

document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
  system.violations!.push(`${violatedDirective} ${blockedURI}`),
);
(globalThis as any).system = system;
