/**
 * An execution that runs of one key share, and what the cache keeps of each of these runs.
 *
 * Invariants: a flight has one owner, whose code runs or will run; everybody else waits, without a
 * slot. A share settles once. Code that is not its flight's execution any more settles nobody.
 */
import type { RunContext } from '../context/context.ts';
import { type Run, type Settlement, settlement } from '../runs/run.ts';
import type { CacheKey } from './key.ts';
import type { CachePlan } from './options.ts';
import type { Finish, Kept } from './outputs.ts';
import type { Made } from './saving.ts';
import type { CacheFilter } from './types.ts';

/** What an attempt would do without the cache. */
export interface Code {
  /** Runs the handler. */
  proceed: () => unknown;
  /** The output schema. */
  finish: Finish;
}

/**
 * `looking`: reads the store · `executing`: its code runs · `returned`: it has, and whether that counts
 * is being found out · `following`: waits for another run's code · `waking`: takes the flight over as
 * soon as it has a slot · `landing`: the outcome is being stored.
 */
export type ShareState = 'looking' | 'executing' | 'returned' | 'following' | 'waking' | 'landing' | 'over';

/** One attempt of a cached run. */
export class Share {
  readonly run: Run;
  readonly attempt: number;
  readonly context: RunContext;
  readonly plan: CachePlan;
  readonly input: unknown;
  readonly code: Code;
  state: ShareState = 'looking';
  flight: Flight | undefined;
  /** What it fails with is not retried: another run has, by the same policy. */
  isFinal = false;
  readonly #settlement: Settlement = settlement();

  constructor(run: Run, attempt: number, context: RunContext, plan: CachePlan, input: unknown, code: Code) {
    this.run = run;
    this.attempt = attempt;
    this.context = context;
    this.plan = plan;
    this.input = input;
    this.code = code;
  }

  /** What the attempt returns or throws. */
  get promise(): Promise<unknown> {
    return this.#settlement.promise;
  }

  /** Still the run's attempt, and not settled. */
  get isLive(): boolean {
    return this.state !== 'over' && this.run.attempt === this.attempt;
  }

  get isOwner(): boolean {
    return this.flight?.owner === this;
  }

  /** What it waits for. */
  get words(): string | undefined {
    if (this.state === 'following') return `Waits for run ${this.flight!.owner.run.id}, which computes the same; its slot is free for others.`;
    return undefined;
  }

  /** Its code has returned this; what becomes of that is not known yet. */
  returns(output: unknown): void {
    this.state = 'returned';
    this.#settlement.resolve(output);
  }

  resolve(output: unknown): void {
    this.state = 'over';
    this.#settlement.resolve(output);
  }

  reject(error: unknown): void {
    this.state = 'over';
    this.#settlement.reject(error);
  }
}

/** Code that runs; another object for each time it is started. */
export interface Execution {
  readonly startedAtMs: number;
  /** Whose it is now. */
  flight: Flight;
}

export class Flight {
  readonly key: CacheKey;
  owner: Share;
  readonly followers = new Set<Share>();
  execution: Execution | undefined;
  /** As it was before the handler got it: what the key was made of, and a copy of the input for `cache.tags`. */
  asked: { inputs: Readonly<Record<string, string>>; input: unknown } | undefined;
  /** What the owner's code has returned, until it is known whether that counts. */
  made: (Made & { kept: Kept }) | undefined;
  /** It counts, and is being stored. */
  outcome: { kept: Kept } | { error: Error } | undefined;
  /** The store holds an entry of newer code, which is left alone. */
  keepsNewer = false;
  /** Told while it ran: what they mean is not stored. */
  readonly invalidations: CacheFilter[] = [];

  constructor(owner: Share, key: CacheKey) {
    this.key = key;
    this.owner = owner;
  }

  /** Its code runs, or has run; nothing was read. */
  get isComputed(): boolean {
    return this.execution !== undefined || (this.outcome !== undefined && !this.owner.run.extra.fromCache);
  }

  /** The owner and what it runs, apart from those who wait. */
  split(): Flight {
    const alone = new Flight(this.owner, this.key);
    alone.execution = this.execution;
    alone.made = this.made;
    alone.asked = this.asked;
    alone.keepsNewer = this.keepsNewer;
    alone.invalidations.push(...this.invalidations);
    this.execution = this.made = undefined;
    if (alone.execution) alone.execution.flight = alone;
    this.owner.flight = alone;
    return alone;
  }

  /** Everybody who still wants the outcome, the owner first. */
  get live(): Share[] {
    return [this.owner, ...this.followers].filter((share) => share.isLive);
  }
}
