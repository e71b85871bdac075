/**
 * Takes over what dead sessions left in their slots, one slot after the other:
 *
 *   blobs copied → import (held) → files looked for → acknowledged → other slot emptied → released
 *
 * Invariants: a crash between any two of these leaves every run in at least one log. A run of which
 * another log may have a copy is held, so only one copy ever goes on; `resolve` finds out which. An
 * adoption that can't go on is told and begun again; none of its runs goes on before it is done.
 */
import type { MainModule } from '../core.js';
import { Engine, type LocatedPayload } from '../pump/engine.ts';
import { CoreCrashedError, DisposedError, StorageLockedError, StoreTooNewError } from '../errors.ts';
import { contentLength, describeLog, type LogDescription, readLog, sameEnvelope } from './found.ts';
import { loadCore } from '../load.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { PageLife } from './page-life.ts';
import * as P from '../protocol.ts';
import { recoverLost, recoverTakenOver } from './recovery.ts';
import { eventTask, removalTask } from '../waiting/internal.ts';
import { End, type Run, settlement } from '../runs/run.ts';
import type { Storage, StorageSlot } from '../storage.ts';
import type { Tabs } from '../tabs/tabs.ts';

const retryDelaysMs = [1000, 2000, 5000];
const slowMs = 10_000;
const askAgainMs = 5000;

export interface AdoptionHost {
  readonly tabs: Tabs | undefined;
  /** Makes runs out of payloads that were found under the core's numbers. */
  place(engine: Engine, log: Uint8Array, located: readonly LocatedPayload[]): Run[];
  /** Those that miss files wait for them; those that have them again do not. */
  holdGhosts(runs: readonly Run[]): Promise<void>;
  /** It is encrypted with another key, and stays as it is. */
  locked(slot: StorageSlot): Promise<void>;
  closedBecause(): Error;
  readable(slot: number): void;
}

/** What of a run stands in a log: two copies exchange it and stay, for people, who they are. */
const stored = ['task', 'envelope', 'output', 'outputPayload', 'end', 'announced'] as const;
const storedExtra = ['blobs', 'history', 'stepPayloads', 'error', 'errorPayload', 'notes', 'streams', 'eventSteps'] as const;

function mentions(log: Uint8Array, id: string): boolean {
  const [first, ...rest] = new TextEncoder().encode(id);
  for (let at = log.indexOf(first!); at >= 0; at = log.indexOf(first!, at + 1)) if (rest.every((byte, index) => log[at + 1 + index] === byte)) return true;
  return false;
}

function exchange<Part extends object>(one: Part, other: Part, fields: readonly (keyof Part)[]): void {
  for (const field of fields) [one[field], other[field]] = [other[field], one[field]];
}

export class Adoption {
  readonly #house: Orchestrator;
  readonly #host: AdoptionHost;
  readonly #storage: Storage;
  readonly #page: PageLife;
  /** For looking into a log before anything of it is ours: one that it traps on does no harm to the core. */
  #reading: Promise<MainModule> | undefined;
  readonly #closing = settlement();
  #closed = false;
  #turn: Promise<void> = Promise.resolve();
  /** Slot → how often in a row it could not be taken over. */
  readonly #failures = new Map<number, number>();
  /**
   * Ended ones out of a log whose own import of another log was cut short: that other log may have them too.
   * An ended run bears no hold.
   */
  readonly #doubtful = new Set<Run>();
  #stage = '';
  #resolving: Promise<void> = Promise.resolve();
  #toldSilence = false;

  constructor(house: Orchestrator, host: AdoptionHost, storage: Storage, page: PageLife) {
    this.#house = house;
    this.#host = host;
    this.#storage = storage;
    this.#page = page;
  }

  /** REQUIRES: the slot's lock is held until this resolves. It never rejects: what fails is told, and tried again. */
  adopt(slot: number): Promise<void> {
    this.#turn = this.#turn.then(() => this.#attempt(slot));
    return this.#turn;
  }

  /** A slot that could not be opened, or taken over: somebody will have its lock, here or in another tab. */
  later(slot: number): void {
    const failures = this.#failures.get(slot) ?? 0;
    const delayMs = retryDelaysMs[Math.min(failures, retryDelaysMs.length - 1)]!;
    this.#schedule(delayMs, () => this.#host.tabs?.watch(slot));
  }

  /** Waits for what is under way; what waits for an acknowledgement is left to the next session. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.reject(new DisposedError('The orchestrator was disposed.'));
    await this.#turn;
  }

  #schedule(delayMs: number, callback: () => void): () => void {
    const { clock } = this.#house;
    return clock.schedule(clock.now() + delayMs, () => this.#closed || callback());
  }

  async #attempt(slot: number): Promise<void> {
    if (this.#closed) return;
    const cancel = this.#schedule(slowMs, () =>
      this.#house.warn(`Taking over slot ${slot} of a closed tab takes more than ${slowMs / 1000} s: ${this.#stage}. It goes on.`),
    );
    try {
      await this.#takeOver(slot);
      this.#failures.delete(slot);
    } catch (error) {
      this.#failed(slot, error);
    } finally {
      cancel();
    }
  }

  #failed(slot: number, error: unknown): void {
    if (this.#closed) return;
    const isNewer = error instanceof StoreTooNewError;
    const what = isNewer ? 'It is left as it is for a page of that version' : 'It is tried again';
    if (!this.#failures.has(slot))
      this.#house.warn(`Slot ${slot} of a closed tab could not be taken over: ${error instanceof Error ? error.message : error} ${what}.`);
    if (!isNewer) this.later(slot);
    this.#failures.set(slot, (this.#failures.get(slot) ?? 0) + 1);
  }

  async #takeOver(slot: number): Promise<void> {
    this.#stage = 'it is being opened';
    const dead = await this.#storage.openSlot(slot);
    try {
      const log = await readLog(dead);
      this.#host.readable(slot);
      if (contentLength(log) > 0) await this.#move(dead, log);
      // A crash while it was being emptied leaves what looks like a log, which runs would wait for to be taken over.
      else await dead.replace(new Uint8Array(0));
    } catch (error) {
      if (!(error instanceof StorageLockedError)) throw error;
      await this.#host.locked(dead);
    } finally {
      this.#stage = 'it is being closed';
      await dead.close();
    }
  }

  async #move(dead: StorageSlot, log: Uint8Array<ArrayBuffer>): Promise<void> {
    const { blobIds, unconfirmed } = await this.#describe(log);
    const { blobs, removals } = this.#house;
    // What puts away what was removed is there before that is ours, or it would be shown for a moment.
    if (mentions(log, removalTask)) await removals.load().catch(() => {});
    await blobs.holdOnTo(blobIds);
    try {
      await this.#moveHolding(blobIds, unconfirmed, dead, log);
    } finally {
      blobs.letGoOf(blobIds);
    }
    if (unconfirmed.size > 0) void this.resolve();
  }

  /** REQUIRES: what our slot has of these blobs stays there. */
  async #moveHolding(blobIds: readonly string[], unconfirmed: ReadonlySet<number>, dead: StorageSlot, log: Uint8Array<ArrayBuffer>): Promise<void> {
    const { journal, pump, blobs } = this.#house;
    this.#stage = `${blobIds.length} blobs are being copied`;
    // Before the import can be acknowledged: a run in our log with its file in another slot would lose it.
    // The run that wants one that is nowhere whole waits for it, or fails; nobody else need wait.
    await journal!.slot.copyBlobs(dead, blobIds);
    if (!pump.open) throw new CoreCrashedError('The core is being rebuilt.');
    const { arrived, sure } = this.#import(log, unconfirmed, this.#page.endedInOrder(dead.slot));
    this.#page.clearEnd(dead.slot);
    // Asked before anything else is waited for: a crash of the core until then loses the import, and must be heard.
    const acknowledged = Promise.race([journal!.acknowledged(), this.#closing.promise]);
    acknowledged.catch(() => {});
    if (blobIds.length > 0) {
      this.#stage = 'files are looked for';
      await blobs.arrived(blobIds);
      if (pump.open) await this.#host.holdGhosts(arrived.filter((run) => run.task !== 0));
    }
    this.#stage = `${sure.length} runs wait for the storage`;
    await acknowledged;
    await dead.replace(new Uint8Array(0));
    this.#release(sure);
    this.#stage = 'it is being emptied';
    // Nobody refers to them any more; what is left of them is swept when the slot is used again.
    const empty = async () => dead.deleteBlobs(await dead.blobIds());
    await empty().catch(() => {});
  }

  /**
   * Runs of a log that lies in no slot, made when it is its turn; gives those that are ours now. `paused`: what had not ended waits
   * until it is resumed.
   */
  takeIn(make: () => Uint8Array<ArrayBuffer> | undefined, paused: boolean): Promise<Run[]> {
    const taken = this.#turn.then(() => this.#takeIn(make, paused));
    this.#turn = taken.then(() => {}, () => {});
    return taken;
  }

  async #takeIn(make: () => Uint8Array<ArrayBuffer> | undefined, paused: boolean): Promise<Run[]> {
    const { journal, pump } = this.#house;
    // Before anything of it is ours: from then on it can't be refused.
    const stored = this.#closed ? [] : await journal!.slot.blobIds();
    if (this.#closed) throw this.#host.closedBecause();
    if (!pump.open) throw new CoreCrashedError('The core is being rebuilt from the journal. Nothing was taken in; ask again in a moment.');
    const log = make();
    if (!log) return [];
    const { arrived, sure } = this.#import(log, new Set(), true);
    const acknowledged = Promise.race([journal!.acknowledged(), this.#closing.promise]);
    acknowledged.catch(() => {});
    if (paused) for (const run of sure) if (run.end === End.None) pump.commands.push(P.CommandPause, run.task, P.PauseKindSuspend);
    this.#house.blobs.missingIn(stored);
    if (pump.open) await this.#host.holdGhosts(arrived.filter((run) => run.task !== 0));
    await acknowledged;
    this.#release(sure);
    return arrived;
  }

  async #describe(log: Uint8Array): Promise<LogDescription> {
    this.#reading ??= loadCore(this.#house.getOptions().wasm);
    try {
      return describeLog(new Engine(await this.#reading, 0, 0), log);
    } catch (error) {
      this.#reading = undefined;
      throw error;
    }
  }

  /** Gives those that are ours now, and of these the ones that may go on when the other log is empty. */
  #import(log: Uint8Array<ArrayBuffer>, unconfirmed: ReadonlySet<number>, orderly: boolean): { arrived: Run[]; sure: Run[] } {
    const { pump, blobs } = this.#house;
    const known = new Map(this.#house.localRuns().map((run) => [run.id, run]));
    const first = pump.runs.length;
    const { tasks, located, order } = pump.engine.importLog(log, first, this.#house.groups.firstFree);
    if (tasks < 0) throw new Error(`The core refused its log (${tasks}).`);
    const runs = this.#host.place(pump.engine, log, located);
    // What ran there lost its page: without this it would hold its slots for ever, and could not change its queue.
    recoverLost(this.#house, pump.engine, orderly, first);
    const arrived: Run[] = [];
    const released: Run[] = [];
    for (const run of runs) {
      blobs.found(run);
      const sure = run.end === End.None ? !unconfirmed.has(order[run.task - first]!) : unconfirmed.size === 0;
      const mine = this.#settleTwins(run, known.get(run.id), sure);
      if (mine) arrived.push(mine);
      if (mine && sure) released.push(mine);
      else if (mine && mine.end !== End.None) this.#doubtful.add(mine);
    }
    pump.wake();
    return { arrived, sure: released };
  }

  /**
   * A crash between import and emptying leaves a run in two logs. The copy that may go on counts; where
   * both wait, or both may, ours. Undefined: the other one does not.
   */
  #settleTwins(run: Run, twin: Run | undefined, sure: boolean): Run | undefined {
    // One event under one id, whoever has it.
    const isCopy = twin !== undefined && run.taskIdentifier === eventTask;
    if (!twin || !(isCopy || sameEnvelope(twin, run))) return this.#admit(run, twin !== undefined);
    if (!sure || !this.isHeld(twin)) {
      this.#drop(run);
      return undefined;
    }
    exchange(twin, run, stored);
    exchange(twin.ownExtra, run.ownExtra, storedExtra);
    this.#house.blobs.exchanged(twin, run);
    for (const one of [twin, run]) this.#house.pump.runs[one.task] = one;
    this.#doubtful.delete(twin);
    this.#drop(run);
    this.#house.changed(twin);
    if (twin.end !== End.None) twin.extra.completion?.resolve();
    if (twin.end !== End.None && twin.deliver) this.#house.deliver(twin);
    return twin;
  }

  #admit(run: Run, renamed: boolean): Run {
    if (renamed) {
      this.#house.warn(`Two tabs had accepted a run "${run.id}"; the one of the closed tab is "${run.id}~${run.task}" now.`);
      run.knownId = `${run.id}~${run.task}`;
    }
    this.#house.adoptRun(run);
    this.#house.waiting.adopted(run);
    this.#house.changed(run);
    return run;
  }

  /** Its blobs stay as long as another run refers to them. */
  #drop(run: Run): void {
    if (run.end === End.None) this.#house.pump.commands.push(P.CommandCancel, run.task);
    this.#house.pump.commands.push(P.CommandForget, run.task);
  }

  /** It waits for its import to be confirmed. */
  isHeld(run: Run): boolean {
    if (run.task === 0 || !this.#house.pump.open) return false;
    if (run.end !== End.None) return this.#doubtful.has(run);
    return (this.#house.pump.engine.holds(run.task) & P.HoldImportUnconfirmed) !== 0;
  }

  /** They are in no log but ours. Queues and policies have other numbers here than where they come from. */
  #release(runs: readonly Run[]): void {
    const { pump, intake } = this.#house;
    for (const run of runs) {
      this.#doubtful.delete(run);
      if (!this.isHeld(run)) continue;
      const { queue, policy } = intake.placeAnew(run);
      pump.commands.setTask(run.task, P.TaskFieldQueue, queue);
      pump.commands.setTask(run.task, P.TaskFieldPolicy, policy);
      recoverTakenOver(this.#house, run);
      pump.commands.push(P.CommandRelease, run.task, P.HoldImportUnconfirmed);
    }
    this.#house.opening.network.look();
    pump.wake();
  }

  // Runs whose import was cut short

  /** Of the log that this session goes on with, in which there are some. */
  found(): void {
    for (const run of this.#house.pump.allRuns()) if (run && run.end !== End.None) this.#doubtful.add(run);
  }

  /** They are ours unless another session has them. */
  resolve(): Promise<void> {
    // Behind one that is under way: it may have begun before there were as many to ask for.
    this.#resolving = this.#resolving.then(() => this.#resolve()).catch(() => {});
    return this.#resolving;
  }

  async #resolve(): Promise<void> {
    await this.#turn;
    const { pump } = this.#house;
    if (this.#closed || !pump.open) return;
    const held = [...pump.heldRuns(P.HoldImportUnconfirmed), ...this.#doubtful].filter((run) => this.isHeld(run));
    if (held.length === 0) return;
    const others = await this.#whoHas(held);
    if (this.#closed || !pump.open) return;
    if (!others) return this.#askAgain(held.length);
    this.#toldSilence = false;
    // An adoption may have decided meanwhile.
    const open = held.filter((run) => this.isHeld(run));
    for (const run of open.filter((run) => others.has(run.id))) {
      this.#doubtful.delete(run);
      this.#drop(run);
    }
    this.#release(open.filter((run) => !others.has(run.id)));
  }

  #askAgain(count: number): void {
    if (!this.#toldSilence)
      this.#house.warn(`${count} run(s) taken over from a closed tab wait until every open tab has answered. They are asked again.`);
    this.#toldSilence = true;
    this.#schedule(askAgainMs, () => void this.resolve());
  }

  /** Which of these are others'; undefined: that can't be said yet. Of several that hold one back, the lowest slot keeps it. */
  async #whoHas(held: readonly Run[]): Promise<Set<string> | undefined> {
    const { tabs } = this.#host;
    if (!tabs) return new Set();
    const answers = await tabs.askAll(held.map((run) => run.id));
    if (!answers) return undefined;
    const own = this.#house.journal!.slot.slot;
    const silent = (await this.#storage.occupiedSlots()).filter((slot) => slot !== own && !answers.some((one) => one.slot === slot));
    // A dead session's log may have them: it is taken over first.
    for (const slot of silent) tabs.watch(slot);
    if (silent.length > 0) return undefined;
    return new Set(answers.flatMap(({ slot, owned, held: theirs }) => (slot < own ? [...owned, ...theirs] : owned)));
  }
}
