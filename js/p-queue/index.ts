/**
 * `holdfast/p-queue`: a queue of functions with the names and manners of p-queue 10, on holdfast's core: what begins when is
 * decided by the same orders, limits and rates as everywhere. Functions can't be stored: nothing of it outlives the page; use
 * `defineTask` for what should.
 *
 * The core is loaded with this module, so that everything here answers at once.
 * Invariant: a promise of `add` settles once: with what its function says, or why that never ran to its end.
 */
import { loadCore, randomSeed } from '../load.ts';
import * as P from '../protocol.ts';
import { CommandBuffer, Engine, recordWords } from '../pump/engine.ts';
import { type Clock, SystemClock } from '../time/clock.ts';
import { checkLimit, checkPriority, checkRate, checkTimeout, rankOf } from './checks.ts';
import { type AddOptions, type EventName, type QueueEvents, type QueueFunction, type QueueOptions, type RunningTask, TimeoutError } from './types.ts';

export { TimeoutError } from './types.ts';
export type { AddOptions, AddOptions as QueueAddOptions, EventName, QueueEvents, QueueFunction, QueueOptions, QueueOptions as Options, RunningTask, TaskOptions } from './types.ts';

const module = await loadCore();
const pageClock: Clock = new SystemClock();
/** Whoever forgets a queue gives its core back. */
const forgotten = new FinalizationRegistry<Engine>((engine) => engine.delete());

const queueNumber = 1;
const limitNumber = 0x40000001;

interface Job {
  readonly id: string;
  readonly task: number;
  priority: number;
  readonly run: QueueFunction<unknown>;
  readonly signal: AbortSignal | undefined;
  readonly timeout: number | undefined;
  startTime: number;
  resolve: (value: any) => void;
  reject: (error: unknown) => void;
  promise?: Promise<unknown>;
  stopListening?: () => void;
}

/**
 * Functions, so many at once and so many in an interval, the ones of higher priority first.
 * @throws TypeError for options that p-queue refuses, and for `queueClass`
 */
export default class PQueue extends EventTarget {
  readonly #engine: Engine;
  readonly #commands = new CommandBuffer();
  readonly #clock: Clock;
  readonly #isRated: boolean;
  readonly #jobs: (Job | undefined)[] = [undefined];
  readonly #freeTasks: number[] = [];
  readonly #waiting = new Set<Job>();
  readonly #running = new Set<Job>();
  /** Has a slot, and its function is about to be called. */
  #next: Job | undefined;
  /** What the core was told that may run: one more than what runs, or 0: what `concurrency` says. */
  #granted = 0;
  #concurrency = Number.POSITIVE_INFINITY;
  #timeout: number | undefined;
  #isPaused = false;
  #nextId = 1;
  #armedMs = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;
  #wasRateLimited = false;
  #looksAtRate = false;

  constructor(options?: QueueOptions) {
    super();
    const { carryoverIntervalCount = false, intervalCap = Number.POSITIVE_INFINITY, interval = 0, concurrency = Number.POSITIVE_INFINITY, autoStart = true, strict = false, timeout, queueClass, clock = pageClock } = options ?? {};
    checkRate(interval, intervalCap, strict);
    if (queueClass !== undefined) throw new TypeError('`queueClass` is not supported: what begins first is decided by the core. For other orders use `createOrchestrator({ queues: { name: { order } } })`.');
    this.#clock = clock;
    this.#engine = new Engine(module, 1, randomSeed());
    this.#engine.keepNothing();
    forgotten.register(this, this.#engine);
    this.#isRated = intervalCap !== Number.POSITIVE_INFINITY && interval !== 0;
    if (this.#isRated) {
      const set = (field: number, value: number) => this.#commands.push(P.CommandSetLimit, limitNumber, field, 0, value);
      set(P.LimitFieldRateLimit, Math.min(intervalCap, 1e9));
      set(P.LimitFieldRatePeriodMs, Math.max(1, interval));
      set(P.LimitFieldRateKind, strict ? P.RateKindSliding : P.RateKindFixed);
      if (carryoverIntervalCount && !strict) set(P.LimitFieldConcurrency, Math.min(intervalCap, 0xfffffffe));
    }
    this.concurrency = concurrency;
    this.timeout = timeout;
    if (!autoStart) this.pause();
  }

  // Options that may change

  /** Milliseconds a function may run. A change counts for what is added after it. @throws TypeError */
  get timeout(): number | undefined {
    return this.#timeout;
  }
  set timeout(timeout: number | undefined) {
    checkTimeout(timeout);
    this.#timeout = timeout;
  }

  get concurrency(): number {
    return this.#concurrency;
  }
  set concurrency(concurrency: number) {
    checkLimit('concurrency', concurrency);
    this.#concurrency = concurrency;
    this.#setQueue(P.QueueFieldConcurrency, concurrency > 0xfffffffe ? 0 : concurrency);
    if (this.#waiting.size > 0) this.#process();
  }

  #setQueue(field: number, value: number): void {
    this.#commands.push(P.CommandSetQueue, queueNumber, field, 0, value);
  }

  // Adding

  /**
   * Settles with what `fn` says when it has run; with a TimeoutError, the reason of its signal, or an AbortError after `clear()`.
   * `fn` gets `{ signal }`, set where there is a signal or a timeout.
   */
  add<Result>(fn: QueueFunction<Result>, options: AddOptions = {}): Promise<Awaited<Result>> {
    let job: Job | undefined;
    // A promise of a promise: what is waited for here is heard of when it is there, after the next one has begun.
    const promise = (async (): Promise<Awaited<Result>> => new Promise<any>((resolve, reject) => {
      job = this.#add(fn, options, resolve, reject);
    }))();
    if (job) job.promise = promise;
    return promise;
  }

  addAll<const Functions extends readonly QueueFunction<unknown>[]>(functions: Functions, options?: AddOptions): Promise<{ -readonly [Index in keyof Functions]: Awaited<ReturnType<Functions[Index]>> }> {
    return Promise.all(functions.map((fn) => this.add(fn, options))) as never;
  }

  #add(fn: QueueFunction<unknown>, options: AddOptions, resolve: Job['resolve'], reject: Job['reject']): Job | undefined {
    const { priority = 0, signal } = options;
    const timeout = 'timeout' in options ? options.timeout : this.#timeout;
    checkTimeout(timeout);
    checkPriority(priority);
    if (signal?.aborted) {
      reject(signal.reason);
      return undefined;
    }
    const task = this.#freeTasks.pop() ?? this.#jobs.length;
    const job: Job = { id: options.id ?? `${this.#nextId++}`, task, priority, run: fn, signal, timeout, startTime: 0, resolve, reject };
    this.#jobs[task] = job;
    const hadWaiting = this.#waiting.size > 0;
    this.#waiting.add(job);
    this.#describe(job);
    if (signal) job.stopListening = listen(signal, () => this.#abortWaiting(job, signal.reason));
    this.#lookAtRate();
    this.#emit('add');
    if (hadWaiting) this.#process();
    else this.#startOne();
    return job;
  }

  #describe({ task, priority }: Job): void {
    const isPlain = priority === 0 && !this.#isRated;
    this.#commands.push(P.CommandCreate, task, (isPlain ? queueNumber | 0x80000000 : queueNumber) >>> 0);
    if (isPlain) return;
    if (priority !== 0) this.#commands.setTask(task, P.TaskFieldPriority, rankOf(priority));
    if (this.#isRated) this.#commands.push(P.CommandSetTask, task, P.TaskFieldLimit | (1 << 8), limitNumber, 1);
    this.#commands.push(P.CommandSubmit, task);
  }

  /** @throws ReferenceError when none that waits has the id; TypeError */
  setPriority(id: string, priority: number): void {
    if (typeof priority !== 'number' || !Number.isFinite(priority)) throw new TypeError(`Expected \`priority\` to be a finite number, got \`${String(priority)}\` (${typeof priority})`);
    for (const job of this.#waiting) {
      if (job.id !== id) continue;
      if (job.priority === priority) return;
      job.priority = priority;
      this.#commands.setTask(job.task, P.TaskFieldPriority, rankOf(priority));
      return;
    }
    throw new ReferenceError(`No promise function with the id "${id}" exists in the queue.`);
  }

  // Running

  /** Calls the functions that may begin, one after the other: each may pause, clear, add, and sees what runs then. */
  #process(): void {
    while (this.#startOne());
    if (this.#waiting.size === 0) this.#sayEmpty();
  }

  #startOne(): boolean {
    this.#grant();
    for (let done = false; !done; ) {
      done = this.#engine.step(this.#commands, this.#clock.now());
      this.#read();
    }
    this.#arm();
    const job = this.#next;
    if (!job) return false;
    this.#next = undefined;
    this.#lookAtRate();
    if (job.signal?.aborted) {
      job.reject(job.signal.reason);
      this.#leave(job);
      this.#emit('next');
    } else {
      void this.#run(job);
      this.#emit('active');
    }
    return true;
  }

  /** The core would start all that may begin at once: it is granted one. Where no more than one can, it need not be told. */
  #grant(): void {
    const running = this.#running.size;
    const granted = this.#waiting.size > 1 && this.#concurrency - running > 1 ? running + 2 : 0;
    if (granted === this.#granted) return;
    this.#granted = granted;
    this.#setQueue(P.QueueFieldGranted, granted);
  }

  #read(): void {
    const { words, count } = this.#engine.events;
    for (let word = 0; word < count * recordWords; word += recordWords) {
      const job = words[word] === P.EventStarted ? this.#jobs[words[word + 1]!] : undefined;
      if (!job) continue;
      job.stopListening?.();
      this.#waiting.delete(job);
      this.#running.add(job);
      this.#next = job;
    }
  }

  async #run(job: Job): Promise<void> {
    job.startTime = this.#clock.now();
    const stops: (() => void)[] = [];
    try {
      const result = await this.#call(job, stops);
      job.resolve(result);
      this.#emit('completed', result);
    } catch (error) {
      job.reject(error);
      this.#emit('error', error);
    } finally {
      for (const stop of stops) stop();
      queueMicrotask(() => this.#goOn(job));
    }
  }

  #call({ run, signal: asked, timeout }: Job, stops: (() => void)[]): unknown {
    let signal = asked;
    if (timeout !== undefined) {
      const controller = new AbortController();
      const late = () => controller.abort(new TimeoutError(`Task timed out after ${timeout}ms (queue has ${this.pending} running, ${this.size} waiting)`));
      stops.push(this.#clock.schedule(this.#clock.now() + timeout, late));
      if (asked) stops.push(listen(asked, () => controller.abort(asked.reason)));
      signal = controller.signal;
    }
    // What it throws at once is heard of after `add()` has returned, as a rejection is.
    if (!signal) {
      try {
        return run({ signal });
      } catch (error) {
        return Promise.reject(error);
      }
    }
    const given = signal;
    const aborted = new Promise<never>((_, reject) => stops.push(listen(given, () => reject(given.reason))));
    return Promise.race([aborted, (async () => run({ signal: given }))()]);
  }

  #goOn(job: Job): void {
    this.#leave(job);
    if (this.#running.size === 0) this.#emit('pendingZero');
    this.#process();
    this.#emit('next');
  }

  #leave(job: Job): void {
    this.#running.delete(job);
    // A release takes one of what is granted.
    if (this.#granted > 1) this.#granted--;
    this.#commands.push(P.CommandSettle, job.task, 1);
    this.#release(job);
  }

  /** Its number may be another one's after the next step. */
  #release({ task }: Job): void {
    this.#commands.push(P.CommandForget, task);
    this.#jobs[task] = undefined;
    this.#freeTasks.push(task);
  }

  #abortWaiting(job: Job, reason: unknown): void {
    if (!this.#waiting.has(job)) return;
    this.#withdraw(job, reason);
    this.#process();
    this.#emit('next');
  }

  #withdraw(job: Job, reason: unknown): void {
    this.#waiting.delete(job);
    job.stopListening?.();
    this.#commands.push(P.CommandCancel, job.task);
    this.#release(job);
    job.reject(reason);
  }

  #arm(): void {
    const { deadlineMs } = this.#engine;
    if (deadlineMs === this.#armedMs) return;
    this.#disarm?.();
    this.#armedMs = deadlineMs;
    this.#disarm = deadlineMs === Number.POSITIVE_INFINITY ? undefined : this.#clock.schedule(deadlineMs, () => {
      this.#armedMs = Number.POSITIVE_INFINITY;
      this.#disarm = undefined;
      if (this.#waiting.size > 0) this.#process();
      this.#lookAtRate();
    });
  }

  // All of it

  /** After a `pause()`, or where `autoStart` is false. */
  start(): this {
    if (!this.#isPaused) return this;
    this.#isPaused = false;
    this.#setQueue(P.QueueFieldPaused, 0);
    if (this.#waiting.size > 0) this.#process();
    return this;
  }

  /** What runs goes on. */
  pause(): void {
    this.#isPaused = true;
    this.#setQueue(P.QueueFieldPaused, 1);
  }

  /** Whatever waits is removed; its promise rejects with an AbortError. What runs goes on. */
  clear(): void {
    if (this.#waiting.size === 0) return;
    const error = new DOMException('The queue was cleared', 'AbortError');
    for (const job of [...this.#waiting]) {
      // Nobody has to handle it.
      job.promise?.catch(() => undefined);
      this.#withdraw(job, error);
    }
    this.#process();
    this.#tellRate();
    this.#emit('next');
  }

  // Looking, and waiting

  /** What waits. */
  get size(): number {
    return this.#waiting.size;
  }
  /** What runs. */
  get pending(): number {
    return this.#running.size;
  }
  get isPaused(): boolean {
    return this.#isPaused;
  }
  sizeBy(options: AddOptions): number {
    const asked = Object.entries(options ?? {}) as [keyof Job, unknown][];
    return [...this.#waiting].filter((job) => asked.every(([name, value]) => job[name] === value)).length;
  }
  /** Something waits because `intervalCap` have begun in the interval. */
  get isRateLimited(): boolean {
    if (!this.#isRated || this.#waiting.size === 0) return false;
    const now = this.#clock.now();
    for (const { task } of this.#waiting) if (this.#engine.value(task, P.FieldLimitedUntilMs) > now) return true;
    return false;
  }
  get isSaturated(): boolean {
    return this.size > 0 && (this.pending >= this.#concurrency || this.isRateLimited);
  }
  get runningTasks(): readonly RunningTask[] {
    const now = this.#clock.now();
    return [...this.#running].map(({ id, priority, startTime, timeout }) => ({ id, priority, startTime, timeout, timeoutRemaining: timeout === undefined ? undefined : Math.max(0, startTime + timeout - now) }));
  }

  async onEmpty(): Promise<void> {
    if (this.size > 0) await this.#when(['empty', 'active'], () => this.size === 0);
  }
  async onIdle(): Promise<void> {
    if (this.size + this.pending > 0) await this.#when(['idle']);
  }
  async onPendingZero(): Promise<void> {
    if (this.pending > 0) await this.#when(['pendingZero']);
  }
  async onSizeLessThan(limit: number): Promise<void> {
    if (!(this.size < limit)) await this.#when(['next', 'active'], () => this.size < limit);
  }
  async onRateLimit(): Promise<void> {
    this.#tellRate();
    if (!this.isRateLimited) await this.#when(['rateLimit']);
  }
  async onRateLimitCleared(): Promise<void> {
    this.#tellRate();
    if (this.isRateLimited) await this.#when(['rateLimitCleared']);
  }
  /** Rejects with the next error of a function. */
  onError(): Promise<never> {
    return new Promise((_, reject) => this.addEventListener('error', (event) => reject((event as CustomEvent<unknown>).detail), { once: true }));
  }

  override addEventListener<Name extends EventName>(name: Name, listener: ((event: QueueEvents[Name]) => void) | { handleEvent(event: QueueEvents[Name]): void } | null, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(name, listener as EventListener, options);
  }
  override removeEventListener<Name extends EventName>(name: Name, listener: ((event: QueueEvents[Name]) => void) | { handleEvent(event: QueueEvents[Name]): void } | null, options?: boolean | EventListenerOptions): void {
    super.removeEventListener(name, listener as EventListener, options);
  }

  async #when(names: readonly EventName[], isSo?: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const controller = new AbortController();
      const hear = () => {
        if (isSo && !isSo()) return;
        controller.abort();
        resolve();
      };
      for (const name of names) this.addEventListener(name, hear, { signal: controller.signal });
    });
  }

  #emit(name: EventName, detail?: unknown): void {
    if (name === 'next') this.#lookAtRate();
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #sayEmpty(): void {
    this.#emit('empty');
    if (this.size + this.pending === 0) this.#emit('idle');
  }

  #lookAtRate(): void {
    if (!this.#isRated || this.#looksAtRate) return;
    this.#looksAtRate = true;
    queueMicrotask(() => {
      this.#looksAtRate = false;
      this.#tellRate();
    });
  }

  #tellRate(): void {
    const is = this.isRateLimited;
    if (is === this.#wasRateLimited) return;
    this.#wasRateLimited = is;
    this.#emit(is ? 'rateLimit' : 'rateLimitCleared');
  }
}

/** `new PQueue(options)`. */
export function createQueue(options?: QueueOptions): PQueue {
  return new PQueue(options);
}

function listen(signal: AbortSignal, callback: () => void): () => void {
  signal.addEventListener('abort', callback, { once: true });
  return () => signal.removeEventListener('abort', callback);
}
