/**
 * A run's result as it is stored, where more than the value is to be known of it:
 *
 *   result := value (by codec.ts) | 16 · flags u8 · length of version u8 · version · value
 *   flags  := 1 answered by the cache, 2 through the task's serializer
 *
 * The version is that of the code which made the result: code of today reads it through its
 * migrations, as it reads entries of the cache.
 *
 * Invariant: a result without a mark is one of code that says no version, was not answered and has no
 * serializer; its version is 1.
 */
import { decode } from '../codec/codec.ts';
import type { SerializedError } from '../errors.ts';
import type { PayloadArea } from '../journal/payloads.ts';
import type { PayloadBytes, Run } from '../runs/run.ts';
import type { AnySpec } from './checks.ts';
import { firstVersion, majorOf } from './version.ts';

/** No form of the codec begins with it. */
const mark = 16;
const fromCacheFlag = 1;
export const serializedFlag = 2;
const header = 3;

/** Of a run that is being answered: what is stored in place of its output. */
export interface Keeper {
  keep(run: Run, output: unknown): { value: unknown; serialized: boolean };
}

/** @throws SerializationError */
export function writeResult(payloads: PayloadArea, run: Run, output: unknown, keeper: Keeper | undefined): PayloadBytes {
  const { sharing } = run.extra;
  const { value, serialized } = sharing && keeper ? keeper.keep(run, output) : { value: output, serialized: false };
  const version = majorOf(run.definition?.spec.version);
  const flags = flagsOf(run) | (serialized ? serializedFlag : 0);
  if (flags === 0 && version === firstVersion) return payloads.writeValue(value, 'result');
  return payloads.writeMarked([mark, flags], version, value, 'result');
}

/** What a run failed with, if that is not of its own code. */
export function writeFailure(payloads: PayloadArea, run: Run, error: SerializedError): PayloadBytes {
  return run.extra.fromCache ? payloads.writeMarked([mark, flagsOf(run)], firstVersion, error, 'error') : payloads.writeError(error);
}

function flagsOf(run: Run): number {
  return run.extra.fromCache ? fromCacheFlag : 0;
}

function isMarked({ bytes, start }: PayloadBytes): boolean {
  return bytes[start] === mark;
}

export function resultFlags(payload: PayloadBytes): number {
  return isMarked(payload) ? payload.bytes[payload.start + 1]! : 0;
}

/** Was the run answered by the cache? */
export function isFromCache(payload: PayloadBytes | undefined): boolean {
  return payload !== undefined && (resultFlags(payload) & fromCacheFlag) !== 0;
}

/** Where the value itself lies. */
export function valueOf(payload: PayloadBytes): PayloadBytes {
  if (!isMarked(payload)) return payload;
  const skipped = header + (payload.bytes[payload.start + 2] ?? 0);
  return { bytes: payload.bytes, start: payload.start + skipped, length: Math.max(0, payload.length - skipped) };
}

/** Of the code that made it. Believes nothing: what can't be read is no version that anybody has. */
export function versionOf(payload: PayloadBytes): number | string {
  if (!isMarked(payload)) return firstVersion;
  const { bytes, start } = payload;
  try {
    const version: unknown = decode(bytes.subarray(start + header, start + header + bytes[start + 2]!));
    if (typeof version === 'number' || typeof version === 'string') return version;
  } catch {
    // See above.
  }
  return '?';
}

/** Its value is not yet its output: a serializer or migrations stand between the two. */
export function isClosed(payload: PayloadBytes, spec: AnySpec | undefined): boolean {
  if ((resultFlags(payload) & serializedFlag) !== 0) return true;
  return spec?.migrations !== undefined && versionOf(payload) !== majorOf(spec.version);
}
