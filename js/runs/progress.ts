/**
 * Progress of runs: what their code reports, what is simulated where nothing is reported, and how
 * long it will still take.
 *
 * Invariants: 0-100, never back within an attempt, 100 only by completion; nonsense is dropped; the
 * core hears of a run's progress at most four times a second, people at most once a frame; a
 * simulation never outlives its attempt and stands aside for reported values.
 */
import type { Clock } from '../time/clock.ts';
import { Durations } from './durations.ts';
import type { SimulatedProgress } from '../intake/options.ts';
import * as P from '../protocol.ts';
import type { Pump } from '../pump/pump.ts';
import { End, type Run } from './run.ts';
import type { ProgressReport, ProgressSource } from '../types.ts';

const durableIntervalMs = 250;
/** Reports that come faster than this say nothing about the pace (steps answered from the journal). */
const paceIntervalMs = 250;
const paceSamples = 3;

/** What is known of one run's progress. */
export class RunProgress {
  /** NaN: nothing yet. */
  value = Number.NaN;
  source: ProgressSource | undefined;
  /** What listeners of `progress` heard last. */
  told = Number.NaN;
  message: string | undefined;
  phase: string | undefined;
  step: string | undefined;
  /** When the core heard of it last. */
  sentMs = 0;
  remainingMs: number | undefined;
  pace: { atMs: number; value: number; samples: number; perMs: number } | undefined;
  /** Start of the attempt whose duration is estimated. */
  startedMs = 0;
}

export interface ProgressHost {
  readonly clock: Clock;
  readonly pump: Pump;
  readonly opening: { namespace: string };
  getOptions(): { encryption?: unknown };
  changed(run: Run): void;
  /** Uniform in [0, 1). */
  random(): number;
}

export class ProgressTracker {
  readonly #host: ProgressHost;
  #simulated = new Set<Run>();
  #cancelTick: (() => void) | undefined;
  readonly #durations: Durations;

  constructor(host: ProgressHost) {
    this.#host = host;
    this.#durations = new Durations(() => host.getOptions().encryption ? undefined : `holdfast:${host.opening.namespace}:durations`);
  }

  attemptStarted(run: Run, attempt: number): void {
    const { progress } = run.extra;
    if (attempt > 1 && progress) {
      progress.value = Number.NaN;
      progress.source = undefined;
      forgetPace(progress);
    }
    if (!run.options?.simulation) return;
    if (run.options.simulation.estimated) (run.ownExtra.progress ??= new RunProgress()).startedMs = this.#host.clock.now();
    this.#simulated.add(run);
    this.#tickLater();
  }

  attemptEnded(run: Run): void {
    if (this.#simulated.size > 0) this.#simulated.delete(run);
    const { progress } = run.extra;
    if (!progress) return;
    if (run.end === End.Completed && run.options?.simulation?.estimated) this.#learn(run, progress);
    forgetPace(progress);
  }

  #learn(run: Run, { startedMs }: RunProgress): void {
    const nowMs = this.#host.clock.now();
    if (startedMs > 0) this.#durations.learn(run.taskIdentifier, nowMs - startedMs, nowMs);
  }

  report(run: Run, attempt: number, report: number | ProgressReport): void {
    const details = typeof report === 'object' && report !== null ? report : undefined;
    const value = details ? details.value : report;
    const progress = (run.ownExtra.progress ??= new RunProgress());
    if (details) {
      progress.message = text(details.message) ?? progress.message;
      progress.phase = text(details.phase) ?? progress.phase;
      progress.step = text(details.step) ?? progress.step;
      this.#host.changed(run);
    }
    if (typeof value !== 'number' || Number.isNaN(value)) return;
    const clamped = Math.min(Math.max(value, 0), 99);
    if (progress.source === 'reported' && clamped <= progress.value) return;
    this.#simulated.delete(run);
    progress.value = Math.max(clamped, Number.isNaN(progress.value) ? 0 : progress.value);
    progress.source = 'reported';
    this.#pace(progress);
    this.#host.changed(run);
    this.#tellCore(run, attempt, progress);
  }

  #tellCore(run: Run, attempt: number, progress: RunProgress): void {
    const nowMs = this.#host.clock.now();
    if (nowMs - progress.sentMs < durableIntervalMs && nowMs >= progress.sentMs) return;
    progress.sentMs = nowMs;
    this.#host.pump.commands.push(P.CommandReportProgress, run.task, attempt, 0, progress.value);
    this.#host.pump.wake();
  }

  /** Time left from the smoothed pace, once three samples tell it. */
  #pace(progress: RunProgress): void {
    const nowMs = this.#host.clock.now();
    const { pace, value } = progress;
    if (!pace) {
      progress.pace = { atMs: nowMs, value, samples: 0, perMs: 0 };
      return;
    }
    const elapsedMs = nowMs - pace.atMs;
    if (elapsedMs < paceIntervalMs) {
      // A burst before the first sample is what the journal answered: the pace starts behind it.
      if (pace.samples === 0) pace.value = value;
      return;
    }
    const perMs = (value - pace.value) / elapsedMs;
    pace.perMs = pace.samples === 0 ? perMs : 0.7 * pace.perMs + 0.3 * perMs;
    pace.samples++;
    pace.atMs = nowMs;
    pace.value = value;
    progress.remainingMs = pace.samples >= paceSamples && pace.perMs > 0 ? (100 - value) / pace.perMs : undefined;
  }

  #tickLater(): void {
    if (this.#cancelTick || this.#simulated.size === 0) return;
    let intervalMs = Number.POSITIVE_INFINITY;
    for (const run of this.#simulated) intervalMs = Math.min(intervalMs, run.options!.simulation!.intervalMs);
    this.#cancelTick = this.#host.clock.schedule(this.#host.clock.now() + intervalMs, () => {
      this.#cancelTick = undefined;
      for (const run of this.#simulated) this.#simulate(run, run.options!.simulation!);
      this.#tickLater();
    });
  }

  #simulate(run: Run, simulation: SimulatedProgress): void {
    const { pump } = this.#host;
    const working = run.attempt > 0 && pump.open && (pump.engine.state(run.task) & 0xf) === P.StateRunning;
    if (!working) return;
    const progress = (run.ownExtra.progress ??= new RunProgress());
    const value = Number.isNaN(progress.value) ? 0 : progress.value;
    const expectedMs = simulation.estimated ? this.#durations.expected(run.taskIdentifier) : undefined;
    if (expectedMs !== undefined) return this.#estimate(run, progress, expectedMs, simulation.cap);
    const step = this.#host.random() * simulation.maxIncrement;
    const increment = simulation.asymptotic ? (step * (simulation.cap - value)) / 100 : step;
    progress.value = Math.min(value + increment, simulation.cap);
    progress.source = 'simulated';
    // What is left is kept for finalising; the ticker has nothing more to say.
    if (progress.value >= simulation.cap) this.#simulated.delete(run);
    this.#host.changed(run);
  }

  /** By former runs. One that takes longer than they did waits at the cap, and nobody says how long. */
  #estimate(run: Run, progress: RunProgress, expectedMs: number, cap: number): void {
    const elapsedMs = Math.max(0, this.#host.clock.now() - progress.startedMs);
    const share = expectedMs > 0 ? (100 * elapsedMs) / expectedMs : 100;
    progress.value = Math.max(Number.isNaN(progress.value) ? 0 : progress.value, Math.min(share, cap));
    progress.source = 'estimated';
    progress.remainingMs = elapsedMs < expectedMs ? expectedMs - elapsedMs : undefined;
    if (progress.remainingMs === undefined) this.#simulated.delete(run);
    this.#host.changed(run);
  }

  dispose(): void {
    this.#durations.save();
    this.#cancelTick?.();
    this.#simulated.clear();
  }
}

function forgetPace(progress: RunProgress): void {
  progress.remainingMs = undefined;
  progress.pace = undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, 1000) : undefined;
}
