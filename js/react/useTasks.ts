'use client';
import { useCallback, useMemo } from 'react';
import type { TaskState } from '../types.ts';
import { noTasks } from './inert.ts';
import { useOrchestrator } from './provider.tsx';
import { matches, type TaskFilter } from './selection.ts';
import { useSelected } from './useSelected.ts';

/** A filter keeps its identity while it says the same, so it may be written inline. */
export function useStableFilter(filter: TaskFilter | undefined): TaskFilter | undefined {
  const key = typeof filter === 'function' ? filter : JSON.stringify(filter);
  // biome-ignore lint/correctness/useExhaustiveDependencies: compared by what it says
  return useMemo(() => filter, [key]);
}

/** The runs that match, newest first. The same array until one of them changes. */
export function useTasks(filter?: TaskFilter): readonly TaskState[] {
  const orchestrator = useOrchestrator();
  const stable = useStableFilter(filter);
  const subscribe = useCallback((listener: () => void) => orchestrator.subscribe(listener), [orchestrator]);
  const select = useCallback(
    (all: readonly TaskState[]) => {
      if (!stable) return all;
      const found = all.filter((state) => matches(state, stable));
      return typeof stable === 'object' && stable.limit !== undefined ? found.slice(0, stable.limit) : found;
    },
    [stable],
  );
  return useSelected(subscribe, () => orchestrator.getAllTasks(), select, noTasks);
}
