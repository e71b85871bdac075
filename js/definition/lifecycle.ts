/**
 * One attempt of a task that asks for more than running its code: what happens around its handler,
 * in order: input validated, middleware, services set up, hooks, handler, result validated.
 *
 * Invariants: whatever goes wrong here is the attempt's failure, told as what it throws; the handler is
 * never called for an attempt that has ended or is being stopped.
 */
import { within } from '../batches/current.ts';
import type { BatchingDoor } from '../batching/door.ts';
import { isOnByIntent } from '../cache/checks.ts';
import type { CacheDoor } from '../cache/door.ts';
import type { Clock } from '../time/clock.ts';
import { ContinueAsNew } from '../context/again.ts';
import type { ContextServices } from '../context/services.ts';
import type { RunContext } from '../context/context.ts';
import { ContextClosedError, DriftError, EmptyOutputError, type OrchestratorError, RetryableError } from '../errors.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Lazy } from '../lazy.ts';
import type { Definition } from '../intake/registry.ts';
import { type Run, settlement } from '../runs/run.ts';
import { toError } from '../runs/serialize-error.ts';
import type { RetryOptions } from '../types.ts';
import type { TaskHandler } from './types.ts';
import { beginsAnew } from './version-change.ts';
import { type Decision, decide } from './catch-error.ts';
import type { AttemptEvent, CatchErrorEvent } from './hook-types.ts';
import type { Heartbeats } from './heartbeat.ts';
import type { Hooks } from './hooks.ts';
import { onion } from './onion.ts';
import { isSkipped } from './process.ts';
import { isRecovered, type RecoveredInputs } from './recovered-inputs.ts';
import { retryTime } from './retry-time.ts';
import type { Services } from './services.ts';
import { nothingPrepared, type Prepared } from './spec.ts';
import { chain, inputRefused, outputRefused } from './validation.ts';

export interface LifecycleHost {
  readonly contexts: ContextServices;
  readonly cache: CacheDoor;
  readonly clock: Clock;
  readonly recoveredInputs: RecoveredInputs;
  readonly services: Lazy<Services>;
  readonly hooks: Hooks;
  readonly heartbeats: Heartbeats;
  readonly batching: BatchingDoor;
  inputOf(run: Run): Promise<unknown>;
  /** The policy of a run. */
  retryOf(run: Run): RetryOptions;
}

interface Attempt {
  readonly run: Run;
  readonly attempt: number;
  readonly definition: Definition;
  readonly prepared: Prepared;
  readonly context: RunContext;
  /** In place of today's. */
  readonly code: TaskHandler | undefined;
}

/** @throws what stops the attempt */
function alive({ run, attempt, context }: Attempt): void {
  if (context.signal.aborted) throw context.signal.reason;
  if (run.attempt !== attempt) throw new ContextClosedError(`Attempt ${attempt} of run ${run.id} had ended before its code was called.`);
}

export class Lifecycle {
  readonly #host: LifecycleHost;

  constructor(host: LifecycleHost) {
    this.#host = host;
  }

  /** There is something to do around an attempt of this task, though it asks for nothing itself. */
  get everywhere(): boolean {
    return this.#host.hooks.around;
  }

  /** What the handler returns, or a promise of it. @param stored the input as it is kept with the run */
  run(run: Run, attempt: number, definition: Definition, stored: unknown, context: RunContext): unknown {
    const { handler, prepared = nothingPrepared } = definition;
    // Nobody's hooks hear of our own.
    if (definition.hidden) return handler(stored, context);
    if (!prepared.around && !this.everywhere && run.extra.cacheOption === undefined && !isOnByIntent(definition.spec, this.#host.cache.given) && !this.#isToBeChecked(run, prepared)) return handler(parsedInput(run, stored), context);
    return this.#around(run, attempt, definition, prepared, context, stored);
  }

  async #around(run: Run, number: number, definition: Definition, prepared: Prepared, context: RunContext, stored: unknown): Promise<unknown> {
    const code = prepared.versioned ? await (await import('./former-code.ts')).codeFor(this.#host.contexts, run, definition.spec) : undefined;
    const attempt: Attempt = { run, attempt: number, definition, prepared, context, code };
    const input: any = await this.#input(attempt, stored);
    alive(attempt);
    const event: AttemptEvent = { input, payload: input, ctx: context, signal: context.signal };
    const layers = this.#host.hooks.middleware(prepared.hooks);
    return onion(layers, event, () => this.#inside(attempt, event), definition.id);
  }

  /** Answered by the cache, or its code runs; what that returns is validated either way. */
  async #inside(attempt: Attempt, event: AttemptEvent): Promise<unknown> {
    const { run, definition, prepared, context } = attempt;
    alive(attempt);
    const finish = (output: unknown) => checkOutput(prepared, definition.id, output);
    if (!this.#isCached(run, definition)) return finish(await this.#code(attempt, event));
    return this.#host.cache.answer(run, attempt.attempt, definition, context, event.input, { proceed: () => this.#code(attempt, event), finish });
  }

  /** What stands in for code that is left out is not its output. */
  #isCached({ extra }: Run, { id, spec, prepared }: Definition): boolean {
    if (extra.process && isSkipped(extra.process, id)) return false;
    return prepared?.cached === true || extra.cacheOption !== undefined || isOnByIntent(spec, this.#host.cache.given);
  }

  async #code(attempt: Attempt, event: AttemptEvent): Promise<unknown> {
    const { run, definition, prepared, context, code = definition.handler } = attempt;
    const services = prepared.setup && (await (await this.#host.services.load()).acquire(run, definition, context.signal));
    try {
      alive(attempt);
      services?.mergeInto(context);
      await this.#begin(attempt, event);
      if (prepared.inWorker) this.#host.heartbeats.keep(run, attempt.attempt);
      const { batchEvents } = definition.spec;
      const call = batchEvents ? await this.#host.batching.load() : undefined;
      return await this.#follow(run, event, () => (call ? call.run(run, context, batchEvents!, event.input, code) : within(context, () => code(event.input, context))));
    } finally {
      services?.release();
    }
  }

  /** What comes before the handler; what it throws fails the attempt. */
  async #begin(attempt: Attempt, event: AttemptEvent): Promise<void> {
    const { hooks } = attempt.prepared;
    for (const name of ['init', 'onStart', 'onStartAttempt'] as const) {
      if (name === 'onStart' && attempt.attempt !== 1) continue;
      for (const hook of this.#host.hooks.of(name, hooks)) {
        const given = await hook(event);
        alive(attempt);
        if (hook === hooks?.init) Object.assign(attempt.context, { init: given });
      }
    }
  }

  /** Who hears of an attempt while it runs is told of it before its code can begin to wait. */
  async #follow(run: Run, event: AttemptEvent, code: () => unknown): Promise<unknown> {
    if (!this.#host.hooks.followsRunning(run)) return code();
    const { promise, resolve, reject } = settlement();
    this.#host.hooks.running(run, event, promise);
    try {
      const output = await code();
      resolve(output);
      return output;
    } catch (error) {
      reject(error);
      throw error;
    }
  }

  // When an attempt has failed

  /** What its task makes of it; undefined: nothing, the error counts as it is. */
  decide(run: Run, attempt: number, thrown: unknown): Promise<Decision> | undefined {
    const { hooks } = this.#host;
    const { context } = run;
    if (!hooks.catches(run) || !context || goesOn(run, thrown)) return undefined;
    // What was cancelled, paused or overdue has not failed by itself, and is not tried again.
    const { signal } = context;
    if (signal.aborted && !(signal.reason as OrchestratorError).retryable) return undefined;
    return this.#decide(run, attempt, toError(thrown), context);
  }

  async #decide(run: Run, attempt: number, error: Error, ctx: RunContext): Promise<Decision> {
    const { hooks, clock } = this.#host;
    const input: any = await this.#host.inputOf(run).catch(() => undefined);
    const retryAt = error instanceof RetryableError ? retryTime(error, clock.now()) : undefined;
    const event: CatchErrorEvent = {
      input, payload: input, ctx, signal: ctx.signal, error, attempt,
      retry: this.#host.retryOf(run),
      retryAt: retryAt === undefined ? undefined : new Date(retryAt),
      retryDelayInMs: retryAt === undefined ? undefined : Math.max(0, retryAt - clock.now()),
    };
    return decide(hooks.of('catchError', run.definition?.prepared?.hooks), event, () => clock.now(), toError);
  }

  #isToBeChecked(run: Run, { input, atRun }: Prepared): boolean {
    return input !== undefined && (atRun || isRecovered(run) || isContinued(run));
  }

  async #input({ run, attempt, prepared }: Attempt, stored: unknown): Promise<unknown> {
    if (!this.#isToBeChecked(run, prepared)) return parsedInput(run, stored);
    const checked = await prepared.input!(givenInput(run, stored));
    if (!checked.issues) return checked.value;
    // Nobody ever accepted it: that is a failure like any other.
    const wasAccepted = !isContinued(run) && (prepared.atDispatch || attempt > 1);
    if (isRecovered(run) && wasAccepted) throw this.#host.recoveredInputs.letWait(run, checked);
    throw inputRefused(run.taskIdentifier, checked);
  }
}

/** Its input is the one it went on with (`continueAsNew`), which is kept as it was given. */
function isContinued(run: Run): boolean {
  return run.extra.notes?.has(NoteKind.Input) ?? false;
}

/** Where a schema would not take its own result again, the two are kept as a pair: what it gave, and what was given. */
export function parsedInput(run: Run, stored: any): unknown {
  return run.extra.keepsRaw && !isContinued(run) ? stored[0] : stored;
}

export function givenInput(run: Run, stored: any): unknown {
  return run.extra.keepsRaw && !isContinued(run) ? stored[1] : stored;
}

export function checkOutput({ output, nonEmpty }: Prepared, task: string, value: unknown): unknown {
  if (!output) return nonEmpty ? refuseEmpty(value) : value;
  return chain(output(value), (checked) => {
    if (checked.issues) throw outputRefused(task, checked);
    return nonEmpty ? refuseEmpty(checked.value) : checked.value;
  });
}

/** @throws EmptyOutputError for a Blob or File without a byte */
function refuseEmpty(value: unknown): unknown {
  if (value instanceof Blob && value.size === 0) throw new EmptyOutputError('The result is an empty file (0 bytes).');
  return value;
}

/** What is thrown says how the run goes on, and is no failure. */
function goesOn(run: Run, thrown: unknown): boolean {
  return thrown instanceof ContinueAsNew || beginsAnew(thrown) !== undefined || (thrown instanceof DriftError && (run.definition?.spec.onDrift ?? 'fail') !== 'fail');
}
