/**
 * Keeps the second copy of a slot close behind the first, off the critical path.
 *
 * What is pushed is gathered for 50 ms (while one write follows another, 250 ms) or 1 MB and appended in
 * one piece. Where that fails, or the backlog outgrows its bound, the follower is *behind*: it drops what
 * it holds, and later asks for the first copy's bytes (`resync`) instead.
 *
 * Invariant: the copy is at all times a prefix of the first one, or of one the first one replaced.
 */
import type { CopySlot } from './copy.ts';
import { concatenate } from './copy.ts';
import type { Timers } from './wait.ts';

export const GATHER_MS = 50;
/** From one write to the next: each costs the page 2 ms of its own thread. */
const PAUSE_MS = 250;
const GATHER_BYTES = 1024 * 1024;
const BACKLOG_BYTES = 8 * 1024 * 1024;
/** After one failure, two, and more. */
export const RETRY_MS = [1_000, 5_000, 30_000];

export interface FollowerHost {
  readonly timers: Timers;
  /** The copy can't be written now. Told once until `recovered`. */
  degraded(cause: unknown): void;
  recovered(bytes: number): void;
  /** Asks for `restart` with the first copy's bytes. */
  resync(): void;
}

export class Follower {
  readonly slot: CopySlot;
  readonly #host: FollowerHost;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #cancel: (() => void) | undefined;
  #behind = false;
  /** Goes up when what is on its way must not be written any more. */
  #era = 0;
  #failures = 0;
  #told = false;
  #closed = false;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  /** How full the backlog is while a write is under way. */
  #writing = 0;

  constructor(slot: CopySlot, host: FollowerHost) {
    this.slot = slot;
    this.#host = host;
  }

  get isBehind(): boolean {
    return this.#behind;
  }

  /** REQUIRES: `bytes` are the follower's. */
  push(bytes: Uint8Array): void {
    if (this.#behind || this.#closed) return;
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= BACKLOG_BYTES && this.#writing > 0) this.#fallBehind();
    else if (this.#bytes >= GATHER_BYTES) void this.#drain();
    else this.#cancel ??= this.#host.timers.after(this.#gatherMs(), () => void this.#drain());
  }

  #gatherMs(): number {
    const pausedMs = this.#host.timers.nowMs() - this.#writtenAtMs;
    return Math.max(GATHER_MS, PAUSE_MS - pausedMs);
  }

  /** The whole log anew. REQUIRES: `bytes` are the follower's. */
  restart(bytes: Uint8Array<ArrayBuffer>, epoch: number, wholly: boolean): void {
    this.#forget();
    this.#behind = false;
    this.#era++;
    void this.#write(async () => {
      const stamp = this.slot.stamp();
      const length = stamp.length ?? Number.POSITIVE_INFINITY;
      if (wholly || stamp.epoch !== epoch || length > bytes.length) await this.slot.replace(bytes, epoch);
      else if (length < bytes.length) await this.slot.append(bytes.slice(length));
      this.#succeed(bytes.length);
    });
  }

  /** Everything pushed is in the copy; false where it could not be. */
  async flush(): Promise<boolean> {
    await this.#drain();
    await this.#turn;
    return !this.#behind;
  }

  close(): void {
    this.#closed = true;
    this.#forget();
  }

  #drain(): Promise<void> {
    const bytes = concatenate(this.#parts, this.#bytes);
    this.#forget();
    if (bytes.length === 0) return Promise.resolve();
    const era = this.#era;
    return this.#write(async () => {
      if (era === this.#era) await this.slot.append(bytes);
    });
  }

  #write(work: () => Promise<void>): Promise<void> {
    this.#writing++;
    this.#writtenAtMs = this.#host.timers.nowMs();
    const result = this.#turn.then(work).catch((error: unknown) => this.#fail(error));
    this.#turn = result.finally(() => void this.#writing--);
    return result;
  }

  #forget(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#parts = [];
    this.#bytes = 0;
  }

  #fallBehind(): void {
    this.#behind = true;
    this.#era++;
    this.#forget();
    const delayMs = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)]!;
    this.#cancel = this.#host.timers.after(delayMs, () => {
      this.#cancel = undefined;
      this.#host.resync();
    });
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#fallBehind();
    this.#failures++;
    if (this.#told) return;
    this.#told = true;
    this.#host.degraded(error);
  }

  #succeed(bytes: number): void {
    this.#failures = 0;
    if (!this.#told) return;
    this.#told = false;
    this.#host.recovered(bytes);
  }
}
