'use client';
import {
  type KeyboardEvent,
  memo,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { TaskState } from '../types.ts';
import { appearanceOf } from './appearance.ts';
import { takesText } from './focus.ts';
import { Icon } from './Icon.tsx';
import { Members } from './Members.tsx';
import type { Tree } from './members.ts';
import { MissingFiles } from './MissingFiles.tsx';
import { type TaskRowApi, usePanel } from './panel.ts';
import { TaskActions } from './TaskActions.tsx';
import { TaskDetails } from './TaskDetails.tsx';
import { hasBar, TaskProgressBar } from './TaskProgressBar.tsx';
import { TaskSummary } from './TaskSummary.tsx';
import { clip } from './text.ts';
import { useTask } from './useTask.ts';
import { actionsFor, useTaskActions } from './useTaskActions.ts';

const useIsomorphicLayoutEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect;

function fileName({ metadata }: TaskState): string {
  const { fileName: name } = metadata;
  return typeof name === 'string' && name !== '' ? name : 'unknown';
}

interface RowPartProps {
  state: TaskState;
  row: TaskRowApi;
  /** Ids of the name and the details. */
  nameId: string;
  detailsId: string;
}

/** The name is the button: one press shows the details. Its area is the whole row. */
function Toggle({ state, row, nameId, detailsId }: RowPartProps) {
  const { clicked, format } = usePanel();
  const { label } = appearanceOf(state);
  const badgeId = `${nameId}-state`;
  return (
    <>
      <button
        type="button"
        className="hf-toggle"
        aria-expanded={row.isOpen}
        aria-controls={row.isOpen ? detailsId : undefined}
        aria-describedby={badgeId}
        onClick={() => {
          row.toggle();
          clicked(state);
        }}
      >
        <bdi id={nameId} className="hf-name">
          {clip(state.name, 300) || state.id}
        </bdi>
        <Icon name="chevron" />
      </button>
      <span id={badgeId} className="hf-badge">
        {format.label(label)}
      </span>
    </>
  );
}

function StandardRow(props: RowPartProps & { problem: string | undefined }) {
  const { state, row, nameId, detailsId, problem } = props;
  return (
    <>
      <div className="hf-main">
        <span className="hf-state">
          <Icon name={appearanceOf(state).icon} />
        </span>
        <div className="hf-text">
          <div className="hf-heading">
            <Toggle {...props} />
          </div>
          <TaskSummary state={state} />
        </div>
        <TaskActions state={state} row={row} />
      </div>
      {hasBar(state) && <TaskProgressBar state={state} labelledBy={nameId} />}
      {state.missing?.length ? <MissingFiles state={state} missing={state.missing} /> : null}
      {problem && <p className="hf-problem">{problem}</p>}
      {row.isOpen && <TaskDetails state={state} id={detailsId} />}
    </>
  );
}

/** Delete cancels the run whose row has the focus. */
function cancelOnDelete(event: KeyboardEvent<HTMLElement>, row: TaskRowApi): void {
  if (event.key !== 'Delete' || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (takesText(event.target)) return;
  if (!row.actions.includes('cancel')) return;
  event.preventDefault();
  void row.perform('cancel');
}

function useRow(state: TaskState) {
  const { allow } = usePanel();
  const [isOpen, setOpen] = useState(false);
  const { perform, problem } = useTaskActions(state.id);
  const toggle = useCallback(() => setOpen((open) => !open), []);
  const row = useMemo<TaskRowApi>(
    () => ({ actions: actionsFor(state, allow), perform, isOpen, toggle }),
    [state, allow, perform, isOpen, toggle],
  );
  return { row, problem };
}

function Row({ state, members }: { state: TaskState; members: Tree['members'] | undefined }) {
  const { focus, part, renderTask } = usePanel();
  const { row, problem } = useRow(state);
  const nameId = useId();
  const element = useRef<HTMLLIElement>(null);
  useIsomorphicLayoutEffect(() => focus.restoreInRow(state.id, element.current?.querySelector('button') ?? null));
  const { label, tone } = appearanceOf(state);
  return (
    <li
      ref={element}
      className={part('row', 'hf-row')}
      data-task-id={state.id}
      data-filename={fileName(state)}
      data-state={state.status}
      data-phase={label === 'finalizing' ? label : state.phase}
      data-tone={tone}
      onKeyDown={(event) => cancelOnDelete(event, row)}
    >
      {renderTask ? (
        renderTask(state, row)
      ) : (
        <StandardRow state={state} row={row} problem={problem} nameId={nameId} detailsId={`${nameId}-details`} />
      )}
      {members && <Members state={state} ids={members.get(state.id)!} members={members} />}
    </li>
  );
}

/** One run, and what stands under it. Follows it by itself: a change of one run renders one row. */
export const TaskRow = memo(function TaskRow({ id, members }: { id: string; members?: Tree['members'] | undefined }) {
  const state = useTask(id);
  return state ? <Row state={state} members={members} /> : null;
});
