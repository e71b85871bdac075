/**
 * Keys of entries:
 *
 *   key := [@ root run /] task / name
 *   name := text of `cache.key`, as it is, [#hash] | hash
 *   hash := SHA-256 of the canonical text of what the run was asked, process options and salt
 *
 * Task and root run are written as in a URL, so no id can look like another's key.
 *
 * The version of the task is not in it: an entry that could not be found by newer code could not be
 * migrated by it either. It stands in the entry, and every reader compares it.
 */
import { canonical, fieldsOf } from './canonical.ts';
import { digestText } from './digest.ts';
import type { CachePlan } from './options.ts';
import type { CacheFilter, CacheKeyContext } from './types.ts';

/** Keys are made anew when the form of the canonical text changes. */
const form = 'holdfast cache 1';
const longestName = 512;

export interface CacheKey {
  key: string;
  /** What it was made of, by name: for `explain`. */
  inputs: () => Record<string, string>;
}

export interface KeyQuestion {
  plan: CachePlan;
  input: unknown;
  context: CacheKeyContext;
  /** Of the root run, for `scope: 'run'`. */
  rootId: string;
}

/** undefined: `cache.key` says that this input is not to be cached. Rejects where a file can't be read or `cache.key` throws. */
export async function makeKey({ plan, input, context, rootId }: KeyQuestion): Promise<CacheKey | undefined> {
  const own = plan.options.key ? await plan.options.key(input, context) : undefined;
  if (plan.options.key && own === undefined) return undefined;
  const asked = plan.options.key ? { key: own } : { input };
  const extra = extraOf(plan, context);
  const isText = typeof own === 'string' && own.length <= longestName;
  const hashed = isText ? (extra ? await canonical([form, extra]) : '') : await canonical([form, asked, extra]);
  const hash = hashed === '' ? '' : digestText(hashed);
  // A text that has a # of its own must not look like another one with its hash.
  const name = !isText ? hash : hash !== '' || own.includes('#') ? `${own}#${hash}` : own;
  return {
    key: keyBegin(plan.spec.id, plan.scope === 'run' ? rootId : undefined) + name,
    inputs: () => ({ ...fieldsOf(Object.values(asked)[0], Object.keys(asked)[0]!), ...(extra && fieldsOfExtra(extra)) }),
  };
}

interface Extra {
  options?: Record<string, unknown>;
  salt?: string;
}

/** Declared options of the process and the salt; undefined where there are neither. */
function extraOf({ optionNames, salt }: CachePlan, { options }: CacheKeyContext): Extra | undefined {
  const values = options as Readonly<Record<string, unknown>>;
  const declared = optionNames.filter((name) => values[name] !== undefined).map((name) => [name, values[name]]);
  if (declared.length === 0 && salt === undefined) return undefined;
  return { ...(declared.length > 0 && { options: Object.fromEntries(declared) }), ...(salt !== undefined && { salt }) };
}

function fieldsOfExtra({ options, salt }: Extra): Record<string, string> {
  return { ...(options && fieldsOf(options, 'options')), ...(salt !== undefined && { salt: JSON.stringify(salt) }) };
}

/** What the keys of a task begin with. */
export function keyBegin(task: string, rootId?: string): string {
  const begin = `${encodeURIComponent(task)}/`;
  return rootId === undefined ? begin : rootBegin(rootId) + begin;
}

/** What the private keys under a root run begin with. */
export function rootBegin(rootId: string): string {
  return `@${encodeURIComponent(rootId)}/`;
}

/** Does an entry with this key, task and tags meet the filter? */
export function meets(filter: CacheFilter, key: string, task: string, tags: readonly string[] | undefined): boolean {
  if (filter.tag !== undefined && !tags?.includes(filter.tag)) return false;
  if (filter.task !== undefined && filter.task !== task) return false;
  if (filter.prefix === undefined) return true;
  if (filter.task === undefined) return key.startsWith(filter.prefix);
  const begin = keyBegin(filter.task);
  const at = key.startsWith('@') ? key.indexOf('/') + 1 : 0;
  return key.startsWith(begin, at) && key.startsWith(filter.prefix, at + begin.length);
}
