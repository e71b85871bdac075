/**
 * `ctx` in a worker: the same verbs as in the page. Functions run here; what is durable is asked of the
 * page, which records it.
 * Invariant: every question is answered once, or its call is over.
 */
import { bindMethods } from '../context/bound.ts';
import type { BatchApi } from '../batches/types.ts';
import { checkFunction, checkProgress } from '../intake/checks.ts';
import { wallClockMs } from '../time/clock.ts';
import { unlessAborted } from '../time/unless-aborted.ts';
import { clone } from '../codec/clone.ts';
import { fromMessage, toMessage } from '../codec/message.ts';
import { ContinueAsNew } from '../context/again.ts';
import { runFunction } from '../context/children.ts';
import { closedError, nestedError, noStepError, whoIs } from '../context/misuse.ts';
import { Chance } from '../context/decisions.ts';
import { workerBatch } from './batch.ts';
import { gather, map, scatter } from '../context/items.ts';
import { type PartCall, placeOf } from '../context/parts.ts';
import { CodeSection } from '../context/section.ts';
import { Locals } from '../definition/locals.ts';
import type { ContextMetadata } from '../definition/metadata-types.ts';
import { changed, type MetadataTarget, metadataView } from '../definition/metadata-view.ts';
import { joinTags } from '../definition/tags.ts';
import { ConfigurationError } from '../errors.ts';
import { contextRetry } from '../retrying/context-retry.ts';
import type { RetryHost } from '../retrying/host.ts';
import { deserializeError, serializeError } from '../runs/serialize-error.ts';
import type {
  Answering, ContextRetry, ContextWait, CreatedToken, Duration, GroupOptions, Instant, ItemResult, LockOptions, LogLevel, MapOptions, ProgressReport, RaceOptions, RetryFetchInit, RunFunction, RunItem, RunTags, Section, SleepOptions, StepInfo, StepOptions,
  StreamOptions, TaskContext, TaskLog, TaskStream, Update, WaitForOptions, WaitPromise,
} from '../types.ts';
import { checkStream, StreamWriting } from '../streams/writing.ts';
import { contextWait } from '../waiting/context-wait.ts';
import { fromWaitMessage, waitPromise } from '../waiting/outcome.ts';
import { Answers } from '../asking/answers.ts';
import type { Reply } from '../asking/names.ts';
import { events, updates, waitForUpdate } from '../asking/verbs.ts';
import { markTransfer } from './transfer.ts';
import type { AskVerb, CallContext, ToldVerb, ToPage, ToWorker } from './protocol.ts';

interface Question {
  resolve(value: any): void;
  reject(error: unknown): void;
}
interface Step extends Question {
  name: string;
  run: (info: StepInfo) => unknown;
}

export class WorkerContext implements TaskContext {
  readonly signal: AbortSignal;
  readonly attempt: TaskContext['attempt'];
  readonly run: RunFunction;
  readonly task: TaskContext['task'];
  readonly options: TaskContext['options'];
  readonly locals = new Locals();
  readonly log: TaskLog;
  readonly resumedFrom: unknown;
  readonly #call: number;
  readonly #post: (message: ToPage, transfer?: Transferable[]) => void;
  readonly #controller = new AbortController();
  readonly #steps = new Map<number, Step>();
  readonly #questions = new Map<number, Question>();
  readonly #answers = new Answers();
  readonly #times: number[];
  readonly #chance: Chance;
  #tags: readonly string[];
  readonly #begun: { computeMs: number | undefined; atMs: number };
  #metadata: Readonly<Record<string, any>>;
  #count = 0;
  #lastReport = '';
  #closed = false;
  /** The step whose function has not given way yet. */
  #inside: string | undefined;
  #insideId = '';

  constructor(call: number, context: CallContext, post: (message: ToPage, transfer?: Transferable[]) => void) {
    this.#call = call;
    this.#post = post;
    this.#times = context.times;
    this.#chance = new Chance(context.chance);
    this.#tags = context.tags;
    this.#begun = { computeMs: context.computeMs, atMs: wallClockMs() };
    this.#metadata = Object.freeze(fromMessage(context.metadata) as Record<string, any>);
    this.options = Object.freeze(fromMessage(context.options) as TaskContext['options']);
    this.signal = this.#controller.signal;
    this.attempt = Object.freeze(context.attempt);
    this.run = runFunction((...args) => this.#run(...(args as [unknown, unknown, object])), context.run);
    this.task = Object.freeze(context.task);
    this.resumedFrom = fromMessage(context.resumedFrom);
    const write = (level: LogLevel) => (message: string, attributes?: Record<string, unknown>) => this.#tell('log', [level, message, attributes]);
    this.log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
    Object.freeze(this);
  }

  step<Value>(name: string, run: (info: StepInfo) => Value | Promise<Value>, options?: StepOptions<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#check('step', name);
      if (typeof run !== 'function') throw new ConfigurationError(`ctx.step("${name}") needs a function that computes the step.`);
      const step = ++this.#count;
      this.#steps.set(step, { name, run, resolve, reject });
      const sent = options && toMessage(options, `options of step "${name}"`).value;
      this.#post({ holdfast: 'step', call: this.#call, step, name, options: sent });
    });
  }

  /** A task object stays here; its id goes. */
  #run(task: unknown, input: unknown, options?: object): Promise<any> {
    if (typeof task === 'string' && typeof input === 'function') return this.step(task, input as () => unknown, options);
    const id = typeof task === 'object' && task !== null ? (task as { id?: unknown }).id : task;
    return this.#ask('run', [id, input, options]);
  }
  get item(): RunItem | undefined {
    return this.run.item;
  }
  sleep(duration: Duration, options?: SleepOptions): Promise<void> {
    return this.#ask('sleep', [duration, options]);
  }
  sleepUntil(instant: Instant, options?: SleepOptions & { throwIfInThePast?: boolean }): Promise<void> {
    return this.#ask('sleepUntil', [instant, options]);
  }
  async lock<Value>(key: string, work: () => Value | Promise<Value>, options?: LockOptions): Promise<Value> {
    checkFunction(work, `ctx.lock(${JSON.stringify(key)}) work`);
    const number = await this.#ask('acquireLock', [key, options]);
    try {
      return await work();
    } finally {
      // The page gives it back by itself when the attempt is over.
      this.#ask('releaseLock', [number]).catch(() => {});
    }
  }
  checkpoint(state: unknown): Promise<void> {
    return this.#ask('checkpoint', [state]);
  }
  continueAsNew(input: unknown): never {
    this.#check('continueAsNew', '');
    throw new ContinueAsNew(input);
  }
  /** What undoes would have to outlive this worker. @throws ConfigurationError always */
  onRollback(name: string): void {
    throw new ConfigurationError(`ctx.onRollback("${name}") is not to be had in a worker: it may be gone when something has to be undone. Register it in a task of the page that runs this one as a child.`);
  }
  waitFor<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Data> {
    return this.waitForEvent(name, options);
  }
  /** @throws NotCloneableError for a `match` that is a function */
  waitForEvent<Data = any>(name: string, options?: WaitForOptions<Data>): WaitPromise<Data> {
    return waitPromise(this.#ask('waitForEvent', [name, options]).then(fromWaitMessage));
  }
  createToken(options?: object): Promise<CreatedToken> {
    return this.#ask('createToken', [options]);
  }
  waitForToken<Output = any>(token: string | { id: string }): WaitPromise<Output> {
    return waitPromise(this.#ask('waitForToken', [token]).then(fromWaitMessage));
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
    return this.#ask('reply', [token, reply], true);
  }
  signalRun(id: string, name: string, data?: unknown): Promise<boolean> {
    return this.#ask('signalRun', [id, name, data]);
  }
  invoke(task: any, input: any, options?: object): Promise<any> {
    return this.#run(task, input, options);
  }
  get cache(): TaskContext['cache'] {
    return {
      explain: (task, input, options) => this.#ask('explainCache', [typeof task === 'string' ? task : task?.id, input, options], true),
      invalidate: (filter) => this.#ask('invalidateCache', [filter], true),
    };
  }
  onQuery<Data = any, Answer = any>(name: string, answer: Answering<Data, Answer>): void {
    this.#checkOpen('onQuery');
    this.#answers.set(name, answer);
    this.#tell('onQuery', [name]);
  }
  patch(id: string): Promise<boolean> {
    return this.#ask('patch', [id]);
  }
  async map<Item, Value>(items: readonly Item[], work: any, options?: MapOptions<Item>): Promise<ItemResult<Value, Item>[]> {
    this.#check('map', '');
    return map(this, items, work, options);
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
    this.#check(call[0], '');
    return new CodeSection(this, { signal: this.signal, durable: undefined }).part(call, placeOf(this, call));
  }
  sign(): never {
    return notInWorkers('sign');
  }
  chain(): never {
    return notInWorkers('chain');
  }
  swarm(): never {
    return notInWorkers('swarm');
  }
  get batch(): BatchApi {
    return workerBatch((verb, items, options) => this.#ask('askBatch', [verb, items, options]));
  }
  async gather(items: readonly any[], sources: Record<string, any>, options?: object): Promise<any[]> {
    this.#check('gather', '');
    return gather(this, items, sources, options);
  }

  async scatter(sources: Record<string, unknown>): Promise<any> {
    this.#check('scatter', '');
    return scatter(this, sources);
  }

  /** As the page has it, as far as this attempt has changed it. */
  get metadata(): ContextMetadata {
    return metadataView(this.#target());
  }

  #target(): MetadataTarget {
    const values = () => this.#metadata;
    return {
      get values() {
        return values();
      },
      update: (verb, args) => {
        this.#checkOpen(`metadata.${verb}`);
        this.#metadata = changed(this.#metadata, verb, clone(args, 'metadata') as unknown[]);
        this.#tell('metadata', ['own', verb, args]);
      },
      flush: () => this.#ask('flushMetadata', []),
      relative: (which) => (this.run.parentId === undefined ? undefined : this.#relative(which)),
    };
  }

  /** What it comes to is the page's to know. */
  #relative(which: 'parent' | 'root'): MetadataTarget {
    const update = (verb: string, args: readonly unknown[]) => {
      this.#checkOpen(`metadata.${verb}`);
      this.#tell('metadata', [which, verb, args]);
    };
    return { values: {}, update, flush: () => Promise.resolve(), relative: () => undefined };
  }

  get tags(): RunTags {
    const add = async (tags: string | readonly string[]) => {
      await this.#ask('addTags', [tags]);
      this.#tags = joinTags([this.#tags, tags], 'ctx.tags.add')!;
    };
    return { current: this.#tags, add };
  }

  /** One that is repeated is known from the start; a new one is the page's to record. */
  now(): number {
    this.#check('now', '');
    const known = this.#times.shift();
    if (known !== undefined) return known;
    this.#tell('now', []);
    return wallClockMs();
  }
  random(): number {
    this.#check('random', '');
    return this.#chance.number();
  }
  uuid(): string {
    this.#check('uuid', '');
    return this.#chance.uuid();
  }
  stream<Chunk = any>(key: string, options?: StreamOptions): TaskStream<Chunk> {
    const mode = checkStream(key, options, 'ctx.stream');
    const { signal } = this;
    return new StreamWriting(key, mode, {
      signal,
      append: (chunk, id) => this.#ask('streamAppend', [key, chunk, id], true),
      recorded: () => this.#ask('streamRecorded', [key], true),
    });
  }
  transfer<Value>(value: Value, list: readonly (ArrayBuffer | ArrayBufferView)[]): Value {
    return markTransfer(value, list);
  }
  emit(name: string, data?: unknown): void {
    this.#tell('emit', [name, data]);
  }

  #tell(verb: ToldVerb, args: unknown[]): void {
    if (!this.#closed) this.#post({ holdfast: 'told', call: this.#call, verb, args: toMessage(args, verb).value });
  }

  /** @param inSteps may be asked within a step */
  #ask(verb: AskVerb, args: unknown[], inSteps = false): Promise<any> {
    return new Promise((resolve, reject) => {
      this.#check(verb, '', inSteps);
      const ask = ++this.#count;
      const { value, transfer } = toMessage(args, `arguments of ctx.${verb}`);
      this.#questions.set(ask, { resolve, reject });
      this.#post({ holdfast: 'ask', call: this.#call, ask, verb, args: value }, transfer);
    });
  }

  #check(verb: string, name: string, inSteps = false): void {
    const who = whoIs(this.task.id, this.run.id);
    if (this.#inside !== undefined && !inSteps) throw nestedError(who, verb, name, this.#inside);
    if (this.#closed) throw closedError(who, verb, name);
  }

  #checkOpen(verb: string): void {
    if (this.#closed) throw closedError(whoIs(this.task.id, this.run.id), verb, '');
  }

  get retry(): ContextRetry {
    return this.#retryAs('retry');
  }

  #retryAs(verb: string): ContextRetry {
    const host: RetryHost = {
      stepId: () => this.stepId,
      signal: this.signal,
      get nowMs() {
        return wallClockMs();
      },
      // The signal stays here; a pause that nobody waits for any more does no harm there.
      pauseBeforeRetry: (retry, failures, lastDelayMs, untilMs, signal) => unlessAborted(this.#ask('pauseBeforeRetry', [retry, failures, lastDelayMs, untilMs]), signal),
      after: (delayMs, callback) => {
        let isOver = false;
        this.#ask('pauseFor', [delayMs]).then(() => !isOver && callback(), () => {});
        return () => (isOver = true);
      },
    };
    return contextRetry(host, () => this.#checkOpen(verb));
  }
  fetch(input: string | URL | Request, init?: RetryFetchInit): Promise<Response> {
    return this.#retryAs('fetch').fetch(input, init);
  }
  get stepId(): string {
    if (this.#inside === undefined) throw noStepError(whoIs(this.task.id, this.run.id));
    return this.#insideId;
  }
  heartbeat(): void {
    this.#tell('heartbeat', []);
  }
  /** What the page has said meanwhile is heard. */
  async yield(): Promise<void> {
    await this.#ask('yield', []);
    this.signal.throwIfAborted();
  }
  get usage(): { readonly computeMs: number | undefined } {
    const { computeMs } = this.#begun;
    return { computeMs: computeMs === undefined ? undefined : computeMs + wallClockMs() - this.#begun.atMs };
  }

  /** Only what a bar can show is sent: a loop may report a million times. */
  progress(report: number | ProgressReport): void {
    checkProgress(report);
    if (this.#closed) return;
    const { value, message, phase, step } = typeof report === 'number' ? ({ value: report } as ProgressReport) : (report ?? {});
    const shown = JSON.stringify([typeof value === 'number' ? Math.round(value * 10) : value, message, phase, step]);
    if (shown === this.#lastReport) return;
    this.#lastReport = shown;
    const sent = typeof report === 'number' ? report : ({ value, message, phase, step } as ProgressReport);
    this.#post({ holdfast: 'progress', call: this.#call, report: sent });
  }

  onAbandon(listener: () => void): void {
    checkFunction(listener, 'ctx.onAbandon listener');
  }

  /** @internal */
  receive(message: ToWorker): unknown {
    switch (message.holdfast) {
      case 'abort':
        return this.#controller.abort(deserializeError(message.reason));
      case 'compute':
        return this.#compute(message);
      case 'query':
        return this.#query(message);
      case 'recorded':
        return take(this.#steps, message.step)?.resolve(fromMessage(message.value));
      case 'failed':
        return take(this.#steps, message.step)?.reject(deserializeError(message.error));
      case 'answered':
        return take(this.#questions, message.ask)?.resolve(fromMessage(message.value));
      case 'refused':
        return take(this.#questions, message.ask)?.reject(deserializeError(message.error));
    }
  }

  /** @internal */
  close(): void {
    this.#closed = true;
  }

  #inStep({ name, run }: Step, attempt: number, stepId: string): unknown {
    this.#inside = name;
    this.#insideId = stepId;
    try {
      return run({ attempt, signal: this.signal, stepId });
    } finally {
      this.#inside = undefined;
    }
  }

  async #query({ query, name, data }: Extract<ToWorker, { holdfast: 'query' }>): Promise<void> {
    const call = this.#call;
    try {
      const { value, transfer } = toMessage(await this.#answers.get(name)!(fromMessage(data)), `the answer to query "${name}"`);
      this.#post({ holdfast: 'queried', call, query, answer: value }, transfer);
    } catch (error) {
      this.#post({ holdfast: 'queryThrew', call, query, error: serializeError(error) });
    }
  }

  async #compute({ step, attempt, stepId }: Extract<ToWorker, { holdfast: 'compute' }>): Promise<void> {
    const call = this.#call;
    try {
      const computed = await this.#inStep(this.#steps.get(step)!, attempt, stepId);
      const { value, transfer } = toMessage(computed, 'result of the step');
      this.#post({ holdfast: 'computed', call, step, value }, transfer);
    } catch (error) {
      this.#post({ holdfast: 'stepThrew', call, step, error: serializeError(error) });
    }
  }
}
bindMethods(WorkerContext);

function take<Value>(map: Map<number, Value>, key: number): Value | undefined {
  const taken = map.get(key);
  map.delete(key);
  return taken;
}

function notInWorkers(verb: string): never {
  throw new ConfigurationError(`ctx.${verb} is not to be had in a worker: make it in the page, in a task that calls this one with ctx.run.`);
}
