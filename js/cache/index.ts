/** holdfast/cache: places for outputs, to give to `createOrchestrator({ cache })` or to a task. */
export { indexedDBCache, type IndexedDBCacheOptions } from './indexeddb.ts';
export { type CacheLimits, memoryCache } from './memory.ts';
export type * from './types.ts';
export { type TaskOutputEvents, type TaskOutputRepository, taskOutputRepository } from './workglow.ts';
