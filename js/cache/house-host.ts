/** The orchestrator as the cache sees it. */
import type { Clock } from '../time/clock.ts';
import { encode } from '../codec/codec.ts';
import { InterruptedError } from '../errors.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';
import type { ProgressReport } from '../types.ts';
import type { CacheHost } from './host.ts';
import type { CachePlan } from './options.ts';
import type { Stored } from './outputs.ts';
import { packValue, sizeOf } from './packing.ts';
import type { Stores } from './stores.ts';
import type { Cache, CacheCallOptions, CacheEvents, CacheKeyContext } from './types.ts';

const pausedBit = 1 << 4;

export class HouseHost implements CacheHost {
  readonly #house: Orchestrator;
  readonly #stores: Stores;

  constructor(house: Orchestrator, stores: Stores) {
    this.#house = house;
    this.#stores = stores;
  }

  get clock(): Clock {
    return this.#house.clock;
  }
  has(name: keyof CacheEvents): boolean {
    return this.#house.store.has(name);
  }
  emit<Name extends keyof CacheEvents>(name: Name, ...args: CacheEvents[Name]): void {
    if (this.#house.store.has(name)) this.#house.store.emit(name, ...(args as [any]));
  }
  warn(message: string): void {
    this.#house.warn(message);
  }

  storeOf(plan: CachePlan): Promise<Cache> {
    return this.#stores.of(plan);
  }

  keyContextOf(run: Run): CacheKeyContext {
    return {
      task: { id: run.taskIdentifier },
      run: { id: run.id, name: run.extra.name ?? run.taskIdentifier },
      metadata: run.extra.metadata ?? {},
      options: run.extra.process?.options ?? {},
    };
  }

  rootIdOf(run: Run): string {
    return run.extra.rootId ?? run.id;
  }

  isPaused(run: Run): boolean {
    const { pump } = this.#house;
    return pump.open && run.task !== 0 && (pump.engine.state(run.task) & pausedBit) !== 0;
  }

  park(run: Run, attempt: number): void {
    this.#command(P.CommandWait, run, attempt);
  }
  wake(run: Run): void {
    this.#command(P.CommandWake, run);
  }
  #command(command: number, run: Run, a = 0): void {
    const { pump } = this.#house;
    pump.commands.push(command, run.task, a);
    pump.wake();
  }

  handOver(from: Run, to: Run): boolean {
    return this.#house.attempts.handOver(from, to);
  }
  interrupt(run: Run): void {
    this.#house.attempts.interrupt(run, new InterruptedError(`Run ${run.id} was paused; its code goes on for another run of the same key.`));
  }
  progressed(run: Run, attempt: number, report: number | ProgressReport): void {
    this.#house.attempts.reportProgress(run, attempt, report);
  }

  resultBytes({ value }: Stored): number {
    if (!this.#house.journal) return sizeOf(packValue(value, 'result'));
    const { bytes, blobs } = encode(value, 'result');
    return (blobs ?? []).reduce((sum, { size }) => sum + size, bytes.length);
  }

  async revalidate(run: Run, plan: CachePlan): Promise<void> {
    const definition = run.definition ?? this.#house.definition(run.taskIdentifier);
    if (!definition) return;
    const { tags, salt, scope, ttlMs, staleMs } = plan;
    const cache: CacheCallOptions = {
      mode: 'refresh',
      scope,
      ...(tags.length > 0 && { tags }),
      ...(salt !== undefined && { salt }),
      ...(Number.isFinite(ttlMs) && { ttl: ttlMs }),
      staleWhileRevalidate: staleMs,
    };
    const name = `${run.extra.name ?? run.taskIdentifier} (refresh)`;
    const input = await this.#house.attempts.givenInputOf(run);
    // Its time is its own; what else its process says counts for it too.
    const { deadline: _deadline, ...process } = run.extra.process?.options ?? {};
    const refresh = this.#house.intake.trigger(definition, input, { name, cache, ...(run.extra.process && { process }) });
    await refresh.ended;
  }
}
