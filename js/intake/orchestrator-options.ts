/**
 * Options of an orchestrator as people write them, checked when it is made and when they are changed.
 * Invariant: what gets past here can be acted on; what does not has changed nothing.
 */
import { checkOrchestratorCache } from '../cache/checks.ts';
import { checkBoolean, checkEach, checkFunction, checkIdentifier, checkNames, checkNumber, checkRecord, checkText, describe, oneOf, refuse, wholeNumber } from './checks.ts';
import { checkOf } from '../definition/validation.ts';
import { toMilliseconds } from './duration.ts';
import { ConfigurationError } from '../errors.ts';
import { resolveLimits } from './limits.ts';
import { limitChecks, limitOptionNames } from '../limiting/settings.ts';
import { checkConnectivity } from '../network/connectivity.ts';
import { checkQueueOptions, queueNames } from '../limiting/order.ts';
import { checkRunOptions } from './options.ts';
import { checkEncryption } from '../vault/checks.ts';
import type { OrchestratorOptions, QueueOptions, RunOptions, Task } from '../types.ts';

export const orchestratorOptionNames: readonly (keyof OrchestratorOptions)[] = [
  'id', 'namespace', 'storage', 'durability', 'tasks', 'queues', 'retry', 'maxRetries', 'retryBackoffFactor', 'timeout', 'countFrozen',
  'simulateProgress', 'onComplete', 'onError', 'onProgress', 'onListenerError', 'hooks', 'processSchema', 'persistenceKey', 'retention', 'recovery',
  'tabs', 'clock', 'seed', 'wasm', 'worker', 'cache', 'limits', 'connectivity', 'encryption', 'checkDeterminism', 'concurrencyLimits', 'maxDepth', 'environment', 'shortWait',
];

/** @throws ConfigurationError naming the option, its value and what it may be */
export function checkOrchestratorOptions(options: Partial<OrchestratorOptions>, where: string): void {
  checkNames(options, orchestratorOptionNames, where);
  checkEach(options, orchestratorChecks, where);
  const { retry, timeout, countFrozen, simulateProgress } = options;
  checkRunOptions({ retry, timeout, countFrozen, simulateProgress } as RunOptions, where);
}

/**
 * What an orchestrator that is there may be told. Its namespace stays: what is stored, locked and told lies under that name.
 * @throws ConfigurationError
 */
export function checkChanges(options: Readonly<OrchestratorOptions>, partial: Partial<OrchestratorOptions>): void {
  checkOrchestratorOptions(partial, 'setOptions');
  if (partial.encryption && !options.encryption) throw new ConfigurationError('setOptions: `encryption` can be given only when an orchestrator is made. Dispose this one, and create another.');
  const { id = 'default', namespace = id } = options;
  const other = partial.namespace ?? namespace;
  if (other !== namespace)
    throw new ConfigurationError(`The orchestrator "${id}" of this page has the namespace ${describe(namespace)}, and not ${describe(other)}. Dispose it first (dispose(), or destroyNamespace() for logout), or give the other one an id of its own.`);
  if ((partial.id ?? id) !== id) throw new ConfigurationError(`setOptions: this orchestrator has the id "${id}" for good, and not ${describe(partial.id)}. Create another one.`);
}

const checkSomeText = (value: unknown, where: string): void => {
  if (typeof value !== 'string' || value === '') refuse(where, 'text of at least one character', value);
};

const hasAll = (value: unknown, methods: readonly string[]) =>
  typeof value === 'object' && value !== null && methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');

const orchestratorChecks: Partial<Record<keyof OrchestratorOptions, (value: any, where: string) => void>> = {
  id: checkSomeText,
  namespace: checkSomeText,
  environment: checkSomeText,
  shortWait: (value, where) => void toMilliseconds(value, where),
  storage: (value, where) => {
    if (value !== 'memory' && !hasAll(value, ['open', 'openSlot'])) refuse(where, "'memory' or a storage such as opfs() of holdfast/storage/opfs", value);
  },
  durability: (value, where) => oneOf(value, ['memory', 'process', 'power'], where),
  tasks: checkTasks,
  processSchema: (value, where) => void checkOf(value, where),
  queues: (value, where) => {
    checkRecord(value, where);
    for (const [name, queue] of Object.entries(value)) {
      checkNames(queue as QueueOptions, queueNames, `queue "${name}"`);
      checkQueueOptions(queue as QueueOptions, `queue "${name}"`);
    }
  },
  concurrencyLimits: (value, where) => {
    checkRecord(value, where);
    for (const [name, limit] of Object.entries(value)) {
      const whose = `${where} "${name}"`;
      checkIdentifier(name, `${where} name`);
      checkNames(limit as object, ['concurrency', ...limitOptionNames], whose);
      checkEach(limit as object, limitChecks, whose);
    }
  },
  maxRetries: (value, where) => void wholeNumber(value, where, 0),
  retryBackoffFactor: (value, where) => checkNumber(value, where, 1),
  onComplete: checkFunction, onError: checkFunction, onProgress: checkFunction, onListenerError: checkFunction, worker: checkFunction,
  persistenceKey: checkText,
  retention: checkRetention,
  cache: checkOrchestratorCache,
  recovery: (value) => void checkRecovery(value),
  encryption: checkEncryption,
  limits: (value) => void resolveLimits(value),
  connectivity: checkConnectivity,
  tabs: (value, where) => void (hasAll(value, ['channel']) || checkBoolean(value, where)),
  checkDeterminism: checkBoolean,
  maxDepth: (value, where) => void wholeNumber(value, where, 1, 64),
  clock: (value, where) => {
    if (!hasAll(value, ['now', 'schedule', 'defer', 'frame'])) refuse(where, 'a Clock', value);
  },
  seed: (value, where) => void wholeNumber(value, where, -(2 ** 53), 2 ** 53),
  wasm: (value, where) => {
    if (!(typeof value === 'string' ? value !== '' : isWasm(value))) refuse(where, 'an address, the bytes or the compiled module of core.wasm', value);
  },
};

function checkTasks(tasks: NonNullable<OrchestratorOptions['tasks']>, where: string): void {
  const isTask = (task: unknown) => typeof (task as Task | null)?.spec?.run === 'function';
  if (typeof tasks !== 'object' || tasks === null || !Object.values(tasks).every(isTask)) refuse(where, 'tasks made by defineTask, in a list or under their ids', tasks);
  if (Array.isArray(tasks)) return;
  for (const [key, task] of Object.entries(tasks))
    if (key !== task.id) throw new ConfigurationError(`${where} has ${describe(task.id)} under ${describe(key)}; its id is what it is called by. Use it as the key, or give a list.`);
}

const isWasm = (value: unknown): boolean =>
  value instanceof URL || value instanceof WebAssembly.Module || value instanceof ArrayBuffer || ArrayBuffer.isView(value);

function checkRetention(retention: NonNullable<OrchestratorOptions['retention']>, where: string): void {
  checkNames(retention, ['completed', 'failed', 'events', 'tokens'], where);
  for (const [kind, rule] of Object.entries(retention)) {
    checkNames(rule, kind === 'events' || kind === 'tokens' ? ['age'] : ['age', 'count'], `${where}.${kind}`);
    if (rule.age !== undefined) toMilliseconds(rule.age, `retention.${kind}.age`);
    if ('count' in rule && rule.count !== undefined) wholeNumber(rule.count, `retention.${kind}.count`, 0);
  }
}

export interface Recovery {
  manual: boolean;
  staggerMs: number;
}

/** @throws ConfigurationError */
export function checkRecovery(options: OrchestratorOptions['recovery'] = {}): Recovery {
  checkNames(options, ['mode', 'stagger'], 'recovery');
  const { mode = 'auto', stagger = 0 } = options;
  oneOf(mode, ['auto', 'manual'], 'recovery.mode');
  return { manual: mode === 'manual', staggerMs: toMilliseconds(stagger, 'recovery.stagger') };
}
