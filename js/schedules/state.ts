/** What is kept of a schedule: the input of its run, begun anew with each moment; and how people see it. */
import type { ScheduleSettings } from './settings.ts';
import type { Schedule } from './types.ts';
import type { TaskState } from '../types.ts';

/** The reserved definition of their runs. */
export const scheduleTask = 'holdfast/schedule';
/** Under which its run shows it. */
export const metadataKey = 'schedule';
/** The update that changes one. */
export const changeName = 'holdfast/change';

export interface ScheduleState {
  readonly settings: ScheduleSettings;
  readonly task: string;
  readonly type: Schedule['type'];
  readonly externalId?: string;
  readonly deduplicationKey?: string;
  readonly active: boolean;
  /** What intervals are counted from. */
  readonly madeAtMs: number;
  /** What was due up to then is done with. */
  readonly cursorMs: number;
  readonly lastMs?: number;
  readonly lastRunId?: string;
  readonly lastError?: string;
  readonly fired: number;
}

export interface ScheduleChange {
  settings?: ScheduleSettings;
  externalId?: string;
  active?: boolean;
}

/** What it becomes; what was due before counts no longer. */
export function changed(state: ScheduleState, { settings = state.settings, externalId = state.externalId, active = state.active }: ScheduleChange, nowMs: number): ScheduleState {
  return { ...state, settings, active, ...(externalId !== undefined && { externalId }), cursorMs: Math.max(state.cursorMs, nowMs) };
}

/** As its run shows it: plain values only. */
export interface ShownSchedule extends Omit<ScheduleState, 'madeAtMs' | 'cursorMs'> {
  readonly nextMs?: number;
}

export function shown({ madeAtMs: _, cursorMs: __, ...state }: ScheduleState, nextMs: number | undefined): ShownSchedule {
  return { ...state, ...(nextMs !== undefined && { nextMs }) };
}

/** undefined: nobody honest wrote it, or it has only just been made. */
export function scheduleOf({ id, taskIdentifier, metadata }: TaskState): Schedule | undefined {
  if (taskIdentifier !== scheduleTask) return undefined;
  const told = metadata[metadataKey] as ShownSchedule | undefined;
  if (typeof told?.settings !== 'object' || typeof told.task !== 'string') return undefined;
  const { settings, task, type, active, externalId, deduplicationKey, nextMs, lastMs, lastRunId, lastError, fired } = told;
  const { cron, everyMs, timezone } = settings;
  const all = {
    id, task, type, active, cron, everyMs, timezone, externalId, deduplicationKey,
    nextRun: nextMs === undefined ? undefined : new Date(nextMs),
    lastRun: lastMs === undefined ? undefined : new Date(lastMs),
    lastRunId, fired, lastError,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as Schedule;
}
