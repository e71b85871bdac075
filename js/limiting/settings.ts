/** Limits as people write them → settings of a limit of the core. Pure. */
import { beginWords, Chance, nextWord, seedWords } from '../context/decisions.ts';
import { ConfigurationError } from '../errors.ts';
import { checkBoolean, checkEach, checkIdentifier, checkNames, describe, oneOf, wholeNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import * as P from '../protocol.ts';
import type { LimitOptions, RateLimit } from './types.ts';

/** By `LimitField`. */
export type Settings = readonly (readonly [field: number, value: number])[];

export const limitOptionNames = ['rateLimit', 'minTime'] as const;
export const limitedRunNames = ['concurrencyKey', 'concurrencyLimits', 'weight'] as const;
const mostStarts = 1e9;
const mostWeight = 0xffff;

const rateKinds = { sliding: P.RateKindSliding, fixed: P.RateKindFixed, 'token-bucket': P.RateKindTokenBucket, gcra: P.RateKindTokenBucket };

/** 0: no limit. @throws ConfigurationError */
function most(value: number | undefined, where: string): number {
  return value === undefined || value === Number.POSITIVE_INFINITY ? 0 : wholeNumber(value, where, 1, 0xfffffffe);
}

/** @throws ConfigurationError */
export function concurrencyOf(given: LimitOptions['concurrency'], where: string): { total: number; perKey: number } {
  if (typeof given !== 'object' || given === null) return { total: most(given, where), perKey: 0 };
  checkNames(given, ['total', 'perKey'], where);
  if (given.total === undefined && given.perKey === undefined) throw new ConfigurationError(`${where} must be a number, or have a total or a perKey, not ${describe(given)}.`);
  return { total: most(given.total, `${where}.total`), perKey: most(given.perKey, `${where}.perKey`) };
}

function rateSettings(rate: RateLimit, where: string): Settings {
  checkNames(rate, ['limit', 'period', 'type', 'burst', 'perKey', 'feedback', 'onExceed'], where);
  oneOf(rate.onExceed === undefined ? 'wait' : rate.onExceed, ['wait', 'drop'], `${where}.onExceed`);
  checkEach(rate, { perKey: checkBoolean, feedback: checkBoolean }, where);
  const { type = 'sliding', perKey = false } = rate;
  if (typeof type !== 'string' || !Object.hasOwn(rateKinds, type)) throw new ConfigurationError(`${where}.type must be one of ${Object.keys(rateKinds).join(', ')}, not ${describe(type)}.`);
  const limit = wholeNumber(rate.limit, `${where}.limit`, 1, mostStarts);
  const periodMs = toMilliseconds(rate.period, `${where}.period`);
  if (periodMs < 1) throw new ConfigurationError(`${where}.period must be at least 1 ms, not ${describe(rate.period)}.`);
  const isBucket = rateKinds[type] === P.RateKindTokenBucket;
  if (rate.burst !== undefined && !isBucket) throw new ConfigurationError(`${where}.burst is for a token-bucket or gcra; a ${type} window has none.`);
  const burst = rate.burst === undefined ? (type === 'token-bucket' ? limit : 1) : wholeNumber(rate.burst, `${where}.burst`, 1, mostStarts);
  return [
    [P.LimitFieldRateLimit, limit],
    [P.LimitFieldRatePeriodMs, periodMs],
    [P.LimitFieldRateKind, rateKinds[type]],
    [P.LimitFieldRateBurst, burst],
    [P.LimitFieldRateKeyed, perKey ? 1 : 0],
    [P.LimitFieldDrops, rate.onExceed === 'drop' ? 1 : 0],
  ];
}

/** Everything, also what is switched off: the core may remember what another page said. @throws ConfigurationError */
export function settingsOf({ concurrency, rateLimit, minTime }: LimitOptions, where: string, isShared = false): Settings {
  const { total, perKey } = concurrencyOf(concurrency, `${where} concurrency`);
  return [
    [P.LimitFieldConcurrency, total],
    [P.LimitFieldKeyConcurrency, perKey],
    [P.LimitFieldSpacingMs, minTime === undefined ? 0 : toMilliseconds(minTime, `${where} minTime`)],
    ...(rateLimit === undefined ? ([[P.LimitFieldRateLimit, 0]] as const) : rateSettings(rateLimit, `${where} rateLimit`)),
    // None yet.
    [P.LimitFieldLeave, isShared ? 1 : 0],
  ];
}

/** As `checkEach` takes them. */
export const limitChecks = {
  concurrency: (value: unknown, where: string) => void concurrencyOf(value as number, where),
  rateLimit: (value: unknown, where: string) => void rateSettings(value as RateLimit, where),
  minTime: (value: unknown, where: string) => void toMilliseconds(value as number, where),
};

export const limitedRunChecks = {
  concurrencyKey: (value: unknown, where: string) => void checkIdentifier(value, where, 512),
  weight: (value: unknown, where: string) => void checkWeight(value, where),
  concurrencyLimits: (value: unknown, where: string) => {
    if (!Array.isArray(value)) throw new ConfigurationError(`${where} must be a list of names, or of { name, weight, key }, not ${describe(value)}.`);
    if (value.length > 6) throw new ConfigurationError(`${where} has ${value.length} limits; a run takes part in six at most.`);
    for (const limit of value) {
      if (typeof limit === 'string') continue;
      checkNames(limit, ['name', 'weight', 'key'], where);
      checkIdentifier(limit.name, `${where} name`);
      if (limit.weight !== undefined) checkWeight(limit.weight, `${where} weight`);
      if (limit.key !== undefined) checkIdentifier(limit.key, `${where} key`, 512);
    }
  },
};

export function checkWeight(value: unknown, where: string): number {
  return wholeNumber(value as number, where, 1, mostWeight);
}

export type LimitKind = 'task' | 'queue' | 'limit';

/** The same in every page and tab; never 0. */
export function limitNumber(kind: LimitKind, name: string): number {
  return (0x40000000 | (new Chance(`limit\u0000${kind}\u0000${name}`).word() >>> 2)) >>> 0;
}

/** With it apart no text is put together for each key. */
const keySeed = seedWords(new Int32Array(4), 'key\u0000');
const keyWords = new Int32Array(4);

/** 1 is that of runs without one. */
export function keyNumber(key: string | undefined): number {
  if (key === undefined) return 1;
  beginWords(keyWords, key, keySeed);
  return 2 + (nextWord(keyWords) >>> 1) * 0x10000 + (nextWord(keyWords) & 0xffff);
}
