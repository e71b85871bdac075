/**
 * The clock's timer in the page's small worker, which the storage shares. Started when first needed.
 * Invariant: where no worker can be had, or it dies, the page's own timer takes over; time never stops.
 */
import { type Alarm, PageAlarm, type Standstill } from '../time/clock.ts';
import { systemTimers, within } from '../storage/wait.ts';
import { connectWorker, type WorkerClient } from './worker-client.ts';

/** A worker that is alive answers in a millisecond; nobody waits longer for one that is not. */
const answerLimitMs = 1000;

/** One worker, made when the first of its users needs it, and again where it has died. */
export class SharedWorkerClient {
  readonly #create: (() => Worker) | undefined;
  #client: WorkerClient | undefined;

  constructor(create?: () => Worker) {
    this.#create = create;
  }

  /** @throws StorageUnavailableError where workers are forbidden or missing */
  get(): WorkerClient {
    if (!this.#client || this.#client.dead) this.#client = connectWorker(this.#create);
    return this.#client;
  }

  terminate(): void {
    this.#client?.terminate();
    this.#client = undefined;
  }
}

export class WorkerAlarm implements Alarm {
  readonly #shared: SharedWorkerClient;
  readonly #page = new PageAlarm();
  onDue: (() => void) | undefined;
  #client: WorkerClient | undefined;

  constructor(shared: SharedWorkerClient) {
    this.#shared = shared;
    this.#page.onDue = () => this.onDue?.();
  }

  arm(atMs: number): void {
    // The page's timer is armed too, a second later: a worker that died must not stop time.
    this.#page.arm(atMs + 1000);
    try {
      const client = this.#alive();
      if (client) return client.armTimer(atMs === Number.POSITIVE_INFINITY ? null : atMs, Date.now());
    } catch {
      // It died this moment.
    }
    this.#page.arm(atMs);
  }

  /** One watch at a time. A worker that can't be had, died meanwhile or doesn't answer knows of no standstill. */
  watchStandstill(): Standstill {
    let watched: WorkerClient | undefined;
    let toldMs = 0;
    const watch = (): WorkerClient | undefined => {
      const client = this.#alive();
      if (client === watched) return client;
      client?.watchStandstill(true);
      watched = client;
      toldMs = 0;
      return undefined;
    };
    const told = (totalMs: number) => {
      const forMs = Math.max(0, totalMs - toldMs);
      toldMs = totalMs;
      return forMs;
    };
    watch();
    return {
      ask(tell) {
        const client = watch();
        if (!client) return tell(0);
        const late = () => new Error('the worker does not answer');
        within(answerLimitMs, systemTimers, client.call<number>('standstill', {}), late).then(
          (totalMs) => tell(told(totalMs)),
          () => tell(0),
        );
      },
      stop: () => watched?.watchStandstill(false),
    };
  }

  #alive(): WorkerClient | undefined {
    try {
      if (!this.#client || this.#client.dead) this.#client = this.#connect();
      return this.#client;
    } catch {
      return undefined;
    }
  }

  #connect(): WorkerClient {
    const client = this.#shared.get();
    client.onTimer = () => this.onDue?.();
    return client;
  }

  dispose(): void {
    this.#page.dispose();
    if (this.#client) this.#client.onTimer = undefined;
  }
}
