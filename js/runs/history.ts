/** `runs.history`: the records of a run as people read them; loaded with the first question. */
import type { SerializedError } from '../errors.ts';
import { forkedEntries } from '../identity/forked.ts';
import { type Entry, KeyPrefix, nameOf, pathOf, RecordKind } from '../journal/history.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { HistoryEntry, RunHistory } from '../types.ts';
import type { Run } from './run.ts';

const kinds: Readonly<Record<string, HistoryEntry['kind']>> = {
  [KeyPrefix.Child]: 'child', [KeyPrefix.Sleep]: 'sleep', [KeyPrefix.Event]: 'wait', [KeyPrefix.Mark]: 'decision', [KeyPrefix.Undo]: 'undo', [KeyPrefix.Lock]: 'lock',
};

/** Bookkeeping of other verbs: when a sleep ends, how often a step was tried. */
const isOwn = ({ key }: Entry): boolean => key.startsWith(KeyPrefix.Mark) && /^(?:tries|until|since|retried)/.test(key.slice(1));

export async function historyOf(house: Orchestrator, run: Run): Promise<RunHistory> {
  const own = house.services.historyOf(run).entries;
  const entries = [...forkedEntries(run).filter(({ key }) => !own.some((entry) => entry.key === key)), ...own].filter((entry) => !isOwn(entry));
  const { taskIdentifier, id, intent, version, fromCache } = run.state;
  const { cacheVerdict } = run.extra;
  return Object.freeze({
    id, taskIdentifier, fromCache,
    ...(intent && { intent }), ...(version !== undefined && { version }), ...(cacheVerdict && { cache: Object.freeze(cacheVerdict) }),
    entries: Object.freeze(await Promise.all(entries.map((entry) => shown(house, run, entry)))),
  });
}

async function shown(house: Orchestrator, run: Run, entry: Entry): Promise<HistoryEntry> {
  const { key, kind: record, attempt } = entry;
  const kind = kinds[key[0] ?? ''] ?? 'step';
  const isFailure = record === RecordKind.Failure || record === RecordKind.ChildFailed;
  const child = kind === 'child' ? house.services.find(run, key)?.state : undefined;
  const error = isFailure ? ((await house.services.valueOf(entry)) as SerializedError).message : undefined;
  const path = pathOf(key);
  const name = kind === 'wait' ? path.slice(0, path.length - nameOf(key).length) + nameOf(key).replace(/^(?:event|token) /, '') : path;
  return Object.freeze({
    kind, name, attempt, ok: !isFailure,
    ...(error !== undefined && { error }),
    ...(child && { run: child.id, fromCache: child.fromCache, ...(child.intent && { intent: child.intent }) }),
  });
}
