/** The PDF task's worker: the handler runs here whole, its durable steps are kept by the page. */
import { serve } from 'holdfast/worker';
import { type PdfInput, processPdf } from './pdf.ts';

const assets = new URL(`${import.meta.env.BASE_URL}pdfjs/`, self.location.href).href;

serve((input: PdfInput, ctx) => processPdf(input, ctx, assets));
