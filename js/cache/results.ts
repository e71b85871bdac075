/**
 * Results of runs whose value is not yet their output: the task's serializer, or migrations from an
 * older version, stand between the two (mark.ts says which).
 */
import { clone } from '../codec/codec.ts';
import { UnrecognizedTaskError } from '../errors.ts';
import type { PayloadBytes, Run } from '../runs/run.ts';
import type { AnySpec } from './checks.ts';
import { resultFlags, serializedFlag, valueOf, versionOf } from './mark.ts';
import type { CacheOptions } from './types.ts';
import { majorOf, migrationPath } from './version.ts';

export interface ResultsHost {
  read(payload: PayloadBytes): Promise<unknown>;
  inputOf(run: Run): Promise<unknown>;
}

/** A result that is no longer understood is an error of whoever asks, not a wrong result. Throws what people's functions throw. */
export async function openResult(host: ResultsHost, spec: AnySpec | undefined, payload: PayloadBytes, run: Run): Promise<unknown> {
  let value = await host.read(valueOf(payload));
  const path = wayOf(spec, versionOf(payload));
  if (path.length === 0) return (resultFlags(payload) & serializedFlag) !== 0 ? opened(value, spec, run) : value;
  const input = await host.inputOf(run).catch(() => undefined);
  for (const version of path) value = await spec!.migrations![version]!(value, input);
  const migrated = clone(value, 'migrated result');
  return cacheOf(spec)?.deserialize ? opened(migrated, spec, run) : migrated;
}

/** Migrations lead from raw to raw: what select made of it has no way on. */
function wayOf(spec: AnySpec | undefined, version: number | string): readonly number[] {
  if (!spec?.migrations || spec.select) return [];
  return migrationPath(version, majorOf(spec.version), spec.migrations) ?? [];
}

/** @throws UnrecognizedTaskError */
function opened(value: unknown, spec: AnySpec | undefined, run: Run): unknown {
  const { deserialize } = cacheOf(spec) ?? {};
  if (!deserialize)
    throw new UnrecognizedTaskError(`The result of run ${run.id} was stored by the serializer of task "${run.taskIdentifier}", which is not registered in this page or has none any more.`);
  return deserialize(value);
}

function cacheOf(spec: AnySpec | undefined): CacheOptions | undefined {
  return typeof spec?.cache === 'object' ? spec.cache : undefined;
}
