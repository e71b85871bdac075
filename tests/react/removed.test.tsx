// @vitest-environment happy-dom
/** Remove in the panel, and its undo. */
import { act, fireEvent, screen } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { StorageFullError } from '../../js/index.ts';
import { FakeOrchestrator } from '../fake/orchestrator.ts';
import { press, renderPanel, row } from './setup.tsx';

let fake: FakeOrchestrator;
beforeEach(() => {
  fake = new FakeOrchestrator();
  for (const id of ['c', 'b', 'a']) fake.add({ id, name: `${id}.pdf`, phase: 'failed' });
});

const rows = () => [...document.querySelectorAll<HTMLElement>('[data-task-id]')].map((each) => each.dataset.taskId);
const bar = () => document.querySelector('.hf-removed p')?.textContent;
const toggle = (id: string) => row(id).querySelector('.hf-toggle');

describe('a removed run', () => {
  it('is named below the list, and comes back with one press', async () => {
    renderPanel(fake);
    await press('Remove b.pdf');
    expect(rows()).toEqual(['a', 'c']);
    expect(bar()).toBe('“b.pdf” was removed');
    await press('Undo');
    expect(rows()).toContain('b');
    expect(bar()).toBeUndefined();
    expect(fake.calls).toEqual(['removeTask b 10s', 'undoRemove b']);
  });

  it('is counted with others, and all come back together', async () => {
    renderPanel(fake, { undoFor: '1m' });
    await press('Remove b.pdf');
    await press('Remove a.pdf');
    expect(bar()).toBe('2 tasks were removed');
    await press('Undo');
    expect(rows().sort()).toEqual(['a', 'b', 'c']);
    expect(fake.calls).toEqual(['removeTask b 1m', 'removeTask a 1m', 'undoRemove b', 'undoRemove a']);
  });

  it('leaves the bar when its time is over, and what was removed after it stays', async () => {
    renderPanel(fake);
    await press('Remove b.pdf');
    await press('Remove a.pdf');
    act(() => fake.forget('b'));
    expect(bar()).toBe('“a.pdf” was removed');
    act(() => fake.forget('a'));
    expect(bar()).toBeUndefined();
  });

  it('that another panel brings back leaves the bar too', async () => {
    renderPanel(fake);
    await press('Remove b.pdf');
    await act(() => fake.undoRemove('b'));
    expect(bar()).toBeUndefined();
    expect(rows()).toContain('b');
  });

  it('goes at once where the storage has no room for an undo', async () => {
    const asked: unknown[] = [];
    const remove = fake.removeTask.bind(fake);
    fake.removeTask = async (id, options) => {
      asked.push(options);
      if (options) throw new StorageFullError('Storage is full.');
      return remove(id);
    };
    renderPanel(fake);
    await press('Remove b.pdf');
    expect(asked).toEqual([{ undoFor: '10s' }, undefined]);
    expect(rows()).toEqual(['a', 'c']);
    expect(bar()).toBeUndefined();
  });

  it('that could not be brought back stays in the bar, and that is told', async () => {
    fake.undoRemove = async () => {
      throw new Error('the disk said no');
    };
    renderPanel(fake);
    await press('Remove b.pdf');
    await press('Undo');
    expect(bar()).toBe('“b.pdf” was removedUndo did not work: the disk said no');
  });

  it('comes back with the undo of the keyboard too, anywhere in the panel but in a field', async () => {
    const renderActions = () => <input aria-label="note" />;
    renderPanel(fake, { renderActions });
    await press('Remove b.pdf');
    const key = (target: Element, more: KeyboardEventInit) => act(async () => void fireEvent.keyDown(target, { key: 'z', ...more }));
    await key(row('a').querySelector('input')!, { ctrlKey: true });
    await key(toggle('a')!, {});
    await key(toggle('a')!, { ctrlKey: true, shiftKey: true });
    expect(rows()).toEqual(['a', 'c']);
    await key(toggle('a')!, { metaKey: true });
    expect(rows()).toContain('b');
    await key(toggle('a')!, { metaKey: true });
    expect(fake.calls).toEqual(['removeTask b 10s', 'undoRemove b']);
  });

  it('with a name from right to left, or of a thousand letters, does not turn or push the sentence', async () => {
    fake.add({ id: 'r', name: 'تقرير.pdf', phase: 'failed' });
    fake.add({ id: 'l', name: 'x'.repeat(1000), phase: 'failed' });
    renderPanel(fake);
    await act(async () => void fireEvent.click(row('r').querySelector('[data-action=remove]')!));
    expect(bar()).toBe('“\u2068تقرير.pdf\u2069” was removed');
    await press('Undo');
    await act(async () => void fireEvent.click(row('l').querySelector('[data-action=remove]')!));
    expect(bar()).toHaveLength(80 + '“…” was removed'.length);
  });

  it('is removed for good where `undoFor` is 0', async () => {
    fake.removeTask = vi.fn(async (id: string) => (fake.drop(id), true));
    renderPanel(fake, { undoFor: 0 });
    await press('Remove b.pdf');
    expect(fake.removeTask).toHaveBeenCalledExactlyOnceWith('b', { undoFor: 0 });
    expect(bar()).toBeUndefined();
  });
});

describe('the focus', () => {
  it('goes from Undo to the row that is back', async () => {
    renderPanel(fake);
    await press('Remove b.pdf');
    screen.getByRole('button', { name: 'Undo' }).focus();
    await press('Undo');
    expect(document.activeElement).toBe(toggle('b'));
  });

  it('goes to the title when the bar goes', async () => {
    renderPanel(fake);
    await press('Remove b.pdf');
    screen.getByRole('button', { name: 'Undo' }).focus();
    act(() => fake.forget('b'));
    expect(document.activeElement).toBe(screen.getByRole('heading', { name: 'Tasks' }));
  });
});
