/**
 * Keeps the blobs of a slot's second copy close behind the first's, off the critical path.
 *
 * What is put and deleted within 50 ms, or while a write is under way, goes together into the next one: a
 * large file is not written twice while the work with it begins. Where a write fails it is tried again later,
 * from the first copy: nothing but ids is held meanwhile.
 *
 * Invariant: what is deleted is out of sight at once (`hides`), before the copy has let go of it.
 */
import { PayloadLostError } from '../errors.ts';
import type { CopySlot, NamedBlob } from './copy.ts';
import { GATHER_MS, RETRY_MS } from './follower.ts';
import type { Timers } from './wait.ts';

/** Of one write. */
const BATCH_BLOBS = 256;
const BATCH_BYTES = 4 * 1024 * 1024;

export interface BlobFollowerHost {
  readonly timers: Timers;
  /** The copy can't be written now. Told at each failure. */
  degraded(cause: unknown): void;
  /** Told at each success. */
  recovered(bytes: number): void;
}

/** A blob to store, one to be read from the first copy, or one to delete. */
type Change = Blob | 'copy' | 'delete';

export class BlobFollower {
  readonly #first: CopySlot;
  readonly #second: CopySlot;
  readonly #host: BlobFollowerHost;
  #waiting = new Map<string, Change>();
  /** Being written. */
  #underWay = new Map<string, Change>();
  /** Everything is to be compared: what the second copy misses is copied. */
  #comparing = false;
  #turn: Promise<void> | undefined;
  #failures = 0;
  #cancelGathering: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #closed = false;

  constructor(first: CopySlot, second: CopySlot, host: BlobFollowerHost) {
    this.#first = first;
    this.#second = second;
    this.#host = host;
  }

  /** It is in the first copy too. */
  put(id: string, blob: Blob): void {
    this.#note([[id, this.#waiting.size < BATCH_BLOBS ? blob : 'copy']]);
  }

  /** They are in the first copy. */
  copy(ids: readonly string[]): void {
    this.#note(ids.map((id) => [id, 'copy']));
  }

  delete(ids: readonly string[]): void {
    this.#note(ids.map((id) => [id, 'delete']));
  }

  /** It is about to be put into the second copy by somebody else: nothing that was noted of it happens there afterwards. */
  async spare(id: string): Promise<void> {
    this.#waiting.delete(id);
    if (!this.#underWay.has(id)) return;
    await this.#turn;
    this.#waiting.delete(id);
  }

  /** Copies whatever is only in the first. What is only in the second stays: the first may have lost it. */
  compare(): void {
    this.#comparing = true;
    this.#go();
  }

  /** Deleted, though the copy may still have it. */
  hides(id: string): boolean {
    return (this.#waiting.get(id) ?? this.#underWay.get(id)) === 'delete';
  }

  /** Everything asked for so far is in the copy, or could not be brought there now. */
  async flush(): Promise<void> {
    this.#go();
    await this.#turn;
  }

  close(): void {
    this.#closed = true;
    this.#cancelGathering?.();
    this.#cancelRetry?.();
  }

  #note(changes: readonly (readonly [string, Change])[]): void {
    for (const [id, change] of changes) this.#waiting.set(id, change);
    if (!this.#turn && !this.#closed) this.#cancelGathering ??= this.#host.timers.after(GATHER_MS, () => this.#go());
  }

  #go(): void {
    this.#cancelGathering?.();
    this.#cancelGathering = undefined;
    if (this.#turn || this.#cancelRetry || this.#closed) return;
    if (this.#waiting.size === 0 && !this.#comparing) return;
    this.#turn = this.#work().finally(() => {
      this.#turn = undefined;
      this.#go();
    });
  }

  async #work(): Promise<void> {
    try {
      if (this.#comparing) await this.#compareAll();
      while (this.#waiting.size > 0) await this.#writeBatch();
      this.#failures = 0;
    } catch (error) {
      this.#fail(error);
    }
  }

  async #compareAll(): Promise<void> {
    const there = new Set(await this.#second.blobIds());
    const missing = (await this.#first.blobIds()).filter((id) => !there.has(id) && !this.#waiting.has(id));
    for (const id of missing) this.#waiting.set(id, 'copy');
    this.#comparing = false;
  }

  async #writeBatch(): Promise<void> {
    const puts: NamedBlob[] = [];
    const deletions: string[] = [];
    let bytes = 0;
    for (const [id, change] of this.#waiting) {
      if (this.#underWay.size === BATCH_BLOBS || bytes >= BATCH_BYTES) break;
      if (this.#underWay.has(id)) continue; // changed again since: the next write's
      this.#waiting.delete(id);
      this.#underWay.set(id, change);
      if (change === 'delete') deletions.push(id);
      else {
        const blob = change === 'copy' ? await this.#read(id) : change;
        if (blob) puts.push([id, blob]);
        bytes += blob?.size ?? 0;
      }
    }
    if (deletions.length > 0) await this.#second.deleteBlobs(deletions);
    if (puts.length > 0) await this.#second.putBlobs(puts);
    this.#underWay.clear();
    this.#host.recovered(bytes);
  }

  /** One that was deleted meanwhile, or is damaged, has nothing to be copied. */
  async #read(id: string): Promise<Blob | undefined> {
    return this.#first.getBlob(id).catch((error: unknown) => {
      if (!(error instanceof PayloadLostError)) throw error;
      return undefined;
    });
  }

  #fail(error: unknown): void {
    for (const [id, change] of this.#underWay) {
      if (!this.#waiting.has(id)) this.#waiting.set(id, change === 'delete' ? change : 'copy');
    }
    this.#underWay.clear();
    if (this.#closed) return;
    const delayMs = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)]!;
    this.#cancelRetry = this.#host.timers.after(delayMs, () => {
      this.#cancelRetry = undefined;
      this.#go();
    });
    this.#host.degraded(error);
  }
}
