/**
 * Changes of a run that goes on, made in its drawing.
 *
 * Invariant: the run's graph decides; what it refuses has changed nothing, and is told in words.
 */
import type { TaskGraph } from 'holdfast/graph';
import type { Action } from './editor.ts';

/** What of a run can be changed in its drawing. */
export type LiveAction = Extract<Action, { type: 'remove' | 'setConfig' }>;

export const isLiveAction = (action: Action): action is LiveAction => action.type === 'remove' || (action.type === 'setConfig' && action.name === 'disabled');

/** @throws what the graph refuses */
export async function changeRun(graph: TaskGraph, action: LiveAction): Promise<void> {
  if (action.type === 'setConfig') {
    const task = graph.getTask(action.id);
    return action.value === true ? task?.disable() : task?.enable();
  }
  graph.batch(() => {
    for (const id of action.edges) graph.removeDataflow(id as Parameters<TaskGraph['removeDataflow']>[0]);
    for (const id of action.tasks) graph.removeTask(id);
  });
}

/** The node that has begun, and how it is; undefined: it was refused for something else. */
export function begunOf(error: unknown): { taskId: string; status: string } | undefined {
  const { data } = error as { data?: { taskId?: unknown; status?: unknown } };
  return typeof data?.taskId === 'string' && typeof data.status === 'string' ? { taskId: data.taskId, status: data.status } : undefined;
}
