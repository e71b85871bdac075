/**
 * Where a run is, in the words of others: of the systems people come from, and as yes or no.
 * Pure functions of a TaskState.
 */
import { ConfigurationError } from '../errors.ts';
import type { TaskPhase, TaskState, TaskStatus } from '../types.ts';

/** Whose words: `projectStatus(state, …)`. */
export type StatusVocabulary = 'dataflow' | 'mageflow' | 'trigger.dev' | 'workglow-task' | 'workglow-job';

const vocabularies: readonly StatusVocabulary[] = ['dataflow', 'mageflow', 'trigger.dev', 'workglow-task', 'workglow-job'];

/** A row per phase, a column per vocabulary. */
const rows: Readonly<Record<TaskPhase | 'unregistered', readonly string[]>> = {
  delayed: ['pending', 'pending', 'DELAYED', 'PENDING', 'PENDING'],
  blocked: ['pending', 'pending', 'QUEUED', 'PENDING', 'PENDING'],
  unregistered: ['paused', 'pending', 'PENDING_VERSION', 'PENDING', 'PENDING'],
  queued: ['pending', 'pending', 'QUEUED', 'PENDING', 'PENDING'],
  running: ['running', 'active', 'EXECUTING', 'PROCESSING', 'PROCESSING'],
  waiting: ['running', 'active', 'WAITING', 'PROCESSING', 'PROCESSING'],
  retrying: ['pending', 'active', 'QUEUED', 'PROCESSING', 'PENDING'],
  suspended: ['paused', 'suspended', 'QUEUED', 'PENDING', 'PENDING'],
  interrupted: ['paused', 'interrupted', 'QUEUED', 'PENDING', 'PENDING'],
  cancelling: ['running', 'canceled', 'EXECUTING', 'ABORTING', 'ABORTING'],
  stopping: ['running', 'active', 'EXECUTING', 'ABORTING', 'ABORTING'],
  completed: ['completed', 'done', 'COMPLETED', 'COMPLETED', 'COMPLETED'],
  failed: ['failed', 'failed', 'FAILED', 'FAILED', 'FAILED'],
  timedOut: ['failed', 'failed', 'TIMED_OUT', 'FAILED', 'FAILED'],
  expired: ['failed', 'failed', 'EXPIRED', 'FAILED', 'FAILED'],
  quarantined: ['failed', 'failed', 'CRASHED', 'FAILED', 'FAILED'],
  cancelled: ['failed', 'canceled', 'CANCELED', 'FAILED', 'FAILED'],
};

/** `trigger.dev` tells failures of the task from those of what runs it. */
const systemFailures: Readonly<Record<string, string>> = { WORKER_CRASHED: 'CRASHED', CORE_CRASHED: 'SYSTEM_FAILURE' };

/** @throws ConfigurationError for a vocabulary nobody knows */
export function projectStatus(state: Pick<TaskState, 'phase' | 'reason' | 'error'>, vocabulary: StatusVocabulary): string {
  const column = vocabularies.indexOf(vocabulary);
  if (column < 0) throw new ConfigurationError(`There is no vocabulary ${JSON.stringify(vocabulary)}. Known are: ${vocabularies.join(', ')}.`);
  const { phase, reason, error } = state;
  if (phase === 'failed' && vocabulary === 'trigger.dev') {
    const code = String((error as { code?: unknown } | null)?.code);
    if (Object.hasOwn(systemFailures, code)) return systemFailures[code]!;
  }
  return rows[reason === 'missing-definition' ? 'unregistered' : phase][column]!;
}

export const taskStatuses: readonly TaskStatus[] = ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'];

/** Nothing happens to it any more, unless it is retried. */
export function hasEnded(status: TaskStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

type Placed = Pick<TaskState, 'phase' | 'status'>;

const unsuccessful: readonly TaskPhase[] = ['failed', 'timedOut', 'expired', 'quarantined'];

/** Has not started, or waits to start again. */
export function isQueued({ phase }: Placed): boolean {
  return phase === 'queued' || phase === 'delayed' || phase === 'blocked' || phase === 'retrying';
}
/** Its code runs now, also while it has been asked to stop. */
export function isExecuting({ phase }: Placed): boolean {
  return phase === 'running' || phase === 'cancelling' || phase === 'stopping';
}
/** Its own code waits; its slot is free. */
export function isWaiting({ phase }: Placed): boolean {
  return phase === 'waiting';
}
/** Has ended, however. */
export function isCompleted(state: Placed): boolean {
  return isSuccess(state) || isFailed(state) || isCanceled(state);
}
export function isCanceled({ phase }: Placed): boolean {
  return phase === 'cancelled';
}
/** Ended without a result, and nobody cancelled it. */
export function isFailed({ phase }: Placed): boolean {
  return unsuccessful.includes(phase);
}
export function isSuccess({ phase }: Placed): boolean {
  return phase === 'completed';
}
