// A PDF's text and pictures with pdf.js, in its own worker; the same code for both ways.
import { getDocument, OPS, PDFWorker } from 'pdfjs-dist/legacy/build/pdf.mjs';

/** Made with the page, which is there before anybody drops a document on it. */
const worker = PDFWorker.create({ port: new Worker(new URL('./pdfjs.worker.js', import.meta.url), { type: 'module' }) });

export async function openPdf(file) {
  const task = getDocument({ worker, data: new Uint8Array(await file.arrayBuffer()), verbosity: 0 });
  return { document: await task.promise, close: () => task.destroy() };
}

/** @returns {Promise<{text: string, images: Uint8Array[]}>} */
export async function readPage(document, number) {
  const page = await document.getPage(number);
  const { items } = await page.getTextContent();
  const text = items.map(({ str, hasEOL }) => (hasEOL ? `${str}\n` : str)).join('');
  const { fnArray, argsArray } = await page.getOperatorList();
  const names = argsArray.filter((_, index) => fnArray[index] === OPS.paintImageXObject).map(([name]) => name);
  const images = await Promise.all(names.map((name) => new Promise((resolve) => page.objs.get(name, resolve)).then(pngOf)));
  page.cleanup();
  return { text, images };
}

async function pngOf({ bitmap, width, height }) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d', { willReadFrequently: true }).drawImage(bitmap, 0, 0);
  const blob = await canvas.convertToBlob({ type: 'image/png' });
  return new Uint8Array(await blob.arrayBuffer());
}

/** One picture, a PNG, described by the endpoint. */
export async function describe(endpoint, bytes, signal) {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  const content = [
    { type: 'text', text: 'Describe the picture.' },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${btoa(binary)}` } },
  ];
  const response = await fetch(`${endpoint}/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'pictures', messages: [{ role: 'user', content }] }), signal,
  });
  if (!response.ok) throw new Error(`The endpoint answers ${response.status}`);
  return (await response.json()).choices[0].message.content;
}
