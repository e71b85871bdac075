import { renderToString } from 'react-dom/server';
import { expect, it, vi } from 'vitest';

const made = vi.hoisted(() => ({ count: 0 }));
vi.mock('../../js/index.ts', () => {
  const make = () => {
    made.count++;
  };
  return { createOrchestrator: make, getDefaultOrchestrator: make };
});

it('imports and renders where there is no window, and makes no orchestrator there', async () => {
  expect(typeof window).toBe('undefined');
  const { TaskManager, useTaskOrchestrator } = await import('../../js/react/index.ts');
  let refused: Promise<unknown> | undefined;
  function Page() {
    const { executeTask, getAllTasks } = useTaskOrchestrator({ onComplete() {} });
    refused = executeTask('x', { execute: async () => 1 }, {});
    return <TaskManager key={getAllTasks().length} locale="fr" />;
  }
  expect(renderToString(<Page />)).toContain('Recherche de vos tâches');
  expect(made.count).toBe(0);
  await expect(refused).rejects.toThrow('while rendering on a server');
});
