/**
 * Removal that can be undone: for a while what was removed stands still and is not shown, then it is gone.
 *
 * Invariants: a removal is a hidden run that is delayed for so long, stored in the same frame as the pauses it causes, so
 * that a crash leaves both or neither; undoing cancels that run in the same frame as it lets the others go on.
 */
import { toMilliseconds } from '../intake/duration.ts';
import { checkNames } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { Duration } from '../types.ts';
import type { Signatures } from '../signatures/signatures.ts';
import { removalTask } from '../waiting/internal.ts';
import { unheard } from './disposed.ts';
import { End, Run } from './run.ts';

export interface RemoveOptions {
  /** So long `undoRemove` brings it back. Default: it is gone at once. */
  undoFor?: Duration;
}

/** What the run of a removal keeps. */
interface Removal {
  readonly runId: string;
  /** What stood still before: it does so when it is back. */
  readonly paused: readonly string[];
}

interface Pending {
  readonly removal: Run;
  readonly paused: ReadonlySet<string>;
}

export class Removals {
  readonly #house: Orchestrator;
  /** By the run that is removed. */
  readonly #pending = new Map<string, Pending>();
  /** Until those of a journal are among them. */
  #finding: Promise<void> = Promise.resolve();

  constructor(house: Orchestrator) {
    this.#house = house;
  }

  /** false: there is no such run, or it is removed already. @throws ConfigurationError StorageFullError */
  async remove(id: string, options: RemoveOptions): Promise<boolean> {
    checkNames(options, ['undoFor'], 'removeTask');
    const forMs = options.undoFor === undefined ? 0 : toMilliseconds(options.undoFor, 'removeTask undoFor');
    const { intake, signatures } = this.#house;
    await this.#house.ready;
    const known = this.#house.attach(id);
    if (forMs === 0 || !known) return this.#house.removeTask(id);
    if (!(known instanceof Run)) return (known as { remove?(options: RemoveOptions): Promise<boolean> }).remove?.({ undoFor: forMs }) ?? false;
    const home = await signatures.ready();
    await this.#finding;
    const whole = home.whole(known);
    if (this.#pending.has(id) || known.extra.gone) return false;
    const paused = whole.filter((run) => this.#stoodStill(run)).map((run) => run.id);
    const removal = intake.trigger(this.#house.definition(removalTask)!, { runId: id, paused } satisfies Removal, { delay: forMs });
    this.#pending.set(id, { removal, paused: new Set(paused) });
    const untilMs = this.#house.clock.now() + forMs;
    this.#putAway(whole, untilMs);
    try {
      await removal.accepted;
      // A core that crashed meanwhile may have heard of the removal alone.
      if (this.#pending.get(id)?.removal === removal) this.#putAway(whole, untilMs);
    } catch (error) {
      this.#bringBack(id, home, known);
      throw error;
    }
    return true;
  }

  /** false: it was not removed, or its time is over. */
  async undo(id: string): Promise<boolean> {
    await this.#finding;
    const run = this.#house.localRun(id);
    if (!run) return (this.#house.attach(id) as { undoRemove?(): Promise<boolean> } | undefined)?.undoRemove?.() ?? false;
    const home = await this.#house.signatures.ready();
    const removal = this.#pending.get(id)?.removal;
    if (!removal || removal.end !== End.None || removal.attempt > 0) return false;
    const undone = this.#house.control.forget(removal);
    this.#bringBack(id, home, run);
    return undone;
  }

  /** A removal of a former page, or of a tab that is gone. */
  find(removal: Run): void {
    const finding = this.#finding.then(() => this.#find(removal));
    this.#finding = finding.catch((error) => this.#house.listenerFailed(error));
  }

  async #find(removal: Run): Promise<void> {
    if (removal.end !== End.None) return void unheard(this.#house.control.forget(removal));
    const { runId, paused } = (await this.#house.attempts.inputOf(removal)) as Removal;
    const run = this.#house.localRun(runId);
    if (!run) return;
    this.#pending.set(runId, { removal, paused: new Set(paused) });
    this.#putAway((await this.#house.signatures.ready()).whole(run), this.#house.pump.engine.value(removal.task, P.FieldDueAt));
  }

  /** Its time is over. */
  async carryOut({ runId }: Removal): Promise<void> {
    const home = await this.#house.signatures.ready();
    await this.#finding;
    const run = this.#house.localRun(runId);
    const removal = this.#pending.get(runId)?.removal;
    this.#pending.delete(runId);
    if (run) await home.removeRun(run);
    removal?.ended.then(() => this.#house.control.forget(removal)).catch(() => {});
  }

  #putAway(whole: readonly Run[], untilMs: number): void {
    for (const run of whole) {
      run.ownExtra.removedUntilMs = Math.max(run.extra.removedUntilMs, untilMs);
      if (run.end === End.None && !this.#house.services.isPaused(run)) void unheard(this.#house.control.pauseAlone(run, 'hard'));
      this.#house.changed(run);
    }
  }

  /** By itself, not for a removal. */
  #stoodStill(run: Run): boolean {
    if (run.extra.removedUntilMs === 0) return this.#house.services.isPaused(run);
    return [...this.#pending.values()].some(({ paused }) => paused.has(run.id));
  }

  #bringBack(id: string, home: Signatures, run: Run): void {
    const { paused } = this.#pending.get(id)!;
    this.#pending.delete(id);
    // What was removed for itself, or with another one, stays so.
    const others = new Set([...this.#pending.keys()].flatMap((other) => this.#house.localRun(other) ?? []).flatMap((other) => home.whole(other)));
    for (const each of home.whole(run)) this.#back(each, others.has(each), paused.has(each.id));
  }

  #back(run: Run, isRemovedOtherwise: boolean, stoodStill: boolean): void {
    if (isRemovedOtherwise) return;
    run.ownExtra.removedUntilMs = 0;
    if (run.end === End.None && !stoodStill) void unheard(this.#house.control.resumeAlone(run, 'keepDeadline'));
    this.#house.changed(run);
  }
}
