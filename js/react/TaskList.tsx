'use client';
import { type ReactNode, type RefObject, startTransition, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { noMembers, type Tree } from './members.ts';
import { usePanel } from './panel.ts';
import { TaskRow } from './TaskRow.tsx';

/** The first rows come alone: they pay for code, styles and formats that run for the first time. */
const first = 2;
const batch = 8;
const useIsomorphicLayoutEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect;

/** Grows to `wanted` a few rows at a time, so that no single render of a long list holds the page up. */
function useGrowing(wanted: number): number {
  const [grown, setGrown] = useState(first);
  useEffect(() => {
    if (grown < wanted) startTransition(() => setGrown((count) => count + batch));
  }, [grown, wanted]);
  return Math.min(grown, wanted);
}

interface TaskListProps {
  ids: readonly string[];
  /** By container: the rows under it. */
  members?: Tree['members'];
  /** Rows shown at first, and more each time the person asks. */
  limit: number;
  labelledBy?: string;
  label?: string;
  /** What stands in an empty list's place. */
  empty: ReactNode;
  /** Gets the focus when the last row is gone. */
  fallback: RefObject<HTMLElement | null>;
}

export function TaskList({ ids, members = noMembers, limit, labelledBy, label, empty, fallback }: TaskListProps) {
  const { focus, format, part } = usePanel();
  const [pages, setPages] = useState(1);
  const count = useGrowing(Math.min(ids.length, limit * pages));
  const shown = ids.slice(0, count);
  const list = useRef<HTMLUListElement>(null);
  const before = useRef<readonly string[]>(shown);
  useIsomorphicLayoutEffect(() => {
    focus.restoreInList(list.current, before.current, shown, fallback.current);
    before.current = shown;
  });
  if (ids.length === 0) return <>{empty}</>;
  const rest = ids.length - Math.min(ids.length, limit * pages);
  return (
    <>
      {/* biome-ignore lint/a11y/noRedundantRoles: Safari forgets that a list without bullets is one */}
      <ul ref={list} role="list" className={part('list', 'hf-list')} aria-labelledby={labelledBy} aria-label={label}>
        {shown.map((id) => (
          <TaskRow key={id} id={id} members={members.has(id) ? members : undefined} />
        ))}
      </ul>
      {rest > 0 && (
        <button type="button" className="hf-more" onClick={() => setPages((shownPages) => shownPages + 1)}>
          {format.label('showMore', { count: Math.min(rest, limit) })}
        </button>
      )}
    </>
  );
}
