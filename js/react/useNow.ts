'use client';
/**
 * Time for the eye. The panel's only clock: nothing here decides anything about a task, so it may
 * read the system's time where the rest of the project asks `clock.ts`.
 */
import { useCallback, useSyncExternalStore } from 'react';

const tickMs = 1000;
const listeners = new Set<() => void>();
let stopTicking: (() => void) | undefined;

/** Milliseconds since the epoch. */
export const now = () => Date.now();

/** Calls again and again until the returned function is called. */
export function every(periodMs: number, call: () => void): () => void {
  const timer = setInterval(call, periodMs);
  return () => clearInterval(timer);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  stopTicking ??= every(tickMs, () => {
    for (const each of listeners) each();
  });
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    stopTicking?.();
    stopTicking = undefined;
  };
}

const onServer = () => undefined;

/** The time, rounded down to `stepMs`: re-renders once per step. undefined on a server. One timer for all. */
export function useNow(stepMs: number): number | undefined {
  const read = useCallback(() => Math.floor(now() / stepMs) * stepMs, [stepMs]);
  return useSyncExternalStore<number | undefined>(subscribe, read, onServer);
}
