/**
 * A schedule at work: a run that sleeps until its next moment, makes the run of its task, and begins anew. So it is stored,
 * taken over by another tab, paused and removed as every run is, and one tab has it at a time.
 *
 * Invariants: the run of one moment has one id (`<schedule>@<moment>`), so that a page that dies between making it and
 * recording that makes no second one; a moment that is done with is never due again, whatever the clock does.
 */
import type { RunContext } from '../context/context.ts';
import { DuplicateRunError, UnrecognizedTaskError, WaitTimeoutError } from '../errors.ts';
import { plainDefinition } from '../definition/spec.ts';
import type { Definition } from '../intake/registry.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { hasEnded } from '../runs/status.ts';
import type { RunHandle, TriggerOptions } from '../types.ts';
import { type Plan, planOf } from './plan.ts';
import { isMeantFor } from './settings.ts';
import { changed, changeName, metadataKey, type ScheduleChange, type ScheduleState, shown } from './state.ts';
import type { ScheduledTaskPayload } from './types.ts';

/** Later than this it is missed. */
const missedAfterMs = 60_000;

/** The code of `holdfast/schedule`. */
export async function runSchedule(house: Orchestrator, state: ScheduleState, ctx: RunContext): Promise<unknown> {
  const { id } = ctx.run;
  const plan = await planOf(state.settings, id, state.madeAtMs);
  const next = nextOf(plan, state);
  const startMs = next === undefined ? undefined : plan.startOf(next);
  ctx.metadata.set(metadataKey, shown(state, startMs));
  const asked = await ctx.waitForUpdate<ScheduleChange>(changeName, startMs === undefined ? {} : { timeout: Math.max(0, startMs - house.clock.now()) });
  if (asked.ok) return ctx.continueAsNew(await change(state, ctx, asked.output));
  if (!(asked.error instanceof WaitTimeoutError)) throw asked.error;
  // A clock that was set back has not undone that this moment came.
  return ctx.continueAsNew(await ctx.step('due', () => new Tick(house, plan, id, Math.max(house.clock.now(), startMs!)).of(state)));
}

function nextOf(plan: Plan, { active, settings, fired, cursorMs }: ScheduleState): number | undefined {
  if (!active || (settings.limit !== undefined && fired >= settings.limit)) return undefined;
  return plan.next(cursorMs);
}

async function change(state: ScheduleState, ctx: RunContext, asked: { data: ScheduleChange; respond(): Promise<void> }): Promise<ScheduleState> {
  const next = changed(state, asked.data, ctx.now());
  const plan = await planOf(next.settings, ctx.run.id, next.madeAtMs);
  const nextMs = nextOf(plan, next);
  ctx.metadata.set(metadataKey, shown(next, nextMs === undefined ? undefined : plan.startOf(nextMs)));
  await asked.respond();
  return next;
}

/** What is due at one time. */
class Tick {
  readonly #house: Orchestrator;
  readonly #plan: Plan;
  readonly #id: string;
  readonly #nowMs: number;
  /** Runs of several moments that are caught up together: they are late, and were not meant to meet. */
  readonly #caughtUp = new Set<string>();
  #isSeries = false;

  constructor(house: Orchestrator, plan: Plan, id: string, nowMs: number) {
    this.#house = house;
    this.#plan = plan;
    this.#id = id;
    this.#nowMs = nowMs;
  }

  /** What the schedule is afterwards. */
  async of(state: ScheduleState): Promise<ScheduleState> {
    const { catchUp, limit = Number.POSITIVE_INFINITY } = state.settings;
    const due = this.#plan.due(Math.max(1, catchUp), state.cursorMs, this.#nowMs);
    const last = due.at(-1);
    if (last === undefined) return state;
    const isMissed = this.#nowMs - this.#plan.startOf(last) > missedAfterMs;
    let next = state;
    this.#isSeries = due.length > 1;
    for (const atMs of catchUp === 0 && isMissed ? [] : due) if (next.fired < limit) next = await this.#fire(next, atMs);
    return { ...next, cursorMs: last };
  }

  async #fire(state: ScheduleState, atMs: number): Promise<ScheduleState> {
    const { overlap } = state.settings;
    const runId = `${this.#id}@${new Date(atMs).toISOString()}`;
    const { lastError: _, ...kept } = state;
    const fired: ScheduleState = { ...kept, lastMs: atMs, lastRunId: runId, fired: state.fired + 1 };
    if (this.#house.attach(runId)) return fired;
    const former = state.lastRunId === undefined ? undefined : this.#house.attach(state.lastRunId);
    const overlaps = former !== undefined && !hasEnded(former.status);
    if (overlaps && overlap === 'skip' && !this.#caughtUp.has(former.id)) return state;
    if (overlaps && overlap === 'cancel-previous') await former.cancel('the next moment of its schedule has come');
    try {
      const run = this.#trigger(state, atMs, runId);
      if (!run) return state;
      await run.accepted;
      if (this.#isSeries) this.#caughtUp.add(run.id);
      return { ...fired, lastRunId: run.id };
    } catch (error) {
      if (error instanceof DuplicateRunError) return fired;
      this.#house.warn(`Schedule ${this.#id}: the run of "${state.task}" that was due at ${new Date(atMs).toISOString()} could not be made. ${String(error)}`);
      return { ...state, lastError: String(error) };
    }
  }

  /** undefined: its code says no longer that it is scheduled. */
  #trigger(state: ScheduleState, atMs: number, id: string): RunHandle | undefined {
    const definition = this.#house.definition(state.task);
    const schedule = definition?.spec.schedule;
    if (state.type === 'declarative' && schedule !== undefined && !isMeantFor(schedule, this.#house.getOptions().environment)) {
      this.#house.warn(`Schedule ${this.#id}: that of task "${state.task}" is not for the environment ${JSON.stringify(this.#house.getOptions().environment)}, so it runs nothing.`);
      return undefined;
    }
    if (state.type === 'declarative' && schedule === undefined) {
      this.#house.warn(`Schedule ${this.#id}: ${definition ? `task "${state.task}" has no schedule any more` : `no task "${state.task}" is registered in this page`}, so it runs nothing. schedules.del("${this.#id}") removes it.`);
      return undefined;
    }
    const options: TriggerOptions = { id, ...this.#turn(state, definition) };
    const payload = this.#payload(state, atMs);
    return definition ? this.#house.intake.triggerTask(state.task, payload, options) : this.#triggerUnknown(state.task, payload, options);
  }

  /** Runs of one schedule wait for each other by a key; a singleton has its own. */
  #turn({ settings }: ScheduleState, definition: Definition | undefined): TriggerOptions {
    const isQueued = settings.overlap === 'queue' || (settings.overlap === 'skip' && this.#isSeries);
    if (!isQueued || definition?.spec.singleton !== undefined) return {};
    return { idempotencyKey: ['schedule', this.#id], onDuplicate: 'queue' };
  }

  #payload(state: ScheduleState, atMs: number): ScheduledTaskPayload {
    const { lastMs, externalId, settings } = state;
    return {
      timestamp: new Date(atMs),
      ...(lastMs !== undefined && { lastTimestamp: new Date(lastMs) }),
      timezone: settings.timezone,
      scheduleId: this.#id,
      ...(externalId !== undefined && { externalId }),
      upcoming: this.#plan.upcoming(5, atMs).map((ms) => new Date(ms)),
    };
  }

  /** It waits until its code is there. */
  #triggerUnknown(task: string, payload: ScheduledTaskPayload, options: TriggerOptions): RunHandle {
    const missing = () => {
      throw new UnrecognizedTaskError(`No task "${task}" is registered.`);
    };
    const run = this.#house.intake.trigger(plainDefinition(task, missing), payload, options);
    run.definition = undefined;
    return run;
  }
}
