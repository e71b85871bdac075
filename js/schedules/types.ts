/** The shapes of schedules: when a task runs by itself, and what is asked of that. */
import type { Duration, Instant, Task } from '../types.ts';

/** What a task gets that runs by a schedule. */
export interface ScheduledTaskPayload {
  /** The moment it was due, whenever it runs. */
  readonly timestamp: Date;
  /** When it was due the time before; undefined the first time. */
  readonly lastTimestamp?: Date;
  /** IANA name, as the schedule says. */
  readonly timezone: string;
  readonly scheduleId: string;
  readonly externalId?: string;
  /** The next five moments. */
  readonly upcoming: readonly Date[];
}

/** When: by `cron` or `every`, one of the two. */
export interface ScheduleTiming {
  /**
   * Minute, hour, day of month, month, day of week; a sixth field in front is the second. Lists, ranges, steps, names
   * (`MON`, `JAN`), `L` for the last. A local time that a change of clocks skips is due at the next one there is, one that
   * comes twice is due once.
   */
  cron?: string | { pattern: string; timezone?: string };
  /** IANA name, as `Europe/Berlin`. Default `UTC`. */
  timezone?: string;
  /** Each so often, from `startAt` on, or from when it was made; at least a second. */
  every?: Duration;
  /** Not before. */
  startAt?: Instant;
  /** Not after. */
  endAt?: Instant;
  /** So often in all; what `overlap` left out does not count. */
  limit?: number;
  /** Starts up to so much later, spread over schedules, each always by the same: a duration, or a share of the time to the next (`'30%'`). */
  window?: Duration;
  /**
   * What was due while nobody could run it (no page open, asleep; more than a minute late): `skip` (default) leaves it out,
   * `latest` runs once, `all` the last 100, `{ max }` the last so many.
   */
  catchUp?: 'skip' | 'latest' | 'all' | { max: number };
  /**
   * What happens while the run of the time before is still alive: `skip` (default) runs nothing, `queue` waits for its end, `cancel-previous`
   * cancels it, `allow` runs both. What is caught up together is no overlap for `skip`: it runs one after the other.
   */
  overlap?: 'skip' | 'queue' | 'cancel-previous' | 'allow';
}

/** Of a definition. */
export interface DefinedTiming extends ScheduleTiming {
  /** Only where `createOrchestrator({ environment })` is one of them: `['production', 'preview']`. Default: everywhere. */
  environments?: readonly string[];
}

export interface CreateScheduleOptions extends ScheduleTiming {
  /** The task, or its id. It need not be known here yet: its runs wait until it is. */
  task: Task<string, ScheduledTaskPayload> | string;
  /** Yours; the task gets it. At most 128 bytes. */
  externalId?: string;
  /** A second schedule under it is the first one, changed to what this call says. At most 128 bytes. */
  deduplicationKey?: string;
}

/** What is not said stays as it is; `cron` and `every` replace each other. */
export type UpdateScheduleOptions = Omit<CreateScheduleOptions, 'deduplicationKey' | 'task'>;

export interface Schedule {
  readonly id: string;
  readonly task: string;
  /** By its task's definition, or made by `schedules.create`. */
  readonly type: 'declarative' | 'imperative';
  /** false: deactivated. */
  readonly active: boolean;
  readonly cron?: string;
  readonly everyMs?: number;
  readonly timezone: string;
  readonly externalId?: string;
  readonly deduplicationKey?: string;
  /** undefined: it is deactivated, or over. */
  readonly nextRun?: Date;
  /** When it was due last and ran. */
  readonly lastRun?: Date;
  readonly lastRunId?: string;
  /** How often it has made a run. */
  readonly fired: number;
  /** Why the last one could not be made. */
  readonly lastError?: string;
}

/** `orchestrator.schedules`. */
export interface SchedulesApi {
  /** Resolves when it is stored. @throws ConfigurationError */
  create(options: CreateScheduleOptions): Promise<Schedule>;
  /** Counts from now on: of what was due before nothing is caught up. @throws ConfigurationError */
  update(id: string, options: UpdateScheduleOptions): Promise<Schedule>;
  /** What was due while it was inactive is not caught up. @throws ConfigurationError for an id nobody knows */
  activate(id: string): Promise<Schedule>;
  deactivate(id: string): Promise<Schedule>;
  /** Its runs stay. false: there is none of that id. */
  del(id: string): Promise<boolean>;
  /** Of all tabs, by task. */
  list(filter?: { task?: string }): Promise<Schedule[]>;
  retrieve(id: string): Promise<Schedule | undefined>;
  /** IANA names that this browser knows. */
  timezones(): Promise<string[]>;
}
