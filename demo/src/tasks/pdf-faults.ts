/** Which fault of a PDF it is: before pdf.js looks at the file, and from what pdf.js throws. */
import { FatalError } from 'holdfast';
import { faultOf, type Subject, unreadable } from './faults.ts';

const kHeadBytes = 1024;
const kTailBytes = 64 * 1024;

async function textAt(file: Blob, from: number, to?: number): Promise<string> {
  return new TextDecoder('latin1').decode(await file.slice(from, to).arrayBuffer());
}

/**
 * pdf.js repairs what it can, silently: of a file cut in half it would show the first half as if it
 * were everything. So the two ends are looked at before.
 */
export async function checkPdf(file: File, subject: Subject): Promise<void> {
  if (file.size === 0) throw faultOf(subject, 'empty');
  const head = await textAt(file, 0, kHeadBytes);
  if (!head.includes('%PDF-')) throw faultOf(subject, 'notPdf');
  // A file made for the web begins with its own end; it says how long it is.
  const [, length] = /\/Linearized[^>]*\/L\s+(\d+)/.exec(head) ?? [];
  if (length !== undefined && file.size < Number(length)) throw faultOf(subject, 'damaged');
  const tail = await textAt(file, Math.max(0, file.size - kTailBytes));
  if (!/startxref|%%EOF/.test(tail)) throw faultOf(subject, 'damaged');
}

/** What pdf.js threw, as ours. Anything else (its worker did not start …) stays as it is and is retried. */
export function pdfFaultOf(error: unknown, subject: Subject, page?: number): unknown {
  if (error instanceof FatalError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'PasswordException') return faultOf(subject, 'encrypted', {}, error);
  if (/^(InvalidPDF|MissingPDF|Format|XRef\w*|Missing\w*|Unknown\w*)(Exception|Error)/.test(name)) {
    return page === undefined ? faultOf(subject, 'damaged', {}, error) : faultOf(subject, 'damagedPage', { page }, error);
  }
  return unreadable(error, subject) ?? error;
}
