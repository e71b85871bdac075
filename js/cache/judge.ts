/**
 * Does an entry answer a run? Every reason why it does not is told apart here.
 *
 * Invariant: nothing is changed by judging; what would have to be written (a migrated entry, an output
 * derived anew) comes with the verdict.
 */
import { clone } from '../codec/codec.ts';
import { deserializeError } from '../runs/serialize-error.ts';
import type { CachePlan } from './options.ts';
import { derivedOf, type Finish, fromStored, type Stored } from './outputs.ts';
import { checkEntry } from './packing.ts';
import type { CacheEntry, CacheMissReason } from './types.ts';
import { isNewer, migrationPath } from './version.ts';

export interface Question {
  plan: CachePlan;
  /** As the store gave it; undefined: nothing there. */
  found: CacheEntry | undefined;
  /** The store gave a copy of its own. */
  isCopy: boolean;
  /** A copy of the run's input. */
  input: () => unknown;
  finish: Finish;
  nowMs: number;
}

export interface Hit {
  kind: 'hit';
  entry: CacheEntry;
  output: unknown;
  stale: boolean;
  /** Versions whose migrations ran. */
  migrations: readonly number[];
  /** To be written in place of the entry. */
  rewritten: CacheEntry | undefined;
}
export interface Miss {
  kind: 'miss';
  reason: CacheMissReason;
  detail?: string;
  entry?: CacheEntry;
}
export type Verdict = Hit | Miss | { kind: 'failure'; entry: CacheEntry; error: Error };

export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}

export async function judge({ plan, found, isCopy, input, finish, nowMs }: Question): Promise<Verdict> {
  if (found === undefined) return { kind: 'miss', reason: 'absent' };
  let entry: CacheEntry;
  try {
    checkEntry(found);
    entry = isCopy ? found : clone(found, 'entry');
  } catch (error) {
    return { kind: 'miss', reason: 'unreadable', detail: textOf(error) };
  }
  const age = ageOf(plan, entry, nowMs);
  if (age === 'over') return { kind: 'miss', reason: 'expired', entry, detail: `it is ${nowMs - entry.createdAt} ms old` };
  if (entry.failed) return judgeFailure(plan, entry);
  const path = migrationPath(entry.version, plan.version, plan.spec.migrations);
  if (!path) {
    const reason = isNewer(entry.version, plan.version) ? 'newer' : 'version';
    return { kind: 'miss', reason, entry, detail: `it was stored by version ${entry.version}, the code is version ${plan.version}` };
  }
  const migrated = await migrate(plan, entry, path, input);
  if ('kind' in migrated) return migrated;
  return read(plan, entry, migrated, path, finish, age === 'stale');
}

/** By the entry, and by what the run asks for: the shorter time counts. */
function ageOf({ ttlMs, staleMs, negativeTtlMs }: CachePlan, entry: CacheEntry, nowMs: number): 'fresh' | 'stale' | 'over' {
  const ownTtlMs = entry.failed ? (negativeTtlMs ?? 0) : ttlMs;
  const freshUntilMs = Math.min(entry.expiresAt ?? Number.POSITIVE_INFINITY, entry.createdAt + ownTtlMs);
  if (nowMs < freshUntilMs) return 'fresh';
  return !entry.failed && nowMs < freshUntilMs + staleMs ? 'stale' : 'over';
}

function judgeFailure(plan: CachePlan, entry: CacheEntry): Verdict {
  if (plan.negativeTtlMs === undefined) return { kind: 'miss', reason: 'failure', entry, detail: 'it keeps a failure' };
  if (entry.version !== plan.version) return { kind: 'miss', reason: 'version', entry, detail: 'it keeps a failure of another version' };
  return { kind: 'failure', entry, error: deserializeError(entry.value) };
}

/** Migrations see what is stored: a serializer of today may not read what one of yesterday has written. */
async function migrate(plan: CachePlan, entry: CacheEntry, path: readonly number[], input: () => unknown): Promise<Stored | Miss> {
  let value: unknown = entry.value;
  const copy = path.length > 0 ? input() : undefined;
  for (const version of path) {
    try {
      value = await plan.spec.migrations![version]!(value, copy);
    } catch (error) {
      return { kind: 'miss', reason: 'migration', entry, detail: `the migration from version ${version} threw ${textOf(error)}` };
    }
  }
  const serialized = path.length > 0 ? plan.options.deserialize !== undefined : entry.serialized === true;
  return { value, serialized };
}

async function read(plan: CachePlan, entry: CacheEntry, stored: Stored, path: readonly number[], finish: Finish, stale: boolean): Promise<Verdict> {
  const miss = (reason: CacheMissReason, error: unknown): Miss => ({ kind: 'miss', reason, entry, detail: textOf(error) });
  const { select, selectVersion } = plan.spec;
  const known = path.length === 0 ? derivedOf(plan, entry) : undefined;
  let kept: unknown;
  let raw: unknown;
  try {
    // Before people's functions get the value: they may change it.
    kept = path.length > 0 || selectVersion !== undefined ? clone(stored.value, 'stored output') : undefined;
    raw = fromStored(plan, stored);
  } catch (error) {
    return miss('unreadable', error);
  }
  let selected: unknown;
  try {
    selected = known ? known.value : select ? await select(raw) : raw;
  } catch (error) {
    return miss('select', error);
  }
  const derived = select && selectVersion !== undefined && !known ? { version: selectVersion, value: selected } : undefined;
  const rewritten = path.length > 0 || derived ? rewrite(plan, entry, { value: kept, serialized: stored.serialized }, derived) : undefined;
  try {
    return { kind: 'hit', entry, output: await finish(selected), stale, migrations: path, rewritten };
  } catch (error) {
    return miss('schema', error);
  }
}

/** undefined: what select made can't be stored, so it is made anew each time. */
function rewrite(plan: CachePlan, entry: CacheEntry, { value, serialized }: Stored, derived: CacheEntry['derived']): CacheEntry | undefined {
  const { derived: _old, serialized: _wasSerialized, ...rest } = entry;
  try {
    return { ...rest, value, version: plan.version, ...(serialized && { serialized }), ...(derived && { derived: clone(derived, 'derived output') }) };
  } catch {
    return undefined;
  }
}
