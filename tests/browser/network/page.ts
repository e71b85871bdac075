/** A page whose runs fetch from the test's server, and whose network the test takes away. Globals: see `Network`. */
import { createOrchestrator, defineTask, type Orchestrator, type TaskState } from 'holdfast';

let open = () => {};
const gate = new Promise<void>((resolve) => (open = resolve));

/** A step that is recorded, then what needs the network. */
const get = defineTask({
  id: 'get',
  intent: 'fetch',
  retry: { maxAttempts: 1 },
  run: async ({ path, waits }: { path: string; waits: boolean }, ctx) => {
    await ctx.step('first', () => fetch(`/step?${path}`).then((response) => response.status));
    if (waits && ctx.run.recoveries === 0 && ctx.attempt.number === 1) await gate;
    return (await ctx.fetch(`/data?${path}`, { retry: false })).text();
  },
});

const said = (what: string, facts: Record<string, string>) => fetch(`/${what}`, { method: 'POST', body: JSON.stringify({ page, ...facts }) });
const page = new URLSearchParams(location.search).get('page') ?? '';

/** Three steps of 150 ms in a lock; the server sees who comes in and goes out. */
const locked = defineTask({
  id: 'locked',
  run: (run: string, ctx) =>
    ctx.lock('shared', async () => {
      await said('enter', { run });
      for (const step of ['one', 'two', 'three']) {
        await ctx.step(step, async ({ stepId }) => {
          await said('begin', { run, stepId });
          await new Promise((resolve) => setTimeout(resolve, 150));
        });
        await said('done', { run, step });
      }
      await said('leave', { run });
    }),
});

/** In a queue whose two slots all tabs share; the server sees who comes in and goes out. */
const shared = defineTask({
  id: 'shared',
  queue: { name: 'shared', concurrency: 2, scope: 'origin' },
  run: async (run: string) => {
    await said('in', { run });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await said('out', { run });
  },
});

/** In a queue whose rate all tabs share; the server counts. */
const rated = defineTask({
  id: 'rated',
  queue: { name: 'rated', rateLimit: { limit: 20, period: 1000 }, scope: 'origin' },
  retry: { maxAttempts: 1 },
  run: async (run: string) => void (await said('rated', { run })),
});

/** Asks what may be down. */
const flaky = defineTask({
  id: 'flaky',
  retry: { maxAttempts: 1 },
  breaker: { minCalls: 3, openFor: '5s' },
  run: async () => {
    const { status } = await fetch('/flaky');
    if (status !== 200) throw new Error(`The server says ${status}.`);
    return status;
  },
});

class Network {
  #orchestrator!: Orchestrator;
  /** What the probe says; undefined: there is no probe. */
  online: boolean | undefined;

  async open(online?: boolean): Promise<void> {
    this.online = online;
    this.#orchestrator = createOrchestrator({
      id: 'network',
      connectivity: { jitter: 100, ...(online !== undefined && { isOnline: () => this.online!, checkEvery: 200 }) },
    });
    await this.#orchestrator.ready;
  }

  async submit(id: string, waits: boolean, networkMode?: 'always'): Promise<void> {
    await this.#orchestrator.trigger(get, { path: id, waits }, { id, ...(networkMode && { networkMode }) }).accepted;
  }

  async lock(id: string): Promise<void> {
    await this.#orchestrator.trigger(locked, id, { id }).accepted;
  }

  async share(ids: string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#orchestrator.trigger(shared, id, { id }).accepted));
  }

  async rate(ids: string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#orchestrator.trigger(rated, id, { id }).accepted));
  }

  /** When the core let them begin. */
  begun(ids: string[]): number[] {
    return ids.map((id) => this.#orchestrator.getTaskState(id)!.startTime!);
  }

  async ask(id: string): Promise<void> {
    await this.#orchestrator.trigger(flaky, undefined, { id }).accepted;
  }

  openGate(): void {
    open();
  }

  state(id: string) {
    const { status, reason, retryAt, retryCount, steps, result, error } = this.#orchestrator.getTaskState(id) ?? ({} as Partial<TaskState>);
    return { status, reason, retryAt, retryCount, steps, result, error: error?.message };
  }
}

export type { Network };
Object.assign(globalThis, { network: new Network() });
