import { expect, it } from 'vitest';
import { baseName, numbered, shownName } from '../../demo/src/tasks/names.ts';

it.each([
  ['report.pdf', 'report'],
  ['../../x.pdf', 'x'],
  ['..\\..\\x.pdf', 'x'],
  ['/etc/passwd', 'passwd'],
  ['.pdf', 'document'],
  ['..', 'document'],
  ['', 'document'],
  ['...hidden.pdf', 'hidden'],
  ['a:b*c?"<d>|.pdf', 'a_b_c___d__'],
  ['con.pdf', 'con_'],
  ['LPT1.PDF', 'LPT1_'],
  ['line\nbreak\u0000.pdf', 'line_break_'],
  ['invoice\u202efdp.exe.pdf', 'invoice_fdp.exe'],
  ['été 😀.pdf', 'été 😀'],
  ['no extension', 'no extension'],
  ['archive.tar.gz', 'archive.tar'],
  ['half \ud83d emoji.pdf', 'half \ufffd emoji'],
])('%j is downloaded under a plain name', (given, expected) => {
  expect(baseName(given)).toBe(expected);
});

it('a name of 300 characters is cut at whole characters, below what file systems take', () => {
  for (const one of ['x', 'é', '😀', '👨‍👩‍👧‍👦']) {
    const name = baseName(`${one.repeat(300)}.pdf`);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(120);
    // The joiners inside of a family are among the characters no file name keeps.
    expect(name.endsWith('\ufffd')).toBe(false);
    expect(name.length).toBeGreaterThan(10);
  }
});

it('a name stands in a sentence on one line and not too long', () => {
  expect(shownName('a\nb\u202ec.pdf')).toBe('a b c.pdf');
  expect(shownName(`${'x'.repeat(300)}.pdf`)).toBe(`${'x'.repeat(50)}…${'x'.repeat(16)}.pdf`);
  expect(shownName(`${'x'.repeat(300)}.pdf`, 40)).toBe(`${'x'.repeat(25)}…${'x'.repeat(6)}.pdf`);
  expect(shownName('../../x.pdf')).toBe('../../x.pdf');
});

it('numbers sort as text', () => {
  expect(numbered('page', 7, 3)).toBe('page-007');
  expect(numbered('page', 7, 12_345)).toBe('page-00007');
});
