/** Parents and children: what a run knows of its family, and what its envelope keeps of it. */
import { ConfigurationError } from '../errors.ts';
import { type EnvelopeExtras, placeMark } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import type { CommandBuffer } from '../pump/engine.ts';
import type { Run } from '../runs/run.ts';
import type { RunItem } from '../types.ts';
import { checkNames, refuse, wholeNumber } from './checks.ts';

/** Whose child a run is, and as which. */
export interface Family {
  parent: Run;
  key: string;
  policy: number;
  depth: number;
  fingerprint: number;
  item?: RunItem | undefined;
  /** A group of the core that it joins. */
  group?: number | undefined;
}

export function beget(run: Run, { parent, key, policy, depth, fingerprint, item, group = 0 }: Family): void {
  const extra = run.ownExtra;
  extra.parent = parent;
  extra.parentId = parent.id;
  extra.rootId = parent.extra.rootId ?? parent.id;
  extra.childKey = key;
  extra.childPolicy = policy;
  extra.depth = depth;
  extra.fingerprint = fingerprint;
  extra.item = item;
  extra.group = group;
}

/** A member's place, where it stands with its id; undefined: its family says it. */
export function placeOf({ extra }: Run): string | undefined {
  const { group, item, childKey } = extra;
  return group !== 0 && item === undefined && childKey !== undefined && !childKey.includes(placeMark) ? childKey : undefined;
}

export function familyOf(run: Run): EnvelopeExtras['family'] {
  if (placeOf(run) !== undefined) return siblingsOf(run);
  const { parentId, rootId, childKey, depth, fingerprint, item } = run.extra;
  return { parent: parentId!, root: rootId!, key: childKey!, depth, fingerprint, ...(item && { item }) };
}

/** The same object for all members of one container: what is written of them is encoded once. */
function siblingsOf({ extra: { parent, parentId, rootId, depth } }: Run): EnvelopeExtras['family'] {
  return (parent!.ownExtra.siblings ??= Object.freeze({ parent: parentId!, root: rootId!, depth, fingerprint: 0 }));
}

/** What it begins after. REQUIRES: the core knows those. @throws where one of them was refused */
export function sayAfter(run: Run, after: readonly (Run | number)[], commands: CommandBuffer): void {
  for (let at = 0; at < after.length; at += 2) {
    const { task, extra } = after[at] as Run;
    if (task === 0) throw extra.refusal ?? new ConfigurationError(`Run ${run.id} begins after a run that is not there.`);
    commands.push(P.CommandDependOn, run.task, task, after[at + 1] as number);
  }
  run.ownExtra.after = undefined;
}

/** Believes nothing: other scripts of the origin can write what is read here. */
export function readFamily(run: Run, family: EnvelopeExtras['family']): void {
  if (!family || typeof family.parent !== 'string' || typeof family.key !== 'string') return;
  const extra = run.ownExtra;
  extra.parentId = family.parent;
  extra.rootId = typeof family.root === 'string' ? family.root : family.parent;
  extra.childKey = family.key;
  extra.depth = Number.isInteger(family.depth) ? Math.max(1, family.depth) : 1;
  extra.fingerprint = Number(family.fingerprint) || 0;
  extra.item = readItem(family.item);
}

/** What a call says of the item that a child is for, by value. @throws ConfigurationError */
export function checkItem(item: RunItem, where: string): RunItem {
  checkNames(item, ['id', 'index', 'total'], where);
  const { id, index, total } = item;
  if (typeof id !== 'string' || id === '') refuse(`${where}.id`, 'text of at least one character', id);
  wholeNumber(index, `${where}.index`, 0);
  if (total !== undefined) wholeNumber(total, `${where}.total`, index + 1);
  return Object.freeze({ id, index, ...(total !== undefined && { total }) });
}

function readItem(item: unknown): RunItem | undefined {
  try {
    return item === undefined ? undefined : checkItem(item as RunItem, 'item');
  } catch {
    return undefined;
  }
}
