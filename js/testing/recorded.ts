/**
 * Runs of an export, put back to where their last attempt began, with everything recorded: what a replay starts from.
 *
 * Invariant: what is taken away says only how the run ended, or how it is to be placed; what its code did stands as it was.
 */
import { type ReadRun, referencesOf, type ReadExport } from '../exchange/import.ts';
import { carriers, type EventRow } from '../exchange/lines.ts';
import * as P from '../protocol.ts';

/** The core's flags of a task that was submitted, and has been started before (src/task.h). */
const startedBefore = 1 | 32;

function field(run: ReadRun, wanted: number): EventRow | undefined {
  return run.events.find(([kind, a]) => kind === P.EventRestored && a === wanted);
}

const stateOf = (run: ReadRun): number => (field(run, P.RestoredFieldState)?.[2] ?? 0) & 0xf;

/** How its last attempt stands: undefined where none had begun. */
export interface Recorded {
  readonly attempt: number;
  /** `returned`: its code went to its end. `failed`: it ended by an error. `open`: it was anywhere. */
  readonly end: 'returned' | 'failed' | 'open';
}

export function recordedOf(run: ReadRun): Recorded | undefined {
  const attempt = field(run, P.RestoredFieldAttempt)?.[2] ?? 0;
  if (attempt === 0) return undefined;
  const state = stateOf(run);
  return { attempt, end: state === P.StateSucceeded ? 'returned' : state === P.StateFailed ? 'failed' : 'open' };
}

/** Its last attempt is about to begin, and what it recorded is there to be given in its order. */
export function beforeItsEnd(run: ReadRun): ReadRun {
  const { attempt } = recordedOf(run)!;
  const closed = field(run, P.RestoredFieldClosedAttempt)?.[2] ?? 0;
  const failures = field(run, P.RestoredFieldFailures)?.[2] ?? 0;
  // What a failed attempt recorded counts as a memo. Of one that failed for good it is to be looked at in its order; which attempts
  // its try had is known where it was the first that failed.
  const before = closed < attempt ? closed : stateOf(run) !== P.StateFailed ? attempt : failures <= 1 ? 0 : attempt - 1;
  const restored = (which: number, b: number, at = 0): EventRow => [P.EventRestored, which, b, at];
  const rows: EventRow[] = [];
  const payloads: ReadRun['payloads'] = [];
  const bytes: ReadRun['bytes'] = [];
  let payload = 0;
  for (const row of run.events) {
    const at = carriers.has(row[0]) ? payload++ : -1;
    if (row[0] !== P.EventCreated && row[0] !== P.EventNoted && row[0] !== P.EventStepRecorded) continue;
    rows.push(row);
    if (at < 0) continue;
    payloads.push(run.payloads[at]!);
    bytes.push(run.bytes[at]!);
  }
  const createdAt = field(run, P.RestoredFieldCreatedAt);
  if (createdAt) rows.push(createdAt);
  // The attempt that begins has the number of the last one: code may ask for it.
  const former = before === attempt ? attempt : attempt - 1;
  rows.push(
    restored(P.RestoredFieldAttempt, former, run.createdAt), restored(P.RestoredFieldClosedAttempt, before, run.createdAt),
    restored(P.RestoredFieldState, P.StateReady | (startedBefore << 16), run.createdAt),
  );
  const { after: _, parent: __, ...line } = run;
  return { ...line, events: rows, payloads, bytes };
}

/** It and all below it, each with its files as far as they were exported. */
export function familyOf(run: ReadRun, { runs }: ReadExport): ReadRun[] {
  const taken = new Set([run.id]);
  // Parents stand before their children.
  for (const { id, parent } of runs) if (parent !== undefined && taken.has(parent)) taken.add(id);
  return runs.filter(({ id }) => taken.has(id));
}

export function blobsOf(family: readonly ReadRun[], { blobs }: ReadExport) {
  return family.flatMap((run) => referencesOf(run, blobs));
}

/** When the last of it was written. */
export function latestAtMs({ runs }: ReadExport): number {
  let latest = 0;
  for (const { events, createdAt } of runs) {
    latest = Math.max(latest, createdAt);
    for (const [kind, a, , at] of events) if (kind === P.EventRestored && a === P.RestoredFieldState) latest = Math.max(latest, at);
  }
  return latest;
}
