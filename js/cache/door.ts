/**
 * Where the house and this room meet. The room is loaded when a cached task is first triggered, so that
 * it is there when what the run was given is stored; at the latest when a cached run starts (its call or
 * its intent may say so, or it was begun before a reload), or when somebody asks `orchestrator.cache`.
 *
 * Invariant: who caches nothing loads nothing, and pays one look at an option. A room that can't be
 * loaded (offline, a release that took the file away) costs answers, never a result.
 */
import { clone } from '../codec/codec.ts';
import type { RunContext } from '../context/context.ts';
import type { Definition } from '../intake/registry.ts';
import { Lazy } from '../lazy.ts';
import type { Run } from '../runs/run.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { AnySpec } from './checks.ts';
import type { Code } from './flight.ts';
import type { HouseCache } from './task-cache.ts';
import type { OrchestratorOptions } from '../types.ts';
import type { TaskCache } from './types.ts';
import { refuseDisposed } from '../runs/disposed.ts';

/** Has such a definition anything to do here? Its calls may have, when they say so. */
export function isCached({ cache, select }: AnySpec): boolean {
  return select !== undefined || (cache !== undefined && cache !== false && cache !== 'off');
}

export class CacheDoor implements TaskCache {
  readonly #house: Orchestrator;
  readonly #room = new Lazy(async () => new (await import('./task-cache.ts')).HouseCache(this.#house));

  #isExpected = false;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** What `createOrchestrator` was told: with a cache, what is fetched or transformed is kept. */
  get given(): OrchestratorOptions['cache'] {
    return this.#house.getOptions().cache;
  }

  /** undefined: not needed yet. */
  get loaded(): HouseCache | undefined {
    return this.#room.loaded;
  }

  /** A run of it was triggered. Where the room can't be loaded, the run will ask again, and say so. */
  expect({ spec }: Definition): void {
    if (this.#isExpected) return;
    this.#isExpected = true;
    this.load()
      .then((room) => room.expect(spec))
      .catch(() => {});
  }

  /** Rejects where the code of this room can't be had; the next call tries again. */
  load(): Promise<HouseCache> {
    return this.#room.load();
  }

  /** What the attempt's code returns, or would return. */
  async answer(run: Run, attempt: number, definition: Definition, context: RunContext, input: unknown, code: Code): Promise<unknown> {
    const room = this.loaded ?? (await this.load().catch((error) => this.#without(definition.spec, run, error)));
    if (!room) return code.finish(await code.proceed());
    if (context.signal.aborted) throw context.signal.reason;
    return room.answer(run, attempt, context, definition, input, code);
  }

  /** @throws the error where the output can't be made without */
  #without({ cache, select }: AnySpec, run: Run, error: unknown): undefined {
    if (select || (typeof cache === 'object' && cache.serialize)) throw error;
    this.#house.warn(`Run ${run.id} is not cached: the code of the cache can't be loaded (${String(error)}).`);
    return undefined;
  }

  /** Nobody else's object. @throws SerializationError */
  copyOf(run: Run, output: unknown): unknown {
    return this.loaded ? this.loaded.copyOf(run, output) : clone(output, 'result');
  }

  async explain(...asked: Parameters<TaskCache['explain']>) {
    refuseDisposed(this.#house);
    return (await this.load()).explain(...asked);
  }
  async invalidate(...asked: Parameters<TaskCache['invalidate']>) {
    refuseDisposed(this.#house);
    return (await this.load()).invalidate(...asked);
  }
  async clear() {
    return (await this.load()).clear();
  }
  async size() {
    return (await this.load()).size();
  }
  async clearOlderThan(...asked: Parameters<TaskCache['clearOlderThan']>) {
    return (await this.load()).clearOlderThan(...asked);
  }
  async keys(...asked: Parameters<TaskCache['keys']>) {
    return (await this.load()).keys(...asked);
  }
  async migrateAll(...asked: Parameters<TaskCache['migrateAll']>) {
    refuseDisposed(this.#house);
    return (await this.load()).migrateAll(...asked);
  }

  /** Nothing is written any more afterwards. */
  async close(): Promise<void> {
    await (await this.#room.ifAsked())?.close();
  }
}
