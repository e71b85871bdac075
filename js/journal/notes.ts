/**
 * Notes: what a run keeps beside its input, steps and end, one of each kind, the last one counts, but of
 * streams, which keep all. A note can be written in any state of a run, by anybody who owns it.
 */
import * as P from '../protocol.ts';
import type { PayloadBytes } from '../runs/run.ts';

/** The numbers stand in journals and never change. */
export const NoteKind = {
  /** `ctx.checkpoint`. */
  Checkpoint: 1,
  /** The input in place of the first one: `ctx.continueAsNew`. */
  Input: 2,
  /** Metadata that was changed after creation. */
  Metadata: 3,
  /** What a token was completed with. */
  Completion: 4,
  /** The run is to be rolled back, and why. */
  Rollback: 5,
  /** Ids of events that it had taken before it began anew. */
  Taken: 6,
  /** The version of the code that began it anew. */
  Version: 7,
  /** All its tags, after some were added. */
  Tags: 16,
  /** What a fork has taken over. */
  Forked: 17,
  /** What its input is computed from … */
  Binding: 20,
  /** … what it was called with … */
  Message: 21,
  /** … and whose child it became after it was made. */
  Family: 22,
  /** How often its records were dropped. */
  Era: 23,
  /** Keys of calls that it has taken in, and until when they count. */
  Keys: 24,
  /** The document of a graph's run, as it was changed since that began. */
  Graph: 25,
  /** Chunks of streams: all of them are kept, in order … */
  StreamPacked: P.PackedNote,
  /** … until a pack takes their place; packs are kept … */
  StreamPacking: P.PackingNote,
  /** … as are chunks that lie beside the journal, and words about streams. */
  StreamKept: P.KeptNote,
} as const;

/** What waits for such a note waits under. The last one of a kind counts, so any will do, but not one of a list. */
export function awaitedNote(kind: number): number {
  return kind < NoteKind.StreamPacked || kind > NoteKind.StreamKept ? P.CommandNote : P.CommandNote | (kind << 8);
}

/** Where it was encoded, or, where nothing is kept beyond memory, the value. */
export interface StoredNote {
  payload?: PayloadBytes;
  value?: unknown;
}
