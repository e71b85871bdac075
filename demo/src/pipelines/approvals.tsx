/** A run that waits for a person: what is asked, and the two answers. */
import { type HumanRequest, listHumanRequests, respondToHumanRequest, type TaskGraphItemJson } from 'holdfast/graph';
import { useEffect, useState } from 'react';
import { orchestrator } from '../orchestrator.ts';
import type { ShownRun } from './use-runs.ts';
import { usePipelineWords } from './words.ts';

/** It asks, or something in its graph does. */
const asks = ({ type, subgraph }: TaskGraphItemJson): boolean => type === 'HumanApprovalTask' || (subgraph?.tasks.some(asks) ?? false);

/** Asked again whenever the run has moved on. */
function useRequests({ handle, views, document }: ShownRun): readonly HumanRequest[] {
  const [requests, setRequests] = useState<readonly HumanRequest[]>([]);
  const asking = document.tasks.filter((item) => asks(item) && views.get(item.id)?.status === 'PROCESSING').map(({ id }) => id).join('\n');
  useEffect(() => {
    if (asking === '') return setRequests([]);
    let isOver = false;
    const look = () => listHumanRequests(orchestrator).then((all) => {
      if (!isOver) setRequests(all.filter(({ rootGraphRunId }) => rootGraphRunId === handle.id));
    }, () => {});
    void look();
    // A node runs a moment before what it asks is stored.
    const timer = setInterval(look, 500);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [handle, asking]);
  return requests;
}

export function Approvals({ run }: { run: ShownRun }) {
  const say = usePipelineWords();
  const requests = useRequests(run);
  const answer = (request: HumanRequest, isYes: boolean) =>
    void respondToHumanRequest(orchestrator, request, isYes ? { action: 'accept', content: { approved: true } } : { action: 'decline' }).catch(() => {});
  return requests.map((request) => (
    <div className="pl-approval" key={request.id} role="status">
      <p><strong>{say.approval}</strong> <span>{request.message || request.taskId}</span></p>
      <span className="pl-group">
        <button type="button" className="pl-button pl-strong" onClick={() => answer(request, true)}>{say.approve}</button>
        <button type="button" className="pl-button" onClick={() => answer(request, false)}>{say.decline}</button>
      </span>
    </div>
  ));
}
