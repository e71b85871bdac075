/**
 * The PDF task: text of every page, the first `maxImages` pages as pictures, one zip.
 *
 * One durable step per page. A step's value is small and final (text, PNG), and the zip is made of the
 * steps' values alone, so it does not matter which of them were computed now and which before a crash.
 */
import { FatalError, type TaskContext } from 'holdfast';
import { type Subject, subjectOf } from './faults.ts';
import { baseName, numbered, shownName } from './names.ts';
import { PdfDocument, type PdfFacts, type PdfPage } from './pdf-document.ts';
import { announcedStep, inOrder } from './progress.ts';
import { compress, ZipWriter } from './zip.ts';

export interface PdfInput {
  file: File;
  mode: 'complete';
  /** How many pages get a picture, from the first. */
  maxImages: number;
  format: 'zip';
}

const kThumbnailWidth = 400;
/** One page is parsed while another is drawn and a third is stored; more only costs memory. */
const kPagesAtOnce = 3;

export async function processPdf(input: PdfInput, ctx: TaskContext, assets: string): Promise<File> {
  const { file, maxImages } = checkInput(input);
  const source = openedOnce(file, assets, subjectOf(file, ctx.metadata));
  const step = announcedStep(ctx);
  try {
    const facts = await step('open', async () => (await source.get()).facts());
    let done = 0;
    const pages = await inOrder(facts.pages, kPagesAtOnce, async (number) => {
      ctx.signal.throwIfAborted();
      const page = await step(`page-${number}`, async () =>
        (await source.get()).page(number, number <= maxImages ? kThumbnailWidth : 0));
      done += 1;
      // 99: the last hundredth is the zip.
      ctx.progress({ value: (99 * done) / facts.pages, phase: 'pages', step: `page-${number}`, message: `${done} / ${facts.pages} pages` });
      return page;
    });
    return zipOf(input, facts, pages);
  } finally {
    await source.close();
  }
}

function checkInput(input: PdfInput): PdfInput {
  if (!(input?.file instanceof Blob)) throw new FatalError('The PDF task needs { file }: a File.');
  if (input.mode !== 'complete') throw new FatalError(`The PDF task knows mode 'complete', not ${JSON.stringify(input.mode)}.`);
  if (input.format !== 'zip') throw new FatalError(`The PDF task knows format 'zip', not ${JSON.stringify(input.format)}.`);
  if (!Number.isInteger(input.maxImages) || input.maxImages < 0) throw new FatalError('maxImages must be a whole number from 0.');
  return input;
}

/** After a crash all pages may be stored already; then the file is not even opened. */
export function openedOnce(file: File, assets: string, subject: Subject) {
  let opened: Promise<PdfDocument> | undefined;
  return {
    get: () => (opened ??= PdfDocument.open(file, assets, subject)),
    close: async () => {
      await (await opened?.catch(() => undefined))?.close();
    },
  };
}

function zipOf(input: PdfInput, facts: PdfFacts, pages: PdfPage[]): File {
  const zip = new ZipWriter();
  zip.add('report.json', compress(`${JSON.stringify(reportOf(input, facts, pages), null, 2)}\n`));
  const name = (index: number) => numbered('page', index + 1, pages.length);
  for (const [index, { text }] of pages.entries()) zip.add(`text/${name(index)}.txt`, compress(text));
  for (const [index, { png }] of pages.entries()) {
    // A PNG is compressed already: level 0 stores it.
    if (png) zip.add(`thumbnails/${name(index)}.png`, compress(png, 0));
  }
  return zip.finish(`${baseName(input.file.name)}.zip`);
}

/** No clock and no duration here: the zip of an undisturbed run and of a resumed one are the same bytes. */
function reportOf({ file, mode, maxImages, format }: PdfInput, facts: PdfFacts, pages: PdfPage[]) {
  return {
    file: shownName(file.name), fileSize: file.size, mode, maxImages, format,
    pages: pages.length,
    characters: pages.reduce((sum, page) => sum + page.characters, 0),
    images: pages.filter((page) => page.png).length,
    metadata: facts.metadata,
    perPage: pages.map(({ characters, width, height, png }, index) => ({
      page: index + 1, characters, width, height, image: png !== undefined,
    })),
  };
}
