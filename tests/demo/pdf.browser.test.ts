import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { badFiles, japanesePdf, makePdf } from '../fixtures/pdfs.mjs';
import { buildDemo, check, temporaryDirectory, writeFile } from './built-demo.ts';

const directory = temporaryDirectory();
beforeAll(buildDemo, 120_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function processed(path: string, ...args: string[]) {
  const out = join(directory, 'out.zip');
  const { code, stdout, stderr } = await check(path, '--out', out, ...args);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  const zip = readFileSync(out);
  return { facts: JSON.parse(stdout), zip, entries: unzipSync(zip) };
}

describe('A PDF', () => {
  it('gives the text of every page, pictures of the first ten, and a report', async () => {
    const path = writeFile(directory, 'twelve.pdf', await makePdf({ pages: 12, lines: 5, imageSize: 40, title: 'Twelve' }));
    const { facts, zip, entries } = await processed(path);
    const report = JSON.parse(strFromU8(entries['report.json'] as Uint8Array));
    expect(facts).toEqual({ pages: 12, characters: report.characters, images: 10, zipBytes: zip.length, ms: expect.any(Number) });
    expect(report).toMatchObject({ file: 'twelve.pdf', mode: 'complete', maxImages: 10, format: 'zip', pages: 12, metadata: { title: 'Twelve' } });
    const numbers = Array.from({ length: 12 }, (_, index) => String(index + 1).padStart(3, '0'));
    expect(Object.keys(entries)).toEqual([
      'report.json', ...numbers.map((number) => `text/page-${number}.txt`), ...numbers.slice(0, 10).map((number) => `thumbnails/page-${number}.png`),
    ]);
    const texts = numbers.map((number) => strFromU8(entries[`text/page-${number}.txt`] as Uint8Array));
    for (const [index, text] of texts.entries()) expect(text).toMatch(new RegExp(`^Page ${index + 1}\n\\w`));
    expect(texts.reduce((sum, text) => sum + [...text.trim()].length, 0)).toBe(facts.characters);
    const png = Buffer.from(entries['thumbnails/page-010.png'] as Uint8Array);
    expect(png.subarray(0, 8)).toEqual(Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]));
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([400, 566]);
  });

  it('of one page without any text is processed too, whatever it is called', async () => {
    const path = writeFile(directory, '😀 été "$(x)".pdf', await makePdf({ pages: 1, lines: 0 }));
    const { facts } = await processed(path);
    expect(facts).toMatchObject({ pages: 1, characters: 6, images: 1 });
  });
});

describe('Text', () => {
  it('of fonts that are not embedded is read with the character maps of our own origin', async () => {
    const { entries } = await processed(writeFile(directory, 'japanese.pdf', japanesePdf()));
    expect(strFromU8(entries['text/page-001.txt'] as Uint8Array)).toBe('あい\n');
  });

  it('of a PDF that opens without a password is read, whatever its owner forbade', async () => {
    const path = writeFile(directory, 'owned.pdf', await makePdf({ pages: 1, lines: 0, ownerPassword: 'owner' }));
    expect((await processed(path)).facts).toMatchObject({ pages: 1, characters: 6 });
  });
});

describe('A killed browser', () => {
  it('costs no stored page and changes no byte of the zip', async () => {
    const path = writeFile(directory, 'sixty.pdf', await makePdf({ pages: 60, imageSize: 120 }));
    const undisturbed = await processed(path);
    const killed = await processed(path, '--kill', '3');
    expect(killed.facts).toMatchObject({ pages: 60, kills: 3, pagesRerun: 0 });
    expect(killed.zip.equals(undisturbed.zip)).toBe(true);
  }, 120_000);
});

describe('A file that is no PDF ends with exit 1 and one sentence', () => {
  const sentences: Record<string, string> = {
    empty: '"empty.pdf" is empty (0 bytes).',
    'not-pdf': '"not-pdf.pdf" is not a PDF file.',
    encrypted: '"encrypted.pdf" is encrypted and needs a password; remove the password and try again.',
    truncated: '"truncated.pdf" is damaged or incomplete and can\'t be read as a PDF.',
    linearized: '"linearized.pdf" is damaged or incomplete and can\'t be read as a PDF.',
    hollow: '"hollow.pdf" is damaged or incomplete and can\'t be read as a PDF.',
  };

  it.each(Object.keys(sentences))('%s', async (kind) => {
    const bytes = ((await badFiles()) as Record<string, Uint8Array>)[kind] as Uint8Array;
    const { code, stdout, stderr } = await check(writeFile(directory, `${kind}.pdf`, bytes));
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: `${sentences[kind]}\n` });
  });

  it.each([
    ['a missing file', join(directory, 'missing.pdf'), `There is no file "${join(directory, 'missing.pdf')}".`],
    ['a directory', directory, `"${directory.split('/').at(-1)}" is a directory, not a PDF file.`],
  ])('%s', async (_, path, sentence) => {
    expect(await check(path)).toEqual({ code: 1, stdout: '', stderr: `${sentence}\n` });
  });

  it('a place where the result can not be written is said before the work is done', async () => {
    const file = writeFile(directory, 'whole.pdf', new Uint8Array(1));
    const nowhere = join(directory, 'nowhere');
    expect(await check(file, '--out', join(nowhere, 'a.zip'))).toEqual({ code: 1, stdout: '', stderr: `--out: there is no directory "${nowhere}".\n` });
    expect(await check(file, '--out', directory)).toEqual({ code: 1, stdout: '', stderr: `--out: "${directory}" is a directory; name a file in it.\n` });
  });
});
