/**
 * What became of a run: its end is announced once, its result or error read from where it is kept.
 * Invariant: nothing is announced that was not acknowledged.
 */
import { stopError } from './attempts.ts';
import { isClosed, valueOf } from '../cache/mark.ts';
import { decode, isReadOnce, refersToBlobs } from '../codec/codec.ts';
import { CanceledError, ExpiredError, OrchestratorError, QuarantinedError, QueueOverflowError, RateLimitedError } from '../errors.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { payloadBytes } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import { End, type PayloadBytes, type Run } from './run.ts';
import { deserializeError } from './serialize-error.ts';
import type { OrchestratorOptions, TaskRunResult, TaskState } from '../types.ts';
import { taskState } from '../views/view.ts';

export class Outcomes {
  readonly #house: Orchestrator;
  /** Of parents of which too many children failed. */
  readonly #firstFailed = new WeakMap<Run, Run>();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  announce(run: Run): void {
    if (run.announced || run.end === End.None) return;
    run.announced = true;
    this.#house.cache.loaded?.ended(run);
    this.#house.changed(run);
    run.extra.completion?.resolve();
    if (run.deliver) this.deliver(run);
    run.extra.parent?.extra.members?.announced(run);
    if (run.extra.hidden) return this.#house.waiting.ended(run);
    if (run.end === End.Completed) this.#announceSuccess(run);
    else if (run.end === End.Failed) this.#announceFailure(run);
    this.#house.definitions.ended(run);
    this.#house.control.askRetention();
  }

  #announceSuccess(run: Run): void {
    const { onComplete } = this.#house.getOptions();
    if (!onComplete && !this.#house.store.has('complete')) return;
    if (this.#needsLoading(run)) this.#loadThenTell(run);
    else this.#tellSuccess(run, onComplete, this.#outputNow(run));
  }

  #loadThenTell(run: Run): void {
    this.outputOf(run).then(
      (output) => this.#tellSuccess(run, this.#house.getOptions().onComplete, output),
      (error) => this.#house.listenerFailed(error),
    );
  }

  #tellSuccess(run: Run, onComplete: OrchestratorOptions['onComplete'], output: unknown): void {
    const { store } = this.#house;
    if (onComplete) store.call(() => onComplete(run.id, output));
    store.emit('complete', run.id, output);
  }

  /** At once, unless a result with blobs has to be loaded. */
  deliver(run: Run): void {
    const deliver = run.deliver!;
    // Whoever asks again gets a promise of their own; this one and its function are not kept with the run.
    run.promised = run.deliver = undefined;
    if (run.end !== End.Completed) return deliver(Promise.reject(this.errorOf(run)));
    if (this.#needsLoading(run)) return deliver(this.outputOf(run));
    try {
      deliver(this.#outputNow(run));
    } catch (error) {
      deliver(Promise.reject(error));
    }
  }

  #announceFailure(run: Run): void {
    const error = this.errorOf(run);
    const { onError } = this.#house.getOptions();
    if (onError) this.#house.store.call(() => onError(run.id, error));
    this.#house.store.emit('error', run.id, error);
    const { queueName } = run.options ?? {};
    // Whoever waits for it has heard by then.
    if (queueName !== undefined && this.#house.table.queues.named(queueName)?.rules.deadLetter === 'discard') this.#house.clock.defer(() => void this.#house.control.forget(run));
  }

  stateOf(run: Run): TaskState {
    if (run.extra.snapshot) return run.extra.snapshot;
    const engine = this.#house.pump.open ? this.#house.pump.engine : undefined;
    this.#house.identify(run);
    const over = run.announced && run.end !== End.None;
    const error = over && run.end !== End.Completed ? this.errorOf(run) : run.end === End.Completed ? null : this.#lastError(run);
    const output = over && run.end === End.Completed ? this.#shownOutput(run) : undefined;
    const durable = this.#house.journal !== undefined && run.accepted_;
    return (run.ownExtra.snapshot = taskState(engine, run, { output, error, durable, isFull: this.#house.journal?.refusing === true }));
  }

  /** One damaged result must not keep a list from being shown; `result()` says what is wrong with it. */
  #shownOutput(run: Run): unknown {
    try {
      return this.#outputNow(run);
    } catch {
      return undefined;
    }
  }

  /** A result with blobs is loaded when it is asked for; everything else stands in memory. */
  #outputNow(run: Run): unknown {
    if (run.outputPayload && run.output === undefined) {
      if (this.#needsLoading(run)) {
        // Every look would read it again; whoever wants it asks for a result of their own.
        if (isReadOnce(payloadBytes(valueOf(run.outputPayload)))) return undefined;
        void this.outputOf(run).then(() => this.#house.changed(run), () => {});
        return undefined;
      }
      run.output = decode(payloadBytes(valueOf(run.outputPayload)));
    }
    return run.output;
  }

  async outputOf(run: Run): Promise<unknown> {
    const { outputPayload } = run;
    if (!outputPayload || run.output !== undefined) return run.output;
    const output = await this.#load(run, outputPayload);
    if (!isReadOnce(payloadBytes(valueOf(outputPayload)))) run.output = output;
    return output;
  }

  async #load(run: Run, payload: PayloadBytes): Promise<unknown> {
    if (isClosed(payload, this.#specOf(run))) return (await this.#house.cache.load()).openResult(payload, run);
    return this.#house.attempts.read(valueOf(payload));
  }

  /** The output, nobody else's object. */
  async copyOf(run: Run): Promise<unknown> {
    const { outputPayload } = run;
    if (!outputPayload) return this.#house.cache.copyOf(run, run.output);
    return this.#isReadable(run, outputPayload) ? decode(payloadBytes(valueOf(outputPayload))) : this.#load(run, outputPayload);
  }

  /** As its handle tells it, of a run that has ended; its output is nobody else's object. */
  resultOf(run: Run): TaskRunResult | Promise<TaskRunResult> {
    if (run.end !== End.Completed) return this.#badResult(run);
    const { outputPayload } = run;
    if (outputPayload && !this.#isReadable(run, outputPayload)) return this.#loadResult(run, outputPayload);
    return this.#goodResult(run, outputPayload ? decode(payloadBytes(valueOf(outputPayload))) : this.#house.cache.copyOf(run, run.output));
  }

  #badResult(run: Run): TaskRunResult {
    const status = run.end === End.Cancelled ? 'cancelled' : 'failed';
    return { ok: false, id: run.id, taskIdentifier: run.taskIdentifier, attempts: this.#attemptsOf(run), fromCache: run.extra.fromCache, durationMs: this.#durationOf(run), status, error: this.errorOf(run) };
  }

  /** One literal: an object that is put together from two costs a run that does nothing a twentieth of its time. */
  #goodResult(run: Run, output: unknown): TaskRunResult {
    return { ok: true, id: run.id, taskIdentifier: run.taskIdentifier, attempts: this.#attemptsOf(run), fromCache: run.extra.fromCache, durationMs: this.#durationOf(run), status: 'completed', output };
  }

  /** As it stands now: the run may be gone when its output is there. */
  async #loadResult(run: Run, payload: PayloadBytes): Promise<TaskRunResult> {
    const result = this.#goodResult(run, undefined);
    return { ...result, output: await this.#load(run, payload) } as TaskRunResult;
  }

  #attemptsOf(run: Run): number {
    return this.#house.pump.engine.value(run.task, P.FieldAttempt);
  }
  #durationOf(run: Run): number {
    const { engine } = this.#house.pump;
    return Math.max(0, engine.value(run.task, P.FieldUpdatedAt) - (run.createdAtMs || engine.value(run.task, P.FieldCreatedAt)));
  }

  /** Its result refers to blobs that have not been read, or is not yet its output. */
  #needsLoading(run: Run): boolean {
    const { outputPayload } = run;
    return outputPayload !== undefined && run.output === undefined && !this.#isReadable(run, outputPayload);
  }

  /** At once. */
  #isReadable(run: Run, payload: PayloadBytes): boolean {
    const { bytes, start } = valueOf(payload);
    return !refersToBlobs(bytes, start) && !isClosed(payload, this.#specOf(run));
  }

  #specOf(run: Run) {
    return (run.definition ?? this.#house.definition(run.taskIdentifier))?.spec;
  }

  #lastError(run: Run): Error | null {
    const { error, errorPayload } = run.extra;
    if (!error && errorPayload) return (run.ownExtra.error = readError(errorPayload));
    return error ?? null;
  }

  errorOf(run: Run): Error {
    if (run.end === End.Cancelled) return this.#because(run) ?? stopError(run, P.StopReasonCancel);
    const reason = this.#house.pump.open && run.task ? this.#house.pump.engine.value(run.task, P.FieldFailReason) : 0;
    if (reason === P.FailReasonTimedOut) return stopError(run, P.StopReasonDeadline);
    if (reason === P.FailReasonOverBudget) return stopError(run, P.StopReasonOverBudget);
    if (reason === P.FailReasonExpired) return new ExpiredError(`Run ${run.id} was not started within its ttl.`);
    if (reason === P.FailReasonQuarantined)
      return new QuarantinedError(`Run ${run.id} was running when the tab died, three times. Retry it by hand.`);
    return this.#lastError(run) ?? new OrchestratorError(`Run ${run.id} failed.`);
  }

  /** Its parent ended, or too many of those beside it failed: why that was is the cause. */
  #withOthers(run: Run, cause: number): Error | undefined {
    const parent = this.#house.localRun(run.extra.parentId ?? '');
    if (!parent || run.extra.cancelReason !== undefined) return undefined;
    if (cause === P.CancelCauseCascade)
      return parent.end === End.Failed ? new CanceledError(`Run ${run.id} was cancelled, because ${parent.id} had ended.`, { cause: this.errorOf(parent) }) : undefined;
    let failed = this.#firstFailed.get(parent);
    // One for all of a group: there may be many, and each would look for it.
    if (failed?.end !== End.Failed) failed = this.#house.services.children.of(parent).find(({ end }) => end === End.Failed);
    if (!failed) return undefined;
    this.#firstFailed.set(parent, failed);
    return new CanceledError(`Run ${run.id} was cancelled, because too many of ${parent.id} failed.`, { cause: this.errorOf(failed) });
  }

  /** By a bound or a rate, or with others. undefined: somebody asked for it. */
  #because(run: Run): Error | undefined {
    const reason = this.#house.pump.open && run.task ? this.#house.pump.engine.value(run.task, P.FieldCancelReason) : 0;
    const cause = reason >>> 24;
    if (cause === P.CancelCauseCascade || cause === P.CancelCauseGroup) return this.#withOthers(run, cause);
    const queue = this.#house.table.queues.named(run.options?.queueName ?? '');
    if (cause === P.CancelCauseOverflow) return new QueueOverflowError(queue?.rules.isThrottled ? `${queueWords(run)} is throttled: a later call took the place of run ${run.id}.` : `${queueWords(run)} was full; run ${run.id} was dropped from it.`);
    if (cause !== P.CancelCauseRateLimited) return undefined;
    if (queue?.rules.isThrottled) return new RateLimitedError(`${queueWords(run)} is throttled, and run ${run.id} came too soon after another. There is room again ${(reason & P.AttemptMask) * 100} ms later.`, { retryAfter: (reason & P.AttemptMask) * 100 });
    const retryAfter = (reason & P.AttemptMask) * 100;
    return new RateLimitedError(`Run ${run.id} came beyond the rate of its limit, which drops such runs. There is room again ${retryAfter} ms later.`, { retryAfter });
  }
}

function queueWords({ options }: Run): string {
  return options?.queueName === undefined ? 'Its queue' : `Queue "${options.queueName}"`;
}

function readError(payload: PayloadBytes): Error {
  try {
    return deserializeError(decode(payloadBytes(valueOf(payload))));
  } catch (error) {
    return error as Error;
  }
}
