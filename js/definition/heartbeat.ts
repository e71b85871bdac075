/**
 * Signs of life of attempts whose task has a `heartbeat`: told to the core, at most four in the time that
 * is allowed, the last one always.
 *
 * Invariant: code that gives signs often enough is never taken for stalled; what stalls is found at most a
 * quarter of that time late.
 */
import type { Clock } from '../time/clock.ts';
import * as P from '../protocol.ts';
import type { Pump } from '../pump/pump.ts';
import type { Run } from '../runs/run.ts';

export interface HeartbeatsHost {
  readonly clock: Clock;
  readonly pump: Pump;
}

interface Told {
  attempt: number;
  atMs: number;
  /** One more is due when the time for it has come. */
  isOwed: boolean;
}

export class Heartbeats {
  readonly #host: HeartbeatsHost;
  readonly #told = new WeakMap<Run, Told>();

  constructor(host: HeartbeatsHost) {
    this.#host = host;
  }

  /** Its code is alive. */
  beat(run: Run, attempt: number): void {
    const intervalMs = (run.options?.heartbeatMs ?? 0) / 4;
    if (intervalMs === 0 || run.attempt !== attempt) return;
    const nowMs = this.#host.clock.now();
    const told = this.#told.get(run);
    if (told?.attempt === attempt && nowMs >= told.atMs && nowMs - told.atMs < intervalMs) return this.#owe(run, told, intervalMs);
    this.#told.set(run, { attempt, atMs: nowMs, isOwed: false });
    this.#host.pump.commands.push(P.CommandHeartbeat, run.task, attempt);
    this.#host.pump.wake();
  }

  #owe(run: Run, told: Told, intervalMs: number): void {
    if (told.isOwed) return;
    told.isOwed = true;
    this.#host.clock.schedule(told.atMs + intervalMs, () => this.beat(run, told.attempt));
  }

  /**
   * For code in a worker, whose busy loops keep it from saying so: it is alive as long as its worker is; and for pauses
   * that a verb makes. Gives what ends it.
   */
  keep(run: Run, attempt: number): () => void {
    const intervalMs = (run.options?.heartbeatMs ?? 0) / 4;
    let cancel = () => {};
    if (intervalMs === 0) return cancel;
    const tick = () => {
      if (run.attempt !== attempt) return;
      this.beat(run, attempt);
      cancel = this.#host.clock.schedule(this.#host.clock.now() + intervalMs, tick);
    };
    tick();
    return () => cancel();
  }
}
