/**
 * Several tabs of one origin in this thread: locks, messages and a storage that they share, and a clock.
 * A tab that is killed does nothing any more, wherever it was: its locks go to who waits for them.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type OrchestratorOptions, type Storage, type StorageSlot, TestClock } from 'holdfast';
import { vi } from 'vitest';
import { Orchestrator } from '../../js/orchestrator.ts';
import { memory } from '../../js/storage/memory.ts';
// To load a module takes real time, of which a standing clock knows nothing.
import '../../js/testing/rooms.ts';

/** On whose behalf code runs: locks and channels belong to tabs. */
const current = new AsyncLocalStorage<Tab>();
const never = new Promise<never>(() => {});

interface LockRequest {
  name: string;
  tab: Tab;
  shared: boolean;
  grant(): void;
}

class Locks {
  readonly #held = new Map<string, LockRequest[]>();
  #waiting: LockRequest[] = [];
  /** Who of those that wait for a name gets it. */
  prefer: (name: string, tabs: readonly Tab[]) => Tab | undefined = () => undefined;

  async request(name: string, options: any, callback: (lock: object | null) => unknown): Promise<unknown> {
    const tab = current.getStore()!;
    if (tab.dead) return never;
    const isFree = !this.#held.has(name) && !this.#waiting.some((one) => one.name === name);
    if (options.ifAvailable && !isFree) return callback(null);
    const request: LockRequest = { name, tab, shared: options.mode === 'shared', grant: () => {} };
    await new Promise<void>((grant, refuse) => {
      request.grant = grant;
      options.signal?.addEventListener('abort', () => {
        this.#waiting = this.#waiting.filter((one) => one !== request);
        refuse(options.signal.reason);
      });
      this.#waiting.push(request);
      this.#grantNext(name);
    });
    try {
      return await callback({ name });
    } finally {
      this.#free(request);
    }
  }

  async query() {
    return { held: [...this.#held.keys()].map((name) => ({ name })) };
  }

  kill(tab: Tab): void {
    this.#waiting = this.#waiting.filter((one) => one.tab !== tab);
    for (const held of [...this.#held.values()].flat()) if (held.tab === tab) this.#free(held);
  }

  get held(): string[] {
    return [...this.#held.keys()].sort();
  }

  /** Of slots that are somebody's. */
  get names(): string[] {
    return [...this.#held.keys()].filter((name) => name.includes(':slot:')).sort();
  }

  #free(request: LockRequest): void {
    const left = this.#held.get(request.name)?.filter((one) => one !== request) ?? [];
    if (left.length > 0) this.#held.set(request.name, left);
    else this.#held.delete(request.name);
    this.#grantNext(request.name);
  }

  #grantNext(name: string): void {
    const held = this.#held.get(name) ?? [];
    const waiting = this.#waiting.filter((one) => one.name === name);
    const preferred = this.prefer(name, waiting.map(({ tab }) => tab));
    const next = waiting.find(({ tab }) => tab === preferred) ?? waiting[0];
    if (!next || (held.length > 0 && !(next.shared && held.every(({ shared }) => shared)))) return;
    this.#waiting = this.#waiting.filter((one) => one !== next);
    this.#held.set(name, [...held, next]);
    next.grant();
    this.#grantNext(name);
  }
}

/** A storage operation of a tab; `slot` -1: of the store. What it throws the tab gets for an answer. */
export interface Operation {
  tab: Tab;
  name: string;
  slot: number;
}

export class Origin {
  readonly clock = new TestClock();
  readonly locks = new Locks();
  readonly tabs: Tab[] = [];
  /** What lies in the storage, behind the tabs' backs. */
  readonly disk = memory();
  readonly #channels = new Set<{ tab: Tab; name: string; deliver(data: unknown): void }>();
  /** Asked before each storage operation. */
  onOperation: (operation: Operation) => unknown = () => undefined;

  constructor() {
    const channels = this.#channels;
    class Channel {
      onmessage: ((event: { data: unknown }) => void) | null = null;
      readonly #entry;
      constructor(name: string) {
        const tab = current.getStore()!;
        const deliver = (data: unknown) => tab.silent || tab.act(() => this.onmessage?.({ data }));
        this.#entry = { tab, name, deliver };
        channels.add(this.#entry);
      }
      postMessage(message: unknown): void {
        if (this.#entry.tab.dead) return;
        const data = structuredClone(message);
        for (const other of channels)
          if (other !== this.#entry && other.name === this.#entry.name) queueMicrotask(() => other.deliver(data));
      }
      close(): void {
        channels.delete(this.#entry);
      }
    }
    vi.stubGlobal('navigator', { locks: this.locks });
    vi.stubGlobal('BroadcastChannel', Channel);
  }

  /** On whose behalf code runs now. */
  get acting(): Tab | undefined {
    return current.getStore();
  }

  /** A tab whose orchestrator is open. */
  async open(options: OrchestratorOptions = {}): Promise<Tab> {
    const tab = this.begin(options);
    await tab.orchestrator.ready;
    await this.clock.settle();
    return tab;
  }

  /** A tab that has begun to open. */
  begin(options: OrchestratorOptions = {}): Tab {
    const tab = new Tab(this, this.disk, options);
    this.tabs.push(tab);
    return tab;
  }

  async close(): Promise<void> {
    for (const tab of this.tabs) if (!tab.dead) await tab.orchestrator.dispose();
    vi.unstubAllGlobals();
  }
}

export class Tab {
  readonly origin: Origin;
  readonly orchestrator: Orchestrator;
  readonly warnings: string[] = [];
  dead = false;
  /** Hears nobody, and keeps its locks: a page in the background that the browser has frozen. */
  silent = false;

  constructor(origin: Origin, shared: Storage, options: OrchestratorOptions) {
    this.origin = origin;
    const clock = this.#clock();
    this.orchestrator = current.run(this, () => {
      return new Orchestrator({ seed: origin.tabs.length + 1, clock, storage: this.#storage(shared), ...options });
    });
    this.orchestrator.on('warning', (message) => this.warnings.push(message));
  }

  /** The slot its journal lies in. */
  get slot(): number {
    return this.orchestrator.journal!.slot.slot;
  }

  /** Runs of this tab, as it shows them. */
  get own() {
    return this.orchestrator.getAllTasks().filter(({ local }) => local);
  }

  act(work: () => void): void {
    if (!this.dead) current.run(this, work);
  }

  kill(): void {
    this.dead = true;
    this.origin.locks.kill(this);
  }

  #clock(): TestClock {
    const { clock } = this.origin;
    const own = Object.create(clock) as TestClock;
    own.now = () => clock.now();
    own.schedule = (atMs, callback) => clock.schedule(atMs, () => this.act(callback));
    own.defer = (callback) => clock.defer(() => this.act(callback));
    own.frame = (callback) => clock.frame(() => this.act(callback));
    return own;
  }

  #storage(shared: Storage): Storage {
    const wrap = <Target extends object>(target: Target, slot: number): Target =>
      new Proxy(target, {
        get: (_, key) => {
          if (key === 'durability') return 'process';
          const value = Reflect.get(target, key, target);
          if (typeof value !== 'function') return value;
          return async (...args: unknown[]) => {
            await this.#alive(this.origin.onOperation({ tab: this, name: String(key), slot }));
            const result: any = await this.#alive(value.apply(target, args));
            return key === 'openSlot' ? wrap<StorageSlot>(result, args[0] as number) : result;
          };
        },
      });
    return wrap(shared, -1);
  }

  /** As long as the tab lives. */
  async #alive<T>(work: T | Promise<T>): Promise<T> {
    if (this.dead) return never;
    const result = await work;
    return this.dead ? never : result;
  }
}
