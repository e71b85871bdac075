/**
 * Keys: from what people say to one text, and from that to the number that the core knows it by.
 *
 *   text := key | {"run":id,"key":key} | {"run":id,"attempt":n,"key":key} | {"payload":digest} | {"singleton":key}
 *   key  := text of one part, quoted where it could look like one of the others | ["part", …]
 *
 * Invariants: different keys have different texts, and no text that people write is taken for a hash;
 * the number only finds a run, the text decides.
 */
import { Chance } from '../context/decisions.ts';
import type { CollapsingCall } from '../collapsing/collapsing.ts';
import { checkEach, checkIdentifier, checkNames, describe, oneOf, refuse, wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError } from '../errors.ts';
import type { Run } from '../runs/run.ts';
import type { RunHandle } from '../types.ts';
import type { DuplicatePolicy, IdempotencyKey, IdempotencyScope, KeyOptions } from './types.ts';

export const keyOptionNames = ['idempotencyKey', 'idempotencyKeyTTL', 'onDuplicate'] as const;
const scopes: readonly IdempotencyScope[] = ['run', 'attempt', 'global'];
const policies: readonly DuplicatePolicy[] = ['join', 'reject', 'replace', 'queue', 'skip'];

const dayMs = 86_400_000;
export const defaultTtlMs = 30 * dayMs;
/** The last moment there is. */
export const foreverMs = 8.64e15;
const longestPartBytes = 1024;
const mostParts = 16;

/** A run's key. */
export interface RunKey {
  readonly text: string;
  /** What the core knows it by. */
  readonly hash: number;
  readonly untilMs: number;
  readonly onDuplicate: DuplicatePolicy;
  /** Counts only as long as its run is alive. */
  readonly whileAlive: boolean;
  /** Starts when this one has ended … */
  after?: Run | undefined;
  /** Other tabs may decide about the key again. To be called once the run is stored, or is not made. */
  endTurn?: (() => void) | undefined;
  /** … or this one is cancelled when it comes. */
  replaces?: RunHandle | undefined;
  /** The call may be taken in by a run that has not begun … */
  collapsing?: CollapsingCall | undefined;
  /** … unless this other key of the call is held … */
  readonly before?: RunKey | undefined;
  /** … or is a run of its own, which begins then. */
  startAtMs?: number | undefined;
  /** Its run holds it: it may be created. */
  readonly decided?: boolean;
}

/** On whose behalf a key is given. */
export interface Asker {
  readonly id: string;
  readonly attempt: number;
}

/** A number from 1 to 2^53 - 1. The same for ever: it stands in journals. */
export function hashOf(taskIdentifier: string, text: string): number {
  return new Chance(`${taskIdentifier}\u0000${text}`).number() * 2 ** 53 || 1;
}

/** @throws ConfigurationError */
export function checkKey(key: unknown, where: string): void {
  if (!Array.isArray(key)) return void checkIdentifier(key, where, longestPartBytes);
  if (key.length === 0 || key.length > mostParts) throw new ConfigurationError(`${where} as a list needs 1 to ${mostParts} texts, not ${key.length}.`);
  key.forEach((part, index) => checkIdentifier(part, `${where}[${index}]`, longestPartBytes));
}

/** @throws ConfigurationError */
export function createKey(key: string | readonly string[], options: { scope?: IdempotencyScope } = {}): IdempotencyKey {
  checkKey(key, 'idempotencyKeys.create key');
  checkNames(options, ['scope'], 'idempotencyKeys.create');
  const { scope = 'run' } = options;
  oneOf(scope, scopes, 'idempotencyKeys.create scope');
  return Object.freeze({ key: typeof key === 'string' ? key : Object.freeze([...key]), scope });
}

/** Its parts by themselves: a worker hands over a copy of what `create` made. */
function isMade(key: unknown): key is IdempotencyKey {
  return typeof key === 'object' && key !== null && !Array.isArray(key) && 'key' in key && scopes.includes((key as IdempotencyKey).scope);
}

/** @throws ConfigurationError */
function checkGiven(key: unknown, where: string): void {
  if (typeof key !== 'object' || key === null || Array.isArray(key)) return checkKey(key, where);
  if (!isMade(key)) refuse(where, 'text, a list of texts, or made by idempotencyKeys.create', key);
  checkKey(key.key, where);
}

/** Of one call or definition. @throws ConfigurationError */
export function checkKeyOptions(options: KeyOptions, where: string): void {
  const ttl = (value: unknown, name: string) => void checkTtl(value, name);
  const policy = (value: unknown, name: string) => oneOf(value, policies, name);
  checkEach(options, { idempotencyKey: checkGiven, idempotencyKeyTTL: ttl, onDuplicate: policy }, where);
}

/** @throws ConfigurationError */
export function checkTtl(value: unknown, where: string): number {
  const ms = toMilliseconds(value as number, where);
  if (ms === 0) throw new ConfigurationError(`${where} must be more than 0 ms, not ${describe(value)}: a key that counts for no time is none.`);
  return ms;
}

/** Quoted where it could be taken for another form. */
function plainText(key: string | readonly string[]): string {
  if (typeof key !== 'string') return JSON.stringify(key);
  return /^[[{"]/.test(key) ? JSON.stringify(key) : key;
}

/** A key that was checked, in its scope. */
export function textOf(given: NonNullable<KeyOptions['idempotencyKey']>, asker: Asker | undefined): string {
  const made = isMade(given);
  const key = made ? given.key : (given as string | readonly string[]);
  const scope = made ? given.scope : 'run';
  if (!asker || scope === 'global') return plainText(key);
  return JSON.stringify({ run: asker.id, ...(scope === 'attempt' && { attempt: asker.attempt }), key });
}

/** As `textOf`, of a run that is named. @throws ConfigurationError */
export function askerOf(options: { parentRunId?: string; attemptNumber?: number }, given: unknown): Asker | undefined {
  checkNames(options, ['parentRunId', 'attemptNumber'], 'idempotencyKeys.reset');
  checkGiven(given, 'idempotencyKeys.reset key');
  const { parentRunId, attemptNumber } = options;
  if (attemptNumber !== undefined) wholeNumber(attemptNumber, 'idempotencyKeys.reset attemptNumber', 1);
  if (parentRunId === undefined) return undefined;
  const scope = isMade(given) ? given.scope : 'run';
  if (scope === 'attempt' && attemptNumber === undefined) throw new ConfigurationError('idempotencyKeys.reset of a key with scope "attempt" needs its attemptNumber.');
  return { id: checkIdentifier(parentRunId, 'idempotencyKeys.reset parentRunId'), attempt: attemptNumber ?? 0 };
}

/** As a definition's key is told apart from one that people write. */
export function markedText(kind: 'payload' | 'singleton' | 'debounce' | 'throttle', key: string | readonly string[]): string {
  return JSON.stringify({ [kind]: key });
}

/** Of the journal: believes nothing. */
export function storedKey(text: unknown): RunKey | undefined {
  return typeof text === 'string' ? { text, hash: 0, untilMs: 0, onDuplicate: 'join', whileAlive: false } : undefined;
}
