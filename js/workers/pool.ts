/**
 * Handlers in Web Workers, for work that would keep the page from painting:
 *
 *   defineTask({ id: 'pdf', run: workerHandler(() => new Worker(new URL('./pdf.worker.js', import.meta.url), { type: 'module' })) })
 *
 * The worker's file calls `serve` of `holdfast/worker`. Workers are made when they are needed, at most
 * `size`, and kept for the next attempt. One attempt at a time has a worker to itself, so giving one up
 * never harms another: a stopped attempt gets the abort first; when its grace period is over, its
 * worker is terminated, and a fresh one is made when one is needed. A worker that dies fails its
 * attempt with WorkerCrashedError, which is retried. One that falls silent is found by `timeout`.
 */
import { checkNames, checkText, refuse, wholeNumber } from '../intake/checks.ts';
import { WorkerCrashedError } from '../errors.ts';
import { deserializeError } from '../runs/serialize-error.ts';
import type { TaskContext, TaskHandler } from '../types.ts';
import { WorkerCall } from './call.ts';
import { readMessage, type ToPage } from './protocol.ts';

export interface WorkerHandlerOptions {
  /** Most workers at once. Default: one less than the processors, at least one. */
  size?: number;
  /** For messages. */
  name?: string;
}

/** Several tasks may share one: `serve({ [taskId]: handler })` tells them apart. */
export interface WorkerHandler<Input = any, Output = any> {
  (input: Input, ctx: TaskContext): Promise<Output>;
  /** Terminates all workers; attempts they run fail. */
  close(): void;
}

export function workerHandler<Input = any, Output = any>(
  create: () => Worker,
  options: WorkerHandlerOptions = {},
): WorkerHandler<Input, Output> & TaskHandler<Input, Output> {
  if (typeof create !== 'function') refuse('workerHandler', 'given a function that makes the Worker', create);
  checkNames(options, ['size', 'name'], 'workerHandler');
  const { size = defaultSize(), name = 'worker' } = options;
  wholeNumber(size, 'workerHandler size', 1);
  checkText(name, 'workerHandler name');
  const pool = new WorkerPool(create, size, name);
  const run = (input: Input, ctx: TaskContext) => pool.run(input, ctx) as Promise<Output>;
  // What ignores an abort is terminated after this long: a worker can be, a page's code can't.
  return Object.assign(run, { inWorker: true, graceMs: 1000, close: () => pool.close() });
}

function defaultSize(): number {
  return Math.max(1, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1);
}

/** One worker and the call it has. */
class Seat {
  dead = false;
  readonly #worker: Worker;
  readonly #name: string;
  readonly #onDeath: (seat: Seat) => void;
  #call: WorkerCall | undefined;
  #calls = 0;

  constructor(worker: Worker, name: string, onDeath: (seat: Seat) => void) {
    this.#worker = worker;
    this.#name = name;
    this.#onDeath = onDeath;
    worker.addEventListener('message', (event) => this.#receive(event.data));
    worker.addEventListener('messageerror', () => this.#crash("it sent what this page can't read"));
    worker.addEventListener('error', (event) => {
      event.preventDefault?.(); // it is reported as the attempt's error
      this.#crash(wordsOf(event), event.error);
    });
  }

  async run(input: unknown, context: TaskContext): Promise<unknown> {
    const call = new WorkerCall(++this.#calls, context, (message, transfer) =>
      this.#worker.postMessage(message, transfer),
    );
    context.onAbandon(() => {
      if (this.#call === call) this.kill(call.stopReason);
    });
    this.#call = call;
    try {
      call.start(input);
      return await call.outcome;
    } finally {
      this.#call = undefined;
    }
  }

  /** Terminates the worker; the call it has, if any, fails with the error. */
  kill(error: unknown): void {
    if (this.dead) return;
    this.dead = true;
    this.#worker.terminate();
    this.#call?.fail(error);
    this.#onDeath(this);
  }

  #receive(data: unknown): void {
    const message = this.dead ? undefined : readMessage<ToPage>(data);
    if (message?.holdfast === 'crashed') {
      const cause = deserializeError(message.error);
      this.#crash(cause.message, cause);
    } else if (message) this.#call?.receive(message);
  }

  #crash(why: string, cause?: unknown): void {
    this.kill(new WorkerCrashedError(`The worker of ${this.#name} has died: ${why}.`, { cause }));
  }
}

function wordsOf(event: ErrorEvent): string {
  if (!event.message) return 'its script could not be loaded or started (404, wrong type, syntax or CSP)';
  return event.filename ? `${event.message} (${event.filename}:${event.lineno})` : event.message;
}

interface Waiter {
  resolve(seat: Seat): void;
  reject(error: unknown): void;
}

class WorkerPool {
  readonly #create: () => Worker;
  readonly #size: number;
  readonly #name: string;
  readonly #seats = new Set<Seat>();
  readonly #idle: Seat[] = [];
  readonly #waiters = new Set<Waiter>();

  constructor(create: () => Worker, size: number, name: string) {
    this.#create = create;
    this.#size = size;
    this.#name = name;
  }

  async run(input: unknown, context: TaskContext): Promise<unknown> {
    context.signal.throwIfAborted();
    const seat = this.#free() ?? (await this.#wait(context.signal));
    try {
      return await seat.run(input, context);
    } finally {
      if (!seat.dead) this.#offer(seat);
    }
  }

  close(): void {
    for (const seat of [...this.#seats]) seat.kill(new WorkerCrashedError(`The workers of ${this.#name} were closed.`));
  }

  #free(): Seat | undefined {
    return this.#idle.pop() ?? (this.#seats.size < this.#size ? this.#open() : undefined);
  }

  #open(): Seat {
    try {
      const seat = new Seat(this.#create(), this.#name, (dead) => this.#forget(dead));
      this.#seats.add(seat);
      return seat;
    } catch (cause) {
      throw new WorkerCrashedError(`The worker of ${this.#name} could not be made: ${String(cause)}.`, { cause });
    }
  }

  #wait(signal: AbortSignal): Promise<Seat> {
    return new Promise((resolve, reject) => {
      const settled = new AbortController();
      const waiter: Waiter = {
        resolve: (seat) => {
          settled.abort();
          resolve(seat);
        },
        reject: (error) => {
          settled.abort();
          this.#waiters.delete(waiter);
          reject(error);
        },
      };
      signal.addEventListener('abort', () => waiter.reject(signal.reason), { signal: settled.signal });
      this.#waiters.add(waiter);
    });
  }

  #offer(seat: Seat): void {
    const waiter = this.#nextWaiter();
    if (waiter) waiter.resolve(seat);
    else this.#idle.push(seat);
  }

  #nextWaiter(): Waiter | undefined {
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      return waiter;
    }
    return undefined;
  }

  /** A dead seat leaves room for whoever waits. */
  #forget(seat: Seat): void {
    this.#seats.delete(seat);
    const index = this.#idle.indexOf(seat);
    if (index >= 0) this.#idle.splice(index, 1);
    const waiter = this.#nextWaiter();
    if (!waiter) return;
    try {
      waiter.resolve(this.#open());
    } catch (error) {
      waiter.reject(error);
    }
  }
}
