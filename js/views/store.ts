/**
 * Who wants to know: subscriptions of runs and of the whole, and named events.
 *
 * Invariants: changes are told at most once a frame and the last one always; nobody listening costs
 * nothing, not even a frame, which the browser would have to draw; a listener that throws is reported
 * and harms nobody.
 */
import { checkFunction, checkNames, checkSignal, checkText, oneOf } from '../intake/checks.ts';
import type { Clock } from '../time/clock.ts';
import { DisposedError } from '../errors.ts';
import type { RunProgress } from '../runs/progress.ts';
import type { Run } from '../runs/run.ts';
import type { OrchestratorEvents } from '../types.ts';

export type Listener<Name extends keyof OrchestratorEvents> = (...args: OrchestratorEvents[Name]) => void;

interface Entry {
  listener: (...args: any[]) => void;
  once: boolean;
}

interface Listening {
  signal?: AbortSignal;
}

/** The other tabs; who has just come among them is sent everything. */
interface Others {
  /** There are none. */
  readonly alone: boolean;
  readonly remote: { readonly isWatched: boolean };
  /** Once a frame. */
  changed(runs: readonly Run[]): void;
}

/** What the cache tells. */
const cacheEvents = ['cache_hit', 'cache_miss', 'cache_migrated', 'cache_stale', 'output_saved', 'output_retrieved', 'output_cleared', 'output_pruned'] as const;
const eventNames: readonly (keyof OrchestratorEvents)[] = ['complete', 'error', 'progress', 'change', 'event', 'storage', 'warning', 'concurrency', 'log', 'emit', ...cacheEvents];
const checkEvent = (name: unknown, verb: string): void => oneOf(name, eventNames, `${verb} name`);

function signalOf(options: Listening, verb: string): AbortSignal | undefined {
  checkNames(options, ['signal'], `${verb} options`);
  checkSignal(options.signal, `${verb} signal`);
  return options.signal;
}

export class Store {
  readonly #clock: Clock;
  readonly #reportError: (error: unknown) => void;
  /** Each list is replaced, never changed: it may be walked while somebody comes or goes. */
  #listeners = new Map<keyof OrchestratorEvents, readonly Entry[]>();
  #whole = new Set<() => void>();
  #byId = new Map<string, Set<() => void>>();
  #dirty: Run[] = [];
  #dirtyIds = new Set<string>();
  #any = new Set<(id: string) => void>();
  #closing = new Set<() => void>();
  #wholeDirty = false;
  /** Somebody listens to more than one run. */
  #heard = false;
  #frameAsked = false;
  #disposed = false;
  #progressSlot: (() => void) | undefined;
  /** Grows with every change anybody could see. */
  version = 0;
  others: Others | undefined;

  constructor(clock: Clock, reportError: (error: unknown) => void) {
    this.#clock = clock;
    this.#reportError = reportError;
  }

  on<Name extends keyof OrchestratorEvents>(name: Name, listener: Listener<Name>, options: Listening = {}, once = false): () => void {
    const verb = once ? 'once' : 'on';
    checkEvent(name, verb);
    checkFunction(listener, `${verb} "${name}" listener`);
    const signal = signalOf(options, verb);
    if (signal?.aborted) return () => {};
    const own: Entry = { listener: listener as Entry['listener'], once };
    this.#setListeners(name, [...(this.#listeners.get(name) ?? []), own]);
    const off = () => this.#setListeners(name, this.#listeners.get(name)?.filter((entry) => entry !== own) ?? []);
    signal?.addEventListener('abort', off, { once: true });
    return off;
  }

  /** As often as it was added. */
  off<Name extends keyof OrchestratorEvents>(name: Name, listener: Listener<Name>): void {
    checkEvent(name, 'off');
    checkFunction(listener, `off "${name}" listener`);
    this.#setListeners(name, this.#listeners.get(name)?.filter((entry) => entry.listener !== listener) ?? []);
  }

  /** The next one's arguments. Rejects with the signal's reason, or when there will be no next one. */
  waitOn<Name extends keyof OrchestratorEvents>(name: Name, options: Listening = {}): Promise<OrchestratorEvents[Name]> {
    return new Promise((resolve, reject) => {
      checkEvent(name, 'waitOn');
      const signal = signalOf(options, 'waitOn');
      if (signal?.aborted) return reject(signal.reason);
      if (this.#disposed) return reject(new DisposedError('The orchestrator was disposed.'));
      const settled = () => {
        off();
        signal?.removeEventListener('abort', abort);
        this.#closing.delete(end);
      };
      const abort = () => {
        settled();
        reject(signal!.reason);
      };
      const end = () => {
        settled();
        reject(new DisposedError(`The orchestrator was disposed before the next "${name}".`));
      };
      const off = this.on(name, (...args) => {
        settled();
        resolve(args);
      });
      signal?.addEventListener('abort', abort);
      this.#closing.add(end);
    });
  }

  has(name: keyof OrchestratorEvents): boolean {
    return this.#listeners.has(name);
  }

  #setListeners(name: keyof OrchestratorEvents, listeners: readonly Entry[]): void {
    if (listeners.length > 0) this.#listeners.set(name, listeners);
    else this.#listeners.delete(name);
    this.#hear();
  }

  emit<Name extends keyof OrchestratorEvents>(name: Name, ...args: OrchestratorEvents[Name]): void {
    const listeners = this.#listeners.get(name);
    if (!listeners) return;
    for (const entry of listeners) {
      const { listener, once } = entry;
      if (once) this.#setListeners(name, this.#listeners.get(name)?.filter((other) => other !== entry) ?? []);
      try {
        listener(...args);
      } catch (error) {
        this.#reportError(error);
      }
    }
  }

  /** Calls user code that must not harm anybody. */
  call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#reportError(error);
    }
  }

  subscribe(listener: () => void): () => void {
    checkFunction(listener, 'subscribe listener');
    const own = () => listener();
    this.#whole.add(own);
    this.#hear();
    return () => {
      this.#whole.delete(own);
      this.#hear();
    };
  }

  /** Every run that changed, of this tab or another, once a frame. */
  subscribeAny(listener: (id: string) => void): () => void {
    const own = (id: string) => listener(id);
    this.#any.add(own);
    this.#hear();
    return () => {
      this.#any.delete(own);
      this.#hear();
    };
  }

  subscribeId(id: string, listener: () => void): () => void {
    checkText(id, 'subscribeTask id');
    checkFunction(listener, 'subscribeTask listener');
    let listeners = this.#byId.get(id);
    if (!listeners) this.#byId.set(id, (listeners = new Set()));
    const own = () => listener();
    listeners.add(own);
    this.#hear();
    return () => {
      listeners.delete(own);
      if (listeners.size === 0) this.#byId.delete(id);
      this.#hear();
    };
  }

  #tellProgress(run: Run, progress: RunProgress): void {
    const { value } = progress;
    if (Number.isNaN(value) || value === progress.told) return;
    progress.told = value;
    this.emit('progress', run.id, run.state.progress);
  }

  /** The one slot of the `onProgress` option, beside any number of listeners. */
  hearProgress(listener: Listener<'progress'> | undefined): void {
    this.#progressSlot?.();
    this.#progressSlot = listener && this.on('progress', listener);
  }

  subscribeRun(run: Run, listener: () => void): () => void {
    const listeners = (run.ownExtra.listeners ??= new Set());
    const own = () => listener();
    listeners.add(own);
    return () => listeners.delete(own);
  }

  #hear(): void {
    this.#heard = this.#whole.size + this.#any.size + this.#byId.size > 0 || this.has('change') || this.has('progress');
  }

  #isHeard(): boolean {
    const { others } = this;
    return this.#heard || (others !== undefined && (!others.alone || others.remote.isWatched));
  }

  changed(run: Run): void {
    this.version++;
    if (run.extra.snapshot) run.ownExtra.snapshot = undefined;
    if (run.dirty || !(this.#isHeard() || (run.extra.listeners && run.extra.listeners.size > 0))) return;
    run.dirty = true;
    this.#dirty.push(run);
    this.#askFrame();
  }

  /** A run of another tab, or something that is no run, changed. */
  changedElsewhere(id?: string): void {
    this.version++;
    if (!this.#heard) return;
    this.#wholeDirty = true;
    if (id !== undefined) this.#dirtyIds.add(id);
    this.#askFrame();
  }

  #askFrame(): void {
    if (this.#frameAsked) return;
    this.#frameAsked = true;
    this.#clock.frame(() => this.flush());
  }

  /** Tells everybody now. */
  flush(): void {
    this.#frameAsked = false;
    const runs = this.#dirty;
    const ids = this.#dirtyIds;
    const tellWhole = runs.length > 0 || this.#wholeDirty;
    this.#dirty = [];
    this.#dirtyIds = new Set();
    this.#wholeDirty = false;
    for (const run of runs) {
      run.dirty = false;
      this.#tellRun(run);
    }
    for (const id of ids) this.#tellId(id);
    if (runs.length > 0) this.others?.changed(runs);
    if (tellWhole) for (const listener of [...this.#whole]) this.call(listener);
  }

  #tellId(id: string): void {
    for (const listener of [...(this.#byId.get(id) ?? [])]) this.call(listener);
    for (const listener of [...this.#any]) this.call(() => listener(id));
  }

  #tellRun(run: Run): void {
    const { listeners, progress } = run.extra;
    if (listeners) for (const listener of [...listeners]) this.call(listener);
    if (this.#byId.size + this.#any.size > 0) this.#tellId(run.id);
    if (this.has('change') && !run.extra.hidden) this.emit('change', run.state);
    if (progress && run.attempt > 0 && this.has('progress')) this.#tellProgress(run, progress);
  }

  /** Called once, when there will be nothing more to hear. Gives what takes that back. */
  whenClosed(end: () => void): () => void {
    if (this.#disposed) end();
    else this.#closing.add(end);
    return () => this.#closing.delete(end);
  }

  dispose(): void {
    this.#disposed = true;
    this.#listeners.clear();
    this.#whole.clear();
    this.#byId.clear();
    this.#any.clear();
    for (const end of [...this.#closing]) end();
    this.#hear();
    this.others = undefined;
  }
}
