/**
 * How many wait in the queues of this page, after each step of the core: runs that are let in when there is room, and people
 * who wait for a size.
 * Invariant: of a queue that blocks no more than its bound wait; who waits to be let in is let in as it came. Whoever waits
 * here for nothing costs a step one look.
 */
import { QueueOverflowError } from '../errors.ts';
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { disposedError } from '../runs/disposed.ts';
import type { Run } from '../runs/run.ts';
import { locksOf } from './queue-table.ts';

interface Line {
  blockAt: number;
  runs: Run[];
  /** Let in; the core hears of them with its next step. */
  coming: Set<Run>;
}

interface Watcher {
  isSo: () => boolean;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** What looks at some queues after each step. */
interface Room {
  stepped(names: ReadonlySet<string>): void;
  close(): void;
}

export class QueueSizes {
  readonly #house: Orchestrator;
  readonly #lines = new Map<number, Line>();
  readonly #watchers = new Set<Watcher>();
  /** For queues that all tabs share, and for those whose concurrency is found out. */
  readonly #shares = new Lazy<Room>(async () => new (await import('./origin-shares.ts')).OriginShares(this.#house));
  readonly #adaptive = new Lazy<Room>(async () => new (await import('./adaptive.ts')).AdaptiveQueues(this.#house));
  readonly #loading = new Set<Lazy<Room>>();
  readonly #warned = new Set<string>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** Of runs that have never begun. */
  of(queue: number): number {
    const { pump } = this.#house;
    return pump.open ? pump.engine.queueValue(queue, P.QueueValueWaiting) : 0;
  }

  /** false: it waits here. */
  letsIn(run: Run, queue: number, blockAt: number): boolean {
    let line = this.#lines.get(queue);
    if (!line) this.#lines.set(queue, (line = { blockAt, runs: [], coming: new Set() }));
    line.blockAt = blockAt;
    if (line.coming.has(run)) return true;
    if (line.runs.length === 0 && this.of(queue) + line.coming.size < blockAt) {
      line.coming.add(run);
      return true;
    }
    line.runs.push(run);
    return false;
  }

  /** Who waits here, and who was let in and is not known to the core yet. */
  blocked(queue: number): number {
    const line = this.#lines.get(queue);
    return line ? line.runs.length + line.coming.size : 0;
  }

  /** It waits here itself. */
  isOutside(run: Run): boolean {
    return [...this.#lines.values()].some(({ runs }) => runs.includes(run));
  }

  /** true: it waited here, and does not any more. */
  withdraw(run: Run): boolean {
    for (const { runs } of this.#lines.values()) {
      const index = runs.indexOf(run);
      if (index < 0) continue;
      runs.splice(index, 1);
      return true;
    }
    return false;
  }

  stepped(): void {
    if (this.#lines.size > 0) this.#letIn();
    const { shared, adaptive } = this.#house.table.queues;
    // Who is shared no longer gives back what it has.
    if (shared.size > 0 || this.#shares.loaded) this.#share(shared);
    if (adaptive.size > 0) this.#use(this.#adaptive, adaptive);
    for (const watcher of this.#watchers) {
      if (!watcher.isSo()) continue;
      this.#watchers.delete(watcher);
      watcher.resolve();
    }
  }

  #share(names: ReadonlySet<string>): void {
    if (!locksOf(this.#house)) return this.#warnOnce("This page has no Web Locks (plain http): a queue's scope 'origin' is this tab's alone.");
    this.#use(this.#shares, names);
  }

  /** What is loaded with the first such queue sees each step from then on. */
  #use(room: Lazy<Room>, names: ReadonlySet<string>): void {
    if (room.loaded) return room.loaded.stepped(names);
    if (this.#loading.has(room)) return;
    this.#loading.add(room);
    room.load().then(
      (loaded) => this.#house.pump.open && loaded.stepped(names),
      (error) => {
        this.#loading.delete(room);
        this.#warnOnce(`Code for queues can't be loaded: ${error?.message ?? error}`);
      },
    );
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#house.warn(message);
  }

  #letIn(): void {
    for (const [queue, line] of this.#lines) {
      // Those that the core has heard of count there.
      for (const run of line.coming) if (run.task !== 0 || run.extra.refusal !== undefined) line.coming.delete(run);
      const room = line.blockAt - this.of(queue) - line.coming.size;
      if (room <= 0) continue;
      for (const run of line.runs.splice(0, room)) {
        line.coming.add(run);
        this.#house.pump.enqueue(run);
      }
      if (line.runs.length === 0 && line.coming.size === 0) this.#lines.delete(queue);
    }
  }

  /** @throws DisposedError */
  until(isSo: () => boolean): Promise<void> {
    if (this.#house.disposed) return Promise.reject(disposedError());
    if (isSo()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#watchers.add({ isSo, resolve, reject }));
  }

  close(): void {
    this.#shares.loaded?.close();
    this.#adaptive.loaded?.close();
    for (const watcher of this.#watchers) watcher.reject(disposedError());
    this.#watchers.clear();
  }
}


export function overflowError({ options, taskIdentifier }: Run): QueueOverflowError {
  const name = options?.queueName;
  const queue = name === undefined ? 'Its queue' : `Queue ${JSON.stringify(name)}`;
  return new QueueOverflowError(`${queue} is full: "${taskIdentifier}" was not accepted. Give it a greater maxSize, or another overflow: 'block', 'drop-oldest' …`);
}
