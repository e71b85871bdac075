/**
 * How code that used durable verbs ends: forward when its children may be left and it went the way it
 * went before, backward when something is to be undone, and not at all when it begins anew.
 */
import { DriftError } from '../errors.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Run } from '../runs/run.ts';
import { ContinueAsNew } from './again.ts';
import { settleUnawaited, type Unawaited } from './children.ts';
import type { Durable } from './durable.ts';
import { beginRollback, pendingRollback, undoAll } from './rollback.ts';
import type { ContextServices } from './services.ts';

export type OnDrift = 'fail' | 'restart' | 'discard-tail' | 'accept-new';

export type Ending =
  /** Its result counts. */
  | { way: 'forward' }
  | { way: 'failed'; error: unknown; final: boolean }
  /** Undone because it was cancelled. */
  | { way: 'cancelled' }
  /** With so many of its records, and perhaps another input; anew: also without what a fork has taken over. */
  | { way: 'again'; kept: number; isAnew?: boolean; giveInput?: () => void };

export interface EndingOptions {
  unawaited: Unawaited;
  onDrift: OnDrift;
  /** Would the core try again after this? */
  isFinal(error: unknown): boolean;
}

/** The handler returned. */
export async function endOfReturn(durable: Durable, services: ContextServices, options: EndingOptions): Promise<Ending> {
  try {
    if (pendingRollback(durable)) return await backward(durable, services);
    await settleUnawaited(durable, options.unawaited, (child) => services.detach(durable.run, child));
    await durable.replay.finish();
    const unasked = durable.replay.unasked();
    if (!unasked || options.onDrift === 'accept-new') return { way: 'forward' };
    return await drifted(durable, services, options, driftError(durable.run, unasked), unasked.key);
  } catch (error) {
    return endOfThrow(durable, services, options, error);
  }
}

/** The handler threw. */
export async function endOfThrow(durable: Durable, services: ContextServices, options: EndingOptions, error: unknown): Promise<Ending> {
  if (error instanceof ContinueAsNew) return beginAnew(durable, services, error.input).catch((refused) => endOfThrow(durable, services, options, refused));
  if (error instanceof DriftError && options.onDrift !== 'fail') return drifted(durable, services, options, error, (error.data as { key?: string } | undefined)?.key);
  if (pendingRollback(durable)) return backward(durable, services);
  const final = options.isFinal(error);
  if (!final || durable.undoings.length === 0) return { way: 'failed', error, final: false };
  await beginRollback(durable, error, false);
  return backward(durable, services);
}

async function backward(durable: Durable, services: ContextServices): Promise<Ending> {
  const { error, cancelled } = pendingRollback(durable)!;
  await undoAll(durable, services);
  return cancelled ? { way: 'cancelled' } : { way: 'failed', error, final: true };
}

async function beginAnew(durable: Durable, services: ContextServices, input: unknown): Promise<Ending> {
  const giveInput = await services.writeNote(durable.run, NoteKind.Input, input, 'input of ctx.continueAsNew');
  const taken = await services.waiting.events.taken(durable);
  const noteTaken = taken.length > 0 ? await services.writeNote(durable.run, NoteKind.Taken, taken, 'events') : undefined;
  return {
    way: 'again', kept: 0,
    giveInput: () => {
      giveInput();
      noteTaken?.();
    },
  };
}

async function drifted(
  durable: Durable, services: ContextServices, options: EndingOptions, error: DriftError, key: string | undefined,
): Promise<Ending> {
  if (options.onDrift === 'fail') return endOfThrow(durable, services, options, error);
  durable.host.warn(`${error.message} It goes on as its task says: ${options.onDrift}.`);
  const { entries } = services.historyOf(durable.run);
  const place = key === undefined ? -1 : entries.findIndex((entry) => entry.key === key);
  const isAnew = options.onDrift === 'restart';
  return { way: 'again', kept: isAnew || place < 0 ? 0 : place, isAnew };
}

function driftError(run: Run, { expected, actual, key }: { expected: string; actual: string | undefined; key: string }): DriftError {
  const instead = actual ? `, but asked for "${actual}"` : ', and ended without it';
  return new DriftError(
    `Run ${run.id}: its code had recorded "${expected}" here${instead}. Keep the names and the order of what a run has done, or guard changes with ctx.patch(id).`,
    { data: { expected, actual, path: run.taskIdentifier, key } },
  );
}
