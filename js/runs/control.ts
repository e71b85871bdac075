/**
 * Commands on runs (cancel, pause, resume, retry, forget), each answered when it is acknowledged, and
 * the rules by which ended runs are forgotten.
 * Invariant: a command's promise always settles; false means that it did not apply, and a DisposedError that nobody is there any more.
 */
import { stopError } from './attempts.ts';
import type { Durable } from '../context/durable.ts';
import { beginRollback } from '../context/rollback.ts';
import { isContainer } from '../groups/kinds.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { checkNumber, checkPause, checkResume } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Pump } from '../pump/pump.ts';
import { refusedAsDisposed, refuseDisposed, unheard } from './disposed.ts';
import { End, type Run } from './run.ts';
import { hasEnded } from './status.ts';
import type { Duration, ResumePolicy } from '../types.ts';
import { Statuses } from '../views/view.ts';

const resumePolicies = { keepDeadline: P.ResumePolicyKeepDeadline, remaining: P.ResumePolicyRemaining, restart: P.ResumePolicyRestart };
const defaultGraceMs = 5000;
const dayMs = 86_400_000;
const retentionDelayMs = 60_000;

export class Control {
  readonly #house: Orchestrator;
  #retentionAsked = false;
  #cancelRetention: (() => void) | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  #command(run: Run, command: number, a = 0, at = 0): Promise<boolean> {
    const refused = refusedAsDisposed(this.#house);
    if (refused) return refused;
    return new Promise((resolve) => {
      const give = () => {
        (run.ownExtra.waiters ??= []).push({ command, resolve });
        this.#house.pump.commands.push(command, run.task, a, 0, at);
        this.#house.pump.wake();
      };
      if (run.extra.refusal !== undefined || run.extra.gone) resolve(false);
      else if (run.task !== 0) give();
      else {
        (run.ownExtra.early ??= []).push(give);
        // It is let in when others go: who asks is not to wait for that.
        if (this.#house.intake.sizes.isOutside(run)) resolve(true);
      }
    });
  }

  cancel(run: Run, reason?: unknown): Promise<boolean> {
    const refused = refusedAsDisposed(this.#house);
    if (refused) return refused;
    // Who asked first says why.
    const isUnderWay = run.extra.waiters?.some(({ command }) => command === P.CommandCancel) ?? false;
    if (run.end === End.None && !isUnderWay) run.ownExtra.cancelReason = reason;
    if (run.task === 0 && this.#house.intake.sizes.withdraw(run)) {
      this.#house.refuse(run, stopError(run, P.StopReasonCancel));
      return Promise.resolve(true);
    }
    const durable = run.context?.durable;
    if (durable && durable.undoings.length > 0) return unheard(this.#undoAndCancel(run, durable));
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
  /** What is removed does, until it is back or gone. */
  #standsStill(): Promise<boolean> {
    return refusedAsDisposed(this.#house) ?? Promise.resolve(false);
  }
  pause(run: Run, kind: 'soft' | 'hard'): Promise<boolean> {
    checkPause(kind);
    if (run.extra.removedUntilMs > 0) return this.#standsStill();
    for (const member of this.#members(run)) void this.pause(member, kind);
    return this.pauseAlone(run, kind);
  }
  /** Whatever is in it. */
  pauseAlone(run: Run, kind: 'soft' | 'hard'): Promise<boolean> {
    if (run.extra.sharing) this.#house.cache.loaded!.pausing(run);
    return this.#command(run, P.CommandPause, kind === 'hard' ? P.PauseKindInterrupt : P.PauseKindSuspend);
  }
  resume(run: Run, policy: ResumePolicy): Promise<boolean> {
    checkResume(policy);
    if (run.extra.removedUntilMs > 0) return this.#standsStill();
    for (const member of this.#members(run)) void this.resume(member, policy);
    return this.resumeAlone(run, policy);
  }
  /** Whatever is in it. */
  resumeAlone(run: Run, policy: ResumePolicy): Promise<boolean> {
    const { recoveredInputs } = this.#house.definitions;
    if (recoveredInputs.waits(run)) {
      if (run.state.phase === 'blocked') return this.#command(run, P.CommandRelease, recoveredInputs.letGo(run));
      recoveredInputs.release(run);
    }
    return this.#command(run, P.CommandResume, resumePolicies[policy]);
  }
  /** What happens to a container happens to those that have not ended. */
  #members(run: Run): Run[] {
    return isContainer(run.taskIdentifier) ? this.#house.services.children.of(run).filter(({ end }) => end === End.None) : [];
  }
  retry(run: Run): Promise<boolean> {
    if (run.extra.removedUntilMs > 0) return this.#standsStill();
    return this.#command(run, P.CommandRetry);
  }
  /** Changes what the core knows of it. */
  set(run: Run, field: number, value: number): Promise<boolean> {
    return this.#command(run, P.CommandSetTask, field, value);
  }
  /** @throws DisposedError where the house is closed before it is cancelled, too; nobody who does not ask hears of it. */
  forget(run: Run): Promise<boolean> {
    if (run.end !== End.None) return this.#command(run, P.CommandForget);
    return unheard(this.cancel(run, 'removed').then(() => this.#command(run, P.CommandForget)));
  }

  async cleanup(maxAgeMs = 3_600_000): Promise<number> {
    checkNumber(maxAgeMs, 'cleanupCompletedTasks maxAgeMs', 0);
    refuseDisposed(this.#house);
    const beforeMs = this.#house.clock.now() - maxAgeMs;
    const old = this.#house.localRuns().filter((run) => run.announced && !run.extra.hidden && run.end !== End.Cancelled && run.state.lastUpdated < beforeMs);
    const removed = await Promise.all(old.map((run) => this.forget(run)));
    return removed.filter(Boolean).length;
  }

  async clear(): Promise<number> {
    refuseDisposed(this.#house);
    const runs = this.#house.localRuns();
    const removed = await Promise.all(runs.map((run) => this.forget(run)));
    return removed.filter((done, index) => done && !runs[index]!.extra.hidden).length;
  }

  /** Ended runs go by age and count: soon after one has ended or the page was opened, and when the next one is too old. */
  askRetention(): void {
    if (this.#retentionAsked) return;
    this.#retentionAsked = true;
    this.#retainAt(this.#house.clock.now() + retentionDelayMs);
  }

  #retainAt(atMs: number): void {
    this.#cancelRetention?.();
    const apply = () => {
      this.#retentionAsked = false;
      if (!this.#house.disposed && this.#house.pump.open) this.#applyRetention();
    };
    this.#cancelRetention = this.#house.clock.schedule(atMs, apply, retentionDelayMs);
  }

  #applyRetention(): void {
    const { completed, failed } = this.#house.getOptions().retention ?? {};
    const ended = endedTasks(this.#house.pump);
    const nextMs = Math.min(this.#keep(ended.completed, completed), this.#keep(ended.others, failed));
    if (nextMs !== Number.POSITIVE_INFINITY) this.#retainAt(Math.max(nextMs, this.#house.clock.now() + retentionDelayMs));
  }

  /** Gives the time from which on the next one is too old. What the core still needs, for a parent that goes on, it keeps. */
  #keep(ended: Ended[], { age = 7 * dayMs, count = 10_000 }: { age?: Duration; count?: number } = {}): number {
    const maxAgeMs = toMilliseconds(age, 'retention.age');
    const beforeMs = this.#house.clock.now() - maxAgeMs;
    ended.sort((one, other) => other.atMs - one.atMs);
    const kept = ended.findIndex(({ atMs }, index) => index >= count || atMs < beforeMs);
    for (const { task } of kept < 0 ? [] : ended.slice(kept)) {
      const run = this.#house.pump.run(task);
      if (run) void this.forget(run);
    }
    const oldest = kept < 0 ? ended.at(-1) : ended[kept - 1];
    return oldest ? oldest.atMs + maxAgeMs + 1 : Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.#house.intake.sizes.close();
    this.#cancelRetention?.();
  }
}

interface Ended {
  readonly task: number;
  readonly atMs: number;
}

/** Without making an object of what nobody has asked for. */
function endedTasks({ engine, runs }: Pump): { completed: Ended[]; others: Ended[] } {
  const ended = { completed: [] as Ended[], others: [] as Ended[] };
  const statuses = new Statuses(engine);
  for (let task = 1; task < runs.length; task++) {
    const run = runs[task];
    const status = run && (!run.announced || run.extra.hidden) ? undefined : statuses.of(task);
    if (status === undefined || !hasEnded(status)) continue;
    ended[status === 'completed' ? 'completed' : 'others'].push({ task, atMs: engine.value(task, P.FieldUpdatedAt) });
  }
  return ended;
}
