// The same document done twice: text of every page, and each picture described by a slow endpoint.
//
// `blocking`: as it is written first: page after page, and each answer awaited before the next. `durable`: a task with a
// step for some pages, which gives each picture to a task of its own; the endpoint's limit is its queue's. Pictures are
// given as bytes: below 64 KiB these lie in the journal, where each Blob would be a file beside it.
import { createOrchestrator, defineTask } from 'holdfast';
import { describe, openPdf, readPage } from './document.js';

const pagesInStep = 5;

/** One endpoint at several addresses: over HTTP/1.1 a browser opens six connections to each. Services speak HTTP/2. */
let endpoints = [];
let asked = 0;
const nextEndpoint = () => endpoints[asked++ % endpoints.length];

const describeTask = defineTask({
  id: 'describe',
  queue: 'endpoint',
  cache: true,
  run: ({ image }, ctx) => describe(nextEndpoint(), image, ctx.signal),
});

const documentTask = defineTask({
  id: 'document',
  cache: true,
  run: async ({ file }, ctx) => {
    const pdf = await openPdf(file);
    try {
      const [texts, descriptions] = [[], []];
      const read = (first) => (first > pdf.document.numPages ? undefined : ctx.step(`pages from ${first}`, () => readPages(pdf.document, first)));
      // The next pages are read while the last ones are recorded.
      for (let first = 1, coming = read(first); coming;) {
        const pages = coming;
        coming = read(first += pagesInStep);
        for (const { text, images } of await pages) {
          texts.push(text);
          for (const image of images) descriptions.push(ctx.run(describeTask, { image }));
        }
      }
      // Stored while the last pictures are described; what a step gave is returned without being stored again.
      const text = await ctx.step('text', () => new Blob(texts));
      return { text, descriptions: await Promise.all(descriptions), pages: texts.length };
    } finally {
      await pdf.close();
    }
  },
});

function readPages(document, first) {
  const count = Math.min(pagesInStep, document.numPages - first + 1);
  return Promise.all(Array.from({ length: count }, (_, index) => readPage(document, first + index)));
}

async function blocking(file) {
  const pdf = await openPdf(file);
  const [texts, descriptions] = [[], []];
  for (let number = 1; number <= pdf.document.numPages; number++) {
    const { text, images } = await readPage(pdf.document, number);
    texts.push(text);
    for (const image of images) descriptions.push(await describe(nextEndpoint(), image));
  }
  await pdf.close();
  return { text: new Blob(texts), descriptions, pages: texts.length };
}

/** Made with the page, as an application makes it. The second run of the document finds what the first has stored. */
const orchestrator = createOrchestrator({ id: 'headline', tasks: [documentTask, describeTask], queues: { endpoint: { concurrency: 10 } } });
const durable = (file) => orchestrator.run(documentTask, { file });

async function digestOf({ text, descriptions }) {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify([await text.text(), descriptions])));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

const ways = { blocking, durable };

/** @returns {Promise<{ms: number, longestMs: number, digest: string, pages: number, pictures: number}>} */
async function measure(way, addresses) {
  endpoints = addresses;
  await orchestrator.ready;
  const file = new File([await (await fetch('/document.pdf')).blob()], 'document.pdf', { type: 'application/pdf' });
  let longestMs = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestMs = Math.max(longestMs, duration);
  });
  observer.observe({ type: 'longtask' });
  const start = performance.now();
  const result = await ways[way](file);
  const ms = performance.now() - start;
  observer.disconnect();
  return { ms, longestMs, digest: await digestOf(result), pages: result.pages, pictures: result.descriptions.length };
}

globalThis.headline = { measure };
