/** What was refused at the door; everything later is told by the panel. */
import { useCallback, useState } from 'react';
import { shownName } from '../tasks/names.ts';
import { useWords } from './choices.ts';

export interface Notice {
  id: number;
  text: string;
}

export function useNotices(): { notices: Notice[]; tell(text: string): void; dismiss(id: number): void } {
  const [notices, setNotices] = useState<Notice[]>([]);
  const tell = useCallback((text: string) => setNotices((all) => [...all.slice(-4), { id: (all.at(-1)?.id ?? 0) + 1, text }]), []);
  const dismiss = useCallback((id: number) => setNotices((all) => all.filter((notice) => notice.id !== id)), []);
  return { notices, tell, dismiss };
}

export function Notices({ notices, onDismiss }: { notices: Notice[]; onDismiss(id: number): void }) {
  const say = useWords();
  return (
    <div role="alert" className="notices">
      {notices.map(({ id, text }) => (
        <p className="notice" key={id}>
          <span>{text}</span>
          <button type="button" className="plain" onClick={() => onDismiss(id)}>{say.dismiss}</button>
        </p>
      ))}
    </div>
  );
}

/** A large file takes seconds to be copied to where it survives; until then closing the tab would lose it. */
export function Storing({ names }: { names: readonly string[] }) {
  const say = useWords();
  const [first] = names;
  return (
    <p role="status" className="storing">
      {first === undefined ? null : <bdi>{say.storing(shownName(first), names.length - 1)}</bdi>}
    </p>
  );
}
