/**
 * Durations and instants as people write them, to milliseconds.
 *
 * A number is always milliseconds; text needs units (`'1h30m'`, `'PT5M'`). Years and months have no
 * fixed length and are refused. Nothing wrong becomes a silent 0: it throws, naming option and value.
 */
import { describe } from './checks.ts';
import { ConfigurationError } from '../errors.ts';
import type { Duration, Instant } from '../types.ts';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const PARTS: Record<string, number> = {
  milliseconds: 1,
  seconds: 1000,
  minutes: 60_000,
  hours: 3_600_000,
  days: 86_400_000,
  weeks: 604_800_000,
};
const SHORT = /^(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w)\s*)+$/;
const SHORT_PART = /(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)/g;
const ISO = /^P(?!$)(?:([\d.]+)W)?(?:([\d.]+)D)?(?:T(?!$)(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/;
const ISO_UNITS = ['w', 'd', 'h', 'm', 's'];
/** The last moment a Date can be. */
const MAX_INSTANT = 8.64e15;

/** @throws ConfigurationError for anything that is not a duration of at least 0 */
export function toMilliseconds(duration: Duration, optionName: string): number {
  const milliseconds = parse(duration);
  if (milliseconds >= 0 && milliseconds <= MAX_INSTANT) return milliseconds;
  throw new ConfigurationError(
    `${optionName} must be a duration of 0 or more: milliseconds, '500ms', '10s', '5m', '1h30m', '2d', '1w', 'PT5M' or { minutes: 5 }; it is ${describe(duration)}.`,
  );
}

/** Milliseconds since the epoch; a text without a date is a duration from `nowMs`. @throws ConfigurationError */
export function toInstant(instant: Instant, optionName: string, nowMs: number): number {
  const at = parseInstant(instant, nowMs);
  if (at >= 0 && at <= MAX_INSTANT) return at;
  throw new ConfigurationError(
    `${optionName} must be a moment: a valid Date, milliseconds since 1970, or ISO 8601 text like '2030-01-31T09:00:00Z'; it is ${describe(instant)}.`,
  );
}

function parse(duration: unknown): number {
  if (typeof duration === 'number') return duration;
  if (typeof duration === 'string') return parseText(duration.trim());
  return typeof duration === 'object' && duration !== null ? parseParts(duration) : Number.NaN;
}

/** NaN for what is no duration. */
export function parseText(text: string): number {
  if (SHORT.test(text)) {
    let sum = 0;
    for (const [, amount, unit] of text.matchAll(SHORT_PART)) sum += Number(amount) * UNITS[unit!]!;
    return exact(sum);
  }
  const iso = ISO.exec(text);
  if (!iso) return Number.NaN;
  return exact(ISO_UNITS.reduce((sum, unit, i) => sum + Number(iso[i + 1] ?? 0) * UNITS[unit]!, 0));
}

function parseParts(parts: object): number {
  const entries = Object.entries(parts).filter(([, amount]) => amount !== undefined);
  if (entries.length === 0) return Number.NaN;
  let sum = 0;
  for (const [part, amount] of entries) {
    if (!Object.hasOwn(PARTS, part) || typeof amount !== 'number' || !(amount >= 0)) return Number.NaN;
    sum += amount * PARTS[part]!;
  }
  return exact(sum);
}

/** 0.1 + 0.2 seconds are 300 ms, not 300.00000000000006. */
function exact(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

function parseInstant(instant: unknown, nowMs: number): number {
  if (instant instanceof Date) return instant.getTime();
  if (typeof instant === 'number') return instant;
  if (typeof instant !== 'string') return Number.NaN;
  return /^\d{4}-\d\d/.test(instant.trim()) ? Date.parse(instant) : nowMs + parseText(instant.trim());
}
