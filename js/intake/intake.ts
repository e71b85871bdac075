/**
 * How a run comes in: options are checked, the input is taken by value, blobs are stored, the core
 * is told.
 *
 * Invariant: a bad argument throws at the call and has changed nothing; a run that was taken in is
 * created in the core exactly once, after everything its payload refers to is stored.
 */
import { checkDebounce } from '../collapsing/plan.ts';
import { checkCallOption, storedCallOption } from '../cache/checks.ts';
import { type BlobReference, clone } from '../codec/codec.ts';
import { callKey, handlerDefaults, tagsOf, saysMore, triggerChangesOptions, triggerSaysLittle, withinProcess, withLittle } from './call-options.ts';
import { readBinding, readDeferred } from '../dependencies/dependencies.ts';
import type { Deferred } from '../dependencies/types.ts';
import { beget, type Family, familyOf, placeOf, readFamily, sayAfter } from './family.ts';
import { describeFork, type Fork } from '../identity/forked.ts';
import { asksForKey } from '../identity/plan.ts';
import { type RunKey, storedKey } from '../identity/key.ts';
import { checkBoolean, checkEach, checkIdentifier, checkNames, checkRecord, checkText, describe, naming } from './checks.ts';
import { isRecovered } from '../definition/recovered-inputs.ts';
import { intentDefaults } from '../definition/intent.ts';
import { beginProcess, inheritProcess, isSkipped, layerOf, type Process, readProcess, skipped } from '../definition/process.ts';
import type { ProcessOptions } from '../definition/process-types.ts';
import { plainDefinition } from '../definition/spec.ts';
import { readTags } from '../definition/tags.ts';
import type { TaskHandler } from '../definition/types.ts';
import { isPromise, type TakenInput, takeInput } from '../definition/validation.ts';
import { ConfigurationError, DuplicateRunError, PayloadLostError, StorageFullError } from '../errors.ts';
import {
  mergeRetry, notBeforeMs, type Policy, type ResolvedRunOptions, resolvePolicy, resolveRunOptions, retryDecision, retryOptionsOf, storedSimulation, triggerOptionNames,
} from './options.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { type EnvelopeExtras, type EnvelopeHeader, knownHeader, knownMetadata, readMetadata } from '../journal/payloads.ts';
import { checkNetworkMode, storedNetworkMode } from '../network/mode.ts';
import { NoteKind } from '../journal/notes.ts';
import { QueueSizes } from '../limiting/sizes.ts';
import * as P from '../protocol.ts';
import { type Definition, executorHandler, executorType, isExecutor, isTask } from './registry.ts';
import { Run } from '../runs/run.ts';
import { noExtra } from '../runs/run-extra.ts';
import type { RetryOptions, RunHandle, RunOptions, TaskExecutor, TriggerOptions } from '../types.ts';
import { isReserved } from '../waiting/internal.ts';
import { refuseDisposed } from '../runs/disposed.ts';

const digits = (number: number, length: number): string => number.toString(32).padStart(length, '0');
const lowDigits = Array.from({ length: 1024 }, (_, number) => digits(number, 2));

export class Intake {
  readonly #house: Orchestrator;
  readonly #sessionToken: string;
  #prepared = new WeakMap<Definition, ResolvedRunOptions>();
  /** What was triggered last: most calls are about the same. */
  #lastTask: { task: unknown; definition: Definition } | undefined;
  #lastPrepared: { definition: Definition; options: ResolvedRunOptions } | undefined;
  #created = 0;
  /** Who waits until there is room. */
  readonly sizes: QueueSizes;
  /** What the prefix was made for. */
  #idAfterMs = Number.NaN;
  #idPrefix = '';

  constructor(house: Orchestrator, session: number) {
    this.#house = house;
    this.#sessionToken = digits(session >>> 0, 7);
    this.sizes = new QueueSizes(house);
  }

  /** The orchestrator's defaults changed. */
  forgetPrepared(): void {
    this.#house.opening.network.optionsChanged();
    this.#prepared = new WeakMap();
    this.#lastPrepared = undefined;
  }

  /** Another definition may count for an id now. */
  definitionsChanged(): void {
    this.#lastTask = undefined;
  }

  /** @param task made by defineTask, or the id of one */
  triggerTask(task: unknown, input: unknown, options: TriggerOptions | undefined, verb = 'trigger'): RunHandle<any, any> {
    const last = this.#lastTask;
    const definition = last !== undefined && last.task === task ? last.definition : this.#definitionOf(task, verb);
    try {
      return asksForKey(definition, options) ? this.#house.identity.trigger(definition, input, options) : this.trigger(definition, input, options);
    } catch (error) {
      throw naming(error, `${verb} "${definition.id}"`, definition.id);
    }
  }

  #definitionOf(task: unknown, verb: string): Definition {
    const definition = this.#house.definitions.of(task, verb);
    this.#lastTask = { task, definition };
    return definition;
  }

  trigger(definition: Definition, input: unknown, options: TriggerOptions | undefined, replayOf?: string, family?: Family, key?: RunKey | Promise<RunKey>, fork?: Fork, deferred?: Deferred): Run {
    if (this.#house.opening.failure !== undefined) throw this.#house.opening.failure;
    refuseDisposed(this.#house);
    if (this.#house.journal?.refusing)
      throw new StorageFullError(`The browser storage is full; "${definition.id}" was not accepted. Free space or remove finished runs.`);
    if (options !== undefined) this.#checkOptions(options);
    const run = new Run(this.#house);
    run.identifier = definition.id;
    run.definition = definition;
    const nowMs = options?.process !== undefined || family?.parent.extra.process ? this.#house.clock.now() : undefined;
    const process = nowMs === undefined ? undefined : this.#process(options?.process, family, nowMs);
    const tags = tagsOf(definition, options, process, family);
    run.options = this.#resolve(definition, options, process, nowMs);
    if (options !== undefined) run.callKey = callKey(run.options, options);
    run.knownId = options?.id;
    // What waits for a moment needs the exact one.
    run.createdAfterMs = (run.options.plain ? this.#house.pump.burstMs : (nowMs ?? this.#house.clock.now())) - this.#house.madeAtMs;
    if (definition.hidden) run.ownExtra.hidden = true;
    if (deferred) run.ownExtra.deferred = deferred;
    const { metadata: own, version, propagateTags: propagates = false } = definition.spec;
    const metadata = options?.metadata ?? own;
    const propagateTags = options?.propagateTags ?? propagates;
    if (metadata || version !== undefined || tags !== undefined || propagateTags || replayOf !== undefined || family || run.options.delay !== undefined || (options !== undefined && saysMore(options))) {
      const extra = run.ownExtra;
      extra.name = options?.name;
      extra.replayOf = replayOf;
      extra.metadata = metadata;
      extra.notBeforeMs = notBeforeMs(run.options.delay, run.createdAtMs);
      extra.version = version;
      extra.process = process;
      extra.cacheOption = options?.cache;
      if (family) beget(run, family);
      extra.tags = tags;
      extra.propagateTags = propagateTags;
    }
    if (process && isSkipped(process, definition.id)) run.definition = skipped(definition);
    if (isPromise(key)) this.#keepUnder(run, definition, input, key);
    else {
      // What it was called with is kept once.
      if (key) run.ownExtra.key = key.decided ? { ...key, collapsing: undefined } : key;
      if (fork) run.ownExtra.fork = fork;
      // What is computed later is checked later.
      if (run.definition.prepared?.atDispatch && !deferred) this.#check(run, definition, input);
      else this.#keep(run, input);
      if (key?.decided) this.#house.identity.come(run, key);
    }
    return run;
  }

  /** @throws ConfigurationError InputValidationError */
  #process(given: ProcessOptions | undefined, family: Family | undefined, nowMs: number): Process {
    const parent = family?.parent.extra.process;
    const inherited = parent && inheritProcess(parent, family!.key);
    return given === undefined ? inherited! : beginProcess(given, inherited, nowMs, this.#house.definitions.processCheck);
  }

  /** A key that has to be computed first. @throws InputValidationError SerializationError and nothing is changed */
  #keepUnder(run: Run, { id, prepared }: Definition, input: unknown, key: Promise<RunKey>): void {
    const copy = clone(input, 'input');
    const taken = prepared?.atDispatch ? takeInput(prepared.input!, id, copy) : { value: copy };
    this.#show(run);
    Promise.all([key, taken]).then(([known, checked]) => {
      if (run.extra.refusal !== undefined) return;
      run.ownExtra.key = known;
      this.#keepTaken(run, checked);
    }).catch((error) => this.#house.refuse(run, error));
  }

  /** It is seen, though what it works on is not kept yet. */
  #show(run: Run): void {
    const { metadata } = run.extra;
    if (metadata) run.ownExtra.metadata = clone(metadata, 'metadata');
    this.#house.adoptRun(run);
    this.#house.changed(run);
  }

  /** @throws InputValidationError; an asynchronous schema's is told by `accepted`. Nothing is changed by either. */
  #check(run: Run, { id, prepared }: Definition, input: unknown): void {
    const taken = takeInput(prepared!.input!, id, input);
    if (!isPromise(taken)) return this.#keepTaken(run, taken);
    this.#show(run);
    taken.then((checked) => {
      // Disposed, or refused as a duplicate, meanwhile.
      if (run.extra.refusal === undefined) this.#keepTaken(run, checked);
    }).catch((error) => this.#house.refuse(run, error));
  }

  #keepTaken(run: Run, { value, raw }: TakenInput): void {
    if (raw) run.ownExtra.keepsRaw = true;
    this.#keep(run, raw ? [value, raw.value] : value);
  }

  /** @throws ConfigurationError SerializationError */
  executeTask(name: string, executor: unknown, input: unknown, metadata: Record<string, any> | undefined): RunHandle<any, any> {
    checkText(name, 'executeTask name');
    if (metadata !== undefined && metadata !== null) checkRecord(metadata, 'executeTask metadata');
    // The seed keeps the executor in the metadata; code can't be stored.
    const { executor: _code, ...plain } = metadata ?? {};
    const options = { name, metadata: plain };
    return isTask(executor) ? this.triggerTask(executor, input, options) : this.#executeObject(executor, input, options);
  }

  #executeObject(executor: unknown, input: unknown, options: TriggerOptions): Run {
    if (typeof executor !== 'function' && !isExecutor(executor))
      throw new ConfigurationError(`executeTask needs an executor with execute(input, onProgress), a task or a function, not ${describe(executor)}.`);
    const execute = executor as TaskExecutor['execute'];
    const handler = executorHandler(isExecutor(executor) ? executor : { execute: (...given) => execute(...given) });
    return this.trigger(plainDefinition(executorType(executor) ?? 'executor', handler), input, options);
  }

  #checkOptions(options: TriggerOptions): void {
    checkTriggerOptions(options);
    if (options.id !== undefined) {
      checkIdentifier(options.id, 'trigger id');
      if (this.#house.localRun(options.id) || this.#house.opening.tabs?.state(options.id)) throw new DuplicateRunError(`There is a run "${options.id}" already. Choose another id, or attach("${options.id}").`);
    }
  }

  #resolve(definition: Definition, options: TriggerOptions | undefined, process?: Process, nowMs = 0): ResolvedRunOptions {
    if (definition.prepared?.cached) this.#house.cache.expect(definition);
    if (!process && options && triggerSaysLittle(options)) return withLittle(this.#resolve(definition, undefined), options);
    if (process || (options && triggerChangesOptions(options))) {
      const layers = [options ?? {}, definition.spec, process ? layerOf(process) : {}, ...this.#weaker(definition)];
      const resolved = { ...this.#house.table.circuits.place(definition, resolveRunOptions(this.#house.table, layers, definition.id)), ...((options?.retry || process?.options.retry) && { ownPolicy: true }), networkMode: options?.networkMode };
      if (typeof options?.queue === 'object') this.#house.table.queues.declare(options.queue.name, options.queue);
      return process?.deadlineAtMs === undefined ? resolved : withinProcess(resolved, process.deadlineAtMs - nowMs);
    }
    if (this.#lastPrepared?.definition === definition) return this.#lastPrepared.options;
    let prepared = this.#prepared.get(definition);
    if (!prepared) this.#prepared.set(definition, (prepared = this.#house.table.circuits.place(definition, resolveRunOptions(this.#house.table, [definition.spec, ...this.#weaker(definition)], definition.id))));
    this.#lastPrepared = { definition, options: prepared };
    return prepared;
  }

  /** From the orchestrator down (A9). */
  #weaker(definition: Definition): RunOptions[] {
    const declare = (name: string, concurrency: number) => this.#house.table.queues.declareUnlessKnown(name, concurrency);
    return [this.#defaults(), handlerDefaults(definition), intentDefaults(definition.spec.intent, declare)];
  }

  #defaults(): TriggerOptions {
    const { retry, maxRetries, retryBackoffFactor, timeout, countFrozen, simulateProgress } = this.#house.getOptions();
    const merged = { ...retry };
    if (maxRetries !== undefined && merged.maxAttempts === undefined) merged.maxRetries ??= maxRetries;
    if (retryBackoffFactor !== undefined) merged.factor ??= retryBackoffFactor;
    return { retry: merged, timeout, countFrozen, simulateProgress };
  }

  /** Takes the input by value. @throws SerializationError and nothing has been changed */
  #keep(run: Run, input: unknown): void {
    if (this.#house.opening.inMemory) {
      run.input = clone(input, 'input');
      const { metadata } = run.extra;
      if (metadata) run.ownExtra.metadata = clone(metadata, 'metadata');
      this.#enqueue(run);
    } else {
      this.#encode(run, input);
    }
    this.#house.adoptRun(run);
    // A large file takes seconds to be stored; its run is seen from the start.
    this.#house.changed(run);
  }

  #encode(run: Run, input: unknown): void {
    const { name, metadata } = run.extra;
    const header = { id: run.id, identifier: run.identifier!, name, extras: extrasOf(run), place: placeOf(run) };
    run.envelope = this.#house.payloads.writeEnvelope(header, input, metadata, run.options!.files);
    // What people see later is what was stored, not what the caller may still change.
    if (metadata) run.ownExtra.metadata = readMetadata(run.envelope);
    const { fork } = run.extra;
    const { blobs } = this.#house.payloads;
    if (fork) run.ownExtra.pendingBlobs = fork.blobs;
    if (blobs) this.#storeThenEnqueue(run, blobs);
    else this.#enqueue(run);
  }

  #enqueue(run: Run): void {
    if (run.extra.key) this.#house.identity.enqueue(run);
    else this.#house.pump.enqueue(run);
  }

  #storeThenEnqueue(run: Run, blobs: readonly BlobReference[]): void {
    this.#house.opening.opened
      .then(() => this.#house.blobs.store(blobs))
      .then(() => {
        run.ownExtra.pendingBlobs = [...(run.extra.pendingBlobs ?? []), ...blobs];
        this.#enqueue(run);
      })
      .catch((error) => {
        if (error instanceof StorageFullError) this.#house.journal?.fullForNow();
        this.#house.refuse(run, error);
      });
  }

  identify(run: Run): string {
    if (run.knownId === undefined) {
      if (run.envelope) this.#readHeader(run);
      else run.knownId = this.#newId(run.createdAfterMs);
    } else if (run.identifier === undefined && run.envelope) this.#readHeader(run);
    return run.knownId!;
  }

  #readHeader(run: Run): void {
    const { id, identifier, name, extras } = knownHeader(run.envelope!, run.task);
    run.knownId = id;
    run.identifier = identifier;
    const extra = run.ownExtra;
    extra.hidden = isReserved(identifier);
    extra.name = name;
    extra.replayOf = extras?.replayOf;
    extra.keepsRaw = extras?.raw === true;
    extra.version = extras?.version;
    extra.tags = readTags(this.#noted(run, NoteKind.Tags) ?? extras?.tags);
    extra.propagateTags = extras?.propagateTags === true;
    extra.process = readProcess(extras?.process);
    extra.cacheOption = storedCallOption(extras?.cache);
    extra.key = storedKey(extras?.key);
    extra.deferred = readDeferred(extras?.deferred);
    if (extra.deferred) extra.bound = readBinding(this.#noted(run, NoteKind.Binding));
    readFamily(run, (this.#noted(run, NoteKind.Family) as EnvelopeExtras['family']) ?? extras?.family);
    extra.metadata = (this.#noted(run, NoteKind.Metadata) as Record<string, any> | undefined) ?? knownMetadata(run.envelope!);
    // Before the core is open nobody runs it; identity alone can be asked for.
    if (this.#house.pump.open) run.options ??= this.#recoveredOptions(run, extras);
  }

  /** undefined: there is none, or none that can be read. */
  #noted(run: Run, kind: number): unknown {
    try {
      const value = this.#house.services.readNote(run, kind)?.value;
      return typeof value === 'object' && value !== null ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Options of a run of the journal, when it is about to start. */
  recover(run: Run): void {
    if (!run.options && run.envelope) run.options = this.#recoveredOptions(run, knownHeader(run.envelope, run.task).extras);
  }

  /** The core keeps numbers and times; what only JavaScript acts on comes from code and envelope. */
  #recoveredOptions(run: Run, extras: EnvelopeHeader['extras']): ResolvedRunOptions {
    const definition = this.#house.definition(run.identifier!);
    const engine = this.#house.pump.engine;
    return {
      policy: resolvePolicy({}),
      place: engine.value(run.task, P.FieldQueue) | (engine.value(run.task, P.FieldPolicy) << 16),
      maxAttempts: engine.value(run.task, P.FieldMaxAttempts),
      retryOn: retryDecision(mergeRetry([definition?.spec.retry, this.#house.getOptions().retry])),
      priority: 0, timeoutMs: 0, countFrozen: false, deadlineMs: 0, ttlMs: 0, graceMs: undefined,
      heartbeatMs: engine.value(run.task, P.FieldHeartbeatMs),
      maxDurationMs: engine.value(run.task, P.FieldComputeBudgetMs),
      delay: undefined,
      simulation: storedSimulation(extras?.simulate),
      queueName: extras?.queue,
      networkMode: storedNetworkMode(extras?.network),
      plain: true,
    };
  }

  /** The retry policy of a run: its own, or as its code says today. */
  policyOf(run: Run): Policy {
    if (run.options && (!isRecovered(run) || run.options.ownPolicy)) return run.options.policy;
    const own = run.envelope && knownHeader(run.envelope, run.task).extras?.policy;
    const definition = this.#house.definition(run.taskIdentifier);
    return own ?? (definition ? this.#resolve(definition, undefined).policy : resolvePolicy({}));
  }

  /** From now on. @throws ConfigurationError */
  changePolicy(run: Run, retry: RetryOptions): void {
    const policy = resolvePolicy(mergeRetry([retry, retryOptionsOf(this.policyOf(run))]));
    const number = this.#house.table.policyNumber(policy);
    run.options = { ...run.options!, policy, ownPolicy: true, maxAttempts: policy.maxAttempts };
    this.#house.pump.commands.setTask(run.task, P.TaskFieldPolicy, number);
  }

  /** Queue and policy, as numbers of ours, of a run that another session has numbered. */
  placeAnew(run: Run): { queue: number; policy: number } {
    const { table } = this.#house;
    table.limits.tellAll();
    const { identifier, extras } = knownHeader(run.envelope!, run.task);
    const definition = this.#house.definition(identifier);
    const resolved = definition ? this.#resolve(definition, undefined) : resolveRunOptions(table, [this.#defaults()]);
    const { policy } = extras?.policy ? extras : resolved;
    const place = table.place({ ...resolved, policy: policy!, queueName: table.queues.known(extras?.queue) });
    run.options = { ...run.options!, policy: policy!, place, maxAttempts: policy!.maxAttempts };
    return { queue: place & 0xffff, policy: place >>> 16 };
  }

  /** Sorts by time, then by order of creation; unique by the session's token. */
  #newId(afterMs: number): string {
    const number = this.#created++;
    const low = number % lowDigits.length;
    if (afterMs !== this.#idAfterMs || low === 0) {
      this.#idAfterMs = afterMs;
      const high = Math.floor(number / lowDigits.length);
      this.#idPrefix = `run_${digits(this.#house.madeAtMs + afterMs, 9)}${this.#sessionToken}${digits(high, 4)}`;
    }
    return this.#idPrefix + lowDigits[low]!;
  }

  /** Pump: describes the run to the core. */
  create(run: Run): boolean {
    if (run.extra.refusal !== undefined) return false;
    const { commands } = this.#house.pump;
    const options = run.options!;
    if (options.place < 0) options.place = this.#house.table.place(options);
    if (options.blockAt && !this.sizes.letsIn(run, options.place & 0xffff, options.blockAt)) return false;
    const task = this.#house.pump.assignTask(run);
    const { envelope } = run;
    if (envelope) commands.addPayload(envelope.bytes, envelope.start, envelope.length);
    const { pendingBlobs, parent, blobs, key, fork, deferred, isDropped } = run.extra;
    const place = isDropped ? options.place & ~0xffff : options.place;
    const simple = options.plain && !pendingBlobs && !parent && !blobs && !key && !fork && !deferred;
    commands.push(P.CommandCreate, task, (simple ? place | 0x80000000 : place) >>> 0, envelope?.length ?? 0);
    if (!simple) this.#describe(run, options);
    const hold = run.extra.hold | this.#house.opening.network.holdOf(run);
    if (hold) commands.push(P.CommandHold, task, hold);
    const { early } = run.extra;
    if (early) for (const give of early.splice(0)) give();
    return true;
  }

  #describe(run: Run, options: ResolvedRunOptions): void {
    const { commands } = this.#house.pump;
    const { notBeforeMs, pendingBlobs, parent, childPolicy, group, key, fork, deferred, after, height, isDisabled, isDropped, isHandled } = run.extra;
    // A draft is told later what it waits for.
    const isDraft = deferred !== undefined && after === undefined && !isDropped;
    if (options.priority) commands.setTask(run.task, P.TaskFieldPriority, options.priority);
    if (options.timeoutMs) commands.setTask(run.task, P.TaskFieldAttemptTimeoutMs, options.timeoutMs);
    if (options.ttlMs) commands.setTask(run.task, P.TaskFieldTimeToLiveMs, options.ttlMs);
    if (options.deadlineMs && !deferred) commands.setTask(run.task, P.TaskFieldDeadlineAtMs, run.createdAtMs + options.deadlineMs);
    if (options.graceMs !== undefined) commands.setTask(run.task, P.TaskFieldGraceMs, options.graceMs);
    if (options.countFrozen) commands.setTask(run.task, P.TaskFieldCountFrozen, 1);
    if (options.heartbeatMs) commands.setTask(run.task, P.TaskFieldHeartbeatMs, options.heartbeatMs);
    if (options.maxDurationMs) commands.setTask(run.task, P.TaskFieldComputeBudgetMs, options.maxDurationMs);
    if (options.parts) this.#house.table.limits.describe(run.task, options.parts, run.callKey);
    if (options.turn) commands.setTask(run.task, P.TaskFieldTurn, run.callKey || options.turn);
    if (options.circuits) this.#house.table.circuits.describe(run.task, options.circuits);
    if (notBeforeMs > run.createdAtMs && !deferred) commands.setTask(run.task, P.TaskFieldNotBeforeMs, notBeforeMs);
    if (pendingBlobs) {
      this.#house.blobs.attach(run, pendingBlobs);
      run.ownExtra.pendingBlobs = undefined;
    } else this.#house.blobs.tellAgain(run);
    if (key) this.#house.identity.describe(run);
    if (fork) describeFork(this.#house, run);
    if (parent && !isDraft) commands.push(P.CommandBelong, run.task, parent.task, childPolicy);
    if (group) commands.push(P.CommandJoinGroup, run.task, group);
    if (height > 0) commands.setTask(run.task, P.TaskFieldHeight, height);
    if (isHandled) commands.setTask(run.task, P.TaskFieldHandled, 1);
    if (isDropped) return commands.push(P.CommandCancel, run.task, 0, P.CancelAsDropped);
    if (after) sayAfter(run, after, commands);
    // Whoever made it says when: it may depend on runs that are to come.
    if (!isDraft) commands.push(P.CommandSubmit, run.task, isDisabled ? P.SubmitDisabled : 0);
  }

  /** A run of the predecessor: its input was never kept, so it waits for the person. */
  triggerWithoutInput(id: string, name: string, metadata: Record<string, any>): Run {
    const type = typeof metadata.taskType === 'string' ? metadata.taskType : 'executor';
    const missing: TaskHandler = () => {
      throw new PayloadLostError(`The input of "${name}" was not kept by the old store. Drop the file again.`);
    };
    const run = this.trigger(plainDefinition(type, missing), undefined, { id, name, metadata });
    run.definition = undefined;
    (run.ownExtra.early ??= []).push(() => this.#house.pump.commands.push(P.CommandHold, run.task, P.HoldPayloadMissing));
    return run;
  }
}

const triggerChecks = { name: checkText, metadata: checkRecord, propagateTags: checkBoolean, cache: checkCallOption, networkMode: checkNetworkMode, debounce: checkDebounce };

/** By their names, and what only a call may say. @throws ConfigurationError */
export function checkTriggerOptions(options: TriggerOptions): void {
  checkNames(options, triggerOptionNames, 'trigger');
  checkEach(options, triggerChecks, 'trigger');
}

/** What the core does not keep of it. */
function extrasOf(run: Run): EnvelopeExtras | undefined {
  const { replayOf, version, keepsRaw, parent, tags, propagateTags, process, cacheOption, key, deferred } = run.extra;
  const { queueName, simulation, ownPolicy, policy, networkMode } = run.options!;
  if (run.extra === noExtra && queueName === undefined && !simulation && !ownPolicy && !networkMode) return undefined;
  const extras: EnvelopeExtras = {
    ...(replayOf !== undefined && { replayOf }),
    ...(version !== undefined && { version }),
    ...(keepsRaw && { raw: true }),
    ...(tags && { tags }),
    ...(propagateTags && { propagateTags }),
    ...(process && { process }),
    ...(cacheOption !== undefined && { cache: cacheOption }),
    ...(key && { key: key.text }),
    ...(parent && { family: familyOf(run) }),
    ...(queueName !== undefined && { queue: queueName }),
    ...(simulation && { simulate: simulation }),
    ...(ownPolicy && { policy }),
    ...(networkMode && { network: networkMode }),
    ...(deferred && { deferred }),
  };
  return isEmpty(extras) ? undefined : extras;
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}
