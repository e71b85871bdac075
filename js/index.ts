/** holdfast: durable tasks for the browser. Public names, nothing else. */
export { type Clock, SystemClock, TestClock } from './clock.ts';
export { type CustomCodec, registerCodec } from './codec.ts';
export { joinById } from './context/items.ts';
export { createOrchestrator, defineTask, defineTask as task, executeTask, getDefaultOrchestrator, getTaskState } from './define.ts';
export type * from './definition/hook-types.ts';
export type * from './definition/schema.ts';
export type * from './definition/types.ts';
export * from './errors.ts';
export { Orchestrator } from './orchestrator.ts';
export { registerError } from './serialize-error.ts';
export * from './status.ts';
export type * from './storage.ts';
export type * from './types.ts';
export { workerHandler } from './workers/pool.ts';
