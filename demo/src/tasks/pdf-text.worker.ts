/** The worker that reads the text of a PDF. */
import { serve } from 'holdfast/worker';
import { type PdfTextInput, readPdfText } from './pdf-text.ts';

const assets = new URL(`${import.meta.env.BASE_URL}pdfjs/`, self.location.href).href;

serve((input: PdfTextInput, ctx) => readPdfText(input, ctx, assets));
