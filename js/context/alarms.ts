/**
 * The moments at which a run's code wants to go on. The core has the earliest (it keeps time, and wakes
 * the run by it); the others wait here.
 * Invariant: whatever is armed in the core is the earliest moment, or an earlier one that is over.
 */
interface Sleeper {
  atMs: number;
  ring: () => void;
}

export class Alarms {
  readonly #arm: (atMs: number) => void;
  #sleepers: Sleeper[] = [];
  #armedMs = 0;

  /** @param arm tells the core; 0: no alarm */
  constructor(arm: (atMs: number) => void) {
    this.#arm = arm;
  }

  /** Gives the way to cancel. */
  add(atMs: number, ring: () => void): () => void {
    const sleeper = { atMs, ring };
    let index = this.#sleepers.length;
    while (index > 0 && this.#sleepers[index - 1]!.atMs > atMs) index--;
    this.#sleepers.splice(index, 0, sleeper);
    this.#set();
    return () => {
      const place = this.#sleepers.indexOf(sleeper);
      if (place < 0) return;
      this.#sleepers.splice(place, 1);
      this.#set();
    };
  }

  /** The core's alarm rang. */
  rang(nowMs: number): void {
    // The host's clock may stand before the core's time.
    const untilMs = Math.max(nowMs, this.#armedMs);
    this.#armedMs = 0;
    const due: Sleeper[] = [];
    while (this.#sleepers.length > 0 && this.#sleepers[0]!.atMs <= untilMs) due.push(this.#sleepers.shift()!);
    for (const { ring } of due) ring();
    this.#set();
  }

  #set(): void {
    const atMs = this.#sleepers[0]?.atMs ?? 0;
    if (atMs === this.#armedMs) return;
    // Nobody is left: an alarm that still rings does no harm, and is no record.
    if (atMs === 0) return;
    this.#armedMs = atMs;
    this.#arm(atMs);
  }
}
