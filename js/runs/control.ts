/**
 * Commands on runs (cancel, pause, resume, retry, forget), each answered when it is acknowledged, and
 * the rules by which ended runs are forgotten.
 * Invariant: a command's promise always settles; false means that it did not apply.
 */
import { stopError } from './attempts.ts';
import type { Durable } from '../context/durable.ts';
import { beginRollback } from '../context/rollback.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { checkNumber, checkPause, checkResume } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from './run.ts';
import type { ResumePolicy } from '../types.ts';

const resumePolicies = { keepDeadline: P.ResumePolicyKeepDeadline, remaining: P.ResumePolicyRemaining, restart: P.ResumePolicyRestart };
const defaultGraceMs = 5000;
const dayMs = 86_400_000;
const retentionDelayMs = 60_000;

export class Control {
  readonly #house: Orchestrator;
  #retentionAsked = false;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  #command(run: Run, command: number, a = 0, at = 0): Promise<boolean> {
    return new Promise((resolve) => {
      const give = () => {
        (run.ownExtra.waiters ??= []).push({ command, resolve });
        this.#house.pump.commands.push(command, run.task, a, 0, at);
        this.#house.pump.wake();
      };
      if (run.extra.refusal !== undefined || run.extra.gone || this.#house.disposed) resolve(false);
      else if (run.task !== 0) give();
      else (run.ownExtra.early ??= []).push(give);
    });
  }

  cancel(run: Run, reason?: unknown): Promise<boolean> {
    if (run.end === End.None) run.ownExtra.cancelReason = reason;
    const durable = run.context?.durable;
    if (durable && durable.undoings.length > 0) return this.#undoAndCancel(run, durable);
    return this.#command(run, P.CommandCancel);
  }
  /** Its code is stopped, what it did undone; then it is cancelled. Code that does not stop has its grace. */
  async #undoAndCancel(run: Run, durable: Durable): Promise<boolean> {
    const { attempt } = run;
    const error = stopError(run, P.StopReasonCancel);
    await beginRollback(durable, error, true);
    run.context?.stop(error);
    const graceMs = run.options?.graceMs ?? defaultGraceMs;
    this.#house.clock.schedule(this.#house.clock.now() + graceMs, () => {
      if (run.attempt === attempt && !durable.isUndoing) this.#house.attempts.failed(run, attempt, error);
    });
    await run.ended;
    return run.end === End.Cancelled;
  }
  pause(run: Run, kind: 'soft' | 'hard'): Promise<boolean> {
    checkPause(kind);
    if (run.extra.sharing) this.#house.cache.loaded!.pausing(run);
    return this.#command(run, P.CommandPause, kind === 'hard' ? P.PauseKindInterrupt : P.PauseKindSuspend);
  }
  resume(run: Run, policy: ResumePolicy): Promise<boolean> {
    checkResume(policy);
    const { recoveredInputs } = this.#house.definitions;
    if (recoveredInputs.waits(run)) {
      if (run.state.phase === 'blocked') return this.#command(run, P.CommandRelease, recoveredInputs.letGo(run));
      recoveredInputs.release(run);
    }
    return this.#command(run, P.CommandResume, resumePolicies[policy]);
  }
  retry(run: Run): Promise<boolean> {
    return this.#command(run, P.CommandRetry);
  }
  /** Changes what the core knows of it. */
  set(run: Run, field: number, value: number): Promise<boolean> {
    return this.#command(run, P.CommandSetTask, field, value);
  }
  async forget(run: Run): Promise<boolean> {
    if (run.end === End.None) await this.cancel(run, 'removed');
    return this.#command(run, P.CommandForget);
  }

  async cleanup(maxAgeMs = 3_600_000): Promise<number> {
    checkNumber(maxAgeMs, 'cleanupCompletedTasks maxAgeMs', 0);
    const beforeMs = this.#house.clock.now() - maxAgeMs;
    const old = this.#house.localRuns().filter((run) => run.announced && !run.extra.hidden && run.end !== End.Cancelled && run.state.lastUpdated < beforeMs);
    const removed = await Promise.all(old.map((run) => this.forget(run)));
    return removed.filter(Boolean).length;
  }

  async clear(): Promise<number> {
    const runs = this.#house.localRuns();
    const removed = await Promise.all(runs.map((run) => this.forget(run)));
    return removed.filter((done, index) => done && !runs[index]!.extra.hidden).length;
  }

  /** Ended runs go by age and count, now and then. */
  askRetention(): void {
    if (!this.#retentionAsked) this.#applyLater();
  }

  #applyLater(): void {
    this.#retentionAsked = true;
    const apply = () => {
      this.#retentionAsked = false;
      if (!this.#house.disposed) this.#applyRetention();
    };
    this.#house.clock.schedule(this.#house.clock.now() + retentionDelayMs, apply, retentionDelayMs);
  }

  #applyRetention(): void {
    const { completed = {}, failed = {} } = this.#house.getOptions().retention ?? {};
    const ended = this.#house.localRuns().filter((run) => run.announced && !run.extra.hidden);
    for (const [rule, runs] of [
      [completed, ended.filter((run) => run.end === End.Completed)],
      [failed, ended.filter((run) => run.end !== End.Completed)],
    ] as const) {
      const maxAgeMs = rule.age === undefined ? 7 * dayMs : toMilliseconds(rule.age, 'retention.age');
      const count = rule.count ?? 10_000;
      const beforeMs = this.#house.clock.now() - maxAgeMs;
      runs.sort((one, other) => other.state.lastUpdated - one.state.lastUpdated);
      runs.forEach((run, index) => {
        if (index >= count || run.state.lastUpdated < beforeMs) void this.forget(run);
      });
    }
  }
}
