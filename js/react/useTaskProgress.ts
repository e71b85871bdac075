'use client';
import type { ProgressSource, TaskState } from '../types.ts';
import { useTask } from './useTask.ts';

export interface TaskProgress {
  /** 0-100. */
  readonly progress: number;
  /** `simulated` and `estimated` are guesses and have to look like one. */
  readonly source: ProgressSource | undefined;
  readonly message: string | undefined;
  readonly remainingMs: number | undefined;
  /** Running and at 95 % or more: what is left is finishing up. */
  readonly isFinalizing: boolean;
  /** Running and nothing is known: show movement, not a number. */
  readonly indeterminate: boolean;
}

export function progressOf(state: TaskState | undefined): TaskProgress {
  const running = state?.status === 'running';
  return {
    progress: state?.progress ?? 0,
    source: state?.progressSource,
    message: state?.progressMessage,
    remainingMs: state?.remainingMs,
    isFinalizing: running && state.progressSource !== undefined && state.progress >= 95,
    indeterminate: running && state.progressSource === undefined,
  };
}

/** How far one run is; re-renders only when that changes. */
export function useTaskProgress(id: string | undefined): TaskProgress {
  return useTask(id, progressOf);
}
