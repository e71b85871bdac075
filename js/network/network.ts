/**
 * What runs do while there is no network: those that need it are held, by a hold of its own, until it is back.
 *
 * Whether there is one is Connectivity's to say; when a held run goes on is the core's: it only hears of holds.
 * Invariants: an attempt that is under way is left alone; one that fails for want of the network is
 * interrupted, not failed, so it costs none of the run's attempts; every hold is lifted once there is a network,
 * whichever page or core has placed it.
 */
import { toMilliseconds } from '../intake/duration.ts';
import { InterruptedError } from '../errors.ts';
import { HoldOffline } from '../runs/holds.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End, type Run } from '../runs/run.ts';
import { Connectivity } from './connectivity.ts';
import { isNetworkFault } from './fault.ts';
import { modeOfSpec } from './mode.ts';
import type { NetworkMode } from './types.ts';

export class Network {
  readonly #house: Orchestrator;
  #connectivity: Connectivity;
  #given: unknown;
  /** Runs that are about to go on, the next one last. */
  #returning: { run: Run; atMs: number }[] = [];
  #cancelReturn: (() => void) | undefined;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.#connectivity = this.#connect();
  }

  #connect(): Connectivity {
    const { connectivity } = this.#house.getOptions();
    this.#given = connectivity;
    return new Connectivity(this.#house, connectivity, () => this.#changed());
  }

  get isOffline(): boolean {
    return !this.#connectivity.online;
  }

  modeOf(run: Run): NetworkMode {
    const spec = (run.definition ?? this.#house.definition(run.taskIdentifier))?.spec;
    return run.options?.networkMode ?? (spec ? modeOfSpec(spec) : 'always');
  }

  /** Does it wait for a network before its next attempt? */
  #needsIt(run: Run): boolean {
    const mode = this.modeOf(run);
    if (mode === 'always' || run.extra.hidden) return false;
    return mode === 'online' || (run.task !== 0 && this.#house.pump.engine.value(run.task, P.FieldFailures) > 0);
  }

  /** The hold a run is created with; 0: none. */
  holdOf(run: Run): number {
    return this.isOffline && this.#needsIt(run) ? HoldOffline : 0;
  }

  /** An attempt is about to begin. true: its run waits instead. */
  holdsBack(run: Run): boolean {
    if (!this.isOffline || !this.#needsIt(run)) return false;
    this.#suspend(run);
    return true;
  }

  /** An attempt, or a step that would be tried again, has failed. true: its run waits, and nothing has failed. */
  suspends(run: Run, error: unknown): boolean | Promise<boolean> {
    if (this.modeOf(run) === 'always' || !isNetworkFault(error)) return false;
    const { attempt } = run;
    const answered = (online: boolean): boolean => {
      if (online || run.attempt !== attempt) return false;
      this.#suspend(run);
      return true;
    };
    const online = this.#connectivity.ask();
    return typeof online === 'boolean' ? answered(online) : online.then(answered);
  }

  #suspend(run: Run): void {
    const { pump, attempts } = this.#house;
    pump.commands.push(P.CommandHold, run.task, HoldOffline);
    attempts.interrupt(run, new InterruptedError(`Run ${run.id} waits for a network; it goes on from its last step.`));
  }

  /** There is a journal: what stands in it may wait for what there is by now. */
  opened(): void {
    this.#connectivity.start();
    this.look();
  }

  optionsChanged(): void {
    if (this.#house.getOptions().connectivity === this.#given) return;
    this.#connectivity.close();
    this.#connectivity = this.#connect();
    if (!this.#house.pump.open) return;
    this.#connectivity.start();
    this.#changed();
  }

  #changed(): void {
    if (this.isOffline) this.#hold();
    this.look();
  }

  #hold(): void {
    const { pump } = this.#house;
    if (!pump.open) return;
    for (const run of pump.runs)
      if (run && run.task !== 0 && run.end === End.None && run.attempt === 0 && this.#needsIt(run)) pump.commands.push(P.CommandHold, run.task, HoldOffline);
    pump.wake();
  }

  /** Lets go on what waits and need not: a run may have come held from another page, or with other code. */
  look(): void {
    this.#cancelReturn?.();
    this.#cancelReturn = undefined;
    this.#returning = [];
    const { pump, clock, random } = this.#house;
    if (!pump.open) return;
    const jitterMs = toMilliseconds(this.#house.getOptions().connectivity?.jitter ?? 1000, 'connectivity.jitter');
    for (const run of pump.heldRuns(HoldOffline))
      if (!this.isOffline || this.modeOf(run) === 'always') this.#returning.push({ run, atMs: clock.now() + random() * jitterMs });
    this.#returning.sort((one, other) => other.atMs - one.atMs);
    this.#return();
  }

  #return(): void {
    const { pump, clock } = this.#house;
    const nowMs = clock.now();
    for (let next = this.#returning.at(-1); next && next.atMs <= nowMs; next = this.#returning.at(-1)) {
      this.#returning.pop();
      if (pump.open && next.run.task !== 0) pump.commands.push(P.CommandRelease, next.run.task, HoldOffline);
    }
    pump.wake();
    const next = this.#returning.at(-1);
    this.#cancelReturn = next && clock.schedule(next.atMs, () => this.#return());
  }

  close(): void {
    this.#cancelReturn?.();
    this.#connectivity.close();
  }
}
