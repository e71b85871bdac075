/** How each phase looks: a word, a shape and a tone. The word and the shape always say it without the colour. */
import type { TaskState } from '../types.ts';
import type { IconName } from './Icon.tsx';
import type { LabelKey } from './labels.ts';
import { kindOf } from './members.ts';
import { progressOf } from './useTaskProgress.ts';

export type Tone = 'accent' | 'good' | 'bad' | 'warn' | 'quiet';

export interface Appearance {
  readonly label: LabelKey;
  readonly icon: IconName;
  readonly tone: Tone;
}

const appearances: Record<TaskState['phase'] | 'finalizing', Appearance> = {
  delayed: { label: 'delayed', icon: 'clock', tone: 'quiet' },
  blocked: { label: 'blocked', icon: 'lock', tone: 'warn' },
  queued: { label: 'queued', icon: 'dots', tone: 'quiet' },
  running: { label: 'running', icon: 'spinner', tone: 'accent' },
  finalizing: { label: 'finalizing', icon: 'spinner', tone: 'accent' },
  waiting: { label: 'waiting', icon: 'hourglass', tone: 'accent' },
  retrying: { label: 'retrying', icon: 'retry', tone: 'warn' },
  suspended: { label: 'suspended', icon: 'pause', tone: 'quiet' },
  interrupted: { label: 'interrupted', icon: 'pause', tone: 'quiet' },
  cancelling: { label: 'cancelling', icon: 'spinner', tone: 'quiet' },
  stopping: { label: 'stopping', icon: 'spinner', tone: 'quiet' },
  completed: { label: 'completed', icon: 'check', tone: 'good' },
  failed: { label: 'failed', icon: 'alert', tone: 'bad' },
  timedOut: { label: 'timedOut', icon: 'clock', tone: 'bad' },
  expired: { label: 'expired', icon: 'hourglass', tone: 'bad' },
  quarantined: { label: 'quarantined', icon: 'shield', tone: 'bad' },
  cancelled: { label: 'cancelled', icon: 'slash', tone: 'quiet' },
};

export function appearanceOf(state: TaskState): Appearance {
  const finalizing = state.phase === 'running' && progressOf(state).isFinalizing;
  // A container that waits for its members is at work.
  const phase = state.phase === 'waiting' && kindOf(state) ? 'running' : state.phase;
  return appearances[finalizing ? 'finalizing' : phase];
}

export const isEnded = ({ status }: TaskState) =>
  status === 'completed' || status === 'failed' || status === 'cancelled';
export const isEnding = ({ phase }: TaskState) => phase === 'cancelling' || phase === 'stopping';
