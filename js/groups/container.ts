/**
 * What the code of a container works with: its members, made once each, in order; the core group they are
 * counted and limited in; waiting, without a slot, until that is settled.
 *
 * Invariants: under one key of one container there is one member, whatever crashed in between; a member is
 * in the group before it can begin; once `close` is recorded no member is made any more, so one that was
 * forgotten since is not made again.
 */
import type { RunContext } from '../context/context.ts';
import type { Durable } from '../context/durable.ts';
import type { NewMember } from '../context/services.ts';
import { KeyPrefix, RecordKind } from '../journal/history.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import type { Members } from '../runs/run-extra.ts';
import type { GroupOptions, Settled } from './groups.ts';

/** It stands in the history of a container whose members were all made. */
export const closedMark = `${KeyPrefix.Mark}closed`;
/** So many members are made before the page gets its turn. */
const turnMembers = 512;
/** So many may be on their way to the core. */
const comingMembers = 2048;

/** Who hears of members, of each once: it has ended, and that is acknowledged. */
export interface MemberListener {
  memberEnded(member: Run): void;
  memberAnnounced?(member: Run): void;
}

/**
 * It hears of its members itself, by methods. Closures made anew for each container were compiled into the code that
 * calls them, and that code was thrown away with the container: 1,000 nodes took 75 ms each time in place of 20.
 */
export class Container implements Members {
  readonly house: Orchestrator;
  readonly context: RunContext;
  readonly durable: Durable;
  readonly run: Run;
  listener: MemberListener | undefined;
  #group = 0;
  #made = 0;
  #coming: Run[] = [];
  #settling: Promise<Settled> | undefined;
  #count = 0;
  #endedCount = 0;
  #whenEnded: (() => void) | undefined;

  constructor(house: Orchestrator, context: RunContext) {
    this.house = house;
    this.context = context;
    this.durable = context.durableWork;
    this.run = this.durable.run;
    this.run.ownExtra.members = this;
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }

  /** Every member that there is, in the order in which they were made. */
  get members(): Run[] {
    return this.house.services.children.of(this.run);
  }
  member(key: string): Run | undefined {
    return this.house.services.children.find(this.run, key);
  }
  get count(): number {
    return this.#count;
  }
  /** No attempt before this one has made any. */
  isFresh = true;
  get openCount(): number {
    return this.#count - this.#endedCount;
  }

  /** All members that there will be are made, by this attempt or one before. */
  get isClosed(): boolean {
    return this.durable.replay.mark(closedMark) !== undefined;
  }

  /** Its group: the one it has, or a new one. @param isAgain members of a try that is over begin anew */
  open(options: GroupOptions = {}, isAgain = false): void {
    const { groups } = this.house;
    for (const { end } of this.members) {
      this.#count++;
      this.isFresh = false;
      if (end !== End.None) this.#endedCount++;
    }
    this.#group = groups.ownedBy(this.run);
    // Settled before the page went: its members have ended.
    if (this.#group === 0 && this.isClosed && !isAgain) return;
    if (this.#group === 0) this.#group = groups.begin(this.run, options);
    this.#settling = groups.settled(this.#group);
  }

  /** Others may be made after all: in its group, or in a new one where that is settled. */
  reopen(options: GroupOptions): void {
    const { groups } = this.house;
    this.#group = groups.ownedBy(this.run);
    if (this.#group === 0) this.#group = groups.begin(this.run, options);
    else groups.reopen(this.#group);
    this.#settling = groups.settled(this.#group);
  }

  /** The member under this key: found, or made now. REQUIRES: `open`, not closed. @throws what triggering throws, and nothing is changed */
  add(member: NewMember): Run {
    return this.member(member.key) ?? this.addNew(member);
  }

  /** The same, where it is known that there is none. */
  addNew(member: NewMember): Run {
    const made = this.house.services.member(this.run, member, this.#group);
    this.#made++;
    this.#count++;
    this.#coming.push(made);
    return made;
  }

  /** Enough was made in one go. */
  get isBreathless(): boolean {
    return this.#made >= turnMembers;
  }

  /** Lets the page have its turn, and what is made be stored. @throws where the run is stopped; waits where it is paused */
  async breathe(): Promise<void> {
    this.#made = 0;
    do await new Promise<void>((resolve) => this.house.clock.defer(resolve));
    while (this.house.pump.waitingCreations > comingMembers && !this.signal.aborted);
    await this.durable.safePoint('run', this.run.taskIdentifier);
    this.#coming = this.#coming.filter(isComing);
  }

  /** No member is made any more. */
  async close(): Promise<void> {
    // The word that all are there must not be stored before the last of them.
    for (let last = this.#coming.findLast(isComing); last; last = this.#coming.findLast(isComing)) await last.accepted.catch(() => {});
    this.#coming = [];
    this.durable.check('run', this.run.taskIdentifier);
    if (!this.isClosed) this.durable.note(closedMark, RecordKind.Mark);
    if (this.#group !== 0) this.house.groups.close(this.#group);
  }

  /** Members that have ended begin anew in its group; what leads to them has been said by `describe`. */
  renew(member: Run, describe: () => void): void {
    const { commands } = this.house.pump;
    commands.push(P.CommandRetry, member.task, P.RetryAsDraft);
    // Only now: who joins as one that has ended badly counts against the threshold of the group.
    commands.push(P.CommandJoinGroup, member.task, this.#group);
    describe();
    commands.push(P.CommandSubmit, member.task);
    this.#endedCount--;
    this.house.pump.wake();
  }

  /** Until every member has ended; the slot is given back meanwhile. */
  async settled(): Promise<void> {
    if (this.#settling) await this.durable.wait(this.#settling, () => {});
  }

  /** Until fewer than so many members are open; the slot is given back meanwhile. */
  async room(most: number): Promise<void> {
    while (this.openCount >= most) {
      const ended = new Promise<void>((resolve) => (this.#whenEnded = resolve));
      await this.durable.wait(ended, () => {});
    }
  }

  /** Until it has come about; the slot is given back meanwhile. */
  waitFor<Value>(outside: Promise<Value>): Promise<Value> {
    return this.durable.wait(outside, () => {});
  }

  ended(member: Run): void {
    this.#endedCount++;
    this.listener?.memberEnded(member);
    const tell = this.#whenEnded;
    this.#whenEnded = undefined;
    tell?.();
  }

  announced(member: Run): void {
    this.listener?.memberAnnounced?.(member);
  }
}

/** One that was forgotten since has no number any more either. */
function isComing({ task, accepted_, extra }: Run): boolean {
  return task === 0 && !accepted_ && extra.refusal === undefined;
}
