'use client';
import { useCallback, useMemo } from 'react';
import type { TaskState } from '../types.ts';
import { noTasks } from './inert.ts';
import { useOrchestrator } from './provider.tsx';
import { matching, type TaskFilter } from './selection.ts';
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
      const found = all.filter(matching(stable, 'useTasks'));
      return typeof stable === 'object' && stable.limit !== undefined ? found.slice(0, stable.limit) : found;
    },
    [stable],
  );
  const read = () => {
    const { hidden = false, removed = false } = typeof stable === 'object' ? stable : {};
    return hidden || removed ? orchestrator.list({ hidden, removed, limit: 2 ** 31 - 1 }).items : orchestrator.getAllTasks();
  };
  return useSelected(subscribe, read, select, noTasks);
}
