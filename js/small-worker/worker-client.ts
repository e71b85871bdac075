/**
 * The page's end of the small worker (worker.ts): calls with an answer, events, and the one timer.
 *
 * Invariant: a call settles when its answer comes or the worker dies; it never hangs on a dead one. One that
 * is silent too long while calls wait is taken for dead, and ended for sure: then its files are free.
 */
import { StorageLostError, StorageUnavailableError, type StorageError } from '../errors.ts';
import { uncarry, type CarriedError } from '../storage/failures.ts';
import { systemTimers, type Timers } from '../storage/wait.ts';

/** No operation keeps the worker's thread this long; it is waited for twice, as a page that was frozen wakes up before its messages. */
const silenceLimitMs = 15_000;

export interface WorkerEvent {
  event: 'full' | 'available' | 'gone';
  handle: number;
}

export interface WorkerClient {
  /** Resolves with the worker's answer. What is in `transfer` is gone afterwards. */
  call<T>(op: string, request: object, transfer?: Transferable[]): Promise<T>;
  /** Called with each event about a handle that a call has opened. */
  listen(handle: number, listener: ((event: WorkerEvent) => void) | undefined): void;
  /** Why it is of no use any more. */
  readonly dead: StorageError | undefined;
  /** Called once when it dies, but not when it is terminated on purpose. */
  onDeath(listener: (cause: StorageError) => void): void;
  /** Called when the timer is due. */
  onTimer: (() => void) | undefined;
  /** Sets the timer; replaces the one set before. null takes it back. */
  armTimer(atMs: number | null, nowMs: number): void;
  /** Begins to count, anew, the time in which the worker stands still, or ends that. `call('standstill')` asks. */
  watchStandstill(watching: boolean): void;
  terminate(): void;
}

interface Waiting {
  resolve(value: any): void;
  reject(error: StorageError): void;
}

type Incoming = { id: number; value?: unknown; error?: CarriedError } | { timer: true } | WorkerEvent;

class Connection implements WorkerClient {
  onTimer: (() => void) | undefined;
  readonly #worker: Worker;
  readonly #timers: Timers;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<number, (event: WorkerEvent) => void>();
  readonly #mourners: ((cause: StorageError) => void)[] = [];
  #nextId = 1;
  #hasAnswered = false;
  /** Since the watch last looked. */
  #answers = 0;
  dead: StorageError | undefined;
  #cancelWatch: (() => void) | undefined;

  constructor(worker: Worker, timers: Timers) {
    this.#worker = worker;
    this.#timers = timers;
    worker.onmessage = ({ data }) => this.#take(data as Incoming);
    worker.onerror = (event) => this.#die(event.message);
    worker.onmessageerror = () => this.#die('a message could not be read');
  }

  call<T>(op: string, request: object, transfer: Transferable[] = []): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.dead) return reject(this.dead);
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      if (!this.#cancelWatch) this.#watch(2);
      this.#worker.postMessage({ ...request, id, op }, transfer);
    });
  }

  listen(handle: number, listener: ((event: WorkerEvent) => void) | undefined): void {
    if (listener) this.#listeners.set(handle, listener);
    else this.#listeners.delete(handle);
  }

  onDeath(listener: (cause: StorageError) => void): void {
    this.#mourners.push(listener);
  }

  armTimer(atMs: number | null, nowMs: number): void {
    this.#worker.postMessage({ timer: atMs, now: nowMs });
  }

  watchStandstill(watching: boolean): void {
    this.#worker.postMessage({ watch: watching });
  }

  terminate(): void {
    this.#worker.terminate();
    this.#end(new StorageLostError('The worker was terminated.'));
  }

  /**
   * Looks now and then, while calls wait, whether anything was answered: to arm a timer for each call would cost
   * a step a twentieth of its time.
   */
  #watch(times: number): void {
    this.#answers = 0;
    this.#cancelWatch = this.#timers.after(silenceLimitMs, () => {
      this.#cancelWatch = undefined;
      if (this.#waiting.size === 0 || this.dead) return;
      if (this.#answers > 0) this.#watch(2);
      else if (times > 1) this.#watch(times - 1);
      else this.#die(`it has not answered for ${(2 * silenceLimitMs) / 1000} s`);
    });
  }

  #take(data: Incoming): void {
    this.#hasAnswered = true;
    if ('timer' in data) return this.onTimer?.();
    if ('event' in data) return this.#listeners.get(data.handle)?.(data);
    const waiting = this.#waiting.get(data.id);
    this.#waiting.delete(data.id);
    this.#answers++;
    if (data.error) waiting?.reject(uncarry(data.error));
    else waiting?.resolve(data.value);
  }

  #die(reason: string | undefined): void {
    if (this.dead) return;
    const why = reason || 'its script could not be loaded';
    // One that only threw would keep its files open.
    this.#worker.terminate();
    this.#end(
      this.#hasAnswered
        ? new StorageLostError(`The storage worker failed: ${why}.`)
        : new StorageUnavailableError(
            `The storage worker could not start: ${why}. Allow it with \`worker-src 'self'\`, or pass \`worker: () => new Worker(...)\`.`,
          ),
    );
    for (const tell of this.#mourners) tell(this.dead!);
  }

  #end(error: StorageError): void {
    this.dead ??= error;
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

interface ScriptPolicy {
  createScriptURL(address: string): object;
}
let policy: ScriptPolicy | undefined;

/** `require-trusted-types-for 'script'` wants addresses of workers vouched for; ours is a constant of this package. */
function vouched(address: string): object {
  const { trustedTypes } = globalThis as { trustedTypes?: { createPolicy(name: string, rules: object): ScriptPolicy } };
  policy ??= trustedTypes?.createPolicy('holdfast', { createScriptURL: (given: string) => given });
  return policy?.createScriptURL(address) ?? new globalThis.URL(address);
}

function createWorker(): Worker {
  // Bundlers know a worker by the words `new Worker(new URL(`, so it is `URL` that has to give way.
  const URL = class {
    constructor(path: string, base: string) {
      // biome-ignore lint/correctness/noConstructorReturn: see above
      return vouched(new globalThis.URL(path, base).href);
    }
  } as typeof globalThis.URL;
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'holdfast' });
}

/** Starts the worker. @throws StorageUnavailableError where workers are forbidden or missing */
export function connectWorker(create: () => Worker = createWorker, timers: Timers = systemTimers): WorkerClient {
  try {
    return new Connection(create(), timers);
  } catch (cause) {
    throw new StorageUnavailableError('This page may not start a worker.', { cause });
  }
}
