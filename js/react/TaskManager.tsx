'use client';
import { type ReactNode, useCallback, useEffect, useId, useMemo, useRef, useState } from 'react';
import type { Duration, OrchestratorApi, TaskState } from '../types.ts';
import { Announcer, type Voice } from './Announcer.tsx';
import { EmptyState } from './EmptyState.tsx';
import { FocusKeeper } from './focus.ts';
import { createFormat } from './format.ts';
import type { Labels, Locale } from './labels.ts';
import { PanelHeader } from './PanelHeader.tsx';
import { type Panel, PanelContext, type PanelPart, type RenderTask } from './panel.ts';
import { RemovedBar, useRemoved } from './Removed.tsx';
import { useOrchestrator } from './provider.tsx';
import { StorageBanner } from './StorageBanner.tsx';
import {
  nothingSelected,
  sameSelection,
  selectTasks,
  type TaskFilter,
  type TaskGroup,
  type TaskSort,
} from './selection.ts';
import { TaskList } from './TaskList.tsx';
import { every } from './useNow.ts';
import { useSelected } from './useSelected.ts';
import { useStorageState } from './useStorageState.ts';
import { useLatest } from './useTaskOrchestrator.ts';
import { useStableFilter } from './useTasks.ts';

const hourMs = 3_600_000;

export interface TaskManagerProps {
  /** Once for each completion from now on; never for what had completed before. */
  onTaskComplete?: (taskId: string, result: any) => void;
  hideCompleted?: boolean;
  /** Forget completed and failed tasks older than `cleanupInterval`, again and again. */
  autoCleanup?: boolean;
  cleanupInterval?: number;
  filter?: TaskFilter;
  sort?: TaskSort;
  /** Rows shown at first; a button shows as many more. */
  limit?: number;
  showClearAll?: boolean;
  allowCancel?: boolean;
  allowPause?: boolean;
  allowRemove?: boolean;
  /** So long a person can undo Remove, as `removeTask` takes it. Default: `'10s'`; 0: it is gone at once. */
  undoFor?: Duration;
  allowDownload?: boolean;
  /** Draws a row's content instead of the standard one; the <li> around it stays. */
  renderTask?: RenderTask;
  /** More buttons, before the standard ones. */
  renderActions?: RenderTask;
  labels?: Partial<Labels>;
  locale?: Locale;
  density?: 'comfortable' | 'compact';
  className?: string;
  classNames?: Partial<Record<PanelPart, string>>;
  emptyState?: ReactNode;
  onTaskClick?: (state: TaskState) => void;
  theme?: 'light' | 'dark' | 'auto';
}

function useCompletions(orchestrator: OrchestratorApi, onTaskComplete: TaskManagerProps['onTaskComplete']) {
  const latest = useLatest(onTaskComplete);
  useEffect(() => orchestrator.on('complete', (id, result) => latest.current?.(id, result)), [orchestrator, latest]);
}

function useCleanup(orchestrator: OrchestratorApi, autoCleanup: boolean, intervalMs: number) {
  useEffect(() => {
    if (!autoCleanup || !(intervalMs > 0)) return;
    // A clean-up that fails (storage away) is tried again at the next turn.
    return every(
      Math.min(intervalMs, hourMs),
      () => void orchestrator.cleanupCompletedTasks(intervalMs).catch(() => {}),
    );
  }, [orchestrator, autoCleanup, intervalMs]);
}

/** The ids of one group in order, and the counts of all; changes only when one of them does. */
function useSelection(orchestrator: OrchestratorApi, group: TaskGroup, props: TaskManagerProps) {
  const { hideCompleted = false, sort = 'newest' } = props;
  const filter = useStableFilter(props.filter);
  const subscribe = useCallback((listener: () => void) => orchestrator.subscribe(listener), [orchestrator]);
  const select = useCallback(
    (all: readonly TaskState[]) => selectTasks(all, { filter, hideCompleted, sort, group }),
    [filter, hideCompleted, sort, group],
  );
  return useSelected(subscribe, () => orchestrator.getAllTasks(), select, nothingSelected, sameSelection);
}

function usePanelOf(orchestrator: OrchestratorApi, props: TaskManagerProps, remove: Panel['remove']): Panel {
  const { allowCancel = true, allowPause = true, allowRemove = true, allowDownload = true } = props;
  const { locale = 'en', labels, classNames, renderTask, renderActions } = props;
  const labelsKey = JSON.stringify(labels);
  const classesKey = JSON.stringify(classNames);
  const [kept] = useState(() => ({ focus: new FocusKeeper(), voice: { current: undefined as Voice | undefined } }));
  const onTaskClick = useLatest(props.onTaskClick);
  // biome-ignore lint/correctness/useExhaustiveDependencies: compared by what they say
  const format = useMemo(() => createFormat(locale, labels), [locale, labelsKey]);
  const allow = useMemo(
    () => ({ cancel: allowCancel, pause: allowPause, remove: allowRemove, download: allowDownload }),
    [allowCancel, allowPause, allowRemove, allowDownload],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: compared by what they say
  return useMemo(
    () => ({
      ...kept,
      orchestrator,
      format,
      allow,
      renderTask,
      renderActions,
      clicked: (state) => onTaskClick.current?.(state),
      remove,
      part: (name, base) => (classNames?.[name] ? `${base} ${classNames[name]}` : base),
    }),
    [kept, orchestrator, format, allow, renderTask, renderActions, onTaskClick, remove, classesKey],
  );
}

function Empty({ group, emptyState }: { group: TaskGroup; emptyState: ReactNode }) {
  const isOpening = useStorageState().status === 'opening';
  if (isOpening) return <EmptyState reason="opening" />;
  if (group !== 'all') return <EmptyState reason="group" />;
  return emptyState === undefined ? <EmptyState reason="none" /> : emptyState;
}

/** The panel of all tasks: shows, and lets people pause, cancel, retry and fetch results. */
export function TaskManager(props: TaskManagerProps) {
  const { autoCleanup = true, cleanupInterval = hourMs, limit = 100, density = 'comfortable', theme = 'auto' } = props;
  const orchestrator = useOrchestrator();
  const [chosen, setGroup] = useState<TaskGroup>('all');
  const group = props.hideCompleted && chosen === 'completed' ? 'all' : chosen;
  const { ids, members, counts } = useSelection(orchestrator, group, props);
  const { removed, remove } = useRemoved(orchestrator, props.undoFor);
  const panel = usePanelOf(orchestrator, props, remove);
  useCompletions(orchestrator, props.onTaskComplete);
  useCleanup(orchestrator, autoCleanup, cleanupInterval);
  const titleId = useId();
  const title = useRef<HTMLHeadingElement>(null);
  return (
    <PanelContext.Provider value={panel}>
      <section
        className={[panel.part('root', 'hf-panel'), props.className].filter(Boolean).join(' ')}
        aria-labelledby={titleId}
        data-density={density}
        data-theme={theme === 'auto' ? undefined : theme}
        lang={panel.format.locale}
        onFocus={(event) => panel.focus.focused(event.target)}
        onBlur={(event) => panel.focus.blurred(event.target)}
      >
        <Announcer orchestrator={orchestrator} format={panel.format} voice={panel.voice} />
        <PanelHeader
          titleId={titleId}
          title={title}
          counts={counts}
          group={group}
          onGroup={setGroup}
          hideCompleted={props.hideCompleted ?? false}
          showClearAll={props.showClearAll ?? true}
        />
        <StorageBanner />
        <TaskList
          key={group}
          ids={ids}
          members={members}
          limit={limit}
          labelledBy={titleId}
          fallback={title}
          empty={<Empty group={counts.all > 0 ? group : 'all'} emptyState={props.emptyState} />}
        />
        <RemovedBar removed={removed} fallback={title} />
      </section>
    </PanelContext.Provider>
  );
}
