/**
 * The Orchestrator: definitions, runs and their handles, and the wiring of the parts.
 *
 * Who does what: options.ts checks and numbers options, payloads.ts keeps bytes, pump.ts steps the
 * core, attempts.ts runs people's code, journal.ts stores frames, opening.ts recovers and adopts,
 * tabs.ts speaks with other tabs, store.ts tells who listens, view.ts builds what people see.
 *
 * Invariant: a run is accepted, ended or refused exactly once, each only when that is durable.
 */
import type { RemoveOptions } from './runs/removals.ts';
import { Attempts, stopError } from './runs/attempts.ts';
import { waitForOne } from './batches/door.ts';
import { BlobKeeper } from './blobs/keeper.ts';
import { CacheDoor } from './cache/door.ts';
import { type Clock, SystemClock } from './time/clock.ts';
import { ContextServices } from './context/services.ts';
import { Control } from './runs/control.ts';
import { Definitions } from './definition/definitions.ts';
import type { Hooks } from './definition/hooks.ts';
import type { InputIn, OutputIn, TaskMap } from './definition/names.ts';
import { ConfigurationError, DisposedError, InterruptedError } from './errors.ts';
import { EventLog } from './events/event-log.ts';
import { clockJumpWords, KindClockJumped } from './events/event-words.ts';
import { defineContainers } from './groups/kinds.ts';
import { Identity } from './identity/identity.ts';
import { Intake } from './intake/intake.ts';
import type { Announcements, Journal } from './journal/journal.ts';
import { resolveLimits } from './intake/limits.ts';
import { Queues } from './limiting/queues.ts';
import { Lazy } from './lazy.ts';
import { Lists } from './views/lists.ts';
import { randomSeed } from './load.ts';
import { Opening } from './opening/opening.ts';
import { checkPause, checkResume, refuse } from './intake/checks.ts';
import { OptionTable } from './intake/options.ts';
import { checkChanges, checkOrchestratorOptions } from './intake/orchestrator-options.ts';
import { Outcomes } from './runs/outcomes.ts';
import { PayloadArea } from './journal/payloads.ts';
import { ProgressTracker } from './runs/progress.ts';
import { Pump } from './pump/pump.ts';
import { seededRandom } from './time/random.ts';
import { RunIndex } from './runs/run-index.ts';
import { Runs } from './runs/runs.ts';
import { ScheduleDoor } from './schedules/door.ts';
import type { Definition } from './intake/registry.ts';
import { refuseDisposed } from './runs/disposed.ts';
import { type Run, snapshotBytesOf } from './runs/run.ts';
import { Store } from './views/store.ts';
import { Listenable } from './views/listenable.ts';
import type {
  AggregateProgress, Explanation, ListFilter, LogLevel, OrchestratorApi, OrchestratorOptions, QueuesApi, RecoveryReport, ResultPromise,
  ResumePolicy, RetryOptions, RunFilter, RunHandle, SendOptions, Task, TaskCounts, TaskExecutor, TaskPage, TaskState, TriggerOptions,
} from './types.ts';
import { explain } from './views/explain.ts';
import { Waiting } from './waiting/waiting.ts';
import { SharedWorkerClient, WorkerAlarm } from './small-worker/worker-alarm.ts';

export class Orchestrator extends Listenable implements OrchestratorApi {
  /** The page's small worker: timer and OPFS files. */
  readonly worker: SharedWorkerClient;
  readonly clock: Clock;
  readonly madeAtMs: number;
  readonly pump: Pump;
  readonly payloads = new PayloadArea();
  readonly blobs = new BlobKeeper(this);
  readonly progress: ProgressTracker;
  readonly attempts: Attempts;
  readonly store: Store;
  /** What contexts ask of the house. */
  readonly services = new ContextServices(this);
  readonly random: () => number;
  readonly eventLog = new EventLog(this);
  /** Runs as a collection: list, retrieve, subscribe, replay. */
  readonly runs = new Runs(this);
  readonly intake: Intake;
  readonly identity = new Identity(this);
  /** Keys that make two runs one: `create`, `reset`. */
  readonly idempotencyKeys: Pick<Identity, 'create' | 'reset'> = this.identity;
  readonly outcomes = new Outcomes(this);
  readonly control = new Control(this);
  /** Those that can be undone. */
  readonly removals = new Lazy(async () => new (await import('./runs/removals.ts')).Removals(this, await this.signatures.loaded()));
  /** Outputs that are kept: explain, invalidate, clear, migrate. */
  readonly cache = new CacheDoor(this);
  readonly waiting = new Waiting(this);
  readonly wait = this.waiting.tokens;
  readonly queues: QueuesApi = new Queues(this);
  readonly schedules = new ScheduleDoor(this);
  readonly definitions: Definitions;
  readonly table: OptionTable;
  /** undefined: nothing is kept beyond memory. */
  journal: Journal | undefined;
  readonly ready: Promise<RecoveryReport>;
  readonly opening: Opening;
  /** Told once, when disposing begins. */
  onDisposed: (() => void) | undefined;
  readonly #lists: Lists;
  readonly #index = new RunIndex(() => this.pump.allRuns());
  #options: OrchestratorOptions;
  /** Ended in this step, where nothing is kept beyond memory. */
  #unkept: Run[] = [];
  #disposed = false;
  #ended: Promise<void> | undefined;

  constructor(options: OrchestratorOptions = {}) {
    super();
    checkOrchestratorOptions(options, 'createOrchestrator');
    this.#options = options;
    this.payloads.setLimits(resolveLimits(options.limits));
    this.worker = new SharedWorkerClient(options.worker);
    this.clock = options.clock ?? new SystemClock(typeof Worker === 'function' ? new WorkerAlarm(this.worker) : undefined);
    this.madeAtMs = this.clock.now();
    this.random = seededRandom(options.seed ?? randomSeed());
    const session = options.seed ?? randomSeed();
    this.intake = new Intake(this, session);
    this.store = new Store(this.clock, (error) => this.listenerFailed(error));
    this.pump = new Pump(this);
    this.table = new OptionTable(this.pump.commands, this);
    this.progress = new ProgressTracker(this);
    this.attempts = new Attempts(this);
    this.#lists = new Lists(this.#index, this);
    this.definitions = new Definitions(this);
    this.waiting.define(this.definitions, this.table);
    defineContainers(this);
    for (const task of Object.values(options.tasks ?? [])) this.register(task);
    this.table.declare(options);
    this.opening = new Opening(this, session);
    this.ready = this.opening.open();
    this.ready.then(() => (this.identity.opened(), this.control.askRetention(), this.schedules.opened()), () => {});
    this.store.hearProgress(options.onProgress);
  }

  // Options and definitions

  getOptions(): Readonly<OrchestratorOptions> {
    return this.#options;
  }

  /** Merges; what concerns runs counts for runs triggered from now on. @throws ConfigurationError */
  setOptions(partial: Partial<OrchestratorOptions>): void {
    checkChanges(this.#options, partial);
    if (partial.limits) this.payloads.setLimits(resolveLimits(partial.limits));
    const { encryption, id, namespace } = this.#options;
    this.#options = { ...this.#options, ...partial, id, namespace, ...(encryption && { encryption }) };
    this.intake.forgetPrepared();
    this.cache.loaded?.optionsChanged();
    this.store.hearProgress(this.#options.onProgress);
    if ('hooks' in partial) this.hooks.useOptions(partial.hooks);
    for (const task of Object.values(partial.tasks ?? [])) this.register(task);
    this.table.declare(partial);
    this.pump.wake();
  }

  /** Makes a definition known here, so that runs of it survive reloads. */
  register(task: Task): void {
    this.definitions.add(task);
  }

  /** Makes an executor (or a way to make one) findable after a reload under its type. */
  registerExecutor(type: string, executor: TaskExecutor | (() => TaskExecutor)): void {
    this.definitions.addExecutor(type, executor);
  }

  definition(id: string): Definition | undefined {
    return this.definitions.get(id);
  }

  definitionOf(run: Run): Definition | undefined {
    this.intake.recover(run);
    return this.definitions.ofRun(run);
  }

  /** What is known of them. */
  get tasks(): Definitions['tasks'] {
    return this.definitions.tasks;
  }

  /** Hooks of every task: `hooks.use({ onStart })`. */
  get hooks(): Hooks {
    return this.definitions.hooks;
  }

  missingDefinition(run: Run): void {
    this.definitions.missing(run);
  }

  changePolicy(run: Run, retry: RetryOptions): void {
    this.intake.changePolicy(run, retry);
  }

  // Triggering

  trigger<Id extends string, I, O>(task: Task<Id, I, O>, input: I, options?: TriggerOptions): RunHandle<O, Id>;
  trigger<Name extends keyof TaskMap & string>(name: Name, input: InputIn<TaskMap, Name>, options?: TriggerOptions): RunHandle<OutputIn<TaskMap, Name>, Name>;
  trigger(task: unknown, input: unknown, options?: TriggerOptions): RunHandle<any, any> {
    return this.intake.triggerTask(task, input, options);
  }

  run<I, O>(task: Task<string, I, O>, input: I, options?: TriggerOptions): Promise<O>;
  run<Name extends keyof TaskMap & string>(name: Name, input: InputIn<TaskMap, Name>, options?: TriggerOptions): Promise<OutputIn<TaskMap, Name>>;
  async run(task: unknown, input: unknown, options?: TriggerOptions): Promise<any> {
    return this.intake.triggerTask(task, input, options, 'run').result();
  }

  triggerAndWait<Id extends string, I, O>(task: Task<Id, I, O>, input: I, options?: TriggerOptions): ResultPromise<O, Id>;
  triggerAndWait<Name extends keyof TaskMap & string>(name: Name, input: InputIn<TaskMap, Name>, options?: TriggerOptions): ResultPromise<OutputIn<TaskMap, Name>, Name>;
  triggerAndWait(task: unknown, input: unknown, options?: TriggerOptions): ResultPromise<any, any> {
    return waitForOne(task, input, options, 'triggerAndWait', () => this, true);
  }

  async executeTask<T, R>(
    name: string,
    executor: TaskExecutor<T, R> | Task<string, T, R> | ((input: T, onProgress?: (progress: number) => void) => Promise<R>),
    input: T,
    metadata?: Record<string, any>,
  ): Promise<string> {
    const run = this.intake.executeTask(name, executor, input, metadata);
    await run.accepted;
    return run.id;
  }

  /** Nothing of it is kept; whoever waits hears why. */
  refuse(run: Run, error: unknown): void {
    run.refuse(error);
    this.blobs.forgotten(run);
    this.#index.delete(run);
    run.extra.parent?.extra.members?.ended(run);
    this.store.changed(run);
  }

  // Effects, called by the pump

  changed(run: Run): void {
    this.store.changed(run);
  }
  log(run: Run, level: LogLevel, message: string, attributes: Record<string, unknown> | undefined): void {
    this.store.emit('log', { runId: run.id, at: this.clock.now(), level, message, ...(attributes && { attributes }) });
  }
  emitted(run: Run, name: string, data: unknown): void {
    this.store.emit('emit', run.id, name, data);
  }
  attemptFailed(run: Run): void {
    this.progress.attemptEnded(run);
  }

  ended(run: Run): void {
    this.progress.attemptEnded(run);
    run.context = undefined;
    run.extra.parent?.extra.members?.ended(run);
    if (this.journal) this.journal.announcements.ended.push(run);
    else this.#unkept.push(run);
  }

  /** Events are read: what they bring is stored, or announced at once where nothing is kept. */
  stepped(): void {
    this.intake.sizes.stepped();
    if (this.journal) return this.journal.handOver();
    if (this.#unkept.length > 0) {
      const ended = this.#unkept;
      this.#unkept = [];
      for (const run of ended) this.outcomes.announce(run);
    }
    this.eventLog.show();
  }

  forgotten(run: Run): void {
    const { blobs, waiters } = run.extra;
    // Not before the journal says so: a crash in between must find the run with its blobs.
    if (blobs) this.journal?.announcements.waiters.push(() => this.blobs.forgotten(run));
    // A second copy of a run, found at adoption, goes without anybody hearing of it.
    const isKnown = this.#index.delete(run);
    run.ownExtra.gone = true;
    this.pump.release(run);
    for (const { resolve } of waiters?.splice(0) ?? []) resolve(false);
    this.services.children.forget(run);
    this.removals.loaded?.forgotten(run);
    if (!isKnown) return;
    this.waiting.forgotten(run);
    this.store.changedElsewhere(run.id);
    this.opening.tabs?.forgotten(run.id);
  }

  acknowledged(announcements: Announcements): void {
    for (const run of announcements.created) this.pump.accept(run);
    for (const run of announcements.ended) this.outcomes.announce(run);
    for (const waiter of announcements.waiters) waiter();
    this.eventLog.show(announcements.eventsEnd);
    if (this.pump.waitingCreations > 0) this.pump.wake();
  }

  compacting(): void {
    this.eventLog.readFound();
  }

  // Reading runs

  stateOf(run: Run): TaskState {
    return this.outcomes.stateOf(run);
  }
  outputOf(run: Run): Promise<unknown> {
    return this.outcomes.outputOf(run);
  }
  errorOf(run: Run): Error {
    return this.outcomes.errorOf(run);
  }
  deliver(run: Run): void {
    this.outcomes.deliver(run);
  }
  identify(run: Run): string {
    return this.intake.identify(run);
  }
  create(run: Run): boolean {
    return this.intake.create(run);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Opening: a run of the journal is known. */
  adoptRun(run: Run): void {
    this.#index.add(run);
  }
  refuseDuplicates(): void {
    this.#index.refuseDuplicates((run, error) => this.refuse(run, error));
  }
  localRun(id: string): Run | undefined {
    return this.#index.find(id);
  }
  localRuns(): Run[] {
    return this.#index.all();
  }
  /** Takes up so many runs of the journal, ids and all. False: there are more. */
  readSome(count: number): boolean {
    return this.pump.takeSome(count) && this.#index.indexSome(count);
  }

  attach<O = any>(id: string): RunHandle<O> | undefined {
    return this.#index.find(id) ?? this.opening.tabs?.handle(id);
  }

  getTaskState<R = any>(id: string): TaskState<R> | undefined {
    return this.#index.find(id)?.state ?? this.opening.tabs?.state(id) ?? this.opening.lockedRuns?.find(id);
  }

  getAllTasks(): readonly TaskState[] {
    return this.#lists.all();
  }
  list(filter?: ListFilter): TaskPage {
    return this.#lists.page(filter);
  }
  counts(): TaskCounts {
    return this.#lists.counts();
  }

  aggregateProgress(filter?: RunFilter): AggregateProgress {
    return this.runs.aggregateProgress(filter);
  }

  /** Every reason why a run does not go on, in words and as data. */
  readonly explain = (id: string): Explanation => explain(this, id);
  readonly why = (id: string): string => this.explain(id).text;

  // Commands

  cancelRun(run: Run, reason?: unknown): Promise<boolean> {
    return this.control.cancel(run, reason);
  }
  pauseRun(run: Run, kind: 'soft' | 'hard'): Promise<boolean> {
    return this.control.pause(run, kind);
  }
  resumeRun(run: Run, policy: ResumePolicy): Promise<boolean> {
    return this.control.resume(run, policy);
  }
  retryRun(run: Run): Promise<boolean> {
    return this.control.retry(run);
  }
  signalRun(run: Run, name: string, data: unknown): Promise<boolean> {
    return this.waiting.events.signal(run, name, data);
  }
  /** An event for whoever waits for it, in any tab. Resolves when it is stored. @throws ConfigurationError SerializationError StorageFullError */
  send(name: string, data?: unknown, options?: SendOptions): Promise<{ id: string }> {
    return this.waiting.events.send(name, data, options);
  }
  cleanupCompletedTasks(maxAgeMs?: number): Promise<number> {
    return this.control.cleanup(maxAgeMs);
  }
  clearAllTasks(): Promise<number> {
    return this.control.clear();
  }

  async #handled(id: string, verb: (handle: RunHandle & { remove?(): Promise<boolean> }) => Promise<boolean>, check?: () => void): Promise<boolean> {
    check?.();
    refuseDisposed(this);
    const handle = this.attach(id);
    return handle ? verb(handle) : false;
  }
  cancelTask(id: string, reason?: unknown): Promise<boolean> {
    return this.#handled(id, (handle) => handle.cancel(reason));
  }
  pauseTask(id: string, kind: 'soft' | 'hard' = 'soft'): Promise<boolean> {
    return this.#handled(id, (handle) => handle.pause(kind), () => checkPause(kind));
  }
  resumeTask(id: string, policy: ResumePolicy = 'keepDeadline'): Promise<boolean> {
    return this.#handled(id, (handle) => handle.resume(policy), () => checkResume(policy));
  }
  async retryTask(id: string): Promise<RunHandle | undefined> {
    return (await this.#handled(id, (handle) => handle.retry())) ? this.attach(id) : undefined;
  }
  async removeTask(id: string, options?: RemoveOptions): Promise<boolean> {
    const run = this.#index.find(id);
    if (options !== undefined || run?.extra.removedUntilMs) return (await this.removals.load()).remove(id, options);
    return run ? this.control.forget(run) : this.#handled(id, (handle) => handle.remove?.() ?? Promise.resolve(false));
  }
  async undoRemove(id: string): Promise<boolean> {
    return (await this.removals.load()).undo(id);
  }

  warn(message: string): void {
    this.store.emit('warning', message);
  }
  engine() {
    return this.pump.engine;
  }
  clockJumped(byMs: number): void {
    this.warn(clockJumpWords(byMs));
    this.eventLog.note(KindClockJumped, byMs, this.clock.now());
  }
  /** The core hit a broken invariant: a fresh one takes over from the journal. */
  crashed(error: unknown): void {
    void this.opening.rebuild(error);
  }

  listenerFailed(error: unknown): void {
    const { onListenerError } = this.#options;
    try {
      if (onListenerError) onListenerError(error);
      else console.error('holdfast: a listener threw', error);
    } catch {
      // A reporter that throws has nobody left to report to.
    }
  }

  /** Nothing runs on; what was accepted is found again by the next orchestrator. */
  dispose(): Promise<void> {
    return this.end();
  }

  /** @internal Once, for whoever asks. `destroyed`: its namespace is; nothing of it is shown any more. */
  end(destroyed?: Error): Promise<void> {
    return (this.#ended ??= this.#end(destroyed));
  }

  async #end(destroyed: Error | undefined): Promise<void> {
    this.#disposed = true;
    this.onDisposed?.();
    this.definitions.stopWatching();
    await this.ready.catch(() => {});
    this.attempts.close(destroyed ?? new InterruptedError('The orchestrator was disposed.'));
    this.pump.drain();
    await (await this.definitions.services.ifAsked())?.close();
    this.progress.dispose();
    // One for all: to make an error takes microseconds, and there may be a hundred thousand runs.
    const because = destroyed ?? new DisposedError('The orchestrator was disposed; the run is found again by the next one.');
    for (const run of this.#index.each()) run.letGo(because);
    if (destroyed) this.#index.clear();
    await this.cache.close();
    await this.opening.close();
    this.waiting.close();
    this.control.close();
    this.eventLog.close();
    this.pump.stop();
    this.store.dispose();
    if (!this.#options.clock) this.clock.dispose();
    this.worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
