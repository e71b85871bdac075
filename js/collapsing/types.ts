/** Calls that become one run: the shapes of debounce and throttle. */
import type { Duration } from '../types.ts';

/** Calls for a task under one key become one run, as long as that has not begun. */
export interface DebounceOptions {
  /** Of the task. At most 512 bytes. Default: all calls of the task. */
  key?: string;
  /** It begins so long after the last call. */
  delay: Duration;
  /**
   * `leading` (default): the run keeps what the first call gave, and each further one puts its start off. `trailing`: it
   * gets what the last call gave: payload, metadata and tags.
   */
  mode?: 'leading' | 'trailing';
  /** It begins so long after the first call at the latest; more than `delay`. Default: no such end. */
  maxDelay?: Duration;
}

/** At most so many runs of a task (or of one key) begin in a period; what more is called becomes one run, or none. */
export interface ThrottleOptions<Payload = any> {
  /** Default 1. */
  limit?: number;
  /** From the first run on, then one after the other. */
  period: Duration;
  /** The first calls of a period make runs that begin at once. Default true. */
  leading?: boolean;
  /** Further calls become one run, which gets what the last of them gave and begins when the period is over. Default true; false: their handles are those of the last run. */
  trailing?: boolean;
  /** What is counted by itself. At most 512 bytes. Default: the whole task. */
  key?: string | ((payload: Payload) => string);
}

/** Of a definition. */
export interface CollapseOptions<Payload = any> {
  debounce?: Omit<DebounceOptions, 'key'> & { key?: string | ((payload: Payload) => string) };
  throttle?: ThrottleOptions<Payload>;
}
