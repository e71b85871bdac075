/** The run that is shown, and the list of all of them. */
import { useState } from 'react';
import { useLanguage } from '../shell/choices.ts';
import { Approvals } from './approvals.tsx';
import type { RunSummary, ShownRun } from './use-runs.ts';
import { usePipelineWords } from './words.ts';

function useTime(): (at: number) => string {
  const language = useLanguage();
  const today = new Date().toDateString();
  return (at) => {
    const date = new Date(at);
    return date.toLocaleString(language, { hour: '2-digit', minute: '2-digit', second: '2-digit', ...(date.toDateString() !== today && { day: 'numeric', month: 'short' }) });
  };
}

interface RunBarProps {
  run: ShownRun;
  summary: RunSummary | undefined;
  onBack(): void;
  onTakeOver(): void;
}

/** Above the drawing, in place of the toolbar, while a run is shown. */
export function RunBar({ run, summary, onBack, onTakeOver }: RunBarProps) {
  const say = usePipelineWords();
  const time = useTime();
  const { handle, status, done, views, kept } = run;
  const isOver = ['completed', 'failed', 'cancelled'].includes(status);
  // Asked once: a second press would ask for the contrary.
  const [asked, setAsked] = useState(false);
  const ask = (what: () => Promise<unknown>) => async () => {
    setAsked(true);
    await what().catch(() => {});
    setAsked(false);
  };
  return (
    <div className="pl-toolbar pl-runbar" role="toolbar" aria-label={say.runOf(summary?.name ?? '')}>
      <p className="pl-run-title">
        <strong><bdi>{summary?.name ?? handle.id}</bdi></strong>
        <span className="pl-run-state" data-status={status} role="status">{say.runStatus[status] ?? status} · {say.doneOf(done, views.size)}</span>
        {summary ? <small>{say.startedAt(time(summary.createdAt))}</small> : null}
      </p>
      <span className="pl-group">
        {isOver || status === 'paused' ? null : <button type="button" className="pl-button" disabled={asked} onClick={ask(() => handle.suspend('interrupt'))}>{say.pause}</button>}
        {status === 'paused' ? <button type="button" className="pl-button" disabled={asked} onClick={ask(() => handle.resume())}>{say.resume}</button> : null}
        {isOver ? null : <button type="button" className="pl-button" disabled={asked} onClick={ask(() => handle.abort())}>{say.abort}</button>}
        {status === 'failed' || status === 'cancelled' ? <button type="button" className="pl-button" disabled={asked} onClick={ask(() => handle.retry())}>{say.retry}</button> : null}
      </span>
      <span className="pl-group">
        <button type="button" className="pl-button" onClick={onTakeOver}>{say.takeOver}</button>
        <button type="button" className="pl-button pl-strong" onClick={onBack}>{say.backToDrawing}</button>
      </span>
      <Approvals run={run} />
      {kept === undefined ? null : <p className="pl-resumed" role="status">{say.resumed(kept)}</p>}
    </div>
  );
}

const kMostRuns = 20;

export function RunList({ runs, shown, onShow }: { runs: readonly RunSummary[]; shown: string | undefined; onShow(id: string): void }) {
  const say = usePipelineWords();
  const time = useTime();
  return (
    <section className="pl-runs" aria-label={say.runs}>
      <h2>{say.runs}</h2>
      {runs.length === 0 ? <p className="hint">{say.noRuns}</p> : (
        <ul>
          {runs.slice(0, kMostRuns).map(({ id, name, status, createdAt, progress }) => (
            <li key={id}>
              <button type="button" className="pl-run-row" aria-pressed={id === shown} data-status={status} onClick={() => onShow(id)}>
                <span className="pl-run-name"><bdi>{name}</bdi></span>
                <small>{time(createdAt)}</small>
                <span className="pl-run-state" data-status={status}>{say.runStatus[status] ?? status}{status === 'running' ? ` · ${progress} %` : ''}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {runs.length > kMostRuns ? <p className="hint">{say.more(runs.length - kMostRuns)}</p> : null}
    </section>
  );
}
