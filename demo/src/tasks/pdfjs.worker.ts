/** pdf.js's own half: parsing, apart from the drawing that the worker above it does. A file of ours so that bundlers find it. */
import 'pdfjs-dist/legacy/build/pdf.worker.min.mjs';
