/**
 * The page's one small worker. It holds the OPFS files (their fast handles exist only in workers) and
 * the timer (a hidden page's own timers come once a minute; a worker's are exact).
 *
 *   page → worker   { timer: atMs | null, now: nowMs }   sets the one timer, or takes it back
 *                   { watch: boolean }                    counts the time in which it stands still, or no more
 *                   { id, op: 'standstill' }              answers with that count, in ms
 *                   { id, op, … }                         an OPFS operation (storage/opfs-service.ts)
 *   worker → page   { timer: true }                       it is due
 *                   { id, value | error }  { event, handle }
 */

import type { Directory, HostEvent } from '../storage/opfs-host.ts';
import { type Answer, OpfsService, type Request } from '../storage/opfs-service.ts';
import { systemTimers, type Timers } from '../storage/wait.ts';

/** Longer delays overflow to zero in every browser. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export interface WorkerScope {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: { data: any }) => void) | null;
}

class Alarm {
  readonly #timers: Timers;
  readonly #ring: () => void;
  #cancel: (() => void) | undefined;

  constructor(timers: Timers, ring: () => void) {
    this.#timers = timers;
    this.#ring = ring;
  }

  set(delayMs: number | null): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (delayMs === null) return;
    const stepMs = Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS);
    this.#cancel = this.#timers.after(stepMs, () => {
      if (delayMs > stepMs) this.set(delayMs - stepMs);
      else this.#ring();
    });
  }
}

const TICK_MS = 1000;
/** Later than that no busy machine lets a timer ring. */
const SILENCE_MS = 3000;

/**
 * Counts the time in which no timer of this worker rang, by the clock on the wall: the machine slept, or the
 * page was frozen and its workers with it. A busy page is no such thing: its code runs, and so does this one.
 */
class Watch {
  readonly #timers: Timers;
  readonly #wallMs: () => number;
  #cancel: (() => void) | undefined;
  #seenMs = 0;
  #totalMs = 0;

  constructor(timers: Timers, wallMs: () => number) {
    this.#timers = timers;
    this.#wallMs = wallMs;
  }

  set(watching: boolean): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (!watching) return;
    this.#seenMs = this.#wallMs();
    this.#totalMs = 0;
    this.#tick();
  }

  count(): number {
    const nowMs = this.#wallMs();
    if (this.#cancel && nowMs - this.#seenMs > SILENCE_MS) this.#totalMs += nowMs - this.#seenMs;
    this.#seenMs = nowMs;
    return this.#totalMs;
  }

  #tick(): void {
    this.#cancel = this.#timers.after(TICK_MS, () => {
      this.count();
      this.#tick();
    });
  }
}

/** Answers what comes in on `scope`. */
export function serve(
  scope: WorkerScope,
  timers: Timers = systemTimers,
  root?: () => Promise<Directory>,
  wallMs: () => number = Date.now,
): void {
  const post = (message: Answer | HostEvent, transfer: Transferable[] = []) => scope.postMessage(message, transfer);
  const alarm = new Alarm(timers, () => scope.postMessage({ timer: true }, []));
  const watch = new Watch(timers, wallMs);
  const files = new OpfsService(post, timers, root);
  scope.onmessage = ({ data }) => {
    if (data === null || typeof data !== 'object') return;
    if (data.op === 'standstill') post({ id: data.id, value: watch.count() });
    else if ('op' in data) files.handle(data as Request);
    else if ('watch' in data) watch.set(data.watch === true);
    else if ('timer' in data) alarm.set(data.timer === null ? null : data.timer - data.now);
  };
}

const scope = globalThis as unknown as { DedicatedWorkerGlobalScope?: new () => object };
if (scope.DedicatedWorkerGlobalScope && globalThis instanceof scope.DedicatedWorkerGlobalScope) {
  serve(globalThis as unknown as WorkerScope);
}
