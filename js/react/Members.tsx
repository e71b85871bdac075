'use client';
import { useCallback, useId, useRef, useState } from 'react';
import type { TaskState } from '../types.ts';
import { Icon } from './Icon.tsx';
import type { LabelKey } from './labels.ts';
import { noTally, tallyOf, type Tree } from './members.ts';
import { usePanel } from './panel.ts';
import { TaskList } from './TaskList.tsx';
import { clip } from './text.ts';
import { useSelected } from './useSelected.ts';

/** Members that come with the first press. */
const firstMembers = 20;

export interface MembersProps {
  state: TaskState;
  /** Those that are shown, in their order. */
  ids: readonly string[];
  members: Tree['members'];
}

function Count({ label, count }: { label: LabelKey; count: number }) {
  const { format } = usePanel();
  return (
    <span className="hf-members-part" data-count={label}>
      <bdi>{format.label(label, { count })}</bdi>
    </span>
  );
}

/** How far the members of a container are, and, once somebody asks, the members. */
export function Members({ state, ids, members }: MembersProps) {
  const { format, orchestrator } = usePanel();
  const [isOpen, setOpen] = useState(false);
  const listId = useId();
  const toggle = useRef<HTMLButtonElement>(null);
  const subscribe = useCallback((listener: () => void) => orchestrator.subscribe(listener), [orchestrator]);
  const select = useCallback((all: readonly TaskState[]) => tallyOf(all, state.id), [state.id]);
  const { total, completed, failed, cancelled } = useSelected(subscribe, () => orchestrator.getAllTasks(), select, noTally);
  const name = clip(state.name, 120) || state.id;
  return (
    <div className="hf-members">
      <button
        ref={toggle}
        type="button"
        className="hf-members-toggle"
        aria-expanded={isOpen}
        aria-controls={isOpen ? listId : undefined}
        onClick={() => setOpen((open) => !open)}
      >
        <Icon name="chevron" />
        <bdi>{format.label('memberCount', { count: total })}</bdi>
        <Count label="membersCompleted" count={completed} />
        {failed > 0 && <Count label="membersFailed" count={failed} />}
        {cancelled > 0 && <Count label="membersCancelled" count={cancelled} />}
      </button>
      {isOpen && (
        <div id={listId} className="hf-members-list">
          <TaskList
            ids={ids}
            members={members}
            limit={firstMembers}
            label={format.label('membersOf', { name })}
            fallback={toggle}
            empty={null}
          />
        </div>
      )}
    </div>
  );
}
