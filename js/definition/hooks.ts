/**
 * Who hears of runs: hooks of the orchestrator, then of the task.
 *
 * Invariants: in order, one after the other, each told once; those that may not change a run can't, as
 * what they throw is reported; where nobody wants to hear, nothing is made for them.
 */
import { checkFunction, checkNames } from '../intake/checks.ts';
import type { Definition } from '../intake/registry.ts';
import type { Run } from '../runs/run.ts';
import type { AttemptEvent, CancelEvent, EndEvent, Middleware, TaskHooks } from './hook-types.ts';
import { isPromise } from './validation.ts';

export const hookNames = [
  'middleware', 'init', 'onStart', 'onStartAttempt', 'onWait', 'onResume', 'catchError', 'onSuccess', 'onFailure', 'onComplete', 'onCancel',
] as const satisfies readonly (keyof TaskHooks)[];

const endNames = ['onSuccess', 'onFailure', 'onComplete', 'onCancel'] as const;
type Name = Exclude<keyof TaskHooks, 'middleware'>;

export interface HooksHost {
  listenerFailed(error: unknown): void;
  /** The input as its code got it. */
  inputOf(run: Run): Promise<unknown>;
  get(id: string): Definition | undefined;
}

/** The hooks among a spec's words. @throws ConfigurationError */
export function pickHooks(given: TaskHooks, where: string): TaskHooks | undefined {
  const hooks: Record<string, unknown> = {};
  for (const name of hookNames) {
    const hook: unknown = given[name];
    if (hook === undefined) continue;
    const each = name === 'middleware' && Array.isArray(hook) ? hook : [hook];
    for (const one of each) checkFunction(one, `${where} ${name}`);
    hooks[name] = hook;
  }
  return Object.keys(hooks).length > 0 ? hooks : undefined;
}

/** @throws ConfigurationError */
export function checkHooks(hooks: TaskHooks): TaskHooks {
  checkNames(hooks, hookNames, 'hooks');
  return pickHooks(hooks, 'hooks') ?? {};
}

const attemptNames = ['middleware', 'init', 'onStart', 'onStartAttempt', 'onWait', 'onResume', 'onCancel'] as const;

/** They need more than to be called when something has failed or ended. */
export function concernAttempts(hooks: TaskHooks): boolean {
  return attemptNames.some((name) => hooks[name] !== undefined);
}

/** What an attempt that is running has told of itself, for those who hear of it later. */
interface Running {
  readonly event: AttemptEvent;
  readonly promise: Promise<unknown>;
  isWaiting: boolean;
}

export class Hooks {
  readonly #host: HooksHost;
  #everywhere: readonly TaskHooks[] = [];
  #ofOptions: TaskHooks | undefined;
  readonly #running = new WeakMap<Run, Running>();
  /** They have been told of their cancellation. */
  readonly #cancelled = new WeakSet<Run>();

  constructor(host: HooksHost) {
    this.#host = host;
  }

  /** Some hear of every task. */
  get any(): boolean {
    return this.#everywhere.length > 0;
  }

  /** Some have to do with every attempt. Looked at for each. */
  around = false;

  /** For every task of this orchestrator, until what it gives is called. @throws ConfigurationError */
  use(hooks: TaskHooks): () => void {
    // A copy: the same hooks may be used twice.
    const own = { ...checkHooks(hooks) };
    this.#set([...this.#everywhere, own]);
    return () => this.#set(this.#everywhere.filter((other) => other !== own));
  }

  /** Those of the orchestrator's options take the place of the former ones. @throws ConfigurationError */
  useOptions(hooks: TaskHooks | undefined): void {
    const picked = hooks && checkHooks(hooks);
    const others = this.#everywhere.filter((other) => other !== this.#ofOptions);
    this.#ofOptions = picked;
    this.#set(picked ? [picked, ...others] : others);
  }

  #set(everywhere: readonly TaskHooks[]): void {
    this.#everywhere = everywhere;
    this.around = everywhere.some(concernAttempts);
  }

  /** In the order in which they are called. */
  *of<Wanted extends Name>(name: Wanted, own: TaskHooks | undefined): Iterable<NonNullable<TaskHooks[Wanted]>> {
    for (const hooks of own ? [...this.#everywhere, own] : this.#everywhere) {
      const hook = hooks[name];
      if (hook) yield hook as NonNullable<TaskHooks[Wanted]>;
    }
  }

  /** From the outermost. */
  middleware(own: TaskHooks | undefined): Middleware[] {
    return [...this.#everywhere, ...(own ? [own] : [])].flatMap(({ middleware }) => middleware ?? []);
  }

  /** Of a run that never started here the code was not looked up. */
  #own(run: Run): TaskHooks | undefined {
    return (run.definition ?? this.#host.get(run.taskIdentifier))?.prepared?.hooks;
  }

  #wants(run: Run, names: readonly Name[]): boolean {
    const own = this.#own(run);
    return names.some((name) => own?.[name] || this.#everywhere.some((hooks) => hooks[name]));
  }

  catches(run: Run): boolean {
    return this.#wants(run, ['catchError']);
  }

  // While an attempt runs

  /** An attempt's code has begun, and comes to this. */
  running(run: Run, event: AttemptEvent, promise: Promise<unknown>): void {
    this.#running.set(run, { event, promise, isWaiting: false });
  }

  /** Something is told of it while it runs, not only before. */
  followsRunning(run: Run): boolean {
    return this.#wants(run, ['onWait', 'onResume', 'onCancel']);
  }

  /** Its code begins to wait. */
  waiting(run: Run): void {
    const running = this.#running.get(run);
    if (!running || running.isWaiting) return;
    running.isWaiting = true;
    this.#tellLater('onWait', run, running.event);
  }

  /** Its code goes on, from whatever it stood still for. */
  resumed(run: Run): void {
    const running = this.#running.get(run);
    if (!running?.isWaiting) return;
    running.isWaiting = false;
    this.#tellLater('onResume', run, running.event);
  }

  /** Not while the core's events are read. */
  #tellLater(name: Name, run: Run, event: object): void {
    if (this.#wants(run, [name])) void Promise.resolve().then(() => this.#tell(name, run, event));
  }

  /** Its code is being asked to stop for good. */
  cancelling(run: Run): void {
    const running = this.#running.get(run);
    if (!running || !this.#wants(run, ['onCancel'])) return;
    this.#cancelled.add(run);
    const { promise, event } = running;
    const told: CancelEvent = { input: event.input, payload: event.input, state: run.state, signal: event.signal, runPromise: promise };
    this.#tellLater('onCancel', run, told);
  }

  // When a run has ended, and that is stored

  /** Looked at for every run that ends. */
  hearsEnd(run: Run): boolean {
    return (this.any || this.#own(run) !== undefined) && this.#wants(run, endNames);
  }

  ended(run: Run): void {
    this.#tellEnd(run).catch((error) => this.#host.listenerFailed(error));
  }

  async #tellEnd(run: Run): Promise<void> {
    const result = await run.wait();
    // It may have been there for its code, and be gone by now.
    const input = await this.#host.inputOf(run).catch(() => undefined);
    const event: EndEvent = { input, payload: input, state: run.state };
    if (result.ok) await this.#tell('onSuccess', run, { ...event, output: result.output });
    else if (result.status === 'failed') await this.#tell('onFailure', run, { ...event, error: result.error });
    await this.#tell('onComplete', run, { ...event, result });
    if (result.ok || result.status === 'failed' || this.#cancelled.delete(run)) return;
    const signal = AbortSignal.abort(result.error);
    await this.#tell('onCancel', run, { ...event, signal, runPromise: Promise.resolve(undefined) } satisfies CancelEvent);
  }

  async #tell(name: Name, run: Run, event: any): Promise<void> {
    for (const hook of this.of(name, this.#own(run))) {
      try {
        const answer: unknown = hook(event);
        if (isPromise(answer)) await answer;
      } catch (error) {
        this.#host.listenerFailed(error);
      }
    }
  }
}
