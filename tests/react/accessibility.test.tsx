// @vitest-environment happy-dom
import { act, fireEvent, screen } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeOrchestrator } from '../fake/orchestrator.ts';
import { press, renderPanel, row } from './setup.tsx';

let fake: FakeOrchestrator;
beforeEach(() => {
  fake = new FakeOrchestrator();
});

describe('focus', () => {
  it('stays on the button that changes from Pause to Resume', async () => {
    fake.add({ id: 'a', name: 'x' });
    renderPanel(fake);
    const button = screen.getByRole('button', { name: 'Pause x' });
    button.focus();
    await press('Pause x');
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Resume x' }));
  });

  it('moves to the row’s own button when the pressed one is gone', async () => {
    fake.add({ id: 'a', name: 'x' });
    renderPanel(fake);
    screen.getByRole('button', { name: 'Cancel x' }).focus();
    await press('Cancel x');
    expect(document.activeElement).toBe(row('a').querySelector('.hf-toggle'));
  });

  it('moves to the row that takes the place of a removed one, to the one before at the end, to the title at last', async () => {
    for (const id of ['c', 'b', 'a']) fake.add({ id, name: id, phase: 'failed' });
    renderPanel(fake);
    const removeFocused = async (id: string) => {
      screen.getByRole('button', { name: `Remove ${id}` }).focus();
      await press(`Remove ${id}`);
    };
    await removeFocused('b');
    expect(row('c').contains(document.activeElement)).toBe(true);
    await removeFocused('c');
    expect(row('a').contains(document.activeElement)).toBe(true);
    await removeFocused('a');
    expect(document.activeElement).toBe(screen.getByRole('heading', { name: 'Tasks' }));
  });

  it('is left alone when it is somewhere else', () => {
    fake.add({ id: 'a' });
    renderPanel(fake);
    act(() => fake.drop('a'));
    expect(document.activeElement).toBe(document.body);
  });
});

describe('the keyboard', () => {
  it('cancels with Delete where that is possible', async () => {
    fake.add({ id: 'a' });
    fake.add({ id: 'b', phase: 'completed' });
    renderPanel(fake);
    for (const id of ['a', 'b'])
      await act(async () => void fireEvent.keyDown(row(id).querySelector('.hf-toggle')!, { key: 'Delete' }));
    expect(fake.calls).toEqual(['cancelTask a']);
  });
});

describe('what is announced', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const polite = () => document.querySelector('[aria-live=polite]')?.textContent?.trim();
  const urgent = () => document.querySelector('[aria-live=assertive]')?.textContent?.trim();
  const later = () => act(() => void vi.advanceTimersByTime(3000));

  it('is one thing every three seconds: start, quarters, retry, end', () => {
    renderPanel(fake);
    act(() => void fake.add({ id: 'a', name: 'x', progressSource: 'reported' }));
    expect(polite()).toBe('x started');
    act(() => fake.update('a', { progress: 24 }));
    act(() => fake.update('a', { progress: 26 }));
    act(() => fake.update('a', { progress: 51 }));
    expect(polite()).toBe('x started');
    later();
    expect(polite()).toBe('x: 51%');
    act(() => fake.update('a', { phase: 'retrying', retryCount: 1 }));
    later();
    expect(polite()).toBe('x failed and will be tried again');
    later();
    act(() => fake.complete('a'));
    expect(polite()).toBe('x completed');
    expect(urgent()).toBe('');
  });

  it('is urgent for failures, which go first', () => {
    fake.add({ id: 'a', name: 'x' });
    fake.add({ id: 'b', name: 'y' });
    renderPanel(fake);
    act(() => fake.complete('b'));
    act(() => fake.fail('a', new Error('too dark')));
    later();
    expect(urgent()).toBe('x failed: too dark');
    expect(polite()).toBe('');
  });

  it('is summed up when much happens at once', () => {
    for (let index = 0; index < 9; index++) fake.add({ id: `r${index}`, phase: 'queued' });
    renderPanel(fake);
    act(() => fake.update('r0', { phase: 'running' }));
    act(() => {
      for (let index = 1; index < 9; index++) fake.update(`r${index}`, { phase: 'running' });
      fake.complete('r1');
    });
    later();
    expect(polite()).toBe('8 tasks changed: 7 started, 1 completed');
  });

  it('is not what had ended before', () => {
    renderPanel(fake);
    act(() => void fake.add({ id: 'a', phase: 'completed', endedAt: Date.now() - 60_000 }));
    later();
    expect(polite()).toBe('');
  });

  it('is nothing of what is removed, nor once more what had ended when that is back', () => {
    for (const id of ['a', 'b']) fake.add({ id, name: id });
    renderPanel(fake);
    const removedUntil = Date.now() + 60_000;
    act(() => fake.update('a', { phase: 'interrupted', removedUntil }));
    act(() => fake.complete('b'));
    later();
    expect(polite()).toBe('b completed');
    act(() => fake.update('b', { removedUntil }));
    act(() => fake.update('b', { removedUntil: undefined }));
    act(() => fake.update('a', { phase: 'cancelled', endedAt: Date.now() }));
    later();
    expect(polite()).toBe('b completed');
  });

  it('says storage trouble too', () => {
    renderPanel(fake);
    act(() => fake.setStorage({ status: 'full' }));
    later();
    expect(urgent()).toMatch(/^Storage is full/);
  });
});
