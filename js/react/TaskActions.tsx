'use client';
import { useEffect, useRef } from 'react';
import type { TaskState } from '../types.ts';
import { Icon, type IconName } from './Icon.tsx';
import { type ActionName, type TaskRowApi, usePanel } from './panel.ts';
import { clip } from './text.ts';
import { now } from './useNow.ts';

const icons: Record<ActionName, IconName> = {
  pause: 'pause',
  resume: 'play',
  cancel: 'cross',
  retry: 'retry',
  download: 'download',
  remove: 'trash',
};
/** Pause and Resume are one button that changes its word, so the focus stays on it. */
const keys: Partial<Record<ActionName, string>> = { pause: 'toggle', resume: 'toggle' };
const withWord = new Set<ActionName>(['retry', 'download', 'resume']);

interface ActionButtonProps {
  action: ActionName;
  state: TaskState;
  onClick(): void;
}

function ActionButton({ action, state, onClick }: ActionButtonProps) {
  const { format, part } = usePanel();
  const word = format.label(action);
  return (
    <button
      type="button"
      className={part('button', 'hf-button')}
      data-action={action}
      data-worded={withWord.has(action)}
      aria-label={format.label('actionOn', { action: word, name: clip(state.name, 120) })}
      title={word}
      onClick={onClick}
    >
      <Icon name={icons[action]} />
      {withWord.has(action) && <span className="hf-button-word">{word}</span>}
    </button>
  );
}

/** A click that was meant for the button that stood here just now. */
const slipMs = 700;

/** False for a moment after Remove has come where Cancel was: nobody deletes by clicking twice, or a blink too late. */
function useRemoveGuard(removable: boolean): () => boolean {
  const was = useRef(removable);
  const sinceMs = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    if (was.current === removable) return;
    was.current = removable;
    sinceMs.current = now();
  }, [removable]);
  // The time may be set back meanwhile.
  return () => Math.abs(now() - sinceMs.current) >= slipMs;
}

/** The buttons that make sense for this run now. */
export function TaskActions({ state, row }: { state: TaskState; row: TaskRowApi }) {
  const { part, renderActions } = usePanel();
  const own = renderActions?.(state, row);
  const mayRemove = useRemoveGuard(row.actions.includes('remove'));
  const perform = (action: ActionName) => {
    if (action !== 'remove' || mayRemove()) void row.perform(action);
  };
  if (row.actions.length === 0 && !own) return null;
  return (
    <div className={part('actions', 'hf-actions')}>
      {own}
      {row.actions.map((action) => (
        <ActionButton
          key={keys[action] ?? action}
          action={action}
          state={state}
          onClick={() => perform(action)}
        />
      ))}
    </div>
  );
}
