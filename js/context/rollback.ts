/**
 * Undoing: what `ctx.onRollback` and `step(…, { compensate })` registered, run backwards when the run
 * fails for good or is cancelled.
 *
 * That a run rolls back is a note, so a page that dies in between goes on rolling back: the code runs
 * again up to where it had come (which registers what is to be undone), and every undoing that is
 * recorded is not done twice. Invariant: once the note is there, nothing new begins but undoing.
 */
import type { SerializedError } from '../errors.ts';
import { KeyPrefix } from '../journal/history.ts';
import { NoteKind } from '../journal/notes.ts';
import { deserializeError, serializeError } from '../runs/serialize-error.ts';
import type { Durable } from './durable.ts';
import { attemptStep, type StepHost } from './steps.ts';

const retry = { maxAttempts: 3, minDelayMs: 1000 };

export interface Undoing {
  name: string;
  undo: () => unknown;
}

interface RollbackNote {
  error: SerializedError;
  cancelled: boolean;
  /** The last attempt that was over for good then: a run that is tried again by hand begins anew. */
  closedAttempt: number;
}

/** Why this try is being rolled back; undefined: it is not. */
export function pendingRollback(durable: Durable): { error: Error; cancelled: boolean } | undefined {
  const note = durable.host.readNote(durable.run, NoteKind.Rollback)?.value as RollbackNote | undefined;
  if (note?.closedAttempt !== durable.host.closedAttemptOf(durable.run)) return undefined;
  return { error: deserializeError(note.error), cancelled: note.cancelled };
}

/** Says durably that nothing goes forward any more. Resolves when that is acknowledged. */
export async function beginRollback(durable: Durable, error: unknown, cancelled: boolean): Promise<void> {
  if (pendingRollback(durable)) return;
  const closedAttempt = durable.host.closedAttemptOf(durable.run);
  const note: RollbackNote = { error: serializeError(error), cancelled, closedAttempt };
  await durable.host.note(durable.run, NoteKind.Rollback, note, 'rollback');
}

/** The last one first. What can't be undone is told, and keeps nobody else from being undone. */
export async function undoAll(durable: Durable, host: StepHost): Promise<void> {
  durable.beginUndoing();
  for (const { name, undo } of durable.undoings.splice(0).reverse()) {
    const key = durable.key(KeyPrefix.Undo, name);
    try {
      if (!(await durable.ask(key))) await attemptStep(durable, host, name, key, undo, { retry });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      durable.host.warn(`Run ${durable.run.id}: "${name}" could not be undone: ${message}`);
    }
  }
}
