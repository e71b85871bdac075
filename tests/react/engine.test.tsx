// @vitest-environment happy-dom

import { readFile } from 'node:fs/promises';
import { act, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createOrchestrator, defineTask, type Orchestrator } from '../../js/index.ts';
import { OrchestratorProvider, TaskManager, useTasks } from '../../js/react/index.ts';
import { renderWith, row } from './setup.tsx';

let orchestrator: Orchestrator;
let number = 0;
beforeEach(async () => {
  const wasm = new Uint8Array(await readFile('js/core.wasm'));
  orchestrator = createOrchestrator({ id: `panel-${number++}`, storage: 'memory', tabs: false, wasm });
});
afterEach(() => orchestrator.dispose());

it('the panel follows a real run from queue to result, and says that memory forgets', async () => {
  const finish: { now?: (value: string) => void } = {};
  const task = defineTask({
    id: 'panel.echo',
    run: (_: null, ctx) => {
      ctx.progress({ value: 40, message: 'page 2 of 5' });
      return new Promise<string>((done) => {
        finish.now = done;
      });
    },
  });
  const onTaskComplete = vi.fn();
  const page = (undoFor?: number) => (
    <StrictMode>
      <OrchestratorProvider orchestrator={orchestrator}>
        <TaskManager onTaskComplete={onTaskComplete} undoFor={undoFor} />
      </OrchestratorProvider>
    </StrictMode>
  );
  const { rerender } = render(page());
  await act(() => orchestrator.ready);
  await waitFor(() => expect(screen.getByText('Tasks are kept in memory only')).toBeTruthy());
  const { id } = orchestrator.trigger(task, null, { name: 'Echo', metadata: { fileName: 'a.pdf' } });
  await waitFor(() => expect(row(id).textContent).toContain('page 2 of 5'));
  expect(row(id).dataset).toMatchObject({ state: 'running', filename: 'a.pdf' });
  finish.now?.('hello');
  await waitFor(() => expect(row(id).dataset.state).toBe('completed'));
  expect(onTaskComplete).toHaveBeenCalledExactlyOnceWith(id, 'hello');
  // Not at once: that would be a slip.
  const now = Date.now;
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 1000);
  const press = (name: string) => act(async () => void fireEvent.click(screen.getByRole('button', { name })));
  await press('Remove Echo');
  await waitFor(() => expect(document.querySelector(`[data-task-id="${id}"]`)).toBeNull());
  await waitFor(() => expect(screen.getByText('“Echo” was removed')).toBeTruthy());
  await press('Undo');
  await waitFor(() => expect(row(id).dataset.state).toBe('completed'));
  expect(screen.queryByText('“Echo” was removed')).toBeNull();
  rerender(page(1));
  vi.mocked(Date.now).mockImplementation(() => now() + 3000);
  await press('Remove Echo');
  vi.restoreAllMocks();
  await waitFor(() => expect(orchestrator.getTaskState(id)).toBeUndefined());
  await waitFor(() => expect(document.querySelector('.hf-removed')).toBeNull());
});

it('useTasks filters by whatever a list does, and shows what was removed where that is asked for', async () => {
  const waits = (id: string) => defineTask({ id, version: 2, run: (_: null, ctx) => ctx.sleep('1d') });
  const [first, second] = ['panel.first', 'panel.second'].map((id) => orchestrator.trigger(waits(id), null));
  await act(() => Promise.all([first!.accepted, second!.accepted]));
  const ids = (filter: Parameters<typeof useTasks>[0]) => renderWith(orchestrator as never, () => useTasks(filter)).result.current.map(({ id }) => id).sort();
  expect([ids({ queue: 'task/panel.first' }), ids({ version: 2 }), ids({ version: 1 }), ids({ from: Date.now() + 60_000 })]).toEqual([[], [first!.id, second!.id].sort(), [], []]);
  await act(() => orchestrator.removeTask(first!.id, { undoFor: '1h' }));
  expect([ids({ version: 2 }), ids({ version: 2, removed: true })]).toEqual([[second!.id], [first!.id, second!.id].sort()]);
  expect(() => ids({ queue: 5 as never })).toThrow('useTasks queue');
});
