/** Runs whose code is called once for many: the shapes of micro-batching. */
import type { Duration } from '../types.ts';

/** Its `run` gets a list of inputs and gives a list of outputs, one for each in their order. */
export interface BatchEventsOptions<Payload = any> {
  /** So many at most; then it begins at once. From 1 on. */
  maxSize: number;
  /** So long after the first at the latest. */
  timeout: Duration;
  /** Only runs of one key come together. Default: all of the task. */
  key?: string | ((payload: Payload) => string);
  /** false: this one is not collected, its code is called at once with it alone. */
  if?: (payload: Payload) => boolean;
}
