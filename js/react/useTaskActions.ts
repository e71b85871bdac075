'use client';
import { useCallback, useRef, useState } from 'react';
import type { TaskState } from '../types.ts';
import { isEnded, isEnding } from './appearance.ts';
import { type ActionName, type Panel, usePanel } from './panel.ts';
import { isBlob, reasonOf } from './text.ts';

/** What makes sense for this run now, in the order of the buttons. */
export function actionsFor(state: TaskState, allow: Panel['allow']): ActionName[] {
  const names: ActionName[] = [];
  const { status, phase, reason } = state;
  const alive = !isEnded(state) && !isEnding(state);
  if (allow.download && status === 'completed' && isBlob(state.result)) names.push('download');
  if (status === 'failed' || status === 'cancelled') names.push('retry');
  if (allow.pause && (phase === 'suspended' || phase === 'interrupted' || reason === 'schema-mismatch')) names.push('resume');
  if (allow.pause && alive && status !== 'paused') names.push('pause');
  if (allow.cancel && alive) names.push('cancel');
  if (allow.remove && isEnded(state)) names.push('remove');
  return names;
}

const verbs: Record<ActionName, (panel: Panel, id: string) => Promise<unknown> | undefined> = {
  pause: ({ orchestrator }, id) => orchestrator.pauseTask(id),
  resume: ({ orchestrator }, id) => orchestrator.resumeTask(id),
  cancel: ({ orchestrator }, id) => orchestrator.cancelTask(id),
  retry: ({ orchestrator }, id) => orchestrator.retryTask(id),
  download: ({ orchestrator }, id) => orchestrator.attach(id)?.download(),
  remove: ({ remove }, id) => remove(id),
};

/** Runs one action of a row at a time; `problem` says what did not work, until the next one. */
export function useTaskActions(id: string) {
  const panel = usePanel();
  const [problem, setProblem] = useState<string>();
  const isBusy = useRef(false);
  const perform = useCallback(
    async (action: ActionName) => {
      if (isBusy.current) return;
      isBusy.current = true;
      setProblem(undefined);
      try {
        await verbs[action](panel, id);
      } catch (error) {
        const { format, voice } = panel;
        const reason = reasonOf(error);
        const text = format.label('actionFailed', { action: format.label(action), reason });
        setProblem(text);
        voice.current?.say(text, true);
      } finally {
        isBusy.current = false;
      }
    },
    [panel, id],
  );
  return { perform, problem };
}
