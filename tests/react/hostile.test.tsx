// @vitest-environment happy-dom
import { act, fireEvent } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { isolate, preview, safeUrl } from '../../js/react/text.ts';
import { FakeOrchestrator } from '../fake/orchestrator.ts';
import { awkward, payloads, refusedUrls } from '../fixtures/hostile-texts.ts';
import { renderPanel, row } from './setup.tsx';

const around = [
  (text: string) => text,
  (text: string) => `report ${text}.pdf`,
  (text: string) => text.toUpperCase(),
  (text: string) => ` \n\t${text}`,
];
// Every fourth here; all 200, with a real engine, in Chromium: tests/demo/hostile.browser.test.ts.
const corpus = [...payloads.filter((_, index) => index % 4 === 0), ...awkward.flatMap((text) => around.map((wrap) => wrap(text)))];

let fake: FakeOrchestrator;
beforeEach(() => {
  fake = new FakeOrchestrator();
});

describe('S1: hostile text', () => {
  it('is shown as it is and becomes no element, wherever it stands', () => {
    corpus.forEach((text, index) => {
      fake.add({
        id: `r${index}`,
        name: text,
        phase: index % 2 ? 'failed' : 'running',
        error: new Error(text),
        progressMessage: text,
        progressPhase: text,
        progressStep: text,
        metadata: { fileName: text, [text]: text, deep: { [text]: [text] } },
      });
    });
    vi.stubGlobal('alert', () => expect.fail('a script ran'));
    renderPanel(fake, { limit: 1000 });
    act(() => {
      for (const toggle of document.querySelectorAll('.hf-toggle')) fireEvent.click(toggle);
    });
    const rows = [...document.querySelectorAll<HTMLElement>('.hf-row')];
    const shown = new Map(rows.map((element) => [element.dataset.taskId, element]));
    corpus.forEach((text, index) => {
      const element = shown.get(`r${index}`)!;
      expect(element.querySelector('.hf-name')?.textContent).toBe(text);
      expect(element.querySelector('dl')?.textContent).toContain(text);
    });
    expect(
      document.querySelectorAll('.hf-panel :is(script, img, iframe, style, math, template, a, object, embed)'),
    ).toHaveLength(0);
    expect(
      [...document.querySelectorAll('.hf-panel *')]
        .flatMap((element) => element.getAttributeNames())
        .filter((name) => name.startsWith('on')),
    ).toEqual([]);
    expect(Object.prototype).not.toHaveProperty('polluted');
    vi.unstubAllGlobals();
  }, 60_000);

  it('stands in a <bdi>, so that it reorders nothing around it', () => {
    fake.add({ id: 'a', name: 'x\u202Egpj.exe', phase: 'failed', error: new Error('\u202Eevil') });
    renderPanel(fake);
    expect(row('a').querySelector('bdi.hf-name')).toBeTruthy();
    expect(row('a').querySelector('.hf-summary bdi')?.textContent).toBe('\u202Eevil');
    expect(isolate('x\u202Ey')).toBe('\u2068x\u202Ey\u2069');
    expect(isolate('plain')).toBe('plain');
  });

  it('in values is shown in bounded work, whatever the value does', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const trap = {
      get bad() {
        throw new Error('no');
      },
    };
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 'v'.repeat(1000)]));
    expect(preview(circular)).toContain('{…}');
    expect(preview(trap)).toBe('…');
    expect(preview(wide).length).toBeLessThan(300);
    expect(preview('x'.repeat(1e7)).length).toBeLessThan(300);
    expect(preview([1, 'a', null, undefined, 10n, Symbol.iterator, new Date(0)])).toMatch(
      /^\[1, a, null, undefined, 10n, Symbol/,
    );
  });

  it('given as an error without a message, or metadata that is not text, harms nothing', () => {
    fake.add({ id: 'a', phase: 'failed', error: new Error(''), metadata: { phase: { a: 1 }, step: 4, fileName: 7 } });
    renderPanel(fake);
    act(() => void fireEvent.click(row('a').querySelector('.hf-toggle')!));
    expect(row('a').dataset.filename).toBe('unknown');
  });
});

describe('S2: a link to a result', () => {
  it.each(refusedUrls)('is none for %j', (url) => {
    expect(safeUrl(url)).toBeUndefined();
  });

  it.each(['https://a.example/x?y#z', 'HTTP://a.example', 'http://localhost:1/x', 'mailto:a@b.example'])('is one for %j', (url) => {
    expect(safeUrl(url)).toBe(new URL(url).href);
  });

  it('is one for a blob of this page', () => {
    expect(safeUrl(`blob:${location.origin}/0f8e`)).toBe(
      location.origin === 'null' ? undefined : `blob:${location.origin}/0f8e`,
    );
  });

  it('opens without an opener and only when it is safe', () => {
    fake.add({ id: 'a', phase: 'completed', result: 'https://example.org/x' });
    fake.add({ id: 'b', phase: 'completed', result: 'javascript:alert(1)' });
    renderPanel(fake);
    for (const id of ['a', 'b']) act(() => void fireEvent.click(row(id).querySelector('.hf-toggle')!));
    expect(row('a').querySelector('a')?.rel).toBe('noopener noreferrer');
    expect(row('b').querySelector('a')).toBeNull();
    expect(row('b').textContent).toContain('javascript:alert(1)');
  });
});
