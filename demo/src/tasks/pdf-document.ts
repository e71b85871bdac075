/**
 * One PDF, opened with pdf.js inside a worker and read in pieces: the file is never in memory as a
 * whole, and of its pages only those being worked on. Everything that could make two runs differ is
 * switched off: glyphs are drawn as paths from our own fonts, on a canvas of the CPU.
 */
import { getDocument, type PDFDocumentProxy, PDFDataRangeTransport, type PDFPageProxy, PDFWorker } from 'pdfjs-dist/legacy/build/pdf.mjs';
import type { DocumentInitParameters } from 'pdfjs-dist/types/src/display/api';
import type { Subject } from './faults.ts';
import { checkPdf, pdfFaultOf } from './pdf-faults.ts';

const kChunkBytes = 512 * 1024;
const kMaxThumbnailHeight = 1600;

export interface PdfFacts {
  pages: number;
  /** Title, Author, Subject, Keywords, Creator, Producer where the file has them. */
  metadata: Record<string, string>;
}

export interface PdfPage {
  /** UTF-8: bytes may be of any length, a string in a step's value may not. */
  text: Uint8Array<ArrayBuffer>;
  /** Unicode code points. */
  characters: number;
  /** In points, rounded. */
  width: number;
  height: number;
  png?: Uint8Array<ArrayBuffer>;
}

/** pdf.js asks for byte ranges; they come from the file on disk. */
class FileTransport extends PDFDataRangeTransport {
  readonly #file: Blob;
  readonly #onError: (error: unknown) => void;
  constructor(file: Blob, onError: (error: unknown) => void) {
    super(file.size, null);
    this.#file = file;
    this.#onError = onError;
  }
  override requestDataRange(begin: number, end: number): void {
    this.#file.slice(begin, end).arrayBuffer().then((bytes) => this.onDataRange(begin, new Uint8Array(bytes)), this.#onError);
  }
}

/** pdf.js makes its own with `document`, which a worker does not have. */
class WorkerCanvasFactory {
  create(width: number, height: number) {
    const canvas = new OffscreenCanvas(Math.max(1, width), Math.max(1, height));
    return { canvas, context: canvas.getContext('2d', { willReadFrequently: true }) };
  }
  reset(target: { canvas: OffscreenCanvas }, width: number, height: number): void {
    Object.assign(target.canvas, { width: Math.max(1, width), height: Math.max(1, height) });
  }
  destroy(target: { canvas: OffscreenCanvas | null; context: unknown }): void {
    // A canvas gives its memory back when it is empty, not when it is collected.
    if (target.canvas) Object.assign(target.canvas, { width: 0, height: 0 });
    Object.assign(target, { canvas: null, context: null });
  }
}

/** SVG filters need `document` too; without them a soft mask is drawn unfiltered. */
class NoFilters {
  addFilter = () => 'none';
  addHCMFilter = () => 'none';
  addAlphaFilter = () => 'none';
  addLuminosityFilter = () => 'none';
  addHighlightHCMFilter = () => 'none';
  destroy = () => {};
}

function parameters(worker: PDFWorker, range: FileTransport, assets: string): DocumentInitParameters {
  return {
    worker, range, rangeChunkSize: kChunkBytes, disableAutoFetch: true, disableStream: true,
    isEvalSupported: false, enableXfa: false, verbosity: 0,
    disableFontFace: true, useSystemFonts: false, enableHWA: false,
    cMapUrl: `${assets}cmaps/`, cMapPacked: true, standardFontDataUrl: `${assets}standard_fonts/`,
    wasmUrl: `${assets}wasm/`, iccUrl: `${assets}iccs/`, useWorkerFetch: true,
    CanvasFactory: WorkerCanvasFactory, FilterFactory: NoFilters,
  } as DocumentInitParameters;
}

export class PdfDocument {
  readonly #document: PDFDocumentProxy;
  readonly #release: () => Promise<void>;
  readonly #subject: Subject;

  private constructor(document: PDFDocumentProxy, subject: Subject, release: () => Promise<void>) {
    this.#document = document;
    this.#subject = subject;
    this.#release = release;
  }

  /** @throws FatalError one sentence that names the file, for every file that can't be opened */
  static async open(file: File, assets: string, subject: Subject): Promise<PdfDocument> {
    await checkPdf(file, subject).catch((error) => { throw pdfFaultOf(error, subject); });
    const port = new Worker(new URL('./pdfjs.worker.ts', import.meta.url), { type: 'module' });
    const worker = PDFWorker.create({ port } as unknown as Parameters<typeof PDFWorker.create>[0]);
    let unreadable: (error: unknown) => void = () => {};
    const trouble = new Promise<never>((_, reject) => { unreadable = reject; });
    trouble.catch(() => {});
    port.onerror = (event) => unreadable(new Error(`pdf.js could not be loaded: ${event.message || 'its worker did not start'}`));
    const task = getDocument(parameters(worker, new FileTransport(file, unreadable), assets));
    const release = async () => {
      await task.destroy().catch(() => {});
      worker.destroy();
      port.terminate();
    };
    try {
      return new PdfDocument(await Promise.race([task.promise, trouble]), subject, release);
    } catch (error) {
      await release();
      throw pdfFaultOf(error, subject);
    }
  }

  async facts(): Promise<PdfFacts> {
    const metadata: Record<string, string> = {};
    const { info } = await this.#document.getMetadata().catch(() => ({ info: {} }));
    for (const key of ['Title', 'Author', 'Subject', 'Keywords', 'Creator', 'Producer']) {
      const value = (info as Record<string, unknown>)[key];
      if (typeof value === 'string' && value.trim() !== '') metadata[key.toLowerCase()] = value.trim().slice(0, 1000);
    }
    return { pages: this.#document.numPages, metadata };
  }

  /** Reads one page and forgets it. `thumbnailWidth` 0: no picture. */
  async page(number: number, thumbnailWidth: number): Promise<PdfPage> {
    try {
      const page = await this.#document.getPage(number);
      const { width, height } = page.getViewport({ scale: 1 });
      const text = await textOf(page);
      const read: PdfPage = {
        text: new TextEncoder().encode(text === '' ? '' : `${text}\n`),
        characters: countCodePoints(text),
        width: Math.round(width),
        height: Math.round(height),
      };
      if (thumbnailWidth > 0) read.png = await thumbnailOf(page, thumbnailWidth);
      page.cleanup();
      return read;
    } catch (error) {
      throw pdfFaultOf(error, this.#subject, number);
    }
  }

  close(): Promise<void> {
    return this.#release();
  }
}

async function textOf(page: PDFPageProxy): Promise<string> {
  const reader = page.streamTextContent().getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    for (const item of value.items) if ('str' in item) text += item.hasEOL ? `${item.str}\n` : item.str;
  }
  return text.replace(/[^\S\n]+$/gm, '').trim();
}

async function thumbnailOf(page: PDFPageProxy, maxWidth: number): Promise<Uint8Array<ArrayBuffer>> {
  const size = page.getViewport({ scale: 1 });
  const viewport = page.getViewport({ scale: Math.min(maxWidth / size.width, kMaxThumbnailHeight / size.height) });
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(viewport.width)), Math.max(1, Math.round(viewport.height)));
  // On the CPU: a graphics card may round differently after a restart.
  const canvasContext = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!canvasContext) throw new Error('This browser gave no canvas to draw on.');
  try {
    // `print` draws at once; `display` waits for animation frames, which a hidden tab never gets.
    await page.render({ canvasContext: canvasContext as never, canvas: canvas as never, viewport, intent: 'print' }).promise;
    const png = await canvas.convertToBlob({ type: 'image/png' });
    return new Uint8Array(await png.arrayBuffer());
  } finally {
    Object.assign(canvas, { width: 0, height: 0 });
  }
}

function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
