/**
 * Brings the entries of tasks to the version of today, all at once, instead of each when it is read.
 * Invariant: an entry that can't be brought there stays as it is, and is told.
 */
import { type CacheHost, limited, peek } from './host.ts';
import { judge, textOf } from './judge.ts';
import type { CachePlan } from './options.ts';
import type { Finish } from './outputs.ts';
import type { Saving } from './saving.ts';
import type { Cache, MigrationReport } from './types.ts';
import { migrationPath } from './version.ts';

interface Work {
  host: CacheHost;
  saving: Saving;
  store: Cache;
  plan: CachePlan;
  finish: Finish;
  report: { migrated: number; upToDate: number; failed: { key: string; reason: MigrationReport['failed'][number]['reason']; detail: string }[] };
}

/** Adds to `report`. @throws what the store throws when it is listed */
export async function migrateTask(work: Work): Promise<void> {
  const { store, plan, host } = work;
  const keys = await limited(host.clock, 'listing', store.keys!({ task: plan.spec.id }));
  for (const key of keys) await migrateEntry(work, key).catch((error) => work.report.failed.push({ key, reason: 'store', detail: textOf(error) }));
}

async function migrateEntry({ host, saving, store, plan, finish, report }: Work, key: string): Promise<void> {
  const { clock } = host;
  const found = await peek(clock, store, key);
  const asking = versionsThatAsk(plan, found?.version);
  if (asking.length > 0) {
    const detail = `the migration from version ${asking[0]} takes the input, which is not kept; it runs when a run asks for the entry`;
    return void report.failed.push({ key, reason: 'migration', detail });
  }
  const verdict = await judge({ plan, found, isCopy: store.copies === true, input: () => undefined, finish, nowMs: clock.now() });
  if (verdict.kind === 'miss') {
    if (verdict.reason === 'newer') report.upToDate++;
    else if (verdict.reason !== 'expired' && verdict.reason !== 'absent') report.failed.push({ key, reason: verdict.reason, detail: verdict.detail ?? '' });
    return;
  }
  if (verdict.kind === 'failure' || verdict.migrations.length === 0 || !verdict.rewritten) return void report.upToDate++;
  await saving.write(store, key, verdict.rewritten);
  report.migrated++;
  host.emit('cache_migrated', { key, taskId: plan.spec.id, from: verdict.entry.version, to: plan.version });
}

/** Migrations on the way whose second parameter is the input. */
function versionsThatAsk({ spec, version }: CachePlan, from: number | string | undefined): number[] {
  if (from === undefined) return [];
  return (migrationPath(from, version, spec.migrations) ?? []).filter((one) => spec.migrations![one]!.length > 1);
}
