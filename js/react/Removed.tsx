'use client';
/**
 * Remove, and its undo. The bar says what was removed with this panel, for as long as the orchestrator keeps it:
 * there is no clock here, a run that is gone for good or back again leaves the bar by itself.
 */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { StorageFullError } from '../errors.ts';
import type { Duration, OrchestratorApi } from '../types.ts';
import { takesText } from './focus.ts';
import { usePanel } from './panel.ts';
import { clip, isolate, reasonOf } from './text.ts';
import { useSelected } from './useSelected.ts';
import { useLatest } from './useTaskOrchestrator.ts';

interface Removed {
  readonly id: string;
  readonly name: string;
}

const none: readonly Removed[] = [];
const itself = (removed: readonly Removed[]) => removed;

/** Who makes room in a full storage has none for an undo. */
async function removeIn(orchestrator: OrchestratorApi, id: string, undoFor: Duration): Promise<unknown> {
  try {
    return await orchestrator.removeTask(id, { undoFor });
  } catch (error) {
    if (error instanceof StorageFullError) return orchestrator.removeTask(id);
    throw error;
  }
}

/** What was removed with this panel, oldest first, and how that is done. */
export function useRemoved(orchestrator: OrchestratorApi, undoFor: Duration = '10s') {
  const [removed, setRemoved] = useState(none);
  const remove = useCallback(
    async (id: string) => {
      const name = orchestrator.getTaskState(id)?.name ?? id;
      await removeIn(orchestrator, id, undoFor);
      setRemoved((all) => [...all.filter((one) => orchestrator.getTaskState(one.id)?.removedUntil && one.id !== id), { id, name }]);
    },
    [orchestrator, undoFor],
  );
  return { removed, remove };
}

const isUndo = ({ key, ctrlKey, metaKey, shiftKey, altKey, target }: KeyboardEvent) =>
  key.toLowerCase() === 'z' && ctrlKey !== metaKey && !shiftKey && !altKey && !takesText(target);

/** Undo of the keyboard, anywhere in the panel: a list can be long, and the bar is at its end. */
function useUndoKey(within: RefObject<HTMLElement | null>, undo: () => void): void {
  const latest = useLatest(undo);
  useEffect(() => {
    const panel = within.current?.closest('section');
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || !isUndo(event)) return;
      event.preventDefault();
      latest.current();
    };
    panel?.addEventListener('keydown', pressed);
    return () => panel?.removeEventListener('keydown', pressed);
  }, [within, latest]);
}

interface BarProps {
  shown: readonly Removed[];
  /** Gets the focus when the button that had it is gone. */
  fallback: RefObject<HTMLElement | null>;
}

function Bar({ shown, fallback }: BarProps) {
  const { orchestrator, format, part, voice, focus } = usePanel();
  const button = useRef<HTMLButtonElement>(null);
  const [problem, setProblem] = useState<string>();
  const isBusy = useRef(false);
  const last = shown.at(-1)!;
  const words = format.label('removed', { count: shown.length, name: isolate(clip(last.name, 80)) });
  useLayoutEffect(() => voice.current?.say(words), [voice, words]);
  useLayoutEffect(() => {
    const own = button.current;
    return () => {
      if (own === document.activeElement) fallback.current?.focus();
    };
  }, [fallback]);
  const undo = async () => {
    if (isBusy.current) return;
    isBusy.current = true;
    setProblem(undefined);
    focus.expect(last.id, fallback.current);
    try {
      await Promise.all(shown.map(({ id }) => orchestrator.undoRemove(id)));
    } catch (error) {
      const reason = reasonOf(error);
      const text = format.label('actionFailed', { action: format.label('undo'), reason });
      setProblem(text);
      voice.current?.say(text, true);
    } finally {
      isBusy.current = false;
    }
  };
  useUndoKey(button, () => void undo());
  return (
    <div className={part('removed', 'hf-removed')}>
      <p>
        {words}
        {problem && <span className="hf-problem">{problem}</span>}
      </p>
      <button ref={button} type="button" className={part('button', 'hf-button')} data-action="undo" data-worded="true" onClick={() => void undo()}>
        {format.label('undo')}
      </button>
    </div>
  );
}

export function RemovedBar({ removed, fallback }: { removed: readonly Removed[]; fallback: BarProps['fallback'] }) {
  const { orchestrator } = usePanel();
  const subscribe = useCallback((listener: () => void) => orchestrator.subscribe(listener), [orchestrator]);
  const isKept = ({ id }: Removed) => orchestrator.getTaskState(id)?.removedUntil !== undefined;
  const shown = useSelected(subscribe, () => removed.filter(isKept), itself, none);
  return shown.length > 0 ? <Bar shown={shown} fallback={fallback} /> : null;
}
