/**
 * Which blobs are in our slot, and who wants them. A blob is known by its content: its id is the first
 * 64 bits of its digest (where another blob has that id already, the next 64), so the same file given
 * twice, passed to another run or returned is stored once.
 *
 * Invariants: a blob is stored before the record that refers to it is handed over, and stays until no
 * acknowledged record refers to it: freed only when the last run that wanted it is acknowledged as
 * forgotten. An id never stands for two contents. Runs without blobs cost nothing here.
 */
import { randomId } from '../codec/codec.ts';
import { type BlobEntry, type BlobReference, settleReference } from '../codec/blob-list.ts';
import { inUnits } from '../codec/refuse.ts';
import { textBody } from '../codec/web-kinds.ts';
import { PayloadLostError, PayloadTooLargeError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { ResolvedLimits } from '../intake/limits.ts';
import * as P from '../protocol.ts';
import type { Pump } from '../pump/pump.ts';
import type { Run } from '../runs/run.ts';
import type { StorageSlot } from '../storage.ts';
import { digestOf } from './digest.ts';
import { HandleDoor } from './handle-door.ts';
import { entriesOf } from './records.ts';

export interface BlobKeeperHost {
  readonly journal: Journal | undefined;
  readonly pump: Pump;
  readonly payloads: { readonly limits: ResolvedLimits; keepHandle: HandleDoor['keep'] };
  /** Where what is stored is not to tell what it is; undefined: a digest may. */
  readonly opening: { vault(): Promise<{ keys: { name(digest: string): Promise<string> } }> | undefined };
}

interface Kept {
  readonly id: string;
  size: number;
  /** undefined: a former page has stored it, and no record says what is in it. */
  digest: string | undefined;
  /** Runs whose records refer to it. */
  runs: number;
  /** Those who are about to refer to it, or to read it. */
  holds: number;
  /** Settles when it is known to be there. */
  stored: Promise<void> | undefined;
  /** Not to be stored: it lives as long as this page. */
  page: Blob | undefined;
}

const idLength = 16;
const digestLength = 64;

export class BlobKeeper {
  readonly #host: BlobKeeperHost;
  readonly #kept = new Map<string, Kept>();
  /** Of all of them. */
  #bytes = 0;
  /** Being deleted: the same content may come back before that is done. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** Should be there, and are not. */
  readonly #lost = new Set<string>();
  /** One that was lost is there again. */
  onRestored: ((id: string) => void) | undefined;
  /** Whose blobs are counted. */
  readonly #counted = new WeakSet<Run>();
  /** Not to be deleted now; and those of them that would have been. */
  #held = new Set<string>();
  readonly #spared = new Set<string>();

  /** File handles, whose tickets are blobs. */
  readonly handles: HandleDoor;

  constructor(host: BlobKeeperHost) {
    this.#host = host;
    this.handles = new HandleDoor(host as Orchestrator);
    host.payloads.keepHandle = this.handles.keep;
  }

  get #slot(): StorageSlot {
    return this.#host.journal!.slot;
  }

  // In

  /**
   * Stores what is not there yet, one after the other, so that memory stays bounded, and settles the
   * references. What is stored waits for `attach`, or for `release` where nothing comes of it.
   * @throws StorageFullError PayloadTooLargeError SerializationError, and nothing waits
   */
  async store(references: readonly BlobReference[]): Promise<void> {
    const done: BlobReference[] = [];
    try {
      for (const reference of references) {
        await this.#store(reference);
        done.push(reference);
      }
    } catch (error) {
      this.release(done);
      throw error;
    }
  }

  async #store(reference: BlobReference): Promise<void> {
    const blob = reference.blob ?? (await this.#read(reference));
    const digest = await digestOf(blob);
    const vault = await this.#host.opening.vault();
    const name = vault ? await vault.keys.name(digest) : digest;
    await this.#learn(name);
    const kept = this.#hold(digest, blob.size, name);
    try {
      if (reference.kind === 'page' && !kept.stored && (kept.runs === 0 || kept.page)) this.#keepInPage(kept, blob);
      else {
        this.#checkTotal(kept);
        kept.stored ??= this.#put(kept, blob);
        await kept.stored;
      }
    } catch (error) {
      kept.stored = undefined;
      this.#letGo(kept);
      throw error;
    }
    settleReference(reference, kept.id, digest);
  }

  /** A body that could only be read now. */
  async #read(reference: BlobReference): Promise<Blob> {
    const blob = await reference.make!(this.#host.payloads.limits.blobBytes);
    reference.blob = blob;
    reference.size = blob.size;
    if (reference.kind === 'body' && blob.type === textBody) reference.kind = 'text';
    return blob;
  }

  /** Before an id is compared: what a former page has stored under it, where no record has said so yet. */
  async #learn(name: string): Promise<void> {
    for (let at = 0; at < digestLength; at += idLength) {
      const kept = this.#kept.get(name.slice(at, at + idLength));
      if (!kept) return;
      if (kept.digest !== undefined || this.#lost.has(kept.id)) continue;
      kept.holds++;
      try {
        kept.digest ??= await digestOf(await this.#slot.getBlob(kept.id));
        kept.stored ??= Promise.resolve();
      } catch {
        this.lose([kept.id]);
      } finally {
        this.#letGo(kept);
      }
    }
  }

  /** The one with this content, or a new one under an id that no other content has. */
  #hold(digest: string, size: number, name: string): Kept {
    for (let at = 0; ; at += idLength) {
      const id = at < digestLength ? name.slice(at, at + idLength) : randomId();
      let kept = this.#kept.get(id);
      if (kept && !(kept.digest === digest && kept.size === size)) continue;
      kept ??= this.#add(id, size, digest);
      kept.holds++;
      return kept;
    }
  }

  #keepInPage(kept: Kept, blob: Blob): void {
    if (!kept.page) this.#bytes -= kept.size;
    kept.page = blob;
  }

  #add(id: string, size: number, digest: string | undefined): Kept {
    const kept = { id, size, digest, runs: 0, holds: 0, stored: undefined, page: undefined };
    this.#kept.set(id, kept);
    this.#bytes += size;
    return kept;
  }

  /** @throws PayloadTooLargeError */
  #checkTotal(added: Kept): void {
    const { totalBlobBytes } = this.#host.payloads.limits;
    if (this.#bytes <= totalBlobBytes || added.stored || (added.runs > 0 && !added.page)) return;
    throw new PayloadTooLargeError(
      `There is no room for a file of ${inUnits(added.size)}: all files together would have ${inUnits(this.#bytes)}, the limit is ${inUnits(totalBlobBytes)}. Remove finished runs, or raise limits.totalBlobBytes.`,
      { data: { size: this.#bytes, limit: totalBlobBytes } },
    );
  }

  async #put(kept: Kept, blob: Blob): Promise<void> {
    if (kept.page) {
      kept.page = undefined;
      this.#bytes += kept.size;
    } else if (kept.runs > 0 && (await this.#isThere(kept))) return;
    await this.#leaving.get(kept.id);
    await this.#slot.putBlob(kept.id, blob);
    if (this.#lost.delete(kept.id)) this.onRestored?.(kept.id);
  }

  /** A former page has stored it; the browser may have lost it since. */
  #isThere(kept: Kept): Promise<boolean> {
    if (this.#lost.has(kept.id)) return Promise.resolve(false);
    return this.#slot.getBlob(kept.id).then(
      ({ size }) => size === kept.size,
      () => false,
    );
  }

  /** The core keeps which blobs a run refers to, so that they go with it. */
  attach(run: Run, references: readonly BlobReference[]): void {
    this.#counted.add(run);
    const blobs = (run.ownExtra.blobs ??= new Map());
    for (const { id, size } of references) {
      const kept = this.#kept.get(id)!;
      kept.holds--;
      if (blobs.has(id)) continue;
      blobs.set(id, size);
      kept.runs++;
      this.#tellCore(run, id, size);
    }
  }

  #tellCore(run: Run, id: string, size: number): void {
    const low = Number.parseInt(id.slice(8), 16);
    const high = Number.parseInt(id.slice(0, 8), 16);
    this.#host.pump.commands.push(P.CommandAttachBlob, run.task, low, high, size);
  }

  /** A rebuilt core has missed what the crashed one had not sealed. */
  tellAgain(run: Run, known?: ReadonlySet<string>): void {
    for (const [id, size] of run.extra.blobs ?? []) if (!known?.has(id)) this.#tellCore(run, id, size);
  }

  /** Stored, but nobody will refer to it after all. */
  release(references: readonly BlobReference[]): void {
    for (const { id } of references) this.#letGo(this.#kept.get(id)!);
  }

  // Out

  /** @throws PayloadLostError */
  load = async (entry: BlobEntry): Promise<Blob> => {
    const blob = await this.ticket(entry);
    return entry.kind === 'handle' ? ((await this.handles.open(blob)) as never) : blob;
  };

  /** What is stored itself. @throws PayloadLostError */
  async ticket({ id, digest }: BlobEntry): Promise<Blob> {
    const kept = this.#kept.get(id);
    if (kept?.page) return kept.page;
    const known = kept?.digest;
    if (known !== undefined && digest !== undefined && known !== digest)
      throw new PayloadLostError(`The stored blob ${id} has another content than the one that was stored.`, { data: { blobId: id } });
    return this.#slot.getBlob(id);
  }

  /** What a lost handle stood for is given again. REQUIRES: it is that file. */
  async giveHandle(entry: BlobEntry, given: FileSystemFileHandle | File, file: File): Promise<void> {
    // Its digest is the file's, as it is told to people.
    await this.handles.give(await this.ticket({ ...entry, digest: undefined }), given, file);
    this.onRestored?.(entry.id);
  }

  /** A run of another slot's log. Its blobs are there, or were lost. */
  found(run: Run): void {
    if (!run.extra.blobs || this.#counted.has(run)) return;
    for (const [id, size] of run.extra.blobs) (this.#kept.get(id) ?? this.#add(id, size, undefined)).runs++;
    this.known(run);
  }

  /** A run whose blobs are counted: somebody has asked for it. */
  known(run: Run): void {
    if (!run.extra.blobs) return;
    this.#counted.add(run);
    for (const { id, digest } of entriesOf(run)) {
      const kept = this.#kept.get(id);
      if (kept) kept.digest ??= digest;
    }
  }

  /** Two copies of one run have exchanged what is stored of them. */
  exchanged(one: Run, other: Run): void {
    const [mine, theirs] = [this.#counted.delete(one), this.#counted.delete(other)];
    if (theirs) this.#counted.add(one);
    if (mine) this.#counted.add(other);
  }

  /** It is acknowledged that a run is forgotten, or it was refused after its files were stored. */
  forgotten(run: Run): void {
    const { pendingBlobs } = run.extra;
    if (pendingBlobs) {
      run.ownExtra.pendingBlobs = undefined;
      this.release(pendingBlobs);
    }
    if (!this.#counted.delete(run)) return;
    const unwanted: string[] = [];
    for (const id of run.extra.blobs!.keys()) {
      const kept = this.#kept.get(id)!;
      kept.runs--;
      if (kept.runs === 0 && kept.holds === 0) unwanted.push(id);
    }
    this.#free(unwanted);
  }

  #letGo(kept: Kept): void {
    kept.holds--;
    if (kept.holds === 0 && kept.runs === 0) this.#free([kept.id]);
  }

  #free(ids: string[]): void {
    if (ids.length === 0) return;
    for (const id of ids) {
      const { page, size } = this.#kept.get(id)!;
      if (!page) this.#bytes -= size;
      this.#kept.delete(id);
      this.#lost.delete(id);
    }
    for (const id of ids) if (this.#held.has(id)) this.#spared.add(id);
    this.#delete(ids.filter((id) => !this.#held.has(id)));
  }

  #delete(ids: string[]): void {
    if (ids.length === 0) return;
    // What stays behind for a fault is swept at the next opening.
    const gone = this.#slot.deleteBlobs(ids).catch(() => {});
    for (const id of ids) this.#leaving.set(id, gone);
    void gone.then(() => {
      for (const id of ids) if (this.#leaving.get(id) === gone) this.#leaving.delete(id);
    });
  }

  // Of a slot

  /** What the log of our slot refers to, whether its runs have been made or not. */
  count(referred: readonly { task: number; blobId: string; length: number }[]): void {
    const seen = new Set<string>();
    for (const { task, blobId, length } of referred) {
      const one = `${task} ${blobId}`;
      if (!seen.has(one)) (this.#kept.get(blobId) ?? this.#add(blobId, length, undefined)).runs++;
      seen.add(one);
    }
  }

  /** @returns what is referred to and not among those in the slot */
  missingIn(present: readonly string[]): ReadonlySet<string> {
    const there = new Set(present);
    for (const { id, stored, page, runs } of this.#kept.values()) if (runs > 0 && !stored && !page && !there.has(id)) this.#lost.add(id);
    return this.#lost;
  }

  /**
   * What lay in the slot when it was opened and is referred to by nobody was stored for a record that a crash
   * prevented. What can't be deleted now is by the next session. REQUIRES: `count` has been told of the log.
   */
  async sweep(present: readonly string[]): Promise<void> {
    const orphans = present.filter((id) => !this.#kept.has(id) && !this.#leaving.has(id));
    this.#delete(orphans);
    await Promise.all(orphans.map((id) => this.#leaving.get(id)));
  }

  get lost(): ReadonlySet<string> {
    return this.#lost;
  }

  isThere(id: string): Promise<boolean> {
    const kept = this.#kept.get(id);
    return kept?.page ? Promise.resolve(true) : this.#slot.getBlob(id).then(() => true, () => false);
  }

  lose(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#lost.add(id);
      const kept = this.#kept.get(id);
      if (kept) kept.stored = undefined;
    }
  }

  /** The content of one that was lost, or never stored. REQUIRES: it is that content. */
  async restore({ id, size = 0, kind }: BlobEntry, blob: Blob): Promise<void> {
    const kept = this.#kept.get(id) ?? this.#add(id, size, undefined);
    kept.holds++;
    try {
      this.#lost.add(id);
      if (kind === 'page') {
        this.#keepInPage(kept, blob);
        this.#lost.delete(id);
        this.onRestored?.(id);
      } else {
        kept.stored = this.#put(kept, blob);
        await kept.stored;
      }
    } catch (error) {
      kept.stored = undefined;
      throw error;
    } finally {
      this.#letGo(kept);
    }
  }

  /**
   * Until `letGoOf`, these stay in the slot, whoever forgets or brings them meanwhile: runs of another slot's log
   * are about to refer to them. Once at a time. When it resolves, none of them is about to be deleted.
   */
  async holdOnTo(ids: readonly string[]): Promise<void> {
    this.#held = new Set(ids);
    await Promise.all(ids.map((id) => this.#leaving.get(id)));
  }

  letGoOf(ids: readonly string[]): void {
    this.#held.clear();
    const unwanted = ids.filter((id) => this.#spared.has(id) && !this.#kept.has(id));
    this.#spared.clear();
    this.#delete(unwanted);
  }

  /** These were copied out of another slot, and its runs found: what was lost may be back, what they want may be lost. */
  async arrived(ids: readonly string[]): Promise<void> {
    for (const id of ids) if (this.#lost.has(id) && (await this.isThere(id)) && this.#lost.delete(id)) this.onRestored?.(id);
    this.missingIn(await this.#slot.blobIds());
  }

  /** How many there are, how large, and how large they would be if each run had its own. */
  usage(): { count: number; bytes: number; sharedBytes: number } {
    let sharedBytes = 0;
    for (const { size, runs } of this.#kept.values()) if (runs > 1) sharedBytes += size * (runs - 1);
    return { count: this.#kept.size, bytes: this.#bytes, sharedBytes };
  }
}
