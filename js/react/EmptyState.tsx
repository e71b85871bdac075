'use client';
import { Icon } from './Icon.tsx';
import type { LabelKey } from './labels.ts';
import { usePanel } from './panel.ts';

/** No tasks at all, none in this group, or not known yet. */
export function EmptyState({ reason }: { reason: 'none' | 'group' | 'opening' }) {
  const { format, part } = usePanel();
  const [title, hint]: [LabelKey, LabelKey?] =
    reason === 'opening'
      ? ['opening']
      : reason === 'group'
        ? ['emptyGroup', 'emptyGroupHint']
        : ['emptyTitle', 'emptyHint'];
  return (
    <div className={part('empty', 'hf-empty')}>
      <Icon name={reason === 'opening' ? 'spinner' : 'stack'} />
      <p className="hf-empty-title">{format.label(title)}</p>
      {hint && <p className="hf-empty-hint">{format.label(hint)}</p>}
    </div>
  );
}
