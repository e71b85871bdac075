// @vitest-environment happy-dom
import { act, fireEvent, render, screen, within } from '@testing-library/react';
import { Profiler } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TaskManager } from '../../js/react/index.ts';
import type { TaskPhase } from '../../js/types.ts';
import { FakeOrchestrator } from '../fake/orchestrator.ts';
import { press, renderPanel, row, wrapperFor } from './setup.tsx';

let fake: FakeOrchestrator;
beforeEach(() => {
  fake = new FakeOrchestrator();
});

const buttons = (id: string) =>
  [...row(id).querySelectorAll<HTMLElement>('[data-action]')].map((button) => button.dataset.action);
const details = (id: string) => act(() => void fireEvent.click(row(id).querySelector('.hf-toggle')!));

describe('rows', () => {
  it('carry the id, the file name and the state as attributes', () => {
    fake.add({ id: 'a', metadata: { fileName: 'report.pdf' } });
    fake.add({ id: 'b', phase: 'failed', metadata: { fileName: { toString: () => 'x' } } });
    renderPanel(fake);
    expect(row('a').dataset).toMatchObject({ filename: 'report.pdf', state: 'running', phase: 'running' });
    expect(row('b').dataset).toMatchObject({ filename: 'unknown', state: 'failed' });
  });

  it.each<[TaskPhase, string, string[]]>([
    ['delayed', 'Scheduled', ['pause', 'cancel']],
    ['blocked', 'Blocked', ['pause', 'cancel']],
    ['queued', 'Queued', ['pause', 'cancel']],
    ['running', 'Running', ['pause', 'cancel']],
    ['waiting', 'Waiting', ['pause', 'cancel']],
    ['retrying', 'Retrying', ['pause', 'cancel']],
    ['suspended', 'Paused', ['resume', 'cancel']],
    ['interrupted', 'Paused', ['resume', 'cancel']],
    ['cancelling', 'Cancelling', []],
    ['stopping', 'Stopping', []],
    ['completed', 'Completed', ['remove']],
    ['failed', 'Failed', ['retry', 'remove']],
    ['timedOut', 'Timed out', ['retry', 'remove']],
    ['expired', 'Expired', ['retry', 'remove']],
    ['quarantined', 'Quarantined', ['retry', 'remove']],
    ['cancelled', 'Cancelled', ['retry', 'remove']],
  ])('of a run that is %s say "%s" and offer what makes sense', (phase, word, actions) => {
    fake.add({ id: 'a', phase });
    renderPanel(fake);
    expect(row('a').querySelector('.hf-badge')?.textContent).toBe(word);
    expect(row('a').querySelector('svg')?.dataset.icon).toBeTruthy();
    expect(buttons('a')).toEqual(actions);
  });

  it('of a schedule say when it runs its task next', () => {
    const schedule = { settings: { timezone: 'UTC' }, task: 'report', active: true, fired: 0, nextMs: Date.now() + 3 * 3_600_000 + 500 };
    fake.add({ id: 'a', phase: 'waiting', taskIdentifier: 'holdfast/schedule', metadata: { schedule } });
    fake.add({ id: 'b', phase: 'waiting', metadata: { schedule } });
    renderPanel(fake);
    expect(row('a').textContent).toContain('Starts in 3 hours');
    expect(row('b').textContent).not.toContain('Starts');
  });

  it('offer only what is allowed', () => {
    fake.add({ id: 'a' });
    fake.add({ id: 'b', phase: 'completed', result: new Blob(['x']) });
    renderPanel(fake, { allowCancel: false, allowPause: false, allowRemove: false, allowDownload: false });
    expect([...buttons('a'), ...buttons('b')]).toEqual([]);
  });

  it('call the orchestrator, each with the name of what it acts on', async () => {
    fake.add({ id: 'a', name: 'report.pdf' });
    renderPanel(fake);
    await press('Pause report.pdf');
    await press('Resume report.pdf');
    await press('Cancel report.pdf');
    await press('Retry report.pdf');
    act(() => fake.complete('a', new Blob(['x'])));
    await press('Download report.pdf');
    const now = Date.now;
    await press('Remove report.pdf');
    // It has just come to where Cancel was: such a click is a slip.
    expect(fake.calls).not.toContain('removeTask a');
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 1000);
    await press('Remove report.pdf');
    vi.restoreAllMocks();
    expect(fake.calls).toEqual([
      'pauseTask a',
      'resumeTask a',
      'cancelTask a',
      'retryTask a',
      'download a',
      'removeTask a 10s',
    ]);
    expect(screen.getByText('No active tasks')).toBeTruthy();
  });

  it('say what did not work', async () => {
    fake.add({ id: 'a', name: 'x' });
    fake.pauseTask = async () => {
      throw new Error('the store is gone');
    };
    renderPanel(fake);
    await press('Pause x');
    expect(row('a').textContent).toContain('Pause did not work: the store is gone');
  });

  it('keep their place when only progress changes, and no other row renders', () => {
    for (const id of ['a', 'b', 'c']) fake.add({ id, progressSource: 'reported' });
    const Wrapper = wrapperFor(fake);
    const rendered = vi.fn();
    const drawn: string[] = [];
    render(
      <Wrapper>
        <Profiler id="panel" onRender={rendered}>
          <TaskManager renderTask={draw} />
        </Profiler>
      </Wrapper>,
    );
    function draw(state: { id: string }) {
      drawn.push(state.id);
      return null;
    }
    drawn.length = 0;
    act(() => fake.update('b', { progress: 30 }));
    expect(new Set(drawn)).toEqual(new Set(['b']));
  });
});

describe('the progress bar', () => {
  const bar = () => screen.getByRole('progressbar');

  it('is named after the task and says its value', () => {
    fake.add({ id: 'a', name: 'report.pdf', progress: 42.4, progressSource: 'reported', remainingMs: 95_000 });
    renderPanel(fake);
    expect(screen.getByRole('progressbar', { name: 'report.pdf' })).toBe(bar());
    expect(bar().getAttribute('aria-valuenow')).toBe('42');
    expect(bar().getAttribute('aria-valuetext')).toBe('42%');
    expect(row('a').textContent).toContain('1 min 35 sec left');
  });

  it.each(['simulated', 'estimated'] as const)('says that a %s value is estimated', (progressSource) => {
    fake.add({ id: 'a', progress: 42, progressSource });
    renderPanel(fake);
    expect(bar().getAttribute('aria-valuetext')).toBe('42%, estimated');
    expect(row('a').textContent).toContain('≈ 42%');
  });

  it('has no value at all while nothing is known', () => {
    fake.add({ id: 'a' });
    renderPanel(fake);
    expect(bar().hasAttribute('aria-valuenow')).toBe(false);
    expect(bar().hasAttribute('aria-valuetext')).toBe(false);
  });

  it('turns to finalizing at 95 % and never shows 100 % before the end', () => {
    fake.add({ id: 'a', progress: 94, progressSource: 'reported' });
    renderPanel(fake);
    expect(row('a').textContent).not.toContain('Finalizing');
    act(() => fake.update('a', { progress: 99.8 }));
    expect(row('a').querySelector('.hf-badge')?.textContent).toBe('Finalizing');
    expect(row('a').textContent).toContain('Almost done');
    expect(bar().getAttribute('aria-valuenow')).toBe('99');
    act(() => fake.complete('a'));
    expect(screen.queryByRole('progressbar')).toBeNull();
  });
});

describe('details', () => {
  it('open and close by a real button', () => {
    fake.add({ id: 'a', name: 'x' });
    renderPanel(fake);
    const toggle = row('a').querySelector<HTMLButtonElement>('button[aria-expanded]')!;
    expect(toggle.getAttribute('aria-expanded')).toBe('false');
    details('a');
    expect(toggle.getAttribute('aria-expanded')).toBe('true');
    expect(document.getElementById(toggle.getAttribute('aria-controls')!)?.textContent).toContain('Run id');
    details('a');
    expect(row('a').querySelector('dl')).toBeNull();
  });

  it('tell the whole story of a run', () => {
    fake.add({
      id: 'a',
      phase: 'retrying',
      attempt: 2,
      retryCount: 1,
      recoveries: 1,
      retryAt: Date.now() + 60_000,
      progressPhase: 'reading',
      progressStep: 'page-2',
      error: new Error('too dark'),
      metadata: { fileName: 'a.pdf', size: 3 },
      steps: 4,
    });
    renderPanel(fake);
    details('a');
    const entries = [...row('a').querySelectorAll('.hf-entry')].map((entry) => entry.textContent);
    for (const part of [
      'Attempts2 / 3',
      'Phasereading',
      'Steppage-2',
      'Recoveredresumed once after a crash or reload',
      'Run ida',
      'Errortoo dark',
      'WhyIt is retrying.',
      'Metadata',
    ]) {
      expect(
        entries.some((entry) => entry?.startsWith(part)),
        part,
      ).toBe(true);
    }
    expect(row('a').textContent).toContain('fileName a.pdf');
    expect(row('a').textContent).toMatch(/Next attemptin (59|60) seconds/);
  });

  it('B2: say what a run is for, where its task says so', () => {
    fake.add({ id: 'a', intent: 'effect' });
    fake.add({ id: 'b' });
    renderPanel(fake);
    details('a');
    details('b');
    expect(row('a').textContent).toContain('Foreffect');
    expect(row('b').textContent).not.toContain('Foreffect');
  });

  it('J10: say of a run that was answered by the cache that its own code did not run', () => {
    fake.add({ id: 'a', phase: 'completed', status: 'completed', fromCache: true });
    fake.add({ id: 'b', phase: 'completed', status: 'completed' });
    renderPanel(fake);
    details('a');
    details('b');
    expect(row('a').textContent).toContain('Answeredby an earlier output; its own code did not run');
    expect(row('b').textContent).not.toContain('Answered');
  });

  it('tell onTaskClick which run it was', () => {
    fake.add({ id: 'a' });
    const onTaskClick = vi.fn();
    renderPanel(fake, { onTaskClick });
    details('a');
    expect(onTaskClick).toHaveBeenCalledExactlyOnceWith(fake.getTaskState('a'));
  });
});

describe('onTaskComplete', () => {
  it('is called once per completion, also in StrictMode, and never for what had completed before', () => {
    const onTaskComplete = vi.fn();
    fake.add({ id: 'old', phase: 'completed', result: 1 });
    fake.add({ id: 'a' });
    const { unmount } = renderPanel(fake, { onTaskComplete });
    expect(onTaskComplete).not.toHaveBeenCalled();
    act(() => fake.complete('a', 'done'));
    expect(onTaskComplete).toHaveBeenCalledExactlyOnceWith('a', 'done');
    unmount();
    fake.emit('complete', 'a', 'again');
    expect(onTaskComplete).toHaveBeenCalledTimes(1);
  });
});

describe('cleaning up', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const cleanups = () => fake.calls.filter((call) => call.startsWith('cleanup'));

  it('happens every hour by default', () => {
    renderPanel(fake);
    vi.advanceTimersByTime(3_599_000);
    expect(cleanups()).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(cleanups()).toEqual(['cleanupCompletedTasks 3600000']);
  });

  it('happens at the interval if that is shorter, at most an hour apart if longer, not at all when off', () => {
    const { rerender } = renderPanel(fake, { cleanupInterval: 1000 });
    vi.advanceTimersByTime(2500);
    expect(cleanups()).toEqual(['cleanupCompletedTasks 1000', 'cleanupCompletedTasks 1000']);
    rerender(<TaskManager cleanupInterval={86_400_000} />);
    vi.advanceTimersByTime(3_600_000);
    expect(cleanups().at(-1)).toBe('cleanupCompletedTasks 86400000');
    rerender(<TaskManager autoCleanup={false} />);
    vi.advanceTimersByTime(7_200_000);
    expect(cleanups()).toHaveLength(3);
  });
});

describe('the list', () => {
  it('is filtered by chips with counts', async () => {
    fake.add({ id: 'a' });
    fake.add({ id: 'b', phase: 'completed' });
    fake.add({ id: 'c', phase: 'failed' });
    renderPanel(fake);
    const chip = (name: RegExp) => screen.getByRole('button', { name, pressed: false });
    expect(screen.getByRole('button', { pressed: true }).textContent).toBe('All 3');
    act(() => void fireEvent.click(chip(/Failed 1/)));
    expect([...document.querySelectorAll<HTMLElement>('[data-task-id]')].map((item) => item.dataset.taskId)).toEqual([
      'c',
    ]);
    act(() => fake.drop('c'));
    expect(screen.getByText('Nothing here right now')).toBeTruthy();
  });

  it('hides completed runs if asked to', () => {
    fake.add({ id: 'a' });
    fake.add({ id: 'b', phase: 'completed' });
    renderPanel(fake, { hideCompleted: true });
    expect(document.querySelectorAll('[data-task-id]')).toHaveLength(1);
    expect(screen.queryByRole('button', { name: /Completed/ })).toBeNull();
  });

  it('sorts by what needs a person first', () => {
    fake.add({ id: 'a', phase: 'failed' });
    fake.add({ id: 'b', phase: 'completed' });
    fake.add({ id: 'c' });
    renderPanel(fake, { sort: 'status' });
    expect([...document.querySelectorAll<HTMLElement>('[data-task-id]')].map((item) => item.dataset.taskId)).toEqual([
      'a',
      'c',
      'b',
    ]);
  });

  it('shows a limit of rows, and as many more when asked', async () => {
    for (let index = 0; index < 25; index++) fake.add({ id: `r${index}` });
    renderPanel(fake, { limit: 10 });
    expect(document.querySelectorAll('[data-task-id]')).toHaveLength(10);
    await press('Show 10 more');
    await press('Show 5 more');
    expect(document.querySelectorAll('[data-task-id]')).toHaveLength(25);
    expect(screen.queryByText(/Show \d+ more/)).toBeNull();
  });

  it('is cleared only after a question that starts on the harmless answer', async () => {
    fake.add({ id: 'a' });
    renderPanel(fake);
    await press('Clear all');
    expect(document.activeElement?.textContent).toBe('Keep');
    expect(screen.getByRole('group', { name: /Remove 1 task for good\? 1 of them is still active/ })).toBeTruthy();
    await press('Keep');
    expect(fake.calls).toEqual([]);
    await press('Clear all');
    await press('Remove');
    expect(fake.calls).toEqual(['clearAllTasks']);
  });

  it('takes the caller’s own rows, buttons, words and classes', () => {
    fake.add({ id: 'a', name: 'x' });
    const { rerender } = renderPanel(fake, {
      renderActions: (state) => <button type="button">Mail {state.name}</button>,
      labels: { title: 'Jobs', running: 'Busy' },
      classNames: { row: 'mine', root: 'box' },
      className: 'outer',
    });
    expect(screen.getByRole('button', { name: 'Mail x' })).toBeTruthy();
    expect(screen.getByRole('region', { name: 'Jobs' }).className).toBe('hf-panel box outer');
    expect(row('a').className).toBe('hf-row mine');
    expect(row('a').textContent).toContain('Busy');
    rerender(<TaskManager renderTask={(state, { actions }) => <b>{`${state.name}: ${actions.join()}`}</b>} />);
    expect(row('a').innerHTML).toBe('<b>x: pause,cancel</b>');
  });

  it('shows an empty state, its own or the caller’s', () => {
    const { rerender } = renderPanel(fake);
    expect(screen.getByText('No active tasks')).toBeTruthy();
    expect(screen.getByText(/choosing a file to process/)).toBeTruthy();
    rerender(<TaskManager emptyState={<p>All done.</p>} />);
    expect(screen.getByText('All done.')).toBeTruthy();
  });
});

describe('French', () => {
  it('speaks French throughout, with plurals and relative time', async () => {
    fake.add({
      id: 'a',
      name: 'rapport.pdf',
      phase: 'completed',
      startTime: Date.now() - 180_000,
      endedAt: Date.now() - 120_000,
      recoveries: 2,
    });
    fake.add({ id: 'b' });
    renderPanel(fake, { locale: 'fr' });
    expect(row('a').textContent).toContain('Terminée il y a 2 minutes');
    expect(screen.getByRole('button', { name: 'Retirer rapport.pdf' })).toBeTruthy();
    details('a');
    expect(row('a').textContent).toContain('reprise 2 fois');
    await press('Tout effacer');
    expect(screen.getByText(/les 2 tâches/)).toBeTruthy();
  });
});

describe('the storage banner', () => {
  it('is not there while all is well', () => {
    renderPanel(fake);
    expect(document.querySelector('[data-storage]')).toBeNull();
  });

  it.each([
    [{ status: 'full' }, 'Storage is full'],
    [{ status: 'degraded' }, 'One copy of your tasks is gone'],
    [{ status: 'failing' }, 'Tasks cannot be saved right now'],
    [{ durability: 'memory' }, 'Tasks are kept in memory only'],
  ] as const)('says in plain words what is wrong when storage is %o', (patch, words) => {
    renderPanel(fake);
    act(() => fake.setStorage(patch));
    expect(document.querySelector('.hf-banner')?.textContent).toContain(words);
    act(() => fake.setStorage({ status: 'ok', durability: 'process' }));
    expect(document.querySelector('.hf-banner')).toBeNull();
  });
});

describe('a panel with its parts', () => {
  it('has one list, named after its title, of one item per run', () => {
    fake.add({ id: 'a' });
    renderPanel(fake);
    const list = screen.getByRole('list', { name: 'Tasks' });
    expect(within(list).getAllByRole('listitem').length).toBeGreaterThanOrEqual(1);
  });

  it('leaves nothing subscribed when it is gone', () => {
    fake.add({ id: 'a' });
    const { unmount } = renderPanel(fake);
    unmount();
    expect(fake.listenerCount).toBe(0);
  });
});
