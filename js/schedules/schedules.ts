/**
 * What is asked of schedules: made, changed, removed, listed. Loaded with the first of it, or with the first task that has one.
 * Invariant: what changes a schedule goes to its run, in whatever tab that is; what is read is what runs show.
 */
import { ConfigurationError } from '../errors.ts';
import { checkEach, checkIdentifier, checkNames, checkText, describe } from '../intake/checks.ts';
import { isTask } from '../intake/registry.ts';
import { foreverMs } from '../identity/key.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { hasEnded } from '../runs/status.ts';
import type { RunHandle } from '../types.ts';
import { planOf } from './plan.ts';
import { type ScheduleSettings, settingsOf, timingNames } from './settings.ts';
import { changeName, type ScheduleChange, scheduleOf, type ScheduleState, scheduleTask } from './state.ts';
import type { CreateScheduleOptions, Schedule, SchedulesApi, ScheduleTiming, UpdateScheduleOptions } from './types.ts';

const createNames = ['task', 'externalId', 'deduplicationKey', ...timingNames];
const updateNames = ['externalId', ...timingNames];
const identifier = (value: unknown, where: string) => void checkIdentifier(value, where);

type Facts = Pick<ScheduleState, 'settings' | 'task' | 'type' | 'externalId' | 'deduplicationKey'>;

export class Schedules implements SchedulesApi {
  readonly #house: Orchestrator;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  async create(options: CreateScheduleOptions): Promise<Schedule> {
    const where = 'schedules.create';
    checkNames(options, createNames, where);
    checkEach(options, { externalId: identifier, deduplicationKey: identifier }, where);
    const { task, externalId, deduplicationKey } = options;
    const id = isTask(task) ? this.#house.definitions.of(task, where).id : checkIdentifier(task, `${where} task`);
    const settings = settingsOf(options, where, this.#house.clock.now());
    await this.#tried(settings, where);
    const facts = { settings, task: id, type: 'imperative' as const, ...(externalId !== undefined && { externalId }), ...(deduplicationKey !== undefined && { deduplicationKey }) };
    const key = deduplicationKey === undefined ? undefined : ['schedule', 'created', deduplicationKey];
    return this.#make(facts, key);
  }

  /** The schedule that a definition says. */
  async declare(task: string, timing: ScheduleTiming | string): Promise<void> {
    const where = `defineTask "${task}" schedule`;
    const settings = settingsOf(typeof timing === 'string' ? { cron: timing } : timing, where, this.#house.clock.now());
    await this.#tried(settings, where);
    await this.#make({ settings, task, type: 'declarative' }, ['schedule', 'declared', task]);
  }

  /** What our own look let pass croner may refuse. @throws ConfigurationError */
  async #tried(settings: ScheduleSettings, where: string): Promise<void> {
    let never = false;
    try {
      const { startAtMs: _from, endAtMs: _to, ...unbounded } = settings;
      never = (await planOf(unbounded, '', 0)).next(this.#house.clock.now()) === undefined;
    } catch (cause) {
      throw new ConfigurationError(`${where} cron ${describe(settings.cron)} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    if (never) throw new ConfigurationError(`${where} cron ${describe(settings.cron)} names a moment that never comes. Is there such a day in such a month?`);
  }

  async #make(facts: Facts, key: string[] | undefined): Promise<Schedule> {
    const { clock, ready, idempotencyKeys } = this.#house;
    await ready;
    const nowMs = clock.now();
    const state: ScheduleState = { ...facts, active: true, madeAtMs: nowMs, cursorMs: nowMs, fired: 0 };
    let handle = this.#trigger(state, key);
    await handle.accepted;
    // One that was cancelled is none any more.
    if (key && hasEnded(handle.status) && (await idempotencyKeys.reset(scheduleTask, key))) {
      handle = this.#trigger(state, key);
      await handle.accepted;
    }
    const known = await this.#shown(handle);
    if (!handle.isCached || isSame(known, handle, facts)) return known;
    return this.#change(handle.id, { settings: facts.settings, ...(facts.externalId !== undefined && { externalId: facts.externalId }) });
  }

  #trigger(state: ScheduleState, key: string[] | undefined): RunHandle {
    const options = { name: `Schedule of ${state.task}`, ...(key && { idempotencyKey: key, idempotencyKeyTTL: foreverMs }) };
    return this.#house.intake.triggerTask(scheduleTask, state, options);
  }

  /** As soon as its run shows it. */
  #shown(handle: RunHandle): Promise<Schedule> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const schedule = scheduleOf(handle.state);
        if (!schedule && !hasEnded(handle.status)) return;
        stop();
        if (schedule) resolve(schedule);
        else reject(new ConfigurationError(`Schedule ${handle.id} was cancelled before it began.`));
      };
      const stop = handle.subscribe(look);
      look();
    });
  }

  async #change(id: string, change: ScheduleChange): Promise<Schedule> {
    const handle = await this.#find(id);
    await handle.update(changeName, change);
    return scheduleOf(handle.state)!;
  }

  /** @throws ConfigurationError */
  async #find(id: string): Promise<RunHandle> {
    checkText(id, 'schedule id');
    await this.#house.ready;
    const handle = this.#house.attach(id);
    if (handle?.taskIdentifier === scheduleTask && !hasEnded(handle.status)) return handle;
    throw new ConfigurationError(`There is no schedule ${JSON.stringify(id)}. schedules.list() gives those there are.`);
  }

  async update(id: string, options: UpdateScheduleOptions): Promise<Schedule> {
    const where = 'schedules.update';
    checkNames(options, updateNames, where);
    checkEach(options, { externalId: identifier }, where);
    const { externalId, ...timing } = options;
    const former = await this.#settings(await this.#find(id));
    const saysNothing = Object.values(timing).every((value) => value === undefined);
    const settings = saysNothing ? former : this.#laidOver(former, timing, where);
    await this.#tried(settings, where);
    return this.#change(id, { settings, ...(externalId !== undefined && { externalId }) });
  }

  async #settings(handle: RunHandle): Promise<ScheduleSettings> {
    await this.#shown(handle);
    return settingsShown(handle);
  }

  #laidOver(former: ScheduleSettings, timing: ScheduleTiming, where: string): ScheduleSettings {
    const isOther = timing.cron !== undefined || timing.every !== undefined;
    const base = isOther ? timing : { ...timing, ...(former.cron === undefined ? { every: former.everyMs } : { cron: former.cron }) };
    const said = settingsOf(base as ScheduleTiming, where, this.#house.clock.now());
    const kept = { ...former } as Record<string, unknown>;
    if (isOther) for (const name of ['cron', 'everyMs']) delete kept[name];
    if (timing.window !== undefined) for (const name of ['windowMs', 'windowShare']) delete kept[name];
    // What has a default counts only where it was said.
    const { timezone, catchUp, overlap, ...rest } = said;
    const namesTimezone = timing.timezone !== undefined || (typeof timing.cron === 'object' && timing.cron.timezone !== undefined);
    return {
      ...kept, ...rest,
      ...(namesTimezone && { timezone }), ...(timing.catchUp !== undefined && { catchUp }), ...(timing.overlap !== undefined && { overlap }),
    } as ScheduleSettings;
  }

  activate(id: string): Promise<Schedule> {
    return this.#change(id, { active: true });
  }
  deactivate(id: string): Promise<Schedule> {
    return this.#change(id, { active: false });
  }

  async del(id: string): Promise<boolean> {
    checkText(id, 'schedule id');
    await this.#house.ready;
    const handle = this.#house.attach(id);
    if (handle?.taskIdentifier !== scheduleTask) return false;
    // Its code has to stop first.
    if (await handle.cancel('deleted')) await handle.wait();
    return this.#house.removeTask(id);
  }

  async list(filter: { task?: string } = {}): Promise<Schedule[]> {
    checkNames(filter, ['task'], 'schedules.list');
    checkEach(filter, { task: identifier }, 'schedules.list');
    await this.#house.ready;
    const all = this.#house.getAllTasks().filter(({ taskIdentifier, status }) => taskIdentifier === scheduleTask && !hasEnded(status));
    return all.flatMap((state) => scheduleOf(state) ?? []).filter(({ task }) => filter.task === undefined || task === filter.task);
  }

  async retrieve(id: string): Promise<Schedule | undefined> {
    checkText(id, 'schedules.retrieve id');
    return (await this.list()).find((schedule) => schedule.id === id);
  }

  async timezones(): Promise<string[]> {
    return [...new Set(['UTC', ...Intl.supportedValuesOf('timeZone')])];
  }
}

function settingsShown(handle: RunHandle): ScheduleSettings {
  return (handle.state.metadata.schedule as ScheduleState).settings;
}

function isSame({ externalId }: Schedule, handle: RunHandle, facts: Facts): boolean {
  const inOrder = (settings: ScheduleSettings) => JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
  return inOrder(settingsShown(handle)) === inOrder(facts.settings) && (facts.externalId === undefined || facts.externalId === externalId);
}
