/**
 * What the options of a call mean beside those of its definition. Pure.
 * Invariant: whatever is not looked up here is resolved anew (`options.ts`), which costs a call some microseconds.
 */
import type { Process } from '../definition/process.ts';
import { joinTags } from '../definition/tags.ts';
import { keyOptionNames } from '../identity/key.ts';
import { keyNumber, limitedRunChecks } from '../limiting/settings.ts';
import type { TriggerOptions } from '../types.ts';
import type { Family } from './family.ts';
import type { ResolvedRunOptions } from './options.ts';
import type { Definition } from './registry.ts';

const unheardByCore: ReadonlySet<string> = new Set(['id', 'name', 'metadata', 'tags', 'propagateTags', 'process', 'cache', ...keyOptionNames]);

/** These change nothing of what the core is told. */
export function triggerChangesOptions(options: TriggerOptions): boolean {
  for (const name in options) if (!unheardByCore.has(name)) return true;
  return false;
}

/** Nothing but what is each call's own. */
export function triggerSaysLittle(options: TriggerOptions): boolean {
  for (const name in options) if (name !== 'delay' && name !== 'concurrencyKey' && !unheardByCore.has(name)) return false;
  return true;
}

/** Something that a run keeps in its extra. */
export function saysMore({ name, process, cache }: TriggerOptions): boolean {
  return name !== undefined || process !== undefined || cache !== undefined;
}

/** A delay and a key are each call's own, and change nothing else. @throws ConfigurationError */
export function withLittle(prepared: ResolvedRunOptions, { delay, concurrencyKey }: TriggerOptions): ResolvedRunOptions {
  if (concurrencyKey !== undefined) limitedRunChecks.concurrencyKey(concurrencyKey, 'concurrencyKey');
  return delay === undefined ? prepared : { ...prepared, delay, plain: false };
}

/** Kept with the run, so that runs of ten thousand keys share their options; 0: none counts for it. */
export function callKey({ parts, turn }: ResolvedRunOptions, { concurrencyKey }: TriggerOptions): number {
  return concurrencyKey !== undefined && (parts !== undefined || turn !== undefined) ? keyNumber(concurrencyKey) : 0;
}

/** No run of a process goes on longer than the whole of it. */
export function withinProcess(resolved: ResolvedRunOptions, leftMs: number): ResolvedRunOptions {
  const deadlineMs = Math.max(1, Math.min(leftMs, resolved.deadlineMs || Number.POSITIVE_INFINITY));
  return { ...resolved, deadlineMs, plain: false };
}

/** @throws ConfigurationError for more than ten in all */
export function tagsOf({ id, spec }: Definition, options: TriggerOptions | undefined, process: Process | undefined, family: Family | undefined): readonly string[] | undefined {
  const above = family?.parent.extra.propagateTags ? family.parent.extra.tags : undefined;
  if (spec.tags === undefined && options?.tags === undefined && process?.options.tags === undefined && !above) return undefined;
  return joinTags([above, process?.options.tags, spec.tags, options?.tags], `tags of "${id}"`);
}

/** A handler in a worker brings a shorter grace of its own. */
export function handlerDefaults({ handler }: Definition): TriggerOptions {
  const { graceMs } = handler as { graceMs?: number };
  return graceMs === undefined ? {} : { graceMs };
}
