/**
 * What people hand in, checked at the call it comes in by. Everything here throws a ConfigurationError
 * that shows the value and says what may stand there; nothing is changed by then.
 *
 * Knows nothing of the house, so that a worker may use it.
 */
import { ConfigurationError, SerializationError } from '../errors.ts';
import type { ProgressReport } from '../types.ts';

/** A value in a sentence: short, and never throws. */
export function describe(value: unknown): string {
  const text = wordsOf(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function wordsOf(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (value instanceof Date && Number.isNaN(value.getTime())) return 'an invalid Date';
  try {
    if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return JSON.stringify(value) ?? 'an object';
    return String(value);
  } catch {
    return 'an object that can not be shown';
  }
}

export function refuse(where: string, wanted: string, value: unknown): never {
  throw new ConfigurationError(`${where} must be ${wanted}, not ${describe(value)}.`);
}

/** What is wrong with a call or a definition, said with its task: `trigger "pages": input.file is a function …`. */
export function naming(error: unknown, where: string, id: string): unknown {
  if (!(error instanceof ConfigurationError || error instanceof SerializationError) || error.message.includes(JSON.stringify(id))) return error;
  error.message = error.message.startsWith('trigger ') ? `${where} ${error.message.slice('trigger '.length)}` : `${where}: ${error.message}`;
  return error;
}

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws ConfigurationError naming the unknown option and the known ones */
export function checkNames(options: object, known: readonly string[], where: string): void {
  if (!isRecord(options)) refuse(where, 'an object', options);
  const name = unknownName(options, known);
  if (name !== undefined) throw new ConfigurationError(`${where} has no option "${name}". Known are: ${known.join(', ')}.`);
}

/** The first of its own that is none of them. */
export function unknownName(options: object, known: readonly string[]): string | undefined {
  for (const name of Object.keys(options)) if (!known.includes(name)) return name;
  return undefined;
}

/** @throws ConfigurationError unless it is a whole number in the range */
export function wholeNumber(value: unknown, where: string, min: number, max: number = 2 ** 31 - 1): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  return refuse(where, `a whole number from ${min} to ${max}`, value);
}

/** @throws ConfigurationError unless it is 1 to so many bytes of well-formed text */
export function checkIdentifier(value: unknown, where: string, maxBytes = 128): string {
  if (typeof value !== 'string' || value === '' || value.length > maxBytes || isLonger(value, maxBytes))
    return refuse(where, `text of 1 to ${maxBytes} bytes`, value);
  // Most texts have no surrogates at all, and that is told a good deal faster.
  if (/[\ud800-\udfff]/.test(value) && /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value))
    throw new ConfigurationError(`${where} has half a surrogate pair in it: ${JSON.stringify(value)}. Use value.toWellFormed().`);
  return value;
}

/** In UTF-8. Every call with a key of its own comes by here, and an encoder costs more than the rest of such a call. */
function isLonger(text: string, maxBytes: number): boolean {
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes;
}

export function checkText(value: unknown, where: string): void {
  if (typeof value !== 'string') refuse(where, 'text', value);
}
export function checkBoolean(value: unknown, where: string): void {
  if (typeof value !== 'boolean') refuse(where, 'true or false', value);
}
export function checkFunction(value: unknown, where: string): void {
  if (typeof value !== 'function') refuse(where, 'a function', value);
}
export function checkRecord(value: unknown, where: string): void {
  if (!isRecord(value)) refuse(where, 'an object', value);
}
export function checkNumber(value: unknown, where: string, min = Number.NEGATIVE_INFINITY): void {
  if (typeof value !== 'number' || !(value >= min)) refuse(where, min === Number.NEGATIVE_INFINITY ? 'a number' : `a number of at least ${min}`, value);
}
export function oneOf(value: unknown, words: readonly string[], where: string): void {
  if (!words.includes(value as string)) refuse(where, `one of ${words.join(', ')}`, value);
}
export function checkSignal(value: unknown, where: string): void {
  const signal = value as AbortSignal | undefined;
  if (value !== undefined && (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function'))
    refuse(where, 'an AbortSignal', value);
}

/** Each that is there is checked; one that is absent is not. */
export function checkEach(options: object, checks: Record<string, (value: unknown, where: string) => void>, where: string): void {
  for (const name in checks) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined) checks[name]!(value, where === '' ? name : `${where} ${name}`);
  }
}

export const checkPause = (kind: unknown): void => oneOf(kind, ['soft', 'hard'], 'pause kind');
export const checkResume = (policy: unknown): void => oneOf(policy, ['keepDeadline', 'remaining', 'restart'], 'resume policy');

const reportNames = ['value', 'message', 'phase', 'step'];
const isNumber = (value: unknown, where: string): void => {
  if (typeof value !== 'number') refuse(where, 'a number from 0 to 100', value);
};

/** A report that is no number (0 of 0 done) says nothing and harms nobody; one of another type is a mistake. */
export function checkProgress(report: number | ProgressReport): void {
  if (typeof report === 'number') return;
  if (!isRecord(report)) refuse('ctx.progress', 'a number from 0 to 100 or { value, message, phase, step }', report);
  checkNames(report, reportNames, 'ctx.progress');
  checkEach(report, { value: isNumber, message: checkText, phase: checkText, step: checkText }, 'ctx.progress');
}

/** The first that was said. */
export function given<Value>(...values: (Value | undefined)[]): Value | undefined {
  return values.find((value) => value !== undefined);
}
