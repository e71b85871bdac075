/**
 * What a fork has taken over from another run: a note of its own, written with its creation. How it comes
 * together stands in fork.ts, which is loaded with the first fork.
 *
 *   note := list of records, each the bytes of one as a step's record has them (payloads.ts)
 *
 * Invariant: a run that begins anew, or was rolled back, has forgotten it.
 */
import { type BlobReference, decode } from '../codec/codec.ts';
import type { Entry } from '../journal/history.ts';
import { NoteKind, type StoredNote } from '../journal/notes.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { payloadBytes, readRecord } from '../journal/payloads.ts';
import * as P from '../protocol.ts';
import type { Run } from '../runs/run.ts';

/** What a fork takes over, ready to be stored. */
export interface Fork {
  note: StoredNote;
  /** Stored, and held until the run that refers to them is created. */
  blobs: BlobReference[];
}

export type TakenOver = [key: string, kind: number, value: unknown];

/** Pump: the note, among what is said of a run that is created. */
export function describeFork({ pump }: Orchestrator, run: Run): void {
  const { note } = run.extra.fork!;
  (run.ownExtra.notes ??= new Map()).set(NoteKind.Forked, note);
  const { payload } = note;
  if (payload) pump.commands.addPayload(payload.bytes, payload.start, payload.length);
  pump.commands.push(P.CommandNote, run.task, NoteKind.Forked, payload?.length ?? 0);
}

/** Undone, or begun anew: what it has taken over counts no longer. Stored with what says so. */
export function forgetFork({ journal, payloads, pump }: Pick<Orchestrator, 'journal' | 'payloads' | 'pump'>, run: Run): void {
  if (!run.extra.notes?.has(NoteKind.Forked)) return;
  const payload = journal ? payloads.writeRecords([]) : undefined;
  run.extra.notes.set(NoteKind.Forked, payload ? { payload } : { value: [] });
  if (payload) pump.commands.addPayload(payload.bytes, payload.start, payload.length);
  pump.commands.push(P.CommandNote, run.task, NoteKind.Forked, payload?.length ?? 0);
}

/** What it has taken over; nothing any more once it has begun anew. */
export function forkedEntries(run: Run): Entry[] {
  const { notes } = run.extra;
  const note = notes?.get(NoteKind.Forked);
  if (!note || notes!.has(NoteKind.Input)) return [];
  if (!note.payload) return (note.value as TakenOver[]).map(([key, kind, value]) => ({ key, kind, attempt: 0, payload: undefined, value, acknowledged: true }));
  return (decode(payloadBytes(note.payload)) as Uint8Array[]).map((bytes) => {
    const payload = { bytes, start: 0, length: bytes.length };
    return { ...readRecord(payload), payload, acknowledged: true };
  });
}
