'use client';
import { useEffect, useRef, useState } from 'react';
import type { OrchestratorApi } from '../types.ts';
import { Announcements, type Message } from './announcements.ts';
import type { Format } from './format.ts';
import { every, now } from './useNow.ts';
import { useLatest } from './useTaskOrchestrator.ts';

export const announcePeriodMs = 3000;

/** Lets any part of the panel say something, while the regions are there. */
export interface Voice {
  say(text: string, urgent?: boolean): void;
}

interface AnnouncerProps {
  orchestrator: OrchestratorApi;
  format: Format;
  /** Filled in while mounted. */
  voice: { current: Voice | undefined };
}

/** Feeds `tell` with one message at a time, `announcePeriodMs` apart; no timer runs while there is nothing to say. */
function startTelling(orchestrator: OrchestratorApi, format: { current: Format }, tell: (message: Message) => void) {
  const announcements = new Announcements(orchestrator.getAllTasks(), now());
  let stopPace: (() => void) | undefined;
  const tellNext = () => {
    const message = announcements.next(format.current);
    if (message) return tell(message);
    stopPace?.();
    stopPace = undefined;
  };
  const wake = () => {
    if (stopPace || announcements.isEmpty) return;
    stopPace = every(announcePeriodMs, tellNext);
    tellNext();
  };
  const stopListening = orchestrator.on('change', (state) => {
    announcements.note(state);
    wake();
  });
  return {
    say(text: string, urgent = false) {
      announcements.say({ text, urgent });
      wake();
    },
    stop() {
      stopListening();
      stopPace?.();
    },
  };
}

/** The only live regions of the panel: one that waits its turn, one for failures. */
export function Announcer({ orchestrator, format, voice }: AnnouncerProps) {
  const [message, setMessage] = useState<Message & { odd: boolean }>({ text: '', urgent: false, odd: false });
  const latestFormat = useLatest(format);
  const slot = useRef(voice);
  useEffect(() => {
    const telling = startTelling(orchestrator, latestFormat, (told) =>
      setMessage(({ odd }) => ({ ...told, odd: !odd })),
    );
    const target = slot.current;
    target.current = telling;
    return () => {
      target.current = undefined;
      telling.stop();
    };
  }, [orchestrator, latestFormat]);
  // The same words twice are a change too: a region that does not change is not read.
  const text = message.odd ? message.text : `${message.text}\u00a0`;
  return (
    <div className="hf-hidden">
      <div role="status" aria-live="polite">
        {message.urgent ? '' : text}
      </div>
      <div role="alert" aria-live="assertive">
        {message.urgent ? text : ''}
      </div>
    </div>
  );
}
