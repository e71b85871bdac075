/**
 * Runs the code of people: starts handlers, takes what they return or throw to the core.
 *
 * Invariants: whatever a handler does (throws anything, returns twice, mutates its input, never
 * settles) ends as one `Settle` of its attempt or none; values are taken by value at the boundary;
 * what comes after the attempt has ended is counted and dropped.
 */
import { enter, leave } from '../batches/current.ts';
import type { BlobKeeper } from '../blobs/keeper.ts';
import type { CacheDoor } from '../cache/door.ts';
import { writeFailure, writeResult } from '../cache/mark.ts';
import { type BlobReference, clone, decode, decodeWithBlobs } from '../codec/codec.ts';
import type { Durable } from '../context/durable.ts';
import { type Ending, type EndingOptions, endOfReturn, endOfThrow } from '../context/endings.ts';
import type { ContextServices } from '../context/services.ts';
import { RunContext } from '../context/context.ts';
import type { ContextHost } from '../context/context-parts.ts';
import type { Decision } from '../definition/catch-error.ts';
import type { Determinism } from '../definition/determinism.ts';
import type { Describing } from '../definition/describing.ts';
import type { Dependencies } from '../dependencies/dependencies.ts';
import type { Heartbeats } from '../definition/heartbeat.ts';
import type { Hooks } from '../definition/hooks.ts';
import { givenInput, type Lifecycle, parsedInput } from '../definition/lifecycle.ts';
import { retryTime } from '../definition/retry-time.ts';
import { isPromise } from '../definition/validation.ts';
import { beginsAnew } from '../definition/version-change.ts';
import {
  CanceledError, DeadlineError, InterruptedError, MaxDurationError, OrchestratorError, PayloadLostError, RetryableError, StalledError, StorageLockedError, TaskTimeoutError, WorkerCrashedError,
} from '../errors.ts';
import { forgetFork } from '../identity/forked.ts';
import type { Journal } from '../journal/journal.ts';
import { Landings } from './landing.ts';
import { inputBytes, type PayloadArea, payloadBytes } from '../journal/payloads.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Network } from '../network/network.ts';
import type { ProgressTracker } from './progress.ts';
import * as P from '../protocol.ts';
import type { Pump } from '../pump/pump.ts';
import type { Definition } from '../intake/registry.ts';
import type { PayloadBytes, Run } from './run.ts';
import { markOrigin, serializeError, toError } from './serialize-error.ts';
import type { Clock } from '../time/clock.ts';
import type { LimitTable } from '../limiting/table.ts';
import type { LogLevel, ProgressReport, RetryOptions, TaskSpec } from '../types.ts';

export interface AttemptsHost {
  readonly clock: Clock;
  readonly pump: Pump;
  readonly journal: Journal | undefined;
  readonly payloads: PayloadArea;
  readonly blobs: BlobKeeper;
  readonly progress: ProgressTracker;
  readonly services: ContextServices;
  readonly table: { readonly limits: LimitTable };
  readonly definitions: { readonly lifecycle: Lifecycle; readonly hooks: Hooks; readonly describing: Describing; readonly heartbeats: Heartbeats; readonly determinism: Determinism | undefined };
  readonly cache: CacheDoor;
  readonly opening: { readonly network: Network };
  readonly dependencies: Dependencies;
  /** The code of a run; undefined: nothing is registered for it here. */
  definitionOf(run: Run): Definition | undefined;
  missingDefinition(run: Run): void;
  changePolicy(run: Run, retry: RetryOptions): void;
  /** Bytes that its input refers to are gone. */
  inputLost(run: Run, attempt: number, error: Error): Promise<void>;
  changed(run: Run): void;
  log(run: Run, level: LogLevel, message: string, attributes: Record<string, unknown> | undefined): void;
  emitted(run: Run, name: string, data: unknown): void;
}

export class Attempts implements ContextHost {
  readonly #host: AttemptsHost;
  readonly #landings = new Landings(this);

  constructor(host: AttemptsHost) {
    this.#host = host;
  }

  /** The core gave the run a slot. */
  start(run: Run, attempt: number): void {
    if (run.attempt !== attempt) return;
    run.definition ??= this.#host.definitionOf(run);
    if (!run.definition) return this.#host.missingDefinition(run);
    if (this.#host.opening.network.holdsBack(run)) return;
    if (this.#host.dependencies.awaitsInput(run)) return this.#prepare(run, attempt);
    this.#host.progress.attemptStarted(run, attempt);
    if (run.envelope) this.#startStored(run, attempt, run.definition);
    else this.#call(run, attempt, run.definition, clone(this.#inputValue(run), 'input'));
  }

  /** Its input is computed first. */
  #prepare(run: Run, attempt: number): void {
    this.#host.dependencies.prepare(run, attempt).then(
      (merged) => ('skip' in merged ? this.succeeded(run, attempt, merged.skip) : this.start(run, attempt)),
      (error) => this.failed(run, attempt, error),
    );
  }

  /** By value: what the handler does to its input reaches nobody, and a retry gets it whole. */
  #startStored(run: Run, attempt: number, definition: Definition): void {
    let input: unknown;
    try {
      const bytes = this.inputBytes(run);
      if (run.extra.blobs) return this.#loadThenCall(run, attempt, definition, bytes);
      input = decode(bytes);
    } catch (error) {
      return this.failed(run, attempt, error);
    }
    this.#call(run, attempt, definition, input);
  }

  #loadThenCall(run: Run, attempt: number, definition: Definition, bytes: Uint8Array): void {
    this.#load(bytes).then(
      (value) => this.#call(run, attempt, definition, value),
      (error) => (error instanceof PayloadLostError || error instanceof StorageLockedError ? void this.#host.inputLost(run, attempt, error) : this.failed(run, attempt, error)),
    );
  }

  /** The first input, or the one it went on with. */
  inputBytes(run: Run): Uint8Array {
    const payload = run.extra.notes?.get(NoteKind.Input)?.payload;
    return payload ? payloadBytes(payload) : inputBytes(run.envelope!);
  }
  #inputValue(run: Run): unknown {
    const note = run.extra.notes?.get(NoteKind.Input);
    return note ? note.value : run.input;
  }

  /** The input as its code gets it, files and all. @throws PayloadLostError */
  async inputOf(run: Run): Promise<unknown> {
    return parsedInput(run, await this.#storedInput(run));
  }

  /** The input as it was given, before a schema parsed it. @throws PayloadLostError */
  async givenInputOf(run: Run): Promise<unknown> {
    return givenInput(run, await this.#storedInput(run));
  }

  #storedInput(run: Run): unknown {
    return run.envelope ? this.#load(this.inputBytes(run)) : clone(this.#inputValue(run), 'input');
  }

  #load(bytes: Uint8Array): Promise<any> {
    return decodeWithBlobs(bytes, this.#host.blobs.load);
  }

  #call(run: Run, attempt: number, definition: Definition, input: unknown): void {
    if (run.attempt !== attempt) return;
    if (run.extra.stoppedAttempt === attempt) return this.#settle(run, attempt, P.OutcomeInterrupted, 0);
    const context = new RunContext(this, run, attempt);
    run.context = context;
    const { definitions: { lifecycle, determinism }, cache } = this.#host;
    if (determinism) definition = determinism.listening(run, attempt, definition);
    let returned: unknown;
    try {
      const before = enter(context);
      returned =
        definition.prepared === undefined && !run.extra.keepsRaw && run.extra.cacheOption === undefined && (cache.given === undefined || definition.spec.intent === undefined) && !lifecycle.everywhere
          ? definition.handler(input, context)
          : lifecycle.run(run, attempt, definition, input, context);
      leave(before);
      // Looking for `then` may be code of people too.
      if (isPromise(returned)) return this.#landings.await(run, attempt, returned);
    } catch (error) {
      leave(undefined);
      return this.failed(run, attempt, error);
    }
    this.succeeded(run, attempt, returned);
  }

  get services(): ContextServices {
    return this.#host.services;
  }
  get heartbeats(): Heartbeats {
    return this.#host.definitions.heartbeats;
  }
  get describing(): Describing {
    return this.#host.definitions.describing;
  }
  log(run: Run, level: LogLevel, message: string, attributes: Record<string, unknown> | undefined): void {
    this.#host.log(run, level, message, attributes);
  }
  emit(run: Run, name: string, data: unknown): void {
    this.#host.emitted(run, name, data);
  }

  succeeded(run: Run, attempt: number, value: unknown): void {
    if (run.attempt !== attempt) return this.#late(run);
    const streamed = run.extra.streams?.flush(attempt);
    if (streamed) return void streamed.then(() => this.#returned(run, attempt, value), (error) => this.failed(run, attempt, error));
    this.#returned(run, attempt, value);
  }

  #returned(run: Run, attempt: number, value: unknown): void {
    if (run.attempt !== attempt) return this.#late(run);
    const durable = run.context?.durable;
    if (durable) this.#endReturn(durable, run, attempt, value);
    else this.#succeed(run, attempt, value);
  }

  #endReturn(durable: Durable, run: Run, attempt: number, value: unknown): void {
    this.#endWhen(endOfReturn(durable, this.services, this.#endingOptions(run, attempt)), run, attempt, value);
  }

  failed(run: Run, attempt: number, thrown: unknown): void {
    if (run.attempt !== attempt) return this.#late(run);
    const streamed = run.extra.streams?.flush(attempt);
    if (!streamed) return this.#threw(run, attempt, thrown);
    // What was appended before is stored before; what can't be is no other failure than this one.
    const threw = () => this.#threw(run, attempt, thrown);
    void streamed.then(threw, threw);
  }

  #threw(run: Run, attempt: number, thrown: unknown): void {
    if (run.attempt !== attempt) return this.#late(run);
    // Code that was stopped throws this or that; why it was stopped is why it failed.
    const stopped = run.context?.stopReason as OrchestratorError | undefined;
    const failure = stopped?.retryable ? stopped : thrown;
    const suspended = this.#host.opening.network.suspends(run, failure);
    if (suspended === true) return;
    if (suspended) void suspended.then((waits) => waits || this.#failedOnline(run, attempt, failure));
    else this.#failedOnline(run, attempt, failure);
  }

  /** Whatever it was, it was not that there is no network. */
  #failedOnline(run: Run, attempt: number, failure: unknown): void {
    if (run.attempt !== attempt) return this.#late(run);
    const decided = this.#host.definitions.lifecycle.decide(run, attempt, failure);
    if (decided) void decided.then((decision) => this.#decided(run, attempt, decision));
    else this.#decided(run, attempt, { error: failure });
  }

  #decided(run: Run, attempt: number, decision: Decision): void {
    if (run.attempt !== attempt) return this.#late(run);
    const noteVersion = beginsAnew(decision.error);
    if (noteVersion) return this.#again(run, attempt, { way: 'again', kept: 0, isAnew: true, giveInput: noteVersion });
    const durable = run.context?.durable;
    if (!durable) return this.#fail(run, attempt, decision);
    this.#endWhen(endOfThrow(durable, this.services, this.#endingOptions(run, attempt, decision), decision.error), run, attempt, undefined, decision);
  }

  /** An ending that can't be written down is a failure too, or the run would stand for ever. */
  #endWhen(coming: Promise<Ending>, run: Run, attempt: number, value: unknown, decision?: Decision): void {
    coming
      .catch((error): Ending => ({ way: 'failed', error, final: false }))
      .then((ending) => this.#end(run, attempt, ending, value, decision));
  }

  #endingOptions(run: Run, attempt: number, decision?: Decision): EndingOptions {
    const { unawaited = 'wait', onDrift = 'fail' }: Pick<TaskSpec, 'unawaited' | 'onDrift'> = run.definition?.spec ?? {};
    return { unawaited, onDrift, isFinal: (error) => this.#isFinal(run, attempt, toError(error), decision) };
  }

  /** As far as can be told before the core is asked. */
  #isFinal(run: Run, attempt: number, error: Error, decision?: Decision): boolean {
    const { engine } = this.#host.pump;
    return this.#outcome(run, attempt, error, decision) === P.OutcomeFatal || engine.value(run.task, P.FieldFailures) + 1 >= engine.value(run.task, P.FieldMaxAttempts);
  }

  #end(run: Run, attempt: number, ending: Ending, value: unknown, decision?: Decision): void {
    if (run.attempt !== attempt) return this.#late(run);
    if (ending.way === 'forward') return this.#succeed(run, attempt, value);
    if (ending.way === 'again') return this.#again(run, attempt, ending);
    const { commands } = this.#host.pump;
    // What was undone would have to be done again.
    if (ending.way === 'cancelled' || ending.final) {
      this.#drop(run, attempt, 0);
      forgetFork(this.#host, run);
    }
    if (ending.way === 'failed') return this.#fail(run, attempt, { ...decision, error: ending.error, isFinal: ending.final || decision?.isFinal === true });
    commands.push(P.CommandCancel, run.task);
    this.#settle(run, attempt, P.OutcomeInterrupted, 0);
  }

  /** Not counted as an attempt that failed. */
  #again(run: Run, attempt: number, ending: Ending & { way: 'again' }): void {
    const { kept, isAnew, giveInput } = ending;
    const { streams } = run.extra;
    // What former pages have appended is to be marked as that.
    if (kept === 0 && streams && !streams.recorder)
      return void this.services.streams.open(run).then(() => run.attempt === attempt && this.#again(run, attempt, ending), (error) => this.failed(run, attempt, error));
    giveInput?.();
    if (isAnew) forgetFork(this.#host, run);
    if (kept === 0) this.services.release(run);
    if (kept === 0) streams?.recorder?.beginAnew();
    this.#drop(run, attempt, kept);
    this.#settle(run, attempt, P.OutcomeInterrupted, 0);
  }

  #drop(run: Run, attempt: number, kept: number): void {
    this.services.beginEra(run);
    this.#host.pump.commands.push(P.CommandDropSteps, run.task, attempt, kept);
  }

  #succeed(run: Run, attempt: number, value: unknown): void {
    if (run.attempt !== attempt) return this.#late(run);
    const { journal, pump, payloads, cache } = this.#host;
    // What is cached is stored before it is recorded, so that who hears of the result finds it.
    const saved = run.extra.sharing && cache.loaded!.save(run);
    if (saved) return void saved.then(() => this.#succeed(run, attempt, value));
    try {
      if (!journal) {
        run.output = cache.copyOf(run, value);
        this.#settle(run, attempt, P.OutcomeSuccess, 0);
        return;
      }
      const payload = writeResult(payloads, run, value, cache.loaded);
      if (payloads.blobs) return this.#storeThenSucceed(run, attempt, payload, payloads.blobs);
      run.outputPayload = payload;
      pump.commands.addPayload(payload.bytes, payload.start, payload.length);
      this.#settle(run, attempt, P.OutcomeSuccess, payload.length);
    } catch (error) {
      this.failed(run, attempt, error);
    }
  }

  #storeThenSucceed(run: Run, attempt: number, payload: PayloadBytes, blobs: readonly BlobReference[]): void {
    this.#host.blobs.store(blobs).then(
      () => {
        if (run.attempt !== attempt) {
          this.#host.blobs.release(blobs);
          return this.#late(run);
        }
        this.#host.blobs.attach(run, blobs);
        run.outputPayload = payload;
        this.#host.pump.commands.addPayload(payload.bytes, payload.start, payload.length);
        this.#settle(run, attempt, P.OutcomeSuccess, payload.length);
      },
      (error) => this.failed(run, attempt, error),
    );
  }

  #fail(run: Run, attempt: number, decision: Decision): void {
    if (run.attempt !== attempt) return this.#late(run);
    const { journal, pump, payloads, clock } = this.#host;
    const thrown = decision.error;
    const error = toError(thrown);
    run.ownExtra.error = error;
    const origin = { taskIdentifier: run.taskIdentifier, runId: run.id, attempt };
    markOrigin(error, origin);
    if (decision.retry) this.#host.changePolicy(run, decision.retry);
    const asked = error instanceof RetryableError ? retryTime(error, clock.now()) : undefined;
    const notBeforeMs = decision.retryAtMs ?? asked ?? 0;
    if (asked !== undefined && run.options?.parts) this.#host.table.limits.penalize(run.options.parts, asked);
    let length = 0;
    if (journal) {
      const payload = writeFailure(payloads, run, serializeError(thrown, origin));
      run.ownExtra.errorPayload = payload;
      pump.commands.addPayload(payload.bytes, payload.start, payload.length);
      length = payload.length;
    }
    this.#settle(run, attempt, this.#outcome(run, attempt, error, decision), length, notBeforeMs);
  }

  #outcome(run: Run, attempt: number, error: Error, decision?: Decision): number {
    if (decision?.isFinal || run.extra.sharing?.isFinal) return P.OutcomeFatal;
    if (error instanceof WorkerCrashedError) return P.OutcomeCrashed;
    if (decision?.retryAtMs !== undefined) return P.OutcomeFailure;
    if (error instanceof OrchestratorError && !error.retryable) return P.OutcomeFatal;
    const { retryOn, maxAttempts = 3 } = run.options ?? {};
    if (!retryOn) return P.OutcomeFailure;
    try {
      return retryOn(error, { attempt, maxAttempts }) ? P.OutcomeFailure : P.OutcomeFatal;
    } catch {
      return P.OutcomeFailure;
    }
  }

  #settle(run: Run, attempt: number, outcome: number, payloadLength: number, at = 0): void {
    run.extra.locks?.releaseAll();
    run.context = undefined;
    run.attempt = 0;
    this.#host.pump.commands.push(P.CommandSettle, run.task, attempt | (outcome << 24), payloadLength, at);
    this.#host.pump.wake();
  }

  /** Its result counts for nothing any more; first terminal record wins. */
  #late(run: Run): void {
    run.ownExtra.lateOutcomes++;
  }

  /** Gives up a running attempt without counting it as failed (definition missing, page closing). */
  interrupt(run: Run, reason: Error): void {
    const { attempt } = run;
    if (attempt === 0) return;
    run.context?.stop(reason);
    this.#settle(run, attempt, P.OutcomeInterrupted, 0);
  }

  /** The page lets go of everything that runs; the next one goes on from the last steps. */
  close(reason: Error): void {
    const { pump } = this.#host;
    for (const run of pump.runs) {
      if (!run || run.attempt === 0) continue;
      run.context?.stop(reason);
      this.abandoned(run);
    }
    pump.commands.push(P.CommandClose, 0);
  }

  stopping(run: Run, reason: number): void {
    const isTold = run.extra.sharing !== undefined && this.#host.cache.loaded!.stopping(run, reason);
    if (isTold) this.#told(run, reason);
    else this.#stop(run, reason);
  }

  #stop(run: Run, reason: number): void {
    const error = stopError(run, reason);
    // What its code says to that, if anything, is heard later.
    if (reason === P.StopReasonTimeout || reason === P.StopReasonStalled) run.ownExtra.error = error;
    if (run.context) run.context.stop(error);
    // Started and stopped in one step, or its input is still being loaded: its code need not begin.
    else if (run.attempt !== 0) run.ownExtra.stoppedAttempt = run.attempt;
    this.#told(run, reason);
  }

  #told(run: Run, reason: number): void {
    if (reason === P.StopReasonCancel || reason === P.StopReasonCascade) this.#host.definitions.hooks.cancelling(run);
  }

  orphaned(run: Run): void {
    if (run.extra.childPolicy === P.ChildPolicyCancel) this.#host.pump.commands.push(P.CommandCancel, run.task);
  }

  abandoned(run: Run): void {
    if (run.extra.sharing) this.#host.cache.loaded!.abandoned(run);
    const { context } = run;
    run.extra.locks?.releaseAll();
    run.context = undefined;
    run.attempt = 0;
    context?.abandon();
  }

  waited(run: Run): void {
    this.#host.definitions.hooks.waiting(run);
    for (const parked of run.extra.flows ?? []) parked();
  }
  /** What runs for one run goes on for another, which waits. false: it can't, nothing has changed. */
  handOver(from: Run, to: Run): boolean {
    const { context, definition } = from;
    const { prepared } = definition ?? {};
    // Hooks, services and workers know the run they were called for.
    const isTold = prepared?.hooks || prepared?.setup || this.#host.definitions.lifecycle.everywhere || isInWorker(definition);
    if (isTold || !context?.adopt(to, to.attempt)) return false;
    to.context = context;
    from.context = undefined;
    return true;
  }
  resumed(run: Run): void {
    if (run.extra.sharing) this.#host.cache.loaded!.resumed(run);
    this.#host.definitions.hooks.resumed(run);
    run.context?.durable?.parking.resumed();
  }
  waitRefused(run: Run): void {
    run.context?.durable?.parking.stays();
  }
  woken(run: Run): void {
    run.context?.durable?.parking.noteWoken();
  }
  alarmRang(run: Run): void {
    run.context?.durable?.alarms.rang(this.#host.clock.now());
  }

  reportProgress(run: Run, attempt: number, report: number | ProgressReport): void {
    if (run.attempt !== attempt) return;
    this.heartbeats.beat(run, attempt);
    this.#host.progress.report(run, attempt, report);
    if (run.extra.sharing) this.#host.cache.loaded!.progressed(run, report);
  }

  async read(payload: PayloadBytes): Promise<any> {
    return this.#load(payloadBytes(payload));
  }
  async readBytes(bytes: Uint8Array): Promise<any> {
    return this.#load(bytes);
  }
}

function isInWorker(definition: Definition | undefined): boolean {
  return (definition?.handler as { inWorker?: boolean } | undefined)?.inWorker === true;
}

export function stopError(run: Run, reason: number): Error {
  const name = `Run ${run.id}`;
  switch (reason) {
    case P.StopReasonTimeout:
      return new TaskTimeoutError(`${name}: attempt timed out after ${run.options?.timeoutMs ?? '?'} ms.`);
    case P.StopReasonStalled:
      return new StalledError(`${name}: its code gave no sign of life for ${run.options?.heartbeatMs ?? '?'} ms. Call ctx.heartbeat() or ctx.yield() in long work, or allow more.`);
    case P.StopReasonOverBudget:
      return new MaxDurationError(`${name} has run for ${run.options?.maxDurationMs ?? '?'} ms in all, which is its maxDuration.`);
    case P.StopReasonDeadline:
      return new DeadlineError(`${name} did not end within its deadline.`);
    case P.StopReasonInterrupt:
      return new InterruptedError(`${name} was interrupted; it starts again from its last step on resume.`);
    default:
      return new CanceledError(`${name} was cancelled.`, { cause: run.extra.cancelReason });
  }
}
