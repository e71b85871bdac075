/**
 * Definitions by id: what makes a run findable after a reload.
 *
 * `defineTask` adds to one list of the page, which every orchestrator also looks into: definitions
 * are code, and code is the page's. An orchestrator's own come first. The last definition of an id
 * counts, so that hot reloading works.
 */
import { checkIdentifier, refuse } from './checks.ts';
import type { NamedSpec, Prepared } from '../definition/spec.ts';
import type { TaskHandler } from '../definition/types.ts';
import type { Task, TaskExecutor } from '../types.ts';
import { refuseReserved } from '../waiting/internal.ts';

export interface Definition {
  readonly id: string;
  readonly spec: NamedSpec;
  readonly handler: TaskHandler;
  /** undefined: it asks for nothing but to be run. */
  readonly prepared: Prepared | undefined;
  /** Its runs are ours: no list or callback shows them. */
  readonly hidden?: boolean;
}

type Watcher = (id: string) => void;

export class Registry {
  #definitions = new Map<string, Definition>();
  #watchers = new Set<Watcher>();

  add(definition: Definition): void {
    this.#definitions.set(definition.id, definition);
    for (const watcher of [...this.#watchers]) watcher(definition.id);
  }

  get(id: string): Definition | undefined {
    return this.#definitions.get(id);
  }

  ids(): string[] {
    return [...this.#definitions.keys()];
  }

  /** Tells of every definition added from now on. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

/** The page's definitions. */
export const pageRegistry = new Registry();

/** Those of one orchestrator and those of the page. */
export function watchBoth(own: Registry, watcher: (id: string) => void): () => void {
  const stops = [own.watch(watcher), pageRegistry.watch(watcher)];
  return () => {
    for (const stop of stops) stop();
  };
}

/** @throws ConfigurationError */
export function checkExecutor(type: unknown, executor: unknown): void {
  refuseReserved(checkIdentifier(type, 'registerExecutor type'), 'registerExecutor type');
  if (typeof executor !== 'function' && !isExecutor(executor)) refuse(`registerExecutor "${type}"`, 'given an executor, or a function that makes one', executor);
}

/** An executor of the seed. */
export function isExecutor(value: unknown): value is TaskExecutor {
  return typeof value === 'object' && value !== null && typeof (value as TaskExecutor).execute === 'function';
}

/** As an ordinary handler. */
export function executorHandler(executor: TaskExecutor): TaskHandler {
  return (input, ctx) => executor.execute(input, (progress) => ctx.progress(progress), ctx);
}

/**
 * What finds an executor again after a reload: its `taskType`, else its class's name. Plain objects
 * and nameless functions have none.
 */
export function executorType(executor: object): string | undefined {
  const { taskType } = executor as TaskExecutor;
  if (typeof taskType === 'string' && taskType !== '') return taskType;
  if (typeof executor === 'function') return executor.name || undefined;
  const name = executor.constructor?.name;
  return name && name !== 'Object' ? name : undefined;
}

export function isTask(value: unknown): value is Task {
  return typeof value === 'object' && value !== null && 'spec' in value && 'trigger' in value;
}
