/**
 * What people say of a signature, brought to its parts: how its run is to be, what it is bound to, its kwargs.
 *
 * Invariant: what is wrong is refused before anything is made, with the name, the value and the fix.
 */
import type { Deferred } from '../dependencies/types.ts';
import { ConfigurationError } from '../errors.ts';
import { checkIdentifier, checkRecord, describe, refuse } from '../intake/checks.ts';
import { toInstant, toMilliseconds } from '../intake/duration.ts';
import { triggerOptionNames } from '../intake/options.ts';
import type { TriggerOptions } from '../types.ts';
import { checkCondition } from './conditions.ts';
import type { OwnSignatureOptions } from './types.ts';

const ownNames = ['kwargs', 'successCallbacks', 'errorCallbacks', 'cancelCallbacks', 'taskIdentifiers', 'returnFieldName', 'modelValidators', 'when', 'compensate', 'stagger'] as const;
const notForSignatures: ReadonlySet<string> = new Set(['id', 'idempotencyKey', 'idempotencyKeyTTL', 'onDuplicate']);
const triggerNames: ReadonlySet<string> = new Set(triggerOptionNames.filter((name) => !notForSignatures.has(name)));
const known: ReadonlySet<string> = new Set([...ownNames, ...triggerNames]);

/** Times of its run that count from when it is called. */
interface CallTimes {
  delay?: unknown;
  deadline?: unknown;
}

export interface SignatureParts {
  kwargs: Record<string, unknown>;
  own: OwnSignatureOptions;
  trigger: TriggerOptions;
  deferred: Deferred;
}

export function partsOf(options: Record<string, unknown>, where: string): SignatureParts {
  checkRecord(options, where);
  const kwargs: Record<string, unknown> = {};
  const own: Record<string, unknown> = {};
  const trigger: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if ((ownNames as readonly string[]).includes(name)) own[name] = value;
    else if (triggerNames.has(name)) trigger[name] = value;
    else kwargs[checkKwarg(name, where)] = value;
  }
  checkOwn(own, where);
  Object.assign(kwargs, own.kwargs);
  const times = takeTimes(trigger, where);
  const identifiers = own.taskIdentifiers as Record<string, unknown> | undefined;
  if (identifiers) trigger.metadata = { ...(trigger.metadata as object | undefined), taskIdentifiers: { ...identifiers } };
  const { returnFieldName, modelValidators, when, compensate, stagger } = own as OwnSignatureOptions;
  const data = {
    ...(returnFieldName !== undefined && { returnField: returnFieldName }),
    ...(modelValidators && { validator: modelValidators.validator }),
    ...(when && { when }),
    ...(compensate !== undefined && { compensate: typeof compensate === 'string' ? compensate : compensate.id }),
    ...(stagger !== undefined && { staggerMs: toMilliseconds(stagger, `${where} stagger`) }),
    ...times,
    ...(Object.keys(trigger).length > 0 && isPlainData(trigger) && { options: trigger }),
  };
  return { kwargs, own: own as OwnSignatureOptions, trigger, deferred: { by: 'holdfast/signature', ...(Object.keys(data).length > 0 && { data }) } };
}

/** Can be stored as it is, so that a clone in another page has it too. */
function isPlainData(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function' && typeof value !== 'symbol';
  const prototype: unknown = Object.getPrototypeOf(value);
  return (Array.isArray(value) || prototype === Object.prototype || prototype === null) && Object.values(value).every(isPlainData);
}

/** A name that is written another way would be bound in silence. @throws ConfigurationError */
function checkKwarg(name: string, where: string): string {
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  if (camel !== name && known.has(camel)) throw new ConfigurationError(`${where} has an option ${JSON.stringify(name)}; it is written ${camel}. A kwarg of that name stands in kwargs: { ${name}: … }.`);
  if (notForSignatures.has(name)) throw new ConfigurationError(`${where} takes no ${JSON.stringify(name)}: a signature is known by its key. A kwarg of that name stands in kwargs: { ${name}: … }.`);
  return name;
}

function checkOwn(own: Record<string, unknown>, where: string): void {
  if (own.kwargs !== undefined) checkRecord(own.kwargs, `${where} kwargs`);
  for (const name of ['successCallbacks', 'errorCallbacks', 'cancelCallbacks']) if (own[name] !== undefined && !Array.isArray(own[name])) refuse(`${where} ${name}`, 'a list of signatures, tasks or keys', own[name]);
  if (own.taskIdentifiers !== undefined) {
    checkRecord(own.taskIdentifiers, `${where} taskIdentifiers`);
    for (const [name, value] of Object.entries(own.taskIdentifiers as object)) if (!['string', 'number', 'boolean'].includes(typeof value)) refuse(`${where} taskIdentifiers.${name}`, 'a text, a number, true or false', value);
  }
  if (own.returnFieldName !== undefined && own.returnFieldName !== null) checkIdentifier(own.returnFieldName, `${where} returnFieldName`);
  if (own.modelValidators !== undefined && typeof (own.modelValidators as { validator?: unknown } | null)?.validator !== 'string')
    throw new ConfigurationError(`${where} modelValidators must be what defineValidator('name', schema) gives, so that it can be stored, not ${describe(own.modelValidators)}.`);
  if (own.when !== undefined) checkCondition(own.when, `${where} when`);
  if (own.compensate !== undefined) checkIdentifier(typeof own.compensate === 'object' && own.compensate !== null && 'id' in own.compensate ? own.compensate.id : own.compensate, `${where} compensate (a task or its id)`);
}

/** They count from the call, not from when it was made. */
function takeTimes(trigger: Record<string, unknown> & CallTimes, where: string): { delayMs?: number; notBeforeMs?: number; deadlineMs?: number } {
  const { delay, deadline } = trigger;
  delete trigger.delay;
  delete trigger.deadline;
  const isMoment = delay instanceof Date || (typeof delay === 'string' && /^\d{4}-/.test(delay));
  return {
    ...(delay !== undefined && (isMoment ? { notBeforeMs: toInstant(delay as Date, `${where} delay`, 0) } : { delayMs: toMilliseconds(delay as number, `${where} delay`) })),
    ...(deadline !== undefined && { deadlineMs: toMilliseconds(deadline as number, `${where} deadline`) }),
  };
}
