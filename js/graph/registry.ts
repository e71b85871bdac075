/**
 * Which classes of tasks there are, by the names that stand in stored graphs, and which transforms, which queues.
 * A page has one of them; a run may be given another.
 *
 * Invariant: the last registration of a name counts, so that hot reloading works.
 */
import { TaskConfigurationError } from './errors.ts';
import type { Task } from './task.ts';
import type { TaskTypeName } from './types.ts';

/** A class of tasks. */
export type TaskClass<Each extends Task<any, any, any> = Task<any, any, any>> = (new (config?: any, runConfig?: any) => Each) & TaskStatics;
/** What a class says of its tasks. */
export interface TaskStatics {
  readonly type: TaskTypeName;
  readonly category: string;
  readonly title: string;
  readonly description: string;
  readonly cacheable: boolean;
}

export class TaskRegistry {
  readonly #classes = new Map<TaskTypeName, TaskClass>();
  readonly #parent: TaskRegistry | undefined;
  readonly #watchers = new Set<(type: TaskTypeName) => void>();
  /** Of other kinds, by kind and name: transforms, queues. */
  readonly #others = new Map<string, Map<string, unknown>>();

  /** @param parent is asked for what is not here; `globalTaskRegistry` is the page's */
  constructor(parent?: TaskRegistry) {
    this.#parent = parent;
  }

  /** Found by its `type` from now on. @throws TaskConfigurationError */
  registerTask(...classes: TaskClass[]): this {
    for (const each of classes) {
      if (typeof each !== 'function' || typeof each.type !== 'string' || each.type === '') throw new TaskConfigurationError('registerTask needs classes of tasks with a static type of at least one character.');
      this.#classes.set(each.type, each);
      for (const watcher of [...this.#watchers]) watcher(each.type);
    }
    return this;
  }

  getTask(type: TaskTypeName): TaskClass | undefined {
    return this.#classes.get(type) ?? this.#parent?.getTask(type);
  }

  /** All of them, by type. */
  get all(): ReadonlyMap<TaskTypeName, TaskClass> {
    return new Map([...(this.#parent?.all ?? []), ...this.#classes]);
  }

  /** Of another kind than tasks: `register('transform', 'pick', …)`. */
  register(kind: string, name: string, what: unknown): this {
    let known = this.#others.get(kind);
    if (!known) this.#others.set(kind, (known = new Map()));
    known.set(name, what);
    return this;
  }
  get<Kind = unknown>(kind: string, name: string): Kind | undefined {
    return (this.#others.get(kind)?.get(name) as Kind | undefined) ?? this.#parent?.get(kind, name);
  }

  /** Hears of every class that is registered from now on, here or above. */
  watch(watcher: (type: TaskTypeName) => void): () => void {
    this.#watchers.add(watcher);
    const stop = this.#parent?.watch(watcher);
    return () => {
      this.#watchers.delete(watcher);
      stop?.();
    };
  }
}

/** The page's. */
export const globalTaskRegistry = new TaskRegistry();
/** Classes that stored graphs may name, from now on in this page. */
export function registerTask(...classes: TaskClass[]): void {
  globalTaskRegistry.registerTask(...classes);
}
