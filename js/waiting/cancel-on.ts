/**
 * `cancelOn` of definitions: runs that an event cancels, wherever they stand.
 * Invariant: an event cancels what it fits when it is stored, and what is found beside it later (after
 * a reload, a take-over, a definition that came late).
 */
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError } from '../errors.ts';
import { checkNames, describe } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { End, type Run } from '../runs/run.ts';
import { checkEventName, type StoredEvent } from './events.ts';
import { checkMatch, matches } from './match.ts';
import type { CancelOn } from './types.ts';
import type { Waiting } from './waiting.ts';

/** @throws ConfigurationError */
export function checkCancelOn(rules: unknown, id: string): void {
  if (rules === undefined) return;
  const where = `defineTask "${id}" cancelOn`;
  if (!Array.isArray(rules)) throw new ConfigurationError(`${where} must be a list of { event, match?, timeout? }, not ${describe(rules)}.`);
  for (const rule of rules as CancelOn[]) {
    checkNames(rule, ['event', 'match', 'timeout'], where);
    checkEventName(rule.event, `${where} event`);
    checkMatch(rule.match, where);
    if (rule.timeout !== undefined) toMilliseconds(rule.timeout, `${where} timeout`);
  }
}

export class Cancellations {
  readonly #house: Orchestrator;
  readonly #waiting: Waiting;

  constructor(house: Orchestrator, waiting: Waiting) {
    this.#house = house;
    this.#waiting = waiting;
  }

  /** An event is there. */
  apply(event: StoredEvent): void {
    const tasks = this.#tasksThatHear(event.name);
    if (tasks.size === 0) return;
    for (const run of this.#house.localRuns()) {
      if (run.end === End.None && tasks.has(run.taskIdentifier)) this.#judge(run, event);
    }
  }

  #tasksThatHear(name: string): Set<string> {
    const tasks = new Set<string>();
    for (const id of this.#house.definitions.ids()) if (this.#rules(id).some(({ event }) => event === name)) tasks.add(id);
    return tasks;
  }

  #rules(id: string): readonly CancelOn[] {
    return this.#house.definition(id)?.spec.cancelOn ?? [];
  }

  /** A run is found beside events that are known. */
  consider(run: Run): void {
    if (run.end !== End.None || run.extra.hidden || this.#rules(run.taskIdentifier).length === 0) return;
    for (const event of this.#waiting.events.all()) this.#judge(run, event);
  }

  considerTask(id: string): void {
    if (!this.#rules(id).some(({ event }) => this.#waiting.events.has(event))) return;
    for (const run of this.#house.localRuns()) if (run.taskIdentifier === id) this.consider(run);
  }

  #judge(run: Run, event: StoredEvent): void {
    if (event.to !== undefined && event.to !== run.id) return;
    for (const rule of this.#rules(run.taskIdentifier)) {
      if (rule.event !== event.name) continue;
      const createdAtMs = this.#waiting.createdAtMs(run);
      const untilMs = rule.timeout === undefined ? Number.POSITIVE_INFINITY : createdAtMs + toMilliseconds(rule.timeout, 'cancelOn timeout');
      if (event.atMs >= createdAtMs && event.atMs <= untilMs) void this.#match(run, event, rule).catch((error) => this.#house.listenerFailed(error));
    }
  }

  /** The input of a run with files takes a moment to read. */
  async #match(run: Run, event: StoredEvent, { match }: CancelOn): Promise<void> {
    const { events } = this.#waiting;
    if (match !== undefined && !matches(match, events.dataOf(event), typeof match === 'function' ? await this.#house.attempts.inputOf(run) : undefined)) return;
    if (run.end === End.None) await this.#house.control.cancel(run, `cancelled by event "${event.name}"`);
  }
}
