/**
 * Gives what is recorded to code that runs again, in the order in which it was given before: so that a
 * race has the winner it had, whatever else the code does at once.
 *
 * Records of the try that goes on (interrupted, never failed) are *ordered*: each is given when it is
 * its turn, and what is asked for and not recorded waits until the last of them has been given. What
 * former tries recorded is a *memo*: given at once, in any order, results only; their failures are
 * forgotten, because a new try may do better.
 *
 * Invariants: no record is given twice; code that asks in the same order as before gets the same
 * answers in the same order. Code that has changed is found out: a turn that nobody takes.
 */
import type { Entry, History } from '../journal/history.ts';
import { nameOf, RecordKind } from '../journal/history.ts';

export interface ReplayHost {
  /** Calls back when the code has gone as far as it can by itself. */
  defer(callback: () => void): void;
  /** Calls back after this long. */
  after(delayMs: number, callback: () => void): () => void;
}

/** A turn nobody takes for this long, while others wait, is let go by. */
const patienceMs = 1000;

const isFailure = ({ kind }: Entry): boolean => kind === RecordKind.Failure || kind === RecordKind.ChildFailed;

/** The prefix of the verb; none for steps. */
const kindOf = (key: string): string => (key.charCodeAt(0) < 32 ? key[0]! : '');

export class Replay {
  readonly #host: ReplayHost;
  #order: Entry[] = [];
  #turn = 0;
  readonly #memo = new Map<string, Entry>();
  readonly #marks = new Map<string, Entry>();
  readonly #places = new Map<string, number>();
  readonly #asked = new Map<string, (entry: Entry) => void>();
  #held: { key: string; go: () => void }[] = [];
  #given = new Set<string>();
  /** Whose turn had to be let go by, and who waited for it. */
  #drift: { expected: string; actual: string } | undefined;
  /** Given in the code's present turn. */
  #givenNow: Entry | undefined;
  /** Places nobody will ask for any more. */
  readonly #passed = new Set<number>();
  #onTurn: (() => void) | undefined;
  #inOrder = true;
  #draining = false;
  #stopPatience: (() => void) | undefined;

  /** @param closedAttempt the last attempt that is over for good */
  constructor(host: ReplayHost, history: History, closedAttempt: number) {
    this.#host = host;
    for (const entry of history.entries) this.#sort(entry, closedAttempt);
  }

  #sort(entry: Entry, closedAttempt: number): void {
    const former = entry.attempt <= closedAttempt;
    if (entry.kind === RecordKind.Mark) this.#marks.set(entry.key, entry);
    else if (!former) {
      this.#places.set(entry.key, this.#order.length);
      this.#order.push(entry);
    } else if (!isFailure(entry)) this.#memo.set(entry.key, entry);
  }

  /** Taken over from another run. */
  remember(entry: Entry): void {
    if (entry.kind === RecordKind.Mark) this.#marks.set(entry.key, entry);
    else if (!isFailure(entry)) this.#memo.set(entry.key, entry);
  }

  /** Something recorded is still to be given. */
  get active(): boolean {
    return this.#turn < this.#order.length;
  }

  mark(key: string): Entry | undefined {
    return this.#marks.get(key);
  }

  /** In this try. */
  noteMark(entry: Entry): void {
    this.#marks.set(entry.key, entry);
  }

  /**
   * What is recorded under the key; a promise where it is not its turn, or something else must come
   * first. undefined: nothing is recorded, and it may be done now.
   */
  ask(key: string): Entry | undefined | Promise<Entry | undefined> {
    const place = this.#places.get(key);
    if (place === undefined || this.#given.has(key)) return this.#memo.get(key) ?? this.#fresh(key);
    this.#given.add(key);
    if (!this.#inOrder || (place === this.#turn && !this.#draining && this.#mayFollow(this.#order[place]!))) return this.#give(place);
    return new Promise((resolve) => {
      this.#asked.set(key, resolve);
      this.#drain();
      this.#startPatience();
    });
  }

  #fresh(key: string): undefined | Promise<undefined> {
    if (!this.active || !this.#inOrder) return undefined;
    this.#startPatience();
    return new Promise((resolve) => this.#held.push({ key, go: () => resolve(undefined) }));
  }

  #give(place: number): Entry {
    if (place === this.#turn) {
      this.#noteGiven(this.#order[place]!);
      this.#advance();
      this.#next();
    }
    return this.#order[place]!;
  }

  #advance(): void {
    do this.#turn++;
    while (this.#passed.has(this.#turn));
    this.#onTurn?.();
  }

  /** The code has returned: what goes on beside it, losers of a race, may still come to what it had recorded. */
  async finish(): Promise<void> {
    for (let turn = -1; this.active && this.#inOrder && turn !== this.#turn; ) {
      turn = this.#turn;
      await new Promise<void>((resolve) => {
        const cancel = this.#host.after(patienceMs, resolve);
        this.#onTurn = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  /** Whose records those are does not go on: nobody waits for them, and that they are not asked for is no drift. */
  pass(isTheirs: (key: string) => boolean): void {
    for (const [place, { key }] of this.#order.entries()) {
      if (!isTheirs(key) || (this.#given.has(key) && !this.#asked.has(key))) continue;
      this.#given.add(key);
      this.#asked.delete(key);
      this.#passed.add(place);
    }
    if (!this.#passed.has(this.#turn)) return;
    this.#advance();
    this.#next();
  }

  /**
   * Verbs asked for side by side take their answers to the code in different numbers of hops, and failures in fewer than
   * values: one that follows another kind at once could overtake it, and win a race it had lost.
   */
  #mayFollow(entry: Entry): boolean {
    return this.#givenNow === undefined || (kindOf(this.#givenNow.key) === kindOf(entry.key) && isFailure(this.#givenNow) === isFailure(entry));
  }

  #noteGiven(entry: Entry): void {
    if (this.#givenNow === undefined) queueMicrotask(() => (this.#givenNow = undefined));
    this.#givenNow = entry;
  }

  /** Who asked before may have its turn now, after the code that was just answered has gone on. */
  #next(): void {
    if (this.active) return this.#drain();
    this.stop();
    this.#release();
  }

  #drain(): void {
    if (this.#draining || !this.active || !this.#asked.has(this.#order[this.#turn]!.key)) return;
    this.#draining = true;
    this.#host.defer(() => {
      this.#draining = false;
      // Records that nobody will ask for may have been passed meanwhile, up to the last.
      const key = this.#order[this.#turn]?.key;
      const resolve = key === undefined ? undefined : this.#asked.get(key);
      if (key === undefined || !resolve) return;
      this.#asked.delete(key);
      resolve(this.#give(this.#turn));
    });
  }

  #release(): void {
    for (const { go } of this.#held.splice(0)) go();
  }

  /** While anybody waits. */
  #startPatience(): void {
    const turn = this.#turn;
    this.#stopPatience ??= this.#host.after(patienceMs, () => {
      this.#stopPatience = undefined;
      if (!this.active || !this.#inOrder || this.#held.length + this.#asked.size === 0) return;
      if (this.#turn === turn) this.#letGo();
      else this.#startPatience();
    });
  }

  /** The code goes another way, or waits for something of its own; nobody can tell which until it ends. */
  #letGo(): void {
    this.#drift = { expected: nameOf(this.#order[this.#turn]!.key), actual: nameOf(this.#held[0]?.key ?? this.#asked.keys().next().value ?? '') };
    this.#inOrder = false;
    for (const [key, resolve] of this.#asked) resolve(this.#order[this.#places.get(key)!]!);
    this.#asked.clear();
    this.#release();
  }

  stop(): void {
    this.#stopPatience?.();
    this.#stopPatience = undefined;
  }

  /** The code has ended: the first record it never asked for, if there is one. */
  unasked(): { expected: string; actual: string | undefined; key: string } | undefined {
    const place = this.#order.findIndex(({ key }) => !this.#given.has(key));
    if (place < 0) return undefined;
    const { key } = this.#order[place]!;
    return { expected: this.#drift?.expected ?? nameOf(key), actual: this.#drift?.actual, key };
  }
}
