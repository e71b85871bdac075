'use client';
import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { BatchCounts, BatchState, TaskState } from '../types.ts';
import { noTasks } from './inert.ts';
import { useOrchestrator } from './provider.tsx';

/** How a batch stands, of this tab or another one; undefined while it is not known. Renders when one of its items changes, at most once a frame. */
export function useBatch(id: string | undefined): BatchState | undefined {
  const orchestrator = useOrchestrator();
  const subscribe = useCallback((listener: () => void) => orchestrator.subscribe(listener), [orchestrator]);
  const all = useSyncExternalStore(subscribe, () => orchestrator.getAllTasks(), () => noTasks);
  const state = useMemo(() => (id === undefined ? undefined : batchStateOf(id, all)), [id, all]);
  const key = JSON.stringify(state);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same until something of it differs
  return useMemo(() => state, [key]);
}

function batchStateOf(id: string, all: readonly TaskState[]): BatchState | undefined {
  const run = all.find((state) => state.id === id);
  if (!run) return undefined;
  const items = all.filter(({ parentId }) => parentId === id);
  const { runCount: given = 0, rejected = [] } = (run.result ?? {}) as { runCount?: number; rejected?: readonly unknown[] };
  const counts = countsOf(items, rejected.length);
  const open = counts.pending + counts.running;
  const runCount = Math.max(given, items.length);
  const isOver = open === 0 && run.endedAt !== undefined;
  return {
    id, runCount, counts, createdAt: run.createdAt,
    status: open > 0 && run.endedAt !== undefined ? 'running' : run.status,
    progress: isOver ? Math.max(run.progress, (100 * counts.completed) / Math.max(1, runCount)) : progressOf(items, runCount),
    ...(isOver && { completedAt: run.endedAt }),
    ...(run.idempotencyKey !== undefined && { idempotencyKey: run.idempotencyKey }),
  };
}

/** @param rejected items that could not be made, and have no run */
function countsOf(items: readonly TaskState[], rejected: number): BatchCounts {
  const counts = { pending: 0, running: 0, completed: 0, failed: rejected, cancelled: 0 };
  for (const { status } of items) counts[status === 'paused' ? 'pending' : status]++;
  return counts;
}

function progressOf(items: readonly TaskState[], count: number): number {
  const sum = items.reduce((total, { status, progress }) => total + (status === 'failed' || status === 'cancelled' ? 100 : progress), 0);
  return count === 0 ? 0 : sum / count;
}
