'use client';
import type { CSSProperties } from 'react';
import type { TaskState } from '../types.ts';
import type { Format } from './format.ts';
import { usePanel } from './panel.ts';
import { progressOf, type TaskProgress } from './useTaskProgress.ts';

export const isGuess = ({ source }: TaskProgress) => source === 'simulated' || source === 'estimated';

/** A run that moves, or one that stopped on its way. */
export function hasBar(state: TaskState): boolean {
  return state.status === 'running' || (state.status === 'paused' && state.phase !== 'blocked' && state.progress > 0);
}

/** In words, for those who do not see that a guess is drawn with stripes. */
function valueText(progress: TaskProgress, format: Format): string {
  const words = [format.percent(progress.progress)];
  if (isGuess(progress)) words.push(format.label('estimated'));
  if (progress.isFinalizing) words.push(format.label('finalizing'));
  return words.join(', ');
}

/** An indeterminate bar has neither valuenow nor valuetext: with one, Firefox takes it for a known value. */
export function TaskProgressBar({ state, labelledBy }: { state: TaskState; labelledBy: string }) {
  const { format, part } = usePanel();
  const progress = progressOf(state);
  const known = progress.indeterminate
    ? {}
    : { 'aria-valuenow': Math.round(Math.min(progress.progress, 99)), 'aria-valuetext': valueText(progress, format) };
  return (
    <div
      role="progressbar"
      className={part('progress', 'hf-bar')}
      aria-labelledby={labelledBy}
      aria-valuemin={0}
      aria-valuemax={100}
      {...known}
      data-guess={isGuess(progress)}
      data-indeterminate={progress.indeterminate}
      data-paused={state.status === 'paused'}
    >
      <div className="hf-bar-fill" style={{ '--hf-progress': progress.progress / 100 } as CSSProperties} />
    </div>
  );
}
