/**
 * What people say about caching and versions, checked at the call, with the exact value and the fix.
 *
 * This, mark.ts, version.ts and door.ts are all of this room that everybody loads; so nothing here may
 * import the rest of it.
 */
import { checkBoolean, checkEach, checkFunction, checkNames, checkText, describe, oneOf, refuse, wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError } from '../errors.ts';
import type { TaskSpec } from '../types.ts';
import type { Cache, CacheCallOptions, CacheMode, CacheOptions, NegativeCaching, OrchestratorCacheOptions } from './types.ts';
import { majorOf } from './version.ts';

export type CacheOption = boolean | CacheMode | CacheOptions;
export type CacheCallOption = boolean | CacheMode | CacheCallOptions;

/** As the cache sees it: with select or without. */
export type AnySpec = Omit<TaskSpec, 'select' | 'selectVersion'> & {
  select?: (raw: any) => unknown;
  selectVersion?: number | string;
};

type Check = (value: any, where: string) => void;

const modes: readonly string[] = ['read-write', 'read-only', 'write-only', 'refresh', 'off'];
const storeMethods = ['get', 'set', 'delete', 'clear', 'size', 'clearOlderThan'] as const;

const lacks = (store: unknown): string[] => storeMethods.filter((name) => typeof (store as any)?.[name] !== 'function');

export function isCache(value: unknown): value is Cache {
  return lacks(value).length === 0;
}

const checkStore: Check = (store, where) => {
  const missing = lacks(store);
  if (missing.length > 0)
    throw new ConfigurationError(`${where} must be a cache such as memoryCache() of holdfast/cache; ${describe(store)} has no ${missing.join(', ')}.`);
};

/** @throws ConfigurationError */
export const checkCacheMode: Check = (mode, where) => oneOf(mode, modes, where);

/** @throws ConfigurationError unless it is a list of at most 64 texts of 1 to 128 characters */
export const checkTags: Check = (tags, where) => {
  const isTag = (tag: unknown) => typeof tag === 'string' && tag !== '' && tag.length <= 128;
  if (!Array.isArray(tags) || tags.length > 64 || !tags.every(isTag)) refuse(where, 'a list of at most 64 texts of 1 to 128 characters', tags);
};

const checkDuration: Check = (value, where) => void toMilliseconds(value, where);
const checkLimit: Check = (value, where) => void wholeNumber(value, where, 1, Number.MAX_SAFE_INTEGER);

const checkNegative: Check = (negative: NegativeCaching, where) => {
  checkAll(negative, { ttl: checkDuration, when: checkFunction }, where);
  if (negative.ttl === undefined) throw new ConfigurationError(`${where} needs a ttl: a failure is not kept for ever.`);
};

const everywhere: Record<string, Check> = {
  mode: checkCacheMode, ttl: checkDuration, staleWhileRevalidate: checkDuration, salt: checkText,
  scope: (value, where) => oneOf(value, ['shared', 'run'], where),
  coalesce: checkBoolean,
};
const ofCall = { ...everywhere, tags: checkTags };
const ofTask: Record<string, Check> = {
  ...everywhere,
  tags: (tags, where) => typeof tags !== 'function' && checkTags(tags, where),
  key: checkFunction, options: checkTags, negative: checkNegative, serialize: checkFunction, deserialize: checkFunction, store: checkStore,
};
const ofHouse = { ...everywhere, store: checkStore, options: checkTags, maxEntries: checkLimit, maxBytes: checkLimit };

function checkAll(options: object, checks: Record<string, Check>, where: string): void {
  checkNames(options, Object.keys(checks), where);
  checkEach(options, checks, where);
}

export function isCacheMode(value: unknown): value is CacheMode {
  return modes.includes(value as string);
}

/** `true`, a mode and an object as one. */
export function normalize<Options extends { mode?: CacheMode }>(option: boolean | CacheMode | Options): Options {
  if (typeof option === 'boolean') return (option ? {} : { mode: 'off' }) as Options;
  return (typeof option === 'string' ? { mode: option } : option) as Options;
}

function optionsOf(option: unknown, where: string): CacheOptions {
  if (!/^(boolean|string|object)$/.test(typeof option) || option === null) refuse(where, 'true, false, a mode or an object', option);
  return normalize(option as CacheOption);
}

/** @throws ConfigurationError */
export const checkCallOption: Check = (option, where) => {
  const options = optionsOf(option, where);
  for (const name in options)
    if (name in ofTask && !(name in ofCall))
      throw new ConfigurationError(`${where} ${name} belongs into the definition of the task: a call's options are stored with its run.`);
  checkAll(options, ofCall, where);
};

/** Is this task cached where nobody says so? */
export function isOnByIntent({ cache, intent }: AnySpec, orchestrator: unknown): boolean {
  return cache === undefined && orchestrator !== undefined && (intent === 'fetch' || intent === 'transform');
}

/** As it was stored with a run; undefined if nobody honest wrote it. */
export function storedCallOption(option: unknown): CacheCallOption | undefined {
  try {
    if (option !== undefined) checkCallOption(option, 'stored cache');
    return option as CacheCallOption | undefined;
  } catch {
    return undefined;
  }
}

const checkTaskOption: Check = (option, where) => {
  const options = optionsOf(option, where);
  checkAll(options, ofTask, where);
  if (!options.serialize !== !options.deserialize)
    throw new ConfigurationError(`${where} needs serialize and deserialize together: what one writes, the other must read.`);
};

const checkVersion: Check = (version, where) => {
  if (typeof version !== 'number') checkText(version, where);
};

/** What a definition says about caching, and of what `run` returns. */
export const cacheSpecChecks: Record<string, Check> = { cache: checkTaskOption, select: checkFunction, selectVersion: checkVersion };

/** @throws ConfigurationError for a migration from no version, from today's or later, or that is no function */
export function checkMigrations({ migrations, version }: AnySpec, where: string): void {
  if (migrations === undefined) return;
  if (typeof migrations !== 'object' || migrations === null) refuse(`${where} migrations`, 'an object of functions by the version they start from', migrations);
  const today = majorOf(version);
  for (const [from, migration] of Object.entries(migrations)) {
    if (typeof today !== 'number') refuse(`${where} has migrations, so its version`, "a number or begin with one ('2', '2.1.0')", version);
    if (!/^(0|[1-9]\d*)$/.test(from) || Number(from) >= today)
      throw new ConfigurationError(`${where} migrations has an entry ${JSON.stringify(from)}: each starts from a version before today's ${today}.`);
    checkFunction(migration, `${where} migrations[${from}]`);
  }
}

/** @throws ConfigurationError */
export const checkOrchestratorCache: Check = (option, where) => {
  if (isCache(option)) return;
  // Something like a store: say what is missing.
  if (typeof option?.get === 'function') checkStore(option, where);
  if (typeof option !== 'object' || option === null)
    refuse(where, 'a cache such as memoryCache() of holdfast/cache, or an object of options', option);
  checkAll(option, ofHouse, where);
  const { store, maxEntries, maxBytes } = option as OrchestratorCacheOptions;
  if (store !== undefined && (maxEntries ?? maxBytes) !== undefined)
    throw new ConfigurationError(`${where} ${maxEntries === undefined ? 'maxBytes' : 'maxEntries'} is of the default store; give it to your own: memoryCache({ maxEntries, maxBytes }).`);
};
