/**
 * The world that tabs of a test live in: one clock that the test moves, one storage, locks and channels, a network that
 * can be taken away, code that can be replaced or made to fail.
 *
 * Invariant: a tab that is dead does nothing any more: it writes nothing, hears nothing, is rung for nothing, and its
 * locks are those of who waits for them.
 */
import { StorageFullError } from '../errors.ts';
import type { Storage, StorageSlot } from '../storage.ts';
import type { TabChannel, TabLocks, TabPlatform } from '../tabs/platform.ts';
import type { Clock, Standstill, TestClock } from '../time/clock.ts';
import type { ConnectivityOptions, OrchestratorOptions } from '../types.ts';

const never = new Promise<never>(() => {});

/** The clock of a world, which rings for one of its tabs; moving it moves it for all. */
export type VirtualClock = Clock & Pick<TestClock, 'nextAtMs' | 'advance' | 'skip' | 'jump' | 'settle'>;

/** One tab, as the world sees it. */
export class Life {
  isDead = false;
  /** What is to be told when it dies. */
  readonly onDeath: (() => void)[] = [];

  end(): void {
    if (this.isDead) return;
    this.isDead = true;
    for (const tell of this.onDeath.splice(0)) tell();
  }

  /** Nothing of the dead is heard. */
  unlessDead<Args extends unknown[]>(callback: (...args: Args) => unknown): (...args: Args) => unknown {
    return (...args) => (this.isDead ? never : callback(...args));
  }
}

interface LockRequest {
  readonly name: string;
  readonly life: Life;
  readonly isShared: boolean;
  readonly grant: () => void;
}

/** Web Locks between the tabs of a world. */
class Locks {
  readonly #held: LockRequest[] = [];
  #waiting: LockRequest[] = [];

  of(life: Life): TabLocks {
    life.onDeath.push(() => this.#forget(life));
    return {
      request: (name, options, callback) => this.#request(life, name, options, callback),
      query: async () => ({ held: this.#held.map(({ name }) => ({ name })) }),
    };
  }

  async #request(life: Life, name: string, options: Parameters<TabLocks['request']>[1], callback: (lock: object | null) => unknown): Promise<unknown> {
    const isShared = options.mode === 'shared';
    if (options.ifAvailable && (this.#waiting.some((other) => other.name === name) || !this.#isFree(name, isShared))) return callback(null);
    let request: LockRequest | undefined;
    await new Promise<void>((grant, refuse) => {
      request = { name, life, isShared, grant };
      options.signal?.addEventListener('abort', () => {
        this.#waiting = this.#waiting.filter((other) => other !== request);
        refuse(options.signal!.reason);
      });
      this.#waiting.push(request);
      this.#grant();
    });
    try {
      return await (life.isDead ? never : callback({ name }));
    } finally {
      this.#release(request!);
    }
  }

  #isFree(name: string, isShared: boolean): boolean {
    return this.#held.every((held) => held.name !== name || (isShared && held.isShared));
  }

  #grant(): void {
    const passed = new Set<string>();
    for (const request of [...this.#waiting]) {
      if (passed.has(request.name) || !this.#isFree(request.name, request.isShared)) {
        passed.add(request.name);
        continue;
      }
      this.#waiting = this.#waiting.filter((other) => other !== request);
      this.#held.push(request);
      request.grant();
    }
  }

  #release(request: LockRequest): void {
    const index = this.#held.indexOf(request);
    if (index >= 0) this.#held.splice(index, 1);
    this.#grant();
  }

  #forget(life: Life): void {
    this.#waiting = this.#waiting.filter((request) => request.life !== life);
    for (const request of this.#held.filter((held) => held.life === life)) this.#release(request);
  }
}

/** Broadcast channels between the tabs of a world. */
class Channels {
  readonly #open = new Set<{ name: string; deliver(data: unknown): void }>();

  make(life: Life, name: string): TabChannel {
    const channel: TabChannel = {
      onmessage: null,
      postMessage: (message) => {
        if (life.isDead) return;
        const data = structuredClone(message);
        for (const other of this.#open) if (other !== entry && other.name === name) queueMicrotask(() => other.deliver(data));
      },
      close: () => void this.#open.delete(entry),
    };
    const entry = { name, deliver: (data: unknown) => void (life.isDead || channel.onmessage?.({ data } as MessageEvent)) };
    this.#open.add(entry);
    life.onDeath.push(() => this.#open.delete(entry));
    return channel;
  }
}

export class World {
  readonly clock: TestClock;
  readonly #storage: Storage;
  readonly #locks = new Locks();
  readonly #channels = new Channels();
  /** Bytes by slot and, for blobs, by slot and id. */
  readonly #sizes = new Map<string, number>();
  #quotaBytes = Number.POSITIVE_INFINITY;
  #isOnline = true;
  readonly #networkListeners = new Set<() => void>();

  constructor(clock: TestClock, storage: Storage) {
    this.clock = clock;
    this.#storage = storage;
  }

  /** What one tab is made with. */
  optionsOf(life: Life): Pick<OrchestratorOptions, 'clock' | 'storage' | 'tabs' | 'connectivity'> {
    return { clock: this.#clockOf(life), storage: this.#wrap(this.#storage, life, ''), tabs: this.#platformOf(life), connectivity: this.#connectivityOf(life) };
  }

  #platformOf(life: Life): TabPlatform {
    return { locks: this.#locks.of(life), channel: (name) => this.#channels.make(life, name) };
  }

  #clockOf(life: Life): VirtualClock {
    const { clock } = this;
    return {
      now: () => clock.now(),
      schedule: (atMs, callback) => clock.schedule(atMs, life.unlessDead(callback)),
      defer: (callback) => clock.defer(life.unlessDead(callback)),
      frame: (callback) => clock.frame(life.unlessDead(callback)),
      watchStandstill: (): Standstill => clock.watchStandstill(),
      dispose: () => {},
      get nextAtMs() {
        return clock.nextAtMs;
      },
      advance: (duration) => clock.advance(duration),
      skip: () => clock.skip(),
      jump: (milliseconds) => clock.jump(milliseconds),
      settle: () => clock.settle(),
    };
  }

  // The network

  #connectivityOf(life: Life): ConnectivityOptions {
    return {
      isOnline: () => this.#isOnline,
      subscribe: (changed) => {
        const tell = life.unlessDead(changed);
        this.#networkListeners.add(tell);
        return () => this.#networkListeners.delete(tell);
      },
      jitter: 0,
    };
  }

  setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline;
    for (const tell of [...this.#networkListeners]) tell();
  }

  // The storage

  setQuota(bytes: number): void {
    this.#quotaBytes = bytes;
  }

  #wrap<Target extends object>(target: Target, life: Life, place: string): Target {
    return new Proxy(target, {
      get: (_, key) => {
        // It outlives its tabs, as a browser's does.
        if (key === 'durability') return 'process';
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          if (life.isDead) return never;
          if (place !== '') this.#weigh(place, String(key), args);
          const result: unknown = await value.apply(target, args);
          if (life.isDead) return never;
          return key === 'openSlot' ? this.#wrap(result as StorageSlot, life, `${args[0]}`) : result;
        };
      },
    });
  }

  /** @throws StorageFullError */
  #weigh(slot: string, verb: string, args: unknown[]): void {
    if (verb === 'append') this.#take(slot, (this.#sizes.get(slot) ?? 0) + (args[0] as Uint8Array).length);
    else if (verb === 'replace') this.#take(slot, (args[0] as Uint8Array).length);
    else if (verb === 'truncate') this.#sizes.set(slot, Math.min(this.#sizes.get(slot) ?? 0, args[0] as number));
    else if (verb === 'putBlob') this.#take(`${slot}:${args[0]}`, (args[1] as Blob).size);
    else if (verb === 'deleteBlobs') for (const id of args[0] as string[]) this.#sizes.delete(`${slot}:${id}`);
  }

  #take(place: string, bytes: number): void {
    const others = [...this.#sizes].reduce((sum, [name, size]) => sum + (name === place ? 0 : size), 0);
    const grows = bytes > (this.#sizes.get(place) ?? 0);
    if (grows && others + bytes > this.#quotaBytes) throw new StorageFullError(`The quota of this test is ${this.#quotaBytes} bytes; ${others + bytes} would be needed.`);
    this.#sizes.set(place, bytes);
  }
}
