/**
 * Hands the core's frames to the storage, one at a time, and says when they are acknowledged.
 *
 * Invariants: at most one append is under way, so a refused frame can never be followed by a later
 * one; what gathers meanwhile is the next frame (group commit). Every frame since the last
 * compaction is kept in memory, so the log can be written anew wherever the storage lost it.
 * Nothing is announced before the frame it stands in is acknowledged.
 */
import type { Clock } from '../time/clock.ts';
import type { Engine } from '../pump/engine.ts';
import { DisposedError, StorageFullError } from '../errors.ts';
import type { Run } from '../runs/run.ts';
import type { AppendReceipt, Durability, StorageSlot } from '../storage.ts';
import type { StorageState } from '../types.ts';

/** What waits for an acknowledgement. */
export class Announcements {
  created: Run[] = [];
  ended: Run[] = [];
  waiters: (() => void)[] = [];
  /** Called instead when the core crashed before it had sealed the frame. */
  losers: ((error: Error) => void)[] = [];
  /** Positions in the event log. */
  eventsFrom: number | undefined;
  eventsEnd = 0;
  get empty(): boolean {
    return this.created.length === 0 && this.ended.length === 0 && this.waiters.length === 0;
  }
}

export interface JournalHost {
  readonly clock: Clock;
  engine(): Engine;
  /** `open`: there is a core; not so while a crashed one is rebuilt. */
  readonly pump: { readonly open: boolean };
  /** A frame's announcements may be made now. */
  acknowledged(announcements: Announcements): void;
  storageChanged(state: StorageState): void;
  /** The core ended under a call of ours. */
  crashed(error: unknown): void;
  warn(message: string): void;
  /** About what a compacted log would hold; asked when the log has outgrown what was live at last. */
  liveBytes(): number;
  /** A compacted log takes the place of the one that was found. */
  compacting(): void;
}

interface Flight {
  frame: Uint8Array<ArrayBuffer>;
  announcements: Announcements;
}

const fullForNowMs = 5000;
const compactionFloorBytes = 4 * 1024 * 1024;
const retryDelaysMs = [250, 1000, 2000, 5000];

export class Journal {
  readonly #host: JournalHost;
  readonly #slot: StorageSlot;
  #frames: Uint8Array[] = [];
  #logBytes = 0;
  #liveBytes = 0;
  #gathered = new Announcements();
  #flight: Flight | undefined;
  #busy = false;
  #closed = false;
  #closing = false;
  /** The store lost what it had; it is written anew when the append under way has ended. */
  #rewriteAsked = false;
  #rewriteWaiters: { resolve(): void; reject(error: Error): void }[] = [];
  #failures = 0;
  #settled: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #idleWaiters: (() => void)[] = [];
  state: StorageState;

  constructor(host: JournalHost, slot: StorageSlot, name: string, durability: Durability) {
    this.#host = host;
    this.#slot = slot;
    this.state = { name, durability, status: 'ok' };
  }

  get slot(): StorageSlot {
    return this.#slot;
  }

  /**
   * The log that was found on opening; its valid prefix. `settled`: what lies behind it is gone. Nothing is
   * appended before, and where that fails the log is written anew.
   */
  begin(log: Uint8Array, settled?: Promise<void>): void {
    this.#settled = settled;
    settled?.catch(() => {});
    this.#frames = log.length > 0 ? [log] : [];
    this.#logBytes = log.length;
    this.#liveBytes = log.length;
  }

  /** Of the log, as it is stored. */
  get bytes(): number {
    return this.#logBytes;
  }

  get announcements(): Announcements {
    return this.#gathered;
  }

  /** What was stepped and not sealed when the core crashed. */
  dropGathered(): Announcements {
    const lost = this.#gathered;
    this.#gathered = new Announcements();
    return lost;
  }

  /** Bytes handed over and not acknowledged. */
  get unacknowledgedBytes(): number {
    return this.#flight?.frame.length ?? 0;
  }

  /** New tasks are to be refused. */
  get refusing(): boolean {
    return this.state.status === 'full';
  }

  /** Seals what the core has stepped and hands it over, unless a frame is still under way. */
  handOver(): void {
    if (this.#busy || this.#closed || !this.#host.pump.open) return;
    const frame = this.#host.engine().seal();
    if (!frame) return this.#announceUnwritten();
    const announcements = this.#gathered;
    this.#gathered = new Announcements();
    this.#frames.push(frame);
    this.#logBytes += frame.length;
    this.#flight = { frame, announcements };
    this.#send();
  }

  /**
   * Resolves when everything stepped so far is acknowledged, however much follows it.
   * @throws CoreCrashedError when it was lost with a crashed core @throws DisposedError
   */
  acknowledged(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(unstored());
      this.#gathered.waiters.push(resolve);
      this.#gathered.losers.push(reject);
      this.handOver();
    });
  }

  /** Resolves when nothing is under way. */
  #idle(): Promise<void> {
    this.handOver();
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /**
   * The whole log is to be written anew, as the storage takes it now. Resolves when it is: where nothing can be stored at the
   * moment, that is later. @throws DisposedError
   */
  rewritten(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(unstored());
      this.#rewriteWaiters.push({ resolve, reject });
      // A frame that is under way may have been sealed before.
      void this.rewrite();
    });
  }

  /** Writes the whole log anew: the storage lost it, or says so. */
  async rewrite(): Promise<void> {
    if (this.#closed) return;
    if (this.#busy) {
      this.#rewriteAsked = true;
      return;
    }
    this.#rewriteAsked = false;
    this.#busy = true;
    const waiters = this.#rewriteWaiters.splice(0);
    try {
      await this.#slot.replace(concatenate(this.#frames));
      this.#settled = undefined;
      for (const { resolve } of waiters) resolve();
      this.#succeeded(this.#flight);
    } catch (error) {
      if (this.#closed) for (const { reject } of waiters) reject(unstored());
      else this.#rewriteWaiters.unshift(...waiters);
      this.#rewriteAsked = this.#rewriteWaiters.length > 0;
      this.#failed(error);
    }
  }

  /** The storage says there is room again. */
  retryNow(): void {
    if (!this.#cancelRetry) return;
    this.#cancelRetry();
    this.#cancelRetry = undefined;
    this.#retry();
  }

  spaceLow(low: boolean): void {
    if (low) this.#setState('full', 'The browser gives no more storage. New tasks are refused; running ones are recorded in the reserve.');
    else if (this.state.status === 'full') this.#setState('ok');
  }

  /** A file found no room. Whether there is any again only the next try can tell, so one is soon allowed. */
  fullForNow(): void {
    this.spaceLow(true);
    this.#host.clock.schedule(this.#host.clock.now() + fullForNowMs, () => {
      if (!this.#flight && !this.#closed) this.spaceLow(false);
    });
  }

  degraded(message: string): void {
    if (this.state.status === 'ok') this.#setState('degraded', message);
  }

  /** The copy that was degraded is good again. */
  repaired(): void {
    if (this.state.status === 'degraded') this.#setState('ok');
  }

  async close(): Promise<void> {
    this.#closing = true;
    // What can't be stored now stays unacknowledged; closing does not wait for a store that is gone.
    if (this.#failures === 0) await this.#idle();
    this.#closed = true;
    this.#cancelRetry?.();
    for (const tell of [...(this.#flight?.announcements.losers ?? []), ...this.#gathered.losers]) tell(unstored());
    for (const { reject } of this.#rewriteWaiters.splice(0)) reject(unstored());
    await this.#slot.close();
  }

  /** A step that changed nothing durable, but somebody waits for its turn. */
  #announceUnwritten(): void {
    if (this.#gathered.empty) return;
    const announcements = this.#gathered;
    this.#gathered = new Announcements();
    this.#host.acknowledged(announcements);
  }

  #send(): void {
    this.#busy = true;
    const flight = this.#flight!;
    this.#append(flight.frame).then(
      (receipt) => {
        if (receipt.spaceLow !== (this.state.status === 'full')) this.spaceLow(receipt.spaceLow);
        this.#succeeded(flight);
      },
      (error) => this.#failed(error),
    );
  }

  #append(frame: Uint8Array<ArrayBuffer>): Promise<AppendReceipt> {
    // The storage may transfer the buffer away; ours stays for compaction and repair.
    const append = () => this.#slot.append(frame.slice());
    if (!this.#settled) return append();
    const appended = this.#settled.then(append);
    this.#settled.then(
      () => (this.#settled = undefined),
      () => {},
    );
    return appended;
  }

  #succeeded(flight: Flight | undefined): void {
    this.#busy = false;
    this.#flight = undefined;
    this.#failures = 0;
    if (this.state.status === 'failing') this.#setState('ok');
    if (flight) this.#host.acknowledged(flight.announcements);
    if (this.#rewriteAsked) void this.rewrite();
    else this.#goOn();
    if (!this.#busy) this.#tellIdle();
  }

  /** The core may end under it, for want of memory if for nothing else. */
  #goOn(): void {
    try {
      if (this.#isWasteful()) this.#compact();
      else this.handOver();
    } catch (error) {
      this.#host.crashed(error);
    }
  }

  #tellIdle(): void {
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /** Nothing is lost and nothing hangs: the frame stays, is tried again, and the person sees why. */
  #failed(error: unknown): void {
    const full = error instanceof StorageFullError;
    const message = error instanceof Error ? error.message : String(error);
    if (full) this.spaceLow(true);
    else this.#setState('failing', `Nothing can be stored at the moment (${message}). What is running goes on and is stored as soon as possible.`);
    if (this.#closing) this.#tellIdle();
    const delayMs = retryDelaysMs[Math.min(this.#failures++, retryDelaysMs.length - 1)]!;
    this.#cancelRetry = this.#host.clock.schedule(this.#host.clock.now() + delayMs, () => {
      this.#cancelRetry = undefined;
      this.#retry();
    });
  }

  #retry(): void {
    if (this.#closed) return;
    // A store that was lost has to be written whole; one that was only full takes the frame.
    if (this.state.status === 'full' && this.#flight && !this.#settled) return this.#send();
    this.#busy = false;
    void this.rewrite();
  }

  /** What only grew because more is live gains nothing by a compaction, which costs a long pause. */
  #isWasteful(): boolean {
    if (this.#logBytes <= 2 * this.#liveBytes + compactionFloorBytes) return false;
    this.#liveBytes = this.#host.liveBytes();
    return this.#logBytes > 2 * this.#liveBytes + compactionFloorBytes;
  }

  #compact(): void {
    if (!this.#host.pump.open) return;
    const engine = this.#host.engine();
    this.handOver();
    if (this.#busy) return;
    this.#host.compacting();
    // Should it fail, the old log stands and goes on; the next try comes when it has grown by as much again.
    this.#liveBytes = this.#logBytes;
    const compacted = engine.compact(this.#frames);
    this.#busy = true;
    this.#slot.replace(compacted.slice()).then(
      () => {
        // A core that was rebuilt meanwhile goes on from the log as it was.
        if (!this.#host.pump.open || this.#host.engine() !== engine) this.#rewriteAsked = true;
        else {
          engine.commitCompaction();
          this.begin(compacted);
        }
        this.#succeeded(undefined);
      },
      (error) => {
        this.#host.warn(`The journal could not be compacted: ${error instanceof Error ? error.message : error}`);
        this.#succeeded(undefined);
      },
    );
  }

  #setState(status: StorageState['status'], message?: string): void {
    if (this.state.status === status) return;
    this.state = { ...this.state, status, ...(message === undefined ? { message: undefined } : { message }) } as StorageState;
    this.#host.storageChanged(this.state);
  }

  /** For rebuilding a crashed core: every frame ever sealed since the last compaction. */
  log(): Uint8Array<ArrayBuffer> {
    return concatenate(this.#frames);
  }
}

const unstored = (): Error => new DisposedError('The orchestrator was disposed before this was stored. Create another one, and ask that.');

export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
