/**
 * What a crash of the core means for the runs in memory: what was not sealed has not happened.
 * Invariant: afterwards every run is known to the new core, or waits to be created in it again.
 */
import type { Engine } from './engine.ts';
import type { Orchestrator } from './orchestrator.ts';
import { End } from './run.ts';

export function forgetUnsealed(house: Orchestrator, error: Error): void {
  const lost = house.journal?.dropGathered();
  house.eventLog.rewind(lost?.eventsFrom);
  for (const run of lost?.ended ?? []) run.end = End.None;
  for (const tell of lost?.losers ?? []) tell(error);
  for (const run of house.pump.runs) {
    if (!run) continue;
    run.context?.stop(error);
    run.context = undefined;
    run.attempt = 0;
    run.extra.history?.forgetUnsealed();
    for (const { resolve } of run.extra.waiters?.splice(0) ?? []) resolve(false);
    house.store.changed(run);
  }
}

/** Runs the rebuilt core does not know were never sealed: they are created again. */
export function recreateUnknown(house: Orchestrator, engine: Engine): void {
  for (const run of [...house.pump.runs]) {
    if (!run || engine.state(run.task) !== 0) continue;
    house.pump.release(run);
    if (run.end === End.None) house.pump.enqueue(run);
  }
  house.table.tellAgain();
}
