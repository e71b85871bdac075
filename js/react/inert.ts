/**
 * What hooks see while rendering on a server: no tasks, storage still opening. It reads like an
 * orchestrator that has not started, so the server's HTML is the browser's first one.
 */
import { DisposedError } from '../errors.ts';
import type { OrchestratorApi, StorageState, TaskCounts, TaskState } from '../types.ts';

export const noTasks: readonly TaskState[] = Object.freeze([]);
export const openingStorage: StorageState = Object.freeze({ name: '', durability: 'memory', status: 'opening' });

const counts: TaskCounts = Object.freeze({
  pending: 0,
  running: 0,
  paused: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  total: 0,
});
const nothing = () => undefined;
const unsubscribe = () => nothing;

function refuse(): never {
  throw new DisposedError(
    'No task can be started while rendering on a server. Call this in an effect or an event handler.',
  );
}
const refuseLater = async () => refuse();

export const inertOrchestrator: OrchestratorApi = Object.freeze({
  ready: new Promise<never>(nothing),
  storageState: openingStorage,
  executeTask: refuseLater,
  trigger: refuse,
  run: refuseLater,
  attach: nothing,
  getTaskState: nothing,
  getAllTasks: () => noTasks,
  list: () => ({ items: [] }),
  counts: () => counts,
  cancelTask: refuseLater,
  pauseTask: refuseLater,
  resumeTask: refuseLater,
  retryTask: refuseLater,
  removeTask: refuseLater,
  undoRemove: refuseLater,
  stream: refuse,
  providePayload: refuseLater,
  cleanupCompletedTasks: refuseLater,
  clearAllTasks: refuseLater,
  on: unsubscribe,
  subscribe: unsubscribe,
  subscribeTask: unsubscribe,
  why: () => '',
  dispose: async () => {},
});
