/**
 * Would a run be answered, and why not: the same judgement as for a run, without its effects, and the
 * entry of the task that is most alike, with what differs.
 */
import { clone } from '../codec/codec.ts';
import { limited, peek } from './host.ts';
import { judge, type Miss, textOf } from './judge.ts';
import { type CacheKey, makeKey } from './key.ts';
import type { CachePlan } from './options.ts';
import type { Finish } from './outputs.ts';
import { checkEntry, withoutValue } from './packing.ts';
import type { Cache, CacheDifference, CacheEntry, CacheExplanation, CacheKeyContext } from './types.ts';
import type { Clock } from '../time/clock.ts';

/** Entries of the task that are looked at. */
const mostCompared = 500;

export interface ExplainQuestion {
  plan: CachePlan;
  clock: Clock;
  store: () => Promise<Cache>;
  input: unknown;
  context: CacheKeyContext;
  rootId: string;
  finish: Finish;
}

type Base = Pick<CacheExplanation, 'mode' | 'version' | 'key'>;

export async function explain(question: ExplainQuestion): Promise<CacheExplanation> {
  const { plan, input, context, rootId } = question;
  if (plan.mode === 'off')
    return { outcome: 'off', mode: 'off', version: plan.version, message: `"${context.task.id}" is not cached. Give its definition, the call or the process a cache mode.` };
  const base: Base = { mode: plan.mode, version: plan.version };
  let key: CacheKey | undefined;
  try {
    key = await makeKey({ plan, input: clone(input, 'input'), context, rootId });
  } catch (error) {
    return missed(base, { kind: 'miss', reason: 'key', detail: textOf(error) });
  }
  if (!key) return missed(base, { kind: 'miss', reason: 'key', detail: 'cache.key gives undefined for this input' });
  const keyed = { ...base, key: key.key };
  if (!plan.reads) return missed(keyed, { kind: 'miss', reason: 'mode', detail: `the mode is ${plan.mode}` });
  return explainKeyed(question, plan, key, keyed);
}

async function explainKeyed({ clock, store, input, finish }: ExplainQuestion, plan: CachePlan, key: CacheKey, base: Base): Promise<CacheExplanation> {
  const opened = await store();
  const nowMs = clock.now();
  const found = await peek(clock, opened, key.key);
  const verdict = await judge({ plan, found, isCopy: opened.copies === true, input: () => clone(input, 'input'), finish, nowMs });
  if (verdict.kind === 'miss') {
    const nearest = verdict.reason === 'absent' ? await nearestTo(opened, clock, plan, key) : undefined;
    return { ...missed(base, verdict, nearest), ...(nearest && { nearest }) };
  }
  const entry = withoutValue(verdict.entry);
  const age = `${Math.max(0, nowMs - entry.createdAt)} ms old, of run ${entry.meta.runId}`;
  if (verdict.kind === 'failure') return { outcome: 'hit', ...base, entry, message: `Hit: a failure, ${age}: ${verdict.error.message}` };
  const { migrations, stale } = verdict;
  const way = migrations.length > 0 ? `, migrated from version ${entry.version} to ${plan.version}` : '';
  return {
    outcome: stale ? 'stale' : 'hit',
    ...base,
    entry,
    ...(migrations.length > 0 && { migrations }),
    message: stale ? `Stale: it is given (${age}${way}) and computed anew behind it.` : `Hit: ${age}${way}.`,
  };
}

function missed(base: Base, { reason, detail, entry }: Miss, nearest?: CacheExplanation['nearest']): CacheExplanation {
  return { outcome: 'miss', ...base, reason, ...(entry && { entry: withoutValue(entry) }), message: `Miss: ${wordsOf(reason, detail, nearest)}.` };
}

function wordsOf(reason: Miss['reason'], detail: string | undefined, nearest: CacheExplanation['nearest']): string {
  if (reason !== 'absent') return `${detail ?? reason}${reason === 'expired' || reason === 'version' || reason === 'newer' || reason === 'mode' ? '' : ` (${reason})`}`;
  if (!nearest) return 'there is no entry of this task that is alike';
  const shown = nearest.differences.slice(0, 3).map(({ path, was, is }) => `${path} was ${was ?? 'absent'} and is ${is ?? 'absent'}`);
  const more = nearest.differences.length - shown.length;
  return `the nearest entry differs: ${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

async function nearestTo(store: Cache, clock: Clock, plan: CachePlan, key: CacheKey): Promise<CacheExplanation['nearest']> {
  if (!store.keys) return undefined;
  const keys = (await limited(clock, 'listing', store.keys({ task: plan.spec.id }))).slice(0, mostCompared);
  const asked = key.inputs();
  let nearest: CacheExplanation['nearest'];
  for (const other of keys) {
    const entry = await readable(store, clock, other);
    if (!entry?.meta.inputs) continue;
    const differences = differencesOf(entry.meta.inputs, asked);
    if (!nearest || differences.length < nearest.differences.length) nearest = { key: other, entry: withoutValue(entry), differences };
  }
  return nearest;
}

async function readable(store: Cache, clock: Clock, key: string): Promise<CacheEntry | undefined> {
  try {
    const entry = await peek(clock, store, key);
    checkEntry(entry);
    return entry;
  } catch {
    return undefined;
  }
}

/** By path; nothing differs where the two were asked in another scope. */
export function differencesOf(was: Readonly<Record<string, string>>, is: Readonly<Record<string, string>>): CacheDifference[] {
  const paths = [...new Set([...Object.keys(is), ...Object.keys(was)])];
  return paths
    .filter((path) => was[path] !== is[path])
    .map((path) => ({ path, ...(was[path] !== undefined && { was: was[path] }), ...(is[path] !== undefined && { is: is[path] }) }));
}
