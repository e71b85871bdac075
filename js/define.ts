/** Task definitions, and the functions that work on the page's default orchestrator. */
import { batchApi, batchOf, tasksApi, waitForOne } from './batches/door.ts';
import type { BatchApi, BatchOptions, TasksApi } from './batches/types.ts';
import type { AnySpec } from './cache/checks.ts';
import { checkRecord, checkText, naming } from './intake/checks.ts';
import { checkOrchestratorOptions } from './intake/orchestrator-options.ts';
import { setDefaultStorages } from './opening/opening.ts';
import { Orchestrator } from './orchestrator.ts';
import type { MapOf, NamedCalls } from './definition/names.ts';
import type { Given, OutputOptions, Parsed, Validator } from './definition/schema.ts';
import { createKey } from './identity/key.ts';
import type { Identity } from './identity/identity.ts';
import { defineSpec, type NamedSpec, nameSpec } from './definition/spec.ts';
import type { BatchTaskSpec, SelectTaskSpec, TaskSpec, Unreserved } from './definition/types.ts';
import type { DestroyOptions } from './namespaces/destroy.ts';
import { pageRegistry } from './intake/registry.ts';
import { checkRunOptions } from './intake/options.ts';
import type { OrchestratorOptions, QueueOptions, Task, TaskExecutor, TaskState, TriggerOptions } from './types.ts';

const stores = () => import('./storage/default.ts');

// What the browser has decides: two copies, one copy, none.
setDefaultStorages([
  async (client) => {
    startEarly(client);
    const { mirror, opfs, indexedDB } = await stores();
    return mirror(opfs({ client }), indexedDB());
  },
  async (client) => (await stores()).opfs({ client }),
  async () => (await stores()).indexedDB(),
  async () => (await stores()).memory(),
]);

/** The worker takes longest to be there. Where none can be had, the store that needs it says so. */
function startEarly(client: () => unknown): void {
  try {
    client();
  } catch {
    // See above.
  }
}

const orchestrators = new Map<string, Orchestrator>();

/**
 * The engine of this page under `id` (default `default`). A second call with the same id gets the
 * same one, with its options merged.
 * @throws ConfigurationError for an unknown option or a bad value
 */
export function createOrchestrator<const Tasks extends NonNullable<OrchestratorOptions['tasks']> = []>(
  options: OrchestratorOptions & { tasks?: Tasks } = {},
): Orchestrator & NamedCalls<MapOf<Tasks>> {
  checkRecord(options, 'createOrchestrator');
  const { id = 'default' } = options;
  checkText(id, 'createOrchestrator id');
  const known = orchestrators.get(id);
  if (known && !known.disposed) {
    checkOrchestratorOptions(options, 'createOrchestrator');
    known.setOptions(options);
    return known as Orchestrator & NamedCalls<MapOf<Tasks>>;
  }
  const made = new Orchestrator(options);
  orchestrators.set(id, made);
  // Its runs go with it; a page may open and close thousands.
  made.onDisposed = () => orchestrators.get(id) === made && orchestrators.delete(id);
  return made as Orchestrator & NamedCalls<MapOf<Tasks>>;
}

/** What the plain functions work on; made on first use. */
export function getDefaultOrchestrator(): Orchestrator {
  const known = orchestrators.get('default');
  return known && !known.disposed ? known : createOrchestrator();
}

/**
 * A task that survives: it is found by its id after a reload. An input that neither a schema nor an annotation describes is `any`.
 * @throws ConfigurationError for a bad id, a missing `run`, an unknown option, a schema that is none
 */
export function defineTask<
  const Id extends string,
  Input = any,
  Raw = any,
  Output = any,
  Services = unknown,
  In extends Validator | undefined = undefined,
  Out extends Validator | OutputOptions | undefined = undefined,
>(spec: SelectTaskSpec<Input, Raw, Output, Services, Id, In, Out> & Unreserved<NoInfer<Services>>): Task<Id, Given<In, Input>, Parsed<Out, Output>>;
export function defineTask<
  const Id extends string,
  Input = any,
  Output = any,
  Services = unknown,
  In extends Validator | undefined = undefined,
  Out extends Validator | OutputOptions | undefined = undefined,
>(spec: TaskSpec<Input, Output, Services, Id, In, Out> & Unreserved<NoInfer<Services>>): Task<Id, Given<In, Input>, Parsed<Out, Output>>;
export function defineTask<
  const Id extends string,
  Input = any,
  Output = any,
  Services = unknown,
  In extends Validator | undefined = undefined,
  Out extends Validator | OutputOptions | undefined = undefined,
>(spec: BatchTaskSpec<Input, Output, Services, Id, In, Out> & Unreserved<NoInfer<Services>>): Task<Id, Given<In, Input>, Parsed<Out, Output>>;
export function defineTask(given: object): Task {
  const spec = given as AnySpec;
  const named = specOf(spec);
  const task: Task = {
    id: named.id,
    spec: named as Task['spec'],
    trigger: (input, options) => getDefaultOrchestrator().trigger(task, input, options),
    triggerAndWait: (input, options) => waitForOne(task, input, options, `"${named.id}".triggerAndWait`, getDefaultOrchestrator),
    batchTrigger: (items: unknown, options?: BatchOptions) => batchOf(task, `"${named.id}".batchTrigger`, items, options, false, getDefaultOrchestrator),
    batchTriggerAndWait: (items: unknown, options?: BatchOptions) => batchOf(task, `"${named.id}".batchTriggerAndWait`, items, options, true, getDefaultOrchestrator),
  };
  Object.freeze(task);
  pageRegistry.add(defineSpec(named));
  return task;
}

function specOf(spec: AnySpec): NamedSpec {
  try {
    return nameSpec(spec);
  } catch (error) {
    const id = spec?.id ?? spec?.name;
    throw typeof id === 'string' ? naming(error, `defineTask "${id}"`, id) : error;
  }
}

/** Resolves with the run's id as soon as the run and its input are stored. */
export function executeTask<T, R>(
  name: string,
  executor: TaskExecutor<T, R> | Task<string, T, R> | ((input: T, onProgress?: (progress: number) => void) => Promise<R>),
  input: T,
  metadata?: Record<string, any>,
): Promise<string> {
  return getDefaultOrchestrator().executeTask(name, executor, input, metadata);
}

export function getTaskState<R = any>(id: string): TaskState<R> | undefined {
  return getDefaultOrchestrator().getTaskState<R>(id);
}

/**
 * Destroys a namespace where there need be no orchestrator, as on a page for signing out: as `orchestrator.destroyNamespace()`.
 * Orchestrators of it, of this page too, end. A storage of your own is emptied by `orchestrator.destroyNamespace()` alone.
 * @throws NamespaceInUseError ConfigurationError
 */
export async function destroyNamespace(namespace: string, options?: DestroyOptions): Promise<void> {
  await (await import('./namespaces/destroy.ts')).destroyNamespace(namespace, options);
}

/**
 * A queue that tasks share: `defineTask({ queue: apiCalls })`.
 * @throws ConfigurationError for a bad name or limit
 */
export function queue(options: QueueOptions): Readonly<QueueOptions> {
  checkRecord(options, 'queue');
  checkRunOptions({ queue: options }, 'queue');
  return Object.freeze({ ...options });
}

/** Many runs as one, on the default orchestrator; in a task, where it is certain whose code asks, durable with its run. */
export const batch: BatchApi = batchApi({ house: getDefaultOrchestrator });

/** Tasks by their ids. */
export const tasks: TasksApi = tasksApi(getDefaultOrchestrator);

/** `create` makes a key with a scope; `reset` frees one of the default orchestrator's: the next call with it makes a new run. */
export const idempotencyKeys: Pick<Identity, 'create' | 'reset'> = Object.freeze({
  create: createKey,
  reset: (...given: Parameters<Identity['reset']>) => getDefaultOrchestrator().idempotencyKeys.reset(...given),
});
