// @vitest-environment happy-dom
import { readFile } from 'node:fs/promises';
import { act, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { createOrchestrator, defineTask } from '../../js/index.ts';
import { OrchestratorProvider, TaskManager } from '../../js/react/index.ts';
import { FakeOrchestrator, type Patch } from '../fake/orchestrator.ts';
import { renderPanel, row } from './setup.tsx';

let fake: FakeOrchestrator;
beforeEach(() => {
  fake = new FakeOrchestrator();
});

const shown = (within_: ParentNode = document) => [...within_.querySelectorAll<HTMLElement>('[data-task-id]')].map(({ dataset }) => dataset.taskId);
const toggle = (id: string) => row(id).querySelector<HTMLButtonElement>(':scope > .hf-members > .hf-members-toggle')!;
const open = (id: string) => act(() => void fireEvent.click(toggle(id)));
const membersOf = (id: string) => [...row(id).querySelectorAll<HTMLElement>(':scope > .hf-members > .hf-members-list > ul > li')].map(({ dataset }) => dataset.taskId);

function addContainer(id: string, members: readonly Patch[], patch: Patch = {}): void {
  fake.add({ id, name: `All of ${id}`, taskIdentifier: 'holdfast/batch', phase: 'waiting', ...patch });
  for (const [index, member] of members.entries()) fake.add({ id: `${id}-${index}`, parentId: id, phase: 'running', ...member });
}

describe('a container', () => {
  it('shows its members when asked, in their order, and how far they are', async () => {
    addContainer('a', [{ phase: 'completed' }, { phase: 'failed', error: new Error('no') }, {}, { phase: 'queued' }, { phase: 'cancelled' }]);
    fake.add({ id: 'alone', parentId: 'nobody-here' });
    renderPanel(fake);
    expect(shown()).toEqual(['alone', 'a']);
    expect(toggle('a').textContent).toBe('5 tasks1 done1 failed1 cancelled');
    expect(toggle('a').getAttribute('aria-expanded')).toBe('false');
    expect(row('a').querySelector('.hf-badge')?.textContent).toBe('Running');
    expect(row('a').querySelector('.hf-summary')?.textContent).toContain('Batch');
    open('a');
    expect(toggle('a').getAttribute('aria-expanded')).toBe('true');
    await waitFor(() => expect(membersOf('a')).toEqual(['a-0', 'a-1', 'a-2', 'a-3', 'a-4']));
    expect(screen.getByRole('list', { name: 'Tasks of All of a' })).toBeTruthy();
    act(() => fake.complete('a-2'));
    expect(toggle('a').textContent).toContain('2 done');
    open('a');
    expect(shown()).toEqual(['alone', 'a']);
  });

  it('whose nodes are no tasks of the list is a graph at work, and waits for nothing outside', () => {
    fake.add({ id: 'drawn', name: 'Drawn', taskIdentifier: 'holdfast/graph', phase: 'waiting' });
    renderPanel(fake);
    expect(row('drawn').querySelector('.hf-badge')?.textContent).toBe('Running');
    expect(row('drawn').querySelector('.hf-summary')?.textContent).toContain('Working…');
    expect(row('drawn').querySelector('.hf-summary')?.textContent).toContain('Graph');
  });

  it('of a thousand shows twenty, and twenty more each time', async () => {
    addContainer('a', Array.from({ length: 1000 }, () => ({ phase: 'queued' as const })));
    renderPanel(fake);
    expect(shown()).toEqual(['a']);
    open('a');
    await waitFor(() => expect(membersOf('a')).toHaveLength(20));
    act(() => void fireEvent.click(within(row('a')).getByRole('button', { name: 'Show 20 more' })));
    await waitFor(() => expect(membersOf('a')).toHaveLength(40));
    expect(membersOf('a')[39]).toBe('a-39');
  });

  it('may stand in another one', async () => {
    addContainer('a', [{ id: 'b', taskIdentifier: 'holdfast/chain', phase: 'waiting' }]);
    fake.add({ id: 'c', parentId: 'b' });
    renderPanel(fake);
    expect(shown()).toEqual(['a']);
    open('a');
    await waitFor(() => expect(membersOf('a')).toEqual(['b']));
    open('b');
    await waitFor(() => expect(membersOf('b')).toEqual(['c']));
  });

  it('that is not of the chosen group leaves its members to stand by themselves', async () => {
    addContainer('a', [{ phase: 'failed', error: new Error('no') }, { phase: 'completed' }], { phase: 'completed' });
    renderPanel(fake);
    act(() => void fireEvent.click(document.querySelector('[data-group=failed]')!));
    await waitFor(() => expect(shown()).toEqual(['a-0']));
  });

  it('keeps the focus near when a member goes', async () => {
    addContainer('a', [{ phase: 'completed' }, { phase: 'completed' }]);
    fake.add({ id: 'alone' });
    renderPanel(fake);
    open('a');
    await waitFor(() => expect(membersOf('a')).toHaveLength(2));
    act(() => row('a-0').querySelector<HTMLElement>('.hf-toggle')!.focus());
    act(() => fake.drop('a-0'));
    expect(document.activeElement?.closest('[data-task-id]')?.getAttribute('data-task-id')).toBe('a-1');
  });
});

it('real batches, chains and swarms have their members under them', async () => {
  const wasm = new Uint8Array(await readFile('js/core.wasm'));
  const orchestrator = createOrchestrator({ id: 'panel-containers', storage: 'memory', tabs: false, wasm });
  await orchestrator.ready;
  const part = defineTask({ id: 'panel.part', run: async (_: unknown) => 1 });
  const batch = await orchestrator.batch.triggerByTask([{ task: part, payload: 1 }, { task: part, payload: 2 }]);
  const chain = await orchestrator.chain([part, part], { name: 'steps' });
  const swarm = await orchestrator.swarm([part, part, part], { isSwarmClosed: true });
  await Promise.all([batch.wait(), chain.run({}), swarm.run({})]);
  const { unmount } = render(
    <OrchestratorProvider orchestrator={orchestrator}>
      <TaskManager />
    </OrchestratorProvider>,
  );
  await waitFor(() => expect(shown()).toHaveLength(3));
  const text = (id: string) => `${row(id).querySelector('.hf-summary')?.textContent} ${toggle(id).textContent}`;
  expect(text(batch.id)).toMatch(/Batch 2 tasks2 done$/);
  expect(text(chain.key)).toMatch(/Chain 2 tasks2 done$/);
  expect(text(swarm.key)).toMatch(/Swarm 3 tasks3 done$/);
  unmount();
  await orchestrator.dispose();
});
