/** Why a file is not the PDF it should be, in one sentence that names it. None of these is cured by trying again. */
import { FatalError } from 'holdfast';
import { shownName } from './names.ts';

const kHeadBytes = 1024;
const kTailBytes = 64 * 1024;

export type PdfFault = 'empty' | 'not-pdf' | 'encrypted' | 'damaged' | 'page';

const sentences: Record<PdfFault, (name: string, page: number) => string> = {
  empty: (name) => `"${name}" is empty (0 bytes).`,
  'not-pdf': (name) => `"${name}" is not a PDF file.`,
  encrypted: (name) => `"${name}" is encrypted and needs a password; remove the password and try again.`,
  damaged: (name) => `"${name}" is damaged or incomplete and can't be read as a PDF.`,
  page: (name, page) => `"${name}" is damaged: page ${page} can't be read.`,
};

export function pdfFault(kind: PdfFault, fileName: string, page = 0, cause?: unknown): FatalError {
  return new FatalError(sentences[kind](shownName(fileName), page), { data: { fault: kind, page }, cause });
}

async function textAt(file: Blob, from: number, to?: number): Promise<string> {
  return new TextDecoder('latin1').decode(await file.slice(from, to).arrayBuffer());
}

/**
 * pdf.js repairs what it can, silently: of a file cut in half it would show the first half as if it
 * were everything. So the two ends are looked at before.
 */
export async function checkPdf(file: File): Promise<void> {
  if (file.size === 0) throw pdfFault('empty', file.name);
  if (!(await textAt(file, 0, kHeadBytes)).includes('%PDF-')) throw pdfFault('not-pdf', file.name);
  const tail = await textAt(file, Math.max(0, file.size - kTailBytes));
  if (!/startxref|%%EOF/.test(tail)) throw pdfFault('damaged', file.name);
}

/** What pdf.js threw, as ours. Anything else (a worker that did not start, a file that vanished) stays and is retried. */
export function sentenceOf(error: unknown, fileName: string, page?: number): unknown {
  const name = error instanceof Error ? error.name : '';
  if (error instanceof FatalError || name === 'AbortError') return error;
  if (name === 'PasswordException') return pdfFault('encrypted', fileName, 0, error);
  if (/^(InvalidPDF|MissingPDF|Format|XRef\w*|Missing\w*|Unknown\w*)(Exception|Error)/.test(name)) {
    return pdfFault(page ? 'page' : 'damaged', fileName, page ?? 0, error);
  }
  if (name === 'NotReadableError' || name === 'NotFoundError') {
    return new FatalError(`"${shownName(fileName)}" can't be read any more: it was changed, moved or deleted.`, { cause: error });
  }
  return error;
}
