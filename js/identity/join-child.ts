/**
 * A child whose key another run holds: the parent waits for that run and records what it gave. It is no child
 * of the parent: whatever becomes of the parent, it goes on.
 */
import type { Durable, Prepared } from '../context/durable.ts';
import { ConfigurationError, LockDeadlockError } from '../errors.ts';
import { RecordKind } from '../journal/history.ts';
import { End, Run } from '../runs/run.ts';
import { joinedBy, waitsOf } from '../runs/waits.ts';
import { duplicate, type Joined } from './keyed-handle.ts';

type Outcome = { output: unknown; record: Prepared } | { error: Error };

/**
 * What a child would wait for, or cancel, waits for the child's parent: neither would ever go on.
 * @param childrenOf of a run that has not ended
 * @throws ConfigurationError; LockDeadlockError where it would not without a lock
 */
export function refuseCycle(parent: Run, holder: Joined['handle'], childrenOf: (run: Run) => readonly Run[]): void {
  const met = new Set<unknown>();
  const open: { run: unknown; locks: readonly string[] }[] = [{ run: holder, locks: [] }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { run, locks } = next;
    if (run === parent) throw cycle(parent, holder, locks);
    // Whom a run of another tab waits for is known there.
    if (met.has(run) || !(run instanceof Run) || run.end !== End.None) continue;
    met.add(run);
    for (const wait of waitsOf(run)) open.push({ run: wait.run, locks: wait.isLock ? [...locks, wait.words] : locks });
    for (const child of childrenOf(run)) open.push({ run: child, locks });
  }
}

function cycle(parent: Run, holder: Joined['handle'], locks: readonly string[]): Error {
  const words = `ctx.run("${holder.taskIdentifier}") of run ${parent.id}: run ${holder.id} holds the key ${JSON.stringify(holder.idempotencyKey)}, and waits for this one itself`;
  if (locks.length === 0) return new ConfigurationError(`${words}. Use another key.`);
  // Let go, they let the other go on; so that a further try has what it gave.
  return new LockDeadlockError(`${words}: ${locks.join('; ')}. Nobody would go on. Take no lock around a run that takes it too.`, { data: { holder: holder.id } });
}

/** Gives the output, recorded before the code goes on. @throws what the other run failed with */
export async function joinRun(durable: Durable, key: string, { handle, skipped }: Joined): Promise<unknown> {
  if (skipped) throw duplicate(handle, 'The child was skipped');
  let come: Outcome | undefined;
  const outside = outcomeOf(durable, key, handle).then((outcome) => (come = outcome));
  const others = joinedBy.get(durable.run) ?? new Set();
  joinedBy.set(durable.run, others.add(handle));
  await durable.wait(outside, () => {
    others.delete(handle);
    if (come && 'record' in come) durable.commit(come.record);
    else if (come) durable.fail(key, RecordKind.ChildFailed, come.error);
  }, () => ({ kind: 'child', runs: [handle.id], text: `Waits for run ${handle.id} (${handle.taskIdentifier}), which holds the key of its child.` }));
  if ('error' in come!) throw come.error;
  return come!.output;
}

async function outcomeOf(durable: Durable, key: string, handle: Joined['handle']): Promise<Outcome> {
  const result = await handle.wait();
  if (!result.ok) return { error: result.error };
  return { output: result.output, record: await durable.prepare(key, RecordKind.Value, result.output, 'result') };
}
