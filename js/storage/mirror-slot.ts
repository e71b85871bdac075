/**
 * One slot in two stores. The first acknowledges, the second follows; each repairs the other.
 *
 * Invariants: log operations happen one after the other, in call order; appends that wait are one. What
 * is in the second copy is in the first, unless the first can't be written: then the second
 * acknowledges alone and is ahead, which its length tells at the next opening. With both copies
 * gone nothing is written until `replace` begins anew.
 */
import { PayloadLostError, StorageFullError, StorageLostError } from '../errors.ts';
import type { AppendReceipt, StorageEvent, StorageSlot } from '../storage.ts';
import { BlobFollower } from './blob-follower.ts';
import { type CopySlot, type CopyStorage, copyOneByOne, type NamedBlob, type Stamp } from './copy.ts';
import { Follower } from './follower.ts';
import { isBetter, type Judged, judge, leads, shortfall } from './judge.ts';
import { LogQueue } from './log-queue.ts';
import type { Timers } from './wait.ts';

export type Side = 'first' | 'second';

export interface MirrorHost {
  readonly name: string;
  readonly timers: Timers;
  readonly first: CopyStorage;
  readonly second: CopyStorage;
  emit(event: StorageEvent): void;
  inspect(bytes: Uint8Array): number;
  closed(slot: MirrorSlot): void;
}

const RETRY_FIRST_MS = 5_000;
const lostError = () => new StorageLostError('Both copies of the log are gone. replace() writes it anew.');

export class MirrorSlot implements CopySlot {
  readonly slot: number;
  readonly #host: MirrorHost;
  readonly #first: CopySlot | undefined;
  readonly #second: CopySlot | undefined;
  readonly #follower: Follower | undefined;
  readonly #blobs: BlobFollower | undefined;
  /** Of the second copy, which can't be written now. */
  readonly #behind = new Set<'log' | 'blobs'>();
  /** What `reconcile` has read, for the first `read`. */
  #kept: Uint8Array<ArrayBuffer> | undefined;
  /** Makes the copies alike, as `reconcile` has decided; undefined: done. */
  #settle: (() => Promise<void>) | undefined;
  /** Nothing lies behind this length: what was torn is dropped. */
  #settledLength: number | undefined;
  readonly #queue = new LogQueue((bytes) => this.#write(bytes));
  /** Blobs on their way back into the first copy. */
  #repairs: Promise<unknown> = Promise.resolve();
  #firstIsDown = false;
  #toldDown = false;
  #lost = false;
  #closed = false;
  #cancelRetry: (() => void) | undefined;

  constructor(host: MirrorHost, slot: number, first: CopySlot | undefined, second: CopySlot | undefined) {
    this.#host = host;
    this.slot = slot;
    this.#first = first;
    this.#second = second;
    if (second) this.#follower = new Follower(second, this.#followerHost());
    if (first && second) this.#blobs = new BlobFollower(first, second, this.#hostFor('blobs'));
    this.#firstIsDown = first === undefined;
  }

  stamp(): Stamp {
    return (this.#firstIsDown ? this.#second! : this.#first!).stamp();
  }

  /**
   * Chooses the better copy. Nothing is changed before the caller's first write: what is here may be
   * a newer version's. `missing`: this store had been lost as a whole.
   */
  async reconcile(missing: Side | undefined): Promise<void> {
    const [first, second] = [this.#first, this.#second];
    if (!first || !second) return;
    const bytes = await first.read().catch((error: unknown) => this.#giveUpUnread(error));
    if (!bytes) return;
    const a = judge(first, bytes, this.#host.inspect(bytes));
    const known = await this.#measure(second);
    if (leads(a, known)) return this.#plan(a, () => this.#follow(a, known, missing));
    const copy = await second.read();
    const b = judge(second, copy, this.#host.inspect(copy));
    if (isBetter(b, a)) this.#plan(b, () => this.#takeSecond(a, b, missing));
    else this.#plan(a, () => this.#takeFirst(a, b));
  }

  #plan(chosen: Judged, settle: () => Promise<void>): void {
    this.#kept = chosen.bytes;
    this.#settle = async () => {
      this.#settle = undefined;
      await settle();
      this.#settledLength = chosen.valid;
      // What the second missed when the page was killed.
      this.#blobs?.compare();
    };
  }

  read(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#queue.exclusive(async () => {
      const kept = this.#kept;
      this.#kept = undefined;
      return kept ?? this.#current().read();
    });
  }

  truncate(length: number): Promise<void> {
    return this.#queue.exclusive(async () => {
      await this.#settle?.();
      if (length === this.#settledLength) return;
      this.#kept = this.#settledLength = undefined;
      if (length < this.#current().stamp().base) {
        return this.#replace((await this.#current().read()).slice(0, length), this.#nextEpoch());
      }
      await this.#follower?.flush();
      await this.#current().truncate(length);
      if (!this.#firstIsDown) await this.#second?.truncate(length).catch(() => this.#resync(true));
    });
  }

  append(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    return this.#queue.append(bytes);
  }

  replace(bytes: Uint8Array<ArrayBuffer>, epoch?: number): Promise<void> {
    return this.#queue.exclusive(() => {
      this.#settle = undefined;
      return this.#replace(bytes, epoch ?? this.#nextEpoch());
    });
  }

  async #replace(bytes: Uint8Array<ArrayBuffer>, epoch: number): Promise<void> {
    await this.#current().replace(bytes, epoch);
    this.#kept = this.#settledLength = undefined;
    this.#lost = false;
    if (!this.#firstIsDown) this.#follower?.restart(bytes.slice(), this.#current().stamp().epoch, true);
  }

  async putBlob(id: string, blob: Blob): Promise<void> {
    if (this.#lost) throw lostError();
    try {
      if (this.#firstIsDown) await this.#blobs?.spare(id);
      await this.#current().putBlob(id, blob);
    } catch (error) {
      if (error instanceof StorageFullError || this.#current() === this.#second || !this.#second) throw error;
      await this.#blobs?.spare(id);
      await this.#second.putBlob(id, blob);
      return;
    }
    if (this.#current() === this.#first) this.#blobs?.put(id, blob);
  }

  async putBlobs(blobs: readonly NamedBlob[]): Promise<void> {
    for (const [id, blob] of blobs) await this.putBlob(id, blob);
  }

  /** Within the store that acknowledges; what that one has lost comes from the other. */
  async copyBlobs(from: StorageSlot, ids: readonly string[]): Promise<string[]> {
    if (this.#lost) throw lostError();
    const source = (from as MirrorSlot).copyIn(this.#firstIsDown ? 'second' : 'first');
    const left = source ? await this.#current().copyBlobs(source, ids) : ids;
    if (this.#current() === this.#first) {
      const others = new Set(left);
      this.#blobs?.copy(ids.filter((id) => !others.has(id)));
    }
    return copyOneByOne(this, from, left);
  }

  /** Where this slot lies in one of the two stores; undefined: it can't be read there. */
  copyIn(side: Side): CopySlot | undefined {
    if (side === 'second') return this.#second;
    return this.#firstIsDown ? undefined : this.#first;
  }

  async getBlob(id: string): Promise<Blob> {
    try {
      return await this.#current().getBlob(id);
    } catch (error) {
      const [first, second] = [this.#first, this.#second];
      if (!second || this.#current() === second || this.#blobs?.hides(id)) throw error;
      const blob = await second.getBlob(id).catch(() => undefined);
      if (!blob)
        throw error instanceof PayloadLostError
          ? error
          : new PayloadLostError(`Blob ${id} can't be read.`, { cause: error });
      this.#repairBlob(first!, id, blob);
      return blob;
    }
  }

  async deleteBlobs(ids: readonly string[]): Promise<void> {
    await this.#current().deleteBlobs(ids);
    this.#blobs?.delete(ids);
  }

  async blobIds(): Promise<string[]> {
    const lists = await Promise.allSettled([this.#first?.blobIds(), this.#second?.blobIds()]);
    if (lists.every((list) => list.status === 'rejected')) throw (lists[0] as PromiseRejectedResult).reason;
    const [first, second] = lists.map((list) => (list.status === 'fulfilled' ? (list.value ?? []) : []));
    return [...new Set([...first!, ...second!.filter((id) => !this.#blobs?.hides(id))])];
  }

  async flush(): Promise<void> {
    await Promise.allSettled([
      this.#firstIsDown ? undefined : this.#first?.flush(),
      this.#follower?.flush(),
      this.#blobs?.flush(),
      this.#repairs,
    ]);
    // What was on its way into the first when this was asked for.
    await this.#queue.idle();
    await this.#follower?.flush();
  }

  async close(): Promise<void> {
    this.#host.closed(this);
    this.#cancelRetry?.();
    await this.#queue.idle();
    await this.flush();
    this.#closed = true;
    this.#follower?.close();
    this.#blobs?.close();
    await Promise.allSettled([this.#first?.close(), this.#second?.close()]);
  }

  /** One store says that its data was taken away. */
  onLoss(side: Side): Promise<void> {
    return this.#queue.exclusive(async () => {
      if (this.#lost || this.#closed || this.#settle) return;
      const [gone, other] =
        side === 'first' ? [this.#host.first, this.#host.second] : [this.#host.second, this.#host.first];
      const otherSlot = side === 'first' ? this.#second : this.#first;
      if (!otherSlot || !(await other.check())) return this.#loseBoth();
      if (side === 'first') {
        this.#firstIsDown = true;
        await this.#restoreFirst(() => this.#emitLost(gone.name, this.#length()));
      } else {
        this.#emitLost(gone.name, await this.#resync(true));
        // Behind the log, whose replace sets the store up anew.
        void this.#follower!.flush().then(() => this.#blobs?.compare());
      }
    });
  }

  /** The first store can't be written, though nothing was tried: the second goes on alone until it can. */
  onDown(cause: unknown): void {
    const goOnAlone = async () => {
      if (!this.#first || !this.#second || this.#firstIsDown || this.#lost || this.#closed || this.#settle) return;
      await this.#giveUpFirst(cause);
    };
    // Where the second can't stand in, the next write says so.
    this.#queue.exclusive(goOnAlone).catch(() => undefined);
  }

  #current(): CopySlot {
    return this.#firstIsDown ? this.#second! : this.#first!;
  }

  #nextEpoch(): number {
    return 1 + Math.max(this.#first?.stamp().epoch ?? 0, this.#second?.stamp().epoch ?? 0);
  }

  #length(): number {
    return this.#second?.stamp().length ?? 0;
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    if (this.#lost) throw lostError();
    await this.#settle?.();
    this.#kept = this.#settledLength = undefined;
    const copy = this.#follower ? bytes.slice() : undefined;
    if (!this.#firstIsDown) {
      try {
        const receipt = await this.#first!.append(bytes);
        if (copy) this.#follower!.push(copy);
        return receipt;
      } catch (error) {
        if (error instanceof StorageFullError || !this.#follower || this.#follower.isBehind) throw error;
        await this.#giveUpFirst(error);
      }
    }
    return this.#second!.append(copy!);
  }

  /** The second copy must have everything acknowledged so far before it can stand in. */
  async #giveUpFirst(error: unknown): Promise<void> {
    if (!(await this.#follower!.flush())) throw error;
    this.#firstIsDown = true;
    this.#tellDown(error);
    this.#retryFirstLater();
  }

  #giveUpUnread(cause: unknown): undefined {
    this.#firstIsDown = true;
    this.#tellDown(cause);
    this.#retryFirstLater();
  }

  #tellDown(cause: unknown): void {
    if (this.#toldDown) return;
    this.#toldDown = true;
    this.#host.emit({ type: 'storage-degraded', store: this.#host.first.name, cause });
  }

  #retryFirstLater(): void {
    if (this.#closed || !this.#first) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#host.timers.after(RETRY_FIRST_MS, () => {
      void this.#queue.exclusive(() => this.#restoreFirst(() => undefined));
    });
  }

  async #restoreFirst(tell: () => void): Promise<void> {
    if (this.#closed || !this.#firstIsDown || this.#lost) return;
    try {
      await this.#follower!.flush();
      const bytes = await this.#second!.read();
      await this.#first!.replace(bytes, this.#nextEpoch());
      this.#firstIsDown = this.#toldDown = false;
      tell();
      this.#emitRepaired(this.#host.first, this.#host.second, bytes.length);
      this.#follower!.restart(bytes, this.#first!.stamp().epoch, true);
    } catch (error) {
      this.#tellDown(error);
      this.#retryFirstLater();
    }
  }

  #loseBoth(): void {
    this.#lost = true;
    this.#emitLost(this.#host.name, 0);
  }

  #emitLost(store: string, recoveredBytes: number, lostBytes?: number): void {
    const lost = lostBytes === undefined ? {} : { lostBytes };
    this.#host.emit({ type: 'storage-lost', store, slot: this.slot, recoveredBytes, ...lost });
  }

  #emitRepaired(repaired: CopyStorage, from: CopyStorage, bytes: number): void {
    this.#host.emit({ type: 'storage-repaired', store: repaired.name, slot: this.slot, from: from.name, bytes });
  }

  #followerHost() {
    const resync = () => void this.#queue.exclusive(() => this.#resync(false)).catch(() => undefined);
    return { ...this.#hostFor('log'), resync };
  }

  /** The second copy is degraded while either part of it can't follow. */
  #hostFor(part: 'log' | 'blobs') {
    const { second, timers } = this.#host;
    return {
      timers,
      degraded: (cause: unknown) => {
        const told = this.#behind.size > 0 || this.#lost;
        this.#behind.add(part);
        if (!told) this.#host.emit({ type: 'storage-degraded', store: second.name, cause });
      },
      recovered: (bytes: number) => {
        if (this.#behind.delete(part) && this.#behind.size === 0) this.#emitRepaired(second, this.#host.first, bytes);
      },
    };
  }

  /** Hands the first copy's bytes to the follower; what is appended from now on follows them. */
  async #resync(wholly: boolean): Promise<number> {
    if (this.#firstIsDown || this.#lost || this.#closed) return 0;
    const bytes = await this.#first!.read();
    const valid = this.#host.inspect(bytes);
    this.#follower!.restart(bytes.slice(0, valid), this.#first!.stamp().epoch, wholly);
    return valid;
  }

  /** The second's stamp; a store that doesn't know its length is read for it. */
  async #measure(second: CopySlot): Promise<Stamp> {
    const stamp = second.stamp();
    if (stamp.length !== undefined) return stamp;
    const valid = this.#host.inspect(await second.read());
    return valid < stamp.base ? stamp : { ...stamp, length: valid };
  }

  /** The usual opening: the second copy misses at most what was gathered when the page ended. */
  async #follow(a: Judged, b: Stamp, missing: Side | undefined): Promise<void> {
    await this.#first!.truncate(a.valid);
    if (this.#second!.stamp().length === undefined) await this.#second!.truncate(b.length!);
    if (a.epoch !== b.epoch) this.#follower!.restart(a.bytes.slice(0, a.valid), a.epoch, false);
    else if (a.valid > b.length!) this.#follower!.push(a.bytes.slice(b.length, a.valid));
    if (missing === 'second' && a.valid > 0) this.#emitLost(this.#host.second.name, a.valid);
  }

  async #takeFirst(a: Judged, b: Judged): Promise<void> {
    await this.#first!.truncate(a.valid);
    this.#follower!.restart(a.bytes.slice(0, a.valid), a.epoch, true);
    this.#emitRepaired(this.#host.second, this.#host.first, a.valid);
    this.#tellShortfall(a.valid, a, b);
  }

  /** Where the first can't take it now (full), the second goes on alone. */
  async #takeSecond(a: Judged, b: Judged, missing: Side | undefined): Promise<void> {
    if (missing === 'first') this.#emitLost(this.#host.first.name, b.valid);
    this.#tellShortfall(b.valid, a, b);
    await this.#second!.truncate(b.valid);
    this.#firstIsDown = true;
    await this.#restoreFirst(() => undefined);
  }

  #tellShortfall(valid: number, a: Judged, b: Judged): void {
    const lostBytes = shortfall(valid, a, b);
    if (lostBytes > 0) this.#emitLost(this.#host.name, valid, lostBytes);
  }

  /** Off the critical path; where it fails, it is tried again when the blob is wanted again. */
  #repairBlob(first: CopySlot, id: string, blob: Blob): void {
    const repair = async () => {
      await first.putBlob(id, blob);
      this.#emitRepaired(this.#host.first, this.#host.second, blob.size);
    };
    this.#repairs = this.#repairs.then(repair).catch(() => undefined);
  }
}
