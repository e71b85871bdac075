/**
 * Two stores of different make as copies of each other: `mirror(opfs(), indexedDB())`. Browsers lose
 * either one at times, hardly ever both. Per slot: mirror-slot.ts; how the second follows: follower.ts.
 *
 * Invariants: a store that has no generation where the other one (or the sentinel) has was lost; it
 * is written anew from the other and reported, never taken for a first run. One store that can't
 * be opened leaves the other alone and is reported; `open` fails only when neither can.
 */
import { checkNames, refuse } from '../intake/checks.ts';
import { StorageBlockedError, StoreTooNewError } from '../errors.ts';
import type { Durability, StorageEvent, StorageOpenOptions } from '../storage.ts';
import { type CopySlot, type CopyStorage, checkNamespace, installOrGiveUp, openAlone, sentinel } from './copy.ts';
import { type MirrorHost, MirrorSlot, type Side } from './mirror-slot.ts';
import { systemTimers, type Timers } from './wait.ts';

export interface MirrorOptions {
  timers?: Timers;
}

export class MirrorStorage implements CopyStorage, MirrorHost {
  readonly name: string;
  readonly durability: Durability;
  readonly first: CopyStorage;
  readonly second: CopyStorage;
  readonly timers: Timers;
  readonly #present: Record<Side, boolean> = { first: false, second: false };
  readonly #slots = new Set<MirrorSlot>();
  #open: StorageOpenOptions | undefined;
  #missing: Side | undefined;

  constructor(first: CopyStorage, second: CopyStorage, { timers = systemTimers }: MirrorOptions) {
    this.first = first;
    this.second = second;
    this.name = `mirror(${first.name}, ${second.name})`;
    this.durability = first.durability;
    this.timers = timers;
  }

  open(options: StorageOpenOptions): Promise<void> {
    return openAlone(this, options);
  }

  /** Resolves to the generation the copies agree on, or the trusted one of two. */
  async connect(options: StorageOpenOptions): Promise<string | undefined> {
    checkNamespace(options.namespace);
    this.#open = options;
    const tries = await Promise.allSettled([this.#connect('first', false), this.#connect('second', false)]);
    const newer = tries.find((one) => one.status === 'rejected' && one.reason instanceof StoreTooNewError);
    if (newer || tries.every((one) => one.status === 'rejected')) {
      await this.close();
      throw ((newer ?? tries[0]) as PromiseRejectedResult).reason;
    }
    const [a, b] = tries;
    if (a.status === 'rejected') return this.#goAlone('second', a.reason);
    if (b.status === 'rejected') return this.#goAlone('first', b.reason);
    this.#present.first = this.#present.second = true;
    return this.#agree(a.value, b.value);
  }

  async install(generation: string): Promise<void> {
    const sides = this.#sides();
    const done = await Promise.allSettled(sides.map((side) => installOrGiveUp(this[side], generation)));
    const failed = sides.filter((_, index) => done[index]!.status === 'rejected');
    const reasons = done.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    if (failed.length === sides.length) throw reasons[0];
    for (const side of failed) this.#lack(side, reasons[0]);
  }

  async slotCount(): Promise<number> {
    return Math.max(...(await Promise.all(this.#sides().map((side) => this[side].slotCount()))));
  }

  async occupiedSlots(): Promise<number[]> {
    const lists = await Promise.all(this.#sides().map((side) => this[side].occupiedSlots()));
    return [...new Set(lists.flat())].sort((a, b) => a - b);
  }

  async openSlot(slot: number): Promise<CopySlot> {
    const [first, second] = await Promise.allSettled([this.#openOne('first', slot), this.#openOne('second', slot)]);
    if (first.status === 'rejected' && (first.reason instanceof StorageBlockedError || second.status === 'rejected')) {
      if (second.status === 'fulfilled') await second.value?.close();
      throw first.reason;
    }
    const opened = new MirrorSlot(this, slot, valueOf(first), valueOf(second));
    for (const [side, one] of [
      ['first', first],
      ['second', second],
    ] as const) {
      if (one.status === 'rejected') this.emit({ type: 'storage-degraded', store: this[side].name, cause: one.reason });
    }
    this.#slots.add(opened);
    await opened.reconcile(this.#missing);
    return opened;
  }

  async check(): Promise<boolean> {
    const present = await Promise.all(this.#sides().map((side) => this[side].check()));
    return present.some(Boolean);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#slots].map((slot) => slot.close()));
    await Promise.allSettled([this.first.close(), this.second.close()]);
  }

  emit(event: StorageEvent): void {
    this.#open!.onEvent(event);
  }
  inspect(bytes: Uint8Array): number {
    return this.#open!.inspect(bytes).validBytes;
  }
  closed(slot: MirrorSlot): void {
    this.#slots.delete(slot);
  }

  #sides(): Side[] {
    return (['first', 'second'] as const).filter((side) => this.#present[side]);
  }

  #connect(side: Side, alone: boolean): Promise<string | undefined> {
    const onEvent = (event: StorageEvent) => this.#hear(side, event);
    return this[side].connect({ ...this.#open!, onEvent }, alone);
  }

  /** Connects anew, so that the one that is left knows that nothing stands behind it. */
  async #goAlone(side: Side, cause: unknown): Promise<string | undefined> {
    const other: Side = side === 'first' ? 'second' : 'first';
    await this[side].close();
    const generation = await this.#connect(side, true);
    this.#present[side] = true;
    this.#lack(other, cause);
    return generation;
  }

  #lack(side: Side, cause: unknown): void {
    this.#present[side] = false;
    this.emit({ type: 'storage-degraded', store: this[side].name, cause });
  }

  #agree(a: string | undefined, b: string | undefined): string | undefined {
    this.#missing = undefined;
    if (a === b) return a;
    const remembered = sentinel.read(this.#open!.namespace);
    const trusted = a === undefined || (b !== undefined && b === remembered) ? b : a;
    this.#missing = trusted === a ? 'second' : 'first';
    return trusted;
  }

  async #openOne(side: Side, slot: number): Promise<CopySlot | undefined> {
    return this.#present[side] ? this[side].openSlot(slot) : undefined;
  }

  /** What one store says of itself. The second's troubles are its follower's to tell. */
  #hear(side: Side, event: StorageEvent): void {
    const stands = side === 'first' || !this.#present.first;
    const isAlone = this.#sides().length < 2;
    if (event.type === 'storage-lost' && !isAlone) {
      for (const slot of this.#slots) void slot.onLoss(side).catch(() => undefined);
    } else if (event.type === 'storage-degraded' && side === 'first' && !isAlone) {
      for (const slot of this.#slots) slot.onDown(event.cause);
    } else if (stands || event.type === 'storage-blocked') {
      // There is no other one that goes on.
      this.emit(isAlone && event.type === 'storage-degraded' ? { ...event, store: this.name } : event);
    }
  }
}

function valueOf<T>(result: PromiseSettledResult<T>): T | undefined {
  return result.status === 'fulfilled' ? result.value : undefined;
}

/** Both keep everything; the first acknowledges, so it should be the faster one. */
export function mirror(first: CopyStorage, second: CopyStorage, options: MirrorOptions = {}): MirrorStorage {
  for (const [side, store] of Object.entries({ first, second })) {
    if (typeof (store as Partial<CopyStorage> | null)?.connect !== 'function') refuse(`mirror ${side}`, 'a storage such as opfs() or indexedDB()', store);
  }
  checkNames(options, ['timers'], 'mirror');
  return new MirrorStorage(first, second, options);
}
