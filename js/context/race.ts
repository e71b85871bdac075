/**
 * `ctx.race` and `ctx.any`: as of Promise, and with `cancelLosers` the branches that lost are stopped: their
 * children are cancelled, the steps that are being computed hear of it, nothing more of them begins.
 *
 * Invariants: who has won is a mark, written before anything is cancelled, so code that runs again has the same
 * winner and begins nothing of the others; what the others had recorded is still given to them, in its turn. A
 * race that was lost by failing is decided anew in a new try.
 */
import { CanceledError, ConfigurationError } from '../errors.ts';
import { groupMark, KeyPrefix, ordinalMark, RecordKind } from '../journal/history.ts';
import { checkBoolean, checkNames, describe } from '../intake/checks.ts';
import type { RaceOptions, Section } from '../types.ts';
import type { Durable } from './durable.ts';
import { whoIs } from './misuse.ts';

/** What a function of the race does; a verb of it is known by its key. */
export class Branch {
  readonly #durable: Durable;
  readonly #parentSignal: AbortSignal;
  #controller: AbortController | undefined;
  #lost: Error | undefined;
  /** It had lost before: what is not recorded does not begin. */
  #doomed: Error | undefined;
  readonly #stops = new Set<(error: Error) => void>();
  /** Where it stands, in the ids of what it does. */
  readonly #path: string;

  constructor(durable: Durable, path: string, parent: Branch | undefined, parentSignal: AbortSignal, doomed: Error | undefined) {
    this.#durable = durable;
    this.#path = path;
    this.#parentSignal = parent ? parent.signal : parentSignal;
    this.#doomed = parent ? (parent.#doomed ?? doomed) : doomed;
    parent?.onLost((error) => this.lose(error));
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#lost) this.#controller.abort(this.#lost);
    return AbortSignal.any([this.#parentSignal, this.#controller.signal]);
  }

  /** Calls a verb of it. @throws why it has lost */
  begin<Value>(verb: () => Promise<Value>): Promise<Value> {
    if (this.#lost) throw this.#lost;
    const before = this.#durable.branch;
    this.#durable.branch = this;
    try {
      const begun = verb();
      return new Promise((resolve, reject) => {
        const off = this.onLost(reject);
        begun.finally(off).then(resolve, reject);
      });
    } finally {
      this.#durable.branch = before;
    }
  }

  /** @throws why nothing of it begins */
  check(): void {
    const reason = this.#lost ?? this.#doomed;
    if (reason) throw reason;
  }

  /** Gives what takes it back. */
  onLost(stop: (error: Error) => void): () => void {
    this.#stops.add(stop);
    return () => this.#stops.delete(stop);
  }

  lose(error: Error): void {
    if (this.#lost) return;
    this.#lost = error;
    this.#controller?.abort(error);
    for (const stop of [...this.#stops]) stop(error);
    this.#stops.clear();
    // It may have recorded more, before the page died, than it has come to now.
    this.#durable.replay.pass((key) => key.includes(this.#path));
  }
}

interface Decision {
  winner: number;
  /** It gave a value; one that failed may do better in a new try. */
  ok: boolean;
}

interface Contender {
  branch: Branch;
  end: Promise<unknown>;
}

/** What stops the branches of a page's races; a worker has none. */
export interface RaceHost {
  readonly signal: AbortSignal;
  /** undefined: nothing can be stopped one by one here. */
  readonly durable: Durable | undefined;
}

interface Race {
  verb: 'race' | 'any';
  /** Where it stands. */
  key: string;
  branches: readonly unknown[];
  options: RaceOptions | undefined;
  /** What a function gets. */
  section(number: number, branch: Branch | undefined): Section;
}

/** @throws ConfigurationError */
function checkRace({ verb, branches, options = {} }: Race, host: RaceHost): void {
  const where = `ctx.${verb}`;
  if (!Array.isArray(branches) || branches.length === 0) throw new ConfigurationError(`${where} needs an array of branches, at least one, not ${describe(branches)}.`);
  checkNames(options, ['cancelLosers'], where);
  const { cancelLosers } = options;
  if (cancelLosers !== undefined) checkBoolean(cancelLosers, `${where} cancelLosers`);
  if (!cancelLosers) return;
  if (!host.durable) throw new ConfigurationError(`${where} with cancelLosers is not to be had in a worker: it may be gone when something has to be stopped. Race in a task of the page that runs this one as a child.`);
  const place = branches.findIndex((one) => typeof one !== 'function');
  if (place >= 0)
    throw new ConfigurationError(`${where} with cancelLosers needs functions, so that there is something to stop: (branch) => branch.run(task, input). Branch ${place} is ${describe(branches[place])}.`);
}

export async function race(host: RaceHost, parent: Branch | undefined, asked: Race): Promise<unknown> {
  checkRace(asked, host);
  const { verb, branches, section, options } = asked;
  const { durable } = host;
  if (durable && options?.cancelLosers) return raceOfBranches(durable, host.signal, parent, asked);
  const plain = durable && parent ? (number: number) => new Branch(durable, pathOf(asked.key, number), parent, host.signal, undefined) : () => undefined;
  const ends = branches.map(async (one, number) => (typeof one === 'function' ? one(section(number, plain(number))) : one));
  return verb === 'any' ? Promise.any(ends) : Promise.race(ends);
}

async function raceOfBranches(durable: Durable, signal: AbortSignal, parent: Branch | undefined, { verb, key: stem, branches, section }: Race): Promise<unknown> {
  const key = durable.key(KeyPrefix.Mark, verb, stem);
  const decision = standing(durable, key);
  const lost = new CanceledError(`${whoIs(durable.run.taskIdentifier, durable.run.id)}: another branch of ctx.${verb} was first.`);
  const contenders = branches.map((work, number): Contender => {
    const branch = new Branch(durable, pathOf(stem, number), parent, signal, decision && decision.winner !== number ? lost : undefined);
    const end = (async () => (work as (section: Section) => unknown)(section(number, branch)))();
    // Who lost is told to nobody.
    end.catch(() => {});
    return { branch, end };
  });
  const winner = decision?.winner ?? (await firstOf(verb, contenders));
  const { end } = contenders[winner]!;
  const ok = await end.then(() => true, () => false);
  if (durable.isStopped) return end;
  if (!decision) durable.note(key, RecordKind.Mark, { winner, ok } satisfies Decision);
  for (const [number, { branch }] of contenders.entries()) if (number !== winner) branch.lose(lost);
  return end;
}

const pathOf = (race: string, number: number): string => `${ordinalMark}#${race}${groupMark}${number}${groupMark}`;

/** What was decided, as far as it still counts. */
function standing(durable: Durable, key: string): Decision | undefined {
  const known = durable.replay.mark(key);
  if (!known) return undefined;
  const decision = durable.host.valueOf(known) as Decision;
  return decision.ok || known.attempt > durable.host.closedAttemptOf(durable.run) ? decision : undefined;
}

/** @throws AggregateError where all of `any` failed */
function firstOf(verb: 'race' | 'any', contenders: readonly Contender[]): Promise<number> {
  const ends = contenders.map(({ end }, number) => end.then(() => number, (error) => {
    if (verb === 'any') throw error;
    return number;
  }));
  return verb === 'any' ? Promise.any(ends) : Promise.race(ends);
}
