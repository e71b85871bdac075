/**
 * What a crash of the core means for the runs in memory: what was not sealed has not happened.
 * Invariant: afterwards every run is known to the new core, or waits to be created in it again.
 */
import { Engine } from '../pump/engine.ts';
import { CoreCrashedError } from '../errors.ts';
import { loadCore, randomSeed } from '../load.ts';
import type { Orchestrator } from '../orchestrator.ts';
import * as P from '../protocol.ts';
import { End } from '../runs/run.ts';
import { isStreamNote } from '../streams/log.ts';

export function forgetUnsealed(house: Orchestrator, error: Error): void {
  const lost = house.journal?.dropGathered();
  house.eventLog.rewind(lost?.eventsFrom);
  for (const run of lost?.ended ?? []) run.end = End.None;
  for (const tell of lost?.losers ?? []) tell(error);
  for (const run of house.pump.runs) {
    if (!run) continue;
    run.context?.stop(error);
    run.extra.locks?.releaseAll();
    run.context = undefined;
    run.attempt = 0;
    run.extra.history?.forgetUnsealed();
    for (const { resolve } of run.extra.waiters?.splice(0) ?? []) resolve(false);
    house.store.changed(run);
  }
}

/**
 * Runs the rebuilt core does not know were never sealed: they are created again. What had been accepted stands
 * in the log of a closed tab, and is taken over from there again, with the steps that it has recorded.
 */
export function recreateUnknown(house: Orchestrator, engine: Engine): void {
  for (const run of [...house.pump.runs]) {
    if (!run || engine.state(run.task) !== 0) continue;
    if (house.journal && run.accepted_) {
      house.forgotten(run);
      continue;
    }
    house.pump.release(run);
    if (run.end === End.None) house.pump.enqueue(run);
  }
  house.table.tellAgain();
}

/** What the new core has of streams: some of what the crashed one had may be lost. */
function rereadStreams(house: Orchestrator, engine: Engine, log: Uint8Array, error: Error): void {
  for (const run of house.pump.runs) {
    if (!run?.extra.streams || run.task === 0) continue;
    const found = engine.locate(run.task).filter(({ kind, blobId }) => blobId === undefined && (kind & 0xff) === P.PayloadKindNote && isStreamNote(kind >>> 8));
    run.extra.streams.reread(found.map(({ kind, offset, length }) => ({ kind: kind >>> 8, payload: { bytes: log, start: offset, length } })), error);
  }
}

/** Blobs that the crashed core knew of and had not sealed: a record that comes later may refer to them. */
function attachAgain(house: Orchestrator, engine: Engine): void {
  const known = new Map<number, Set<string>>();
  for (const { task, blobId } of engine.referredBlobs()) known.set(task, (known.get(task) ?? new Set()).add(blobId));
  for (const run of house.pump.runs) if (run?.extra.blobs && run.task !== 0) house.blobs.tellAgain(run, known.get(run.task));
}

const crashLimit = 3;
const crashWindowMs = 60_000;

export class Rebuilder {
  readonly #house: Orchestrator;
  readonly #session: number;
  readonly #fail: (error: unknown) => void;
  #crashes: number[] = [];

  /** @param fail there is no engine any more, and won't be */
  constructor(house: Orchestrator, session: number, fail: (error: unknown) => void) {
    this.#house = house;
    this.#session = session;
    this.#fail = fail;
  }

  /**
   * Throws the instance away and builds another from every frame there is. One that can't be built has
   * crashed again; after a few times that is the end.
   */
  async rebuild(cause: unknown): Promise<void> {
    const house = this.#house;
    const error = new CoreCrashedError('The holdfast core hit a broken invariant and is rebuilt from the journal.', { cause });
    house.pump.detach();
    house.warn(`${error.message} (${cause instanceof Error ? cause.message : cause})`);
    const nowMs = house.clock.now();
    this.#crashes = [...this.#crashes.filter((atMs) => atMs > nowMs - crashWindowMs), nowMs];
    if (this.#crashes.length > crashLimit) return this.#fail(error);
    forgetUnsealed(house, error);
    try {
      const engine = new Engine(await loadCore(house.getOptions().wasm), this.#session, randomSeed());
      if (house.journal) {
        const log = house.journal.log();
        engine.load(log);
        house.pump.moveFound(engine, log);
        rereadStreams(house, engine, log, error);
      } else engine.keepNothing();
      recreateUnknown(house, engine);
      attachAgain(house, engine);
      house.pump.commands.push(P.CommandRecover, 0, 1);
      house.pump.start(engine);
    } catch (again) {
      return this.rebuild(again);
    }
  }
}
