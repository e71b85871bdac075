/**
 * `runs.bulk`: one verb for all runs that match, of other tabs too.
 * Invariant: which runs these are is decided at the call; each is asked once, and the page gets its turn in between.
 */
import { checkFunction, checkNames, checkPause, checkResume, checkSignal } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { BulkApi, BulkOptions, BulkProgress, ResumePolicy, RunFilter } from '../types.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { matcher } from '../views/lists.ts';
import { refuseDisposed } from './disposed.ts';
import type { RemoveOptions } from './removals.ts';

/** Of a verb that may be a message to another tab. */
const atOnce = 64;

type Verb = (id: string) => Promise<unknown>;

export class Bulk implements BulkApi {
  readonly #house: Orchestrator;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  cancel(filter: RunFilter, options?: BulkOptions & { reason?: unknown }): Promise<BulkProgress> {
    return this.#each('cancel', filter, options, (id) => this.#house.cancelTask(id, options?.reason));
  }
  async pause(filter: RunFilter, options?: BulkOptions & { kind?: 'soft' | 'hard' }): Promise<BulkProgress> {
    if (options?.kind !== undefined) checkPause(options.kind);
    return this.#each('pause', filter, options, (id) => this.#house.pauseTask(id, options?.kind));
  }
  async resume(filter: RunFilter, options?: BulkOptions & { policy?: ResumePolicy }): Promise<BulkProgress> {
    if (options?.policy !== undefined) checkResume(options.policy);
    return this.#each('resume', filter, options, (id) => this.#house.resumeTask(id, options?.policy));
  }
  retry(filter: RunFilter, options?: BulkOptions): Promise<BulkProgress> {
    return this.#each('retry', filter, options, async (id) => (await this.#house.retryTask(id)) !== undefined);
  }
  replay(filter: RunFilter, options?: BulkOptions): Promise<BulkProgress> {
    return this.#each('replay', filter, options, (id) => this.#house.runs.replay(id).then((handle) => handle.accepted).then(() => true));
  }
  async remove(filter: RunFilter, options?: BulkOptions & RemoveOptions): Promise<BulkProgress> {
    const { undoFor } = options ?? {};
    if (undoFor !== undefined) toMilliseconds(undoFor, 'runs.bulk.remove undoFor');
    return this.#each('remove', filter, options, (id) => this.#house.removeTask(id, undoFor === undefined ? undefined : { undoFor }));
  }
  async undoRemove(filter: RunFilter, options?: BulkOptions): Promise<BulkProgress> {
    const removed = () => this.#house.list({ removed: true, limit: 2 ** 31 - 1 }).items.filter(({ removedUntil }) => removedUntil !== undefined);
    return this.#each('undoRemove', { ...filter, removed: true }, options, (id) => this.#house.undoRemove(id), removed);
  }

  async #each(name: string, filter: RunFilter, options: BulkOptions = {}, verb: Verb, all = () => this.#house.getAllTasks()): Promise<BulkProgress> {
    const where = `runs.bulk.${name}`;
    const matches = matcher(filter, where);
    checkNames(options, ['signal', 'onProgress', 'confirm', ...(extras[name] ?? [])], where);
    const { signal, onProgress, confirm } = options;
    if (signal !== undefined) checkSignal(signal, `${where} signal`);
    if (onProgress !== undefined) checkFunction(onProgress, `${where} onProgress`);
    if (confirm !== undefined) checkFunction(confirm, `${where} confirm`);
    refuseDisposed(this.#house);
    await this.#house.opening.opened;
    const ids = all().filter(matches).map(({ id }) => id);
    const progress = { total: ids.length, done: 0, skipped: 0, failed: 0 };
    if (confirm && !(await confirm(ids.length))) return progress;
    const tell = () => onProgress?.({ ...progress });
    for (let index = 0; index < ids.length && !signal?.aborted; index += atOnce) {
      await Promise.all(ids.slice(index, index + atOnce).map((id) => count(verb(id), progress)));
      tell();
      await new Promise<void>((resolve) => this.#house.clock.defer(resolve));
    }
    return progress;
  }
}

const extras: Record<string, readonly string[]> = { cancel: ['reason'], pause: ['kind'], resume: ['policy'], remove: ['undoFor'] };

async function count(asked: Promise<unknown>, progress: { done: number; skipped: number; failed: number }): Promise<void> {
  try {
    if (await asked) progress.done++;
    else progress.skipped++;
  } catch {
    progress.failed++;
  }
}
