/** What people may know of a task: for lists, graphs and help. */
import type { Definition } from '../intake/registry.ts';
import type { Intent } from './intent.ts';

export interface TaskInfo {
  readonly id: string;
  readonly description?: string;
  readonly intent?: Intent;
  readonly version?: number | string;
  readonly tags: readonly string[];
  /** Where its runs queue, where its definition says so. */
  readonly queue?: string;
  /** Its input, or its result, is validated. */
  readonly validatesInput: boolean;
  readonly validatesOutput: boolean;
  /** Its code runs in a worker. */
  readonly inWorker: boolean;
}

export function taskInfo({ id, spec, handler, prepared }: Definition): TaskInfo {
  const { description, intent, version, tags, queue } = spec;
  return Object.freeze({
    id,
    ...(description !== undefined && { description }),
    ...(intent && { intent }),
    ...(version !== undefined && { version }),
    ...(queue !== undefined && { queue: typeof queue === 'string' ? queue : queue.name }),
    tags: Object.freeze(tags === undefined ? [] : [tags].flat()),
    validatesInput: prepared?.input !== undefined,
    validatesOutput: prepared?.output !== undefined,
    inWorker: (handler as { inWorker?: boolean }).inWorker === true,
  });
}
