/**
 * How many runs at once a queue bears: decided from what is told, and when. Pure: no clock, no chance.
 *
 * Additive increase, multiplicative decrease (Chiu and Jain 1989; TCP): one more after a round that went well, a part less when it
 * did not. What *well* is comes from TCP Vegas (Brakmo and Peterson 1995), as Netflix' concurrency-limits has it for calls: the
 * latency of now beside the latency without a queue. That is measured anew once a minute with half of the limit, as BBR does, or
 * a limit that is a little too high would slowly come to count as what is usual. From the start the limit doubles until
 * something speaks against it (slow start).
 *
 * A round is as many runs as the limit is, at least four, that began under it: each change is judged by what came of it. What runs
 * differ by, inputs large and small, is not taken for a queue: what counts is what exceeds twice the standard error of the round.
 *
 * Invariant: min ≤ limit ≤ max.
 */

export interface AutoSettings {
  readonly min: number;
  readonly max: number;
  /** So much longer than without a queue may a run take, as a part of that. */
  readonly tolerance: number;
  /** What is left of the limit when something speaks against it. */
  readonly backoff: number;
}

export type LimitReason = 'start' | 'room' | 'latency' | 'refused' | 'timeout' | 'long-tasks' | 'memory' | 'probe' | 'probed';

export interface AutoLimit {
  readonly limit: number;
  readonly reason: LimitReason;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
}

const leastRuns = 4;
/** Measured anew after so long. */
const baselineMs = 60_000;
/** What presses on the page is looked at again when the former change can have had its effect. */
const pressureMs = 1000;
/** Nobody asks for more so soon after it was refused. */
const holdMs = 5000;

export class Adaptation {
  readonly #settings: AutoSettings;
  #now: AutoLimit;
  /** Until something has spoken against it. */
  #isStarting = true;
  /** Runs that began earlier say nothing of this limit. */
  #sinceMs: number;
  /** Of the round. */
  #count = 0;
  #sum = 0;
  #squares = 0;
  #most = 0;
  /** Without a queue; undefined: not measured. */
  #baseMs: number | undefined;
  #baseAtMs: number;
  #holdUntilMs = 0;
  #pressedAtMs = 0;
  /** The limit to come back to. */
  #probedFrom: number | undefined;

  constructor(settings: AutoSettings, nowMs: number) {
    this.#settings = settings;
    this.#sinceMs = this.#baseAtMs = nowMs;
    this.#now = Object.freeze({ limit: settings.min, reason: 'start', changedAt: nowMs });
  }

  get now(): AutoLimit {
    return this.#now;
  }

  /** A run has ended well. `running`: with it, when it ended. True: there is another limit. */
  ended(nowMs: number, beganAtMs: number, running: number): boolean {
    if (beganAtMs < this.#sinceMs) return false;
    const tookMs = Math.max(0, nowMs - beganAtMs);
    this.#count++;
    this.#sum += tookMs;
    this.#squares += tookMs * tookMs;
    this.#most = Math.max(this.#most, running);
    return this.#count >= Math.max(leastRuns, this.#now.limit) && this.#judge(nowMs);
  }

  /** What it called has refused it, or it took too long. */
  failed(nowMs: number, beganAtMs: number, reason: 'refused' | 'timeout'): boolean {
    return beganAtMs >= this.#sinceMs && this.#refused(nowMs, reason);
  }

  /** The page has too much to do, or too little memory. */
  pressed(nowMs: number, reason: 'long-tasks' | 'memory'): boolean {
    return nowMs - this.#pressedAtMs >= pressureMs && this.#refused(nowMs, reason);
  }

  #judge(nowMs: number): boolean {
    const { limit } = this.#now;
    const meanMs = this.#sum / this.#count;
    const errorMs = Math.sqrt(Math.max(0, this.#squares / this.#count - meanMs * meanMs) / this.#count);
    if (this.#probedFrom !== undefined) return this.#measured(nowMs, meanMs + errorMs, this.#probedFrom);
    if (nowMs - this.#baseAtMs >= baselineMs && limit > this.#settings.min) return this.#probe(nowMs);
    const isUsed = this.#most >= limit;
    const beyond = (part: number) => this.#baseMs !== undefined && meanMs - 2 * errorMs > this.#baseMs * (1 + part);
    // With the least it is as it is: that is what is usual now.
    const isLeast = limit === this.#settings.min;
    if (!isLeast && beyond(this.#settings.tolerance)) return this.#less(nowMs, 'latency');
    if (this.#baseMs === undefined || meanMs + errorMs <= this.#baseMs || isLeast) {
      this.#baseMs = meanMs + errorMs;
      this.#baseAtMs = nowMs;
    }
    if (!isUsed || nowMs < this.#holdUntilMs || beyond(this.#settings.tolerance / 2)) return this.#begin(nowMs);
    return this.#change(nowMs, this.#isStarting ? limit * 2 : limit + 1, 'room');
  }

  #probe(nowMs: number): boolean {
    this.#probedFrom = this.#now.limit;
    return this.#change(nowMs, Math.floor(this.#now.limit / 2), 'probe');
  }

  #measured(nowMs: number, baseMs: number, limit: number): boolean {
    this.#baseMs = baseMs;
    this.#baseAtMs = nowMs;
    return this.#change(nowMs, limit, 'probed');
  }

  #refused(nowMs: number, reason: LimitReason): boolean {
    this.#holdUntilMs = nowMs + holdMs;
    this.#pressedAtMs = nowMs;
    return this.#less(nowMs, reason);
  }

  #less(nowMs: number, reason: LimitReason): boolean {
    this.#isStarting = false;
    return this.#change(nowMs, Math.floor(this.#now.limit * this.#settings.backoff), reason);
  }

  #change(nowMs: number, wanted: number, reason: LimitReason): boolean {
    this.#begin(nowMs);
    if (reason !== 'probe') this.#probedFrom = undefined;
    const limit = Math.min(this.#settings.max, Math.max(this.#settings.min, wanted));
    if (limit === this.#now.limit) return false;
    this.#now = Object.freeze({ limit, reason, changedAt: nowMs });
    return true;
  }

  /** Another round. */
  #begin(nowMs: number): false {
    this.#sinceMs = nowMs;
    this.#count = this.#sum = this.#squares = this.#most = 0;
    return false;
  }
}
