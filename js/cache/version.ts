/**
 * Versions of tasks, and the way from one to another. What stands before the first dot of a text counts:
 * 2, '2' and '2.1.0' are one version. A text that begins with no number ('beta') is older and newer
 * than nothing: it only equals itself.
 */
import type { Migrations } from './types.ts';

/** Of a task that says nothing, so that its first `migrations` begin at 1. */
export const firstVersion = 1;

export function majorOf(version: number | string | undefined): number | string {
  if (version === undefined) return firstVersion;
  const digits = typeof version === 'string' ? /^(\d{1,15})(?:\.|$)/.exec(version)?.[1] : undefined;
  return digits === undefined ? version : Number(digits);
}

export function isNewer(version: number | string, today: number | string): boolean {
  return typeof version === 'number' && typeof today === 'number' && version > today;
}

/** The versions whose migrations lead from `from` to `to`, one after the other; undefined: one is missing. */
export function migrationPath(from: number | string, to: number | string, migrations: Migrations | undefined): number[] | undefined {
  if (from === to) return [];
  if (typeof from !== 'number' || typeof to !== 'number' || from > to) return undefined;
  const path: number[] = [];
  for (let version = from; version < to; version++) {
    if (!migrations || !Object.hasOwn(migrations, version)) return undefined;
    path.push(version);
  }
  return path;
}
