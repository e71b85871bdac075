/**
 * Whether there is a network, as the browser says or as the application finds out, and when that changes.
 *
 * Invariants: there is an answer at any time (`online`); an answer that comes late never stands over one that
 * was asked for later; no question holds anybody up for more than its time.
 */
import { checkEach, checkFunction, checkNames, describe } from '../intake/checks.ts';
import type { Clock } from '../time/clock.ts';
import { toMilliseconds } from '../intake/duration.ts';
import type { Duration } from '../types.ts';
import type { ConnectivityOptions } from './types.ts';

const answerTimeMs = 10_000;

/** @throws ConfigurationError */
export function checkConnectivity(options: unknown, where: string): void {
  checkNames(options as object, ['isOnline', 'subscribe', 'checkEvery', 'jitter'], where);
  const duration = (value: unknown, name: string) => void toMilliseconds(value as Duration, name);
  checkEach(options as object, { isOnline: checkFunction, subscribe: checkFunction, checkEvery: duration, jitter: duration }, where);
}

export interface ConnectivityHost {
  readonly clock: Clock;
  warn(message: string): void;
}

/** The browser's word. It means that there is some network, not that anything can be reached through it. */
const browserIsOnline = (): boolean => globalThis.navigator?.onLine !== false;

export class Connectivity {
  readonly #host: ConnectivityHost;
  readonly #options: ConnectivityOptions;
  readonly #changed: () => void;
  readonly #checkEveryMs: number;
  #online = browserIsOnline();
  #asked = 0;
  #answered = 0;
  #isWarned = false;
  #stops: (() => void)[] = [];
  #cancelCheck: (() => void) | undefined;
  #pending: Promise<boolean> | undefined;
  #closed = false;

  /** @param changed called when `online` has changed */
  constructor(host: ConnectivityHost, options: ConnectivityOptions = {}, changed: () => void) {
    this.#host = host;
    this.#options = options;
    this.#changed = changed;
    this.#checkEveryMs = Math.max(100, toMilliseconds(options.checkEvery ?? 5000, 'connectivity.checkEvery'));
  }

  get online(): boolean {
    return this.#online;
  }

  /** From now on changes are heard of. */
  start(): void {
    const look = () => void this.check();
    if (typeof addEventListener === 'function') {
      for (const type of ['online', 'offline']) addEventListener(type, look);
      this.#stops.push(() => ['online', 'offline'].forEach((type) => removeEventListener(type, look)));
    }
    try {
      const stop = this.#options.subscribe?.(look);
      if (typeof stop === 'function') this.#stops.push(stop);
    } catch (error) {
      this.#host.warn(`connectivity.subscribe threw: ${describe((error as Error)?.message ?? error)}. The browser's events and isOnline count alone.`);
    }
    look();
  }

  /** Asks anew. A promise where the application has to find out. */
  check(): boolean | Promise<boolean> {
    const { isOnline } = this.#options;
    const number = ++this.#asked;
    if (!isOnline) return this.#answer(number, browserIsOnline());
    let given: boolean | Promise<boolean>;
    try {
      given = isOnline.call(this.#options);
    } catch (error) {
      return this.#answer(number, this.#instead(error));
    }
    if (typeof (given as Promise<boolean> | null)?.then !== 'function') return this.#answer(number, this.#wordOf(given));
    const pending = this.#inTime(given as Promise<boolean>).then(
      (value) => this.#answer(number, this.#wordOf(value)),
      (error) => this.#answer(number, this.#instead(error)),
    );
    const over = () => {
      if (this.#pending === pending) this.#pending = undefined;
    };
    void pending.then(over);
    return (this.#pending = pending);
  }

  /** As `check`; who asks while a question is under way gets its answer: a hundred attempts may fail at once. */
  ask(): boolean | Promise<boolean> {
    return this.#pending ?? this.check();
  }

  #inTime(given: Promise<boolean>): Promise<boolean> {
    const { clock } = this.#host;
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(clock.now() + answerTimeMs, () => reject(new Error(`it gave no answer within ${answerTimeMs / 1000} s`)));
      Promise.resolve(given).then(resolve, reject).finally(cancel);
    });
  }

  #wordOf(value: unknown): boolean {
    if (typeof value !== 'boolean') return this.#instead(new Error(`it gave ${describe(value)}, not true or false`));
    this.#isWarned = false;
    return value;
  }

  /** Said once, until it works again. */
  #instead(error: unknown): boolean {
    if (!this.#isWarned) this.#host.warn(`connectivity.isOnline failed: ${(error as Error)?.message ?? describe(error)}. Until it answers, navigator.onLine counts.`);
    this.#isWarned = true;
    return browserIsOnline();
  }

  /** What is known now; of an answer that another one has overtaken that is the other one. */
  #answer(number: number, online: boolean): boolean {
    if (number < this.#answered || this.#closed) return this.#online;
    this.#answered = number;
    const isNew = online !== this.#online;
    this.#online = online;
    this.#lookLater();
    if (isNew) this.#changed();
    return this.#online;
  }

  /** Nobody tells of a network that only the application can see: it is asked again. */
  #lookLater(): void {
    this.#cancelCheck?.();
    this.#cancelCheck = undefined;
    if (this.#online || !this.#options.isOnline) return;
    const { clock } = this.#host;
    this.#cancelCheck = clock.schedule(clock.now() + this.#checkEveryMs, () => void this.check());
  }

  close(): void {
    this.#closed = true;
    this.#cancelCheck?.();
    for (const stop of this.#stops.splice(0)) stop();
  }
}
