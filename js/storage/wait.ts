/**
 * Waiting, for the storage rooms: the only place in them that touches the platform's timers, so that
 * tests can put a clock of their own in their stead.
 */

export interface Timers {
  /** Calls back once after `delayMs`; the returned function takes it back. */
  after(delayMs: number, callback: () => void): () => void;
  nowMs(): number;
}

export const systemTimers: Timers = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    // In Node a pending retry must not keep the process alive.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer);
  },
  nowMs: () => performance.now(),
};

export function pause(delayMs: number, timers: Timers): Promise<void> {
  return new Promise((resolve) => void timers.after(delayMs, resolve));
}

/** Whatever came in meanwhile has its turn first. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Settles as `work` does, or rejects with `late()` when that takes longer than `limitMs`: nothing ever hangs. */
export function within<T>(limitMs: number, timers: Timers, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = timers.after(limitMs, () => reject(late()));
    work.then(
      (value) => (cancel(), resolve(value)),
      (error: unknown) => (cancel(), reject(error)),
    );
  });
}
