/**
 * The tasks, defined at module level: after a reload a stored run finds its code by the id here.
 * Each PDF or JSON file being processed has a worker of its own; the queue says how many there are at a time.
 */
import { defineTask, type QueueOptions, workerHandler } from 'holdfast';
import type { Answer, Question } from './endpoint.ts';
import { enrichFile, type EnrichInput, enrichText } from './enrich.ts';
import type { JsonInput } from './json.ts';
import type { PdfInput } from './pdf.ts';
import type { PdfText, PdfTextInput } from './pdf-text.ts';

const cores = navigator.hardwareConcurrency || 2;

export const queues = {
  // A PDF keeps two threads busy: one parses, one draws.
  pdf: { concurrency: Math.max(1, Math.min(4, Math.floor(cores / 2))) },
  json: { concurrency: Math.max(1, Math.min(4, cores - 1)) },
  // A file waits for its texts without a slot; this is about reading it.
  enrich: { concurrency: 2 },
};

export const pdfTask = defineTask({
  id: 'pdf',
  description: 'Text of every page and pictures of the first, as a zip',
  queue: 'pdf',
  run: workerHandler<PdfInput, File>(() => new Worker(new URL('./pdf.worker.ts', import.meta.url), { type: 'module' }), { size: queues.pdf.concurrency, name: 'pdf' }),
});

export const jsonTask = defineTask({
  id: 'json',
  description: 'Checks, cleans and splits a JSON file, as a zip',
  queue: 'json',
  run: workerHandler<JsonInput, File>(() => new Worker(new URL('./json.worker.ts', import.meta.url), { type: 'module' }), { size: queues.json.concurrency, name: 'json' }),
});

/** A node of graphs: what it gives are its ports. */
export const pdfTextTask = defineTask({
  id: 'pdf-text',
  description: 'Text of every page',
  queue: 'pdf',
  run: workerHandler<PdfTextInput, PdfText>(() => new Worker(new URL('./pdf-text.worker.ts', import.meta.url), { type: 'module' }), { size: queues.pdf.concurrency, name: 'pdf-text' }),
});

/** What the person knows of an endpoint's limits. */
export interface Pace {
  perMinute: number;
  atOnce: number;
}

/** Texts wait here for all files together; each endpoint and model has the limits for itself, and is left alone as long as it asks for. */
export const textQueue = ({ perMinute, atOnce }: Pace): Omit<QueueOptions, 'name'> => ({
  concurrency: { perKey: atOnce },
  rateLimit: { limit: perMinute, period: '1m', perKey: true, feedback: true },
});

export const enrichTextTask = defineTask({
  id: 'enrich-text',
  description: 'One text, sent to the endpoint',
  queue: 'texts',
  retry: { maxAttempts: 8, minDelayMs: 500, maxDelayMs: 60_000 },
  timeout: '5m',
  // The same question to the same model has the same answer, in whatever file it stands.
  cache: { ttl: '30d' },
  run: (question: Question, ctx): Promise<Answer> => enrichText(question, ctx),
});

/** There one can do without a network. */
const isNearby = (endpoint: string) => ['localhost', '127.0.0.1', '[::1]'].includes(new URL(endpoint).hostname);

export const enrichTask = defineTask({
  id: 'enrich',
  description: 'A JSON file with an answer beside each of its texts',
  queue: 'enrich',
  run: (input: EnrichInput, ctx): Promise<File> =>
    enrichFile(input, ctx, (question, index, total) => ctx.run(enrichTextTask, question, {
      id: String(index),
      item: { id: String(index), index, total },
      concurrencyKey: `${new URL(question.endpoint).origin} ${question.model}`,
      networkMode: isNearby(question.endpoint) ? 'always' : 'online',
      ...(input.fresh && { cache: 'refresh' }),
    })),
});
