'use client';
import { type RefObject, useEffect, useRef, useState } from 'react';
import { usePanel } from './panel.ts';
import { reasonOf } from './text.ts';

interface QuestionProps {
  total: number;
  active: number;
  onAnswer(clear: boolean): void;
}

/** Asks in place, and starts on the harmless answer. */
function Question({ total, active, onAnswer }: QuestionProps) {
  const { format } = usePanel();
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => keep.current?.focus(), []);
  const words = [format.label('clearAllQuestion', { count: total })];
  if (active > 0) words.push(format.label('clearAllRunning', { count: active }));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would be styled by the host page
    <div
      className="hf-question"
      role="group"
      aria-label={words.join(' ')}
      onKeyDown={(event) => event.key === 'Escape' && onAnswer(false)}
    >
      <p>{words.join(' ')}</p>
      <button ref={keep} type="button" className="hf-button" data-worded="true" onClick={() => onAnswer(false)}>
        {format.label('clearAllKeep')}
      </button>
      <button type="button" className="hf-button" data-worded="true" data-action="clear" onClick={() => onAnswer(true)}>
        {format.label('clearAllConfirm')}
      </button>
    </div>
  );
}

interface ClearAllProps {
  total: number;
  active: number;
  /** Gets the focus when nothing is left. */
  fallback: RefObject<HTMLElement | null>;
}

export function ClearAll({ total, active, fallback }: ClearAllProps) {
  const { format, orchestrator, voice } = usePanel();
  const [isAsking, setAsking] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const answer = async (clear: boolean) => {
    setAsking(false);
    (clear ? fallback.current : opener.current)?.focus();
    if (!clear) return;
    try {
      await orchestrator.clearAllTasks();
    } catch (error) {
      const reason = reasonOf(error);
      voice.current?.say(format.label('actionFailed', { action: format.label('clearAll'), reason }), true);
    }
  };
  return (
    <>
      <button
        ref={opener}
        type="button"
        className="hf-button hf-clear"
        data-worded="true"
        aria-expanded={isAsking}
        onClick={() => setAsking(!isAsking)}
      >
        {format.label('clearAll')}
      </button>
      {isAsking && <Question total={total} active={active} onAnswer={(clear) => void answer(clear)} />}
    </>
  );
}
