/** Renders in StrictMode, under a provider with a fake orchestrator, as every test here does. */
import { act, cleanup, configure, fireEvent, render, renderHook, screen } from '@testing-library/react';
import { type ReactNode, StrictMode } from 'react';
import { afterEach } from 'vitest';
import { OrchestratorProvider, TaskManager, type TaskManagerProps } from '../../js/react/index.ts';
import type { FakeOrchestrator } from '../fake/orchestrator.ts';
import { patienceMs } from '../patience.ts';

configure({ asyncUtilTimeout: patienceMs });

afterEach(cleanup);

export function wrapperFor(fake: FakeOrchestrator) {
  return ({ children }: { children: ReactNode }) => (
    <StrictMode>
      <OrchestratorProvider orchestrator={fake}>{children}</OrchestratorProvider>
    </StrictMode>
  );
}

export function renderPanel(fake: FakeOrchestrator, props: TaskManagerProps = {}) {
  return render(<TaskManager {...props} />, { wrapper: wrapperFor(fake) });
}

export function renderWith<Result>(fake: FakeOrchestrator, hook: () => Result) {
  return renderHook(hook, { wrapper: wrapperFor(fake) });
}

export function row(id: string): HTMLElement {
  const element = document.querySelector<HTMLElement>(`[data-task-id="${id}"]`);
  if (!element) throw new Error(`no row ${id}`);
  return element;
}

/** Presses the button of this name and waits for what it does. */
export const press = (name: string | RegExp) =>
  act(async () => void fireEvent.click(screen.getByRole('button', { name })));
