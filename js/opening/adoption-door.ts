/**
 * Where the opening and the taking over of dead sessions meet: who has anything to take over is found out here, what is
 * done with it is loaded with the first slot that somebody left (adoption.ts).
 *
 * Invariant: while nothing is loaded, no run of this tab came out of another slot, and none is held for that.
 */
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Engine } from '../pump/engine.ts';
import type { Run } from '../runs/run.ts';
import type { Storage } from '../storage.ts';
import type { Standing } from '../tabs/tabs.ts';
import { eventTask } from '../waiting/internal.ts';
import type { Adoption, AdoptionHost } from './adoption.ts';
import type { PageLife } from './page-life.ts';

const loadAgainMs = 5000;

export class AdoptionDoor {
  readonly #house: Orchestrator;
  readonly #host: AdoptionHost;
  readonly #storage: Storage;
  readonly #room: Lazy<Adoption>;
  #closed = false;

  constructor(house: Orchestrator, host: AdoptionHost, storage: Storage, page: PageLife) {
    this.#house = house;
    this.#host = host;
    this.#storage = storage;
    this.#room = new Lazy(async () => new (await import('./adoption.ts')).Adoption(house, host, storage, page));
  }

  /** REQUIRES: the slot's lock is held until this resolves. It never rejects: what fails is told, and tried again. */
  async adopt(slot: number): Promise<void> {
    let room: Adoption;
    try {
      room = await this.#room.load();
    } catch (error) {
      return this.#notLoaded(slot, error);
    }
    await room.adopt(slot);
  }

  #notLoaded(slot: number, error: unknown): void {
    if (this.#closed) return;
    const { clock } = this.#house;
    this.#house.warn(`Slot ${slot} of a closed tab could not be taken over: ${error instanceof Error ? error.message : error} It is tried again.`);
    clock.schedule(clock.now() + loadAgainMs, () => this.#closed || this.#host.tabs?.watch(slot));
  }

  /** What lies in slots that nobody holds; in those excepted files are still open. */
  async adoptFree(except: ReadonlySet<number>): Promise<void> {
    const { tabs } = this.#host;
    const own = this.#house.journal!.slot.slot;
    for (const slot of await this.#storage.occupiedSlots()) {
      if (slot === own || except.has(slot) || this.#closed) continue;
      // Where nobody watches over slots we are alone: what lies in another one is what a wrong key has kept us from.
      await (tabs ? tabs.adoptIfFree(slot) : this.adopt(slot));
    }
  }

  /**
   * What lies in a slot that nobody watched over when its session ended: that was while we were opening.
   * @param blocked slots that could not be opened: somebody will have their locks, here or in another tab
   */
  async sweep(blocked: Iterable<number>): Promise<void> {
    for (const slot of blocked) void this.#room.load().then((room) => room.later(slot), (error) => this.#notLoaded(slot, error));
    for (const slot of await this.#storage.occupiedSlots()) if (!this.#closed) this.#host.tabs?.watch(slot);
  }

  /** Of the log that this session goes on with: take-overs that a crash cut short. */
  async found(engine: Engine): Promise<void> {
    if (engine.heldTasks(P.HoldImportUnconfirmed).length > 0) (await this.#room.load()).found();
  }

  /** Runs whose import was cut short are ours unless another session has them. */
  async resolve(): Promise<void> {
    await (await this.#room.ifAsked())?.resolve();
  }

  /** As `Adoption.takeIn`. */
  async takeIn(make: () => Uint8Array<ArrayBuffer> | undefined, paused: boolean): Promise<Run[]> {
    return (await this.#room.load()).takeIn(make, paused);
  }

  /**
   * Those of these ids that go on here, and those that are held here, as other sessions ask for them.
   * Undefined while there is no core: runs that nobody has asked for yet can't be found then.
   */
  standingOf(ids: readonly string[]): Standing | undefined {
    if (!this.#house.pump.open) return undefined;
    const { loaded } = this.#room;
    const owned: string[] = [];
    const held: string[] = [];
    for (const id of ids) {
      const run = this.#house.localRun(id);
      // Of an event every tab has a copy of its own: nobody owns it alone.
      if (run && run.taskIdentifier !== eventTask) (loaded?.isHeld(run) ? held : owned).push(id);
    }
    return { owned, held };
  }

  /** Waits for what is under way; what waits for an acknowledgement is left to the next session. */
  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#room.ifAsked())?.close();
  }
}
