/**
 * How long the pump may go on before the page gets its turn.
 *
 * Invariant: no slice is longer than `sliceMs`, and the next one begins only behind a turn of the page. That
 * such a turn has been is known from a message alone, which is sent when half of a slice has gone: one for
 * each turn of the pump is a tenth of what a step costs.
 */
import type { Clock } from '../time/clock.ts';

const sliceMs = 8;

export class Slice {
  readonly #clock: Clock;
  #endsMs = 0;
  #watched = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Once for each turn of the pump. False: the page comes first. */
  enter(nowMs: number): boolean {
    if (this.#endsMs === 0) this.#endsMs = nowMs + sliceMs;
    else if (this.isOver(nowMs)) return false;
    else if (!this.#watched && nowMs >= this.#endsMs - sliceMs / 2) this.#watch();
    return true;
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.#endsMs;
  }

  /** Calls back behind the page's turn. */
  yield(callback: () => void): void {
    this.#clock.defer(() => {
      this.#endsMs = 0;
      callback();
    });
  }

  #watch(): void {
    this.#watched = true;
    this.yield(() => {
      this.#watched = false;
    });
  }
}
