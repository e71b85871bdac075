/**
 * When a server takes requests again, from what stands in its headers. Nothing is thrown: a header that
 * makes no sense says nothing.
 */
import { parseText } from '../intake/duration.ts';
import type { ResetFormat } from './types.ts';

/** Above it a number is a moment, below it seconds from now. */
const someYears = 1e8;
/** Above it a moment counts milliseconds. */
const manySeconds = 1e11;

/** `1s`, `6m0s`, `1h2m3.5s`, `20ms`; undefined: it is none. */
function durationMs(text: string): number | undefined {
  const ms = /^[\d.dhms]+$/.test(text) ? parseText(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function guessed(text: string, nowMs: number): number | undefined {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) {
    if (number < 0) return undefined;
    if (number < someYears) return nowMs + number * 1000;
    return number < manySeconds ? number * 1000 : number;
  }
  const duration = durationMs(text);
  if (duration !== undefined) return nowMs + duration;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}

/** Milliseconds since the epoch; undefined: the text says no time. Without a format it is found out from the text. */
export function resetAtMs(text: string, nowMs: number, format?: ResetFormat): number | undefined {
  const number = Number(text);
  switch (format) {
    case undefined:
      return guessed(text, nowMs);
    case 'unix_timestamp':
      return Number.isFinite(number) ? number * 1000 : undefined;
    case 'unix_timestamp_in_ms':
      return Number.isFinite(number) ? number : undefined;
    case 'iso_8601': {
      const moment = Date.parse(text);
      return Number.isNaN(moment) ? undefined : moment;
    }
    case 'iso_8601_duration_openai_variant': {
      const duration = durationMs(text);
      return duration === undefined ? undefined : nowMs + duration;
    }
  }
}

/** What the usual headers say. */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  for (const name of ['retry-after', 'x-ratelimit-reset']) {
    const text = headers.get(name);
    const atMs = text === null ? undefined : resetAtMs(text, nowMs);
    if (atMs !== undefined) return atMs;
  }
  return undefined;
}
