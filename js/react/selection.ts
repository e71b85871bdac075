/** Which runs a list shows, and in which order. Pure functions over immutable states. */
import type { ListFilter, TaskState, TaskStatus } from '../types.ts';
import { matcher } from '../views/lists.ts';
import { noMembers, sameMembers, type Tree, treeOf } from './members.ts';

export type TaskFilter = Omit<ListFilter, 'cursor'> | ((state: TaskState) => boolean);

/** A name, or a compare function. `status`: what needs a person first. */
export type TaskSort = 'newest' | 'oldest' | 'updated' | 'status' | ((a: TaskState, b: TaskState) => number);

/** The chips of the header. */
export type TaskGroup = 'all' | 'active' | 'completed' | 'failed' | 'cancelled';
export const groups: readonly TaskGroup[] = ['all', 'active', 'completed', 'failed', 'cancelled'];
export type GroupCounts = Readonly<Record<TaskGroup, number>>;

export interface Selection {
  /** Of rows that stand by themselves. */
  readonly ids: readonly string[];
  /** By container: the rows under it. */
  readonly members: Tree['members'];
  readonly counts: GroupCounts;
}

const rank: Record<TaskStatus, number> = { failed: 0, running: 1, paused: 2, pending: 3, completed: 4, cancelled: 5 };
const compares = {
  updated: (a: TaskState, b: TaskState) => b.lastUpdated - a.lastUpdated,
  status: (a: TaskState, b: TaskState) => rank[a.status] - rank[b.status],
};

export function groupOf(status: TaskStatus): Exclude<TaskGroup, 'all'> {
  return status === 'completed' || status === 'failed' || status === 'cancelled' ? status : 'active';
}

/** What a list shows for it. @throws ConfigurationError for a filter that can't be meant */
export function matching(filter: TaskFilter, where: string): (state: TaskState) => boolean {
  if (typeof filter === 'function') return filter;
  const { limit: _, ...runs } = filter;
  return matcher(runs, where);
}

function sorted(states: TaskState[], sort: TaskSort): TaskState[] {
  if (sort === 'newest') return states; // as they come
  if (sort === 'oldest') return states.reverse();
  return states.sort(typeof sort === 'function' ? sort : compares[sort]);
}

export interface SelectionOptions {
  filter: TaskFilter | undefined;
  hideCompleted: boolean;
  sort: TaskSort;
  group: TaskGroup;
}

/** All ids of one group in order, and how many each group has. Linear, but for a sort. */
export function selectTasks(
  all: readonly TaskState[],
  { filter, hideCompleted, sort, group }: SelectionOptions,
): Selection {
  const counts: Record<TaskGroup, number> = { all: 0, active: 0, completed: 0, failed: 0, cancelled: 0 };
  const shown: TaskState[] = [];
  const isMeant = filter && matching(filter, '<TaskManager> filter');
  for (const state of all) {
    if (hideCompleted && state.status === 'completed') continue;
    if (isMeant && !isMeant(state)) continue;
    const own = groupOf(state.status);
    counts.all += 1;
    counts[own] += 1;
    if (group === 'all' || group === own) shown.push(state);
  }
  const { roots, members } = treeOf(sorted(shown, sort), sort === 'newest');
  return { ids: roots.map((state) => state.id), members, counts };
}

export function sameSelection(a: Selection, b: Selection): boolean {
  return (
    a.ids.length === b.ids.length &&
    groups.every((group) => a.counts[group] === b.counts[group]) &&
    a.ids.every((id, index) => id === b.ids[index]) &&
    sameMembers(a.members, b.members)
  );
}

export const nothingSelected: Selection = Object.freeze({
  ids: Object.freeze([]),
  members: noMembers,
  counts: Object.freeze({ all: 0, active: 0, completed: 0, failed: 0, cancelled: 0 }),
});
