/**
 * Progress of runs: what their code reports, what is simulated where nothing is reported, and how
 * long it will still take.
 *
 * Invariants: 0-100, never back within an attempt, 100 only by completion; nonsense is dropped; the
 * core hears of a run's progress at most four times a second, people at most once a frame; a
 * simulation never outlives its attempt and stands aside for reported values.
 */
import type { Clock } from './clock.ts';
import type { SimulatedProgress } from './options.ts';
import * as P from './protocol.ts';
import type { Pump } from './pump.ts';
import type { Run } from './run.ts';
import type { ProgressReport } from './types.ts';

const durableIntervalMs = 250;
/** Reports that come faster than this say nothing about the pace (steps answered from the journal). */
const paceIntervalMs = 250;
const paceSamples = 3;

export interface ProgressHost {
  readonly clock: Clock;
  readonly pump: Pump;
  changed(run: Run): void;
  /** Uniform in [0, 1). */
  random(): number;
}

export class ProgressTracker {
  readonly #host: ProgressHost;
  #simulated = new Set<Run>();
  #cancelTick: (() => void) | undefined;

  constructor(host: ProgressHost) {
    this.#host = host;
  }

  attemptStarted(run: Run, attempt: number): void {
    if (attempt > 1) {
      run.progress = Number.NaN;
      run.progressSource = undefined;
      run.remainingMs = undefined;
      run.pace = undefined;
    }
    if (!run.options?.simulation) return;
    this.#simulated.add(run);
    this.#tickLater();
  }

  attemptEnded(run: Run): void {
    if (this.#simulated.size > 0) this.#simulated.delete(run);
    run.remainingMs = undefined;
    run.pace = undefined;
  }

  report(run: Run, attempt: number, report: number | ProgressReport): void {
    const details = typeof report === 'object' && report !== null ? report : undefined;
    const value = details ? details.value : report;
    if (details) {
      run.progressMessage = text(details.message) ?? run.progressMessage;
      run.progressPhase = text(details.phase) ?? run.progressPhase;
      run.progressStep = text(details.step) ?? run.progressStep;
      this.#host.changed(run);
    }
    if (typeof value !== 'number' || Number.isNaN(value)) return;
    const clamped = Math.min(Math.max(value, 0), 99);
    if (run.progressSource === 'reported' && clamped <= run.progress) return;
    this.#simulated.delete(run);
    run.progress = Math.max(clamped, Number.isNaN(run.progress) ? 0 : run.progress);
    run.progressSource = 'reported';
    this.#pace(run);
    this.#host.changed(run);
    this.#tellCore(run, attempt);
  }

  #tellCore(run: Run, attempt: number): void {
    const nowMs = this.#host.clock.now();
    if (nowMs - run.progressSentMs < durableIntervalMs && nowMs >= run.progressSentMs) return;
    run.progressSentMs = nowMs;
    this.#host.pump.commands.push(P.CommandReportProgress, run.task, attempt, 0, run.progress);
    this.#host.pump.wake();
  }

  /** Time left from the smoothed pace, once three samples tell it. */
  #pace(run: Run): void {
    const nowMs = this.#host.clock.now();
    const { pace } = run;
    if (!pace) {
      run.pace = { atMs: nowMs, value: run.progress, samples: 0, perMs: 0 };
      return;
    }
    const elapsedMs = nowMs - pace.atMs;
    if (elapsedMs < paceIntervalMs) {
      // A burst before the first sample is what the journal answered: the pace starts behind it.
      if (pace.samples === 0) pace.value = run.progress;
      return;
    }
    const perMs = (run.progress - pace.value) / elapsedMs;
    pace.perMs = pace.samples === 0 ? perMs : 0.7 * pace.perMs + 0.3 * perMs;
    pace.samples++;
    pace.atMs = nowMs;
    pace.value = run.progress;
    run.remainingMs = pace.samples >= paceSamples && pace.perMs > 0 ? (100 - run.progress) / pace.perMs : undefined;
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
    const value = Number.isNaN(run.progress) ? 0 : run.progress;
    const step = this.#host.random() * simulation.maxIncrement;
    const increment = simulation.asymptotic ? (step * (simulation.cap - value)) / 100 : step;
    run.progress = Math.min(value + increment, simulation.cap);
    run.progressSource = 'simulated';
    // What is left is kept for finalising; the ticker has nothing more to say.
    if (run.progress >= simulation.cap) this.#simulated.delete(run);
    this.#host.changed(run);
  }

  dispose(): void {
    this.#cancelTick?.();
    this.#simulated.clear();
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, 1000) : undefined;
}
