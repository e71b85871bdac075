/**
 * The definitions of one orchestrator, and what they ask for beyond running their code.
 *
 * Invariant: a run whose definition is missing waits, says so, and goes on when it is added; what is
 * added later under the same id counts from the next attempt on.
 */
import { type BatchingDoor, batchingDoor } from '../batching/door.ts';
import { ConfigurationError, UnrecognizedTaskError } from '../errors.ts';
import { HoldSchemaMismatch } from '../runs/holds.ts';
import { checkIdentifier, describe, refuse } from '../intake/checks.ts';
import { retryOptionsOf } from '../intake/options.ts';
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { checkExecutor, type Definition, executorHandler, isTask, pageRegistry, Registry, watchBoth } from '../intake/registry.ts';
import { End, type Run } from '../runs/run.ts';
import type { RetryOptions, Task, TaskExecutor } from '../types.ts';
import { refuseReserved } from '../waiting/internal.ts';
import { isBuiltIn } from './built-in.ts';
import type { Determinism } from './determinism.ts';
import { Describing } from './describing.ts';
import { Heartbeats } from './heartbeat.ts';
import { Hooks } from './hooks.ts';
import { type TaskInfo, taskInfo } from './info.ts';
import { Lifecycle } from './lifecycle.ts';
import { isSkipped, skipped } from './process.ts';
import { RecoveredInputs } from './recovered-inputs.ts';
import type { Services } from './services.ts';
import { defineSpec, type NamedSpec, plainDefinition } from './spec.ts';
import type { Validator } from './schema.ts';
import type { TaskHandler } from './types.ts';
import { type Check, checkOf } from './validation.ts';

/** Holds that new code may lift. */
const liftedByCode = P.HoldDefinitionMissing | HoldSchemaMismatch;

export class Definitions {
  readonly #house: Orchestrator;
  readonly #own = new Registry();
  readonly #stopWatching: () => void;
  /** Queue → the task whose definition spoke last of it. */
  readonly #queueOwners = new Map<string, { id: string; limit: string }>();
  readonly recoveredInputs: RecoveredInputs;
  /** Loaded with the first `setup`. */
  readonly services: Lazy<Services>;
  readonly hooks: Hooks;
  readonly lifecycle: Lifecycle;
  readonly describing: Describing;
  readonly heartbeats: Heartbeats;
  readonly batching: BatchingDoor;
  /** undefined: nobody asked for it. */
  determinism: Determinism | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.describing = new Describing(house);
    this.heartbeats = new Heartbeats(house);
    this.batching = batchingDoor(house);
    this.recoveredInputs = new RecoveredInputs(house);
    this.services = new Lazy(async () => new (await import('./services.ts')).Services(house));
    this.hooks = new Hooks(this);
    this.hooks.useOptions(house.getOptions().hooks);
    this.lifecycle = new Lifecycle(this);
    this.#own.add(house.schedules.definition);
    this.#stopWatching = watchBoth(this.#own, (id) => this.#added(id));
    for (const id of pageRegistry.ids()) this.#declareLimits(id);
  }

  /** Before the first attempt, where it is asked for. */
  async listen(): Promise<void> {
    if (!this.#house.getOptions().checkDeterminism) return;
    const { Determinism } = await import('./determinism.ts');
    if (!this.#house.disposed) this.determinism = new Determinism((message) => this.#house.warn(message));
  }

  get contexts() {
    return this.#house.services;
  }
  get cache() {
    return this.#house.cache;
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

  /** Given to this orchestrator, not only to the page. */
  isOwn(id: string): boolean {
    return this.#own.get(id) !== undefined;
  }

  /** Our own, of runs that nobody sees. */
  addInternal(definition: Definition): void {
    this.#own.add(definition);
  }

  add(task: Task): void {
    if (!isTask(task)) refuse('register', 'given a task made by defineTask', task);
    this.#own.add(defineSpec(task.spec as NamedSpec));
  }

  addExecutor(type: string, executor: TaskExecutor | (() => TaskExecutor)): void {
    checkExecutor(type, executor);
    const run: TaskHandler = (input, ctx) => executorHandler(typeof executor === 'function' ? executor() : executor)(input, ctx);
    this.#own.add(plainDefinition(type, run));
  }

  /** The code of a run; a task that its process leaves out has none. */
  ofRun(run: Run): Definition | undefined {
    const definition = this.get(run.taskIdentifier);
    const { process } = run.extra;
    return definition && process && isSkipped(process, definition.id) ? skipped(definition) : definition;
  }

  get(id: string): Definition | undefined {
    return this.#own.get(id) ?? pageRegistry.get(id);
  }

  /** Of a task made by `defineTask` that is registered as it is. */
  known(task: unknown): Definition | undefined {
    if (!isTask(task)) return undefined;
    const definition = this.get(task.id);
    return definition?.spec === task.spec ? definition : undefined;
  }

  /**
   * That of a task, or of a task's id; a task that is not known here yet is added.
   * @throws ConfigurationError UnrecognizedTaskError
   */
  of(task: unknown, verb: string): Definition {
    if (typeof task === 'string') return this.#named(checkIdentifier(task, `${verb} task`), verb);
    if (!isTask(task)) throw new ConfigurationError(`${verb} needs a task made by defineTask, or the id of one, not ${describe(task)}.`);
    const known = this.known(task);
    if (known) return known;
    this.add(task);
    return this.get(task.id)!;
  }

  /** Known before a run needs them: runs of a journal too get the limits that the code says now, and others may name a queue. */
  #declareLimits(id: string): void {
    const spec = this.get(id)?.spec;
    if (spec) this.#house.table.limits.declareTask(id, spec);
    const queue = spec?.queue;
    if (typeof queue !== 'object') return;
    this.#house.table.queues.declare(queue.name, queue);
    const given = queue.concurrency ?? queue.concurrencyLimit ?? Number.POSITIVE_INFINITY;
    const limit = typeof given === 'object' ? JSON.stringify(given) : String(given);
    const former = this.#queueOwners.get(queue.name);
    this.#queueOwners.set(queue.name, { id, limit });
    if (!former || former.id === id || former.limit === limit) return;
    this.#house.warn(`Queue "${queue.name}" has two limits: ${former.limit} by task "${former.id}", ${limit} by task "${id}". The latter counts; declare it once.`);
  }

  #named(id: string, verb: string): Definition {
    const definition = this.get(id);
    if (definition) return definition;
    throw new UnrecognizedTaskError(`${verb}: no task ${JSON.stringify(id)} is registered. Import the module that defines it, or pass the task itself.`);
  }

  /** What is known of the tasks, for people. */
  readonly tasks = {
    list: (): TaskInfo[] => [...this.ids()].flatMap((id) => this.tasks.get(id) ?? []),
    get: (id: string): TaskInfo | undefined => {
      const definition = this.get(id);
      return definition && !definition.hidden && !isBuiltIn(id) ? taskInfo(definition) : undefined;
    },
  };

  /** Of the process options of the application; undefined: it has none of its own. */
  get processCheck(): Check | undefined {
    const { processSchema } = this.#house.getOptions();
    if (processSchema !== this.#processSchema) {
      this.#processSchema = processSchema;
      this.#processCheck = processSchema && checkOf(processSchema, 'createOrchestrator processSchema');
    }
    return this.#processCheck;
  }
  #processSchema: Validator | undefined;
  #processCheck: Check | undefined;

  #added(id: string): void {
    const { pump } = this.#house;
    this.#declareLimits(id);
    this.#house.intake.definitionsChanged();
    this.#house.waiting.cancellations.considerTask(id);
    this.#house.schedules.consider(id);
    this.services.loaded?.replaced(id, this.get(id)?.spec);
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
    this.#house.dependencies.ended(run);
    const services = this.services.loaded;
    if (services?.endWithRuns) services.ended(run);
    if (this.describing.metadata.isDirty) this.describing.metadata.store(run);
    if (this.hooks.hearsEnd(run)) this.hooks.ended(run);
  }

  /** No definition comes or goes any more. */
  stopWatching(): void {
    this.determinism?.close();
    this.#stopWatching();
  }
}
