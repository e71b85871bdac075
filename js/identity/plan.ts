/**
 * What a definition and a call say of keys → the key of one run.
 * Invariant: everything is checked before anything is looked up; a task without a plan pays one look.
 */
import { checkNames, describe, oneOf } from '../intake/checks.ts';
import { clone } from '../codec/codec.ts';
import { collapseOf } from '../collapsing/plan.ts';
import type { CollapseOptions } from '../collapsing/types.ts';
import { isPromise } from '../definition/validation.ts';
import { ConfigurationError } from '../errors.ts';
import type { Definition } from '../intake/registry.ts';
import { type Asker, checkKey, checkKeyOptions, checkTtl, defaultTtlMs, foreverMs, hashOf, keyOptionNames, markedText, type RunKey, textOf } from './key.ts';
import type { TriggerOptions } from '../types.ts';
import type { DuplicatePolicy, IdentityOptions, KeyOptions } from './types.ts';

/** No list that people give is empty. */
const wholeTask: readonly string[] = [];

/** What a definition says. */
export interface IdentityPlan {
  readonly from: 'payload' | ((payload: unknown) => unknown) | undefined;
  readonly ttlMs: number;
  readonly onDuplicate: DuplicatePolicy | undefined;
  readonly singleton: ((payload: unknown) => unknown) | undefined;
}

/** @throws ConfigurationError */
export function planOf(spec: IdentityOptions & CollapseOptions, where: string): IdentityPlan | undefined {
  const { idempotency, singleton, onDuplicate } = spec;
  checkKeyOptions({ onDuplicate } as KeyOptions, where);
  const collapses = spec.debounce !== undefined || spec.throttle !== undefined;
  if (idempotency === undefined && singleton === undefined && onDuplicate === undefined && !collapses) return undefined;
  if (idempotency !== undefined && singleton !== undefined)
    throw new ConfigurationError(`${where} has idempotency and singleton, and a run has one key; give one of the two.`);
  if (singleton !== undefined && onDuplicate !== undefined)
    throw new ConfigurationError(`${where} has singleton and onDuplicate, which say the same; give one of the two.`);
  return {
    from: idempotency && fromOf(idempotency, where),
    ttlMs: idempotency?.ttl === undefined ? defaultTtlMs : checkTtl(idempotency.ttl, `${where} idempotency.ttl`),
    ...(singleton ? singletonOf(singleton, where) : { singleton: undefined, onDuplicate }),
  };
}

function fromOf(idempotency: NonNullable<IdentityOptions['idempotency']>, where: string): IdentityPlan['from'] {
  checkNames(idempotency, ['from', 'ttl'], `${where} idempotency`);
  const { from } = idempotency;
  if (from !== 'payload' && typeof from !== 'function')
    throw new ConfigurationError(`${where} idempotency.from must be 'payload' or a function of the payload, not ${describe(from)}.`);
  return from;
}

function singletonOf(singleton: NonNullable<IdentityOptions['singleton']>, where: string): Pick<IdentityPlan, 'singleton' | 'onDuplicate'> {
  checkNames(singleton, ['key', 'mode'], `${where} singleton`);
  const { key, mode } = singleton;
  oneOf(mode, ['skip', 'cancel'], `${where} singleton.mode`);
  if (key !== undefined && typeof key !== 'function') checkKey(key, `${where} singleton.key`);
  return { singleton: typeof key === 'function' ? key : () => key ?? wholeTask, onDuplicate: mode === 'skip' ? 'skip' : 'replace' };
}

/** Does a key have to be looked for at all? */
export function asksForKey({ prepared }: Definition, options: TriggerOptions | undefined): boolean {
  if (prepared?.identity !== undefined) return true;
  // What is no object is refused elsewhere.
  if (!options) return false;
  for (const name of keyOptionNames) if (options[name] !== undefined) return true;
  return options.debounce !== undefined;
}

/**
 * The key of one run; a promise where the payload has to be hashed. undefined: it has none.
 * @throws ConfigurationError
 */
export function keyOf(definition: Definition, payload: unknown, options: TriggerOptions, nowMs: number, asker: Asker | undefined): RunKey | undefined | Promise<RunKey> {
  const collapse = collapseOf(definition.spec, payload, options.debounce, `trigger "${definition.id}"`);
  const key = ownKeyOf(definition, payload, options, nowMs, asker);
  if (!collapse) return key;
  if ((options.delay ?? definition.spec.delay) !== undefined) throw new ConfigurationError(`trigger "${definition.id}" has a delay, and ${collapse.kind} says when it begins. Leave one of them out.`);
  if (definition.prepared?.identity?.singleton) throw new ConfigurationError(`trigger "${definition.id}": its task is a singleton, which has a key of its own, and so has ${collapse.kind}. Leave one of them out.`);
  const text = markedText(collapse.kind, collapse.key === '' ? [] : collapse.key);
  const lay = (before: RunKey | undefined): RunKey => ({
    text, hash: hashOf(definition.id, text), untilMs: foreverMs, onDuplicate: 'join', whileAlive: false, collapsing: { collapse, definition, input: clone(payload, 'input'), options }, before,
  });
  return isPromise(key) ? key.then(lay) : lay(key);
}

function ownKeyOf(definition: Definition, payload: unknown, options: KeyOptions, nowMs: number, asker: Asker | undefined): RunKey | undefined | Promise<RunKey> {
  const where = `trigger "${definition.id}"`;
  checkKeyOptions(options, where);
  const plan = definition.prepared?.identity;
  const { idempotencyKey, idempotencyKeyTTL, onDuplicate = plan?.onDuplicate ?? 'join' } = options;
  if (plan?.singleton) return singletonKey(definition, plan, payload, options);
  const make = (text: string): RunKey => {
    const ttlMs = idempotencyKeyTTL === undefined ? (plan?.ttlMs ?? defaultTtlMs) : checkTtl(idempotencyKeyTTL, `${where} idempotencyKeyTTL`);
    return { text, hash: hashOf(definition.id, text), untilMs: Math.min(nowMs + ttlMs, foreverMs), onDuplicate, whileAlive: false };
  };
  if (idempotencyKey !== undefined) return make(textOf(idempotencyKey, asker));
  if (plan?.from === 'payload') return payloadText(clone(payload, 'input')).then(make);
  const derived = asked(plan?.from, payload, `${where}: idempotency.from`);
  if (derived !== undefined) {
    checkKey(derived, `${where}: what idempotency.from gave`);
    return make(textOf(derived as string, undefined));
  }
  if (plan?.from === undefined) refuseKeyless(options, where);
  return undefined;
}

/** What a function of the task's makes of a payload. @throws ConfigurationError with what it threw */
function asked(key: ((payload: unknown) => unknown) | undefined, payload: unknown, where: string): unknown {
  try {
    return key?.(payload);
  } catch (cause) {
    throw new ConfigurationError(`${where} threw ${cause instanceof Error ? String(cause) : describe(cause)}`, { cause });
  }
}

function refuseKeyless(options: KeyOptions, where: string): void {
  for (const name of ['idempotencyKeyTTL', 'onDuplicate'] as const)
    if (options[name] !== undefined) throw new ConfigurationError(`${where} has ${name}, and no key that it could be about. Give an idempotencyKey too.`);
}

function singletonKey({ id }: Definition, plan: IdentityPlan, payload: unknown, options: KeyOptions): RunKey {
  const where = `trigger "${id}"`;
  for (const name of keyOptionNames)
    if (options[name] !== undefined) throw new ConfigurationError(`${where} has ${name}, and its task is a singleton, which has a key of its own. Leave it out.`);
  const made = asked(plan.singleton, payload, `${where}: singleton.key`);
  if (made !== wholeTask) checkKey(made, `${where}: what singleton.key gave`);
  const text = markedText('singleton', made as string | readonly string[]);
  return { text, hash: hashOf(id, text), untilMs: foreverMs, onDuplicate: plan.onDuplicate!, whileAlive: true };
}

/** Loaded with the first payload that is hashed. */
async function payloadText(payload: unknown): Promise<string> {
  const [{ canonical }, { digestText }] = await Promise.all([import('../cache/canonical.ts'), import('../cache/digest.ts')]);
  return markedText('payload', digestText(await canonical(payload)));
}
