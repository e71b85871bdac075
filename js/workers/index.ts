/**
 * `holdfast/worker`: handlers in Web Workers. The page uses `workerHandler`, the worker's file `serve`;
 * what a file does not use is left out of it, so the core does not come along.
 */
export { type CustomCodec, registerCodec } from '../codec/kinds.ts';
export { AbortTaskRunError, FatalError, NonRetryableError, RetryableError, RetryableJobError } from '../errors.ts';
export type { TaskContext, TaskHandler } from '../types.ts';
export { type WorkerHandler, type WorkerHandlerOptions, workerHandler } from './pool.ts';
export { serve } from './serve.ts';
