/** holdfast, with its default storage or one of its parts alone. */
import { createOrchestrator, defineTask, type Orchestrator, type RunHandle, type Storage } from 'holdfast';
import type { Contestant, Standing, SubmitOptions } from './contestant.ts';
import { job, type Kind, kinds, told } from './load.ts';
import { summary, tell } from './report.ts';

const keepAll = { completed: { count: 1_000_000 }, failed: { count: 1_000_000 } };

export class Holdfast implements Contestant {
  readonly events: Record<string, number> = {};
  readonly #definitions = new Map<string, any>();
  readonly #storage: Storage | undefined;
  /** Pauses that have not been acknowledged yet. */
  readonly #pausing = new Map<string, Promise<void>>();
  #orchestrator!: Orchestrator;

  /** @param storage instead of the default one */
  constructor(storage?: Storage) {
    this.#storage = storage;
  }

  async open(): Promise<void> {
    for (const kind of [...kinds, job]) this.#define(kind);
    this.#orchestrator = createOrchestrator({
      id: 'crash',
      queues: { bulk: { concurrency: 10 } },
      retention: keepAll,
      ...(this.#storage && { storage: this.#storage }),
    });
    (globalThis as any).orchestrator = this.#orchestrator;
    this.#listen();
    await this.#orchestrator.ready;
  }

  #define(kind: Kind): void {
    const { id, maxAttempts = 3, retryDelayMs = 50 } = kind;
    const run = told(kind, kind.run);
    const task = defineTask({
      id,
      retry: { maxAttempts, minDelayMs: retryDelayMs, factor: 1, randomize: false },
      ...(kind !== job && { queue: 'bulk' }),
      run: (input: any, ctx) =>
        run(input, { run: ctx.run.id, attempt: ctx.attempt.number, step: (name, compute) => ctx.step(name, compute) }),
    });
    this.#definitions.set(id, task);
  }

  #listen(): void {
    const house = this.#orchestrator;
    const count = (name: string) => {
      this.events[name] = (this.events[name] ?? 0) + 1;
    };
    house.on('complete', async (run, result) =>
      tell('completed', { run, result: await summary(result), value: result.value }),
    );
    house.on('error', (run, error) => tell('failed', { run, name: error.name, message: error.message }));
    house.on('storage', (event) => count(wordsOf(event)));
    house.on('warning', (message) => {
      count(`warning: ${message}`);
      tell('warning', { message });
    });
  }

  submit(kind: Kind, input: any, { delayMs, then }: SubmitOptions = {}): void {
    const expected = kind.expected(input);
    const handle = this.#orchestrator.trigger(
      this.#definitions.get(kind.id),
      input,
      delayMs === undefined ? {} : { delay: delayMs },
    );
    const run = handle.id;
    handle.accepted.then(
      () => tell('accepted', { run, kind: kind.id, expected }),
      (error) => tell('refused', { run, message: String(error) }),
    );
    if (then === 'pause') this.#pausing.set(run, this.#pause(handle));
    if (then === 'cancel') void handle.cancel('harness').then((done) => done && tell('cancelled', { run }));
  }

  async #pause(handle: RunHandle): Promise<void> {
    if (await handle.pause()) tell('paused', { run: handle.id });
    this.#pausing.delete(handle.id);
  }

  census(): Standing[] {
    const own = this.#orchestrator.getAllTasks().filter(({ local }) => local);
    return own.map(({ id, status, phase, reason }) => ({ id, status, phase: reason ? `${phase}: ${reason}` : phase }));
  }

  async results(ids: string[]): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const id of ids) {
      const handle = this.#orchestrator.attach(id);
      if (handle) found[id] = await handle.result().then(summary, (error) => `error ${error.name}: ${error.message}`);
    }
    return found;
  }

  async remove(ids: string[]): Promise<void> {
    await Promise.all(ids.map(async (run) => (await this.#orchestrator.removeTask(run)) && tell('removed', { run })));
  }

  async release(): Promise<void> {
    for (const { id: run, status, phase } of this.census()) {
      if (phase === 'quarantined') {
        tell('retrying', { run });
        await this.#orchestrator.retryTask(run);
      } else if (status === 'paused') {
        // It is shown as paused before that is stored: told in their order, or the witness takes the resumed one for paused.
        await this.#pausing.get(run);
        tell('resuming', { run });
        await this.#orchestrator.resumeTask(run);
      }
    }
  }
}

function wordsOf(event: { type: string; store?: string; cause?: unknown; reason?: string }): string {
  const { type, store = '', cause, reason = '' } = event;
  return `${type} ${store} ${reason} ${cause instanceof Error ? `${cause.name}: ${cause.message} ${cause.cause ?? ''}` : ''}`.trim();
}
