/**
 * How a session comes to its slot: one that a dead session left, so that its runs simply go on, or a free one.
 *
 * Nearly always it is the first. Its lock is asked for before there is a storage, which can then read it while
 * it connects; only where nothing is in it, and something in others, is it given back and looked further.
 *
 * Invariants: a slot is opened only under its lock, where the browser has locks; a slot that a dead tab still
 * keeps open is left alone, and another one is ours.
 */
import { StorageBlockedError, StorageLockedError } from '../errors.ts';
import { holdsContent, readLog } from './found.ts';
import type { Storage, StorageSlot } from '../storage.ts';
import type { Claim, Tabs } from '../tabs/tabs.ts';

const blockedLimit = 3;

export interface Owned {
  slot: StorageSlot;
  /** What is in it, with all that may lie behind it. */
  log: Uint8Array;
  adoptable: Claim['adoptable'];
}

export class OwnSlot {
  readonly #tabs: Tabs | undefined;
  readonly #locked: (slot: StorageSlot) => Promise<void>;
  /** Could not be opened yet. */
  readonly blocked = new Set<number>();
  /** Encrypted with another key. */
  readonly locked = new Set<number>();

  constructor(tabs: Tabs | undefined, locked: (slot: StorageSlot) => Promise<void>) {
    this.#tabs = tabs;
    this.#locked = locked;
  }

  /** `usual`: a slot whose lock is held. */
  async open(storage: Storage, usual: number | undefined): Promise<Owned> {
    if (usual !== undefined) {
      const owned = await this.#try(storage, { slot: usual, adoptable: [] });
      if (owned && (holdsContent(owned.log) || !(await this.#occupiedBut(storage, usual)))) return owned;
      await owned?.slot.close();
      this.#tabs!.giveUpClaim();
    }
    for (;;) {
      const claim = await this.#claim(storage);
      const owned = await this.#try(storage, claim);
      if (owned) return owned;
      for (const { release } of claim.adoptable) release();
      this.#tabs?.giveUpClaim();
    }
  }

  async #occupiedBut(storage: Storage, slot: number): Promise<boolean> {
    return (await storage.occupiedSlots()).some((other) => other !== slot);
  }

  /** A dead tab's files can stay open for a while after its lock is free. */
  async #try(storage: Storage, { slot: number, adoptable }: Claim): Promise<Owned | undefined> {
    let slot: StorageSlot | undefined;
    try {
      slot = await storage.openSlot(number);
      return { slot, log: await readLog(slot), adoptable };
    } catch (error) {
      if (error instanceof StorageLockedError && slot) {
        await this.#locked(slot);
        await slot.close();
        this.locked.add(number);
        return undefined;
      }
      if (!(error instanceof StorageBlockedError) || !this.#tabs || this.blocked.size >= blockedLimit) throw error;
      this.blocked.add(number);
      return undefined;
    }
  }

  async #claim(storage: Storage): Promise<Claim> {
    const [occupied, count] = [await storage.occupiedSlots(), await storage.slotCount()];
    const except = new Set([...this.blocked, ...this.locked]);
    if (this.#tabs) return this.#tabs.claim(occupied, count, except);
    const usual = occupied.filter((slot) => !except.has(slot));
    return { slot: usual[0] ?? firstBut([...occupied, ...except]), adoptable: [] };
  }
}

function firstBut(taken: readonly number[]): number {
  let slot = 0;
  while (taken.includes(slot)) slot++;
  return slot;
}
