/**
 * The definitions of one orchestrator, and what they ask for beyond running their code.
 *
 * Invariant: a run whose definition is missing waits, says so, and goes on when it is added; what is
 * added later under the same id counts from the next attempt on.
 */
import { UnrecognizedTaskError } from '../errors.ts';
import { HoldSchemaMismatch } from '../holds.ts';
import { retryOptionsOf } from '../options.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { checkExecutor, type Definition, executorHandler, pageRegistry, Registry, watchBoth } from '../registry.ts';
import { End, type Run } from '../run.ts';
import type { RetryOptions, Task, TaskExecutor } from '../types.ts';
import { Hooks } from './hooks.ts';
import { Lifecycle } from './lifecycle.ts';
import { RecoveredInputs } from './recovered-inputs.ts';
import { Services } from './services.ts';
import { defineSpec, type NamedSpec, plainDefinition } from './spec.ts';
import type { TaskHandler } from './types.ts';

/** Holds that new code may lift. */
const liftedByCode = P.HoldDefinitionMissing | HoldSchemaMismatch;

export class Definitions {
  readonly #house: Orchestrator;
  readonly #own = new Registry();
  readonly #stopWatching: () => void;
  /** Queue → the task whose definition spoke last of it. */
  readonly #queueOwners = new Map<string, { id: string; limit: number }>();
  readonly recoveredInputs: RecoveredInputs;
  readonly services: Services;
  readonly hooks: Hooks;
  readonly lifecycle: Lifecycle;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.recoveredInputs = new RecoveredInputs(house);
    this.services = new Services(house);
    this.hooks = new Hooks(this);
    this.hooks.useOptions(house.getOptions().hooks);
    this.lifecycle = new Lifecycle(this);
    this.#stopWatching = watchBoth(this.#own, (id) => this.#added(id));
    for (const id of pageRegistry.ids()) this.#declareQueue(id);
  }

  get clock() {
    return this.#house.clock;
  }
  inputOf(run: Run): Promise<unknown> {
    return this.#house.attempts.inputOf(run);
  }
  retryOf(run: Run): RetryOptions {
    return retryOptionsOf(this.#house.intake.policyOf(run));
  }
  listenerFailed(error: unknown): void {
    this.#house.listenerFailed(error);
  }

  /** Ids of all, its own and the page's. */
  ids(): Set<string> {
    return new Set([...this.#own.ids(), ...pageRegistry.ids()]);
  }

  /** Our own, of runs that nobody sees. */
  addInternal(definition: Definition): void {
    this.#own.add(definition);
  }

  add(task: Task): void {
    this.#own.add(defineSpec(task.spec as NamedSpec));
  }

  addExecutor(type: string, executor: TaskExecutor | (() => TaskExecutor)): void {
    checkExecutor(type, executor);
    const run: TaskHandler = (input, ctx) => executorHandler(typeof executor === 'function' ? executor() : executor)(input, ctx);
    this.#own.add(plainDefinition(type, run));
  }

  get(id: string): Definition | undefined {
    return this.#own.get(id) ?? pageRegistry.get(id);
  }

  /** That of a task; one that is not known here yet is added. */
  of(task: Task): Definition {
    const known = this.get(task.id);
    if (known && known.spec === task.spec) return known;
    this.add(task);
    return this.get(task.id)!;
  }

  /** Known before a run needs it: runs of a journal too get the limit that the code says now, and others may name it. */
  #declareQueue(id: string): void {
    const queue = this.get(id)?.spec.queue;
    if (typeof queue !== 'object') return;
    this.#house.table.declareQueue(queue.name, queue);
    const limit = queue.concurrency ?? queue.concurrencyLimit ?? Number.POSITIVE_INFINITY;
    const former = this.#queueOwners.get(queue.name);
    this.#queueOwners.set(queue.name, { id, limit });
    if (!former || former.id === id || former.limit === limit) return;
    this.#house.warn(`Queue "${queue.name}" has two limits: ${former.limit} by task "${former.id}", ${limit} by task "${id}". The latter counts; declare it once.`);
  }

  #added(id: string): void {
    const { pump } = this.#house;
    this.#declareQueue(id);
    this.#house.intake.definitionsChanged();
    this.#house.waiting.cancellations.considerTask(id);
    this.services.replaced(id, this.get(id)?.spec);
    for (const run of pump.runs) {
      if (!run || run.identifier !== id || run.end !== End.None) continue;
      run.definition = undefined;
      const holds = pump.open ? pump.engine.holds(run.task) : 0;
      if (holds & HoldSchemaMismatch) this.recoveredInputs.letGo(run);
      if (holds & liftedByCode) pump.commands.push(P.CommandRelease, run.task, holds & liftedByCode);
    }
    pump.wake();
  }

  missing(run: Run): void {
    const { pump, attempts } = this.#house;
    pump.commands.push(P.CommandHold, run.task, P.HoldDefinitionMissing);
    attempts.interrupt(run, new UnrecognizedTaskError(`No task "${run.taskIdentifier}" is registered.`));
    this.#house.warn(`Run ${run.id} waits: no task "${run.taskIdentifier}" is registered in this page.`);
  }

  /** A run has ended, and that is acknowledged. */
  ended(run: Run): void {
    if (this.services.endWithRuns) this.services.ended(run);
    if (this.hooks.hearsEnd(run)) this.hooks.ended(run);
  }

  /** No definition comes or goes any more. */
  stopWatching(): void {
    this.#stopWatching();
  }
}
