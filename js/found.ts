/**
 * What is found in a slot: whose a payload is, how much of a log has content, which blobs nobody wants.
 */
import type { LocatedPayload } from './engine.ts';
import * as P from './protocol.ts';
import { End, type Run } from './run.ts';
import type { StorageSlot } from './storage.ts';

export function endOf(state: number): End {
  if (state === P.StateSucceeded) return End.Completed;
  if (state === P.StateFailed) return End.Failed;
  return state === P.StateCancelled ? End.Cancelled : End.None;
}

/** A payload of the log becomes a run's. */
export function place(run: Run, log: Uint8Array, { kind, offset, length, blobId }: LocatedPayload): void {
  if (blobId !== undefined) {
    (run.ownExtra.blobIds ??= []).push(blobId);
    return;
  }
  const payload = { bytes: log, start: offset, length };
  if (kind === P.PayloadKindInput) run.envelope = payload;
  else if (kind === P.PayloadKindStep) (run.ownExtra.stepPayloads ??= []).push(payload);
  else if (kind === P.PayloadKindResult) run.outputPayload = payload;
  else if ((kind & 0xff) === P.PayloadKindNote) (run.ownExtra.notes ??= new Map()).set(kind >>> 8, { payload });
  else if (kind === P.PayloadKindError) run.ownExtra.errorPayload = payload;
}

/** Blobs that were stored for a payload whose record a crash prevented. */
export async function sweepBlobs(slot: StorageSlot, runs: readonly Run[]): Promise<void> {
  const orphans = new Set(await slot.blobIds());
  for (const run of runs) for (const id of run.extra.blobIds ?? []) orphans.delete(id);
  if (orphans.size > 0) await slot.deleteBlobs([...orphans]);
}

/** Without the zeros of a storage's reserve. */
export function contentLength(log: Uint8Array): number {
  let length = log.length;
  while (length > 0 && log[length - 1] === 0) length--;
  return length;
}

/** The same run in two logs, and not two runs under one id. */
export function sameEnvelope(one: Run, other: Run): boolean {
  const [a, b] = [one.envelope, other.envelope];
  if (!a || !b || a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a.bytes[a.start + index] !== b.bytes[b.start + index]) return false;
  return true;
}
