/**
 * Time and scheduling, as a port. Nothing else in js/ reads a clock, sets a timer or waits for a frame.
 *
 * Invariant: the whole house has one host timer armed, for the earliest of all deadlines. In a page it
 * lives in a small worker, because page timers drop to one a minute in hidden tabs and a worker's don't.
 * What may be a minute late has the page's own, so that it alone makes no worker.
 */

import { checkNumber } from '../intake/checks.ts';
import { toMilliseconds } from '../intake/duration.ts';
import type { Duration } from '../types.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls back once at or after `atMs`; gives the way to cancel.
   * @param lateMs how late it may be, beside what a busy page takes; default 0
   */
  schedule(atMs: number, callback: () => void, lateMs?: number): () => void;
  /** Calls back in a fresh macrotask, after the page had its turn to render and take input. */
  defer(callback: () => void): void;
  /** Calls back before the next frame, or soon when the page is hidden. */
  frame(callback: () => void): void;
  /** Watches for times in which nothing can run here. A clock without it, or with `undefined`, knows of none. */
  watchStandstill?(): Standstill | undefined;
  /** Releases timers and workers. */
  dispose(): void;
}

/** What the house asks of the page itself, also while `checkDeterminism` listens to what people's code asks it. */
export const outside = {
  now: (): number => Date.now(),
  /** Milliseconds of this page, which nobody sets. */
  elapsed: (): number => performance.now(),
  fetch: (...args: Parameters<typeof fetch>): Promise<Response> => fetch(...args),
};

/** The wall clock of whoever has no clock of its own: code in a worker. */
export function wallClockMs(): number {
  return outside.now();
}

/** Who was to run and could not: the machine slept, the page was frozen, or the clock was set forward. */
export interface Standstill {
  /** Tells, at once or soon, for how many milliseconds nothing ran since the watch began or this was asked last. */
  ask(tell: (forMs: number) => void): void;
  stop(): void;
}

interface Entry {
  atMs: number;
  callback: () => void;
}

/** Entries by time; few at once (the core's deadline, simulated progress, storage retries). */
class Agenda {
  #entries: Entry[] = [];

  add(entry: Entry): void {
    let index = this.#entries.length;
    while (index > 0 && this.#entries[index - 1]!.atMs > entry.atMs) index--;
    this.#entries.splice(index, 0, entry);
  }

  remove(entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    if (index >= 0) this.#entries.splice(index, 1);
  }

  get nextAtMs(): number {
    return this.#entries[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Removes and gives the first entry that is due. */
  takeDue(nowMs: number): Entry | undefined {
    return this.nextAtMs <= nowMs ? this.#entries.shift() : undefined;
  }

  /** All of it so much earlier. */
  bringForward(byMs: number): void {
    for (const entry of this.#entries) entry.atMs -= byMs;
  }

  clear(): void {
    this.#entries = [];
  }
}

/** What wakes the house: `arm` replaces what was armed, Infinity disarms. */
export interface Alarm {
  arm(atMs: number): void;
  onDue: (() => void) | undefined;
  /** Where timers are exact, missing ones tell of a standstill. */
  watchStandstill?(): Standstill;
  dispose(): void;
}

/** How long this page was frozen, by the browser's own word. */
class FrozenPage {
  #sinceMs: number | undefined;
  #totalMs = 0;

  constructor() {
    if (typeof document === 'undefined') return;
    document.addEventListener('freeze', this.#freeze);
    document.addEventListener('resume', this.#resume);
  }

  readonly #freeze = (): void => {
    this.#sinceMs = wallClockMs();
  };

  readonly #resume = (): void => {
    if (this.#sinceMs !== undefined) this.#totalMs += Math.max(0, wallClockMs() - this.#sinceMs);
    this.#sinceMs = undefined;
  };

  take(): number {
    // Whoever asks runs, whether or not `resume` has been heard yet.
    this.#resume();
    const totalMs = this.#totalMs;
    this.#totalMs = 0;
    return totalMs;
  }

  stop(): void {
    if (typeof document === 'undefined') return;
    document.removeEventListener('freeze', this.#freeze);
    document.removeEventListener('resume', this.#resume);
  }
}

/** In Node.js a script ends when nothing holds it open any more: a port that listens would for ever, and what may be late a minute. */
function holdOpen(what: object | number, isAwaited: boolean): void {
  const { ref, unref } = what as { ref?: () => void; unref?: () => void };
  (isAwaited ? ref : unref)?.call(what);
}

/** The page's own timer; the fallback where no worker can be had. */
export class PageAlarm implements Alarm {
  onDue: (() => void) | undefined;
  readonly #isAwaited: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param isAwaited a script of Node.js does not end before it rings. Default true */
  constructor(isAwaited = true) {
    this.#isAwaited = isAwaited;
  }

  arm(atMs: number): void {
    clearTimeout(this.#timer);
    if (atMs === Number.POSITIVE_INFINITY) return;
    // Longer delays overflow to zero in every browser; the agenda re-arms.
    const delayMs = Math.min(Math.max(atMs - wallClockMs(), 0), 2 ** 31 - 1);
    this.#timer = setTimeout(() => this.onDue?.(), delayMs);
    if (!this.#isAwaited) holdOpen(this.#timer, false);
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }
}

/** Less is what NTP does. */
const setBackMs = 1000;
const aheadMs = () => wallClockMs() - outside.elapsed();

/**
 * An agenda and the alarm that rings for it. When the clock is set back it rings when it would have rung: who is called asks
 * the clock himself, and nobody else may come by for years.
 */
class Bell {
  readonly #agenda = new Agenda();
  readonly #alarm: Alarm;
  #armedAtMs = Number.POSITIVE_INFINITY;
  #aheadMs = aheadMs();

  constructor(alarm: Alarm) {
    this.#alarm = alarm;
    alarm.onDue = () => this.#ring();
  }

  schedule(atMs: number, callback: () => void): () => void {
    this.#look();
    const entry = { atMs, callback };
    this.#agenda.add(entry);
    this.#arm();
    return () => this.#agenda.remove(entry);
  }

  #look(): void {
    const formerMs = this.#aheadMs;
    this.#aheadMs = aheadMs();
    const backMs = formerMs - this.#aheadMs;
    if (backMs < setBackMs) return;
    this.#agenda.bringForward(backMs);
    this.#armedAtMs -= backMs;
  }

  dispose(): void {
    this.#agenda.clear();
    this.#alarm.dispose();
  }

  #arm(): void {
    const nextAtMs = this.#agenda.nextAtMs;
    // A timer that rings early is cheaper than one cancelled and set anew at each change.
    if (nextAtMs >= this.#armedAtMs) return;
    this.#armedAtMs = nextAtMs;
    this.#alarm.arm(nextAtMs);
  }

  #ring(): void {
    this.#look();
    this.#armedAtMs = Number.POSITIVE_INFINITY;
    for (let due = this.#agenda.takeDue(wallClockMs()); due; due = this.#agenda.takeDue(wallClockMs())) due.callback();
    this.#arm();
  }
}

const minuteMs = 60_000;

export class SystemClock implements Clock {
  readonly #alarm: Alarm;
  readonly #exact: Bell;
  readonly #loose = new Bell(new PageAlarm(false));
  #channel: MessageChannel | undefined;
  #deferred: (() => void)[] = [];

  constructor(alarm: Alarm = new PageAlarm()) {
    this.#alarm = alarm;
    this.#exact = new Bell(alarm);
  }

  now(): number {
    return wallClockMs();
  }

  schedule(atMs: number, callback: () => void, lateMs = 0): () => void {
    return (lateMs >= minuteMs ? this.#loose : this.#exact).schedule(atMs, callback);
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
    if (this.#deferred.length > 1) return;
    this.#channel ??= this.#openChannel();
    holdOpen(this.#channel.port1, true);
    this.#channel.port2.postMessage(0);
  }

  frame(callback: () => void): void {
    const visible = typeof document !== 'undefined' && document.visibilityState === 'visible';
    if (visible && typeof requestAnimationFrame === 'function') requestAnimationFrame(() => callback());
    else setTimeout(callback, 16);
  }

  watchStandstill(): Standstill {
    const page = new FrozenPage();
    const timers = this.#alarm.watchStandstill?.();
    return {
      ask(tell) {
        // Both see a frozen page, each in its way; only the timers see a machine that sleeps.
        if (timers) timers.ask((forMs) => tell(Math.max(forMs, page.take())));
        else tell(page.take());
      },
      stop() {
        page.stop();
        timers?.stop();
      },
    };
  }

  dispose(): void {
    this.#exact.dispose();
    this.#loose.dispose();
    this.#channel?.port1.close();
    this.#channel = undefined;
    this.#deferred = [];
  }

  #openChannel(): MessageChannel {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      const callbacks = this.#deferred;
      this.#deferred = [];
      holdOpen(channel.port1, false);
      for (const callback of callbacks) callback();
    };
    return channel;
  }
}

/** A clock that stands still until it is told to move. Deterministic; public for users' tests. */
export class TestClock implements Clock {
  #nowMs: number;
  #agenda = new Agenda();
  #stoodStillMs = 0;

  /** @param startMs default 2026-01-01T00:00:00Z */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    checkNumber(startMs, 'TestClock startMs', 0);
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  schedule(atMs: number, callback: () => void): () => void {
    const entry = { atMs, callback };
    this.#agenda.add(entry);
    return () => this.#agenda.remove(entry);
  }

  defer(callback: () => void): void {
    queueMicrotask(callback);
  }

  frame(callback: () => void): void {
    queueMicrotask(callback);
  }

  dispose(): void {
    this.#agenda.clear();
  }

  /** When the next thing is due; Infinity: nothing is. */
  get nextAtMs(): number {
    return this.#agenda.nextAtMs;
  }

  /** Moves time forward (`500`, `'1h'`), ringing what falls due on the way, in order, and lets all that follows settle. */
  async advance(duration: Duration): Promise<void> {
    const milliseconds = toMilliseconds(duration, 'advance milliseconds');
    const untilMs = this.#nowMs + milliseconds;
    await this.settle();
    while (this.#agenda.nextAtMs <= untilMs) {
      this.#nowMs = Math.max(this.#nowMs, this.#agenda.nextAtMs);
      this.#agenda.takeDue(this.#nowMs)!.callback();
      await this.settle();
    }
    this.#nowMs = untilMs;
    await this.settle();
  }

  /** Moves time to what is due next, and gives how far that was in milliseconds; undefined: nothing is. */
  async skip(): Promise<number | undefined> {
    await this.settle();
    if (this.nextAtMs === Number.POSITIVE_INFINITY) return undefined;
    const byMs = Math.max(0, this.nextAtMs - this.#nowMs);
    await this.advance(byMs);
    return byMs;
  }

  /**
   * Sets the wall clock, forward or back, without ringing anything: what a person or NTP does, and, forward,
   * what a machine that slept or a page that was frozen sees.
   */
  jump(milliseconds: number): void {
    checkNumber(milliseconds, 'jump milliseconds');
    this.#nowMs += milliseconds;
    this.#stoodStillMs += Math.max(0, milliseconds);
  }

  watchStandstill(): Standstill {
    let seenMs = this.#stoodStillMs;
    return {
      ask: (tell) => {
        const forMs = this.#stoodStillMs - seenMs;
        seenMs = this.#stoodStillMs;
        tell(forMs);
      },
      stop: () => {},
    };
  }

  /** Lets promises and messages that are under way arrive. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      await new Promise<void>((resolve) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => {
          channel.port1.close();
          resolve();
        };
        channel.port2.postMessage(0);
      });
    }
  }
}
