/**
 * What the pump needs of its house: who carries out what the core's events mean.
 * Invariant: nothing here is called while the core is being stepped.
 */
import type { EventLog } from '../events/event-log.ts';
import type { Journal } from '../journal/journal.ts';
import type { Run } from '../runs/run.ts';
import type { TimeWatchHost } from '../time/time-watch.ts';

/** What events mean for the code of a run. */
export interface PumpedAttempts {
  start(run: Run, attempt: number): void;
  /** It has a slot again. */
  resumed(run: Run): void;
  /** It asked to give its slot back, and keeps it. */
  waitRefused(run: Run): void;
  /** Its own code waits; a pause is no such thing. */
  waited(run: Run): void;
  /** Woken, and in line for a slot. */
  woken(run: Run): void;
  alarmRang(run: Run): void;
  stopping(run: Run, reason: number): void;
  /** Its parent was over, or its group, before the core knew that it belongs there. */
  orphaned(run: Run): void;
  abandoned(run: Run): void;
}

export interface PumpHost extends TimeWatchHost {
  readonly journal: Journal | undefined;
  readonly eventLog: EventLog;
  /** Pushes the commands that create this run. False: it is refused, and was told so. */
  create(run: Run): boolean;
  refuse(run: Run, error: unknown): void;
  /** People's code. */
  readonly attempts: PumpedAttempts;
  /** Groups of the core. */
  readonly groups: { heard(group: number, succeeded: number, endedBadly: number): void };
  attemptFailed(run: Run): void;
  /** In the core; not yet acknowledged. */
  ended(run: Run): void;
  /** The events of a step are read. People may hear of them now. */
  stepped(): void;
  forgotten(run: Run): void;
  /** Something people see changed. */
  changed(run: Run): void;
  crashed(error: unknown): void;
}
