/**
 * Groups of the core, for the host: their numbers, who owns them, who waits until they are settled.
 * The core counts, limits and decides when one is over; what waits here only hears of it.
 *
 * Invariants: a number that is given out here is nobody else's, in this core or in a log that is taken
 * over; which group is whose stands in the core, so a page that comes later finds it.
 */
import type { Engine } from '../pump/engine.ts';
import type { CommandBuffer } from '../pump/engine.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';

export interface GroupOptions {
  /** Members that run at once. Default: no limit. */
  concurrency?: number | undefined;
  /** So many failures end the others. Default: none do. */
  failureThreshold?: number | undefined;
  /** Then those that have begun go on, and only the others are cancelled. Default false. */
  letsFinish?: boolean | undefined;
}

/** How it ended, in numbers of members. */
export interface Settled {
  readonly succeeded: number;
  readonly endedBadly: number;
}

export interface GroupsHost {
  readonly pump: { readonly engine: Engine; readonly commands: CommandBuffer; wake(): void };
}

export class Groups {
  readonly #host: GroupsHost;
  #next = 1;
  readonly #waiting = new Map<number, ((settled: Settled) => void)[]>();

  constructor(host: GroupsHost) {
    this.#host = host;
  }

  /** Numbers from here on are free. */
  get firstFree(): number {
    return (this.#next = Math.max(this.#next, this.#host.pump.engine.value(0, P.FieldGroupEnd)));
  }

  /** The group that this run owns, as the core knows it; 0: none, or it is settled. */
  ownedBy(owner: Run): number {
    return this.#host.pump.engine.value(owner.task, P.FieldOwnedGroup);
  }

  /** A new one. It closes when its owner ends. REQUIRES: the core knows the owner. */
  begin(owner: Run | undefined, options: GroupOptions): number {
    const group = this.firstFree;
    this.#next++;
    if (owner) this.#set(group, P.GroupFieldOwner, owner.task);
    this.#set(group, P.GroupFieldConcurrency, options.concurrency ?? 0);
    if (options.failureThreshold) this.#set(group, P.GroupFieldFailureThreshold, options.failureThreshold);
    if (options.letsFinish) this.#set(group, P.GroupFieldLetsFinish, 1);
    return group;
  }

  change(group: number, { concurrency, failureThreshold }: GroupOptions): void {
    if (concurrency !== undefined) this.#set(group, P.GroupFieldConcurrency, concurrency);
    if (failureThreshold !== undefined) this.#set(group, P.GroupFieldFailureThreshold, failureThreshold);
  }

  /** Nobody joins it any more: it is settled when its last member has ended. */
  close(group: number): void {
    this.#set(group, P.GroupFieldClosed, 1);
  }

  /** It may be joined again. REQUIRES: it is not settled, as far as the core has said */
  reopen(group: number): void {
    this.#set(group, P.GroupFieldClosed, 0);
  }

  /** REQUIRES: the group is not settled, as far as the core has said. */
  settled(group: number): Promise<Settled> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(group);
      if (waiting) waiting.push(resolve);
      else this.#waiting.set(group, [resolve]);
    });
  }

  /** Pump: the core says so. */
  heard(group: number, succeeded: number, endedBadly: number): void {
    const waiting = this.#waiting.get(group);
    this.#waiting.delete(group);
    for (const resolve of waiting ?? []) resolve({ succeeded, endedBadly });
  }

  #set(group: number, field: number, value: number): void {
    this.#host.pump.commands.push(P.CommandSetGroup, group, field, 0, value);
    this.#host.pump.wake();
  }
}
