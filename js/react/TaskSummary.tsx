'use client';
import type { ReactNode } from 'react';
import { scheduleOf } from '../schedules/state.ts';
import type { TaskState } from '../types.ts';
import { isEnding } from './appearance.ts';
import type { Format } from './format.ts';
import { kindOf } from './members.ts';
import { usePanel } from './panel.ts';
import { RelativeTime } from './RelativeTime.tsx';
import { isGuess } from './TaskProgressBar.tsx';
import { clip } from './text.ts';
import { progressOf } from './useTaskProgress.ts';

const endOf = (state: TaskState) => state.endedAt ?? state.lastUpdated;
const theirs = (text: string) => <bdi>{clip(text, 300)}</bdi>;

/** One more fact of the line, after a dot. Isolated, for the page may run the other way than the words. */
function Part({ isNumber = false, children }: { isNumber?: boolean; children: ReactNode }) {
  return (
    <span className={isNumber ? 'hf-part hf-number' : 'hf-part'}>
      <bdi>{children}</bdi>
    </span>
  );
}

function runningWords(state: TaskState, format: Format): ReactNode {
  if (isEnding(state)) return format.label('cancellingMessage');
  const { isFinalizing } = progressOf(state);
  const own = state.progressMessage ?? state.progressStep ?? state.progressPhase;
  if (own) return theirs(own);
  const nextRun = scheduleOf(state)?.nextRun;
  if (nextRun) return <RelativeTime atMs={nextRun.getTime()} label="startsIn" overdue="starting" />;
  if (state.phase === 'waiting' && kindOf(state)) return format.label('working');
  if (state.phase === 'waiting') return format.label(state.reason ? `blocked.${state.reason}` : 'waitingMessage');
  return format.label(isFinalizing ? 'finalizingMessage' : 'working');
}

function pendingWords(state: TaskState, format: Format): ReactNode {
  if (state.missing?.length) return format.label('missingFiles', { count: state.missing.length });
  if (state.reason === 'breaker' && state.retryAt !== undefined) return <RelativeTime atMs={state.retryAt} label="heldUntil" overdue="blocked.breaker" />;
  if (state.phase === 'blocked') return format.label(`blocked.${state.reason ?? 'dependencies'}`);
  if (state.retryAt === undefined) return format.label('queuedMessage');
  if (state.phase === 'delayed') return <RelativeTime atMs={state.retryAt} label="startsIn" overdue="starting" />;
  const values = { attempt: state.attempt, max: state.maxRetries + 1 };
  return <RelativeTime atMs={state.retryAt} label="nextAttempt" values={values} overdue="nextAttemptNow" />;
}

function pausedWords(state: TaskState, format: Format): ReactNode {
  if (state.phase === 'blocked') return pendingWords(state, format);
  if (state.progress <= 0) return format.label('pausedMessage');
  return format.label('pausedAt', { progress: format.percent(state.progress) });
}

function failedWords(state: TaskState, format: Format): ReactNode {
  if (state.phase === 'quarantined') return format.label('quarantinedMessage');
  return state.error?.message ? theirs(state.error.message) : format.label('failed');
}

function words(state: TaskState, format: Format): ReactNode {
  switch (state.status) {
    case 'running':
      return runningWords(state, format);
    case 'paused':
      return pausedWords(state, format);
    case 'completed':
      return <RelativeTime atMs={endOf(state)} label="finished" />;
    case 'failed':
      return failedWords(state, format);
    case 'cancelled':
      return <RelativeTime atMs={endOf(state)} label="cancelledAt" />;
    default:
      return pendingWords(state, format);
  }
}

/** How far and how long still, or how long it took. */
function Numbers({ state }: { state: TaskState }) {
  const { format } = usePanel();
  const progress = progressOf(state);
  if (state.status === 'completed') {
    const duration = format.duration(Math.max(0, endOf(state) - state.startTime));
    return <Part>{format.label('took', { duration })}</Part>;
  }
  if (state.status !== 'running' || isEnding(state)) return null;
  const percent = format.percent(progress.progress);
  return (
    <>
      {!progress.indeterminate && (
        <Part isNumber>{isGuess(progress) ? format.label('approximately', { progress: percent }) : percent}</Part>
      )}
      {progress.remainingMs !== undefined && (
        <Part>{format.label('remaining', { duration: format.duration(progress.remainingMs) })}</Part>
      )}
    </>
  );
}

/** The second line of a row: what happens now, in the words of the task where it gave some. */
export function TaskSummary({ state }: { state: TaskState }) {
  const { format } = usePanel();
  const kind = kindOf(state);
  return (
    <div className="hf-summary">
      <span className="hf-summary-words">{words(state, format)}</span>
      <Numbers state={state} />
      {kind && <Part>{format.label(kind)}</Part>}
      {!state.local && <Part>{format.label('otherTab')}</Part>}
    </div>
  );
}
