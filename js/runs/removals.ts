/**
 * Removal that can be undone: for a while what was removed stands still and is not shown, then it is gone.
 *
 * Invariants: a removal is a hidden run that is delayed for so long, stored in the same frame as the pauses it causes, so
 * that a crash leaves both or neither; undoing cancels that run in the same frame as it lets the others go on. It is of
 * one run: another one that gets its id later has nothing to do with it.
 */
import { isContainer } from '../groups/kinds.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { StorageFullError } from '../errors.ts';
import { checkNames, describe } from '../intake/checks.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import type { RemoteHandle } from '../tabs/remote.ts';
import type { Duration } from '../types.ts';
import type { Signatures } from '../signatures/signatures.ts';
import { removalTask } from '../waiting/internal.ts';
import { refuseDisposed, unheard } from './disposed.ts';
import { End, Run } from './run.ts';

export interface RemoveOptions {
  /** So long `undoRemove` brings it back. Default: it is gone at once. */
  undoFor?: Duration;
}

/** What the run of a removal keeps. */
interface Removal {
  readonly runId: string;
  /** 0: unknown. */
  readonly createdAtMs: number;
  /** Ids of what stood still before: it does so when it is back. */
  readonly paused: Packed;
  /** Until when idempotency keys count when they are back, and of which runs: meanwhile these are free. */
  readonly keys: readonly (readonly [untilMs: number, ids: Packed])[];
}

interface Pending {
  /** Undefined until it is made. */
  removal: Run | undefined;
  readonly run: Run;
  readonly untilMs: number;
  readonly whole: readonly Run[];
  readonly paused: ReadonlySet<string>;
  readonly keys: ReadonlyMap<string, number>;
}

export class Removals {
  readonly #house: Orchestrator;
  readonly #home: Signatures;
  readonly #pending = new Map<Run, Pending>();
  /** What each run is put away by: by its own removal, and by those of what it goes with. */
  readonly #by = new Map<Run, Set<Pending>>();
  /** Until those of a journal are among them. */
  #finding: Promise<void> = Promise.resolve();

  constructor(house: Orchestrator, home: Signatures) {
    this.#house = house;
    this.#home = home;
  }

  /** false: there is no such run, or it is removed already. @throws ConfigurationError DisposedError StorageFullError */
  async remove(id: string, options: RemoveOptions = {}): Promise<boolean> {
    checkNames(options, ['undoFor'], 'removeTask');
    const forMs = options.undoFor === undefined ? 0 : toMilliseconds(options.undoFor, 'removeTask undoFor');
    await this.#opened();
    const run = this.#house.attach(id);
    if (!(run instanceof Run)) return (run as RemoteHandle | undefined)?.remove(forMs === 0 ? undefined : { undoFor: forMs }) ?? false;
    if (forMs === 0) return this.#pending.has(run) ? this.#home.removeRun(run) : this.#house.control.forget(run);
    if (this.#pending.has(run) || run.extra.gone) return false;
    const pending = this.#plan(run, Math.min(this.#house.clock.now() + forMs, lastMomentMs));
    pending.removal = this.#made(pending, forMs);
    this.#putAway(pending);
    try {
      await pending.removal.accepted;
      // A core that crashed meanwhile may have heard of the removal alone.
      if (this.#pending.get(run) === pending) this.#putAway(pending);
    } catch (error) {
      if (this.#pending.get(run) === pending) this.#bringBack(pending);
      throw error;
    }
    return true;
  }

  /** false: it was not removed, or its time is over. @throws DisposedError */
  async undo(id: string): Promise<boolean> {
    await this.#opened();
    const run = this.#house.attach(id);
    if (!(run instanceof Run)) return (run as RemoteHandle | undefined)?.undoRemove() ?? false;
    const pending = this.#pending.get(run);
    if (!pending || pending.removal!.end !== End.None || pending.removal!.attempt > 0) return false;
    const undone = this.#house.control.forget(pending.removal!);
    this.#bringBack(pending);
    return undone;
  }

  /** Who asks first is first, whatever is asked: all wait for the same. */
  async #opened(): Promise<void> {
    refuseDisposed(this.#house);
    await this.#house.ready;
    await this.#finding;
    refuseDisposed(this.#house);
  }

  /** A removal of a former page, or of a tab that is gone. Resolves when what it removed is not shown. */
  find(removal: Run): Promise<void> {
    const finding = this.#finding.then(() => this.#find(removal));
    return (this.#finding = finding.catch((error) => this.#house.listenerFailed(error)));
  }

  async #find(removal: Run): Promise<void> {
    const kept = removal.end === End.None ? ((await this.#house.attempts.inputOf(removal)) as Removal) : undefined;
    const run = kept && this.#runOf(kept);
    if (!run || this.#pending.has(run)) return void unheard(this.#house.control.forget(removal));
    const untilMs = this.#house.pump.engine.value(removal.task, P.FieldDueAt);
    this.#putAway({ removal, run, untilMs, whole: this.#home.whole(run), paused: new Set(unpacked(kept.paused)), keys: new Map(kept.keys.flatMap(([until, ids]) => unpacked(ids).map((id) => [id, until]))) });
  }

  /** Its time is over. */
  async carryOut(kept: Removal): Promise<void> {
    await this.#finding;
    const run = this.#runOf(kept);
    if (!run) return;
    const pending = this.#pending.get(run);
    this.#pending.delete(run);
    await this.#home.removeRun(run);
    if (!pending) return;
    // What a parent still needs is known as long as that.
    for (const each of pending.whole) this.#takeOut(each, pending);
    pending.removal!.ended.then(() => this.#house.control.forget(pending.removal!)).catch(() => {});
  }

  /** The run is gone before its time is over. */
  forgotten(run: Run): void {
    const pending = this.#pending.get(run);
    this.#by.delete(run);
    if (!pending) return;
    this.#pending.delete(run);
    for (const each of pending.whole) this.#takeOut(each, pending);
    void unheard(this.#house.control.forget(pending.removal!));
  }

  /** @throws StorageFullError which says what can be done all the same */
  #made({ run, paused, keys }: Pending, forMs: number): Run {
    const removal: Removal = { runId: run.id, createdAtMs: this.#createdAtMs(run), paused: packed(paused), keys: [...byTime(keys)].map(([untilMs, ids]) => [untilMs, packed(ids)]) };
    try {
      return this.#house.intake.trigger(this.#house.definition(removalTask)!, removal, { delay: forMs });
    } catch (error) {
      if (!(error instanceof StorageFullError)) throw error;
      throw new StorageFullError(`The browser storage is full, and what can be undone has to be stored: run ${describe(run.id)} was not removed. Without undoFor it is removed for good.`, { cause: error });
    }
  }

  /** undefined: it is gone, whoever has its id by now. */
  #runOf({ runId, createdAtMs }: Removal): Run | undefined {
    const run = this.#house.localRun(runId);
    return run && (createdAtMs === 0 || createdAtMs === this.#createdAtMs(run)) ? run : undefined;
  }

  /** As its core says, which the next page's says too; 0: it does not know it yet. */
  #createdAtMs({ task }: Run): number {
    return task === 0 ? 0 : this.#house.pump.engine.value(task, P.FieldCreatedAt);
  }

  /** What is in another removal already was something before that. */
  #plan(run: Run, untilMs: number): Pending {
    const { services, pump, clock } = this.#house;
    const whole = this.#home.whole(run);
    const paused = new Set<string>();
    const keys = new Map<string, number>();
    for (const each of whole) {
      const before = [...(this.#by.get(each) ?? [])];
      if (before.length > 0 ? before.some((other) => other.paused.has(each.id)) : services.isPaused(each)) paused.add(each.id);
      const keyUntilMs = before.length > 0 ? before.find((other) => other.keys.has(each.id))?.keys.get(each.id) : each.extra.key && (each.task === 0 ? each.extra.key.untilMs : pump.engine.value(each.task, P.FieldKeyUntilMs));
      if (keyUntilMs !== undefined && keyUntilMs > clock.now()) keys.set(each.id, keyUntilMs);
    }
    return { removal: undefined, run, untilMs, whole, paused, keys };
  }

  #putAway(pending: Pending): void {
    const { control, services } = this.#house;
    this.#pending.set(pending.run, pending);
    for (const run of pending.whole) {
      const by = this.#by.get(run) ?? new Set();
      this.#by.set(run, by.add(pending));
      run.ownExtra.removedUntilMs = latest(by);
      // One that is to pause at its next step still works.
      if (run.end === End.None && (!services.isPaused(run) || services.isRunning(run))) void unheard(control.pauseAlone(run, 'hard'));
      if (pending.keys.has(run.id)) void unheard(control.set(run, P.TaskFieldKeyUntilMs, 0));
      this.#house.changed(run);
    }
  }

  #bringBack(pending: Pending): void {
    const { control, services } = this.#house;
    this.#pending.delete(pending.run);
    const { parent } = pending.run.extra;
    const isInPaused = parent !== undefined && isContainer(parent.taskIdentifier) && services.isPaused(parent);
    for (const run of new Set([...pending.whole, ...this.#home.whole(pending.run)])) {
      if (!this.#takeOut(run, pending)) continue;
      const keyUntilMs = pending.keys.get(run.id);
      if (keyUntilMs !== undefined) void unheard(control.set(run, P.TaskFieldKeyUntilMs, keyUntilMs));
      const standsStill = pending.paused.has(run.id) || (run === pending.run && isInPaused);
      if (run.end === End.None && !standsStill) void unheard(control.resumeAlone(run, 'keepDeadline'));
    }
  }

  /** false: another removal keeps it. */
  #takeOut(run: Run, pending: Pending): boolean {
    const by = this.#by.get(run);
    if (!by?.delete(pending)) return false;
    if (by.size === 0) this.#by.delete(run);
    run.ownExtra.removedUntilMs = latest(by);
    this.#house.changed(run);
    return by.size === 0;
  }
}

/** Ids of which each says only how much of the one before it begins with, and how it goes on: there may be a hundred thousand. */
type Packed = readonly string[];

function packed(ids: Iterable<string>): Packed {
  let before = '';
  return Array.from(ids, (id) => {
    let same = 0;
    // Never in the middle of a character.
    while (same < id.length && id[same] === before[same] && id.charCodeAt(same) < 128) same++;
    before = id;
    return String.fromCharCode(same) + id.slice(same);
  });
}

function unpacked(ids: Packed): string[] {
  let before = '';
  return ids.map((id) => (before = before.slice(0, id.charCodeAt(0)) + id.slice(1)));
}

function byTime(keys: ReadonlyMap<string, number>): Map<number, string[]> {
  const ids = new Map<number, string[]>();
  for (const [id, untilMs] of keys) {
    const those = ids.get(untilMs);
    if (those) those.push(id);
    else ids.set(untilMs, [id]);
  }
  return ids;
}

/** That a Date can be. */
const lastMomentMs = 8.64e15;
const latest = (by: ReadonlySet<Pending>): number => Math.max(0, ...Array.from(by, ({ untilMs }) => untilMs));
