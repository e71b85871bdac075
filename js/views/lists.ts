/**
 * Lists, pages and counts over runs of this tab and of others. Newest first.
 * Invariant: the same array and the same counts until something changed.
 */
import { checkBoolean, checkEach, checkNames, checkText, oneOf, refuse, wholeNumber } from '../intake/checks.ts';
import { checkTags } from '../definition/tags.ts';
import { toInstant } from '../intake/duration.ts';
import type { Pump } from '../pump/pump.ts';
import type { RunIndex } from '../runs/run-index.ts';
import { taskStatuses } from '../runs/status.ts';
import type { Instant, ListFilter, RunFilter, TaskCounts, TaskPage, TaskState, TaskStatus } from '../types.ts';
import { standing, Statuses } from './view.ts';

interface Elsewhere {
  states(): TaskState[];
}

export interface ListsHost {
  readonly pump: Pump;
  readonly store: { readonly version: number };
  /** Not before the constructor has ended. */
  readonly opening: { readonly tabs: Elsewhere | undefined; readonly lockedRuns: Elsewhere | undefined } | undefined;
}

/** What nobody sees who does not ask for it. */
type Unasked = Pick<RunFilter, 'hidden' | 'removed'>;

function isShown(state: TaskState, { hidden, removed }: Unasked): boolean {
  return (hidden || !state.hidden) && (removed || state.removedUntil === undefined) === true;
}

export class Lists {
  readonly #index: RunIndex;
  readonly #host: ListsHost;
  #all: readonly TaskState[] = Object.freeze([]);
  #counts: TaskCounts | undefined;
  #seen = -1;
  #countedAt = -1;

  constructor(index: RunIndex, host: ListsHost) {
    this.#index = index;
    this.#host = host;
  }

  all(): readonly TaskState[] {
    this.#refresh();
    return this.#all;
  }

  counts(): TaskCounts {
    const { version } = this.#host.store;
    if (this.#counts && version === this.#countedAt) return this.#counts;
    const counts = { total: 0 } as Record<TaskStatus | 'total', number>;
    for (const status of taskStatuses) counts[status] = 0;
    this.#eachStatus((status) => {
      counts[status]++;
      counts.total++;
    });
    this.#countedAt = version;
    this.#counts = Object.freeze(counts);
    return this.#counts;
  }

  /** Without making any run's state: counting a hundred thousand takes milliseconds. */
  #eachStatus(tell: (status: TaskStatus) => void): void {
    const { pump } = this.#host;
    const engine = pump.open ? pump.engine : undefined;
    for (const run of this.#index.each()) if (!run.extra.hidden && run.extra.removedUntilMs === 0) tell(run.extra.snapshot?.status ?? standing(engine, run).status);
    const statuses = new Statuses(engine);
    for (const task of pump.untaken()) {
      const status = statuses.of(task);
      if (status) tell(status);
    }
    for (const { status } of this.#elsewhere({})) tell(status);
  }

  #read(filter: Unasked = {}): TaskState[] {
    const own = this.#index.all().filter(({ extra }) => (filter.hidden || !extra.hidden) && (filter.removed || extra.removedUntilMs === 0));
    return [...own.map((run) => run.state), ...this.#elsewhere(filter)].sort(newestFirst);
  }

  /** Runs of other tabs, but for those that have become ours, and runs that nobody here can open. */
  #elsewhere(filter: Unasked): TaskState[] {
    const { tabs, lockedRuns } = this.#host.opening ?? {};
    return [...(tabs?.states() ?? []), ...(lockedRuns?.states() ?? [])].filter((state) => isShown(state, filter) && !this.#index.find(state.id));
  }

  /** @throws ConfigurationError for a limit that is none */
  page(filter: ListFilter = {}): TaskPage {
    const { limit, cursor, ...runs } = checked(filter);
    const matches = matcher(runs, 'list');
    const items: TaskState[] = [];
    for (const state of filter.hidden || filter.removed ? this.#read(filter) : this.all()) {
      if (cursor !== undefined && position(state) >= cursor) continue;
      if (!matches(state)) continue;
      if (items.length === limit) return { items, cursor: position(items.at(-1)!) };
      items.push(state);
    }
    return { items };
  }

  #refresh(): void {
    const { version } = this.#host.store;
    if (version === this.#seen) return;
    this.#seen = version;
    this.#all = Object.freeze(this.#read());
  }
}

function checked(filter: ListFilter): ListFilter & { limit: number } {
  checkNames(filter, [...Object.keys(filterChecks), 'limit', 'cursor'], 'list');
  const { limit = 100, cursor, ...runs } = filter;
  wholeNumber(limit, 'list limit', 1);
  if (cursor !== undefined && !(typeof cursor === 'string' && /^\d{16} ./.test(cursor))) refuse('list cursor', 'what an earlier list gave as its cursor', cursor);
  return { limit, ...(cursor !== undefined && { cursor }), ...runs };
}

const filterChecks = {
  status: (value: unknown, where: string) => {
    for (const status of Array.isArray(value) ? value : [value]) oneOf(status, taskStatuses, where);
  },
  taskIdentifier: checkText,
  tags: (value: unknown, where: string) => void checkTags(value, where),
  text: checkText,
  hidden: checkBoolean,
  removed: checkBoolean,
  version: (value: unknown, where: string) => {
    if (typeof value !== 'number' && typeof value !== 'string') refuse(where, 'a number or a text', value);
  },
  parentId: checkText,
  rootId: checkText,
  batch: checkText,
  queue: checkText,
  from: (value: unknown, where: string) => void momentOf(value as Instant, where),
  to: (value: unknown, where: string) => void momentOf(value as Instant, where),
};

/** @throws ConfigurationError, for a duration too: from when should it count? */
const momentOf = (value: Instant, where: string): number => toInstant(value, where, Number.NaN);

/** @throws ConfigurationError for a filter that can't be meant */
export function matcher(filter: RunFilter, where: string): (state: TaskState) => boolean {
  checkNames(filter, Object.keys(filterChecks), where);
  checkEach(filter, filterChecks, where);
  const { status, taskIdentifier, tags, text, version, parentId, rootId, batch, queue, from, to } = filter;
  const fromMs = from === undefined ? Number.NEGATIVE_INFINITY : momentOf(from, where);
  const toMs = to === undefined ? Number.POSITIVE_INFINITY : momentOf(to, where);
  const tagged = typeof tags === 'string' ? [tags] : tags;
  const wanted = status === undefined ? undefined : new Set<TaskStatus>(typeof status === 'string' ? [status] : status);
  const needle = text?.toLowerCase();
  return (state) => {
    if (!isShown(state, filter)) return false;
    if (wanted && !wanted.has(state.status)) return false;
    if (taskIdentifier !== undefined && state.taskIdentifier !== taskIdentifier) return false;
    if (version !== undefined && state.version !== version) return false;
    if ((parentId !== undefined && state.parentId !== parentId) || (rootId !== undefined && state.rootId !== rootId)) return false;
    if ((batch !== undefined && state.parentId !== batch) || (queue !== undefined && state.queue !== queue)) return false;
    if (state.createdAt < fromMs || state.createdAt >= toMs) return false;
    if (tagged && !tagged.every((tag) => state.tags.includes(tag))) return false;
    return !needle || `${state.name}\n${state.id}`.toLowerCase().includes(needle);
  };
}

/** Sorts as the list does, whatever ids people chose. */
function position(state: TaskState): string {
  return `${state.createdAt.toString().padStart(16, '0')} ${state.id}`;
}

/** Newest first. */
function newestFirst(one: TaskState, other: TaskState): number {
  return other.createdAt - one.createdAt || (one.id < other.id ? 1 : -1);
}
