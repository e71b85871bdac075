/**
 * Where the house and its schedules meet. The room is loaded with the first schedule there is, or when
 * somebody asks `orchestrator.schedules` something.
 *
 * Invariant: who schedules nothing loads nothing, and pays one look at each definition.
 */
import type { RunContext } from '../context/context.ts';
import type { Definition } from '../intake/registry.ts';
import { Lazy } from '../lazy.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { isMeantFor } from './settings.ts';
import type { Schedules } from './schedules.ts';
import { scheduleTask, type ScheduleState } from './state.ts';
import type { CreateScheduleOptions, Schedule, SchedulesApi, UpdateScheduleOptions } from './types.ts';

/** Whatever goes wrong, it goes on: a schedule ends when it is removed. */
const persistent = { maxAttempts: 1_000_000_000, minDelayMs: 1000, maxDelayMs: 60_000 };

export class ScheduleDoor implements SchedulesApi {
  readonly #house: Orchestrator;
  readonly #room = new Lazy(async () => new (await import('./schedules.ts')).Schedules(this.#house));
  #isOpen = false;
  /** The declarations that are under way, one after the other. */
  #declared = new Map<string, unknown>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** The definition of the runs that schedules are. */
  get definition(): Definition {
    const run = async (state: ScheduleState, ctx: unknown) => (await import('./runner.ts')).runSchedule(this.#house, state, ctx as RunContext);
    const spec = { id: scheduleTask, run, retry: persistent, timeout: 0, deadline: 0, simulateProgress: false };
    return { id: scheduleTask, spec, handler: run, prepared: undefined };
  }

  /** What dead tabs left is known, so what is declared may be made. */
  opened(): void {
    this.#isOpen = true;
    for (const id of this.#house.definitions.ids()) this.consider(id);
  }

  /** A definition that may have a schedule. Those of the page are its default orchestrator's, and of whoever is given the task. */
  consider(id: string): void {
    const schedule = this.#house.definition(id)?.spec.schedule;
    if (schedule === undefined || !this.#isOpen || this.#house.disposed || this.#declared.get(id) === schedule) return;
    if ((this.#house.getOptions().id ?? 'default') !== 'default' && !this.#house.definitions.isOwn(id)) return;
    if (!isMeantFor(schedule, this.#house.getOptions().environment)) return;
    this.#declared.set(id, schedule);
    this.#room.load().then((schedules) => schedules.declare(id, schedule)).catch((error) => {
      if (this.#house.disposed) return;
      this.#declared.delete(id);
      this.#house.warn(`The schedule of task "${id}" could not be made. ${String(error)}`);
    });
  }

  async create(options: CreateScheduleOptions): Promise<Schedule> {
    return (await this.#room.load()).create(options);
  }
  async update(id: string, options: UpdateScheduleOptions): Promise<Schedule> {
    return (await this.#room.load()).update(id, options);
  }
  async activate(id: string): Promise<Schedule> {
    return (await this.#room.load()).activate(id);
  }
  async deactivate(id: string): Promise<Schedule> {
    return (await this.#room.load()).deactivate(id);
  }
  async del(id: string): Promise<boolean> {
    return (await this.#room.load()).del(id);
  }
  async list(filter?: { task?: string }): Promise<Schedule[]> {
    return (await this.#room.load()).list(filter);
  }
  async retrieve(id: string): Promise<Schedule | undefined> {
    return (await this.#room.load()).retrieve(id);
  }
  async timezones(): Promise<string[]> {
    return (await this.#room.load()).timezones();
  }
}
