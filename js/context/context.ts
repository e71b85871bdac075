/**
 * What a handler gets beside its input: durable steps, children, waits, progress, the abort signal.
 * The durable verbs live in context/; here they have their names.
 *
 * Invariants: a context belongs to one attempt and is closed with it (`run.context` is then another or
 * none); what has been recorded is answered
 * from its record; the code after a verb runs only when what it gave is recorded.
 */
import { bindMethods } from './bound.ts';
import { batchApi, type BatchForWorker, batchForWorker } from '../batches/door.ts';
import type { BatchApi } from '../batches/types.ts';
import type { TaskCache } from '../cache/types.ts';
import { checkFunction, checkNames, checkProgress } from '../intake/checks.ts';
import { ContinueAsNew } from './again.ts';
import { ContextExtra, type ContextHost } from './context-parts.ts';
import { runChild, runFunction } from './children.ts';
import { Chance, now, patch } from './decisions.ts';
import { Durable } from './durable.ts';
import { gather, map, scatter } from './items.ts';
import { closedError, whoIs } from './misuse.ts';
import { type PartCall, placeOf } from './parts.ts';
import { sleep, sleepTo } from './sleep.ts';
import { checkName, type Compute, step } from './steps.ts';
import { type Locals, localsOf } from '../definition/locals.ts';
import type { ContextMetadata } from '../definition/metadata-types.ts';
import type { ProcessOptions } from '../definition/process-types.ts';
import { nameOf, RecordKind, valueOf } from '../journal/history.ts';
import { claimLock, lock } from '../locking/context-lock.ts';
import { NoteKind } from '../journal/notes.ts';
import { resolvePolicy } from '../intake/options.ts';
import { contextRetry, pauseUntil } from '../retrying/context-retry.ts';
import type { RetryHost } from '../retrying/host.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import { makeInRun } from '../signatures/in-run.ts';
import { checkStream, type StreamSink, StreamWriting } from '../streams/writing.ts';
import type {
  Answering, ChildOptions, ContextRetry, ContextWait, CreatedToken, Duration, FailedRun, GroupOptions, Instant, ItemResult, LockOptions, LogLevel, MapOptions, ProgressReport, RaceOptions, RetryFetchInit, RetryOptions, RunFunction, RunItem, RunTags, Section, SleepOptions, StepOptions,
  StreamOptions, TaskContext, TaskFacts, TaskLog, TaskStream, Update, WaitForOptions, WaitPromise,
} from '../types.ts';
import { contextWait } from '../waiting/context-wait.ts';
import { waitPromise } from '../waiting/outcome.ts';
import { markTransfer } from '../workers/transfer.ts';
import { waitForEvent, waitForToken } from '../waiting/verbs.ts';
import { Answers } from '../asking/answers.ts';
import type { Reply } from '../asking/names.ts';
import { events, updates, waitForUpdate } from '../asking/verbs.ts';

const noOptions = Object.freeze({});

export class RunContext implements TaskContext {
  readonly #host: ContextHost;
  #run: Run;
  #attempt: number;
  #extra: ContextExtra | undefined;
  constructor(host: ContextHost, run: Run, attempt: number) {
    this.#host = host;
    this.#run = run;
    this.#attempt = attempt;
  }
  get #ownExtra(): ContextExtra {
    return (this.#extra ??= new ContextExtra());
  }
  /** Its attempt is over. */
  get #closed(): boolean {
    return this.#run.context !== this;
  }
  /** @internal What its durable verbs share; undefined until the first. */
  get durable(): Durable | undefined {
    return this.#extra?.durable;
  }
  /** @internal The run whose attempt it is of. */
  get owner(): Run {
    return this.#run;
  }
  /** @internal */
  get house(): Orchestrator {
    return this.#host.services.house;
  }
  /** @internal */
  get durableWork(): Durable {
    return this.#work();
  }
  sign(...given: any[]): Promise<any> {
    return makeInRun(this, 'sign', given);
  }
  chain(...given: any[]): Promise<any> {
    return makeInRun(this, 'chain', given);
  }
  swarm(...given: any[]): Promise<any> {
    return makeInRun(this, 'swarm', given);
  }
  get batch(): BatchApi {
    return (this.#ownExtra.batch ??= batchApi({ context: this, house: () => this.house }));
  }
  /** @internal For a worker. */
  askBatch(...asked: BatchForWorker) {
    return batchForWorker(this.batch, ...asked);
  }

  #work(): Durable {
    const extra = this.#ownExtra;
    if (!extra.durable) {
      extra.durable = new Durable(this.#host.services, this.#run, this.#attempt, () => this.#closed);
      if (extra.stopReason) extra.durable.stop(extra.stopReason);
    }
    return extra.durable;
  }

  get signal(): AbortSignal {
    const extra = this.#ownExtra;
    const { signal } = (extra.controller ??= new AbortController());
    if (extra.stopReason && !signal.aborted) extra.controller.abort(extra.stopReason);
    return signal;
  }

  get attempt(): { readonly number: number; readonly max: number } {
    return { number: this.#attempt, max: this.#run.options?.maxAttempts ?? this.#run.state.maxRetries + 1 };
  }

  /** A function that knows the run it belongs to: `ctx.run(task, input)` and `ctx.run.id`. */
  get run(): RunFunction {
    const extra = this.#ownExtra;
    if (extra.runFunction) return extra.runFunction;
    const { services } = this.#host;
    const call = (task: unknown, input: unknown, options?: ChildOptions): Promise<unknown> =>
      typeof input === 'function' && typeof task === 'string'
        ? this.step(task, input as Compute<unknown>, options as StepOptions | undefined)
        : runChild(this.#work(), services, task, input, options, services.determinism?.placeBelow(call));
    const { id, name, createdAt, recoveries, parentId, rootId, depth, tags, version, replayOf, item } = this.#run.state;
    extra.runFunction = runFunction(call, {
      id, name, createdAt, recoveries, depth, tags, isReplay: replayOf !== undefined, ...(item && { item }), ...(version !== undefined && { version }), ...(parentId !== undefined && { parentId, rootId: rootId! }),
    });
    return extra.runFunction;
  }

  get task(): TaskFacts {
    const { version, intent } = this.#run.definition?.spec ?? ({} as TaskFacts);
    return { id: this.#run.taskIdentifier, ...(version !== undefined && { version }), ...(intent && { intent }) };
  }
  get item(): RunItem | undefined {
    return this.#run.extra.item;
  }
  get failure(): FailedRun | undefined {
    return this.#host.services.failureOf(this.#run);
  }
  get options(): Readonly<ProcessOptions> {
    return this.#run.extra.process?.options ?? noOptions;
  }
  get locals(): Locals {
    return localsOf(this.#run);
  }

  get metadata(): ContextMetadata {
    const extra = this.#ownExtra;
    const values = this.#run.extra.metadata;
    if (!extra.metadata || extra.metadataOf !== values) {
      extra.metadata = this.#host.describing.metadataOf(this.#run, (verb) => this.#repeats(`metadata.${verb}`));
      extra.metadataOf = values;
    }
    return extra.metadata;
  }

  get tags(): RunTags {
    return this.#host.describing.tagsOf(this.#run, () => this.#repeats('tags.add'));
  }

  /** Its code goes over what is recorded. @throws ContextClosedError */
  #repeats(verb: string): boolean {
    this.#checkOpen(verb);
    return this.#work().replay.active;
  }

  #checkOpen(verb: string, name = ''): void {
    if (this.#closed) throw closedError(whoIs(this.#run.taskIdentifier, this.#run.id), verb, name);
  }

  step<Value>(name: string, compute: Compute<Value>, options?: StepOptions<Value>): Promise<Value> {
    return step(this.#work(), this.#host.services, name, compute, options as StepOptions | undefined);
  }
  group<Value>(...given: [name: string, work: (group: Section) => Value | Promise<Value>, options?: GroupOptions]): Promise<Value> {
    return this.#part(['group', ...given]);
  }
  race(...given: [branches: readonly any[], options?: RaceOptions]): Promise<any> {
    return this.#part(['race', ...given]);
  }
  any(...given: [branches: readonly any[], options?: RaceOptions]): Promise<any> {
    return this.#part(['any', ...given]);
  }
  async #part(call: PartCall): Promise<any> {
    const durable = this.#work();
    durable.check(call[0], '');
    // Known before anything is awaited, as the order of the calls tells those of one name apart.
    const place = placeOf(this, call);
    const { CodeSection } = await import('./section.ts');
    return new CodeSection(this, { signal: this.signal, durable }).part(call, place);
  }
  get stepId(): string {
    return this.#work().stepId;
  }
  sleep(duration: Duration, options?: SleepOptions): Promise<void> {
    return sleep(this.#work(), duration, options);
  }
  sleepUntil(instant: Instant, options?: SleepOptions & { throwIfInThePast?: boolean }): Promise<void> {
    return sleepTo(this.#work(), instant, options);
  }
  lock<Value>(key: string, work: () => Value | Promise<Value>, options?: LockOptions): Promise<Value> {
    return lock(this.#work(), this.#host.services, key, work, options);
  }
  /** @internal For a worker, which runs what is to be locked by itself. */
  async acquireLock(key: string, options?: LockOptions): Promise<number> {
    return (await claimLock(this.#work(), this.#host.services, key, options)).number;
  }

  /** @internal */
  releaseLock(number: number): void {
    this.#run.extra.locks?.releaseNumber(number);
  }

  waitFor<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Data> {
    return this.waitForEvent(name, options);
  }
  waitForEvent<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Data> {
    return waitPromise(waitForEvent(this.#work(), this.#host.services.waiting, name, options));
  }
  createToken(options?: object): Promise<CreatedToken> {
    checkNames(options ?? {}, ['timeout', 'tags'], 'ctx.createToken');
    const { waiting } = this.#host.services;
    return this.step('createToken', ({ stepId }) => waiting.tokens.createToken({ ...options, idempotencyKey: stepId }));
  }
  waitForToken<Output = any>(token: string | { id: string }): WaitPromise<Output> {
    return waitPromise(waitForToken(this.#work(), this.#host.services.waiting, token));
  }
  get wait(): ContextWait {
    return contextWait(this);
  }

  waitForUpdate<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Update<Data>> {
    return waitForUpdate(this, name, options);
  }
  updates<Data = any>(name: string, options?: WaitForOptions<Data>): AsyncGenerator<Update<Data>, void, undefined> {
    return updates(this, name, options);
  }
  events<Data = any>(name: string, options?: WaitForOptions<Data>): AsyncGenerator<Data, void, undefined> {
    return events(this, name, options);
  }
  /** @internal */
  reply(token: string, reply: Reply): Promise<void> {
    return this.#host.services.waiting.asking.reply(token, reply);
  }
  signalRun(id: string, name: string, data?: unknown): Promise<boolean> {
    const { services } = this.#host;
    return this.step(`signalRun ${name}`, ({ stepId }) => services.signalTo(id, name, data, new Chance(stepId).uuid()));
  }
  invoke(task: any, input: any, options?: ChildOptions): Promise<any> {
    return this.run(task, input, options);
  }
  get cache(): Pick<TaskCache, 'explain' | 'invalidate'> {
    return this.#host.services.cache;
  }
  /** @internal For a worker. */
  explainCache(...asked: Parameters<TaskCache['explain']>) {
    return this.cache.explain(...asked);
  }
  /** @internal For a worker. */
  invalidateCache(...asked: Parameters<TaskCache['invalidate']>) {
    return this.cache.invalidate(...asked);
  }
  onQuery<Data = any, Answer = any>(name: string, answer: Answering<Data, Answer>): void {
    this.#checkOpen('onQuery', name);
    (this.#ownExtra.answers ??= new Answers()).set(name, answer);
    this.#host.services.waiting.asking.offered(this.#run);
  }
  /** @internal What its code answers queries with. */
  get answers(): Answers | undefined {
    return this.#extra?.answers;
  }
  async map<Item, Value>(items: readonly Item[], work: any, options?: MapOptions<Item>): Promise<ItemResult<Value, Item>[]> {
    this.#work().check('map', '');
    return map(this, items, work, options);
  }
  async gather(items: readonly any[], sources: Record<string, any>, options?: object): Promise<any[]> {
    this.#work().check('gather', '');
    return gather(this, items, sources, options);
  }
  async scatter(sources: Record<string, unknown>): Promise<any> {
    this.#work().check('scatter', '');
    return scatter(this, sources);
  }
  onRollback(name: string, undo: () => unknown): void {
    const durable = this.#work();
    checkName(name, 'ctx.onRollback');
    checkFunction(undo, `ctx.onRollback("${name}") undo`);
    durable.check('onRollback', name);
    durable.undoings.push({ name, undo });
  }
  continueAsNew(input: unknown): never {
    this.#work().check('continueAsNew', '');
    throw new ContinueAsNew(input);
  }
  async checkpoint(state: unknown): Promise<void> {
    this.#work().check('checkpoint', '');
    await this.#host.services.note(this.#run, NoteKind.Checkpoint, state, 'checkpoint');
  }

  /** A promise where the state holds files. */
  get resumedFrom(): any {
    return this.#host.services.readNote(this.#run, NoteKind.Checkpoint)?.value;
  }
  now(): number {
    return now(this.#work());
  }

  /** @internal For a worker, which can't ask and wait: what `now()` was, in its order. */
  recordedTimes(): number[] {
    const times: number[] = [];
    const { services } = this.#host;
    for (const entry of [...services.forkedOf(this.#run), ...services.historyOf(this.#run).entries])
      if (entry.kind === RecordKind.Mark && nameOf(entry.key) === 'now') times.push(valueOf(entry) as number);
    return times;
  }
  random(): number {
    return this.#numbers('random').number();
  }

  uuid(): string {
    return this.#numbers('uuid').uuid();
  }

  /** @internal */
  get chanceSeed(): string {
    return this.#run.extra.process?.seed ?? this.#run.id;
  }

  #numbers(verb: string): Chance {
    this.#work().check(verb, '');
    return (this.#ownExtra.chance ??= new Chance(this.chanceSeed));
  }

  patch(id: string): Promise<boolean> {
    return patch(this.#work(), id);
  }

  get log(): TaskLog {
    const write = (level: LogLevel) => (message: string, attributes?: Record<string, unknown>) => {
      // Said already, by the attempt that is being repeated.
      if (!this.durable?.replay.active) this.#host.log(this.#run, level, message, attributes);
    };
    return (this.#ownExtra.log ??= { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') });
  }

  stream<Chunk = any>(key: string, options?: StreamOptions): TaskStream<Chunk> {
    const mode = checkStream(key, options, 'ctx.stream');
    return new StreamWriting(key, mode, this.streamSink(key));
  }

  transfer<Value>(value: Value, list: readonly (ArrayBuffer | ArrayBufferView)[]): Value {
    return markTransfer(value, list);
  }

  /** @internal Its input moves to the worker, its result back. */
  get movesBuffers(): boolean {
    return this.#run.definition?.spec.transfer === true;
  }

  /** @internal For a worker too. */
  streamSink(key: string): StreamSink {
    this.#ownExtra.appends = true;
    const check = () => this.#checkGoing('stream', key);
    const during = () => {
      this.heartbeat();
      return this.durable?.computing;
    };
    const { signal } = this;
    return this.#host.services.streams.sink(this.#run, this.#attempt, key, { signal, check, during });
  }

  /** Also within a step. */
  #checkGoing(verb: string, name: string): void {
    const reason = this.stopReason;
    if (reason) throw reason;
    this.#checkOpen(verb, name);
  }

  emit(name: string, data?: unknown): void {
    if (!this.#closed && !this.durable?.replay.active) this.#host.emit(this.#run, name, data);
  }

  get #retryHost(): RetryHost {
    const { services } = this.#host;
    return {
      signal: this.signal,
      get nowMs() {
        return services.nowMs;
      },
      after: (delayMs, callback) => services.after(delayMs, callback),
      pauseBeforeRetry: (...pause) => this.pauseBeforeRetry(...pause),
      stepId: () => this.stepId,
    };
  }

  get retry(): ContextRetry {
    return contextRetry(this.#retryHost, () => this.#checkOpen('retry'));
  }

  fetch(input: string | URL | Request, init?: RetryFetchInit): Promise<Response> {
    return contextRetry(this.#retryHost, () => this.#checkOpen('fetch')).fetch(input, init);
  }

  /** @internal As RetryHost has it; for a worker too. */
  async pauseBeforeRetry(retry: RetryOptions, failures: number, lastDelayMs: number, untilMs: number | undefined, signal?: AbortSignal): Promise<number> {
    const { services } = this.#host;
    const delayMs = await services.retryDelay(resolvePolicy(retry), failures, lastDelayMs);
    if (delayMs === Number.POSITIVE_INFINITY) return delayMs;
    const pauseMs = untilMs === undefined ? delayMs : Math.max(0, untilMs - services.nowMs);
    await this.pauseFor(pauseMs, signal);
    return pauseMs;
  }

  /** @internal It is known to be alive meanwhile, and why it does not go on. @param own ends it too */
  async pauseFor(delayMs: number, own?: AbortSignal): Promise<void> {
    const { services, heartbeats } = this.#host;
    const stop = heartbeats.keep(this.#run, this.#attempt);
    try {
      await pauseUntil((ms, callback) => services.after(ms, callback), delayMs, own ? AbortSignal.any([this.signal, own]) : this.signal);
    } finally {
      stop();
    }
  }

  heartbeat(): void {
    if (!this.#closed) this.#host.heartbeats.beat(this.#run, this.#attempt);
  }

  async yield(): Promise<void> {
    this.heartbeat();
    await new Promise<void>((resolve) => this.#host.services.defer(resolve));
    const reason = this.stopReason;
    if (reason) throw reason;
    this.#checkOpen('yield');
  }

  get usage(): { readonly computeMs: number | undefined } {
    return { computeMs: this.#host.services.computedMs(this.#run) };
  }

  progress(report: number | ProgressReport): void {
    // Late reports are common (a stream still draining) and harmless: they are dropped.
    checkProgress(report);
    if (!this.#closed) this.#host.reportProgress(this.#run, this.#attempt, report);
  }

  onAbandon(listener: () => void): void {
    checkFunction(listener, 'ctx.onAbandon listener');
    (this.#ownExtra.abandonListeners ??= []).push(listener);
  }

  /** @internal Why the attempt is being stopped; undefined: it is not. */
  get stopReason(): Error | undefined {
    return this.#extra?.stopReason;
  }

  /** @internal From now on it belongs to another run's attempt. false: what it has done belongs to the first. */
  adopt(run: Run, attempt: number): boolean {
    const { durable, chance, stopReason, appends, answers } = this.#extra ?? {};
    if (durable || chance || answers || stopReason || appends || this.#closed) return false;
    if (this.#extra) this.#extra.runFunction = this.#extra.log = undefined;
    this.#run = run;
    this.#attempt = attempt;
    return true;
  }

  /** @internal The attempt is asked to stop. */
  stop(reason: Error): void {
    const extra = this.#ownExtra;
    extra.stopReason = reason;
    extra.controller?.abort(reason);
    extra.durable?.stop(reason);
  }

  /** @internal Its code did not stop in time; the run has let go of this. */
  abandon(): void {
    for (const listener of this.#extra?.abandonListeners ?? []) listener();
  }
}
bindMethods(RunContext);
