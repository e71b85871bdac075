/**
 * One batch, as who triggered it or found it again sees it. Everything is read from its run and its members.
 * Invariant: where a result was told once it is told the same again, but for one whose item is retried.
 */
import { BatchTriggerError, CanceledError, ConfigurationError, DuplicateRunError } from '../errors.ts';
import { checkFunction } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, Run } from '../runs/run.ts';
import { deserializeError, toError } from '../runs/serialize-error.ts';
import type { RunHandle, TaskRunResult, TaskStatus } from '../types.ts';
import type { BatchOutput } from './container.ts';
import { ResultArray } from './results.ts';
import type { BatchCounts, BatchHandle, BatchItemResult, BatchResult, BatchState } from './types.ts';

/** Who listens to the items of a batch. */
interface Hearer {
  readonly listener: (result: BatchItemResult) => void;
  /** Places of items that it has heard of. */
  readonly told: Set<number>;
}

/** By the run of the batch: what is on its way to the core. */
const retrying = new WeakMap<Run, Promise<void>>();

export class Batch implements BatchHandle {
  readonly #house: Orchestrator;
  readonly #handle: RunHandle;
  readonly #count: number | undefined;
  readonly #hearers = new Set<Hearer>();

  constructor(house: Orchestrator, handle: RunHandle, count?: number) {
    this.#house = house;
    this.#handle = handle;
    this.#count = count;
  }

  get id(): string {
    return this.#handle.id;
  }
  get batchId(): string {
    return this.id;
  }
  get isCached(): boolean {
    return this.#handle.isCached;
  }
  get accepted(): Promise<void> {
    return this.#handle.accepted;
  }
  get status(): TaskStatus {
    return this.state.status;
  }
  get runCount(): number {
    return Math.max(this.#output?.runCount ?? this.#count ?? 0, this.#members.length);
  }

  get #run(): Run | undefined {
    return this.#handle instanceof Run ? this.#handle : this.#house.localRun(this.id);
  }
  get #members(): Run[] {
    const run = this.#run;
    return run ? this.#house.services.children.of(run).sort((one, other) => placeOf(one) - placeOf(other)) : [];
  }
  get #output(): BatchOutput | undefined {
    const run = this.#run;
    return run?.end === End.Completed && run.announced ? (run.state.result as BatchOutput | undefined) : undefined;
  }

  get state(): BatchState {
    const { id, status, createdAt, endedAt, progress, idempotencyKey } = this.#handle.state;
    const counts = countsOf(this.#members, this.#output);
    const isOver = counts.pending + counts.running === 0 && status !== 'pending' && status !== 'running' && status !== 'paused';
    return Object.freeze({
      id, createdAt, runCount: this.runCount, counts,
      // Items that are tried again by themselves make it one that goes on.
      status: !isOver && endedAt !== undefined ? 'running' : status,
      // One that was cancelled may have been tried again since.
      progress: isOver ? Math.max(progress, (100 * counts.completed) / Math.max(1, this.runCount)) : this.#progress(counts),
      ...(isOver && endedAt !== undefined && { completedAt: endedAt }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    });
  }

  #progress({ completed, failed, cancelled }: BatchCounts): number {
    const count = Math.max(1, this.runCount);
    const parts = this.#members.reduce((sum, run) => (run.end === End.None ? sum + (run.extra.progress?.value || 0) : sum), 0);
    return (100 * (completed + failed + cancelled) + parts) / count;
  }

  async wait(): Promise<BatchResult> {
    const output = await this.#ended();
    const sourceError = output?.sourceError;
    if (sourceError !== undefined) throw this.#sourceFailed(sourceError, output!.runCount);
    return this.results();
  }

  async #ended(): Promise<BatchOutput | undefined> {
    await this.#handle.accepted;
    const run = this.#run;
    if (!run) throw new ConfigurationError(`Batch ${this.id} belongs to another tab; its results are asked for there.`);
    await run.ended;
    return run.end === End.Completed ? ((await this.#house.outcomes.outputOf(run)) as BatchOutput) : undefined;
  }

  /** When all of it has ended: what its source failed with, if it did. */
  async followed(): Promise<Error | undefined> {
    const output = await this.#ended();
    await this.#membersEnded(this.#members);
    return output?.sourceError === undefined ? undefined : this.#sourceFailed(output.sourceError, output.runCount);
  }

  async #membersEnded(members: readonly Run[]): Promise<void> {
    await Promise.all(members.flatMap((member) => (member.announced || member.extra.refusal !== undefined ? [] : member.ended.catch(() => {}))));
  }

  #sourceFailed(error: unknown, itemCount: number): Error {
    const cause = deserializeError(error as never);
    if (cause instanceof BatchTriggerError) return cause;
    return new BatchTriggerError(`The source of batch ${this.id} failed after ${itemCount} items: ${cause.message}`, { cause, data: { phase: 'stream', batchId: this.id, itemCount } });
  }

  /** What there is, in the order of the items. */
  async results(): Promise<BatchResult> {
    const output = await this.#ended();
    const members = this.#members;
    await this.#membersEnded(members);
    const results: BatchItemResult[] = new Array(Math.max(output?.runCount ?? this.#count ?? 0, members.length === 0 ? 0 : placeOf(members.at(-1)!) + 1));
    const coming: Promise<void>[] = [];
    const take = (index: number, result: TaskRunResult | Promise<TaskRunResult>) => {
      if (result instanceof Promise) coming.push(result.then((known) => void (results[index] = placed(known, index))));
      else results[index] = placed(result, index);
    };
    for (const member of members) if (member.task !== 0) take(placeOf(member), this.#house.outcomes.resultOf(member));
    for (const [index, task, error] of output?.rejected ?? []) take(index, unmade(task, deserializeError(error as never)));
    for (const [index, id] of output?.joined ?? []) take(index, this.#joined(id));
    await Promise.all(coming);
    for (let index = 0; index < results.length; index++) results[index] ??= placed(unmade('', new CanceledError(`Batch ${this.id} ended before this item was made.`)), index);
    // Whoever listens has heard of every item when the results are there.
    for (const hearer of this.#hearers) for (const [index, result] of results.entries()) this.#tell(hearer, index, () => ({ ...result }));
    return { id: this.id, runs: ResultArray.over(results, this.#resultsHost) as unknown as BatchResult['runs'] };
  }

  async #joined(id: string): Promise<TaskRunResult> {
    const handle = this.#house.attach(id);
    return handle ? handle.wait() : unmade('', new DuplicateRunError(`Run ${id}, which held the key of this item, is not there any more.`));
  }

  get #resultsHost() {
    const house = this.#house;
    return {
      tagsOf: (id: string) => house.getTaskState(id)?.tags ?? [],
      payloadOf: async (id: string) => {
        const run = house.localRun(id);
        return run && house.attempts.givenInputOf(run);
      },
    };
  }

  onItem(listener: (result: BatchItemResult) => void): () => void {
    checkFunction(listener, 'onItem listener');
    const hearer: Hearer = { listener, told: new Set() };
    this.#hearers.add(hearer);
    const look = () => {
      for (const member of this.#members) if (member.announced && member.task !== 0) this.#tell(hearer, placeOf(member), () => this.#house.outcomes.resultOf(member));
    };
    look();
    const off = this.#house.subscribe(look);
    // Items that have no run of their own are known with the results of all.
    this.results().catch(() => {});
    return () => {
      off();
      this.#hearers.delete(hearer);
    };
  }

  /** Once, in the caller's turn where that can be. */
  #tell(hearer: Hearer, index: number, ask: () => TaskRunResult | Promise<TaskRunResult>): void {
    if (hearer.told.has(index)) return;
    hearer.told.add(index);
    const give = (result: TaskRunResult): void => {
      if (!this.#hearers.has(hearer)) return;
      try {
        hearer.listener(placed(result, index));
      } catch (error) {
        this.#house.listenerFailed(error);
      }
    };
    try {
      const result = ask();
      if (result instanceof Promise) result.then(give).catch((error) => this.#house.listenerFailed(error));
      else give(result);
    } catch (error) {
      this.#house.listenerFailed(error);
    }
  }

  /** Each of the failed and cancelled ones anew, in a group of their own. Who asks again meanwhile finds those begun. */
  async retryFailed(options: { concurrency?: number }): Promise<void> {
    await this.#ended();
    const run = this.#run!;
    const done = (retrying.get(run) ?? Promise.resolve()).then(() => this.#retryFailed(options));
    retrying.set(run, done.catch(() => {}));
    return done;
  }

  async #retryFailed({ concurrency }: { concurrency?: number }): Promise<void> {
    const { groups, pump } = this.#house;
    const bad = this.#members.filter(({ end }) => end === End.Failed || end === End.Cancelled);
    if (bad.length === 0) return;
    const group = groups.begin(undefined, { concurrency });
    for (const { task } of bad) pump.commands.push(P.CommandJoinGroup, task, group);
    const retried = bad.map((member) => this.#house.retryRun(member));
    groups.close(group);
    await Promise.all(retried);
  }

  cancel(reason?: unknown): Promise<boolean> {
    return this.#handle.cancel(reason);
  }
  pause(): Promise<boolean> {
    return this.#handle.pause();
  }
  resume(): Promise<boolean> {
    return this.#handle.resume();
  }
}

function placeOf(member: Run): number {
  return Number(member.extra.childKey);
}

export function placed(result: TaskRunResult, index: number): BatchItemResult {
  (result as { index?: number }).index = index;
  return result as BatchItemResult;
}

export function unmade(taskIdentifier: string, error: unknown): TaskRunResult {
  const isCancelled = error instanceof CanceledError;
  return { ok: false, status: isCancelled ? 'cancelled' : 'failed', id: '', taskIdentifier, error: toError(error), attempts: 0, durationMs: 0, fromCache: false };
}

function countsOf(members: readonly Run[], output: BatchOutput | undefined): BatchCounts {
  const counts = { pending: 0, running: 0, completed: 0, failed: output?.rejected?.length ?? 0, cancelled: 0 };
  for (const { end, attempt } of members) {
    if (end === End.Completed) counts.completed++;
    else if (end === End.Failed) counts.failed++;
    else if (end === End.Cancelled) counts.cancelled++;
    else if (attempt > 0) counts.running++;
    else counts.pending++;
  }
  return Object.freeze(counts);
}

