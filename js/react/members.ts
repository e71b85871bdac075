/**
 * Containers (a batch, a chain, a swarm, a graph) and their members, as the panel shows them: who stands under whom, and how far
 * they are. Pure functions over immutable states.
 *
 * Invariant: every run that is shown stands in one place: under its container, where that is shown too, or by itself.
 */
import type { TaskState, TaskStatus } from '../types.ts';
import type { LabelKey } from './labels.ts';

const kinds: Readonly<Record<string, LabelKey>> = {
  'holdfast/batch': 'batch',
  'holdfast/chain': 'chain',
  'holdfast/swarm': 'swarm',
  'holdfast/branch': 'branch',
  'holdfast/fallback': 'fallback',
  'holdfast/graph': 'graph',
};

/** undefined: it is no container. */
export function kindOf({ taskIdentifier }: TaskState): LabelKey | undefined {
  return Object.hasOwn(kinds, taskIdentifier) ? kinds[taskIdentifier] : undefined;
}

export interface Tree {
  readonly roots: readonly TaskState[];
  /** By container, in the order of the roots. */
  readonly members: ReadonlyMap<string, readonly string[]>;
}

/** Linear. @param shown in the order in which they are to stand; @param isNewestFirst members stand as they were made */
export function treeOf(shown: readonly TaskState[], isNewestFirst: boolean): Tree {
  const containers = new Set<string>();
  for (const state of shown) if (kindOf(state)) containers.add(state.id);
  if (containers.size === 0) return { roots: shown, members: noMembers };
  const roots: TaskState[] = [];
  const members = new Map<string, string[]>();
  for (const state of shown) {
    const { id, parentId } = state;
    if (parentId === undefined || !containers.has(parentId)) {
      roots.push(state);
      continue;
    }
    const siblings = members.get(parentId);
    if (siblings) siblings.push(id);
    else members.set(parentId, [id]);
  }
  if (isNewestFirst) for (const siblings of members.values()) siblings.reverse();
  return { roots, members };
}

export const noMembers: ReadonlyMap<string, readonly string[]> = new Map();

export function sameMembers(a: Tree['members'], b: Tree['members']): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [id, own] of a) {
    const other = b.get(id);
    if (other === undefined || own.length !== other.length || own.some((member, index) => member !== other[index])) return false;
  }
  return true;
}

/** How many there are, and how many of them stand so. */
export type Tally = Readonly<Record<TaskStatus | 'total', number>>;

const empty = () => ({ total: 0, pending: 0, running: 0, paused: 0, completed: 0, failed: 0, cancelled: 0 });
export const noTally: Tally = Object.freeze(empty());
const tallies = new WeakMap<readonly TaskState[], Map<string, Tally>>();

/** Of the members of one container. All are counted at once, for whichever asks first. */
export function tallyOf(all: readonly TaskState[], container: string): Tally {
  let known = tallies.get(all);
  if (!known) tallies.set(all, (known = count(all)));
  return known.get(container) ?? noTally;
}

function count(all: readonly TaskState[]): Map<string, Tally> {
  const byParent = new Map<string, ReturnType<typeof empty>>();
  for (const { parentId, status } of all) {
    if (parentId === undefined) continue;
    let tally = byParent.get(parentId);
    if (!tally) byParent.set(parentId, (tally = empty()));
    tally.total++;
    tally[status]++;
  }
  return byParent;
}
