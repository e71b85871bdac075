'use client';
import type { RefObject } from 'react';
import { ClearAll } from './ClearAll.tsx';
import type { LabelKey } from './labels.ts';
import { usePanel } from './panel.ts';
import { type GroupCounts, groups, type TaskGroup } from './selection.ts';

const names: Record<TaskGroup, LabelKey> = {
  all: 'all',
  active: 'active',
  completed: 'completedGroup',
  failed: 'failedGroup',
  cancelled: 'cancelledGroup',
};

interface ChipsProps {
  counts: GroupCounts;
  group: TaskGroup;
  hideCompleted: boolean;
  onGroup(group: TaskGroup): void;
}

function Chips({ counts, group, hideCompleted, onGroup }: ChipsProps) {
  const { format, part } = usePanel();
  const shown = groups.filter((name) => {
    if (name === 'completed') return !hideCompleted;
    return name !== 'cancelled' || counts.cancelled > 0 || group === name;
  });
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would be styled by the host page
    <div className="hf-chips" role="group" aria-label={format.label('groups')}>
      {shown.map((name) => (
        <button
          key={name}
          type="button"
          className={part('chip', 'hf-chip')}
          data-group={name}
          aria-pressed={group === name}
          onClick={() => onGroup(name)}
        >
          {format.label(names[name])} <span className="hf-count">{format.number(counts[name])}</span>
        </button>
      ))}
    </div>
  );
}

interface PanelHeaderProps extends ChipsProps {
  titleId: string;
  title: RefObject<HTMLHeadingElement | null>;
  showClearAll: boolean;
}

/** The title, how many runs there are of each kind, and which are shown. */
export function PanelHeader({ titleId, title, showClearAll, ...chips }: PanelHeaderProps) {
  const { format, part } = usePanel();
  const { counts } = chips;
  return (
    <header className={part('header', 'hf-header')}>
      <h2 id={titleId} ref={title} tabIndex={-1} className="hf-title">
        {format.label('title')}
      </h2>
      {showClearAll && counts.all > 0 && <ClearAll total={counts.all} active={counts.active} fallback={title} />}
      {counts.all > 0 && <Chips {...chips} />}
    </header>
  );
}
