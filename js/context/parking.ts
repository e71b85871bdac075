/**
 * Gives the slot of a run back while its code only waits (for children, times, events, the person who
 * paused it), and lets the code go on when it has a slot again.
 *
 * Invariant: what the code waited for reaches it only while the core says that it runs, and in the order
 * in which it came about.
 */
import * as P from '../protocol.ts';
import { delivery, type Settlement } from '../runs/run.ts';

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
  /** Of those: short ones. */
  #keeping = new Set<Settlement>();
  /** Code of steps that runs now. */
  #busy = 0;
  #away = false;
  #woken = false;
  #looking = false;
  #queue: (() => void)[] = [];
  /** The code goes on with what it was given last. */
  #delivering = false;
  /** Results of steps that are recorded and on their way to the code. */
  #answers = 0;
  /** Failures of steps that stand behind those. */
  #behind: Settlement[] = [];
  /** At a safe point of a paused run. */
  #halted: Settlement[] = [];
  /** Whoever waits from now on hears of it at once. */
  #stopReason: Error | undefined;

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

  /** Results are on their way to the code. */
  get isAnswering(): boolean {
    return this.#answers > 0 || this.#behind.length > 0;
  }

  /** A step is being recorded: what comes from now on comes after it. */
  answering(): void {
    this.#answers++;
  }
  answered(): void {
    const done = () => {
      this.#answers--;
      this.#release();
      if (this.#queue.length > 0) this.#deliver();
    };
    if (this.#waits.size === 0 && this.#behind.length === 0) done();
    else this.#host.defer(done);
  }

  /**
   * For a failure, which is recorded only when the code goes on: until what is recorded already has reached the code, or it
   * would be told before that now, and behind it when the code runs again. undefined: nothing is on its way.
   */
  behindAnswers(): Promise<void> | undefined {
    if (!this.isAnswering || this.#stopReason) return undefined;
    const place = delivery();
    this.#behind.push(place);
    return place.promise;
  }

  #release(): void {
    if (this.#answers > 0) return;
    const next = this.#behind.shift();
    if (!next) return;
    next.resolve();
    this.#host.defer(() => this.#release());
  }

  /** undefined: the run is not paused. */
  haltIfPaused(): Promise<void> | undefined {
    if (!this.#host.paused || this.#stopReason) return undefined;
    const halted = delivery();
    this.#halted.push(halted);
    if (!this.#away) this.#leave(1);
    return halted.promise;
  }

  /** @param keepsSlot the slot is not given back while this is waited for */
  enter(keepsSlot = false): Settlement {
    const place = delivery();
    if (this.#stopReason) place.reject(this.#stopReason);
    else {
      this.#waits.add(place);
      if (keepsSlot) this.#keeping.add(place);
    }
    this.#look();
    return place;
  }

  /** Nobody waits there any more. false: it has been given. */
  forget(place: Settlement): boolean {
    return this.#waits.delete(place);
  }

  /** What was waited for is there: `give` is called when the code may go on. */
  leave(place: Settlement, give: () => void): void {
    if (!this.#waits.has(place)) return;
    const deliver = () => {
      this.#keeping.delete(place);
      if (this.#waits.delete(place)) give();
    };
    this.#queue.push(deliver);
    if (this.#away) this.wake();
    else this.#deliver();
  }

  /**
   * One after the other, each when the code has gone as far as it can with the one before: ways to the
   * code differ in length, and what came second must not overtake what came first.
   */
  #deliver(): void {
    if (this.#delivering || this.#away || this.#answers > 0) return;
    const next = this.#queue.shift();
    if (!next) return this.#look();
    this.#delivering = true;
    next();
    this.#host.defer(() => {
      this.#delivering = false;
      this.#deliver();
    });
  }

  /** The code is wanted back. */
  wake(): void {
    if (!this.#away || this.#woken || this.#halted.length > 0) return;
    this.#woken = true;
    this.#host.push(P.CommandWake);
  }

  /** The slot is given back once the code has gone as far as it can. */
  #look(): void {
    if (this.#looking || this.#delivering || this.#away || this.#waits.size === 0 || this.#keeping.size > 0) return;
    this.#looking = true;
    this.#host.defer(() => {
      this.#looking = false;
      if (this.#waits.size > 0 && this.#keeping.size === 0 && this.#busy === 0 && this.#queue.length === 0 && !this.#away && this.#host.running) this.#leave(0);
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
    if (this.#queue.length > 0) this.#deliver();
  }

  /** Everything that waits hears that the attempt is stopped. */
  stop(reason: Error): void {
    this.#stopReason = reason;
    for (const { reject } of [...this.#waits, ...this.#halted, ...this.#behind]) reject(reason);
    this.#waits.clear();
    this.#keeping.clear();
    this.#halted = [];
    this.#behind = [];
    this.#queue = [];
  }
}
