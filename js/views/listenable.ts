/**
 * What an orchestrator lets people hear: events as they happen, the log of them, changes of runs.
 * Invariant: it keeps nothing itself; `store.ts` and `event-log.ts` do.
 */
import type { EventLog } from '../events/event-log.ts';
import { StoredData } from '../journal/stored-data.ts';
import type { Run } from '../runs/run.ts';
import type { EventsOptions, OrchestratorEvents, RunEvent } from '../types.ts';
import type { Listener } from './store.ts';

export abstract class Listenable extends StoredData {
  abstract readonly eventLog: EventLog;

  on<Name extends keyof OrchestratorEvents>(name: Name, listener: Listener<Name>, options: { signal?: AbortSignal } = {}): () => void {
    return this.store.on(name, listener, options);
  }
  once<Name extends keyof OrchestratorEvents>(name: Name, listener: Listener<Name>, options: { signal?: AbortSignal } = {}): () => void {
    return this.store.on(name, listener, options, true);
  }
  off<Name extends keyof OrchestratorEvents>(name: Name, listener: Listener<Name>): void {
    this.store.off(name, listener);
  }
  /** The next event's arguments. Rejects with the signal's reason, and at a dispose. */
  waitOn<Name extends keyof OrchestratorEvents>(name: Name, options: { signal?: AbortSignal } = {}): Promise<OrchestratorEvents[Name]> {
    return this.store.waitOn(name, options);
  }
  /** The event log: first what is kept (of former pages too, but for runs that were forgotten before this one opened), then what comes. A slow reader misses what falls out of the last 50,000. @throws ConfigurationError */
  events(options?: EventsOptions): AsyncIterableIterator<RunEvent> {
    return this.eventLog.read(options);
  }
  subscribe(listener: () => void): () => void {
    return this.store.subscribe(listener);
  }
  subscribeTask(id: string, listener: () => void): () => void {
    return this.store.subscribeId(id, listener);
  }
  subscribeRun(run: Run, listener: () => void): () => void {
    return this.store.subscribeRun(run, listener);
  }
}
