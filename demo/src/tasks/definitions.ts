/**
 * The two tasks, defined at module level: after a reload a stored run finds its code by the id here.
 * Each file being processed has a worker of its own; the queue says how many there are at a time.
 */
import { defineTask, workerHandler } from 'holdfast';
import type { JsonInput } from './json.ts';
import type { PdfInput } from './pdf.ts';

const cores = navigator.hardwareConcurrency || 2;

export const queues = {
  // A PDF keeps two threads busy: one parses, one draws.
  pdf: { concurrency: Math.max(1, Math.min(4, Math.floor(cores / 2))) },
  json: { concurrency: Math.max(1, Math.min(4, cores - 1)) },
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
