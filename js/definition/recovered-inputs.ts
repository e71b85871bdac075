/**
 * Inputs that an earlier page accepted and today's schema refuses: their runs wait for a decision, with
 * the reason shown, and nothing of them is lost or counted as failed.
 *
 * Invariant: the hold is only a mark. Whoever lifts it (the person, new code, the next page) has the
 * input validated again before anything runs.
 */
import type { Attempts } from '../runs/attempts.ts';
import type { Journal } from '../journal/journal.ts';
import { HoldSchemaMismatch } from '../runs/holds.ts';
import * as P from '../protocol.ts';
import type { Pump } from '../pump/pump.ts';
import { End, type Run } from '../runs/run.ts';
import { type Failed, recoveryRefused } from './validation.ts';

/** An earlier page accepted it, with other code perhaps. */
export function isRecovered(run: Run): boolean {
  // A run triggered in this page knows when; what the journal knows does not.
  return run.createdAtMs === 0;
}

export interface RecoveredInputsHost {
  readonly pump: Pump;
  readonly attempts: Attempts;
  readonly journal: Journal | undefined;
  changed(run: Run): void;
  warn(message: string): void;
}

export class RecoveredInputs {
  readonly #host: RecoveredInputsHost;

  constructor(host: RecoveredInputsHost) {
    this.#host = host;
  }

  /** Ends the attempt as if it had not been, and holds the run. Gives what its code may be told. */
  letWait(run: Run, failed: Failed): Error {
    const { pump, attempts } = this.#host;
    const error = recoveryRefused(run.taskIdentifier, failed);
    run.ownExtra.error = error;
    pump.commands.push(P.CommandHold, run.task, HoldSchemaMismatch);
    attempts.interrupt(run, error);
    this.#host.warn(`Run ${run.id} waits. ${error.message}`);
    return error;
  }

  waits(run: Run): boolean {
    const { pump } = this.#host;
    return pump.open && run.task !== 0 && (pump.engine.holds(run.task) & HoldSchemaMismatch) !== 0;
  }

  /** It may be tried again. Gives the hold to be lifted. */
  letGo(run: Run): number {
    run.ownExtra.error = undefined;
    this.#host.changed(run);
    return HoldSchemaMismatch;
  }

  release(run: Run): void {
    this.#host.pump.commands.push(P.CommandRelease, run.task, this.letGo(run));
  }

  /** On opening: the code may be another now. */
  releaseAll(): void {
    const { pump } = this.#host;
    for (const run of pump.heldRuns(HoldSchemaMismatch)) if (run.end === End.None) this.release(run);
    pump.wake();
  }
}
