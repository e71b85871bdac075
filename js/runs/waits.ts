/**
 * Whom a run waits for, as far as this page knows: who has the lock it wants, its children, runs that hold the keys of
 * its children, who computes the same, who is to end before it. For those who would have it wait for one more.
 *
 * Invariant: only reads. What other tabs do, and what code waits for outside of `ctx`, is not seen here.
 */
import * as P from '../protocol.ts';
import { Run } from './run.ts';

export interface Wait {
  readonly run: Run;
  readonly isLock: boolean;
  readonly words: string;
}

/** Runs whose keys its children asked for; the handles may be those of other tabs' runs. */
export const joinedBy = new WeakMap<Run, Set<unknown>>();

export function waitsOf(from: Run): Wait[] {
  const waits: Wait[] = [];
  const add = (run: unknown, words: (id: string) => string, isLock = false) => {
    if (run instanceof Run) waits.push({ run, isLock, words: `run ${from.id} ${words(run.id)}` });
  };
  const { locks, sharing, key } = from.extra;
  for (const claim of locks?.claims ?? []) if (!claim.isHeld) add(claim.holder, (id) => `waits for the lock ${JSON.stringify(claim.key)}, which run ${id} holds`, true);
  // Let go, a child may well outlast him.
  for (const child of from.context?.durable?.children.keys() ?? []) if (child.extra.childPolicy === P.ChildPolicyCancel) add(child, (id) => `waits for its child ${id}`);
  for (const other of joinedBy.get(from) ?? []) add(other, (id) => `waits for run ${id}, which holds the key of its child`);
  if (sharing?.state === 'following' && !sharing.flight?.outcome) add(sharing.flight?.owner.run, (id) => `waits for run ${id}, which computes the same`);
  add(key?.after, (id) => `is to begin when run ${id} has ended`);
  return waits;
}

/** Why `from` can't go on before `to` does; undefined: it can, as far as this page knows. */
export function wayTo(to: Run, from: Run, seen = new Set<Run>()): Wait[] | undefined {
  if (from === to) return [];
  if (seen.has(from)) return undefined;
  seen.add(from);
  for (const wait of waitsOf(from)) {
    const way = wayTo(to, wait.run, seen);
    if (way) return [wait, ...way];
  }
  return undefined;
}
