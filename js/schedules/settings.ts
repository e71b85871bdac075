/**
 * When, as people write it → plain values that are stored. What can be wrong about it is said at the call,
 * without the library that computes moments.
 */
import { ConfigurationError } from '../errors.ts';
import { checkEach, checkIdentifier, checkNames, describe, oneOf, refuse, wholeNumber } from '../intake/checks.ts';
import { toInstant, toMilliseconds } from '../intake/duration.ts';
import type { Duration, Instant } from '../types.ts';
import type { DefinedTiming, ScheduleTiming } from './types.ts';

export const timingNames = ['cron', 'timezone', 'every', 'startAt', 'endAt', 'limit', 'window', 'catchUp', 'overlap'] as const;
/** Of a definition, which stands in every page. */
export const definedTimingNames = [...timingNames, 'environments'] as const;
const mostCaughtUp = 100;
const overlaps = ['skip', 'queue', 'cancel-previous', 'allow'];

/** As it is stored. */
export interface ScheduleSettings {
  readonly cron?: string;
  readonly timezone: string;
  readonly everyMs?: number;
  readonly startAtMs?: number;
  readonly endAtMs?: number;
  readonly limit?: number;
  readonly windowMs?: number;
  /** Of the time to the next moment. */
  readonly windowShare?: number;
  /** How many missed moments count; 0: none. */
  readonly catchUp: number;
  readonly overlap: NonNullable<ScheduleTiming['overlap']>;
}

/** @throws ConfigurationError */
export function settingsOf(timing: ScheduleTiming, where: string, nowMs: number): ScheduleSettings {
  const { cron, every, startAt, endAt, limit, window, catchUp = 'skip', overlap = 'skip' } = timing;
  if ((cron === undefined) === (every === undefined))
    throw new ConfigurationError(`${where} needs cron or every, one of the two: { cron: '0 9 * * 1' } or { every: '5m' }, not ${describe(timing)}.`);
  const pattern = typeof cron === 'object' && cron !== null ? patternOf(cron, where) : { pattern: cron as string | undefined, timezone: undefined };
  const timezone = pattern.timezone ?? timing.timezone ?? 'UTC';
  checkTimezone(timezone, `${where} timezone`);
  if (pattern.pattern !== undefined || every === undefined) checkPattern(pattern.pattern, `${where} cron`);
  const everyMs = every === undefined ? undefined : toMilliseconds(every, `${where} every`);
  if (everyMs !== undefined && everyMs < 1000) refuse(`${where} every`, 'at least a second', every);
  const moment = (value: Instant | undefined, name: string) => (value === undefined ? undefined : toInstant(value, `${where} ${name}`, nowMs));
  const [startAtMs, endAtMs] = [moment(startAt, 'startAt'), moment(endAt, 'endAt')];
  if (startAtMs !== undefined && endAtMs !== undefined && endAtMs < startAtMs) throw new ConfigurationError(`${where} endAt ${describe(endAt)} is before startAt ${describe(startAt)}.`);
  checkEach({ limit }, { limit: (value, name) => void wholeNumber(value, name, 1) }, where);
  oneOf(overlap, overlaps, `${where} overlap`);
  return withoutGaps({
    cron: pattern.pattern, timezone, everyMs, startAtMs, endAtMs, limit,
    ...windowOf(window, `${where} window`),
    catchUp: catchUpOf(catchUp, `${where} catchUp`),
    overlap,
  });
}

/** Of a definition. @throws ConfigurationError */
export function checkSchedule(schedule: unknown, where: string): void {
  if (typeof schedule !== 'string') {
    checkNames(schedule as object, definedTimingNames, where);
    const { environments } = schedule as DefinedTiming;
    if (environments !== undefined) {
      if (!Array.isArray(environments) || environments.length === 0) refuse(`${where} environments`, 'a list of at least one name', environments);
      for (const name of environments) checkIdentifier(name, `${where} environments name`);
    }
  }
  settingsOf(typeof schedule === 'string' ? { cron: schedule } : (schedule as ScheduleTiming), where, 0);
}

/** Is it for an orchestrator of this environment? */
export function isMeantFor(schedule: DefinedTiming | string, environment: string | undefined): boolean {
  const environments = typeof schedule === 'string' ? undefined : schedule.environments;
  return environments === undefined || (environment !== undefined && environments.includes(environment));
}

function withoutGaps(settings: { [Name in keyof ScheduleSettings]: ScheduleSettings[Name] | undefined }): ScheduleSettings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as unknown as ScheduleSettings;
}

function patternOf(cron: { pattern: string; timezone?: string }, where: string) {
  checkNames(cron, ['pattern', 'timezone'], `${where} cron`);
  return { pattern: cron.pattern, timezone: cron.timezone };
}

function windowOf(window: Duration | undefined, where: string): Pick<ScheduleSettings, 'windowMs' | 'windowShare'> {
  if (window === undefined) return {};
  const share = typeof window === 'string' ? /^(\d+(?:\.\d+)?)%$/.exec(window.trim()) : null;
  if (!share) return { windowMs: toMilliseconds(window, where) };
  const percent = Number(share[1]);
  if (percent > 100) refuse(where, "a duration or a share up to '100%'", window);
  return { windowShare: percent / 100 };
}

function catchUpOf(catchUp: NonNullable<ScheduleTiming['catchUp']>, where: string): number {
  if (typeof catchUp === 'object' && catchUp !== null) {
    checkNames(catchUp, ['max'], where);
    return wholeNumber(catchUp.max, `${where}.max`, 1, 10_000);
  }
  oneOf(catchUp, ['skip', 'latest', 'all'], where);
  return { skip: 0, latest: 1, all: mostCaughtUp }[catchUp];
}

/** @throws ConfigurationError */
export function checkTimezone(timezone: unknown, where: string): void {
  try {
    if (typeof timezone === 'string' && timezone !== '') return void new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    // Said below.
  }
  refuse(where, "an IANA name that this browser knows, like 'Europe/Berlin' (schedules.timezones() lists them)", timezone);
}

const fields = [
  { name: 'second', from: 0, to: 59 },
  { name: 'minute', from: 0, to: 59 },
  { name: 'hour', from: 0, to: 23 },
  { name: 'day of month', from: 1, to: 31 },
  { name: 'month', from: 1, to: 12, words: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] },
  { name: 'day of week', from: 0, to: 7, words: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] },
] as const;
type Field = { readonly name: string; readonly from: number; readonly to: number; readonly words?: readonly string[] };

const nicknames = /^@(?:yearly|annually|monthly|weekly|daily|hourly)$/i;

/** @throws ConfigurationError naming the field */
export function checkPattern(pattern: unknown, where: string): void {
  if (typeof pattern !== 'string') return refuse(where, "text like '0 9 * * 1'", pattern);
  if (nicknames.test(pattern)) return;
  const parts = pattern.trim().split(/\s+/);
  if (parts.length < 5 || parts.length > 6)
    throw new ConfigurationError(`${where} must have five fields (minute, hour, day of month, month, day of week), or six with the second in front; ${describe(pattern)} has ${parts.length}.`);
  parts.forEach((part, index) => {
    const field: Field = fields[index + fields.length - parts.length]!;
    if (!part.split(',').every((one) => isFieldPart(one, field)))
      throw new ConfigurationError(`${where} ${describe(pattern)}: ${describe(part)} is no ${field.name}. It may be *, ${field.from} to ${field.to}${field.words ? `, ${field.words[0]} to ${field.words.at(-1)}` : ''}, ranges (a-b), steps (*/n) and lists (a,b).`);
  });
}

function isFieldPart(part: string, field: Field): boolean {
  const [range, step, more] = part.split('/');
  if (more !== undefined || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
  if (range === '*' || range === '?') return true;
  if (field.name.startsWith('day') && /^(?:L|LW|\d{1,2}[LW]|[A-Z]{3}[L]|[0-7A-Z]{1,3}#(?:[1-5]|L))$/i.test(range!)) return true;
  const ends = range!.split('-').map((end) => valueOf(end, field));
  return ends.length <= 2 && ends.every((end) => end >= field.from && end <= field.to) && (ends.length === 1 || ends[0]! <= ends[1]!);
}

function valueOf(text: string, { from, words }: Field): number {
  const place = words?.indexOf(text.toUpperCase()) ?? -1;
  return place >= 0 ? place + from : /^\d+$/.test(text) ? Number(text) : Number.NaN;
}
