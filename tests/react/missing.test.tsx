// @vitest-environment happy-dom
import { act, fireEvent, screen } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { PayloadMismatchError } from '../../js/errors.ts';
import { languages, type Locale } from '../../js/react/labels.ts';
import type { MissingFile } from '../../js/types.ts';
import { FakeOrchestrator } from '../fake/orchestrator.ts';
import { renderPanel, row } from './setup.tsx';

let fake: FakeOrchestrator;
beforeEach(() => {
  fake = new FakeOrchestrator();
});

const lost = (name: string | undefined, size: number): MissingFile => ({
  name,
  size,
  type: 'application/pdf',
  lastModified: 1,
  digest: 'd'.repeat(64),
});

function addHeld(missing: readonly MissingFile[] | undefined) {
  fake.add({ id: 'a', phase: 'blocked', status: 'paused', reason: 'missing-payload', attempt: 0, missing });
}

const chooser = () => row('a').querySelector<HTMLInputElement>('input[type="file"]')!;

async function choose(...files: File[]): Promise<void> {
  await act(async () => void fireEvent.change(chooser(), { target: { files } }));
}

describe('a run that misses files', () => {
  it('shows which, and takes the right one', async () => {
    addHeld([lost('report.pdf', 18_400_000)]);
    renderPanel(fake);
    expect(row('a').querySelector('.hf-summary')?.textContent).toBe('Its file is gone from this browser');
    expect(row('a').querySelector('.hf-missing-files')?.textContent).toBe('report.pdf 18.4 MB');
    expect(screen.getByLabelText('Choose again…')).toBe(chooser());
    expect(chooser().multiple).toBe(false);
    fake.judge = () => undefined;
    await choose(Object.defineProperty(new File(['x'], 'report.pdf'), 'size', { value: 18_400_000 }));
    expect(fake.calls).toEqual(['providePayload a']);
    expect(fake.getTaskState('a')?.phase).toBe('queued');
    expect(chooser()).toBeNull();
  });

  it('of several takes several at once, and asks for the rest', async () => {
    addHeld([lost('a', 1), lost('b', 2), lost(undefined, 3)]);
    renderPanel(fake);
    expect(row('a').querySelector('.hf-summary')?.textContent).toBe('3 of its files are gone from this browser');
    expect(chooser().multiple).toBe(true);
    await choose(new File(['x'], 'a'), new File(['xx'], 'b'));
    expect(row('a').querySelector('.hf-missing-files')?.textContent).toBe('File without a name 3 bytes');
  });

  it.each<[Locale, 'size' | 'content' | 'name', string]>([
    ['en', 'size', '“b.pdf” is not “a.pdf”: it has 2 bytes, the missing file had 7 bytes.'],
    ['en', 'content', '“b.pdf” is not “a.pdf”: it has the same size, but another content.'],
    ['fr', 'size', '« b.pdf » n’est pas « a.pdf » : il fait 2 octets, le fichier manquant faisait 7 octets.'],
    ['fr', 'content', '« b.pdf » n’est pas « a.pdf » : il a la même taille, mais un autre contenu.'],
    ['fr', 'name', '« b.pdf » n’est pas « a.pdf » : il porte un autre nom, et rien d’autre n’est connu'],
  ])('says in words (%s) what differs: %s', async (locale, differs, words) => {
    addHeld([lost('a.pdf', 7)]);
    renderPanel(fake, { locale });
    fake.judge = () => new PayloadMismatchError('English', { data: { differs, expected: lost('a.pdf', 7) } });
    await choose(new File(['xx'], 'b.pdf'));
    const problem = row('a').querySelector('.hf-problem')!;
    expect(problem.textContent?.replace(/[\u00a0\u202f]/g, ' ')).toContain(words);
    expect(chooser().getAttribute('aria-describedby')).toBe(problem.id);
    expect(screen.getByText(languages[locale].chooseFile)).toBeTruthy();
    // Another try begins without the old sentence.
    fake.judge = () => undefined;
    await choose(new File(['1234567'], 'a.pdf'));
    expect(row('a').querySelector('.hf-problem')).toBeNull();
  });

  it('shows any other trouble too, as text', async () => {
    addHeld([lost('<b>.pdf', 7)]);
    renderPanel(fake);
    fake.judge = () => new Error('<img src=x> storage is full');
    await choose(new File(['xx'], 'b.pdf'));
    expect(row('a').querySelector('.hf-problem')?.textContent).toBe('Choose again… did not work: <img src=x> storage is full');
    expect(row('a').querySelector('img, b')).toBeNull();
  });

  it('whose input was never kept asks for nothing', () => {
    addHeld(undefined);
    renderPanel(fake);
    expect(chooser()).toBeNull();
    expect(row('a').querySelector('.hf-summary')?.textContent).toBe('Its input could not be found');
  });
});
