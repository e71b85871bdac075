/**
 * Runs as a collection: list, look up, follow by a filter, repeat, and how far they are together.
 * Invariant: but for `bulk` nothing here changes a run; a repeated one is a new run.
 */
import { checkFunction, checkIdentifier, checkNames, checkRecord, refuse } from '../intake/checks.ts';
import { ConfigurationError, PayloadLostError, UnrecognizedTaskError } from '../errors.ts';
import { asksForKey } from '../identity/plan.ts';
import { matcher } from '../views/lists.ts';
import { notBeforeMs } from '../intake/options.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { RemoteHandle } from '../tabs/remote.ts';
import { Bulk } from './bulk.ts';
import { Run } from './run.ts';
import { isCompleted, isSuccess } from './status.ts';
import type { AggregateProgress, BulkApi, Duration, ForkOptions, ListFilter, ReplayOptions, RunFilter, RunHandle, RunHistory, TaskPage, TaskState } from '../types.ts';

/** Says which run it is of, and how to go on without. */
export const lostInput = (id: string, verb: string, option: string) => (error: unknown): never => {
  if (!(error instanceof PayloadLostError)) throw error;
  throw new PayloadLostError(`The input of run "${id}" is not there any more: ${error.message} Give one: runs.${verb}(id, { ${option} }).`, { cause: error });
};

export class Runs {
  readonly #house: Orchestrator;
  /** One verb for all that match. */
  readonly bulk: BulkApi;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.bulk = new Bulk(house);
  }

  /** Newest first, in pages. */
  list(filter?: ListFilter): TaskPage {
    return this.#house.list(filter);
  }

  retrieve<Output = any>(id: string): TaskState<Output> | undefined {
    return this.#house.getTaskState(id);
  }

  /** Every change of every run that matches, of other tabs too; at most once a frame, the last always. */
  subscribe(filter: RunFilter, listener: (state: TaskState) => void): () => void {
    const matches = matcher(filter, 'runs.subscribe');
    checkFunction(listener, 'runs.subscribe listener');
    return this.#house.store.subscribeAny((id) => {
      const state = this.#house.getTaskState(id);
      if (state && matches(state)) listener(state);
    });
  }

  /**
   * A new run of the same task, with the same input unless `payload` is given; name and metadata too.
   * @throws UnrecognizedTaskError, ConfigurationError for a run this tab does not have, PayloadLostError
   */
  async replay<Output = any>(id: string, options: ReplayOptions = {}): Promise<RunHandle<Output>> {
    checkRecord(options, 'replay options');
    const { payload, ...given } = options;
    const run = this.#house.attach(id);
    if (!(run instanceof Run)) throw new ConfigurationError(`There is no run "${id}" in this tab that could be replayed.`);
    const definition = run.definition ?? this.#house.definition(run.taskIdentifier);
    if (!definition) throw new UnrecognizedTaskError(`No task "${run.taskIdentifier}" is registered; "${id}" can't be replayed.`);
    const input = 'payload' in options ? payload : await this.#house.attempts.givenInputOf(run).catch(lostInput(id, 'replay', 'payload'));
    const { name, metadata } = run.extra;
    const merged = { ...(name !== undefined && { name }), ...(metadata && { metadata }), ...given };
    // Whoever repeats a run wants another one: no key follows from its payload again.
    if (asksForKey({ ...definition, prepared: undefined }, merged)) return this.#house.identity.trigger(definition, input, merged, run.id);
    return this.#house.intake.trigger(definition, input, merged, run.id);
  }

  /**
   * A new run of the same task that takes over what this one has recorded up to a step: results, what children gave,
   * waits that were over. Code and options are today's; failures are tried again. The other run is untouched.
   * @throws ConfigurationError for a run this tab does not have or a step that it has not recorded, UnrecognizedTaskError,
   * PayloadLostError for a file or child that was removed
   */
  async fork<Output = any>(id: string, options: ForkOptions = {}): Promise<RunHandle<Output>> {
    const { fork } = await import('../identity/fork.ts');
    return fork(this.#house, id, options);
  }

  /**
   * What a run has recorded, and what the cache said to it: for a timeline, and to see from where it may be forked.
   * undefined: this tab does not have it.
   */
  async history(id: string): Promise<RunHistory | undefined> {
    const run = this.#house.attach(checkIdentifier(id, 'runs.history id'));
    if (!(run instanceof Run)) return undefined;
    const { historyOf } = await import('./history.ts');
    return historyOf(this.#house, run);
  }

  /**
   * Another first start for a run that still waits for its own: from now, or at that time. Resolves when it is stored; false: it
   * does not wait for a time. @throws ConfigurationError
   */
  async reschedule(id: string, options: { delay: Duration | Date }): Promise<boolean> {
    checkNames(options, ['delay'], 'reschedule');
    if (options.delay === undefined) refuse('reschedule delay', 'a duration or a Date', options.delay);
    const atMs = Math.max(1, notBeforeMs(options.delay, this.#house.clock.now()));
    const handle = this.#house.attach(id);
    if (!handle) return false;
    return handle instanceof Run ? this.#house.control.set(handle, P.TaskFieldNotBeforeMs, atMs) : (handle as RemoteHandle).reschedule(atMs);
  }

  /** How far all that match are: the mean, ended ones as 100. */
  aggregateProgress(filter: RunFilter = {}): AggregateProgress {
    const states = this.#house.getAllTasks().filter(matcher(filter, 'aggregateProgress'));
    let sum = 0;
    let [done, failed] = [0, 0];
    for (const state of states) {
      const over = isCompleted(state);
      sum += over ? 100 : state.progress;
      if (isSuccess(state)) done++;
      else if (over) failed++;
    }
    return { value: states.length === 0 ? undefined : sum / states.length, total: states.length, done, failed };
  }
}
