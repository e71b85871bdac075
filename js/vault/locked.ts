/**
 * Runs that nobody here can read: their log is encrypted with another key. They are listed, as far as their outline
 * goes, and stay where they are until the right key is given.
 *
 * Invariant: nothing is written into a slot that can't be opened.
 */
import { outlinedIn } from './sealed-log.ts';
import { SealedSlot } from './sealed-storage.ts';
import { OutlineCancelled, OutlineCompleted, OutlineFailed, type Outlined } from './outline.ts';
import type { StorageSlot } from '../storage.ts';
import type { StorageState, TaskState, TaskStatus } from '../types.ts';

const statuses: Readonly<Record<number, TaskStatus>> = { [OutlineCompleted]: 'completed', [OutlineFailed]: 'failed', [OutlineCancelled]: 'cancelled' };

export class LockedRuns {
  readonly #slots = new Map<number, readonly TaskState[]>();
  readonly #changed: () => void;
  readonly #isHeld: (slot: number) => boolean;
  #overlaid: { state: StorageState; locked: StorageState } | undefined;

  /** @param isHeld another tab has the slot open: it has the key, and shows what is in it */
  constructor(changed: () => void, isHeld: (slot: number) => boolean) {
    this.#changed = changed;
    this.#isHeld = isHeld;
  }

  /** It could not be opened. */
  async found(slot: StorageSlot): Promise<void> {
    const log = await (slot instanceof SealedSlot ? slot.inner : slot).read();
    this.#slots.set(slot.slot, outlinedIn(log).map((run) => stateOf(slot.slot, run)));
    this.#overlaid = undefined;
    this.#changed();
  }

  /** It could be. */
  opened(slot: number): void {
    if (!this.#slots.delete(slot)) return;
    this.#overlaid = undefined;
    this.#changed();
  }

  get slots(): number[] {
    return [...this.#slots.keys()];
  }

  states(): TaskState[] {
    return [...this.#slots].flatMap(([slot, states]) => (this.#isHeld(slot) ? [] : states));
  }

  find(id: string): TaskState | undefined {
    return this.states().find((state) => state.id === id);
  }

  /** What is wrong otherwise is more urgent. */
  over(state: StorageState): StorageState {
    if (this.#slots.size === 0 || state.status !== 'ok') return state;
    const message = this.#words();
    if (message === undefined) return state;
    if (this.#overlaid?.state !== state || this.#overlaid.locked.message !== message) this.#overlaid = { state, locked: { ...state, status: 'locked', message } };
    return this.#overlaid.locked;
  }

  /** undefined: there is nothing to say. */
  #words(): string | undefined {
    const count = this.states().length;
    if (count === 0) return undefined;
    return `${count} run${count === 1 ? ' is' : 's are'} encrypted with another key. They are kept as they are, and go on when that key is given.`;
  }
}

function stateOf(slot: number, { task, what, createdAt, updatedAt }: Outlined): TaskState {
  const end = statuses[what];
  return Object.freeze({
    id: `locked_${slot}_${task}`,
    depth: 0,
    name: 'Locked',
    taskIdentifier: 'locked',
    status: end ?? 'paused',
    phase: (end as 'completed' | undefined) ?? 'blocked',
    reason: 'locked' as const,
    progress: end === 'completed' ? 100 : 0,
    createdAt,
    startTime: createdAt,
    ...(end && { endedAt: updatedAt }),
    lastUpdated: updatedAt,
    error: null,
    attempt: 0,
    retryCount: 0,
    maxRetries: 0,
    recoveries: 0,
    steps: 0,
    metadata: Object.freeze({}),
    tags: Object.freeze([]) as readonly string[],
    durable: true,
    fromCache: false,
    local: false,
  });
}
