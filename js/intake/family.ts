/** Parents and children: what a run knows of its family, and what its envelope keeps of it. */
import type { EnvelopeExtras } from '../journal/payloads.ts';
import type { Run } from '../runs/run.ts';

/** Whose child a run is, and as which. */
export interface Family {
  parent: Run;
  key: string;
  policy: number;
  depth: number;
  fingerprint: number;
}

export function beget(run: Run, { parent, key, policy, depth, fingerprint }: Family): void {
  const extra = run.ownExtra;
  extra.parent = parent;
  extra.parentId = parent.id;
  extra.rootId = parent.extra.rootId ?? parent.id;
  extra.childKey = key;
  extra.childPolicy = policy;
  extra.depth = depth;
  extra.fingerprint = fingerprint;
}

export function familyOf(run: Run): EnvelopeExtras['family'] {
  const { parentId, rootId, childKey, depth, fingerprint } = run.extra;
  return { parent: parentId!, root: rootId!, key: childKey!, depth, fingerprint };
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
}
