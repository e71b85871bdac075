/**
 * What `setup` gives to a task's code: made when the first run needs it, shared, torn down.
 *
 * Invariants: one `setup` at a time for one lifetime, however many runs begin together; one that failed
 * leaves nothing behind, so the next run tries again; nothing is torn down under code that uses it.
 */
import type { RunContext } from '../context/context.ts';
import { ConfigurationError, OrchestratorError, SetupError, StalledError, TaskTimeoutError } from '../errors.ts';
import type { Definition } from '../intake/registry.ts';
import type { Pump } from '../pump/pump.ts';
import { End, type Run } from '../runs/run.ts';
import type { Clock } from '../time/clock.ts';
import { unlessAborted } from '../time/unless-aborted.ts';
import type { OrchestratorApi, OrchestratorOptions } from '../types.ts';
import { linkQueues } from './queue-link.ts';
import { rootOf } from './process.ts';
import type { NamedSpec } from './spec.ts';
import type { SetupInfo } from './types.ts';

/** How long closing waits for teardowns that don't end. */
const patienceMs = 5000;

export interface PreparedSetup {
  readonly scope: 'task' | 'run' | 'process';
  readonly run: (info: SetupInfo) => unknown;
}

export interface ServicesHost {
  readonly clock: Clock;
  getOptions(): Readonly<OrchestratorOptions>;
  readonly pump: Pump;
  listenerFailed(error: unknown): void;
  warn(message: string): void;
}

/** One lifetime of one task's services. */
class Lifetime {
  readonly spec: NamedSpec;
  readonly made: Promise<object | undefined>;
  uses = 0;
  isOver = false;

  constructor(spec: NamedSpec, made: Promise<object | undefined>) {
    this.spec = spec;
    this.made = made;
  }
}

/** A hold on services that an attempt uses. */
export interface ServicesInUse {
  /** Puts them into `ctx`. @throws ConfigurationError when a name is taken */
  mergeInto(context: RunContext): void;
  release(): void;
}

export class Services {
  readonly #host: ServicesHost;
  readonly #api: OrchestratorApi;
  readonly #ofTasks = new Map<NamedSpec, Lifetime>();
  /** Of runs and of processes, by the run whose end is theirs. */
  readonly #ofRuns = new Map<Run, Map<NamedSpec, Lifetime>>();
  readonly #teardowns = new Set<Promise<void>>();

  constructor(host: ServicesHost & OrchestratorApi) {
    this.#host = host;
    this.#api = host;
  }

  /** Some end with a run. */
  get endWithRuns(): boolean {
    return this.#ofRuns.size > 0;
  }

  /** @param signal of the attempt that needs them. @throws SetupError, and the reason of a stop */
  async acquire(run: Run, { spec, prepared }: Definition, signal: AbortSignal): Promise<ServicesInUse> {
    const setup = prepared!.setup!;
    const lifetimes = this.#lifetimes(setup.scope, run);
    let lifetime = lifetimes.get(spec);
    if (!lifetime) lifetimes.set(spec, (lifetime = this.#begin(lifetimes, run, spec, setup)));
    lifetime.uses++;
    try {
      const services = await unlessAborted(lifetime.made, signal);
      return { mergeInto: (context) => merge(services, context, spec.id), release: () => this.#release(lifetime) };
    } catch (error) {
      // It may hang for ever; whoever comes next is not to hang with it.
      if (error instanceof TaskTimeoutError || error instanceof StalledError) {
        lifetime.isOver = true;
        if (lifetimes.get(spec) === lifetime) lifetimes.delete(spec);
      }
      this.#release(lifetime);
      throw error;
    }
  }

  #lifetimes(scope: PreparedSetup['scope'], run: Run): Map<NamedSpec, Lifetime> {
    if (scope === 'task') return this.#ofTasks;
    const owner = this.#owner(scope, run);
    let lifetimes = this.#ofRuns.get(owner);
    if (!lifetimes) this.#ofRuns.set(owner, (lifetimes = new Map()));
    return lifetimes;
  }

  /** The run whose end is theirs. A child that outlives its process is one of its own. */
  #owner(scope: PreparedSetup['scope'], run: Run): Run {
    const root = scope === 'run' ? run : rootOf(this.#host.pump, run);
    return root.end === End.None ? root : run;
  }

  #begin(lifetimes: Map<NamedSpec, Lifetime>, run: Run, spec: NamedSpec, setup: PreparedSetup): Lifetime {
    const lifetime: Lifetime = new Lifetime(
      spec,
      this.#make(run, spec, setup).catch((error) => {
        lifetime.isOver = true;
        if (lifetimes.get(spec) === lifetime) lifetimes.delete(spec);
        throw error;
      }),
    );
    return lifetime;
  }

  async #make(run: Run, { id, version }: NamedSpec, setup: PreparedSetup): Promise<object | undefined> {
    const { scope } = setup;
    const info: SetupInfo = {
      orchestrator: this.#api,
      options: this.#host.getOptions(),
      task: { id, version },
      ...(scope !== 'task' && { run: { id: this.#owner(scope, run).id } }),
    };
    let services: unknown;
    try {
      services = await setup.run(info);
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      const retryable = !(cause instanceof OrchestratorError) || cause.retryable;
      throw new SetupError(`The setup of "${id}" failed: ${words}`, { cause, retryable });
    }
    if (services === undefined || services === null) return undefined;
    if (typeof services === 'object') return services;
    throw new ConfigurationError(`The setup of "${id}" must give an object of services or nothing, not ${String(services)}.`);
  }

  #release(lifetime: Lifetime): void {
    lifetime.uses--;
    if (lifetime.isOver && lifetime.uses === 0) this.#tearDown(lifetime);
  }

  #end(lifetime: Lifetime): void {
    if (lifetime.isOver) return;
    lifetime.isOver = true;
    if (lifetime.uses === 0) this.#tearDown(lifetime);
  }

  #tearDown(lifetime: Lifetime): void {
    const done = this.#dispose(lifetime).catch((error) => this.#host.listenerFailed(error));
    this.#teardowns.add(done);
    void done.finally(() => this.#teardowns.delete(done));
  }

  async #dispose({ spec, made }: Lifetime): Promise<void> {
    let services: any;
    try {
      services = await made;
    } catch {
      return; // There is nothing to tear down.
    }
    const dispose = services?.[Symbol.asyncDispose] ?? services?.[Symbol.dispose];
    if (spec.teardown) await spec.teardown(services);
    else if (typeof dispose === 'function') await dispose.call(services);
  }

  /** The code under this id is another now. */
  replaced(id: string, by: NamedSpec | undefined): void {
    for (const lifetimes of [this.#ofTasks, ...this.#ofRuns.values()]) {
      for (const [spec, lifetime] of lifetimes) {
        if (spec.id !== id || spec === by) continue;
        lifetimes.delete(spec);
        this.#end(lifetime);
      }
    }
  }

  /** A run has ended, and with it what was set up for it or for its process. */
  ended(run: Run): void {
    const lifetimes = this.#ofRuns.get(run);
    if (!lifetimes) return;
    this.#ofRuns.delete(run);
    for (const lifetime of lifetimes.values()) this.#end(lifetime);
  }

  /** Everything is torn down, also under code that has not heeded its abort. */
  async close(): Promise<void> {
    for (const lifetimes of [this.#ofTasks, ...this.#ofRuns.values()]) {
      for (const lifetime of lifetimes.values()) {
        lifetime.uses = 0;
        this.#end(lifetime);
      }
    }
    this.#ofTasks.clear();
    this.#ofRuns.clear();
    if (this.#teardowns.size > 0) await this.#settled();
  }

  #settled(): Promise<void> {
    const { clock } = this.#host;
    return new Promise((resolve) => {
      const stop = clock.schedule(clock.now() + patienceMs, () => {
        this.#host.warn(`${this.#teardowns.size} teardown(s) had not ended after ${patienceMs} ms; closing goes on without them.`);
        resolve();
      });
      void Promise.all(this.#teardowns).then(() => {
        stop();
        resolve();
      });
    });
  }
}

/** @throws ConfigurationError when `ctx` has something under one of the names */
function merge(services: object | undefined, context: RunContext, task: string): void {
  if (!services) return;
  const reserved = Object.getPrototypeOf(context) as object;
  for (const name of Object.keys(services)) {
    if (name in reserved)
      throw new ConfigurationError(`The setup of "${task}" gives a service called "${name}", which ctx has already. Give it another name.`);
  }
  Object.assign(context, linkQueues(services, context));
}
