/**
 * Settings → moments. Cron patterns are computed by croner, loaded with the first of them.
 * Invariant: pure but for that; the same settings and moment give the same answer, in every tab and page.
 */
import { hashOf } from '../identity/key.ts';
import type { ScheduleSettings } from './settings.ts';

/** Moments by themselves, without bounds. */
interface Moments {
  /** The first one after. */
  next(afterMs: number): number | undefined;
  /** So many before, in their order. */
  before(count: number, beforeMs: number): number[];
}

export class Plan {
  readonly #settings: ScheduleSettings;
  readonly #moments: Moments;
  /** 0 to 1: where in its window this schedule starts. */
  readonly #place: number;

  constructor(settings: ScheduleSettings, moments: Moments, scheduleId: string) {
    this.#settings = settings;
    this.#moments = moments;
    this.#place = hashOf('schedule', scheduleId) / 2 ** 53;
  }

  /** undefined: there is none any more. */
  next(afterMs: number): number | undefined {
    const { startAtMs = 0, endAtMs = Number.POSITIVE_INFINITY } = this.#settings;
    const next = this.#moments.next(Math.max(afterMs, startAtMs - 1));
    return next === undefined || next > endAtMs ? undefined : next;
  }

  upcoming(count: number, afterMs: number): number[] {
    const found: number[] = [];
    for (let next = this.next(afterMs); next !== undefined && found.length < count; next = this.next(next)) found.push(next);
    return found;
  }

  /** The last ones that should have started by then, in their order; at most so many. */
  due(count: number, afterMs: number, nowMs: number): number[] {
    const { startAtMs = 0, endAtMs = Number.POSITIVE_INFINITY, windowMs = 0 } = this.#settings;
    const beforeMs = Math.min(nowMs - Math.round(windowMs * this.#place), endAtMs) + 1;
    // The youngest may not have started: its window is open.
    const found = this.#moments.before(count + 1, beforeMs);
    return found.filter((at) => at > afterMs && at >= startAtMs && this.startOf(at) <= nowMs).slice(-count);
  }

  /** When what is due at that moment starts. */
  startOf(atMs: number): number {
    const { windowMs, windowShare } = this.#settings;
    if (windowMs !== undefined) return atMs + Math.round(windowMs * this.#place);
    if (!windowShare) return atMs;
    const next = this.#moments.next(atMs);
    return next === undefined ? atMs : atMs + Math.round((next - atMs) * windowShare * this.#place);
  }
}

/** @param madeAtMs what intervals without a beginning are counted from */
export async function planOf(settings: ScheduleSettings, scheduleId: string, madeAtMs: number): Promise<Plan> {
  const { cron, everyMs, startAtMs } = settings;
  const moments = cron === undefined ? intervals(everyMs!, startAtMs, madeAtMs) : await cronMoments(cron, settings.timezone);
  return new Plan(settings, moments, scheduleId);
}

function intervals(everyMs: number, startAtMs: number | undefined, madeAtMs: number): Moments {
  const zeroMs = startAtMs ?? madeAtMs;
  const first = startAtMs === undefined ? 1 : 0;
  return {
    next: (afterMs) => zeroMs + Math.max(first, Math.floor((afterMs - zeroMs) / everyMs) + 1) * everyMs,
    before: (count, beforeMs) => {
      const last = Math.ceil((beforeMs - zeroMs) / everyMs) - 1;
      return Array.from({ length: Math.max(0, Math.min(count, last - first + 1)) }, (_, back) => zeroMs + (last - back) * everyMs).reverse();
    },
  };
}

/** @throws ConfigurationError by croner's word for what our own look let pass */
async function cronMoments(pattern: string, timezone: string): Promise<Moments> {
  const { Cron } = await import('croner');
  const cron = new Cron(pattern, { timezone, paused: true });
  const toMs = (date: Date) => date.getTime();
  return {
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime(),
    before: (count, beforeMs) => cron.previousRuns(count, new Date(beforeMs)).map(toMs).sort((a, b) => a - b),
  };
}
