/**
 * What a page has too much of: tasks that keep it from answering, and memory. From what the browser tells, where it does.
 * Invariant: nothing is watched while nobody's runs are.
 */
import type { Clock } from '../time/clock.ts';

/** Of a second, how much of it long tasks (50 ms or more) may take. */
const mostBusy = 0.3;
/** Of the heap that the page may have. */
const mostUsed = 0.8;
const lookEveryMs = 1000;

export interface PageLoad {
  watch(on: boolean): void;
  close(): void;
}

interface Heap {
  readonly usedJSHeapSize: number;
  readonly jsHeapSizeLimit: number;
}

/**
 * `performance.memory` is Chromium's. `measureUserAgentSpecificMemory` is not asked: it takes seconds, wants the page isolated,
 * and knows of no most to compare with.
 */
const heapOf = () => (globalThis.performance as Performance & { memory?: Heap } | undefined)?.memory;

export function watchPage(clock: Clock, pressed: (reason: 'long-tasks' | 'memory') => void): PageLoad {
  let [busyMs, isOn, isClosed] = [0, false, false];
  let cancel: (() => void) | undefined;
  const observer = longTasks((durationMs) => void (busyMs += durationMs));
  const look = () => {
    cancel = undefined;
    if (busyMs > mostBusy * lookEveryMs) pressed('long-tasks');
    const heap = heapOf();
    if (heap && heap.usedJSHeapSize > mostUsed * heap.jsHeapSizeLimit) pressed('memory');
    busyMs = 0;
    if (isOn && !isClosed) cancel = clock.schedule(clock.now() + lookEveryMs, look);
  };
  return {
    watch(on) {
      isOn = on && (observer !== undefined || heapOf() !== undefined);
      if (!isOn || cancel || isClosed) return;
      busyMs = 0;
      cancel = clock.schedule(clock.now() + lookEveryMs, look);
    },
    close() {
      isClosed = true;
      cancel?.();
      observer?.disconnect();
    },
  };
}

function longTasks(took: (durationMs: number) => void): PerformanceObserver | undefined {
  if (typeof PerformanceObserver !== 'function' || !PerformanceObserver.supportedEntryTypes?.includes('longtask')) return undefined;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) took(duration);
  });
  observer.observe({ type: 'longtask', buffered: false });
  return observer;
}
