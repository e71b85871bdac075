/** The text of a PDF, page by page: a durable step each, as the PDF task has them, without pictures and without a zip. */
import { FatalError, type TaskContext } from 'holdfast';
import { subjectOf } from './faults.ts';
import { openedOnce } from './pdf.ts';
import { inOrder } from './progress.ts';

export interface PdfTextInput {
  file: File;
  [more: string]: unknown;
}

export interface PdfText {
  pages: string[];
  count: number;
  /** Of its metadata; '' where the file has none. */
  title: string;
}

const kPagesAtOnce = 3;

export async function readPdfText({ file }: PdfTextInput, ctx: TaskContext, assets: string): Promise<PdfText> {
  if (!(file instanceof Blob)) throw new FatalError('PDF text needs { file }: a PDF file.');
  const source = openedOnce(file, assets, subjectOf(file, ctx.metadata));
  try {
    const facts = await ctx.step('open', async () => (await source.get()).facts());
    let done = 0;
    const pages = await inOrder(facts.pages, kPagesAtOnce, async (number) => {
      ctx.signal.throwIfAborted();
      const text = await ctx.step(`page-${number}`, async () => (await source.get()).page(number, 0).then((page) => page.text));
      done += 1;
      ctx.progress({ value: (100 * done) / facts.pages, message: `${done} / ${facts.pages}` });
      return new TextDecoder().decode(text).trimEnd();
    });
    return { pages, count: pages.length, title: facts.metadata['title'] ?? '' };
  } finally {
    await source.close();
  }
}
