/**
 * `orchestrator.queues`: what stands in the queues of this tab; pausing, resuming, other limits while they run.
 * Invariant: a promise of it resolves when the core has carried it out; that a queue is paused stands in the journal.
 */
import { ConfigurationError, DisposedError } from '../errors.ts';
import { checkText, describe, wholeNumber } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { isReserved } from '../waiting/internal.ts';
import type { QueueInfo, QueuesApi } from './types.ts';

export class Queues implements QueuesApi {
  readonly #house: Orchestrator;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  list(): QueueInfo[] {
    const names = [...this.#house.table.queueNames()].filter((name) => !isReserved(name));
    return names.sort().map((name) => this.retrieve(name));
  }

  retrieve(name: string): QueueInfo {
    const { pump, table } = this.#house;
    const { number, concurrency, override } = this.#of(name);
    const ask = (field: number) => (pump.open && number !== undefined ? pump.engine.queueValue(number, field) : 0);
    const limit = (value: number | undefined) => (value === undefined || value === 0 ? undefined : value);
    const base = limit(concurrency) ?? limit(table.limits.totalOf('queue', name));
    const isPaused = ask(P.QueueValuePaused) === 1;
    return Object.freeze({
      name, running: ask(P.QueueValueRunning), queued: ask(P.QueueValueReady), paused: isPaused,
      concurrencyLimit: override ?? base,
      concurrency: Object.freeze({ current: override ?? base, base, override }),
    });
  }

  pause(name: string): Promise<void> {
    return this.#set(name, P.QueueFieldPaused, 1);
  }
  resume(name: string): Promise<void> {
    return this.#set(name, P.QueueFieldPaused, 0);
  }

  async overrideConcurrencyLimit(name: string, limit: number): Promise<void> {
    const queue = this.#of(name);
    wholeNumber(limit, `overrideConcurrencyLimit of queue "${name}"`, 0, 0xfffffffe);
    const former = queue.override;
    queue.override = limit;
    // No limit at all is the core's 0; ours stops the queue.
    if (limit === 0) return this.#set(name, P.QueueFieldPaused, 1);
    await this.#set(name, P.QueueFieldConcurrency, limit);
    if (former === 0) await this.#set(name, P.QueueFieldPaused, 0);
  }

  async resetConcurrencyLimit(name: string): Promise<void> {
    const queue = this.#of(name);
    const former = queue.override;
    queue.override = undefined;
    await this.#set(name, P.QueueFieldConcurrency, queue.concurrency);
    if (former === 0) await this.#set(name, P.QueueFieldPaused, 0);
  }

  #of(name: string) {
    checkText(name, 'queue name');
    const queue = this.#house.table.queueNamed(name);
    if (queue && !isReserved(name)) return queue;
    const known = this.#house.table.queueNames().filter((other) => !isReserved(other));
    throw new ConfigurationError(`There is no queue ${describe(name)}${known.length > 0 ? `, only ${known.join(', ')}` : ''}. Declare it: createOrchestrator({ queues: { ${JSON.stringify(name)}: { concurrency: 5 } } }).`);
  }

  async #set(name: string, field: number, value: number): Promise<void> {
    this.#of(name);
    await this.#house.opening.opened;
    if (this.#house.disposed) throw new DisposedError('This orchestrator was disposed. Create another one.');
    const { pump, table } = this.#house;
    const number = table.queueNumberOf(name);
    pump.commands.push(P.CommandSetQueue, number, field, 0, value);
    pump.wake();
    const is = field === P.QueueFieldPaused ? P.QueueValuePaused : P.QueueValueConcurrency;
    while (pump.open && pump.engine.queueValue(number, is) !== value) await new Promise<void>((resolve) => this.#house.clock.defer(resolve));
  }
}
