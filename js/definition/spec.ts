/**
 * A spec as people write it → a definition that can be run: checked, its words brought to one, and what
 * of it costs something prepared.
 *
 * Invariant: `prepared` is undefined for a task that asks for nothing of this room, so that such a task
 * pays one look at it.
 */
import { checkAskedName } from '../asking/names.ts';
import { type AnySpec, cacheSpecChecks, checkMigrations } from '../cache/checks.ts';
import { isCached } from '../cache/door.ts';
import { circuitChecks, circuitOptionNames } from '../circuits/settings.ts';
import { checkBatchEvents } from '../batching/checks.ts';
import { collapseSpecChecks } from '../collapsing/plan.ts';
import { ConfigurationError } from '../errors.ts';
import { checkBoolean, checkEach, checkFunction, checkIdentifier, checkNames, checkRecord, checkText, describe, oneOf } from '../intake/checks.ts';
import { checkRunOptions, runOptionNames } from '../intake/options.ts';
import { toMilliseconds } from '../intake/duration.ts';
import type { Definition } from '../intake/registry.ts';
import { checkCancelOn } from '../waiting/cancel-on.ts';
import { limitChecks, limitOptionNames } from '../limiting/settings.ts';
import { checkSchedule } from '../schedules/settings.ts';
import { refuseReserved } from '../waiting/internal.ts';
import type { Duration, QueueOptions } from '../types.ts';
import type { TaskHooks } from './hook-types.ts';
import { concernAttempts, hookNames, pickHooks } from './hooks.ts';
import { checkIntent } from './intent.ts';
import { type IdentityPlan, planOf } from '../identity/plan.ts';
import type { OutputOptions, Validator } from './schema.ts';
import type { PreparedSetup } from './services.ts';
import { joinTags } from './tags.ts';
import type { SetupScope, TaskHandler, TaskSpec, ValidationMoment } from './types.ts';
import { checkVersionChange } from './version-change.ts';
import { type Check, checkOf, standardOf } from './validation.ts';

export const specNames = [
  ...runOptionNames, ...circuitOptionNames, ...limitOptionNames, 'concurrency', 'id', 'name', 'description', 'intent', 'version', 'run', 'input', 'schema', 'validate', 'output', 'setup', 'teardown', 'unawaited', 'onDrift', 'cancelOn', 'updates', 'cache', 'migrations', 'select', 'selectVersion', 'onVersionChange', 'formerVersions', 'idempotency', 'singleton', 'onDuplicate', 'transfer', 'schedule', 'debounce', 'throttle', 'batchEvents', 'shortWait', ...hookNames,
] as const;

/** What a definition asks for beyond running its code. */
export interface Prepared {
  readonly input: Check | undefined;
  readonly atDispatch: boolean;
  readonly atRun: boolean;
  readonly output: Check | undefined;
  readonly nonEmpty: boolean;
  readonly setup: PreparedSetup | undefined;
  readonly hooks: TaskHooks | undefined;
  readonly inWorker: boolean;
  /** Its outputs are kept, or made of what its code returns. */
  readonly cached: boolean;
  /** Runs that another version began are not just replayed. */
  readonly versioned: boolean;
  readonly identity: IdentityPlan | undefined;
  /** Something is to be done around every attempt, also when nothing was recovered. */
  readonly around: boolean;
}

/** A spec with its id in place. */
type WithQueue = { queue?: string | QueueOptions };
export type NamedSpec = AnySpec & WithQueue & { id: string };

const preparations = new WeakMap<object, Prepared | 'none'>();

const specChecks = {
  ...cacheSpecChecks,
  ...circuitChecks,
  ...collapseSpecChecks,
  batchEvents: checkBatchEvents,
  ...limitChecks,
  description: checkText,
  intent: checkIntent,
  transfer: checkBoolean,
  schedule: checkSchedule,
  shortWait: (value: unknown, where: string) => void toMilliseconds(value as Duration, where),
  unawaited: (value: unknown, where: string) => oneOf(value, ['wait', 'detach', 'cancel', 'error'], where),
  onDrift: (value: unknown, where: string) => oneOf(value, ['fail', 'restart', 'discard-tail', 'accept-new'], where),
};

/** Queues of one task alone. */
export const ownQueuePrefix = 'task/';

function withOwnQueue(given: AnySpec, id: string): AnySpec & WithQueue {
  const { queue } = given;
  if (typeof queue !== 'object' || queue === null || Array.isArray(queue) || queue.name !== undefined) return given as AnySpec & WithQueue;
  return { ...given, queue: { ...queue, name: ownQueuePrefix + id } };
}

/** @throws ConfigurationError naming what is wrong */
export function nameSpec(asked: AnySpec): NamedSpec {
  checkNames(asked, specNames, 'defineTask');
  const { id = asked.name, name = id } = asked;
  if (id !== name) throw new ConfigurationError(`defineTask id ${describe(id)} and name ${describe(name)} differ; give one of the two.`);
  refuseReserved(checkIdentifier(id, 'defineTask id'), 'defineTask id');
  const given = withOwnQueue(asked, id!);
  checkCancelOn(given.cancelOn, id!);
  checkUpdates(given.updates, id!);
  if (typeof given.run !== 'function')
    throw new ConfigurationError(`defineTask "${id}" needs run(input, ctx), a function, not ${describe(given.run)}.`);
  const where = `defineTask "${id}"`;
  checkEach(given, specChecks, where);
  checkRunOptions(given, where);
  const { version } = given;
  const isVersion = version === undefined || (typeof version === 'number' ? Number.isSafeInteger(version) && version >= 0 : typeof version === 'string' && version !== '' && version.length <= 128);
  if (!isVersion) throw new ConfigurationError(`defineTask "${id}" version must be a whole number from 0 or a text of at most 128 characters, not ${describe(version)}.`);
  checkMigrations(given, where);
  const named = Object.freeze({ ...given, id: id! });
  checkVersionChange(named, where);
  return named;
}

function checkUpdates(updates: unknown, id: string): void {
  if (updates === undefined) return;
  const where = `defineTask "${id}" updates`;
  checkRecord(updates, where);
  for (const [name, validator] of Object.entries(updates as Record<string, Validator>)) {
    checkAskedName(name, where);
    checkOf(validator, `${where} "${name}"`);
  }
}

/** @throws ConfigurationError for schemas that are none */
export function defineSpec(spec: NamedSpec): Definition {
  let prepared = preparations.get(spec);
  if (prepared === undefined) preparations.set(spec, (prepared = prepare(spec) ?? 'none'));
  return { id: spec.id, spec, handler: spec.run, prepared: prepared === 'none' ? undefined : prepared };
}

/** Code under an id and nothing else. */
export function plainDefinition(id: string, handler: TaskHandler): Definition {
  return { id, spec: { id, run: handler }, handler, prepared: undefined };
}

function prepare(spec: NamedSpec): Prepared | undefined {
  const where = `defineTask "${spec.id}"`;
  if (spec.input !== undefined && spec.schema !== undefined) throw new ConfigurationError(`${where} has an input and a schema, which mean the same; give one of the two.`);
  const validator = spec.input !== undefined ? spec.input : spec.schema;
  const input = validator === undefined ? undefined : checkOf(validator, `${where} ${spec.input === undefined ? 'schema' : 'input'}`);
  const moment = momentOf(spec.validate, where, input !== undefined);
  const output = outputOf(spec.output, where);
  const setup = setupOf(spec, where);
  const hooks = pickHooks(spec, where);
  const identity = planOf(spec, where);
  const inWorker = (spec.run as { inWorker?: boolean }).inWorker === true;
  const cached = isCached(spec);
  const versioned = (spec.onVersionChange ?? 'replay') !== 'replay';
  const batched = spec.batchEvents !== undefined;
  if (!input && !output && !setup && !hooks && !inWorker && !cached && !versioned && !identity && !batched) return undefined;
  const atRun = input !== undefined && moment !== 'dispatch';
  return {
    input,
    atDispatch: input !== undefined && moment !== 'run',
    atRun,
    output: output?.check,
    nonEmpty: output?.nonEmpty ?? false,
    setup,
    hooks,
    identity,
    inWorker,
    cached,
    versioned,
    around: batched || inWorker || atRun || cached || versioned || output !== undefined || setup !== undefined || (hooks !== undefined && concernAttempts(hooks)),
  };
}

/** Of a task that asks for nothing, where something is asked of every task. */
export const nothingPrepared: Prepared = {
  input: undefined, atDispatch: false, atRun: false, output: undefined, nonEmpty: false, setup: undefined, hooks: undefined, inWorker: false, cached: false, versioned: false, identity: undefined, around: false,
};

function momentOf(moment: ValidationMoment | undefined, where: string, hasSchema: boolean): ValidationMoment {
  if (moment === undefined) return 'dispatch';
  if (!['dispatch', 'run', 'both'].includes(moment))
    throw new ConfigurationError(`${where} validate must be 'dispatch', 'run' or 'both', not ${describe(moment)}.`);
  if (!hasSchema) throw new ConfigurationError(`${where} has validate: '${moment}' and nothing to validate by; give it an input.`);
  return moment;
}

/** A schema is one by its `~standard`, a parser by being a function; every other object is options. */
function outputOf(output: TaskSpec['output'], where: string): { check: Check | undefined; nonEmpty: boolean } | undefined {
  if (output === undefined) return undefined;
  if (standardOf(output) || typeof output === 'function') return { check: checkOf(output as Validator, `${where} output`), nonEmpty: false };
  const options = output as OutputOptions;
  checkNames(options, ['nonEmpty', 'schema'], `${where} output`);
  const { nonEmpty = false, schema } = options;
  checkBoolean(nonEmpty, `${where} output.nonEmpty`);
  if (!nonEmpty && schema === undefined) return undefined;
  return { check: schema && checkOf(schema, `${where} output.schema`), nonEmpty };
}

const scopes: readonly SetupScope[] = ['task', 'run', 'process'];

function setupOf({ setup, teardown, run }: NamedSpec, where: string): PreparedSetup | undefined {
  if (teardown !== undefined) checkFunction(teardown, `${where} teardown`);
  if (setup === undefined) {
    if (teardown) throw new ConfigurationError(`${where} has a teardown and no setup.`);
    return undefined;
  }
  if ((run as { inWorker?: boolean }).inWorker)
    throw new ConfigurationError(`${where} has a setup, whose services can't be handed to a worker. Make them in the worker's file.`);
  if (typeof setup === 'function') return { scope: 'task', run: setup };
  checkNames(setup, ['scope', 'run'], `${where} setup`);
  const { scope = 'task' } = setup;
  if (!scopes.includes(scope)) throw new ConfigurationError(`${where} setup.scope must be 'task', 'run' or 'process', not ${describe(scope)}.`);
  checkFunction(setup.run, `${where} setup.run`);
  return { scope, run: (info) => setup.run(info) };
}
