/**
 * What tabs know each other by: locks, which end with their tab, and channels. The browser's, unless a test
 * makes tabs of its own within one page.
 */

export interface TabLocks {
  request(name: string, options: { mode?: 'shared' | 'exclusive'; ifAvailable?: boolean; signal?: AbortSignal }, callback: (lock: object | null) => unknown): Promise<unknown>;
  query(): Promise<{ held?: readonly { name?: string }[] }>;
}

export interface TabChannel {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

export interface TabPlatform {
  /** undefined: there are none, and a second tab can't be told from this one. */
  readonly locks: TabLocks | undefined;
  /** undefined: nothing can be said to others. */
  channel(name: string): TabChannel | undefined;
}

const ofBrowser: TabPlatform = {
  get locks() {
    return (globalThis.navigator as { locks?: TabLocks } | undefined)?.locks;
  },
  channel: (name) => (typeof BroadcastChannel === 'function' ? new BroadcastChannel(name) : undefined),
};

/** @param tabs as `createOrchestrator` was told */
export function platformOf(tabs: boolean | TabPlatform | undefined): TabPlatform {
  return typeof tabs === 'object' ? tabs : ofBrowser;
}
