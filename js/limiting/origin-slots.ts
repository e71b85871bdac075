/**
 * Queues whose concurrency all tabs of the origin share: each of its slots is a Web Lock, and the core runs as many as this tab
 * holds.
 *
 * A tab asks for a slot when it has a run that wants one. In the core a grant is for one run: when that is over the lock is let
 * go of, and whoever waited longer in another tab gets it. The browser frees the slots of a tab that dies.
 * Invariant: the core is granted a slot after its lock is held, and the lock is let go of after the core has given the slot up.
 */
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { concurrencyNow, locksOf, type Queue } from './queue-table.ts';

interface Slot {
  index: number;
  release: () => void;
}

interface Share {
  readonly name: string;
  readonly queue: Queue;
  readonly held: Slot[];
  /** The request for the next one, of so many. */
  asking: AbortController | undefined;
  askedOf: number;
}

export class OriginSlots {
  readonly #house: Orchestrator;
  readonly #namespace: string;
  readonly #shares = new Map<string, Share>();
  #closed = false;

  constructor(house: Orchestrator) {
    this.#house = house;
    const { id = 'default', namespace = id } = house.getOptions();
    this.#namespace = namespace;
  }

  /** After each step of the core. */
  stepped(names: ReadonlySet<string>): void {
    for (const name of names) {
      const queue = this.#house.table.queues.named(name);
      if (!queue || queue.number === undefined || queue.concurrency === 0) continue;
      const former = this.#shares.get(name);
      const share = former?.queue === queue ? former : { name, queue, held: former?.held ?? [], asking: former?.asking, askedOf: former?.askedOf ?? 0 };
      this.#shares.set(name, share);
      this.#look(share);
    }
    for (const share of this.#shares.values()) if (!names.has(share.name)) this.#giveBack(share);
  }

  #look(share: Share): void {
    const { commands, engine } = this.#house.pump;
    // The core has not heard all of it yet.
    if (commands.count > 0) return;
    const ask = (field: number) => engine.queueValue(share.queue.number!, field);
    const running = ask(P.QueueValueRunning);
    const granted = Math.max(0, ask(P.QueueValueGranted) - 1);
    // Turns that are over, or were given up.
    while (share.held.length > granted) share.held.shift()!.release();
    share.queue.granted = share.held.length + 1;
    const wanted = ask(P.QueueValuePaused) + ask(P.QueueValueStill) > 0 ? running : running + ask(P.QueueValueReady);
    if (granted > wanted) this.#grant(share, wanted);
    if (wanted > share.held.length) this.#askFor(share);
    else this.#stopAsking(share);
  }

  #grant(share: Share, count: number): void {
    share.queue.granted = count + 1;
    this.#house.pump.commands.push(P.CommandSetQueue, share.queue.number!, P.QueueFieldGranted, 0, count + 1);
    this.#house.pump.wake();
  }

  /** Of any slot; the first that is free. */
  #askFor(share: Share): void {
    const slots = concurrencyNow(share.queue);
    if (share.asking && share.askedOf !== slots) this.#stopAsking(share);
    if (share.asking || this.#closed || share.held.length >= slots) return;
    const asking = (share.asking = new AbortController());
    share.askedOf = slots;
    const mine = new Set(share.held.map(({ index }) => index));
    for (let index = 0; index < slots; index++) {
      if (mine.has(index)) continue;
      locksOf(this.#house)!
        .request(`holdfast:${this.#namespace}:queue:${share.name}:${index}`, { signal: asking.signal }, () => {
          // Two were free at once: one is enough.
          if (asking.signal.aborted || this.#closed) return undefined;
          return new Promise<void>((release) => this.#granted(share.name, asking, { index, release }));
        })
        .catch((error) => asking.signal.aborted || this.#house.warn(`A slot of queue "${share.name}" can't be had: ${error?.message ?? error}`));
    }
  }

  #granted(name: string, asking: AbortController, slot: Slot): void {
    asking.abort();
    const share = this.#shares.get(name);
    if (share?.asking !== asking) return slot.release();
    share.asking = undefined;
    share.held.push(slot);
    if (this.#house.pump.open) this.#grant(share, share.held.length);
  }

  #stopAsking(share: Share): void {
    share.asking?.abort();
    share.asking = undefined;
  }

  close(): void {
    this.#closed = true;
    for (const share of this.#shares.values()) this.#giveBack(share);
  }

  #giveBack(share: Share): void {
    this.#shares.delete(share.name);
    this.#stopAsking(share);
    for (const slot of share.held.splice(0)) slot.release();
  }
}
