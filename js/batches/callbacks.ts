/**
 * `onItem` and `onProgress` of a batch: tasks that are told how it goes, each word in a run of its own, which is stored, tried
 * again and outlives its page as any run.
 *
 * Invariant: the id of such a run says what it tells, so code that begins again tells nothing twice. All of it is on its way before
 * the batch's own end is.
 */
import type { Container } from '../groups/container.ts';
import { End, type Run } from '../runs/run.ts';
import type { TaskRunResult } from '../types.ts';
import { placed } from './batch.ts';
import type { BatchPlan } from './plan.ts';
import type { BatchItemReport, BatchProgress } from './types.ts';

export class Callbacks {
  readonly #container: Container;
  readonly #plan: BatchPlan;
  readonly #coming = new Set<Promise<void>>();
  readonly #counts = { completed: 0, failed: 0, cancelled: 0 };
  readonly #counted = new Set<number>();
  /** Of the last word on progress, in hundredths. */
  #toldPercent = -1;

  constructor(container: Container, plan: BatchPlan) {
    this.#container = container;
    this.#plan = plan;
  }

  /** The end of an item is acknowledged. */
  ended(member: Run): void {
    const { outcomes } = this.#container.house;
    const { onItem, onProgress } = this.#plan;
    const index = Number(member.extra.childKey);
    if (onProgress !== undefined) this.#count(index, member.end === End.Completed ? 'completed' : member.end === End.Cancelled ? 'cancelled' : 'failed');
    if (onItem !== undefined && !this.#isTold(index)) this.#tellItem(index, outcomes.resultOf(member));
  }

  /** Of an item that has no run of its own. */
  told(index: number, result: TaskRunResult | Promise<TaskRunResult>): void {
    const { onItem, onProgress } = this.#plan;
    if (result instanceof Promise) return this.#follow(result.then((known) => this.told(index, known)));
    if (onProgress !== undefined) this.#count(index, result.ok ? 'completed' : result.status);
    if (onItem !== undefined && !this.#isTold(index)) this.#tellItem(index, result);
  }

  /** Everything that is to be told so far is handed over. */
  async done(): Promise<void> {
    for (const member of this.#container.members) if (!member.announced && member.task !== 0) await member.ended.catch(() => {});
    while (this.#coming.size > 0) await Promise.all(this.#coming);
    if (this.#plan.onProgress !== undefined) this.#tellProgress(true);
  }

  #follow(work: Promise<void>): void {
    const followed = work.catch((error) => this.#failed('onItem', error)).finally(() => this.#coming.delete(followed));
    this.#coming.add(followed);
  }

  #tellItem(index: number, result: TaskRunResult | Promise<TaskRunResult>): void {
    if (result instanceof Promise) return this.#follow(result.then((known) => this.#tellItem(index, known)));
    const { id } = this.#container.run;
    const report: BatchItemReport = { ...placed(result, index), batchId: id };
    this.#tell('onItem', report, this.#itemId(index));
  }

  #itemId(index: number): string {
    return `${this.#container.run.id}:item:${index}`;
  }
  #isTold(index: number): boolean {
    return this.#container.house.localRun(this.#itemId(index)) !== undefined;
  }

  #count(index: number, end: 'completed' | 'failed' | 'cancelled'): void {
    if (this.#counted.has(index)) return;
    this.#counted.add(index);
    this.#counts[end]++;
    this.#tellProgress(this.#isArray && this.#counted.size === this.#plan.count);
  }

  get #isArray(): boolean {
    return this.#plan.pieces !== undefined || this.#plan.items !== undefined;
  }

  /** At each percent, not at each item. */
  #tellProgress(isLast: boolean): void {
    const { house, run } = this.#container;
    const ended = this.#counted.size;
    const total = Math.max(this.#plan.count, this.#container.count, ended);
    const isCounted = this.#isArray;
    // Of a source nobody knows how much is to come.
    const percent = isLast ? 100 : isCounted ? Math.floor((100 * ended) / Math.max(1, total)) : Math.floor(ended / 100);
    if (percent === this.#toldPercent) return;
    this.#toldPercent = percent;
    const id = `${run.id}:progress:${isLast ? 'end' : percent}`;
    if (house.localRun(id)) return;
    const report: BatchProgress = { batchId: run.id, total, ...this.#counts, progress: isLast ? 100 : isCounted ? (100 * ended) / Math.max(1, total) : 0 };
    this.#tell('onProgress', report, id);
  }

  #tell(what: 'onItem' | 'onProgress', report: unknown, id: string): void {
    try {
      this.#container.house.intake.triggerTask(this.#plan[what]!, report, { id });
    } catch (error) {
      this.#failed(what, error);
    }
  }

  #failed(what: string, error: unknown): void {
    const { house, run } = this.#container;
    house.warn(`Batch ${run.id}: its ${what} could not be told. ${String(error)}`);
  }
}
