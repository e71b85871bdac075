/**
 * Answers runs from the cache, or lets their code run and stores what it returns. Stands between the
 * attempts of a cached task and its handler; every other task never comes here.
 *
 *   answer → key → another run computes it?  follow it
 *                → entry?                    judge.ts: hit, or a miss with its reason
 *                → code, select, schema      → entry stored → result handed to the journal
 *
 * Invariants: an entry is written before the result it belongs to goes to the journal, so who hears
 * of a result finds its entry, and a crash in between leaves an entry of an output that was really
 * made, which the next attempt finds. Only outputs of attempts that count are stored. Whatever a
 * store does (throws, hangs, gives nonsense) costs a run time, never its result.
 */
import { clone } from '../codec/codec.ts';
import type { RunContext } from '../context/context.ts';
import type { Run } from '../runs/run.ts';
import { deserializeError, serializeError } from '../runs/serialize-error.ts';
import { wayTo } from '../runs/waits.ts';
import type { ProgressReport } from '../types.ts';
import { type Code, type Execution, Flight, Share } from './flight.ts';
import { type CacheHost, limited } from './host.ts';
import { type Hit, judge, type Miss, textOf, type Verdict } from './judge.ts';
import { type CacheKey, makeKey, meets } from './key.ts';
import type { CachePlan } from './options.ts';
import { give, keep, type Kept, toStored } from './outputs.ts';
import { Saving } from './saving.ts';
import type { CacheFilter } from './types.ts';

export class Answers {
  readonly #host: CacheHost;
  readonly saving: Saving;
  /** Those that others may join, by key: whose owners read, and whose owners must not. */
  readonly #reading = new Map<string, Flight>();
  readonly #renewing = new Map<string, Flight>();
  readonly #all = new Set<Flight>();
  readonly #revalidating = new Set<string>();

  constructor(host: CacheHost) {
    this.#host = host;
    this.saving = new Saving(host);
  }

  /** What the attempt's code returns, or would return. */
  answer(run: Run, attempt: number, context: RunContext, plan: CachePlan, input: unknown, code: Code): Promise<unknown> {
    const before = run.extra.sharing;
    const share = new Share(run, attempt, context, plan, input, code);
    run.ownExtra.sharing = share;
    run.ownExtra.fromCache = false;
    // A further attempt of who owns a flight: the others wait for this one too. One that is landing needs no owner.
    if (before?.isOwner && !before.flight!.outcome) {
      share.flight = before.flight!;
      share.flight.owner = share;
    }
    this.#work(share).catch((error) => share.reject(error));
    return share.promise;
  }

  async #work(share: Share): Promise<void> {
    const { plan } = share;
    if (!plan.keyed) return this.#executeAlone(share);
    const key = share.flight?.key ?? (await this.#keyOf(share));
    if (!share.isLive) return;
    if (!key) return this.#executeAlone(share);
    const other = plan.coalesce && !share.flight ? this.#joinable(share, key.key) : undefined;
    if (other && !waitsFor(other, share)) return this.#follow(share, other);
    share.flight ??= this.#begin(share, key);
    return this.#lead(share, share.flight);
  }

  /** Who reads shares a reading, and what follows from it. Who must not gets nothing that was read. */
  #joinable({ plan }: Share, key: string): Flight | undefined {
    const reading = this.#reading.get(key);
    const found = plan.reads ? reading : (this.#renewing.get(key) ?? (reading?.isComputed ? reading : undefined));
    return found?.owner.plan.spec === plan.spec ? found : undefined;
  }

  #begin(share: Share, key: CacheKey): Flight {
    const flight = new Flight(share, key);
    this.#all.add(flight);
    const joinable = this.#joinableOf(share.plan);
    if (share.plan.coalesce && !joinable.has(key.key)) joinable.set(key.key, flight);
    return flight;
  }

  #joinableOf({ reads }: CachePlan): Map<string, Flight> {
    return reads ? this.#reading : this.#renewing;
  }

  async #keyOf({ run, plan, input }: Share): Promise<CacheKey | undefined> {
    try {
      const key = await makeKey({ plan, input, context: this.#host.keyContextOf(run), rootId: this.#host.rootIdOf(run) });
      if (!key) this.#tellMiss(run, plan, undefined, { kind: 'miss', reason: 'key', detail: 'cache.key gave undefined: this input is not cached' });
      return key;
    } catch (error) {
      this.#tellMiss(run, plan, undefined, { kind: 'miss', reason: 'key', detail: textOf(error) });
      this.#host.warn(`Run ${run.id}: no cache key can be made of its input (${textOf(error)}).`);
      return undefined;
    }
  }

  /** Neither answered nor shared nor stored. */
  async #executeAlone(share: Share): Promise<void> {
    share.state = 'executing';
    share.resolve(await this.#finish(share, await share.code.proceed()));
  }

  async #finish({ plan, code }: Share, raw: unknown): Promise<unknown> {
    const { select } = plan.spec;
    return code.finish(select ? await select(raw) : raw);
  }

  // Leading

  async #lead(share: Share, flight: Flight): Promise<void> {
    const { plan, run } = share;
    share.state = 'looking';
    flight.made = undefined;
    const verdict: Verdict = plan.reads ? await this.#look(share, flight.key.key) : { kind: 'miss', reason: 'mode', detail: `the mode is ${plan.mode}` };
    // Stopped meanwhile, or somebody else leads now.
    if (!share.isLive || flight.owner !== share) return;
    if (verdict.kind === 'hit') return this.#hit(share, flight, verdict);
    if (verdict.kind === 'failure') return this.#hitFailure(share, flight, verdict);
    flight.keepsNewer = verdict.reason === 'newer';
    this.#tellMiss(run, plan, flight.key.key, verdict);
    const renewing = plan.reads && plan.coalesce ? this.#renewing.get(flight.key.key) : undefined;
    if (renewing?.owner.plan.spec === plan.spec && renewing.owner !== share && !flight.live.some((one) => waitsFor(renewing, one))) return this.#merge(flight, renewing);
    return this.#execute(share, flight);
  }

  /** There is nothing to be read, and somebody computes it already: everybody waits for that. */
  #merge(flight: Flight, other: Flight): void {
    const { owner } = flight;
    this.#end(flight);
    for (const share of flight.live) {
      if (share === owner) this.#follow(share, other);
      else this.#join(share, other);
    }
  }

  async #look(share: Share, key: string): Promise<Verdict> {
    const { plan, input, code } = share;
    const { clock } = this.#host;
    try {
      const store = await this.#host.storeOf(plan);
      const found = await limited(clock, 'reading', store.get(key));
      const verdict = await judge({ plan, found, isCopy: store.copies === true, input: () => clone(input, 'input'), finish: code.finish, nowMs: clock.now() });
      if (verdict.kind === 'hit' && verdict.rewritten && plan.writes) this.saving.rewrite(store, key, verdict.rewritten);
      return verdict;
    } catch (error) {
      this.#host.warn(`Run ${share.run.id}: the cache can't be read (${textOf(error)}).`);
      return { kind: 'miss', reason: 'store', detail: textOf(error) };
    }
  }

  #hit(share: Share, flight: Flight, { entry, output, stale, migrations }: Hit): void {
    const { run, plan } = share;
    const { key } = flight.key;
    const about = { key, taskId: plan.spec.id, runId: run.id, ageMs: this.#host.clock.now() - entry.createdAt };
    this.#host.emit('output_retrieved', about);
    if (migrations.length > 0) this.#host.emit('cache_migrated', { ...about, from: entry.version, to: plan.version });
    if (stale) this.#host.emit('cache_stale', about);
    this.#host.emit('cache_hit', about);
    flight.outcome = { kept: keep(plan, output) };
    run.ownExtra.fromCache = true;
    run.ownExtra.cacheVerdict = { outcome: stale ? 'stale' : 'hit', key };
    this.#land(flight);
    if (stale) this.#revalidate(key, run, plan);
  }

  #hitFailure(share: Share, flight: Flight, { entry, error }: Extract<Verdict, { kind: 'failure' }>): void {
    const { run, plan } = share;
    const about = { key: flight.key.key, taskId: plan.spec.id, runId: run.id, ageMs: this.#host.clock.now() - entry.createdAt };
    this.#host.emit('output_retrieved', about);
    this.#host.emit('cache_hit', { ...about, detail: `a failure: ${error.message}` });
    run.ownExtra.fromCache = true;
    run.ownExtra.cacheVerdict = { outcome: 'hit', detail: `a failure: ${error.message}`, key: flight.key.key };
    flight.outcome = { error };
    this.#land(flight);
  }

  async #execute(share: Share, flight: Flight): Promise<void> {
    const execution: Execution = { startedAtMs: this.#host.clock.now(), flight };
    flight.execution = execution;
    share.state = 'executing';
    // Now, because the handler may change its input.
    flight.asked = { inputs: flight.key.inputs(), input: typeof share.plan.options.tags === 'function' ? clone(share.input, 'input') : undefined };
    try {
      await this.#returned(execution, await share.code.proceed());
    } catch (error) {
      this.#threw(execution, error);
    }
  }

  /** Nobody has given it up or overtaken it. */
  #counts(execution: Execution): boolean {
    const { flight } = execution;
    if (flight.execution !== execution) return false;
    if (flight.owner.isLive) return true;
    flight.execution = undefined;
    return false;
  }

  /** The flight waits for a further attempt, or for what its run comes to: see `ended`. */
  #threw(execution: Execution, error: unknown): void {
    if (!this.#counts(execution)) return;
    const { flight } = execution;
    flight.execution = undefined;
    flight.owner.reject(error);
  }

  async #returned(execution: Execution, raw: unknown): Promise<void> {
    if (!this.#counts(execution)) return;
    const durationMs = this.#host.clock.now() - execution.startedAtMs;
    const { plan, code } = execution.flight.owner;
    const { select, selectVersion } = plan.spec;
    // By value, and before people's functions see it.
    const stored = attempted(() => toStored(plan, raw));
    const selected = select ? await select(raw) : raw;
    const output = await code.finish(selected);
    if (!this.#counts(execution)) return;
    const kept = keep(plan, output);
    const bytes = this.#host.resultBytes(kept);
    const returned = give(plan, kept);
    const derived = select && selectVersion !== undefined ? attempted(() => ({ version: selectVersion, value: clone(selected, 'derived output') })) : undefined;
    const { flight } = execution;
    flight.made = { kept, stored, derived, output, durationMs, bytes: select || kept.problem !== undefined ? undefined : bytes };
    flight.owner.returns(returned);
  }

  /** What its code has returned counts: it is stored, then recorded. undefined: there is nothing to wait for. */
  save(share: Share): Promise<void> | undefined {
    const { flight } = share;
    if (!flight?.made || flight.owner !== share || flight.outcome) return undefined;
    flight.outcome = { kept: flight.made.kept };
    for (const one of flight.live) one.state = 'landing';
    return this.saving.output(flight, flight.made).then(() => this.#land(flight));
  }

  /** Everybody gets a copy of the outcome. */
  #land(flight: Flight): void {
    const { owner, outcome, made } = flight;
    this.#end(flight);
    for (const share of flight.live) {
      share.flight = undefined;
      if (share === owner && made) {
        share.state = 'over';
        continue;
      }
      if (share !== owner) this.#tellShared(share, owner, flight.key.key);
      if ('error' in outcome!) this.#deliverFailure(share, outcome.error);
      else this.#deliver(share, outcome!.kept);
    }
  }

  #deliver(share: Share, kept: Kept): void {
    try {
      share.resolve(give(share.plan, kept));
    } catch (error) {
      share.reject(error);
    }
  }

  /** Not to be tried again: another run has, by the same policy. */
  #deliverFailure(share: Share, error: Error): void {
    share.isFinal = true;
    share.reject(deserializeError(serializeError(error)));
  }

  #tellShared({ run, plan }: Share, owner: Share, key: string): void {
    run.ownExtra.fromCache = true;
    run.ownExtra.cacheVerdict = { outcome: 'shared', detail: `with run ${owner.run.id}`, key };
    this.#host.emit('cache_hit', { key, taskId: plan.spec.id, runId: run.id, sharedWith: owner.run.id });
  }

  #end(flight: Flight): void {
    flight.execution = undefined;
    if (flight.owner.flight === flight) flight.owner.flight = undefined;
    this.#all.delete(flight);
    this.#hide(flight);
  }

  /** Nobody joins it any more. */
  #hide(flight: Flight): void {
    const { key } = flight.key;
    for (const joinable of [this.#reading, this.#renewing]) if (joinable.get(key) === flight) joinable.delete(key);
  }

  #tellMiss(run: Run, plan: CachePlan, key: string | undefined, { reason, detail }: Miss): void {
    run.ownExtra.cacheVerdict = { outcome: 'miss', reason, ...(detail !== undefined && { detail }), ...(key !== undefined && { key }) };
    if (!this.#host.has('cache_miss') || plan.mode === 'off') return;
    this.#host.emit('cache_miss', { ...(key !== undefined && { key }), taskId: plan.spec.id, runId: run.id, reason, ...(detail !== undefined && { detail }) });
  }

  #revalidate(key: string, run: Run, plan: CachePlan): void {
    if (this.#revalidating.has(key) || this.#renewing.has(key) || !plan.writes) return;
    this.#revalidating.add(key);
    this.#host
      .revalidate(run, plan)
      .catch((error) => this.#host.warn(`Run ${run.id} was answered with a stale output, which can't be computed anew (${textOf(error)}).`))
      .finally(() => this.#revalidating.delete(key));
  }

  // Following

  #follow(share: Share, flight: Flight): void {
    this.#join(share, flight);
    this.#host.park(share.run, share.attempt);
  }

  #join(share: Share, flight: Flight): void {
    share.flight = flight;
    share.state = 'following';
    flight.followers.add(share);
  }

  /** One of those who wait takes the flight over; the others wait for it. What its owner runs is the owner's alone. */
  #passOn(flight: Flight): void {
    if (flight.execution) this.#all.add(flight.split());
    const next = this.#nextOf(flight);
    if (!next) return this.#dissolve(flight);
    this.#own(flight, next);
    next.state = 'waking';
    this.#host.wake(next.run);
  }

  /** Nobody is left who could lead: those who are paused ask anew when they are resumed. */
  #dissolve(flight: Flight): void {
    this.#end(flight);
    for (const share of flight.followers) {
      share.flight = undefined;
      if (!share.isLive) continue;
      share.state = 'waking';
      this.#host.wake(share.run);
    }
  }

  #nextOf({ followers }: Flight): Share | undefined {
    return [...followers].find((share) => share.isLive && !this.#host.isPaused(share.run));
  }

  #own(flight: Flight, next: Share): void {
    if (flight.owner.flight === flight) flight.owner.flight = undefined;
    flight.followers.delete(next);
    flight.owner = next;
  }

  /** The owner's running code goes on for the next one. false: it can't, as it has recorded what it did. */
  #handOver(share: Share, flight: Flight): boolean {
    const next = this.#nextOf(flight);
    if (!next || !this.#host.handOver(share.run, next.run)) return false;
    this.#own(flight, next);
    next.state = 'executing';
    this.#host.wake(next.run);
    return true;
  }

  // What happens to a run meanwhile

  /**
   * The run is asked to stop. @param isOwnLimit it is its own affair (cancelled, paused, out of time), so
   * that others need not stop. @returns true: it has stopped; false: its code has to be told
   */
  stopping(share: Share, error: Error, isOwnLimit: boolean): boolean {
    const { flight } = share;
    if (share.state === 'landing') return true;
    // Its children may still run.
    if (share.state === 'returned') return false;
    if (share.state === 'following') flight!.followers.delete(share);
    else if (share.state === 'executing') {
      if (!flight || !isOwnLimit || flight.followers.size === 0) return false;
      if (!this.#handOver(share, flight)) {
        this.#passOn(flight);
        return false;
      }
    } else if (flight?.owner === share) this.#passOn(flight);
    share.flight = undefined;
    share.reject(error);
    return true;
  }

  /** Its code did not stop in time. */
  abandoned({ flight, isOwner }: Share): void {
    if (isOwner) flight!.execution = undefined;
  }

  /** A parked run has a slot again. */
  resumed(share: Share): void {
    if (share.state !== 'waking' || !share.isLive) return;
    share.state = 'looking';
    const going = share.isOwner ? this.#lead(share, share.flight!) : this.#work(share);
    going.catch((error) => share.reject(error));
  }

  /** The run is about to be paused: nobody waits for it while it waits itself. */
  pausing(share: Share): void {
    const { flight, state } = share;
    if (!flight || flight.owner !== share || flight.followers.size === 0) return;
    if (state === 'looking' || state === 'returned' || state === 'landing') return;
    if (state !== 'executing' || !this.#handOver(share, flight)) return this.#passOn(flight);
    share.state = 'over';
    this.#host.interrupt(share.run);
  }

  /** Those who wait for its code see how far that is. */
  progressed(share: Share, report: number | ProgressReport): void {
    if (!share.isOwner) return;
    for (const { isLive, run, attempt } of share.flight!.followers) if (isLive) this.#host.progressed(run, attempt, report);
  }

  /** The run has ended, whatever way. @param failure it failed: what of, and whether by its code's fault */
  ended(share: Share, failure: { error: Error; isItsCode: boolean } | undefined): void {
    const { flight, run } = share;
    run.ownExtra.sharing = undefined;
    if (!flight || flight.owner !== share) return;
    flight.execution = flight.made = undefined;
    if (!failure?.isItsCode) return this.#passOn(flight);
    const policy = policyOf(run);
    const [same, others] = [[] as Share[], [] as Share[]];
    for (const other of flight.followers) (policyOf(other.run) === policy ? same : others).push(other);
    if (others.length === 0) return void this.#landFailure(share, flight, failure.error);
    for (const other of same) {
      flight.followers.delete(other);
      if (!other.isLive) continue;
      this.#tellShared(other, share, flight.key.key);
      this.#deliverFailure(other, failure.error);
    }
    this.#passOn(flight);
  }

  async #landFailure(share: Share, flight: Flight, error: Error): Promise<void> {
    flight.outcome = { error };
    if (this.#isKept(share, error)) await this.saving.failure(flight, share, error);
    this.#land(flight);
  }

  #isKept({ plan, run }: Share, error: Error): boolean {
    if (plan.negativeTtlMs === undefined || !plan.writes) return false;
    const { when } = plan.options.negative!;
    try {
      return !when || when(error);
    } catch (thrown) {
      this.#host.warn(`Run ${run.id}: its failure was not cached (${textOf(thrown)}).`);
      return false;
    }
  }

  /** What is computed now and is meant is not stored, and nobody joins it any more. */
  invalidated(filter: CacheFilter): void {
    for (const flight of this.#all) {
      flight.invalidations.push(filter);
      const { key, owner } = flight;
      const tags = Array.isArray(owner.plan.options.tags) ? owner.plan.options.tags : [];
      if (meets(filter, key.key, owner.plan.spec.id, [...tags, ...owner.plan.tags])) this.#hide(flight);
    }
  }

  close(): Promise<void> {
    for (const flight of this.#all) this.#hide(flight);
    this.#all.clear();
    return this.saving.idle();
  }
}

/** As the core numbers it. */
function policyOf(run: Run): number {
  return (run.options?.place ?? 0) >>> 16;
}

/** Called later; what it throws is thrown then. */
function attempted<Value>(make: () => Value): () => Value {
  try {
    const value = make();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Its owner can't go on before this one does; each would wait for the other. What has an outcome waits for nobody. */
function waitsFor(flight: Flight, { run }: Share): boolean {
  return !flight.outcome && wayTo(run, flight.owner.run) !== undefined;
}
