/**
 * Gives the slot of a run back while its code only waits (for children, times, events, the person who
 * paused it), and lets the code go on when it has a slot again.
 *
 * Invariant: what the code waited for reaches it only while the core says that it runs, and in the order
 * in which it came about.
 */
import * as P from '../protocol.ts';
import { delivery, type Settlement } from '../run.ts';

export interface ParkingHost {
  push(command: number, a?: number, b?: number, at?: number): void;
  /** Is the run paused? */
  readonly paused: boolean;
  /** Is it running, as the core sees it? */
  readonly running: boolean;
  defer(callback: () => void): void;
}

export class Parking {
  readonly #host: ParkingHost;
  readonly #attempt: number;
  /** Waiting for something outside. */
  #waits = new Set<Settlement>();
  /** Code of steps that runs now. */
  #busy = 0;
  #away = false;
  #woken = false;
  #looking = false;
  #queue: (() => void)[] = [];
  /** At a safe point of a paused run. */
  #halted: Settlement[] = [];

  constructor(host: ParkingHost, attempt: number) {
    this.#host = host;
    this.#attempt = attempt;
  }

  begin(): void {
    this.#busy++;
  }
  end(): void {
    this.#busy--;
    this.#look();
  }

  /** undefined: the run is not paused. */
  haltIfPaused(): Promise<void> | undefined {
    if (!this.#host.paused) return undefined;
    const halted = delivery();
    this.#halted.push(halted);
    if (!this.#away) this.#leave(1);
    return halted.promise;
  }

  enter(): Settlement {
    const place = delivery();
    this.#waits.add(place);
    this.#look();
    return place;
  }

  /** What was waited for is there: `give` is called when the code may go on. */
  leave(place: Settlement, give: () => void): void {
    if (!this.#waits.has(place)) return;
    const deliver = () => {
      if (this.#waits.delete(place)) give();
    };
    if (!this.#away) return deliver();
    this.#queue.push(deliver);
    this.wake();
  }

  /** The code is wanted back. */
  wake(): void {
    if (!this.#away || this.#woken || this.#halted.length > 0) return;
    this.#woken = true;
    this.#host.push(P.CommandWake);
  }

  /** The slot is given back once the code has gone as far as it can. */
  #look(): void {
    if (this.#looking || this.#away || this.#waits.size === 0) return;
    this.#looking = true;
    this.#host.defer(() => {
      this.#looking = false;
      if (this.#waits.size > 0 && this.#busy === 0 && !this.#away && this.#host.running) this.#leave(0);
    });
  }

  #leave(parked: number): void {
    this.#away = true;
    this.#woken = false;
    this.#host.push(P.CommandWait, this.#attempt, parked);
  }

  /** By its alarm, or by whoever resumed it. */
  noteWoken(): void {
    this.#woken = true;
  }

  /** Its wish to give the slot back was refused: it is being stopped. */
  stays(): void {
    this.#go();
  }

  /** It has a slot again. */
  resumed(): void {
    this.#go();
    this.#look();
  }

  #go(): void {
    this.#away = false;
    this.#woken = false;
    for (const { resolve } of this.#halted.splice(0)) resolve();
    for (const deliver of this.#queue.splice(0)) deliver();
  }

  /** Everything that waits hears that the attempt is stopped. */
  stop(reason: Error): void {
    for (const { reject } of [...this.#waits, ...this.#halted]) reject(reason);
    this.#waits.clear();
    this.#halted = [];
    this.#queue = [];
  }
}
