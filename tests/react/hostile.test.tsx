// @vitest-environment happy-dom
import { act, fireEvent } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { isolate, preview, safeUrl } from '../../js/react/text.ts';
import { FakeOrchestrator } from '../fake/orchestrator.ts';
import { renderPanel, row } from './setup.tsx';

const seeds = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  "'-alert(1)-'",
  '<iframe src=javascript:alert(1)>',
  '</li><style>*{display:none}</style>',
  '<a href="javascript:alert(1)">x</a>',
  '&lt;b&gt;',
  '{{constructor.constructor("alert(1)")()}}',
  '${alert(1)}',
  '<math><mi xlink:href="data:x,<script>alert(1)</script>">',
  '<!--',
  ']]>',
  '<template><script>alert(1)</script></template>',
  '\u202Egpj.exe',
  '\u2066\u2067\u2068',
  '\u0000null',
  '\ud800 lone',
  '🏳️‍🌈'.repeat(5),
  'a\u0300'.repeat(60),
  '__proto__',
  'constructor',
  '{name}',
  '{count} {when}',
  'javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
];
const around = [
  (text: string) => text,
  (text: string) => `report ${text}.pdf`,
  (text: string) => text.toUpperCase(),
  (text: string) => ` \n\t${text}`,
];
const corpus = seeds.flatMap((seed) => around.map((wrap) => wrap(seed)));

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
    corpus.forEach((text, index) => {
      act(() => void fireEvent.click(row(`r${index}`).querySelector('.hf-toggle')!));
      expect(row(`r${index}`).querySelector('.hf-name')?.textContent).toBe(text);
      expect(row(`r${index}`).querySelector('dl')?.textContent).toContain(text);
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
  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    '\tjavascript:alert(1)',
    'javascript&colon;alert(1)',
    'data:text/html,<b>',
    'data:,x',
    'vbscript:x',
    'file:///etc/passwd',
    'ftp://a/b',
    'mailto:a@b.c',
    'about:blank',
    'view-source:https://a',
    'filesystem:https://a/x',
    'blob:null/123',
    'blob:https://other.example/123',
    'blob:javascript:alert(1)',
    '//evil.example',
    '/relative',
    'x',
    '',
    ' https://a.example',
    '\u0000https://a',
    'https:',
    'http://',
    'https://[',
    'chrome://settings',
    'intent://x',
    'ws://a',
    'wss://a',
    'tel:1',
    'urn:x',
    'jar:https://a',
    'https//a',
    `https://a/${'x'.repeat(3000)}`,
  ])('is none for %j', (url) => {
    expect(safeUrl(url)).toBeUndefined();
  });

  it.each(['https://a.example/x?y#z', 'HTTP://a.example', 'http://localhost:1/x'])('is one for %j', (url) => {
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
