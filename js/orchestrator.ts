/**
 * The Orchestrator: definitions, runs and their handles, and the wiring of the parts.
 *
 * Who does what: options.ts checks and numbers options, payloads.ts keeps bytes, pump.ts steps the
 * core, attempts.ts runs people's code, journal.ts stores frames, opening.ts recovers and adopts,
 * tabs.ts speaks with other tabs, store.ts tells who listens, view.ts builds what people see.
 *
 * Invariant: a run is accepted, ended or refused exactly once, each only when that is durable.
 */
import { Attempts, stopError } from './attempts.ts';
import { saveBlob } from './download.ts';
import { type Clock, SystemClock } from './clock.ts';
import { clone, decode } from './codec.ts';
import {
  ConfigurationError, DisposedError, DuplicateRunError, ExpiredError, InterruptedError, OrchestratorError, PayloadLostError,
  QuarantinedError, StorageFullError, UnrecognizedTaskError,
} from './errors.ts';
import type { Engine } from './engine.ts';
import type { Announcements, Journal } from './journal.ts';
import { Lists, newestFirst } from './lists.ts';
import { randomSeed } from './load.ts';
import { Opening } from './opening.ts';
import {
  checkIdentifier, checkNames, describe, notBeforeMs, OptionTable, orchestratorOptionNames, type ResolvedRunOptions,
  resolvePolicy, resolveRunOptions, triggerOptionNames,
} from './options.ts';
import { PayloadArea, payloadBytes, readHeader, readMetadata } from './payloads.ts';
import { ProgressTracker } from './progress.ts';
import * as P from './protocol.ts';
import { Pump } from './pump.ts';
import { type Definition, executorHandler, executorType, isTask, pageRegistry, Registry } from './registry.ts';
import { End, Run } from './run.ts';
import { deserializeError } from './serialize-error.ts';
import { Store } from './store.ts';
import type { StorageEvent } from './storage.ts';
import type {
  ListFilter, OrchestratorApi, OrchestratorEvents, OrchestratorOptions, RecoveryReport, ResultPromise, ResumePolicy,
  RunHandle, StorageState, Task, TaskCounts, TaskExecutor, TaskHandler, TaskPage, TaskState, TriggerOptions,
} from './types.ts';
import { explain, taskState } from './view.ts';
import { toMilliseconds } from './duration.ts';

const resumePolicies = { keepDeadline: P.ResumePolicyKeepDeadline, remaining: P.ResumePolicyRemaining, restart: P.ResumePolicyRestart };
const dayMs = 86_400_000;

export class Orchestrator implements OrchestratorApi {
  readonly clock: Clock;
  readonly pump: Pump;
  readonly payloads = new PayloadArea();
  readonly progress: ProgressTracker;
  readonly attempts: Attempts;
  readonly store: Store;
  readonly registry = new Registry();
  readonly table: OptionTable;
  /** undefined: nothing is kept beyond memory. */
  journal: Journal | undefined;
  readonly ready: Promise<RecoveryReport>;
  readonly #opening: Opening;
  readonly #lists: Lists;
  readonly #byId = new Map<string, Run>();
  readonly #prepared = new WeakMap<Definition, ResolvedRunOptions>();
  readonly #sessionToken: string;
  #options: OrchestratorOptions;
  #unindexed: Run[] = [];
  #created = 0;
  #idMs = 0;
  #idPrefix = '';
  #random: number;
  #disposed = false;
  #stopWatching: () => void;
  #retentionAsked = false;

  constructor(options: OrchestratorOptions = {}) {
    checkNames(options, orchestratorOptionNames, 'createOrchestrator');
    this.#options = options;
    this.clock = options.clock ?? new SystemClock();
    this.#random = options.seed ?? randomSeed();
    const session = options.seed ?? randomSeed();
    this.#sessionToken = (session >>> 0).toString(32).padStart(7, '0');
    this.store = new Store(this.clock, (error) => this.#listenerFailed(error));
    this.pump = new Pump(this);
    this.table = new OptionTable(this.pump.commands);
    this.progress = new ProgressTracker(this);
    this.attempts = new Attempts(this);
    this.#lists = new Lists(() => this.#allStates(), () => this.store.version);
    this.#stopWatching = watchBoth(this.registry, (id) => this.#definitionAdded(id));
    for (const task of options.tasks ?? []) this.register(task);
    for (const [name, queue] of Object.entries(options.queues ?? {})) this.table.declareQueue(name, queue);
    this.#opening = new Opening(this, session);
    this.ready = this.#opening.open();
    this.ready.catch(() => {});
  }

  // Options and definitions

  getOptions(): Readonly<OrchestratorOptions> {
    return this.#options;
  }

  /** Merges; what concerns runs counts for runs triggered from now on. @throws ConfigurationError */
  setOptions(partial: Partial<OrchestratorOptions>): void {
    checkNames(partial, orchestratorOptionNames, 'setOptions');
    this.#options = { ...this.#options, ...partial };
    for (const task of partial.tasks ?? []) this.register(task);
    for (const [name, queue] of Object.entries(partial.queues ?? {})) this.table.declareQueue(name, queue);
    this.pump.wake();
  }

  /** Makes a definition known here, so that runs of it survive reloads. */
  register(task: Task): void {
    this.registry.add({ id: task.id, spec: task.spec, handler: task.spec.run });
  }

  /** Makes an executor (or a way to make one) findable after a reload under its type. */
  registerExecutor(type: string, executor: TaskExecutor | (() => TaskExecutor)): void {
    checkIdentifier(type, 'registerExecutor type');
    const run: TaskHandler = (input, ctx) => executorHandler(typeof executor === 'function' ? executor() : executor)(input, ctx);
    this.registry.add({ id: type, spec: { id: type, run }, handler: run });
  }

  definition(id: string): Definition | undefined {
    return this.registry.get(id) ?? pageRegistry.get(id);
  }

  handlerOf(run: Run): TaskHandler | undefined {
    return this.definition(run.taskIdentifier)?.handler;
  }

  #definitionAdded(id: string): void {
    for (const run of this.pump.runs) {
      if (!run || run.identifier !== id || run.end !== End.None) continue;
      run.handler = undefined;
      if (this.pump.open && (this.pump.engine.state(run.task) >>> 16) & P.HoldDefinitionMissing)
        this.pump.commands.push(P.CommandRelease, run.task, P.HoldDefinitionMissing);
    }
    this.pump.wake();
  }

  missingDefinition(run: Run): void {
    this.pump.commands.push(P.CommandHold, run.task, P.HoldDefinitionMissing);
    this.attempts.interrupt(run, new UnrecognizedTaskError(`No task "${run.taskIdentifier}" is registered.`));
    this.store.emit('warning', `Run ${run.id} waits: no task "${run.taskIdentifier}" is registered in this page.`);
  }

  // Triggering

  trigger<Id extends string, I, O>(task: Task<Id, I, O>, input: I, options?: TriggerOptions): RunHandle<O, Id> {
    if (!isTask(task)) throw new ConfigurationError(`trigger needs a task made by defineTask, not ${describe(task)}.`);
    let definition = this.definition(task.id);
    if (definition?.spec !== task.spec) {
      this.register(task as Task);
      definition = this.definition(task.id)!;
    }
    return this.#trigger(definition!, input, options) as Run<O, Id>;
  }

  async run<I, O>(task: Task<string, I, O>, input: I, options?: TriggerOptions): Promise<O> {
    return this.trigger(task, input, options).result();
  }

  triggerAndWait<Id extends string, I, O>(task: Task<Id, I, O>, input: I, options?: TriggerOptions): ResultPromise<O, Id> {
    return this.trigger(task, input, options).wait() as ResultPromise<O, Id>;
  }

  async executeTask<T, R>(
    name: string,
    executor: TaskExecutor<T, R> | Task<string, T, R> | ((input: T, onProgress?: (progress: number) => void) => Promise<R>),
    input: T,
    metadata?: Record<string, any>,
  ): Promise<string> {
    if (typeof name !== 'string') throw new ConfigurationError(`executeTask name must be text, not ${describe(name)}.`);
    // The seed keeps the executor in the metadata; code can't be stored.
    const { executor: _code, ...plain } = (metadata ?? {}) as Record<string, any>;
    const options = { name, metadata: plain };
    const run = isTask(executor) ? this.trigger(executor, input, options) : this.#executeObject(executor, input, options);
    await run.accepted;
    return run.id;
  }

  #executeObject(executor: unknown, input: unknown, options: TriggerOptions): Run {
    const callable = typeof executor === 'function';
    const hasExecute = typeof executor === 'object' && executor !== null && typeof (executor as TaskExecutor).execute === 'function';
    if (!callable && !hasExecute)
      throw new ConfigurationError(`executeTask needs an executor with execute(input, onProgress), a task or a function, not ${describe(executor)}.`);
    const execute = callable ? (executor as TaskExecutor['execute']) : undefined;
    const handler: TaskHandler = execute
      ? (value, ctx) => execute(value, (progress) => ctx.progress(progress), ctx)
      : executorHandler(executor as TaskExecutor);
    const id = executorType(executor as object) ?? 'executor';
    return this.#trigger({ id, spec: { id, run: handler }, handler }, input, options);
  }

  #trigger(definition: Definition, input: unknown, options: TriggerOptions | undefined): Run {
    if (this.#disposed) throw new DisposedError('This orchestrator was disposed. Create another one.');
    if (this.journal?.refusing)
      throw new StorageFullError(`The browser storage is full; "${definition.id}" was not accepted. Free space or remove finished runs.`);
    if (options) this.#checkTriggerOptions(options);
    const run = new Run(this);
    run.identifier = definition.id;
    run.handler = definition.handler;
    run.options = this.#resolve(definition, options);
    run.knownId = options?.id;
    run.name = options?.name;
    run.metadata = options?.metadata ?? definition.spec.metadata;
    run.createdAtMs = this.clock.now();
    this.#keep(run, input);
    return run;
  }

  #checkTriggerOptions(options: TriggerOptions): void {
    checkNames(options, triggerOptionNames, 'trigger');
    if (options.id !== undefined) {
      checkIdentifier(options.id, 'trigger id');
      if (this.#find(options.id)) throw new DuplicateRunError(`There is a run "${options.id}" already. Choose another id, or attach("${options.id}").`);
    }
  }

  #resolve(definition: Definition, options: TriggerOptions | undefined): ResolvedRunOptions {
    if (options && triggerChangesOptions(options)) return resolveRunOptions(this.table, [options, definition.spec, this.#defaults()]);
    let prepared = this.#prepared.get(definition);
    if (!prepared) this.#prepared.set(definition, (prepared = resolveRunOptions(this.table, [definition.spec, this.#defaults()])));
    return prepared;
  }

  #defaults(): TriggerOptions {
    const { retry, maxRetries, retryBackoffFactor, timeout, simulateProgress } = this.#options;
    const merged = { ...retry };
    if (maxRetries !== undefined && merged.maxAttempts === undefined) merged.maxRetries ??= maxRetries;
    if (retryBackoffFactor !== undefined) merged.factor ??= retryBackoffFactor;
    return { retry: merged, ...(timeout !== undefined && { timeout }), ...(simulateProgress !== undefined && { simulateProgress }) };
  }

  /** Takes the input by value. @throws SerializationError and nothing has been changed */
  #keep(run: Run, input: unknown): void {
    if (this.#opening.inMemory) {
      run.input = clone(input, 'input');
      if (run.metadata) run.metadata = clone(run.metadata, 'metadata');
      this.pump.enqueue(run);
    } else {
      this.#encode(run, input);
    }
    if (run.knownId !== undefined) this.#byId.set(run.knownId, run);
    else this.#unindexed.push(run);
  }

  #encode(run: Run, input: unknown): void {
    const { options } = run;
    const extras =
      options!.queueName !== undefined || options!.simulation
        ? { ...(options!.queueName !== undefined && { queue: options!.queueName }), ...(options!.simulation && { simulate: options!.simulation }) }
        : undefined;
    const header = { id: run.id, identifier: run.identifier!, name: run.name, extras };
    run.envelope = this.payloads.writeEnvelope(header, input, run.metadata);
    // What people see later is what was stored, not what the caller may still change.
    if (run.metadata) run.metadata = readMetadata(run.envelope);
    const { blobs } = this.payloads;
    if (!blobs) return this.pump.enqueue(run);
    this.#opening.opened
      .then(() => this.attempts.storeBlobs(blobs))
      .then(() => {
        run.pendingBlobs = blobs;
        this.pump.enqueue(run);
      })
      .catch((error) => this.refuse(run, error));
  }

  identify(run: Run): string {
    if (run.knownId === undefined) {
      if (run.envelope) this.#readHeader(run);
      else run.knownId = this.#newId(run.createdAtMs);
    } else if (run.identifier === undefined && run.envelope) this.#readHeader(run);
    return run.knownId!;
  }

  #readHeader(run: Run): void {
    const { id, identifier, name, extras } = readHeader(run.envelope!);
    run.knownId = id;
    run.identifier = identifier;
    run.name = name;
    run.metadata = readMetadata(run.envelope!);
    run.options ??= this.#recoveredOptions(run, extras);
  }

  /** The core keeps numbers and times; what only JavaScript acts on comes from code and envelope. */
  #recoveredOptions(run: Run, extras: ReturnType<typeof readHeader>['extras']): ResolvedRunOptions {
    const definition = this.definition(run.identifier!);
    const engine = this.pump.engine;
    return {
      policy: resolvePolicy({}),
      place: engine.value(run.task, P.FieldQueue) | (engine.value(run.task, P.FieldPolicy) << 16),
      maxAttempts: engine.value(run.task, P.FieldMaxAttempts),
      retryOn: definition?.spec.retry?.retryOn ?? this.#options.retry?.retryOn,
      priority: 0, timeoutMs: 0, deadlineMs: 0, ttlMs: 0, graceMs: 0,
      delay: undefined,
      simulation: extras?.simulate,
      queueName: extras?.queue,
      plain: true,
    };
  }

  /** Sorts by time, then by order of creation; unique by the session's token. */
  #newId(atMs: number): string {
    if (atMs !== this.#idMs || this.#idPrefix === '') {
      this.#idMs = atMs;
      this.#idPrefix = `run_${atMs.toString(32).padStart(9, '0')}`;
    }
    return `${this.#idPrefix}${(this.#created++).toString(32).padStart(6, '0')}${this.#sessionToken}`;
  }

  /** Pump: describes the run to the core. */
  create(run: Run): boolean {
    if (run.refusal !== undefined) return false;
    const { commands } = this.pump;
    const options = run.options!;
    const task = this.pump.assignTask(run);
    const { envelope } = run;
    if (envelope) commands.addPayload(envelope.bytes, envelope.start, envelope.length);
    if (options.place < 0) options.place = this.table.place(options);
    const { place } = options;
    const simple = options.plain && !run.pendingBlobs;
    commands.push(P.CommandCreate, task, (simple ? place | 0x80000000 : place) >>> 0, envelope?.length ?? 0);
    if (!simple) this.#describe(run, options);
    if (run.early) for (const early of run.early.splice(0)) early();
    return true;
  }

  #describe(run: Run, options: ResolvedRunOptions): void {
    const { commands } = this.pump;
    const set = (field: number, value: number) => commands.push(P.CommandSetTask, run.task, field, 0, value);
    if (options.priority) set(P.TaskFieldPriority, options.priority);
    if (options.timeoutMs) set(P.TaskFieldAttemptTimeoutMs, options.timeoutMs);
    if (options.ttlMs) set(P.TaskFieldTimeToLiveMs, options.ttlMs);
    if (options.deadlineMs) set(P.TaskFieldDeadlineAtMs, run.createdAtMs + options.deadlineMs);
    if (options.graceMs) set(P.TaskFieldGraceMs, options.graceMs);
    const startMs = notBeforeMs(options.delay, run.createdAtMs);
    if (startMs > run.createdAtMs) set(P.TaskFieldNotBeforeMs, startMs);
    if (run.pendingBlobs) this.attempts.attachBlobs(run, run.pendingBlobs);
    run.pendingBlobs = undefined;
    commands.push(P.CommandSubmit, run.task);
  }

  /** Nothing of it is kept; whoever waits hears why. */
  refuse(run: Run, error: unknown): void {
    run.refusal = error;
    run.acceptance?.reject(error);
    run.completion?.reject(error);
    if (run.knownId !== undefined) this.#byId.delete(run.knownId);
    this.#unindexed = this.#unindexed.filter((other) => other !== run);
    this.store.changed(run);
  }

  // Effects, called by the pump

  started(run: Run, attempt: number): void {
    this.attempts.start(run, attempt);
  }
  resumed(run: Run): void {
    this.attempts.resumed(run);
  }
  stopping(run: Run, reason: number): void {
    this.attempts.stopping(run, reason);
  }
  abandoned(run: Run): void {
    this.attempts.abandoned(run);
  }
  changed(run: Run): void {
    this.store.changed(run);
  }
  random(): number {
    // Mulberry32, seeded: progress is the only use.
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  attemptFailed(run: Run, outcome: number): void {
    this.progress.attemptEnded(run);
    if (outcome === P.OutcomeTimeout) run.error = stopError(run, P.StopReasonTimeout);
  }

  ended(run: Run): void {
    this.progress.attemptEnded(run);
    run.context?.close();
    run.context = undefined;
    if (this.journal) this.journal.announcements.ended.push(run);
    else this.#announce(run);
  }

  forgotten(run: Run): void {
    if (run.blobIds && this.journal) {
      const { blobIds } = run;
      const { slot } = this.journal;
      // Not before the journal says so: a crash in between must find the run with its blobs.
      this.journal.announcements.waiters.push(() => void slot.deleteBlobs(blobIds).catch(() => {}));
    }
    this.#byId.delete(run.id);
    this.#unindexed = this.#unindexed.filter((other) => other !== run);
    this.pump.release(run);
    this.store.changedElsewhere(run.id);
    this.#opening.tabs?.forgotten(run.id);
  }

  acknowledged(announcements: Announcements): void {
    for (const run of announcements.created) this.pump.accept(run);
    for (const run of announcements.ended) this.#announce(run);
    for (const waiter of announcements.waiters) waiter();
    if (this.pump.waitingCreations > 0) this.pump.wake();
  }

  #announce(run: Run): void {
    if (run.announced || run.end === End.None) return;
    run.announced = true;
    this.changed(run);
    run.completion?.resolve();
    if (run.end === End.Completed) this.#announceSuccess(run);
    else if (run.end === End.Failed) this.#announceFailure(run);
    if (!this.#retentionAsked) this.#askRetention();
  }

  #announceSuccess(run: Run): void {
    const { onComplete } = this.#options;
    const { onSuccess } = this.definition(run.identifier!)?.spec ?? {};
    if (!onComplete && !onSuccess && !this.store.has('complete')) return;
    void this.outputOf(run).then((output) => {
      if (onSuccess) this.store.call(() => onSuccess({ input: this.#inputOf(run), output, state: run.state }));
      if (onComplete) this.store.call(() => onComplete(run.id, output));
      this.store.emit('complete', run.id, output);
    }, (error) => this.#listenerFailed(error));
  }

  #announceFailure(run: Run): void {
    const error = this.errorOf(run);
    const { onError } = this.#options;
    const { onFailure } = this.definition(run.identifier!)?.spec ?? {};
    if (onFailure) this.store.call(() => onFailure({ input: this.#inputOf(run), error, state: run.state }));
    if (onError) this.store.call(() => onError(run.id, error));
    this.store.emit('error', run.id, error);
  }

  #inputOf(run: Run): any {
    if (!run.envelope) return clone(run.input, 'input');
    return run.blobIds ? undefined : decode(run.envelope.bytes.subarray(run.envelope.start, run.envelope.start + run.envelope.length));
  }

  // Reading runs

  stateOf(run: Run): TaskState {
    if (run.snapshot) return run.snapshot;
    const engine = this.pump.open ? this.pump.engine : undefined;
    this.identify(run);
    const over = run.announced && run.end !== End.None;
    const error = over && run.end !== End.Completed ? this.errorOf(run) : run.end === End.Completed ? null : this.#lastError(run);
    const output = over && run.end === End.Completed ? this.#outputNow(run) : undefined;
    const durable = this.journal !== undefined && run.accepted_;
    run.snapshot = taskState(engine, run, { output, error, metadata: run.metadata, durable });
    return run.snapshot;
  }

  /** A result with blobs is loaded when it is asked for; everything else stands in memory. */
  #outputNow(run: Run): unknown {
    if (run.outputPayload && run.output === undefined) {
      const bytes = payloadBytes(run.outputPayload);
      if (bytes[0] === 2) {
        void this.outputOf(run).then(() => this.changed(run), () => {});
        return undefined;
      }
      run.output = decode(bytes);
    }
    return run.output;
  }

  async outputOf(run: Run): Promise<unknown> {
    if (run.outputPayload && run.output === undefined) run.output = await this.attempts.read(run.outputPayload);
    return run.output;
  }

  #lastError(run: Run): Error | null {
    if (!run.error && run.errorPayload) run.error = deserializeError(decode(payloadBytes(run.errorPayload)));
    return run.error ?? null;
  }

  errorOf(run: Run): Error {
    if (run.end === End.Cancelled) return stopError(run, P.StopReasonCancel);
    const reason = this.pump.open && run.task ? this.pump.engine.value(run.task, P.FieldFailReason) : 0;
    if (reason === P.FailReasonTimedOut) return stopError(run, P.StopReasonDeadline);
    if (reason === P.FailReasonExpired) return new ExpiredError(`Run ${run.id} was not started within its ttl.`);
    if (reason === P.FailReasonQuarantined)
      return new QuarantinedError(`Run ${run.id} was running when the tab died, three times. Retry it by hand.`);
    return this.#lastError(run) ?? new OrchestratorError(`Run ${run.id} failed.`);
  }

  #find(id: string): Run | undefined {
    const known = this.#byId.get(id);
    if (known) return known;
    for (const run of this.#unindexed.splice(0)) this.#byId.set(run.id, run);
    return this.#byId.get(id);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** A run of the predecessor: its input was never kept, so it waits for the person. */
  triggerWithoutInput(id: string, name: string, metadata: Record<string, any>): Run {
    const type = typeof metadata.taskType === 'string' ? metadata.taskType : 'executor';
    const missing: TaskHandler = () => {
      throw new PayloadLostError(`The input of "${name}" was not kept by the old store. Drop the file again.`);
    };
    const run = this.#trigger({ id: type, spec: { id: type, run: missing }, handler: missing }, undefined, { id, name, metadata });
    run.handler = undefined;
    (run.early ??= []).push(() => this.pump.commands.push(P.CommandHold, run.task, P.HoldPayloadMissing));
    return run;
  }

  /** After a crash of the core: what it had not sealed has not happened. */
  forgetUnsealed(error: Error): void {
    const lost = this.journal?.dropGathered();
    for (const run of lost?.ended ?? []) run.end = End.None;
    for (const run of this.pump.runs) {
      if (!run) continue;
      run.context?.stop(error);
      run.context = undefined;
      run.attempt = 0;
      for (const { resolve } of run.waiters?.splice(0) ?? []) resolve(false);
      this.store.changed(run);
    }
  }

  /** Runs the rebuilt core does not know were never sealed: they are created again. */
  recreateUnknown(engine: Engine): void {
    for (const run of [...this.pump.runs]) {
      if (!run || engine.state(run.task) !== 0) continue;
      this.pump.release(run);
      if (run.end === End.None) this.pump.enqueue(run);
    }
    this.table.tellAgain();
  }

  /** Opening: a run of the journal is known. */
  adoptRun(run: Run): void {
    this.#unindexed.push(run);
  }

  knows(id: string): boolean {
    return this.#find(id) !== undefined;
  }

  localRuns(): Run[] {
    this.#find('');
    return [...this.#byId.values()];
  }

  attach<O = any>(id: string): RunHandle<O> | undefined {
    return this.#find(id) ?? this.#opening.tabs?.handle(id);
  }

  getTaskState<R = any>(id: string): TaskState<R> | undefined {
    return this.#find(id)?.state ?? this.#opening.tabs?.state(id);
  }

  #allStates(): TaskState[] {
    const states = this.localRuns().map((run) => run.state);
    for (const state of this.#opening?.tabs?.states() ?? []) if (!this.#byId.has(state.id)) states.push(state);
    return states.sort(newestFirst);
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

  why(id: string): string {
    const run = this.#find(id);
    if (!run) return this.#opening.tabs?.state(id) ? 'It belongs to another tab, which runs it.' : `There is no run "${id}".`;
    return this.pump.open ? explain(this.pump.engine, run, run.state) : 'The storage is being opened.';
  }

  // Commands

  #command(run: Run, command: number, a = 0): Promise<boolean> {
    return new Promise((resolve) => {
      const give = () => {
        run.waiters ??= [];
        run.waiters.push({ command, resolve });
        this.pump.commands.push(command, run.task, a);
        this.pump.wake();
      };
      if (run.refusal !== undefined || this.#disposed) resolve(false);
      else if (run.task !== 0) give();
      else (run.early ??= []).push(give);
    });
  }

  cancelRun(run: Run, reason?: unknown): Promise<boolean> {
    if (run.end === End.None) run.cancelReason = reason;
    return this.#command(run, P.CommandCancel);
  }
  pauseRun(run: Run, kind: 'soft' | 'hard'): Promise<boolean> {
    if (kind !== 'soft' && kind !== 'hard') throw new ConfigurationError(`pause takes 'soft' or 'hard', not ${describe(kind)}.`);
    return this.#command(run, P.CommandPause, kind === 'hard' ? P.PauseKindInterrupt : P.PauseKindSuspend);
  }
  resumeRun(run: Run, policy: ResumePolicy): Promise<boolean> {
    if (!Object.hasOwn(resumePolicies, policy))
      throw new ConfigurationError(`resume takes ${Object.keys(resumePolicies).join(', ')}, not ${describe(policy)}.`);
    return this.#command(run, P.CommandResume, resumePolicies[policy]);
  }
  retryRun(run: Run): Promise<boolean> {
    return this.#command(run, P.CommandRetry);
  }
  async #forgetRun(run: Run): Promise<boolean> {
    if (run.end === End.None) await this.cancelRun(run, 'removed');
    return this.#command(run, P.CommandForget);
  }

  async #handled(id: string, verb: (handle: RunHandle & { remove?(): Promise<boolean> }) => Promise<boolean>): Promise<boolean> {
    const handle = this.attach(id);
    return handle ? verb(handle) : false;
  }
  cancelTask(id: string, reason?: unknown): Promise<boolean> {
    return this.#handled(id, (handle) => handle.cancel(reason));
  }
  pauseTask(id: string, kind: 'soft' | 'hard' = 'soft'): Promise<boolean> {
    return this.#handled(id, (handle) => handle.pause(kind));
  }
  resumeTask(id: string, policy: ResumePolicy = 'keepDeadline'): Promise<boolean> {
    return this.#handled(id, (handle) => handle.resume(policy));
  }
  retryTask(id: string): Promise<boolean> {
    return this.#handled(id, (handle) => handle.retry());
  }
  removeTask(id: string): Promise<boolean> {
    const run = this.#find(id);
    return run ? this.#forgetRun(run) : this.#handled(id, (handle) => handle.remove?.() ?? Promise.resolve(false));
  }

  async cleanupCompletedTasks(maxAgeMs = 3_600_000): Promise<number> {
    const beforeMs = this.clock.now() - maxAgeMs;
    const old = this.localRuns().filter((run) => run.announced && run.end !== End.Cancelled && run.state.lastUpdated < beforeMs);
    const removed = await Promise.all(old.map((run) => this.#forgetRun(run)));
    return removed.filter(Boolean).length;
  }

  async clearAllTasks(): Promise<number> {
    const removed = await Promise.all(this.localRuns().map((run) => this.#forgetRun(run)));
    return removed.filter(Boolean).length;
  }

  /** Ended runs go by age and count, now and then. */
  #askRetention(): void {
    this.#retentionAsked = true;
    this.clock.schedule(this.clock.now() + 60_000, () => {
      this.#retentionAsked = false;
      if (!this.#disposed) this.#applyRetention();
    });
  }

  #applyRetention(): void {
    const { completed = {}, failed = {} } = this.#options.retention ?? {};
    const ended = this.localRuns().filter((run) => run.announced);
    for (const [rule, runs] of [
      [completed, ended.filter((run) => run.end === End.Completed)],
      [failed, ended.filter((run) => run.end !== End.Completed)],
    ] as const) {
      const maxAgeMs = rule.age === undefined ? 7 * dayMs : toMilliseconds(rule.age, 'retention.age');
      const count = rule.count ?? 10_000;
      const beforeMs = this.clock.now() - maxAgeMs;
      runs.sort((one, other) => other.state.lastUpdated - one.state.lastUpdated);
      runs.forEach((run, index) => {
        if (index >= count || run.state.lastUpdated < beforeMs) void this.#forgetRun(run);
      });
    }
  }

  async download(run: Run, fileName?: string): Promise<void> {
    await saveBlob(await run.result(), fileName ?? run.state.name);
  }

  // Listening

  on<Name extends keyof OrchestratorEvents>(
    name: Name,
    listener: (...args: OrchestratorEvents[Name]) => void,
    options: { signal?: AbortSignal } = {},
  ): () => void {
    return this.store.on(name, listener, options.signal);
  }
  subscribe(listener: () => void): () => void {
    return this.store.subscribe(listener);
  }
  subscribeTask(id: string, listener: () => void): () => void {
    return this.store.subscribeId(id, listener);
  }
  subscribeRun(run: Run, listener: () => void): () => void {
    return this.store.subscribeRun(run, listener);
  }

  get storageState(): StorageState {
    return this.journal?.state ?? this.#opening.storageState;
  }
  storageChanged(state: StorageState): void {
    this.store.emit('storage', { type: 'durability', level: state.durability, ...(state.message && { reason: state.message }) });
    this.store.changedElsewhere();
    this.pump.wake();
  }
  storageEvent(event: StorageEvent): void {
    this.#opening.storageEvent(event);
    this.store.emit('storage', event);
  }
  warn(message: string): void {
    this.store.emit('warning', message);
  }
  engine() {
    return this.pump.engine;
  }

  /** The core hit a broken invariant: a fresh one takes over from the journal. */
  crashed(error: unknown): void {
    void this.#opening.rebuild(error);
  }

  #listenerFailed(error: unknown): void {
    const { onListenerError } = this.#options;
    try {
      if (onListenerError) onListenerError(error);
      else console.error('holdfast: a listener threw', error);
    } catch {
      // A reporter that throws has nobody left to report to.
    }
  }

  /** Nothing runs on; what was accepted is found again by the next orchestrator. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#stopWatching();
    await this.ready.catch(() => {});
    for (const run of this.pump.runs) if (run) this.attempts.interrupt(run, new InterruptedError('The orchestrator was disposed.'));
    this.progress.dispose();
    await this.#opening.close();
    this.pump.stop();
    this.store.dispose();
    if (!this.#options.clock) this.clock.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

function watchBoth(own: Registry, watcher: (id: string) => void): () => void {
  const stops = [own.watch(watcher), pageRegistry.watch(watcher)];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Id, name and metadata change nothing of what the core is told. */
function triggerChangesOptions(options: TriggerOptions): boolean {
  for (const name in options) if (name !== 'id' && name !== 'name' && name !== 'metadata') return true;
  return false;
}
