'use client';
import type { ReactNode } from 'react';
import type { TaskState } from '../types.ts';
import { isEnded } from './appearance.ts';
import type { LabelKey } from './labels.ts';
import { usePanel } from './panel.ts';
import { RelativeTime } from './RelativeTime.tsx';
import { TaskResult } from './TaskResult.tsx';
import { clip, preview } from './text.ts';

function Entry({ label, children }: { label: LabelKey; children: ReactNode }) {
  const { format } = usePanel();
  if (children === undefined || children === null || children === '' || children === false) return null;
  return (
    <div className="hf-entry">
      <dt>{format.label(label)}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const theirs = (text: string | undefined, max = 2000) => (text ? <bdi>{clip(text, max)}</bdi> : undefined);

function At({ atMs }: { atMs: number }) {
  const { format } = usePanel();
  return (
    <>
      {format.time(atMs)}{' '}
      <span className="hf-quiet">
        (<RelativeTime atMs={atMs} />)
      </span>
    </>
  );
}

function Metadata({ metadata }: { metadata: TaskState['metadata'] }) {
  const keys = Object.keys(metadata).slice(0, 20);
  if (keys.length === 0) return null;
  return (
    <ul className="hf-metadata">
      {keys.map((key) => (
        <li key={key}>
          <bdi className="hf-quiet">{clip(key, 60)}</bdi> <bdi>{preview(metadata[key])}</bdi>
        </li>
      ))}
    </ul>
  );
}

/** Times: when it was made, went on, ended. */
function Times({ state }: { state: TaskState }) {
  const ahead = state.phase === 'retrying' || state.phase === 'delayed';
  return (
    <>
      <Entry label={state.attempt > 0 ? 'started' : 'created'}>
        <At atMs={state.startTime} />
      </Entry>
      <Entry label="lastUpdated">
        <At atMs={state.lastUpdated} />
      </Entry>
      <Entry label="nextTry">
        {ahead && state.retryAt !== undefined && <RelativeTime atMs={state.retryAt} overdue="starting" />}
      </Entry>
    </>
  );
}

/** Where it is in its work, and what it went through. */
function Course({ state }: { state: TaskState }) {
  const { format } = usePanel();
  const { attempt, maxRetries, recoveries, steps } = state;
  return (
    <>
      <Entry label="attempts">
        {attempt > 0 && <bdi>{`${format.number(attempt)} / ${format.number(maxRetries + 1)}`}</bdi>}
      </Entry>
      <Entry label="phase">{theirs(state.progressPhase ?? asText(state.metadata.phase))}</Entry>
      <Entry label="step">{theirs(state.progressStep ?? asText(state.metadata.step))}</Entry>
      <Entry label="steps">{steps > 0 && format.number(steps)}</Entry>
      <Entry label="recoveries">{recoveries > 0 && format.label('recovered', { count: recoveries })}</Entry>
    </>
  );
}

const asText = (value: unknown) => (typeof value === 'string' ? value : undefined);

/** Everything known of a run. Text only; the full name and the whole error stand here. */
export function TaskDetails({ state, id }: { state: TaskState; id: string }) {
  const { format, orchestrator, part } = usePanel();
  const asksWhy = !isEnded(state) && state.phase !== 'running';
  return (
    <dl id={id} className={part('details', 'hf-details')}>
      <Entry label="name">{theirs(state.name)}</Entry>
      <Entry label="why">{asksWhy && <bdi lang="en">{clip(orchestrator.why(state.id), 500)}</bdi>}</Entry>
      <Entry label="error">
        {state.error && <span className="hf-error">{theirs(state.error.message || state.error.name)}</span>}
      </Entry>
      <Entry label="intent">{state.intent}</Entry>
      <Times state={state} />
      <Course state={state} />
      <Entry label="result">{state.status === 'completed' && <TaskResult result={state.result} />}</Entry>
      <Entry label="fromCache">{isEnded(state) && state.fromCache && format.label('answered')}</Entry>
      <Entry label="metadata">{Object.keys(state.metadata).length > 0 && <Metadata metadata={state.metadata} />}</Entry>
      <Entry label="runId">
        <code className="hf-code">{clip(state.id, 128)}</code>
      </Entry>
      <Entry label="kept">{!state.durable && format.label('notDurable')}</Entry>
    </dl>
  );
}
