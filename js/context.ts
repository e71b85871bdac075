/**
 * What a handler gets beside its input: durable steps, progress, the abort signal.
 *
 * Invariants: a context belongs to one attempt and is closed with it (`run.context` is then another or
 * none); a step that has been recorded is answered from its record; the code after a step runs only
 * when its result is acknowledged.
 */
import { ConfigurationError, ContextClosedError } from './errors.ts';
import type { Run } from './run.ts';
import type { ProgressReport, TaskContext } from './types.ts';

export interface ContextHost {
  /** The recorded value of a step, if there is one. */
  recordedStep(run: Run, key: string): { value: unknown } | Promise<{ value: unknown }> | undefined;
  /** Records a result and resolves, with the value as it was stored, when that is acknowledged. */
  recordStep(run: Run, attempt: number, key: string, value: unknown): Promise<unknown>;
  /** Parks while the run is paused softly. undefined: it is not. */
  parkIfPaused(run: Run, attempt: number): Promise<void> | undefined;
  reportProgress(run: Run, attempt: number, report: number | ProgressReport): void;
}

/** What most handlers never ask for; made with the first of it. */
class ContextExtra {
  controller: AbortController | undefined;
  abandonListeners: (() => void)[] | undefined;
  stepCounts: Map<string, number> | undefined;
  stopReason: Error | undefined;
}

export class RunContext implements TaskContext {
  readonly #host: ContextHost;
  readonly #run: Run;
  readonly #attempt: number;
  #extra: ContextExtra | undefined;

  constructor(host: ContextHost, run: Run, attempt: number) {
    this.#host = host;
    this.#run = run;
    this.#attempt = attempt;
  }

  get #ownExtra(): ContextExtra {
    return (this.#extra ??= new ContextExtra());
  }

  /** The attempt it belongs to is over. */
  get #closed(): boolean {
    return this.#run.context !== this;
  }

  get signal(): AbortSignal {
    const extra = this.#ownExtra;
    const { signal } = (extra.controller ??= new AbortController());
    if (extra.stopReason && !signal.aborted) extra.controller.abort(extra.stopReason);
    return signal;
  }

  get attempt(): { readonly number: number; readonly max: number } {
    return { number: this.#attempt, max: this.#run.options?.maxAttempts ?? this.#run.state.maxRetries + 1 };
  }

  get run(): TaskContext['run'] {
    const { id, name, createdAt, recoveries } = this.#run.state;
    return { id, name, createdAt, recoveries };
  }

  get task(): { readonly id: string } {
    return { id: this.#run.taskIdentifier };
  }

  get metadata(): Readonly<Record<string, any>> {
    return this.#run.state.metadata;
  }

  async step<Value>(name: string, run: () => Value | Promise<Value>): Promise<Value> {
    this.#check('step', name);
    if (typeof name !== 'string' || name === '' || name.length > 512)
      throw new ConfigurationError(`ctx.step needs a name of 1 to 512 characters, not ${JSON.stringify(name)}.`);
    if (typeof run !== 'function') throw new ConfigurationError(`ctx.step("${name}") needs a function that computes the step.`);
    const key = this.#key(name);
    const recorded = this.#host.recordedStep(this.#run, key);
    if (recorded) return (await recorded).value as Value;
    await this.#safePoint(name);
    const value = await run();
    this.#check('step', name);
    const stored = (await this.#host.recordStep(this.#run, this.#attempt, key, value)) as Value;
    await this.#safePoint(name);
    return stored;
  }

  /** Steps of one name are told apart by their order; most names occur once. */
  #key(name: string): string {
    const counts = (this.#ownExtra.stepCounts ??= new Map());
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count === 0 ? name : `${name}\u0000${count}`;
  }

  async #safePoint(name: string): Promise<void> {
    await this.#host.parkIfPaused(this.#run, this.#attempt);
    this.#check('step', name);
  }

  progress(report: number | ProgressReport): void {
    // Late reports are common (a stream still draining) and harmless: they are dropped.
    if (!this.#closed) this.#host.reportProgress(this.#run, this.#attempt, report);
  }

  onAbandon(listener: () => void): void {
    (this.#ownExtra.abandonListeners ??= []).push(listener);
  }

  /** @internal The attempt is asked to stop. */
  stop(reason: Error): void {
    const extra = this.#ownExtra;
    extra.stopReason = reason;
    extra.controller?.abort(reason);
  }

  /** @internal Its code did not stop in time; the run has let go of this. */
  abandon(): void {
    for (const listener of this.#extra?.abandonListeners ?? []) listener();
  }

  #check(verb: string, name: string): void {
    if (this.#extra?.stopReason) throw this.#extra.stopReason;
    if (!this.#closed) return;
    throw new ContextClosedError(
      `ctx.${verb}("${name}") of run ${this.#run.id} was used after its attempt ${this.#attempt} had ended. Await everything before the handler returns.`,
    );
  }
}
