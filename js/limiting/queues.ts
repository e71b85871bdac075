/**
 * `orchestrator.queues`: what stands in the queues of this tab; pausing, clearing, other limits while they run, and waiting
 * for them. What is rarely asked for is loaded then (`verbs.ts`).
 * Invariant: a promise of it resolves when the core has carried it out; that a queue is paused stands in the journal.
 */
import { ConfigurationError } from '../errors.ts';
import { ownQueuePrefix } from '../definition/spec.ts';
import { checkText, describe, wholeNumber } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Duration, RunFilter, RunHandle, Task } from '../types.ts';
import { isReserved } from '../waiting/internal.ts';
import type { Queue } from './queue-table.ts';
import type { AddAllOptions, BulkDone, ClearOptions, DeadLetterApi, NamedLimitsApi, PenaltyOptions, QueueInfo, QueuesApi, QueueStatistics, Standing } from './types.ts';
import { refuseDisposed } from '../runs/disposed.ts';

const orders = ['priority', 'fifo', 'lifo', 'priority', 'fair'] as const;

export class Queues implements QueuesApi {
  readonly #house: Orchestrator;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  list(): QueueInfo[] {
    const names = this.#house.table.queues.names().filter((name) => !isReserved(name));
    return names.sort().map((name) => this.retrieve(name));
  }

  retrieve(name: string): QueueInfo {
    const { pump, table } = this.#house;
    const { number, concurrency, override, overridden, adapted, rules } = this.#of(name);
    const ask = (field: number) => (pump.open && number !== undefined ? pump.engine.queueValue(number, field) : 0);
    const limit = (value: number | undefined) => (value === undefined || value === 0 ? undefined : value);
    const base = adapted?.limit ?? limit(concurrency) ?? limit(table.limits.totalOf('queue', name));
    const isPaused = ask(P.QueueValuePaused) === 1;
    return Object.freeze({
      name, type: name.startsWith(ownQueuePrefix) ? 'task' : 'custom', running: ask(P.QueueValueRunning), queued: ask(P.QueueValueReady), size: ask(P.QueueValueWaiting), paused: isPaused,
      maxSize: limit(rules.maxSize) ?? limit(rules.blockAt), order: orders[rules.order]!,
      concurrencyLimit: override ?? base,
      concurrency: Object.freeze({ current: override ?? base, base, override, overriddenAt: overridden?.atMs, overriddenBy: overridden?.by,
        auto: rules.auto && Object.freeze({ min: rules.auto.min, max: rules.auto.max, limit: adapted?.limit ?? concurrency, reason: adapted?.reason ?? 'start', changedAt: adapted?.changedAt }) }),
    });
  }

  pause(name: string): Promise<void> {
    return this.#pause(name, 1);
  }
  async resume(name: string): Promise<void> {
    this.#of(name).isDrained = false;
    await this.#pause(name, 0);
  }

  async overrideConcurrencyLimit(name: string, limit: number, options?: { by?: string }): Promise<void> {
    this.#of(name);
    await (await this.#verbs()).overrideQueue(this.#house, name, limit, options);
  }
  async resetConcurrencyLimit(name: string): Promise<void> {
    this.#of(name);
    await (await this.#verbs()).resetQueue(this.#house, name);
  }

  // Waiting for a size

  onSizeLessThan(name: string, size: number): Promise<void> {
    this.#of(name);
    wholeNumber(size, `onSizeLessThan of queue "${name}"`, 1);
    return this.#until(() => this.#size(name) < size);
  }
  ready(name: string): Promise<void> {
    const { rules } = this.#of(name);
    const most = rules.maxSize || rules.blockAt || Number.POSITIVE_INFINITY;
    return this.#until(() => this.#size(name) < most);
  }
  onEmpty(name: string): Promise<void> {
    return this.onSizeLessThan(name, 1);
  }
  async onIdle(name: string): Promise<void> {
    this.#of(name);
    for (;;) {
      await this.#until(() => this.#size(name) + this.#ask(name, P.QueueValueReady) + this.#ask(name, P.QueueValueRunning) === 0);
      if (await (await this.#verbs()).isIdle(this.#house, name)) return;
    }
  }
  onPendingZero(name: string): Promise<void> {
    this.#of(name);
    return this.#until(() => this.#ask(name, P.QueueValueRunning) === 0);
  }

  async onRateLimit(name: string): Promise<void> {
    this.#of(name);
    const { isRateLimited } = await this.#verbs();
    return this.#until(() => isRateLimited(this.#house, name));
  }
  async onRateLimitCleared(name: string): Promise<void> {
    this.#of(name);
    const { isRateLimited } = await this.#verbs();
    return this.#until(() => !isRateLimited(this.#house, name));
  }
  onError(name: string): Promise<never> {
    this.#of(name);
    const failed = this.#verbs().then(({ firstFailure }) => firstFailure(this.#house, name));
    // Who races it against something else may never look at it again.
    failed.catch(() => {});
    return failed;
  }

  async #until(isSo: () => boolean): Promise<void> {
    await this.#opened();
    // What was asked for on this stack comes first.
    await new Promise<void>((resolve) => this.#house.clock.defer(resolve));
    return this.#house.intake.sizes.until(isSo);
  }

  #ask(name: string, field: number): number {
    const { pump } = this.#house;
    const number = this.#of(name).number;
    return pump.open && number !== undefined ? pump.engine.queueValue(number, field) : 0;
  }

  #size(name: string): number {
    const { number } = this.#of(name);
    return this.#ask(name, P.QueueValueWaiting) + (number === undefined ? 0 : this.#house.intake.sizes.blocked(number));
  }

  // What is loaded when it is asked for

  async setPriority(id: string, priority: number): Promise<boolean> {
    return (await this.#verbs()).setPriority(this.#house, id, priority);
  }
  async promote(id: string): Promise<boolean> {
    return (await this.#verbs()).promote(this.#house, id);
  }
  async remove(id: string, reason?: unknown): Promise<boolean> {
    return (await this.#verbs()).remove(this.#house, id, reason);
  }
  reschedule(id: string, options: { delay: Duration | Date }): Promise<boolean> {
    return this.#house.runs.reschedule(id, options);
  }
  async clear(name: string, options?: ClearOptions): Promise<number> {
    this.#of(name);
    return (await this.#verbs()).clear(this.#house, name, options);
  }
  async drain(name: string): Promise<void> {
    this.#of(name).isDrained = true;
    // What was made ready for calls is looked at anew.
    this.#house.intake.forgetPrepared();
    await this.onIdle(name);
  }
  async addAll<Input, Output>(task: Task<string, Input, Output>, inputs: Iterable<Input> | AsyncIterable<Input>, options?: AddAllOptions): Promise<RunHandle<Output>[]> {
    return (await this.#verbs()).addAll(this.#house, task, inputs, options);
  }
  async standing(id: string): Promise<Standing | undefined> {
    return (await this.#verbs()).standing(this.#house, id);
  }
  async statistics(name: string): Promise<QueueStatistics> {
    this.#of(name);
    return (await this.#verbs()).statistics(this.#house, name);
  }
  async penalize(name: string, options: PenaltyOptions): Promise<void> {
    return (await this.#verbs()).penalize(this.#house, name, options);
  }
  readonly deadLetters: DeadLetterApi = {
    list: async (filter?: RunFilter & { name?: string }) => (await this.#verbs()).deadLetters(this.#house, filter),
    redrive: async (filter?: RunFilter & { name?: string }): Promise<BulkDone> => (await this.#verbs()).redrive(this.#house, filter),
  };

  readonly limits: NamedLimitsApi = {
    list: async () => (await this.#verbs()).namedLimits(this.#house),
    retrieve: async (name) => (await this.#verbs()).namedLimit(this.#house, name),
    override: async (name, concurrency, options) => (await this.#verbs()).overrideLimit(this.#house, name, concurrency, options),
    reset: async (name) => (await this.#verbs()).resetLimit(this.#house, name),
  };

  async #verbs(): Promise<typeof import('./verbs.ts')> {
    await this.#opened();
    return import('./verbs.ts');
  }

  #of(name: string): Queue {
    checkText(name, 'queue name');
    const queue = this.#house.table.queues.named(name);
    if (queue && !isReserved(name)) return queue;
    const known = this.#house.table.queues.names().filter((other) => !isReserved(other));
    throw new ConfigurationError(`There is no queue ${describe(name)}${known.length > 0 ? `, only ${known.join(', ')}` : ''}. Declare it: createOrchestrator({ queues: { ${JSON.stringify(name)}: { concurrency: 5 } } }).`);
  }

  async #opened(): Promise<void> {
    await this.#house.opening.opened;
    refuseDisposed(this.#house);
  }

  /** The last word counts: who was overtaken by another before the core had heard of it waits for that one. */
  async #pause(name: string, paused: number): Promise<void> {
    this.#of(name).paused = paused;
    await this.#opened();
    const { pump, table } = this.#house;
    pump.commands.push(P.CommandSetQueue, table.queues.numberOf(name), P.QueueFieldPaused, 0, paused);
    pump.wake();
    while (pump.open && this.#ask(name, P.QueueValuePaused) !== this.#of(name).paused) await new Promise<void>((resolve) => this.#house.clock.defer(resolve));
  }
}
