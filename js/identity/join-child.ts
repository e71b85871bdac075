/**
 * A child whose key another run holds: the parent waits for that run and records what it gave. It is no child
 * of the parent: whatever becomes of the parent, it goes on.
 */
import type { Durable, Prepared } from '../context/durable.ts';
import { ConfigurationError } from '../errors.ts';
import { RecordKind } from '../journal/history.ts';
import { End, Run } from '../runs/run.ts';
import { duplicate, type Joined } from './keyed-handle.ts';

type Outcome = { output: unknown; record: Prepared } | { error: Error };

/** Whom a run waits for beside its children: those that hold its child's key. */
const waits = new WeakMap<Run, Set<Joined['handle']>>();

/**
 * What a child would wait for, or cancel, waits for the child's parent: neither would ever go on.
 * @param childrenOf of a run that has not ended
 * @throws ConfigurationError
 */
export function refuseCycle(parent: Run, holder: Joined['handle'], childrenOf: (run: Run) => readonly Run[]): void {
  const met = new Set<unknown>();
  const open: unknown[] = [holder];
  while (open.length > 0) {
    const run = open.pop();
    if (run === parent)
      throw new ConfigurationError(`ctx.run("${holder.taskIdentifier}") of run ${parent.id}: run ${holder.id} holds the key ${JSON.stringify(holder.idempotencyKey)}, and waits for this one itself. Use another key.`);
    // Whom a run of another tab waits for is known there.
    if (met.has(run) || !(run instanceof Run) || run.end !== End.None) continue;
    met.add(run);
    open.push(run.extra.key?.after, ...(waits.get(run) ?? []), ...childrenOf(run));
  }
}

/** Gives the output, recorded before the code goes on. @throws what the other run failed with */
export async function joinRun(durable: Durable, key: string, { handle, skipped }: Joined): Promise<unknown> {
  if (skipped) throw duplicate(handle, 'The child was skipped');
  let come: Outcome | undefined;
  const outside = outcomeOf(durable, key, handle).then((outcome) => (come = outcome));
  const others = waits.get(durable.run) ?? new Set();
  waits.set(durable.run, others.add(handle));
  await durable.wait(outside, () => {
    others.delete(handle);
    if (come && 'record' in come) durable.commit(come.record);
    else if (come) durable.fail(key, RecordKind.ChildFailed, come.error);
  });
  if ('error' in come!) throw come.error;
  return come!.output;
}

async function outcomeOf(durable: Durable, key: string, handle: Joined['handle']): Promise<Outcome> {
  const result = await handle.wait();
  if (!result.ok) return { error: result.error };
  return { output: result.output, record: await durable.prepare(key, RecordKind.Value, result.output, 'result') };
}
