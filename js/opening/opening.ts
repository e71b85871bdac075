/**
 * How an orchestrator comes to its journal: opens the core and a storage, claims a slot, recovers
 * what is in it, and rebuilds a crashed core. Recovery after a reload is adoption of one's own past:
 * the first dead slot is taken over in place, every further one is copied into our journal (adoption.ts).
 *
 * Invariants: nothing is written before a successful load; a log of a newer version is left as it is.
 */
import { DisposedError, NamespaceDestroyedError, StorageUnavailableError, StoreTooNewError } from '../errors.ts';
import type { AdoptionHost } from './adoption.ts';
import { AdoptionDoor } from './adoption-door.ts';
import type { MainModule } from '../core.js';
import { Engine, type LocatedPayload } from '../pump/engine.ts';
import { Journal } from '../journal/journal.ts';
import { contentLength, endOf, FoundRuns, place } from './found.ts';
import { importLegacy } from './legacy.ts';
import { loadCore, randomSeed } from '../load.ts';
import { LogReader } from './log-reader.ts';
import { sealedLength } from '../codec/frames.ts';
import { Gate } from '../namespaces/gate.ts';
import { Network } from '../network/network.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { OwnSlot } from './own-slot.ts';
import { PageLife } from './page-life.ts';
import { knownHeader } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import { Rebuilder } from './rebuild.ts';
import { fillReport, recover, releaseLeftovers } from './recovery.ts';
import { storageName } from '../intake/storage-name.ts';
import { End, Run, settlement } from '../runs/run.ts';
import type { Storage, StorageEvent, StorageSlot } from '../storage.ts';
import { type Claim, platformOf, type Standing, Tabs } from '../tabs/tabs.ts';
import { tabsHost } from '../tabs/tabs-host.ts';
import { hiddenQueue } from '../waiting/internal.ts';
import type { LockedRuns } from '../vault/locked.ts';
import type { Vault } from '../vault/vault.ts';
import type { WorkerClient } from '../small-worker/worker-client.ts';
import type { RecoveryReport, StorageState } from '../types.ts';

/** From the strongest to memory; each says why the one before it could not be had. */
export type StorageCandidates = readonly ((worker: () => WorkerClient) => Promise<Storage>)[];

let candidates: StorageCandidates = [];

/** Set once by index.ts, so that nothing here imports a concrete storage. */
export function setDefaultStorages(defaults: StorageCandidates): void {
  candidates = defaults;
}

export class Opening implements AdoptionHost {
  readonly #house: Orchestrator;
  readonly #session: number;
  readonly #opened = settlement();
  #storage: Storage | undefined;
  readonly #rebuilder: Rebuilder;
  /** The instance that engines are made in. */
  #module: MainModule | undefined;
  readonly #reader = new LogReader(() => this.#freshEngine());
  #own: OwnSlot | undefined;
  #adoptable: Claim['adoptable'] = [];
  /** Blobs that were there when the slot was opened. */
  #stored: Promise<string[]> | undefined;
  #early: StorageEvent[] = [];
  /** How much of what lay behind the log was more than zeros: for the report, which nobody's task waits for. */
  #dropped = () => 0;
  /** Once there is a storage. */
  #adoption: AdoptionDoor | undefined;
  /** Had ended before this page. */
  readonly #over = new Set<Run>();
  /** Why there is no engine, and won't be. */
  failure: unknown;
  readonly #page: PageLife;
  #gate: Gate | undefined;
  /** undefined: nothing is encrypted. */
  #vault: Promise<Vault> | undefined;
  /** Runs of which we have no key. undefined: there are none. */
  lockedRuns: LockedRuns | undefined;
  readonly inMemory: boolean;
  readonly network: Network;
  tabs: Tabs | undefined;
  storageState: StorageState;
  readonly report: RecoveryReport;

  constructor(house: Orchestrator, session: number) {
    this.#house = house;
    this.#session = session;
    this.#rebuilder = new Rebuilder(house, session, (error) => this.#fail(error));
    this.#page = new PageLife(this.namespace);
    this.network = new Network(house);
    const { storage, durability = 'process' } = house.getOptions();
    this.inMemory = storage === 'memory';
    const name = this.inMemory ? 'memory' : 'opening';
    this.storageState = { name, durability: this.inMemory ? 'memory' : durability, status: this.inMemory ? 'ok' : 'opening' };
    this.report = {
      resumed: [], kept: [], failed: [], missingDefinition: [], ended: [],
      tailBytesDropped: 0, storage: name, durability: this.storageState.durability, warnings: [],
    };
  }

  /** Resolves when there is a journal to write to. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get clock() {
    return this.#house.clock;
  }

  /** A destruction of the namespace waits for this session by itself. */
  get hasGate(): boolean {
    return this.#gate !== undefined;
  }

  get namespace(): string {
    const { namespace, id = 'default' } = this.#house.getOptions();
    return storageName(namespace ?? id);
  }

  async open(): Promise<RecoveryReport> {
    try {
      const { wasm } = this.#house.getOptions();
      const loading = loadCore(wasm);
      // Everything that needs nothing of the other goes on side by side.
      loading.catch(() => {});
      const listening = this.#house.definitions.listen();
      const usual = this.#claimUsual();
      const storage = this.inMemory ? undefined : await this.#openStorage(usual);
      this.#module = await loading;
      await listening;
      const engine = storage ? await this.#recover(storage, await usual) : this.#freshEngine();
      if (!storage) engine.keepNothing();
      this.#house.pump.start(engine);
      this.#house.refuseDuplicates();
      this.network.opened(); // Runs begin with the next turn.
      await this.#house.waiting.opened();
      // Who looked before saw nothing; ended runs give no other occasion to look again.
      this.#house.store.changedElsewhere();
      this.#opened.resolve();
      this.#page.watch(this.#house);
      if (storage) await this.#settleIn();
      return this.report;
    } catch (error) {
      // Another tab may be able to do what we can't.
      if (!this.#house.journal) this.#giveUp();
      this.#fail(error);
      throw error;
    }
  }

  #giveUp(): void {
    this.tabs?.giveUpClaim();
    this.#gate?.leave();
  }

  /** Nothing hangs: whoever waits for a run hears that there is no engine. */
  #fail(error: unknown): void {
    this.failure = error;
    this.storageState = { ...this.storageState, status: 'failing', message: error instanceof Error ? error.message : String(error) };
    this.#opened.reject(error);
    for (const run of this.#house.localRuns()) this.#house.refuse(run, error);
    this.#house.storageChanged(this.storageState);
  }

  // Storage

  /** The lock of our slot, most likely. Where there are no locks, or nothing to lock, nothing is asked. */
  async #claimUsual(): Promise<number | undefined> {
    const { tabs, storage } = this.#house.getOptions();
    const lasts = !this.inMemory && !(typeof storage === 'object' && storage.durability === 'memory');
    if (!lasts || tabs === false) return undefined;
    const platform = platformOf(tabs);
    if (platform.locks) this.tabs = new Tabs(tabsHost(this.#house), this.namespace, platform);
    else this.report.warnings.push('This page has no Web Locks (they need https): a second tab of it is not durable.');
    if (!this.tabs) return undefined;
    this.#gate = new Gate(this.namespace, platform);
    // A sandboxed frame is refused locks, and has no storage that would need one.
    const claimed = this.tabs.claimUsual().catch(() => undefined);
    await this.#gate.enter(typeof storage === 'object' ? storage : undefined);
    return claimed;
  }

  #freshEngine(): Engine {
    return new Engine(this.#module!, this.#session, this.#house.getOptions().seed ?? randomSeed());
  }

  async #openStorage(usual: Promise<number | undefined>): Promise<Storage> {
    const { storage } = this.#house.getOptions();
    const choices = storage && storage !== 'memory' ? [async () => storage] : candidates;
    let refusal: unknown;
    for (const choice of choices) {
      const candidate = await this.#sealed(await choice(() => this.#house.worker.get()));
      try {
        await this.#openOne(candidate, await usual);
        if (refusal) this.#warnFallback(candidate, refusal);
        return candidate;
      } catch (error) {
        if (!(error instanceof StorageUnavailableError) || storage) throw error;
        refusal ??= error;
      }
    }
    throw refusal ?? new StorageUnavailableError('No storage was given.');
  }

  /** What keeps everything under a key; loaded with the first. */
  vault(): Promise<Vault> | undefined {
    const { encryption } = this.#house.getOptions();
    if (encryption && !this.inMemory) this.#vault ??= import('../vault/vault.ts').then(({ Vault }) => Vault.open(encryption));
    return this.#vault;
  }

  async #sealed(storage: Storage): Promise<Storage> {
    return (await this.vault())?.seal(storage) ?? storage;
  }

  async #openOne(storage: Storage, ahead: number | undefined): Promise<void> {
    const { durability = 'process' } = this.#house.getOptions();
    await storage.open({
      namespace: this.namespace,
      durability,
      ahead,
      onEvent: (event) => this.#house.storageEvent(event),
      inspect: (log) => ({ validBytes: sealedLength(log) ?? this.#reader.inspect(log) }),
    });
    this.#storage = storage;
    const level = storage.durability === 'memory' ? 'memory' : durability;
    this.storageState = { ...this.storageState, name: storage.name, durability: level };
    this.report.storage = storage.name;
    this.report.durability = level;
  }

  #warnFallback(storage: Storage, refusal: unknown): void {
    const cause = refusal instanceof Error ? refusal.message : String(refusal);
    const what = storage.durability === 'memory' ? 'Nothing survives closing this page' : `Only ${storage.name} keeps the tasks`;
    this.storageState = { ...this.storageState, status: 'degraded', message: `${what}: ${cause}` };
    this.report.warnings.push(this.storageState.message!);
    this.#house.warn(this.storageState.message!);
  }

  storageEvent(event: StorageEvent): void {
    const { journal } = this.#house;
    if (!journal) {
      this.#early.push(event);
      return;
    }
    if (event.type === 'storage-full') journal.spaceLow(true);
    else if (event.type === 'storage-available') {
      journal.spaceLow(false);
      journal.retryNow();
    } else if (event.type === 'storage-degraded' && event.store === this.#storage?.name) void journal.rewrite();
    else if (event.type === 'storage-degraded')
      journal.degraded(`One of two copies of the tasks can't be written (${event.store}); the other goes on alone.`);
    else if (event.type === 'storage-repaired') journal.repaired();
    else if (event.type === 'storage-lost' && event.recoveredBytes === 0) void journal.rewrite();
  }

  // Recovery

  async #recover(storage: Storage, usual: number | undefined): Promise<Engine> {
    if (storage.durability === 'memory') this.#leaveTabs();
    this.#own = new OwnSlot(this.tabs, (slot) => this.locked(slot));
    const { slot, log: bytes, adoptable } = await this.#own.open(storage, this.tabs && usual);
    this.#adoptable = adoptable;
    this.#stored = slot.blobIds();
    this.#stored.catch(() => {});
    const { engine, log, settled } = await this.#load(slot, bytes);
    const { name, durability, status, message } = this.storageState;
    const journal = new Journal(this.#house, slot, name, durability);
    journal.begin(log, settled);
    if (status === 'degraded') journal.degraded(message ?? '');
    this.#house.journal = journal;
    this.#adoption = new AdoptionDoor(this.#house, this, storage, this.#page);
    this.#know(engine, log);
    await this.#adoption.found(engine);
    await this.#holdGhosts(engine, await this.#lookAtBlobs(engine));
    recover(this.#house, engine, this.#page.endedInOrder(slot.slot));
    this.#page.clearEnd(slot.slot);
    for (const event of this.#early.splice(0)) this.storageEvent(event);
    return engine;
  }

  /** Nothing is kept, so nobody can take it over. */
  #leaveTabs(): void {
    this.tabs?.giveUpClaim();
    this.tabs = undefined;
  }

  /** Gives the runs whose files are gone, or were when the last page ended. A log without files waits for nothing. */
  async #lookAtBlobs(engine: Engine): Promise<Run[]> {
    const referred = engine.referredBlobs();
    if (referred.length === 0) return [];
    const { blobs, pump } = this.#house;
    blobs.count(referred);
    // Where it can't be told which are there, a run that misses one finds that out when it starts.
    const lost = await this.#stored!.then((stored) => blobs.missingIn(stored), () => blobs.lost);
    const tasks = new Set<number>();
    for (const { task, blobId } of referred) if (lost.has(blobId) || engine.holds(task) & P.HoldPayloadMissing) tasks.add(task);
    return [...tasks].flatMap((task) => pump.run(task) ?? []);
  }

  /** Those of a log that was just read. What cares for the few that miss files is loaded only if there are any. */
  async #holdGhosts(engine: Engine, runs: readonly Run[]): Promise<void> {
    const { lost } = this.#house.blobs;
    const held = new Set(runs.filter((run) => engine.holds(run.task) & P.HoldPayloadMissing));
    const suspects = runs.filter((run) => held.has(run) || [...(run.extra.blobs?.keys() ?? [])].some((id) => lost.has(id)));
    if (suspects.length > 0) await (await this.#house.ghosts()).look(suspects, held, lost);
  }
  holdGhosts(runs: readonly Run[]): Promise<void> {
    return this.#holdGhosts(this.#house.pump.engine, runs);
  }

  /** `settled`: what lies behind the log is dropped, before anything is appended. */
  async #load(slot: StorageSlot, bytes: Uint8Array): Promise<{ engine: Engine; log: Uint8Array; settled: Promise<void> | undefined }> {
    const { engine, validBytes } = this.#reader.take(bytes);
    if (validBytes < 0) {
      engine.delete();
      await slot.close();
      throw new StoreTooNewError(
        'The tasks in this browser were written by a newer version of this page. Reload it; they are untouched until then.',
      );
    }
    if (validBytes === bytes.length) return { engine, log: bytes, settled: undefined };
    this.#dropped = () => Math.max(0, contentLength(bytes) - validBytes);
    return { engine, log: bytes.subarray(0, validBytes), settled: slot.truncate(validBytes) };
  }

  /** The runs of our own journal. */
  #know(engine: Engine, log: Uint8Array): void {
    const { table, pump, eventLog } = this.#house;
    const make = (task: number, state: number) => {
      const run = this.#recoveredRun(task, state);
      this.#house.adoptRun(run);
      return run;
    };
    const found = new FoundRuns(engine, log, make, (run) => this.#house.blobs.known(run));
    pump.expect(found);
    eventLog.found(log, (task) => found.at(task));
    table.skipPolicies(engine.value(0, P.FieldPolicyEnd));
    table.limits.tellAll();
    for (const { queue, task } of engine.someOfQueues()) {
      const name = queue === 0 ? undefined : this.#queueName(engine, queue, task);
      if (name !== undefined) table.queues.adopt(name, queue, engine);
      if (name === hiddenQueue) this.#hide(engine, queue);
    }
  }

  /** Events and tokens are known from the start: code that runs may wait for them. */
  #hide(engine: Engine, queue: number): void {
    const { pump } = this.#house;
    for (let task = 1; task < pump.runs.length; task++) {
      const run = engine.value(task, P.FieldQueue) === queue && pump.run(task);
      if (run) this.#house.waiting.hide(run);
    }
  }

  /** A queue's name stands with its runs, of which the first may be damaged. */
  #queueName(engine: Engine, queue: number, firstTask: number): string | undefined {
    const { pump } = this.#house;
    for (let task = firstTask; task < pump.runs.length; task++) {
      const run = engine.value(task, P.FieldQueue) === queue ? pump.run(task) : undefined;
      const name = run?.envelope && knownHeader(run.envelope, task).extras?.queue;
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** Runs as a journal describes them; their payloads stay bytes until somebody asks. */
  place(engine: Engine, log: Uint8Array, located: readonly LocatedPayload[]): Run[] {
    const { pump } = this.#house;
    const runs: Run[] = [];
    for (const found of located) {
      let run = pump.runs[found.task];
      if (!run) runs.push((run = this.#recoveredRun(found.task, engine.state(found.task) & 0xf)));
      place(run, log, found);
    }
    pump.numbered();
    for (const part of [this.#house.services.children, this.#house.dependencies, this.#house.identity]) part.lookAgain();
    this.#house.control.askRetention();
    return runs;
  }

  #recoveredRun(task: number, state: number): Run {
    const run = new Run(this.#house);
    run.task = task;
    run.accepted_ = true;
    run.end = endOf(state);
    run.announced = run.end !== End.None;
    if (run.announced) this.#over.add(run);
    this.#house.pump.runs[task] = run;
    return run;
  }

  /** After the first pump: the report, the dead sessions, the other tabs, the seed's own store. */
  async #settleIn(): Promise<void> {
    const [{ tabs }, { blocked, locked }, adoption] = [this, this.#own!, this.#adoption!];
    // Before anything is taken over: blobs of a take-over that a crash cut short are nobody's until it is done.
    await this.#stored!.then((stored) => this.#house.blobs.sweep(stored)).catch(() => {});
    for (const { slot, release } of this.#adoptable.splice(0)) await this.adopt(slot).finally(release);
    await adoption.adoptFree(new Set([...blocked, ...locked])).catch(() => {});
    this.#house.store.others = tabs;
    await tabs?.start();
    await adoption.resolve();
    releaseLeftovers(this.#house);
    this.#releaseKnown();
    void adoption.sweep(blocked).catch(() => {});
    this.report.tailBytesDropped = this.#dropped();
    await importLegacy(this.#house, this.report);
    await fillReport(this.#house, this.report, this.#over);
  }

  /** Runs that waited for their code when the last page ended, and whose code this page has. */
  #releaseKnown(): void {
    const { pump } = this.#house;
    if (!pump.open) return;
    for (const run of pump.heldRuns(P.HoldDefinitionMissing)) {
      if (this.#house.definition(run.taskIdentifier)) pump.commands.push(P.CommandRelease, run.task, P.HoldDefinitionMissing);
    }
    pump.wake();
  }

  // Other tabs ask

  adopt(slot: number): Promise<void> {
    return this.#adoption!.adopt(slot);
  }
  async locked(slot: StorageSlot): Promise<void> {
    const { LockedRuns } = await import('../vault/locked.ts');
    this.lockedRuns ??= new LockedRuns(() => this.#house.storageChanged(this.#house.storageState), (slot) => this.tabs?.isHeld(slot) === true);
    await this.lockedRuns.found(slot);
  }
  readable(slot: number): void {
    this.lockedRuns?.opened(slot);
  }
  /** A slot that was locked: another key is there now. False: somebody holds it at the moment. */
  async tryAgain(slot: number): Promise<boolean> {
    if (this.tabs) return this.tabs.adoptIfFree(slot);
    await this.adopt(slot);
    return true;
  }
  /** Runs that come from elsewhere than a slot, as a log. */
  takeIn(make: () => Uint8Array<ArrayBuffer> | undefined, paused: boolean): Promise<Run[]> {
    return this.#adoption!.takeIn(make, paused);
  }
  standingOf(ids: readonly string[]): Standing | undefined {
    return this.#adoption!.standingOf(ids);
  }
  /** No other tab has runs, and no slot has any that nobody has taken over. */
  async isAlone(): Promise<boolean> {
    const own = this.#house.journal?.slot.slot;
    const occupied = (await this.#storage?.occupiedSlots()) ?? [];
    return (this.tabs?.alone ?? true) && occupied.every((slot) => slot === own);
  }
  warn(message: string): void {
    this.#house.warn(message);
  }
  /** Nothing of the namespace runs, or is shown, any more. */
  async destroyed(): Promise<void> {
    if (this.#house.disposed) return this.#house.end();
    const error = new NamespaceDestroyedError('This namespace was destroyed (signed out, here or in another tab): nothing of it is left. Create another orchestrator.');
    this.failure = error;
    this.storageState = { ...this.storageState, status: 'destroyed', message: error.message };
    this.#house.storageChanged(this.storageState);
    await this.#house.end(error);
  }

  /** Why nothing more is to be heard here. */
  closedBecause(): Error {
    return this.storageState.status === 'destroyed' ? (this.failure as Error) : new DisposedError('The orchestrator was disposed.');
  }

  // A crashed core

  async rebuild(cause: unknown): Promise<void> {
    await this.#rebuilder.rebuild(cause);
    this.network.look();
    // What an adoption was about to release.
    void this.#adoption?.resolve();
    // Logs are not read in an instance that has crashed.
    this.#module = await loadCore(this.#house.getOptions().wasm);
  }

  #showNothing(): void {
    this.tabs = undefined;
    this.#house.store.changedElsewhere();
    this.#house.store.flush();
  }

  async close(): Promise<void> {
    this.#page.unwatch();
    this.network.close();
    await this.#adoption?.close();
    const { journal } = this.#house;
    if (journal) {
      await journal.close().catch(() => {});
      this.#page.markEnd(journal.slot.slot);
    }
    this.tabs?.close(this.closedBecause());
    if (this.storageState.status === 'destroyed') this.#showNothing();
    await this.#storage?.close().catch(() => {});
    this.#gate?.leave();
  }
}
