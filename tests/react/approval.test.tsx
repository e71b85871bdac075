// @vitest-environment happy-dom
/** The form of a request to a person: what it asks, what it sends, what it says of a refusal. */
import { act, fireEvent, render, screen } from '@testing-library/react';
import type { Orchestrator } from 'holdfast';
import { ApprovalCard, OrchestratorProvider } from 'holdfast/react';
import { describe, expect, it } from 'vitest';
import type { HumanRequest } from '../../js/graph/nodes/human.ts';
import '../../js/graph/nodes/human.ts';
import './setup.tsx';

const request = (more: Partial<HumanRequest> = {}): HumanRequest => ({
  id: 'token', runId: 'run', taskId: 'ask', graphRunId: 'graph', rootGraphRunId: 'graph', kind: 'approval', targetHumanId: 'default', message: 'Send 300 letters?', context: { to: 'Bob', count: 300 }, createdAt: 0, timeoutAt: 1,
  contentSchema: { type: 'object', properties: { approved: { type: 'boolean' }, reason: { type: 'string' } }, required: ['approved'] }, ...more,
});

/** As much of an orchestrator as answering needs. */
function answering(asked: HumanRequest) {
  const sent: unknown[] = [];
  let status = 'waiting';
  const orchestrator = {
    wait: {
      retrieveToken: async () => ({ id: asked.id, status, tags: ['holdfast:human', `run:${asked.runId}`], createdAt: 0, timeoutAt: 1 }),
      completeToken: async (_id: string, answer: unknown) => (sent.push(answer), (status = 'completed'), true),
    },
    getTaskState: () => ({ metadata: { humanRequest: asked } }),
  };
  return { sent, orchestrator: orchestrator as unknown as Orchestrator, end: () => (status = 'timedOut') };
}

function show(asked: HumanRequest) {
  const stub = answering(asked);
  const heard: unknown[] = [];
  render(
    <OrchestratorProvider orchestrator={stub.orchestrator}>
      <ApprovalCard request={asked} onAnswered={(answer) => heard.push(answer)} />
    </OrchestratorProvider>,
  );
  return { ...stub, heard };
}

const press = (name: string) => act(async () => {
  fireEvent.click(screen.getByRole('button', { name }));
  await new Promise((resolve) => setTimeout(resolve));
});

describe('a request', () => {
  it('shows what is asked, and sends a yes with its reason', async () => {
    const { sent, heard } = show(request());
    expect(screen.getByRole('form', { name: 'Send 300 letters?' }).querySelector('dl')!.textContent).toBe('toBobcount300');
    fireEvent.change(screen.getByLabelText('Reason'), { target: { value: 'fine' } });
    await press('Approve');
    expect(await screen.findByText('Answered.')).toBeTruthy();
    expect([sent, heard]).toEqual([[{ action: 'accept', content: { approved: true, reason: 'fine' } }], sent]);
  });

  it('sends a no', async () => {
    const { sent } = show(request());
    await press('Decline');
    expect(await screen.findByText('Answered.')).toBeTruthy();
    expect(sent).toEqual([{ action: 'decline' }]);
  });

  it('has a field for each value that is asked for, and says what is refused', async () => {
    const contentSchema = { type: 'object', properties: { name: { type: 'string', title: 'Your name' }, age: { type: 'integer', minimum: 18 }, size: { enum: ['S', 'M'] }, news: { type: 'boolean' } }, required: ['name'] };
    const { sent } = show(request({ kind: 'input', contentSchema }));
    fireEvent.change(screen.getByLabelText('Your name'), { target: { value: 'Ada' } });
    fireEvent.change(screen.getByLabelText('age'), { target: { value: '7' } });
    fireEvent.change(screen.getByLabelText('size'), { target: { value: 'M' } });
    await press('Send');
    expect((await screen.findByRole('alert')).textContent).toContain('is not what was asked for');
    expect(sent).toEqual([]);
    fireEvent.change(screen.getByLabelText('age'), { target: { value: '36' } });
    await press('Send');
    expect(await screen.findByText('Answered.')).toBeTruthy();
    expect(sent).toEqual([{ action: 'accept', content: { name: 'Ada', age: 36, size: 'M', news: false } }]);
  });

  it('says when it is too late', async () => {
    const { sent, end } = show(request());
    end();
    await press('Approve');
    expect(await screen.findByText('Somebody has answered already, or its time is over.')).toBeTruthy();
    expect(sent).toEqual([]);
  });
});
