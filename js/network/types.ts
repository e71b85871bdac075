/** Shapes of what a run has to do with the network. */
import type { Duration } from '../types.ts';

/**
 * `online`: while there is no network it does not start, and what fails for want of it does not count.
 * `always`: it cares for no network. `offlineFirst`: as `online`, but its first attempt starts in any case.
 */
export type NetworkMode = 'online' | 'always' | 'offlineFirst';

/** How it is known whether there is a network. */
export interface ConnectivityOptions {
  /**
   * Asked when the page opens, when the browser or `subscribe` says that something changed, when an attempt fails
   * for want of the network, and every `checkEvery` while the last answer was false. Default: `navigator.onLine`,
   * which counts too until the first answer and where one fails, is no boolean or takes more than 10 s.
   */
  isOnline?(): boolean | Promise<boolean>;
  /** Calls back whenever `isOnline` may have another answer; gives what ends that. */
  subscribe?(changed: () => void): () => void;
  /** Default 5 s. */
  checkEvery?: Duration;
  /** Runs that waited begin within this time after the network came back, each at a random moment. Default 1 s. */
  jitter?: Duration;
}
