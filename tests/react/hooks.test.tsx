// @vitest-environment happy-dom
import { act, render, renderHook } from '@testing-library/react';
import { StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { describe, expect, it, vi } from 'vitest';
import {
  TaskManager,
  useBatch,
  useOrchestrator,
  useTask,
  useTaskOrchestrator,
  useTaskProgress,
  useTasks,
  useTaskStream,
} from '../../js/react/index.ts';
import { FakeOrchestrator } from '../fake/orchestrator.ts';
import { renderWith, wrapperFor } from './setup.tsx';

const page = vi.hoisted(() => ({ orchestrator: undefined as unknown, asked: [] as unknown[] }));
vi.mock('../../js/react/default.ts', () => ({
  pageOrchestrator: (options: unknown) => {
    page.asked.push(options);
    return page.orchestrator;
  },
}));

describe('useBatch', () => {
  it('counts the items of a batch and follows them', () => {
    const fake = new FakeOrchestrator();
    const { result } = renderWith(fake, () => [useBatch('b'), useBatch(undefined)] as const);
    expect(result.current).toEqual([undefined, undefined]);
    act(() => {
      fake.add({ id: 'b', taskIdentifier: 'holdfast/batch', status: 'running', phase: 'waiting' });
      fake.add({ id: 'one', parentId: 'b', status: 'running', phase: 'running', progress: 50 });
      fake.add({ id: 'two', parentId: 'b', status: 'pending', phase: 'queued', progress: 0 });
      fake.add({ id: 'other', parentId: 'c' });
    });
    expect(result.current[0]).toMatchObject({ id: 'b', status: 'running', runCount: 2, progress: 25, counts: { running: 1, pending: 1, completed: 0 } });
    const before = result.current[0];
    act(() => fake.update('other', { progress: 7 }));
    expect(result.current[0]).toBe(before);
    act(() => fake.update('two', { status: 'failed', phase: 'failed' }));
    expect(result.current[0]).toMatchObject({ progress: 75, counts: { failed: 1, pending: 0 } });
    // One that could not be made has no run, and counts.
    act(() => {
      fake.update('one', { status: 'completed', phase: 'completed', progress: 100 });
      fake.update('b', { status: 'completed', phase: 'completed', endedAt: 9, progress: 100, result: { runCount: 3, rejected: [[2, 'task', {}]] } });
    });
    expect(result.current[0]).toMatchObject({ status: 'completed', runCount: 3, progress: 100, counts: { completed: 1, failed: 2 } });
    act(() => fake.update('b', { status: 'cancelled', phase: 'cancelled', progress: 0 }));
    expect(result.current[0]!.progress).toBeCloseTo(100 / 3);
  });
});

describe('useTask', () => {
  it('gives the state of a run and follows it', () => {
    const fake = new FakeOrchestrator();
    fake.add({ id: 'a', progress: 1 });
    const { result } = renderWith(fake, () => useTask('a'));
    expect(result.current?.progress).toBe(1);
    act(() => fake.update('a', { progress: 2 }));
    expect(result.current?.progress).toBe(2);
  });

  it('is undefined for an unknown run until it appears', () => {
    const fake = new FakeOrchestrator();
    const { result } = renderWith(fake, () => [useTask('a'), useTask(undefined)]);
    expect(result.current).toEqual([undefined, undefined]);
    act(() => void fake.add({ id: 'a' }));
    expect(result.current[0]?.id).toBe('a');
  });

  it('renders again only when what the selector gives differs, even if it builds a new object', () => {
    const fake = new FakeOrchestrator();
    fake.add({ id: 'a', progress: 1 });
    let renders = 0;
    const { result } = renderWith(fake, () => {
      renders++;
      return useTask('a', (state) => ({ status: state?.status }));
    });
    const before = renders;
    act(() => fake.update('a', { progress: 50 }));
    expect(renders).toBe(before);
    act(() => fake.update('a', { phase: 'completed' }));
    expect(renders).toBeGreaterThan(before);
    expect(result.current.status).toBe('completed');
  });

  it('renders only the component of the run that changed', () => {
    const fake = new FakeOrchestrator();
    const renders: Record<string, number> = { a: 0, b: 0 };
    function One({ id }: { id: string }) {
      renders[id]!++;
      return <p>{useTask(id)?.progress}</p>;
    }
    fake.add({ id: 'a' });
    fake.add({ id: 'b' });
    const Wrapper = wrapperFor(fake);
    render(
      <Wrapper>
        <One id="a" />
        <One id="b" />
      </Wrapper>,
    );
    const before = { ...renders };
    act(() => fake.update('a', { progress: 10 }));
    expect(renders.b).toBe(before.b);
    expect(renders.a).toBeGreaterThan(before.a!);
  });

  it('forgets its subscriptions when it is gone', () => {
    const fake = new FakeOrchestrator();
    const { unmount } = renderWith(fake, () => [useTask('a'), useTasks(), useTaskOrchestrator({ onComplete() {} })]);
    expect(fake.listenerCount).toBeGreaterThan(0);
    unmount();
    expect(fake.listenerCount).toBe(0);
  });
});

describe('useTasks', () => {
  it('filters by status, identifier and text, newest first', () => {
    const fake = new FakeOrchestrator();
    fake.add({ id: 'a', name: 'Report', taskIdentifier: 'pdf' });
    fake.add({ id: 'b', name: 'report two', taskIdentifier: 'pdf', phase: 'queued' });
    fake.add({ id: 'c', name: 'other', taskIdentifier: 'zip' });
    const ids = (filter: Parameters<typeof useTasks>[0]) =>
      renderWith(fake, () => useTasks(filter)).result.current.map((state) => state.id);
    expect(ids(undefined)).toEqual(['c', 'b', 'a']);
    expect(ids({ text: 'REPORT' })).toEqual(['b', 'a']);
    expect(ids({ status: ['running'], taskIdentifier: 'pdf' })).toEqual(['a']);
    expect(ids({ limit: 1 })).toEqual(['c']);
    expect(ids((state) => state.id !== 'c')).toEqual(['b', 'a']);
  });

  it('keeps its array and does not render while runs outside the inline filter change', () => {
    const fake = new FakeOrchestrator();
    fake.add({ id: 'a' });
    fake.add({ id: 'b', phase: 'failed' });
    let renders = 0;
    const { result, rerender } = renderWith(fake, () => {
      renders++;
      return useTasks({ status: 'failed' });
    });
    const [before, array] = [renders, result.current];
    act(() => fake.update('a', { progress: 5 }));
    expect(renders).toBe(before);
    rerender();
    expect(result.current).toBe(array);
  });
});

describe('useTaskProgress', () => {
  it('tells a guess from a report, finalizing from running, and nothing known from zero', () => {
    const fake = new FakeOrchestrator();
    fake.add({ id: 'a' });
    const { result } = renderWith(fake, () => useTaskProgress('a'));
    expect(result.current).toMatchObject({ indeterminate: true, isFinalizing: false, source: undefined });
    act(() =>
      fake.update('a', { progress: 95, progressSource: 'simulated', remainingMs: 4000, progressMessage: 'soon' }),
    );
    expect(result.current).toEqual({
      progress: 95,
      source: 'simulated',
      message: 'soon',
      remainingMs: 4000,
      isFinalizing: true,
      indeterminate: false,
    });
    act(() => fake.complete('a'));
    expect(result.current).toMatchObject({ progress: 100, isFinalizing: false, indeterminate: false });
  });
});

describe('useTaskOrchestrator', () => {
  it('gives every caller the same functions, whatever options object comes along', () => {
    const fake = new FakeOrchestrator();
    const { result, rerender } = renderWith(
      fake,
      () => [useTaskOrchestrator({ maxRetries: 3 }), useTaskOrchestrator()] as const,
    );
    const [first, second] = result.current;
    rerender();
    expect(result.current[0]).toBe(first);
    expect(second).toBe(first);
    expect(first.orchestrator).toBe(fake);
    expect(first.executeTask).toBe(result.current[1].executeTask);
  });

  it('has the verbs of the orchestrator, free to be passed around', async () => {
    const fake = new FakeOrchestrator();
    const { result } = renderWith(fake, () => useTaskOrchestrator());
    const {
      executeTask,
      getTaskState,
      getAllTasks,
      pauseTask,
      resumeTask,
      cancelTask,
      retryTask,
      removeTask,
      clearAllTasks,
    } = result.current;
    const id = await executeTask('Read', { execute: async () => 1 }, {});
    expect(getTaskState(id)?.name).toBe('Read');
    expect(getAllTasks()).toHaveLength(1);
    for (const verb of [pauseTask, resumeTask, cancelTask, retryTask, removeTask]) await verb(id);
    await clearAllTasks();
    expect(fake.calls.map((call) => call.split(' ')[0])).toEqual([
      'pauseTask',
      'resumeTask',
      'cancelTask',
      'retryTask',
      'removeTask',
      'clearAllTasks',
    ]);
  });

  it('calls the latest listeners once, also in StrictMode', () => {
    const fake = new FakeOrchestrator();
    fake.add({ id: 'a' });
    const seen: string[] = [];
    let turn = 1;
    const { rerender } = renderWith(fake, () => {
      const own = turn;
      return useTaskOrchestrator({
        onComplete: (id, result) => seen.push(`${own} done ${id} ${result}`),
        onError: (id, error) => seen.push(`${own} failed ${id} ${error.message}`),
        onProgress: (id, progress) => seen.push(`${own} ${id} ${progress}`),
      });
    });
    turn = 2;
    rerender();
    act(() => fake.emit('progress', 'a', 7));
    act(() => fake.complete('a', 42));
    act(() => fake.emit('error', 'a', new Error('no')));
    expect(seen).toEqual(['2 a 7', '2 done a 42', '2 failed a no']);
  });
});

describe('without a provider', () => {
  it('uses the page default, asked for without the listeners', () => {
    const fake = new FakeOrchestrator();
    page.orchestrator = fake;
    page.asked = [];
    const { result } = renderHook(
      () => [useOrchestrator(), useTaskOrchestrator({ id: 'x', onComplete() {} }).orchestrator],
      { wrapper: StrictMode },
    );
    expect(result.current).toEqual([fake, fake]);
    expect(page.asked).toContainEqual(undefined);
    expect(page.asked).toContainEqual({ id: 'x' });
  });
});

describe('on a server', () => {
  it('renders the opening panel and no tasks, whatever the orchestrator holds', () => {
    const fake = new FakeOrchestrator();
    fake.add({ id: 'a', name: 'Secret' });
    const Wrapper = wrapperFor(fake);
    function Probe() {
      return <i>{`${useTasks().length} ${useTask('a')?.name} ${useTaskProgress('a').progress}`}</i>;
    }
    const html = renderToString(
      <Wrapper>
        <TaskManager />
        <Probe />
      </Wrapper>,
    );
    expect(html).toContain('Looking for your tasks');
    expect(html).toContain('0 undefined 0');
    expect(html).not.toContain('Secret');
  });
});

describe('useTaskStream', () => {
  async function* chunks(count: number, error?: Error) {
    for (let chunk = 0; chunk < count; chunk++) yield chunk;
    if (error) throw error;
  }

  it('gives the chunks, and how it ended', async () => {
    const fake = new FakeOrchestrator();
    fake.chunks.set('a out', chunks(1000));
    fake.chunks.set('b out', chunks(2, new Error('broken')));
    let renders = 0;
    let id: string | undefined = 'a';
    const { result, rerender } = renderWith(fake, () => {
      renders++;
      return useTaskStream(id, 'out');
    });
    expect(result.current).toEqual({ chunks: [], status: 'reading', error: null });
    await vi.waitFor(() => expect(result.current.status).toBe('ended'));
    expect(result.current.chunks).toEqual(Array.from({ length: 1000 }, (_, chunk) => chunk));
    expect(renders).toBeLessThan(100);
    id = 'b';
    rerender();
    await vi.waitFor(() => expect(result.current.status).toBe('failed'));
    expect(result.current).toEqual({ chunks: [0, 1], status: 'failed', error: new Error('broken') });
    id = undefined;
    rerender();
    expect(result.current).toEqual({ chunks: [], status: 'reading', error: null });
  });
});
