/**
 * Definitions by id: what makes a run findable after a reload.
 *
 * `defineTask` adds to one list of the page, which every orchestrator also looks into: definitions
 * are code, and code is the page's. An orchestrator's own come first. The last definition of an id
 * counts, so that hot reloading works.
 */
import { ConfigurationError } from './errors.ts';
import { checkBoolean, checkEach, checkFunction, checkIdentifier, checkNames, checkText, describe, oneOf, refuse } from './checks.ts';
import { checkRunOptions, specNames } from './options.ts';
import { checkCancelOn } from './waiting/cancel-on.ts';
import { refuseReserved } from './waiting/internal.ts';
import type { Task, TaskExecutor, TaskHandler, TaskSpec } from './types.ts';

export interface Definition {
  id: string;
  spec: TaskSpec;
  handler: TaskHandler;
  /** Its runs are ours: no list or callback shows them. */
  hidden?: boolean;
}

type Watcher = (id: string) => void;

export class Registry {
  #definitions = new Map<string, Definition>();
  #watchers = new Set<Watcher>();

  add(definition: Definition): void {
    this.#definitions.set(definition.id, definition);
    for (const watcher of [...this.#watchers]) watcher(definition.id);
  }

  /** @throws ConfigurationError */
  addExecutor(type: string, executor: TaskExecutor | (() => TaskExecutor)): void {
    checkExecutor(type, executor);
    const run: TaskHandler = (input, ctx) => executorHandler(typeof executor === 'function' ? executor() : executor)(input, ctx);
    this.add({ id: type, spec: { id: type, run }, handler: run });
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
export function checkSpec(spec: TaskSpec): void {
  checkNames(spec, specNames, 'defineTask');
  refuseReserved(checkIdentifier(spec.id, 'defineTask id'), 'defineTask id');
  checkCancelOn(spec.cancelOn, spec.id);
  if (typeof spec.run !== 'function')
    throw new ConfigurationError(`defineTask "${spec.id}" needs run(input, ctx), a function, not ${describe(spec.run)}.`);
  const where = `defineTask "${spec.id}"`;
  checkEach(spec, specChecks, where);
  checkRunOptions(spec, where);
}

const specChecks = {
  description: checkText,
  output: (value: unknown, where: string) => {
    checkNames(value as object, ['nonEmpty'], where);
    checkEach(value as object, { nonEmpty: checkBoolean }, where);
  },
  unawaited: (value: unknown, where: string) => oneOf(value, ['wait', 'detach', 'cancel', 'error'], where),
  onDrift: (value: unknown, where: string) => oneOf(value, ['fail', 'restart', 'discard-tail', 'accept-new'], where),
  onSuccess: checkFunction,
  onFailure: checkFunction,
};

/** @throws ConfigurationError */
function checkExecutor(type: unknown, executor: unknown): void {
  refuseReserved(checkIdentifier(type, 'registerExecutor type'), 'registerExecutor type');
  const hasExecute = typeof executor === 'object' && executor !== null && typeof (executor as TaskExecutor).execute === 'function';
  if (typeof executor !== 'function' && !hasExecute) refuse(`registerExecutor "${type}"`, 'given an executor, or a function that makes one', executor);
}

/** An executor of the seed as an ordinary handler. */
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
