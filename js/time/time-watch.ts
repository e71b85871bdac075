/**
 * What happened to time while the pump did not turn: the clock was set, the machine slept, the page was frozen.
 *
 * Invariant: after a silence the clock is asked what it was, and until it answers no time is held
 * against anybody.
 */
import type { Clock, Standstill } from './clock.ts';

/** Smaller jumps are what NTP and busy pages do. */
const backwardsMs = 1000;
const forwardsMs = 60_000;
/** After so long without a turn the page may have been frozen. */
const silenceMs = 3000;

export interface TimeWatchHost {
  readonly clock: Clock;
  /** The host's clock was set, or stood still for us: the machine slept, the page was frozen. */
  clockJumped(byMs: number): void;
}

export class TimeWatch {
  readonly #host: TimeWatchHost;
  readonly #answered: () => void;
  #seenMs = Number.NEGATIVE_INFINITY;
  #turnedMs = Number.NEGATIVE_INFINITY;
  #standstill: Standstill | undefined;
  #asking = false;
  #stoodStillMs = 0;

  /** @param answered the clock said how long it stood still: turns may go on */
  constructor(host: TimeWatchHost, answered: () => void) {
    this.#host = host;
    this.#answered = answered;
  }

  /** A turn begins. True: not yet, the clock is asked first. */
  isAsking(nowMs: number): boolean {
    if (this.#asking) return true;
    const silentMs = nowMs - this.#turnedMs;
    this.#turnedMs = nowMs;
    if (!this.#standstill || silentMs <= silenceMs) return false;
    this.#asking = true;
    this.#standstill.ask((forMs) => {
      this.#asking = false;
      this.#stoodStillMs += forMs;
      this.#answered();
    });
    return true;
  }

  /** Tells of jumps, so that people know why timers rang together, or late. `armedMs`: when the timer was to ring. */
  look(nowMs: number, armedMs: number): void {
    if (nowMs < this.#seenMs - backwardsMs) this.#host.clockJumped(nowMs - this.#seenMs);
    else if (nowMs > armedMs + forwardsMs) this.#host.clockJumped(nowMs - armedMs);
    this.#seenMs = nowMs;
  }

  /** Watches for standing still as long as that would make a difference. */
  watchStandstill(wanted: boolean): void {
    if (wanted) this.#standstill ??= this.#host.clock.watchStandstill?.();
    else if (this.#standstill) {
      this.#standstill.stop();
      this.#standstill = undefined;
    }
  }

  /** Milliseconds that nothing could run, since it was asked last. */
  takeStandstill(): number {
    const forMs = this.#stoodStillMs;
    this.#stoodStillMs = 0;
    return forMs;
  }

  stop(): void {
    this.#standstill?.stop();
  }
}
